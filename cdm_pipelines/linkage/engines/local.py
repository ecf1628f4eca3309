"""The engine of one process: the stages of linking in their order, on threads.

Belongs here: ``LocalEngine``, and ``link`` and ``fit``, which make one. Does not belong here: how any stage works.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage import report
from cdm_pipelines.linkage.blocking.binding import bind
from cdm_pipelines.linkage.blocking.pairs import Allowed, MadeBy, Maker, Pairs, stream
from cdm_pipelines.linkage.cluster.clusters import Links
from cdm_pipelines.linkage.cluster.constraints import Decided, PlacedDecisions, alone
from cdm_pipelines.linkage.cluster.divide import Divided, divide
from cdm_pipelines.linkage.cluster.partners import left_over_bits
from cdm_pipelines.linkage.compare.comparers import Comparer, Packed
from cdm_pipelines.linkage.compare.spill import Spill
from cdm_pipelines.linkage.encode.keys import BlockingPlan
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.encode.records import Records, encode, linked_columns
from cdm_pipelines.linkage.encode.rows import Rows
from cdm_pipelines.linkage.engines.base import LinkResult
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.incremental.record_changes import RecordChanges
from cdm_pipelines.linkage.incremental.relink import Relinked, relink
from cdm_pipelines.linkage.incremental.state import LinkState, effective_keys
from cdm_pipelines.linkage.model.decision import decide, outweighed
from cdm_pipelines.linkage.model.drift import COUNTS, LevelCounts, Seen
from cdm_pipelines.linkage.model.fellegi_sunter import Floats, LinkageModel, log2_odds, probability
from cdm_pipelines.linkage.model.labels import resolve as resolve_labels
from cdm_pipelines.linkage.model.labels import with_labels
from cdm_pipelines.linkage.model.scoring import BoundScorer, PairScorer
from cdm_pipelines.linkage.model.training import Counted, train
from cdm_pipelines.linkage.output import clusters_frame, pairs_frame
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.linkage.progress import Progress, silent
from cdm_pipelines.parallel import at_most, in_order


@dataclass
class _Work:
    """Records, rules and comparisons bound together, and the seconds each stage took."""

    policy: LinkagePolicy
    records: Records
    makers: list[Maker]
    comparer: Comparer
    allowed: Allowed
    seconds: dict[str, float]
    pairs_by_rule: list[int]
    progress: Progress
    threads: int
    plan: BlockingPlan
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

    def _blocked(self) -> Iterator[Pairs]:
        source = stream(self.makers, self.allowed, self.policy.chunk_pairs, self.progress)
        while True:
            with self.stage("block"):
                pairs = next(source, None)
            if pairs is None:
                return
            yield pairs

    def _packed(self, pairs: Pairs) -> tuple[Pairs, Packed]:
        return pairs, self.comparer.packed(pairs.left, pairs.right)

    def compared(self) -> Iterator[tuple[Pairs, Packed]]:
        """Candidate pairs with their patterns."""
        found = in_order(self._packed, self._blocked(), self.threads)
        while True:
            with self.stage("compare"):
                chunk = next(found, None)
            if chunk is None:
                return
            pairs, packed = chunk
            self.pairs_by_rule[int(pairs.rules[0] & -pairs.rules[0].astype(np.int64)).bit_length() - 1] += (
                len(packed)
            )
            yield pairs, packed


def _prepare(
    table: pa.Table | pd.DataFrame,
    policy: LinkagePolicy,
    *,
    progress: Progress,
    threads: int,
    plan: BlockingPlan | None = None,
) -> _Work:
    started = time.perf_counter()
    words = plan.words if plan else None
    records = encode(table, policy, threads, progress, words)
    encoded = time.perf_counter()
    progress("block", 0.0)
    makers, plan = bind(policy, records, threads, progress, plan)
    blocked = time.perf_counter()
    comparer = Comparer(records, policy)
    seconds = {
        "encode": encoded - started,
        "block": blocked - encoded,
        "compare": time.perf_counter() - blocked,
    }
    allowed, by_rule = Allowed(records, policy), [0] * len(makers)
    return _Work(policy, records, makers, comparer, allowed, seconds, by_rule, progress, threads, plan)


def _fitted(work: _Work, labels: pd.DataFrame | None) -> "tuple[LinkageModel, _Kept]":
    """The model fitted to the candidate pairs, and the pairs scored with it."""
    labelled = None if labels is None else resolve_labels(labels, work.policy, work.records, work.allowed)
    with Spill() as spill:
        counted = Counted(work.comparer, len(work.makers))
        for pairs, packed in work.compared():
            with work.stage("count"):
                spill.add(pairs.left, pairs.right, packed)
                counted.add(pairs, packed)
        work.progress("fit", 0.0)
        with work.stage("fit"):
            patterns = counted.table()
            if labelled is not None and len(labelled[0]):
                patterns = with_labels(patterns, labelled, work.comparer, MadeBy(work.makers))
            model = train(
                work.policy, work.records, work.comparer, work.allowed, patterns, threads=work.threads
            )
        kept = _scored(work, _scorer(work, model), spill.chunks(), fitted=True)
    thresholds = work.policy.thresholds
    asked = kept.scores.threshold(thresholds.match, thresholds.expected_false_matches)
    only_names = alone(work.policy, work.comparer.packing.unpack(kept.packed), names_suffice=False)
    match, names_suffice = decide(asked, thresholds, kept.odds, only_names, kept.scores.true)
    found = np.flatnonzero((kept.odds >= log2_odds(match)) & (names_suffice | ~only_names)).astype(np.int32)
    bits = left_over_bits(work.records, work.policy.duplicate_free, kept.left[found], kept.right[found])
    usual = outweighed(work.policy.clustering.contradictions, model.comparisons, thresholds, kept.scores.true)
    settled = replace(model, match=match, left_over=bits, names_suffice=names_suffice, outweighed=usual)
    return settled, kept


def _state(
    work: _Work, inputs: pa.Table, scored: tuple[Links, Floats], divided: Divided, decided: Decided
) -> LinkState:
    return LinkState(
        Rows.of(inputs, effective_keys(work.policy, work.records, work.plan, work.threads)),
        work.plan,
        *scored,
        divided.component,
        divided.member,
        divided.figures,
        decided,
    )


@dataclass(frozen=True)
class _Kept:
    """Pairs from the review threshold on, sorted, and the histogram of all pairs' odds."""

    left: Positions
    right: Positions
    packed: Packed
    weight: Floats
    odds: Floats
    scores: report.Histogram


def _scorer(work: _Work, model: LinkageModel) -> BoundScorer:
    return PairScorer(work.policy, model, work.plan.words).over(work.records, work.comparer)


def _scored(
    work: _Work,
    scorer: BoundScorer,
    chunks: Iterator[tuple[Positions, Positions, Packed]],
    *,
    fitted: bool = False,
) -> _Kept:
    review = log2_odds(work.policy.thresholds.review)
    histogram = report.Histogram()
    pieces: list[tuple[Any, ...]] = []

    def score(chunk: tuple[Positions, Positions, Packed]) -> tuple[Floats, tuple[Any, ...]]:
        left, right, packed = chunk
        scores = scorer.scores(left, right, packed)
        keep = np.flatnonzero(scores.odds >= review)
        return scores.odds, (left[keep], right[keep], packed[keep], scores.weight[keep], scores.odds[keep])

    with work.stage("score"):
        for odds, kept in in_order(score, chunks, work.threads):
            histogram.add(odds)
            pieces.append(kept)
            if fitted:
                work.progress("score", int(histogram.counts.sum()) / sum(work.pairs_by_rule))
    empty = (np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    columns: list[Any] = [np.concatenate(parts) for parts in zip(empty, *pieces, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    left, right, packed, weight, odds = (column[order] for column in columns)
    return _Kept(left, right, packed, weight, odds, histogram)


@dataclass(frozen=True)
class LocalEngine:
    """Links in this process.

    Attributes:
        threads: How many to use, all cores where not given; the result is the same.
    """

    threads: int | None = None

    def fit(
        self,
        table: pa.Table | pd.DataFrame,
        policy: LinkagePolicy,
        *,
        labels: pd.DataFrame | None = None,
        progress: Progress = silent,
    ) -> LinkageModel:
        """Fit a model; see ``Engine``."""
        with at_most(self.threads) as threads:
            return _fitted(_prepare(table, policy, progress=progress, threads=threads), labels)[0]

    def link(
        self,
        table: pa.Table | pd.DataFrame,
        policy: LinkagePolicy,
        *,
        model: LinkageModel | None = None,
        decided: Decided | None = None,
        labels: pd.DataFrame | None = None,
        progress: Progress = silent,
        plan: BlockingPlan | None = None,
        remember: bool = False,
    ) -> LinkResult:
        """Link a table; see ``Engine``."""
        if model is not None and labels is not None:
            raise LinkageError("labels refine a fit: leave the model out, or the labels")
        decided = decided or Decided()
        with at_most(self.threads) as threads:
            work = _prepare(table, policy, progress=progress, threads=threads, plan=plan)
            decisions = PlacedDecisions.of(work.records, decided)
            model, kept, counts = _modelled(work, model, labels)
            links = Links(kept.left, kept.right, kept.odds, kept.packed)
            with work.stage("cluster"):
                divided = divide(_scorer(work, model), links, decisions, threads=threads, progress=progress)
            with work.stage("output"):
                clusters = clusters_frame(work.records, divided.member)
                pairs = pairs_frame(work.records, policy, work.comparer.packing, links, kept.weight)
                state = None
                if remember:
                    inputs = linked_columns(table, policy)
                    state = _state(work, inputs, (links, kept.weight), divided, decided)
            found = report.report(
                policy=policy,
                records=work.records,
                makers=work.makers,
                pairs_by_rule=work.pairs_by_rule,
                model=model,
                scores=kept.scores,
                member=divided.member,
            )
        together = divided.member[kept.left] == divided.member[kept.right]
        found["expected_linked"] = report.expected_of_linked(
            probability(kept.odds), together, kept.scores.true
        )
        found[COUNTS] = counts
        found["seconds"] = {name: round(value, 3) for name, value in work.seconds.items()}
        return LinkResult(clusters, pairs, model, found, state)

    def relink(
        self,
        changes: RecordChanges,
        policy: LinkagePolicy,
        model: LinkageModel,
        before: LinkState,
        *,
        decided: Decided | None = None,
    ) -> Relinked:
        """Link what has changed since a state; see ``Engine``."""
        with at_most(self.threads):
            return relink(changes, policy, model, before, decided=decided)


def _modelled(
    work: _Work, model: LinkageModel | None, labels: pd.DataFrame | None
) -> tuple[LinkageModel, _Kept, LevelCounts]:
    """The model, the pairs that it scored, and counts of the levels of all candidate pairs."""
    if model is None:
        fitted, kept = _fitted(work, labels)
        return fitted, kept, fitted.training[COUNTS]
    scorer = _scorer(work, model)
    seen = Seen(work.comparer)
    chunks = seen.over((p.left, p.right, packed) for p, packed in work.compared())
    return model, _scored(work, scorer, chunks), seen.counts


def fit(
    table: pa.Table | pd.DataFrame,
    policy: LinkagePolicy,
    *,
    labels: pd.DataFrame | None = None,
    progress: Progress = silent,
    threads: int | None = None,
) -> LinkageModel:
    """Fit a model in this process; see ``Engine.fit``."""
    return LocalEngine(threads).fit(table, policy, labels=labels, progress=progress)


def link(
    table: pa.Table | pd.DataFrame,
    policy: LinkagePolicy,
    *,
    model: LinkageModel | None = None,
    same: pd.DataFrame | None = None,
    different: pd.DataFrame | None = None,
    confirmed: pd.DataFrame | None = None,
    labels: pd.DataFrame | None = None,
    progress: Progress = silent,
    threads: int | None = None,
    plan: BlockingPlan | None = None,
    remember: bool = False,
) -> LinkResult:
    """Find the records that describe the same party, in this process; see ``Engine.link``.

    Args:
        table: Any table that has the columns which the policy maps.
        policy: How to link.
        model: A fitted model to score with; fitted to the table where none is given.
        same: Pairs that are the same party: ``left_source``, ``left_id``, ``right_source``, ``right_id``.
        different: Pairs that are not.
        confirmed: Records of confirmed parties: ``source``, ``record_id``, ``group``. Records of one group stay
            together, those of two groups apart, whatever they score.
        labels: Pairs known to match or not: the columns of ``same``, and ``match`` (true or false).
        progress: Told stages and shares of them, for an estimate of the time left.
        threads: How many to use, all cores by default; the result is the same.
        plan: What was decided about blocks when the model was fitted; part of every state.
        remember: Whether to return a state, with which ``relink`` links again what has changed.

    Raises:
        LinkageError: The table does not have what the policy reads, the model is of other comparisons, constraints
            contradict each other, or labels do, or there are labels and nothing to fit.
    """
    decided = Decided(same, different, confirmed)
    return LocalEngine(threads).link(
        table,
        policy,
        model=model,
        decided=decided,
        labels=labels,
        progress=progress,
        plan=plan,
        remember=remember,
    )
