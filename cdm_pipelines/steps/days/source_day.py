"""The step that takes one day of one source entity from landing to standard.

Belongs here: the order of the rooms, the streaming between them, and the counts. Does not belong here: what is fit
(quality) or how a value is spelled (standardise).

Rows go through in chunks, and the rooms' pure functions may work on several chunks at a time in processes of their
own: results are written in the order of the chunks, so neither the size nor the number of processes shows.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from hashlib import sha256
from itertools import chain

import pyarrow as pa
import pyarrow.parquet as pq

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.protection import Vault
from cdm_pipelines.quality.thresholds import Thresholds, Verdict
from cdm_pipelines.settings import Settings
from cdm_pipelines.standardise.placeholders import Placeholders
from cdm_pipelines.standardise.source_words import SourceWords
from cdm_pipelines.steps.days.chunks import Chunk, in_order
from cdm_pipelines.steps.days.kept_out import Door, note_to_owner
from cdm_pipelines.steps.days.tally import DayResult, Tally, Yardstick
from cdm_pipelines.store import layout
from cdm_pipelines.store.arrow import digest
from cdm_pipelines.store.cipher import CipherError
from cdm_pipelines.store.damage import DamagedError, Fault
from cdm_pipelines.store.keyring import KeyringError
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.secret import Secret

_ORIGIN = ("_file", "_row", "_sha256", "_defect")


class DayRefusedError(Exception):
    """The day cannot be ingested as delivered; the message says which file, what is wrong and what to do."""


class DayAbsentError(DayRefusedError):
    """There is no file for the day."""


def process_day(
    settings: Settings, lake: Lake, contract: SourceContract, date: str, *, accept: Collection[str] = ()
) -> DayResult:
    """Land, validate and standardise one day.

    Args:
        settings: Of the deployment.
        lake: Where the layers are.
        contract: Of the source entity.
        date: Extract date.
        accept: Names of checks to which a person says yes for this day.

    Raises:
        DayAbsentError: No file has arrived for the day.
        DayRefusedError: A file cannot be used at all. Nothing of the day is changed.
    """
    contract = replace(contract, default_country=contract.default_country or settings.default_country)
    thresholds = Thresholds.load(settings.policies / "checks.yaml")
    try:
        vault = Vault.for_contract(settings, lake, contract)
        corrections = _corrections(lake, contract, date, vault)
        door = Door.of(settings, lake, contract, date)
        files = _land(settings, lake, contract, date, door=door, vault=vault)
        tally = Tally(
            contract, date, thresholds, _yardstick(lake, contract, date), accept, kept_out=door.kept_out
        )
        result = _refine(
            settings, lake, contract, date, files=files, corrections=corrections, tally=tally, vault=vault
        )
    except (DamagedError, KeyringError, CipherError, PrivacyPolicyError) as fault:
        raise DayRefusedError(str(fault)) from None
    note_to_owner(lake, contract, date, door.kept_out)
    return result


def _land(
    settings: Settings, lake: Lake, contract: SourceContract, date: str, *, door: Door, vault: Vault
) -> tuple[str, ...]:
    """Write the raw table: all rows of all files of the day, as text, but those of erased persons."""
    from cdm_pipelines.ingest import ExtractError, Refusal, find_files, read_extract  # noqa: PLC0415 - readers load in a run

    sums: set[str] = set()
    sealed = vault.protection.delivered(contract)
    try:
        files = find_files(settings.landing_url, contract, date)
        tables = read_extract(settings.landing_url, contract, date, chunk_rows=settings.chunk_rows)
        first = next(tables)
        with lake.writer(layout.raw_path(contract, date), first.schema) as writer:
            for table in chain([first], tables):
                writer.write_table(vault.seal(door.let_in(table), sealed).cast(first.schema))
                sums.update(table["_sha256"].unique().to_pylist())
            noted = layout.of_files({file.path: (file.size, file.modified) for file in files})
            kept_out = [f"{door.kept_out} kept out"] if door.kept_out else []
            made_from = "\n".join([contract.fingerprint, noted[layout.FILES], *sorted(sums), *kept_out])
            writer.add_key_value_metadata(
                {layout.FINGERPRINT: sha256(made_from.encode()).hexdigest()[:16], **noted}
            )
    except ExtractError as error:
        kind = DayAbsentError if error.kind == Refusal.ABSENT else DayRefusedError
        raise kind(str(error)) from None
    return tuple(file.path for file in files)


def _yardstick(lake: Lake, contract: SourceContract, date: str) -> Yardstick | None:
    """The last accepted day before this one: a day that was refused, in whole or anew, is none to measure by."""
    if contract.delivery.value != "snapshot" or not contract.entities:
        return None
    entity = contract.entities[0]
    earlier = [day for day in layout.standard_days(lake, contract, entity) if day < date]
    if not earlier:
        return None
    path = layout.standard_path(contract, earlier[-1], entity)
    noted = lake.notes(path).get(layout.RECORDS)
    return Yardstick(earlier[-1], int(noted) if noted else lake.count(path))


def _refine(
    settings: Settings,
    lake: Lake,
    contract: SourceContract,
    date: str,
    *,
    files: tuple[str, ...],
    corrections: pa.Table | None,
    tally: Tally,
    vault: Vault,
) -> DayResult:
    """Write valid, quarantine and, unless a check forbids it, standard from the raw table, and repairs last of all.

    So a day has ended, refused or not, when its repairs are of its raw table (``landing.has_ended``).
    """
    raw = layout.raw_path(contract, date)
    fingerprint = _fingerprint(lake, raw, corrections, settings)
    chunks = _chunks(settings, lake, contract, raw, corrections, vault=vault)
    delivered = vault.protection.delivered(contract)
    notes = {layout.FINGERPRINT: fingerprint}
    if corrections is not None:
        notes[layout.CORRECTED] = "yes"
    of_raw = lake.notes(raw)[layout.FINGERPRINT]
    with ExitStack() as last, suppress(_StoppedError), ExitStack() as standard, ExitStack() as checked:
        checked_to, standard_to = _Writers(checked, lake, notes), _Writers(standard, lake, notes)
        last_to = _Writers(last, lake, {**notes, layout.OF_RAW: of_raw})
        nobody, words = Placeholders.load(settings.policies), SourceWords.load(settings.policies)
        for refined in in_order(
            chunks, settings.threads, contract, date, settings.timezone, nobody=nobody, words=words
        ):
            checked_to.write(layout.valid_path(contract, date), vault.seal(refined.valid, delivered))
            checked_to.write(
                layout.quarantine_path(contract, date), vault.seal(refined.quarantine, delivered)
            )
            last_to.write(layout.repairs_path(contract, date), refined.repairs)
            for entity, table in refined.standard.items():
                sealed = vault.seal(table, vault.protection.standard(entity))
                standard_to.write(layout.standard_path(contract, date, entity), sealed)
            tally.add(refined)
        checked.close()
        tally.judge(_against_contract(lake, contract, date, settings.chunk_rows, vault))
        if tally.stops:
            raise _StoppedError  # leaves the standard layer as it was
        standard_to.note(layout.RECORDS, str(tally.records))
    return tally.result(files, lake.schema(raw), fingerprint)


def _against_contract(lake: Lake, contract: SourceContract, date: str, rows: int, vault: Vault) -> Verdict:
    """Hold the accepted rows, as they were written, against the contract's Pandera schema."""
    from cdm_pipelines.quality.schema import failures  # noqa: PLC0415 - rules load in a run

    found: Counter[str] = Counter()
    coded = not vault.cipher.number  # what is sealed is opened as text
    names = list(contract.column_names)
    for table in lake.read_batches(layout.valid_path(contract, date), rows, names, coded=coded):
        found.update(failures(vault.open(table), contract))
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

    def note(self, name: str, text: str) -> None:
        """Add a note to every table."""
        for writer, _ in self._open.values():
            writer.add_key_value_metadata({name: text})


def _chunks(
    settings: Settings,
    lake: Lake,
    contract: SourceContract,
    raw: str,
    corrections: pa.Table | None,
    *,
    vault: Vault,
) -> Iterator[Chunk]:
    """The raw table with corrections applied, in chunks, with what later rows with the same key make of each row."""
    from cdm_pipelines.quality.corrections import apply_corrections  # noqa: PLC0415 - rules load in a run
    from cdm_pipelines.quality.repeats import compared_columns, find_repeats, of_repeated, with_conflicts  # noqa: PLC0415 - rules load in a run

    def corrected(columns: list[str] | None, rows: int) -> Iterator[pa.Table]:
        for table in lake.read_batches(raw, rows, columns):
            opened = vault.open(table)
            yield opened if corrections is None else apply_corrections(opened, corrections)

    def column(name: str) -> pa.ChunkedArray:
        found_by = _ORIGIN if corrections is not None else ()  # rows are corrected by where they stood
        pieces = corrected(list(dict.fromkeys([name, *found_by])), settings.chunk_rows)
        return pa.chunked_array(
            list(chain.from_iterable(piece[name].chunks for piece in pieces)), pa.string()
        )

    key_columns = list(dict.fromkeys([*contract.key, *_ORIGIN]))
    keys = list(corrected(key_columns, settings.chunk_rows))
    whole = pa.concat_tables(keys) if keys else lake.read(raw, key_columns)
    repeats = find_repeats(whole, contract)
    there = set(lake.schema(raw).names)
    if repeats.repeated.any() and contract.modified_at in there:
        changed = of_repeated(repeats, column(contract.modified_at))
        repeats = find_repeats(whole, contract, _changed(changed, contract, settings.timezone))
    del keys, whole
    if repeats.repeated.any():
        repeats = with_conflicts(
            repeats, (column(name) for name in compared_columns(contract) if name in there)
        )
    if not len(repeats.superseded):
        yield Chunk(vault.open(lake.read(raw)), repeats)
        return
    start = 0
    for table in corrected(None, settings.chunk_rows):
        yield Chunk(table, repeats.part(start, table.num_rows))
        start += table.num_rows


def _changed(cells: pa.ChunkedArray, contract: SourceContract, timezone: str) -> pa.Array:
    """When their source last changed rows, as their records will say; null where that cannot be read."""
    from cdm_pipelines.quality.validation import fit_cells  # noqa: PLC0415 - rules load in a run
    from cdm_pipelines.standardise.columns import Columns  # noqa: PLC0415 - rules load in a run
    from cdm_pipelines.standardise.frame import modified_at  # noqa: PLC0415 - rules load in a run

    name = contract.modified_at or ""
    fit = pa.table({name: fit_cells(cells, contract, name)})
    return modified_at(Columns(fit, contract, Entity.PARTY), timezone)


def _corrections(lake: Lake, contract: SourceContract, date: str, vault: Vault) -> pa.Table | None:
    """Rows that a person corrected; None where there are none, which is not so where some went into the day before."""
    path = layout.corrections_path(contract, date)
    if lake.exists(path):
        return vault.open(lake.read(path))
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
    from cdm_pipelines.store.frames import to_frame  # noqa: PLC0415 - pandas loads where rows were corrected

    text = f"{delivered} {to_frame(corrections).to_csv(index=False)}"
    return Secret.of(settings.home).digest(text.encode())[:16]
