"""How a customer pays: days to pay, what is open and overdue, disputes and reminders, a credit class with its rule.

Belongs here: claims made of invoices, or of orders and payments where an order has no invoice, and what follows from
them. Does not belong here: what a customer spends (``rfm``).

An order without an invoice of its own source is a claim only where that source delivers payments, and from its first
payment on: where nobody tells us of payments, nothing is known to be open. Which sources do is fitted, as it follows
from everybody. A payment without a day has come in where its source never tells one (its contract maps none), and is
still expected where it does: a shop gives an order the number of its payment before that comes.

Credit notes (negative invoices) lower what is open and are never late. Disputed invoices count as open and overdue, and
are left out where behaviour is judged.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Self, cast

import pyarrow as pa
from pydantic import Field, model_validator

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Age, Enricher, Output
from cdm_pipelines.enrichment.work import Parameters, Work
from cdm_pipelines.figures import Bars, Figures

CLASSES = ("A", "B", "C", "D", "unknown")


class PaymentParameters(Parameters):
    """What may be set of ``payment``.

    Attributes:
        terms_days: When a claim without a due date is due: the term of Directive 2011/7/EU.
        grace_days: A payment so many days after the due date is not late: one that is ordered on a Friday is booked on
            the Monday after it.
        tolerance: What may lack of the amount of an order that counts as paid, in the reporting currency: rounding.
        judged_from: Claims paid or overdue from which a customer's share of late ones says something.
        b_share_late: Class B from this share of late claims on.
        c_share_late: Class C from this share of late claims on.
        c_overdue_days: Class C from so many days overdue on.
        d_overdue_days: Class D from so many days overdue on.
        c_reminders: Class C from this level of reminders of an open invoice on.
        d_reminders: Class D from this level of reminders of an open invoice on.
    """

    terms_days: int = Field(default=30, ge=0)
    grace_days: int = Field(default=3, ge=0)
    tolerance: float = Field(default=0.05, ge=0)
    judged_from: int = Field(default=3, ge=1)
    b_share_late: float = Field(default=0.2, gt=0, le=1)
    c_share_late: float = Field(default=0.5, gt=0, le=1)
    c_overdue_days: int = Field(default=30, ge=1)
    d_overdue_days: int = Field(default=60, ge=1)
    c_reminders: int = Field(default=2, ge=1)
    d_reminders: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for kind in ("overdue_days", "reminders"):
            if getattr(self, f"d_{kind}") <= getattr(self, f"c_{kind}"):
                raise ValueError(f"d_{kind} must be more than c_{kind}")
        if self.c_share_late <= self.b_share_late:
            raise ValueError("c_share_late must be more than b_share_late")
        return self


def _claims(work: Work, since: Mapping[str, str]) -> None:
    """Make ``payment_claims`` anew: a row per invoice, and per order without one of which payments are known."""
    work.use("purchases", "payments", "invoices")
    set_to = cast("PaymentParameters", work.parameters)
    sources = pa.table(
        {
            "source": pa.array(list(since), pa.string()),
            "since": pa.array([date.fromisoformat(day) for day in since.values()], pa.date32()),
        }
    )
    work.db.register("payment_sources", sources)
    try:
        work.db.execute(
            """
            CREATE OR REPLACE TEMP TABLE payment_claims AS
            WITH billed AS (
                SELECT golden_id, source, invoice_id AS id, order_id, issued_on,
                       greatest(coalesce(due_on, issued_on + $terms), issued_on) AS due_on,
                       CASE WHEN settled_on <= getvariable('horizon') THEN settled_on END AS settled_on, amount,
                       CASE WHEN coalesce(settled_on > getvariable('horizon'), true) THEN amount ELSE 0 END AS open,
                       disputed, dunning_level, true AS by_invoice,
                       CASE WHEN issued_on > getvariable('horizon') THEN 'invoice in the future'
                            WHEN amount IS NULL THEN 'invoice without an amount or a rate' END AS problem
                FROM invoices),
            unbilled AS (
                SELECT u.golden_id, u.source, u.order_id, u.ordered_on, u.net
                FROM purchases u JOIN payment_sources d ON d.source = u.source AND u.ordered_on >= d.since
                ANTI JOIN (FROM billed WHERE problem IS NULL) b
                    ON b.golden_id = u.golden_id AND b.source = u.source AND b.order_id = u.order_id),
            running AS (
                SELECT u.*, p.paid_on, coalesce(sum(p.amount) OVER so_far, 0) AS paid_until,
                       coalesce(sum(p.amount) OVER altogether, 0) AS paid
                FROM unbilled u LEFT JOIN payments p ON p.source = u.source AND p.order_id = u.order_id AND p.paid
                    AND coalesce(p.paid_on, u.ordered_on) <= getvariable('horizon')
                WINDOW so_far AS (PARTITION BY u.source, u.order_id ORDER BY p.paid_on NULLS FIRST, p.payment_id),
                       altogether AS (PARTITION BY u.source, u.order_id)),
            unbilled_claims AS (
                SELECT golden_id, source, order_id AS id, ordered_on AS issued_on, ordered_on + $terms AS due_on,
                       CASE WHEN any_value(paid) >= net - $tolerance
                            THEN min(paid_on) FILTER (paid_until >= net - $tolerance) END AS settled_on, net AS amount,
                       CASE WHEN any_value(paid) >= net - $tolerance THEN 0 ELSE net - any_value(paid) END AS open,
                       false AS disputed, 0 AS dunning_level, false AS by_invoice, NULL AS problem
                FROM running GROUP BY golden_id, source, order_id, ordered_on, net)
            SELECT * REPLACE (CAST(amount AS DECIMAL(18, 2)) AS amount, CAST(open AS DECIMAL(18, 2)) AS open)
            FROM (SELECT * EXCLUDE (order_id) FROM billed UNION ALL BY NAME FROM unbilled_claims)
            """,
            {"terms": set_to.terms_days, "tolerance": set_to.tolerance},
        )
    finally:
        work.db.unregister("payment_sources")


def fit(work: Work) -> dict[str, Any]:
    """Which sources deliver payments and since when, how everybody pays, and what could not be counted."""
    work.use("payments")
    since = work.sql(
        """SELECT source, min(ordered_on) AS since FROM payments
        WHERE ordered_on IS NOT NULL AND coalesce(paid_on, ordered_on) <= getvariable('horizon')
        GROUP BY 1 ORDER BY 1"""
    ).to_pylist()
    sources = {row["source"]: row["since"].isoformat() for row in since}
    _claims(work, sources)
    everybody = work.sql(
        """
        SELECT count(*) AS claims, min(issued_on)::VARCHAR AS first_day, max(issued_on)::VARCHAR AS last_day,
               quantile_cont(greatest(settled_on - issued_on, 0), [0.25, 0.5, 0.75]) AS days_to_pay
        FROM payment_claims WHERE problem IS NULL AND amount > 0
        """
    ).to_pylist()[0]
    problems = work.sql(
        """SELECT problem, count(*) AS n FROM payment_claims WHERE problem IS NOT NULL GROUP BY 1
        UNION ALL
        SELECT 'payment without an amount or a rate', count(*) FROM payments WHERE amount IS NULL HAVING count(*) > 0
        ORDER BY 1"""
    )
    return {
        "as_of": work.as_of.isoformat(),
        "sources_with_payments_since": sources,
        "window": [everybody["first_day"], everybody["last_day"]],
        "claims": everybody["claims"],
        "days_to_pay": everybody["days_to_pay"] or [],
        "not_counted": {row["problem"]: row["n"] for row in problems.to_pylist()},
    }


def compute(work: Work) -> pa.Table:
    """A row per customer with a claim; without a scale orders without an invoice are not among them."""
    _claims(work, (work.fitted or {}).get("sources_with_payments_since", {}))
    set_to = cast("PaymentParameters", work.parameters)
    return work.sql(
        f"""
        WITH present AS (
            SELECT golden_id,
                   greatest(getvariable('as_of')::DATE, max(issued_on), max(settled_on)) AS today
            FROM payment_claims WHERE problem IS NULL GROUP BY 1),
        seen AS (
            SELECT c.*, amount > 0 AND settled_on IS NOT NULL AS paid,
                   CASE WHEN amount > 0 AND settled_on IS NOT NULL
                        THEN greatest(settled_on - coalesce(issued_on, settled_on), 0) END AS days,
                   amount > 0 AND open > 0 AND due_on < today AS overdue,
                   amount > 0 AND NOT disputed
                       AND coalesce(CASE WHEN open > 0 THEN today ELSE settled_on END > due_on + $grace, false) AS late,
                   today
            FROM payment_claims c JOIN present USING (golden_id) WHERE problem IS NULL),
        own AS (
            SELECT golden_id, count(*) AS claims, count(*) FILTER (by_invoice) AS invoices,
                   CAST(sum(open) AS DECIMAL(18, 2)) AS open_amount,
                   CAST(coalesce(sum(open) FILTER (overdue), 0) AS DECIMAL(18, 2)) AS overdue_amount,
                   count(*) FILTER (overdue) AS overdue_invoices,
                   min(due_on) FILTER (amount > 0 AND open > 0) AS oldest_due_on,
                   CAST(quantile_cont(days, 0.5) AS DOUBLE) AS median_days_to_pay,
                   arg_max(days, (settled_on, issued_on, source, id)) FILTER (days IS NOT NULL) AS last_days_to_pay,
                   max(settled_on) FILTER (paid) AS last_paid_on,
                   count(*) FILTER (late OR (paid AND NOT disputed)) AS judged, count(*) FILTER (late) AS late,
                   count(*) FILTER (disputed) AS disputes,
                   CAST(coalesce(sum(open) FILTER (disputed AND open > 0), 0) AS DECIMAL(18, 2)) AS disputed_amount,
                   count(*) FILTER (dunning_level > 0) AS reminded_invoices,
                   coalesce(max(dunning_level) FILTER (open > 0 AND NOT disputed), 0) AS reminder_level,
                   coalesce(max(today - due_on) FILTER (overdue AND NOT disputed), 0) AS worst
            FROM seen GROUP BY 1),
        shared AS (SELECT *, round(late / nullif(judged, 0), 4) AS share_late FROM own)
        SELECT golden_id, claims, invoices, open_amount, overdue_amount, overdue_invoices, oldest_due_on,
               median_days_to_pay, last_days_to_pay, last_paid_on, share_late, disputes, disputed_amount,
               reminded_invoices, reminder_level, {_class(set_to, "name")} AS credit_class,
               {_class(set_to, "reason")} AS credit_reason
        FROM shared
        """,
        grace=set_to.grace_days,
    )


def _rules(set_to: PaymentParameters) -> tuple[tuple[str, str, str], ...]:
    """Class, condition in SQL and the same in words; the first that holds is the customer's."""
    judged = f"judged >= {set_to.judged_from} AND share_late >="
    late = f"of at least {set_to.judged_from} invoices paid or overdue"
    return (
        (
            "D",
            f"worst >= {set_to.d_overdue_days}",
            f"an invoice is {set_to.d_overdue_days} days overdue or more",
        ),
        (
            "D",
            f"reminder_level >= {set_to.d_reminders}",
            f"an open invoice has reminder {set_to.d_reminders} or higher",
        ),
        (
            "C",
            f"worst >= {set_to.c_overdue_days}",
            f"an invoice is {set_to.c_overdue_days} days overdue or more",
        ),
        (
            "C",
            f"reminder_level >= {set_to.c_reminders}",
            f"an open invoice has reminder {set_to.c_reminders} or higher",
        ),
        ("C", f"{judged} {set_to.c_share_late!r}", f"{late}, {set_to.c_share_late:.0%} or more were late"),
        (
            "B",
            f"worst > {set_to.grace_days}",
            f"an invoice is more than {set_to.grace_days} days overdue",
        ),
        ("B", "reminder_level >= 1", "an open invoice has a reminder"),
        ("B", f"{judged} {set_to.b_share_late!r}", f"{late}, {set_to.b_share_late:.0%} or more were late"),
        (
            "unknown",
            f"judged < {set_to.judged_from}",
            f"fewer than {set_to.judged_from} invoices paid or overdue, and nothing against the customer",
        ),
        ("A", "true", f"{late}, fewer than {set_to.b_share_late:.0%} were late, and nothing is overdue"),
    )


def _class(set_to: PaymentParameters, give: str) -> str:
    at = {"name": 0, "reason": 2}[give]
    cases = " ".join(f"WHEN {rule[1]} THEN '{rule[at]}'" for rule in _rules(set_to))
    return f"CASE {cases} END"


def explain_fit(fitted: Mapping[str, Any]) -> Figures:
    """How everybody pays."""
    quartiles = dict(zip(("lower quartile", "median", "upper quartile"), fitted["days_to_pay"], strict=False))
    return {
        "claims": fitted["claims"],
        "days_to_pay": quartiles,
        "sources_with_payments": len(fitted["sources_with_payments_since"]),
        "not_counted": Bars(fitted["not_counted"], ("invoices and payments", "not counted")),
    }


def picture(table: pa.Table, work: Work) -> Figures:
    """Customers by credit class, with the sums that are open and overdue."""
    counts = {row["values"]: row["counts"] for row in table["credit_class"].value_counts().to_pylist()}
    sums = {name: sum(table[name].to_pylist(), start=0) for name in ("open_amount", "overdue_amount")}
    return {
        "credit_classes": Bars(
            {one: counts.get(one, 0) for one in CLASSES}, ("credit class", "customers"), scale=True
        ),
        **{f"{name}_{work.currency}": float(value) for name, value in sums.items()},
    }


_MONEY = "user.financial"
_CLAIM = "An invoice, or an order without one where its source delivers payments"
_ISSUED = ("invoices.issued_on", "purchases.ordered_on")
_SETTLED = ("invoices.settled_on", "payments.paid_on", "payments.paid", "payments.amount", "purchases.net")
_DUE = (*_ISSUED, "invoices.due_on")
_OPEN = ("invoices.amount", *_SETTLED)
_LATE = (*_DUE, *_OPEN, "invoices.disputed")
_REMINDED = ("invoices.dunning_level",)
ENRICHER = Enricher(
    name="payment",
    description="How a customer pays, what is open and overdue, and a credit class with its rule in words.",
    inputs=("invoices", "purchases", "payments"),
    outputs=(
        Output(
            "claims",
            ValueType.INTEGER,
            f"Number of claims. {_CLAIM}.",
            "claims",
            _MONEY,
            of=("invoices.invoice_id", "purchases.order_id", "payments.order_id"),
        ),
        Output(
            "invoices",
            ValueType.INTEGER,
            "Claims that are invoices.",
            "invoices",
            _MONEY,
            of=("invoices.invoice_id",),
        ),
        Output(
            "open_amount",
            ValueType.DECIMAL,
            "Sum of claims that are not settled, credit notes subtracted; below 0 where we owe the customer.",
            "currency",
            _MONEY,
            of=_OPEN,
        ),
        Output(
            "overdue_amount",
            ValueType.DECIMAL,
            "Sum of open claims whose due date lies before the later of the day of the scale and the customer's last "
            "invoice or payment.",
            "currency",
            _MONEY,
            of=(*_DUE, *_OPEN),
        ),
        Output(
            "overdue_invoices",
            ValueType.INTEGER,
            "Number of these claims.",
            "claims",
            _MONEY,
            of=(*_DUE, *_OPEN),
        ),
        Output(
            "oldest_due_on",
            ValueType.DATE,
            "Earliest due date of what is open, overdue or not: what is overdue on any day follows from it.",
            "",
            _MONEY,
            of=(*_DUE, *_OPEN),
        ),
        Output(
            "median_days_to_pay",
            ValueType.DECIMAL,
            "Median days from issue to settlement, 0 where it was paid before; credit notes left out.",
            "days",
            _MONEY,
            tells_from=1.0,
            of=(*_ISSUED, *_SETTLED),
        ),
        Output(
            "last_days_to_pay",
            ValueType.INTEGER,
            "The same of the claim settled last.",
            "days",
            _MONEY,
            of=(*_ISSUED, *_SETTLED),
        ),
        Output("last_paid_on", ValueType.DATE, "Day of the last settlement.", "", _MONEY, of=_SETTLED),
        Output(
            "share_late",
            ValueType.DECIMAL,
            "Late claims / (claims paid or late): late is paid, or still open, more than the days of grace after the "
            "due date. Disputed ones left out.",
            "share",
            _MONEY,
            tells_from=0.05,
            of=_LATE,
        ),
        Output(
            "disputes",
            ValueType.INTEGER,
            "Number of disputed invoices.",
            "invoices",
            _MONEY,
            of=("invoices.disputed",),
        ),
        Output(
            "disputed_amount",
            ValueType.DECIMAL,
            "What is open of disputed invoices.",
            "currency",
            _MONEY,
            of=("invoices.disputed", *_OPEN),
        ),
        Output(
            "reminded_invoices",
            ValueType.INTEGER,
            "Invoices that needed a reminder.",
            "invoices",
            _MONEY,
            of=_REMINDED,
        ),
        Output(
            "reminder_level",
            ValueType.INTEGER,
            "Highest level of reminders of what is open.",
            "",
            _MONEY,
            of=(*_REMINDED, *_OPEN, "invoices.disputed"),
        ),
        Output(
            "credit_class",
            ValueType.TEXT,
            "A, B, C or D, unknown with too few claims: the first rule of the policy that holds, from D on.",
            "",
            _MONEY,
            of=(*_LATE, *_REMINDED),
        ),
        Output("credit_reason", ValueType.TEXT, "That rule in words.", "", _MONEY, of=(*_LATE, *_REMINDED)),
    ),
    purpose="Credit management: terms of payment, reminders, limits.",
    stale_when="An invoice, order, return or payment of the customer changes, or the day of the scale does.",
    compute=compute,
    parameters=PaymentParameters,
    fit=fit,
    explain_fit=explain_fit,
    picture=picture,
    ages=(
        Age(
            "days_overdue", "oldest_due_on", "Days since the oldest open due date; below 0 until it has come."
        ),
        Age("days_since_last_payment", "last_paid_on", "Days since the last settlement."),
    ),
)
