"""Records of JSON become flat: a value within an object is a column named by its path, as in ``address.street``.

Belongs here: which paths are columns, and the text at each. Does not belong here: reading JSON (jsonl, json_document).

A path goes through objects by name and through lists by position, from 0. What the contract names is taken from
there; an object of which it names nothing is taken apart, a list stays one cell of JSON text. Where the contract names
an object itself, or a list, that is one cell of JSON text.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.cells import DEFECT, ROW, mark_unusable
from cdm_pipelines.ingest.errors import Defect
from cdm_pipelines.ingest.scalars import as_text, text_array
from cdm_pipelines.ingest.text import MARK

_DEEPEST = 6
Numbered = list[tuple[int, dict[str, Any] | None]]
"""Pairs of a number (of the line, or of the record) and the record, None where there is none."""


class Paths:
    """The columns of a file of JSON records.

    Attributes:
        names: Paths found in any record with a value, in order of first appearance.
    """

    def __init__(self, contract: SourceContract) -> None:
        self.names: dict[str, None] = {}
        self._empty: dict[str, None] = {}
        self._declared = {*contract.column_names, *contract.beside}
        self._ways = {
            name[:end] for name in self._declared for end in range(len(name)) if name[end] == "."
        } - self._declared
        self._unknown = not self._declared
        self._max_cell_bytes = contract.dialect.max_cell_bytes

    def add(self, records: Iterable[dict[str, Any]]) -> None:
        """Take the paths of some more records."""
        for record in records:
            self._add(record, "", 0)

    @property
    def columns(self) -> list[str]:
        """All paths found: those with a value anywhere, then those that never had one."""
        never = [
            path
            for path in self._empty
            if path not in self.names and not any(name.startswith(f"{path}.") for name in self.names)
        ]
        return [*self.names, *never]

    def table(self, records: Numbered) -> pa.Table:
        """The records as text columns with ``_row`` and ``_defect``."""
        columns: dict[str, pa.Array] = {
            name: text_array([None if record is None else as_text(at(record, name)) for _, record in records])
            for name in self.columns
        }
        columns[ROW] = pa.array(np.array([number for number, _ in records], dtype=np.int64))
        defects = [Defect.UNPARSABLE.value if record is None else None for _, record in records]
        columns[DEFECT] = pa.array(defects, pa.string())
        marks = {"\0": Defect.NUL_BYTE, MARK: Defect.UNDECODABLE}
        return mark_unusable(pa.table(columns), self._max_cell_bytes, marks)

    def _add(self, value: dict[str, Any], above: str, depth: int) -> None:
        for name, inner in value.items():
            path = f"{above}{name}"
            if path in self.names:
                continue
            if inner is None or inner == {}:
                self._empty[path] = None
            elif isinstance(inner, list) and path in self._ways:
                below = [name for name in self._declared if name.startswith(f"{path}.")]
                self.names.update(
                    dict.fromkeys([path, *sorted(below)])
                )  # the rest of the list stays in its text
            elif self._goes_into(path, inner, depth):
                self._add(inner, f"{path}.", depth + 1)
            else:
                self.names[path] = None

    def _goes_into(self, path: str, value: Any, depth: int) -> bool:
        if path in self._declared or depth >= _DEEPEST or not value:
            return False
        return isinstance(value, dict) and (self._unknown or "." in path or path in self._ways)


def at(record: dict[str, Any], path: str) -> Any:
    """The value at a path; None where there is none. A name that holds a full stop itself comes first."""
    if path in record or "." not in path:
        return record.get(path)
    return _along(record, path.split("."))


def _along(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value
