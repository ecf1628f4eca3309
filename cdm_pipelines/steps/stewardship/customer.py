"""What a steward looks at: the log, and one customer with all that was decided about it.

Belongs here: what is known of both, read from the hub alone. Does not belong here: recording (``decisions``), the queue
(``review``), how it is shown (commands).
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from cdm_pipelines.golden.policy import golden_groups
from cdm_pipelines.golden.provenance import EVERYTHING_ELSE
from cdm_pipelines.hub import queries
from cdm_pipelines.hub import review_queue as hub
from cdm_pipelines.hub.publish import published_from
from cdm_pipelines.identity.decisions import Decision, Kind, Record
from cdm_pipelines.identity.effective import Conflict, Effective, effective
from cdm_pipelines.steps.linking.linked_with import DECISIONS
from cdm_pipelines.steps.stewardship.decisions import find, read_log
from cdm_pipelines.store.keys import RECORD_KEY

LAPSED, REPLACED = "lapsed", "replaced"
"""States of a set value beside those of every decision: its time is over or its source changed; a later one holds."""


@dataclass(frozen=True)
class Logged:
    """A decision with what became of it: a state of ``identity.effective``, ``LAPSED`` or ``REPLACED``."""

    decision: Decision
    state: str


@dataclass(frozen=True)
class Value:
    """A golden value and where it comes from.

    Attributes:
        attribute: Its name.
        value: As published.
        rule: Why it is the golden one.
        decision_id: The steward's decision, where there is one.
        record: The source record that it comes from.
    """

    attribute: str
    value: object
    rule: str
    decision_id: int | None
    record: Record


@dataclass(frozen=True)
class Link:
    """A scored pair of records.

    Attributes:
        record: Of the customer.
        other: The other record.
        other_id: Its customer; None where it has none.
        inside: Whether that is the same customer.
        weight: Match weight in bits.
        probability: That the two are one party, by the model.
    """

    record: Record
    other: Record
    other_id: UUID | None
    inside: bool
    weight: float
    probability: float


@dataclass(frozen=True)
class Dossier:
    """A customer as a steward sees it.

    Attributes:
        golden_id: Its golden id.
        anchor: The record that stands for it in decisions.
        records: All its records.
        values: Its golden values.
        links: Scored pairs of its records, with each other and with records of other customers.
        decisions: Those about its records, in order.
        conflicts: Decisions about its records that have no effect.
    """

    golden_id: UUID
    anchor: Record
    records: Sequence[Record]
    values: Sequence[Value]
    links: Sequence[Link]
    decisions: Sequence[Logged]
    conflicts: Sequence[Conflict]


def decisions(connection: Connection) -> list[Logged]:
    """The log, oldest first."""
    entries = read_log(connection)
    return _logged(connection, entries, effective(entries))


def conflicts(connection: Connection) -> Sequence[Conflict]:
    """What has no effect because it contradicts something."""
    return effective(read_log(connection)).conflicts


def dossier(connection: Connection, name: str) -> Dossier:
    """A customer by golden id, alias or source record.

    Raises:
        DecisionError: There is none.
    """
    named = find(connection, name)
    entries = concerning(read_log(connection), named.customer)
    decided, members = effective(entries), set(named.customer)
    about = [entry for entry in entries if members.intersection(entry.records)]
    taken = {entry.decision_id for entry in about}
    about += [entry for entry in entries if entry.undoes in taken]
    about.sort(key=lambda entry: entry.decision_id)
    return Dossier(
        named.golden_id,
        named.anchor,
        named.customer,
        dossier_values(named.published),
        [_link(row) for row in hub.links(connection, named.golden_id)],
        _logged(connection, about, decided),
        [
            conflict
            for conflict in decided.conflicts
            if conflict.decision.decision_id in taken or members & {*conflict.clash.records}
        ],
    )


def concerning(log: Sequence[Decision], records: Collection[Record]) -> list[Decision]:
    """The entries that can bear on decisions about some records.

    They are about one of these, or share a record with others that bear on them, or undo one of those.
    """
    known, chosen, rest = set(records), dict[int, Decision](), list(log)
    while True:
        found = [e for e in rest if e.undoes in chosen or not known.isdisjoint(e.records)]
        if not found:
            return [chosen[number] for number in sorted(chosen)]
        chosen |= {entry.decision_id: entry for entry in found}
        known.update(record for entry in found for record in entry.records)
        rest = [entry for entry in rest if entry.decision_id not in chosen]


def _logged(connection: Connection, entries: Sequence[Decision], decided: Effective) -> list[Logged]:
    """The state of each decision; of set values also whether they hold."""
    states = {number: str(state) for number, state in decided.states.items()}
    given = decided.of(Kind.SET)
    latest = {(entry.records, entry.attribute): entry.decision_id for entry in given}
    holding = queries.decisions_in_force(connection) if given else set()
    newest = int(published_from(connection).get(DECISIONS, 0)) if given else 0
    for entry in given:
        number = entry.decision_id
        expired = entry.expires is not None and entry.expires <= _today()
        # One that was made since has not been asked yet whether its sources still say what they said.
        if latest[entry.records, entry.attribute] != number:
            states[number] = REPLACED
        elif expired or (number <= newest and number not in holding):
            states[number] = LAPSED
    return [Logged(entry, states[entry.decision_id]) for entry in entries]


def dossier_values(found: queries.Customer) -> list[Value]:
    """The golden values with where each comes from."""
    told: dict[str, Any] = {str(row["attribute"]): row for row in found.provenance}
    values: list[Value] = []
    for group, columns in golden_groups().items():
        for column in columns:
            why = told.get(column) or told.get(group) or told.get(EVERYTHING_ELSE)
            value = found.golden[column]
            if why is not None and value is not None:
                record = Record(*(str(why[name]) for name in RECORD_KEY))
                values.append(Value(column, value, str(why["rule"]), why["decision_id"], record))
    return values


def _link(row: dict[str, Any]) -> Link:
    record, other = (Record(*(row[f"{side}{name}"] for name in RECORD_KEY)) for side in ("", "other_"))
    return Link(record, other, row["other_id"], row["inside"], row["weight"], row["probability"])


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
