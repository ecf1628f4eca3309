"""Bytes of a text file become clean UTF-8, or the file is refused.

Belongs here: compression, byte-order marks, encodings, undecodable bytes. Does not belong here: where a
record ends (blocks) and what a cell is (delimited, jsonl).

A byte that cannot be decoded becomes `MARK`, a code point that no text may contain, so that the row it stands
in can be put aside; when more than 1 % of the lines have one, the file is not in the encoding that the
contract says.
"""

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cdm_pipelines.ingest.errors import Refusal, Refuser

MARK = "\ufdd0"
MARK_BYTES = MARK.encode()
_BLOCK = 1 << 20
_SAMPLE = 1 << 16
_TOLERATED_SHARE = 0.01
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY = (
    (b"PK\x03\x04", "a zip archive or a workbook", "Unpack it, or set format: excel."),
    (b"PAR1", "a Parquet file", "Set format: parquet."),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Set format: excel."),
)
_WESTERN_PUNCTUATION = "\u20ac\u2018\u2019\u201c\u201d\u2013\u2026\u00b0\u00a0\u00ab\u00bb"
_CODE_PAGES = ("cp1252", "cp850", "cp1250", "cp1251", "cp1253", "cp1254", "cp437")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK * (error.end - error.start), error.end


codecs.register_error("cdm-mark", _mark)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file that was looked through once: its encoding holds, and nothing of it is cut off.

    Attributes:
        path: Local path.
        encoding: As the contract says, in Python's spelling.
        undecodable: Number of lines with bytes that cannot be decoded.
    """

    path: Path
    encoding: str
    undecodable: int

    def utf8(self, size: int) -> Iterator[bytes]:
        """The text as UTF-8 without a byte-order mark, in pieces of about ``size`` bytes."""
        if self.encoding == "utf-8" and not self.undecodable:
            yield from _without_bom(_pieces(self.path, size))
            return
        decoder = codecs.getincrementaldecoder(self.encoding)("cdm-mark")
        decoded = (decoder.decode(piece).encode() for piece in _pieces(self.path, size))
        yield from _without_bom(decoded)
        yield decoder.decode(b"", final=True).encode()


def open_text(path: Path, encoding: str, refuser: Refuser) -> TextFile:
    """Look a text file through before any of it is used.

    Raises:
        ExtractError: It is empty, cut off, or not in the encoding that the contract says.
    """
    encoding = codecs.lookup(encoding).name.removesuffix("-sig")
    first = first_bytes(path, refuser)
    if not first:
        refuser.refuse(
            Refusal.EMPTY, "is empty (0 bytes)", "Deliver it again; without records it has a header."
        )
    _check_signature(first, encoding, refuser)
    scan = _Scan(encoding)
    try:
        for piece in _pieces(path, _BLOCK):
            scan.add(piece)
        scan.finish()
    except (EOFError, zlib.error, gzip.BadGzipFile):
        refuser.refuse(Refusal.TRUNCATED, "is a gzip file that is cut off or damaged", "Deliver it again.")
    if scan.undecodable > max(1, scan.lines * _TOLERATED_SHARE):
        other = likely_encoding(scan.sample)
        refuser.refuse(
            Refusal.ENCODING,
            f"is not {encoding}: {scan.undecodable:,} of {scan.lines:,} lines cannot be decoded; it looks like {other}",
            f"Set dialect.encoding: {other} in the contract, or have it delivered as {encoding}.",
        )
    if scan.utf8_lines > 1 and not scan.not_utf8:
        refuser.refuse(
            Refusal.ENCODING,
            f"is not {encoding}: everything in it is valid utf-8",
            f"Set dialect.encoding: utf-8 in the contract, or have it delivered as {encoding}.",
        )
    return TextFile(path, encoding, scan.undecodable)


def first_bytes(path: Path, refuser: Refuser, size: int = _SAMPLE) -> bytes:
    """The first bytes of a file, decompressed if need be.

    Raises:
        ExtractError: The file cannot be read.
    """
    try:
        return next(_pieces(path, size), b"")
    except (EOFError, zlib.error, gzip.BadGzipFile):
        refuser.refuse(Refusal.TRUNCATED, "is a gzip file that is cut off or damaged", "Deliver it again.")
    except OSError as error:
        refuser.refuse(
            Refusal.UNREADABLE, f"cannot be opened ({type(error).__name__})", "Check its access rights."
        )


def likely_encoding(sample: bytes) -> str:
    """The encoding that some bytes are probably in, as Python spells it."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - only needed when something is wrong

    for signature, name in _BOMS:
        if sample.startswith(signature):
            return name
    if _is_wide(sample):
        return "utf-16"
    if _reads_as_western(sample):
        return "cp1252"
    best = from_bytes(sample, cp_isolation=["utf_8", *_CODE_PAGES]).best()
    if best is None or "cp1252" in best.could_be_from_charset:
        return "cp1252"
    return best.encoding.replace("_", "-")


def _reads_as_western(sample: bytes) -> bool:
    """Whether nearly all signs outside ASCII are letters or the usual punctuation when read as cp1252."""
    signs = [sign for sign in sample.decode("cp1252", "replace") if not sign.isascii()]
    usual = sum(sign in _WESTERN_PUNCTUATION or ("\u00c0" <= sign <= "\u00ff") for sign in signs)
    return bool(signs) and usual > 0.9 * len(signs)


class _Scan:
    """Counts what cannot be decoded, and whether a file that should be in one byte per sign is UTF-8 after all."""

    def __init__(self, encoding: str) -> None:
        self.lines = 0
        self.undecodable = 0
        self.utf8_lines = 0
        self.not_utf8 = _is_wide_encoding(encoding) or encoding == "utf-8"
        self.sample = b""
        self._carry = b""
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("cdm-mark")
        self._text = ""

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        if _is_wide_encoding(self._encoding):
            self._count(piece, self._decoder.decode(piece))
            return
        cut = piece.rfind(b"\n") + 1
        whole, self._carry = (self._carry + piece[:cut], piece[cut:]) if cut else (b"", self._carry + piece)
        if len(self._carry) > 64 * _BLOCK:
            whole, self._carry = whole + self._carry, b""
        self._lines_of(whole)

    def finish(self) -> None:
        """Take what was left over."""
        if _is_wide_encoding(self._encoding):
            self._count(b"", self._decoder.decode(b"", final=True))
        self._lines_of(self._carry)

    def _lines_of(self, whole: bytes) -> None:
        if whole.isascii():
            self.lines += whole.count(b"\n")
            return
        if not self.not_utf8:
            self._try_utf8(whole)
        try:
            whole.decode(self._encoding)
            self.lines += whole.count(b"\n")
        except UnicodeDecodeError:
            self._count(whole, whole.decode(self._encoding, "cdm-mark"))

    def _try_utf8(self, whole: bytes) -> None:
        try:
            whole.decode()
        except UnicodeDecodeError:
            self.not_utf8 = True
        else:
            self.utf8_lines += len(re.findall(rb"[\x80-\xff][^\n]*", whole))

    def _count(self, piece: bytes, text: str) -> None:
        self.lines += text.count("\n")
        bad = len(re.findall(f"{MARK}[^\n]*", text))
        self.undecodable += bad
        if bad and not self.sample:
            lines = [line for line in piece.split(b"\n") if not line.isascii()]
            self.sample = b"\n".join(lines)[:_SAMPLE]


def _check_signature(first: bytes, encoding: str, refuser: Refuser) -> None:
    for signature, what, fix in _BINARY:
        if first.startswith(signature):
            refuser.refuse(Refusal.UNREADABLE, f"is {what}, not text", fix)
    found = next((name for signature, name in _BOMS if first.startswith(signature)), None)
    if found is None and _is_wide(first) and not _is_wide_encoding(encoding):
        found = "utf-16-le" if first[1:2] == b"\0" else "utf-16-be"
    if found is None and _is_wide_encoding(encoding) and not _is_wide(first):
        found = likely_encoding(first[:_SAMPLE])
    if found is not None and not encoding.startswith(found) and not found.startswith(encoding):
        refuser.refuse(
            Refusal.ENCODING,
            f"is not {encoding}: it looks like {found}",
            f"Set dialect.encoding: {found} in the contract, or have it delivered as {encoding}.",
        )


def _is_wide(sample: bytes) -> bool:
    """Whether every other byte of the beginning tends to be zero, as it is where a sign takes two bytes or more."""
    start = sample[:4096]
    return max(start[0::2].count(0), start[1::2].count(0)) > len(start) * 0.3


def _is_wide_encoding(encoding: str) -> bool:
    return encoding.startswith(("utf-16", "utf-32"))


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    with _open(path) as stream:
        while piece := stream.read(size):
            yield piece


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as stream:
        is_gzip = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path) if is_gzip else path.open("rb")  # type: ignore[return-value]


def _without_bom(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for position, piece in enumerate(pieces):
        yield piece.removeprefix(codecs.BOM_UTF8) if position == 0 else piece
