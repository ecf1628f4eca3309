"""From scores to probabilities that mean what they say: Platt's line, and a line that may bend.

Belongs here: fitting either to out-of-fold scores where it earns its place, and applying it. Does not belong here: the
model that scores (``churn_model``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdm_pipelines.enrichment.churn_logistic import Floats, earned, logistic, odds, out_of_fold, sigmoid

_BENDS = (0.1, 0.5, 0.9)
"""Where the line may bend, as quantiles of the score: at both ends and between them."""
_FREE = 1e-6
"""Penalty of a line, which has two numbers to learn and no prior on them."""
Bend = Mapping[str, Sequence[float]]
"""A bent line: its ``knots``, its ``values`` there, and its slopes beyond both ``ends``."""


def fit_line(logit: Floats, left: NDArray[np.bool_], seed: int) -> tuple[float, float, Floats]:
    """Slope and shift of Platt's line, 1 and 0 where it does not earn its place; out-of-fold log-odds with it."""
    lined = out_of_fold(logit[:, None], left, seed, _FREE)
    if not _sharper(lined, logit, left):
        return 1.0, 0.0, logit
    weights, shift = logistic(logit[:, None], left, _FREE)
    return float(weights[0]), shift, lined


def fit_bend(logit: Floats, left: NDArray[np.bool_], seed: int) -> tuple[dict[str, Any], Floats]:
    """A rising line with bends, empty where it does not earn its place; out-of-fold log-odds with it."""
    knots = np.unique(np.quantile(logit, _BENDS))
    basis = np.stack([logit, *(np.maximum(logit - knot, 0.0) for knot in knots)], axis=1)
    spread = np.maximum(basis.std(axis=0), 1e-9)
    bent = out_of_fold(basis / spread, left, seed)
    weights, shift = logistic(basis / spread, left)
    slopes = np.cumsum(weights / spread)
    if slopes.min() <= 0 or not _sharper(bent, logit, left):
        return {}, logit
    first = shift + slopes[0] * knots[0]
    at = first + np.concatenate([[0.0], np.cumsum(slopes[1:-1] * np.diff(knots))])
    told = {"knots": knots, "values": at, "ends": slopes[[0, -1]]}
    return {name: [odds(value) for value in values] for name, values in told.items()}, bent


def by_bend(logit: Floats, bend: Bend) -> Floats:
    """Log-odds by a bent line; beyond its first and last bend it goes on straight."""
    knots, values, (low, high) = bend["knots"], bend["values"], bend["ends"]
    beyond = low * np.minimum(logit - knots[0], 0.0) + high * np.maximum(logit - knots[-1], 0.0)
    return np.asarray(np.interp(logit, knots, values) + beyond)


def stretch(logit: Floats, base: float, bend: Bend) -> Floats:
    """By how much a bent line makes what lies between the base and a score longer, (n,); never negative."""
    straight, bent = logit - base, by_bend(logit, bend) - by_bend(np.array([base]), bend)
    return np.asarray(np.divide(bent, straight, out=np.ones(len(logit)), where=straight != 0))


def _sharper(latter: Floats, former: Floats, left: NDArray[np.bool_]) -> bool:
    """Whether the Brier score is lower by more than its standard error."""
    return earned(((sigmoid(former) - left) ** 2) - ((sigmoid(latter) - left) ** 2))
