"""Files at any fsspec URL: found, written whole, removed, and said in words when they cannot be read.

Belongs here: bytes and small texts. Does not belong here: tables (lake), what is in a pack (packs), files of this
machine that are in no such place (files).
"""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import IO, Any
from uuid import uuid4

import fsspec
import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem

from cdm_pipelines.store import files
from cdm_pipelines.store.checksums import sealed, unsealed
from cdm_pipelines.store.damage import DamagedError, Fault, LakeError

_ABANDONED_AFTER = timedelta(days=1)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def stamp_of(filesystem: Any, full: str, *, local: bool) -> object:
    """What changes whenever a file does."""
    if not local:
        return str(filesystem.ukey(full))
    found = Path(full).stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def lies_within(url: str, other: str) -> bool:
    """Whether a place lies within another one, or is it; neither is asked."""
    return _location(url).is_relative_to(_location(other))


def _location(url: str) -> PurePosixPath:
    path = url.removeprefix("file://")
    return PurePosixPath(path if "://" in path else Path(path).resolve())


class FileStore:
    """Files under one base URL; paths are relative and use ``/``."""

    def __init__(self, url: str) -> None:
        self._filesystem, root = fsspec.core.url_to_fs(url)
        self._root = PurePosixPath(root)
        self._is_local = isinstance(self._filesystem, LocalFileSystem)
        self._is_private = not self._is_local
        self.url = url

    def _full(self, path: str) -> str:
        return str(self._root / path)

    def where(self, path: str) -> str:
        """The path as a person would open it."""
        return str(self._filesystem.unstrip_protocol(self._full(path)))

    def here_at(self, path: str) -> Path | None:
        """Where a file lies on this machine; None where the store is elsewhere."""
        return Path(self._full(path)) if self._is_local else None

    def lies_alone(self, path: str) -> bool:
        """Whether there is a file at ``path``, whatever packs hold."""
        return bool(self._filesystem.exists(self._full(path)))

    def size(self, path: str) -> int:
        """Bytes of a file that lies alone."""
        return int(self._filesystem.size(self._full(path)))

    def lying_alone(self, folder: str, suffix: str = ".parquet") -> list[str]:
        """Paths of all files below ``folder`` that are in no pack, sorted."""
        return [path for path in self.names(folder) if path.endswith(suffix)]

    def names(self, folder: str) -> list[str]:
        """Paths of all finished files below ``folder``, sorted."""
        base = self._full(folder)
        if not self._is_local:
            return list(self._found(folder))
        if not Path(base).is_dir():
            return [folder] if Path(base).is_file() else []
        beside = len(self._full("")) + 1
        found = (
            f"{inside[beside:]}/{name}" if len(inside) >= beside else name
            for inside, _, names in os.walk(base, followlinks=True)  # a third of the time that fsspec takes
            for name in names
        )
        return sorted(path for path in found if f"/{files.UNFINISHED}" not in f"/{path}")

    def stamps(self, folder: str = "") -> dict[str, str]:
        """Every finished file below a folder, with a stamp that changes whenever the file does; sorted by path."""
        return {path: str(told) for path, told in self._found(folder).items()}

    def total_size(self) -> int:
        """Bytes of all finished files."""
        return sum(int(told["size"]) for told in self._found().values())

    def _found(self, folder: str = "") -> dict[str, Mapping[str, Any]]:
        """What the file system tells of each finished file below a folder, sorted by path."""
        base = self._full(folder)
        if not self._filesystem.exists(base):
            return {}
        return {
            str(PurePosixPath(path).relative_to(self._root)): told
            for path, told in sorted(self._filesystem.find(base, detail=True).items())
            if f"/{files.UNFINISHED}" not in path
        }

    def open(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Read the bytes of a file as they are, unchecked: for copies of it."""
        with self._told(path):
            opened: AbstractContextManager[IO[bytes]] = self._filesystem.open(self._full(path), "rb")
            return opened

    def delete(self, path: str) -> None:
        """Remove the table at ``path``, if there is one that lies alone (of packs: compaction)."""
        if self.lies_alone(path):
            self._filesystem.rm(self._full(path))

    def delete_if_empty(self, folder: str) -> None:
        """Remove a folder in which nothing is; elsewhere than on this machine there is no such thing."""
        if self._is_local:
            with suppress(OSError):
                Path(self._full(folder)).rmdir()

    def sweep(self, after: timedelta = _ABANDONED_AFTER) -> int:
        """Remove files that a killed process left half-written; returns how many.

        Args:
            after: How old they are at least; nothing at all where nobody else can be writing.
        """
        if not self._filesystem.exists(str(self._root)):
            return 0
        left = [
            path
            for path in self._filesystem.find(str(self._root))
            if f"/{files.UNFINISHED}" in path and datetime.now(UTC) - self._filesystem.modified(path) > after
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

    def _write_small(self, path: str, content: bytes) -> None:
        full = self._full(path)
        if self._filesystem.exists(full) and self._filesystem.cat_file(full) == content:
            return
        with self._whole(path) as sink:
            sink.write(content)

    @contextmanager
    def _whole(self, path: str) -> Iterator[IO[bytes]]:
        try:
            if not self._is_private:
                files.make_private(Path(str(self._root)))
                self._is_private = True
            with files.whole(Path(self._full(path))) if self._is_local else self._elsewhere(path) as sink:
                yield sink
        except (ConnectionError, TimeoutError):
            raise  # these pass, and are tried again
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

    def stamp(self, path: str) -> object:
        """Changes whenever a file that lies alone does."""
        return stamp_of(self._filesystem, self._full(path), local=self._is_local)

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
