"""What a worker of a cluster does with the records that it gets: a pure function of Arrow tables to Arrow tables.

Belongs here: keys counted, records sent to bins, pairs of a bin made, compared, counted and scored. Does not belong
here: any cluster, or the order of the steps (spark).

A bin is some blocks of any rules with all their records, told by the hash of the key. A record is in a bin once,
whichever of its blocks brought it there. A pair may share blocks of several bins: it is made under the first rule that
makes it, and within that rule under the lowest key, so that every pair is made once, without asking other bins.
Everything is computed by the functions that one machine uses, from the records at hand; objects here carry what these
functions read, and are sent to workers by pickle.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdm_pipelines.linkage.blocking.binding import hashed_keys
from cdm_pipelines.linkage.blocking.pairs import Allowed, Blocks, Pairs, stream
from cdm_pipelines.linkage.compare.comparers import Comparer, Packed
from cdm_pipelines.linkage.encode.columns import Codes
from cdm_pipelines.linkage.encode.hashes import Hashes
from cdm_pipelines.linkage.encode.keys import BlockingPlan, among, beside, together
from cdm_pipelines.linkage.encode.records import Records, encode
from cdm_pipelines.linkage.engines.outcome import Scored
from cdm_pipelines.linkage.incremental.state import effective_keys
from cdm_pipelines.linkage.model.fellegi_sunter import Floats, log2_odds
from cdm_pipelines.linkage.model.scoring import BoundScorer, PairScorer
from cdm_pipelines.linkage.model.training import Counted
from cdm_pipelines.linkage.policy.equivalents import NameForms
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.linkage.report import Histogram
from cdm_pipelines.parallel import at_most

POSITION, BIN = "position", "bin"

COUNTED = pa.schema([("rule", pa.int32()), ("key", pa.int64()), ("count", pa.int64())])
"""Records by key of a rule. There are no unsigned numbers in Spark: the bits of a hash, read as a signed one."""
PLACED = pa.schema([(POSITION, pa.int64()), ("block", pa.int64()), (BIN, pa.int32())])
"""The blocks of each record, over all rules, and the bin of each block."""
FOUND = pa.schema(
    [
        ("what", pa.string()),
        ("left", pa.int64()),
        ("right", pa.int64()),
        ("packed", pa.int64()),
        ("count", pa.int64()),
        ("weight", pa.float64()),
        ("odds", pa.float64()),
    ]
)
"""What is found in a bin: a ``pair`` to keep, the count of a ``pattern``, of scored pairs in a step of ``odds``."""


@dataclass(frozen=True)
class Sent:
    """Records as they are sent to workers: their position, and text under numbers for names.

    A column may have any name in a table; in a query not every name can stand.

    Attributes:
        names: What the columns are called.
        policy: What reads them.
        words: By derived key of rare words, in how many of all records each occurs.
    """

    names: tuple[str, ...]
    policy: LinkagePolicy
    words: Mapping[str, Mapping[int, int]]

    @property
    def schema(self) -> pa.Schema:
        """Of the table that is sent."""
        texts = [(f"c{number}", pa.string()) for number in range(len(self.names))]
        return pa.schema([(POSITION, pa.int64()), *texts])

    def table(self, ordered: pa.Table, start: int = 0) -> pa.Table:
        """Records in order of source and id, from some position on, as they are sent."""
        positions = pa.array(np.arange(start, start + ordered.num_rows))
        return pa.table(
            [positions, *(column.cast(pa.string()) for column in ordered.columns)], schema=self.schema
        )

    def read(self, sent: pa.Table) -> tuple[npt.NDArray[np.int64], Records]:
        """Positions, in order, and the records at these, encoded."""
        sent = sent.sort_by(POSITION)
        texts = sent.select([f"c{number}" for number in range(len(self.names))]).rename_columns(self.names)
        records = encode(texts.combine_chunks(), self.policy, 1, words=self.words)
        return sent[POSITION].to_numpy(), records


@dataclass(frozen=True)
class CountKeys:
    """Counts records by key: with a plan under the keys that it leaves, else those of the rules.

    Attributes:
        sent: How records come.
        plan: What was decided about blocks.
        refine: By rule, keys whose refined keys are counted instead.
    """

    sent: Sent
    plan: BlockingPlan | None = None
    refine: Mapping[str, Hashes] | None = None

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Counts of some records; those of parts add up."""
        with at_most(1):
            records = self.sent.read(_together(batches, self.sent.schema))[1]
            for number, rule in enumerate(self.sent.policy.blocking):
                keys, finer = hashed_keys(rule, records)
                if self.refine is not None:
                    asked = self.refine.get(rule.label)
                    if finer is None or asked is None or not len(asked):
                        continue
                    large, _ = beside(among(keys, asked), keys, finer.shape[1], 0)
                    keys = np.where(large, finer, np.uint64(0))
                elif self.plan is not None:
                    keys = self.plan.effective(rule.label, keys, finer)
                found, counts = np.unique(keys[keys > 0], return_counts=True)
                columns = [np.full(len(found), number, np.int32), found.view(np.int64), counts]
                yield from pa.table(list(map(pa.array, columns)), schema=COUNTED).to_batches()


@dataclass(frozen=True)
class Place:
    """Tells the blocks of each record, and their bins."""

    sent: Sent
    plan: BlockingPlan
    bins: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Blocks of some records."""
        with at_most(1):
            positions, records = self.sent.read(_together(batches, self.sent.schema))
            for rule, keys in enumerate(effective_keys(self.sent.policy, records, self.plan, 1)):
                blocks = _blocks(keys, rule)
                record, slot = np.nonzero(blocks)
                block = blocks[record, slot]
                columns = [positions[record], block.view(np.int64), _bin(block, self.bins)]
                yield from pa.table(list(map(pa.array, columns)), schema=PLACED).to_batches()


@dataclass(frozen=True)
class PairBin:
    """Makes, compares and counts the pairs of a bin; with a scorer, scores them.

    Attributes:
        sent: How records come.
        plan: What was decided about blocks.
        bins: How many there are.
        forms: Other forms of given names by comparison.
        scorer: What scores; None while there is no model.
        give: ``patterns`` are given, or the scored ``pairs``, or both.
    """

    sent: Sent
    plan: BlockingPlan
    bins: int
    forms: Mapping[str, NameForms]
    scorer: PairScorer | None = None
    give: Literal["patterns", "pairs", "both"] = "patterns"

    def __call__(self, table: pa.Table) -> pa.Table:
        """What is found among the records of a bin."""
        policy, number = self.sent.policy, int(table[BIN][0].as_py())
        with at_most(1):
            positions, records = self.sent.read(table)
            comparer = Comparer(records, policy, self.forms)
            counted, histogram = Counted(comparer, len(policy.blocking)), Histogram()
            scorer = self.scorer.over(records, comparer) if self.scorer else None
            kept: list[Scored] = []
            makers = whole_blocks(records, policy, self.plan, (number, self.bins))
            for pairs in stream(makers, Allowed(records, policy), policy.chunk_pairs):
                packed = comparer.packed(pairs.left, pairs.right)
                if self.give != "pairs":
                    counted.add(pairs, packed)
                if scorer:
                    kept.append(_scored(scorer, pairs, packed, histogram))
        return pa.concat_tables(
            [
                _counts("pattern", *counted.counts),
                _counts("odds", np.arange(len(histogram.counts)), histogram.counts),
                *(_pairs(positions, one) for one in kept),
            ]
        )


def whole_blocks(
    records: Records, policy: LinkagePolicy, plan: BlockingPlan, only: tuple[int, int] | None = None
) -> list[Blocks]:
    """The policy's rules over some records, by the keys that a plan leaves.

    Args:
        records: All records of some blocks.
        policy: The policy.
        plan: What was decided about blocks.
        only: A bin and the number of bins: pairs are made in blocks of that one. All blocks where not given.
    """
    found = []
    for number, keys in enumerate(effective_keys(policy, records, plan, 1)):
        blocks = _blocks(keys, number)
        # Numbered in the order of their hashes, which is the same in every bin.
        ids = np.unique(np.append(blocks.ravel(), np.uint64(0)), return_inverse=True)[1][:-1]
        here = None if only is None else _bin(blocks, only[1]) == only[0]
        codes: Codes = ids.reshape(blocks.shape).astype(np.int32) - np.int32(1)
        found.append(Blocks(policy.blocking[number].label, codes, here=here))
    return found


def _together(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """All batches of a partition; some servers give texts as large ones, or columns that cannot be null."""
    pieces = list(batches)
    return pa.Table.from_batches(pieces).cast(schema) if pieces else schema.empty_table()


def _blocks(keys: Hashes, rule: int) -> Hashes:
    """Keys of a rule as blocks: other hashes than those of the same keys under another rule; 0 for none."""
    return together([keys, np.full((len(keys), 1), rule + 1, np.uint64)])


def _bin(blocks: Hashes, bins: int) -> npt.NDArray[np.int32]:
    return (blocks % np.uint64(bins)).astype(np.int32)


def _scored(scorer: BoundScorer, pairs: Pairs, packed: Packed, histogram: Histogram) -> Scored:
    scores = scorer.scores(pairs.left, pairs.right, packed)
    histogram.add(scores.odds)
    keep = np.flatnonzero(scores.odds >= log2_odds(scorer.policy.thresholds.review))
    return pairs.left[keep], pairs.right[keep], packed[keep], scores.weight[keep], scores.odds[keep]


def _counts(what: str, packed: Packed, counts: npt.NDArray[np.int64]) -> pa.Table:
    some = np.flatnonzero(counts)
    nowhere, nothing = np.zeros(len(some), np.int64), np.zeros(len(some))
    return _found(what, nowhere, nowhere, packed[some], counts[some], nothing, nothing)


def _pairs(positions: npt.NDArray[np.int64], scored: Scored) -> pa.Table:
    left, right, packed, weight, odds = scored
    once = np.ones(len(left), np.int64)
    return _found("pair", positions[left], positions[right], packed, once, weight, odds)


def _found(what: str, *columns: npt.NDArray[np.int64] | Floats) -> pa.Table:
    return pa.table([pa.repeat(what, len(columns[0])), *map(pa.array, columns)], schema=FOUND)
