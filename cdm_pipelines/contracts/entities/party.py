"""The party: a person or an organisation, and the only entity whose records are customers themselves.

Belongs here: its attributes, and the composite values that sources deliver instead. Does not belong here: how they are
read (standardise) or which one counts (golden).
"""

from cdm_pipelines.contracts.entity import (
    Attribute,
    Entity,
    EntityDeclaration,
    Input,
    OfItself,
    ValueType,
    declare,
)

_T = ValueType
_NAME = "user.name"
_ADDRESS = "user.contact.address"
_ORGANISATION = "user.contact.organization"


def _party(
    name: str,
    description: str,
    privacy: str,
    group: str = "",
    value_type: ValueType = _T.TEXT,
    *,
    golden: bool = True,
) -> Attribute:
    return Attribute(Entity.PARTY, name, value_type, description, group or name, privacy, golden)


PARTY = declare(
    EntityDeclaration(
        entity=Entity.PARTY,
        plural="parties",
        description="Persons and organisations as sources know them; linked and merged into golden customers.",
        whose=OfItself(),
        table="customer",
        attributes=(
            _party("honorific", "Form of address, in one spelling: mr, mrs, mx.", _NAME, "name"),
            _party("title", "Academic or other title, as written before or after the name.", _NAME, "name"),
            _party("given_name", "First given name.", _NAME, "name"),
            _party("middle_names", "Further given names.", _NAME, "name"),
            _party("initials", "Initials with full stops: J.P.", _NAME, "name"),
            _party("surname_prefix", "Prefix of the surname: van der, de, 't.", _NAME, "name"),
            _party("surname", "Surname without its prefix; double names with a hyphen.", _NAME, "name"),
            _party(
                "organisation_name",
                "Name of the organisation, without its legal form.",
                _ORGANISATION,
                "organisation",
            ),
            _party(
                "legal_form", "Legal form in one spelling: BV, NV, VOF, GmbH.", _ORGANISATION, "organisation"
            ),
            _party("trade_name", "Name under which the organisation also trades.", _ORGANISATION),
            _party(
                "gender",
                "female, male or other, as given or as the honorific tells.",
                "user.demographic.gender",
            ),
            _party("birth_date", "Date of birth.", "user.demographic.date_of_birth", value_type=_T.DATE),
            _party("street", "Street name.", "user.contact.address.street", "address"),
            _party("house_number", "House number, digits only.", "user.contact.address.street", "address"),
            _party(
                "house_addition",
                "Addition to the house number: A, 2 hoog, bis.",
                "user.contact.address.street",
                "address",
            ),
            _party(
                "address_extra", "Further address line: building, attention, P.O. box.", _ADDRESS, "address"
            ),
            _party(
                "postcode",
                "Postal code in its country's spelling: 1234 AB.",
                "user.contact.address.postal_code",
                "address",
            ),
            _party("city", "Town or city.", "user.contact.address.city", "address"),
            _party("region", "Province or state.", "user.contact.address.state", "address"),
            _party("country", "Country, ISO 3166-1 alpha-2.", "user.contact.address.country", "address"),
            _party("email", "E-mail address, normalised.", "user.contact.email"),
            _party(
                "email_kind",
                "personal, freemail, role or disposable, by the domain and mailbox.",
                "user.contact.email",
                "email",
            ),
            _party("phone", "Landline or only phone number, E.164.", "user.contact.phone_number"),
            _party("mobile", "Mobile number, E.164.", "user.contact.phone_number"),
            _party(
                "vat_number", "VAT number with country prefix, check digits verified.", "user.government_id"
            ),
            _party("coc_number", "Chamber-of-commerce number (KvK), eight digits.", "user.government_id"),
            _party("iban", "Bank account, IBAN, check digits verified.", "user.financial.bank_account"),
            _party("language", "Preferred language, ISO 639-1.", "user.demographic.language"),
            _party("job_title", "Function within the organisation.", "user.job_title"),
            _party(
                "email_opt_out",
                "Whether the party declined marketing by e-mail.",
                "user.privacy_preferences",
                value_type=_T.BOOLEAN,
            ),
            _party(
                "deceased",
                "Whether the person is known to have died: yes, or empty. A source may tell it by a tick or by a date.",
                "user.demographic",
                value_type=_T.BOOLEAN,
            ),
            _party(
                "employer_id",
                "Record of the organisation that the person works for, in the same source.",
                _ORGANISATION,
                value_type=_T.REFERENCE,
                golden=False,
            ),
        ),
        inputs=(
            Input(
                Entity.PARTY,
                "full_name",
                "A person's whole name in one value.",
                ("honorific", "title", "given_name", "middle_names", "initials", "surname_prefix", "surname"),
                _NAME,
            ),
            Input(
                Entity.PARTY,
                "family_name",
                "Surname with its prefix in one value, as most systems keep it.",
                ("surname_prefix", "surname"),
                _NAME,
            ),
            Input(
                Entity.PARTY,
                "name",
                "Name of a person or an organisation, as the record's kind tells.",
                (
                    "honorific",
                    "title",
                    "given_name",
                    "middle_names",
                    "initials",
                    "surname_prefix",
                    "surname",
                    "organisation_name",
                    "legal_form",
                ),
                _NAME,
            ),
            Input(
                Entity.PARTY,
                "address_line",
                "Street, house number and addition in one value.",
                ("street", "house_number", "house_addition", "address_extra"),
                "user.contact.address.street",
            ),
            Input(
                Entity.PARTY,
                "salutation",
                "Salutation, honorific and title mixed: Dhr., Mevr. drs.",
                ("honorific", "title", "gender"),
                _NAME,
            ),
        ),
    )
)
