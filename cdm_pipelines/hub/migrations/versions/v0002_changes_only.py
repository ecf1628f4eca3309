"""Versions staged in part: what a version was made from, and golden ids by their founding record."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Go to this version."""
    comment = "What the {} version was made from, by name. Privacy category: system.operations."
    made_from = sa.Column("made_from", postgresql.JSONB(), comment=comment.format("staged"))
    op.add_column("staged", made_from, schema="ops")
    op.create_table(
        "version",
        sa.Column("made_from", postgresql.JSONB(), nullable=False, comment=comment.format("published")),
        sa.Column(
            "rows",
            postgresql.JSONB(),
            nullable=False,
            comment="Rows of each published table. Privacy category: system.operations.",
        ),
        schema="ops",
        comment="One row: from where the next run goes on.",
    )
    op.create_index("golden_id_founder_idx", "golden_id", ["record_id"], schema="identity")


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_index("golden_id_founder_idx", "golden_id", schema="identity")
    op.drop_table("version", schema="ops")
    op.drop_column("staged", "made_from", schema="ops")
