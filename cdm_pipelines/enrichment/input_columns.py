"""The columns of what enrichers read: their meaning, and the columns of assets that each follows from.

Belongs here: descriptions and lineage. Does not belong here: the queries that make the relations (``inputs``).

A column of an asset is written ``asset.column``, such as ``records/order.total_amount``; of a family of entities in one
asset, those beside its head are named with their entity: ``records/order.refund.amount``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cdm_pipelines.contracts.canonical import Entity, attributes


@dataclass(frozen=True)
class InputColumn:
    """A column of a relation that enrichers read.

    Attributes:
        description: What it means.
        of: Columns of assets that it follows from.
    """

    description: str
    of: tuple[str, ...]


Columns = Mapping[str, InputColumn]


def _of(description: str, *of: str) -> InputColumn:
    return InputColumn(description, of)


_CUSTOMER: Final = "golden/staged.golden_id"
_ORDERED_BY: Final = (_CUSTOMER, "records/order.party_id", "records/order.party_email")
_ORDERED_AT: Final = "records/order.ordered_at"
_CURRENCY: Final = "records/order.currency"
_TOTAL: Final = ("records/order.total_amount", _CURRENCY)
_RETURNED: Final = ("records/order.refund.amount", "records/order.refund.currency")
_COST: Final = ("records/product.cost", "records/product.currency")

CUSTOMERS: Final[Columns] = {
    "golden_id": _of("The customer.", _CUSTOMER),
    "party_kind": _of("person or organisation.", "golden/staged.party_kind"),
    "status": _of("active while any source keeps the customer, else inactive.", "golden/staged.status"),
    **{
        one.name: _of(one.description, f"golden/staged.{one.name}")
        for one in attributes(Entity.PARTY, golden_only=True)
    },
    "employer_id": _of(
        "Golden customer of the organisation that a person works for, or that an organisation belongs to.",
        "golden/staged.employer_id",
    ),
    "record_count": _of("Source records behind the customer.", "golden/staged.record_count"),
    "source_count": _of("Source systems that know the customer.", "golden/staged.source_count"),
    "first_seen": _of("First day on which a source delivered the customer.", "golden/staged.first_seen"),
    "last_seen": _of("Last day on which a source delivered the customer.", "golden/staged.last_seen"),
}
RECORDS: Final[Columns] = {
    "golden_id": _of("The customer.", _CUSTOMER),
    "source": _of("Source system.", "records/party.source"),
    "entity": _of("Entity of the source.", "records/party.entity"),
    "record_id": _of("Key of the record in it.", "records/party.record_id"),
    "first_seen": _of("First day that delivered the record.", "records/party.first_seen"),
    "last_seen": _of("Last day that delivered the record.", "records/party.last_seen"),
    "modified_at": _of(
        "When its source last changed it; null where it does not say.", "records/party.modified_at"
    ),
    "party_kind": _of("person or organisation.", "records/party.party_kind"),
    **{one.name: _of(one.description, f"records/party.{one.name}") for one in attributes(Entity.PARTY)},
    "invalid_attributes": _of(
        "Names of attributes whose value failed its check and was kept, with commas between them.",
        "records/party.invalid_attributes",
    ),
}
REFUNDS: Final[Columns] = {
    "source": _of("Source of the refund.", "records/order.refund.source"),
    "refund_id": _of("Number of the refund, within its source.", "records/order.refund.refund_id"),
    "order_id": _of("Order of which it was paid back, known or not.", "records/order.refund.order_id"),
    "line_id": _of("Line of that order, where it was one.", "records/order.refund.line_id"),
    "refunded_on": _of("Day on which it was paid back.", "records/order.refund.refunded_at"),
    "reason": _of("Why, in the source's own words.", "records/order.refund.reason"),
    "amount": _of(
        "What was paid back, above 0 whatever the sign in its source, in the currency of the order where it names "
        "none; null without a rate.",
        *_RETURNED,
        _CURRENCY,
    ),
    "problem": _of(
        "Why it is not subtracted; null where it is.",
        *_RETURNED,
        _CURRENCY,
        "records/order.refund.refunded_at",
    ),
}
PURCHASES: Final[Columns] = {
    "golden_id": _of("Who ordered.", *_ORDERED_BY),
    "source": _of("Source of the order.", "records/order.source"),
    "order_id": _of("Number of the order, within its source.", "records/order.order_id"),
    "ordered_at": _of("When, in the deployment's time zone.", _ORDERED_AT),
    "ordered_on": _of("The day of it.", _ORDERED_AT),
    "amount": _of("What was ordered.", *_TOTAL),
    "returned": _of("What was paid back of it.", *_RETURNED),
    "net": _of("amount - returned.", *_TOTAL, *_RETURNED),
}
ORDERS: Final[Columns] = {
    **PURCHASES,
    "status": _of("State in the source's own words.", "records/order.status"),
    "currency": _of("As ordered.", _CURRENCY),
    "total": _of("What was ordered, in that currency.", "records/order.total_amount"),
    "problem": _of(
        "Why it does not count; null where it does.", _ORDERED_AT, *_TOTAL, "records/order.status"
    ),
}
PRODUCTS: Final[Columns] = {
    "source": _of("Source of the article.", "records/product.source"),
    "product_code": _of("Article number.", "records/product.product_code"),
    "name": _of("Name of the article.", "records/product.name"),
    "category": _of("Path, > between levels.", "records/product.category"),
    "brand": _of("Brand.", "records/product.brand"),
    "price": _of("Price of one, taxes included, as the source has it.", "records/product.price"),
    "cost": _of(
        "What one costs the company, at the rate of the day that the profile holds for; null in a currency without a "
        "rate.",
        *_COST,
    ),
}
ORDER_LINES: Final[Columns] = {
    "golden_id": _of("Who ordered.", *_ORDERED_BY),
    "source": _of("Source of the order.", "records/order.order_line.source"),
    "order_id": _of("Number of the order, within its source.", "records/order.order_line.order_id"),
    "line_id": _of("Number of the line within the order.", "records/order.order_line.line_id"),
    "ordered_on": _of("Day of the order.", _ORDERED_AT),
    "product_code": _of("Article number.", "records/order.order_line.product_code"),
    "product_name": _of("Article name on the line.", "records/order.order_line.product_name"),
    "category": _of(
        "Category of the article, as a path, by the order's own source where that describes it.",
        "records/order.order_line.product_code",
        "records/product.category",
    ),
    "brand": _of(
        "Brand of the article, by the same row as its category.",
        "records/order.order_line.product_code",
        "records/product.brand",
    ),
    "quantity": _of("Quantity ordered; below 0 for what is taken back.", "records/order.order_line.quantity"),
    "amount": _of(
        "Quantity times the price of one.",
        "records/order.order_line.quantity",
        "records/order.order_line.unit_price",
        _CURRENCY,
    ),
    "cost": _of(
        "Quantity times the cost of the article, by the row of the order's own source where that knows it.",
        "records/order.order_line.quantity",
        "records/order.order_line.product_code",
        *_COST,
    ),
}
PAYMENTS: Final[Columns] = {
    "golden_id": _of("Who ordered what was paid.", *_ORDERED_BY),
    "source": _of("Source of the payment.", "records/order.payment.source"),
    "payment_id": _of("Number of the payment, within its source.", "records/order.payment.payment_id"),
    "order_id": _of("Order that was paid.", "records/order.payment.order_id"),
    "paid_on": _of("Day of the payment.", "records/order.payment.paid_at"),
    "paid": _of(
        "Whether it came in: not where its source has a day of payment and this one has none yet.",
        "records/order.payment.paid_at",
    ),
    "ordered_on": _of("Day of the order.", _ORDERED_AT),
    "amount": _of(
        "What was paid: in the currency of the order, at its rate; in another one, at that of the day of the payment; "
        "null without a rate.",
        "records/order.payment.amount",
        "records/order.payment.currency",
        "records/order.payment.paid_at",
        *_TOTAL,
    ),
    "method": _of("How it was paid, in the source's own words.", "records/order.payment.method"),
}
INVOICES: Final[Columns] = {
    "golden_id": _of("Who was billed.", _CUSTOMER, "records/invoice.party_id", "records/invoice.party_email"),
    "source": _of("Source of the invoice.", "records/invoice.source"),
    "invoice_id": _of("Number of the invoice, within its source.", "records/invoice.invoice_id"),
    "order_id": _of("Order that was billed.", "records/invoice.order_id"),
    "issued_on": _of("Date of the invoice.", "records/invoice.issued_on"),
    "due_on": _of("When it was to be paid at the latest.", "records/invoice.due_on"),
    "settled_on": _of("When it was paid in full; null while it is open.", "records/invoice.settled_on"),
    "disputed": _of("Whether the customer disputes it.", "records/invoice.disputed"),
    "dunning_level": _of("How many reminders were sent.", "records/invoice.dunning_level"),
    "amount": _of(
        "Amount to pay; null in a currency without a rate.",
        "records/invoice.amount",
        "records/invoice.currency",
    ),
}
_TOUCHED_BY: Final = tuple(
    f"profile/interactions.{name}" for name in ("party_id", "party_email", "party_phone", "order_id", "token")
)
TOUCHES: Final[Columns] = {
    "golden_id": _of("Whose they are.", _CUSTOMER, *_TOUCHED_BY),
    **{
        name: _of(meaning, f"profile/interactions.{name}")
        for name, meaning in {
            "source": "Source of the interactions.",
            "day": "The day of them.",
            "channel": "web, email, phone, chat, shop, service desk, other.",
            "kind": "visit, product_view, cart, search, sent, open, click, bounce, unsubscribe, call, ticket_opened, "
            "ticket_solved, ticket_rated, complaint, other.",
            "direction": "in or out.",
            "campaign": "Campaign that they belong to.",
            "product_code": "Article that they are about.",
            "thread_id": "Ticket or conversation.",
            "outcome": "What came of them, in the source's words.",
            "subject": "What they are about, in the source's words.",
            "touches": "How many.",
            "first_at": "Moment of the first, in the deployment's time zone.",
            "last_at": "Moment of the last.",
            "score": "Sum of scores.",
            "scores": "How many had a score.",
        }.items()
    },
    "attached_by": _of(
        "party (a number of the customer or of an order), email, phone, or token.", *_TOUCHED_BY
    ),
}
