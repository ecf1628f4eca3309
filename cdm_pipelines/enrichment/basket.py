"""What a customer is likely to buy next, why, and when.

Belongs here: the next product and purchase of a customer. Does not belong here: how rules are learnt
(``basket_rules``), which categories a customer likes (``preference``).

A product is next because the customer bought it before and it is one that is bought again, or because it is bought
together with one that the customer has and itself is not among them. Of all the one with the highest probability is
taken. Neither is a model of the customer: both can be read off the table of rules.
"""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pyarrow as pa

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.basket_rules import BasketParameters, Floats, bought, learn
from cdm_pipelines.enrichment.declaration import Age, Enricher, Output
from cdm_pipelines.enrichment.rhythm import purchase_days, rhythm_sql
from cdm_pipelines.enrichment.work import Work
from cdm_pipelines.figures import Bars, Figures, Grid

AGAIN, TOGETHER = "bought again", "bought together"
_STILL_EXPECTED = 0.05
"""A silence longer than all but this share of gaps: by the rhythm nothing more is to be expected."""
_SHOWN = 20
_RULES = pa.schema(
    [(name, pa.string()) for name in ("given", "product")]
    + [("confidence", pa.float64()), ("lift", pa.float64())]
)
_AGAIN = pa.schema([("product", pa.string()), ("share", pa.float64()), ("gap", pa.float64())])
_NAMES = pa.schema([("product", pa.string()), ("name", pa.string())])


def fit(work: Work) -> dict[str, Any]:
    """What is bought together and again by everybody."""
    return learn(work, cast("BasketParameters", work.parameters))


def compute(work: Work) -> pa.Table:
    """A row per customer with a purchase; without a scale only what was bought."""
    set_to, fitted = cast("BasketParameters", work.parameters), work.fitted or {}
    bought(work)
    purchase_days(work)
    scale = {
        "basket_rules": pa.Table.from_pylist(
            [{**one, "given": one["if"], "product": one["then"]} for one in fitted.get("rules", ())],
            schema=_RULES,
        ),
        "basket_again": pa.Table.from_pylist(
            [{"product": one, **more} for one, more in fitted.get("again", {}).items()], schema=_AGAIN
        ),
        "basket_names": pa.Table.from_pylist(
            [{"product": one, "name": name} for one, name in fitted.get("names", {}).items()], schema=_NAMES
        ),
    }
    for name, table in scale.items():
        work.db.register(name, table)
    try:
        table = work.sql(
            _next(fitted.get("rhythm")),
            days=set_to.window_days,
            until=set_to.again_until,
            again=AGAIN,
            together=TOGETHER,
        )
    finally:
        for name in scale:
            work.db.unregister(name)
    return _with_next_day(table, fitted.get("rhythm"))


def _next(rhythm: Mapping[str, Any] | None) -> str:
    """The query: per customer the likeliest product, and what the day of the next purchase follows from."""
    typical = rhythm_sql("sum(log_gap)", "count(log_gap)", rhythm) if rhythm else "CAST(NULL AS DOUBLE)"
    return f"""
    WITH own AS (
        SELECT golden_id, max(day) AS last_day, greatest(getvariable('as_of')::DATE, max(day)) AS today,
               count(log_gap) AS gaps, {typical} AS rhythm
        FROM rhythm_days GROUP BY 1),
    had AS (
        SELECT golden_id, count(*) AS products, arg_max(product, (days, last_on, product)) AS most_bought
        FROM basket_bought GROUP BY 1),
    again AS (
        SELECT b.golden_id, b.product, b.product AS because, $again AS why, b.last_on, o.today,
               round((b.days - 1 + a.share) / b.days, 4) AS probability, 0.0 AS lift,
               ((b.last_on - b.first_on) + a.gap) / b.days AS gap
        FROM basket_bought b JOIN basket_again a USING (product) JOIN own o USING (golden_id)),
    together AS (
        SELECT b.golden_id, r.product, r.given AS because, r.confidence AS probability, r.lift
        FROM basket_bought b JOIN basket_rules r ON r.given = b.product JOIN own o USING (golden_id)
        WHERE b.last_on > o.today - $days::INTEGER
          AND NOT EXISTS (SELECT 1 FROM basket_bought h WHERE h.golden_id = b.golden_id AND h.product = r.product)),
    candidates AS (
        SELECT golden_id, probability, lift, product, because, why,
               CAST(last_on + CAST(greatest(round(gap), 1) AS INTEGER) AS DATE) AS due_on
        FROM again WHERE today - last_on <= $until * gap
        UNION ALL
        SELECT golden_id, probability, lift, product, because, $together, NULL FROM together),
    best AS (
        SELECT golden_id, max(row(probability, lift, product, because, why, due_on)) AS one
        FROM candidates GROUP BY 1)
    SELECT o.golden_id, coalesce(h.products, 0) AS products, h.most_bought,
           b.one[3] AS next_product, n.name AS next_product_name, b.one[5] AS next_why, b.one[4] AS next_because,
           b.one[1] AS next_probability, b.one[6] AS next_product_on, o.last_day, o.rhythm,
           o.today - o.last_day AS silent, o.gaps
    FROM own o LEFT JOIN had h USING (golden_id) LEFT JOIN best b USING (golden_id)
    LEFT JOIN basket_names n ON n.product = b.one[3]
    """


def _with_next_day(table: pa.Table, rhythm: Mapping[str, Any] | None) -> pa.Table:
    """The table with ``next_on`` instead of what it follows from."""
    if rhythm is None:
        day = pa.nulls(table.num_rows, pa.date32())
    else:
        silent, gaps = (table[name].to_numpy().astype(float) for name in ("silent", "gaps"))
        wait = days_until_next(table["rhythm"].to_numpy().astype(float), gaps, silent, rhythm)
        last = table["last_day"].cast(pa.int32()).to_numpy()
        known = np.isfinite(wait)
        at = last + np.where(known, wait, 0).astype(np.int32)
        day = pa.array(at, pa.int32(), mask=~known).cast(pa.date32())
    return table.drop_columns(["last_day", "rhythm", "silent", "gaps"]).append_column("next_on", day)


def days_until_next(typical: Floats, gaps: Floats, silent: Floats, rhythm: Mapping[str, Any]) -> Floats:
    """Days from the last purchase to the next: the rhythm, and once that has passed the median given the silence.

    The gap is log-normal around the customer's rhythm, with the variance of gaps within a customer and that of the
    rhythm as an estimate. While the day is to come it does not move with the days that pass.

    Args:
        typical: The customer's rhythm in days.
        gaps: How many gaps it follows from.
        silent: Days since the last purchase.
        rhythm: What ``rhythm.fit_rhythm`` gives.

    Returns:
        Whole days from the last purchase; NaN where nothing more is to be expected.
    """
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 - loads only in a run

    spread = np.sqrt(rhythm["within"] * (1 + 1 / (gaps + rhythm["weight"])))
    middle = np.log(typical)
    with np.errstate(divide="ignore"):
        longer = np.where(silent > 0, ndtr((middle - np.log(silent)) / np.maximum(spread, 1e-9)), 1.0)
    expected = longer >= _STILL_EXPECTED
    given: Floats = np.exp(middle - spread * ndtri(np.where(expected, longer, 1.0) / 2))
    found = np.where(silent < typical, np.round(typical), np.round(given))
    return np.where(expected, np.maximum(found, silent + 1), np.nan)


def explain_fit(fitted: Mapping[str, Any]) -> Figures:
    """The rules with most baskets beyond chance, what is bought again, and what was left out."""
    names = fitted["names"]
    rules = [
        {
            "bought": f"{rule['if']} {names[rule['if']]}" if names[rule["if"]] != rule["if"] else rule["if"],
            "also": f"{rule['then']} {names[rule['then']]}"
            if names[rule["then"]] != rule["then"]
            else rule["then"],
            **{name: rule[name] for name in ("baskets", "support", "confidence", "lift", "q")},
        }
        for rule in fitted["rules"][:_SHOWN]
    ]
    return {
        **{name: fitted[name] for name in ("baskets", "products", "pairs_tested", "pairs_kept")},
        "rules": len(fitted["rules"]),
        "lift": Grid(rules, ("bought", "also")),
        "products_bought_again": len(fitted["again"]),
        "left_out": Bars(fitted["left_out"], ("orders, products, lines", "left out")),
    }


def picture(table: pa.Table, _work: Work) -> Figures:
    """For how many customers there is a next product, and why."""
    counts = {row["values"] or "none": row["counts"] for row in table["next_why"].value_counts().to_pylist()}
    return {
        "next_product": Bars(counts, ("why", "customers")),
        "with_a_next_day": table.num_rows - table["next_on"].null_count,
    }


_SOLD = tuple(f"order_lines.{name}" for name in ("product_code", "product_name", "quantity", "ordered_on"))
_TOGETHER = (*_SOLD, "order_lines.order_id")
_HISTORY = "user.behavior.purchase_history"
ENRICHER = Enricher(
    name="basket",
    description="What a customer is likely to buy next, why, and when; from what everybody buys together and again.",
    inputs=("order_lines", "purchases", "products"),
    outputs=(
        Output(
            "products",
            ValueType.INTEGER,
            "Number of different products bought.",
            "products",
            _HISTORY,
            of=_SOLD,
        ),
        Output(
            "most_bought",
            ValueType.TEXT,
            "Code of the product bought on most days; of several the one bought last.",
            "",
            _HISTORY,
            of=_SOLD,
        ),
        Output(
            "next_product",
            ValueType.TEXT,
            "Code of the product that is likeliest next.",
            "",
            _HISTORY,
            of=_TOGETHER,
        ),
        Output(
            "next_product_name", ValueType.TEXT, "Its name.", "", _HISTORY, of=(*_TOGETHER, "products.name")
        ),
        Output(
            "next_why",
            ValueType.TEXT,
            "bought again: the customer bought it, it is a product that is, and the time for that is not long past; "
            "bought together: it lies in one order with a product that the customer has more often than by chance, "
            "and the customer never bought it.",
            "",
            _HISTORY,
            of=_TOGETHER,
        ),
        Output(
            "next_because",
            ValueType.TEXT,
            "Code of the product bought that says so.",
            "",
            _HISTORY,
            of=_TOGETHER,
        ),
        Output(
            "next_probability",
            ValueType.DECIMAL,
            "bought again: (days bought - 1 + share of all buyers who bought it again) / days bought; bought together: "
            "the confidence of the rule, orders with both / orders with the one that the customer has.",
            "share",
            tells_from=0.05,
            of=_TOGETHER,
        ),
        Output(
            "next_product_on",
            ValueType.DATE,
            "bought again: the last day it was bought + the customer's mean gap with one of everybody's added.",
            "",
            _HISTORY,
            tells_from=7.0,
            of=_SOLD,
        ),
        Output(
            "next_on",
            ValueType.DATE,
            "Likely day of the next purchase of anything: the last one + the customer's own rhythm (as in lifecycle); "
            "once that has passed, the median of a log-normal gap given the silence so far. Null where 95 % of such "
            "gaps are shorter than that.",
            "",
            _HISTORY,
            tells_from=7.0,
            of=("purchases.ordered_on",),
        ),
    ),
    purpose="Recommending products; planning of reminders and stock.",
    stale_when="An order, line or product of the customer changes, or rules are learnt anew.",
    compute=compute,
    parameters=BasketParameters,
    fit=fit,
    explain_fit=explain_fit,
    picture=picture,
    ages=(
        Age("days_past_next", "next_on", "Days past the likely next purchase; below 0 until it has come."),
    ),
)
