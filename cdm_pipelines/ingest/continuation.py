"""Continuation lines: lines that leave out what the first line of their key says.

Belongs here: filling such lines and numbering them, across the pieces in which a file is read. Does not
belong here: why a source writes so (its contract).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.model import FillDown
from cdm_pipelines.ingest.cells import DEFECT, ROW


class Continuation:
    """Completes the lines of one file, piece by piece and in order.

    Lines belong together while their key stays the same. A line that could not be read takes no part: it
    neither gives values nor gets any.
    """

    def __init__(self, rule: FillDown) -> None:
        self._rule = rule
        self._key: str | None = None
        self._first: dict[str, str | None] = {}
        self._number = 0

    def complete(self, table: pa.Table) -> pa.Table:
        """Fill and number the lines of the next piece."""
        broken = pc.is_valid(table.column(DEFECT))
        if not pc.any(broken).as_py():
            return self._complete(table)
        whole = self._complete(table.filter(pc.invert(broken)))
        together = pa.concat_tables([whole, table.filter(broken).select(whole.column_names)])
        return together.sort_by(ROW)

    def _complete(self, table: pa.Table) -> pa.Table:
        if table.num_rows == 0:
            return table
        starts = self._starts(table.column(self._rule.key))
        origin = np.maximum.accumulate(np.where(starts, np.arange(table.num_rows), -1))
        for name in self._rule.columns:
            table = self._fill(table, name, origin)
        numbers = np.arange(table.num_rows) - origin + np.where(origin < 0, self._number, 1)
        if self._rule.numbered_as:
            position = table.column_names.index(self._rule.numbered_as)
            texts = pa.array(numbers).cast(pa.string())
            table = table.set_column(position, self._rule.numbered_as, texts)
        self._number = int(numbers[-1])
        self._key = table.column(self._rule.key)[-1].as_py()
        return table

    def _starts(self, keys: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
        """Whether each line begins a key; one without a key always does."""
        before = pa.chunked_array([pa.array([self._key], pa.string()), *keys.chunks]).slice(0, len(keys))
        same = pc.fill_null(pc.equal(keys, before), fill_value=False)
        starts: npt.NDArray[np.bool_] = ~same.to_numpy().astype(bool)
        return starts

    def _fill(self, table: pa.Table, name: str, origin: npt.NDArray[np.int64]) -> pa.Table:
        position = table.column_names.index(name)
        cells = table.column(position)
        carried = pa.array([self._first.get(name)], pa.string())
        firsts = pa.chunked_array([carried, *cells.chunks]).take(pa.array(origin + 1))
        self._first[name] = _last(firsts)
        return table.set_column(position, name, pc.coalesce(cells, firsts)) if cells.null_count else table


def _last(values: pa.ChunkedArray) -> Any:
    return values[len(values) - 1].as_py()
