"""Bytes of a text file become clean UTF-8, or the file is refused.

Belongs here: byte-order marks, encodings, undecodable bytes. Does not belong here: compression (unpack), where a
record ends (blocks) and what a cell is (delimited, jsonl).

Lines vote on the encoding of a file, so that one bad byte does not decide it. A byte that cannot be decoded becomes
`MARK`, a code point that no text may contain, so that the row it stands in can be put aside.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cdm_pipelines.contracts.model import Dialect
from cdm_pipelines.ingest.errors import Refusal, Refuser
from cdm_pipelines.ingest.unpack import Packed

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
_ODD_LINE = re.compile(rb"[\x80-\xff][^\n]*")  # of a line what comes from its first byte beyond ASCII on
_BOM_IN_LINE = b"\n" + codecs.BOM_UTF8


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK * (error.end - error.start), error.end


codecs.register_error("cdm-mark", _mark)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file that was looked through once: its encoding holds, and nothing of it is cut off.

    Attributes:
        packed: The file.
        encoding: Of nearly all lines, in Python's spelling.
        other: Encoding of the lines that are not in that one; None when they are marked.
        undecodable: Number of lines with bytes that cannot be decoded.
        mended: Number of lines that are read in the other encoding.
        note: What is peculiar about the encoding, in words; empty when nothing.
    """

    packed: Packed
    encoding: str
    other: str | None = None
    undecodable: int = 0
    mended: int = 0
    note: str = ""

    def utf8(self, size: int) -> Iterator[bytes]:
        """The text as UTF-8 without byte-order marks, in pieces of about ``size`` bytes."""
        yield from _without_boms(self._decoded(size))

    def _decoded(self, size: int) -> Iterator[bytes]:
        if self.encoding == "utf-8" and not self.undecodable and not self.mended:
            yield from self.packed.pieces(size)
        elif self.mended:
            for piece in _of_whole_lines(self.packed.pieces(size)):
                yield _mend(piece, self.encoding, self.other or self.encoding)
        else:
            decoder = codecs.getincrementaldecoder(self.encoding)("cdm-mark")
            for piece in self.packed.pieces(size):
                yield decoder.decode(piece).encode()
            yield decoder.decode(b"", final=True).encode()


def open_text(path: Path, dialect: Dialect, refuser: Refuser) -> TextFile:
    """Look a text file through before any of it is used.

    Raises:
        ExtractError: It is empty, cut off, larger than is believed, or not in the encoding that the contract says.
    """
    packed = Packed(path, refuser, dialect.max_unpacked_bytes)
    first = next(packed.pieces(_SAMPLE), b"")
    if not first:
        refuser.refuse(
            Refusal.EMPTY, "is empty (0 bytes)", "Deliver it again; without records it has a header."
        )
    encoding = _agreed(first, codecs.lookup(dialect.encoding).name.removesuffix("-sig"), refuser)
    scan = Scan(encoding)
    for piece in packed.pieces(_BLOCK):
        scan.add(piece)
    scan.finish()
    return _judged(packed, scan, encoding, dialect, refuser)


def _judged(packed: Packed, scan: "Scan", encoding: str, dialect: Dialect, refuser: Refuser) -> TextFile:
    """Whether the votes of the lines bear the encoding out, and what becomes of those that do not."""
    tolerated = max(1, scan.lines * _TOLERATED_SHARE)
    if encoding == "utf-8" and scan.undecodable and dialect.other_encoding:
        other = codecs.lookup(dialect.other_encoding).name
        note = f"{scan.undecodable:,} of {scan.lines:,} lines are not utf-8 and were read as {other}"
        return TextFile(packed, encoding, other, mended=scan.undecodable, note=note)
    if scan.undecodable > tolerated and not (encoding == "utf-8" and scan.utf8_lines > scan.undecodable):
        looks_like = likely_encoding(scan.sample)
        refuser.refuse(
            Refusal.ENCODING,
            f"is not {encoding}: {scan.undecodable:,} of {scan.lines:,} lines cannot be decoded; "
            f"it looks like {looks_like}",
            f"Set dialect.encoding: {looks_like} in the contract, or have it delivered as {encoding}.",
        )
    if encoding == "utf-8" or _is_wide_encoding(encoding):
        note = f"{scan.undecodable:,} of {scan.lines:,} lines are not {encoding}" if scan.undecodable else ""
        return TextFile(packed, encoding, undecodable=scan.undecodable, note=note)
    if scan.utf8_lines > 1 and not scan.odd_lines:
        refuser.refuse(
            Refusal.ENCODING,
            f"is not {encoding}: everything in it is valid utf-8",
            f"Set dialect.encoding: utf-8 in the contract, or have it delivered as {encoding}.",
        )
    if not _is_of_one_byte(encoding):
        return TextFile(packed, encoding, undecodable=scan.undecodable)
    if scan.utf8_lines > max(1, scan.odd_lines):
        # The contract is wrong about the file, so its word is no evidence for the lines that are left.
        note = (
            f"was read as utf-8, not as {encoding}: so are {scan.utf8_lines:,} of the "
            f"{scan.utf8_lines + scan.odd_lines:,} lines that tell; the others are unfit"
        )
        return TextFile(packed, "utf-8", undecodable=scan.odd_lines, note=note)
    if scan.utf8_lines and not scan.undecodable:
        note = f"{scan.utf8_lines:,} of {scan.lines:,} lines are utf-8 and were read so, the others as {encoding}"
        return TextFile(packed, encoding, "utf-8", mended=scan.utf8_lines, note=note)
    return TextFile(packed, encoding, undecodable=scan.undecodable)


def likely_encoding(sample: bytes) -> str:
    """The encoding that some bytes are probably in, as Python spells it."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - only needed when something is wrong

    for signature, name in _BOMS:
        if sample.startswith(signature):
            return name
    if is_wide(sample):
        return _wide_without_mark(sample)
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


class Scan:
    """Lines vote: which cannot be decoded, which are UTF-8 beyond ASCII, which are certainly not UTF-8.

    Attributes:
        lines: Number of lines.
        undecodable: Lines that the encoding cannot decode.
        utf8_lines: Lines beyond ASCII that are valid UTF-8; in a file that should be UTF-8, at most so many.
        odd_lines: Lines beyond ASCII that are not valid UTF-8.
        sample: Some of the lines that cannot be decoded.
    """

    def __init__(self, encoding: str) -> None:
        self.lines = self.undecodable = self.utf8_lines = self.odd_lines = 0
        self.sample = b""
        self._carry = b""
        self._encoding = encoding
        self._is_wide = _is_wide_encoding(encoding)
        self._decoder = codecs.getincrementaldecoder(encoding)("cdm-mark")

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self._is_wide:
            self._count_wide(piece, self._decoder.decode(piece))
            return
        cut = piece.rfind(b"\n") + 1
        whole, self._carry = (self._carry + piece[:cut], piece[cut:]) if cut else (b"", self._carry + piece)
        if len(self._carry) > 64 * _BLOCK:
            whole, self._carry = whole + self._carry, b""
        self._lines_of(whole)

    def finish(self) -> None:
        """Take what was left over."""
        if self._is_wide:
            self._count_wide(b"", self._decoder.decode(b"", final=True))
        self._lines_of(self._carry)

    def _lines_of(self, whole: bytes) -> None:
        lines = whole.count(b"\n")
        self.lines += lines
        if whole.isascii():
            return
        if self._encoding == "utf-8":
            try:
                text = whole.decode()
            except UnicodeDecodeError:
                pass
            else:  # not counted line by line: how many more bytes than signs there are is known at once
                self.utf8_lines += min(lines + 1, len(whole) - len(text))
                return
        for line in _ODD_LINE.findall(whole):
            self._vote(line)

    def _vote(self, line: bytes) -> None:
        is_utf8 = reads_as_utf8(line)
        self.utf8_lines += is_utf8
        self.odd_lines += not is_utf8
        bad = not is_utf8 if self._encoding == "utf-8" else MARK in line.decode(self._encoding, "cdm-mark")
        self.undecodable += bad
        if bad and len(self.sample) < _SAMPLE:
            self.sample += line + b"\n"

    def _count_wide(self, piece: bytes, text: str) -> None:
        self.lines += text.count("\n")
        bad = len(re.findall(f"{MARK}[^\n]*", text))
        self.undecodable += bad
        if bad and not self.sample:
            self.sample = piece[:_SAMPLE]


def reads_as_utf8(line: bytes) -> bool:
    """Whether a line beyond ASCII is UTF-8.

    Text in an encoding of one byte per sign is next to never valid UTF-8 by chance: each of its accented letters
    would have to be followed by a symbol.
    """
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _mend(piece: bytes, encoding: str, other: str) -> bytes:
    """Lines in two encodings as UTF-8: each in the one that it is in."""
    if piece.isascii():
        return piece
    base = other if encoding == "utf-8" else encoding

    def one(found: re.Match[bytes]) -> bytes:
        line = found[0]
        return line if reads_as_utf8(line) else line.decode(base, "cdm-mark").encode()

    return _ODD_LINE.sub(one, piece)


def _of_whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    carry = b""
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield carry + piece[:cut]
            carry = piece[cut:]
        else:
            carry += piece
    if carry:
        yield carry


def _agreed(first: bytes, encoding: str, refuser: Refuser) -> str:
    """The contract's encoding, once the first bytes do not speak against it."""
    for signature, what, fix in _BINARY:
        if first.startswith(signature):
            refuser.refuse(Refusal.UNREADABLE, f"is {what}, not text", fix)
    found = next((name for signature, name in _BOMS if first.startswith(signature)), None)
    if found is None and is_wide(first):
        found = _wide_without_mark(first)
        if encoding == "utf-16":
            return found  # without a mark the order of bytes shows in the text itself
    if found is None and _is_wide_encoding(encoding) and not is_wide(first):
        found = likely_encoding(first[:_SAMPLE])
    if found is not None and not encoding.startswith(found) and not found.startswith(encoding):
        refuser.refuse(
            Refusal.ENCODING,
            f"is not {encoding}: it looks like {found}",
            f"Set dialect.encoding: {found} in the contract, or have it delivered as {encoding}.",
        )
    return encoding


def is_wide(sample: bytes) -> bool:
    """Whether every other byte of the beginning tends to be zero, as it is where a sign takes two bytes or more."""
    start = sample[:4096]
    return max(start[0::2].count(0), start[1::2].count(0)) > len(start) * 0.3


def _wide_without_mark(sample: bytes) -> str:
    start = sample[:4096]
    return "utf-16-le" if start[1::2].count(0) >= start[0::2].count(0) else "utf-16-be"


def _is_wide_encoding(encoding: str) -> bool:
    return encoding.startswith(("utf-16", "utf-32"))


def _is_of_one_byte(encoding: str) -> bool:
    """Whether each sign takes one byte; in others, such as those of Chinese, much text is valid UTF-8 by chance."""
    return len(b"\xc3\xa9".decode(encoding, "replace")) == 2


def _without_boms(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Without the mark at the beginning, and without those that stand before lines where files were put together."""
    at_line_start = True
    carry = b""
    for piece in pieces:
        text = carry + piece
        carry = b""
        if len(text) < len(codecs.BOM_UTF8) and codecs.BOM_UTF8.startswith(text):
            carry = text
            continue
        if at_line_start:
            text = text.removeprefix(codecs.BOM_UTF8)
        if codecs.BOM_UTF8 in text:
            text = text.replace(_BOM_IN_LINE, b"\n")
        kept = next((n for n in (2, 1) if text.endswith(b"\n" + codecs.BOM_UTF8[:n])), 0)
        text, carry = (text[:-kept], text[-kept:]) if kept else (text, b"")
        at_line_start = text.endswith(b"\n") if text else at_line_start
        if text:
            yield text
    if carry:
        yield carry
