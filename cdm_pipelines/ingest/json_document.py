"""One JSON document: an array of records, by itself or within objects.

Belongs here: one such file becomes tables of text, record by record, so that memory does not grow with the file. Does
not belong here: encodings (text), values within records (nested), one object per line (jsonl).
"""

import codecs
import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.addressed import Addressed, is_addressed
from cdm_pipelines.ingest.blocks import MAX_RECORD_BYTES
from cdm_pipelines.ingest.errors import Refusal, Refuser
from cdm_pipelines.ingest.jsonl import nothing
from cdm_pipelines.ingest.nested import Numbered, Paths
from cdm_pipelines.ingest.text import open_text

_BATCH_ROWS = 20_000
_PIECE = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")


class _CutOffError(Exception):
    """The document ends before it is complete."""


class _NoJsonError(Exception):
    """Something stands where JSON has none of the kind."""


class JsonDocument:
    """One JSON document.

    Attributes:
        columns: Paths found in any record, in order of first appearance.
        note: What is peculiar about the file, in words; empty when nothing.
    """

    def __init__(self, path: Path, contract: SourceContract, refuser: Refuser) -> None:
        """Collect the names.

        Raises:
            ExtractError: The file is refused: empty, cut off, in another encoding, no JSON, or without the array.
        """
        self._refuser = refuser
        self._at = contract.dialect.records_at
        self._text = open_text(path, contract.dialect, refuser)
        self.note = self._text.note
        self._paths = Addressed(contract) if is_addressed(contract) else Paths(contract)
        for batch in self._batches():
            self._paths.add(record for _, record in batch if record is not None)
        self.columns = self._paths.columns

    def tables(self) -> Iterator[pa.Table]:
        """The records, once, as text columns with ``_row`` (number of the record) and ``_defect``."""
        for batch in self._batches():
            yield self._paths.table(batch)

    def _batches(self) -> Iterator[Numbered]:
        records = enumerate(self._records(), start=1)
        while batch := list(islice(records, _BATCH_ROWS)):
            yield [(number, one if isinstance(one, dict) else None) for number, one in batch]

    def _records(self) -> Iterator[Any]:
        number = 0
        stream = _Stream(self._text.utf8(_PIECE))
        steps = self._at.split(".") if self._at else []
        try:
            _go_to(stream, steps, self._refuser)
            for record in stream.items():
                number += 1
                yield record
            for step in reversed(steps):
                _leave(stream, step, self._refuser)
            if stream.peek():
                self._refuser.refuse(
                    Refusal.UNREADABLE,
                    f"goes on behind the end of its JSON document, which has {number:,} records",
                    "Deliver one document per file, or one object per line with format: jsonl in the contract.",
                )
        except _CutOffError:
            self._refuser.refuse(
                Refusal.TRUNCATED, f"ends within a JSON value after record {number:,}", "Deliver it again."
            )
        except _NoJsonError:
            self._refuser.refuse(
                Refusal.UNREADABLE,
                f"is no JSON document of records, as seen after record {number:,}",
                "Deliver an array of objects, or set another format in the contract: jsonl for an object per line.",
            )


class _Stream:
    """Text of which complete JSON values are taken from the front."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._pieces = pieces
        self._json = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=nothing)
        self._buffer = ""
        self._position = 0
        self._ended = False

    def peek(self) -> str:
        """The next sign that is no space; empty at the end."""
        while True:
            found = _SPACE.match(self._buffer, self._position)
            self._position = found.end() if found else self._position
            if self._position < len(self._buffer) or not self._more():
                return self._buffer[self._position : self._position + 1]

    def skip(self, sign: str) -> None:
        """Go over a sign that has to be there."""
        found = self.peek()
        if found != sign:
            raise _NoJsonError if found else _CutOffError
        self._position += 1

    def value(self) -> Any:
        """The next complete value."""
        if not self.peek():
            raise _CutOffError
        while True:
            try:
                value, end = self._json.raw_decode(self._buffer, self._position)
            except (ValueError, RecursionError):
                value, end = None, None
            if end is not None and (end < len(self._buffer) or self._ended):
                self._position = end
                return value
            if len(self._buffer) - self._position > MAX_RECORD_BYTES:
                raise _NoJsonError
            if not self._more(double=True) and end is None:
                raise _CutOffError if self._is_open() else _NoJsonError

    def pass_over(self) -> None:
        """Go over the next value, an array piece by piece."""
        if self.peek() == "[":
            for _ in self.items():
                pass
        else:
            self.value()

    def items(self) -> Iterator[Any]:
        """The values of the array that comes next."""
        self.skip("[")
        while self.peek() != "]":
            yield self.value()
            if self.peek() != "]":
                self.skip(",")
        self.skip("]")

    def _more(self, *, double: bool = False) -> bool:
        """Read on: a piece, or as much again as there is, so that a long value is not tried too often."""
        rest = self._buffer[self._position :]
        wanted = len(rest) if double else 1
        parts, size = [rest], 0
        while not self._ended and size < max(1, wanted):
            piece = next(self._pieces, None)
            self._ended = piece is None
            parts.append(self._decoder.decode(piece or b"", final=piece is None))
            size += len(parts[-1])
        self._buffer, self._position = "".join(parts), 0
        return size > 0

    def _is_open(self) -> bool:
        """Whether what is left opens more than it closes, as a document does that was cut off."""
        rest = self._buffer[self._position :]
        return rest.count("{") + rest.count("[") > rest.count("}") + rest.count("]")


def _go_to(stream: _Stream, steps: list[str], refuser: Refuser) -> None:
    """Go to the value at a path of names."""
    for step in steps:
        stream.skip("{")
        while stream.peek() == '"':
            name = stream.value()
            stream.skip(":")
            if name == step:
                break
            stream.pass_over()
            if stream.peek() == ",":
                stream.skip(",")
        else:
            refuser.refuse(
                Refusal.HEADER,
                f"has nothing at {step!r}",
                "Set dialect.recordsAt to the path of the array of records.",
            )


def _leave(stream: _Stream, step: str, refuser: Refuser) -> None:
    """Go to the end of the object of which the value at a name was read."""
    while stream.peek() == ",":
        stream.skip(",")
        if stream.value() == step:
            refuser.refuse(
                Refusal.UNREADABLE,
                f"has more than one value at {step!r}",
                "Have all records delivered in one array, or each array in a file of its own.",
            )
        stream.skip(":")
        stream.pass_over()
    stream.skip("}")
