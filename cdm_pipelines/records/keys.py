"""Keys of source records as single values.

Belongs here: joining on the three columns that name a record, at the speed of one. Does not belong here: what
the join is for.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.ingest.lake import whole

RECORD_KEY = ("source", "entity", "record_id")
# Names of sources and entities are plain words, so only the last part of a key can hold it.
_SEPARATOR = "\x1f"


def unit_join(table: pa.Table, *columns: str) -> pa.Array:
    """One text per row made of several columns, null where any of them is."""
    parts = [whole(table[name]).cast(pa.string()) for name in columns]
    return pc.binary_join_element_wise(*parts, _SEPARATOR)


def record_keys(table: pa.Table) -> pa.Array:
    """The source record of each row (``source``, ``entity``, ``record_id``) as one text."""
    return unit_join(table, *RECORD_KEY)


def positions(values: pa.Array, among: pa.Array) -> npt.NDArray[np.int64]:
    """Place of each value's first appearance among others; -1 for null and for what is not there."""
    codes = pc.index_in(values, value_set=among, skip_nulls=True)
    found: npt.NDArray[np.int64] = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return found
