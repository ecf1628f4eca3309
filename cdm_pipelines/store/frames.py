"""Arrow tables to frames of pandas and back.

Belongs here: which types a frame has. Does not belong here: what is true of a table (arrow), files (lake). Apart from
those, so that what reads and writes tables alone does not load pandas.
"""

import pandas as pd
import pyarrow as pa

TEXT = pd.StringDtype("pyarrow")
_DTYPES = {
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.bool_(): pd.BooleanDtype(),
    pa.int64(): pd.Int64Dtype(),
}


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Turn an Arrow table into a frame: text as ``string[pyarrow]``, booleans and integers nullable."""
    frame: pd.DataFrame = table.to_pandas(types_mapper=_DTYPES.get, ignore_metadata=True)
    return frame


def to_table(frame: pd.DataFrame, schema: pa.Schema | None = None) -> pa.Table:
    """Turn a frame into an Arrow table without pandas metadata; an all-null column of no type becomes text."""
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata(None)
    if schema is not None:
        return table
    plain = [
        pa.field(f.name, pa.string() if f.type in (pa.null(), pa.large_string()) else f.type)
        for f in table.schema
    ]
    return table.cast(pa.schema(plain))
