"""Excel workbooks.

Belongs here: one sheet becomes a table of text. Does not belong here: types of columns (quality).

A real date cell has no spelling of its own: it is written in the first date format of its column, as the
contract's other dates are.
"""

from collections.abc import Iterator
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cdm_pipelines.contracts import LogicalType, SourceContract
from cdm_pipelines.contracts.model import EPOCHS
from cdm_pipelines.contracts.told import told_names
from cdm_pipelines.ingest.cells import DEFECT, ROW, mark_unusable
from cdm_pipelines.ingest.columns import by_place, named
from cdm_pipelines.ingest.errors import Defect, Refusal, Refuser
from cdm_pipelines.ingest.scalars import as_text, sheet_text, text_array
from cdm_pipelines.ingest.unpack import check_archive

_BATCH_ROWS = 50_000


class Workbook:
    """One sheet of an Excel workbook: the one that the contract names, or the first.

    Attributes:
        columns: Names of the header, in order, or the contract's where there is none.
        note: Always empty: nothing about a workbook is peculiar.
    """

    note = ""

    def __init__(self, path: Path, contract: SourceContract, refuser: Refuser) -> None:
        """Read the header.

        Raises:
            ExtractError: The file is empty, protected, no workbook, or lacks the sheet or a header.
        """
        self._contract = contract
        check_archive(path, contract.dialect.max_unpacked_bytes, refuser)
        numbered = enumerate(sheet_rows(path, contract.dialect.sheet, refuser), start=1)
        self._rows: Iterator[tuple[int, list[Any]]] = (
            (n, row) for n, row in numbered if n > contract.dialect.skip_rows
        )
        first = next(((n, row) for n, row in self._rows if any(cell != "" for cell in row)), None)
        if first is None:
            refuser.refuse(Refusal.EMPTY, "has no header", "Deliver it again, with a header.")
        if contract.dialect.header:
            self.columns = named([as_text(cell) or "" for cell in first[1]], contract)
        else:
            self.columns = by_place(contract, len(first[1]))
            self._rows = chain([first], self._rows)

    def tables(self) -> Iterator[pa.Table]:
        """The rows, once, as text columns with ``_row`` and ``_defect``."""
        batch: list[tuple[int, list[Any]]] = []
        for number, row in self._rows:
            if any(cell != "" for cell in row):
                batch.append((number, row))
            if len(batch) == _BATCH_ROWS:
                yield self._table(batch)
                batch = []
        if batch:
            yield self._table(batch)

    def _table(self, batch: list[tuple[int, list[Any]]]) -> pa.Table:
        columns = {
            name: text_array([self._text(name, row[position]) for _, row in batch])
            for position, name in enumerate(self.columns)
        }
        columns[ROW] = pa.array(np.array([number for number, _ in batch], dtype=np.int64))
        columns[DEFECT] = pa.nulls(len(batch), pa.string())
        return mark_unusable(
            pa.table(columns), self._contract.dialect.max_cell_bytes, {"\0": Defect.NUL_BYTE}
        )

    def _text(self, name: str, value: Any) -> str | None:
        if not isinstance(value, date) or name not in self._contract.column_names:
            return sheet_text(value)
        column = self._contract.column(name)
        if formats := [form for form in column.date_formats if form not in EPOCHS]:
            return value.strftime(formats[0])
        if column.logical_type == LogicalType.DATE and isinstance(value, datetime):
            return as_text(value.date())
        return as_text(value)


def sheet_rows(path: Path, sheet: str | None, refuser: Refuser) -> Iterator[list[Any]]:
    """The rows of a sheet, the first where none is named.

    Raises:
        ExtractError: The file is empty, protected, no workbook, or lacks the sheet.
    """
    from python_calamine import CalamineError  # noqa: PLC0415 - only sources that deliver workbooks need it

    workbook = open_workbook(path, refuser)
    names = workbook.sheet_names
    if sheet is not None and sheet not in names:
        refuser.refuse(
            Refusal.UNREADABLE,
            f"has no sheet {sheet!r}",
            f"Set dialect.sheet to the name of one of its {len(names):,} sheets: {told_names(names, ())}.",
        )
    try:
        return iter(workbook.get_sheet_by_name(sheet or names[0]).to_python(skip_empty_area=False))
    except (CalamineError, OSError):
        refuser.refuse(Refusal.UNREADABLE, "is no Excel workbook, or is cut off", "Deliver it again.")


def open_workbook(path: Path, refuser: Refuser) -> Any:
    """A workbook, with its ``sheet_names``.

    Raises:
        ExtractError: The file is empty, protected or no workbook.
    """
    from python_calamine import (  # noqa: PLC0415 - only sources that deliver workbooks need it
        CalamineError,
        PasswordError,
        load_workbook,
    )

    if path.exists() and path.stat().st_size == 0:
        refuser.refuse(Refusal.EMPTY, "is empty (0 bytes)", "Deliver it again.")
    try:
        return load_workbook(str(path))
    except PasswordError:
        refuser.refuse(Refusal.UNREADABLE, "is protected by a password", "Deliver it without one.")
    except (CalamineError, OSError):
        refuser.refuse(Refusal.UNREADABLE, "is no Excel workbook, or is cut off", "Deliver it again.")
