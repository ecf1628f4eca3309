"""Privacy categories that a policy may name: keys of the Fides taxonomy, and those that columns are declared with.

Belongs here: which there are. Does not belong here: the category of a column (contracts, canonical model, enrichers).

Keys of the Fides taxonomy (fideslang, CC-BY-4.0, https://ethyca.github.io/fideslang), shortened to data about persons.
"""

from collections.abc import Collection, Iterable, Iterator

from cdm_pipelines.contracts.errors import nearest

_ABOUT_PERSONS = (
    "account account.settings account.username authorization authorization.credentials authorization.biometric "
    "authorization.password behavior behavior.browsing_history behavior.media_consumption behavior.purchase_history "
    "behavior.search_history behavior.beliefs biometric biometric.health childrens contact contact.address "
    "contact.address.city contact.address.country contact.address.postal_code contact.address.state "
    "contact.address.street contact.email contact.fax_number contact.organization contact.phone_number contact.url "
    "content content.private content.public criminal_history demographic demographic.age_range "
    "demographic.date_of_birth demographic.ethnic_origin demographic.gender demographic.language "
    "demographic.marital_status demographic.political_opinion demographic.profile demographic.race_ethnicity "
    "demographic.religious_belief demographic.sexual_orientation device device.cookie device.cookie_id "
    "device.device_id device.ip_address device.telemetry financial financial.bank_account financial.credit_card "
    "genetic government_id government_id.birth_certificate government_id.drivers_license_number "
    "government_id.immigration government_id.national_identification_number government_id.passport_number "
    "health_and_medical job_title location location.imprecise location.precise name name.first name.last "
    "privacy_preferences sensor social unique_id unique_id.pseudonymous user_sensor workplace"
)
FIDES = frozenset({"user", "system", "system.operations", *(f"user.{key}" for key in _ABOUT_PERSONS.split())})


def unknown_categories(named: Iterable[str], declared: Collection[str]) -> Iterator[tuple[str, str]]:
    """Categories that neither the taxonomy nor any column has, each with what may be meant.

    A misspelled category would say nothing, and leave in force what is said above it.
    """
    known = set(FIDES)
    for category in declared:
        while category:
            known.add(category)
            category = category.rpartition(".")[0]  # noqa: PLW2901 - up the tree
    for category in sorted(set(named) - known):
        near = nearest(category, sorted(known))
        yield category, f"Did you mean {near!r}?" if near else "Use a key of the Fides taxonomy."
