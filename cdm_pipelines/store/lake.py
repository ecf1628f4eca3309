"""The lake: Parquet files per asset and partition at any fsspec URL, and Arrow files where a table is read in part.

Belongs here: paths, atomic writes, streamed reads. Does not belong here: what the columns mean.

A write is visible whole or not at all: it goes to a temporary name beside its target and is moved into place.
Files carry no time and no run id, so the same input gives the same bytes (R4).
"""

import errno
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import IO, Any, cast
from uuid import uuid4

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from cdm_pipelines.store.arrow import to_table

_ABANDONED_AFTER = timedelta(days=1)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LakeError(Exception):
    """The lake cannot take a file; the message says what to do."""


class Lake:
    """Parquet tables under one base URL; paths are relative and use ``/``."""

    def __init__(self, url: str) -> None:
        self._filesystem, root = fsspec.core.url_to_fs(url)
        self._root = PurePosixPath(root)
        self._is_local = isinstance(self._filesystem, LocalFileSystem)
        self.url = url

    def _full(self, path: str) -> str:
        return str(self._root / path)

    def where(self, path: str) -> str:
        """The path as a person would open it."""
        return str(self._filesystem.unstrip_protocol(self._full(path)))

    def exists(self, path: str) -> bool:
        """Whether there is a table at ``path``."""
        return bool(self._filesystem.exists(self._full(path)))

    def paths(self, folder: str, suffix: str = ".parquet") -> list[str]:
        """Paths of all tables, or other files, below ``folder``, sorted; empty when the folder does not exist."""
        base = self._full(folder)
        if not self._filesystem.exists(base):
            return []
        found = self._filesystem.find(base)
        return sorted(
            str(PurePosixPath(f).relative_to(self._root))
            for f in found
            if f.endswith(suffix) and "/.tmp-" not in f
        )

    def delete(self, path: str) -> None:
        """Remove the table at ``path``, if there is one."""
        if self.exists(path):
            self._filesystem.rm(self._full(path))

    def sweep(self) -> int:
        """Remove files that a killed process left half-written a day ago or earlier; returns how many."""
        if not self._filesystem.exists(str(self._root)):
            return 0
        left = [
            path
            for path in self._filesystem.find(str(self._root))
            if "/.tmp-" in path and datetime.now(UTC) - self._filesystem.modified(path) > _ABANDONED_AFTER
        ]
        for path in left:
            self._filesystem.rm(path)
        return len(left)

    def folders(self, folder: str) -> list[str]:
        """Names of the folders in a folder, sorted; empty when it does not exist."""
        base = self._full(folder)
        if not self._filesystem.exists(base):
            return []
        found = self._filesystem.ls(base, detail=True)
        return sorted(PurePosixPath(one["name"]).name for one in found if one["type"] == "directory")

    def delete_folder(self, folder: str) -> None:
        """Remove a folder with all that is in it, if there is one."""
        if self._filesystem.exists(self._full(folder)):
            self._filesystem.rm(self._full(folder), recursive=True)

    @contextmanager
    def writer(self, path: str, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
        """Write a table in batches; it appears when the block ends, and not when the block raises."""
        with (
            self._whole(path) as sink,
            pq.ParquetWriter(sink, schema, compression="zstd", compression_level=1) as writer,
        ):
            yield writer

    def write_text(self, path: str, text: str) -> None:
        """Write a small text file whole, for people and programs that read JSON; the same text is not written again."""
        if self.exists(path) and self.read_text(path) == text:
            return
        with self._whole(path) as sink:
            sink.write(text.encode())

    def file(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Write a file of any kind piece by piece; it appears when the block ends, and not when it raises."""
        return self._whole(path)

    def read_text(self, path: str) -> str:
        """Read a text file."""
        return str(self._filesystem.cat_file(self._full(path)).decode())

    @contextmanager
    def _whole(self, path: str) -> Iterator[IO[bytes]]:
        target = PurePosixPath(self._full(path))
        temporary = str(target.parent / f".tmp-{uuid4().hex}")
        try:
            self._filesystem.makedirs(str(target.parent), exist_ok=True)
            with self._filesystem.open(temporary, "wb") as sink:
                yield sink
            self._filesystem.mv(temporary, str(target))
        except BaseException as error:
            if self._filesystem.exists(temporary):
                self._filesystem.rm(temporary)
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                raise LakeError(
                    f"{self.where(path)} cannot be written: {error.strerror}. Nothing of it was: make room, or set "
                    "CDM_HOME or CDM_LAKE_URL to a place that has some, and run again."
                ) from None
            raise

    def write(self, path: str, table: pa.Table | pd.DataFrame) -> None:
        """Write one table whole."""
        table = table if isinstance(table, pa.Table) else to_table(table)
        with self.writer(path, table.schema) as writer:
            writer.write_table(table)

    def write_batches(self, path: str, tables: Iterable[pa.Table], schema: pa.Schema) -> int:
        """Write a stream of tables of one schema; returns the number of rows."""
        rows = 0
        with self.writer(path, schema) as writer:
            for table in tables:
                writer.write_table(table)
                rows += table.num_rows
        return rows

    def _source(self, path: str) -> AbstractContextManager[Any]:
        """A table's bytes. A file on this machine is read by Arrow itself.

        Arrow's threads may outlive a read through a Python file, and abort the process at its end (apache/arrow#34314).
        """
        full = self._full(path)
        if self._is_local:
            source: AbstractContextManager[Any] = pa.OSFile(full, "rb")
            return source
        return cast("AbstractContextManager[Any]", self._filesystem.open(full, "rb"))

    def read(self, path: str, columns: list[str] | None = None) -> pa.Table:
        """Read one table whole, or some of its columns."""
        with self._source(path) as source:
            return pq.read_table(source, columns=columns)

    def write_arrow(
        self, path: str, tables: Iterable[pa.Table], schema: pa.Schema, notes: Mapping[str, str] | None = None
    ) -> int:
        """Write a stream of tables as Arrow's own file format: larger than Parquet, and read without unpacking.

        Args:
            path: Of the table.
            tables: Its rows, in one piece or several.
            schema: Of the pieces.
            notes: To be kept with it, see ``arrow_notes``.

        Returns:
            The number of rows.
        """
        rows = 0
        with (
            self._whole(path) as sink,
            pa.ipc.new_file(sink, schema.with_metadata(dict(notes or {}))) as writer,
        ):
            for table in tables:
                writer.write_table(table)
                rows += table.num_rows
        return rows

    def read_arrow(self, path: str, columns: list[str] | None = None) -> pa.Table:
        """Read what ``write_arrow`` wrote, or some of its columns; a file on this machine is mapped, not copied."""
        with self._arrow(path) as reader:
            table = reader.read_all().replace_schema_metadata(None)
        return table if columns is None else table.select(columns)

    def arrow_schema(self, path: str) -> pa.Schema:
        """Column names and types of what ``write_arrow`` wrote, without reading its rows."""
        with self._arrow(path) as reader:
            return reader.schema.remove_metadata()

    def arrow_notes(self, path: str) -> dict[str, str]:
        """The notes that ``write_arrow`` kept."""
        with self._arrow(path) as reader:
            found = reader.schema.metadata or {}
        return {key.decode(): value.decode() for key, value in found.items()}

    @contextmanager
    def _arrow(self, path: str) -> Iterator[pa.ipc.RecordBatchFileReader]:
        full = self._full(path)
        if self._is_local:  # what was read goes on living in the map
            yield pa.ipc.open_file(pa.memory_map(full))
        else:
            with self._filesystem.open(full, "rb") as source:
                yield pa.ipc.open_file(source)

    def read_batches(self, path: str, rows: int, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """Read a table in pieces of at most ``rows`` rows."""
        with self._source(path) as source:
            for batch in pq.ParquetFile(source).iter_batches(batch_size=rows, columns=columns):
                yield pa.Table.from_batches([batch])

    def schema(self, path: str) -> pa.Schema:
        """Column names and types of a table, without reading its rows."""
        with self._source(path) as source:
            return pq.read_schema(source)

    def notes(self, path: str) -> dict[str, str]:
        """What the writer of a table noted with it: fingerprints, file names."""
        with self._source(path) as source:
            found = pq.read_metadata(source).metadata or {}
        return {key.decode(): value.decode() for key, value in found.items() if key != b"ARROW:schema"}

    def count(self, path: str) -> int:
        """Number of rows of a table, without reading them."""
        with self._source(path) as source:
            return int(pq.read_metadata(source).num_rows)
