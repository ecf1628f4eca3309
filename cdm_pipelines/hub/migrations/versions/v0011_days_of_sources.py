"""The days of sources that customers were made from."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Go to this version."""
    operations = "Privacy category: system.operations."
    described = {
        "source": "Source system.",
        "entity": "Entity of the source.",
        "holds": "Canonical entity that rows of the day were standardised into.",
        "date": "Extract date, YYYY-MM-DD.",
    }
    op.create_table(
        "source_day",
        *(
            sa.Column(name, sa.Text(), primary_key=True, comment=f"{text} {operations}")
            for name, text in described.items()
        ),
        schema="ops",
        comment="Days of sources that customers were made from: a lake that has lost one is not published from.",
    )


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_table("source_day", schema="ops")
