"""Rows of a file that are no records: lines that sum others up, and headers that stand there again.

Belongs here: telling and marking them, so that they are put aside with a reason and never become customers. Does not
belong here: lines above the header (skipRows).

A contract names the rows that sum up others by the text of their first filled cell. Where it does not, the usual
words are known: they count in the key alone, or in the first column where the file has no key, and in a row of which
at least half is blank. No record has such a key, and a company of that name keeps its row.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.cells import DEFECT
from cdm_pipelines.ingest.errors import Defect

_WORDS = (
    r"(?:(?:grand|gran|sub|eind|end|general|report|page)[- ]?)?(?:totaal|totalen|totals?|totale|totaux)(?: gener\w+)?",
    r"total g[ée]n[ée]ral",
    r"sous[- ]total",
    r"somme",
    r"saldo",
    r"(?:gemiddelde?|average|durchschnitt|moyenne)",
    r"(?:end|zwischen|gesamt)?summe",
    r"gesamt",
    r"sum",
    r"som",
    r"suma",
    r"(?:aantal|anzahl|nombre|number)(?: (?:of |de )?\p{L}+)?",
    r"(?:record |row )?count",
    r"(?:records?|rows|regels|rijen|lines|zeilen|lignes)",
    r"(?:end|einde|ende)(?: of| van| der| des)?(?: \p{L}+)?",
)
_AMOUNT = r"\s*[:=]?\s*[-+\d.,'\s€$£%]*\W*$"
_COUNTED = r"^\W*\d+ (?:rows?|records?|rijen|regels|zeilen|lines?)(?: \p{L}+)*\W*$"
WORDS = "|".join(_WORDS)
"""What totals and counts under a list are called: alternatives of an expression."""
USUAL = rf"(?i)^\W*(?:{WORDS}){_AMOUNT}|{_COUNTED}"


def mark_no_records(table: pa.Table, columns: Sequence[str], contract: SourceContract) -> pa.Table:
    """Mark the rows that are no records in ``_defect``, over a wrong number of cells and under any other fault.

    Args:
        table: Text columns as in the file, ``_row`` and ``_defect``.
        columns: Names of the columns of the file, in order.
        contract: Whose key and totals count.
    """
    if not table.num_rows or not columns:
        return table
    table = _mark(table, _totals(table, columns, contract), Defect.TOTALS)
    again = _headers(table, columns)
    return table if again is None else _mark(table, again, Defect.HEADER_AGAIN)


def _totals(table: pa.Table, columns: Sequence[str], contract: SourceContract) -> npt.NDArray[np.bool_]:
    if contract.dialect.totals:
        expression = re.compile("|".join(f"(?:{one})" for one in contract.dialect.totals), re.IGNORECASE)
        first = pc.coalesce(*(_blank_to_null(table.column(name)) for name in columns))
        told = [text is not None and bool(expression.fullmatch(text.strip())) for text in first.to_pylist()]
        return np.array(told, dtype=bool)
    place = next((name for name in contract.key if name in columns), columns[0])
    found = _flags(pc.match_substring_regex(table.column(place), USUAL))
    if found.any():
        rows = table.filter(pa.array(found)).select(list(columns)).to_pylist()
        found[found] = [
            2 * sum(bool(cell and cell.strip()) for cell in row.values()) <= len(columns) for row in rows
        ]
    return found


def _headers(table: pa.Table, columns: Sequence[str]) -> npt.NDArray[np.bool_] | None:
    """Rows that say the names of the columns; None where there is none."""
    same = pc.equal(table.column(columns[0]), columns[0])
    if not pc.any(same).as_py():
        return None
    for name in columns[1:]:
        same = pc.and_(same, pc.equal(table.column(name), name))
    return _flags(same)


def _mark(table: pa.Table, rows: npt.NDArray[np.bool_], defect: Defect) -> pa.Table:
    if not rows.any():
        return table
    known = table.column(DEFECT)
    free = pc.or_(pc.is_null(known), pc.fill_null(pc.equal(known, Defect.RAGGED.value), fill_value=False))
    marked = pc.if_else(pc.and_(pa.array(rows), free), defect.value, known)
    return table.set_column(table.column_names.index(DEFECT), DEFECT, marked)


def _blank_to_null(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(cells), ""), pa.scalar(None, pa.string()), cells)


def _flags(values: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.fill_null(values, fill_value=False).to_numpy().astype(bool)
    return found
