"""Rows of other files of the day that bring columns of the same records.

Belongs here: the join by key, and what is left over on either side. Does not belong here: finding and reading the
files (extract).

The joined files are held in memory, as text, while the files of the contract are streamed past them.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.model import Joined
from cdm_pipelines.contracts.odcs import RESERVED_COLUMNS
from cdm_pipelines.ingest.cells import DEFECT
from cdm_pipelines.ingest.errors import Defect


class JoinedRows:
    """The rows of joined files, one per key: of several with one key the last counts. Blanks around it do not.

    Attributes:
        columns: Names that they bring.
    """

    def __init__(self, tables: Iterator[pa.Table], joined: Joined) -> None:
        """Read the files to their end."""
        self._key, self._theirs = joined.key, joined.theirs
        self._rows = pa.concat_tables(tables).combine_chunks()
        self.columns = [
            name for name in self._rows.column_names if name not in (*RESERVED_COLUMNS, joined.theirs)
        ]
        keys = _bare(self._rows.column(self._theirs))
        sound = pc.and_(pc.is_null(self._rows.column(DEFECT)), pc.is_valid(keys))
        places = np.flatnonzero(sound.to_numpy())
        last = dict(zip(keys.filter(sound).to_pylist(), places.tolist(), strict=True))
        self._keys = pa.array(list(last), pa.string())
        self._places = np.fromiter(last.values(), dtype=np.int64, count=len(last))
        self._used = np.zeros(self._rows.num_rows, dtype=bool)

    def complete(self, table: pa.Table) -> pa.Table:
        """Fill the columns that the joined files bring, where the table itself has nothing."""
        found = pc.index_in(_bare(table.column(self._key)), value_set=self._keys).combine_chunks()
        known = pc.is_valid(found).to_numpy(zero_copy_only=False)
        rows = np.full(table.num_rows, -1, dtype=np.int64)
        rows[known] = self._places[found.drop_null().to_numpy()]
        self._used[rows[known]] = True
        places = pa.array(rows, mask=~known)
        for name in self.columns:
            position = table.column_names.index(name)
            theirs = self._rows.column(name).take(places)
            table = table.set_column(position, name, pc.coalesce(table.column(position), theirs))
        return table

    def left_over(self, schema: pa.Schema) -> Iterator[pa.Table]:
        """Their rows that no record took: each is marked, so that it is put aside and not lost."""
        rest = self._rows.filter(pa.array(~self._used))
        if not rest.num_rows:
            return
        columns = {name: rest.column(name) for name in rest.column_names if name in schema.names}
        columns[self._key] = rest.column(self._theirs)
        columns[DEFECT] = pc.coalesce(rest.column(DEFECT), pa.scalar(Defect.UNJOINED.value))
        empty = pa.nulls(rest.num_rows, pa.string())
        yield pa.table([columns.get(name, empty) for name in schema.names], schema=schema)


def _bare(keys: pa.ChunkedArray) -> pa.ChunkedArray:
    """Keys without blanks around them, as ids are read; none where nothing else is there."""
    bare = pc.utf8_trim_whitespace(keys)
    return pc.if_else(pc.equal(bare, ""), None, bare)
