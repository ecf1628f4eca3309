"""What enrichers read: relations with typed columns, made of the current records and the golden customers.

Belongs here: which there are, and the SQL that makes them. Does not belong here: what their columns mean and follow
from (``input_columns``), where records come from (steps.profile), what is computed of them (one module per enricher).

All amounts are in the reporting currency, DECIMAL(18, 2), where a name does not say otherwise. Days are those of the
deployment's time zone. ``golden_id`` is a UUID. What cannot be counted (cancelled, negative, in the future, in a
currency without a rate) stays in ``orders`` with its ``problem`` and is left out of ``purchases``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from cdm_pipelines.enrichment import input_columns
from cdm_pipelines.enrichment.input_columns import Columns


@dataclass(frozen=True)
class Input:
    """A relation that enrichers read.

    Attributes:
        name: In SQL.
        description: What a row is.
        columns: Their meaning and what they follow from, by name.
        sql: The query that makes it, of ``BASE`` and of inputs before it.
    """

    name: str
    description: str
    columns: Columns
    sql: str

    @property
    def made_of(self) -> tuple[str, ...]:
        """Keys of the assets that it follows from."""
        return tuple(sorted({of.partition(".")[0] for one in self.columns.values() for of in one.of}))


BASE: Mapping[str, tuple[str, ...]] = {
    "crosswalk": ("golden_id", "source", "entity", "record_id"),
    "rates": ("currency", "valid_from", "rate"),
    "not_counted": ("status",),
    "days_of_payment": ("source",),
}
"""Tables beside ``golden_customer`` and the states of entities (``days_of_payment`` has the sources that say when
something was paid): ``state_<entity>``, every attribute as text, with
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
_MONEY = "CAST(TRY_CAST({0} AS DECIMAL(15, 2)) AS DECIMAL(18, 2))"
"""An amount; null from ten million million on, which is an error of a typist: sums have room for a thousand of them."""
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
WITH placed AS (
    SELECT source, order_id, min(currency) AS currency, min({_DAY.format("ordered_at")}) AS ordered_on
    FROM state_order SEMI JOIN state_refund USING (source, order_id) WHERE active GROUP BY ALL),
read AS (
    SELECT b.source, b.refund_id, b.order_id, b.line_id, {_DAY.format("b.refunded_at")} AS refunded_on,
           abs({_MONEY.format("b.amount")}) AS given,
           coalesce(b.currency, p.currency, getvariable('currency')) AS currency, b.reason, p.ordered_on
    FROM state_refund b LEFT JOIN placed p ON p.source = b.source AND p.order_id = b.order_id WHERE b.active)
SELECT read.* EXCLUDE (given, currency, ordered_on), {_MONEY.format("given * r.rate")} AS amount,
       CASE WHEN refunded_on > getvariable('horizon') THEN 'in the future'
            WHEN amount IS NULL THEN 'without an amount or a rate' END AS problem
FROM read {_RATE.format("coalesce(read.refunded_on, read.ordered_on)")}
"""
_ORDERS = f"""
WITH read AS (
    SELECT c.golden_id::UUID AS golden_id, o.source, o.order_id, {_LOCAL.format("o.ordered_at")} AS ordered_at,
           o.status, coalesce(o.currency, getvariable('currency')) AS currency,
           {_MONEY.format("o.total_amount")} AS total
    FROM state_order o {_OF_PARTY.format("o")} WHERE o.active),
returned AS (SELECT source, order_id, sum(amount) AS returned FROM refunds WHERE problem IS NULL GROUP BY ALL)
SELECT read.golden_id, read.source, read.order_id, read.ordered_at, CAST(read.ordered_at AS DATE) AS ordered_on,
       read.status, read.currency, read.total,
       {_MONEY.format("read.total * r.rate")} AS amount,
       CAST(coalesce(b.returned, 0) AS DECIMAL(18, 2)) AS returned,
       CAST(amount - coalesce(b.returned, 0) AS DECIMAL(18, 2)) AS net,
       CASE WHEN read.ordered_at IS NULL THEN 'no date'
            WHEN CAST(read.ordered_at AS DATE) > getvariable('horizon') THEN 'in the future'
            WHEN read.total IS NULL THEN 'no amount'
            WHEN read.total < 0 THEN 'negative'
            WHEN r.rate IS NULL THEN 'currency without a rate'
            WHEN amount IS NULL THEN 'no amount'
            WHEN lower(read.status) IN (SELECT status FROM not_counted) THEN 'cancelled' END AS problem
FROM read {_RATE.format("CAST(read.ordered_at AS DATE)")}
LEFT JOIN returned b ON b.source = read.source AND b.order_id = read.order_id
"""
_PURCHASES = "SELECT * EXCLUDE (problem, status, currency, total) FROM orders WHERE problem IS NULL"
_PRODUCTS = f"""
WITH read AS (
    SELECT source, product_code, name, category, brand, {_MONEY.format("price")} AS price,
           {_MONEY.format("cost")} AS given, coalesce(currency, getvariable('currency')) AS currency,
           getvariable('as_of')::DATE AS today
    FROM state_product WHERE active)
SELECT read.* EXCLUDE (given, currency, today), {_MONEY.format("given * r.rate")} AS cost
FROM read {_RATE.format("read.today")}
"""
_LINES = f"""
WITH factor AS (
    SELECT golden_id, source, order_id, ordered_on, CASE WHEN total <> 0 THEN amount / total ELSE 1 END AS rate
    FROM orders WHERE problem IS NULL),
ranked AS (
    SELECT s.source, p.product_code, p.category, p.brand, p.cost, row_number() OVER (
        PARTITION BY s.source, p.product_code
        ORDER BY p.category IS NULL AND p.brand IS NULL, p.source <> s.source, p.source, p.category, p.brand, p.cost
    ) AS described, row_number() OVER (
        PARTITION BY s.source, p.product_code ORDER BY p.cost IS NULL, p.source <> s.source, p.source, p.cost
    ) AS priced
    FROM products p CROSS JOIN (SELECT DISTINCT source FROM factor) s),
known AS (
    SELECT d.source, d.product_code, d.category, d.brand, c.cost
    FROM ranked d JOIN ranked c USING (source, product_code) WHERE d.described = 1 AND c.priced = 1),
read AS (
    SELECT l.source, l.order_id, l.line_id, l.product_code, l.product_name,
           TRY_CAST(l.quantity AS DOUBLE) AS quantity, TRY_CAST(l.unit_price AS DECIMAL(18, 6)) AS price
    FROM state_order_line l WHERE l.active)
SELECT f.golden_id, f.source, f.order_id, read.line_id, f.ordered_on, read.product_code, read.product_name,
       k.category, k.brand, read.quantity,
       {_MONEY.format("read.quantity * read.price * f.rate")} AS amount,
       {_MONEY.format("read.quantity * k.cost")} AS cost
FROM read JOIN factor f USING (source, order_id) LEFT JOIN known k USING (source, product_code)
"""
"""An article is described by one row of it: that of the line's own source, else that of another. A row that says
neither category nor brand describes nothing, and what an article costs is said by a row that knows it."""
_PAYMENTS = f"""
WITH placed AS MATERIALIZED (
    SELECT o.golden_id, p.source, p.payment_id, p.order_id, {_DAY.format("p.paid_at")} AS paid_on, o.ordered_on,
           {_MONEY.format("p.amount")} AS given, coalesce(p.currency, o.currency) AS currency, p.method,
           CASE WHEN coalesce(p.currency, o.currency) = o.currency AND o.total <> 0 THEN o.amount / o.total END AS rate,
           p.paid_at IS NOT NULL OR p.source NOT IN (SELECT source FROM days_of_payment) AS paid
    FROM state_payment p JOIN orders o ON o.source = p.source AND o.order_id = p.order_id WHERE p.active),
read AS (SELECT * EXCLUDE (rate) FROM placed WHERE rate IS NULL),
rated AS (
    FROM placed WHERE rate IS NOT NULL
    UNION ALL BY NAME
    SELECT read.*, r.rate FROM read {_RATE.format("coalesce(read.paid_on, read.ordered_on)")})
SELECT * EXCLUDE (given, currency, rate), {_MONEY.format("given * rate")} AS amount FROM rated
"""
"""The rate of the order is that of nearly all; only for the others is one looked up."""
_INVOICES = f"""
WITH read AS (
    SELECT c.golden_id::UUID AS golden_id, i.source, i.invoice_id, i.order_id,
           TRY_CAST(i.issued_on AS DATE) AS issued_on,
           TRY_CAST(i.due_on AS DATE) AS due_on, TRY_CAST(i.settled_on AS DATE) AS settled_on,
           coalesce(i.currency, getvariable('currency')) AS currency, {_MONEY.format("i.amount")} AS given,
           coalesce(i.disputed = 'true', false) AS disputed,
           coalesce(TRY_CAST(i.dunning_level AS INTEGER), 0) AS dunning_level
    FROM state_invoice i {_OF_PARTY.format("i")} WHERE i.active)
SELECT read.* EXCLUDE (currency, given), {_MONEY.format("given * r.rate")} AS amount
FROM read {_RATE.format("read.issued_on")}
"""
_TOUCHES = "SELECT * REPLACE (golden_id::UUID AS golden_id) FROM attached"

INPUTS: Mapping[str, Input] = {
    one.name: one
    for one in (
        Input(
            "customers",
            "A golden customer: every column of golden.customer under its name, dates and numbers typed.",
            input_columns.CUSTOMERS,
            _CUSTOMERS,
        ),
        Input(
            "records",
            "A source record in use, with its golden customer; every attribute of a party as text.",
            input_columns.RECORDS,
            _RECORDS,
        ),
        Input(
            "refunds", "What was paid back, with or without a known order.", input_columns.REFUNDS, _REFUNDS
        ),
        Input("orders", "An order with a known customer, counted or not.", input_columns.ORDERS, _ORDERS),
        Input("purchases", "An order that counts.", input_columns.PURCHASES, _PURCHASES),
        Input("products", "An article.", input_columns.PRODUCTS, _PRODUCTS),
        Input(
            "order_lines",
            "A line of an order that counts; amount and cost in the reporting currency, null where not known.",
            input_columns.ORDER_LINES,
            _LINES,
        ),
        Input("payments", "A payment of an order.", input_columns.PAYMENTS, _PAYMENTS),
        Input("invoices", "An invoice with a known customer.", input_columns.INVOICES, _INVOICES),
        Input(
            "touches",
            "Interactions of one customer on one day, of one channel, kind and so on, counted.",
            input_columns.TOUCHES,
            _TOUCHES,
        ),
    )
}
