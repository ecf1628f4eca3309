"""Statements of consent that are made at a touch point."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.migrations.columns import column

revision = "0020"
down_revision = "0019"

_LEDGER = "The ledger of consent: every statement that a source ever delivered"


def upgrade() -> None:
    """Go to this version."""
    op.create_table(
        "said_here",
        sa.Column(
            "number",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the statement. Privacy category: system.operations.",
        ),
        column("statement", sa.Text(), "Its key in the ledger.", "user.unique_id", nullable=False),
        column(
            "source", sa.Text(), "Source system of the record that stands for the customer.", nullable=False
        ),
        column("entity", sa.Text(), "Its entity.", nullable=False),
        column("record_id", sa.Text(), "Its id there.", "user.unique_id", nullable=False),
        column("purpose", sa.Text(), "Purpose, by its key.", "user.privacy_preferences", nullable=False),
        column(
            "channel",
            sa.Text(),
            "Channel; empty for every channel.",
            "user.privacy_preferences",
            nullable=False,
        ),
        column(
            "state",
            sa.Text(),
            "given, refused, withdrawn or objected.",
            "user.privacy_preferences",
            nullable=False,
        ),
        column(
            "stated_at",
            sa.DateTime(timezone=True),
            "When it was said.",
            "user.privacy_preferences",
            nullable=False,
        ),
        column(
            "method",
            sa.Text(),
            "How it was said: a call, a form.",
            "user.privacy_preferences",
            nullable=False,
        ),
        column(
            "notice",
            sa.Text(),
            "What was asked or read at that time: a text, or where it is.",
            "user.privacy_preferences",
        ),
        column("notice_version", sa.Text(), "Version of that text.", "user.privacy_preferences"),
        column("reason", sa.Text(), "Words of whoever took it down.", "user.privacy_preferences"),
        column("who", sa.Text(), "Who took it down.", "user.account.username", nullable=False),
        column("role", sa.Text(), "Role in which they did.", nullable=False),
        sa.Column(
            "told",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="What of the customer's consent it changed: purposes and channels. "
            "Privacy category: system.operations.",
        ),
        column("publication_id", sa.BigInteger(), "The publication that took it in; empty before that."),
        sa.PrimaryKeyConstraint("number", name=op.f("said_here_pkey")),
        schema="privacy",
        comment="Statements of consent that were made at a touch point: in force at once, and kept for good.",
    )
    op.create_index(
        op.f("said_here_source_entity_record_id_idx"),
        "said_here",
        ["source", "entity", "record_id"],
        schema="privacy",
    )
    op.create_index(
        op.f("said_here_statement_idx"), "said_here", ["statement"], unique=True, schema="privacy"
    )
    op.create_index(
        op.f("consent_statement_party_phone_idx"), "consent_statement", ["party_phone"], schema="privacy"
    )
    op.create_table_comment("consent_statement", f"{_LEDGER}, or that was made here.", schema="privacy")


def downgrade() -> None:
    """Go back to the version before it."""
    op.create_table_comment("consent_statement", f"{_LEDGER}.", schema="privacy")
    op.drop_index(op.f("consent_statement_party_phone_idx"), "consent_statement", schema="privacy")
    op.drop_table("said_here", schema="privacy")
