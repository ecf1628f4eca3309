"""Who works on which rejected rows or source corrections, in PostgreSQL.

Belongs here: reading and writing those notes. Does not belong here: the rows (the lake), who may mend them
(privacy.roles).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from cdm_pipelines.hub.schema_console import assignment

Work = tuple[str, str, str]
"""Source, entity and day; entity and day are empty for the source corrections of a source."""
_KEY = ("source", "entity", "date")


@dataclass(frozen=True)
class Assigned:
    """Who works on something; see ``schema_console.assignment``."""

    who: str
    given_by: str
    given_at: dt.datetime


def assignments(connection: Connection) -> Mapping[Work, Assigned]:
    """All that somebody works on."""
    rows = connection.execute(select(assignment)).mappings()
    return {
        (row["source"], row["entity"], row["date"]): Assigned(row["who"], row["given_by"], row["given_at"])
        for row in rows
    }


def assign(connection: Connection, work: Work, who: str, given_by: str) -> None:
    """Note who works on something from now on, in the place of who did; nobody when ``who`` is empty."""
    key = dict(zip(_KEY, work, strict=True))
    if not who:
        connection.execute(delete(assignment).where(*(assignment.c[one] == key[one] for one in _KEY)))
        return
    values = {"who": who, "given_by": given_by, "given_at": func.now()}
    row = upsert(assignment).values({**key, **values})
    connection.execute(row.on_conflict_do_update(index_elements=_KEY, set_=values))
