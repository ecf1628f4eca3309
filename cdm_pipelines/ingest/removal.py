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

    def without(self, numbers: Collection[int]) -> bytes | None:
        """Its bytes without some rows; None where that cannot be done."""
        packed = self.path.endswith(".gz")
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
    match contract.format:
        case Format.CSV:
            quote = contract.dialect.quote
            return _without_records(content, numbers, quote.encode("ascii") if quote else b"")
        case Format.JSONL:
            return _without_records(content, numbers, b"")
        case Format.PARQUET:
            return _without_rows(content, numbers)
        case _:
            return None


def _without_records(content: bytes, numbers: frozenset[int], quote: bytes) -> bytes | None:
    """Lines, or several where quotes span them, each but its end."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):  # UTF-16, whose lines end otherwise
        text = content.decode("utf-16")
        anew = _without_records(text.encode(), numbers, quote)
        return None if anew is None else anew.decode().encode("utf-16")
    kept: list[bytes] = []
    record: list[bytes] = []
    number, quoted = 1, False
    for line in content.splitlines(keepends=True):
        record.append(line)
        quoted ^= bool(quote) and line.count(quote) % 2 == 1
        if quoted:
            continue
        whole = b"".join(record)
        kept.append(_end_of(whole) if number in numbers else whole)
        record.clear()
        number += 1
    return None if record else b"".join(kept)


def _end_of(line: bytes) -> bytes:
    return next((end for end in (b"\r\n", b"\n", b"\r") if line.endswith(end)), b"")


def _without_rows(content: bytes, numbers: frozenset[int]) -> bytes:
    table = pq.read_table(pa.BufferReader(content))
    kept = pa.array([at + 1 not in numbers for at in range(table.num_rows)], pa.bool_())
    sink = pa.BufferOutputStream()
    pq.write_table(table.filter(kept), sink)
    return bytes(sink.getvalue())
