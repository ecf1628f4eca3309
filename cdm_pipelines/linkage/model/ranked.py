"""Levels in their order: more agreement never weighs less.

Belongs here: m-probabilities under the order of a comparison's levels. Does not belong here: what the levels are
(compare), or what m is learned from (em, guard, anchored).

A level that few matches reach is known by opinion more than by what was seen, and where chance hardly reaches it
either, its weight is the ratio of two small numbers: *equal but for the prefix* came to weigh twice what *equal* does.
So levels whose weights would fall against their order are pooled: they share one weight, that of all of them together
(pool adjacent violators; Barlow et al. 1972). What m says of all of them together stays as it is.
"""

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.encode.positions import Flags

Floats = npt.NDArray[np.float64]


def rising(m: Floats, u: Floats, beside: Flags | None = None) -> Floats:
    """m-probabilities whose weights do not fall from level to level.

    Args:
        m: By level from 0 (different) up.
        u: Of the same levels.
        beside: Levels that have no place in the order, since they speak of more than the one value. They weigh no
            less than level 0 and are otherwise left as they are.
    """
    ordered = np.ones(len(m), dtype=bool) if beside is None else ~beside
    blocks: list[list[int]] = []
    for level in np.flatnonzero(ordered).tolist():
        blocks.append([level])
        while len(blocks) > 1 and _weight(m, u, blocks[-1]) < _weight(m, u, blocks[-2]):
            last = blocks.pop()
            blocks[-1] += last
    pooled = m.copy()
    for block in blocks:
        if len(block) > 1:
            pooled[block] = _weight(m, u, block) * u[block]
    if beside is None or not beside.any():
        return pooled
    least = pooled[0] / u[0] * u
    pooled[beside] = np.maximum(pooled[beside], least[beside])
    return np.asarray(pooled / pooled.sum())


def _weight(m: Floats, u: Floats, levels: list[int]) -> float:
    return float(m[levels].sum() / u[levels].sum())
