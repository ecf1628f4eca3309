"""Add consent."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.migrations.columns import column

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Go to this version."""
    op.execute("CREATE SCHEMA IF NOT EXISTS privacy")
    op.execute("COMMENT ON SCHEMA privacy IS 'What may be done with data of customers, and what they asked.'")
    op.create_table(
        "consent",
        column("golden_id", sa.Uuid(), "Golden customer.", "user.unique_id", nullable=False),
        column("purpose", sa.Text(), "Purpose, by its key.", nullable=False),
        column(
            "channel",
            sa.Text(),
            "Channel; empty for every channel that has no row of its own.",
            nullable=False,
        ),
        column("allowed", sa.Boolean(), "Whether it is allowed.", "user.privacy_preferences", nullable=False),
        column(
            "state",
            sa.Text(),
            "given, refused, withdrawn, objected or expired; empty where nothing was said.",
            "user.privacy_preferences",
        ),
        column(
            "since",
            sa.DateTime(timezone=True),
            "Moment of the statement that decides.",
            "user.privacy_preferences",
        ),
        column(
            "expires",
            sa.DateTime(timezone=True),
            "When what was given ends; empty where it does not.",
            "user.privacy_preferences",
        ),
        column("why", sa.Text(), "Why it is so, in words.", "user.privacy_preferences", nullable=False),
        column(
            "shared",
            sa.Boolean(),
            "Whether an address that several customers have plays a part.",
            nullable=False,
        ),
        column(
            "contradictory",
            sa.Boolean(),
            "Whether statements that hold say different things.",
            nullable=False,
        ),
        column("source", sa.Text(), "Source of the statement that decides."),
        column("entity", sa.Text(), "Entity of that source."),
        column("record_id", sa.Text(), "The statement.", "user.unique_id"),
        sa.PrimaryKeyConstraint("golden_id", "purpose", "channel", name=op.f("consent_pkey")),
        schema="privacy",
        comment="What each customer allows, for purposes and channels about which something was said. "
        "For others the purpose's own default holds.",
    )
    op.create_table(
        "consent_state",
        column("name", sa.Text(), "consent.", nullable=False),
        sa.Column(
            "made_from",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Versions of all that it was made from, by name. Privacy category: system.operations.",
        ),
        column("rows", sa.BigInteger(), "Rows of privacy.consent.", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("consent_state_pkey")),
        schema="privacy",
        comment="What consent was made from: what is up to date is not worked out again.",
    )
    op.create_table(
        "consent_statement",
        column("source", sa.Text(), "Source system.", nullable=False),
        column("entity", sa.Text(), "Entity of the source system.", nullable=False),
        column(
            "record_id",
            sa.Text(),
            "The statement: of which row, when, and a digest of it.",
            "user.unique_id",
            nullable=False,
        ),
        column("golden_id", sa.Uuid(), "The customer that it is about, where that is one.", "user.unique_id"),
        column("customers", sa.Integer(), "How many customers it is about.", nullable=False),
        column(
            "standing",
            sa.Text(),
            "in force, superseded, of nobody, or why it does not count.",
            nullable=False,
        ),
        column("first_seen", sa.Date(), "Extract that brought it.", nullable=False),
        column(
            "statement_id",
            sa.Text(),
            "Number of the statement; the key of the source's row where it has none.",
            "user.privacy_preferences",
        ),
        column("party_id", sa.Text(), "Record of the party that made it.", "user.privacy_preferences"),
        column("party_email", sa.Text(), "E-mail address that it is about.", "user.contact.email"),
        column(
            "party_phone", sa.Text(), "Phone number that it is about, E.164.", "user.contact.phone_number"
        ),
        column("token", sa.Text(), "Browser or device that it is about.", "user.device.cookie_id"),
        column("purpose", sa.Text(), "Purpose that it is about, by its key.", "user.privacy_preferences"),
        column(
            "channel",
            sa.Text(),
            "email, phone, post, sms, visit, web, app or other; empty for every channel.",
            "user.privacy_preferences",
        ),
        column("state", sa.Text(), "given, refused, withdrawn or objected.", "user.privacy_preferences"),
        column(
            "stated_at",
            sa.DateTime(timezone=True),
            "When it was said; empty where the source does not tell.",
            "user.privacy_preferences",
        ),
        column(
            "expires_at",
            sa.DateTime(timezone=True),
            "When it ends; empty where it does not.",
            "user.privacy_preferences",
        ),
        column(
            "method",
            sa.Text(),
            "How it was said: form, letter, call, in the source's words.",
            "user.privacy_preferences",
        ),
        column(
            "notice",
            sa.Text(),
            "What was asked or read at that time: a text, or where it is.",
            "user.privacy_preferences",
        ),
        column("notice_version", sa.Text(), "Version of that text.", "user.privacy_preferences"),
        column(
            "double_opt_in",
            sa.Boolean(),
            "Whether it was confirmed where it has to be; empty where it has not.",
            "user.privacy_preferences",
        ),
        column(
            "jurisdiction",
            sa.Text(),
            "Under which law it was said, in the source's words.",
            "user.privacy_preferences",
        ),
        sa.PrimaryKeyConstraint("source", "entity", "record_id", name=op.f("consent_statement_pkey")),
        schema="privacy",
        comment="The ledger of consent: every statement that a source ever delivered.",
    )
    op.create_index(
        op.f("consent_statement_golden_id_idx"),
        "consent_statement",
        ["golden_id"],
        unique=False,
        schema="privacy",
    )
    op.create_index(
        op.f("consent_statement_party_email_idx"),
        "consent_statement",
        ["party_email"],
        unique=False,
        schema="privacy",
    )


def downgrade() -> None:
    """Go back to the version before it."""
    op.drop_index(op.f("consent_statement_party_email_idx"), table_name="consent_statement", schema="privacy")
    op.drop_index(op.f("consent_statement_golden_id_idx"), table_name="consent_statement", schema="privacy")
    op.drop_table("consent_statement", schema="privacy")
    op.drop_table("consent_state", schema="privacy")
    op.drop_table("consent", schema="privacy")
    op.execute("DROP SCHEMA privacy")
