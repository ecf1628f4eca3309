"""The number and the time of a publication, known before its first change.

Belongs here: the rows of ``ops.publication``. Does not belong here: what a publication does (``publish``).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Interval, delete, func, insert, literal, select, update

from cdm_pipelines.hub.schema import publication


@dataclass(frozen=True)
class Publication:
    """A publication under way.

    Attributes:
        number: In ``ops.publication``.
        at: Its time; later than that of any publication before it, whatever the clock says.
    """

    number: int
    at: dt.datetime


def begin(connection: Connection) -> Publication:
    """Open a publication; the caller holds the lock under which one process at a time publishes."""
    tick = literal(dt.timedelta(microseconds=1), Interval)
    after_last = select(func.max(publication.c.published_at) + tick).scalar_subquery()
    values = {"changes": {}, "published_at": func.greatest(func.clock_timestamp(), after_last)}
    statement = insert(publication).values(values)
    row = connection.execute(
        statement.returning(publication.c.publication_id, publication.c.published_at)
    ).one()
    return Publication(int(row.publication_id), row.published_at)


def finish(
    connection: Connection, under_way: Publication, changes: Mapping[str, Mapping[str, int]]
) -> int | None:
    """Write down what changed, per table; a publication that changed nothing leaves no row. Returns its number."""
    is_this = publication.c.publication_id == under_way.number
    if not changes:
        connection.execute(delete(publication).where(is_this))
        return None
    connection.execute(update(publication).where(is_this).values(changes=dict(changes)))
    return under_way.number


def note_run(connection: Connection, number: int, run: str) -> None:
    """Note which run made a publication."""
    connection.execute(update(publication).where(publication.c.publication_id == number).values(run=run))
