"""Levels in their order: more agreement never weighs less.

Belongs here: m- and u-probabilities under the order of a comparison's levels. Does not belong here: what the levels are
(compare), or what m is learned from (em, guard, anchored).

A level that few matches reach is known by opinion more than by what was seen, and where chance hardly reaches it
either, its weight is the ratio of two small numbers: *equal but for the prefix* came to weigh twice what *equal* does.

- No level weighs less than *different*, and none more than *equal*: those that would share one weight with it, that of
  all of them together (pooled as violators of an order are; Barlow et al. 1972). What m says of them together stays.
- A level that no pair drawn by chance has shown does not pull at others, for all that is known of its u is that it is
  small: u is moved, as far as its weight has to move to lie between those of its neighbours.
- Between *different* and *equal* what was seen of matches and of chance stands: which of two kinds of likeness tells
  more (a typing error or another form of a name) is the data's to say.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.encode.positions import Flags

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rank:
    """What is known of the levels of a comparison besides their order from 0 (different) up.

    Attributes:
        beside: Levels that have no place in the order, since they speak of more than the one value. They weigh no less
            than level 0.
        unseen: Levels that no pair drawn by chance has shown.
    """

    beside: Flags
    unseen: Flags

    @classmethod
    def plain(cls, levels: int) -> "Rank":
        """Of levels that all have their place and were all seen."""
        return cls(np.zeros(levels, dtype=bool), np.zeros(levels, dtype=bool))


def rising(m: Floats, u: Floats, rank: Rank) -> tuple[Floats, Floats]:
    """m- and u-probabilities whose weights keep to the order of the levels; both sum to one."""
    ordered = np.flatnonzero(~rank.beside)
    unseen = rank.unseen & ~rank.beside
    unseen[ordered[0]] = False
    if not unseen[ordered[-1]]:
        m = _pooled(m, u, ordered[-1], ~rank.beside & ~unseen, more=True)
    m, u = _pooled(m, u, ordered[0], ~unseen, more=False), u.copy()
    weight = m / u
    least = float(weight[0])
    for level in ordered.tolist():
        if unseen[level]:
            above = weight[level:][~(rank.beside | unseen)[level:]]
            least = min(max(float(weight[level]), least), float(above[0]) if len(above) else np.inf)
            u[level] = m[level] / least
        else:
            least = float(weight[level])
    return m / m.sum(), u / u.sum()


def by_row(m: Floats, u: Floats, rank: Rank) -> tuple[Floats, Floats]:
    """The same for each row of two tables."""
    rows = [rising(*row, rank) for row in zip(m, u, strict=True)]
    return np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows])


def _pooled(m: Floats, u: Floats, end: int, may: Flags, *, more: bool) -> Floats:
    """Give one weight to the level at an end and to those that weigh more than it, or less."""
    pooled = np.arange(len(m)) == end
    while True:
        ratio = m[pooled].sum() / u[pooled].sum()
        wrong = may & ~pooled & ((m > ratio * u) if more else (m < ratio * u))
        if not wrong.any():
            return np.where(pooled, ratio * u, m)
        pooled |= wrong
