"""What one person proposes and another approves."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.migrations.columns import column

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Go to this version."""
    op.create_table(
        "proposal",
        sa.Column(
            "proposal_id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the proposal. Privacy category: system.operations.",
        ),
        column(
            "kind",
            sa.Text(),
            "What is proposed: same, different, confirm, set or undo of a steward; access or erase for a person.",
            nullable=False,
        ),
        sa.Column(
            "subject",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Whom it is about, and what: ids, records, attribute, value. Privacy category: user.",
        ),
        column("proposed_by", sa.Text(), "Who proposed it.", "user.account.username", nullable=False),
        sa.Column(
            "proposed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When. Privacy category: system.operations.",
        ),
        column("state", sa.Text(), "open, approved, rejected or expired.", nullable=False),
        column("decided_by", sa.Text(), "Who approved or rejected it.", "user.account.username"),
        column("decided_at", sa.DateTime(timezone=True), "When it was approved, rejected, or expired."),
        column("reason", sa.Text(), "Why, in the words of who proposed it.", "user"),
        sa.CheckConstraint(
            "state <> 'approved' OR lower(decided_by) <> lower(proposed_by)",
            name=op.f("proposal_four_eyes_check"),
        ),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("proposal_pkey")),
        schema="ops",
        comment="What one person proposes and another approves; nobody approves what they proposed themselves.",
    )
    op.create_index(op.f("proposal_state_kind_idx"), "proposal", ["state", "kind"], schema="ops")


def downgrade() -> None:
    """Go back to the version before it."""
    op.drop_table("proposal", schema="ops")
