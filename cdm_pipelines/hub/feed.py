"""Reading the change feed, and remembering how far each sink is.

Belongs here: the SQL of readers: entries after a position, cursors, dead letters. Does not belong here: writing
entries (``outbox``), or how they reach a sink (``publish``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, text, update
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.schema import publication
from cdm_pipelines.hub.schema_feed import dead_letter, feed, outbox, sink

_LOCK = 0x63646D66  # "cdmf": with a hash of the name, the key under which one process at a time serves a sink


@dataclass(frozen=True)
class Entry:
    """One event of the feed, as consumers are told of it.

    Attributes:
        position: Its place.
        event_id: Its name, the same however often it is delivered.
        publication_id: Publication that it is part of.
        published_at: When that was.
        golden_id: The customer.
        type: ``customer.created`` and so on.
        related_id: The customer merged into, or split from.
        changes: Of a change: fingerprints of the value before and after, by attribute; null for no value.
    """

    position: int
    event_id: UUID
    publication_id: int
    published_at: datetime
    golden_id: UUID
    type: str
    related_id: UUID | None
    changes: Mapping[str, tuple[str | None, str | None]] | None


@dataclass(frozen=True)
class SinkState:
    """How far a sink is: ``disabled`` says why nothing is sent any more, None while it is in use."""

    name: str
    position: int
    disabled: str | None
    updated_at: datetime


@dataclass(frozen=True)
class DeadLetter:
    """An event that a sink did not take; ``attempts`` is 0 when it waits behind another of its customer."""

    sink: str
    position: int
    golden_id: UUID
    attempts: int
    error: str


def hub_id(connection: Connection) -> UUID:
    """What tells this hub from every other."""
    return UUID(str(connection.execute(select(feed.c.hub_id)).scalar_one()))


def begin_anew(connection: Connection) -> None:
    """Give this hub another id: what it tells from now on is of no former event, though numbers come again."""
    connection.execute(update(feed).values(hub_id=func.gen_random_uuid()))


def last_position(connection: Connection) -> int:
    """Position of the newest entry; 0 when there is none."""
    return int(connection.scalar(select(func.max(outbox.c.position))) or 0)


def pruned(connection: Connection) -> int:
    """Position up to which pruning has forgotten events; 0 where it has forgotten none."""
    return int(connection.scalar(select(feed.c.pruned)) or 0)


def behind(connection: Connection, position: int) -> int:
    """Number of entries after a position."""
    return int(
        connection.scalar(select(func.count()).select_from(outbox).where(outbox.c.position > position)) or 0
    )


def entries(connection: Connection, after: int, limit: int) -> list[Entry]:
    """The next entries after a position, in order."""
    return _entries(connection, outbox.c.position > after, outbox.c.position.asc(), limit)


def latest(connection: Connection, limit: int) -> list[Entry]:
    """The newest entries, the oldest of them first."""
    return _entries(connection, outbox.c.position > 0, outbox.c.position.desc(), limit)[::-1]


def entry(connection: Connection, position: int) -> Entry:
    """The entry at a position, which must be there."""
    (found,) = _entries(connection, outbox.c.position == position, outbox.c.position.asc(), 1)
    return found


def _entries(
    connection: Connection, condition: ColumnElement[bool], order: ColumnElement[Any], limit: int
) -> list[Entry]:
    o = outbox.c
    columns = (o.position, o.event_id, o.publication_id, publication.c.published_at, o.golden_id, o.type)
    query = (
        select(*columns, o.related_id, o.changes)
        .join(publication, publication.c.publication_id == o.publication_id)
        .where(condition)
        .order_by(order)
        .limit(limit)
    )
    return [Entry(*row) for row in connection.execute(query)]


def sinks(connection: Connection) -> list[SinkState]:
    """All sinks that were ever served, by name."""
    return [SinkState(*row) for row in connection.execute(select(sink).order_by(sink.c.name))]


def waiting(connection: Connection) -> dict[str, int]:
    """Position of each sink in use that events are waiting for; none where there is no feed yet."""
    if connection.scalar(select(func.to_regclass(str(sink)))) is None:
        return {}
    newest = select(func.max(outbox.c.position)).scalar_subquery()
    query = select(sink.c.name, sink.c.position).where(sink.c.disabled.is_(None), sink.c.position < newest)
    return {str(name): int(position) for name, position in connection.execute(query)}


def state(connection: Connection, name: str, start: int) -> SinkState:
    """How far a sink is; one that is new begins after the position ``start``."""
    new = postgresql.insert(sink).values(name=name, position=start).on_conflict_do_nothing()
    connection.execute(new)
    return SinkState(*connection.execute(select(sink).where(sink.c.name == name)).one())


def advance(connection: Connection, name: str, position: int, dead: Sequence[DeadLetter] = ()) -> None:
    """Move a sink's cursor, and put aside what could not be delivered up to there."""
    rows = [
        {
            "sink": d.sink,
            "position": d.position,
            "golden_id": d.golden_id,
            "attempts": d.attempts,
            "error": d.error,
        }
        for d in dead
    ]
    if rows:
        connection.execute(insert(dead_letter), rows)
    moved = update(sink).where(sink.c.name == name).values(position=position, updated_at=func.now())
    connection.execute(moved)


def rewind(connection: Connection, name: str, position: int) -> None:
    """Deliver everything after a position again; dead letters after it are entries like others again."""
    connection.execute(
        delete(dead_letter).where(dead_letter.c.sink == name, dead_letter.c.position > position)
    )
    connection.execute(update(sink).where(sink.c.name == name).values(position=position, disabled=None))


def disable(connection: Connection, name: str, reason: str | None) -> None:
    """Send nothing more to a sink; with no reason, send again."""
    connection.execute(update(sink).where(sink.c.name == name).values(disabled=reason))


def dead_letters(
    connection: Connection, name: str | None = None, limit: int | None = None
) -> list[DeadLetter]:
    """Dead letters of one sink or of all, in the order of their sinks and positions."""
    d = dead_letter.c
    query = select(d.sink, d.position, d.golden_id, d.attempts, d.error).order_by(d.sink, d.position)
    if name is not None:
        query = query.where(d.sink == name)
    return [DeadLetter(*row) for row in connection.execute(query.limit(limit))]


def dead_counts(connection: Connection) -> dict[str, int]:
    """Number of dead letters per sink that has any."""
    query = select(dead_letter.c.sink, func.count()).group_by(dead_letter.c.sink)
    return {str(name): int(count) for name, count in connection.execute(query)}


def forget(connection: Connection, letter: DeadLetter) -> None:
    """Strike out a dead letter that was delivered after all."""
    d = dead_letter.c
    connection.execute(delete(dead_letter).where(d.sink == letter.sink, d.position == letter.position))


@contextmanager
def alone(connect: Callable[[], Connection], name: str) -> Iterator[bool]:
    """Serve a sink alone, for as long as the block lasts; yields False when another process does already.

    The lock belongs to a connection of its own and goes with it, so that a killed process leaves none behind.
    """
    key = {"lock": _LOCK, "name": name}
    with connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        got = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:lock, hashtext(:name))"), key))
        try:
            yield got
        finally:
            if got:
                connection.execute(text("SELECT pg_advisory_unlock(:lock, hashtext(:name))"), key)
