"""Bytes of a delivered file, unpacked where it is compressed, and never more of them than can be believed.

Belongs here: gzip, zip, and the size that a packed file may have once it is unpacked. Does not belong here: encodings
(text) or what the bytes mean.

Records of customers pack to between a third and a twentieth of their size. A file that unpacks to more than
`USUAL_RATIO` times its size, and to more than `ALWAYS_ALLOWED` bytes, is refused, unless the contract declares how
large it may be.
"""

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from cdm_pipelines.ingest.errors import Refusal, Refuser

USUAL_RATIO = 50
ALWAYS_ALLOWED = 1 << 26
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)
_WORKBOOK_PARTS = ("[Content_Types].xml", "content.xml")


@dataclass(frozen=True, slots=True)
class Packed:
    """A file whose bytes are read through here.

    Attributes:
        path: Local path.
        refuser: Who refuses it.
        declared: How many bytes it may unpack to, as the contract says; None for what is usual.
    """

    path: Path
    refuser: Refuser
    declared: int | None = None

    def pieces(self, size: int) -> Iterator[bytes]:
        """The bytes, unpacked, in pieces of at most ``size``.

        Raises:
            ExtractError: It cannot be opened, is damaged, or unpacks to more than it may.
        """
        try:
            with self._open() as (stream, limit):
                left = limit
                while piece := stream.read(size):
                    if left is not None:
                        left -= len(piece)
                        if left < 0:
                            refuse_size(self.refuser, limit or 0)
                    yield piece
        except _DAMAGED:
            self.refuser.refuse(
                Refusal.TRUNCATED, f"is a {self._kind()} file that is cut off or damaged", "Deliver it again."
            )
        except OSError as error:
            self.refuser.refuse(
                Refusal.UNREADABLE, f"cannot be opened ({type(error).__name__})", "Check its access rights."
            )

    @contextmanager
    def _open(self) -> Iterator[tuple[BinaryIO, int | None]]:
        with self.path.open("rb") as stream:
            signature = stream.read(4)
        if signature.startswith(_GZIP):
            with gzip.open(self.path) as unpacked:
                yield unpacked, self._limit()  # type: ignore[misc]
        elif signature == _ZIP:
            with zipfile.ZipFile(self.path) as archive, archive.open(self._only_member(archive)) as unpacked:
                yield unpacked, self._limit()  # type: ignore[misc]
        else:
            with self.path.open("rb") as plain:
                yield plain, None

    def _only_member(self, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
        members = [m for m in archive.infolist() if not m.is_dir() and not _is_left_behind(m.filename)]
        if any(member.filename in _WORKBOOK_PARTS for member in members):
            self.refuser.refuse(Refusal.UNREADABLE, "is a workbook, not text", "Set format: excel.")
        if len(members) != 1:
            self.refuser.refuse(
                Refusal.UNREADABLE,
                f"is a zip archive of {len(members):,} files",
                "Deliver one file per archive, or the files themselves.",
            )
        if members[0].flag_bits & 1:
            self.refuser.refuse(Refusal.UNREADABLE, "is protected by a password", "Deliver it without one.")
        return members[0]

    def _limit(self) -> int:
        return size_limit(self.path, self.declared)

    def _kind(self) -> str:
        with self.path.open("rb") as stream:
            return "gzip" if stream.read(2) == _GZIP else "zip"


def _is_left_behind(name: str) -> bool:
    """Whether a member of an archive is what a file manager puts beside files, and no delivery."""
    *folders, own = PurePosixPath(name.lower()).parts
    return "__macosx" in folders or own.startswith(".") or own in ("thumbs.db", "desktop.ini")


def size_limit(path: Path, declared: int | None) -> int:
    """How many bytes a packed file may unpack to."""
    return declared or max(ALWAYS_ALLOWED, USUAL_RATIO * path.stat().st_size)


def check_archive(path: Path, declared: int | None, refuser: Refuser) -> None:
    """Refuse a workbook, which is a zip archive, before anything of it is unpacked.

    Raises:
        ExtractError: Its parts are together larger than they may be.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile:
        refuser.refuse(Refusal.UNREADABLE, "is no Excel workbook, or is cut off", "Deliver it again.")
    limit = size_limit(path, declared)
    if unpacked > limit:
        refuse_size(refuser, limit)


def refuse_size(refuser: Refuser, limit: int) -> None:
    """Refuse a file that unpacks to more than ``limit`` bytes.

    Raises:
        ExtractError: Always.
    """
    refuser.refuse(
        Refusal.TOO_LARGE,
        f"is compressed and unpacks to more than {limit / 1_000_000:,.0f} MB, which is not believed of its size",
        "If it is in order, set dialect.maxUnpackedBytes in the contract to what it may be.",
    )
