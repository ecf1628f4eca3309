"""Arrow tables as every room uses them: columns in one piece, what differs, digests.

Belongs here: what is true of any table. Does not belong here: keys of records (keys), frames (frames), files (lake).
"""

import io
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from hashlib import _Hash

    from _typeshed import ReadableBuffer

_CODE = 4  # bytes a value, of columns of which only codes are stored


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as one array; copied only where it lies in several pieces."""
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column


def coded_columns(metadata: pq.FileMetaData) -> list[str]:
    """Columns of a Parquet file that are cheaper read as codes of their few values: so little of them is stored."""
    sizes: dict[str, int] = {}
    for group in range(metadata.num_row_groups):
        for at in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(at)
            if chunk.physical_type == "BYTE_ARRAY":
                name = chunk.path_in_schema
                sizes[name] = sizes.get(name, 0) + chunk.total_uncompressed_size
    return [name for name, size in sizes.items() if size < _CODE * metadata.num_rows]


def digest(before: str, rows: pa.Table) -> str:
    """A digest of some rows and of all before them, of which ``before`` is the digest."""
    found = sha256(before.encode())
    with pa.ipc.new_stream(_Hashed(found), rows.schema.remove_metadata()) as stream:
        stream.write_table(rows.replace_schema_metadata().combine_chunks())
    return found.hexdigest()[:16]


class _Hashed(io.RawIOBase):
    """A file of which nothing is kept but its hash."""

    def __init__(self, found: "_Hash") -> None:
        self._found = found

    def writable(self) -> bool:
        return True

    def write(self, content: "ReadableBuffer") -> int:
        self._found.update(content)
        return memoryview(content).nbytes


def differ(former: pa.Array | pa.ChunkedArray, latter: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Where two columns of one length differ; null equals null."""
    if former.equals(latter):
        return np.zeros(len(former), dtype=bool)
    unequal = pc.fill_null(pc.not_equal(former, latter), False)
    either = pc.xor(pc.is_null(former), pc.is_null(latter))
    found: npt.NDArray[np.bool_] = pc.or_(unequal, either).to_numpy(zero_copy_only=False)
    return found
