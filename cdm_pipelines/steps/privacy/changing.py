"""Who may change something with our own tools: what ``roles.yaml`` says under ``changes``.

Belongs here: whether a tool may be used for that. Does not belong here: reading (``reading``), what a tool changes.

Whoever runs a tool has the rights of the pipeline; a role is what they say they act in. So this keeps a company's
division of work, and nobody out: that is what the login of the machine is for.
"""

from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.roles import FILE, Change, RolesPolicy
from cdm_pipelines.settings import Settings


def see_that_may(settings: Settings, role: str, change: Change) -> None:
    """See that the role of those who use a tool may change something; where there is no such role, that any may.

    Args:
        settings: Where the policy of roles is.
        role: Of those who use the tool.
        change: What it changes.

    Raises:
        PrivacyPolicyError: It may not, or the policy cannot be used.
    """
    policy = RolesPolicy.load(settings.policies)
    if not any(policy.may(one, change) for one in ([role] if role in policy.roles else policy.roles)):
        raise PrivacyPolicyError(
            f"The role {role} may not change {change}: add `{change}` to `changes` of it in policies/{FILE}."
        )
