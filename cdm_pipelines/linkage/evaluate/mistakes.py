"""What a linkage got wrong: the worst false merges and misses, and classes of them.

Belongs here: wrong pairs scored, sorted and counted by what differs. Does not belong here: how many are right
(measures, sample), or who says so (truth). Values are shown by their shape unless asked for (R6).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.compare.levels import Levels
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.evaluate.truth import Codes, pairs_within
from cdm_pipelines.linkage.explain.pair import Subject, shown_values
from cdm_pipelines.linkage.model.fellegi_sunter import Floats, probability
from cdm_pipelines.quality.shapes import shape

MERGE, MISS = "false merge", "miss"
_AGREEMENT = ("missing", "different", "partly", "equal")
Wrong = tuple[str, Positions, Positions]
Row = dict[str, Any]


@dataclass
class Mistakes:
    """Wrong pairs of a linkage.

    Attributes:
        counts: Number of false merges and of misses.
        rows: The false merges of the highest weight, then the misses of the lowest: the ones a model was surest of.
        classes: Mistakes by how much each comparison agrees, the frequent ones first.
    """

    counts: dict[str, int]
    rows: list[Row]
    classes: list[Row]

    @property
    def names(self) -> set[str]:
        """Names of the records in the rows."""
        return {str(row[side]) for row in self.rows for side in ("left", "right")}


def wrong_pairs(found: Codes, true: Codes) -> Iterator[Wrong]:
    """Pairs that clusters have and the truth has not, and the other way round, of records that both know.

    Args:
        found: Cluster of each record; -1 where it is not known.
        true: Entity of each record; -1 where it is not known.
    """
    known = (found >= 0) & (true >= 0)
    for kind, one, other in ((MERGE, found, true), (MISS, true, found)):
        for left, right in pairs_within(np.where(known, one, -1)):
            apart = np.flatnonzero(other[left] != other[right])
            if len(apart):
                yield kind, left[apart], right[apart]


@dataclass
class _Worst:
    """The pairs of the highest rank so far."""

    most: int
    left: Positions = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    right: Positions = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    rank: Floats = field(default_factory=lambda: np.zeros(0))

    def add(self, left: Positions, right: Positions, rank: Floats) -> None:
        """Take pairs in; those of lower rank make room."""
        a, b, c = np.append(self.left, left), np.append(self.right, right), np.append(self.rank, rank)
        order = np.lexsort((b, a, -c))[: self.most]
        self.left, self.right, self.rank = a[order], b[order], c[order]


def mistakes(
    subject: Subject, wrong: Iterable[Wrong], *, worst: int, show: Callable[[str], str] = shape
) -> Mistakes:
    """Score wrong pairs, and keep the worst.

    Args:
        subject: The records and what scored them.
        wrong: Wrong pairs by kind, in chunks.
        worst: How many of each kind are kept.
        show: How a value is shown; by its shape.
    """
    counts = {MERGE: 0, MISS: 0}
    kept = {kind: _Worst(worst) for kind in counts}
    classes: Counter[tuple[str, tuple[int, ...]]] = Counter()
    for kind, left, right in wrong:
        packed = subject.comparer.packed(left, right)
        weight = subject.scorer.scores(left, right, packed).weight
        counts[kind] += len(left)
        kept[kind].add(left, right, weight if kind == MERGE else -weight)
        agreement, pairs = np.unique(
            _agreement(subject, subject.comparer.packing.unpack(packed)), axis=0, return_counts=True
        )
        classes.update(
            {(kind, tuple(one)): n for one, n in zip(agreement.tolist(), pairs.tolist(), strict=True)}
        )
    rows = [row for kind, one in kept.items() for row in _rows(subject, kind, one, show)]
    return Mistakes(counts, rows, _classes(subject, classes))


def _agreement(subject: Subject, levels: Levels) -> npt.NDArray[np.int8]:
    """Levels as positions in ``_AGREEMENT``."""
    top = np.array(subject.comparer.sizes) - 1
    found = np.where(levels == top, 3, np.where(levels > 0, 2, np.where(levels == 0, 1, 0)))
    return np.asarray(found, dtype=np.int8)


def _classes(subject: Subject, classes: Counter[tuple[str, tuple[int, ...]]]) -> list[Row]:
    names = list(subject.comparer.by_name)
    return [
        {"mistake": kind, "pairs": count}
        | {name: _AGREEMENT[code] for name, code in zip(names, codes, strict=True)}
        for (kind, codes), count in sorted(classes.items(), key=lambda one: (-one[1], one[0]))
    ]


def _rows(subject: Subject, kind: str, kept: _Worst, show: Callable[[str], str]) -> Iterator[Row]:
    packed = subject.comparer.packed(kept.left, kept.right)
    levels = subject.comparer.packing.unpack(packed)
    scores = subject.scorer.scores(kept.left, kept.right, packed)
    for k, (left, right) in enumerate(zip(kept.left.tolist(), kept.right.tolist(), strict=True)):
        row: Row = {
            "mistake": kind,
            "left": subject.name(left),
            "right": subject.name(right),
            "weight": round(float(scores.weight[k]), 2),
            "probability": round(float(probability(scores.odds[k : k + 1])[0]), 4),
        }
        for number, (name, compared) in enumerate(subject.comparer.by_name.items()):
            level = int(levels[k, number])
            row[name] = compared.labels[level] if level >= 0 else "missing"
            row[f"{name}, left"] = shown_values(subject, name, left, show)
            row[f"{name}, right"] = shown_values(subject, name, right, show)
        yield row
