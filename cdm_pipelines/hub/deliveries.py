"""The ledger of deliveries in PostgreSQL: who is in an audience, what a delivery changed, and whether it counts.

Belongs here: the SQL. Does not belong here: who may be in an audience (steps.activation), columns
(``schema_activation``), erasure (``delivery_places``).

A customer who was merged is found by the id that stands for them now, so a delivery knows whom it sent to before.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from cdm_pipelines.hub.load import copy_table, read_grouped, read_packed, read_table, without_data
from cdm_pipelines.hub.schema_activation import SCHEMA, delivery, delivery_member, gone_member, result
from cdm_pipelines.hub.schema_rights import request

ADDED, UPDATED, REMOVED, CONTROL = "added", "updated", "removed", "control"
ELSEWHERE = "the audience goes elsewhere now"
"""Why somebody was removed at a place that the audience went to before; decided with who is added at the new one."""
_LOCK = 0x63646D61  # "cdma": with a hash of the audience, the key of the lock under which one is delivered at a time
_ALIASES = "g AS MATERIALIZED (SELECT golden_id, alias_of FROM identity.golden_id WHERE alias_of IS NOT NULL)"
"""The few ids that another stands for now; read at once, or each of millions of rows would be looked up by itself."""
_T = pa.string()
STANDING = pa.schema(
    [
        ("own_id", _T),
        ("golden_id", _T),
        ("sent", pa.bool_()),
        ("control", pa.bool_()),
        ("row_digest", _T),
        ("delivery_id", _T),
    ]
)
"""Who was ever in an audience: the id of then and the one that stands for it now, whether they are in it, whether they
are in its control group, the digest of their last row, and the delivery that it was of."""
MEMBERS = pa.schema(
    [
        ("delivery_id", pa.int64()),
        ("golden_id", _T),
        ("audience", _T),
        ("action", _T),
        ("reason", _T),
        ("row_digest", _T),
    ]
)
IDS = pa.schema([("golden_id", _T)])


@dataclass(frozen=True)
class Home:
    """Where members are: who was given them.

    Attributes:
        platform: The system, by the name of its form.
        place: Folder, URL or address.
    """

    platform: str
    place: str


@dataclass(frozen=True)
class Delivery:
    """A delivery.

    Attributes:
        delivery_id: Its number among all.
        audience: Of which.
        number: Its number among those of the audience.
        platform: To which system it went.
        place: Where it went.
        token: Stands in its own file.
        released_at: Since when it counts.
    """

    delivery_id: int
    audience: str
    number: int
    platform: str
    place: str
    token: UUID
    released_at: dt.datetime | None

    @property
    def home(self) -> Home:
        """Where it went."""
        return Home(self.platform, self.place)


_KNOWN = tuple(delivery.c[one.name] for one in fields(Delivery))


@contextmanager
def alone(connect: Callable[[], Connection], audience: str) -> Iterator[bool]:
    """Whether this process is the only one that delivers an audience, as long as the block lasts.

    Args:
        connect: Opens a connection that stays open for so long.
        audience: The audience.
    """
    key = func.hashtext(audience)
    with connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        got = bool(connection.scalar(select(func.pg_try_advisory_lock(_LOCK, key))))
        try:
            yield got
        finally:
            if got:
                connection.scalar(select(func.pg_advisory_unlock(_LOCK, key)))


def standing(connection: Connection, audience: str) -> pa.Table:
    """Who was ever in an audience, by released deliveries, as ``STANDING`` in order of the id of then."""
    query = f"""
        WITH told AS (
            SELECT m.* FROM {delivery_member} AS m JOIN {delivery} AS d USING (delivery_id)
            WHERE d.audience = %(audience)s AND d.released_at IS NOT NULL),
        last AS (
            SELECT DISTINCT ON (golden_id) golden_id, action, row_digest, delivery_id FROM told
            WHERE action <> '{CONTROL}' ORDER BY golden_id, delivery_id DESC),
        held AS (SELECT DISTINCT golden_id FROM told WHERE action = '{CONTROL}'), {_ALIASES}
        SELECT golden_id, coalesce(g.alias_of, golden_id),
               coalesce(action IN ('{ADDED}', '{UPDATED}'), false), held.golden_id IS NOT NULL, row_digest,
               delivery_id
        FROM last FULL JOIN held USING (golden_id) LEFT JOIN g USING (golden_id)
        ORDER BY golden_id"""  # noqa: S608 - our own names
    return read_packed(connection, query, STANDING, {"audience": audience})


def homes(connection: Connection, audience: str) -> Mapping[str, Home]:
    """Where each delivery of an audience went, by its id as ``STANDING`` has it."""
    d = delivery.c
    query = select(d.delivery_id, d.platform, d.place).where(d.audience == audience).order_by(d.delivery_id)
    return {str(number): Home(platform, place) for number, platform, place in connection.execute(query)}


ADDITIONS = pa.schema([("golden_id", _T), ("audience", _T), ("day", pa.date32())])
"""Who was added to which audience, and on which day."""


def additions(connection: Connection, first: dt.date, timezone: str) -> pa.Table:
    """Who was added to audiences from a day on, over all of them: ``ADDITIONS``, a row each time.

    Who was in an audience when it went elsewhere is not approached anew by that.

    Args:
        connection: Of a migrated hub.
        first: The day.
        timezone: In which days begin.
    """
    # Where an audience did not move, which is nearly always, nobody is looked up.
    query = f"""
        WITH told AS MATERIALIZED (
            SELECT delivery_id, audience, day, decided_at, EXISTS (
                SELECT FROM {delivery} AS former WHERE former.audience = made.audience
                AND former.decided_at = made.decided_at AND former.delivery_id <> made.delivery_id) AS moved
            FROM (SELECT *, (released_at AT TIME ZONE %(timezone)s)::date AS day FROM {delivery}) AS made
            WHERE day >= %(first)s), {_ALIASES}
        SELECT coalesce(g.alias_of, m.golden_id), told.audience, told.day
        FROM {delivery_member} AS m JOIN told USING (delivery_id)
        LEFT JOIN g ON g.golden_id = m.golden_id
        WHERE m.action = '{ADDED}' AND NOT (told.moved AND EXISTS (
            SELECT FROM {delivery_member} AS before JOIN {delivery} AS former USING (delivery_id)
            WHERE before.golden_id = m.golden_id AND before.audience = m.audience
            AND before.reason = %(elsewhere)s AND former.decided_at = told.decided_at))"""  # noqa: S608 - our own names
    given = {"first": first, "timezone": timezone, "elsewhere": ELSEWHERE}
    return read_grouped(connection, query, ADDITIONS, given)


def being_erased(connection: Connection) -> pa.Array:
    """Golden ids of customers of whom a request is open that names them: they are being erased."""
    query = f"""SELECT DISTINCT jsonb_array_elements_text(subject -> 'golden_ids') FROM {request}
        WHERE state = 'open' AND subject ? 'golden_ids'"""  # noqa: S608 - our own names
    return read_packed(connection, query, IDS)["golden_id"].combine_chunks()


def begin(connection: Connection, **values: Any) -> Delivery:
    """Write a delivery down, which does not count yet.

    Args:
        connection: In a transaction of who delivers the audience alone.
        values: Its columns, but for those that follow.
    """
    d = delivery.c
    last = (
        select(func.coalesce(func.max(d.number), 0)).where(d.audience == values["audience"]).scalar_subquery()
    )
    statement = insert(delivery).values(**values, number=last + 1).returning(*_KNOWN)
    with without_data("recording the delivery"):
        return Delivery(*connection.execute(statement).one())


def changes(
    ids: pa.Array, action: str, digests: pa.Array | None = None, reasons: pa.Array | None = None
) -> pa.Table:
    """What a delivery does with some customers, as ``MEMBERS`` without the delivery."""
    nothing = pa.nulls(len(ids), _T)
    return pa.table(
        {
            "golden_id": ids,
            "action": pa.repeat(pa.scalar(action, _T), len(ids)),
            "reason": nothing if reasons is None else reasons,
            "row_digest": nothing if digests is None else digests,
        }
    )


def add_members(connection: Connection, made: Delivery, rows: pa.Table) -> None:
    """Add rows to the ledger, as :func:`changes` makes them."""
    rows = rows.append_column(
        "delivery_id", pa.repeat(pa.scalar(made.delivery_id, pa.int64()), rows.num_rows)
    )
    rows = rows.append_column("audience", pa.repeat(pa.scalar(made.audience, _T), rows.num_rows))
    copy_table(connection, delivery_member.name, rows.select(MEMBERS.names), schema=SCHEMA)


def release(connection: Connection, delivery_id: int, *, taken: bool) -> None:
    """From now on a delivery counts; of files it is taken by then, of a webhook when it took them."""
    now = func.clock_timestamp()
    values = {"released_at": now, **({"taken_at": now} if taken else {})}
    connection.execute(update(delivery).where(delivery.c.delivery_id == delivery_id).values(values))
    if taken:
        _let_go_of_gone(connection, delivery_id)


def _let_go_of_gone(connection: Connection, delivery_id: int) -> None:
    """Of who was erased nothing is kept any more, as soon as the system has been told."""
    connection.execute(delete(gone_member).where(gone_member.c.delivery_id == delivery_id))


def taken(connection: Connection, delivery_id: int, problem: str = "", *, for_good: bool = False) -> None:
    """A delivery was taken after it was released, or was not: why, and whether it is not tried again."""
    ended = for_good or not problem
    values = {"problem": problem or None, **({"taken_at": func.clock_timestamp()} if ended else {})}
    connection.execute(update(delivery).where(delivery.c.delivery_id == delivery_id).values(values))
    if ended:
        _let_go_of_gone(connection, delivery_id)


def unreleased(connection: Connection, audience: str) -> list[Delivery]:
    """Deliveries that were cut short, in order."""
    d = delivery.c
    query = select(*_KNOWN).where(d.audience == audience, d.released_at.is_(None)).order_by(d.number)
    return [Delivery(*row) for row in connection.execute(query)]


def newest(connection: Connection, audience: str) -> int:
    """The number of the newest delivery of an audience; 0 before the first."""
    d = delivery.c
    return int(
        connection.scalar(select(func.coalesce(func.max(d.number), 0)).where(d.audience == audience)) or 0
    )


def pending(connection: Connection, audience: str) -> list[Delivery]:
    """Deliveries that count and were not taken yet, in order: of webhooks, and of former places."""
    d = delivery.c
    where = (d.audience == audience, d.released_at.is_not(None), d.taken_at.is_(None))
    return [Delivery(*row) for row in connection.execute(select(*_KNOWN).where(*where).order_by(d.number))]


def undo(connection: Connection, delivery_id: int) -> None:
    """A delivery that was cut short never was."""
    connection.execute(delete(delivery_member).where(delivery_member.c.delivery_id == delivery_id))
    again = update(gone_member).where(gone_member.c.delivery_id == delivery_id).values(delivery_id=None)
    connection.execute(again)
    connection.execute(delete(delivery).where(delivery.c.delivery_id == delivery_id))


def members(connection: Connection, delivery_id: int) -> Mapping[str, list[UUID]]:
    """Whom a delivery added, updated and removed, by action in order of id."""
    m = delivery_member.c
    query = select(m.action, m.golden_id).where(m.delivery_id == delivery_id).order_by(m.golden_id)
    found: dict[str, list[UUID]] = {ADDED: [], UPDATED: [], REMOVED: [], CONTROL: []}
    for action, golden_id in connection.execute(query):
        found[action].append(golden_id)
    return found


def gone(connection: Connection, audience: str) -> Mapping[Home, list[str]]:
    """By what systems know members who were erased, and of whom no delivery tells yet."""
    g = gone_member.c
    query = select(g.platform, g.place, g.member_key).where(g.audience == audience, g.delivery_id.is_(None))
    found: dict[Home, list[str]] = {}
    for platform, place, key in connection.execute(query.order_by(g.platform, g.place, g.member_key)):
        found.setdefault(Home(platform, place), []).append(key)
    return found


def tell_gone(connection: Connection, made: Delivery) -> None:
    """A delivery tells of those who were erased, and whom the system that it goes to was given."""
    g = gone_member.c
    of = (g.audience == made.audience, g.platform == made.platform, g.place == made.place)
    told = update(gone_member).where(*of, g.delivery_id.is_(None)).values(delivery_id=made.delivery_id)
    connection.execute(told)


def gone_in(connection: Connection, delivery_id: int) -> list[str]:
    """By what the system knows those who were erased of whom a delivery tells."""
    g = gone_member.c
    return list(
        connection.scalars(select(g.member_key).where(g.delivery_id == delivery_id).order_by(g.member_key))
    )


def forget(connection: Connection, audience: str, keep_days: int) -> int:
    """Let go what the ledger of an audience remembers longer than it should; returns how many rows.

    What says that somebody is in the audience, or in its control group, stays.
    """
    d = delivery.c
    old = (d.audience == audience, d.released_at < func.now() - dt.timedelta(days=keep_days))
    ids = list(connection.execute(select(d.delivery_id).where(*old)).scalars())
    if not ids:  # nearly always: who is in it now need not be looked at
        return 0
    forgotten = text(
        f"""DELETE FROM {delivery_member} AS m
        WHERE m.delivery_id = ANY(:ids) AND m.audience = :audience AND m.action <> '{CONTROL}'
        AND (m.action = '{REMOVED}' OR EXISTS (
            SELECT FROM {delivery_member} AS later WHERE later.audience = m.audience
            AND later.golden_id = m.golden_id AND later.action <> '{CONTROL}'
            AND later.delivery_id > m.delivery_id))"""  # noqa: S608 - our own names
    )
    return int(connection.execute(forgotten, {"audience": audience, "ids": ids}).rowcount)


def numbers(connection: Connection, audience: str, older_than: dt.timedelta) -> list[Delivery]:
    """Deliveries released longer ago than that, but for the newest."""
    d = delivery.c
    newest = select(func.max(d.number)).where(d.audience == audience).scalar_subquery()
    where = (d.audience == audience, d.released_at < func.now() - older_than, d.number < newest)
    return [Delivery(*row) for row in connection.execute(select(*_KNOWN).where(*where).order_by(d.number))]


def last(connection: Connection) -> list[Mapping[str, Any]]:
    """The newest delivery of each audience, with its counts."""
    d = delivery.c
    query = select(delivery).distinct(d.audience).order_by(d.audience, d.number.desc())
    return [dict(row) for row in connection.execute(query).mappings()]


def of_persons(connection: Connection, ids: Collection[UUID]) -> Sequence[Mapping[str, Any]]:
    """Deliveries that some customers were in, oldest first: to whom, for what, when, and what it did."""
    m, d = delivery_member.c, delivery.c
    query = (
        select(d.audience, d.purpose, d.channel, d.platform, m.action, m.reason, d.released_at)
        .join(delivery, d.delivery_id == m.delivery_id)
        .where(m.golden_id.in_(ids), d.released_at.is_not(None))
        .order_by(d.released_at, d.audience)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


TREATED = pa.schema([("golden_id", _T), ("variant", _T), ("since", pa.date32())])


def treated(connection: Connection, audience: str, timezone: str) -> pa.Table:
    """Customers who were ever added to an audience or are in its control group, each with the first day of it.

    Who is in the control group counts there alone.
    """
    query = f"""
        SELECT coalesce(g.alias_of, m.golden_id), CASE WHEN bool_or(m.action = '{CONTROL}') THEN '{CONTROL}'
               ELSE 'sent' END, min((d.released_at AT TIME ZONE %(timezone)s)::date)
        FROM {delivery_member} AS m JOIN {delivery} AS d USING (delivery_id)
        LEFT JOIN identity.golden_id AS g ON g.golden_id = m.golden_id
        WHERE d.audience = %(audience)s AND d.released_at IS NOT NULL AND m.action IN ('{ADDED}', '{CONTROL}')
        GROUP BY 1 ORDER BY 1"""  # noqa: S608 - our own names
    return read_table(connection, query, TREATED, {"audience": audience, "timezone": timezone})


def bought(connection: Connection, audience: str, timezone: str, days: int) -> pa.Array:
    """Golden ids of those customers who ordered within some days of it."""
    query = f"""
        WITH who AS (
            SELECT coalesce(g.alias_of, m.golden_id) AS golden_id,
                   min((d.released_at AT TIME ZONE %(timezone)s)::date) AS since
            FROM {delivery_member} AS m JOIN {delivery} AS d USING (delivery_id)
            LEFT JOIN identity.golden_id AS g ON g.golden_id = m.golden_id
            WHERE d.audience = %(audience)s AND d.released_at IS NOT NULL AND m.action IN ('{ADDED}', '{CONTROL}')
            GROUP BY 1)
        SELECT DISTINCT golden_id FROM who JOIN golden.customer_order AS o USING (golden_id)
        WHERE o.active AND (o.ordered_at AT TIME ZONE %(timezone)s)::date
              BETWEEN since AND since + %(days)s"""  # noqa: S608 - our own names
    given = {"audience": audience, "timezone": timezone, "days": days}
    return read_packed(connection, query, IDS, given)["golden_id"].combine_chunks()


def write_results(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what came of audiences in the place of what was counted before."""
    connection.execute(delete(result))
    if rows:
        connection.execute(upsert(result), list(rows))
