"""Which comparisons say the same thing: dependence among pairs of unrelated records, measured.

Belongs here: how much oftener two comparisons agree together than each alone would have it. Does not belong here:
which of these dependences a model follows (guard), what the fit makes of them (em), or random pairs as such
(u_probabilities).

Fellegi and Sunter's weights add up when comparisons are independent given the class of a pair. They often are not:
people of one country have each other's names, a district lies in one region, a column was copied. Two strangers who
share a given name then share a surname, a middle name and a country far oftener than the product of the chances, and
where a blocking rule holds the name, its pairs agree on all that goes with it. Fitted as if independent, such pairs
pass for matches, in number, and the parameters follow them.

Among unrelated pairs dependence can be measured, for they are nearly all pairs: pairs are drawn that agree on the key
of a comparison, and others at random, and all comparisons are made on them. Each counts by the chance that it is no
match, under the parameters that a fit starts from, which no fit can have spoilt. What relatives share is left out of
it: that is the class of related records. Which dependences a model follows is told in ``guard``: every comparison
depends on one other at most, as in a tree-augmented classifier (Friedman, Geiger and Goldszmidt 1997).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.blocking.pairs import Allowed
from cdm_pipelines.linkage.compare.comparers import Comparer
from cdm_pipelines.linkage.compare.levels import Levels
from cdm_pipelines.linkage.encode.positions import Flags, Positions
from cdm_pipelines.linkage.model.u_probabilities import Keyed, UProbabilities, random_pairs

Floats = npt.NDArray[np.float64]
_DRAWN = 5_000  # pairs of each key, and four times as many at random
_DOUBT = 10.0  # pairs' worth of doubt about every cell: what is hardly seen counts as independent
_LEAST = 0.1  # the same where more pairs than could match agree on both
_COPIED = 0.99  # share of those who agree on one column and agree on the other, for one to be a copy
_SAME = 2 / 3  # share of the surprise at a value that another tells beforehand, for them to be one
_BROAD = 0.05  # chance of agreement of a column that tells groups, not people or families
_BITS = 0.5  # what would be counted twice of a pair that agrees, at least, for a dependence to be followed
_SEEN = 20  # pairs that agree on both, at least
_RELATIVES = 20  # a shared value that a record has in common with fewer others may be that of relatives


@dataclass(frozen=True)
class Dependence:
    """A comparison that depends on another.

    Attributes:
        parent: Number of the other comparison.
        lift: Shape (levels of the parent, levels): how much likelier a level is among unrelated pairs where the parent
            is at its level, than among all.
        bits: What independence would count twice of a pair, on average.
    """

    parent: int
    lift: Floats
    bits: float


Forest = list[Dependence | None]
"""For each comparison what it depends on."""


class Edge(NamedTuple):
    """Two comparisons that depend on each other.

    Attributes:
        weight: Bits that would be counted twice of a pair, on average.
        one: Number of the one comparison.
        other: Of the other.
        lift: Shape (levels of the one, of the other): their joint share over the product of their shares.
        sure: Whether it is not of a few families: of groups of people, or one column told twice.
        same: Whether they are one column told twice, or nearly.
    """

    weight: float
    one: int
    other: int
    lift: Floats
    sure: bool
    same: bool


@dataclass(frozen=True)
class _Drawn:
    """Pairs drawn, of all or of those with one key in common; arrays of shape (pairs, comparisons) or (pairs,).

    Attributes:
        levels: Their levels.
        equal: Whether they have each comparison's key in common.
        stranger: Chance that it is no match.
        stands_for: Pairs that each of them stands for.
    """

    levels: Levels
    equal: Flags
    stranger: Floats
    stands_for: float


def measure(
    comparer: Comparer,
    found: Sequence[UProbabilities],
    *,
    shared: Sequence[bool],
    start: Sequence[Floats],
    records: int,
    allowed: Allowed,
    seed: int,
) -> list[Edge]:
    """Measure which comparisons depend on each other among unrelated pairs.

    Args:
        comparer: The comparisons over the records.
        found: Their u-probabilities, with the pairs drawn for them.
        shared: For each, whether related records share its value.
        start: For each the m-probabilities that a fit starts from.
        records: Number of records.
        allowed: Which pairs may be made.
        seed: Of the draws.
    """
    if len(found) < 2 or not allowed.total or any(one.keyed is None for one in found):
        return []
    pairs = random_pairs(records, 4 * _DRAWN, allowed, np.random.default_rng([seed, 1]))
    samples = _samples(comparer, found, start, pairs, allowed.total)
    edges = _edges(found, samples, shared, [int(m.argmax()) for m in start], allowed.total)
    return sorted(edges, key=lambda edge: (-edge.weight, edge.one, edge.other))


def _edges(
    found: Sequence[UProbabilities],
    samples: dict[int, _Drawn],
    shared: Sequence[bool],
    top: Sequence[int],
    total: int,
) -> Iterator[Edge]:
    """Comparisons that depend on each other so far that it counts."""
    records = float(np.sqrt(2 * total))  # as many as there would be if all pairs might be made
    chance = [float(one.levels[k]) for one, k in zip(found, top, strict=True)]
    family = [
        alike and 2 * samples[c].stands_for * len(samples[c].levels) < _RELATIVES * records
        for c, alike in enumerate(shared)
    ]
    for a, b in combinations(range(len(found)), 2):
        twice = _told_twice(a, b, samples)
        relatives = family[a] or family[b]
        if relatives and shared[a] and shared[b]:
            continue  # a household has both in common
        lift = _lift(a, b, samples, found, everybody=twice)
        more = float(lift[top[a], top[b]])
        both = found[a].comparable * found[b].comparable
        pairs = more * chance[a] * chance[b] * both * total
        surprise = -float(np.log2(max(chance[a], chance[b])))
        bits = surprise if twice else float(np.log2(more))
        if twice or bits >= _BITS or (bits >= _LEAST and pairs * (1 - 1 / more) > 0.1 * records):
            groups = not relatives and max(chance[a], chance[b]) >= _BROAD
            personal = not shared[a] and not shared[b]
            same = bits >= _SAME * surprise
            sure = same or groups or personal or 2 * pairs >= _RELATIVES * records
            if sure or not relatives:
                yield Edge(bits * both, a, b, lift, sure, same)


def _samples(
    comparer: Comparer,
    found: Sequence[UProbabilities],
    start: Sequence[Floats],
    random: tuple[Positions, Positions],
    total: int,
) -> dict[int, _Drawn]:
    """Pairs by the comparison whose key they have in common; -1 for pairs drawn at random."""
    weights = [np.append(np.log(m / one.levels), 0.0) for m, one in zip(start, found, strict=True)]
    prior = np.log(np.sqrt(2 * total) / total)  # as many matches as records: rather too many than too few
    keyed = [one.keyed for one in found if one.keyed is not None]
    drawn = [(one.left[:: _step(one)], one.right[:: _step(one)], one.number) for one in keyed]
    samples = {}
    for number, (left, right, pairs) in zip(
        (*range(len(found)), -1), (*drawn, (*random, total)), strict=True
    ):
        levels = comparer.levels(left, right)
        equal = np.stack([one.key.equal(left, right) for one in keyed], axis=1)
        told = np.stack([one[levels[:, c]] for c, one in enumerate(weights)], axis=1)
        # What speaks most against a match may be a column that says nothing: it is not heard.
        logs = prior + told.sum(axis=1) - np.minimum(told.min(axis=1), 0.0)
        stranger = 1 / (1 + np.exp(np.clip(logs, -50, 50)))
        samples[number] = _Drawn(levels, equal, stranger, pairs / max(len(levels), 1))
    return samples


def _step(keyed: Keyed) -> int:
    return max(len(keyed.left) // _DRAWN, 1)


def _told_twice(a: int, b: int, samples: dict[int, _Drawn]) -> bool:
    """Whether one column is a copy or a function of the other: whoever agrees on the one agrees on both.

    Who agrees on everything is no stranger, though: a column that tells all others is that of a table without errors.
    """
    for one, other in ((a, b), (b, a)):
        sample = samples[one]
        comparable = (sample.levels[:, one] >= 0) & (sample.levels[:, other] >= 0)
        copied = comparable.sum() >= _SEEN and sample.equal[comparable, other].mean() >= _COPIED
        if copied and (float(sample.stranger.sum()) >= _SEEN or not _tells_all(sample)):
            return True
    return False


def _tells_all(sample: _Drawn) -> bool:
    """Whether whoever agrees on its column agrees on all."""
    comparable = sample.levels >= 0
    filled = comparable.any(axis=0)
    agree = (sample.equal & comparable).sum(axis=0)[filled] / comparable.sum(axis=0)[filled]
    return bool((agree >= _COPIED).all())


def _lift(
    a: int, b: int, samples: dict[int, _Drawn], found: Sequence[UProbabilities], *, everybody: bool
) -> Floats:
    """Shape (levels of a, levels of b): joint share over the product of the shares, of unrelated pairs or everybody."""
    shape = (len(found[a].levels), len(found[b].levels))
    rarer, other = sorted((a, b), key=lambda c: (samples[c].stands_for, c))
    counted, standing = np.zeros(shape), np.zeros(shape)
    # Each pair is looked for where it is seen best: among those of the rarer key, then of the other, then of none.
    for number, without in ((rarer, ()), (other, (rarer,)), (-1, (a, b))):
        one = samples[number]
        kept = (one.levels[:, a] >= 0) & (one.levels[:, b] >= 0)
        kept &= ~one.equal[:, list(without)].any(axis=1)
        cells = np.ravel_multi_index((one.levels[kept, a], one.levels[kept, b]), shape)
        weights = None if everybody else one.stranger[kept]
        seen = np.bincount(cells, weights=weights, minlength=counted.size).reshape(shape)
        counted += seen
        standing += seen * one.stands_for
    whole = standing.sum()
    if counted[1:, 1:].sum() < _SEEN:
        return np.ones(shape)
    finest = min((samples[c].stands_for for c in (a, b, -1) if samples[c].stands_for > 0), default=1.0)
    alone = np.outer(standing.sum(axis=1), standing.sum(axis=0)) / whole
    each = np.where(counted > 0, standing / np.maximum(counted, 1e-300), finest)
    return np.asarray((counted + _DOUBT) / (alone / each + _DOUBT))
