"""What the driver of a cluster asks of its workers, and makes of their answers.

Belongs here: the queries, in their order. Does not belong here: what happens to records at a worker (bins), or how they
got there (spark).

Queries are what Spark Connect offers and no more: maps, groups and joins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.blocking.pairs import Allowed, MadeBy, Oversized
from cdm_pipelines.linkage.blocking.plan import BlockSizes, Counts, decide_plan
from cdm_pipelines.linkage.compare.comparers import Comparer
from cdm_pipelines.linkage.encode.hashes import Hashes
from cdm_pipelines.linkage.encode.keys import BlockingPlan
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.encode.records import Records, encode
from cdm_pipelines.linkage.engines.bins import (
    COUNTED,
    FOUND,
    PLACED,
    POSITION,
    CountKeys,
    PairBin,
    Place,
    Sent,
    whole_blocks,
)
from cdm_pipelines.linkage.engines.outcome import Kept, Stages, settled
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.model.drift import COUNTS, LevelCounts, level_counts
from cdm_pipelines.linkage.model.fellegi_sunter import LinkageModel
from cdm_pipelines.linkage.model.labels import resolve as resolve_labels
from cdm_pipelines.linkage.model.labels import with_labels
from cdm_pipelines.linkage.model.patterns import Table
from cdm_pipelines.linkage.model.scoring import BoundScorer, PairScorer
from cdm_pipelines.linkage.model.training import Counted, train
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.linkage.progress import Progress
from cdm_pipelines.linkage.report import Histogram

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TYPES = {pa.int32(): "int", pa.int64(): "long", pa.float64(): "double", pa.string(): "string"}
_PLACES = "position long, bin int"
_NOTHING: Hashes = np.zeros(0, np.uint64)


@dataclass(frozen=True)
class _Rule:
    """What is told of a blocking rule."""

    label: str
    oversized: Oversized = field(default_factory=Oversized)


@dataclass
class Driver:
    """A table on its way through a cluster."""

    spark: "SparkSession"
    folder: str
    sent: Sent
    records: Records
    ordered: pa.Table
    bins: int
    given: BlockingPlan | None
    stages: Stages
    threads: int
    progress: Progress
    rules: Sequence[_Rule] = ()
    pairs_by_rule: Sequence[int] = ()

    @property
    def policy(self) -> LinkagePolicy:
        """How."""
        return self.sent.policy

    @cached_property
    def comparer(self) -> Comparer:
        """The comparisons over all records."""
        return Comparer(self.records, self.policy)

    @cached_property
    def allowed(self) -> Allowed:
        """Which pairs may be made at all."""
        return Allowed(self.records, self.policy)

    @property
    def table(self) -> "DataFrame":
        """The records as the cluster reads them."""
        return self.spark.read.parquet(f"{self.folder}/records")

    def check(self) -> None:
        """See that the cluster finds the records.

        Raises:
            LinkageError: It does not.
        """
        from pyspark.errors import PySparkException  # noqa: PLC0415 - an extra

        try:
            found = POSITION in self.table.schema.names
        except PySparkException:
            found = False
        if not found:
            raise LinkageError(
                "engine spark: the cluster does not find, or may not read, the records that were put at its disposal; "
                "name a folder that it reaches under the same name, under the same account, with --exchange "
                "(CDM_SPARK_EXCHANGE)"
            )

    def scorer(self, model: LinkageModel) -> BoundScorer:
        """The scorer over all records."""
        return self._pair_scorer(model).over(self.records, self.comparer)

    def _pair_scorer(self, model: LinkageModel) -> PairScorer:
        return PairScorer(self.policy, model, self.sent.words)

    def modelled(
        self, model: LinkageModel | None, labels: pd.DataFrame | None
    ) -> tuple[LinkageModel, Kept, LevelCounts]:
        """The model, the pairs that it scored, and counts of the levels of all candidate pairs."""
        allowed = self.allowed
        if model is not None:
            self.scorer(model)  # says so at once where the model is of other comparisons
        labelled = None if labels is None else resolve_labels(labels, self.policy, self.records, allowed)
        with self.stages.stage("block"):
            self._place()
        if model is not None:
            self.progress("compare", 0.0)
            with self.stages.stage("compare and score"):
                found = self._found(self._pair_scorer(model), "both")
            self.progress("compare", 1.0)
            return model, _kept(found), self._counted(_of(found, "pattern"))[1]
        self.progress("compare", 0.0)
        with self.stages.stage("compare"):
            patterns, _ = self._counted(self._found(None, "patterns"))
        self.progress("compare", 1.0)
        self.progress("fit", 0.0)
        with self.stages.stage("fit"):
            if labelled is not None and len(labelled[0]):
                patterns = with_labels(patterns, labelled, self.comparer, self._made_by(*labelled[:2]))
            model = train(self.policy, self.records, self.comparer, allowed, patterns, threads=self.threads)
        self.progress("score", 0.0)
        with self.stages.stage("score"):
            kept = _kept(self._found(self._pair_scorer(model), "pairs"))
        model = settled(self.scorer(model), kept)
        self.progress("score", 1.0)
        return model, kept, model.training[COUNTS]

    def _place(self) -> None:
        """Decide about blocks, and tell the bins of every record."""
        from pyspark.sql.functions import col  # noqa: PLC0415 - an extra

        self.progress("block", 0.0)
        self._decide()
        self.progress("block", 0.5)
        blocks = self.table.mapInArrow(Place(self.sent, self.cut, self.bins), _ddl(PLACED))
        shared = blocks.groupBy("block").count().where(col("count") > 1).select("block")
        placed = blocks.join(shared, "block", "left_semi").select("position", "bin").distinct()
        placed.write.parquet(f"{self.folder}/placed")
        self.progress("block", 1.0)

    def _decide(self) -> None:
        """Set the plan, and the plan with the blocks that have outgrown it cut: the one that pairs are made by."""
        policy = self.policy
        if self.given is None:
            counted = self._count(CountKeys(self.sent))
            sizes = [self._sizes(number, *counted[number]) for number in range(len(policy.blocking))]
            refine = {one.rule: one.too_large for one in sizes if len(one.too_large)}
            if refine:
                finer = self._count(CountKeys(self.sent, refine=refine))
                sizes = [
                    replace(one, refined=keys, refined_sizes=counts)
                    for one, (keys, counts) in zip(sizes, finer, strict=True)
                ]
            self.plan = self.cut = decide_plan(sizes, self.records.words)
            self.rules = [_Rule(one.rule, one.oversized) for one in sizes]
            return
        self.plan = self.given
        cut, rules = dict(self.given.cut), []
        for rule, (keys, counts) in zip(
            policy.blocking, self._count(CountKeys(self.sent, self.given)), strict=True
        ):
            large = counts > (rule.max_block_size or policy.max_block_size)
            cut[rule.label] = np.union1d(cut.get(rule.label, _NOTHING), keys[large])
            rules.append(_Rule(rule.label, _oversized(counts[large])))
        self.cut, self.rules = replace(self.given, cut=cut), rules

    def _sizes(self, number: int, keys: Hashes, counts: Counts) -> BlockSizes:
        rule, policy = self.policy.blocking[number], self.policy
        largest = rule.max_block_size or policy.max_block_size
        most_pairs = max(rule.max_pairs or policy.max_pairs, len(self.records))
        return BlockSizes(rule.label, largest, most_pairs, keys, counts, refines=bool(rule.refine))

    def _count(self, task: CountKeys) -> list[tuple[Hashes, Counts]]:
        """By rule the keys that two records or more have, and how many; one record is in no pair."""
        from pyspark.sql.functions import col  # noqa: PLC0415 - an extra
        from pyspark.sql.functions import sum as total  # noqa: PLC0415

        counted = self.table.mapInArrow(task, _ddl(COUNTED)).groupBy("rule", "key")
        rows = counted.agg(total("count").alias("count")).where(col("count") > 1).toArrow()
        rule, keys, counts = (rows[name].to_numpy() for name in COUNTED.names)
        order = np.lexsort((keys, rule))
        ends = np.searchsorted(rule[order], np.arange(len(self.policy.blocking) + 1))
        of_rules = [order[a:b] for a, b in pairwise(ends)]
        return [(keys[one].view(np.uint64), counts[one]) for one in of_rules]

    def _found(self, scorer: PairScorer | None, give: Literal["patterns", "pairs", "both"]) -> pa.Table:
        """What the bins give, counts of patterns added up."""
        from pyspark.sql.functions import sum as total  # noqa: PLC0415 - an extra

        # A folder to which nothing was written has no schema of its own.
        placed = self.spark.read.schema(_PLACES).parquet(f"{self.folder}/placed")
        task = PairBin(self.sent, self.cut, self.bins, self.policy.name_forms(), scorer, give)
        # What Spark calls is a function, not an object that can be called: it looks at its parameters.
        found = self.table.join(placed, "position").groupBy("bin").applyInArrow(_function(task), _ddl(FOUND))
        if give == "patterns":
            found = found.groupBy("packed").agg(total("count").alias("count"))
        return found.toArrow()

    def _counted(self, found: pa.Table) -> tuple[Table, LevelCounts]:
        """The table of patterns, and how many pairs have each level; keeps how many each rule made first."""
        counted = Counted(self.comparer, len(self.policy.blocking))
        counted.add_counts(found["packed"].to_numpy(), found["count"].to_numpy())
        table = counted.table()
        counts = table.counts.astype(np.int64)
        first = table.rules.argmax(axis=1)
        self.pairs_by_rule = (
            np.bincount(first, weights=counts, minlength=len(self.policy.blocking)).astype(np.int64).tolist()
        )
        comparer = self.comparer
        return table, level_counts(list(comparer.by_name), comparer.sizes, table.levels, counts)

    def _made_by(
        self, left: Positions, right: Positions
    ) -> Callable[[Positions, Positions], npt.NDArray[np.uint32]]:
        """Which rules make some pairs, told by the records of these pairs alone."""
        some = np.unique(np.append(left, right))
        records = encode(self.ordered.take(pa.array(some)), self.policy, 1, words=self.sent.words)
        made_by = MadeBy(whole_blocks(records, self.policy, self.cut))
        return lambda a, b: made_by(*(np.searchsorted(some, side).astype(np.int32) for side in (a, b)))


def _oversized(sizes: Counts) -> Oversized:
    if not len(sizes):
        return Oversized()
    return Oversized(len(sizes), int(sizes.sum()), int((sizes * (sizes - 1) // 2).sum()), int(sizes.max()))


def _function(task: PairBin) -> Callable[[pa.Table], pa.Table]:
    def pairs_of(records: pa.Table) -> pa.Table:
        return task(records)

    return pairs_of


def _ddl(schema: pa.Schema) -> str:
    return ", ".join(f"{one.name} {_TYPES[one.type]}" for one in schema)


def _of(found: pa.Table, what: str) -> pa.Table:
    return found.filter(pc.equal(found["what"], what))


def _kept(found: pa.Table) -> Kept:
    histogram, odds = Histogram(), _of(found, "odds")
    np.add.at(histogram.counts, odds["packed"].to_numpy(), odds["count"].to_numpy())
    pairs = _of(found, "pair")
    left, right, packed, weight, score = (
        pairs[name].to_numpy() for name in ("left", "right", "packed", "weight", "odds")
    )
    return Kept.of([(left.astype(np.int32), right.astype(np.int32), packed, weight, score)], histogram)
