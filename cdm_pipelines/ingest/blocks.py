"""A stream of bytes is cut into blocks that end where a record ends.

Belongs here: where records of a delimited file end, quoted line ends considered. Does not belong here: cells.

Quotes are counted, not parsed: where every opening quote stands after a delimiter or a line end (or doubles
the one before it), a line end with an even number of quotes before it ends a record. Only where quotes stand
elsewhere, as in ``5" pipe``, the csv module finds the ends.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator
from itertools import chain

import numpy as np
import numpy.typing as npt

BLOCK_BYTES = 1 << 22
MAX_RECORD_BYTES = 1 << 26
_CR, _LF = 13, 10
_SENTINEL = "\x1f"


class UnclosedQuoteError(Exception):
    """The file ends within quotes: the record that begins after the last block is not complete."""


class RecordTooLongError(Exception):
    """No record ends within `MAX_RECORD_BYTES`."""


def record_blocks(pieces: Iterator[bytes], delimiter: str, quote: str) -> Iterator[bytes]:
    """Cut a stream into blocks of whole records.

    Args:
        pieces: UTF-8 bytes.
        delimiter: One ASCII character.
        quote: One ASCII character, or empty when nothing is quoted.

    Raises:
        UnclosedQuoteError: The last record is within quotes; all blocks before it have been yielded.
        RecordTooLongError: A record is longer than `MAX_RECORD_BYTES`.
    """
    cutter = _Cutter(delimiter, quote)
    carry = b""
    for piece in pieces:
        buffer = carry + piece
        cut = cutter.last_end(buffer)
        if cut:
            yield buffer[:cut]
        elif len(buffer) > MAX_RECORD_BYTES:
            raise RecordTooLongError
        carry = buffer[cut:]
    if not carry:
        return
    if not cutter.is_closed(carry):
        cut = cutter.last_end(carry)
        if cut:
            yield carry[:cut]
        raise UnclosedQuoteError
    yield carry


class _Cutter:
    def __init__(self, delimiter: str, quote: str) -> None:
        self._delimiter = delimiter
        self._quote = quote
        self._before = np.zeros(256, dtype=bool)
        self._before[[ord(delimiter), _CR, _LF]] = True

    def last_end(self, buffer: bytes) -> int:
        """Offset after the last record that certainly ends in ``buffer``; 0 when none does."""
        if not self._quote or self._quote.encode() not in buffer:
            return buffer.rfind(b"\n") + 1
        quotes = self._quotes(buffer)
        if not self._is_regular(buffer, quotes):
            return self._lenient_end(buffer)
        end = buffer.rfind(b"\n")
        while end >= 0:
            before = int(np.searchsorted(quotes, end))
            if before % 2 == 0:
                return end + 1
            end = buffer.rfind(b"\n", 0, int(quotes[before - 1]))
        return 0

    def is_closed(self, buffer: bytes) -> bool:
        """Whether the last record of ``buffer`` does not end within quotes."""
        if not self._quote or self._quote.encode() not in buffer:
            return True
        quotes = self._quotes(buffer)
        if self._is_regular(buffer, quotes):
            return len(quotes) % 2 == 0
        lines = chain(_lines(buffer.rstrip(b"\r\n") + b"\n"), [_SENTINEL])
        return deque(self._reader(lines), maxlen=1).pop() == [_SENTINEL]

    def _quotes(self, buffer: bytes) -> npt.NDArray[np.int64]:
        return np.flatnonzero(np.frombuffer(buffer, dtype=np.uint8) == ord(self._quote))

    def _is_regular(self, buffer: bytes, quotes: npt.NDArray[np.int64]) -> bool:
        opening = quotes[0::2]
        signs = np.frombuffer(buffer, dtype=np.uint8)
        fits = self._before[signs[opening - 1]] | (opening == 0)
        closing = quotes[1::2][: len(opening) - 1]
        fits[1:] |= opening[1:] - 1 == closing
        return bool(fits.all())

    def _lenient_end(self, buffer: bytes) -> int:
        offset = 0

        def counted() -> Iterator[str]:
            nonlocal offset
            for line in _lines(buffer):
                offset += len(line)
                yield line

        ends = [0]
        ends.extend(offset for _ in self._reader(counted()))
        return ends[-2] if len(ends) > 1 else 0

    def _reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        csv.field_size_limit(MAX_RECORD_BYTES)
        return csv.reader(lines, delimiter=self._delimiter, quotechar=self._quote)


def _lines(buffer: bytes) -> Iterator[str]:
    """Lines with their ends, one character per byte."""
    return iter(io.StringIO(buffer.decode("latin-1"), newline="").readline, "")
