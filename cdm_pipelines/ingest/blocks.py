"""A stream of bytes is cut into blocks that end where a record ends.

Belongs here: where records of a delimited file end, and which lines are no records because of their quotes. Does not
belong here: cells.

Where quotes are regular (each opening one after a delimiter or a line end, each closing one before them, others
doubled) an even number of quotes before a line end says that a record ends there: that is counted in compiled code.
Only blocks with other quotes are read line by line, as are those in which a cell may have swallowed whole lines.
"""

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cdm_pipelines.ingest.errors import Defect

BLOCK_BYTES = 1 << 22
MAX_RECORD_BYTES = 1 << 26
_CR, _LF = 13, 10


class UnclosedQuoteError(Exception):
    """The file ends within quotes: the record that begins after the last block is not complete."""


class RecordTooLongError(Exception):
    """No record ends within `MAX_RECORD_BYTES`."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A line that is no record because of its quotes.

    Attributes:
        place: Number of records and unread lines before it in its block.
        line: The line.
        defect: What is wrong with it.
    """

    place: int
    line: bytes
    defect: Defect


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records, and the lines that were taken out from between them."""

    records: bytes
    unread: tuple[Unread, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """What a whole line of a file looks like.

    Attributes:
        width: Number of cells; 0 while it is not known.
        key: Position of a column by whose cells records can be told from text.
        multiline: Positions of the columns whose cells may hold line ends, whatever they look like.
        single: Positions of the columns whose cells may hold none.
    """

    width: int = 0
    key: int = 0
    multiline: frozenset[int] = frozenset()
    single: frozenset[int] = frozenset()


class Records:
    """Cuts a stream into blocks of whole records.

    Attributes:
        shape: What a whole line looks like; set when the header is known.
    """

    def __init__(self, pieces: Iterator[bytes], delimiter: str, quote: str) -> None:
        """Take the stream.

        Args:
            pieces: UTF-8 bytes.
            delimiter: One ASCII character.
            quote: One ASCII character, or empty when nothing is quoted.
        """
        self.shape = Shape()
        self._pieces = pieces
        self._delimiter, self._quote = delimiter.encode(), quote.encode()
        self._before = np.zeros(256, dtype=bool)
        self._before[[ord(delimiter), _CR, _LF]] = True
        if quote:
            self._rest_of_quoted = re.compile(rb"(?:[^%b]|%b%b)*+%b" % ((re.escape(self._quote),) * 4))

    def blocks(self) -> Iterator[Block]:
        """The blocks.

        Raises:
            UnclosedQuoteError: The last record is within quotes; all blocks before it have been yielded.
            RecordTooLongError: A record is longer than `MAX_RECORD_BYTES`.
        """
        carry = b""
        for piece in self._pieces:
            buffer = carry + piece if carry else piece
            block, cut = self._cut(buffer, last=False)
            if cut:
                yield block
            elif len(buffer) > MAX_RECORD_BYTES:
                raise RecordTooLongError
            carry = buffer[cut:]
        if carry:
            block, cut = self._cut(carry, last=True)
            if cut:
                yield block
            if cut < len(carry):
                raise UnclosedQuoteError

    def _cut(self, buffer: bytes, *, last: bool) -> tuple[Block, int]:
        """The whole records at the beginning of a buffer, and where they end in it."""
        if not self._quote or self._quote not in buffer:
            end = len(buffer) if last else _last_line_end(buffer)
            return Block(buffer[:end]), end
        quotes = self._quotes(buffer)
        if not self._is_regular(buffer, quotes):
            return self._line_by_line(buffer, last=last)
        if self.shape.width and self._may_have_swallowed(buffer, quotes):
            return self._line_by_line(buffer, last=last)
        if last and len(quotes) % 2 == 0:
            return Block(buffer), len(buffer)
        end = _last_line_end(buffer)
        while end:
            before = int(np.searchsorted(quotes, end))
            if before % 2 == 0:
                break
            end = _last_line_end(buffer, int(quotes[before - 1]))
        if last or end == 0:  # a quote is open: does it stray?
            return self._line_by_line(buffer, last=last)
        return Block(buffer[:end]), end

    def _quotes(self, buffer: bytes) -> npt.NDArray[np.int64]:
        return np.flatnonzero(np.frombuffer(buffer, dtype=np.uint8) == self._quote[0])

    def _is_regular(self, buffer: bytes, quotes: npt.NDArray[np.int64]) -> bool:
        opening, closing = quotes[0::2], quotes[1::2]
        signs = np.frombuffer(buffer, dtype=np.uint8)
        fits = self._before[signs[opening - 1]] | (opening == 0)
        fits[1:] |= opening[1:] - 1 == closing[: len(opening) - 1]
        if not fits.all():
            return False
        after = closing[closing < len(buffer) - 1] + 1
        followed = self._before[signs[after]] | (signs[after] == self._quote[0])
        return bool(followed.all())

    def _may_have_swallowed(self, records: bytes, quotes: npt.NDArray[np.int64]) -> bool:
        """Whether a line within a regular quoted cell has as many delimiters as a record."""
        signs = np.frombuffer(records, dtype=np.uint8)
        ends = np.flatnonzero(signs == _LF)
        inside = np.searchsorted(quotes, ends) % 2 == 1
        if not inside.any():
            return False
        if self.shape.single:
            return True
        delimiters = np.flatnonzero(signs == self._delimiter[0])
        begins, stops = ends[inside], np.append(ends[1:], len(records))[inside]
        closed = np.append(quotes, len(records))[np.searchsorted(quotes, begins)]
        count = np.searchsorted(delimiters, stops) - np.searchsorted(delimiters, begins)
        within = np.searchsorted(delimiters, np.minimum(closed, stops)) - np.searchsorted(delimiters, begins)
        return bool(((count >= self.shape.width - 1) & (within > 0)).any())

    def _line_by_line(self, buffer: bytes, *, last: bool) -> tuple[Block, int]:
        lines = buffer.splitlines(keepends=True)
        if not last and not buffer.endswith(b"\n"):
            lines.pop()
        whole: list[bytes] = []
        unread: list[Unread] = []
        position = consumed = records = 0
        while position < len(lines):
            line = lines[position]
            found = 1 if self._quote not in line else self._extent(lines, position)
            if found == 0:
                break
            if isinstance(found, Defect):
                unread.append(Unread(records, line, found))
                found = 1
            else:
                whole += lines[position : position + found]
            records += 1
            consumed += sum(map(len, lines[position : position + found]))
            position += found
        return Block(b"".join(whole), tuple(unread)), consumed

    def _extent(self, lines: list[bytes], start: int) -> int | Defect:
        """How many lines the record takes; 0 when it does not end in these lines, or why the first line is none."""
        text, position, cell, taken = lines[start], 0, 0, 1
        while True:
            if text.startswith(self._quote, position):
                closed = self._rest_of_quoted.match(text, position + 1)
                while closed is None:
                    if start + taken == len(lines):
                        return 0
                    text = lines[start + taken]
                    taken += 1
                    closed = self._rest_of_quoted.match(text)
                    inside = text if closed is None else text[: closed.end()]
                    if cell in self.shape.single:
                        return Defect.LINE_ENDS
                    if self._is_record(lines[start], text, inside, cell):
                        return Defect.STRAY_QUOTE
                position = closed.end()
            else:
                found = text.find(self._delimiter, position)
                position = len(text.rstrip(b"\r\n")) if found < 0 else found
            if text.startswith(self._delimiter, position):
                position, cell = position + 1, cell + 1
            elif text[position:].strip(b"\r\n"):
                return Defect.STRAY_QUOTE
            else:
                return taken

    def _is_record(self, first: bytes, line: bytes, inside: bytes, cell: int) -> bool:
        """Whether a line that a quoted cell goes on to is a record of its own.

        A line is a record when it has as many cells as the header, and its key is made of the same kinds of signs
        (letters, digits, others) as that of the line on which the cell began.
        """
        width, key = self.shape.width, self.shape.key
        if cell in self.shape.multiline or width < 2 or self._delimiter not in inside:
            return False
        if line.count(self._delimiter) < width - 1:
            return False
        cells = self._cells(line)
        if len(cells) < width or any(cells[width:]) or not cells[key].strip():
            return False
        own = self._cells(first)
        if cell <= key or len(own) <= key:
            return width > 2 and self._quote not in line
        return _kinds(cells[key]) == _kinds(own[key])

    def _cells(self, line: bytes) -> list[str]:
        csv.field_size_limit(MAX_RECORD_BYTES)
        text = line.decode("latin-1").rstrip("\r\n")
        return next(
            csv.reader([text], delimiter=self._delimiter.decode(), quotechar=self._quote.decode()), []
        )


def _kinds(cell: str) -> frozenset[str]:
    return frozenset("letter" if s.isalpha() else "digit" if s.isdigit() else "other" for s in cell)


def _last_line_end(buffer: bytes, before: int | None = None) -> int:
    """Offset after the last line end; a carriage return counts where there are no line feeds at all."""
    end = buffer.rfind(b"\n", 0, before) + 1
    if end or before is not None or b"\n" in buffer or len(buffer) < BLOCK_BYTES:
        return end
    return buffer.rfind(b"\r", 0, len(buffer) - 1) + 1


def without_mark(block: bytes) -> bytes:
    """The block in a form that loses nothing to a parser that takes a byte-order mark away from every block."""
    return codecs.BOM_UTF8 + block if block.startswith(codecs.BOM_UTF8) else block
