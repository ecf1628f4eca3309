"""The change feed."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

_IDENTIFIER = "user.unique_id"
_EVENT_ID = "Made from hub, publication, golden id and event, so that whoever repeats it finds the same."


def _column(
    name: str,
    kind: sa.types.TypeEngine[Any],
    description: str,
    privacy: str = "system.operations",
    *,
    key: bool = False,
    null: bool = False,
    **more: Any,
) -> sa.Column[Any]:
    comment = f"{description} Privacy category: {privacy}."
    return sa.Column(name, kind, primary_key=key, nullable=null, comment=comment, **more)


def upgrade() -> None:
    """Go to this version."""
    _create_event()
    _create_outbox()
    _create_sink()
    _create_dead_letter()
    _create_feed()


def downgrade() -> None:
    """Go back to the version before."""
    for name in ("feed", "dead_letter", "sink", "outbox"):
        op.drop_table(name, schema="ops")
    op.drop_table("event", schema="identity")


def _create_event() -> None:
    op.create_table(
        "event",
        _column("golden_id", sa.Uuid(), "The golden id that it happened to.", _IDENTIFIER, key=True),
        _column("event", sa.Text(), "created, merged, split, retired or restored.", key=True),
        _column(
            "related_id", sa.Uuid(), "The id merged into, or the one split from.", _IDENTIFIER, null=True
        ),
        _column(
            "reason",
            sa.Text(),
            "What made it happen: a new record, a changed value, a new model, a decision.",
            null=True,
        ),
        _column(
            "evidence",
            postgresql.JSONB(),
            "What the reason rests on: keys and weights, no values.",
            _IDENTIFIER,
            null=True,
        ),
        _column("publication_id", sa.BigInteger(), "Publication that made it known.", key=True),
        _column("event_id", sa.Uuid(), _EVENT_ID),
        schema="identity",
        comment="Everything that happened to golden ids; rows are only ever added.",
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        _column(
            "position",
            sa.BigInteger(),
            "Place in the feed; positions are committed in their order, with gaps.",
            "system.operations",
            key=True,
            server_default=sa.Identity(always=True),
        ),
        _column("event_id", sa.Uuid(), f"{_EVENT_ID} Consumers drop what they have seen."),
        _column("publication_id", sa.BigInteger(), "Publication that it is part of."),
        _column("golden_id", sa.Uuid(), "The customer.", _IDENTIFIER),
        _column("type", sa.Text(), "customer.created, changed, merged, split, retired or restored."),
        _column("related_id", sa.Uuid(), "The customer merged into, or split from.", _IDENTIFIER, null=True),
        _column(
            "changes",
            postgresql.JSONB(),
            "Of a change: per attribute the fingerprints of the value before and after.",
            _IDENTIFIER,
            null=True,
        ),
        schema="ops",
        comment="What consumers are told, in order, written with the publication itself.",
    )


def _create_sink() -> None:
    op.create_table(
        "sink",
        _column("name", sa.Text(), "As policies/change_feed.yaml calls it.", key=True),
        _column("position", sa.BigInteger(), "Everything up to here is delivered, or a dead letter."),
        _column(
            "disabled", sa.Text(), "Why nothing is sent any more; empty while the sink is in use.", null=True
        ),
        _column(
            "updated_at",
            sa.DateTime(timezone=True),
            "When the position last moved.",
            server_default=sa.func.now(),
        ),
        schema="ops",
        comment="How far each sink of the change feed is.",
    )


def _create_dead_letter() -> None:
    op.create_table(
        "dead_letter",
        _column("sink", sa.Text(), "Sink that did not take it.", key=True),
        _column("position", sa.BigInteger(), "Place in the feed.", key=True),
        _column("golden_id", sa.Uuid(), "The customer, whose later events wait behind.", _IDENTIFIER),
        _column("attempts", sa.Integer(), "Times that it was sent; 0 when it waits behind another."),
        _column("error", sa.Text(), "What the last attempt ended with."),
        _column("dead_at", sa.DateTime(timezone=True), "When it was given up.", server_default=sa.func.now()),
        schema="ops",
        comment="Events that a sink did not take, until they are sent again.",
    )
    op.create_index("dead_letter_sink_golden_id_idx", "dead_letter", ["sink", "golden_id"], schema="ops")


def _create_feed() -> None:
    op.create_table(
        "feed",
        _column("hub_id", sa.Uuid(), "This hub among all; part of the name of every event.", key=True),
        _column(
            "secret",
            sa.LargeBinary(),
            "Random salt of the fingerprints, so that no value can be guessed from one.",
        ),
        schema="ops",
        comment="What makes the change feed of this hub its own; one row, and the secret never leaves the database.",
    )
    op.execute(
        """INSERT INTO ops.feed
           SELECT gen_random_uuid(), uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())"""
    )
