"""Candidate pairs: records that agree on a key, each pair once, in chunks.

Belongs here: rules as blocks of records, blocks that are cut, the stream of pairs with the rules that each satisfies.
Does not belong here: what the keys hold (encode, clean) or how a pair is compared (compare).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from cdm_pipelines.linkage.encode.columns import Codes, Column
from cdm_pipelines.linkage.encode.positions import Flags, Places, Positions
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.linkage.progress import Progress, silent

_ANY = int(np.iinfo(np.int64).max)
_AT_ONCE = 16_384  # pairs whose keys fit into a processor's cache


class Pairs(NamedTuple):
    """Candidate pairs: positions left < right, and bit r of ``rules`` set where rule r makes the pair."""

    left: Positions
    right: Positions
    rules: npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Oversized:
    """Blocks above the policy's limit, cut: what was not compared because of it."""

    blocks: int = 0
    records: int = 0
    pairs: int = 0
    largest: int = 0


class Maker(Protocol):
    """A blocking rule bound to records, which makes candidate pairs of them."""

    label: str
    oversized: Oversized

    @property
    def most(self) -> int:
        """Number of pairs that it looks at: at least those that it makes."""

    @property
    def largest(self) -> int:
        """Number of records in the largest block that it makes pairs of."""

    def makes(self, left: Positions, right: Positions) -> Flags:
        """Whether the rule makes each of these pairs."""

    def chunks(self, pairs: int) -> Iterator[tuple[Positions, Positions]]:
        """The rule's pairs, about ``pairs`` at a time; a pair may come twice where keys have several values."""


def combined(columns: Sequence[Column]) -> Codes:
    """Codes of agreement on all columns together, shape (records, width); -1 where one of them is null."""
    ids = columns[0].codes.astype(np.int64)
    for column in columns[1:]:
        width = ids.shape[1] * column.codes.shape[1]
        left, right = ids[:, :, None], column.codes[:, None, :].astype(np.int64)
        joined = np.where((left >= 0) & (right >= 0), left * column.size + right, -1).reshape(-1, width)
        codes = pd.factorize(np.append(joined.ravel(), -1))[0]
        ids = np.where(joined >= 0, codes[:-1].reshape(joined.shape), -1)
    return ids.astype(np.int32)


def by_code(codes: Codes) -> Places:
    """The order of codes from 0 on, stable: counted, which takes a fraction of sorting them."""
    places, size = np.arange(len(codes)), int(codes.max(initial=-1)) + 1
    from scipy.sparse import coo_matrix  # noqa: PLC0415 - loads where it is needed

    counted = coo_matrix((np.ones(len(codes), np.int8), (codes, places)), shape=(size, len(codes))).tocsr()
    return np.asarray(counted.indices)


def agree(left: Codes, right: Codes) -> Flags:
    """Whether any key of the one record is a key of the other: shapes (width, pairs), -1 for none."""
    found = np.zeros(left.shape[1], dtype=bool)
    for one in left:
        for other in right:
            found |= (one == other) & (one >= 0)
    return found


class _Partnered:
    """What rules have in common that pair each place of a sorted sequence with some that follow it."""

    _partners: Places

    @property
    def most(self) -> int:
        """Number of pairs; one that shares several keys counts for each."""
        return int(self._partners.sum())

    @property
    def largest(self) -> int:
        """Number of records in the largest block or window; 0 where none has two."""
        partners = int(self._partners.max(initial=0))
        return partners + 1 if partners else 0


class Blocks(_Partnered):
    """A rule over keys: records with the same key are a block.

    Attributes:
        ids: The block of each record under each of its keys, shape (records, width); -1 where it makes no pair.
        oversized: Blocks that are cut.
    """

    def __init__(self, label: str, ids: Codes, largest: int = _ANY, here: Flags | None = None) -> None:
        """Blocks of all keys, or pairs of some: ``here`` says under which keys pairs are made, shape of ``ids``.

        Who has all records of some blocks, and of others a part, makes each pair once by saying which are whole.
        """
        self.label = label
        self.ids = ids.copy()
        self.oversized = Oversized()
        self._cut(largest)
        record, slot = np.nonzero(self.ids >= 0 if here is None else (self.ids >= 0) & here)
        block = self.ids[record, slot]
        order = by_code(block)  # and by record within a block, as they were
        record, block = record[order], block[order]
        if self.ids.shape[1] > 1 and len(block):
            first = np.append(True, (block[1:] != block[:-1]) | (record[1:] != record[:-1]))
            record, block = record[first], block[first]
        self._partners = following(block)
        self._record: Positions = record.astype(np.int32)
        self._block: Codes = block

    def _cut(self, largest: int) -> None:
        present = self.ids[self.ids >= 0]
        sizes = np.bincount(present, minlength=1)
        large = sizes[sizes > largest]
        if len(large):
            pairs = int((large * (large - 1) // 2).sum())
            self.oversized = Oversized(len(large), int(large.sum()), pairs, int(large.max()))
        # What is alone in its block makes no pair.
        self.ids[~((sizes > 1) & (sizes <= largest))[self.ids]] = -1

    def makes(self, left: Positions, right: Positions) -> Flags:
        """Whether both records are in one block."""
        return agree(self.ids[left].T, self.ids[right].T)

    def chunks(self, pairs: int) -> Iterator[tuple[Positions, Positions]]:
        """All pairs within blocks; records that share several keys are paired under the lowest of them."""
        for a, b in spans(self._partners, pairs):
            left, right = self._record[a], self._record[b]
            if self.ids.shape[1] > 1:
                first = ~self._shares_below(left, right, self._block[a])
                left, right = left[first], right[first]
            yield left, right

    def sample(self, wanted: int, rng: np.random.Generator) -> tuple[int, tuple[Positions, Positions]]:
        """Number of pairs, and about ``wanted`` of them drawn with replacement (all, where there are no more)."""
        done = np.cumsum(self._partners)
        total = int(done[-1]) if len(done) else 0
        chosen = np.arange(total) if total <= wanted else np.sort(rng.integers(0, total, wanted))
        a = np.searchsorted(done, chosen, side="right")
        b = a + 1 + chosen - (done[a] - self._partners[a])
        return total, (self._record[a], self._record[b])

    def _shares_below(self, left: Positions, right: Positions, block: Codes) -> Flags:
        shares = np.zeros(len(left), dtype=bool)
        for a in range(self.ids.shape[1]):
            key = self.ids[left, a]
            lower = (key >= 0) & (key < block)
            for b in range(self.ids.shape[1]):
                shares |= lower & (key == self.ids[right, b])
        return shares


class Neighbours(_Partnered):
    """A rule with a window: records next to each other in the order of a key, within agreement on other keys."""

    def __init__(self, label: str, within: Codes, sort_key: Codes, window: int) -> None:
        self.label = label
        self.oversized = Oversized()
        self._window = window
        present = np.flatnonzero((within >= 0) & (sort_key >= 0)).astype(np.int32)
        order = np.lexsort((present, sort_key[present], within[present]))
        self._record = present[order]
        block = within[self._record]
        self._position = np.full(len(within), -1, dtype=np.int64)
        self._position[self._record] = np.arange(len(order))
        self._block = within
        self._partners = np.minimum(following(block), window)

    def makes(self, left: Positions, right: Positions) -> Flags:
        """Whether both records are within one window."""
        a, b = self._position[left], self._position[right]
        made: Flags = (
            (a >= 0) & (b >= 0) & (np.abs(a - b) <= self._window) & (self._block[left] == self._block[right])
        )
        return made

    def chunks(self, pairs: int) -> Iterator[tuple[Positions, Positions]]:
        """All pairs within windows."""
        for a, b in spans(self._partners, pairs):
            left, right = self._record[a], self._record[b]
            yield np.minimum(left, right), np.maximum(left, right)


class Listed:
    """Pairs that an algorithm of the toolkit made, kept as a sorted list."""

    def __init__(self, label: str, left: Positions, right: Positions, records: int) -> None:
        self.label = label
        self.oversized = Oversized()
        self._records = records
        low, high = np.minimum(left, right).astype(np.int64), np.maximum(left, right)
        self._packed = np.unique(low * records + high)

    @property
    def most(self) -> int:
        """Number of listed pairs."""
        return len(self._packed)

    @property
    def largest(self) -> int:
        """Lists have no blocks: 2 where there is a pair."""
        return 2 if len(self._packed) else 0

    def makes(self, left: Positions, right: Positions) -> Flags:
        """Whether the algorithm made each pair."""
        return np.isin(left.astype(np.int64) * self._records + right, self._packed, assume_unique=False)

    def chunks(self, pairs: int) -> Iterator[tuple[Positions, Positions]]:
        """The listed pairs."""
        for start in range(0, len(self._packed), pairs):
            left, right = np.divmod(self._packed[start : start + pairs], self._records)
            yield left.astype(np.int32), right.astype(np.int32)


def following(block: npt.NDArray[np.integer[Any]]) -> Places:
    """For each place of a sorted sequence of blocks the number of places that follow it in its block."""
    return np.searchsorted(block, block, side="right") - np.arange(len(block)) - 1


def spans(partners: Places, pairs: int) -> Iterator[tuple[Places, Places]]:
    """Each place with the ``partners`` places that follow it, cut where about ``pairs`` are together."""
    done = np.cumsum(partners)
    start = 0
    while start < len(partners):
        base = int(done[start - 1]) if start else 0
        stop = max(int(np.searchsorted(done, base + pairs, side="right")), start + 1)
        counts = partners[start:stop]
        total = int(done[stop - 1]) - base
        if total:
            left = np.repeat(np.arange(start, stop), counts)
            offset = np.arange(total) - np.repeat(done[start:stop] - counts - base, counts)
            yield left, left + 1 + offset
        start = stop


class Allowed:
    """Which pairs may be made at all: none within a source that is known to be free of duplicates."""

    def __init__(self, records: Records, policy: LinkagePolicy) -> None:
        self._source = records.source
        self._free = np.isin(np.array(records.sources, dtype=object), policy.duplicate_free).astype(bool)
        sizes = np.bincount(records.source, minlength=len(records.sources))
        n = len(records)
        self.total = n * (n - 1) // 2 - int((sizes * (sizes - 1) // 2)[self._free].sum())

    def __call__(self, left: Positions, right: Positions) -> Flags:
        """Whether each pair may be made."""
        if not self._free.any():
            return np.ones(len(left), dtype=bool)
        source = self._source[left]
        crossing: Flags = (source != self._source[right]) | ~self._free[source]
        return crossing


class MadeBy:
    """Which rules make each of some pairs: bit r of the answer for rule r.

    The keys of all rules stand side by side, so that the memory of a record is visited once for all of them.
    """

    def __init__(self, makers: Sequence[Maker]) -> None:
        self._others = [
            (number, maker) for number, maker in enumerate(makers) if not isinstance(maker, Blocks)
        ]
        blocks = [(number, maker.ids) for number, maker in enumerate(makers) if isinstance(maker, Blocks)]
        ends = np.cumsum([ids.shape[1] for _, ids in blocks])
        self._blocks = [
            (number, slice(end - ids.shape[1], end)) for (number, ids), end in zip(blocks, ends, strict=True)
        ]
        self._keys = (
            np.concatenate([ids for _, ids in blocks], axis=1) if blocks else np.zeros((0, 0), np.int32)
        )

    def __call__(self, left: Positions, right: Positions) -> npt.NDArray[np.uint32]:
        """The rules of each pair."""
        rules = np.zeros(len(left), dtype=np.uint32)
        for start in range(0, len(left) if self._blocks else 0, _AT_ONCE):
            here = slice(start, start + _AT_ONCE)
            a, b = self._keys[left[here]].T.copy(), self._keys[right[here]].T.copy()
            for number, slots in self._blocks:
                rules[here] |= agree(a[slots], b[slots]).astype(np.uint32) << np.uint32(number)
        for number, maker in self._others:
            rules |= maker.makes(left, right).astype(np.uint32) << np.uint32(number)
        return rules


def stream(
    makers: Sequence[Maker],
    allowed: Allowed,
    pairs: int,
    progress: Progress = silent,
    stage: str = "compare",
) -> Iterator[Pairs]:
    """Every candidate pair once, in chunks: a pair comes from the first rule that makes it.

    ``progress`` is told the share of the pairs that have been looked at; the last it hears of the stage is 1.
    """
    made_by = MadeBy(makers)
    most = [maker.most for maker in makers]
    for number, maker in enumerate(makers):
        earlier = np.uint32((1 << number) - 1)
        looked_at = sum(most[:number])
        for left, right in maker.chunks(pairs):
            rules = made_by(left, right)
            keep = np.flatnonzero(((rules & earlier) == 0) & allowed(left, right))
            if len(keep):
                yield Pairs(left[keep], right[keep], rules[keep])
            looked_at += len(left)
            progress(stage, looked_at / sum(most))
    progress(stage, 1.0)
