"""What is decided about blocks that are too large, from nothing but the sizes of blocks.

Belongs here: which keys are refined and which are cut. Does not belong here: counting blocks or making pairs of them
(binding, pairs), or keeping what was decided (encode.keys).

Sizes are counts by hash of the key. Whoever holds a part of the records counts his part, the counts are added up, and
the plan is that of all records.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.blocking.pairs import Oversized
from cdm_pipelines.linkage.encode.hashes import Hashes
from cdm_pipelines.linkage.encode.keys import BlockingPlan, refined_key

Counts = npt.NDArray[np.int64]
_NO_KEYS: Hashes = np.zeros(0, np.uint64)
_NO_COUNTS: Counts = np.zeros(0, np.int64)


@dataclass(frozen=True)
class BlockSizes:
    """How large the blocks of one rule are.

    Attributes:
        rule: The rule's label.
        largest: Blocks with more records are refined or cut.
        most_pairs: So are the largest ones while all blocks together make more pairs.
        keys: Hash of each block's key, each once.
        sizes: Records in each block; one that has the key in two of its values counts twice.
        refines: Whether the rule has columns to refine by.
        refined: Hashes of the refined keys within the blocks that are ``too_large``, each once.
        refined_sizes: Records that have each of them.
    """

    rule: str
    largest: int
    most_pairs: int
    keys: Hashes
    sizes: Counts
    refines: bool = False
    refined: Hashes = field(default_factory=lambda: _NO_KEYS)
    refined_sizes: Counts = field(default_factory=lambda: _NO_COUNTS)

    @cached_property
    def too_large(self) -> Hashes:
        """Keys of the blocks that are refined, in order; none where the rule does not refine."""
        if not self.refines:
            return _NO_KEYS
        return np.sort(self.keys[self.sizes > _limit(self.sizes, self.largest, self.most_pairs)])

    @cached_property
    def _cut(self) -> tuple[Hashes, Counts]:
        """Blocks that are too large even so, refined ones among them, and their sizes."""
        stay = ~np.isin(self.keys, self.too_large)
        keys = np.append(self.keys[stay], refined_key(self.refined))
        sizes = np.append(self.sizes[stay], self.refined_sizes)
        large = sizes > _limit(sizes, self.largest, self.most_pairs)
        return np.sort(keys[large]), sizes[large]

    @property
    def cut(self) -> Hashes:
        """Keys of the blocks that make no pairs, as the plan has them, in order."""
        return self._cut[0]

    @property
    def oversized(self) -> Oversized:
        """What is not compared because of it."""
        large = self._cut[1]
        if not len(large):
            return Oversized()
        pairs = int((large * (large - 1) // 2).sum())
        return Oversized(len(large), int(large.sum()), pairs, int(large.max()))


def decide_plan(
    block_sizes: Iterable[BlockSizes], words: Mapping[str, Mapping[int, int]] | None = None
) -> BlockingPlan:
    """Decide which blocks are refined and which are cut; a pure function of their sizes.

    Args:
        block_sizes: Of each rule that makes blocks.
        words: By derived key of rare words, in how many records each occurs: part of the plan.
    """
    rules = list(block_sizes)
    return BlockingPlan(
        {one.rule: one.too_large for one in rules}, {one.rule: one.cut for one in rules}, dict(words or {})
    )


def _limit(sizes: Counts, largest: int, most_pairs: int) -> int:
    """The size above which blocks are too large: as given, or less where smaller blocks make enough pairs already."""
    blocks = np.bincount(sizes, minlength=1)
    size = np.arange(len(blocks))
    made = np.cumsum(blocks * size * (size - 1) // 2)
    return min(largest, max(int(np.searchsorted(made, most_pairs, side="right")) - 1, 2))
