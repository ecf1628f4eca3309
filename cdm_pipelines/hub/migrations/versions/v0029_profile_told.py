"""What was told last of profiles, where it has moved since by less than is told."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.migrations.columns import column

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Go to this version; what is published counts as told."""
    op.create_table(
        "profile_told",
        column("golden_id", sa.Uuid(), "Golden customer.", "user.unique_id", nullable=False),
        column("enricher", sa.Text(), "The enricher.", nullable=False),
        column(
            "told",
            postgresql.JSONB(),
            "By column, the value that was told last, where it has moved since by less than is told.",
            "user",
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("golden_id", "enricher", name=op.f("profile_told_pkey")),
        schema="ops",
        comment="What was told last of profiles that have moved since by less than tells_from, so that hairs add up.",
    )


def downgrade() -> None:
    """Go back to the version before it."""
    op.drop_table("profile_told", schema="ops")
