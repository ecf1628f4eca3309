"""JSON Lines: one object per line.

Belongs here: one such file becomes tables of text. Does not belong here: encodings (text).

The file is read twice, because a line may bring a column that no line before it had.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.blocks import BLOCK_BYTES, RecordTooLongError, record_blocks
from cdm_pipelines.ingest.cells import DEFECT, ROW, mark_unusable
from cdm_pipelines.ingest.errors import Defect, Refusal, Refuser
from cdm_pipelines.ingest.scalars import as_text, text_array
from cdm_pipelines.ingest.text import MARK, open_text

_MOSTLY_BAD = 0.5


class JsonLinesFile:
    """One JSON Lines file.

    Attributes:
        columns: Names found in any line, in order of first appearance.
    """

    def __init__(self, path: Path, contract: SourceContract, refuser: Refuser) -> None:
        """Collect the names.

        Raises:
            ExtractError: The file is refused: empty, cut off, in another encoding, or no JSON Lines.
        """
        self._dialect = contract.dialect
        self._refuser = refuser
        self._text = open_text(path, contract.dialect.encoding, refuser)
        names: dict[str, None] = {}
        lines = bad = 0
        for block in self._blocks():
            for _, record in block:
                lines += 1
                if record is None:
                    bad += 1
                else:
                    names.update(dict.fromkeys(record))
        if bad > 1 and bad > lines * _MOSTLY_BAD:
            refuser.refuse(
                Refusal.UNREADABLE,
                f"is not JSON Lines: {bad:,} of {lines:,} lines hold no JSON object",
                "Deliver one object per line, or set another format in the contract.",
            )
        self.columns = list(names)

    def tables(self) -> Iterator[pa.Table]:
        """The rows, once, as text columns with ``_row`` and ``_defect``."""
        for block in self._blocks():
            columns = {
                name: text_array(
                    [None if record is None else as_text(record.get(name)) for _, record in block]
                )
                for name in self.columns
            }
            columns[ROW] = pa.array(np.array([number for number, _ in block], dtype=np.int64))
            defects = [Defect.UNPARSABLE.value if record is None else None for _, record in block]
            columns[DEFECT] = pa.array(defects, pa.string())
            marks = {"\0": Defect.NUL_BYTE, MARK: Defect.UNDECODABLE}
            yield mark_unusable(pa.table(columns), self._dialect.max_cell_bytes, marks)

    def _blocks(self) -> Iterator[list[tuple[int, dict[str, Any] | None]]]:
        """Lists of (line number from 1, object or None where the line holds none)."""
        number = 0
        try:
            for block in record_blocks(self._text.utf8(BLOCK_BYTES), ",", ""):
                records = []
                for line in block.removesuffix(b"\n").split(b"\n"):
                    number += 1
                    if line.strip():
                        records.append((number, _parse(line)))
                if records:
                    yield records
        except RecordTooLongError:
            self._refuser.refuse(
                Refusal.UNREADABLE,
                f"has no end of line {number + 1:,} within 64 MB",
                "Deliver one object per line.",
            )


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line, parse_int=str, parse_float=str, parse_constant=_nothing)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _nothing(_: str) -> None:
    """NaN and Infinity are no JSON; a source that writes them means that there is no value."""
