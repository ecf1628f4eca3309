"""JSON Lines of nested records that a contract takes apart by paths, such as the events of a website.

Belongs here: one such file becomes tables of text, many lines at a time. Does not belong here: what paths mean
(addressed), the queries (json_sql), lines that are taken as they are (jsonl).

Lines that DuckDB does not take for JSON (``NaN``, half of a surrogate pair) are read one by one, as all lines are where
a path is beyond it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.addressed import Addressed
from cdm_pipelines.ingest.errors import Refuser
from cdm_pipelines.ingest.json_sql import JsonSql, projections
from cdm_pipelines.ingest.jsonl import line_blocks, parse, refuse_mostly_bad
from cdm_pipelines.ingest.nested import Numbered
from cdm_pipelines.ingest.text import open_text

_BATCH_BYTES = 1 << 25
_LINE_FEED = 10


class NestedLinesFile:
    """One file of JSON Lines.

    Attributes:
        columns: Declared columns of which a line may hold a value, then other members of the records.
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
        self._addressed = Addressed(contract)
        self._sql = JsonSql(self._addressed)
        self._odd = count = bad = 0
        for lines in self._batches():
            names, valid = self._sql.objects(lines)
            self._addressed.add([dict.fromkeys(names)])
            others = _parsed(lines.filter(pc.invert(valid)))
            self._addressed.add(record for _, record in others if record is not None)
            count += lines.num_rows
            self._odd += len(others)
            bad += sum(record is None for _, record in others)
        refuse_mostly_bad(bad, count, refuser)
        self.columns = self._addressed.columns

    def tables(self) -> Iterator[pa.Table]:
        """The rows, once, as text columns with ``_row`` and ``_defect``."""
        steps = projections(self._addressed)
        for lines in self._batches():
            if not steps:
                yield self._addressed.table(_parsed(lines))
            elif not self._odd:
                yield self._taken_apart(lines, steps)
            else:
                yield from self._apart(lines, steps)
        self._sql.close()

    def _taken_apart(self, lines: pa.Table, steps: Sequence[str]) -> pa.Table:
        return self._addressed.numbered(self._addressed.judged(self._sql.table(lines, steps)))

    def _apart(self, lines: pa.Table, steps: Sequence[str]) -> Iterator[pa.Table]:
        """Rows in the order of their lines, of runs of lines that are read in the same way."""
        flags = self._sql.objects(lines)[1].to_numpy(zero_copy_only=False)
        starts = np.flatnonzero(np.diff(flags, prepend=~flags[:1])).tolist()
        for start, end in zip(starts, [*starts[1:], len(flags)], strict=True):
            part = lines.slice(start, end - start)
            if flags[start]:
                yield self._taken_apart(part, steps)
            else:
                yield self._addressed.table(_parsed(part))

    def _batches(self) -> Iterator[pa.Table]:
        """Tables of ``number`` (of the line, from 1) and ``line``, in pieces that are worked on side by side."""
        waiting: list[pa.Table] = []
        number = size = 0
        for block in line_blocks(self._text, self._refuser):
            table, count = _lines(block, number)
            number += count
            size += len(block)
            waiting.append(table)
            if size >= _BATCH_BYTES:
                yield pa.concat_tables(waiting)
                waiting, size = [], 0
        if waiting:
            yield pa.concat_tables(waiting)


def _lines(block: bytes, before: int) -> tuple[pa.Table, int]:
    """The lines of a block that hold something, and how many there are in all; no line is copied."""
    signs = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(signs == _LINE_FEED)
    if not block.endswith(b"\n"):
        ends = np.append(ends, len(block))
    offsets = pa.py_buffer(np.concatenate([[0], ends[:-1] + 1, [len(block)]]).astype(np.int32))
    lines = pa.StringArray.from_buffers(len(ends), offsets, pa.py_buffer(block))
    numbers = pa.array(np.arange(before + 1, before + 1 + len(ends), dtype=np.int64))
    table = pa.table({"number": numbers, "line": lines})
    blank = pc.utf8_is_space(lines) if _may_be_blank(signs, ends) else None
    return (table if blank is None else table.filter(pc.invert(blank))), len(ends)


def _may_be_blank(signs: np.ndarray, ends: np.ndarray) -> bool:
    """Whether a line is shorter than the shortest object, or begins with a space."""
    starts = np.concatenate([[0], ends[:-1] + 1])
    first = signs[np.minimum(starts, len(signs) - 1)]
    return bool((first <= ord(" ")).any())


def _parsed(lines: pa.Table) -> Numbered:
    return [
        (number, parse(line))
        for number, line in zip(lines["number"].to_pylist(), lines["line"].to_pylist(), strict=True)
    ]
