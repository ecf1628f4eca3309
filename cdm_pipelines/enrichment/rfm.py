"""Recency, frequency and monetary value: when a customer last bought, how often, for how much.

Belongs here: sums of purchases, fitted quintiles, segments. Does not belong here: what is expected of a customer
(``lifetime_value``, ``churn``), stages in time (``lifecycle``).

Cuts are those of the published analysis of the R package rfm: the quintile of all customers (linear interpolation,
type 7 of Hyndman and Fan) plus one day, order or unit of currency, and a value equal to a cut is above it. One more is
what makes a customer *at* the quintile belong below it, in whole days, orders and units.
"""

from collections.abc import Mapping
from typing import Any, Literal, cast

import pyarrow as pa

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Age, Enricher, Output
from cdm_pipelines.enrichment.work import Parameters, Work
from cdm_pipelines.figures import Bars, Figures, Grid

_GRID = {
    5: ("new", "potential_loyalist", "potential_loyalist", "champion", "champion"),
    4: ("promising", "potential_loyalist", "potential_loyalist", "loyal", "loyal"),
    3: ("about_to_sleep", "about_to_sleep", "needs_attention", "loyal", "loyal"),
    2: ("hibernating", "hibernating", "at_risk", "at_risk", "cannot_lose"),
    1: ("hibernating", "hibernating", "at_risk", "at_risk", "cannot_lose"),
}
SEGMENTS: Mapping[tuple[int, int], str] = {
    (recency, frequency): name
    for recency, names in _GRID.items()
    for frequency, name in enumerate(names, start=1)
}
"""The segment of each recency and frequency score, 5 the best: the ten that are usual."""

_SCORES = ("recency", "frequency", "monetary")
_MEASURES = """
own AS (
    SELECT golden_id, min(ordered_on) AS first_ordered_on, max(ordered_on) AS last_ordered_on,
           count(*) AS orders, count(DISTINCT ordered_on) AS purchase_days,
           CAST(sum(amount) AS DECIMAL(18, 2)) AS gross, CAST(sum(returned) AS DECIMAL(18, 2)) AS returned,
           CAST(sum(net) AS DECIMAL(18, 2)) AS net
    FROM purchases GROUP BY 1),
measured AS (
    SELECT *, greatest(getvariable('as_of')::DATE, last_ordered_on) - last_ordered_on AS recency,
           {frequency} AS frequency, net AS monetary
    FROM own)
"""


class RfmParameters(Parameters):
    """What may be set of ``rfm``.

    Attributes:
        frequency: What the frequency score counts: every order, as the published analysis does, or days on which
            something was ordered, for a shop that splits orders.
    """

    frequency: Literal["orders", "purchase_days"] = "orders"


def fit(work: Work) -> dict[str, Any]:
    """Four cuts of each measure over everybody who bought, and what could not be counted."""
    work.use("purchases", "refunds")
    quintiles = ", ".join(
        f"quantile_cont(CAST({name} AS DOUBLE), [0.2, 0.4, 0.6, 0.8]) AS {name}" for name in _SCORES
    )
    found = work.sql(
        f"""WITH {_measures(work)} SELECT count(*) AS customers, min(first_ordered_on) AS first_day,
        max(last_ordered_on) AS last_day, {quintiles} FROM measured"""
    ).to_pylist()[0]
    return {
        "as_of": work.as_of.isoformat(),
        "window": [day.isoformat() if (day := found[name]) else None for name in ("first_day", "last_day")],
        "customers": found["customers"],
        "cuts": {name: [round(cut + 1, 6) for cut in found[name] or ()] for name in _SCORES},
        "not_counted": _not_counted(work),
    }


def _not_counted(work: Work) -> dict[str, int]:
    rows = work.sql(
        """
        SELECT problem AS why, count(*) AS n FROM orders WHERE problem IS NOT NULL GROUP BY 1
        UNION ALL
        SELECT 'without a known customer',
               (SELECT count(*) FROM state_order WHERE active) - (SELECT count(*) FROM orders)
        UNION ALL
        SELECT 'return without an order', count(*) FROM refunds r WHERE NOT EXISTS
            (SELECT 1 FROM state_order s WHERE s.active AND s.source = r.source AND s.order_id = r.order_id)
        UNION ALL
        SELECT 'return ' || problem, count(*) FROM refunds WHERE problem IS NOT NULL GROUP BY 1
        ORDER BY 1
        """
    ).to_pylist()
    return {row["why"]: row["n"] for row in rows if row["n"]}


def _measures(work: Work) -> str:
    return _MEASURES.format(frequency=cast("RfmParameters", work.parameters).frequency)


def compute(work: Work) -> pa.Table:
    """A row per customer with an order, counted or not; without a scale there are no scores."""
    work.use("purchases")
    cuts: Mapping[str, list[float]] = (work.fitted or {}).get("cuts", {})
    scores = ", ".join(f"{_score(name, cuts.get(name, []))} AS {name}_score" for name in _SCORES)
    names = ", ".join(f"({r}, {f}, '{name}')" for (r, f), name in SEGMENTS.items())
    return work.sql(
        f"""
        WITH {_measures(work)},
        scored AS (SELECT *, {scores} FROM measured),
        grid(recency_score, frequency_score, segment) AS (VALUES {names}),
        besides AS (SELECT golden_id, count(*) FILTER (problem IS NOT NULL) AS orders_not_counted
                    FROM orders GROUP BY 1)
        SELECT b.golden_id, s.first_ordered_on, s.last_ordered_on, coalesce(s.orders, 0) AS orders,
               coalesce(s.purchase_days, 0) AS purchase_days,
               {", ".join(f"coalesce(s.{name}, 0)::DECIMAL(18, 2) AS {name}" for name in ("gross", "returned", "net"))},
               CAST(s.net / s.orders AS DECIMAL(18, 2)) AS average_order, b.orders_not_counted,
               s.recency_score, s.frequency_score, s.monetary_score,
               s.recency_score::VARCHAR || s.frequency_score::VARCHAR || s.monetary_score::VARCHAR AS score,
               g.segment
        FROM besides b LEFT JOIN scored s USING (golden_id) LEFT JOIN grid g USING (recency_score, frequency_score)
        """
    )


def _score(name: str, cuts: list[float]) -> str:
    """SQL of a score from 1 to 5: how many cuts a value has reached; the fewest days are the best recency."""
    if not cuts:
        return "CAST(NULL AS INTEGER)"
    reached = " + ".join(
        f"(CAST({name} AS DECIMAL(28, 6)) >= CAST('{cut:.6f}' AS DECIMAL(28, 6)))::INTEGER" for cut in cuts
    )
    return f"5 - ({reached})" if name == "recency" else f"1 + ({reached})"


def explain_fit(fitted: Mapping[str, Any]) -> Figures:
    """The cuts, and the orders that count for nothing."""
    cuts = [
        {"measure": name, **{f"cut_{at}": cut for at, cut in enumerate(cuts, start=1)}}
        for name, cuts in fitted["cuts"].items()
    ]
    return {
        "customers": fitted["customers"],
        "cuts": Grid(cuts, ("measure",)),
        "not_counted": Bars(fitted["not_counted"], ("orders and returns", "not counted")),
    }


_TWICE = """
WITH shared AS (
    SELECT golden_id, ordered_on, amount FROM purchases GROUP BY ALL HAVING min(source) <> max(source)),
counted AS (
    SELECT golden_id, ordered_on, amount, source, count(*) AS n
    FROM purchases JOIN shared USING (golden_id, ordered_on, amount) GROUP BY ALL)
SELECT coalesce(sum(orders - most), 0)::BIGINT AS n FROM (
    SELECT sum(n) AS orders, max(n) AS most FROM counted GROUP BY golden_id, ordered_on, amount)
"""
"""How many orders are of one customer, day and amount with those of another source: as many as that source has."""


def picture(table: pa.Table, work: Work) -> Figures:
    """Customers and what they spent by segment, and orders that two sources may both have delivered."""
    rows = (
        table.group_by("segment")
        .aggregate([([], "count_all"), ("net", "sum"), ("orders", "sum")])
        .sort_by("segment")
        .to_pylist()
    )
    counts = {row["segment"] or "none": row["count_all"] for row in rows}
    value = [
        {
            "segment": row["segment"] or "none",
            "orders": row["orders_sum"],
            f"net_{work.currency}": float(row["net_sum"]),
        }
        for row in rows
    ]
    [twice] = work.sql(_TWICE).to_pylist()
    return {
        "segments": Bars(counts, ("segment", "customers")),
        "value": Grid(value, ("segment",)),
        "orders that may be delivered twice by two sources": twice["n"],
    }


_DAYS, _ORDERS, _NET = ("purchases.ordered_on",), ("purchases.order_id",), ("purchases.net",)
_HISTORY = "user.behavior.purchase_history"
_FIFTH = "in five classes between four cuts fitted to all customers, 5 the best"
ENRICHER = Enricher(
    name="rfm",
    description="When a customer last bought, how often and for how much, with scores and a named segment.",
    inputs=("orders", "purchases", "refunds"),
    outputs=(
        Output(
            "first_ordered_on", ValueType.DATE, "Day of the first order that counts.", "", _HISTORY, of=_DAYS
        ),
        Output(
            "last_ordered_on", ValueType.DATE, "Day of the last order that counts.", "", _HISTORY, of=_DAYS
        ),
        Output("orders", ValueType.INTEGER, "Number of orders that count.", "orders", _HISTORY, of=_ORDERS),
        Output(
            "purchase_days",
            ValueType.INTEGER,
            "Number of days with an order that counts: orders of one day are one purchase.",
            "days",
            _HISTORY,
            of=_DAYS,
        ),
        Output(
            "gross",
            ValueType.DECIMAL,
            "Sum of orders that count, returns not subtracted.",
            "currency",
            _HISTORY,
            of=("purchases.amount",),
        ),
        Output(
            "returned",
            ValueType.DECIMAL,
            "Sum of what was paid back of these orders.",
            "currency",
            _HISTORY,
            of=("purchases.returned",),
        ),
        Output("net", ValueType.DECIMAL, "gross - returned.", "currency", _HISTORY, of=_NET),
        Output(
            "average_order", ValueType.DECIMAL, "net / orders.", "currency", _HISTORY, of=(*_NET, *_ORDERS)
        ),
        Output(
            "orders_not_counted",
            ValueType.INTEGER,
            "Orders that count for nothing: cancelled, negative, in the future, without a date, an amount, or a rate.",
            "orders",
            _HISTORY,
            of=("orders.problem",),
        ),
        Output(
            "recency_score",
            ValueType.INTEGER,
            f"Days from the last order to the day of the scale, fewest days best, {_FIFTH}.",
            of=_DAYS,
        ),
        Output(
            "frequency_score",
            ValueType.INTEGER,
            f"Orders, or by parameter days with one, {_FIFTH}.",
            of=(*_ORDERS, *_DAYS),
        ),
        Output("monetary_score", ValueType.INTEGER, f"Net spend, {_FIFTH}.", of=_NET),
        Output(
            "score",
            ValueType.TEXT,
            "The three scores behind each other, recency first, such as 543.",
            of=(*_DAYS, *_ORDERS, *_NET),
        ),
        Output(
            "segment",
            ValueType.TEXT,
            "Of the recency and frequency scores, each pair in one: champion, loyal, potential_loyalist, new, "
            "promising, needs_attention, about_to_sleep, at_risk, cannot_lose, hibernating.",
            of=(*_DAYS, *_ORDERS),
        ),
    ),
    purpose="Choosing whom to address with what; reporting of sales by kind of customer.",
    stale_when="An order or return of the customer changes, or the scale is fitted anew.",
    compute=compute,
    parameters=RfmParameters,
    fit=fit,
    explain_fit=explain_fit,
    picture=picture,
    ages=(
        Age("days_since_first_order", "first_ordered_on", "Days since the first order that counts."),
        Age("days_since_last_order", "last_ordered_on", "Days since the last order that counts: recency."),
    ),
)
