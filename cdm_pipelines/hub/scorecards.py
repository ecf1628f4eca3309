"""Keeping figures of quality (``insight.quality``) and of worth as a history, and asking for them.

Belongs here: SQL that reads and writes these tables. Does not belong here: measuring (``insight``), or when (steps).

A day that is written again with the same figures changes nothing: rows are told apart by what they say, not by the run
that says it.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Table, delete, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from cdm_pipelines.hub.schema_insight import quality, volume, worth

_ROWS_AT_ONCE = 2_000
_NOT_SAID = ("run", "measured_at")


def write(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], run: str) -> int:
    """Put rows in place of those with their keys; returns how many are new or say something else than before.

    Args:
        connection: In a transaction.
        table: Of schema ``insight``, with ``run`` and ``measured_at``.
        rows: With a value for every other column.
        run: That measured them.
    """
    keys = [column.name for column in table.primary_key]
    said = [column.name for column in table.columns if column.name not in (*keys, *_NOT_SAID)]
    changed = 0
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        new = insert(table).values([{**row, "run": run} for row in rows[start : start + _ROWS_AT_ONCE]])
        differs = or_(*(table.c[name].is_distinct_from(new.excluded[name]) for name in said))
        replacing = {name: new.excluded[name] for name in (*said, "run")} | {"measured_at": func.now()}
        told = new.on_conflict_do_update(index_elements=keys, set_=replacing, where=differs)
        changed += len(connection.execute(told.returning(table.c[keys[0]])).all())
    return changed


def replace_day(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    run: str,
    of: Mapping[str, Any],
    *also: ColumnElement[bool],
) -> int:
    """Write all rows of a subject, and delete those of it that are no longer measured; returns how many changed.

    Args:
        connection: In a transaction.
        table: Of schema ``insight``.
        rows: All of the subject.
        run: That measured them.
        of: What the subject's rows have in common, by column, such as as_of, source and entity.
        also: What else they have in common.
    """
    keys = [column.name for column in table.primary_key]
    theirs = [table.c[name] == value for name, value in of.items()] + list(also)
    gone = delete(table).where(*theirs)
    if rows:
        gone = gone.where(
            tuple_(*(table.c[name] for name in keys)).not_in(
                [tuple(row[name] for name in keys) for row in rows]
            )
        )
    return int(connection.execute(gone).rowcount) + write(connection, table, rows, run)


def measured_from(connection: Connection, source: str, entity: str) -> dict[dt.date, str]:
    """What the days of a source entity were last measured on, by day."""
    c = quality.c
    query = select(c.as_of, func.min(c.made_from)).where(
        c.source == source, c.entity == entity, c.made_from.like("day %")
    )
    return {row[0]: row[1] for row in connection.execute(query.group_by(c.as_of))}


def history(
    connection: Connection,
    source: str = "",
    as_of: dt.date | None = None,
    days: int = 400,
    *,
    of: FromClause = quality,
    subject: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Figures of quality, oldest first, each as a row by column name.

    Args:
        connection: To the hub.
        source: Of this source only; all when empty.
        as_of: None later than this day; all when None.
        days: How many days before the last one at most.
        of: The table, or a view of it.
        subject: Values that columns have, such as ``entity`` and ``measure``; of all where not given.
    """
    c = of.c
    last = as_of or connection.scalar(select(func.max(c.as_of)))
    if last is None:
        return []
    query = select(of).where(c.as_of <= last, c.as_of > last - dt.timedelta(days=days))
    if source:
        query = query.where(c.source == source)
    query = query.where(*(c[name] == value for name, value in (subject or {}).items()))
    order = (c.as_of, c.source, c.entity, c.attribute, c.dimension, c.measure)
    return [dict(row) for row in connection.execute(query.order_by(*order)).mappings()]


def volumes(connection: Connection) -> list[dict[str, Any]]:
    """Volumes of the first and of the last day that have any, oldest first."""
    c = volume.c
    first, last = connection.execute(select(func.min(c.as_of), func.max(c.as_of))).one()
    query = select(volume).where(c.as_of.in_([first, last])).order_by(c.as_of, c.name, c.source)
    return [dict(row) for row in connection.execute(query).mappings()]


def worths(connection: Connection, as_of: dt.date | None = None) -> list[dict[str, Any]]:
    """What faults, drivers and goals were worth on the last day up to ``as_of``."""
    c = worth.c
    known = select(func.max(c.as_of))
    last = connection.scalar(known if as_of is None else known.where(c.as_of <= as_of))
    query = select(worth).where(c.as_of == last).order_by(c.kind, c.name)
    return [dict(row) for row in connection.execute(query).mappings()]


def forget(connection: Connection, before: dt.date) -> int:
    """Delete figures of days before one; the first and the last day of volumes stay, to compare with."""
    gone = 0
    tables: Iterable[Table] = (quality, volume, worth)
    for table in tables:
        ends = select(func.max(table.c.as_of))
        first = select(func.min(volume.c.as_of))
        due = delete(table).where(table.c.as_of < before, table.c.as_of.not_in(ends))
        due = due.where(table.c.as_of.not_in(first)) if table is volume else due
        gone += connection.execute(due).rowcount
    return gone
