"""What a customer ordered, was billed, paid and was paid back, as it is published.

Belongs here: reading the rows of one customer, each with when it was and how much. Does not belong here: what they mean
together (steps.profile.journey).
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection, and_, null, select

from cdm_pipelines.contracts.canonical import Entity, declaration
from cdm_pipelines.hub.published import customers_of, published_table
from cdm_pipelines.store.keys import RECORD_KEY


@dataclass(frozen=True)
class Transaction:
    """One of a customer's.

    Attributes:
        kind: The canonical entity.
        source: Of the row.
        number: Of the order, invoice, refund or payment.
        order_id: The order that it belongs to; None where it names none.
        at: The moment, or the day where only that is known; None where neither is.
        amount: In its currency.
        currency: ISO 4217.
        detail: Status, reason or method in the source's words.
    """

    kind: Entity
    source: str
    number: str
    order_id: str | None
    at: dt.datetime | dt.date | None
    amount: Decimal | None
    currency: str | None
    detail: str | None


_COLUMNS = {
    Entity.ORDER: ("order_id", "ordered_at", "total_amount", "status"),
    Entity.INVOICE: ("invoice_id", "issued_on", "amount", None),
    Entity.PAYMENT: ("payment_id", "paid_at", "amount", "method"),
    Entity.REFUND: ("refund_id", "refunded_at", "amount", "reason"),
}
"""Of each kind its number, its moment, its amount and what is told of it."""


def transactions_of(connection: Connection, golden_id: UUID) -> list[Transaction]:
    """The rows of a customer that its sources still keep, in no order.

    Args:
        connection: Of the hub.
        golden_id: Of a current customer.
    """
    found = []
    for kind, (number, moment, amount, detail) in _COLUMNS.items():
        name = declaration(kind).table_name
        table, of = published_table(name).table, customers_of(name).subquery()
        told = table.c[detail] if detail else null()
        query = (
            select(
                table.c.source,
                table.c[number],
                table.c.order_id,
                table.c[moment],
                table.c[amount],
                table.c.currency,
                told,
            )
            .join(of, and_(*(table.c[key] == of.c[key] for key in RECORD_KEY)))
            .where(of.c.golden_id == golden_id, table.c.active)
        )
        found += [Transaction(kind, *row) for row in connection.execute(query)]
    return found
