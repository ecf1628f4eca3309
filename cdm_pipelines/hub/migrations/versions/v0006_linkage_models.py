"""Copies of the linkage models of published versions."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Go to this version."""
    operations = "Privacy category: system.operations."
    op.create_table(
        "linkage_model",
        sa.Column(
            "made_with",
            sa.Text(),
            primary_key=True,
            comment=f"Fingerprint of all models of a version, as in version.made_from. {operations}",
        ),
        sa.Column(
            "kind",
            sa.Text(),
            primary_key=True,
            comment=f"Kind of party: person or organisation. {operations}",
        ),
        sa.Column("fingerprint", sa.Text(), nullable=False, comment=f"Of the model. {operations}"),
        sa.Column(
            "model",
            sa.Text(),
            nullable=False,
            comment="The model as JSON; it has values that several records share. Privacy category: user.",
        ),
        sa.Column(
            "first_used",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            comment=f"When a version was first made with it. {operations}",
        ),
        schema="ops",
        comment="Copies of the linkage models of published versions: a lost model is restored, never fitted unasked.",
    )


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_table("linkage_model", schema="ops")
