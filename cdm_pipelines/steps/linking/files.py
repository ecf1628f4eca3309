"""Linking any files under a policy, without the pipeline around it.

Belongs here: reading the files and writing the outcome. Does not belong here: linkage itself, or choosing a policy
(suggest_policy).
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from cdm_pipelines.linkage import LinkageError, LinkageModel, LinkagePolicy, LinkResult, link, load_policy
from cdm_pipelines.linkage.evaluate.blocking import BlockingReport, explain_blocking
from cdm_pipelines.linkage.explain.pictures import result_picture
from cdm_pipelines.linkage.progress import Progress, silent
from cdm_pipelines.quality.profile import dialect_of
from cdm_pipelines.steps.linking.suggested_policy import ROW_NUMBER
from cdm_pipelines.store.checksums import unsealed
from cdm_pipelines.store.damage import Fault
from cdm_pipelines.store.files import sync_folder
from cdm_pipelines.store.lake import Lake


class FileError(ValueError):
    """A file cannot be linked; the message names it and says what to do."""


@dataclass(frozen=True)
class FilesLinked:
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
    labels: Path | None = None,
    progress: Progress = silent,
) -> FilesLinked:
    """Link CSV or Parquet files and write ``clusters.parquet``, ``pairs.parquet`` and ``model.json`` to ``out``.

    Beside them ``charts.svg`` shows the model and what it expects of its pairs. ``labels`` is a file of pairs known to
    match or not, which teach the fit.

    They are written when all is done, so an error or an interrupt leaves none of them, or those of an earlier run.

    Raises:
        FileError: A file is neither CSV nor Parquet or cannot be read.
        LinkageError: The policy or the labels do not fit the files.
    """
    policy = load_policy(policy_path)
    model = read_model(model_path) if model_path else None
    table = read_files(files, policy)
    known = None if labels is None else read_text(labels).to_pandas()
    result = link(table, policy, model=model, labels=known, progress=progress)
    write_result(result, out)
    clusters = result.report["clusters"]
    return FilesLinked(table.num_rows, len(result.pairs), clusters, table.num_rows - clusters)


def explain_files(
    files: Sequence[Path],
    policy: LinkagePolicy,
    *,
    truth: Path | None = None,
    progress: Progress = silent,
) -> BlockingReport:
    """Count what the policy's blocking rules make of CSV or Parquet files, before anything is compared.

    Raises:
        FileError: A file is neither CSV nor Parquet or cannot be read.
        LinkageError: The policy or the truth does not fit the files.
    """
    known = None if truth is None else read_text(truth).to_pandas()
    return explain_blocking(read_files(files, policy), policy, truth=known, progress=progress)


def write_result(result: LinkResult, out: Path) -> None:
    """Write all files or none: they are written beside their places and moved there together."""
    staged = out / f".tmp-{uuid4().hex}"
    lake = Lake(str(staged.absolute()))
    try:
        lake.write("clusters.parquet", result.clusters)
        lake.write("pairs.parquet", result.pairs)
        lake.write_text("model.json", result.model.to_json())
        lake.write_text("charts.svg", result_picture(result.model, result.report))
        for file in sorted(staged.iterdir()):
            os.replace(file, out / file.name)  # noqa: PTH105 - replaces on every platform
        sync_folder(out)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def read_model(path: Path) -> LinkageModel:
    """The model in a file, of a fit on files or of the pipeline.

    Raises:
        LinkageError: It is no model, or one that has been altered.
        OSError: It cannot be read.
    """
    found = unsealed(path.read_bytes())
    if isinstance(found, Fault):
        raise LinkageError(f"{path} is not a linkage model: it {found}; give the model.json that a fit wrote")
    return LinkageModel.from_json(found)


def read_files(files: Sequence[Path], policy: LinkagePolicy) -> pa.Table:
    """All files as one table of text.

    Raises:
        FileError: A file is neither CSV nor Parquet or cannot be read.
    """
    return pa.concat_tables([_read(file, policy) for file in files], promote_options="default")


def _read(file: Path, policy: LinkagePolicy) -> pa.Table:
    """All columns as text; the file's name is the source where no column tells it, the place in it may be the id."""
    table = read_text(file)
    told = policy.source or "source"
    if told not in table.column_names:
        table = table.append_column(told, pa.repeat(pa.scalar(file.stem), table.num_rows))
    if policy.id == ROW_NUMBER and ROW_NUMBER not in table.column_names:
        places = pa.array([f"{place:09d}" for place in range(1, table.num_rows + 1)], pa.string())
        table = table.append_column(ROW_NUMBER, places)
    return table


def read_text(file: Path) -> pa.Table:
    """A file's columns as text.

    Raises:
        FileError: It is neither CSV nor Parquet or cannot be read.
    """
    kind = "Parquet" if file.suffix.lower() == ".parquet" else "CSV"
    try:
        table = pq.read_table(file) if kind == "Parquet" else _csv(file)
        return table.cast(pa.schema([(name, pa.string()) for name in table.column_names]))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"{file}: cannot be read as {kind} ({type(error).__name__}); give a CSV file with a header or a Parquet "
            "file, with text, numbers or dates"
        ) from None


def _csv(file: Path) -> pa.Table:
    if not file.stat().st_size:
        raise FileError(f"{file}: the file is empty; give a CSV file with a header")
    dialect = dialect_of(file)
    parse = pa_csv.ParseOptions(delimiter=dialect.delimiter)
    read = pa_csv.ReadOptions(encoding=dialect.encoding)
    with pa_csv.open_csv(file, read_options=read, parse_options=parse) as opened:
        names = opened.schema.names
    convert = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
    return pa_csv.read_csv(file, read_options=read, parse_options=parse, convert_options=convert)
