"""Linking any files under a policy, without the pipeline around it.

Belongs here: reading the files and writing the outcome. Does not belong here: linkage itself, or choosing a policy
(suggest_policy).
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.odcs import ORIGIN_COLUMNS
from cdm_pipelines.ingest import ExtractError, read_file
from cdm_pipelines.ingest.cells import DEFECT, ROW
from cdm_pipelines.ingest.sniff import sniff
from cdm_pipelines.linkage import (
    Engine,
    LinkageError,
    LinkageModel,
    LinkagePolicy,
    LinkResult,
    LocalEngine,
    load_policy,
)
from cdm_pipelines.linkage.evaluate.blocking import BlockingReport, explain_blocking
from cdm_pipelines.linkage.explain.pictures import result_picture
from cdm_pipelines.linkage.progress import Progress, silent
from cdm_pipelines.quality.profile import undescribed
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.steps.linking.lost_values import Lost, lost_values
from cdm_pipelines.steps.linking.suggested_policy import ROW_NUMBER
from cdm_pipelines.store.checksums import unsealed
from cdm_pipelines.store.damage import Fault
from cdm_pipelines.store.files import sync_folder
from cdm_pipelines.store.frames import to_table
from cdm_pipelines.store.lake import Lake

_NAMED = 30


class FileError(ValueError):
    """A file cannot be linked; the message names it and says what to do."""


@dataclass(frozen=True)
class PutAside:
    """Rows of a file that could not be read as they should, and so are not linked.

    Attributes:
        file: The file.
        rows: Numbers of the rows by what is wrong with them, the header being row 1.
    """

    file: Path
    rows: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, file: Path, unfit: pa.Table) -> "PutAside":
        """Of a table of row numbers and defects."""
        rows: dict[str, list[int]] = {}
        for number, defect in zip(unfit[ROW].to_pylist(), unfit[DEFECT].to_pylist(), strict=True):
            rows.setdefault(defect, []).append(number)
        return cls(file, {defect: tuple(numbers) for defect, numbers in rows.items()})

    @property
    def sentence(self) -> str:
        """How many there are, which, and why."""
        count = sum(map(len, self.rows.values()))
        reasons = [
            f"{Rule(defect).meaning} (rows {', '.join(f'{n}' for n in numbers[:_NAMED])}"
            + (f" and {len(numbers) - _NAMED:,} more)" if len(numbers) > _NAMED else ")")
            for defect, numbers in self.rows.items()
        ]
        return f"{self.file}: {count:,} {'row was' if count == 1 else 'rows were'} put aside: {'; '.join(reasons)}"


@dataclass(frozen=True)
class FilesLinked:
    """What came of it.

    Attributes:
        records: How many there are.
        pairs: From the review threshold on.
        clusters: How many.
        duplicates: Records beyond the first of each cluster.
        put_aside: Rows that could not be read.
        precision: Expected share of true ones among pairs from the review threshold on that ended in one cluster.
        recall: Expected share of them among the true candidate pairs.
        remarks: What has to be said of the fit.
    """

    records: int
    pairs: int
    clusters: int
    duplicates: int
    put_aside: tuple[PutAside, ...] = ()
    precision: float = 1.0
    recall: float = 1.0
    remarks: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What is expected of the outcome, in words."""
        return (
            f"Expected of the links, after guards: precision {self.precision:.3f}, recall {self.recall:.3f} of the "
            "matches among pairs that blocking made. The model's own figures: no label is in them"
        )


def link_files(
    files: Sequence[Path],
    policy_path: Path,
    out: Path,
    *,
    model_path: Path | None = None,
    labels: Path | None = None,
    progress: Progress = silent,
    engine: Engine | None = None,
    before: Callable[[Sequence[Lost]], None] = lambda _: None,
) -> FilesLinked:
    """Link files of any format, and write ``clusters.parquet``, ``pairs.parquet`` and ``model.json`` to ``out``.

    Beside them ``charts.svg`` shows the model and what it expects of its pairs. ``labels`` is a file of pairs known to
    match or not, which teach the fit. ``engine`` is that of this process where not given. ``before`` is told what
    cannot be read, before anything is linked.

    They are written when all is done, so an error or an interrupt leaves none of them, or those of an earlier run.

    Raises:
        FileError: A file cannot be read.
        LinkageError: The policy or the labels do not fit the files, or the engine cannot be reached.
    """
    policy = load_policy(policy_path)
    model = read_model(model_path) if model_path else None
    table, put_aside = _together(files, policy)
    known = None if labels is None else read_text(labels).to_pandas()
    _check_sources(table, policy)
    if {name for spec in policy.columns.values() for name in spec.names} <= set(table.column_names):
        before(lost_values(table, policy))
    result = (engine or LocalEngine()).link(table, policy, model=model, labels=known, progress=progress)
    write_result(result, out)
    clusters = result.report["clusters"]
    expected = result.report["expected_linked"]
    return FilesLinked(
        table.num_rows,
        len(result.pairs),
        clusters,
        table.num_rows - clusters,
        put_aside,
        expected["precision"],
        expected["recall"],
        tuple(result.report["fit"]["remarks"]),
    )


def _check_sources(table: pa.Table, policy: LinkagePolicy) -> None:
    """See that there are records of every source that the policy names.

    A name that is mistyped, or of a file whose own column of sources says something else, would have dates read in
    another form, and pairs made within a source that is free of duplicates.
    """
    if policy.source is None or policy.source not in table.column_names:
        return
    named = {source: "dates_in" for spec in policy.columns.values() for source in spec.dates_in}
    named |= dict.fromkeys(policy.duplicate_free, "duplicate_free")
    there = pc.unique(table[policy.source].cast(pa.string())).drop_null().to_pylist() if named else []
    if there and (unknown := sorted(named.keys() - set(there))):
        raise LinkageError(
            f"policy {policy.name}: {named[unknown[0]]}: there are no records of {unknown[0]}; in column "
            f"{policy.source} are {', '.join(sorted(there)[:_NAMED])}"
        )


def explain_files(
    files: Sequence[Path],
    policy: LinkagePolicy,
    *,
    truth: Path | None = None,
    progress: Progress = silent,
) -> BlockingReport:
    """Count what the policy's blocking rules make of files, before anything is compared.

    Raises:
        FileError: A file cannot be read.
        LinkageError: The policy or the truth does not fit the files.
    """
    known = None if truth is None else read_text(truth).to_pandas()
    table = read_files(files, policy)
    _check_sources(table, policy)
    return explain_blocking(table, policy, truth=known, progress=progress)


def write_result(result: LinkResult, out: Path) -> None:
    """Write all files or none: they are written beside their places and moved there together."""
    staged = out / f".tmp-{uuid4().hex}"
    lake = Lake(str(staged.absolute()))
    try:
        lake.write("clusters.parquet", to_table(result.clusters))
        lake.write("pairs.parquet", to_table(result.pairs))
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
    """All files as one table of text, without the rows that could not be read as they should.

    Raises:
        FileError: A file cannot be read.
    """
    return _together(files, policy)[0]


def read_text(file: Path) -> pa.Table:
    """A file's columns as text.

    Raises:
        FileError: It cannot be read, or a row of it could not be read as it should.
    """
    table, put_aside = _rows(file)
    if put_aside is not None:
        raise FileError(f"{put_aside.sentence}. Correct them: every row of this file counts.")
    return table


def _together(files: Sequence[Path], policy: LinkagePolicy) -> tuple[pa.Table, tuple[PutAside, ...]]:
    tables, put_aside = [], []
    for file in files:
        table, unfit = _rows(file, numbered=policy.id == ROW_NUMBER)
        told = policy.source or "source"
        if told not in table.column_names:
            table = table.append_column(told, pa.repeat(pa.scalar(file.stem), table.num_rows))
        tables.append(table)
        put_aside += [unfit] if unfit else []
    return pa.concat_tables(tables, promote_options="default"), tuple(put_aside)


def _rows(file: Path, *, numbered: bool = False) -> tuple[pa.Table, PutAside | None]:
    """The rows as ingest reads them, those put aside that it would put in quarantine; their place may be their id."""
    try:
        table = pa.concat_tables(read_file(file, undescribed(sniff(file))))
    except ExtractError as error:
        raise FileError(f"{file}: {error.problem}. {error.fix}") from None
    except OSError as error:
        raise FileError(f"{file}: cannot be read ({type(error).__name__}); check its access rights") from None
    if numbered and ROW_NUMBER not in table.column_names:
        places = pa.array([f"{place:09d}" for place in range(1, table.num_rows + 1)], pa.string())
        table = table.append_column(ROW_NUMBER, places)
    sound = pc.is_null(table.column(DEFECT))
    unfit = table.filter(pc.invert(sound)).select([ROW, DEFECT])
    kept = table.filter(sound).drop_columns([*ORIGIN_COLUMNS, DEFECT])
    return kept, PutAside.of(file, unfit) if unfit.num_rows else None
