"""How far a customer's purchases and value may lie from what is expected: their distribution under the models.

Belongs here: the posterior predictive distribution and its quantiles. Does not belong here: fitting and expectations
(``value_models``).

For given parameters the distribution is known; nothing is drawn. Of a customer who has not left, rate and probability
to leave are independent given the history, so with ``n`` purchases ahead

    P(N >= n) = E[(1-p)^(n-1)] P(n events of the rate) = B(a, b' + n - 1) / B(a, b')  I_z(n, r + x),

with ``b' = b + chances`` and ``z = ahead / (alpha + age + ahead)``. The spend of ``n`` purchases is a ratio of gamma
variables (Fader and Hardie 2013, section 3): ``P(V <= v | n) = I_w(p n, q + p x)``, ``w = v / (v + gamma + x mean)``.
Who has left, with one less the probability to be alive, buys nothing.

History decides these by ``x`` and age alone, and the mean spend is a scale, so a table of distributions per pair of
them serves everybody. Parameters are taken as known: with the numbers of customers from which a model is fitted at all,
their uncertainty is small against that of one customer.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdm_pipelines.enrichment.value_models import Floats, PurchaseModel, SpendModel, at_least

Integers = NDArray[np.int64]
_EXACT, _STEP = 48, 1.08
"""Up to so many purchases each number counts apart; from there on those within 8 % count as one."""
_POINTS, _LEAST = 128, 0.02
"""Points of a distribution of value: nothing, then from so small a share of one purchase's mean spend on."""
_NOTHING = 1e-12
_ROWS = 65_536


class Interval(NamedTuple):
    """Lower and upper end, one element per customer."""

    low: Floats
    high: Floats


class Histories(NamedTuple):
    """What is known of each customer: repeat purchases, age in whole days, probability to be alive, mean spend."""

    x: Integers
    days: Integers
    alive: Floats
    mean: Floats


def intervals(
    purchases: PurchaseModel,
    spend: SpendModel | None,
    known: Histories,
    *,
    ahead_days: int,
    unit_days: float,
    share: float,
) -> tuple[Interval, Interval | None]:
    """Intervals of purchases and of value that hold with a probability of at least ``share``, equal tails.

    Args:
        purchases: How often; its time is in units of ``unit_days``.
        spend: For how much; without one there are no intervals of value.
        known: Of every customer.
        ahead_days: How far ahead. A day holds one purchase, so there are no more purchases than days.
        unit_days: Days of a unit of time.
        share: Such as 0.8: from the tenth to the ninetieth percentile.
    """
    levels = ((1 - share) / 2, (1 + share) / 2)
    number = [np.zeros(len(known.x)) for _ in levels]
    value = [np.zeros(len(known.x)) for _ in levels]
    nodes = _nodes(ahead_days)
    for x, rows in _by_frequency(known.x):
        days, which = np.unique(known.days[rows], return_inverse=True)
        more = at_least(purchases, x, days / unit_days, ahead_days / unit_days, nodes)
        more[more < _NOTHING] = 0.0
        worth = _value_table(spend, x, nodes, more) if spend else None
        for start in range(0, len(rows), _ROWS):
            some, table = rows[start : start + _ROWS], which[start : start + _ROWS]
            for end, level in enumerate(levels):
                number[end][some] = _purchases_at(more[table], nodes, known.alive[some], level)
                if worth is not None and spend is not None:
                    scale = spend.gamma + x * known.mean[some]
                    value[end][some] = scale * _value_at(worth, table, known.alive[some], level)
    return Interval(*number), Interval(*value) if spend else None


def _by_frequency(x: Integers) -> Iterator[tuple[int, Integers]]:
    """Each number of repeat purchases, with the rows that have it."""
    order = np.argsort(x, kind="stable")
    for value, start, count in zip(*np.unique(x[order], return_index=True, return_counts=True), strict=True):
        yield int(value), order[start : start + count]


def _nodes(most: int) -> Floats:
    """Numbers of purchases, 1 to ``most``, that are told apart."""
    nodes = list(range(1, min(_EXACT, most) + 1))
    while nodes[-1] < most:
        nodes.append(min(max(round(nodes[-1] * _STEP), nodes[-1] + 1), most))
    return np.array(nodes, dtype=np.float64)


class _Values(NamedTuple):
    """Distributions of value given that the customer has not left, in units of ``gamma + x mean``."""

    grid: Floats
    below: NDArray[np.float64]  # ages by points


def _value_table(spend: SpendModel, x: int, nodes: Floats, more: NDArray[np.float64]) -> _Values:
    """Mixes the spend of n purchases by the probability of n; the sum runs element by element.

    A matrix product would do the same, but rounds otherwise when there are more or fewer customers.
    """
    from scipy.special import betainc  # noqa: PLC0415 - loads only in a run

    one = spend.p / (spend.p * x + spend.q - 1)
    grid = np.append(0.0, one * np.geomspace(_LEAST, 2 * nodes[-1], _POINTS - 1))
    inside = grid / (1 + grid)
    middle = (nodes + np.append(nodes[1:] - 1, nodes[-1])) / 2
    exactly = more - np.append(more[:, 1:], np.zeros((len(more), 1)), axis=1)
    below = np.repeat(1 - more[:, :1], len(grid), axis=1)
    for at, number in enumerate(middle):
        if exactly[:, at].any():
            below += exactly[:, at, None] * betainc(spend.p * number, spend.q + spend.p * x, inside)
    return _Values(grid, below)


def _purchases_at(more: NDArray[np.float64], nodes: Floats, alive: Floats, level: float) -> Floats:
    """The smallest number of purchases that is not exceeded with a probability of ``level``."""
    above = alive[:, None] * more
    at = (above > 1 - level).sum(axis=1)
    row, inner = np.arange(len(at)), np.minimum(at, len(nodes) - 1)
    before = np.maximum(inner - 1, 0)
    high, low = above[row, before], above[row, inner]
    part = np.where(high > low, (high - (1 - level)) / np.where(high > low, high - low, 1.0), 1.0)
    between = np.ceil(nodes[before] + part * (nodes[inner] - nodes[before])) - 1
    return np.where(at == 0, 0.0, np.where(at == len(nodes), nodes[-1], between))


def _value_at(values: _Values, table: Integers, alive: Floats, level: float) -> Floats:
    """The value that is not exceeded with a probability of ``level``: the grid's line from point to point."""
    wanted = 1 - (1 - level) / np.maximum(alive, _NOTHING)
    at = np.zeros(len(table), dtype=np.int64)
    step = _POINTS
    while step := step // 2:  # how many points lie below what is wanted, all rows at once
        at += step * (values.below[table, at + step - 1] < wanted)
    before = np.maximum(at - 1, 0)
    low, high = values.below[table, before], values.below[table, at]
    part = np.clip((wanted - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    return np.where(at == 0, 0.0, values.grid[before] + part * (values.grid[at] - values.grid[before]))
