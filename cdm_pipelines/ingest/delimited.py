"""Delimited text: header and rows.

Belongs here: one CSV file, with any delimiter, becomes tables of text. Does not belong here: bytes and
encodings (text), or several files of a day (extract).

Blocks of whole records are parsed in compiled code. A row with another number of cells than the header does
not stop it: the row comes through with what could be read, marked as ragged.
"""

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.blocks import (
    BLOCK_BYTES,
    Block,
    Records,
    RecordTooLongError,
    Shape,
    UnclosedQuoteError,
    Unread,
    without_mark,
)
from cdm_pipelines.ingest.cells import DEFECT, ROW, mark_unusable, with_rows
from cdm_pipelines.ingest.columns import by_place, named
from cdm_pipelines.ingest.errors import Defect, Refusal, Refuser
from cdm_pipelines.ingest.text import MARK, MARK_BYTES, open_text

_DELIMITERS = (",", ";", "\t", "|")
_NUL = "\0"
_STAND_IN = "\x1f"
_SEPARATOR_LINE = re.compile(rb"\A(?:\xef\xbb\xbf)?\"?sep=([^\r\n]{1,8}?)\"?(?:\r\n|\r|\n|\Z)", re.IGNORECASE)
_HEADER_WITHIN = 30


class DelimitedFile:
    """One delimited file.

    A delimiter of several signs, or of one outside ASCII, is read as the sign that ASCII has for the purpose.

    Attributes:
        columns: Names of the header, in order, or the contract's where there is none.
        note: What is peculiar about the file, in words; empty when nothing.
    """

    def __init__(self, path: Path, contract: SourceContract, refuser: Refuser) -> None:
        """Read the header.

        Raises:
            ExtractError: The file is refused: empty, cut off, in another encoding or with another delimiter.
        """
        self._dialect = contract.dialect
        self._refuser = refuser
        self._text = open_text(path, contract.dialect, refuser)
        self.note = self._text.note
        given = self._dialect.delimiter
        self._delimiter = given if len(given) == 1 and given.isascii() else _STAND_IN
        pieces = self._text.utf8(BLOCK_BYTES)
        if self._delimiter != given:
            pieces = _with_stand_in(pieces, given.encode())
        pieces = _skip_lines(pieces, self._dialect.skip_rows)
        self._next_row = self._dialect.skip_rows + 1
        self.columns, pieces = self._read_header(pieces, contract)
        self._records = Records(pieces, self._delimiter, self._dialect.quote)
        self._records.shape = self._shape(contract)

    def tables(self) -> Iterator[pa.Table]:
        """The rows, once, as text columns with ``_row`` and ``_defect``.

        Raises:
            ExtractError: The file ends within quotes.
        """
        for block in self._whole_records():
            table = self._parse(block)
            marks = {_NUL: Defect.NUL_BYTE} if b"\0" in block.records else {}
            if (self._text.undecodable or self._delimiter == _STAND_IN) and MARK_BYTES in block.records:
                marks[MARK] = Defect.UNDECODABLE
            if self._delimiter != self._dialect.delimiter:
                table = _without_stand_in(table, self._dialect.delimiter)
            yield mark_unusable(table, self._dialect.max_cell_bytes, marks)

    def _shape(self, contract: SourceContract) -> Shape:
        places = {name: place for place, name in enumerate(self.columns)}
        declared = {c.name: c.multiline for c in contract.columns if c.name in places}
        return Shape(
            width=len(self.columns),
            key=next((places[name] for name in contract.key if name in places), 0),
            multiline=frozenset(places[name] for name, expected in declared.items() if expected),
            single=frozenset(places[name] for name, expected in declared.items() if expected is False),
        )

    def _whole_records(self) -> Iterator[Block]:
        try:
            yield from self._records.blocks()
        except UnclosedQuoteError:
            self._refuser.refuse(
                Refusal.TRUNCATED,
                f"ends within quotes that were opened in row {self._next_row:,}: it is cut off",
                "Deliver it again; if that row is whole, its quotes are not doubled.",
            )
        except RecordTooLongError:
            self._refuser.refuse(
                Refusal.UNREADABLE,
                f"has no end of row {self._next_row:,} within 64 MB",
                "Look for a quote in that row that is never closed.",
            )

    def _read_header(
        self, pieces: Iterator[bytes], contract: SourceContract
    ) -> tuple[list[str], Iterator[bytes]]:
        first = next(pieces, b"")
        first = self._after_separator_line(first)
        while True:
            consumed, skipped, line = self._first_record(first)
            more = next(pieces, None) if consumed == len(first) else None
            if more is None:
                break
            first += more
        if not self._dialect.header:
            if line is None:
                self._refuser.refuse(Refusal.EMPTY, "has no row", "Deliver it again.")
            return by_place(contract, len(line)), chain([first], pieces)
        if line is None:
            self._refuser.refuse(Refusal.EMPTY, "has no header", "Deliver it again, with a header.")
        self._next_row += skipped + 1
        names = named(line, contract)
        self._check_delimiter(names, first[:consumed].decode(errors="replace"), contract)
        self._check_place(names, first[consumed:], contract)
        return names, chain([first[consumed:]] if first[consumed:] else [], pieces)

    def _after_separator_line(self, first: bytes) -> bytes:
        """Without the line that tells spreadsheets the delimiter: `sep=;`."""
        found = _SEPARATOR_LINE.match(first.replace(_STAND_IN.encode(), self._dialect.delimiter.encode()))
        if found is None or self._next_row > 1:
            return first
        told = found[1].decode().replace("\\t", "\t")
        if told != self._dialect.delimiter:
            self._refuser.refuse(
                Refusal.DELIMITER,
                f"is not delimited by {self._dialect.delimiter!r}: its first line says {told!r}",
                f'Set dialect.delimiter: "{_spelt(told)}" in the contract, or have it delivered as agreed.',
            )
        self._next_row += 1
        return re.sub(rb"\A[^\r\n]*(?:\r\n|\r|\n|\Z)", b"", first)

    def _first_record(self, first: bytes) -> tuple[int, int, list[str] | None]:
        """Bytes up to the end of the first record that is not blank, blank ones before it, and its cells."""
        text = io.StringIO(first.decode("latin-1"), newline="")
        blank = 0
        for line in self._reader(text):
            if any(cell.strip() for cell in line):
                cells = [cell.encode("latin-1").decode(errors="replace") for cell in line]
                return text.tell(), blank, cells
            blank += 1
        return len(first), blank, None

    def _check_place(self, names: list[str], rest: bytes, contract: SourceContract) -> None:
        """Say where the header is, when it is not where the contract says."""
        needed = {column.name for column in contract.columns if column.is_essential}
        if not needed or needed <= set(names):
            return
        text = io.StringIO(rest[: 1 << 16].decode("latin-1"), newline="")
        for number, line in zip(
            range(self._next_row, self._next_row + _HEADER_WITHIN), self._reader(text), strict=False
        ):
            cells = {cell.encode("latin-1").decode(errors="replace").strip() for cell in line}
            if needed <= cells:
                self._refuser.refuse(
                    Refusal.HEADER,
                    f"has its header in row {number:,}",
                    f"Set dialect.skipRows: {number - 1} in the contract.",
                )

    def _check_delimiter(self, names: list[str], header: str, contract: SourceContract) -> None:
        known = contract.header_names
        found = {}
        if len(names) >= len(contract.columns):
            return
        for delimiter in _DELIMITERS:
            cells = next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter), [])
            found[delimiter] = len(known & {cell.strip() for cell in cells})
        best = max(found, key=lambda delimiter: found[delimiter])
        if found[best] > len(known & set(names)):
            self._refuser.refuse(
                Refusal.DELIMITER,
                f"is not delimited by {self._dialect.delimiter!r}: it looks like {best!r}",
                f'Set dialect.delimiter: "{_spelt(best)}" in the contract, or have it delivered as agreed.',
            )

    def _reader(self, text: io.StringIO) -> Iterator[list[str]]:
        return csv.reader(
            iter(text.readline, ""),
            delimiter=self._delimiter,
            quotechar=self._dialect.quote or None,
            quoting=csv.QUOTE_MINIMAL if self._dialect.quote else csv.QUOTE_NONE,
        )

    def _parse(self, block: Block) -> pa.Table:
        """Parse whole records, and put the lines back that are none."""
        ragged: list[tuple[int, str]] = []

        def note(row: pacsv.InvalidRow) -> str:
            ragged.append((row.number - 1, row.text))
            return "skip"

        records = without_mark(block.records)
        table = self._text_table([])
        if records:
            table = pacsv.read_csv(
                pa.BufferReader(records),
                pacsv.ReadOptions(use_threads=False, block_size=len(records), column_names=self.columns),
                pacsv.ParseOptions(
                    delimiter=self._delimiter,
                    quote_char=self._dialect.quote or False,
                    newlines_in_values=True,
                    ignore_empty_lines=False,
                    invalid_row_handler=note,
                ),
                pacsv.ConvertOptions(
                    column_types=dict.fromkeys(self.columns, pa.string()),
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                    null_values=[""],
                ),
            )
        count = table.num_rows + len(ragged)
        places = np.delete(
            np.arange(count + len(block.unread), dtype=np.int64), [one.place for one in block.unread]
        )
        first = self._next_row
        self._next_row += count + len(block.unread)
        whole = self._put_back(table, ragged, places + first)
        whole = self._without_blank_lines(whole, block.records)
        return self._with_unread(whole, block.unread, first) if block.unread else whole

    def _put_back(
        self, table: pa.Table, ragged: list[tuple[int, str]], numbers: npt.NDArray[np.int64]
    ) -> pa.Table:
        """Put ragged rows where they stood, with the cells that could be read."""
        if not ragged:
            return with_rows(table, numbers)
        places = np.array([place for place, _ in ragged], dtype=np.int64)
        regular = np.delete(numbers, places)
        read = [self._ragged_cells(text) for _, text in ragged]
        broken = with_rows(
            self._text_table([cells for cells, _ in read]), numbers[places], [defect for _, defect in read]
        )
        return pa.concat_tables([with_rows(table, regular), broken]).sort_by(ROW)

    def _with_unread(self, table: pa.Table, unread: tuple[Unread, ...], first: int) -> pa.Table:
        """Put the lines back that are no records because of their quotes, cut at their delimiters."""
        width = len(self.columns)
        cells = []
        for one in unread:
            parts = one.line.decode().rstrip("\r\n").split(self._delimiter)
            rest = [self._delimiter.join(parts[width - 1 :])] if len(parts) >= width else []
            cells.append((parts[: width - 1] + rest + [""] * width)[:width])
        numbers = np.array([first + one.place for one in unread], dtype=np.int64)
        lines = with_rows(self._text_table(cells), numbers, [one.defect.value for one in unread])
        return pa.concat_tables([table, lines]).sort_by(ROW)

    def _text_table(self, rows: list[list[str]]) -> pa.Table:
        return pa.table(
            {
                name: pa.array([cells[position] or None for cells in rows], pa.string())
                for position, name in enumerate(self.columns)
            }
        )

    def _ragged_cells(self, text: str) -> tuple[list[str], str | None]:
        """As many cells as the header has; what is over stays in the last one. Empty cells at the end do no harm."""
        cells = next(self._reader(io.StringIO(text, newline="")), [])
        width = len(self.columns)
        defect = None if len(cells) > width and not any(cells[width:]) else Defect.RAGGED.value
        if len(cells) > width and defect:
            cells[width - 1] = self._delimiter.join(cells[width - 1 :])
        return (cells + [""] * width)[:width], defect

    def _without_blank_lines(self, table: pa.Table, block: bytes) -> pa.Table:
        if not (b"\n\n" in block or b"\n\r\n" in block or block[:1] in b"\r\n"):
            return table
        lines = self._reader(io.StringIO(block.decode(), newline=""))
        kept = np.fromiter((bool(line) for line in lines), dtype=bool)
        return table if kept.all() or len(kept) != table.num_rows else table.filter(pa.array(kept))


def _skip_lines(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    for piece in pieces:
        rest = piece
        while count and (end := rest.find(b"\n") + 1):
            rest, count = rest[end:], count - 1
        if not count:
            yield rest
            break
    yield from pieces


def _with_stand_in(pieces: Iterator[bytes], delimiter: bytes) -> Iterator[bytes]:
    """The delimiter as one sign; where the text holds that sign itself, it becomes `MARK`."""
    carry = b""
    for piece in pieces:
        text = _stood_in(carry + piece, delimiter)
        kept = next((n for n in range(len(delimiter) - 1, 0, -1) if text.endswith(delimiter[:n])), 0)
        text, carry = (text[:-kept], text[-kept:]) if kept else (text, b"")
        yield text
    if carry:
        yield carry


def _stood_in(text: bytes, delimiter: bytes) -> bytes:
    sign = _STAND_IN.encode()
    if sign in text and delimiter != sign:
        text = text.replace(sign, MARK_BYTES)
    return text.replace(delimiter, sign)


def _without_stand_in(table: pa.Table, delimiter: str) -> pa.Table:
    """Cells that hold the delimiter itself, within quotes, hold it as it was written."""
    for position, name in enumerate(table.column_names):
        cells = table.column(position)
        if name not in (ROW, DEFECT) and pc.any(pc.match_substring(cells, _STAND_IN)).as_py():
            table = table.set_column(position, name, pc.replace_substring(cells, _STAND_IN, delimiter))
    return table


def _spelt(delimiter: str) -> str:
    return "\\t" if delimiter == "\t" else delimiter
