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

from cdm_pipelines.ingest.lake import to_frame
from cdm_pipelines.linkage import report
from cdm_pipelines.linkage.agglomerate import Evidence, Labels
from cdm_pipelines.linkage.blocking import Allowed, Maker, Pairs, Positions, bind, stream
from cdm_pipelines.linkage.cluster import Judge, Links, Pair, clusters
from cdm_pipelines.linkage.comparers import Comparer, Packed
from cdm_pipelines.linkage.constraints import (
    Confirmed,
    alone,
    confirmed_apart,
    confirmed_groups,
    resolve,
    votes,
)
from cdm_pipelines.linkage.encode import Records, encode
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.model import Floats, LinkageModel, Scorer, probability
from cdm_pipelines.linkage.policy import LinkagePolicy
from cdm_pipelines.linkage.spill import Spill
from cdm_pipelines.linkage.training import Counted, train
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
    """

    clusters: pd.DataFrame
    pairs: pd.DataFrame
    model: LinkageModel
    report: dict[str, Any] = field(default_factory=dict)


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
    progress: Progress | None,
    threads: int | None,
    share: Share = lambda *_: None,
) -> _Work:
    threads = threads or cores()
    started = time.perf_counter()
    records = encode(table, policy, threads, partial(share, "encode"))
    encoded = time.perf_counter()
    share("block", 0.0)
    makers = bind(policy, records, threads, partial(share, "block"))
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
    )


def fit(
    table: pa.Table | pd.DataFrame,
    policy: LinkagePolicy,
    *,
    progress: Progress | None = None,
    threads: int | None = None,
) -> LinkageModel:
    """Fit a model without labels.

    Raises:
        LinkageError: The table does not have what the policy reads.
    """
    return _fitted(_prepare(table, policy, progress, threads))[0]


def _fitted(work: _Work) -> tuple[LinkageModel, "_Kept"]:
    """The model fitted to the candidate pairs, and the pairs scored with it."""
    with Spill() as spill:
        counted = Counted(work.comparer, len(work.makers))
        for pairs, packed in work.compared():
            with work.stage("count"):
                spill.add(pairs.left, pairs.right, packed)
                counted.add(pairs, packed)
        work.share("fit", 0.0)
        with work.stage("fit"):
            model = train(
                work.policy, work.records, work.comparer, work.allowed, counted.table(), threads=work.threads
            )
        kept = _scored(work, model, spill.chunks(), fitted=True)
    thresholds = work.policy.thresholds
    match = kept.scores.threshold(thresholds.match, thresholds.expected_false_matches)
    return replace(model, match=match), kept


def link(
    table: pa.Table | pd.DataFrame,
    policy: LinkagePolicy,
    *,
    model: LinkageModel | None = None,
    same: pd.DataFrame | None = None,
    different: pd.DataFrame | None = None,
    confirmed: pd.DataFrame | None = None,
    progress: Progress | None = None,
    share: Share = lambda *_: None,
    threads: int | None = None,
) -> LinkResult:
    """Find the records that describe the same party.

    Args:
        table: Any table that has the columns which the policy maps.
        policy: How to link.
        model: A fitted model to score with; fitted to the table where none is given.
        same: Pairs that are the same party: ``left_source``, ``left_id``, ``right_source``, ``right_id``.
        different: Pairs that are not. Pairs of records that the table does not have are left out of account.
        confirmed: Records of confirmed parties: ``source``, ``record_id``, ``group``. Records of one group stay
            together, those of two groups apart, whatever they score.
        progress: Called with a stage and the number of pairs done.
        share: Called with a stage and the share of it that is done, from 0 to 1, for an estimate of the time left.
            Stages in their order: encode, block, compare, fit, score, cluster; with a model given, comparing scores.
        threads: How many to use, all cores by default; the result is the same.

    Raises:
        LinkageError: The table does not have what the policy reads, the model is of other comparisons, or constraints
            contradict each other.
    """
    work = _prepare(table, policy, progress, threads, share)
    groups = confirmed_groups(work.records, confirmed)
    decided = resolve(work.records, same, different, groups)
    if model is not None:
        model.check(policy, work.comparer)
        kept = _scored(work, model, ((p.left, p.right, packed) for p, packed in work.compared()))
    else:
        model, kept = _fitted(work)
    with work.stage("cluster"):
        member = _clustered(work, model, kept, decided, groups)
    with work.stage("output"):
        result_clusters, result_pairs = _clusters_frame(work.records, member), _pairs_frame(work, kept)
    found = report.report(
        policy=policy,
        records=work.records,
        makers=work.makers,
        pairs_by_rule=work.pairs_by_rule,
        model=model,
        scores=kept.scores,
        member=member,
    )
    found["seconds"] = {name: round(value, 3) for name, value in work.seconds.items()}
    return LinkResult(result_clusters, result_pairs, model, found)


@dataclass(frozen=True)
class _Kept:
    """Pairs from the review threshold on, sorted, and the histogram of all pairs' odds."""

    left: Positions
    right: Positions
    packed: Packed
    weight: Floats
    odds: Floats
    scores: report.Histogram


def _scored(
    work: _Work,
    model: LinkageModel,
    chunks: Iterator[tuple[Positions, Positions, Packed]],
    *,
    fitted: bool = False,
) -> _Kept:
    scorer = Scorer(model, work.comparer)
    review = _odds(work.policy.thresholds.review)
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


def _odds(probability: float) -> float:
    return float(np.log2(probability / (1 - probability)))


def _clustered(
    work: _Work, model: LinkageModel, kept: _Kept, decided: tuple[Pair, Pair], groups: Confirmed | None
) -> Labels:
    scorer = Scorer(model, work.comparer)

    def evidence(left: Positions, right: Positions, packed: Packed) -> Evidence:
        levels = work.comparer.packing.unpack(packed)
        odds = np.where(alone(work.policy, levels), -np.inf, scorer(left, right, packed).odds)
        apart = ~work.allowed(left, right) | confirmed_apart(groups, left, right)
        return Evidence(odds, *scorer.evidence(left, right, packed), apart, votes(work.policy, levels))

    judge = Judge(work.comparer.packed, evidence, scorer.scores)
    links = Links(kept.left, kept.right, kept.odds, kept.packed)
    return clusters(
        len(work.records),
        links,
        decided,
        match=_odds(model.match),
        policy=work.policy.clustering,
        judge=judge,
        threads=work.threads,
        seen=partial(work.share, "cluster"),
    )


def _clusters_frame(records: Records, member: Labels) -> pd.DataFrame:
    source = pa.DictionaryArray.from_arrays(pa.array(records.source), pa.array(records.sources, pa.string()))
    source = source.dictionary_decode() if len(records) else pa.array([], pa.string())
    names = pa.compute.binary_join_element_wise(source, records.ids, "|")
    return to_frame(
        pa.table({"source": source, "record_id": records.ids, "cluster_id": names.take(pa.array(member))})
    )


def _pairs_frame(work: _Work, kept: _Kept) -> pd.DataFrame:
    records = work.records
    sources = pa.array(records.sources, pa.string())
    columns: dict[str, Any] = {}
    for side, positions in (("left", kept.left), ("right", kept.right)):
        columns[f"{side}_source"] = sources.take(pa.array(records.source[positions]))
        columns[f"{side}_id"] = records.ids.take(pa.array(positions))
    frame = to_frame(pa.table(columns))
    frame["weight"], frame["probability"] = kept.weight, probability(kept.odds)
    levels = work.comparer.packing.unpack(kept.packed)
    for number, name in enumerate(work.policy.comparisons):
        frame[name] = levels[:, number]
    return frame


__all__ = ["LinkResult", "LinkageError", "fit", "link"]
