"""The tables of the change feed: what happened to golden ids, what consumers are told, and how far each sink is.

Belongs here: columns, comments and indexes. Does not belong here: filling them (``outbox``) or reading them
(``feed``).
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from cdm_pipelines.hub.schema import column, comment_of, metadata, moment
from cdm_pipelines.store.categories import OPERATIONS

_IDENTIFIER = "user.unique_id"
_OPERATIONS = OPERATIONS
_EVENT_ID = "Made from hub, publication, golden id and event, so that whoever repeats it finds the same."


def _happening(*, key: bool) -> list[Column[Any]]:
    return [
        column("golden_id", Uuid, "The golden id that it happened to.", _IDENTIFIER, key=key, nullable=False),
        column("event", Text, "created, merged, split, retired or restored.", key=key, nullable=False),
        column("related_id", Uuid, "The id merged into, or the one split from.", _IDENTIFIER),
        column(
            "reason", Text, "What made it happen: a new record, a changed value, a new model, a decision."
        ),
        column("evidence", JSONB, "What the reason rests on: keys and weights, no values.", _IDENTIFIER),
    ]


event = Table(
    "event",
    metadata,
    *_happening(key=True),
    column("publication_id", BigInteger, "Publication that made it known.", key=True),
    column("event_id", Uuid, _EVENT_ID, nullable=False),
    schema="identity",
    comment="Everything that happened to golden ids; rows are only ever added.",
)
Index(None, event.c.publication_id)
staged_event = Table("event", MetaData(), *_happening(key=False), schema="staging", prefixes=["UNLOGGED"])

outbox = Table(
    "outbox",
    metadata,
    Column(
        "position",
        BigInteger,
        Identity(always=True),
        primary_key=True,
        comment=comment_of(
            "Place in the feed; positions are committed in their order, with gaps.", _OPERATIONS
        ),
    ),
    column("event_id", Uuid, f"{_EVENT_ID} Consumers drop what they have seen.", nullable=False),
    column("publication_id", BigInteger, "Publication that it is part of.", nullable=False),
    column("golden_id", Uuid, "The customer.", _IDENTIFIER, nullable=False),
    column("type", Text, "customer.created, changed, merged, split, retired or restored.", nullable=False),
    column("related_id", Uuid, "The customer merged into, or split from.", _IDENTIFIER),
    column(
        "changes",
        JSONB,
        "Of a change: per attribute the fingerprints of the value before and after.",
        _IDENTIFIER,
    ),
    schema="ops",
    comment="What consumers are told, in order, written with the publication itself.",
)
Index(None, outbox.c.publication_id)

sink = Table(
    "sink",
    metadata,
    column("name", Text, "As policies/change_feed.yaml calls it.", key=True),
    column("position", BigInteger, "Everything up to here is delivered, or a dead letter.", nullable=False),
    column("disabled", Text, "Why nothing is sent any more; empty while the sink is in use."),
    moment("updated_at", "When the position last moved."),
    schema="ops",
    comment="How far each sink of the change feed is.",
)

dead_letter = Table(
    "dead_letter",
    metadata,
    column("sink", Text, "Sink that did not take it.", key=True),
    column("position", BigInteger, "Place in the feed.", key=True),
    column("golden_id", Uuid, "The customer, whose later events wait behind.", _IDENTIFIER, nullable=False),
    column("attempts", Integer, "Times that it was sent; 0 when it waits behind another.", nullable=False),
    column("error", Text, "What the last attempt ended with.", nullable=False),
    moment("dead_at", "When it was given up."),
    schema="ops",
    comment="Events that a sink did not take, until they are sent again.",
)
Index(None, dead_letter.c.sink, dead_letter.c.golden_id)

feed = Table(
    "feed",
    metadata,
    column("hub_id", Uuid, "This hub among all; part of the name of every event.", key=True),
    column(
        "secret",
        LargeBinary,
        "Random salt of the fingerprints, so that no value can be guessed from one.",
        nullable=False,
    ),
    column(
        "pruned",
        BigInteger,
        "Up to this position pruning has forgotten events; empty while it has forgotten none.",
    ),
    schema="ops",
    comment="What makes the change feed of this hub its own; one row, and the secret never leaves the database.",
)
