"""Linking the records of one kind: all of them, or what has changed since the last time.

Belongs here: what is given to the engine, and what comes back in the form of the published tables. Does not belong
here: when a model is fitted and where the outcome goes (steps.linking.parties).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import PartyKind, SourceContract
from cdm_pipelines.identity.constraints import Constraints
from cdm_pipelines.linkage import LinkageModel, LinkagePolicy, LocalEngine, report
from cdm_pipelines.linkage.cluster.clusters import Links
from cdm_pipelines.linkage.cluster.constraints import Decided
from cdm_pipelines.linkage.compare.comparers import Packing
from cdm_pipelines.linkage.encode.keys import BlockingPlan
from cdm_pipelines.linkage.encode.records import Records, linked_columns, ordered_records
from cdm_pipelines.linkage.explain.pair import unlinkable_share
from cdm_pipelines.linkage.incremental.record_changes import RecordChanges
from cdm_pipelines.linkage.incremental.relink import EverythingError, Relinked
from cdm_pipelines.linkage.incremental.state import LinkState
from cdm_pipelines.linkage.model.drift import COUNTS
from cdm_pipelines.linkage.output import clusters_frame, clusters_table, pairs_frame
from cdm_pipelines.linkage.progress import Progress
from cdm_pipelines.privacy.given import Withheld
from cdm_pipelines.settings import Settings
from cdm_pipelines.standardise.placeholders import Placeholders
from cdm_pipelines.steps.linking.engine import engine_of
from cdm_pipelines.steps.linking.inputs import (
    changed_records,
    digests,
    merged_in_source,
    not_compared,
    party_records,
    said_by_sources,
)
from cdm_pipelines.steps.linking.state import KeptState
from cdm_pipelines.store.frames import TEXT, to_table
from cdm_pipelines.store.keys import composite, composite_keys
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.secret import Secret

_CLUSTER_KEY, _PAIR_KEY = ["source", "record_id"], ["left_source", "left_id", "right_source", "right_id"]


@dataclass(frozen=True)
class Difference:
    """What changed in the published tables: rows to write and keys of rows to take away."""

    clusters: pa.Table
    clusters_gone: pa.Table
    pairs: pa.Table
    pairs_gone: pa.Table


@dataclass(frozen=True)
class KindLinked:
    """The records of one kind, linked.

    Attributes:
        kind: Which.
        policy: How.
        model: With which model.
        state: What the next run starts from.
        records: Sources and ids of all its records.
        former: The state that was started from; None where everything was linked without one.
        changed: Records that are new, have other values or are gone; None where everything was linked.
        difference: What changed since the former state; None where everything was linked.
        report: Counts, as ``LinkResult`` has them, of the pairs that were compared.
        seconds: It took.
        unlinkable: Share of records that no copy of themselves would match; None where it was not asked.
        why_everything: Why all records were linked; empty where only what has changed was.
        shared: Keyed digests of values that weighed nothing since too many unlike names share them.
        withheld: What tells which values were not compared: for no purpose that lets them be, or for being shared.
    """

    kind: PartyKind
    policy: LinkagePolicy
    model: LinkageModel
    state: LinkState
    records: Records
    former: KeptState | None
    changed: int | None
    difference: Difference | None
    report: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    unlinkable: float | None = None
    why_everything: str = ""
    shared: tuple[str, ...] = ()
    withheld: str = ""

    @property
    def unchanged(self) -> bool:
        """Whether records and decisions are those of the former state."""
        if self.changed != 0 or self.former is None:
            return False
        now, before = self.state.decisions(), self.former.state.decisions()
        return all(now[name].equals(before[name]) for name in now)

    @cached_property
    def clusters(self) -> pa.Table:
        """The cluster of every record."""
        return _table(clusters_frame(self.records, self.state.member))

    @cached_property
    def pairs(self) -> pa.Table:
        """All pairs from the review threshold on."""
        return _pairs(self.records, self.policy, self.model, self.state.links, self.state.weight)


def link_everything(
    lake: Lake,
    kind: PartyKind,
    policy: LinkagePolicy,
    model: LinkageModel | None,
    before: KeptState | None,
    *,
    plan: BlockingPlan | None,
    why: str,
    decided: Constraints,
    labels: pd.DataFrame | None,
    progress: Progress,
    settings: Settings,
    contracts: Sequence[SourceContract] | None = None,
) -> KindLinked | None:
    """Link all records of a kind; None where there are none: a model fitted to nothing would be kept.

    ``labels`` are pairs of records of any kind with ``match``, from which a fit learns. Blocks are made as ``plan``
    says; where it is None that is decided anew.
    """
    started = time.perf_counter()
    withheld = not_compared(settings, policy, contracts)
    read = party_records(lake, kind, policy, unlike_names(settings), withheld)
    records = read.rows
    if not records.num_rows:
        return None
    known = known_decisions(decided, merged_in_source(records))
    result = engine_of(settings).link(
        records,
        policy,
        model=model,
        decided=known,
        labels=_labels_of(records, labels, policy) if model is None and labels is not None else None,
        progress=progress,
        plan=plan,
        remember=True,
    )
    assert result.state is not None  # noqa: S101 - it was asked for
    return KindLinked(
        kind,
        policy,
        result.model,
        result.state,
        ordered_records(result.state.rows.records(columns=policy.key_columns), policy),
        before,
        None,
        None,
        result.report,
        time.perf_counter() - started,
        unlinkable_share(records, policy, result.model),
        why,
        tuple(digests(read.shared, Secret.of(settings.home))),
        _not_counted(withheld, unlike_names(settings)),
    )


def link_changes(
    lake: Lake,
    kind: PartyKind,
    policy: LinkagePolicy,
    model: LinkageModel,
    before: KeptState,
    *,
    decided: Constraints,
    settings: Settings,
    contracts: Sequence[SourceContract] | None = None,
) -> KindLinked:
    """Link what has changed since a state.

    Raises:
        EverythingError: The outcome can only be told by linking everything; the message says why.
    """
    started = time.perf_counter()
    most, secret = unlike_names(settings), Secret.of(settings.home)
    withheld = not_compared(settings, policy, contracts)
    changes = None  # what records may be compared by has changed, though they have not
    if before.withheld == _not_counted(withheld, most):
        changes = changed_records(
            lake, kind, policy, before.parties, most, withheld=withheld, before=before.shared, secret=secret
        )
    rows = before.state.rows
    if changes is None:
        everybody = party_records(lake, kind, policy, most, withheld)
        shared = tuple(digests(everybody.shared, secret))
        found = RecordChanges.between(rows, linked_columns(everybody.rows, policy), policy)
    else:
        shared = changes.shared
        found = RecordChanges.by(rows, linked_columns(changes.rows, policy), changes.gone, policy)
    done = LocalEngine(settings.threads).relink(
        found,
        policy,
        model,
        before.state,
        decided=known_decisions(decided, said_by_sources(lake, kind)),
    )
    return KindLinked(
        kind,
        policy,
        model,
        done.state,
        done.records,
        before,
        len(done.changed) + len(done.gone),
        _difference(policy, model, before.state, found, done),
        _report(policy, model, done),
        time.perf_counter() - started,
        shared=shared,
        withheld=_not_counted(withheld, most),
    )


def unlike_names(settings: Settings) -> int:
    """From how many unlike names on a value weighs nothing."""
    return Placeholders.load(settings.policies).unlike_names


def _not_counted(withheld: Withheld, most: int) -> str:
    """What tells whether records may count by other values than before though they have not changed."""
    return f"{withheld.fingerprint} {most}".strip()


def _labels_of(records: pa.Table, labels: pd.DataFrame, policy: LinkagePolicy) -> pd.DataFrame | None:
    """Those labels that are of pairs which linking may make; None where there are none."""
    known = composite(records["source"], records["record_id"])
    there = np.ones(len(labels), dtype=bool)
    for side in ("left", "right"):
        names = composite(*(pa.array(labels[f"{side}_{part}"], pa.string()) for part in ("source", "id")))
        there &= pc.is_in(names, value_set=known).to_numpy(zero_copy_only=False)
    within = (labels["left_source"] == labels["right_source"]) & labels["left_source"].isin(
        policy.duplicate_free
    )
    found = labels[there & ~within.to_numpy()]
    return found if len(found) else None


def known_decisions(decided: Constraints, merged: pa.Table) -> Decided:
    """What stewards decided, and what sources merged where no steward knows better."""
    same = pd.concat([decided.same, decided.allowed(merged.to_pandas())], ignore_index=True)
    return Decided(same, decided.different, decided.confirmed)


def _difference(
    policy: LinkagePolicy, model: LinkageModel, before: LinkState, changes: RecordChanges, done: Relinked
) -> Difference:
    """Rows of both tables that are not as they were."""
    state, affected = done.state, done.affected
    former = changes.former
    clusters = clusters_table(done.records, state.member, affected)
    at = changes.old_of_new[affected]
    were = clusters_table(former, before.member, at[at >= 0])["cluster_id"].combine_chunks()
    place = np.cumsum(at >= 0) - 1
    names = were.take(pa.array(place, mask=at < 0))
    renamed = pc.fill_null(pc.not_equal(clusters["cluster_id"], names), True)

    is_changed = np.zeros(len(done.records), dtype=bool)
    is_changed[done.changed] = True
    new = np.flatnonzero(is_changed[state.links.left] | is_changed[state.links.right])
    old = np.flatnonzero(changes.stale[before.links.left] | changes.stale[before.links.right])
    pairs = _pairs(done.records, policy, model, state.links.at(new), state.weight[new])
    pairs_were = _pairs(former, policy, model, before.links.at(old), before.weight[old]).select(_PAIR_KEY)
    still = pc.is_in(composite_keys(pairs_were, *_PAIR_KEY), value_set=composite_keys(pairs, *_PAIR_KEY))
    return Difference(
        clusters.filter(renamed),
        clusters_table(former, before.member, done.gone).select(_CLUSTER_KEY),
        pairs,
        pairs_were.filter(pc.invert(still)),
    )


def _pairs(
    records: Records, policy: LinkagePolicy, model: LinkageModel, links: Links, weight: np.ndarray
) -> pa.Table:
    packing = Packing([len(one.labels) for one in model.comparisons.values()])
    return _table(pairs_frame(records, policy, packing, links, weight))


def _report(policy: LinkagePolicy, model: LinkageModel, done: Relinked) -> dict[str, Any]:
    """What can be told of the pairs that were compared."""
    sizes = np.bincount(np.bincount(done.state.member))
    return {
        "records": len(done.records),
        "clusters": int(sizes[1:].sum()),
        "cluster_sizes": {str(size): int(count) for size, count in enumerate(sizes) if size and count},
        "pairs": done.compared,
        "rules": [],
        "odds": {str(low): count for low, count in done.scores.steps().items()},
        "expected_curve": done.scores.curve(),
        COUNTS: done.levels,
        "thresholds": {"match": model.match, "review": policy.thresholds.review},
        "comparisons": report.parameters(model),
        "seconds": done.seconds,
    }


def _table(frame: pd.DataFrame) -> pa.Table:
    categories = {name: TEXT for name, kind in frame.dtypes.items() if kind == "category"}
    return to_table(frame.astype(categories))


__all__ = ["Difference", "EverythingError", "KindLinked", "link_changes", "link_everything"]
