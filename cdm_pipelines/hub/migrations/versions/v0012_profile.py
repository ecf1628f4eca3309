"""Add refunds, invoices, products and the profile."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.migrations.columns import column

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Go to this version."""
    op.execute("CREATE SCHEMA profile")
    op.execute(
        "COMMENT ON SCHEMA profile IS 'What is worked out of golden customers: one view per customer.'"
    )
    op.create_table(
        "invoice",
        column("source", sa.Text(), "Source system.", nullable=False),
        column("entity", sa.Text(), "Entity of the source system.", nullable=False),
        column("record_id", sa.Text(), "Record within it.", "user.unique_id", nullable=False),
        column(
            "golden_id",
            sa.Uuid(),
            "Golden customer. Empty when the source names nobody known.",
            "user.unique_id",
        ),
        column("active", sa.Boolean(), "Whether the source still keeps the record.", nullable=False),
        column("invoice_id", sa.Text(), "Number of the invoice.", "user.financial"),
        column("order_id", sa.Text(), "Order that was billed.", "user.financial"),
        column("party_id", sa.Text(), "Record of the customer who was billed.", "user.financial"),
        column(
            "party_email", sa.Text(), "E-mail address that the invoice was sent to.", "user.contact.email"
        ),
        column("issued_on", sa.Date(), "Date of the invoice.", "user.financial"),
        column("due_on", sa.Date(), "When it was to be paid at the latest.", "user.financial"),
        column(
            "settled_on", sa.Date(), "When it was paid in full; empty while it is open.", "user.financial"
        ),
        column("currency", sa.Text(), "Currency, ISO 4217.", "user.financial"),
        column("amount", sa.Numeric(), "Amount to pay, taxes included.", "user.financial"),
        column("disputed", sa.Boolean(), "Whether the customer disputes it.", "user.financial"),
        column("dunning_level", sa.BigInteger(), "How many reminders were sent.", "user.financial"),
        sa.PrimaryKeyConstraint("source", "entity", "record_id", name=op.f("invoice_pkey")),
        schema="golden",
        comment="Invoices of all sources with the golden customer who was billed.",
    )
    op.create_index(op.f("invoice_golden_id_idx"), "invoice", ["golden_id"], unique=False, schema="golden")
    op.create_index(op.f("invoice_invoice_id_idx"), "invoice", ["invoice_id"], unique=False, schema="golden")
    op.create_table(
        "product",
        column("source", sa.Text(), "Source system.", nullable=False),
        column("entity", sa.Text(), "Entity of the source system.", nullable=False),
        column("record_id", sa.Text(), "Record within it.", "user.unique_id", nullable=False),
        column("active", sa.Boolean(), "Whether the source still keeps the record.", nullable=False),
        column("product_code", sa.Text(), "Article number."),
        column("name", sa.Text(), "Name of the article."),
        column("category", sa.Text(), "Category as a path, with > between its levels."),
        column("brand", sa.Text(), "Brand."),
        column("price", sa.Numeric(), "Price of one, taxes included."),
        column("cost", sa.Numeric(), "What one costs the company."),
        column("currency", sa.Text(), "Currency, ISO 4217."),
        sa.PrimaryKeyConstraint("source", "entity", "record_id", name=op.f("product_pkey")),
        schema="golden",
        comment="Articles that can be ordered.",
    )
    op.create_table(
        "refund",
        column("source", sa.Text(), "Source system.", nullable=False),
        column("entity", sa.Text(), "Entity of the source system.", nullable=False),
        column("record_id", sa.Text(), "Record within it.", "user.unique_id", nullable=False),
        column("active", sa.Boolean(), "Whether the source still keeps the record.", nullable=False),
        column("refund_id", sa.Text(), "Number of the refund.", "user.behavior.purchase_history"),
        column("order_id", sa.Text(), "Order of which it was paid back.", "user.behavior.purchase_history"),
        column(
            "line_id", sa.Text(), "Line of that order, where it was one.", "user.behavior.purchase_history"
        ),
        column(
            "refunded_at",
            sa.DateTime(timezone=True),
            "When it was paid back.",
            "user.behavior.purchase_history",
        ),
        column("amount", sa.Numeric(), "Amount paid back, taxes included.", "user.behavior.purchase_history"),
        column("currency", sa.Text(), "Currency, ISO 4217.", "user.behavior.purchase_history"),
        column("reason", sa.Text(), "Why, in the source's own words.", "user.behavior.purchase_history"),
        sa.PrimaryKeyConstraint("source", "entity", "record_id", name=op.f("refund_pkey")),
        schema="golden",
        comment="What was paid back: for goods returned, or for another reason.",
    )
    op.create_index(op.f("refund_order_id_idx"), "refund", ["order_id"], unique=False, schema="golden")
    op.create_table(
        "profile_model",
        column("enricher", sa.Text(), "The enricher.", nullable=False),
        column("number", sa.BigInteger(), "Counts up; the highest one scores.", nullable=False),
        column("fingerprint", sa.Text(), "Of the model.", nullable=False),
        column("as_of", sa.Date(), "The day that it was fitted for; scores hold for it.", nullable=False),
        column(
            "parameters", sa.Text(), "Fingerprint of the parameters that it was fitted with.", nullable=False
        ),
        sa.Column(
            "model",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Scale or model with its training window and its figures. Privacy category: system.operations.",
        ),
        sa.Column(
            "fitted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was fitted. Privacy category: system.operations.",
        ),
        sa.PrimaryKeyConstraint("enricher", "number", name=op.f("profile_model_pkey")),
        schema="ops",
        comment="Scales and models of the profile, former ones among them: scoring never fits.",
    )
    op.create_table(
        "profile_state",
        column("enricher", sa.Text(), "The enricher.", nullable=False),
        column("rows", sa.BigInteger(), "Rows of its table.", nullable=False),
        sa.Column(
            "made_from",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Versions of all that its table was made from, by name. Privacy category: system.operations.",
        ),
        sa.PrimaryKeyConstraint("enricher", name=op.f("profile_state_pkey")),
        schema="ops",
        comment="What the tables of the profile were made from: what is still up to date is not computed again.",
    )


def downgrade() -> None:
    """Go back to the version before it."""
    op.execute("DROP SCHEMA profile CASCADE")
    op.drop_table("profile_state", schema="ops")
    op.drop_table("profile_model", schema="ops")
    op.drop_index(op.f("refund_order_id_idx"), table_name="refund", schema="golden")
    op.drop_table("refund", schema="golden")
    op.drop_table("product", schema="golden")
    op.drop_index(op.f("invoice_invoice_id_idx"), table_name="invoice", schema="golden")
    op.drop_index(op.f("invoice_golden_id_idx"), table_name="invoice", schema="golden")
    op.drop_table("invoice", schema="golden")
