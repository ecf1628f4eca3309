"""One block of the population: the books that know its parties, and their rows day by day.

Belongs here: turning books into the rows of each day, flaws included. Does not belong here: making parties and books
(assembly), how many blocks there are and where the rows go (generator).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from cdm_demo import flaws, orders
from cdm_demo.books import Book
from cdm_demo.draws import Draws, Flags, Ints, Text
from cdm_demo.headers import Extract
from cdm_demo.touches import Chunk
from cdm_demo.writing import Columns, lines

Render: TypeAlias = Callable[[Ints, int], Columns]
"""Cells of some records (positions in the book) on a day."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows for one extract and day.

    Attributes:
        extract: Where they go.
        day: 0 is the base day.
        lines: Without line ends.
        flaws: Place in ``lines``, key, column and kind of what was planted.
    """

    extract: Extract
    day: int
    lines: list[str]
    flaws: list[tuple[int, str, str, str]]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A book and all that it takes to write it down.

    Attributes:
        name: One of the names of ``flaws.BAD_CELLS``.
        extract: Where its records go.
        book: The records.
        truth: Truth id per party of the block.
        robust: Parties whose records can do without one value.
        render: Makes the cells.
        active: Records that change on a day for a reason of the source's own.
    """

    name: str
    extract: Extract
    book: Book
    truth: Text
    robust: Flags
    render: Render
    active: Callable[[int], Flags]


@dataclass(frozen=True, slots=True)
class Traces:
    """What the parties of one block do, beside ordering.

    Attributes:
        chunks: Rows of interactions, made while they are asked for.
        behaviour: Lines of ``truth/behaviour.csv``.
        tokens: Lines of ``truth/tokens.csv``.
        visits: Lines of ``truth/visits.csv``.
        consents: Lines of ``truth/consent.csv``.
    """

    chunks: Iterator[Chunk]
    behaviour: list[str]
    tokens: list[str]
    visits: list[str]
    consents: list[str]


@dataclass(frozen=True, slots=True)
class Block:
    """Books and orders of one block.

    Attributes:
        draws: Streams of the block.
        days: Days of the run.
        shelves: Its books.
        batches: Rows of orders, lines and payments.
        structure: Lines of ``truth/structure.csv``.
        traces: What its parties do.
        persons: Number of persons.
        organisations: Number of organisations.
    """

    draws: Draws
    days: int
    shelves: tuple[Shelf, ...]
    batches: tuple[tuple[Extract, list[orders.Batch]], ...]
    structure: list[str]
    traces: Traces
    persons: int
    organisations: int

    def truth(self) -> Iterator[tuple[Extract, Text, Text]]:
        """Extract, keys and truth ids of every record that some file holds."""
        for shelf in self.shelves:
            yield shelf.extract, shelf.book.key, shelf.truth[shelf.book.party]

    def rows(self) -> Iterator[Rows]:
        """Rows of every extract, day by day."""
        for shelf in self.shelves:
            yield from self._party_rows(shelf)
        for extract, batches in self.batches:
            for batch in batches:
                yield Rows(extract, batch.day, lines(extract, batch.columns, batch.size).tolist(), [])

    def _party_rows(self, shelf: Shelf) -> Iterator[Rows]:
        """Records are written once and again only when they change."""
        book, extract = shelf.book, shelf.extract
        everything = np.arange(len(book))
        bad = flaws.BadCells()
        cells = shelf.render(everything, 0)
        robust = shelf.robust[book.party] & (book.first_day == 0)
        bad.plant(shelf.name, self.draws.below(f"flaws {shelf.name}"), cells, robust)
        written = lines(extract, bad.applied(cells, everything), len(book))
        for day in range(self.days):
            changed = everything[:0]
            if day:
                touched = np.flatnonzero((book.touched(day) | shelf.active(day)) & book.delivered(day))
                before = written[touched]
                written[touched] = lines(
                    extract, bad.applied(shelf.render(touched, day), touched), len(touched)
                )
                # A correction of a record without errors leaves its row as it was.
                changed = touched[(written[touched] != before) | (book.first_day[touched] == day)]
            whole = extract.delivery == "snapshot" or day == 0
            rows = np.flatnonzero(book.delivered(day)) if whole else changed
            yield self._spoiled(shelf, bad, rows, written[rows], day)

    def _spoiled(self, shelf: Shelf, bad: flaws.BadCells, rows: Ints, written: Text, day: int) -> Rows:
        keys = shelf.book.key[rows]
        found = [(at, keys[at], column, kind) for at, column, kind in bad.kinds(rows)]
        able = np.ones(len(rows), dtype=bool)
        able[[at for at, *_ in found]] = False
        spoiled = flaws.bad_rows(
            self.draws.below(f"{shelf.name} {day}"), shelf.extract, written, keys, able, base=day == 0
        )
        found += [(at, key, "", kind) for at, key, kind in spoiled.flaws]
        return Rows(shelf.extract, day, spoiled.lines, sorted(found))
