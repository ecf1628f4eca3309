"""A finished linkage held in memory, to be asked of one record at a time where linking would put it.

Belongs here: the index of blocking keys, the candidates of one record, and the component that it would change, divided
as a run divides it. Does not belong here: how a pair is scored (model) or a component is divided (cluster), linking
many records (relink), which customers records are of (steps).

The answer is that of ``relink`` with the one record added, for the same reasons: a pair depends on its two records
alone, a component on its records, links and decisions. Nothing is written, so that threads may ask side by side. What a
plan does not foresee is a block that the record makes too large: it makes no pairs of the record, as in a run, which
would also lose pairs of others in that block.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage.blocking.pairs import Allowed
from cdm_pipelines.linkage.cluster.clusters import Links
from cdm_pipelines.linkage.cluster.components import components
from cdm_pipelines.linkage.cluster.constraints import Decided, PlacedDecisions
from cdm_pipelines.linkage.cluster.divide import divide
from cdm_pipelines.linkage.encode.hashes import Hashes
from cdm_pipelines.linkage.encode.keys import BlockingPlan
from cdm_pipelines.linkage.encode.positions import MEMBER, SIDES, Flags, Pair, Places, Positions, places
from cdm_pipelines.linkage.encode.records import Records, encode, ordered_records
from cdm_pipelines.linkage.encode.rows import Rows
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.incremental.state import LinkState, effective_keys
from cdm_pipelines.linkage.model.fellegi_sunter import Floats, LinkageModel, log2_odds
from cdm_pipelines.linkage.model.scoring import BoundScorer, PairScorer
from cdm_pipelines.linkage.policy.spec import LinkagePolicy


class RecordThereError(LinkageError):
    """A record is no new one."""


class Over(NamedTuple):
    """A scorer over one new record and some others.

    Attributes:
        scorer: The scorer.
        place: Of the new record.
        others: Positions of the others among all records, in order.
    """

    scorer: BoundScorer
    place: int
    others: Positions

    def at(self, some: Positions) -> Places:
        """Places of some of the others."""
        found = np.searchsorted(self.others, some)
        return found + (found >= self.place)

    def pairs(self, at: Places) -> Pair:
        """Pairs of the new record with those at some places, the one that comes first on the left."""
        return np.minimum(at, self.place).astype(np.int32), np.maximum(at, self.place).astype(np.int32)


class Near(NamedTuple):
    """What one record was compared with.

    Attributes:
        record: The record: a table of one row, as ``linked_columns`` gives it.
        before: The position that it would have among all records.
        over: The scorer over it and its candidates.
        candidates: Positions of those that it was compared with, in order.
        partners: Positions of those from the review threshold on, in order.
        weight: Match weight of each in bits.
        odds: Posterior log2 odds of each.
        packed: Agreement pattern of each.
        members: Positions of all records of the components that these are in, in order.
    """

    record: pa.Table
    before: int
    over: Over
    candidates: Positions
    partners: Positions
    weight: Floats
    odds: Floats
    packed: Places
    members: Positions


class Joined(NamedTuple):
    """Where linking puts one record.

    Attributes:
        over: The record and others, with a scorer.
        others: Positions, among all records, of the members that are still there.
        at: Their places in ``over``.
        member: For each record in ``over`` the lowest place of its cluster.
    """

    over: Over
    others: Positions
    at: Places
    member: Places

    @property
    def clusters(self) -> Places:
        """The cluster of each of ``others``."""
        found: Places = self.member[self.at]
        return found

    @property
    def with_record(self) -> Flags:
        """Which of ``others`` are in one cluster with the record."""
        found: Flags = self.clusters == self.member[self.over.place]
        return found

    def pairs(self, some: Places) -> Pair:
        """The pairs of the record with some of ``others``, given by their numbers there, in places of ``over``."""
        return self.over.pairs(self.at[some])


class _Blocks(NamedTuple):
    """One rule's keys in order, each with the position of a record that has it."""

    largest: int
    keys: Hashes
    position: Positions

    def holding(self, asked: Hashes) -> list[Positions]:
        """Positions of records in the blocks of one record's keys, but those that it makes too large."""
        found = []
        distinct, own = np.unique(asked[asked > 0], return_counts=True)
        for key, times in zip(distinct, own, strict=True):
            start, end = (int(np.searchsorted(self.keys, key, side=side)) for side in ("left", "right"))
            if end - start + times <= self.largest:
                found.append(self.position[start:end])
        return found


@dataclass(frozen=True)
class _Decisions:
    """Decisions with the positions of the records that they name, so that those about some records are found."""

    decided: Decided
    places: dict[str, list[Positions]]

    @classmethod
    def of(cls, records: Records, decided: Decided) -> Self:
        """Decisions about some records."""
        found = {}
        for name in ("same", "different", "confirmed"):
            frame = getattr(decided, name)
            if frame is not None and not frame.empty:
                sides = (MEMBER,) if name == "confirmed" else SIDES
                found[name] = [places(records, frame, columns, name) for columns in sides]
        return cls(decided, found)

    def among(self, positions: Positions) -> Decided:
        """Those of which all records are among some."""

        def own(name: str) -> pd.DataFrame | None:
            if name not in self.places:
                return None
            inside = reduce(np.logical_and, (np.isin(side, positions) for side in self.places[name]))
            return getattr(self.decided, name)[inside] if inside.any() else None

        return Decided(own("same"), own("different"), own("confirmed"))


@dataclass(frozen=True)
class _Components:
    """Records by the component that links and decisions join them to.

    Attributes:
        of: The component of each record, named by its lowest position.
        positions: Records in order of their components.
        ordered: The components in that order.
    """

    of: Positions
    positions: Positions
    ordered: Positions

    @classmethod
    def made(cls, records: int, links: Links, same: Pair) -> Self:
        """Those that some links and decided pairs join."""
        ends = zip((links.left, links.right), same, strict=True)
        of = components(records, *(np.append(one, other) for one, other in ends)).astype(np.int32)
        positions = np.argsort(of, kind="stable").astype(np.int32)
        return cls(of, positions, of[positions])

    def holding(self, some: Positions) -> Positions:
        """All records of the components of some, in order."""
        found = [np.zeros(0, np.int32)]
        for one in np.unique(self.of[some]):
            span = (np.searchsorted(self.ordered, one, side=side) for side in ("left", "right"))
            found.append(self.positions[slice(*span)])
        return np.sort(np.concatenate(found))


@dataclass(frozen=True)
class Lookup:
    """One linkage, ready to be asked; make one by ``of``.

    Held are 12 bytes for each key of a record, and 12 for its component; texts stay in the files that they are mapped
    from, where the lake is on this machine.

    Attributes:
        scorer: Policy and model.
    """

    scorer: PairScorer
    _rows: Rows
    _plan: BlockingPlan
    _links: Links
    _blocks: Sequence[_Blocks]
    _decisions: _Decisions
    _components: _Components

    @classmethod
    def of(cls, policy: LinkagePolicy, model: LinkageModel, state: LinkState, decided: Decided) -> Self:
        """Hold a linkage.

        Args:
            policy: How it was linked.
            model: With what.
            state: What it left behind.
            decided: All that is decided now about its records.

        Raises:
            LinkageError: A blocking rule looks at more than the records themselves, decisions contradict each other, or
                the model is not of this policy.
        """
        for rule in policy.blocking:
            if rule.window or rule.algorithm:
                raise LinkageError(
                    f"policy {policy.name}: blocking rule {rule.label!r} looks at more than the records themselves, so "
                    "that no record can be looked up by itself; leave out `window` and `algorithm`"
                )
        blocks = [_indexed(state.rows, policy, number) for number in range(len(policy.blocking))]
        base, added = (replace(piece, keys=()) for piece in (state.rows.base, state.rows.added))
        rows = replace(state.rows, base=base, added=added)  # keys are in the blocks now
        scorer = PairScorer(policy, model, state.plan.words)
        return cls(
            scorer, rows, state.plan, state.links, blocks, *_decided(rows, policy, state.links, decided)
        )

    def decided_by(self, decided: Decided) -> Self:
        """The same linkage under other decisions; all but those is shared.

        Raises:
            LinkageError: Decisions contradict each other.
        """
        decisions, groups = _decided(self._rows, self._policy, self._links, decided)
        return replace(self, _decisions=decisions, _components=groups)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def _policy(self) -> LinkagePolicy:
        return self.scorer.policy

    @property
    def columns(self) -> list[str]:
        """What linking reads of a record."""
        return list(self._rows.base.records.column_names)

    def names(self, positions: Positions) -> pa.Table:
        """Sources and ids of some records."""
        return self._rows.records(positions, self._policy.key_columns)

    def records(self, positions: Positions, columns: Sequence[str]) -> pa.Table:
        """Some of what linking reads of some records."""
        return self._rows.records(positions, columns)

    def near(self, record: pa.Table) -> Near:
        """Compare one record with its candidates.

        Args:
            record: One row as ``linked_columns`` gives it; its source and id are those of no record.

        Raises:
            RecordThereError: There is such a record.
        """
        own = encode(record, self._policy, 1, words=self.scorer.words)
        keys = effective_keys(self._policy, own, self._plan, 1)
        held = [at for blocks, asked in zip(self._blocks, keys, strict=True) for at in blocks.holding(asked)]
        candidates = np.unique(np.concatenate([np.zeros(0, np.int32), *held]))
        before = self._place(own)
        over = self._over(record, before, candidates)
        bound, (left, right) = over.scorer, over.pairs(over.at(candidates))
        allowed = Allowed(bound.records, self._policy)(left, right)
        left, right, candidates = left[allowed], right[allowed], candidates[allowed]
        packed = bound.packed(left, right)
        scores = bound.scores(left, right, packed)
        keep = np.flatnonzero(scores.odds >= log2_odds(self._policy.thresholds.review))
        partners = candidates[keep]
        return Near(
            record,
            before,
            over,
            candidates,
            partners,
            scores.weight[keep],
            scores.odds[keep],
            packed[keep],
            self._components.holding(partners),
        )

    def joined(self, near: Near, gone: Positions | None = None) -> Joined:
        """Divide the component that a record would be in.

        Args:
            near: What ``near`` found.
            gone: Positions of records that are no more.
        """
        there = near.members if gone is None else np.setdiff1d(near.members, gone)
        over = near.over
        if not np.isin(there, over.others).all():
            over = self._over(near.record, near.before, there)
        known = np.isin(near.partners, there)
        ends = over.pairs(over.at(near.partners[known]))
        own = self._links_among(there)
        links = Links(
            np.append(over.at(own.left), ends[0]).astype(np.int32),
            np.append(over.at(own.right), ends[1]).astype(np.int32),
            np.append(own.odds, near.odds[known]),
            np.append(own.packed, near.packed[known]),
        )
        links = links.at(np.lexsort((links.right, links.left)))
        decisions = PlacedDecisions.of(over.scorer.records, self._decisions.among(there))
        member = divide(over.scorer, links, decisions, threads=1).member
        return Joined(over, there, over.at(there), member)

    def _over(self, record: pa.Table, before: int, others: Positions) -> Over:
        """The scorer over some records and the new one."""
        place = int(np.searchsorted(others, before))
        table = self._rows.records(others)
        pieces = [table.slice(0, place), record.select(table.column_names), table.slice(place)]
        together = pa.concat_tables(pieces).combine_chunks()
        return Over(self.scorer.over(self.scorer.encode(together, 1)), place, others)

    def _place(self, own: Records) -> int:
        """The position before which a record comes."""
        wanted = (own.sources[0], own.ids[0].as_py())
        at = bisect_left(range(len(self._rows)), wanted, key=self._name)
        if at < len(self._rows) and self._name(at) == wanted:
            raise RecordThereError("the record to look up has the source and id of one that is there")
        return at

    def _name(self, position: int) -> tuple[str, str]:
        row = int(self._rows.row[position])
        base = self._rows.base
        piece, row = (base, row) if row < len(base) else (self._rows.added, row - len(base))
        source = piece.records[self._policy.source][row].as_py() if self._policy.source else "records"
        return source, piece.records[self._policy.id][row].as_py()

    def _links_among(self, some: Positions) -> Links:
        """Links between some records."""
        start = np.searchsorted(self._links.left, some, side="left")
        counts = np.searchsorted(self._links.left, some, side="right") - start
        at = (
            np.repeat(start, counts) + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        )
        links = self._links.at(at)
        return links.at(np.isin(links.right, some))


def _decided(
    rows: Rows, policy: LinkagePolicy, links: Links, decided: Decided
) -> tuple[_Decisions, _Components]:
    """Decisions about all records, and the components that they and links make."""
    names = ordered_records(rows.records(columns=policy.key_columns), policy)
    same = PlacedDecisions.of(names, decided).same
    return _Decisions.of(names, decided), _Components.made(len(rows), links, same)


def _indexed(rows: Rows, policy: LinkagePolicy, number: int) -> _Blocks:
    rule = policy.blocking[number]
    keys = rows.keys(number)
    position, slot = np.nonzero(keys)
    held = keys[position, slot]
    order = np.argsort(held, kind="stable")
    largest = rule.max_block_size or policy.max_block_size
    return _Blocks(largest, held[order], position[order].astype(np.int32))
