"""Linking any files under a policy, without the pipeline around it.

Belongs here: reading the files and writing the outcome. Does not belong here: linkage itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from cdm_pipelines.ingest.lake import Lake
from cdm_pipelines.linkage import LinkageModel, LinkagePolicy, link


class FileError(ValueError):
    """A file cannot be linked; the message names it and says what to do."""


@dataclass(frozen=True)
class Linked:
    """What came of it."""

    records: int
    pairs: int
    clusters: int
    duplicates: int


def link_files(
    files: Sequence[Path],
    policy_path: Path,
    out: Path,
    *,
    model_path: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Linked:
    """Link CSV or Parquet files and write ``clusters.parquet``, ``pairs.parquet`` and ``model.json`` to ``out``.

    Raises:
        FileError: A file is neither CSV nor Parquet or cannot be read.
        LinkageError: The policy does not fit the files.
    """
    policy = LinkagePolicy.load(policy_path)
    model = LinkageModel.from_json(model_path.read_text(encoding="utf-8")) if model_path else None
    table = read_files(files, policy)
    result = link(
        table, policy, model=model, progress=lambda stage, pairs: progress(f"{stage}, {pairs:,} pairs")
    )
    lake = Lake(str(out.absolute()))
    lake.write("clusters.parquet", result.clusters)
    lake.write("pairs.parquet", result.pairs)
    lake.write_text("model.json", result.model.to_json())
    clusters = result.report["clusters"]
    return Linked(table.num_rows, len(result.pairs), clusters, table.num_rows - clusters)


def read_files(files: Sequence[Path], policy: LinkagePolicy) -> pa.Table:
    """All files as one table of text.

    Raises:
        FileError: A file is neither CSV nor Parquet or cannot be read.
    """
    return pa.concat_tables([_read(file, policy.source) for file in files], promote_options="default")


def _read(file: Path, source_column: str | None) -> pa.Table:
    """All columns as text; the file's name is the source where no column tells it."""
    try:
        if file.suffix.lower() == ".parquet":
            table = pq.read_table(file)
        else:
            names = pa_csv.open_csv(file).schema.names
            text = pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True
            )
            table = pa_csv.read_csv(file, convert_options=text)
    except (pa.ArrowException, OSError) as error:
        raise FileError(
            f"{file}: cannot be read as {file.suffix or 'CSV'} ({type(error).__name__})"
        ) from None
    table = table.cast(pa.schema([(name, pa.string()) for name in table.column_names]))
    told = source_column or "source"
    if told not in table.column_names:
        table = table.append_column(told, pa.repeat(pa.scalar(file.stem), table.num_rows))
    return table
