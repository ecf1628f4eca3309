"""What enrichers read: relations with typed columns, made of the current records and the golden customers.

Belongs here: their columns, their meaning, and the SQL that makes them. Does not belong here: where the records come
from (steps.customers), or what is computed of them (one module per enricher).

All amounts are in the reporting currency, DECIMAL(18, 2), where a name does not say otherwise. Days are those of the
deployment's time zone. ``golden_id`` is a UUID. What cannot be counted (cancelled, negative, in the future, in a
currency without a rate) stays in ``orders`` with its ``problem`` and is left out of ``purchases``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Input:
    """A relation that enrichers read.

    Attributes:
        name: In SQL.
        description: What a row is.
        columns: Their meaning, by name.
        made_of: Assets that it follows from.
        sql: The query that makes it, of ``BASE`` and of inputs before it.
    """

    name: str
    description: str
    columns: Mapping[str, str]
    made_of: tuple[str, ...]
    sql: str


BASE: Mapping[str, tuple[str, ...]] = {
    "crosswalk": ("golden_id", "source", "entity", "record_id"),
    "rates": ("currency", "valid_from", "rate"),
    "not_counted": ("status",),
}
"""Tables beside ``golden_customer`` and the states of entities: ``state_<entity>``, every attribute as text, with
``source``, ``active`` and ``first_seen``; of parties all columns."""

ATTACHED = pa.schema(
    [
        *((name, pa.string()) for name in ("golden_id", "source")),
        ("day", pa.date32()),
        *(
            (name, pa.string())
            for name in (
                "channel",
                "kind",
                "direction",
                "campaign",
                "product_code",
                "thread_id",
                "outcome",
                "subject",
            )
        ),
        ("touches", pa.int64()),
        ("first_at", pa.timestamp("us")),
        ("last_at", pa.timestamp("us")),
        ("score", pa.float64()),
        ("scores", pa.int64()),
        ("attached_by", pa.string()),
    ]
)
"""Interactions of known customers as they are attached (base table ``attached``); times are local ones."""

_LOCAL = "timezone(getvariable('timezone'), {0}::TIMESTAMPTZ)"
_DAY = f"CAST({_LOCAL} AS DATE)"
_DELIVERED = "TRY_CAST({0}.first_seen AS DATE)"
_MONEY = "TRY_CAST({0} AS DECIMAL(18, 2))"
_OF_PARTY = """JOIN crosswalk c ON c.source = {0}.source AND c.entity = {0}.party_entity
               AND c.record_id = {0}.party_record_id"""
_RATE = """ASOF LEFT JOIN rates r ON r.currency = read.currency
           AND r.valid_from <= coalesce({0}, DATE '9999-01-01')"""

_CUSTOMERS = "SELECT * REPLACE (golden_id::UUID AS golden_id) FROM golden_customer"
_RECORDS = """
SELECT c.golden_id::UUID AS golden_id, p.* FROM state_party p JOIN crosswalk c USING (source, entity, record_id)
WHERE p.active
"""
_REFUNDS = f"""
WITH read AS (
    SELECT source, refund_id, order_id, line_id, {_DAY.format("refunded_at")} AS refunded_on,
           {_MONEY.format("amount")} AS given, coalesce(currency, getvariable('currency')) AS currency, reason
    FROM state_refund WHERE active)
SELECT read.* EXCLUDE (given, currency), CAST(given * r.rate AS DECIMAL(18, 2)) AS amount
FROM read {_RATE.format("read.refunded_on")}
"""
_ORDERS = f"""
WITH read AS (
    SELECT c.golden_id::UUID AS golden_id, o.source, o.order_id, {_LOCAL.format("o.ordered_at")} AS ordered_at,
           o.status, coalesce(o.currency, getvariable('currency')) AS currency,
           {_MONEY.format("o.total_amount")} AS total, {_DELIVERED.format("o")} AS delivered_on
    FROM state_order o {_OF_PARTY.format("o")} WHERE o.active),
returned AS (SELECT source, order_id, sum(amount) AS returned FROM refunds GROUP BY ALL)
SELECT read.golden_id, read.source, read.order_id, read.ordered_at, CAST(read.ordered_at AS DATE) AS ordered_on,
       read.delivered_on, read.status, read.currency, read.total,
       CAST(read.total * r.rate AS DECIMAL(18, 2)) AS amount,
       CAST(coalesce(b.returned, 0) AS DECIMAL(18, 2)) AS returned,
       CAST(CAST(read.total * r.rate AS DECIMAL(18, 2)) - coalesce(b.returned, 0) AS DECIMAL(18, 2)) AS net,
       CASE WHEN read.ordered_at IS NULL THEN 'no date'
            WHEN CAST(read.ordered_at AS DATE) > read.delivered_on + 2 THEN 'in the future'
            WHEN read.total IS NULL THEN 'no amount'
            WHEN read.total < 0 THEN 'negative'
            WHEN r.rate IS NULL THEN 'currency without a rate'
            WHEN lower(read.status) IN (SELECT status FROM not_counted) THEN 'cancelled' END AS problem
FROM read {_RATE.format("CAST(read.ordered_at AS DATE)")}
LEFT JOIN returned b ON b.source = read.source AND b.order_id = read.order_id
"""
_PURCHASES = "SELECT * EXCLUDE (problem, status, currency, total) FROM orders WHERE problem IS NULL"
_PRODUCTS = f"""
SELECT source, product_code, name, category, brand, {_MONEY.format("price")} AS price, {_MONEY.format("cost")} AS cost
FROM state_product WHERE active
"""
_LINES = """
WITH factor AS (
    SELECT golden_id, source, order_id, ordered_on, CASE WHEN total <> 0 THEN amount / total ELSE 1 END AS rate
    FROM orders WHERE problem IS NULL),
known AS (SELECT product_code, max(category) AS category, max(brand) AS brand, max(cost) AS cost
          FROM products GROUP BY ALL),
read AS (
    SELECT l.source, l.order_id, l.line_id, l.product_code, l.product_name,
           TRY_CAST(l.quantity AS DOUBLE) AS quantity, TRY_CAST(l.unit_price AS DECIMAL(18, 6)) AS price
    FROM state_order_line l WHERE l.active)
SELECT f.golden_id, f.source, f.order_id, read.line_id, f.ordered_on, read.product_code, read.product_name,
       k.category, k.brand, read.quantity,
       CAST(read.quantity * read.price * f.rate AS DECIMAL(18, 2)) AS amount,
       CAST(read.quantity * k.cost AS DECIMAL(18, 2)) AS cost
FROM read JOIN factor f USING (source, order_id) LEFT JOIN known k USING (product_code)
"""
_PAYMENTS = f"""
SELECT o.golden_id, p.source, p.payment_id, p.order_id, {_DAY.format("p.paid_at")} AS paid_on, o.ordered_on,
       CAST({_MONEY.format("p.amount")} * (CASE WHEN o.total <> 0 THEN o.amount / o.total ELSE 1 END)
            AS DECIMAL(18, 2)) AS amount, p.method, {_DELIVERED.format("p")} AS delivered_on
FROM state_payment p JOIN orders o ON o.source = p.source AND o.order_id = p.order_id WHERE p.active
"""
_INVOICES = f"""
WITH read AS (
    SELECT c.golden_id::UUID AS golden_id, i.source, i.invoice_id, i.order_id,
           TRY_CAST(i.issued_on AS DATE) AS issued_on,
           TRY_CAST(i.due_on AS DATE) AS due_on, TRY_CAST(i.settled_on AS DATE) AS settled_on,
           coalesce(i.currency, getvariable('currency')) AS currency, {_MONEY.format("i.amount")} AS given,
           coalesce(i.disputed = 'true', false) AS disputed,
           coalesce(TRY_CAST(i.dunning_level AS INTEGER), 0) AS dunning_level,
           {_DELIVERED.format("i")} AS delivered_on
    FROM state_invoice i {_OF_PARTY.format("i")} WHERE i.active)
SELECT read.* EXCLUDE (currency, given), CAST(given * r.rate AS DECIMAL(18, 2)) AS amount
FROM read {_RATE.format("read.issued_on")}
"""
_TOUCHES = "SELECT * REPLACE (golden_id::UUID AS golden_id) FROM attached"

_PURCHASED = {
    "golden_id": "Who ordered.",
    "source": "Source of the order.",
    "order_id": "Number of the order, within its source.",
    "ordered_at": "When, in the deployment's time zone.",
    "ordered_on": "The day of it.",
    "delivered_on": "Extract date of the first day that had it; what is dated over two days later is in the future.",
    "amount": "What was ordered.",
    "returned": "What was paid back of it.",
    "net": "amount - returned.",
}
INPUTS: Mapping[str, Input] = {
    one.name: one
    for one in (
        Input(
            "customers",
            "A golden customer: every column of golden.customer under its name, dates and numbers typed.",
            {"golden_id": "The customer."},
            ("golden/staged",),
            _CUSTOMERS,
        ),
        Input(
            "records",
            "A source record in use, with its golden customer; every attribute of a party as text.",
            {"golden_id": "The customer."},
            ("golden/staged", "records/party"),
            _RECORDS,
        ),
        Input(
            "refunds",
            "What was paid back, with or without a known order.",
            {
                "source": "",
                "refund_id": "",
                "order_id": "",
                "line_id": "",
                "refunded_on": "",
                "reason": "",
                "amount": "",
            },
            ("records/order",),
            _REFUNDS,
        ),
        Input(
            "orders",
            "An order with a known customer, counted or not.",
            {
                **_PURCHASED,
                "status": "The source's word.",
                "currency": "As ordered.",
                "total": "In that currency.",
                "problem": "Why it does not count; null where it does.",
            },
            ("golden/staged", "records/order"),
            _ORDERS,
        ),
        Input(
            "purchases", "An order that counts.", _PURCHASED, ("golden/staged", "records/order"), _PURCHASES
        ),
        Input(
            "products",
            "An article.",
            {
                "source": "",
                "product_code": "",
                "name": "",
                "category": "Path, > between levels.",
                "brand": "",
                "price": "",
                "cost": "",
            },
            ("records/product",),
            _PRODUCTS,
        ),
        Input(
            "order_lines",
            "A line of an order that counts; amount and cost in the reporting currency, null where not known.",
            {
                "golden_id": "",
                "source": "",
                "order_id": "",
                "line_id": "",
                "ordered_on": "",
                "product_code": "",
                "product_name": "",
                "category": "",
                "brand": "",
                "quantity": "",
                "amount": "",
                "cost": "",
            },
            ("golden/staged", "records/order", "records/product"),
            _LINES,
        ),
        Input(
            "payments",
            "A payment of an order.",
            {
                "golden_id": "",
                "source": "",
                "payment_id": "",
                "order_id": "",
                "paid_on": "",
                "ordered_on": "",
                "amount": "",
                "method": "",
                "delivered_on": "As of an order.",
            },
            ("golden/staged", "records/order"),
            _PAYMENTS,
        ),
        Input(
            "invoices",
            "An invoice with a known customer.",
            {
                "golden_id": "",
                "source": "",
                "invoice_id": "",
                "order_id": "",
                "issued_on": "",
                "due_on": "",
                "settled_on": "Null while it is open.",
                "disputed": "",
                "dunning_level": "",
                "delivered_on": "As of an order.",
                "amount": "",
            },
            ("golden/staged", "records/invoice"),
            _INVOICES,
        ),
        Input(
            "touches",
            "Interactions of one customer on one day, of one channel, kind and so on, counted.",
            {
                "golden_id": "",
                "source": "",
                "day": "DATE.",
                "channel": "web, email, phone, chat, shop, service desk, other.",
                "kind": "visit, product_view, cart, search, sent, open, click, bounce, unsubscribe, call, "
                "ticket_opened, "
                "ticket_solved, ticket_rated, complaint, other.",
                "direction": "in or out.",
                "campaign": "",
                "product_code": "",
                "thread_id": "Ticket or conversation.",
                "outcome": "In the source's words.",
                "subject": "",
                "touches": "How many.",
                "first_at": "TIMESTAMP of the first.",
                "last_at": "Of the last.",
                "score": "Sum of scores.",
                "scores": "How many had a score.",
                "attached_by": "party, email, phone, or token.",
            },
            ("golden/staged", "profile/interactions"),
            _TOUCHES,
        ),
    )
}
