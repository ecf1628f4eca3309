"""What a steward looks at: the log, and one customer with all that was decided about it.

Belongs here: rows for people. Does not belong here: recording (``decisions``), the queue (``review``).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.golden.corrected import set_values
from cdm_pipelines.golden.policy import golden_groups
from cdm_pipelines.golden.provenance import EVERYTHING_ELSE
from cdm_pipelines.hub import queries
from cdm_pipelines.hub.queries import Row
from cdm_pipelines.identity.decisions import Decision, Kind, Record
from cdm_pipelines.identity.effective import Effective, effective
from cdm_pipelines.records import records_schema
from cdm_pipelines.steps.stewardship.decisions import find, read_log
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

LAPSED, REPLACED = "lapsed", "replaced"
"""States of a set value beside those of every decision: its time is over or its source changed; a later one holds."""
ERASED = "(erased)"
_SHOWN = 3


@dataclass(frozen=True)
class Dossier:
    """A customer as a steward sees it, as rows for people."""

    golden_id: str
    records: Sequence[Row]
    values: Sequence[Row]
    decisions: Sequence[Row]
    conflicts: Sequence[str]


def decisions(engine: Engine, lake: Lake) -> list[Row]:
    """The log, oldest first: number, time, author, kind, subject, state, reason."""
    with engine.connect() as connection:
        entries = read_log(connection)
    return _rows(entries, effective(entries), lake)


def conflicts(engine: Engine) -> list[str]:
    """What has no effect because it contradicts something, in words."""
    with engine.connect() as connection:
        return [conflict.text for conflict in effective(read_log(connection)).conflicts]


def dossier(engine: Engine, lake: Lake, name: str) -> Dossier:
    """A customer by golden id, alias or source record.

    Raises:
        DecisionError: There is none.
    """
    with engine.connect() as connection:
        named = find(connection, name)
        entries = read_log(connection)
        values = _values(connection, str(named.golden_id))
    decided, members = effective(entries), set(named.customer)
    about = [entry for entry in entries if members.intersection(entry.records)]
    taken = {entry.decision_id for entry in about}
    about += [entry for entry in entries if entry.undoes in taken]
    states = _states(decided, lake)
    return Dossier(
        str(named.golden_id),
        [
            {"record": str(r), "stands for the customer": "✓" if r == named.anchor else ""}
            for r in named.customer
        ],
        values,
        [_row(entry, states) for entry in sorted(about, key=lambda entry: entry.decision_id)],
        [
            c.text
            for c in decided.conflicts
            if c.decision.decision_id in taken or members & {*c.clash.records}
        ],
    )


def _rows(entries: Sequence[Decision], decided: Effective, lake: Lake) -> list[Row]:
    states = _states(decided, lake)
    return [_row(entry, states) for entry in entries]


def _row(entry: Decision, states: dict[int, str]) -> Row:
    return {
        "id": entry.decision_id,
        "decided": f"{entry.decided_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}",
        "by": _or_erased(entry.decided_by),
        "kind": str(entry.kind),
        "about": _about(entry),
        "state": states[entry.decision_id],
        "because": _or_erased(entry.reason),
    }


def _states(decided: Effective, lake: Lake) -> dict[int, str]:
    """The state of each decision; of set values also whether they hold."""
    states = {number: str(state) for number, state in decided.states.items()}
    parties, given = tables.records(lake, Entity.PARTY), decided.of(Kind.SET)
    if not given:
        return states
    columns = ["source", "entity", "record_id", *sorted({entry.attribute for entry in given})]
    records = (
        parties.read(columns)
        if parties.exists
        else records_schema(Entity.PARTY).empty_table().select(columns)
    )
    latest = {(entry.records, entry.attribute): entry.decision_id for entry in given}
    for entry, row in zip(given, set_values(given, records, _today()).to_pylist(), strict=True):
        if latest[entry.records, entry.attribute] != entry.decision_id:
            states[entry.decision_id] = REPLACED
        elif not row["holds"]:
            states[entry.decision_id] = LAPSED
    return states


def _about(entry: Decision) -> str:
    """What a decision is about, without values."""
    match entry.kind:
        case Kind.SAME | Kind.DIFFERENT:
            return f"{_some(entry.left)} | {_some(entry.right)}"
        case Kind.CONFIRM:
            return _some(entry.joins)
        case Kind.SET:
            until = f" until {entry.expires}" if entry.expires else ""
            return ERASED if entry.erased else f"{entry.attribute} of {entry.records[0]}{until}"
        case Kind.UNDO:
            return f"decision {entry.undoes}"
        case Kind.ERASE:
            return f"of decision {', '.join(str(number) for number, _ in entry.subject['erased'])}"
        case Kind.MIGRATED:
            return "the log itself"


def _or_erased(text: str | None) -> str:
    return ERASED if text is None else text


def _some(records: Sequence[Record]) -> str:
    if not records:
        return ERASED
    more = len(records) - _SHOWN
    return ", ".join(map(str, records[:_SHOWN])) + (f" and {more} more" if more > 0 else "")


def _values(connection: Connection, golden_id: str) -> list[Row]:
    """The golden values with where each comes from."""
    found = queries.customer(connection, golden_id)
    if found is None:
        return []
    told = {str(row["attribute"]): row for row in found.provenance}
    rows: list[Row] = []
    for group, columns in golden_groups().items():
        for column in columns:
            why = told.get(column) or told.get(group) or told.get(EVERYTHING_ELSE)
            value = found.golden[column]
            if why is not None and value is not None:
                record = Record(*(str(why[name]) for name in Record._fields))
                number = why["decision_id"]
                rule = f"{why['rule']}, decision {number}" if number else why["rule"]
                rows.append({"attribute": column, "value": value, "rule": rule, "record": str(record)})
    return rows


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
