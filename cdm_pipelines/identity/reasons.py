"""Why golden ids changed, and how many records changed theirs.

Belongs here: reasons of identity events and churn, pure functions of what was published and what is now. Does not
belong here: which ids change (``assignment``), or finding out what changed (steps).

Where several reasons hold the one told is the first of these, from the most particular to the most general:

- ``decision``: a decision about one of the records was made or undone since the published version;
- ``new_record``: one of the records was not published before;
- ``changed_value``: one of the records has other values;
- ``record_gone``: one of the records is no more;
- ``new_model``: the records were linked by another model than the published ones;
- ``neighbour``: nothing of this; another record moved.

The records looked at are those that the customers concerned had or have: of an event the customer that it happened
to, the related one, and the former customers of its records. Where it is not known which records have other values,
or by which model they were linked, the last ones cannot be told apart: the reason is then null.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.store.keys import positions, record_keys

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


class Reason(StrEnum):
    """What made an id change, in order of precedence."""

    DECISION = "decision"
    NEW_RECORD = "new_record"
    CHANGED_VALUE = "changed_value"
    RECORD_GONE = "record_gone"
    NEW_MODEL = "new_model"
    NEIGHBOUR = "neighbour"


UNKNOWN = "unknown"
"""Stands for a reason that cannot be told, where reasons are counted."""


@dataclass(frozen=True)
class EventReasons:
    """What happened between two versions.

    Attributes:
        changed: ``record_keys`` of records that have other values; None where that is not known.
        decided: ``record_keys`` of records in decisions made or undone; None where that is not known.
        decisions: The decision of each, the latest where there are several.
        new_model: Whether the model is another one; None where that is not known.
    """

    changed: pa.Array | None = None
    decided: pa.Array | None = None
    decisions: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    new_model: bool | None = None


@dataclass(frozen=True)
class Churn:
    """Published records that are in a customer of another golden id now.

    Attributes:
        records: Published records.
        moved: Those whose golden id is another one, by reason.
    """

    records: int
    moved: Mapping[str, int]

    @property
    def share(self) -> float:
        """Of the published records; 0 where there are none."""
        return self.total / self.records if self.records else 0.0

    @property
    def total(self) -> int:
        """Records whose golden id is another one."""
        return sum(self.moved.values())


@dataclass(frozen=True)
class Explained:
    """Reasons, in the order of what was asked about.

    Attributes:
        reason: A ``Reason``, or null.
        decision: Number of the decision where that is the reason, else 0.
    """

    reason: pa.Array
    decision: Ints


@dataclass(frozen=True)
class Movement:
    """Two versions of a crosswalk, or closed parts of them, and what happened in between.

    Attributes:
        former: ``CROSSWALK_SCHEMA`` as published.
        latter: ``CROSSWALK_SCHEMA`` as it will be.
        event_reasons: What happened.
    """

    former: pa.Table
    latter: pa.Table
    event_reasons: EventReasons

    def explain(self, events: pa.Table) -> Explained:
        """The reason of each event: ``golden_id``, ``related_id``."""
        happened, ids = np.arange(events.num_rows), self._ids
        given = [positions(events[name].combine_chunks(), ids) for name in ("golden_id", "related_id")]
        order = np.argsort(given[0], kind="stable")
        # Former customers of the records that an event's customer has now.
        was, now = self._was, self._now
        both = (was >= 0) & (now >= 0) & (was != now)
        first = np.searchsorted(given[0][order], now[both])
        last = np.searchsorted(given[0][order], now[both], side="right")
        there = np.repeat(np.arange(len(first)), last - first)
        within = np.arange(len(there)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
        event = np.concatenate([happened, happened, order[first[there] + within]])
        concerned = np.concatenate([*given, was[both][there]])
        event, concerned = event[concerned >= 0], concerned[concerned >= 0]

        flags, decision = self._by_id
        found = np.zeros((len(happened), flags.shape[1]), np.bool_)
        for column in range(flags.shape[1]):
            found[event[flags[concerned, column]], column] = True
        number = np.zeros(len(happened), np.int64)
        np.maximum.at(number, event, decision[concerned])
        return self._told(found, number)

    def churn(self, published: int | None = None) -> Churn:
        """How many records have another golden id, and why.

        Args:
            published: Number of published records, where ``former`` is a part of them.
        """
        moved = np.flatnonzero((self._was >= 0) & (self._now >= 0) & (self._was != self._now))
        ways, counts = np.unique(
            np.stack([self._now[moved], self._was[moved]], axis=1), axis=0, return_counts=True
        )
        pairs = {
            name: self._ids.take(pa.array(ways[:, column]))
            for column, name in enumerate(("golden_id", "related_id"))
        }
        reasons = np.array(pc.fill_null(self.explain(pa.table(pairs)).reason, UNKNOWN).to_pylist(), object)
        told = {
            name: int(counts[reasons == name].sum())
            for name in (*map(str, Reason), UNKNOWN)
            if (reasons == name).any()
        }
        return Churn(self.former.num_rows if published is None else published, told)

    @cached_property
    def _ids(self) -> pa.Array:
        both = [table["golden_id"].combine_chunks() for table in (self.former, self.latter)]
        return pa.concat_arrays(both).unique()

    @cached_property
    def _records(self) -> pa.Array:
        """Keys of all records, former ones first."""
        former, latter = record_keys(self.former), record_keys(self.latter)
        return pa.concat_arrays([former, latter.filter(pc.invert(pc.is_in(latter, value_set=former)))])

    @cached_property
    def _was(self) -> Ints:
        """The former id of each record; -1 for a new one."""
        return self._at(self.former)

    @cached_property
    def _now(self) -> Ints:
        """The id of each record; -1 for one that is gone."""
        return self._at(self.latter)

    def _at(self, crosswalk: pa.Table) -> Ints:
        code = positions(crosswalk["golden_id"].combine_chunks(), self._ids)
        return np.append(code, -1)[positions(self._records, record_keys(crosswalk))]

    @cached_property
    def _by_id(self) -> tuple[Flags, Ints]:
        """For each id whether a record of it is new, changed or gone, and the latest decision about one of them."""
        was, now, event_reasons = self._was, self._now, self.event_reasons
        changed = np.zeros(len(was), np.bool_)
        if event_reasons.changed is not None and len(event_reasons.changed):
            known = pc.is_in(self._records, value_set=event_reasons.changed)
            changed = (was >= 0) & known.to_numpy(zero_copy_only=False)
        number = np.zeros(len(was), np.int64)
        if event_reasons.decided is not None and len(event_reasons.decided):
            number = np.append(event_reasons.decisions, 0)[positions(self._records, event_reasons.decided)]
        flags = np.stack([was < 0, changed, now < 0], axis=1)
        by_id, decision = np.zeros((len(self._ids), 3), np.bool_), np.zeros(len(self._ids), np.int64)
        for ids in (was, now):
            there = ids >= 0
            for column in range(flags.shape[1]):
                by_id[ids[there & flags[:, column]], column] = True
            np.maximum.at(decision, ids[there], number[there])
        return by_id, decision

    def _told(self, found: Flags, number: Ints) -> Explained:
        told_of = self.event_reasons
        holds = np.stack([number > 0, *found.T, np.ones(len(found), np.bool_)], axis=1)
        particular = [Reason.DECISION, Reason.NEW_RECORD, Reason.CHANGED_VALUE, Reason.RECORD_GONE]
        known = told_of.changed is not None and told_of.decided is not None and told_of.new_model is not None
        rest = Reason.NEW_MODEL if told_of.new_model else Reason.NEIGHBOUR if known else None
        told = pa.array([*map(str, particular), rest and str(rest)], pa.string())
        first = holds.argmax(axis=1)
        return Explained(told.take(pa.array(first)), np.where(first == 0, number, 0))
