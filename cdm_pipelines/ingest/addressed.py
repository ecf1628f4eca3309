"""Records of JSON by the paths that a contract gives, record by record.

Belongs here: which columns such a file has, which rows a record is, and the text at each path. Does not belong here:
whole files of lines in compiled code (json_sql), or contracts that name no path (nested).

What the contract names is taken from where it says. Other members of the record are kept under their own names, objects
and lists as one cell of JSON text; a member that a path goes into is not kept beside what was taken from it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.model import Column
from cdm_pipelines.contracts.paths import PathError, Step, Where, steps
from cdm_pipelines.ingest.cells import DEFECT, ROW, mark_unusable
from cdm_pipelines.ingest.errors import Defect
from cdm_pipelines.ingest.nested import Numbered
from cdm_pipelines.ingest.scalars import as_text, text_array
from cdm_pipelines.ingest.text import MARK

Ways = tuple[tuple[Step, ...], ...]
_MARKS = {"\0": Defect.NUL_BYTE, MARK: Defect.UNDECODABLE}


def is_addressed(contract: SourceContract) -> bool:
    """Whether a contract takes its records apart by paths."""
    return contract.dialect.rows_at is not None or any(column.paths for column in contract.columns)


class Addressed:
    """The columns of a file of JSON records, some of them at paths.

    Attributes:
        ways: Steps to the value of each declared column; the first that lead to one count.
        rows_at: Steps to the list of which each element is a row; empty where a record is one.
    """

    def __init__(self, contract: SourceContract) -> None:
        self.ways: dict[str, Ways] = {column.name: _ways(column) for column in contract.columns}
        self.rows_at: tuple[Step, ...] = steps(contract.dialect.rows_at) if contract.dialect.rows_at else ()
        self._roots = {way[0] for ways in self.ways.values() for way in ways} | {*self.rows_at[:1]}
        self._seen: dict[str, None] = {}
        self._max_cell_bytes = contract.dialect.max_cell_bytes
        self._rows = 0

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take the names of some more records."""
        for record in records:
            self._seen.update(dict.fromkeys(record))

    @property
    def others(self) -> list[str]:
        """Members of records that no column of the contract is taken from."""
        return [name for name in self._seen if name not in self._roots]

    @property
    def columns(self) -> list[str]:
        """Declared columns of which a record may hold a value, then the other members."""
        declared = [name for name, ways in self.ways.items() if any(way[0] in self._seen for way in ways)]
        return [*declared, *self.others]

    def table(self, records: Numbered) -> pa.Table:
        """The records as text columns with ``_row`` and ``_defect``."""
        rows = [(number, *row) for number, record in records for row in self._rows_of(record)]
        names = self.columns
        texts: dict[str, list[str | None]] = {name: [] for name in names}
        for _, record, element in rows:
            for name in names:
                texts[name].append(None if record is None else self._text(name, record, element))
        made: dict[str, pa.Array] = {name: text_array(found) for name, found in texts.items()}
        made[ROW] = pa.array(np.array([number for number, *_ in rows], dtype=np.int64))
        defects = [Defect.UNPARSABLE.value if record is None else None for _, record, _ in rows]
        made[DEFECT] = pa.array(defects, pa.string())
        return self.numbered(self.judged(pa.table(made)))

    def judged(self, table: pa.Table) -> pa.Table:
        """The table with rows marked whose cells cannot be used as they are."""
        return mark_unusable(table, self._max_cell_bytes, _MARKS)

    def numbered(self, table: pa.Table) -> pa.Table:
        """The table with its rows counted through the file where a record may be several; to be called in order."""
        if not self.rows_at:
            return table
        first, self._rows = self._rows + 1, self._rows + table.num_rows
        numbers = pa.array(np.arange(first, self._rows + 1, dtype=np.int64))
        return table.set_column(table.column_names.index(ROW), ROW, numbers)

    def _rows_of(self, record: Mapping[str, Any] | None) -> Iterator[tuple[Mapping[str, Any] | None, Any]]:
        if record is None or not self.rows_at:
            yield record, None
            return
        found = follow(record, self.rows_at)
        for element in found if isinstance(found, list) else []:
            yield record, element

    def _text(self, name: str, record: Mapping[str, Any], element: Any) -> str | None:
        if name not in self.ways:
            return as_text(record.get(name))
        for way in self.ways[name]:
            rest = self.within(way)
            text = as_text(follow(record, way) if rest is None else follow(element, rest))
            if text is not None:
                return text
        return None

    def within(self, way: Sequence[Step]) -> tuple[Step, ...] | None:
        """The rest of a way that leads into the element that is a row; None where it does not."""
        depth = len(self.rows_at)
        rest = tuple(way[depth:])
        chooses = bool(rest) and not isinstance(rest[0], str)  # another element of the list
        return rest if depth and tuple(way[:depth]) == self.rows_at and not chooses else None


def follow(value: Any, way: Iterable[Step]) -> Any:
    """The value at the end of a way; None where there is none."""
    for step in way:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        elif not isinstance(value, list):
            return None
        elif isinstance(step, Where):
            value = next(
                (one for one in value if isinstance(one, dict) and as_text(one.get(step.name)) == step.value),
                None,
            )
        else:
            value = value[step] if step < len(value) else None
    return value


def _ways(column: Column) -> Ways:
    if column.paths:
        return tuple(steps(path) for path in column.paths)
    try:
        return ((column.name,),) if "." not in column.name else ((column.name,), steps(column.name))
    except PathError:
        return ((column.name,),)
