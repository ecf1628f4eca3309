"""Linking again after some records have changed: what did not change is not compared again.

Belongs here: which records, pairs and components a change affects, and working those anew. Does not belong here: how a
pair is scored (model) or a component is divided (cluster).

The outcome is that of linking everything under the same model, plan and decisions, because

- a pair depends on its two records alone, given the model and the plan for blocks: pairs of two unchanged records
  stand;
- a component depends on its records, its links and its decisions alone: only components that have, or had, a changed
  record or a changed decision are divided anew.

What a plan does not foresee, a block that grows beyond the limit or shrinks below it, changes pairs of unchanged
records. Then, and for rules that look at more than the records themselves, everything is linked.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cdm_pipelines.linkage.blocking.pairs import Allowed
from cdm_pipelines.linkage.cluster.agglomerate import Labels
from cdm_pipelines.linkage.cluster.clusters import Links
from cdm_pipelines.linkage.cluster.constraints import (
    Decided,
    PlacedDecisions,
    confirmed_groups,
    decision_places,
    resolve,
)
from cdm_pipelines.linkage.cluster.divide import Divided, divide
from cdm_pipelines.linkage.cluster.health import Figures
from cdm_pipelines.linkage.compare.comparers import Packed, Packing
from cdm_pipelines.linkage.encode.hashes import Hashes
from cdm_pipelines.linkage.encode.positions import Flags, Pair, Places, Positions
from cdm_pipelines.linkage.encode.records import Records, encode, ordered_records
from cdm_pipelines.linkage.encode.rows import Piece, Rows
from cdm_pipelines.linkage.incremental.record_changes import RecordChanges
from cdm_pipelines.linkage.incremental.state import LinkState, effective_keys
from cdm_pipelines.linkage.model.drift import LevelCounts, Seen
from cdm_pipelines.linkage.model.fellegi_sunter import Floats, LinkageModel, log2_odds
from cdm_pipelines.linkage.model.scoring import PairScorer
from cdm_pipelines.linkage.output import clusters_frame, pairs_frame
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.linkage.report import Histogram
from cdm_pipelines.parallel import in_order


class EverythingError(Exception):
    """The change cannot be worked by itself; the message says why."""


@dataclass(frozen=True)
class Relinked:
    """What linking again did.

    Attributes:
        state: The new state.
        records: Sources and ids of all records.
        changed: Positions of records that are new or have other values.
        gone: Former positions of records that are gone.
        compared: Number of pairs that were compared.
        scores: Their odds.
        levels: Their levels.
        affected: Positions of records whose component was divided anew.
        seconds: By stage.
    """

    state: LinkState
    records: Records
    changed: Places
    gone: Places
    compared: int
    scores: Histogram
    levels: LevelCounts
    affected: Places
    seconds: dict[str, float]

    def clusters(self) -> pd.DataFrame:
        """All clusters, as ``LinkResult`` has them."""
        return clusters_frame(self.records, self.state.member)

    def pairs(self, policy: LinkagePolicy, model: LinkageModel) -> pd.DataFrame:
        """All pairs from the review threshold on, as ``LinkResult`` has them."""
        packing = Packing([len(one.labels) for one in model.comparisons.values()])
        return pairs_frame(self.records, policy, packing, self.state.links, self.state.weight)


def relink(
    changes: RecordChanges,
    policy: LinkagePolicy,
    model: LinkageModel,
    before: LinkState,
    *,
    decided: Decided | None = None,
) -> Relinked:
    """Link what has changed since a state; the outcome is that of ``link`` on all records.

    Args:
        changes: What has changed since the state.
        policy: The policy of the state.
        model: The model of the state.
        before: The state.
        decided: All pairs that are now decided to be the same party, or not to be.

    Raises:
        EverythingError: The change cannot be worked by itself; link everything.
        LinkageError: As ``link``.
    """
    seconds: dict[str, float] = {}
    decided = decided or Decided()
    scorer = PairScorer(policy, model, before.plan.words)
    _check(policy)
    with _timed(seconds, "block"):
        rows = _rows(policy, before, changes)
        records = ordered_records(rows.records(columns=policy.key_columns), policy)
        left, right = _pairs(policy, before, rows, changes)
        allowed = Allowed(records, policy)(left, right)
        left, right = left[allowed], right[allowed]
    with _timed(seconds, "compare"):
        new = _scored(rows, scorer, (left, right))
        links, weight = _merged(before, changes, new.links, new.weight)
    with _timed(seconds, "cluster"):
        affected = _affected(before, changes, records, new.links, decided)
        divided = _divided_anew(scorer, rows, affected, links, decided)
        component, member, figures = _placed(before, changes, affected, divided)
    state = LinkState(rows, before.plan, links, weight, component, member, figures, decided)
    gone = np.flatnonzero(changes.new_of_old < 0)
    return Relinked(
        state, records, changes.changed, gone, len(left), new.scores, new.levels, affected, seconds
    )


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - started, 3)


def _check(policy: LinkagePolicy) -> None:
    for rule in policy.blocking:
        if rule.window or rule.algorithm:
            raise EverythingError(f"blocking rule {rule.label!r} looks at more than the records themselves")


def _rows(policy: LinkagePolicy, before: LinkState, changes: RecordChanges) -> Rows:
    """All records, with keys made for those that changed."""
    if not changes.any:
        return before.rows
    records = encode(changes.rows, policy, words=before.plan.words)
    made = Piece(changes.rows, effective_keys(policy, records, before.plan))
    return before.rows.replaced(changes.old_of_new, changes.changed, made)


def _pairs(
    policy: LinkagePolicy, before: LinkState, rows: Rows, changes: RecordChanges
) -> tuple[Positions, Positions]:
    """Candidate pairs with a changed record, each once, left < right, in order."""
    changed = np.zeros(len(changes.old_of_new), dtype=bool)
    changed[changes.changed] = True
    stale = np.flatnonzero(changes.stale)

    def of_rule(number: int) -> Places:
        rule = policy.blocking[number]
        largest = rule.max_block_size or policy.max_block_size
        former, latter = before.rows.keys(number, stale).ravel(), rows.keys(number, changes.changed).ravel()
        affected = np.unique(np.append(former, latter))
        affected = affected[affected > 0]
        record, key = rows.holding(number, affected)
        block = np.searchsorted(affected, key)
        grown = _counted(latter, affected) - _counted(former, affected)
        return _pairs_of_rule(rule.label, largest, (record, block), grown, changed)

    made = in_order(of_rule, range(len(policy.blocking)))
    found = np.unique(np.concatenate([np.zeros(0, np.int64), *made]))
    left, right = np.divmod(found, max(len(changed), 1))
    return left.astype(np.int32), right.astype(np.int32)


def _pairs_of_rule(
    label: str, largest: int, held: tuple[Places, Places], grown: Places, changed: Flags
) -> Places:
    """Pairs of one rule, packed as left x records + right.

    Args:
        label: Of the rule.
        largest: Blocks with more records make no pairs.
        held: Records in the blocks that a change affects, and which block each is in.
        grown: By how many records each of these blocks has grown.
        changed: Per record.
    """
    record, block = held
    sizes = np.bincount(block, minlength=len(grown))
    if ((sizes > largest) != (sizes - grown > largest)).any():
        raise EverythingError(
            f"a block of rule {label!r} has grown beyond {largest} records, or is no longer so large"
        )
    order = np.lexsort((record, block))
    record, block = record[order], block[order]
    starts = np.searchsorted(block, np.arange(len(grown)))
    mine = np.flatnonzero(changed[record] & (sizes[block] > 1) & (sizes[block] <= largest))
    counts = sizes[block[mine]]
    one = np.repeat(record[mine], counts)
    within = np.arange(len(one)) - np.repeat(np.cumsum(counts) - counts, counts)
    other = record[np.repeat(starts[block[mine]], counts) + within]
    apart = one != other
    low, high = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
    return np.unique(low * len(changed) + high)


def _counted(keys: Hashes, affected: Hashes) -> Places:
    return np.bincount(np.searchsorted(affected, keys[keys > 0]), minlength=len(affected))


@dataclass(frozen=True)
class _New:
    """Pairs with a changed record: those from the review threshold on, and counts of all."""

    links: Links
    weight: Floats
    scores: Histogram
    levels: LevelCounts


def _scored(rows: Rows, scorer: PairScorer, pairs: Pair) -> _New:
    left, right = pairs
    some = np.unique(np.append(left, right))
    bound = scorer.over(scorer.encode(rows.records(some)))
    review = log2_odds(scorer.policy.thresholds.review)
    seen, scores = Seen(bound.comparer), Histogram()

    def compared() -> Iterator[tuple[Positions, Positions, Packed]]:
        for start in range(0, len(left), scorer.policy.chunk_pairs):
            chunk = slice(start, start + scorer.policy.chunk_pairs)
            a, b = (np.searchsorted(some, side[chunk]).astype(np.int32) for side in (left, right))
            yield a, b, bound.packed(a, b)

    pieces = [Links(left[:0], right[:0], np.zeros(0), np.zeros(0, np.int64))]
    weights = [np.zeros(0)]
    for a, b, packed in seen.over(compared()):
        weight, odds = bound.scores(a, b, packed)
        scores.add(odds)
        keep = np.flatnonzero(odds >= review)
        ends = [some[side[keep]].astype(np.int32) for side in (a, b)]
        pieces.append(Links(ends[0], ends[1], odds[keep], packed[keep]))
        weights.append(weight[keep])
    return _New(_joined(pieces), np.concatenate(weights), scores, seen.counts)


def _joined(pieces: list[Links]) -> Links:
    names = ("left", "right", "odds", "packed")
    return Links(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in names))


def _merged(before: LinkState, changes: RecordChanges, found: Links, weight: Floats) -> tuple[Links, Floats]:
    """Former links of unchanged records, and new ones, in order."""
    old = before.links
    stand = np.flatnonzero(~(changes.stale[old.left] | changes.stale[old.right]))
    left, right = (changes.new_of_old[side[stand]].astype(np.int32) for side in (old.left, old.right))
    # Both are in order, and stay so when records move up: the few are put between the many.
    stay = (left.astype(np.int64) << 32) | right
    come = (found.left.astype(np.int64) << 32) | found.right
    place = np.searchsorted(stay, come)
    links = Links(
        np.insert(left, place, found.left),
        np.insert(right, place, found.right),
        np.insert(old.odds[stand], place, found.odds),
        np.insert(old.packed[stand], place, found.packed),
    )
    return links, np.insert(before.weight[stand], place, weight)


def _affected(
    before: LinkState, changes: RecordChanges, records: Records, found: Links, decided: Decided
) -> Places:
    """Records whose component may be another one now."""
    dirty = np.zeros(len(records), dtype=bool)
    dirty[changes.changed] = dirty[found.left] = dirty[found.right] = True
    dirty[decision_places(records, before.decided, decided)] = True
    # A record may be new that was decided about before it came.
    groups = confirmed_groups(records, decided.confirmed)
    one, other = resolve(records, decided.same, None, groups)[0]
    joined = dirty[one] | dirty[other]
    dirty[one[joined]] = dirty[other[joined]] = True
    # Components of former times that have, or had, such a record.
    former = np.zeros(len(changes.new_of_old), dtype=bool)
    former[before.component[changes.stale]] = True
    there = changes.old_of_new[dirty]
    former[before.component[there[there >= 0]]] = True
    members = changes.new_of_old[former[before.component]]
    dirty[members[members >= 0]] = True
    return np.flatnonzero(dirty)


def _divided_anew(
    scorer: PairScorer, rows: Rows, affected: Places, links: Links, decided: Decided
) -> Divided:
    """Whole components divided by themselves, in positions of their records."""
    records = scorer.encode(rows.records(affected))
    inside = np.zeros(len(rows), dtype=bool)
    inside[affected] = True
    own = links.at(np.flatnonzero(inside[links.left]))
    left, right = (np.searchsorted(affected, side).astype(np.int32) for side in (own.left, own.right))
    own = replace(own, left=left, right=right)
    return divide(scorer.over(records), own, PlacedDecisions.of(records, decided))


def _placed(
    before: LinkState, changes: RecordChanges, affected: Places, anew: Divided
) -> tuple[Labels, Labels, Figures]:
    """The component and the cluster of every record, each named by its lowest position, and figures."""

    def labels(former: Labels, found: Labels) -> Labels:
        placed = np.append(changes.new_of_old[former], -1)[changes.old_of_new]
        placed[affected] = affected[found]
        return placed

    bridge = np.append(before.figures.bridge, np.inf)[changes.old_of_new]
    against = np.append(before.figures.against, 0)[changes.old_of_new]
    bridge[affected], against[affected] = anew.figures.bridge, anew.figures.against
    component, member = labels(before.component, anew.component), labels(before.member, anew.member)
    return component, member, Figures(bridge, against)
