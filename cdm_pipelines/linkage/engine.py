"""Linking a table: the stages in their order.

Belongs here: ``link`` and ``fit``. Does not belong here: how any stage works.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage import report
from cdm_pipelines.linkage.blocking.binding import bind
from cdm_pipelines.linkage.blocking.pairs import Allowed, MadeBy, Maker, Pairs, stream
from cdm_pipelines.linkage.cluster.agglomerate import Labels
from cdm_pipelines.linkage.cluster.clusters import Links, clusters
from cdm_pipelines.linkage.cluster.components import components
from cdm_pipelines.linkage.cluster.constraints import Confirmed, Decided, alone, confirmed_groups, resolve
from cdm_pipelines.linkage.cluster.health import Figures
from cdm_pipelines.linkage.cluster.judging import judge, kept_apart
from cdm_pipelines.linkage.cluster.partners import left_over_bits
from cdm_pipelines.linkage.compare.comparers import Comparer, Packed
from cdm_pipelines.linkage.compare.spill import Spill
from cdm_pipelines.linkage.encode.keys import BlockingPlan
from cdm_pipelines.linkage.encode.positions import Pair, Positions
from cdm_pipelines.linkage.encode.records import Records, encode, linked_columns
from cdm_pipelines.linkage.encode.rows import Rows
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.incremental.state import LinkState, effective_keys
from cdm_pipelines.linkage.model.drift import COUNTS, Seen
from cdm_pipelines.linkage.model.fellegi_sunter import Floats, LinkageModel, Scorer, log2_odds
from cdm_pipelines.linkage.model.labels import resolve as resolve_labels
from cdm_pipelines.linkage.model.labels import with_labels
from cdm_pipelines.linkage.model.training import Counted, train
from cdm_pipelines.linkage.output import clusters_frame, pairs_frame
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.parallel import cores, in_order

Progress = Callable[[str, int], None]  # stage, pairs or records done
Share = Callable[[str, float], None]  # stage, share of it that is done


@dataclass(frozen=True)
class LinkResult:
    """What linking a table gives.

    Attributes:
        clusters: ``source``, ``record_id``, ``cluster_id``; one row per record, sorted. A cluster is named after its
            smallest record, ``source|record_id``.
        pairs: Pairs from the review threshold on: ``left_source``, ``left_id``, ``right_source``, ``right_id``,
        ``weight``
            (bits), ``probability``, and one level per comparison (-1 missing, 0 different).
        model: The model that scored them.
        report: Counts, parameters and seconds, for people and for metadata; holds no person's values.
        state: What linking the same records again after a few have changed starts from, where it was asked for.
    """

    clusters: pd.DataFrame
    pairs: pd.DataFrame
    model: LinkageModel
    report: dict[str, Any] = field(default_factory=dict)
    state: LinkState | None = None


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
    progress: Progress | None
    share: Share
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
        source = stream(self.makers, self.allowed, self.policy.chunk_pairs, partial(self.share, "compare"))
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
        done = 0
        while True:
            with self.stage("compare"):
                chunk = next(found, None)
            if chunk is None:
                return
            pairs, packed = chunk
            self.pairs_by_rule[int(pairs.rules[0] & -pairs.rules[0].astype(np.int64)).bit_length() - 1] += (
                len(packed)
            )
            done += len(packed)
            if self.progress is not None:
                self.progress("compare", done)
            yield pairs, packed


def _prepare(
    table: pa.Table | pd.DataFrame,
    policy: LinkagePolicy,
    *,
    progress: Progress | None,
    threads: int | None,
    share: Share = lambda *_: None,
    plan: BlockingPlan | None = None,
) -> _Work:
    threads = threads or cores()
    started = time.perf_counter()
    words = plan.words if plan else None
    records = encode(table, policy, threads, partial(share, "encode"), words)
    encoded = time.perf_counter()
    share("block", 0.0)
    makers, plan = bind(policy, records, threads, partial(share, "block"), plan)
    blocked = time.perf_counter()
    comparer = Comparer(records, policy)
    seconds = {
        "encode": encoded - started,
        "block": blocked - encoded,
        "compare": time.perf_counter() - blocked,
    }
    return _Work(
        policy,
        records,
        makers,
        comparer,
        Allowed(records, policy),
        seconds,
        [0] * len(makers),
        progress,
        share,
        threads,
        plan,
    )


def fit(
    table: pa.Table | pd.DataFrame,
    policy: LinkagePolicy,
    *,
    labels: pd.DataFrame | None = None,
    progress: Progress | None = None,
    threads: int | None = None,
) -> LinkageModel:
    """Fit a model, without labels or with some; see ``link``.

    Raises:
        LinkageError: The table does not have what the policy reads, or the labels cannot be used.
    """
    return _fitted(_prepare(table, policy, progress=progress, threads=threads), labels)[0]


def _fitted(work: _Work, labels: pd.DataFrame | None) -> tuple[LinkageModel, "_Kept"]:
    """The model fitted to the candidate pairs, and the pairs scored with it."""
    labelled = None if labels is None else resolve_labels(labels, work.policy, work.records, work.allowed)
    with Spill() as spill:
        counted = Counted(work.comparer, len(work.makers))
        for pairs, packed in work.compared():
            with work.stage("count"):
                spill.add(pairs.left, pairs.right, packed)
                counted.add(pairs, packed)
        work.share("fit", 0.0)
        with work.stage("fit"):
            patterns = counted.table()
            if labelled is not None and len(labelled[0]):
                patterns = with_labels(patterns, labelled, work.comparer, MadeBy(work.makers))
            model = train(
                work.policy, work.records, work.comparer, work.allowed, patterns, threads=work.threads
            )
        kept = _scored(work, model, spill.chunks(), fitted=True)
    thresholds = work.policy.thresholds
    match = kept.scores.threshold(thresholds.match, thresholds.expected_false_matches)
    found = kept.matches(work, match)
    bits = left_over_bits(work.records, work.policy.duplicate_free, kept.left[found], kept.right[found])
    return replace(model, match=match, left_over=bits), kept


def link(
    table: pa.Table | pd.DataFrame,
    policy: LinkagePolicy,
    *,
    model: LinkageModel | None = None,
    same: pd.DataFrame | None = None,
    different: pd.DataFrame | None = None,
    labels: pd.DataFrame | None = None,
    confirmed: pd.DataFrame | None = None,
    progress: Progress | None = None,
    share: Share = lambda *_: None,
    threads: int | None = None,
    plan: BlockingPlan | None = None,
    remember: bool = False,
) -> LinkResult:
    """Find the records that describe the same party.

    Args:
        table: Any table that has the columns which the policy maps.
        policy: How to link.
        model: A fitted model to score with; fitted to the table where none is given.
        same: Pairs that are the same party: ``left_source``, ``left_id``, ``right_source``, ``right_id``.
        different: Pairs that are not. Pairs of records that the table does not have are left out of account.
        labels: Pairs known to match or not: the columns of ``same``, and ``match`` (true or false). They
            teach the fit how matches agree; unlike ``same`` and ``different`` they decide nothing about their pair.
        confirmed: Records of confirmed parties: ``source``, ``record_id``, ``group``. Records of one group stay
            together, those of two groups apart, whatever they score.
        progress: Called with a stage and the number of pairs done.
        share: Called with a stage and the share of it that is done, from 0 to 1, for an estimate of the time left.
            Stages in their order: encode, block, compare, fit, score, cluster; with a model given, comparing scores.
        threads: How many to use, all cores by default; the result is the same.
        plan: What was decided about blocks when the model was fitted; part of every state.
        remember: Whether to return a state, with which ``relink`` links again what has changed.

    Raises:
        LinkageError: The table does not have what the policy reads, the model is of other comparisons, constraints
            contradict each other, or labels do, or there are labels and nothing to fit.
    """
    if model is not None and labels is not None:
        raise LinkageError("labels refine a fit: leave the model out, or the labels")
    work = _prepare(table, policy, progress=progress, threads=threads, share=share, plan=plan)
    groups = confirmed_groups(work.records, confirmed)
    decided = resolve(work.records, same, different, groups)
    if model is not None:
        model.check(policy, work.comparer)
        seen = Seen(work.comparer)
        chunks = seen.over((p.left, p.right, packed) for p, packed in work.compared())
        kept, counts = _scored(work, model, chunks), seen.counts
    else:
        model, kept = _fitted(work, labels)
        counts = model.training[COUNTS]
    with work.stage("cluster"):
        member, figures = _clustered(work, model, kept, decided, groups)
    with work.stage("output"):
        links = Links(kept.left, kept.right, kept.odds, kept.packed)
        result_clusters = clusters_frame(work.records, member)
        result_pairs = pairs_frame(work.records, policy, work.comparer.packing, links, kept.weight)
        state = None
        if remember:
            inputs = linked_columns(table, policy)
            state = _state(
                inputs,
                work,
                (links, kept.weight, member, figures),
                decided[0],
                Decided(same, different, confirmed),
            )
    found = report.report(
        policy=policy,
        records=work.records,
        makers=work.makers,
        pairs_by_rule=work.pairs_by_rule,
        model=model,
        scores=kept.scores,
        member=member,
    )
    found[COUNTS] = counts
    found["seconds"] = {name: round(value, 3) for name, value in work.seconds.items()}
    return LinkResult(result_clusters, result_pairs, model, found, state)


def _state(
    inputs: pa.Table,
    work: _Work,
    found: tuple[Links, Floats, Labels, Figures],
    same: Pair,
    decided: Decided,
) -> LinkState:
    links, weight, member, figures = found
    ends = (np.append(a, b) for a, b in zip((links.left, links.right), same, strict=True))
    return LinkState(
        Rows.of(inputs, effective_keys(work.policy, work.records, work.plan, work.threads)),
        work.plan,
        links,
        weight,
        components(len(work.records), *ends),
        member,
        figures,
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

    def matches(self, work: _Work, match: float) -> Positions:
        """Which of them are matches from this probability on."""
        likely = np.flatnonzero(self.odds >= log2_odds(match))
        enough = ~alone(work.policy, work.comparer.packing.unpack(self.packed[likely]))
        found: Positions = likely[enough].astype(np.int32)
        return found


def _scored(
    work: _Work,
    model: LinkageModel,
    chunks: Iterator[tuple[Positions, Positions, Packed]],
    *,
    fitted: bool = False,
) -> _Kept:
    scorer = Scorer(model, work.comparer)
    review = log2_odds(work.policy.thresholds.review)
    histogram = report.Histogram()
    pieces: list[tuple[Any, ...]] = []

    def score(chunk: tuple[Positions, Positions, Packed]) -> tuple[Floats, tuple[Any, ...]]:
        left, right, packed = chunk
        scores = scorer(left, right, packed)
        keep = np.flatnonzero(scores.odds >= review)
        return scores.odds, (left[keep], right[keep], packed[keep], scores.weight[keep], scores.odds[keep])

    with work.stage("score"):
        for odds, kept in in_order(score, chunks, work.threads):
            histogram.add(odds)
            pieces.append(kept)
            if fitted:
                work.share("score", int(histogram.counts.sum()) / sum(work.pairs_by_rule))
    empty = (np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    columns: list[Any] = [np.concatenate(parts) for parts in zip(empty, *pieces, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    left, right, packed, weight, odds = (column[order] for column in columns)
    return _Kept(left, right, packed, weight, odds, histogram)


def _clustered(
    work: _Work, model: LinkageModel, kept: _Kept, decided: tuple[Pair, Pair], groups: Confirmed | None
) -> tuple[Labels, Figures]:
    links = Links(kept.left, kept.right, kept.odds, kept.packed)
    judged = judge(work.policy, work.records, model, work.comparer, kept_apart(work.allowed, groups))
    return clusters(
        len(work.records),
        links,
        decided,
        match=log2_odds(model.match),
        review=log2_odds(work.policy.thresholds.review),
        policy=work.policy.clustering,
        judge=judged,
        threads=work.threads,
        seen=partial(work.share, "cluster"),
    )


__all__ = ["LinkResult", "LinkageError", "fit", "link"]
