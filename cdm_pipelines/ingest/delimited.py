"""Delimited text: header and rows.

Belongs here: one CSV file, with any delimiter, becomes tables of text. Does not belong here: bytes and
encodings (text), or several files of a day (extract).

Blocks of whole records are parsed in compiled code. A row with another number of cells than the header does
not stop it: the row comes through with what could be read, marked as ragged.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.blocks import (
    BLOCK_BYTES,
    RecordTooLongError,
    UnclosedQuoteError,
    record_blocks,
)
from cdm_pipelines.ingest.cells import DEFECT, mark_unusable, with_origin
from cdm_pipelines.ingest.errors import Defect, Refusal, Refuser
from cdm_pipelines.ingest.text import MARK, MARK_BYTES, open_text

_DELIMITERS = (",", ";", "\t", "|")
_NUL = "\0"


class DelimitedFile:
    """One delimited file.

    Attributes:
        columns: Names of the header, in order.
    """

    def __init__(self, path: Path, contract: SourceContract, refuser: Refuser) -> None:
        """Read the header.

        Raises:
            ExtractError: The file is refused: empty, cut off, in another encoding or with another delimiter.
        """
        self._dialect = contract.dialect
        self._refuser = refuser
        self._text = open_text(path, contract.dialect.encoding, refuser)
        pieces = _skip_lines(self._text.utf8(BLOCK_BYTES), self._dialect.skip_rows)
        self._next_row = self._dialect.skip_rows + 1
        self._blocks = self._whole_records(
            record_blocks(pieces, self._dialect.delimiter, self._dialect.quote)
        )
        self.columns, self._rest = self._read_header(next(self._blocks, b""), contract)

    def tables(self) -> Iterator[pa.Table]:
        """The rows, once, as text columns with ``_row`` and ``_defect``.

        Raises:
            ExtractError: The file ends within quotes.
        """
        for block in chain([self._rest] if self._rest else [], self._blocks):
            table, records = self._parse(block)
            self._next_row += records
            marks = {_NUL: Defect.NUL_BYTE} if b"\0" in block else {}
            if self._text.undecodable and MARK_BYTES in block:
                marks[MARK] = Defect.UNDECODABLE
            yield mark_unusable(table, self._dialect.max_cell_bytes, marks)

    def _whole_records(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from blocks
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

    def _read_header(self, first: bytes, contract: SourceContract) -> tuple[list[str], bytes]:
        text = io.StringIO(first.decode(), newline="")
        consumed = 0
        for line in self._reader(text):
            consumed = text.tell()
            self._next_row += 1
            if any(cell.strip() for cell in line):
                break
        else:
            self._refuser.refuse(Refusal.EMPTY, "has no header", "Deliver it again, with a header.")
        names = [cell.strip() or f"unnamed_{position}" for position, cell in enumerate(line, start=1)]
        header = text.getvalue()[:consumed]
        self._check_delimiter(names, header, contract)
        return names, first[len(header.encode()) :]

    def _check_delimiter(self, names: list[str], header: str, contract: SourceContract) -> None:
        known = contract.header_names
        found = {}
        for delimiter in _DELIMITERS:
            cells = next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter), [])
            found[delimiter] = len(known & {cell.strip() for cell in cells})
        best = max(found, key=lambda delimiter: found[delimiter])
        if found[best] > len(known & set(names)) and len(names) < len(contract.columns):
            self._refuser.refuse(
                Refusal.DELIMITER,
                f"is not delimited by {self._dialect.delimiter!r}: it looks like {best!r}",
                f'Set dialect.delimiter: "{_spelt(best)}" in the contract, or have it delivered as agreed.',
            )

    def _reader(self, text: io.StringIO) -> Iterator[list[str]]:
        return csv.reader(
            iter(text.readline, ""),
            delimiter=self._dialect.delimiter,
            quotechar=self._dialect.quote or None,
            quoting=csv.QUOTE_MINIMAL if self._dialect.quote else csv.QUOTE_NONE,
        )

    def _parse(self, block: bytes) -> tuple[pa.Table, int]:
        """Parse whole records; returns the rows and how many records there were, blank lines included."""
        ragged: list[tuple[int, str]] = []

        def note(row: pacsv.InvalidRow) -> str:
            ragged.append((row.number - 1, row.text))
            return "skip"

        if block.startswith(codecs.BOM_UTF8):  # the parser takes one away, from every block
            block = codecs.BOM_UTF8 + block
        table = pacsv.read_csv(
            pa.BufferReader(block),
            pacsv.ReadOptions(use_threads=False, block_size=len(block), column_names=self.columns),
            pacsv.ParseOptions(
                delimiter=self._dialect.delimiter,
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
        records = table.num_rows + len(ragged)
        table = self._put_back(table, ragged) if ragged else with_origin(table, self._next_row)
        return self._without_blank_lines(table, block), records

    def _put_back(self, table: pa.Table, ragged: list[tuple[int, str]]) -> pa.Table:
        """Put ragged rows where they stood, with the cells that could be read."""
        places = np.array([place for place, _ in ragged], dtype=np.int64)
        regular = np.setdiff1d(np.arange(table.num_rows + len(ragged)), places)
        read = [self._ragged_cells(text) for _, text in ragged]
        columns = {
            name: pa.array([cells[position] or None for cells, _ in read], pa.string())
            for position, name in enumerate(self.columns)
        }
        broken = pa.table(columns)
        whole = pa.concat_tables([table, broken]).take(
            np.argsort(np.concatenate([regular, places]), kind="stable")
        )
        defects = np.full(whole.num_rows, None, dtype=object)
        defects[places] = [defect for _, defect in read]
        whole = with_origin(whole, self._next_row)
        return whole.set_column(whole.num_columns - 1, DEFECT, pa.array(defects, pa.string()))

    def _ragged_cells(self, text: str) -> tuple[list[str], str | None]:
        """As many cells as the header has; what is over stays in the last one. Empty cells at the end do no harm."""
        cells = next(self._reader(io.StringIO(text, newline="")), [])
        width = len(self.columns)
        defect = None if len(cells) > width and not any(cells[width:]) else Defect.RAGGED.value
        if len(cells) > width and defect:
            cells[width - 1] = self._dialect.delimiter.join(cells[width - 1 :])
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


def _spelt(delimiter: str) -> str:
    return "\\t" if delimiter == "\t" else delimiter
