"""Compared pairs that wait for the model: in memory while few, in a temporary file after that.

Belongs here: keeping candidate pairs and their agreement patterns without memory that grows with them. Does not belong
here: what they mean.
"""

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Self

import numpy as np

from cdm_pipelines.linkage.compare.comparers import Packed
from cdm_pipelines.linkage.encode.positions import Positions

_ROW = np.dtype([("left", np.int32), ("right", np.int32), ("packed", np.int64)])
_IN_MEMORY = 64 << 20  # bytes


class Spill:
    """A sequence of chunks of compared pairs, written once and read in the same order."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed on exit
        self._rows: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, left: Positions, right: Positions, packed: Packed) -> None:
        """Keep a chunk."""
        rows = np.empty(len(left), dtype=_ROW)
        rows["left"], rows["right"], rows["packed"] = left, right, packed
        self._file.write(rows.tobytes())
        self._rows.append(len(rows))

    def chunks(self) -> Iterator[tuple[Positions, Positions, Packed]]:
        """All chunks again."""
        self._file.seek(0)
        for count in self._rows:
            rows = np.frombuffer(self._file.read(count * _ROW.itemsize), dtype=_ROW)
            yield rows["left"], rows["right"], rows["packed"]
