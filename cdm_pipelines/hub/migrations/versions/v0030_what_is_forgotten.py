"""Up to where pruning has forgotten events of the change feed; no statistics of what may stay; unknown consent."""

import sqlalchemy as sa
from alembic import op

from cdm_pipelines.hub.migrations.columns import column

revision = "0030"
down_revision = "0029"

_SAYS = "Up to this position pruning has forgotten events; empty while it has forgotten none."
_UNCOUNTED = (
    "ALTER TABLE privacy.request ALTER COLUMN subject",
    "ALTER TABLE privacy.legal_hold ALTER COLUMN content",
)
_STATE = (
    "given, refused, withdrawn, objected{}; empty where nothing was said. "
    "Privacy category: user.privacy_preferences."
)
_FOUND = """
    UPDATE ops.feed SET pruned = (
        SELECT nullif(min(position) - 1, 0) FROM ops.outbox o
        WHERE NOT EXISTS (SELECT FROM ops.dead_letter d WHERE d.position = o.position))"""


def upgrade() -> None:
    """Go to this version; of events that are gone, pruning kept those alone that were dead letters, and later ones."""
    op.add_column("feed", column("pruned", sa.BigInteger(), _SAYS), schema="ops")
    op.execute(_FOUND)
    _say_states(", expired or unknown")
    for column_of in _UNCOUNTED:
        op.execute(f"{column_of} SET STATISTICS 0")


def downgrade() -> None:
    """Go back to the version before it."""
    op.drop_column("feed", "pruned", schema="ops")
    _say_states(" or expired")
    for column_of in _UNCOUNTED:
        op.execute(f"{column_of} SET STATISTICS -1")


def _say_states(rest: str) -> None:
    op.alter_column("consent", "state", comment=_STATE.format(rest), schema="privacy")
