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
    _as_of("c.last_seen", "c.last_seen, c.deceased")
    run = column("run", sa.Text(), "Dagster's run that published; empty where none did.")
    op.add_column("publication", run, schema="ops")


def downgrade() -> None:
    """Go back to the version before it."""
    op.drop_column("publication", "run", schema="ops")
    for table in _TABLES:
        op.drop_column(table, "deceased", schema="golden")
    _as_of("c.last_seen, c.deceased", "c.last_seen")


def _as_of(before: str, after: str) -> None:
    """Make the functions anew that give customers as they were; they name every column, the newest last."""
    query = sa.text(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE oid::regprocedure::text LIKE 'golden.customer_as_of(%'"
    )
    for definition in op.get_bind().scalars(query).all():
        op.get_bind().exec_driver_sql(definition.replace(before, after).replace("%", "%%"))
