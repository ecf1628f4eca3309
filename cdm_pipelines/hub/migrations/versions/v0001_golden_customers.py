"""The tables of golden customers."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_SCHEMAS = {
    "golden": "Golden customers, and where their values come from.",
    "identity": "What makes golden ids last.",
    "ops": "What was published when.",
    "staging": "The next version while it is checked; not for readers.",
}


def _column(
    name: str,
    kind: sa.types.TypeEngine[Any],
    description: str,
    privacy: str = "",
    *,
    key: bool = False,
    null: bool = False,
) -> sa.Column[Any]:
    comment = f"{description} Privacy category: {privacy or 'system.operations'}."
    return sa.Column(name, kind, primary_key=key, nullable=null, comment=comment)


def upgrade() -> None:
    """Go to this version."""
    for name, comment in _SCHEMAS.items():
        op.execute(sa.schema.CreateSchema(name, if_not_exists=True))
        op.execute(f"COMMENT ON SCHEMA {name} IS '{comment}'")
    _create_customer()
    _create_crosswalk()
    _create_provenance()
    _create_customer_order()
    _create_order_line()
    _create_payment()
    _create_golden_id()
    _create_publication()
    _create_staged()


def downgrade() -> None:
    """Go back to an empty database."""
    for name in _SCHEMAS:
        op.execute(sa.schema.DropSchema(name, cascade=True))


def _create_customer() -> None:
    op.create_table(
        "customer",
        _column("golden_id", sa.Uuid(), "Lasting id of the customer.", "user.unique_id", key=True),
        _column("party_kind", sa.Text(), "person or organisation."),
        _column("status", sa.Text(), "active while any source keeps the customer, else inactive."),
        _column(
            "honorific", sa.Text(), "Form of address, in one spelling: mr, mrs, mx.", "user.name", null=True
        ),
        _column(
            "title",
            sa.Text(),
            "Academic or other title, as written before or after the name.",
            "user.name",
            null=True,
        ),
        _column("given_name", sa.Text(), "First given name.", "user.name", null=True),
        _column("middle_names", sa.Text(), "Further given names.", "user.name", null=True),
        _column("initials", sa.Text(), "Initials with full stops: J.P.", "user.name", null=True),
        _column(
            "surname_prefix", sa.Text(), "Prefix of the surname: van der, de, 't.", "user.name", null=True
        ),
        _column(
            "surname",
            sa.Text(),
            "Surname without its prefix; double names with a hyphen.",
            "user.name",
            null=True,
        ),
        _column(
            "organisation_name",
            sa.Text(),
            "Name of the organisation, without its legal form.",
            "user.contact.organization",
            null=True,
        ),
        _column(
            "legal_form",
            sa.Text(),
            "Legal form in one spelling: BV, NV, VOF, GmbH.",
            "user.contact.organization",
            null=True,
        ),
        _column(
            "trade_name",
            sa.Text(),
            "Name under which the organisation also trades.",
            "user.contact.organization",
            null=True,
        ),
        _column(
            "gender",
            sa.Text(),
            "female, male or other, as given or as the honorific tells.",
            "user.demographic.gender",
            null=True,
        ),
        _column("birth_date", sa.Date(), "Date of birth.", "user.demographic.date_of_birth", null=True),
        _column("street", sa.Text(), "Street name.", "user.contact.address.street", null=True),
        _column(
            "house_number", sa.Text(), "House number, digits only.", "user.contact.address.street", null=True
        ),
        _column(
            "house_addition",
            sa.Text(),
            "Addition to the house number: A, 2 hoog, bis.",
            "user.contact.address.street",
            null=True,
        ),
        _column(
            "address_extra",
            sa.Text(),
            "Further address line: building, attention, P.O. box.",
            "user.contact.address",
            null=True,
        ),
        _column(
            "postcode",
            sa.Text(),
            "Postal code in its country's spelling: 1234 AB.",
            "user.contact.address.postal_code",
            null=True,
        ),
        _column("city", sa.Text(), "Town or city.", "user.contact.address.city", null=True),
        _column("region", sa.Text(), "Province or state.", "user.contact.address.state", null=True),
        _column(
            "country", sa.Text(), "Country, ISO 3166-1 alpha-2.", "user.contact.address.country", null=True
        ),
        _column("email", sa.Text(), "E-mail address, normalised.", "user.contact.email", null=True),
        _column(
            "email_kind",
            sa.Text(),
            "personal, freemail, role or disposable, by the domain and mailbox.",
            "user.contact.email",
            null=True,
        ),
        _column(
            "phone",
            sa.Text(),
            "Landline or only phone number, E.164.",
            "user.contact.phone_number",
            null=True,
        ),
        _column("mobile", sa.Text(), "Mobile number, E.164.", "user.contact.phone_number", null=True),
        _column(
            "vat_number",
            sa.Text(),
            "VAT number with country prefix, check digits verified.",
            "user.government_id",
            null=True,
        ),
        _column(
            "coc_number",
            sa.Text(),
            "Chamber-of-commerce number (KvK), eight digits.",
            "user.government_id",
            null=True,
        ),
        _column(
            "iban",
            sa.Text(),
            "Bank account, IBAN, check digits verified.",
            "user.financial.bank_account",
            null=True,
        ),
        _column(
            "language", sa.Text(), "Preferred language, ISO 639-1.", "user.demographic.language", null=True
        ),
        _column("job_title", sa.Text(), "Function within the organisation.", "user.job_title", null=True),
        _column(
            "email_opt_out",
            sa.Boolean(),
            "Whether the party declined marketing by e-mail.",
            "user.privacy_preferences",
            null=True,
        ),
        _column(
            "employer_id",
            sa.Uuid(),
            "Golden customer of the organisation that the person works for.",
            "user.contact.organization",
            null=True,
        ),
        _column("record_count", sa.Integer(), "Source records behind the customer."),
        _column("source_count", sa.Integer(), "Source systems that know the customer."),
        _column("first_seen", sa.Date(), "Oldest extract that holds any of the records."),
        _column("last_seen", sa.Date(), "Newest extract that holds any of the records."),
        schema="golden",
        comment="One row per customer: the best value of every attribute.",
    )
    op.create_index("customer_email_idx", "customer", ["email"], schema="golden")
    op.create_index("customer_employer_id_idx", "customer", ["employer_id"], schema="golden")
    op.create_index("customer_mobile_idx", "customer", ["mobile"], schema="golden")
    op.create_index(
        "customer_organisation_name_lower_idx",
        "customer",
        [sa.text("lower(organisation_name)")],
        schema="golden",
    )
    op.create_index("customer_phone_idx", "customer", ["phone"], schema="golden")
    op.create_index(
        "customer_postcode_house_number_idx", "customer", ["postcode", "house_number"], schema="golden"
    )
    op.create_index("customer_surname_lower_idx", "customer", [sa.text("lower(surname)")], schema="golden")


def _create_crosswalk() -> None:
    op.create_table(
        "crosswalk",
        _column("source", sa.Text(), "Source system.", key=True),
        _column("entity", sa.Text(), "Entity of the source system.", key=True),
        _column("record_id", sa.Text(), "Record within it.", "user.unique_id", key=True),
        _column("golden_id", sa.Uuid(), "Golden customer.", "user.unique_id"),
        _column("active", sa.Boolean(), "Whether the source still keeps the record."),
        schema="golden",
        comment="The golden customer of every source record.",
    )
    op.create_index("crosswalk_golden_id_idx", "crosswalk", ["golden_id"], schema="golden")
    op.create_index("crosswalk_record_id_idx", "crosswalk", ["record_id"], schema="golden")


def _create_provenance() -> None:
    op.create_table(
        "provenance",
        _column("golden_id", sa.Uuid(), "Golden customer.", "user.unique_id", key=True),
        _column(
            "attribute",
            sa.Text(),
            "Attribute, or group of attributes chosen together; * stands for all without a row of their own.",
            key=True,
        ),
        _column("source", sa.Text(), "Source system."),
        _column("entity", sa.Text(), "Entity of the source system."),
        _column("record_id", sa.Text(), "Record within it.", "user.unique_id"),
        _column("rule", sa.Text(), "Why this record's value is the golden one."),
        _column(
            "losers",
            postgresql.JSONB(),
            "Values that lost, each with the source record that holds it.",
            "user",
            null=True,
        ),
        schema="golden",
        comment="Where each golden value comes from, by which rule, and which values lost.",
    )


def _create_customer_order() -> None:
    op.create_table(
        "customer_order",
        _column("source", sa.Text(), "Source system.", key=True),
        _column("entity", sa.Text(), "Entity of the source system.", key=True),
        _column("record_id", sa.Text(), "Record within it.", "user.unique_id", key=True),
        _column(
            "golden_id",
            sa.Uuid(),
            "Golden customer. Empty when the source names nobody known.",
            "user.unique_id",
            null=True,
        ),
        _column("active", sa.Boolean(), "Whether the source still keeps the record."),
        _column("order_id", sa.Text(), "Number of the order.", "user.behavior.purchase_history", null=True),
        _column(
            "party_id",
            sa.Text(),
            "Record of the customer who ordered.",
            "user.behavior.purchase_history",
            null=True,
        ),
        _column(
            "party_email", sa.Text(), "E-mail address given with the order.", "user.contact.email", null=True
        ),
        _column(
            "ordered_at",
            sa.DateTime(timezone=True),
            "When the order was placed.",
            "user.behavior.purchase_history",
            null=True,
        ),
        _column(
            "status",
            sa.Text(),
            "State of the order in the source's own words.",
            "user.behavior.purchase_history",
            null=True,
        ),
        _column("currency", sa.Text(), "Currency, ISO 4217.", "user.behavior.purchase_history", null=True),
        _column(
            "total_amount",
            sa.Numeric(),
            "Amount to pay, taxes included.",
            "user.behavior.purchase_history",
            null=True,
        ),
        schema="golden",
        comment="Orders of all sources with the golden customer who placed them.",
    )
    op.create_index("customer_order_golden_id_idx", "customer_order", ["golden_id"], schema="golden")
    op.create_index("customer_order_order_id_idx", "customer_order", ["order_id"], schema="golden")


def _create_order_line() -> None:
    op.create_table(
        "order_line",
        _column("source", sa.Text(), "Source system.", key=True),
        _column("entity", sa.Text(), "Entity of the source system.", key=True),
        _column("record_id", sa.Text(), "Record within it.", "user.unique_id", key=True),
        _column("active", sa.Boolean(), "Whether the source still keeps the record."),
        _column("order_id", sa.Text(), "Number of the order.", "user.behavior.purchase_history", null=True),
        _column(
            "line_id",
            sa.Text(),
            "Number of the line within the order.",
            "user.behavior.purchase_history",
            null=True,
        ),
        _column("product_code", sa.Text(), "Article number.", "user.behavior.purchase_history", null=True),
        _column("product_name", sa.Text(), "Article name.", "user.behavior.purchase_history", null=True),
        _column("quantity", sa.Numeric(), "Quantity ordered.", "user.behavior.purchase_history", null=True),
        _column(
            "unit_price",
            sa.Numeric(),
            "Price of one, in the order's currency.",
            "user.behavior.purchase_history",
            null=True,
        ),
        schema="golden",
        comment="Lines of orders.",
    )
    op.create_index("order_line_order_id_idx", "order_line", ["order_id"], schema="golden")


def _create_payment() -> None:
    op.create_table(
        "payment",
        _column("source", sa.Text(), "Source system.", key=True),
        _column("entity", sa.Text(), "Entity of the source system.", key=True),
        _column("record_id", sa.Text(), "Record within it.", "user.unique_id", key=True),
        _column("active", sa.Boolean(), "Whether the source still keeps the record."),
        _column(
            "payment_id", sa.Text(), "Number of the payment.", "user.behavior.purchase_history", null=True
        ),
        _column("order_id", sa.Text(), "Order that was paid.", "user.behavior.purchase_history", null=True),
        _column(
            "paid_at",
            sa.DateTime(timezone=True),
            "When it was paid.",
            "user.behavior.purchase_history",
            null=True,
        ),
        _column("amount", sa.Numeric(), "Amount paid.", "user.behavior.purchase_history", null=True),
        _column("currency", sa.Text(), "Currency, ISO 4217.", "user.behavior.purchase_history", null=True),
        _column(
            "method",
            sa.Text(),
            "How it was paid, in the source's own words.",
            "user.behavior.purchase_history",
            null=True,
        ),
        schema="golden",
        comment="Payments of orders.",
    )
    op.create_index("payment_order_id_idx", "payment", ["order_id"], schema="golden")


def _create_golden_id() -> None:
    op.create_table(
        "golden_id",
        _column("golden_id", sa.Uuid(), "The id.", "user.unique_id", key=True),
        _column("source", sa.Text(), "Source system of the founding record."),
        _column("entity", sa.Text(), "Its entity."),
        _column("record_id", sa.Text(), "Its id there.", "user.unique_id"),
        _column("generation", sa.Integer(), "How many ids this record founded before."),
        _column("sequence", sa.BigInteger(), "Order of first publication; a lower one is older."),
        _column("status", sa.Text(), "current, alias (merged into another) or retired (no record is left)."),
        _column(
            "alias_of", sa.Uuid(), "The current id that an alias stands for.", "user.unique_id", null=True
        ),
        schema="identity",
        comment="Every golden id ever published; none is ever removed or used again.",
    )
    op.create_index("golden_id_alias_of_idx", "golden_id", ["alias_of"], schema="identity")


def _create_publication() -> None:
    op.create_table(
        "publication",
        sa.Column(
            "publication_id",
            sa.BigInteger(),
            sa.Identity(always=True),
            primary_key=True,
            comment="Number of the publication. Privacy category: system.operations.",
        ),
        sa.Column(
            "published_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            comment="When it was published. Privacy category: system.operations.",
        ),
        _column("changes", postgresql.JSONB(), "Rows inserted, updated and deleted, per table."),
        schema="ops",
        comment="One row per publication that changed something.",
    )


def _create_staged() -> None:
    op.create_table(
        "staged",
        _column("table_name", sa.Text(), "Published table that the staged one will become.", key=True),
        _column("rows", sa.BigInteger(), "Rows staged; a staging table with fewer is not whole."),
        _column("token", sa.Uuid(), "One per staging, so that what was audited is what is published."),
        schema="ops",
        comment="What is staged and waits for publication.",
    )
