"""Add to published rows of sources since when there is the record."""

import sqlalchemy as sa
from alembic import op

from cdm_pipelines.hub.migrations.columns import column

revision = "0013"
down_revision = "0012"

_TABLES = ("customer_order", "order_line", "payment", "refund", "invoice", "product")


def upgrade() -> None:
    """Go to this version; rows have it from their next publication on."""
    for table in _TABLES:
        first_seen = column("first_seen", sa.Date(), "Oldest extract that holds the record.")
        op.add_column(table, first_seen, schema="golden")


def downgrade() -> None:
    """Go back to the version before it."""
    for table in _TABLES:
        op.drop_column(table, "first_seen", schema="golden")
