"""Packs: the small files of a layer's past month in one, read as if each still lay in its place.

Belongs here: the form of a pack, and reading from one. Does not belong here: which files are packed, and when
(compaction), or what is in them.

A pack is a ZIP archive of the files as they were, byte for byte, so that a day read from it is the day that was written
(R4), and any program can take it out again. Files under ``DEFLATED_BELOW`` are deflated: of those most is footer, which
shrinks to a third. Larger ones are stored, and on this machine mapped and not copied. ``LARGEST`` and above stay files
of their own: they are few for their bytes, and what is taken from a pack elsewhere passes through memory.

The archive's own checksums (CRC-32) are of the files. One more, in its comment, is of its list, so that no file can
leave the list unnoticed. A file that lies in its place goes before one of that name in a pack: so a day that is
delivered anew, or whose rows are erased, is written as ever, and the pack is brought up to it later.
"""

import re
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from threading import Lock
from typing import IO, Any, ClassVar, NamedTuple

import pyarrow as pa

from cdm_pipelines.store.damage import Fault
from cdm_pipelines.store.file_store import stamp_of

SUFFIX = ".zip"
DEFLATED_BELOW = 1 << 18
LARGEST = 1 << 24
_DAY = re.compile(
    r"(?P<folder>(?:raw|valid|quarantine|repairs|standard)/[^/]+/[^/]+)/"
    r"(?P<name>(?P<month>\d{4}-\d\d)-\d\d(?:/[^/]+)?\.parquet)"
)
_HEADER = struct.Struct(
    "<4s2B4HL2L2H"
)  # of a file in the archive; ends with the lengths of what lies before its bytes
_NOTHING_OF_ITS_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100600 << 16
_COMMENT = "cdm.checksum crc32=%08x"
_KEPT = 512

Index = Mapping[str, zipfile.ZipInfo]


class PackError(Exception):
    """A pack is not what was written; ``fault`` says how, ``name`` of which file in it; of the whole when empty."""

    def __init__(self, fault: Fault, name: str = "") -> None:
        super().__init__(str(fault))
        self.fault, self.name = fault, name


class Address(NamedTuple):
    """Where a path lies when it is packed: the pack, and the name in it."""

    pack: str
    name: str


def address(path: str) -> Address | None:
    """The address of a path; None of one that is never packed."""
    found = _DAY.fullmatch(path)
    return Address(f"{found['folder']}/{found['month']}{SUFFIX}", found["name"]) if found else None


def path_of(pack: str, name: str) -> str:
    """The path that a name in a pack stands for."""
    return str(PurePosixPath(pack).parent / name)


def write_pack(sink: IO[bytes], members: Iterable[tuple[str, bytes]]) -> None:
    """Write a pack of named files, in their order; the same files give the same pack.

    Args:
        sink: Where to.
        members: Names, and what each file consists of.
    """
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, _NOTHING_OF_ITS_TIME)
            info.external_attr = _MODE
            small = len(content) < DEFLATED_BELOW
            archive.writestr(info, content, zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED)
        archive.comment = (_COMMENT % _sum_of(archive.infolist())).encode()


def _sum_of(listed: Iterable[zipfile.ZipInfo]) -> int:
    lines = (
        f"{i.filename}\t{i.file_size}\t{i.compress_size}\t{i.CRC}\t{i.header_offset}\t{i.compress_type}\n"
        for i in listed
    )
    return zlib.crc32("".join(lines).encode())


class Packs:
    """The packs of a lake.

    Args:
        filesystem: Of the lake.
        root: Its folder.
        local: Whether that is on this machine.
    """

    _known: ClassVar[OrderedDict[tuple[str, object], Index]] = OrderedDict()
    _guard: ClassVar[Lock] = Lock()

    def __init__(self, filesystem: Any, root: PurePosixPath, *, local: bool) -> None:
        self._filesystem, self._root, self._local = filesystem, root, local

    def index(self, pack: str) -> Index:
        """The files in a pack by name; none where there is no such pack. Read once per process and pack.

        Raises:
            PackError: It is not what was written.
        """
        full = str(self._root / pack)
        try:
            key = (full, stamp_of(self._filesystem, full, local=self._local))
        except FileNotFoundError:
            return {}
        found = self._known.get(key)
        if found is None:
            found = self._read(full)
            with self._guard:
                self._known[key] = found
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
        return found

    def holds(self, path: str) -> bool:
        """Whether a path is in its pack."""
        at = address(path)
        return at is not None and at.name in self.index(at.pack)

    def content(self, path: str) -> pa.Buffer | None:
        """The bytes of a path that is in its pack, verified; None where it is in none.

        Raises:
            PackError: The pack, or that file in it, is not what was written.
        """
        at = address(path)
        info = self.index(at.pack).get(at.name) if at is not None else None
        if at is None or info is None:
            return None
        full = str(self._root / at.pack)
        try:
            start = info.header_offset + _HEADER.size
            *_, name, extra = _HEADER.unpack(self._bytes(full, info.header_offset, start))
            content = self._bytes(full, start + name + extra, start + name + extra + info.compress_size)
            if info.compress_type == zipfile.ZIP_DEFLATED:
                content = pa.py_buffer(zlib.decompress(content, -zlib.MAX_WBITS, info.file_size))
        except (zlib.error, struct.error, IndexError):  # the last of Arrow, outside the file
            raise PackError(Fault.ALTERED, at.name) from None
        if zlib.crc32(content) != info.CRC or len(content) != info.file_size:
            raise PackError(Fault.ALTERED, at.name)
        return content

    def _read(self, full: str) -> Index:
        if not self._filesystem.size(full):
            raise PackError(Fault.EMPTY)
        try:
            with self._filesystem.open(full, "rb") as source, zipfile.ZipFile(source) as archive:
                listed, comment = archive.infolist(), archive.comment.decode("latin-1")
        except (zipfile.BadZipFile, struct.error, UnicodeDecodeError, ValueError, NotImplementedError):
            raise PackError(Fault.CUT_OFF) from None
        if comment != _COMMENT % _sum_of(listed):
            raise PackError(Fault.ALTERED)
        return {info.filename: info for info in listed}

    def _bytes(self, full: str, start: int, end: int) -> pa.Buffer:
        if not self._local:
            return pa.py_buffer(self._filesystem.cat_file(full, start=start, end=end))
        with pa.memory_map(full) as opened:
            return opened.read_buffer().slice(start, end - start)
