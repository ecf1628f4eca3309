"""Levels in their order: more agreement never weighs less.

Belongs here: m- and u-probabilities under the order of a comparison's levels. Does not belong here: what the levels are
(compare), or what m is learned from (em, guard, anchored).

A level that few matches reach is known by opinion more than by what was seen, and where chance hardly reaches it
either, its weight is the ratio of two small numbers: *equal but for the prefix* came to weigh twice what *equal* does.
So levels whose weights would fall against their order are pooled: they share one weight, that of all of them together
(pool adjacent violators; Barlow et al. 1972). What m says of all of them together stays as it is. A level that no pair
drawn by chance has shown does not pull at others, for all that is known of its u is that it is small: u is moved, as
far as its weight has to move to lie between those of its neighbours.
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
    """m- and u-probabilities whose weights do not fall from level to level; both sum to one."""
    unseen = rank.unseen & ~rank.beside
    unseen[0] = False
    m, u = _pooled(m, u, np.flatnonzero(~rank.beside & ~unseen).tolist()), u.copy()
    weight = m / u
    least = float(weight[0])
    for level in np.flatnonzero(~rank.beside).tolist():
        if unseen[level]:
            above = weight[level:][~(rank.beside | unseen)[level:]]
            least = min(max(float(weight[level]), least), float(above[0]) if len(above) else np.inf)
            u[level] = m[level] / least
        else:
            least = float(weight[level])
    m[rank.beside] = np.maximum(m[rank.beside], weight[0] * u[rank.beside])
    return m / m.sum(), u / u.sum()


def by_row(m: Floats, u: Floats, rank: Rank) -> tuple[Floats, Floats]:
    """The same for each row of two tables."""
    rows = [rising(*row, rank) for row in zip(m, u, strict=True)]
    return np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows])


def _pooled(m: Floats, u: Floats, levels: list[int]) -> Floats:
    """Give levels whose weight would fall the one that they have together."""
    blocks: list[list[int]] = []
    for level in levels:
        blocks.append([level])
        while len(blocks) > 1 and _weight(m, u, blocks[-1]) < _weight(m, u, blocks[-2]):
            last = blocks.pop()
            blocks[-1] += last
    pooled = m.copy()
    for block in blocks:
        if len(block) > 1:
            pooled[block] = _weight(m, u, block) * u[block]
    return pooled


def _weight(m: Floats, u: Floats, levels: list[int]) -> float:
    return float(m[levels].sum() / u[levels].sum())
