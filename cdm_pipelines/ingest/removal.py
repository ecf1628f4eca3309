"""Rows of persons leave an extract as it was delivered: the file is written anew without them.

Belongs here: taking records out of one file, and making sure that nothing else of it changed. Does not belong here:
whose a row is (``places``).

A line that goes leaves an empty one, so that the others keep their numbers. The new file is read as a run reads it and
compared with what should be left of the old one before it takes its place. What cannot be done so (workbooks, JSON
documents, archives of several files) stays as it is, and is told: its owner takes it away.
"""

import gzip
import hashlib
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cdm_pipelines.contracts import Format, SourceContract
from cdm_pipelines.ingest.cells import ROW
from cdm_pipelines.ingest.errors import ExtractError
from cdm_pipelines.ingest.extract import read_file
from cdm_pipelines.store import files
from cdm_pipelines.store.file_store import FileStore

_ORIGIN = ("_file", "_sha256")
_LF, _CR = b"\n\r"
Numbers = npt.NDArray[np.int64]
"""Of all records of a file, from 1."""


@dataclass(frozen=True)
class Extract:
    """A file as it was delivered: its bytes, and the rows that are read from it."""

    contract: SourceContract
    path: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.content).hexdigest()

    def rows(self) -> pa.Table:
        """Its rows, with their numbers.

        Raises:
            ExtractError: It cannot be read.
        """
        with tempfile.TemporaryDirectory(prefix="cdm-extract-") as folder:
            copy = Path(folder) / PurePosixPath(self.path).name
            copy.write_bytes(self.content)
            own = pa.concat_tables(read_file(copy, self.contract))
        return own.drop_columns([name for name in _ORIGIN if name in own.column_names])

    def without_known(self, rows: pa.Table, first: int) -> bytes | None:
        """Its bytes without some rows that are known, as it was read before; None where that is not sure.

        Only they are read again, each in its place, so that they are what goes; all others keep their bytes.

        Args:
            rows: The rows, as ``rows`` has them.
            first: Number of the first row of all.
        """
        if self.path.lower().endswith(".gz") or self.contract.format not in (Format.CSV, Format.JSONL):
            return None
        numbers = rows[ROW].to_numpy()
        try:
            own = _records_of(self.content, self.contract)
            if own is None:
                return None
            theirs = np.isin(np.arange(1, len(own) + 1), numbers)
            before = np.arange(1, len(own) + 1) < first
            anew = own.those(~theirs)
            found = Extract(self.contract, self.path, own.those(theirs | before)).rows()
        except (ExtractError, UnicodeError, pa.ArrowInvalid):
            return None
        if not set(found.column_names) <= set(rows.column_names):
            return None
        wanted = rows.select(found.column_names).cast(found.schema)
        order = [(ROW, "ascending")]
        return anew if found.sort_by(order).equals(wanted.sort_by(order)) else None

    def without(self, numbers: Collection[int]) -> bytes | None:
        """Its bytes without some rows; None where that cannot be done."""
        packed = self.path.lower().endswith(".gz")
        try:
            plain = gzip.decompress(self.content) if packed else self.content
            anew = _without(plain, self.contract, frozenset(numbers))
            if anew is None:
                return None
            anew = gzip.compress(anew, mtime=0) if packed else anew
            left = Extract(self.contract, self.path, anew).rows()
        except (ExtractError, OSError, EOFError, UnicodeError, pa.ArrowInvalid):
            return None
        before = self.rows()
        wanted = before.filter(
            pc.invert(pc.is_in(before[ROW], value_set=pa.array(sorted(numbers), pa.int64())))
        )
        if self.contract.format == Format.PARQUET:
            left, wanted = left.drop_columns([ROW]), wanted.drop_columns([ROW])
        return anew if left.num_rows == wanted.num_rows and left.equals(wanted.cast(left.schema)) else None


def put_back(landing: FileStore, path: str, content: bytes) -> None:
    """Give a file of landing other bytes; it is there whole all the time, and others may do with it what they might."""
    here = landing.here_at(path)
    if here is None:
        with landing.file(path) as sink:
            sink.write(content)
        return
    for left in here.parent.glob(f"{files.UNFINISHED}*"):  # of an erasure that was killed
        left.unlink()
    mode = here.stat().st_mode & 0o777
    with files.whole(here) as sink:
        sink.write(content)
    here.chmod(mode)


def _without(content: bytes, contract: SourceContract, numbers: frozenset[int]) -> bytes | None:
    if contract.format == Format.PARQUET:
        return _without_rows(content, numbers)
    records = _records_of(content, contract)
    if records is None:
        return None
    gone = np.isin(np.arange(1, len(records) + 1), np.array(sorted(numbers), np.int64))
    return records.those(~gone)


def _records_of(content: bytes, contract: SourceContract) -> "_Records | None":
    """The records of a file; None of a form that has no lines, or where quotes do not come in pairs."""
    if contract.format not in (Format.CSV, Format.JSONL):
        return None
    quote = contract.dialect.quote if contract.format == Format.CSV else ""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):  # UTF-16, whose lines end otherwise
        return _Records.of(content.decode("utf-16").encode(), quote, "utf-16")
    return _Records.of(content, quote)


@dataclass(frozen=True)
class _Records:
    """Where the records of a file end: at the end of a line, or of several that quotes span.

    Attributes:
        content: In an encoding of single bytes.
        last: Number of the last byte of each record.
        encoding: Of the file, where it is another one.
    """

    content: bytes
    last: Numbers
    encoding: str = ""

    @classmethod
    def of(cls, content: bytes, quote: str | None, encoding: str = "") -> "_Records | None":
        """Find them; None where quotes do not come in pairs."""
        signs = np.frombuffer(content, np.uint8)
        last = np.flatnonzero(_ends_of_lines(signs) if b"\r" in content else signs == _LF)
        if quote and len(signs):
            quotes = np.flatnonzero(signs == quote.encode("ascii")[0])
            last = last[np.searchsorted(quotes, last, "right") % 2 == 0]
            if len(quotes) % 2:
                return None
        if len(signs) and (not len(last) or last[-1] != len(signs) - 1):
            last = np.append(last, len(signs) - 1)  # the last line may have no end
        return cls(content, last, encoding)

    def __len__(self) -> int:
        return len(self.last)

    def those(self, stay: npt.NDArray[np.bool_]) -> bytes:
        """The bytes of records that stay, and of the others their ends."""
        borders = np.flatnonzero(np.diff(stay)) + 1
        runs = np.concatenate([[0], borders, [len(stay)]])
        kept = b"".join(
            self._bytes(first, end) if stay[first] else self._ends(first, end)
            for first, end in zip(runs[:-1].tolist(), runs[1:].tolist(), strict=True)
            if first < end
        )
        return kept.decode().encode(self.encoding) if self.encoding else kept

    def _bytes(self, first: int, end: int) -> memoryview:
        begin = int(self.last[first - 1]) + 1 if first else 0
        return memoryview(self.content)[begin : int(self.last[end - 1]) + 1]

    def _ends(self, first: int, end: int) -> bytes:
        """Of some records the ends of their lines, one behind the other."""
        signs, last = np.frombuffer(self.content, np.uint8), self.last[first:end]
        last = last[(signs[last] == _LF) | (signs[last] == _CR)]
        two = (signs[last] == _LF) & (signs[np.maximum(last - 1, 0)] == _CR)
        ends = np.sort(np.concatenate([last, last[two] - 1]))
        return bytes(signs[ends])


def _ends_of_lines(signs: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Whether each sign is the last of a line."""
    ends: npt.NDArray[np.bool_] = signs == _LF
    returns = signs == _CR
    returns[:-1] &= ~ends[1:]
    ends |= returns
    return ends


def _without_rows(content: bytes, numbers: frozenset[int]) -> bytes:
    table = pq.read_table(pa.BufferReader(content))
    kept = pa.array([at + 1 not in numbers for at in range(table.num_rows)], pa.bool_())
    sink = pa.BufferOutputStream()
    pq.write_table(table.filter(kept), sink)
    return bytes(sink.getvalue())
