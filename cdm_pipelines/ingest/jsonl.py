"""JSON Lines: one object per line.

Belongs here: one such file becomes tables of text. Does not belong here: encodings (text), values within objects
(nested), or one JSON document (json_document).

The file is read twice, because a line may bring a column that no line before it had.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.blocks import BLOCK_BYTES, Records, RecordTooLongError
from cdm_pipelines.ingest.errors import Refusal, Refuser
from cdm_pipelines.ingest.nested import Numbered, Paths
from cdm_pipelines.ingest.text import TextFile, open_text

_MOSTLY_BAD = 0.5


class JsonLinesFile:
    """One JSON Lines file.

    Attributes:
        columns: Names found in any line, in order of first appearance.
        note: What is peculiar about the file, in words; empty when nothing.
    """

    def __init__(self, path: Path, contract: SourceContract, refuser: Refuser) -> None:
        """Collect the names.

        Raises:
            ExtractError: The file is refused: empty, cut off, in another encoding, or no JSON Lines.
        """
        self._refuser = refuser
        self._text = open_text(path, contract.dialect, refuser)
        self.note = self._text.note
        self._paths = Paths(contract)
        lines = bad = 0
        for block in self._blocks():
            lines += len(block)
            bad += sum(record is None for _, record in block)
            self._paths.add(record for _, record in block if record is not None)
        refuse_mostly_bad(bad, lines, refuser)
        self.columns = self._paths.columns

    def tables(self) -> Iterator[pa.Table]:
        """The rows, once, as text columns with ``_row`` and ``_defect``."""
        for block in self._blocks():
            yield self._paths.table(block)

    def _blocks(self) -> Iterator[Numbered]:
        """Lists of (line number from 1, object or None where the line holds none)."""
        number = 0
        for block in line_blocks(self._text, self._refuser):
            lines = block.removesuffix(b"\n").split(b"\n")
            records = [(at, parse(line)) for at, line in enumerate(lines, start=number + 1) if line.strip()]
            number += len(lines)
            if records:
                yield records


def line_blocks(text: TextFile, refuser: Refuser) -> Iterator[bytes]:
    """The text in blocks of whole lines.

    Raises:
        ExtractError: A line has no end within what is believed.
    """
    number = 0
    try:
        for block in Records(text.utf8(BLOCK_BYTES), ",", "").blocks():
            yield block.records
            number += block.records.count(b"\n")
    except RecordTooLongError:
        refuser.refuse(
            Refusal.UNREADABLE,
            f"has no end of line {number + 1:,} within 64 MB",
            "Deliver one object per line.",
        )


def refuse_mostly_bad(bad: int, lines: int, refuser: Refuser) -> None:
    """Refuse a file of which most lines are no objects.

    Raises:
        ExtractError: So it is.
    """
    if bad > 1 and bad > lines * _MOSTLY_BAD:
        refuser.refuse(
            Refusal.UNREADABLE,
            f"is not JSON Lines: {bad:,} of {lines:,} lines hold no JSON object",
            "Deliver one object per line, or set another format in the contract: json for one document.",
        )


def parse(line: bytes | str) -> dict[str, Any] | None:
    """The object that a line holds, its numbers as text; None where it holds none."""
    try:
        record = json.loads(line, parse_int=str, parse_float=str, parse_constant=nothing)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def nothing(_: str) -> None:
    """NaN and Infinity are no JSON; a source that writes them means that there is no value."""
