"""The access log: who read personal data through our own tools, of whom and for what.

Belongs here: writing a line, forgetting old ones, taking persons out. Does not belong here: who may read what
(privacy).
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, cast, delete, func, update

from cdm_pipelines.hub import quick
from cdm_pipelines.hub.schema_access import access_log

_IDS = access_log.c.golden_ids
_NOTE = """INSERT INTO ops.access_log (who, role, purpose, tool, golden_ids, categories, rows)
    VALUES (:who, :role, :purpose, :tool, CAST(:golden_ids AS uuid[]), CAST(:categories AS text[]), :rows)"""
"""As text: every answer leaves such a line, and nothing of the row is read back."""
MOST = 1_000
"""Customers in one line: more are in more lines, so that taking one out writes little anew."""


@dataclass(frozen=True)
class Reading:
    """What is noted of one reading.

    Attributes:
        who: Login name.
        role: In which they acted.
        purpose: For which.
        tool: With which.
    """

    who: str
    role: str
    purpose: str
    tool: str


def note(
    connection: Connection,
    reading: Reading,
    categories: Iterable[str],
    *,
    golden_ids: Iterable[UUID | str] = (),
    rows: int | None = None,
) -> None:
    """Write a line, in the transaction of the reading; of more than ``MOST`` customers a line for so many of them.

    Args:
        connection: In a transaction that the caller commits before anything is shown.
        reading: Who, for what, with what.
        categories: Privacy categories of what is read.
        golden_ids: Of whom; nobody where a whole table is read.
        rows: How many; the number of customers when left out.
    """
    # As text they are in the same order, which is told ten times as fast.
    ids, said = sorted({*map(str, golden_ids)}), {**vars(reading), "categories": sorted(set(categories))}
    lines = [
        {
            **said,
            "golden_ids": f"{{{','.join(some)}}}",
            "rows": len(some) if rows is None or len(ids) > MOST else rows,
        }
        for some in _parts(ids)
    ]
    for line in lines:
        quick.run(connection, _NOTE, line)


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[first : first + MOST] for first in range(0, max(len(ids), 1), MOST))


def forget(connection: Connection, before: dt.datetime) -> int:
    """Delete lines of before a moment; returns their number."""
    return int(connection.execute(delete(access_log).where(access_log.c.accessed_at < before)).rowcount)


def about(golden_ids: Iterable[UUID]) -> Any:
    """The condition that a line is about any of these customers."""
    return _IDS.overlap(cast(sorted(set(golden_ids)), _IDS.type))


def take_out(connection: Connection, golden_ids: Iterable[UUID]) -> int:
    """Take customers out of all lines, which stay; returns the number of lines."""
    lines = 0
    for one in sorted(set(golden_ids)):
        changed = update(access_log).where(about([one])).values(golden_ids=func.array_remove(_IDS, one))
        lines += int(connection.execute(changed).rowcount)
    return lines
