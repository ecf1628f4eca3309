"""Whether today's pairs still look like those that a model was fitted to.

Belongs here: counts of agreement levels, and the distance between two such counts. Does not belong here: which
distance is too far (policies/checks.yaml), or fitting anew (engines).

The distance is the population stability index of a comparison: the sum over its levels, missing among them, of
(now - then) * ln(now / then), both as shares of all candidate pairs. It needs no labels. By the convention of credit
scoring, where it is at home (Siddiqi 2006), .1 is a small shift and .25 a large one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cdm_pipelines.linkage.compare.comparers import Comparer, Packed
from cdm_pipelines.linkage.compare.levels import Levels
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.model.em import Floats
from cdm_pipelines.linkage.model.fellegi_sunter import LinkageModel

COUNTS = "level_counts"
"""Where a model's ``training``, and the report of a linkage, keep their counts."""
LEAST_PAIRS = 500
"""With fewer pairs, then or now, chance alone moves levels too far."""
_PSEUDO = 0.5  # pairs' worth at each level: what was never seen may yet be

LevelCounts = Mapping[str, Sequence[int]]
"""For each comparison the pairs at each level: missing, different, and so on up."""


@dataclass(frozen=True)
class Drift:
    """How far a model's comparisons have moved.

    Attributes:
        indices: Stability index by comparison, largest first.
        level: Of the comparison that moved most the level that adds most to its index.
        then: Share of the pairs at that level when the model was fitted.
        now: Share of today's pairs.
    """

    indices: dict[str, float]
    level: str
    then: float
    now: float

    @property
    def largest(self) -> float:
        """The index of the comparison that moved most."""
        return next(iter(self.indices.values()))

    @property
    def text(self) -> str:
        """What moved most, in words."""
        comparison = next(iter(self.indices))
        return f"{comparison} {self.level}: {self.then:.1%} of pairs then, {self.now:.1%} now"


def level_counts(
    names: Sequence[str], sizes: Sequence[int], levels: Levels, counts: npt.ArrayLike
) -> LevelCounts:
    """Count patterns by comparison and level.

    Args:
        names: The comparisons.
        sizes: For each the number of its levels, missing not counted.
        levels: Shape (patterns, comparisons), -1 where missing.
        counts: Pairs of each pattern.
    """
    return {
        name: np.bincount(levels[:, k] + 1, weights=counts, minlength=size + 1).astype(np.int64).tolist()
        for k, (name, size) in enumerate(zip(names, sizes, strict=True))
    }


class Seen:
    """Counts the levels of pairs that pass by.

    Attributes:
        counts: What has passed by.
    """

    def __init__(self, comparer: Comparer) -> None:
        self._comparer = comparer
        self.counts: LevelCounts = {
            name: [0] * (size + 1) for name, size in zip(comparer.by_name, comparer.sizes, strict=True)
        }

    def over(
        self, chunks: Iterator[tuple[Positions, Positions, Packed]]
    ) -> Iterator[tuple[Positions, Positions, Packed]]:
        """The same chunks, counted."""
        for left, right, packed in chunks:
            inverse, patterns = pd.factorize(packed)
            counts = np.bincount(inverse)
            levels = self._comparer.packing.unpack(patterns)
            found = level_counts(list(self.counts), self._comparer.sizes, levels, counts)
            self.counts = {
                name: [a + b for a, b in zip(self.counts[name], one, strict=True)]
                for name, one in found.items()
            }
            yield left, right, packed


def drift(model: LinkageModel, now: LevelCounts) -> Drift | None:
    """How far pairs have moved from those that a model was fitted to.

    None where it is not known: the model is of a version that did not count, or there are too few pairs.
    """
    then: LevelCounts = model.training.get(COUNTS, {})
    if set(then) != set(now) or not then:
        return None
    if min(sum(next(iter(counts.values()))) for counts in (then, now)) < LEAST_PAIRS:
        return None
    shares = {name: (_shares(then[name]), _shares(now[name])) for name in now}
    parts = {name: (b - a) * np.log(b / a) for name, (a, b) in shares.items()}
    indices = {name: float(part.sum()) for name, part in parts.items()}
    indices = dict(sorted(indices.items(), key=lambda item: (-item[1], item[0])))
    most = next(iter(indices))
    level = int(parts[most].argmax())
    meaning = ("missing", *model.comparisons[most].labels)[level]
    before, after = (float(share[level]) for share in shares[most])
    return Drift(indices, meaning, before, after)


def _shares(counts: Sequence[int]) -> Floats:
    padded = np.asarray(counts, dtype=np.float64) + _PSEUDO
    return np.asarray(padded / padded.sum())
