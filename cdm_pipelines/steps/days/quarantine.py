"""The quarantine as a person works with it: an overview, reasons, rows out as CSV, corrected rows back in.

Belongs here: reading and writing the lake's quarantine. Does not belong here: rules, or how CSV is made harmless
(quality).
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import Column, SourceContract
from cdm_pipelines.contracts.catalogue import all_contracts, contract_named, contracts_of
from cdm_pipelines.contracts.told import told_names, told_path
from cdm_pipelines.privacy.protection import Vault
from cdm_pipelines.quality.corrections import (
    CORRECTING,
    DEFECT,
    QUARANTINE,
    REASONS,
    export_quarantine,
    lost_zeros,
    read_corrections,
)
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.settings import Settings
from cdm_pipelines.store import layout
from cdm_pipelines.store.files import one_at_a_time, write_whole
from cdm_pipelines.store.frames import to_frame, to_table
from cdm_pipelines.store.lake import Lake

ORIGIN = ["_sha256", "_row"]
_PLACE = "_place"


class QuarantineError(ValueError):
    """What was asked is not there; the message says what is."""


@dataclass(frozen=True)
class Accepted:
    """Corrected rows of one day that were taken back.

    Attributes:
        contract: Of which source entity.
        date: Of which day.
        rows: How many.
        unknown: More rows of the whole file, which are in no quarantine.
        unchanged: More rows of the whole file, which stand as they were exported.
    """

    contract: SourceContract
    date: str
    rows: int
    unknown: int = 0
    unchanged: int = 0


def overview(settings: Settings, source: str = "", date: str = "") -> list[dict[str, object]]:
    """Quarantined rows and repaired cells per source entity, day and rule."""
    lake = Lake(settings.lake_url)
    found: list[dict[str, object]] = []
    for contract in contracts_of(source) if source else all_contracts():
        for day in layout.days(lake, "quarantine", contract):
            if date in ("", day):
                rows = _rules(lake, layout.quarantine_path(contract, day))
                cells = Counter(lake.read(layout.repairs_path(contract, day), ["rule"])["rule"].to_pylist())
                found += [
                    {"source": contract.name, "date": day, "rule": r, "rows": rows[r], "cells": cells[r]}
                    for r in sorted(rows.keys() | cells.keys())
                ]
    return found


def _rules(lake: Lake, path: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in lake.read(path, ["_reasons"])["_reasons"].to_pylist():
        counts.update({reason["rule"] for reason in json.loads(text)})
    return counts


def reasons(settings: Settings, name: str, date: str = "", limit: int = 20) -> list[dict[str, object]]:
    """Why rows were rejected, a line per reason, without any value of theirs."""
    lake, contract = Lake(settings.lake_url), contract_named(name)
    found: list[dict[str, object]] = []
    for day in layout.days(lake, "quarantine", contract):
        if date in ("", day):
            table = lake.read(layout.quarantine_path(contract, day), ["_file", "_row", "_reasons"])
            for row in table.to_pylist():
                found += [
                    {"file": told_path(row["_file"], contract), "row": row["_row"], **r}
                    for r in json.loads(row["_reasons"])
                ]
            if len(found) >= limit:
                break
    return found[:limit]


def repaired_cells(settings: Settings, name: str, date: str = "", limit: int = 20) -> list[dict[str, object]]:
    """Cells of accepted rows of which nothing, or not all, was taken over: where, why, and what became of them."""
    lake, contract = Lake(settings.lake_url), contract_named(name)
    found: list[dict[str, object]] = []
    for day in layout.days(lake, "repairs", contract):
        if date in ("", day) and len(found) < limit:
            table = lake.read(layout.repairs_path(contract, day)).slice(0, limit - len(found))
            found += [
                {
                    "file": row["_file"],
                    "row": row["_row"],
                    **{key: row[key] for key in ("column", "rule", "shape", "action")},
                    "fix": Rule(row["rule"]).fix(_declared(contract, row["column"])),
                }
                for row in table.to_pylist()
            ]
    return found


def _declared(contract: SourceContract, name: str) -> Column | None:
    return next((column for column in contract.columns if column.name == name), None)


def held_rows(settings: Settings, name: str, date: str, start: int = 0, limit: int = 50) -> pa.Table:
    """Rejected rows of a day, in clear, with their place and reasons; none where there are none.

    Args:
        settings: Of the deployment.
        name: ``source/entity``.
        date: The day.
        start: How many to pass over.
        limit: How many at most.
    """
    lake, contract = Lake(settings.lake_url), contract_named(name)
    path = layout.quarantine_path(contract, date)
    if not lake.exists(path):
        return pa.table({"_sha256": pa.array([], pa.string())})
    return Vault.of(settings, lake).open(lake.read(path).slice(start, limit))


def held_count(settings: Settings, name: str, date: str) -> int:
    """How many rows of a day are in quarantine."""
    lake = Lake(settings.lake_url)
    path = layout.quarantine_path(contract_named(name), date)
    return lake.count(path) if lake.exists(path) else 0


def held_row(settings: Settings, name: str, date: str, sha256: str, row: int) -> dict[str, object]:
    """One rejected row of a day, in clear, with its place and reasons.

    Raises:
        QuarantineError: It is not in quarantine, or no longer.
    """
    lake, contract = Lake(settings.lake_url), contract_named(name)
    path = layout.quarantine_path(contract, date)
    if lake.exists(path):
        table = lake.read(path)
        of = table.filter(pc.and_(pc.equal(table["_sha256"], sha256), pc.equal(table["_row"], row)))
        if of.num_rows:
            found: dict[str, object] = Vault.of(settings, lake).open(of.slice(0, 1)).to_pylist()[0]
            return found
    raise QuarantineError(f"Row {row:,} of {name} of {date} is not in quarantine, or no longer.")


def corrected(settings: Settings, name: str, date: str) -> set[tuple[str, int]]:
    """Rows of a day that were corrected: checksum of the file, and number."""
    lake, path = Lake(settings.lake_url), layout.corrections_path(contract_named(name), date)
    if not lake.exists(path):
        return set()
    rows = lake.read(path, ORIGIN)
    return set(zip(*(rows[one].to_pylist() for one in ORIGIN), strict=True))


def accept_row(
    settings: Settings, name: str, date: str, place: tuple[str, int], cells: Mapping[str, str | None]
) -> Accepted:
    """Take one corrected row back: from now on it replaces the delivered one whenever its day is run.

    Args:
        settings: Of the deployment.
        name: ``source/entity``.
        date: The day.
        place: Checksum of the row's file, and its number.
        cells: What is right, by column; the others stay as they are.

    Raises:
        QuarantineError: The row is not in quarantine, a column is none of the contract, or nothing is changed.
    """
    lake, contract = Lake(settings.lake_url), contract_named(name)
    held = held_row(settings, name, date, *place)
    if unknown := [column for column in cells if column not in contract.column_names or column not in held]:
        raise QuarantineError(f"{name} has no column {told_names(unknown, contract.column_names)}.")
    if all(held[column] == cell for column, cell in cells.items()):
        raise QuarantineError("Nothing was changed: the row would be rejected again for the same reasons.")
    kept = {one: held[one] for one in held if one not in (REASONS, DEFECT)}
    row = pa.Table.from_pylist([{**kept, **cells}])
    texts = [pa.field(one.name, pa.string()) if one.type == pa.null() else one for one in row.schema]
    _keep(settings, lake, contract, date, rows=to_frame(row.cast(pa.schema(texts))))
    return Accepted(contract, date, 1)


def export_rows(settings: Settings, name: str, date: str, out: Path) -> int:
    """Write a day's rejected rows as CSV, reasons beside them; returns their number.

    Raises:
        QuarantineError: Nothing of that day is in quarantine.
    """
    lake, contract = Lake(settings.lake_url), contract_named(name)
    path = layout.quarantine_path(contract, date)
    if not lake.exists(path) or not lake.count(path):
        raise QuarantineError(f"{name} has no quarantined rows of {date}. See `cdm quarantine list`.")
    rows = Vault.of(settings, lake).open(lake.read(path))
    write_whole(out, export_quarantine(rows, f"{name}/{date}"))
    return rows.num_rows


def accept_corrections(settings: Settings, file: Path) -> list[Accepted]:
    """Take corrected rows back: from now on they replace the delivered ones whenever their day is run.

    Each row goes to the day that it was exported from. Nothing is kept when a row could be of several days.

    Returns:
        What was taken back, by source entity and day.

    Raises:
        QuarantineError: The file is no export of the quarantine, some of its rows could be of several days, or none is
            in quarantine any more, none was changed, or a spreadsheet took leading zeros away.
    """
    lake = Lake(settings.lake_url)
    corrected = read_corrections(file.read_bytes())
    corrected.insert(0, _PLACE, range(len(corrected)))
    found = list(_found(lake, corrected))
    places = [place for _, _, rows in found for place in rows[_PLACE]]
    if twice := [place for place, count in Counter(places).items() if count > 1]:
        of = sorted({f"{c.name} of {d}" for c, d, rows in found if rows[_PLACE].isin(twice).any()})
        raise QuarantineError(
            f"{file.name}: {len(twice):,} of its rows could be of {' or '.join(of)}, which were delivered with the "
            f"same bytes. Keep the columns _file and {QUARANTINE} as they were exported."
        )
    if not places:
        raise QuarantineError(
            f"{file.name}: none of its rows is in quarantine. Start from `cdm quarantine export` and keep the columns "
            "_sha256 and _row as they are."
        )
    changed = [
        (contract, date, _changed(settings, lake, contract, date, rows=rows, file=file.name))
        for contract, date, rows in found
    ]
    changed = [one for one in changed if len(one[2])]
    if not changed:
        raise QuarantineError(
            f"{file.name}: none of its rows was changed, so they would be rejected again for the same reasons."
        )
    unchanged = len(places) - sum(len(rows) for _, _, rows in changed)
    for contract, date, rows in changed:
        _keep(settings, lake, contract, date, rows=rows.drop(columns=[_PLACE]))
    return [
        Accepted(contract, date, len(rows), len(corrected) - len(places), unchanged)
        for contract, date, rows in changed
    ]


def _changed(
    settings: Settings, lake: Lake, contract: SourceContract, date: str, *, rows: pd.DataFrame, file: str
) -> pd.DataFrame:
    """Rows of a day that do not stand as they would be exported now.

    Raises:
        QuarantineError: Numbers have lost their leading zeros, and would name somebody else.
    """
    held = Vault.of(settings, lake).open(lake.read(layout.quarantine_path(contract, date)))
    exported = read_corrections(export_quarantine(held, f"{contract.name}/{date}"))
    cells = [name for name in exported if name in rows and name not in (*ORIGIN, "_file", QUARANTINE)]
    by = ORIGIN if "_file" not in rows else [*ORIGIN, "_file"]
    before = rows[by].merge(exported[[*by, *cells]].drop_duplicates(by), on=by, how="left")
    if lost := lost_zeros(before, rows, contract):
        raise QuarantineError(
            f"{file}: leading zeros are gone in {told_names(lost, contract.column_names)}, as when a spreadsheet saves "
            "numbers. Put them back with an apostrophe in front ('00123), or export the rows again and leave the "
            "apostrophes where they are; what is meant to have no zeros can be corrected in the console."
        )
    same = rows[cells].fillna("").to_numpy() == before[cells].fillna("").to_numpy()
    changed: pd.DataFrame = rows.loc[~same.all(axis=1)]
    return changed


def _found(lake: Lake, corrected: pd.DataFrame) -> Iterator[tuple[SourceContract, str, pd.DataFrame]]:
    """By source entity and day, the rows that are in its quarantine."""
    told = corrected.get(QUARANTINE)
    by = [*ORIGIN, "_file"] if "_file" in corrected else ORIGIN
    for contract in all_contracts():
        for date in layout.days(lake, "quarantine", contract):
            rows = corrected if told is None else corrected[told.isna() | (told == f"{contract.name}/{date}")]
            if rows.empty:
                continue
            held = to_frame(lake.read(layout.quarantine_path(contract, date), [*ORIGIN, "_file"]))
            keys = held[by].drop_duplicates()
            here = rows.merge(keys, on=by, how="inner")
            if len(here):
                yield contract, date, here.drop(columns=[QUARANTINE], errors="ignore")


def _keep(settings: Settings, lake: Lake, contract: SourceContract, date: str, *, rows: pd.DataFrame) -> None:
    """Add to the day's corrections; a row that is corrected again replaces its earlier correction."""
    path = layout.corrections_path(contract, date)
    vault = Vault.for_contract(settings, lake, contract)
    new = vault.seal(to_table(rows), vault.protection.delivered(contract))
    with one_at_a_time(settings.home / CORRECTING):  # what another keeps meanwhile would be lost
        if lake.exists(path):
            earlier = to_frame(lake.read(path))
            kept = earlier.merge(rows[ORIGIN], on=ORIGIN, how="left", indicator=True)
            kept = kept[kept["_merge"] == "left_only"].drop(columns="_merge")
            new = pa.concat_tables([to_table(kept), new], promote_options="default")
        lake.write(path, new.sort_by([("_sha256", "ascending"), ("_row", "ascending")]))
