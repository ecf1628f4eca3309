"""Faults and habits of single cells, column by column in compiled code.

Belongs here: cells that cannot be used as they are (too long, zero bytes, undecodable bytes), leading
apostrophes, empty cells. Does not belong here: rules about content (quality).
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.errors import Defect

DEFECT = "_defect"
ROW = "_row"
REPLACEMENT = "\ufffd"
_SPREADSHEET_WOULD_CHANGE = r"^'([0-9+\-=@(])"


def with_origin(table: pa.Table, first_row: int) -> pa.Table:
    """Append row numbers that count from ``first_row``, and a ``_defect`` that is null."""
    return with_rows(table, np.arange(first_row, first_row + table.num_rows, dtype=np.int64))


def with_rows(
    table: pa.Table, numbers: npt.NDArray[np.int64], defects: Sequence[str | None] | None = None
) -> pa.Table:
    """Append these row numbers, and these defects; none when left out."""
    marks = pa.nulls(table.num_rows, pa.string()) if defects is None else pa.array(defects, pa.string())
    return table.append_column(ROW, pa.array(numbers)).append_column(DEFECT, marks)


def mark_unusable(table: pa.Table, max_cell_bytes: int, marks: dict[str, Defect]) -> pa.Table:
    """Mark rows whose cells are too long or hold a sign that stands for a fault.

    Args:
        table: Text columns, ``_row`` and ``_defect``.
        max_cell_bytes: Longer cells become null.
        marks: Defect by sign; the sign is replaced, so that the text can be shown and stored.
    """
    for position, name in enumerate(table.column_names):
        if name in (ROW, DEFECT):
            continue
        cells = table.column(position)
        longest = pc.max(pc.binary_length(cells)).as_py() or 0
        if longest > max_cell_bytes:
            too_long = pc.greater(pc.binary_length(cells), max_cell_bytes)
            table = _mark(table, too_long, Defect.CELL_TOO_LONG)
            kept = pa.array(
                np.arange(table.num_rows), mask=pc.fill_null(too_long, fill_value=False).to_numpy()
            )
            cells = cells.take(kept)  # a copy, so that the long text leaves memory
            table = table.set_column(position, name, cells)
        for sign, defect in marks.items():
            if not _holds(cells, sign):
                continue
            table = _mark(table, pc.match_substring(cells, sign), defect)
            cells = pc.replace_substring(cells, sign, REPLACEMENT)
            table = table.set_column(position, name, cells)
    return table


def _holds(cells: pa.ChunkedArray, sign: str) -> bool:
    """Whether any cell holds a sign: searched in the bytes of all at once, which is many times quicker."""
    wanted = re.compile(re.escape(sign.encode()))
    return any(wanted.search(_bytes(chunk)) is not None for chunk in cells.chunks)


def _bytes(texts: pa.Array) -> memoryview:
    """The bytes of an array of texts, one text after the other."""
    _, ends, content = texts.buffers()
    if not len(texts) or ends is None or content is None:
        return memoryview(b"")
    bounds = np.frombuffer(memoryview(ends), np.int32)
    return memoryview(content)[bounds[texts.offset] : bounds[texts.offset + len(texts)]]


def strip_apostrophes(table: pa.Table, contract: SourceContract) -> pa.Table:
    """Take away the apostrophe that a source writes before what a spreadsheet would change.

    A column that says so loses one leading apostrophe whatever follows. Elsewhere the dialect's habit only
    reaches values that go on with a digit or a sign, so that the surname ``'t Hart`` keeps its own.
    """
    by_column = {column.name: column.leading_apostrophe for column in contract.columns}
    for position, name in enumerate(table.column_names):
        if name in (ROW, DEFECT):
            continue
        declared = by_column.get(name)
        if declared or (declared is None and contract.dialect.leading_apostrophe):
            pattern, kept = (r"^'", "") if declared else (_SPREADSHEET_WOULD_CHANGE, r"\1")
            cells = table.column(position)
            if pc.any(pc.starts_with(cells, "'")).as_py():
                cells = pc.replace_substring_regex(cells, pattern, kept, max_replacements=1)
                table = table.set_column(position, name, empty_to_null(cells))
    return table


def empty_to_null(cells: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Empty texts become null."""
    empty = pc.equal(cells, "")
    return pc.if_else(empty, pa.scalar(None, pa.string()), cells) if pc.any(empty).as_py() else cells


def _mark(table: pa.Table, rows: pa.ChunkedArray, defect: Defect) -> pa.Table:
    known = table.column(DEFECT)
    marked = pc.if_else(pc.and_(pc.fill_null(rows, fill_value=False), pc.is_null(known)), defect.value, known)
    return table.set_column(table.column_names.index(DEFECT), DEFECT, marked)
