"""What a steward is not sure of and looks at again after all else, for a day.

Belongs here: noting and reading it. Does not belong here: the queue itself (``review``).
"""

import datetime as dt

from sqlalchemy import Connection, delete, false, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql import ColumnElement

from cdm_pipelines.hub.schema_console import put_off
from cdm_pipelines.store.register import Persons

_DAY = dt.timedelta(days=1)


def note(connection: Connection, who: str, item_id: str) -> None:
    """Put something off, once more if need be."""
    connection.execute(delete(put_off).where(put_off.c.at < func.now() - _DAY))
    row = insert(put_off).values(who=who, item_id=item_id)
    connection.execute(
        row.on_conflict_do_update(index_elements=[*put_off.primary_key], set_={"at": func.now()})
    )


def of(connection: Connection, who: str) -> list[str]:
    """What somebody put off, the longest ago first."""
    mine = (put_off.c.who == who) & (put_off.c.at >= func.now() - _DAY)
    return list(
        connection.scalars(select(put_off.c.item_id).where(mine).order_by(put_off.c.at, put_off.c.item_id))
    )


def about(persons: Persons) -> ColumnElement[bool]:
    """The condition that something is about any of these persons."""
    named = (put_off.c.item_id.contains(str(one)) for one in sorted(persons.golden_ids))
    return or_(false(), *named)
