"""The lake: Parquet files per asset and partition at any fsspec URL, and Arrow files where a table is read in part.

Belongs here: paths, atomic writes, streamed reads, and that a file is what was written. Does not belong here: what the
columns mean.

A write is visible whole or not at all: it goes to a temporary name beside its target, on this machine to the disk
itself (files), and is moved into place. Files carry no time and no run id, so the same input gives the same bytes (R4).

Files carry checksums (checksums). Their footer is verified whenever anything is read, all of a file when its rows are
read, once per process and file: a file of 1 GiB takes 0.16 s, from another machine one more transfer.
"""

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar
from uuid import uuid4
from zlib import crc32

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from cdm_pipelines.store import files
from cdm_pipelines.store.arrow import to_table
from cdm_pipelines.store.checksums import NOTE, UNSEALED, Kind, SealedSink, Seen, fault_of, sealed, unsealed
from cdm_pipelines.store.damage import DamagedError, Fault, LakeError
from cdm_pipelines.store.packs import SUFFIX, PackError, Packs, address, path_of

_ABANDONED_AFTER = timedelta(days=1)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BLOCK = 1 << 24
_SEEN = Seen()
_STAMP = (
    "size",
    "ino",
    "mtime",
    "created",
    "ETag",
    "etag",
    "LastModified",
    "last_modified",
    "generation",
    "md5Hash",
)
"""What file systems tell of a file that changes with it, each under names of its own."""
_Answer = TypeVar("_Answer")

__all__ = ["DamagedError", "Lake", "LakeError"]


class Lake:
    """Parquet tables under one base URL; paths are relative and use ``/``."""

    def __init__(self, url: str) -> None:
        self._filesystem, root = fsspec.core.url_to_fs(url)
        self._root = PurePosixPath(root)
        self._is_local = isinstance(self._filesystem, LocalFileSystem)
        self._is_private = not self._is_local
        self.packs = Packs(self._filesystem, self._root, local=self._is_local)
        self.url = url

    def _full(self, path: str) -> str:
        return str(self._root / path)

    def where(self, path: str) -> str:
        """The path as a person would open it."""
        return str(self._filesystem.unstrip_protocol(self._full(path)))

    def exists(self, path: str) -> bool:
        """Whether there is a table at ``path``, or in the pack of its month."""
        return self.lies_alone(path) or self._told_of_pack(path, self.packs.holds)

    def lies_alone(self, path: str) -> bool:
        """Whether there is a file at ``path``, whatever packs hold."""
        return bool(self._filesystem.exists(self._full(path)))

    def size(self, path: str) -> int:
        """Bytes of a file that lies alone."""
        return int(self._filesystem.size(self._full(path)))

    def paths(self, folder: str, suffix: str = ".parquet") -> list[str]:
        """Paths of all tables, or other files, below ``folder``, sorted; empty when the folder does not exist.

        Tables that lie in packs are among them, where they would lie without.
        """
        lying = set(self.lying_alone(folder, suffix))
        if suffix == ".parquet":
            for pack in self.lying_alone(folder, SUFFIX):
                lying |= {path_of(pack, name) for name in self.packed(pack)}
        return sorted(lying)

    def lying_alone(self, folder: str, suffix: str = ".parquet") -> list[str]:
        """Paths of all files below ``folder`` that are in no pack, sorted."""
        base = self._full(folder)
        if not self._filesystem.exists(base):
            return []
        found = self._filesystem.find(base)
        return sorted(
            str(PurePosixPath(f).relative_to(self._root))
            for f in found
            if f.endswith(suffix) and f"/{files.UNFINISHED}" not in f
        )

    def stamps(self) -> dict[str, object]:
        """Every finished file, with a stamp that changes whenever the file does; sorted by path."""
        return {path: tuple(map(told.get, _STAMP)) for path, told in self._found().items()}

    def total_size(self) -> int:
        """Bytes of all finished files."""
        return sum(int(told["size"]) for told in self._found().values())

    def _found(self) -> dict[str, Mapping[str, Any]]:
        """What the file system tells of each finished file, sorted by path."""
        if not self._filesystem.exists(str(self._root)):
            return {}
        return {
            str(PurePosixPath(path).relative_to(self._root)): told
            for path, told in sorted(self._filesystem.find(str(self._root), detail=True).items())
            if f"/{files.UNFINISHED}" not in path
        }

    def open(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Read the bytes of a file as they are, unchecked: for copies of it."""
        with self._told(path):
            opened: AbstractContextManager[IO[bytes]] = self._filesystem.open(self._full(path), "rb")
            return opened

    def packed(self, pack: str) -> list[str]:
        """Names in a pack, sorted; none where there is none.

        Raises:
            DamagedError: The pack is empty, cut off or altered.
        """
        return sorted(self._told_of_pack(pack, self.packs.index))

    def packed_content(self, path: str) -> bytes:
        """The bytes of a path as its pack has them, whatever lies beside it.

        Raises:
            DamagedError: The pack, or that file in it, is missing, empty, cut off or altered.
        """
        found = self._told_of_pack(path, self.packs.content)
        if found is None:
            raise self.damaged(path, Fault.MISSING)
        return bytes(found)

    def delete(self, path: str) -> None:
        """Remove the table at ``path``, if there is one that lies alone (of packs: compaction)."""
        if self.lies_alone(path):
            self._filesystem.rm(self._full(path))

    def delete_if_empty(self, folder: str) -> None:
        """Remove a folder in which nothing is; elsewhere than on this machine there is no such thing."""
        if self._is_local:
            with suppress(OSError):
                Path(self._full(folder)).rmdir()

    def sweep(self) -> int:
        """Remove files that a killed process left half-written a day ago or earlier; returns how many."""
        if not self._filesystem.exists(str(self._root)):
            return 0
        left = [
            path
            for path in self._filesystem.find(str(self._root))
            if f"/{files.UNFINISHED}" in path
            and datetime.now(UTC) - self._filesystem.modified(path) > _ABANDONED_AFTER
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
            self._sealed(path, Kind.PARQUET) as sink,
            pq.ParquetWriter(sink, schema, compression="zstd", compression_level=1) as writer,
        ):
            yield writer
            writer.add_key_value_metadata({NOTE: UNSEALED})
            sink.footer_follows()

    def write_text(self, path: str, text: str) -> None:
        """Write a small text file whole, for whom it may concern; the same text is not written again."""
        self._write_small(path, text.encode())

    def write_json(self, path: str, text: str) -> None:
        """Write a JSON object whole, with a checksum as its last member; the same is not written again."""
        self._write_small(path, sealed(text).encode())

    def read_json(self, path: str) -> str:
        """The text that ``write_json`` was given.

        Raises:
            DamagedError: The file is missing, empty, cut off or altered.
        """
        with self._told(path):
            found = unsealed(self._filesystem.cat_file(self._full(path)))
        if isinstance(found, Fault):
            raise self.damaged(path, found)
        return found

    def file(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Write a file of any kind piece by piece; it appears when the block ends, and not when it raises."""
        return self._whole(path)

    def read_text(self, path: str) -> str:
        """Read a text file."""
        with self._told(path):
            return str(self._filesystem.cat_file(self._full(path)).decode())

    def verify(self, path: str) -> None:
        """Make sure that an Arrow or Parquet file is what was written.

        Raises:
            DamagedError: It is missing, empty, cut off or altered.
        """
        if path.endswith(".arrow"):
            with self._told(path):
                self._verify(path, Kind.ARROW, rows=True)
        else:
            with self._parquet(path, rows=True):
                pass

    def content(self, path: str) -> bytes:
        """All bytes of a Parquet file, verified.

        Raises:
            DamagedError: The file is missing, empty, cut off or altered.
        """
        with self._parquet(path, rows=True) as source:
            return bytes(source.read())

    def _write_small(self, path: str, content: bytes) -> None:
        full = self._full(path)
        if self._filesystem.exists(full) and self._filesystem.cat_file(full) == content:
            return
        with self._whole(path) as sink:
            sink.write(content)

    @contextmanager
    def _sealed(self, path: str, kind: Kind) -> Iterator[SealedSink]:
        """A file that gets its checksums, and that this process need not look through again."""
        with self._whole(path) as target:
            sink = SealedSink(target, kind)
            yield sink
            sink.seal()
        if self._is_local:
            _SEEN.add(self._full(path), self.stamp(path))

    @contextmanager
    def _whole(self, path: str) -> Iterator[IO[bytes]]:
        if not self._is_private:
            files.make_private(Path(str(self._root)))
            self._is_private = True
        try:
            with files.whole(Path(self._full(path))) if self._is_local else self._elsewhere(path) as sink:
                yield sink
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise LakeError(
                    f"{self.where(path)} cannot be written: {error.strerror}. Nothing of it was: make room, or set "
                    "CDM_HOME or CDM_LAKE_URL to a place that has some, and run again."
                ) from None
            reason = error.strerror or type(error).__name__
            raise LakeError(
                f"{self.where(path)} cannot be written: {reason}. Nothing of it was: check that the place is there and "
                "that it may be written to, and run again."
            ) from None

    @contextmanager
    def _elsewhere(self, path: str) -> Iterator[IO[bytes]]:
        target = PurePosixPath(self._full(path))
        temporary = str(target.parent / f"{files.UNFINISHED}{uuid4().hex}")
        try:
            self._filesystem.makedirs(str(target.parent), exist_ok=True)
            with self._filesystem.open(temporary, "wb") as sink:
                yield sink
            self._filesystem.mv(temporary, str(target))
        except BaseException:
            if self._filesystem.exists(temporary):
                self._filesystem.rm(temporary)
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

    @contextmanager
    def _parquet(self, path: str, *, rows: bool) -> Iterator[Any]:
        """A table's bytes, verified. A file on this machine is read by Arrow itself.

        Arrow's threads may outlive a read through a Python file, and abort the process at its end (apache/arrow#34314).
        """
        with self._told(path):
            try:
                self._verify(path, Kind.PARQUET, rows=rows)
                full = self._full(path)
                opened = pa.OSFile(full, "rb") if self._is_local else self._filesystem.open(full, "rb")
            except FileNotFoundError:
                packed = self._told_of_pack(path, self.packs.content)
                if packed is None:
                    raise
                opened = pa.BufferReader(packed)
        with opened as source:
            yield source

    def _told_of_pack(self, path: str, ask: Callable[[str], _Answer]) -> _Answer:
        """Ask packs of a path, and say in words what is wrong with one."""
        try:
            return ask(path)
        except PackError as error:
            at = address(path)
            pack = at.pack if at else path
            if error.name:
                raise DamagedError(path, f"{error.name} in {self.where(pack)}", error.fault) from None
            raise self.damaged(pack, error.fault) from None

    def read(self, path: str, columns: list[str] | None = None) -> pa.Table:
        """Read one table whole, or some of its columns.

        Raises:
            DamagedError: The file is missing, empty, cut off or altered.
        """
        with self._parquet(path, rows=True) as source, self._told(path):
            table = pq.read_table(source, columns=columns)
            return table.replace_schema_metadata(_without_sums(table.schema.metadata))

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
        noted = schema.with_metadata({**(notes or {}), NOTE: UNSEALED})
        with self._sealed(path, Kind.ARROW) as sink, pa.ipc.new_file(sink, noted) as writer:
            for table in tables:
                writer.write_table(table)
                rows += table.num_rows
            sink.footer_follows()
        return rows

    def read_arrow(self, path: str, columns: list[str] | None = None) -> pa.Table:
        """Read what ``write_arrow`` wrote, or some of its columns; a file on this machine is mapped, not copied.

        Raises:
            DamagedError: The file is missing, empty, cut off or altered.
        """
        with self._arrow(path, rows=True) as reader:
            table = reader.read_all().replace_schema_metadata(None)
        return table if columns is None else table.select(columns)

    def arrow_schema(self, path: str) -> pa.Schema:
        """Column names and types of what ``write_arrow`` wrote, without reading its rows."""
        with self._arrow(path) as reader:
            return reader.schema.remove_metadata()

    def arrow_notes(self, path: str) -> dict[str, str]:
        """The notes that ``write_arrow`` kept."""
        with self._arrow(path) as reader:
            return _notes(reader.schema.metadata)

    @contextmanager
    def _arrow(self, path: str, *, rows: bool = False) -> Iterator[pa.ipc.RecordBatchFileReader]:
        full = self._full(path)
        with self._told(path):
            self._verify(path, Kind.ARROW, rows=rows)
            if self._is_local:  # what was read goes on living in the map
                yield pa.ipc.open_file(pa.memory_map(full))
            else:
                with self._filesystem.open(full, "rb") as source:
                    yield pa.ipc.open_file(source)

    def read_batches(self, path: str, rows: int, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """Read a table in pieces of at most ``rows`` rows.

        Raises:
            DamagedError: The file is missing, empty, cut off or altered.
        """
        with self._parquet(path, rows=True) as source:
            with self._told(path):
                opened = pq.ParquetFile(source)
            for batch in opened.iter_batches(batch_size=rows, columns=columns):
                table = pa.Table.from_batches([batch])
                yield table.replace_schema_metadata(_without_sums(table.schema.metadata))

    def schema(self, path: str) -> pa.Schema:
        """Column names and types of a table, without reading its rows."""
        with self._parquet(path, rows=False) as source, self._told(path):
            schema = pq.read_schema(source)
            return schema.with_metadata(_without_sums(schema.metadata) or {})

    def notes(self, path: str) -> dict[str, str]:
        """What the writer of a table noted with it: fingerprints, file names."""
        with self._parquet(path, rows=False) as source, self._told(path):
            return _notes(pq.read_metadata(source).metadata)

    def count(self, path: str) -> int:
        """Number of rows of a table, without reading them."""
        with self._parquet(path, rows=False) as source, self._told(path):
            return int(pq.read_metadata(source).num_rows)

    def _verify(self, path: str, kind: Kind, *, rows: bool) -> None:
        """Compare a file with its checksums: the footer's, and where rows are read that of all before it."""
        full = self._full(path)
        stamp = self.stamp(path)
        if _SEEN.has(full, stamp):
            return
        look = _look_here if self._is_local else self._look_elsewhere
        fault = look(full, kind, rows=rows)
        if fault is not None:
            raise self.damaged(path, fault)
        if rows:
            _SEEN.add(full, stamp)

    def stamp(self, path: str) -> object:
        """Changes whenever a file that lies alone does."""
        if not self._is_local:
            return str(self._filesystem.ukey(self._full(path)))
        found = Path(self._full(path)).stat()
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _look_elsewhere(self, full: str, kind: Kind, *, rows: bool) -> Fault | None:
        size = int(self._filesystem.size(full))

        def body_sum(first: int) -> int:
            found = 0
            with self._filesystem.open(full, "rb") as source:
                while first:
                    block = source.read(min(first, _BLOCK))
                    found, first = crc32(block, found), first - len(block)
            return found

        def last(count: int) -> bytes:
            return bytes(self._filesystem.cat_file(full, start=size - count, end=size))

        return fault_of(kind, size, last, body_sum if rows else None)

    def damaged(self, path: str, fault: Fault) -> DamagedError:
        """What to raise where something is wrong with a file."""
        return DamagedError(path, self.where(path), fault)

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """Say in words what is wrong with a file that cannot be read; a lost connection is not the file's fault."""
        try:
            yield
        except FileNotFoundError:
            raise self.damaged(path, Fault.MISSING) from None
        except (pa.ArrowInvalid, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            raise self.damaged(path, Fault.UNREADABLE) from None


def _look_here(full: str, kind: Kind, *, rows: bool) -> Fault | None:
    if not Path(full).stat().st_size:
        return Fault.EMPTY
    with pa.memory_map(full) as opened:
        content = memoryview(opened.read_buffer())
    size = len(content)
    return fault_of(
        kind,
        size,
        lambda count: bytes(content[size - count :]),
        (lambda first: crc32(content[:first])) if rows else None,
    )


def _without_sums(metadata: Mapping[bytes, bytes] | None) -> dict[bytes, bytes] | None:
    return {key: value for key, value in (metadata or {}).items() if key != NOTE.encode()} or None


def _notes(metadata: Mapping[bytes, bytes] | None) -> dict[str, str]:
    """Notes of a file as text, without those that are not its writer's."""
    skipped = {NOTE.encode(), b"ARROW:schema"}
    return {key.decode(): value.decode() for key, value in (metadata or {}).items() if key not in skipped}
