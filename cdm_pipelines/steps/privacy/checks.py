"""Are the policies of governance in order, and is any review overdue.

Belongs here: holding them against contracts and declarations. Does not belong here: their keys (privacy).
"""

import datetime as dt
from collections.abc import Sequence

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import declarations
from cdm_pipelines.privacy.catalogue import categories
from cdm_pipelines.privacy.governance import GovernancePolicy
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.purposes import POLICY as PURPOSES
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.privacy.access import role_problems, unchecked


def governance_problems(settings: Settings, contracts: Sequence[SourceContract]) -> list[str]:
    """What is wrong with the policies of roles and of governance, in words."""
    try:
        found, governance = unchecked(settings), GovernancePolicy.load(settings.policies)
    except PrivacyPolicyError as error:
        return [str(error)]
    sources = {name for one in contracts for name in (one.source, one.name)}
    attributes = {one.path: one.privacy for entity in declarations() for one in entity.attributes}
    known = categories(found.possible)
    purposes = Purposes.load(settings.policies / PURPOSES).by_key.values()
    recipients = {name for one in purposes for name in one.recipients}
    return [
        *role_problems(found),
        *governance.problems(sources, attributes, known),
        *governance.unknown_recipients(recipients),
    ]


def reviews_due(settings: Settings, today: dt.date) -> list[str]:
    """Which parts of the policy of governance should have been looked at again."""
    return list(GovernancePolicy.load(settings.policies).due(today))
