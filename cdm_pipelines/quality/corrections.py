"""Quarantined rows go out to a person as CSV and come back corrected.

Belongs here: that CSV, made harmless for spreadsheets, and putting corrected rows in place of the delivered
ones. Does not belong here: where quarantine is stored, or who may see it.

A cell that a spreadsheet would take for a formula, or for a number that it may shorten (leading zeros, more digits than
it shows), gets an apostrophe in front; reading takes exactly that one away, so every value survives the round trip.
"""

import csv
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.blocks import MAX_RECORD_BYTES
from cdm_pipelines.quality.damage import watched
from cdm_pipelines.store.frames import to_frame
from cdm_pipelines.store.keys import composite_keys
from cdm_pipelines.store.spreadsheets import FORMULA_SIGNS

DEFECT, REASONS, QUARANTINE = "_defect", "_reasons", "_quarantine"
ROW_KEY = ("_sha256", "_row")
CORRECTING = "quarantine/lock"
"""Under ``CDM_HOME``: locked while corrections are added to those of a day."""
_FIXED = (*ROW_KEY, "_file", DEFECT, QUARANTINE)
_BOM = b"\xef\xbb\xbf"
_SHORTENED = r"0[0-9]|[0-9]{12,}\z"
_FORMULA = rf"^('*(?:{FORMULA_SIGNS}|{_SHORTENED}))"
_NEUTRALISED = rf"^'('*(?:{FORMULA_SIGNS}|{_SHORTENED}))"


class CorrectionsError(ValueError):
    """A file of corrected rows cannot be used; the message says why."""


def neutralise_formulas(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Put an apostrophe before texts that a spreadsheet would run (`FORMULA_SIGNS`) or shorten."""
    return pc.replace_substring_regex(values, _FORMULA, r"'\1", max_replacements=1)


def restore_formulas(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Undo `neutralise_formulas`."""
    return pc.replace_substring_regex(values, _NEUTRALISED, r"\1", max_replacements=1)


def export_quarantine(table: pa.Table, quarantine: str = "") -> bytes:
    """Quarantined rows as CSV (UTF-8 with byte-order mark, so that spreadsheets read it), formulas neutralised.

    Args:
        table: The rows.
        quarantine: ``source/entity/date`` to which they belong: a column of it tells rows of days apart that were
            delivered with the same bytes.
    """
    if quarantine:
        table = table.append_column(QUARANTINE, pa.repeat(pa.scalar(quarantine), table.num_rows))
    columns = [
        neutralise_formulas(cells) if pa.types.is_string(cells.type) else cells.cast(pa.string())
        for cells in table.columns
    ]
    names = neutralise_formulas(pa.array(table.column_names)).to_pylist()
    sink = pa.BufferOutputStream()
    pacsv.write_csv(pa.table(columns, names=names), sink)
    return _BOM + bytes(sink.getvalue().to_pybytes())


def read_corrections(content: bytes) -> pd.DataFrame:
    """Corrected rows from the CSV of `export_quarantine`, as a person's spreadsheet saved it.

    Semicolons or tabs as delimiters are understood. ``_reasons`` is dropped.

    Returns:
        Source columns as text, ``_sha256`` and ``_row``, ``_file`` and ``_quarantine`` where they are there, one row
        per delivered row of a day.

    Raises:
        CorrectionsError: It is no such CSV, or a row stands there twice.
    """
    try:
        text = content.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        raise CorrectionsError("The file is not UTF-8. Save it as CSV UTF-8.") from None
    csv.field_size_limit(MAX_RECORD_BYTES)
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(line)]
    names = restore_formulas(pa.array(lines[0] if lines else [], pa.string())).to_pylist()
    missing = [name for name in ROW_KEY if name not in names]
    if missing:
        raise CorrectionsError(
            f"The file lacks {', '.join(missing)}. Keep these columns as they were exported."
        )
    uneven = [number for number, line in enumerate(lines, start=1) if len(line) != len(names)]
    if uneven:
        raise CorrectionsError(f"Line {uneven[0]} has another number of cells than the header.")
    cells = [[line[place] or None for line in lines[1:]] for place in range(len(names))]
    columns = [restore_formulas(pa.array(values, pa.string())) for values in cells]
    frame = to_frame(pa.table(columns, names=names)).drop(columns=[REASONS, DEFECT], errors="ignore")
    rows = pd.to_numeric(frame["_row"], errors="coerce")
    if rows.isna().any() or frame["_sha256"].isna().any():
        raise CorrectionsError(
            "A row has lost its _sha256 or _row. Keep these columns as they were exported."
        )
    frame["_row"] = rows.astype("Int64")
    if frame.duplicated([name for name in (*ROW_KEY, "_file", QUARANTINE) if name in frame]).any():
        raise CorrectionsError("A row stands there twice. Keep one of them.")
    return frame


def lost_zeros(exported: pd.DataFrame, corrected: pd.DataFrame, contract: SourceContract) -> list[str]:
    """Columns in which a value has lost its leading zeros and nothing else, as when a spreadsheet saves it.

    Args:
        exported: Rows as they went out.
        corrected: The same rows as they came back.
        contract: Tells which columns hold numbers that are names, such as keys and phone numbers.
    """
    found = []
    for name in watched(contract):
        if name in exported and name in corrected:
            before, after = (frame[name].fillna("").reset_index(drop=True) for frame in (exported, corrected))
            zeros = before.str.fullmatch("0+[1-9][0-9]*")
            if (zeros & (before.str.lstrip("0") == after)).any():
                found.append(name)
    return found


def apply_corrections(raw: pa.Table, corrections: pa.Table) -> pa.Table:
    """Put corrected rows in the place of the rows that were delivered; others stay as they are.

    Rows keep their number and order, so what was read still equals what is accepted and quarantined (R3). Columns
    that the corrections do not have keep their delivered values. A row that came back as it was is no correction:
    its defect stays.
    """
    place = pc.index_in(composite_keys(raw, *ROW_KEY), value_set=composite_keys(corrections, *ROW_KEY))
    if place.null_count == len(place):
        return raw
    known, table = pc.is_valid(place), raw
    changed = pa.chunked_array([np.zeros(len(place), dtype=bool)])
    for position, name in enumerate(table.column_names):
        if name in corrections.column_names and name not in _FIXED:
            cells, delivered = corrections.column(name).cast(pa.string()).take(place), table.column(position)
            same = pc.or_(
                pc.fill_null(pc.equal(cells, delivered), fill_value=False), _both_null(cells, delivered)
            )
            changed = pc.or_(changed, pc.and_not(known, same))
            table = table.set_column(position, name, pc.if_else(known, cells, delivered))
    if DEFECT in table.column_names:
        defects = pc.if_else(changed, pa.scalar(None, pa.string()), table.column(DEFECT))
        table = table.set_column(table.column_names.index(DEFECT), DEFECT, defects)
    return table


def _both_null(left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.and_(pc.is_null(left), pc.is_null(right))
