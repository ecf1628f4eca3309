"""The step that takes one day of one source entity from landing to standard.

Belongs here: the order of the rooms, the streaming between them, and the counts. Does not belong here: what is fit
(quality) or how a value is spelled (standardise).

Rows go through in chunks, and the rooms' pure functions may work on several chunks at a time in processes of their
own: results are written in the order of the chunks, so neither the size nor the number of processes shows.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.quality.thresholds import Thresholds, Verdict, judge
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.chunks import Chunk, Refined, in_order
from cdm_pipelines.store import layout
from cdm_pipelines.store.arrow import digest, to_frame
from cdm_pipelines.store.damage import DamagedError, Fault
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.secret import Secret

_ORIGIN = ("_file", "_row", "_sha256", "_defect")


class DayRefusedError(Exception):
    """The day cannot be ingested as delivered; the message says which file, what is wrong and what to do."""


class DayAbsentError(DayRefusedError):
    """There is no file for the day."""


@dataclass(frozen=True)
class DayResult:
    """What became of one day of one source entity.

    Attributes:
        date: Extract date.
        files: Paths below landing.
        read: Rows in the files.
        accepted: Rows that passed.
        quarantined: Rows that were rejected, superseded ones included.
        repaired: Accepted rows of which at least one cell was blanked.
        reasons: Rejected rows and blanked cells by rule.
        new_columns: Columns that the contract does not declare.
        absent_columns: Optional columns of the contract that no file had.
        notes: What was peculiar about the files, such as lines in another encoding, in words.
        standard: Rows per canonical entity.
        verdicts: Judgement of the checks that have thresholds.
        fingerprint: Of the files, the contract and the corrections.
        stopped: Whether a check forbade that the day went further than quarantine.
    """

    date: str
    files: tuple[str, ...]
    read: int
    accepted: int
    quarantined: int
    repaired: int
    reasons: Mapping[str, int]
    new_columns: tuple[str, ...]
    absent_columns: tuple[str, ...]
    standard: Mapping[str, int]
    verdicts: Mapping[str, Verdict]
    fingerprint: str
    stopped: bool
    notes: tuple[str, ...] = ()

    @property
    def reconciles(self) -> bool:
        """Rows read = rows accepted + rows quarantined (R3)."""
        return self.read == self.accepted + self.quarantined

    @property
    def sentence(self) -> str:
        """The counts in one line."""
        return (
            f"{self.read:,} rows read, {self.accepted:,} accepted ({self.repaired:,} repaired), "
            f"{self.quarantined:,} quarantined"
        )


def process_day(settings: Settings, lake: Lake, contract: SourceContract, date: str) -> DayResult:
    """Land, validate and standardise one day.

    Raises:
        DayAbsentError: No file has arrived for the day.
        DayRefusedError: A file cannot be used at all. Nothing of the day is changed.
    """
    contract = replace(contract, default_country=contract.default_country or settings.default_country)
    thresholds = Thresholds.load(settings.policies / "checks.yaml")
    try:
        corrections = _corrections(lake, contract, date)
        files = _land(settings, lake, contract, date)
        tally = _Tally(thresholds, _volume(lake, contract, date, thresholds))
        return _refine(settings, lake, contract, date, files=files, corrections=corrections, tally=tally)
    except DamagedError as damaged:
        raise DayRefusedError(str(damaged)) from None


def _land(settings: Settings, lake: Lake, contract: SourceContract, date: str) -> tuple[str, ...]:
    """Write the raw table: all rows of all files of the day, as text."""
    from cdm_pipelines.ingest import ExtractError, Refusal, find_files, read_extract  # noqa: PLC0415 - readers load in a run

    sums: set[str] = set()
    try:
        files = find_files(settings.landing_url, contract, date)
        tables = read_extract(settings.landing_url, contract, date, chunk_rows=settings.chunk_rows)
        first = next(tables)
        with lake.writer(layout.raw_path(contract, date), first.schema) as writer:
            for table in chain([first], tables):
                writer.write_table(table.cast(first.schema))
                sums.update(table["_sha256"].unique().to_pylist())
            listed = [f"{file.path}\t{file.size}" for file in files]
            made_from = "\n".join([contract.fingerprint, *listed, *sorted(sums)])
            writer.add_key_value_metadata(
                {
                    layout.FINGERPRINT: sha256(made_from.encode()).hexdigest()[:16],
                    layout.FILES: "\n".join(listed),
                }
            )
    except ExtractError as error:
        kind = DayAbsentError if error.kind == Refusal.ABSENT else DayRefusedError
        raise kind(str(error)) from None
    return tuple(file.path for file in files)


def _volume(lake: Lake, contract: SourceContract, date: str, thresholds: Thresholds) -> Verdict | None:
    """Compare a snapshot with the one before it: a file cut off between two rows looks like many deletions."""
    if contract.delivery.value != "snapshot":
        return None
    earlier = [day for day in layout.days(lake, "raw", contract) if day < date]
    if not earlier:
        return None
    before = lake.count(layout.raw_path(contract, earlier[-1]))
    now = lake.count(layout.raw_path(contract, date))
    share = max(0.0, 1 - now / before) if before else 0.0
    text = f"{now:,} rows against {before:,} on {earlier[-1]}: {share:.1%} fewer"
    return judge(share, thresholds.snapshot_shrink, text)


def _refine(
    settings: Settings,
    lake: Lake,
    contract: SourceContract,
    date: str,
    *,
    files: tuple[str, ...],
    corrections: pa.Table | None,
    tally: "_Tally",
) -> DayResult:
    """Write valid, quarantine, repairs and, unless a check forbids it, standard from the raw table."""
    raw = layout.raw_path(contract, date)
    fingerprint = _fingerprint(lake, raw, corrections, settings)
    chunks = _chunks(settings, lake, contract, raw, corrections)
    with suppress(_StoppedError), ExitStack() as standard, ExitStack() as checked:
        notes = {layout.FINGERPRINT: fingerprint}
        if corrections is not None:
            notes[layout.CORRECTED] = "yes"
        checked_to, standard_to = _Writers(checked, lake, notes), _Writers(standard, lake, notes)
        for refined in in_order(chunks, settings.threads, contract, date, settings.timezone):
            checked_to.write(layout.valid_path(contract, date), refined.valid)
            checked_to.write(layout.quarantine_path(contract, date), refined.quarantine)
            checked_to.write(layout.repairs_path(contract, date), refined.repairs)
            for entity, table in refined.standard.items():
                standard_to.write(layout.standard_path(contract, date, entity), table)
            tally.add(refined)
        checked.close()
        tally.judge(_against_contract(lake, contract, date, settings.chunk_rows))
        if tally.stops:
            raise _StoppedError  # leaves the standard layer as it was
    return tally.result(date, files, lake.schema(raw), contract, fingerprint)


def _against_contract(lake: Lake, contract: SourceContract, date: str, rows: int) -> Verdict:
    """Hold the accepted rows, as they were written, against the contract's Pandera schema."""
    from cdm_pipelines.quality import failures  # noqa: PLC0415 - rules load in a run

    found: Counter[str] = Counter()
    for table in lake.read_batches(layout.valid_path(contract, date), rows, list(contract.column_names)):
        found.update(failures(table, contract))
    told = "; ".join(f"{rule} ({count:,})" for rule, count in sorted(found.items())) or "in order"
    return Verdict(passed=not found, severity="ERROR", text=told, figure=float(found.total()))


class _StoppedError(Exception):
    """A check forbids that the day reaches the standard layer."""


class _Writers:
    """Opens a table at the first write to its path; all of them appear when the stack is left without a fault."""

    def __init__(self, stack: ExitStack, lake: Lake, notes: Mapping[str, str]) -> None:
        self._stack, self._lake, self._metadata = stack, lake, dict(notes)
        self._open: dict[str, tuple[pq.ParquetWriter, pa.Schema]] = {}
        self._content: dict[str, str] = {}

    def write(self, path: str, table: pa.Table) -> None:
        if path not in self._open:
            schema = table.schema.with_metadata(self._metadata)
            self._open[path] = self._stack.enter_context(self._lake.writer(path, schema)), schema
        writer, schema = self._open[path]
        table = table.cast(schema)
        writer.write_table(table)
        self._content[path] = digest(self._content.get(path, ""), table)
        writer.add_key_value_metadata({layout.CONTENT: self._content[path]})


class _Tally:
    """Counts over the chunks of a day, and what the checks make of them."""

    def __init__(self, thresholds: Thresholds, volume: Verdict | None) -> None:
        self._thresholds = thresholds
        self._verdicts = {} if volume is None else {"volume": volume}
        self._rows: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._standard: Counter[str] = Counter()

    def add(self, refined: Refined) -> None:
        self._rows.update(
            read=refined.read,
            accepted=refined.valid.num_rows,
            quarantined=refined.quarantine.num_rows,
            repaired=refined.repaired,
        )
        self._reasons.update(refined.reasons)
        self._standard.update({str(entity): table.num_rows for entity, table in refined.standard.items()})

    def judge(self, against_contract: Verdict) -> None:
        self._verdicts["contract"] = against_contract
        share = self._rows["quarantined"] / self._rows["read"] if self._rows["read"] else 0.0
        text = f"{self._rows['quarantined']:,} of {self._rows['read']:,} rows quarantined ({share:.2%})"
        self._verdicts["share_quarantined"] = judge(share, self._thresholds.share_quarantined, text)

    @property
    def stops(self) -> bool:
        unaccounted = self._rows["read"] != self._rows["accepted"] + self._rows["quarantined"]
        return unaccounted or any(verdict.stops for verdict in self._verdicts.values())

    def result(
        self, date: str, files: tuple[str, ...], raw: pa.Schema, contract: SourceContract, fingerprint: str
    ) -> DayResult:
        from cdm_pipelines.ingest import absent_columns, new_columns, reading_notes  # noqa: PLC0415 - readers load in a run

        return DayResult(
            date=date,
            files=files,
            read=self._rows["read"],
            accepted=self._rows["accepted"],
            quarantined=self._rows["quarantined"],
            repaired=self._rows["repaired"],
            reasons=dict(self._reasons),
            new_columns=tuple(new_columns(raw, contract)),
            absent_columns=tuple(absent_columns(raw)),
            notes=tuple(reading_notes(raw)),
            standard=dict(self._standard),
            verdicts=self._verdicts,
            fingerprint=fingerprint,
            stopped=self.stops,
        )


def _chunks(
    settings: Settings, lake: Lake, contract: SourceContract, raw: str, corrections: pa.Table | None
) -> Iterator[Chunk]:
    """The raw table with corrections applied, in chunks, each row marked when a later one supersedes it."""
    from cdm_pipelines.quality import apply_corrections, superseded_rows  # noqa: PLC0415 - rules load in a run

    def corrected(columns: list[str] | None, rows: int) -> Iterator[pa.Table]:
        for table in lake.read_batches(raw, rows, columns):
            yield table if corrections is None else apply_corrections(table, corrections)

    key_columns = [*contract.key, *_ORIGIN]
    keys = list(corrected(key_columns, settings.chunk_rows))
    if not keys:
        yield Chunk(lake.read(raw), np.zeros(0, dtype=bool))
        return
    superseded = superseded_rows(pa.concat_tables(keys), contract)
    start = 0
    for table in corrected(None, settings.chunk_rows):
        yield Chunk(table, superseded[start : start + table.num_rows])
        start += table.num_rows


def _corrections(lake: Lake, contract: SourceContract, date: str) -> pa.Table | None:
    """Rows that a person corrected; None where there are none, which is not so where some went into the day before."""
    path = layout.corrections_path(contract, date)
    if lake.exists(path):
        return lake.read(path)
    with suppress(DamagedError):  # that table is about to be made anew
        valid = layout.valid_path(contract, date)
        if lake.exists(valid) and layout.CORRECTED in lake.notes(valid):
            raise DayRefusedError(str(lake.damaged(path, Fault.MISSING)))
    return None


def _fingerprint(lake: Lake, raw: str, corrections: pa.Table | None, settings: Settings) -> str:
    """Of what was delivered and corrected; keyed, since a correction may be a single phone number."""
    delivered = lake.notes(raw)[layout.FINGERPRINT]
    if corrections is None:
        return delivered
    text = f"{delivered} {to_frame(corrections).to_csv(index=False)}"
    return Secret.of(settings.home).digest(text.encode())[:16]
