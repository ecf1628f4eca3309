"""Fitting the models of lifetime value to everybody, and refusing to where data cannot carry them.

Belongs here: what a purchase is, the parameters, when a model is refused and why, the hold-out, what is told of a fit.
Does not belong here: the mathematics (``value_models``, ``value_intervals``) and the rows (``lifetime_value``).

All orders of one day are one purchase: what is split over two baskets in an evening is not loyalty. A day of which
everything was returned is none. The first purchase makes somebody a customer, the models are about those that follow;
the spend model too, as published, because a first purchase is often of another size.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, timedelta
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from cdm_pipelines.enrichment import value_drift, value_holdout
from cdm_pipelines.enrichment.value_models import (
    Floats,
    ModelError,
    PurchaseModel,
    SpendModel,
    correlation,
    expected_of_newcomer,
    expected_purchases,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_mbg_nbd,
)
from cdm_pipelines.enrichment.work import Parameters, Work
from cdm_pipelines.figures import Figure, Figures, Grid

WEEK = 7.0
"""Days of a unit of the models' time: that of the publications."""
_MONTH = 365.25 / 12


class LifetimeValueParameters(Parameters):
    """What may be set of the enricher.

    Attributes:
        horizon_months: How far ahead.
        interval: Probability of the intervals.
        smallest_repeat_buyers: From so many on a model is fitted. With 200, fits to simulated customers expect a total
            that is off by 8 % (root mean square), less than chance moves the total itself.
        shortest_window_days: So long ago the first purchase must be at least: a year cannot be told from less than
            about half of one.
        holdout_share: Part of the window that the purchase model is held against; 0 for no hold-out.
        largest_correlation: Of frequency and mean spend over repeat buyers, either way. The spend model takes them as
            independent; 0.3 is a tenth of the variance.
    """

    horizon_months: int = Field(default=12, ge=1, le=60)
    interval: float = Field(default=0.8, ge=0.5, le=0.99)
    smallest_repeat_buyers: int = Field(default=200, ge=20)
    shortest_window_days: int = Field(default=180, ge=14)
    holdout_share: float = Field(default=0.5, ge=0, le=0.8)
    largest_correlation: float = Field(default=0.3, ge=0, le=1)

    @property
    def horizon_days(self) -> int:
        """How far ahead, in days."""
        return round(self.horizon_months * _MONTH)


class Models(NamedTuple):
    """What was fitted, None where it was refused, and the reason of the first refusal."""

    purchases: PurchaseModel | None = None
    alive: PurchaseModel | None = None
    spend: SpendModel | None = None
    reason: str | None = None


DAYS = """
CREATE OR REPLACE TEMP TABLE lifetime_value_days AS
SELECT golden_id, ordered_on AS day, sum(net) AS net, NOT (sum(net) <= 0 AND sum(returned) > 0) AS bought
FROM purchases GROUP BY ALL
"""
"""Makes a row per customer and day with orders; ``DONE`` takes it away again."""
DONE = "DROP TABLE lifetime_value_days"
HISTORY = """
SELECT golden_id, count(*) - 1 AS x, max(day) - min(day) AS recency,
       greatest(max(day), $until::DATE) - min(day) AS age, sum(net) - arg_min(net, day) AS repeated
FROM lifetime_value_days WHERE bought AND day <= $last::DATE GROUP BY golden_id
"""
"""Histories, in days, of purchases until ``last``; who bought after ``until`` is as old as the last purchase."""
EVER = date(9999, 12, 31)
_AHEAD = """
SELECT golden_id, count(*) AS actual FROM lifetime_value_days
WHERE bought AND day > $until::DATE AND day <= $as_of::DATE GROUP BY golden_id
"""


def parameters_of(work: Work) -> LifetimeValueParameters:
    """The parameters, or the usual ones where the work has none."""
    given = work.parameters
    return given if isinstance(given, LifetimeValueParameters) else LifetimeValueParameters()


def models(fitted: Mapping[str, Any] | None) -> Models:
    """What ``fit`` gave, as models again."""
    if fitted is None:
        return Models(reason="No model has been fitted yet.")
    purchases, alive, spend = (fitted[name] for name in ("purchases", "alive", "spend"))
    return Models(
        None if "refused" in purchases else PurchaseModel(**purchases),
        None if "refused" in alive else PurchaseModel(**alive),
        None if "refused" in spend else SpendModel(**spend),
        purchases.get("refused") or spend.get("refused"),
    )


def fit(work: Work) -> dict[str, Any]:
    """Fit the three models to everybody, and a purchase model to the first part of the window for the hold-out.

    Returns:
        Window, counts, and of each model its parameters, or ``refused`` with the reason.
    """
    parameters = parameters_of(work)
    work.use("purchases")
    work.db.execute(DAYS)
    first = work.sql("SELECT min(day) AS day FROM lifetime_value_days WHERE bought").to_pylist()[0]["day"]
    days = max((work.as_of - first).days, 0) if first else 0
    history = _arrays(
        work,
        f"SELECT x, recency, age, count(*) AS n FROM ({HISTORY}) GROUP BY ALL ORDER BY ALL",
        until=work.as_of,
        last=EVER,
    )
    repeat = int(history["n"][history["x"] > 0].sum())
    fitted: dict[str, Any] = {
        "window": {"from": str(first or work.as_of), "to": str(work.as_of), "days": days},
        "horizon_days": parameters.horizon_days,
        "customers": int(history["n"].sum()),
        "repeat_buyers": repeat,
        "correlation": None,
    }
    if reason := _few(repeat, parameters) or _short(days, parameters):
        fitted |= {name: {"refused": reason} for name in ("purchases", "alive", "spend", "holdout")}
    else:
        fitted["purchases"] = _fitted(fit_bg_nbd, history)
        fitted["alive"] = _fitted(fit_mbg_nbd, history)
        fitted |= _ahead(work, fitted["purchases"])
        fitted |= _fit_spend(work, parameters)
        fitted["holdout"] = _hold_out(work, days, parameters)
    work.db.execute(DONE)
    return fitted


def explain(fitted: Mapping[str, Any]) -> Figures:
    """What a data engineer wants to know of a fit: parameters, refusals, and how it did on the hold-out."""
    window = fitted["window"]
    told: dict[str, Figure] = {
        "window": f"{window['from']} to {window['to']}",
        "window days": window["days"],
        "customers": fitted["customers"],
        "repeat buyers": fitted["repeat_buyers"],
    }
    if fitted["correlation"] is not None:
        told["correlation of frequency and spend"] = round(fitted["correlation"], 4)
    for name, about in (("purchases", "BG/NBD"), ("alive", "MBG/NBD"), ("spend", "Gamma-Gamma")):
        kept = dict(fitted[name])
        kept.pop("first_chance", None)
        told[about] = kept.get("refused") or kept
    found = models(fitted)
    if found.purchases:
        ahead = expected_of_newcomer(found.purchases, fitted["horizon_days"] / WEEK)
        told["repeat purchases expected of a new customer"] = ahead
    if found.spend:
        told["mean spend expected of a new customer"] = found.spend.mean
    holdout = fitted["holdout"]
    if "refused" in holdout:
        return {**told, "hold-out": holdout["refused"]}
    for name in ("actual", "expected", "correlation"):
        told[f"hold-out {name}"] = holdout[name]
    told["hold-out"] = Grid(holdout["by_frequency"], ("frequency",))
    told["hold-out chart"] = value_holdout.chart(holdout)
    return told


def _ahead(work: Work, purchases: Mapping[str, Any]) -> dict[str, Any]:
    """What the purchase model expects of those who have bought by the day of the fit, to be held against what comes."""
    if "refused" in purchases:
        return {}
    query = f"SELECT x, recency, age, count(*) AS n FROM ({HISTORY}) GROUP BY ALL ORDER BY ALL"
    history = _arrays(work, query, until=work.as_of, last=work.as_of)
    return {"ahead": value_drift.ahead(PurchaseModel(**purchases), history)}


def _fit_spend(work: Work, parameters: LifetimeValueParameters) -> dict[str, Any]:
    """The spend model, and the correlation that it takes to be none."""
    found = _arrays(
        work,
        f"""SELECT x, CAST(repeated AS DOUBLE) AS spent, count(*) AS n FROM ({HISTORY})
            WHERE x > 0 AND repeated > 0 GROUP BY ALL ORDER BY ALL""",
        until=work.as_of,
        last=EVER,
    )
    x, number = found["x"], found["n"]
    if reason := _few(int(number.sum()), parameters):
        return {"spend": {"refused": reason}}
    mean = found["spent"] / x
    together = correlation(x, mean, number)
    if abs(together) > parameters.largest_correlation:
        reason = (
            f"Frequency and mean spend of repeat buyers have a correlation of {together:.2f}; the spend model takes "
            f"them as independent, and is fitted up to {parameters.largest_correlation:g}."
        )
        return {"spend": {"refused": reason}, "correlation": together}
    spend = _fitted(fit_gamma_gamma, {"x": x, "mean": mean, "n": number})
    if spend.get("q", 2.0) <= 1:
        spend = {"refused": "Spend is spread so widely over customers that it has no mean."}
    return {"spend": spend, "correlation": together}


def _hold_out(work: Work, days: int, parameters: LifetimeValueParameters) -> dict[str, Any]:
    """Fits to the first part of the window, and tells what came after of those who had bought by then."""
    ahead = ceil(days * parameters.holdout_share)
    if not ahead:
        return {"refused": "No part of the window is held out."}
    until = work.as_of - timedelta(days=ahead)
    found = _arrays(
        work,
        f"""WITH history AS ({HISTORY}), ahead AS ({_AHEAD})
            SELECT x, recency, age, coalesce(actual, 0) AS actual, count(*) AS n
            FROM history LEFT JOIN ahead USING (golden_id) GROUP BY ALL ORDER BY ALL""",
        until=until,
        last=until,
        as_of=work.as_of,
    )
    if reason := _few(int(found["n"][found["x"] > 0].sum()), parameters):
        return {"refused": f"Before the hold-out: {reason}"}
    model = _fitted(fit_bg_nbd, {name: found[name] for name in ("x", "recency", "age", "n")})
    if "refused" in model:
        return {"refused": f"Before the hold-out: {model['refused']}"}
    x, recency, age = found["x"], found["recency"] / WEEK, found["age"] / WEEK
    expected = expected_purchases(PurchaseModel(**model), x, recency, age, ahead / WEEK)
    told = value_holdout.compared(x, found["actual"], expected, found["n"])
    return {"from": str(until), "days": ahead, "parameters": model, **told}


def _fitted(
    fit_model: Callable[..., PurchaseModel | SpendModel], columns: Mapping[str, Floats]
) -> dict[str, Any]:
    """Parameters as they are kept, or the reason why there are none; days become weeks."""
    in_weeks = (values / WEEK if name in ("recency", "age") else values for name, values in columns.items())
    try:
        return asdict(fit_model(*in_weeks))
    except ModelError as error:
        text = str(error)
        return {"refused": f"{text[0].upper()}{text[1:]}."}


def _few(buyers: int, parameters: LifetimeValueParameters) -> str | None:
    if buyers >= parameters.smallest_repeat_buyers:
        return None
    return f"{buyers:,} repeat buyers; a model needs {parameters.smallest_repeat_buyers:,} (smallest_repeat_buyers)."


def _short(days: int, parameters: LifetimeValueParameters) -> str | None:
    if days >= parameters.shortest_window_days:
        return None
    return f"{days:,} days of purchases; a model needs {parameters.shortest_window_days:,} (shortest_window_days)."


def _arrays(work: Work, query: str, **values: object) -> dict[str, Floats]:
    """Columns of numbers of a query; in order, so that sums do not depend on it."""
    table = work.sql(query, **values)
    return {name: numbers(table[name]) for name in table.column_names}


def numbers(column: pa.ChunkedArray) -> Floats:
    """A column of numbers, with NaN for null."""
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
