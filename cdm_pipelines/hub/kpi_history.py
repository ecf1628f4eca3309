"""What is kept of every month in schema ``insight``: written whole by month, read as series, forgotten by age.

Belongs here: SQL. Does not belong here: what the figures are (insight), or how long they are kept (the policy of
pruning).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from cdm_pipelines.hub.schema_kpi import TABLES

MONTH = "month"


@dataclass(frozen=True)
class Known:
    """Days between which published customers were delivered; None before the first publication."""

    first: dt.date | None
    last: dt.date | None


def days_known(connection: Connection) -> Known:
    """The first and the last day that the published customers were made from."""
    from cdm_pipelines.hub.schema import customer  # noqa: PLC0415 - a module of tables that loads all others

    row = connection.execute(select(func.min(customer.c.first_seen), func.max(customer.c.last_seen))).one()
    return Known(*row)


def keep(connection: Connection, table: Table, month: dt.date, rows: Sequence[Mapping[str, Any]]) -> int:
    """Write a month anew: rows that are the same stay as they are, those that are no more go.

    Args:
        connection: In a transaction.
        table: One of ``schema_kpi.TABLES``.
        month: Its first day.
        rows: All of the month, without ``month``.

    Returns:
        How many rows were written, changed or deleted.
    """
    keys = [one.name for one in table.primary_key if one.name != MONTH]
    named = [tuple(row[key] for key in keys) for row in rows]
    gone = delete(table).where(table.c.month == month)
    if named:
        gone = gone.where(tuple_(*(table.c[key] for key in keys)).not_in(named))
    changed = int(connection.execute(gone).rowcount)
    if not rows:
        return changed
    put = insert(table).values([{MONTH: month, **row} for row in rows])
    others = [one.name for one in table.columns if not one.primary_key]
    put = put.on_conflict_do_update(
        index_elements=[one.name for one in table.primary_key],
        set_={name: put.excluded[name] for name in others},
        where=or_(*(table.c[name].is_distinct_from(put.excluded[name]) for name in others)),
    )
    return changed + len(connection.execute(put.returning(table.c.month)).all())


def of_month(connection: Connection, table: Table, month: dt.date) -> list[dict[str, Any]]:
    """All rows of a month, in the order of their keys."""
    return series(connection, table, month, months=1)


def series(connection: Connection, table: Table, until: dt.date, months: int) -> list[dict[str, Any]]:
    """All rows of some months up to one, oldest first.

    Args:
        connection: To the hub.
        table: One of ``schema_kpi.TABLES``.
        until: First day of the last month.
        months: How many calendar months.
    """
    first = months_before(until, months - 1)
    chosen = select(table).where(and_(table.c.month >= first, table.c.month <= until))
    rows = connection.execute(chosen.order_by(*table.primary_key)).mappings()
    return [dict(row) for row in rows]


def months_before(month: dt.date, number: int) -> dt.date:
    """The first day of the month so many before another."""
    year, at = divmod(month.year * 12 + month.month - 1 - number, 12)
    return dt.date(year, at + 1, 1)


def forget(connection: Connection, before: dt.date) -> int:
    """Delete what is kept of months that ended before a day; returns the number of rows."""
    first = before.replace(day=1)
    return sum(
        int(connection.execute(delete(table).where(table.c.month < first)).rowcount) for table in TABLES
    )
