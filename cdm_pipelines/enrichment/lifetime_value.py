"""What customers will buy and be worth: the enricher ``lifetime_value``.

Belongs here: its columns and its rows. Does not belong here: fitting and refusing (``value_fitting``), the mathematics
(``value_models``, ``value_intervals``).
"""

from typing import Any

import numpy as np
import pyarrow as pa

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Enricher, Output
from cdm_pipelines.enrichment.value_drift import DRIFT
from cdm_pipelines.enrichment.value_fitting import (
    DAYS,
    DONE,
    EVER,
    HISTORY,
    WEEK,
    LifetimeValueParameters,
    Models,
    explain,
    fit,
    models,
    numbers,
    parameters_of,
)
from cdm_pipelines.enrichment.value_intervals import Histories, intervals
from cdm_pipelines.enrichment.value_models import (
    Floats,
    PurchaseModel,
    alive,
    expected_if_alive,
    expected_spend,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_mbg_nbd,
)
from cdm_pipelines.enrichment.work import GOLDEN_ID, Work
from cdm_pipelines.figures import Bars, Figure, Figures

__all__ = ["ENRICHER", "fit_bg_nbd", "fit_gamma_gamma", "fit_mbg_nbd"]

MODEL, AVERAGE, HISTORIC = "model", "model and average spend", "historic"
"""How a value came about: both models; the purchase model and the customer's own mean; what was bought before."""
_NO_PURCHASE = "Everything that was ordered was returned."
_MONEY, _FINE, _WHOLE = 2, 4, 0
"""Places of a number; a whole one is an integer."""
_MOST = 1e13
_ROWS = f"""
WITH now AS (
    SELECT golden_id, greatest(max(day), $until::DATE) AS today FROM lifetime_value_days GROUP BY golden_id),
history AS ({HISTORY})
SELECT golden_id, count(*) FILTER (bought) AS purchases, min(day) FILTER (bought) AS first_purchase_on,
       max(day) FILTER (bought) AS last_purchase_on, CAST(sum(net) AS DECIMAL(18, 2)) AS historic_value,
       greatest(coalesce(sum(net) FILTER (day > today - $horizon::INTEGER), 0), 0) AS recent,
       coalesce(sum(net) FILTER (bought), 0) AS spent, coalesce(any_value(x), 0) AS x,
       coalesce(any_value(recency), 0) AS recency, coalesce(any_value(age), 0) AS age,
       coalesce(any_value(repeated), 0) AS repeated, any_value(margin) AS margin
FROM lifetime_value_days JOIN now USING (golden_id) LEFT JOIN history USING (golden_id)
LEFT JOIN ({{margins}}) USING (golden_id)
GROUP BY golden_id ORDER BY golden_id
"""
_MARGINS = """
SELECT golden_id, 1 - CAST(sum(cost) AS DOUBLE) / CAST(sum(amount) AS DOUBLE) AS margin FROM order_lines
WHERE cost IS NOT NULL AND amount IS NOT NULL GROUP BY golden_id HAVING sum(amount) > 0
"""
_NO_MARGINS = "SELECT NULL::UUID AS golden_id, NULL::DOUBLE AS margin WHERE false"


def compute(work: Work) -> pa.Table:
    """One row per customer with an order that counts."""
    parameters = parameters_of(work)
    work.use("purchases", "products")
    # Where no product has a cost the lines, ten times as many as customers, are left alone.
    costs = work.sql("SELECT count(*) AS n FROM products WHERE cost IS NOT NULL").to_pylist()[0]["n"]
    if costs:
        work.use("order_lines")
    work.db.execute(DAYS)
    table = work.sql(
        _ROWS.format(margins=_MARGINS if costs else _NO_MARGINS),
        until=work.as_of,
        last=EVER,
        horizon=parameters.horizon_days,
    )
    work.db.execute(DONE)
    given = (GOLDEN_ID, "first_purchase_on", "last_purchase_on", "historic_value")
    kept = {name: table[name] for name in given}
    return pa.table({**kept, **_scored(table, models(work.fitted), parameters)})


def picture(table: pa.Table, _: Work) -> Figures:
    """How values came about, how alive customers are, and how much of the value the largest fifth has."""
    methods = table["method"].value_counts().to_pylist()
    counts = {str(one["values"]): int(one["counts"]) for one in methods}
    told: dict[str, Figure] = {"method": Bars(counts, ("method", "customers"))}
    still = numbers(table["probability_alive"])
    if len(still := still[np.isfinite(still)]):
        tenths = np.bincount(np.minimum((still * 10).astype(np.int64), 9), minlength=10)
        steps = {f"{at / 10:.1f} to {(at + 1) / 10:.1f}": int(count) for at, count in enumerate(tenths)}
        told["probability alive"] = Bars(steps, ("probability alive", "customers"), scale=True)
    value = np.sort(numbers(table["expected_value"]))[::-1]
    if total := float(value.sum()):
        told["expected value"] = round(total, 2)
        told["share of the most valuable fifth"] = round(float(value[: -(-len(value) // 5)].sum()) / total, 4)
    return told


def _scored(table: pa.Table, found: Models, parameters: LifetimeValueParameters) -> dict[str, Any]:
    """The columns that follow from the models, or from history where there are none."""
    count, spent, x, recency, age = (
        numbers(table[name]) for name in ("purchases", "spent", "x", "recency", "age")
    )
    bought, nothing = count > 0, np.full(len(count), np.nan)
    average = spent / np.maximum(count, 1)
    value, margin = numbers(table["recent"]), numbers(table["margin"])
    columns: dict[str, Floats] = dict.fromkeys(_OF_MODELS, nothing)
    if found.alive:
        columns["probability_alive"] = alive(found.alive, x, recency / WEEK, age / WEEK)
    if found.purchases:
        mean = np.maximum(numbers(table["repeated"]) / np.maximum(x, 1), 0.0)
        now = alive(found.purchases, x, recency / WEEK, age / WEEK)
        expected = _expected(found.purchases, now, x, age, parameters.horizon_days)
        spend = expected_spend(found.spend, x, mean) if found.spend else np.maximum(average, 0.0)
        number, worth = intervals(
            found.purchases,
            found.spend,
            Histories(x.astype(np.int64), age.astype(np.int64), now, mean),
            ahead_days=parameters.horizon_days,
            unit_days=WEEK,
            share=parameters.interval,
        )
        columns |= {"expected_purchases": expected, "expected_spend": spend}
        columns |= {"purchases_low": number.low, "purchases_high": number.high}
        columns |= {"value_low": worth.low, "value_high": worth.high} if worth else {}
        value = np.where(bought, expected * spend, value)
    columns = {name: np.where(bought, values, np.nan) for name, values in columns.items()}
    method = (MODEL if found.spend else AVERAGE) if found.purchases else HISTORIC
    columns |= {"mean_spend": np.where(bought, average, np.nan)}
    columns |= {"expected_value": value, "margin_share": margin, "expected_margin": value * margin}
    return {
        **{name: _typed(values, _PLACES.get(name, _MONEY)) for name, values in columns.items()},
        "purchases": table["purchases"].cast(pa.int64()),
        "method": _either(bought, method, HISTORIC),
        "reason": _either(bought, found.reason, _NO_PURCHASE),
        "horizon_months": pa.array(np.full(len(count), parameters.horizon_months, dtype=np.int64)),
    }


_OF_MODELS = (
    "probability_alive",
    "expected_purchases",
    "purchases_low",
    "purchases_high",
    "expected_spend",
    "value_low",
    "value_high",
)
_PLACES = {
    "probability_alive": _FINE,
    "margin_share": _FINE,
    "expected_purchases": _FINE,
    "purchases_low": _WHOLE,
    "purchases_high": _WHOLE,
}


def _expected(model: PurchaseModel, now: Floats, x: Floats, age: Floats, horizon: int) -> Floats:
    """Expected purchases, worked out once per frequency and age; a day holds one, so no more than there are days."""
    scale = 1_000_000.0  # days of an age are fewer
    pairs, which = np.unique(x * scale + age, return_inverse=True)
    ahead = expected_if_alive(model, pairs // scale, (pairs % scale) / WEEK, horizon / WEEK)
    return np.minimum(now * ahead[which], float(horizon))


def _typed(values: Floats, places: int) -> pa.Array:
    """Numbers as decimals or integers, NaN as null; what no column holds is brought to its limit."""
    rounded = np.round(np.clip(values, -_MOST, _MOST), places)
    kind = pa.decimal128(18, places) if places else pa.int64()
    return pa.array(rounded, mask=np.isnan(values)).cast(kind)


def _either(which: np.ndarray[Any, np.dtype[np.bool_]], one: str | None, other: str | None) -> pa.Array:
    """One text where it holds and another where not."""
    text = pa.string()
    return pa.compute.if_else(pa.array(which), pa.scalar(one, text), pa.scalar(other, text))


_HISTORY_OF = "user.behavior.purchase_history"


def _money(name: str, description: str, tells_from: float = 0.0, *, of: tuple[str, ...]) -> Output:
    return Output(name, ValueType.DECIMAL, description, "currency", _HISTORY_OF, tells_from=tells_from, of=of)


def _number(
    name: str, description: str, unit: str, tells_from: float = 0.0, *, of: tuple[str, ...]
) -> Output:
    return Output(name, ValueType.DECIMAL, description, unit, _HISTORY_OF, tells_from=tells_from, of=of)


_BOUGHT = ("purchases.ordered_on", "purchases.net", "purchases.returned")
_MARGIN = ("order_lines.amount", "order_lines.cost")
_WITHIN = "within the horizon (12 months unless the policy says otherwise)"
_AT_LEAST = (
    "With the probability that the policy sets for intervals (80 % unless it says otherwise), it lies between"
)

ENRICHER = Enricher(
    name="lifetime_value",
    description="What a customer is expected to buy and to be worth, with intervals, and whether still a customer.",
    inputs=("purchases", "products", "order_lines"),
    outputs=(
        Output(
            "purchases",
            ValueType.INTEGER,
            "Days with a purchase. All orders of one day are one; a day of which everything was returned is none.",
            "purchases",
            _HISTORY_OF,
            of=_BOUGHT,
        ),
        Output(
            "first_purchase_on", ValueType.DATE, "Day of the first purchase.", "", _HISTORY_OF, of=_BOUGHT
        ),
        Output("last_purchase_on", ValueType.DATE, "Day of the last purchase.", "", _HISTORY_OF, of=_BOUGHT),
        _money(
            "historic_value", "Sum of all orders that count, less what was returned.", of=("purchases.net",)
        ),
        _money("mean_spend", "Mean spend of a purchase so far, less what was returned.", of=_BOUGHT),
        _number(
            "probability_alive",
            "Probability that the customer has not left for good, by the MBG/NBD model from the number of purchases, "
            "the last one and the time since the first.",
            "probability",
            0.05,
            of=_BOUGHT,
        ),
        _number(
            "expected_purchases",
            f"Purchases expected {_WITHIN}, by the BG/NBD model (conditional expectation).",
            "purchases",
            0.25,
            of=_BOUGHT,
        ),
        Output(
            "purchases_low",
            ValueType.INTEGER,
            f"{_AT_LEAST} this number of purchases and purchases_high.",
            "purchases",
            _HISTORY_OF,
            of=_BOUGHT,
        ),
        Output(
            "purchases_high",
            ValueType.INTEGER,
            "Upper end of the interval of expected_purchases.",
            "purchases",
            _HISTORY_OF,
            of=_BOUGHT,
        ),
        _money(
            "expected_spend",
            "Spend expected of a purchase to come, by the Gamma-Gamma model: between the mean of the customer's repeat "
            "purchases and that of everybody. Where that model is refused, the customer's own mean.",
            5.0,
            of=_BOUGHT,
        ),
        _money(
            "expected_value",
            f"Value expected {_WITHIN}: expected_purchases times expected_spend. Where no model is fitted, what was "
            "spent within as long a time before, less returns, and at least 0. Not discounted.",
            25.0,
            of=_BOUGHT,
        ),
        _money("value_low", f"{_AT_LEAST} this value and value_high.", 25.0, of=_BOUGHT),
        _money("value_high", "Upper end of the interval of expected_value.", 100.0, of=_BOUGHT),
        _number(
            "margin_share",
            "Share of what was spent that is margin: 1 less cost by amount, over the order lines whose product's cost "
            "is known. Empty where none is. Prices and costs are compared as delivered: too high where a source's "
            "prices include taxes and its costs do not.",
            "share",
            0.05,
            of=_MARGIN,
        ),
        _money(
            "expected_margin",
            "Expected margin: expected_value times margin_share.",
            25.0,
            of=(*_BOUGHT, *_MARGIN),
        ),
        Output(
            "method",
            ValueType.TEXT,
            f"How the value came about: '{MODEL}', '{AVERAGE}' (without the spend model) or '{HISTORIC}'.",
            "",
            "system.operations",
            of=_BOUGHT,
        ),
        Output(
            "reason",
            ValueType.TEXT,
            "Why a model was not used; empty where all were.",
            "",
            "system.operations",
            of=_BOUGHT,
        ),
        Output(
            "horizon_months",
            ValueType.INTEGER,
            "How far ahead is looked.",
            "months",
            "system.operations",
            of=("purchases.golden_id",),
        ),
    ),
    purpose="Planning, and choosing what effort a customer is worth",
    stale_when="An order, order line, refund or product cost of the customer changes, or the models are fitted anew",
    compute=compute,
    parameters=LifetimeValueParameters,
    fit=fit,
    explain_fit=explain,
    picture=picture,
    drift=DRIFT,
)
