"""What customers get next, every choice with its propensity, and the policies that made them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.migrations.columns import column

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Go to this version."""
    op.create_table(
        "next_best_action",
        column("golden_id", sa.Uuid(), "Golden customer.", "user.unique_id", nullable=False),
        column("action", sa.Text(), "Key of the action; empty where there is none.", "user.behavior"),
        column("purpose", sa.Text(), "Purpose that it is for.", "user.behavior"),
        column("channel", sa.Text(), "Channel through which the customer is addressed.", "user.behavior"),
        column("goal", sa.Text(), "What it is to bring about.", "user.behavior"),
        column(
            "expected_value",
            sa.Double(),
            "Probability x value - cost in the reporting currency; empty where the company states none.",
            "user.behavior",
        ),
        column("chosen_on", sa.Date(), "The day on which it was chosen.", "user.behavior"),
        column("until", sa.Date(), "The last day on which it holds.", "user.behavior"),
        column(
            "excluded",
            sa.Text(),
            "Why the other actions are not for the customer: as action, reason, reason.",
            "user.behavior",
        ),
        column(
            "contacted_on",
            sa.Date(),
            "When the customer was last contacted by us, within the window.",
            "user.behavior",
        ),
        sa.PrimaryKeyConstraint("golden_id", name=op.f("next_best_action_pkey")),
        schema="activation",
        comment="What to do next for each customer, and why not something else; replaced by every run.",
    )
    op.create_table(
        "action_choice",
        column("period", sa.Date(), "First day of the period that the choice is of.", nullable=False),
        column(
            "golden_id", sa.Uuid(), "Golden customer when it was chosen.", "user.unique_id", nullable=False
        ),
        column("chosen_on", sa.Date(), "The day on which it was chosen.", nullable=False),
        column("policy", sa.Text(), "Fingerprint of the policy, as in action_policy.", nullable=False),
        column("action", sa.Text(), "Key of the action that was chosen.", "user.behavior", nullable=False),
        column(
            "variant",
            sa.Text(),
            "treated; explored where it was drawn evenly; control where the customer was left alone.",
            "user.behavior",
            nullable=False,
        ),
        column(
            "propensity",
            sa.Double(),
            "Probability with which what happened was drawn.",
            "user.behavior",
            nullable=False,
        ),
        sa.Column(
            "propensities",
            postgresql.JSONB(),
            nullable=True,
            comment="The same of every action that could be drawn, and of none. Privacy category: user.behavior.",
        ),
        column("barred", sa.Text(), "Actions that the house barred, with commas between.", "user.behavior"),
        column(
            "expected_value",
            sa.Double(),
            "Probability x value - cost, where the company states them.",
            "user.behavior",
        ),
        column(
            "value", sa.Double(), "What a response is worth, where the company states it.", "user.behavior"
        ),
        column("cost", sa.Double(), "What the action costs, where the company states it.", "user.behavior"),
        sa.Column(
            "context",
            postgresql.JSONB(),
            nullable=True,
            comment="The columns that the policy reads, as they were. Privacy category: user.behavior.",
        ),
        column("withdrawn_on", sa.Date(), "The day from which it was no longer allowed.", "user.behavior"),
        sa.PrimaryKeyConstraint("period", "golden_id", name=op.f("action_choice_pkey")),
        schema="activation",
        comment="Every choice with its propensity, so that what actions bring is measured and a changed rule judged.",
    )
    op.create_table(
        "action_policy",
        column("policy", sa.Text(), "Fingerprint.", nullable=False),
        sa.Column(
            "content",
            postgresql.JSONB(),
            nullable=False,
            comment="What it says. Privacy category: system.operations.",
        ),
        sa.Column(
            "first_used",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When a choice was first made by it. Privacy category: system.operations.",
        ),
        sa.PrimaryKeyConstraint("policy", name=op.f("action_policy_pkey")),
        schema="activation",
        comment="The policies by which choices were made.",
    )


def downgrade() -> None:
    """Go back from this version."""
    for name in ("action_policy", "action_choice", "next_best_action"):
        op.drop_table(name, schema="activation")
