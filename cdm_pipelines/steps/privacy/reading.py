"""Reading personal data through our own tools: in which role, for what, and a line in the access log.

Belongs here: who reads as what, and which categories a tool shows. Does not belong here: the log (hub.access_log), what
a tool shows.
"""

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import Column

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, targets
from cdm_pipelines.hub import schema
from cdm_pipelines.hub.access_log import Reading
from cdm_pipelines.hub.published import published, published_table
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.roles import RolesPolicy
from cdm_pipelines.settings import Settings
from cdm_pipelines.store.categories import UNCLASSIFIED, is_personal

_CARD = (
    "golden_id",
    "given_name",
    "organisation_name",
    "street",
    "postcode",
    "city",
    "email",
    "phone",
    "birth_date",
)
OPERATOR = "engineer"
"""Who runs commands where nothing else is said: they have the rights of the pipeline."""


def reading(
    settings: Settings, who: str, tool: str, role: str = "", purpose: str = "", *, usual: str = OPERATOR
) -> Reading:
    """What is noted of a reading.

    Args:
        settings: Where the policy of roles is.
        who: Login name.
        tool: The command.
        role: That they act in; the usual one, or the first of the policy, when left out.
        purpose: One of the role's; its first when left out.
        usual: The role of those who use the tool.

    Raises:
        PrivacyPolicyError: There is no such role, or it does not act for that purpose.
    """
    policy = RolesPolicy.load(settings.policies)
    name = role or (usual if usual in policy.roles else next(iter(policy.roles)))
    purposes = policy.role(name).purposes
    if purpose and purpose not in purposes:
        raise PrivacyPolicyError(
            f"The role {name} does not act for {purpose!r}; it acts for {', '.join(purposes)} (policies/roles.yaml)."
        )
    return Reading(who, name, purpose or purposes[0], tool)


def delivering(settings: Settings, who: str, tool: str, purpose: str, role: str = "") -> Reading:
    """What is noted of what leaves for a purpose: by the usual role for any, by one that is named for one of its own.

    Raises:
        PrivacyPolicyError: There is no such role, or it does not act for that purpose.
    """
    if role:
        return reading(settings, who, tool, role, purpose)
    return replace(reading(settings, who, tool), purpose=purpose)


def card_categories() -> set[str]:
    """Categories of what a search shows of each customer."""
    return _personal(schema.customer.c[name] for name in _CARD)


def table_categories(*names: str) -> set[str]:
    """Categories of published tables."""
    return _personal(column for name in names for column in published_table(name).table.columns)


def customer_categories() -> set[str]:
    """Categories of a customer with records, former values and where each came from; those of lost values are any."""
    return table_categories("customer", "crosswalk") | {UNCLASSIFIED}


def everything_categories() -> set[str]:
    """Categories of all that is known of a customer, of rows as delivered too."""
    return table_categories(*published()) | {UNCLASSIFIED}


def delivered_categories(contracts: Iterable[SourceContract]) -> set[str]:
    """Categories of rows of source entities as they are delivered."""
    found = (column.privacy or UNCLASSIFIED for one in contracts for column in one.columns)
    return {category for category in found if is_personal(category)}


def record_categories(names: Iterable[str]) -> set[str]:
    """Categories of attributes of party records, by their names."""
    known = (targets().get(f"{Entity.PARTY}.{name}") for name in names)
    return {one.privacy for one in known if one is not None and is_personal(one.privacy)}


def _personal(columns: Iterable[Column[object]]) -> set[str]:
    return {category for category in map(schema.privacy_of, columns) if is_personal(category)}
