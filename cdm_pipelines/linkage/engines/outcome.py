"""What every engine does once pairs are scored: settle a fitted model, make clusters, name and count.

Belongs here: the end of a linkage, from scored pairs on, and the seconds of its stages. Does not belong here: who
makes, compares and scores pairs (local, spark).
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage import report
from cdm_pipelines.linkage.cluster.clusters import Links
from cdm_pipelines.linkage.cluster.constraints import Decided, PlacedDecisions, alone
from cdm_pipelines.linkage.cluster.divide import divide
from cdm_pipelines.linkage.cluster.partners import left_over_bits
from cdm_pipelines.linkage.compare.comparers import Packed
from cdm_pipelines.linkage.encode.keys import BlockingPlan
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.encode.records import linked_columns
from cdm_pipelines.linkage.encode.rows import Rows
from cdm_pipelines.linkage.engines.base import LinkResult
from cdm_pipelines.linkage.incremental.state import LinkState, effective_keys
from cdm_pipelines.linkage.model.decision import decide, outweighed
from cdm_pipelines.linkage.model.drift import COUNTS, LevelCounts
from cdm_pipelines.linkage.model.fellegi_sunter import Floats, LinkageModel, log2_odds, probability
from cdm_pipelines.linkage.model.scoring import BoundScorer
from cdm_pipelines.linkage.output import clusters_frame, pairs_frame
from cdm_pipelines.linkage.progress import Progress

Scored = tuple[Positions, Positions, Packed, Floats, Floats]
"""Left, right, agreement patterns, weights and odds of some pairs."""


@dataclass
class Stages:
    """Seconds that each stage took."""

    seconds: dict[str, float] = field(default_factory=dict)
    _within: float = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count seconds for a stage, those of stages within it left out."""
        started, outside = time.perf_counter(), self._within
        self._within = 0.0
        yield
        seconds = time.perf_counter() - started
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds - self._within
        self._within = outside + seconds


@dataclass(frozen=True)
class Kept:
    """Pairs from the review threshold on, sorted, and the histogram of all pairs' odds."""

    left: Positions
    right: Positions
    packed: Packed
    weight: Floats
    odds: Floats
    scores: report.Histogram

    @classmethod
    def of(cls, pieces: Iterable[Scored], scores: report.Histogram) -> "Kept":
        """Of pairs in any order."""
        empty = (
            np.zeros(0, np.int32),
            np.zeros(0, np.int32),
            np.zeros(0, np.int64),
            np.zeros(0),
            np.zeros(0),
        )
        columns = [np.concatenate(parts) for parts in zip(empty, *pieces, strict=True)]
        order = np.lexsort((columns[1], columns[0]))
        left, right, packed, weight, odds = (column[order] for column in columns)
        return cls(left, right, packed, weight, odds, scores)


def settled(scorer: BoundScorer, kept: Kept) -> LinkageModel:
    """A fitted model with the threshold, and what sources free of duplicates say, as its own pairs ask for them."""
    policy, records = scorer.policy, scorer.records
    thresholds = policy.thresholds
    asked = kept.scores.threshold(thresholds.match, thresholds.expected_false_matches)
    only_names = alone(policy, scorer.comparer.packing.unpack(kept.packed), names_suffice=False)
    match, names_suffice = decide(asked, thresholds, kept.odds, only_names, kept.scores.true)
    found = np.flatnonzero((kept.odds >= log2_odds(match)) & (names_suffice | ~only_names)).astype(np.int32)
    bits = left_over_bits(records, policy.duplicate_free, kept.left[found], kept.right[found])
    contradictions, comparisons = policy.clustering.contradictions, scorer.model.comparisons
    usual = outweighed(contradictions, comparisons, thresholds, kept.scores.true)
    return replace(scorer.model, match=match, left_over=bits, names_suffice=names_suffice, outweighed=usual)


def concluded(
    table: pa.Table | pd.DataFrame,
    scorer: BoundScorer,
    plan: BlockingPlan,
    kept: Kept,
    counts: LevelCounts,
    *,
    rules: Sequence[report.Rule],
    pairs_by_rule: Sequence[int],
    decided: Decided,
    decisions: PlacedDecisions,
    stages: Stages,
    threads: int,
    progress: Progress,
    remember: bool,
) -> LinkResult:
    """Clusters, named tables and counts of scored pairs.

    Args:
        table: What is linked.
        scorer: Over all its records, with the model that scored.
        plan: What was decided about blocks.
        kept: The scored pairs.
        counts: Levels of all candidate pairs.
        rules: What is told of each blocking rule.
        pairs_by_rule: Pairs that each made first.
        decided: What was decided about pairs and parties.
        decisions: The same in positions.
        stages: The seconds so far.
        threads: How many to use.
        progress: Told the stage ``cluster``.
        remember: Whether to return a state.
    """
    policy, records, model = scorer.policy, scorer.records, scorer.model
    links = Links(kept.left, kept.right, kept.odds, kept.packed)
    with stages.stage("cluster"):
        divided = divide(scorer, links, decisions, threads=threads, progress=progress)
    with stages.stage("output"):
        clusters = clusters_frame(records, divided.member)
        pairs = pairs_frame(records, policy, scorer.comparer.packing, links, kept.weight)
        state = None
        if remember:
            state = LinkState(
                Rows.of(linked_columns(table, policy), effective_keys(policy, records, plan, threads)),
                plan,
                links,
                kept.weight,
                divided.component,
                divided.member,
                divided.figures,
                decided,
            )
    found = report.report(
        policy=policy,
        records=records,
        rules=rules,
        pairs_by_rule=pairs_by_rule,
        model=model,
        scores=kept.scores,
        member=divided.member,
    )
    together = divided.member[kept.left] == divided.member[kept.right]
    found["expected_linked"] = report.expected_of_linked(probability(kept.odds), together, kept.scores.true)
    found[COUNTS] = counts
    found["seconds"] = {name: round(value, 3) for name, value in stages.seconds.items()}
    return LinkResult(clusters, pairs, model, found, state)
