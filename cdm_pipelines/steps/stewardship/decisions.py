"""The steps of a steward: name customers, record a decision, and what follows from all of them.

Belongs here: from what a person writes to an entry of the log, and from the log to what linkage and survivorship are
told. Does not belong here: the meaning of decisions (identity), storing them (hub), the queue (``review``).

Whoever records gives a transaction: a decision and what it does to the queue are in it.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection

from cdm_pipelines.contracts.actor import Actor
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.golden.corrected import overruled, set_values
from cdm_pipelines.hub import decisions as log
from cdm_pipelines.hub import golden_ids, queries
from cdm_pipelines.hub.publish import published_from
from cdm_pipelines.identity import decisions as subjects
from cdm_pipelines.identity.chain import Head, Verdict, sealed, verify
from cdm_pipelines.identity.constraints import Constraints, constraints_of
from cdm_pipelines.identity.decisions import Decision, DecisionError, Draft, Kind, Record
from cdm_pipelines.identity.effective import Conflict, Effective, State, effective
from cdm_pipelines.identity.entries import TAMPERED, Detail, Entry
from cdm_pipelines.privacy.protection import Vault
from cdm_pipelines.records import records_schema
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.linking.linked_with import DECISIONS
from cdm_pipelines.steps.stewardship import queue
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import RECORD_KEY, positions, record_keys
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Layered


@dataclass(frozen=True)
class Recorded:
    """A decision as it stands in the log, and what it contradicts if it has no effect."""

    decision: Decision
    conflict: Conflict | None


@dataclass(frozen=True)
class Named:
    """A customer, or one record of it, as a person named it.

    Attributes:
        golden_id: The customer.
        kind: ``person`` or ``organisation``.
        anchor: The record that stands for it in decisions: the one that was named, else the founding one.
        records: What was named: that record, or all records of the customer.
        customer: All records of the customer.
        published: The golden customer.
    """

    golden_id: UUID
    kind: str
    anchor: Record
    records: tuple[Record, ...]
    customer: tuple[Record, ...]
    published: queries.Customer

    @property
    def country(self) -> str | None:
        """Of the golden customer."""
        country = self.published.golden["country"]
        return str(country) if country else None


def constraints(connection: Connection) -> Constraints:
    """What linkage is told."""
    return constraints_of(effective(read_log(connection)))


def corrections(connection: Connection, parties: Layered, today: dt.date | None = None) -> pa.Table:
    """What survivorship is told: ``golden.corrected.SET_SCHEMA``.

    Args:
        connection: Of a migrated hub.
        parties: ``records/party``: a value holds as long as the records that it overruled say what they said,
            wherever they are now.
        today: The day for which values are to hold; today in UTC when left out.
    """
    decided = effective(read_log(connection)).of(Kind.SET)
    records = parties.rows(overruled(decided)) if decided else records_schema(Entity.PARTY).empty_table()
    return set_values(decided, records, today or dt.datetime.now(dt.UTC).date())


def told_since(connection: Connection, today: dt.date | None = None) -> str:
    """Why set values are others now than when customers were published; empty when nothing has changed of them.

    Args:
        connection: Of a migrated hub.
        today: The day that decides what has ended; today in UTC when left out.
    """
    log, today = read_log(connection), today or dt.datetime.now(dt.UTC).date()
    published = int(published_from(connection).get(DECISIONS, 0))
    holding = queries.decisions_in_force(connection)
    given = effective(log).of(Kind.SET)
    made = any(one.decision_id > published and one.decision_id not in holding for one in given)
    undone = any(one.decision_id > published and one.undoes in holding for one in log)
    if made or undone:
        return "decisions are not published yet"
    ended = any(one.decision_id in holding and one.expires and one.expires <= today for one in given)
    return "set values have ended since the publication" if ended else ""


def read_log(connection: Connection) -> list[Decision]:
    """All decisions, in order, as far as they were not erased.

    Raises:
        DecisionError: The log was tampered with, so that one cannot be read.
    """
    entries, details = read_entries(connection)
    of: defaultdict[int, list[Detail]] = defaultdict(list)
    for detail in details:
        of[detail.decision_id].append(detail)
    return [entry.decision(of[entry.decision_id]) for entry in entries]


def read_entries(connection: Connection) -> tuple[list[Entry], list[Detail]]:
    """The log as it is kept, in order: what is sealed, and the details that there are."""
    entries, details = log.read_decisions(connection)
    return (
        [
            Entry(**{**row, "parts": tuple(row["parts"]), "seals": tuple(row["seals"])})  # type: ignore[arg-type]
            for row in entries
        ],
        [Detail(**row) for row in details],  # type: ignore[arg-type]
    )


def verify_log(connection: Connection, noted: Iterable[Head] = ()) -> Verdict:
    """What is wrong with the log, what was erased from it, and where it ends.

    Args:
        connection: Of a migrated hub.
        noted: Heads that were noted elsewhere, beside those that the hub notes itself.
    """
    heads = read_heads(connection)  # before the log: what is added meanwhile is not missed
    return verify(*read_entries(connection), [*heads, *noted])


def read_heads(connection: Connection) -> list[Head]:
    """The heads that the hub noted, in order."""
    return [Head(**row) for row in log.read_heads(connection)]  # type: ignore[arg-type]


def same(connection: Connection, left: str, right: str, actor: Actor, reason: str = "") -> Recorded:
    """Two customers, or records, are one party."""
    one, other = find(connection, left), find(connection, right)
    if one.anchor == other.anchor:
        raise DecisionError("Both names are of one record: name two customers, or two source records.")
    if one.kind != other.kind:
        raise DecisionError("A person and an organisation are never one customer.")
    return _record(connection, Kind.SAME, subjects.same(one.anchor, other.anchor), actor, reason)


def different(connection: Connection, left: str, right: str, actor: Actor, reason: str = "") -> Recorded:
    """Two customers, or records, are two parties; a record and its own customer: apart from all its others."""
    one, other = find(connection, left), find(connection, right)
    left_records, right_records = set(one.records), set(other.records)
    shared = left_records & right_records
    max(left_records, right_records, key=len).difference_update(shared)
    if not (left_records and right_records):
        raise DecisionError(
            "Both names are of one customer: name the source records that are apart, as source/entity/record_id "
            "(`cdm steward show` lists them)."
        )
    return _record(connection, Kind.DIFFERENT, subjects.different(left_records, right_records), actor, reason)


def split(connection: Connection, records: Iterable[Record], actor: Actor, reason: str = "") -> Recorded:
    """Some records of a customer are another party than its other ones.

    Raises:
        DecisionError: They are of several customers, or all there are of one.
    """
    named = [find(connection, str(record)) for record in sorted(set(records))]
    if len({one.golden_id for one in named}) != 1:
        raise DecisionError(
            "Name some records of one customer: those that are another party than its others."
        )
    chosen = {record for one in named for record in one.records}
    rest = set(named[0].customer) - chosen
    if not rest:
        raise DecisionError(
            "Those are all records of the customer: name those that are apart from the others."
        )
    return _record(connection, Kind.DIFFERENT, subjects.different(chosen, rest), actor, reason)


def confirm(connection: Connection, customer: str, actor: Actor, reason: str = "") -> Recorded:
    """A customer is as it should be: its records stay together, and it is merged with no other confirmed one."""
    named = find(connection, customer)
    return _record(connection, Kind.CONFIRM, subjects.confirm(named.customer), actor, reason)


def set_value(
    connection: Connection,
    settings: Settings,
    customer: str,
    attribute: str,
    value: str,
    *,
    actor: Actor,
    reason: str = "",
    expires: dt.date | None = None,
) -> Recorded:
    """A customer's value of an attribute, whatever its sources say; kept encrypted where theirs is.

    Raises:
        DecisionError: There is no such customer, or the day of expiry is past.
        ValueRefusedError: The value is none of its kind.
        PrivacyPolicyError, CipherError: Values cannot be encrypted.
    """
    from cdm_pipelines.standardise.single import read_value  # noqa: PLC0415 - loads where a value is put right

    lake = Lake(settings.lake_url)
    today = dt.datetime.now(dt.UTC).date()
    if expires is not None and expires <= today:
        raise DecisionError(f"{expires} is no day in the future: the value would never hold.")
    named = find(connection, customer)
    read = read_value(attribute, value, kind=named.kind, country=named.country, today=today.isoformat())
    vault = Vault.of(settings, lake)
    if attribute in vault.protection.standard(Entity.PARTY):
        read = vault.with_key(settings, lake).seal_value(read)
    now = _source_values(lake, named.customer, attribute)
    subject = subjects.set_value(named.anchor, attribute, read, expires, now)
    return _record(connection, Kind.SET, subject, actor, reason)


def undo(connection: Connection, decision_id: int, actor: Actor, reason: str = "") -> Recorded:
    """Take a decision back; an undo too."""
    entries = read_log(connection)
    states = effective(entries).states
    if decision_id not in states:
        raise DecisionError(f"There is no decision {decision_id}: see `cdm steward list`.")
    if states[decision_id] is State.UNDONE:
        raise DecisionError(f"Decision {decision_id} is undone already.")
    kind = next(entry.kind for entry in entries if entry.decision_id == decision_id)
    if kind in (Kind.ERASE, Kind.MIGRATED) or states[decision_id] is State.ERASED:
        raise DecisionError(f"Decision {decision_id} cannot be undone: what was erased does not come back.")
    return _record(connection, Kind.UNDO, {}, actor, reason, undoes=decision_id)


def find(connection: Connection, text: str) -> Named:
    """The customer of a golden id (an alias too), or a source record ``source/entity/record_id``.

    Raises:
        DecisionError: There is none.
    """
    record = Record.parse(text)
    if record is not None:
        row = log.record_of(connection, *record)
        if row is None:
            raise DecisionError(f"There is no source record {record} in the published customers.")
        golden_id = str(row["golden_id"])
    else:
        golden_id = _golden_id(connection, text)
    founder = _registered(connection, golden_id)
    found = queries.customer(connection, golden_id)
    if found is None:
        raise DecisionError(f"Golden id {golden_id} is retired: none of its records is left.")
    members = tuple(sorted(Record(*(str(row[name]) for name in RECORD_KEY)) for row in found.records))
    anchor = record or (founder if founder in members else members[0])
    golden = found.golden
    return Named(
        UUID(str(golden["golden_id"])),
        str(golden["party_kind"]),
        anchor,
        (record,) if record else members,
        members,
        found,
    )


def _golden_id(connection: Connection, typed: str) -> str:
    """A golden id that was written whole, or its beginning."""
    try:
        found = golden_ids.meant(connection, typed)
    except LookupError as error:
        raise DecisionError(str(error)) from None
    if found is None:
        raise DecisionError(
            "Name a customer by its golden id, or a record as source/entity/record_id; `cdm customer` finds both."
        )
    return str(found)


def _registered(connection: Connection, golden_id: str) -> Record:
    """The founding record of a golden id."""
    row = log.registered(connection, UUID(golden_id))
    if row is None:
        raise DecisionError(f"There is no golden id {golden_id}.")
    return Record(*(str(row[name]) for name in RECORD_KEY))


def _source_values(lake: Lake, records: tuple[Record, ...], attribute: str) -> dict[Record, str | None]:
    """What records say now."""
    table = tables.records(lake, Entity.PARTY).read([*RECORD_KEY, attribute])
    wanted = pa.table({name: [record[at] for record in records] for at, name in enumerate(RECORD_KEY)})
    at = positions(record_keys(wanted), record_keys(table))
    values = table[attribute].take(pa.array(at, mask=at < 0)).to_pylist()
    return {record: value for record, value, place in zip(records, values, at, strict=True) if place >= 0}


def _record(
    connection: Connection,
    kind: Kind,
    subject: dict[str, Any],
    actor: Actor,
    reason: str,
    *,
    undoes: int | None = None,
) -> Recorded:
    if "\x00" in reason:
        raise DecisionError("A reason may not hold the character NUL.")
    decision = append(connection, Draft(kind, subject, actor.name, reason, undoes))
    decided = effective(read_log(connection))
    queue.settle(connection, constraints_of(decided))
    return Recorded(decision, conflict_of(decided, decision.decision_id))


def append(connection: Connection, draft: Draft) -> Decision:
    """Add to the log, in a transaction of the caller's, which others who add wait for.

    Raises:
        DecisionError: The log does not end as it did when it was last added to.
    """
    now = log.begin_decision(connection)
    heads, (entries, _) = read_heads(connection), read_entries(connection)
    if heads and heads[-1] != Head.of(entries):
        raise DecisionError(TAMPERED)
    entry, details = sealed(draft, Head.of(entries), now)
    log.add_decision(
        connection,
        {**asdict(entry), "parts": list(entry.parts), "seals": list(entry.seals)},
        [asdict(detail) for detail in details],
    )
    return entry.decision(details)


def conflict_of(decided: Effective, decision_id: int) -> Conflict | None:
    """What a decision contradicts; None where it does not."""
    return next((c for c in decided.conflicts if c.decision.decision_id == decision_id), None)
