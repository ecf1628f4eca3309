"""Commands that the console has run beside it, so that those that wait are not forgotten when it stops."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from cdm_pipelines.hub.migrations.columns import column

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Go to this version."""
    op.create_table(
        "work",
        sa.Column(
            "work_id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the work, in the order in which they were asked for. "
            "Privacy category: system.operations.",
        ),
        column("key", sa.Text(), "What it is about, by a name that tells of nobody.", nullable=False),
        column("who", sa.Text(), "Who asked for it.", "user.account.username", nullable=False),
        sa.Column(
            "arguments",
            ARRAY(sa.Text()),
            nullable=False,
            comment="Of cdm; they name no customer. Privacy category: system.operations.",
        ),
        column(
            "given",
            sa.Text(),
            "What the command reads: golden ids; empty once it has begun.",
            "user.unique_id",
        ),
        column("files", JSONB(), "Texts of changed policies by their path, for a plan.", nullable=False),
        sa.Column(
            "asked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was asked for. Privacy category: system.operations.",
        ),
        column("state", sa.Text(), "waits, is under way, is done, failed, or was stopped.", nullable=False),
        column(
            "told",
            sa.Text(),
            "The last lines that it printed; our commands print no personal value.",
            nullable=False,
        ),
        column("printed", sa.Text(), "What it printed to standard output.", nullable=False),
        sa.PrimaryKeyConstraint("work_id", name=op.f("work_pkey")),
        schema="ops",
        comment="Commands that the console has run beside it, one after the other; a row goes after a week.",
    )
    op.create_index(op.f("work_key_idx"), "work", ["key"], schema="ops")


def downgrade() -> None:
    """Go back to the version before it."""
    op.drop_table("work", schema="ops")
