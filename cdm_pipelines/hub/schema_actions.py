"""Tables of next best actions: what each customer gets next, every choice with its propensity, and by which policy.

Belongs here: columns and comments. Does not belong here: filling and asking them (``actions``), audiences and their
deliveries.
"""

from sqlalchemy import Date, Double, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from cdm_pipelines.hub.schema import column, metadata, moment
from cdm_pipelines.store.categories import IDENTIFIER

SCHEMA = "activation"
_BEHAVIOUR = "user.behavior"

next_best_action = Table(
    "next_best_action",
    metadata,
    column("golden_id", Uuid, "Golden customer.", IDENTIFIER, key=True),
    column("action", Text, "Key of the action; empty where there is none.", _BEHAVIOUR),
    column("purpose", Text, "Purpose that it is for.", _BEHAVIOUR),
    column("channel", Text, "Channel through which the customer is addressed.", _BEHAVIOUR),
    column("goal", Text, "What it is to bring about.", _BEHAVIOUR),
    column(
        "expected_value",
        Double,
        "Probability x value - cost in the reporting currency; empty where the company states none.",
        _BEHAVIOUR,
    ),
    column("chosen_on", Date, "The day on which it was chosen.", _BEHAVIOUR),
    column("until", Date, "The last day on which it holds.", _BEHAVIOUR),
    column(
        "excluded",
        Text,
        "Why the other actions are not for the customer: as action, reason, reason.",
        _BEHAVIOUR,
    ),
    column(
        "contacted_on", Date, "When the customer was last contacted by us, within the window.", _BEHAVIOUR
    ),
    schema=SCHEMA,
    comment="What to do next for each customer, and why not something else; replaced by every run.",
)
action_choice = Table(
    "action_choice",
    metadata,
    column("period", Date, "First day of the period that the choice is of.", key=True),
    column("golden_id", Uuid, "Golden customer when it was chosen.", IDENTIFIER, key=True),
    column("chosen_on", Date, "The day on which it was chosen.", nullable=False),
    column("policy", Text, "Fingerprint of the policy, as in action_policy.", nullable=False),
    column("action", Text, "Key of the action that was chosen.", _BEHAVIOUR, nullable=False),
    column(
        "variant",
        Text,
        "treated; explored where it was drawn evenly; control where the customer was left alone.",
        _BEHAVIOUR,
        nullable=False,
    ),
    column(
        "propensity", Double, "Probability with which what happened was drawn.", _BEHAVIOUR, nullable=False
    ),
    column("propensities", JSONB, "The same of every action that could be drawn, and of none.", _BEHAVIOUR),
    column("barred", Text, "Actions that the house barred, with commas between.", _BEHAVIOUR),
    column(
        "expected_value", Double, "Probability x value - cost, where the company states them.", _BEHAVIOUR
    ),
    column("value", Double, "What a response is worth, where the company states it.", _BEHAVIOUR),
    column("cost", Double, "What the action costs, where the company states it.", _BEHAVIOUR),
    column("context", JSONB, "The columns that the policy reads, as they were.", _BEHAVIOUR),
    column("withdrawn_on", Date, "The day from which it was no longer allowed.", _BEHAVIOUR),
    schema=SCHEMA,
    comment="Every choice with its propensity, so that what actions bring is measured and a changed rule judged.",
)
action_policy = Table(
    "action_policy",
    metadata,
    column("policy", Text, "Fingerprint.", key=True),
    column("content", JSONB, "What it says.", nullable=False),
    moment("first_used", "When a choice was first made by it."),
    schema=SCHEMA,
    comment="The policies by which choices were made.",
)
