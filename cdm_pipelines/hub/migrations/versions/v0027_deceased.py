"""That a person has died, in golden customers and their former versions; and which run published."""

import sqlalchemy as sa
from alembic import op

from cdm_pipelines.hub.migrations.columns import column

revision = "0027"
down_revision = "0026"

_TABLES = ("customer", "customer_history")
_SAYS = (
    "Whether the person is known to have died: yes, or empty. A source may tell it by a tick or by a date."
)


def upgrade() -> None:
    """Go to this version; customers have it from the first publication on whose sources tell it."""
    for table in _TABLES:
        op.add_column(table, column("deceased", sa.Boolean(), _SAYS, "user.demographic"), schema="golden")
    run = column("run", sa.Text(), "Dagster's run that published; empty where none did.")
    op.add_column("publication", run, schema="ops")


def downgrade() -> None:
    """Go back to the version before it."""
    op.drop_column("publication", "run", schema="ops")
    for table in _TABLES:
        op.drop_column(table, "deceased", schema="golden")
