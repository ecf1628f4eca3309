"""What the three streams of interactions have in common: who can be touched, and rows made column by column.

Belongs here: the audience, joining columns to lines, lines to the bytes of a day's file. Does not belong here: visits
(web), mailings (mail), tickets (desk).

There are many interactions, so lines are joined in Arrow, never row by row.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_demo.behaviour import Behaviour
from cdm_demo.dates import clock, iso_day
from cdm_demo.draws import Draws, Flags, Floats, Ints, Text
from cdm_demo.headers import Extract
from cdm_demo.orders import Counters

_ROWS = 50_000
"""Rows that are joined at a time."""


@dataclass(frozen=True, slots=True)
class Audience:
    """The parties of a block as those who meet them know them: persons, and after them organisations.

    Attributes:
        number: Party number, unique over the run.
        truth: Truth id.
        persons: How many of them are persons.
        household: Number of the household's first member, -1 for who acts for an organisation and for organisations.
        account: Customer id in the shop, empty for who has none.
        mailbox: As the shop shows it, or the party's main one.
        subscribed: Whether mailings go there.
        phone: As a national number.
    """

    number: Ints
    truth: Text
    persons: int
    household: Ints
    account: Text
    mailbox: Text
    subscribed: Flags
    phone: Text


@dataclass(frozen=True, slots=True)
class Window:
    """The time of which interactions are kept.

    Attributes:
        start: Day number of the base day.
        days: Days of the run.
        back: Days before the base day.
    """

    start: int
    days: int
    back: int = 365

    @property
    def end(self) -> int:
        """Day number after the last day."""
        return self.start + self.days

    def days_of(self, uniform: Floats) -> Ints:
        """Day numbers anywhere in the window."""
        return self.start - self.back + (uniform * (self.back + self.days)).astype(np.int64)

    def file_day(self, days: Ints) -> Ints:
        """Day of the run whose extract holds it."""
        return np.maximum(days - self.start, 0)


@dataclass(frozen=True, slots=True)
class Stage:
    """What every stream of one block is made with.

    Attributes:
        draws: Streams of chance.
        audience: Who can be touched.
        behaviour: How they behave.
        window: Of time.
        counters: Give the numbers; moved on.
    """

    draws: Draws
    audience: Audience
    behaviour: Behaviour
    window: Window
    counters: Counters

    def below(self, name: str) -> "Stage":
        """The same with streams of chance of its own."""
        return replace(self, draws=self.draws.below(name))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one extract for one day, encoded."""

    extract: Extract
    day: int
    content: bytes
    rows: int


Column: TypeAlias = str | Callable[[Ints], pa.Array]
"""Cells of a column, asked for by the positions of the rows; a text stands for the same cell in every row."""


def pick(values: Sequence[str] | Text, at: Ints) -> Column:
    """Cells that are values of a list.

    Args:
        values: The list.
        at: Per row a position in it; -1 gives an empty cell.
    """
    known = pa.array([*values, ""], pa.string())
    # The empty cell stands last, where a negative position would look for it; Arrow knows no such positions.
    return lambda rows: known.take(pa.array(at[rows] % len(known)))


def whole(values: Ints) -> Column:
    """Cells that are whole numbers."""
    return lambda rows: pc.cast(pa.array(values[rows]), pa.string())


def prefixed(prefix: str, values: Ints) -> Column:
    """Cells that are whole numbers after a text."""
    number = whole(values)
    return lambda rows: _joined((prefix, number), rows)


def local_time(seconds: Ints) -> Column:
    """Cells as YYYY-MM-DD HH:MM:SS.

    Args:
        seconds: Per row, since the first of the day numbers, in local time; -1 gives an empty cell.
    """
    days = seconds // 86_400
    low = int(days[seconds >= 0].min()) if (seconds >= 0).any() else 0
    dates = iso_day(np.arange(low, max(int(days.max(initial=0)), low) + 1))
    date = pick([f"{one} " for one in dates], np.where(seconds < 0, -1, days - low))
    clocks = _clocks()

    def cells(rows: Ints) -> pa.Array:
        time = clocks.take(pa.array(np.where(seconds[rows] < 0, 86_400, seconds[rows] % 86_400)))
        return _joined((date, lambda _: time), rows)

    return cells


@cache
def _clocks() -> pa.Array:
    """Every time of a day, and an empty one."""
    return pa.array([*clock(np.arange(86_400)), ""], pa.string())


def _joined(columns: Sequence[Column], rows: Ints) -> pa.Array:
    """The cells of some rows, one after the other without anything between them."""
    cells = [column if isinstance(column, str) else column(rows) for column in columns]
    return pc.binary_join_element_wise(cast("pa.Array", cells[0]), *cells[1:], "")


def chunks(
    extract: Extract, file_day: Ints, order: Ints, columns: Sequence[Column], days: int
) -> Iterator[Chunk]:
    """Files of each day.

    Args:
        extract: Where the rows go.
        file_day: Day of the run per row; rows of later days are left out.
        order: Positions of the rows in the order in which files hold them.
        columns: What a line is made of, without its end; of a CSV file the cells, which hold no comma, no quote and no
            line end.
        days: Of the run.
    """
    parts = list(columns)
    if extract.form == "csv":
        parts = [part for column in columns for part in (",", column)][1:]
    parts.append("\n")
    day_of = file_day[order]
    for day in range(days):
        rows = order[day_of == day]
        for at in range(0, len(rows), _ROWS):
            some = rows[at : at + _ROWS]
            yield Chunk(extract, day, _content(_joined(parts, some)), len(some))


def _content(lines: pa.Array) -> bytes:
    """The characters of all lines, as they lie in memory one after the other."""
    _, offsets, characters = lines.buffers()
    if offsets is None or characters is None:
        return b""
    ends = np.frombuffer(memoryview(offsets), dtype=np.int32)
    first, last = int(ends[lines.offset]), int(ends[lines.offset + len(lines)])
    return characters.slice(first, last - first).to_pybytes()
