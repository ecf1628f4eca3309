"""Enricher ``churn``: how probable it is that a customer leaves, and why.

Belongs here: the declaration, windows of time, judging, and a row per customer. Does not belong here: features
(``churn_features``), the model (``churn_model``), figures and pictures (``churn_told``).

**Without contracts** nobody says goodbye: a customer has left when no purchase follows within the horizon. The horizon
is set, or follows from the data: four of five intervals between purchases are not longer, in whole weeks, at least 4
weeks and at most a year or a third of the history. Silence beyond it is more often the end than a pause, and more than
a third would leave nothing to judge by.

**With contracts** a customer has left when one ended. Our orders have no day of ending, so that an order whose state
was changed in place cannot be dated. What can be: an order *of its own* in a state that means the end
(``ended_statuses``, such as a termination with its day). It is no purchase; who has bought nothing since the last one
has ended and gets no score.

Who is *lost* already is not leaving: without contracts, customers who have been silent for longer than 99 of 100 known
intervals get no score, and teach nothing. They would make most of every measure: that they do not come back is known
without a model, and a list of who is likely to leave would be full of them.

Time is cut in three. A model is trained on customers as they were known two horizons before the end of the
data, and on who left in the horizon that followed; and on the same of one, two, ... horizons earlier, up to a year, so
that no season alone teaches. It is judged on the customers of one horizon before the end, and on who has left since.
What was judged is what scores: it is not trained again on the later window.

A score holds for the day until which purchases were known when the model was fitted, which may lie some days before
``as_of``, or for the day of the customer's last event after it.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment import churn_features, churn_figures
from cdm_pipelines.enrichment.churn_features import FEATURES, RECENCY, Known
from cdm_pipelines.enrichment.churn_logistic import Floats
from cdm_pipelines.enrichment.churn_model import CannotFitError, fit_model, quality, reasons, score
from cdm_pipelines.enrichment.churn_told import BANDS, DRIFT, MODEL, compared, explain_fit, picture
from cdm_pipelines.enrichment.declaration import Enricher, Output
from cdm_pipelines.enrichment.work import GOLDEN_ID, Parameters, Work

_SHORTEST, _LONGEST = 28, 364
_USUAL, _LONG = 0.8, 0.99
_FOR_EVER = 36_500
_REASONS = 3
_ENDED, _LOST = "ended", "lost"


class ChurnParameters(Parameters):
    """What may be set of ``churn``.

    Attributes:
        horizon_days: Within how many days a customer who stays buys again; from the data when not set.
        lost_after_days: After how many days of silence a customer is lost already, no fewer than the horizon; from the
            data when not set. Customers with contracts are lost when they end.
        ended_statuses: States of orders that mean that a contract ended on their day; with any, customers have
            contracts.
        medium_from: Probability from which on the risk is medium. A calibrated probability means what it says, so that
            the bands are thirds of it and not quantiles, of which some are always high.
        high_from: From which on it is high.
        fewest: Customers who left, and who stayed, that training and judging each want: with fewer than a hundred of
            either no calibration can be told from chance (Collins et al. 2016).
        most: Customers that a model is trained and judged on; more are sampled by the checksum of their id. Fifty
            thousand fix an AUC to some .003.
    """

    horizon_days: int | None = Field(default=None, ge=7, le=1095)
    lost_after_days: int | None = Field(default=None, ge=7, le=3650)
    ended_statuses: tuple[str, ...] = ()
    medium_from: float = Field(default=0.33, gt=0, lt=1)
    high_from: float = Field(default=0.67, gt=0, lt=1)
    fewest: int = Field(default=100, ge=20)
    most: int = Field(default=50_000, ge=1_000)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.medium_from >= self.high_from:
            raise ValueError("medium_from must be under high_from")
        return self


class _RefusedError(Exception):
    """The data carries no model; the text says why, without a value of anybody."""


def _parameters(work: Work) -> ChurnParameters:
    return work.parameters if isinstance(work.parameters, ChurnParameters) else ChurnParameters()


def _fit(work: Work) -> Mapping[str, Any]:
    """Train on a window, judge on the next; or say why that cannot be."""
    chosen = _parameters(work)
    churn_features.prepare(work, chosen.ended_statuses)
    try:
        return _trained(work, chosen)
    except (_RefusedError, CannotFitError) as refused:
        return {"method": f"refused: {refused}"}


def _trained(work: Work, chosen: ChurnParameters) -> dict[str, Any]:
    since, until, horizon = _window(work, chosen)
    judged_on = until - timedelta(days=horizon)
    windows = max(1, min((until - since).days // horizon - 2, 364 // horizon))
    trained_on = [judged_on - timedelta(days=horizon * (1 + back)) for back in range(windows)]
    interval = churn_features.gap(work, 0.5, trained_on[0], chosen.most) or horizon
    contractual = bool(chosen.ended_statuses)
    lost = _lost_after(work, chosen, until, horizon)
    cut = churn_features.Cut(horizon, interval, lost, chosen.most, contractual=contractual)
    train = churn_features.on_days(work, trained_on, cut)
    _enough(train, f"on {windows} days before {judged_on.isoformat()}", horizon, chosen.fewest)
    later = churn_features.on_days(work, [judged_on], cut)
    _enough(later, f"on {judged_on.isoformat()}", horizon, chosen.fewest)
    model = fit_model(FEATURES, train.columns, train.left)
    alone = fit_model((RECENCY,), train.columns, train.left)
    probability = score(model, later.columns).probability
    by_recency = score(alone, later.columns).probability
    active = later.silent <= horizon
    return {
        "method": MODEL,
        "horizon_days": horizon,
        "interval_days": interval,
        "lost_after_days": lost,
        "lag_days": (work.as_of - until).days,
        "contractual": contractual,
        "window": {
            "purchases_since": since.isoformat(),
            "trained_on": trained_on[-1].isoformat(),
            "trained_until": judged_on.isoformat(),
            "judged_on": judged_on.isoformat(),
            "until": until.isoformat(),
        },
        "model": model,
        "reference": churn_figures.reference(score(model, train.columns).probability, train.columns, model),
        "judged": _judged(probability, later.left),
        "recency_alone": _judged(by_recency, later.left),
        "judged_active": _judged(probability[active], later.left[active]) if active.any() else {},
        "recency_alone_active": _judged(by_recency[active], later.left[active]) if active.any() else {},
        "calibration": churn_figures.calibration(probability, later.left),
    }


def _window(work: Work, chosen: ChurnParameters) -> tuple[date, date, int]:
    """First and last day of the history, and the horizon."""
    known = churn_features.history(work)
    if known is None:
        raise _RefusedError("there are no purchases")
    since, until = known
    days = (until - since).days
    if chosen.horizon_days is not None:
        if days < 3 * chosen.horizon_days:
            raise _RefusedError(
                f"{days} days of purchases are known, and a horizon of {chosen.horizon_days} days wants three times it"
            )
        return since, until, chosen.horizon_days
    usual = churn_features.gap(work, _USUAL, until, chosen.most)
    if usual is None:
        raise _RefusedError("nobody has bought on two days, so that no horizon follows from the data")
    horizon = min(max(-(-usual // 7) * 7, _SHORTEST), _LONGEST, days // 3 // 7 * 7)
    if horizon < _SHORTEST:
        raise _RefusedError(f"{days} days of purchases are known, at least {3 * _SHORTEST} are wanted")
    return since, until, horizon


def _lost_after(work: Work, chosen: ChurnParameters, until: date, horizon: int) -> int:
    """Days of silence after which a customer is lost; with contracts no silence is too long."""
    if chosen.ended_statuses:
        return _FOR_EVER
    return max(
        horizon, chosen.lost_after_days or churn_features.gap(work, _LONG, until, chosen.most) or horizon
    )


def _enough(known: Known, when: str, horizon: int, fewest: int) -> None:
    left, n = int(known.left.sum()), len(known.left)
    if min(left, n - left) < fewest:
        raise _RefusedError(
            f"of {n} customers {when} {left} left within {horizon} days and {n - left} stayed; "
            f"at least {fewest} of either are wanted"
        )


def _judged(probability: Floats, left: NDArray[np.bool_]) -> dict[str, float]:
    share = float(left.mean())
    return quality(probability, left) | {
        "customers": len(left),
        "left": int(left.sum()),
        "expected": round(float(probability.sum()), 1),
        "brier_of_the_share": round(share * (1 - share), 6),
    }


def _compute(work: Work) -> pa.Table:
    """A row per customer with a purchase."""
    chosen, fitted = _parameters(work), work.fitted or {"method": "refused: no model has been fitted"}
    churn_features.prepare(work, chosen.ended_statuses)
    everybody = work.sql("SELECT DISTINCT golden_id FROM churn_purchase")[GOLDEN_ID]
    if fitted["method"] != MODEL:
        return _rows(everybody, {}, str(fitted["method"]))
    table = churn_features.now(
        work,
        work.as_of - timedelta(days=fitted["lag_days"]),
        horizon=fitted["horizon_days"],
        interval=fitted["interval_days"],
        lost=fitted["lost_after_days"],
    )
    scored = _rows(table[GOLDEN_ID], _scored(table, fitted, chosen), MODEL)
    gone = everybody.filter(pc.invert(pc.is_in(everybody, value_set=table[GOLDEN_ID])))
    return pa.concat_tables([scored, _rows(gone, {}, _ENDED if fitted["contractual"] else _LOST)])


def _scored(table: pa.Table, fitted: Mapping[str, Any], chosen: ChurnParameters) -> dict[str, Any]:
    """The columns of customers with a score; of six decimals, so that the parts add up to the last of them."""
    model, columns = fitted["model"], churn_features.columns_of(table)
    scores = score(model, columns)
    rest = np.round(scores.logit, 6) - round(scores.base, 6)
    found: dict[str, Any] = {
        "probability": np.round(scores.probability, 6),
        "logit": np.round(scores.logit, 6),
        "base": np.full(len(rest), round(scores.base, 6)),
        "horizon_days": pa.array(np.full(len(rest), fitted["horizon_days"]), pa.int64()),
    }
    for number, (words, weight) in enumerate(reasons(model, FEATURES, columns, scores, _REASONS), start=1):
        shown = np.round(weight, 6)
        rest = rest - shown
        found[f"reason_{number}"] = pa.array(words, pa.string())
        found[f"weight_{number}"] = shown
    band = np.searchsorted([chosen.medium_from, chosen.high_from], scores.probability, side="right")
    return found | {
        "rest": np.round(rest, 6) + 0.0,
        "risk": pa.DictionaryArray.from_arrays(pa.array(band, pa.int32()), pa.array(BANDS)).cast(pa.string()),
    }


def _rows(customers: pa.ChunkedArray, found: Mapping[str, Any], method: str) -> pa.Table:
    """A table in the declared columns, null in those that were not found."""
    n = len(customers)
    types = {ValueType.TEXT: pa.string(), ValueType.DECIMAL: pa.float64(), ValueType.INTEGER: pa.int64()}
    columns: dict[str, Any] = {GOLDEN_ID: customers}
    for output in _OUTPUTS:
        kind = types[output.type]
        given = found.get(output.name)
        columns[output.name] = pa.nulls(n, kind) if given is None else pa.array(given, kind)
    columns["method"] = pa.repeat(pa.scalar(method), n)
    return pa.table(columns)


_HAIR = 0.05
_OUTPUTS = (
    Output(
        "probability",
        ValueType.DECIMAL,
        "Probability that the customer leaves: buys nothing within the horizon, or ends the contract within it. "
        "1 / (1 + exp(-logit)). Null where the method is not 'model'.",
        "probability",
        tells_from=_HAIR,
        of=churn_features.READ,
    ),
    Output(
        "risk",
        ValueType.TEXT,
        "Band of the probability: low, medium or high, at thirds unless the policy says otherwise.",
        of=churn_features.READ,
    ),
    *(
        one
        for number in range(1, _REASONS + 1)
        for one in (
            Output(
                f"reason_{number}",
                ValueType.TEXT,
                f"What moves the score most, number {number} by size, and whether it raises or lowers the risk.",
                tells=False,
                of=churn_features.READ,
            ),
            Output(
                f"weight_{number}",
                ValueType.DECIMAL,
                f"What reason {number} adds to the logit, against an average customer.",
                "log-odds",
                tells_from=1.0,
                of=churn_features.READ,
            ),
        )
    ),
    Output(
        "rest",
        ValueType.DECIMAL,
        "What all other features add to the logit; base, the weights of the reasons and rest are the logit.",
        "log-odds",
        tells_from=1.0,
        of=churn_features.READ,
    ),
    Output(
        "base",
        ValueType.DECIMAL,
        "The logit of a customer who is average in everything; the same for all customers of one model.",
        "log-odds",
        tells_from=1.0,
        of=churn_features.READ,
    ),
    Output(
        "logit",
        ValueType.DECIMAL,
        "The score on the scale on which reasons add up.",
        "log-odds",
        tells_from=1.0,
        of=churn_features.READ,
    ),
    Output(
        "horizon_days",
        ValueType.INTEGER,
        "Within how many days leaving is meant.",
        "days",
        tells_from=28,
        of=("purchases.ordered_on",),
    ),
    Output(
        "method",
        ValueType.TEXT,
        "'model'; 'lost' for who has been silent for longer than 99 of 100 intervals between purchases, or as the "
        "policy says; 'ended' for a contract that has ended; or 'refused: ' and why the data carries no model.",
        privacy="system.operations",
        of=("purchases.ordered_on", "orders.status", "orders.ordered_on"),
    ),
)

ENRICHER = Enricher(
    name="churn",
    description="How probable it is that a customer leaves, and the three strongest reasons.",
    inputs=churn_features.INPUTS,
    outputs=_OUTPUTS,
    purpose="Keeping customers: whom to approach, and about what, before they leave.",
    stale_when="The customer orders, returns, visits, opens, clicks, complains or pays; or the model is fitted anew.",
    compute=_compute,
    parameters=ChurnParameters,
    fit=_fit,
    explain_fit=explain_fit,
    picture=picture,
    compared=compared,
    drift=DRIFT,
)
