"""From a choice to the rows that are kept of it: what comes next for each customer, and the log.

Belongs here: those rows, as functions of the choice and of what customers hold in the period. Does not belong here:
choosing (``action_choice``), reading and writing (hub.actions, steps.activation).

A customer keeps the choice of the period while it is allowed; one that no longer is, is withdrawn, and stays so until
the next period.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.hub.actions import CHOICE, NEXT
from cdm_pipelines.insight.action_choice import CONTROLLED, EXPLORED, TREATED, Assessed, Codes, Drawn, Told
from cdm_pipelines.insight.action_policy import GOLDEN_ID, ActionPolicy
from cdm_pipelines.insight.action_rules import Flags, Numbers, flags
from cdm_pipelines.store.arrow import whole

_FIRST = dt.date(2001, 1, 1)  # a Monday, from which periods are counted


@dataclass(frozen=True)
class Days:
    """The days of a choice: its own, and the first and last one of its period."""

    as_of: dt.date
    first: dt.date
    last: dt.date

    @classmethod
    def of(cls, as_of: dt.date, policy: ActionPolicy) -> "Days":
        """Those of a day under a policy."""
        first = as_of - dt.timedelta(days=(as_of - _FIRST).days % policy.period_days)
        return cls(as_of, first, first + dt.timedelta(days=policy.period_days - 1))


@dataclass(frozen=True)
class Held:
    """The choices that customers have in this period, in the order of the customers.

    Attributes:
        rows: As they are kept; null where there is none.
        action: Position in the policy; -1 where there is none, or one that the policy has no longer.
    """

    rows: pa.Table
    action: Codes

    @classmethod
    def of(cls, found: pa.Table, policy: ActionPolicy, customers: pa.Table) -> "Held":
        """What customers hold, of the log of the period (``hub.actions.CHOICE``)."""
        at = whole(pc.index_in(customers[GOLDEN_ID], value_set=whole(found[GOLDEN_ID])))
        rows = found.take(at)
        keys = pa.array([one.key for one in policy.actions])
        action = pc.fill_null(pc.index_in(rows["action"], value_set=keys), -1)
        return cls(rows, whole(pc.cast(action, pa.int64())).to_numpy(zero_copy_only=False))

    @property
    def there(self) -> Flags:
        """Who has a choice, of an action that the policy may have no longer."""
        return flags(self.rows["action"].is_valid())

    @property
    def control(self) -> Flags:
        """Who is left alone."""
        return flags(pc.equal(self.rows["variant"], CONTROLLED))

    @property
    def withdrawn(self) -> Flags:
        """Whose choice was withdrawn before."""
        return flags(self.rows["withdrawn_on"].is_valid())

    def stays(self, possible: Flags) -> Flags:
        """Whose choice is still allowed, by what is possible (customers x actions)."""
        own: Flags = possible[np.arange(len(self.action)), np.maximum(self.action, 0)]
        return own & (self.action >= 0) & ~self.withdrawn

    def alone(self, possible: Flags) -> Codes:
        """The action of those who are left alone, -1 for the others."""
        return np.where(self.control & self.stays(possible), self.action, -1)

    def used(self, policy: ActionPolicy, as_of: dt.date) -> Mapping[str, int]:
        """How much of the stock of a day is gone, by action: all of it once the day has had a run."""
        if not flags(pc.equal(self.rows["chosen_on"], pa.scalar(as_of))).any():
            return {}
        return {one.key: one.most_per_day for one in policy.actions if one.most_per_day is not None}


@dataclass(frozen=True)
class Made:
    """A choice, and all that its rows follow from.

    Attributes:
        policy: By which it was made.
        days: Of the choice.
        customers: Golden id and the columns of the policy, in order of golden id.
        found: What was possible.
        drawn: What was drawn, of those who held nothing.
        words: Reasons and propensities.
        held: What customers hold.
        contacts: ``action_choice.CONTACTS``.
    """

    policy: ActionPolicy
    days: Days
    customers: pa.Table
    found: Assessed
    drawn: Drawn
    words: Told
    held: Held
    contacts: pa.Table

    @cached_property
    def _stays(self) -> Flags:
        """Whose held choice is still allowed."""
        return self.held.stays(self.found.possible)

    @property
    def withdrawn(self) -> pa.Array:
        """Golden ids of those whose choice is no longer allowed, and was until now."""
        gone = self.held.there & ~self._stays & ~self.held.withdrawn
        return whole(self.customers[GOLDEN_ID].filter(pa.array(gone)))

    def log(self) -> pa.Table:
        """Rows of the log, ``hub.actions.CHOICE``: a row per choice that was made now."""
        made = self.drawn
        at = np.flatnonzero(made.action >= 0)
        action, customers, count = made.action[at], self.customers.take(pa.array(at)), len(at)
        variant = np.where(made.control[at], CONTROLLED, np.where(made.explored[at], EXPLORED, TREATED))
        costs = pa.array([one.cost for one in self.policy.actions], pa.float64())
        columns = {
            "period": _all(self.days.first, count),
            GOLDEN_ID: customers[GOLDEN_ID],
            "chosen_on": _all(self.days.as_of, count),
            "policy": _all(self.policy.fingerprint, count),
            "action": self._named("key", action),
            "variant": pa.array(variant.tolist(), pa.string()),
            "propensity": pa.array(made.propensity[at]),
            "propensities": self.words.propensities.take(pa.array(at)),
            "barred": self.words.barred.take(pa.array(at)),
            "expected_value": _of(self.found.expected[at], action),
            "value": _of(self.found.values[at], action),
            "cost": costs.take(_positions(action)),
            "context": _as_json(customers.select(self.policy.context)),
            "withdrawn_on": pa.nulls(count, pa.date32()),
        }
        return pa.table(columns).cast(CHOICE)

    def next(self) -> pa.Table:
        """Rows of what comes next, ``hub.actions.NEXT``: a row per customer."""
        held, count = self.held, self.customers.num_rows
        kept = self._stays & ~held.control
        action = np.where(kept, held.action, np.where(self.drawn.control, -1, self.drawn.action))
        is_held, has = pa.array(kept), pa.array(action >= 0)
        no_day = pa.scalar(None, pa.date32())
        at = whole(pc.index_in(self.customers[GOLDEN_ID], value_set=whole(self.contacts[GOLDEN_ID])))
        chosen_on = pc.if_else(is_held, held.rows["chosen_on"], pa.scalar(self.days.as_of))
        excluded = self.words.excluded
        columns = {
            GOLDEN_ID: self.customers[GOLDEN_ID],
            "action": self._named("key", action),
            **{name: self._named(name, action) for name in ("purpose", "channel", "goal")},
            "expected_value": pc.if_else(
                is_held, held.rows["expected_value"], _of(self.found.expected, action)
            ),
            "chosen_on": pc.if_else(has, chosen_on, no_day),
            "until": pc.if_else(has, _all(self.days.last, count), no_day),
            "excluded": pc.if_else(pc.equal(excluded, ""), pa.scalar(None, pa.string()), excluded),
            "contacted_on": self.contacts["last_on"].take(at),
        }
        return pa.table(columns).cast(NEXT)

    def _named(self, of: str, action: Codes) -> pa.Array:
        words = pa.array([str(getattr(one, of)) for one in self.policy.actions])
        return words.take(_positions(action))


def by_action(policy: ActionPolicy, rows: pa.Table, log: pa.Table) -> Sequence[Mapping[str, object]]:
    """Figures of each action: of what comes next, and of the log of the period."""
    return [_figures(action.key, rows, log) for action in policy.actions]


def _figures(key: str, rows: pa.Table, log: pa.Table) -> Mapping[str, object]:
    theirs = log.filter(pc.equal(log["action"], key))
    values = whole(rows.filter(pc.equal(rows["action"], key))["expected_value"])
    known = values.drop_null().to_numpy()
    return {
        "action": key,
        "now": len(values),
        "chosen in the period": theirs.num_rows,
        "left alone": theirs.filter(pc.equal(theirs["variant"], CONTROLLED)).num_rows,
        "drawn evenly": theirs.filter(pc.equal(theirs["variant"], EXPLORED)).num_rows,
        "withdrawn": theirs.num_rows - theirs["withdrawn_on"].null_count,
        "mean expected value": round(float(known.mean()), 2) if len(known) else "not stated",
    }


def _all(value: Any, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)


def _positions(action: Codes) -> pa.Array:
    return pa.array(action, pa.int64(), mask=action < 0)


def _of(matrix: Numbers, action: Codes) -> pa.Array:
    """The entry of each customer's action; null where there is none, or it is not known."""
    values = matrix[np.arange(len(action)), np.maximum(action, 0)]
    return pa.array(np.round(values, 4), pa.float64(), mask=(action < 0) | np.isnan(values))


def _as_json(rows: pa.Table) -> pa.Array:
    """Each row as a JSON object, dates as text; empty objects where there are no columns."""
    if not rows.column_names:
        return _all("{}", rows.num_rows)
    fields = ", ".join(f"'{name}', \"{name}\"" for name in rows.column_names)
    with duckdb.connect(config={"threads": 1, "python_enable_replacements": False}) as db:
        db.register("given", rows)
        query = f"SELECT json_object({fields})::VARCHAR AS said FROM given"  # noqa: S608 - columns of the profile
        made: pa.Table = db.sql(query).to_arrow_table()
    return whole(made["said"])
