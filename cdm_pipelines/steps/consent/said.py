"""Taking down what a customer says about consent, so that it is in force at once.

Belongs here: whether it can be said, and what follows for that customer. Does not belong here: the rules
(privacy.consent), who may (console, commands), what the next run makes of it (``staging``).

What follows is worked out by the rules themselves, from what is published about the one customer and the statement. An
address that others have too is one because a published statement says how many have it: they stand in as so many
strangers, so that nobody else has to be read. From the lake come the customer's own records and nothing more.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
from sqlalchemy import Connection

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.hub import consent as hub
from cdm_pipelines.hub import rights, said
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.privacy.consent import (
    BIRTHS,
    CONTACTS,
    IN_FORCE,
    RECORDS,
    STATEMENTS,
    STATES,
    SUPERSEDED,
    Effective,
    effective,
)
from cdm_pipelines.privacy.purposes import POLICY, Purposes
from cdm_pipelines.settings import Settings
from cdm_pipelines.standardise.consent_words import CHANNELS
from cdm_pipelines.steps.consent.identity import REACHED_BY
from cdm_pipelines.steps.stewardship.decisions import Named, find
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import RECORD_KEY, one_key
from cdm_pipelines.store.lake import Lake

LONGEST = 500
"""Characters of each text that is kept with a statement."""


class StatementError(ValueError):
    """Nobody can say that; the message says why and what there is."""


@dataclass(frozen=True)
class Statement:
    """What a customer says.

    Attributes:
        customer: Golden id of any age, or a source record as ``source/entity/record_id``.
        purpose: Key of a purpose.
        channel: One of the channels; empty for every channel.
        state: ``given``, ``refused``, ``withdrawn`` or ``objected``.
        method: How it was said: a call, a form.
        notice: What was asked or read to them, or where that is.
        notice_version: Its version.
        reason: Words of whoever takes it down.
    """

    customer: str
    purpose: str
    channel: str
    state: str
    method: str = ""
    notice: str = ""
    notice_version: str = ""
    reason: str = ""


@dataclass(frozen=True)
class TakenDown:
    """What is in force since.

    Attributes:
        number: Of the statement.
        golden_id: The customer.
        allowed: Whether the purpose is allowed by the channel now.
        state: Of the statement that decides; None where none does.
        why: Why it is so, in words.
        changed: For which purposes and channels what the customer allows has changed.
    """

    number: int
    golden_id: UUID
    allowed: bool
    state: str | None
    why: str
    changed: Sequence[str]


def say(
    connection: Connection, settings: Settings, statement: Statement, *, who: str, role: str
) -> TakenDown:
    """Take a statement down; it is in force when the transaction is committed.

    Args:
        connection: In a transaction that has read no table of customers before ``hub.said.begin``.
        settings: Of the deployment.
        statement: What is said.
        who: Who takes it down.
        role: In which they do.

    Raises:
        StatementError: Nobody can say that, or not about this customer now.
        DecisionError: There is no such customer.
        PurposesError: The purposes cannot be used.
        HubError: Customers are being published.
    """
    purposes = Purposes.load(settings.policies / POLICY)
    see_that_it_can_be_said(statement, purposes)
    said.begin(connection)
    named = find(connection, statement.customer)
    said.one_at_a_time(connection, named.golden_id)
    request = rights.is_being_erased(connection, named.golden_id)
    if request is not None:
        raise StatementError(
            f"The customer is being erased, by request {request}: there is nothing to say of them."
        )
    key = uuid4().hex
    number, moment = said.add(
        connection,
        statement=key,
        source=named.anchor.source,
        entity=named.anchor.entity,
        record_id=named.anchor.record_id,
        purpose=statement.purpose,
        channel=statement.channel,
        state=statement.state,
        method=statement.method,
        notice=statement.notice or None,
        notice_version=statement.notice_version or None,
        reason=statement.reason or None,
        who=who,
        role=role,
    )
    new = {
        **dict.fromkeys(STATEMENTS.names),
        **dict(zip(RECORD_KEY, (said.SOURCE, said.ENTITY, key), strict=True)),
        "party": one_key(*named.anchor),
        "purpose": statement.purpose,
        "channel": statement.channel or None,
        "state": statement.state,
        "stated_at": moment.astimezone(UTC).isoformat(),
        "first_seen": moment.astimezone(UTC).date().isoformat(),
    }
    found = _of_one(connection, Lake(settings.lake_url), named, new, purposes.defaults)
    standing = {
        (row["source"], row["entity"], row["record_id"]): row["standing"]
        for row in found.standing.to_pylist()
        if row["golden_id"] == str(named.golden_id)
    }
    became = standing.get((said.SOURCE, said.ENTITY, key))
    if became not in (IN_FORCE, SUPERSEDED):
        raise StatementError(f"That would not count: {became}. Have the customer's date of birth put right.")
    rows = [row for row in found.consent.to_pylist() if row["golden_id"] == str(named.golden_id)]
    now = [{**row, "golden_id": named.golden_id} for row in rows]
    before = hub.of_customer(connection, named.golden_id)
    changed = _changed(before, now, purposes.defaults)
    hub.replace_of_one(connection, named.golden_id, now, standing)
    said.changed(connection, number, changed)
    own = next(
        row for row in now if (row["purpose"], row["channel"]) == (statement.purpose, statement.channel)
    )
    return TakenDown(number, named.golden_id, bool(own["allowed"]), own["state"], str(own["why"]), changed)


def see_that_it_can_be_said(statement: Statement, purposes: Purposes) -> None:
    """See that there is such a purpose, channel and state, and that somebody can say this about the purpose.

    Raises:
        StatementError: There is not, or nobody can.
    """
    if statement.purpose not in purposes.by_key:
        raise StatementError(
            f"There is no purpose of that name; there are {', '.join(purposes.by_key)} (policies/{POLICY})."
        )
    if statement.channel and statement.channel not in CHANNELS:
        raise StatementError(
            f"There is no channel of that name; there are {', '.join(CHANNELS)}, and the empty one for every channel."
        )
    if statement.state not in STATES:
        raise StatementError(f"There is no state of that name; there are {', '.join(STATES)}.")
    purpose = purposes[statement.purpose]
    if not purpose.can_be_refused:
        basis = str(purpose.basis).replace("_", " ")
        raise StatementError(
            f"Nobody can allow or refuse {statement.purpose}: it rests on {basis} (policies/{POLICY})."
        )
    for name in ("method", "notice", "notice_version", "reason"):
        value = getattr(statement, name)
        if len(value) > LONGEST or any(not one.isprintable() and one not in "\n\t" for one in value):
            raise StatementError(
                f"The {name} is longer than {LONGEST} characters, or holds some that no text has."
            )


def _of_one(
    connection: Connection, lake: Lake, named: Named, new: Mapping[str, Any], defaults: Mapping[str, bool]
) -> Effective:
    """Work out what one customer allows, with a new statement."""
    golden = named.published.golden
    me, own = str(named.golden_id), one_key("", named.golden_id)
    of_record = {record: one_key(*record) for record in named.customer}
    since = dict.fromkeys([*of_record.values(), own], str(golden["first_seen"]))
    reach = {(own, kind, str(golden[name])) for name, kind in REACHED_BY.items() if golden[name]}
    for row in _records(lake, named):
        key = one_key(*(row[name] for name in RECORD_KEY))
        since[key] = row["first_seen"]
        reach |= {(key, kind, row[name]) for name, kind in REACHED_BY.items() if row[name]}
    emails, phones = ({value for _, kind, value in reach if kind == one} for one in ("email", "phone"))
    published = hub.published_about(connection, named.golden_id, emails, phones)
    records = [{"golden_id": me, "party": key, "since": day} for key, day in since.items()]
    statements = [_as_ruled(row, of_record, own, emails, phones) for row in published]
    for kind, value, others in sorted(_strangers(published, emails)):
        for at in range(others):
            stranger = one_key("", kind, value, at)
            records.append({"golden_id": stranger, "party": stranger, "since": str(golden["first_seen"])})
            reach.add((stranger, kind, value))
    born = golden["birth_date"]
    published_from = hub.state(connection)
    return effective(
        pa.Table.from_pylist([*statements, dict(new)], STATEMENTS),
        pa.Table.from_pylist(records, RECORDS),
        pa.Table.from_pylist(
            [dict(zip(CONTACTS.names, one, strict=True)) for one in sorted(reach)], CONTACTS
        ),
        pa.Table.from_pylist([{"golden_id": me, "birth_date": None if born is None else str(born)}], BIRTHS),
        defaults=defaults,
        as_of=_as_of(published_from),
        first_days=json.loads(published_from.get(hub.FIRST_DAYS, "{}")),
    )


def _records(lake: Lake, named: Named) -> list[dict[str, Any]]:
    """The customer's records in the lake, as far as they are there."""
    parties = tables.records(lake, Entity.PARTY)
    if not parties.exists:
        return []
    keys = pa.table({name: [record[at] for record in named.customer] for at, name in enumerate(RECORD_KEY)})
    columns = [*RECORD_KEY, "first_seen", *REACHED_BY]
    found: list[dict[str, Any]] = parties.rows(keys).select(columns).to_pylist()
    return found


def _as_ruled(
    row: Mapping[str, Any],
    of_record: Mapping[Record, str],
    own: str,
    emails: set[str],
    phones: set[str],
) -> dict[str, Any]:
    """A published statement as the rules read it. What is about the customer stays so, whatever its records say now."""
    said_of = {name: row[name] for name in STATEMENTS.names if name != "party"}
    if row["h_source"] is not None:
        party = one_key(*(row[name] for name in ("h_source", "h_entity", "h_record_id")))
    else:
        named = (row["source"], row["party_id"])
        party = next((key for one, key in of_record.items() if (one.source, one.record_id) == named), "")
    alone = row["customers"] == 1
    if alone and party not in of_record.values():
        by_address = row["party_email"] in emails or row["party_phone"] in phones
        party = "" if by_address else own
    return {**said_of, "party": (party or None) if alone else None}


def _strangers(published: Iterable[Mapping[str, Any]], emails: set[str]) -> set[tuple[str, str, int]]:
    """Addresses that others have too, and how many others."""
    return {
        ("email", row["party_email"], row["customers"] - 1)
        if row["party_email"] in emails
        else ("phone", row["party_phone"], row["customers"] - 1)
        for row in published
        if row["customers"] > 1
    }


def _changed(
    before: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]], defaults: Mapping[str, bool]
) -> list[str]:
    """For which purposes and channels what a customer allows differs, as the change feed tells it."""
    old, new = ({(row["purpose"], row["channel"]): row["allowed"] for row in rows} for rows in (before, now))

    def allows(rows: Mapping[tuple[str, str], bool], purpose: str, channel: str) -> bool:
        return rows.get((purpose, channel), rows.get((purpose, ""), defaults.get(purpose, False)))

    return [
        f"{purpose}/{channel}" if channel else purpose
        for purpose, channel in sorted(old.keys() | new.keys())
        if allows(old, purpose, channel) != allows(new, purpose, channel)
    ]


def _as_of(published_from: Mapping[str, str]) -> date:
    """The day for which consent is published; today before the first time."""
    told = published_from.get("as_of")
    return date.fromisoformat(told) if told else datetime.now(UTC).date()
