"""Commands that the console has run beside it, in PostgreSQL.

Belongs here: reading and writing their rows, and that one process at a time works through them. Does not belong here:
running them (``console.works``).

What a command reads of persons is in its row until it begins, and in no list of processes.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, false, func, insert, or_, select, text, update
from sqlalchemy.sql import ColumnElement

from cdm_pipelines.hub.schema_console import work
from cdm_pipelines.store.register import Persons

WAITS, RUNS, DONE, FAILED, STOPPED = "waits", "is under way", "is done", "failed", "was stopped"
"""States of a work."""
CHANNEL = "cdm_work"
"""On which it is told that something waits."""
_WEEK = dt.timedelta(days=7)
_LOCK = 4_607_182_418  # a number of our own among PostgreSQL's advisory locks


@dataclass(frozen=True)
class Work:
    """One command that was asked for; see ``schema_console.work``."""

    work_id: int
    key: str
    who: str
    arguments: tuple[str, ...]
    given: str | None
    files: Mapping[str, str]
    asked_at: dt.datetime
    state: str
    told: str
    printed: str

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in (DONE, FAILED, STOPPED)


def ask(
    connection: Connection,
    key: str,
    who: str,
    arguments: Sequence[str],
    *,
    given: str | None = None,
    files: Mapping[str, str] | None = None,
) -> Work:
    """Ask for a command; of two with one key that both wait, and read no files, one is run."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK + 1})
    connection.execute(delete(work).where(work.c.asked_at < func.now() - _WEEK, work.c.state != RUNS))
    waiting = select(work).where(work.c.key == key, work.c.state == WAITS)
    row = None if files else connection.execute(waiting.order_by(work.c.work_id)).mappings().first()
    if row is None:
        values = {
            "key": key,
            "who": who,
            "arguments": list(arguments),
            "given": given,
            "files": dict(files or {}),
            "state": WAITS,
            "told": "",
            "printed": "",
        }
        row = connection.execute(insert(work).values(values).returning(*work.c)).mappings().one()
    connection.execute(text(f"NOTIFY {CHANNEL}"))
    return _work(row)


def last(connection: Connection, key: str) -> Work | None:
    """The last one of a key; None where there was none within a week."""
    of_key = select(work).where(work.c.key == key).order_by(work.c.work_id.desc()).limit(1)
    row = connection.execute(of_key).mappings().first()
    return None if row is None else _work(row)


def waiting(connection: Connection) -> bool:
    """Whether any waits."""
    return connection.scalar(select(work.c.work_id).where(work.c.state == WAITS).limit(1)) is not None


def take_turn(connection: Connection) -> None:
    """Wait until nobody else works through them; the turn ends with the connection."""
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})


def end_turn(connection: Connection) -> None:
    """Let somebody else work through them."""
    connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})


def note_stopped(connection: Connection, told: str) -> int:
    """Note of those under way that nobody waits for them any more, where it is one's turn; returns their number."""
    changed = update(work).where(work.c.state == RUNS).values(state=STOPPED, told=told)
    return int(connection.execute(changed).rowcount)


def begin_next(connection: Connection) -> Work | None:
    """Take the one that has waited longest, with what it reads, which its row does not hold any longer."""
    longest = select(work).where(work.c.state == WAITS).order_by(work.c.work_id).limit(1).with_for_update()
    row = connection.execute(longest).mappings().first()
    if row is None:
        return None
    mine = work.c.work_id == row["work_id"]
    connection.execute(update(work).where(mine).values(state=RUNS, given=None))
    return _work(row)


def end(connection: Connection, work_id: int, state: str, told: str, printed: str) -> None:
    """Note how one went."""
    mine = update(work).where(work.c.work_id == work_id)
    connection.execute(mine.values(state=state, told=told, printed=printed, files={}))


def about(persons: Persons) -> ColumnElement[bool]:
    """The condition that a work is about any of these persons."""
    return or_(false(), *(work.c.given.contains(str(one)) for one in sorted(persons.golden_ids)))


def _work(row: Mapping[Any, Any]) -> Work:
    found = {name: row[name] for name in Work.__dataclass_fields__}
    return Work(**{**found, "arguments": tuple(found["arguments"])})
