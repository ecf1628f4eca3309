"""The models behind a customer's value: how often somebody will buy, whether still, and for how much.

Belongs here: likelihoods, their maximum, and expectations for given parameters, on arrays. Does not belong here: what a
purchase is and when data cannot carry a model (``lifetime_value``), distributions (``value_intervals``).

Customers are told apart by what they did, so every function takes one element per customer, or per distinct history
with ``counts``. Time has any unit, the same everywhere; the published figures are in weeks.

* BG/NBD: Fader, Hardie and Lee, "Counting your customers the easy way" (Marketing Science 24, 2005). Purchases are
  Poisson at a rate that is gamma(r, alpha) over customers; after each repeat purchase a customer leaves for good with a
  probability that is beta(a, b).
* MBG/NBD: Batislam, Denizel and Filiztekin (2007). The same, and one may leave after the first purchase too.
* Gamma-Gamma: Fader and Hardie, "The Gamma-Gamma model of monetary value" (2013).

The two purchase models differ by one chance to leave, so they are one likelihood: of ``x`` repeat purchases ``x``
chances in BG/NBD, ``x + 1`` in MBG/NBD.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
_BOUND, _NEAR = 9.0, 0.01
"""Logarithms of parameters, time in units of the mean age, stay within 9 of zero: 1/8,000 to 8,000. One that ends
there says that the data know no limit to it, such as a rate that is the same for everybody."""
_SLOPE = 1e-4
"""A maximum is one where no logarithm of a parameter changes the mean log-likelihood by more per unit."""
_POLE, _TERMS = 1e-4, 2000


class ModelError(ValueError):
    """Data that a model cannot be fitted to; the message says why and holds no personal value."""


@dataclass(frozen=True)
class PurchaseModel:
    """A fitted BG/NBD or MBG/NBD.

    Attributes:
        r: Shape of the gamma distribution of purchase rates.
        alpha: Its rate, in the unit of time.
        a: First parameter of the beta distribution of the probability to leave.
        b: Second one.
        log_likelihood: At the maximum.
        first_chance: 1 where one may leave after the first purchase (MBG/NBD), else 0.
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    first_chance: int = 0


@dataclass(frozen=True)
class SpendModel:
    """A fitted Gamma-Gamma: a purchase is gamma(p, nu), and nu is gamma(q, gamma) over customers."""

    p: float
    q: float
    gamma: float
    log_likelihood: float

    @property
    def v(self) -> float:
        """``gamma`` under its other published name."""
        return self.gamma

    @property
    def mean(self) -> float:
        """Mean spend of a purchase of a customer of whom no purchase is known; ``q`` is above 1."""
        return self.p * self.gamma / (self.q - 1)


class _Histories(NamedTuple):
    """Distinct histories, sorted, with how many customers have each."""

    columns: tuple[Floats, ...]
    counts: Floats


def fit_bg_nbd(
    frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, counts: ArrayLike | None = None
) -> PurchaseModel:
    """Fit a BG/NBD by maximum likelihood.

    Args:
        frequency: Repeat purchases, x.
        recency: From the first purchase to the last one, t_x; 0 where there is no repeat purchase.
        age: From the first purchase until the end of the window, T.
        counts: Customers with that history; one each when left out.

    Raises:
        ModelError: The arrays are no histories, or the likelihood has no maximum inside the space of parameters.
    """
    return _fit_purchases(_histories(frequency, recency, age, counts), 0)


def fit_mbg_nbd(
    frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, counts: ArrayLike | None = None
) -> PurchaseModel:
    """Fit an MBG/NBD by maximum likelihood; arguments and errors are those of ``fit_bg_nbd``."""
    return _fit_purchases(_histories(frequency, recency, age, counts), 1)


def fit_gamma_gamma(
    frequency: ArrayLike, monetary_value: ArrayLike, counts: ArrayLike | None = None
) -> SpendModel:
    """Fit a Gamma-Gamma by maximum likelihood.

    Args:
        frequency: Purchases that the mean is of, at least 1.
        monetary_value: Mean spend of these purchases, above 0.
        counts: Customers with these two; one each when left out.

    Raises:
        ModelError: The arrays hold something else, or the likelihood has no maximum inside the space of parameters.
    """
    from scipy.special import digamma, gammaln  # noqa: PLC0415 - loads only in a run

    (x, mean), counts_ = _distinct((frequency, monetary_value), counts)
    if not ((x >= 1).all() and (mean > 0).all()):
        raise ModelError("spend is fitted to customers with a purchase and a mean spend above 0")
    unit = float((mean * counts_).sum() / counts_.sum())
    total, number = x * mean / unit, counts_.sum()
    times, which = np.unique(x, return_inverse=True)
    weight = np.bincount(which, counts_)
    spent = np.bincount(which, counts_ * np.log(total))

    def cost(theta: Floats) -> tuple[float, Floats]:
        p, q, _ = np.exp(theta)
        log_gamma = theta[2] + theta[1] - theta[0]
        gamma = np.exp(log_gamma)
        far = np.log(gamma + total)
        beyond = np.bincount(which, counts_ * far)
        shape = p * times
        likelihood = weight * (gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * log_gamma)
        likelihood = likelihood + shape * spent - (shape + q) * beyond
        by_shape = digamma(shape + q) * weight - beyond
        by_p = p * (times * (by_shape - digamma(shape) * weight + spent)).sum()
        by_q = q * (by_shape + weight * (log_gamma - digamma(q))).sum()
        by_gamma = number * q - gamma * (counts_ * (p * x + q) / (gamma + total)).sum()
        slope = np.array((by_p - by_gamma, by_q + by_gamma, by_gamma))
        return -likelihood.sum() / number, -slope / number

    theta, best = _maximum(cost, {"p": 2.0, "q": 3.0, "gamma p/q": 1.0})
    p, q, scale = (float(value) for value in np.exp(theta))
    # Up to here the density of ln(total), which has no unit; the published one is that of the mean.
    likelihood = float(best * number - (counts_ * np.log(mean)).sum())
    return SpendModel(p, q, scale * q / p * unit, likelihood)


def alive(model: PurchaseModel, x: Floats, recency: Floats, age: Floats) -> Floats:
    """Probability that a customer has not left by the end of the window (equation 5 of Fader, Hardie and Lee 2008).

    Under BG/NBD it is 1 for everybody without a repeat purchase.
    """
    chances = x + model.first_chance
    longer = (model.r + x) * (np.log(model.alpha + age) - np.log(model.alpha + recency))
    odds = np.log(model.a) - np.log(np.where(chances > 0, model.b + chances - 1, 1.0)) + longer
    return np.where(chances > 0, np.exp(-np.logaddexp(0.0, odds)), 1.0)


def expected_if_alive(model: PurchaseModel, x: Floats, age: Floats, ahead: float) -> Floats:
    """Purchases to be expected within a time ahead of a customer who has not left (equation 10 of the paper).

    The published form is ``(c / (a - 1)) (1 - (1-z)^s 2F1(s, b'; c; z))`` with ``s = r + x``, ``b' = b + chances``,
    ``c = a + b' - 1`` and ``z = ahead / (alpha + age + ahead)``; its two factors overflow and vanish as x grows.
    Euler's transformation makes it ``1 - (1-z)^(a-1) 2F1(c - s, a - 1; c; z)``, in which ``c - s`` is the same for
    everybody and nothing grows. Near ``a = 1``, where it is 0/0, it is the line between both sides.
    """
    if abs(model.a - 1) < _POLE:
        part = (model.a - 1 + _POLE) / (2 * _POLE)
        low, high = (_expected(model, x, age, ahead, side) for side in (1 - _POLE, 1 + _POLE))
        return low + part * (high - low)
    return _expected(model, x, age, ahead, model.a)


def at_least(model: PurchaseModel, x: Floats | float, age: Floats, ahead: float, purchases: Floats) -> Floats:
    """P(N >= n) within a time ahead of customers who have not left, ages by numbers of purchases (1 or more).

    Of such a customer, rate and probability to leave are independent given the history: to buy n times is not to leave
    on n - 1 chances, and n events of the rate.
    """
    from scipy.special import betainc, gammaln  # noqa: PLC0415 - loads only in a run

    shape = (model.r + np.zeros(len(age)) + x)[:, None]
    a, b = model.a, shape - model.r + model.b + model.first_chance
    stay = gammaln(b + purchases - 1) - gammaln(b) + gammaln(a + b) - gammaln(a + b + purchases - 1)
    z = ahead / (model.alpha + age + ahead)
    return np.asarray(np.exp(stay) * betainc(purchases, shape, z[:, None]))


def expected_purchases(model: PurchaseModel, x: Floats, recency: Floats, age: Floats, ahead: float) -> Floats:
    """Purchases to be expected of a customer within a time ahead."""
    return alive(model, x, recency, age) * expected_if_alive(model, x, age, ahead)


def expected_of_newcomer(model: PurchaseModel, ahead: float) -> float:
    """Repeat purchases to be expected of somebody within a time from the first purchase on (equation 9)."""
    nothing = np.zeros(1)
    return float(expected_purchases(model, nothing, nothing, nothing, ahead)[0])


def expected_spend(model: SpendModel, x: Floats, mean: Floats) -> Floats:
    """Mean spend to be expected of a customer's purchases: between that of the customer and that of everybody."""
    return model.p * (model.gamma + x * mean) / (model.p * x + model.q - 1)


def correlation(left: Floats, right: Floats, counts: Floats) -> float:
    """Pearson's correlation of two columns, each row ``counts`` times; 0 where one of them does not vary."""
    number = counts.sum()
    first, second = (values - (values * counts).sum() / number for values in (left, right))
    spread = float((counts * first**2).sum() * (counts * second**2).sum()) ** 0.5
    return float((counts * first * second).sum()) / spread if spread else 0.0


def _expected(model: PurchaseModel, x: Floats, age: Floats, ahead: float, a: float) -> Floats:
    from scipy.special import hyp2f1  # noqa: PLC0415 - loads only in a run

    shape = model.r + x
    if abs(model.r - a - round(model.r - a)) < _POLE**2:
        a += (
            10 * _POLE**2
        )  # scipy's series for z near 1 is wrong (1.17: up to infinite) where r - a is a whole number
    c = a + model.b + x + model.first_chance - 1
    # At c = 0 the series has a pole that the factor c takes away again.
    c = np.where(np.abs(c) < _POLE**2, _POLE**2, c)
    z = ahead / (model.alpha + age + ahead)
    with np.errstate(over="ignore", invalid="ignore"):
        rest = np.exp((a - 1) * np.log1p(-z)) * hyp2f1(c - shape, a - 1, c, z)
        found = np.maximum(c / (a - 1) * (1 - rest), 0.0)
    # With an a in the hundreds hardly anybody buys often, and a sum of few terms is what the series cannot give.
    if len(lost := np.flatnonzero(~np.isfinite(found))):
        found[lost] = at_least(model, x[lost], age[lost], ahead, np.arange(1.0, _TERMS)).sum(axis=1)
    return np.asarray(found)


def _fit_purchases(histories: _Histories, first_chance: int) -> PurchaseModel:
    """Maximise the likelihood, with its slope; ``w`` below is the probability to be alive."""
    from scipy.special import digamma, gammaln  # noqa: PLC0415 - loads only in a run

    (x, recency, age), counts = histories
    number, unit = counts.sum(), float((age * counts).sum() / counts.sum()) or 1.0
    recency, age = recency / unit, age / unit
    times, which = np.unique(x, return_inverse=True)
    weight, chances = np.bincount(which, counts), times + first_chance
    may_leave = (x + first_chance) > 0
    repeat = np.maximum(chances - 1, 0.0)

    def cost(theta: Floats) -> tuple[float, Floats]:
        r, _, a, _ = np.exp(theta)
        log_alpha = theta[0] + theta[1]
        alpha, b = np.exp(log_alpha), np.exp(theta[2] + theta[3])
        end, last = np.log(alpha + age), np.log(alpha + recency)
        left = (np.log(a) - np.log(b + repeat))[which] + (r + x) * (end - last)
        # ln(1 + exp(left)), and its slope, where there was a chance to leave
        more = np.where(may_leave, np.logaddexp(0.0, left), 0.0)
        w = np.where(may_leave, np.exp(-more), 1.0)
        gone = counts * (1 - w)
        by_times = (
            gammaln(r + times)
            - gammaln(r)
            + r * log_alpha
            + gammaln(b + chances)
            - gammaln(a + b + chances)
            + gammaln(a + b)
            - gammaln(b)
        )
        likelihood = (weight * by_times).sum() + (counts * (more - (r + x) * end)).sum()
        both = digamma(a + b) - digamma(a + b + chances)
        by_r = (weight * (digamma(r + times) - digamma(r) + log_alpha)).sum() - (counts * end).sum()
        by_r = r * (by_r + (gone * (end - last)).sum())
        held = counts * w / (alpha + age) + gone / (alpha + recency)
        by_alpha = number * r - alpha * ((r + x) * held).sum()
        by_a = a * (weight * both).sum() + gone.sum()
        by_b = b * (weight * (digamma(b + chances) - digamma(b) + both)).sum()
        by_b = by_b - b * (np.bincount(which, gone) / (b + repeat)).sum()
        slope = np.array((by_r + by_alpha, by_alpha, by_a + by_b, by_b))
        return -likelihood / number, -slope / number

    theta, best = _maximum(cost, {"r": 0.5, "alpha/r": 1.0, "a": 1.0, "b/a": 2.0})
    r, per, a, odds = (float(value) for value in np.exp(theta))
    # A rate per unit of time, once per purchase.
    likelihood = best * number - float((counts * x).sum()) * np.log(unit)
    return PurchaseModel(r, r * per * unit, a, a * odds, float(likelihood), first_chance)


def _maximum(
    cost: Callable[[Floats], tuple[float, Floats]], start: Mapping[str, float]
) -> tuple[Floats, float]:
    """The logarithms of the best parameters, and the mean log-likelihood there.

    Of parameters that go up and down together one is told as a ratio: the search goes along axes, not across a ravine.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - loads only in a run

    found: Any = minimize(
        cost,
        np.log(list(start.values())),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_BOUND, _BOUND)] * len(start),
        options={"ftol": 1e-12, "gtol": 1e-7, "maxiter": 300, "maxcor": 20},
    )
    if not np.isfinite(found.x).all() or not np.isfinite(found.fun):
        raise ModelError("the likelihood has no maximum that can be computed")
    if (np.abs(found.x) > _BOUND - _NEAR).any():
        ends = (
            f"{name} {'near 0' if value < 0 else 'without limit'}"
            for name, value in zip(start, found.x, strict=True)
            if abs(value) > _BOUND - _NEAR
        )
        raise ModelError(
            f"the best fit lies on the border of the model ({', '.join(ends)}): customers do not differ in what it "
            "tells them apart by, such as in how soon they leave"
        )
    if np.abs(found.jac).max() > _SLOPE:
        raise ModelError("the search for the best fit did not come to an end")
    return np.asarray(found.x), -float(found.fun)


def _histories(
    frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, counts: ArrayLike | None
) -> _Histories:
    histories = _distinct((frequency, recency, age), counts)
    x, last, end = histories.columns
    if not ((x >= 0).all() and (last >= 0).all() and (last <= end).all()):
        raise ModelError("a history has 0 or more repeat purchases, the last of them within its age")
    if (last[x == 0] > 0).any():
        raise ModelError("the recency of a history without a repeat purchase is 0")
    return histories


def _distinct(columns: tuple[ArrayLike, ...], counts: ArrayLike | None) -> _Histories:
    """Distinct rows in order, so that nothing depends on the order in which customers come."""
    arrays = [np.asarray(column, dtype=np.float64).ravel() for column in columns]
    given = np.ones(len(arrays[0])) if counts is None else np.asarray(counts, dtype=np.float64).ravel()
    if len({len(array) for array in (*arrays, given)}) > 1:
        raise ModelError("the arrays have different lengths")
    if not len(given):
        raise ModelError("there are no customers")
    if not all(np.isfinite(array).all() for array in (*arrays, given)) or (given <= 0).any():
        raise ModelError("the arrays hold something that is no number, or a count that is not above 0")
    order = np.lexsort(arrays[::-1])
    arrays = [array[order] for array in arrays]
    new = np.zeros(len(order), dtype=bool)
    new[0] = True
    for array in arrays:
        new[1:] |= array[1:] != array[:-1]
    starts = np.flatnonzero(new)
    return _Histories(tuple(array[starts] for array in arrays), np.add.reduceat(given[order], starts))
