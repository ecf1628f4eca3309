"""The review queue and the links of customers, which stewards read; the next publication fills them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_IDENTIFIER = "user.unique_id"


def _column(
    name: str,
    kind: sa.types.TypeEngine[Any],
    description: str,
    privacy: str = "system.operations",
    *,
    key: bool = False,
    null: bool = False,
) -> sa.Column[Any]:
    comment = f"{description} Privacy category: {privacy}."
    return sa.Column(name, kind, primary_key=key, nullable=null, comment=comment)


def upgrade() -> None:
    """Go to this version."""
    _create_customer_link()
    _create_review_item()


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_table("review_item", schema="ops")
    op.drop_table("customer_link", schema="golden")


def _create_customer_link() -> None:
    op.create_table(
        "customer_link",
        _column("golden_id", sa.Uuid(), "Golden customer of the record.", _IDENTIFIER, key=True),
        _column("source", sa.Text(), "Source system of a record of the customer.", key=True),
        _column("entity", sa.Text(), "Its entity.", key=True),
        _column("record_id", sa.Text(), "Its id there.", _IDENTIFIER, key=True),
        _column("other_source", sa.Text(), "Source system of the other record of the pair.", key=True),
        _column("other_entity", sa.Text(), "Its entity.", key=True),
        _column("other_record_id", sa.Text(), "Its id there.", _IDENTIFIER, key=True),
        _column("weight", sa.Double(), "Match weight of the pair, in bits."),
        _column("probability", sa.Double(), "That the two are one party, by the model."),
        _column("is_match", sa.Boolean(), "Whether the pair is a match by itself."),
        _column("inside", sa.Boolean(), "Whether the other record is of the same customer."),
        schema="golden",
        comment="Scored pairs of records by customer: within it once, between two customers once for each.",
    )
    op.create_index(
        "customer_link_between_idx",
        "customer_link",
        ["golden_id"],
        schema="golden",
        postgresql_where=sa.text("NOT inside"),
    )


def _create_review_item() -> None:
    op.create_table(
        "review_item",
        _column("item_id", sa.Text(), "What is in doubt, and about whom.", _IDENTIFIER, key=True),
        _column("doubt", sa.Text(collation="C"), "Kind of doubt."),
        _column(
            "left_id",
            sa.Uuid(),
            "Golden customer; empty where a conflict names nobody published.",
            _IDENTIFIER,
            null=True,
        ),
        _column("right_id", sa.Uuid(), "The other one, where there are two.", _IDENTIFIER, null=True),
        _column("probability", sa.Double(), "Of the pair or the weakest bridge, by the model.", null=True),
        _column("priority", sa.Double(), "Uncertainty x value of the customers; the largest first."),
        _column("finding", sa.Text(), "What is wrong, without values.", _IDENTIFIER),
        _column("decision_id", sa.BigInteger(), "Of a conflict, the decision that has no effect.", null=True),
        _column("waits", sa.Boolean(), "Whether it waits for a decision; else it is decided."),
        schema="ops",
        comment="What stewards are to look at, as published, with what has been decided since.",
    )
    op.create_index(
        "review_item_first_idx",
        "review_item",
        [sa.text("priority DESC")],
        schema="ops",
        postgresql_where=sa.text("waits"),
    )
