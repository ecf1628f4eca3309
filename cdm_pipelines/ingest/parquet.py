"""Parquet files.

Belongs here: one such file becomes tables of text. Does not belong here: our own Parquet files (lake).
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.cells import mark_unusable, with_origin
from cdm_pipelines.ingest.errors import Defect, Refusal, Refuser
from cdm_pipelines.ingest.scalars import arrow_text
from cdm_pipelines.ingest.text import MARK

_BATCH_ROWS = 50_000


class ParquetExtract:
    """One Parquet file.

    Attributes:
        columns: Top-level names, in order.
        note: Always empty: nothing about such a file is peculiar.
    """

    note = ""

    def __init__(self, path: Path, contract: SourceContract, refuser: Refuser) -> None:
        """Read the footer.

        Raises:
            ExtractError: The file is empty, cut off, or no Parquet file.
        """
        self._dialect = contract.dialect
        self._refuser = refuser
        if path.exists() and path.stat().st_size == 0:
            refuser.refuse(Refusal.EMPTY, "is empty (0 bytes)", "Deliver it again.")
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError):
            refuser.refuse(Refusal.UNREADABLE, "is no Parquet file, or is cut off", "Deliver it again.")
        self.columns = list(self._file.schema_arrow.names)

    def tables(self) -> Iterator[pa.Table]:
        """The rows, once, as text columns with ``_row`` and ``_defect``.

        Raises:
            ExtractError: A page is damaged.
        """
        row = 1
        try:
            for batch in self._file.iter_batches(batch_size=_BATCH_ROWS):
                texts = [arrow_text(column) for column in batch.columns]
                table = with_origin(pa.table(texts, names=self.columns), row)
                row += table.num_rows
                yield mark_unusable(
                    table, self._dialect.max_cell_bytes, {"\0": Defect.NUL_BYTE, MARK: Defect.UNDECODABLE}
                )
        except (pa.ArrowException, OSError):
            self._refuser.refuse(Refusal.TRUNCATED, f"is damaged after row {row - 1:,}", "Deliver it again.")
