"""Who works on rejected rows and source corrections."""

import sqlalchemy as sa
from alembic import op

from cdm_pipelines.hub.migrations.columns import column

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Go to this version."""
    op.create_table(
        "assignment",
        column("source", sa.Text(), "Source system.", nullable=False),
        column(
            "entity", sa.Text(), "Entity of the source; empty for the source's corrections.", nullable=False
        ),
        column(
            "date",
            sa.Text(),
            "Extract date, YYYY-MM-DD; empty for the source's corrections.",
            nullable=False,
        ),
        column("who", sa.Text(), "Who works on it.", "user.account.username", nullable=False),
        column("given_by", sa.Text(), "Who said so.", "user.account.username", nullable=False),
        sa.Column(
            "given_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When. Privacy category: system.operations.",
        ),
        sa.PrimaryKeyConstraint("source", "entity", "date", name=op.f("assignment_pkey")),
        schema="ops",
        comment="Who works on the rejected rows of a day, or on the corrections of a source.",
    )


def downgrade() -> None:
    """Go back to the version before it."""
    op.drop_table("assignment", schema="ops")
