"""Who reads what: the access log, the key of pseudonyms, and nothing for everybody."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.migrations.columns import column

revision = "0015"
down_revision = "0014"

_SCHEMA = "What may be done with data of customers, what they asked, and keys."


def upgrade() -> None:
    """Go to this version."""
    op.execute("CREATE SCHEMA IF NOT EXISTS privacy")
    op.execute(f"COMMENT ON SCHEMA privacy IS '{_SCHEMA}'")
    op.create_table(
        "access_log",
        sa.Column(
            "access_id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the line. Privacy category: system.operations.",
        ),
        sa.Column(
            "accessed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it was read. Privacy category: system.operations.",
        ),
        column("who", sa.Text(), "Login name of who read.", "user.account.username", nullable=False),
        column("role", sa.Text(), "Role that they acted in.", nullable=False),
        column("purpose", sa.Text(), "Purpose that they acted for.", nullable=False),
        column(
            "tool",
            sa.Text(),
            "What they read with: a command, or a function of a role's schema.",
            nullable=False,
        ),
        column(
            "golden_ids",
            postgresql.ARRAY(sa.Uuid()),
            "Customers who were read of; empty where a whole table was.",
            "user.unique_id",
            nullable=False,
        ),
        column(
            "categories",
            postgresql.ARRAY(sa.Text()),
            "Privacy categories of what was read, never values.",
            nullable=False,
        ),
        column("rows", sa.BigInteger(), "How many customers or rows.", nullable=False),
        sa.PrimaryKeyConstraint("access_id", name=op.f("access_log_pkey")),
        schema="ops",
        comment="Who read personal data through our own tools, in which role, for what, and of whom; no values.",
    )
    op.create_index(op.f("access_log_accessed_at_idx"), "access_log", ["accessed_at"], schema="ops")
    op.create_index(
        op.f("access_log_golden_ids_idx"), "access_log", ["golden_ids"], schema="ops", postgresql_using="gin"
    )
    op.create_table(
        "pseudonym_key",
        column("key_id", sa.BigInteger(), "1: there is one key.", nullable=False),
        column(
            "inner_pad", sa.LargeBinary(), "Inner half of the key, as HMAC-SHA256 uses it.", nullable=False
        ),
        column("outer_pad", sa.LargeBinary(), "Outer half.", nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pseudonym_key_pkey")),
        schema="privacy",
        comment="Key of pseudonyms, made from the secret of the deployment; no role reads it.",
    )


def downgrade() -> None:
    """Go back to the version before it; who read what is lost."""
    op.drop_table("pseudonym_key", schema="privacy")
    op.drop_table("access_log", schema="ops")
    op.execute(  # others have tables in it
        "DO $$ BEGIN DROP SCHEMA privacy; EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END $$"
    )
