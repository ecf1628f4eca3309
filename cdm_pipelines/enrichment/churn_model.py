"""A churn model on columns of features: fitted, scored and given reasons, whoever the customers are.

Belongs here: from columns and labels to a model that is JSON, and from that JSON to scores and reasons. Does not belong
here: which features customers have (``churn_features``), windows of time (``churn``), or figures (``churn_figures``).

The model is additive on the log-odds scale: a base, and for every feature a curve (numbers) or a value per kind
(kinds). It is fitted by logistic regression with a ridge penalty of one on standardised columns, which is a prior by
which a standard deviation of a feature moves the log-odds by about one (Hoerl and Kennard 1970; Gelman et al. 2008).
Curves are straight unless bends at quantiles lower the log loss out of fold by more than its standard error (Harrell,
Regression Modeling Strategies, 2.4). Probabilities are calibrated by Platt's line on out-of-fold scores where that
lowers the Brier score by more than its standard error, and then by a line with bends where that does so again: what is
added up on the log-odds scale knows no floor or ceiling, though some customers leave whatever speaks for them, and some
stay. A line is folded into the curves; a bent one stretches the contributions of every customer alike, so that base and
contributions still add up to the score. Isotonic steps are not used: they make equals of customers who are not.

Scoring takes numpy alone, works column by column in the model's order, and so gives every customer the same score
whoever is scored beside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdm_pipelines.enrichment.churn_calibration import by_bend, fit_bend, fit_line, stretch
from cdm_pipelines.enrichment.churn_logistic import (
    FOLDS,
    Floats,
    earned,
    log_losses,
    logistic,
    odds,
    out_of_fold,
    short,
    sigmoid,
)

Columns = Mapping[str, NDArray[Any]]
Model = Mapping[str, Any]

_QUANTILES = (0.005, 0.1, 0.3, 0.5, 0.7, 0.9, 0.995)
"""Ends and bends of a curve; beyond the ends it is level, so that no outlier runs away."""
_FEWEST = 20
"""A kind or a deviation from the commonest value that fewer customers have teaches nothing."""
_MOST_KINDS = 30


class CannotFitError(ValueError):
    """The data carries no model; the text says why."""


@dataclass(frozen=True)
class Feature:
    """What a column means.

    Attributes:
        name: Of the column.
        label: In words, for figures and for kinds.
        high: What is said of a number above the average, which is where the feature neither raises nor lowers the
            risk, or the median where its curve crosses that line never or more than once.
        low: Of one at or under it.
        unknown: Of a missing one.
        kinds: Whether the values are kinds (texts) and not numbers; its reasons are then ``label: kind``.
    """

    name: str
    label: str
    high: str = ""
    low: str = ""
    unknown: str = ""
    kinds: bool = False

    def said(self) -> tuple[str, str, str]:
        """Words for a low, a high and a missing number."""
        return (
            self.low or f"{self.label}: not above average",
            self.high or f"{self.label}: above average",
            self.unknown or f"{self.label}: not known",
        )


@dataclass(frozen=True)
class Scores:
    """Scores of n customers by a model of k features.

    Attributes:
        base: Log-odds of a customer with average contributions.
        contributions: What every feature adds to the log-odds, (k, n), in the model's order.
        logit: ``base`` and the contributions, added in that order, (n,).
        probability: Of leaving, (n,).
    """

    base: float
    contributions: Floats
    logit: Floats
    probability: Floats


def fit_model(
    features: Sequence[Feature], columns: Columns, left: NDArray[np.bool_], *, seed: int = 0
) -> dict[str, Any]:
    """Fit a model; the order of rows and the number of threads make no difference.

    Args:
        features: What there is, in the order in which equal reasons are told.
        columns: By feature, (n,): numbers with NaN for missing ones, or texts with None.
        left: Who left, (n,).
        seed: Of the folds.

    Returns:
        The model as JSON: ``base``, ``terms``, and how it came about.

    Raises:
        CannotFitError: There are too few customers of one kind, or no feature that differs between them.
    """
    from threadpoolctl import (  # type: ignore[import-untyped]  # noqa: PLC0415 - loads only in a run
        threadpool_limits,
    )

    if min(left.sum(), len(left) - left.sum()) < 2 * FOLDS:
        raise CannotFitError(
            f"{int(left.sum())} of {len(left)} customers left; at least {2 * FOLDS} of either kind are wanted"
        )
    terms = [term for feature in features if (term := _term(feature, columns[feature.name])) is not None]
    if not terms:
        raise CannotFitError("No feature differs between enough customers")
    with threadpool_limits(limits=1):
        return _fitted(terms, features, columns, left, seed)


def _fitted(
    terms: list["_Term"], features: Sequence[Feature], columns: Columns, left: NDArray[np.bool_], seed: int
) -> dict[str, Any]:
    blocks = _blocks(terms, columns)
    order = np.lexsort((*(column for block in blocks for column in block.T), left))
    blocks, y = [block[order] for block in blocks], left[order]
    tried = {}
    for shape in ("straight", "bent"):
        design = np.hstack([block[:, term.used(shape)] for term, block in zip(terms, blocks, strict=True)])
        tried[shape] = (design, out_of_fold(design, y, seed))
    straight, bent = (log_losses(tried[shape][1], y) for shape in ("straight", "bent"))
    shape = "bent" if earned(straight - bent) else "straight"
    design, logit = tried[shape]
    slope, shift, lined = fit_line(logit, y, seed + 1)
    bend, calibrated = fit_bend(lined, y, seed + 2)
    weights, intercept = logistic(design, y)
    base, told, at = intercept, [], 0
    for term, block in zip(terms, blocks, strict=True):
        used = term.used(shape)
        here = weights[at : at + len(used)]
        at += len(used)
        middle = float((block[:, used] @ here).mean())
        base += middle
        told.append(term.told(used, here, middle, slope))
    return {
        "base": odds(slope * base + shift),
        "terms": told,
        "left_out": sorted({one.name for one in features} - {term.feature.name for term in terms}),
        "shape": shape,
        "calibration": {"slope": short(slope), "shift": short(shift), **({"bend": bend} if bend else {})},
        "trained_on": {"customers": len(y), "left": int(y.sum())},
        "out_of_fold": quality(sigmoid(calibrated), y),
    }


def score(model: Model, columns: Columns) -> Scores:
    """Score customers.

    Args:
        model: As ``fit_model`` gives it, from JSON or not.
        columns: By feature, (n,).
    """
    rows = [_contribution(term, columns[term["name"]]) for term in model["terms"]]
    logit = np.full(rows[0].shape, float(model["base"]))
    for row in rows:
        logit += row
    base, contributions = float(model["base"]), np.stack(rows)
    if bend := model["calibration"].get("bend"):
        contributions *= stretch(logit, base, bend)
        base, logit = float(by_bend(np.array([base]), bend)[0]), by_bend(logit, bend)
    return Scores(base, contributions, logit, sigmoid(logit))


def reasons(
    model: Model, features: Sequence[Feature], columns: Columns, scores: Scores, most: int = 3
) -> list[tuple[NDArray[Any], Floats]]:
    """What moves every customer's score most, strongest first: words, None where nothing is left, and log-odds."""
    known = {one.name: one for one in features}
    words: list[str | None] = [None]
    codes = np.zeros(scores.contributions.shape, dtype=np.int32)
    for row, term in enumerate(model["terms"]):
        said, state = _states(term, known[term["name"]], columns[term["name"]])
        codes[row] = len(words) + 2 * state + (scores.contributions[row] > 0)
        words += [f"{one} ({effect} the risk)" for one in said for effect in ("lowers", "raises")]
    vocabulary = np.array(words, dtype=object)
    size, everyone = np.abs(scores.contributions), np.arange(len(scores.logit))
    found = []
    for _ in range(most):
        first = size.argmax(axis=0)
        weight = np.where(size[first, everyone] > 0, scores.contributions[first, everyone], 0.0)
        found.append((vocabulary[np.where(weight != 0, codes[first, everyone], 0)], weight))
        size[first, everyone] = 0.0
    return found


def quality(probability: Floats, left: NDArray[np.bool_]) -> dict[str, float]:
    """AUC, Brier score and log loss; no AUC where all did the same."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - loads only in a run

    both = bool(left.any() and not left.all())
    kept = np.clip(probability, 1e-12, 1 - 1e-12)
    return {
        **({"auc": short(roc_auc_score(left, probability))} if both else {}),
        "brier": short(((probability - left) ** 2).mean()),
        "log_loss": short(-np.where(left, np.log(kept), np.log1p(-kept)).mean()),
    }


@dataclass(frozen=True)
class _Term:
    """How a feature becomes columns of the design: of a number itself, hinges and missing; of kinds one each."""

    feature: Feature
    knots: tuple[float, ...] = ()
    kinds: tuple[str, ...] = ()
    middle: float = 0.0
    scales: tuple[tuple[float, float], ...] = ()
    missing: bool = False

    def design(self, column: NDArray[Any]) -> Floats:
        """All columns of it: (n, knots - 1 and missing) or (n, kinds, other and missing)."""
        if self.feature.kinds:
            absent = _absent(column)
            one_hot = [column == kind for kind in self.kinds]
            other = ~np.logical_or.reduce([absent, *one_hot])
            return np.stack([*one_hot, other, absent], axis=1).astype(np.float64)
        absent = np.isnan(column)
        basis = _basis(np.clip(column, self.knots[0], self.knots[-1]), self.knots)
        scaled = [
            np.where(absent, 0.0, (one - centre) / spread)
            for one, (centre, spread) in zip(basis, self.scales, strict=True)
        ]
        return np.stack([*scaled, absent.astype(np.float64)], axis=1)

    def used(self, shape: str) -> list[int]:
        """Which of those columns take part."""
        if self.feature.kinds:
            return list(range(len(self.kinds) + 2))
        bends = len(self.scales) if shape == "bent" else 1
        return [*range(bends), *([len(self.scales)] if self.missing else [])]

    def told(self, used: Sequence[int], weights: Floats, middle: float, slope: float) -> dict[str, Any]:
        """The term of the model: what it adds at every knot or for every kind, 0 on average."""
        full = np.zeros(len(self.kinds) + 2 if self.feature.kinds else len(self.scales) + 1)
        full[list(used)] = weights
        if self.feature.kinds:
            values = [odds(slope * (weight - middle)) for weight in full]
            by_kind = dict(zip(self.kinds, values[:-2], strict=True))
            return {"name": self.feature.name, "kinds": by_kind, "other": values[-2], "missing": values[-1]}
        at_knots = self.design(np.array(self.knots)) @ full
        kept = list(range(len(self.knots))) if len(used) > 2 else [0, len(self.knots) - 1]
        values = [odds(slope * (at - middle)) for at in at_knots]
        return {
            "name": self.feature.name,
            "knots": [short(self.knots[k]) for k in kept],
            "values": [values[k] for k in kept],
            "missing": odds(slope * (full[-1] - middle)),
            "middle": self._average([values[k] for k in kept], [self.knots[k] for k in kept]),
        }

    def _average(self, values: Sequence[float], knots: Sequence[float]) -> float:
        """Where the curve crosses zero, or the median where it does not do that once."""
        crossed = [k for k in range(len(knots) - 1) if (values[k] > 0) != (values[k + 1] > 0)]
        if len(crossed) != 1:
            return short(self.middle)
        k = crossed[0]
        share = values[k] / (values[k] - values[k + 1])
        return short(knots[k] + share * (knots[k + 1] - knots[k]))


def _term(feature: Feature, column: NDArray[Any]) -> _Term | None:
    """How a feature takes part; None where too few customers differ from the rest in it."""
    values, counts = np.unique(column[~_absent(column)], return_counts=True)
    absent = len(column) - int(counts.sum())
    if not len(values) or len(column) - max(counts.max(), absent) < _FEWEST:
        return None
    if feature.kinds:
        common = sorted(zip(-counts, values, strict=True))[:_MOST_KINDS]
        return _Term(feature, kinds=tuple(str(kind) for count, kind in common if -count >= _FEWEST))
    known = np.repeat(values, counts)
    knots = np.unique(np.quantile(known, _QUANTILES))
    if len(knots) < 2:
        knots = np.array([values[0], values[-1]]) if len(values) > 1 else np.array([values[0], values[0] + 1])
    at = tuple(short(knot) for knot in knots)
    basis = _basis(np.clip(known, at[0], at[-1]), at)
    scales = tuple((short(one.mean()), short(one.std()) or 1.0) for one in basis)
    return _Term(feature, at, middle=float(np.median(known)), scales=scales, missing=absent >= _FEWEST)


def _basis(x: Floats, knots: Sequence[float]) -> list[Floats]:
    """The number itself, and how far it is beyond every inner knot: straight pieces between knots."""
    return [x, *(np.maximum(x - knot, 0.0) for knot in knots[1:-1])]


def _blocks(terms: list[_Term], columns: Columns) -> list[Floats]:
    """The design by term; of features that are missing together, the first alone speaks for that."""
    blocks: list[Floats] = []
    seen: set[bytes] = set()
    for number, term in enumerate(terms):
        block = term.design(columns[term.feature.name])
        absent = block[:, -1]
        same = {absent.tobytes(), (1 - absent).tobytes()}
        if not term.feature.kinds and term.missing and seen & same:
            terms[number] = _Term(term.feature, term.knots, (), term.middle, term.scales, missing=False)
        elif term.missing:
            seen |= same
        blocks.append(block)
    return blocks


def _contribution(term: Mapping[str, Any], column: NDArray[Any]) -> Floats:
    if "kinds" in term:
        found: Floats = np.where(_absent(column), term["missing"], term["other"]).astype(np.float64)
        for kind, value in term["kinds"].items():
            found[column == kind] = value
        return found
    curve = np.interp(np.asarray(column, dtype=np.float64), term["knots"], term["values"])
    return np.asarray(np.where(np.isnan(column), term["missing"], curve))


def _states(
    term: Mapping[str, Any], feature: Feature, column: NDArray[Any]
) -> tuple[Sequence[str], NDArray[np.intp]]:
    """What can be said of a feature, and which of it holds of every customer."""
    if "kinds" not in term:
        state = np.where(np.isnan(column), 2, (column > term["middle"]).astype(np.intp))
        return feature.said(), state
    kinds = list(term["kinds"])
    state = np.where(_absent(column), len(kinds) + 1, len(kinds))
    for number, kind in enumerate(kinds):
        state[column == kind] = number
    said = [f"{feature.label}: {kind}" for kind in kinds]
    return [*said, f"{feature.label}: other", f"{feature.label}: not known"], state


def _absent(column: NDArray[Any]) -> NDArray[np.bool_]:
    if column.dtype == object:
        return np.array([value is None for value in column], dtype=bool)
    return np.asarray(np.isnan(column))
