"""Tables beside the profile: what each enricher's table was made from, what of it was told last, and what scored it.

Belongs here: columns and comments. Does not belong here: the tables of schema ``profile``, which follow from enrichers'
declarations and come and go with them (``profile``).
"""

from sqlalchemy import BigInteger, Date, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from cdm_pipelines.hub.schema import column, metadata, moment
from cdm_pipelines.store.categories import IDENTIFIER

profile_state = Table(
    "profile_state",
    metadata,
    column("enricher", Text, "The enricher.", key=True),
    column("rows", BigInteger, "Rows of its table.", nullable=False),
    column("made_from", JSONB, "Versions of all that its table was made from, by name.", nullable=False),
    schema="ops",
    comment="What the tables of the profile were made from: what is still up to date is not computed again.",
)

profile_model = Table(
    "profile_model",
    metadata,
    column("enricher", Text, "The enricher.", key=True),
    column("number", BigInteger, "Counts up; the highest one scores.", key=True),
    column("fingerprint", Text, "Of the model.", nullable=False),
    column("as_of", Date, "The day that it was fitted for; scores hold for it.", nullable=False),
    column("parameters", Text, "Fingerprint of the parameters that it was fitted with.", nullable=False),
    column("model", JSONB, "Scale or model with its training window and its figures.", nullable=False),
    moment("fitted_at", "When it was fitted."),
    schema="ops",
    comment="Scales and models of the profile, former ones among them: scoring never fits.",
)

profile_told = Table(
    "profile_told",
    metadata,
    column("golden_id", Uuid, "Golden customer.", IDENTIFIER, key=True),
    column("enricher", Text, "The enricher.", key=True),
    column(
        "told",
        JSONB,
        "By column, the value that was told last, where it has moved since by less than is told.",
        "user",
        nullable=False,
    ),
    schema="ops",
    comment="What was told last of profiles that have moved since by less than tells_from, so that hairs add up.",
)
