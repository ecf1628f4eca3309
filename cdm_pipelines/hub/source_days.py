"""Which days of sources customers were made from, remembered where no loss of the lake reaches.

Belongs here: the rows of ``ops.source_day``, and what the crosswalk has of sources. Does not belong here: what is in
the lake, and what follows from a day that is not (steps.customers.lost_days).
"""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from cdm_pipelines.hub.schema import crosswalk
from cdm_pipelines.hub.schema_ops import source_day

_AT_A_TIME = 5_000


class SourceDay(NamedTuple):
    """A day of a source entity, standardised into a canonical entity (``holds``)."""

    source: str
    entity: str
    holds: str
    date: str


def known_days(connection: Connection) -> set[SourceDay]:
    """All days that customers were made from and that nobody took away."""
    return {SourceDay(*row) for row in connection.execute(select(*source_day.c))}


def remember_days(connection: Connection, days: Collection[SourceDay]) -> None:
    """Add days to those that customers were made from."""
    rows = [day._asdict() for day in sorted(days)]
    for start in range(0, len(rows), _AT_A_TIME):
        new = insert(source_day).on_conflict_do_nothing()
        connection.execute(new, rows[start : start + _AT_A_TIME])


def forget_days(connection: Connection, days: Collection[SourceDay]) -> int:
    """Customers are not made from these any more, and that is meant; returns how many were known."""
    gone, listed = 0, sorted(days)
    for start in range(0, len(listed), _AT_A_TIME):
        these = tuple_(*source_day.c).in_(listed[start : start + _AT_A_TIME])
        gone += connection.execute(delete(source_day).where(these)).rowcount
    return gone


def published_sources(connection: Connection) -> set[tuple[str, str]]:
    """Source and entity of all published records."""
    found = select(crosswalk.c.source, crosswalk.c.entity).distinct()
    return {(row[0], row[1]) for row in connection.execute(found)}


def members_of(
    connection: Connection, sources: Collection[tuple[str, str]]
) -> list[tuple[UUID, str, str, str]]:
    """Golden id and key of all published records of the customers that have a record of one of some sources."""
    of_one: ColumnElement[bool] = tuple_(crosswalk.c.source, crosswalk.c.entity).in_(sorted(sources))
    concerned = select(crosswalk.c.golden_id).where(of_one)
    found = select(
        crosswalk.c.golden_id, crosswalk.c.source, crosswalk.c.entity, crosswalk.c.record_id
    ).where(crosswalk.c.golden_id.in_(concerned))
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(found)]
