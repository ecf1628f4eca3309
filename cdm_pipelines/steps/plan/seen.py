"""Which golden values a role sees in clear.

Belongs here: asking the policy of roles. Does not belong here: what is shown (``examples``).
"""

from cdm_pipelines.privacy.roles import CLEAR, DeclaredColumn
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.privacy.access import governed

_CUSTOMER = "golden.customer"


def seen_in_clear(settings: Settings, role: str) -> frozenset[str]:
    """Columns of golden customers that a role reads as they are; none where it sees no customers, or some alone.

    Raises:
        PrivacyPolicyError: There is no such role, or the policy cannot be used.
    """
    found = governed(settings)
    policy = found.policy.role(role)
    if not policy.sees(_CUSTOMER) or policy.rows or policy.pseudonymous is not None:
        return frozenset()
    return frozenset(
        name
        for name, column in found.catalogue[_CUSTOMER].columns.items()
        if policy.reads_column(_CUSTOMER, DeclaredColumn(name, "text", column.category)).how == CLEAR
    )
