"""Requests of persons, their steps, holds, restrictions and certificates in PostgreSQL.

Belongs here: reading and writing those rows. Does not belong here: what is done about a request (steps.rights), how
certificates are chained (privacy.certificate).
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection, delete, func, insert, null, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from cdm_pipelines.hub.connection import DAGSTER_SCHEMA
from cdm_pipelines.hub.load import read_table, without_data
from cdm_pipelines.hub.queries import Row
from cdm_pipelines.hub.schema_rights import certificate, legal_hold, request, request_step, restriction

OPEN, DONE = "open", "done"
_ID = pa.schema([("golden_id", pa.string())])
RESTRICTED = pa.schema([("golden_id", pa.string()), ("purpose", pa.string())])
LEFT_OUT = (str(legal_hold),)
"""Tables that may hold values of a person who is erased: what the law has kept."""
ASKED = f"(SELECT {', '.join(name for column in request.columns if (name := column.name) != 'subject')} FROM {request})"  # noqa: S608 - ours
"""Requests without whose data they are about, which is known while they are open."""
DECISION = "decision "
"""How the step of a request is called by which a value was put right; the number of the decision follows."""
RECTIFIED = pa.schema([("golden_id", pa.string()), ("attribute", pa.string())])
_LOCK = 0x63646D72  # "cdmr": the key of the advisory lock under which one process at a time works on requests


@dataclass(frozen=True)
class Request:
    """A request of a person.

    Attributes:
        request_id: Its number.
        kind: What is asked.
        received_at: When it was received.
        due_on: When it is to be answered at the latest.
        checked_by: Who made sure that the person is who asks.
        state: ``open`` or ``done``.
        reason: Its number or words.
        policy: The policy that was in force.
        subject: Whose data it is about; None once it is done.
        closed_at: When it was done.
    """

    request_id: int
    kind: str
    received_at: dt.datetime
    due_on: dt.date
    checked_by: str
    state: str
    reason: str | None
    policy: Mapping[str, Any]
    subject: Mapping[str, Any] | None
    closed_at: dt.datetime | None


def wait_for_turn(connection: Connection) -> None:
    """Wait until no other process works on requests; the turn lasts until the transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def add_request(connection: Connection, **values: Any) -> int:
    """Write down a request; returns its number."""
    with without_data("recording the request"):
        statement = insert(request).values(values).returning(request.c.request_id)
        return int(connection.execute(statement).scalar_one())


def requests(connection: Connection) -> list[Request]:
    """All requests, oldest first."""
    found = connection.execute(select(request).order_by(request.c.request_id)).mappings()
    return [Request(**row) for row in found]


def is_being_erased(connection: Connection, golden_id: UUID) -> int | None:
    """The number of the request by which a customer is being erased; None where none is open."""
    ids = request.c.subject["golden_ids"]
    query = select(request.c.request_id).where(request.c.state == OPEN, ids.contains([str(golden_id)]))
    found: int | None = connection.scalar(query.limit(1))
    return found


def close_request(connection: Connection, number: int) -> None:
    """A request is done: whose data it was about is forgotten."""
    values = {"state": DONE, "subject": null(), "closed_at": func.clock_timestamp()}
    connection.execute(update(request).where(request.c.request_id == number).values(values))


def steps_done(connection: Connection, number: int) -> set[str]:
    """The steps of a request that need not be done again."""
    s = request_step.c
    query = select(s.place).where(s.request_id == number, s.done_at.is_not(None))
    return set(connection.scalars(query))


def steps_of(connection: Connection, number: int) -> list[Row]:
    """All steps of a request, in the order in which they were done."""
    s = request_step.c
    query = select(s.place, s.rows, s.how).where(s.request_id == number).order_by(s.done_at, s.place)
    return [dict(row) for row in connection.execute(query).mappings()]


def step_is_done(
    connection: Connection, number: int, place: str, rows: int, how: str, *, whole: bool = True
) -> None:
    """Write down a step; rows of one that is done once more are added up, as one is that was not done ``whole``."""
    values = {
        "request_id": number,
        "place": place,
        "rows": rows,
        "how": how,
        "done_at": func.clock_timestamp() if whole else null(),
    }
    statement = upsert(request_step).values(values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["request_id", "place"],
            set_={
                "rows": request_step.c.rows + statement.excluded.rows,
                "how": statement.excluded.how,
                "done_at": statement.excluded.done_at,
            },
        )
    )


def do_again(connection: Connection, number: int) -> None:
    """Every step of a request is to be done once more."""
    connection.execute(update(request_step).where(request_step.c.request_id == number).values(done_at=null()))


def clear_reasons(connection: Connection, tells: Callable[[str], Collection[str]]) -> int:
    """Clear the reasons of requests that tell something of a person who is erased; returns how many there were."""
    reasons = select(request.c.request_id, request.c.reason).where(request.c.reason > "")
    theirs = [number for number, reason in connection.execute(reasons) if tells(reason)]
    connection.execute(update(request).where(request.c.request_id.in_(theirs)).values(reason=""))
    return len(theirs)


def hold(connection: Connection, number: int, held: Iterable[Mapping[str, Any]]) -> int:
    """Keep what the law has kept; returns how many documents there are."""
    rows = [{"request_id": number, "number": at, **one} for at, one in enumerate(held, start=1)]
    with without_data("keeping what the law has kept"):
        if rows:
            connection.execute(insert(legal_hold), rows)
    return len(rows)


def holds_of(connection: Connection, number: int) -> list[Row]:
    """What is kept of an erased person: kinds, reasons and days, with how many there are; no content."""
    h = legal_hold.c
    query = (
        select(h.what, h.reason, func.max(h.until).label("until"), func.count().label("documents"))
        .where(h.request_id == number)
        .group_by(h.what, h.reason)
        .order_by(h.what)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def restrict(
    connection: Connection, number: int, records: Iterable[tuple[str, str, str]], purpose: str = ""
) -> None:
    """Restrict source records, for every purpose or for one; those that are already stay as they are."""
    rows = [
        {"source": source, "entity": entity, "record_id": record, "purpose": purpose, "request_id": number}
        for source, entity, record in sorted(records)
    ]
    if rows:
        with without_data("restricting the records"):
            connection.execute(upsert(restriction).on_conflict_do_nothing(), rows)


def lift_restriction(
    connection: Connection, records: Iterable[tuple[str, str, str]], purpose: str = ""
) -> int:
    """Take a restriction for every purpose back, or an objection to one; returns how many records it was of."""
    r = restriction.c
    gone = 0
    for source, entity, record in records:
        where = (r.source == source, r.entity == entity, r.record_id == record, r.purpose == purpose)
        gone += int(connection.execute(delete(restriction).where(*where)).rowcount)
    return gone


def restricted(connection: Connection, crosswalk: str) -> pa.Table:
    """Customers who are restricted: ``golden_id``, and ``purpose``, empty for every purpose.

    Args:
        connection: Of a migrated hub.
        crosswalk: SQL for the rows of the crosswalk, as it is or will be.
    """
    if not connection.scalar(
        select(select(restriction).exists())
    ):  # or all of the crosswalk is read for nobody
        return RESTRICTED.empty_table()
    query = f"""SELECT DISTINCT golden_id, purpose FROM {restriction}
        JOIN (SELECT golden_id, source, entity, record_id FROM {crosswalk}) AS whose
        USING (source, entity, record_id)"""  # noqa: S608 - our own names
    return read_table(connection, query, RESTRICTED)


def rectified(connection: Connection) -> pa.Table:
    """Golden values that were put right because their person asked for it: ``golden_id, attribute``."""
    query = f"""SELECT DISTINCT p.golden_id, p.attribute FROM golden.provenance AS p
        JOIN {request_step} AS s ON s.place = '{DECISION}' || p.decision_id
        JOIN {request} AS r ON r.request_id = s.request_id AND r.kind = 'rectify'
        WHERE p.decision_id IS NOT NULL"""  # noqa: S608 - our own names
    return read_table(connection, query, RECTIFIED)


def deceased(connection: Connection) -> pa.Array:
    """Golden ids of published customers who are known to have died: nobody addresses them, for whatever purpose."""
    query = "SELECT golden_id FROM golden.customer WHERE deceased ORDER BY golden_id"
    return read_table(connection, query, _ID)["golden_id"].combine_chunks()


def certificates(connection: Connection) -> list[Row]:
    """All certificates, in order."""
    found = connection.execute(select(certificate).order_by(certificate.c.number)).mappings()
    return [dict(row) for row in found]


def add_certificate(connection: Connection, row: Mapping[str, Any]) -> None:
    """Add a certificate."""
    connection.execute(insert(certificate).values(**row))


def runs_under_way(connection: Connection, own_run: str = "") -> int:
    """How many other runs of the pipeline are under way, by Dagster's own table; none where there is no such table."""
    if connection.scalar(select(func.to_regclass(f"{DAGSTER_SCHEMA}.runs"))) is None:
        return 0
    counted = text(
        f"SELECT count(*) FROM {DAGSTER_SCHEMA}.runs WHERE status IN ('STARTING', 'STARTED', 'CANCELING') "  # noqa: S608 - our own name
        "AND run_id <> :own"
    )
    return int(connection.scalar(counted, {"own": own_run}) or 0)
