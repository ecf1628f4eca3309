"""Sessions of the console, keys of programs, and answers to repeated writes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.migrations.columns import column

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Go to this version."""
    op.create_table(
        "api_token",
        sa.Column(
            "token_id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the key. Privacy category: system.operations.",
        ),
        column("secret", sa.LargeBinary(), "SHA-256 of the key.", nullable=False),
        column("name", sa.Text(), "Program that uses it.", "user.account.username", nullable=False),
        column("role", sa.Text(), "Role that it acts in.", nullable=False),
        sa.Column(
            "scopes",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="What it may do: read, match, write. Privacy category: system.operations.",
        ),
        column("per_minute", sa.Integer(), "Requests that it may make a minute.", nullable=False),
        column("made_by", sa.Text(), "Who made it.", "user.account.username", nullable=False),
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was made. Privacy category: system.operations.",
        ),
        column("ends_at", sa.DateTime(timezone=True), "When it ends.", nullable=False),
        column("revoked_at", sa.DateTime(timezone=True), "When it was taken back."),
        sa.PrimaryKeyConstraint("token_id", name=op.f("api_token_pkey")),
        schema="ops",
        comment="Keys of programs that use the API; kept after their end, so that the access log can be read.",
    )
    op.create_index(op.f("api_token_secret_idx"), "api_token", ["secret"], unique=True, schema="ops")
    op.create_table(
        "kept_answer",
        column("caller", sa.Text(), "Who asked.", "user.account.username", nullable=False),
        column("key", sa.Text(), "Idempotency key that they chose.", nullable=False),
        column("asked", sa.LargeBinary(), "SHA-256 of what they asked.", nullable=False),
        column("status", sa.Integer(), "Status of the answer; empty while it is worked on."),
        sa.Column(
            "answer",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The answer: numbers and states, no values of customers. Privacy category: system.operations.",
        ),
        sa.Column(
            "asked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When they asked. Privacy category: system.operations.",
        ),
        sa.PrimaryKeyConstraint("caller", "key", name=op.f("kept_answer_pkey")),
        schema="ops",
        comment="Answers to writes by their idempotency key, so that a repeated one is answered and not done again.",
    )
    op.create_index(op.f("kept_answer_asked_at_idx"), "kept_answer", ["asked_at"], schema="ops")
    op.create_table(
        "session",
        column("secret", sa.LargeBinary(), "SHA-256 of what the cookie or the link holds.", nullable=False),
        column("state", sa.Text(), "link, signing in, or signed in.", nullable=False),
        column("who", sa.Text(), "Login name.", "user.account.username", nullable=False),
        column("role", sa.Text(), "Role that they act in; empty while they sign in.", nullable=False),
        sa.Column(
            "roles",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="Roles that they may act in. Privacy category: system.operations.",
        ),
        sa.Column(
            "noted",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="What is remembered of the provider until they are signed in. Privacy category: system.operations.",
        ),
        sa.Column(
            "began_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it began. Privacy category: system.operations.",
        ),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was last used. Privacy category: system.operations.",
        ),
        column("ends_at", sa.DateTime(timezone=True), "When it ends, used or not.", nullable=False),
        sa.PrimaryKeyConstraint("secret", name=op.f("session_pkey")),
        schema="ops",
        comment="Who is signed in to the console; a row goes when it ends.",
    )
    op.create_index(op.f("session_ends_at_idx"), "session", ["ends_at"], schema="ops")


def downgrade() -> None:
    """Go back to the version before it."""
    for table in ("session", "kept_answer", "api_token"):
        op.drop_table(table, schema="ops")
