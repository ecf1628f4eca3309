"""Corrected rows go to the days that they came from, also where two days were delivered with the same bytes."""

import csv
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest

from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.quarantine import (
    QuarantineError,
    accept_corrections,
    accept_row,
    export_rows,
)
from cdm_pipelines.steps.days.quarantine import (
    corrected as corrected_rows,
)
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake

CONTACT = contract_named("crm/contact")
DAYS = ("2026-06-01", "2026-06-02")
Rows = list[dict[str, str]]


@pytest.fixture
def exported(settings: Settings, tmp_path: Path) -> dict[str, Rows]:
    """The rejected rows of two days that are byte for byte the same: two of twelve lack their key."""
    text = "Id,LastName,IsDeleted,MasterRecordId,LastModifiedDate\n"
    for row in range(12):
        text += f"{'' if row in (2, 4) else f'K{row:014}'},Bos{row},false,,\n"
    rejected = {}
    for day in DAYS:
        path = Path(settings.landing_url) / "crm" / "contact" / f"{day}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        assert process_day(settings, Lake(settings.lake_url), CONTACT, day).quarantined == 2
        out = tmp_path / f"{day}.csv"
        assert export_rows(settings, "crm/contact", day, out) == 2
        with out.open(encoding="utf-8-sig", newline="") as lines:
            rejected[day] = list(csv.DictReader(lines))
    return rejected


def corrected(tmp_path: Path, rows: Rows, *without: str) -> Path:
    """The file that a person saves: every row with a key of its own."""
    filled = [
        {name: text for name, text in dict(row, Id=f"C{place:014}").items() if name not in without}
        for place, row in enumerate(rows)
    ]
    path = tmp_path / "corrected.csv"
    with path.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.DictWriter(sink, filled[0])
        writer.writeheader()
        writer.writerows(filled)
    return path


def quarantined(settings: Settings) -> list[int]:
    """How many rows of each day are rejected when the days are run again."""
    lake = Lake(settings.lake_url)
    return [process_day(settings, lake, CONTACT, day).quarantined for day in DAYS]


@pytest.mark.parametrize("without", [(), ("_file",), ("_quarantine",)])
def test_a_correction_lands_on_the_day_it_was_exported_from(
    settings: Settings, exported: dict[str, Rows], tmp_path: Path, without: tuple[str, ...]
) -> None:
    (taken,) = accept_corrections(settings, corrected(tmp_path, exported[DAYS[1]][:1], *without))
    assert (taken.date, taken.rows, taken.unknown) == (DAYS[1], 1, 0)
    assert quarantined(settings) == [2, 1]


def test_rows_of_several_days_go_each_to_its_own(
    settings: Settings, exported: dict[str, Rows], tmp_path: Path
) -> None:
    file = corrected(tmp_path, [*exported[DAYS[0]], exported[DAYS[1]][1]])
    taken = accept_corrections(settings, file)
    assert [(one.date, one.rows) for one in taken] == [(DAYS[0], 2), (DAYS[1], 1)]
    assert quarantined(settings) == [0, 1]


def test_a_row_that_could_be_of_two_days_is_refused_with_what_to_keep(
    settings: Settings, exported: dict[str, Rows], tmp_path: Path
) -> None:
    file = corrected(tmp_path, exported[DAYS[0]], "_file", "_quarantine")
    with pytest.raises(QuarantineError, match="crm/contact of 2026-06-01 or crm/contact of 2026-06-02"):
        accept_corrections(settings, file)
    assert quarantined(settings) == [2, 2]


def test_rows_that_are_in_no_quarantine_any_more_are_counted(
    settings: Settings, exported: dict[str, Rows], tmp_path: Path
) -> None:
    accept_corrections(settings, corrected(tmp_path, exported[DAYS[0]][:1]))
    assert quarantined(settings) == [1, 2]
    (taken,) = accept_corrections(settings, corrected(tmp_path, exported[DAYS[0]]))
    assert (taken.rows, taken.unknown) == (1, 1)
    assert quarantined(settings) == [0, 2]


def test_rows_that_nobody_corrected_are_no_corrections(
    settings: Settings, exported: dict[str, Rows], tmp_path: Path
) -> None:
    file = tmp_path / f"{DAYS[0]}.csv"
    with pytest.raises(QuarantineError, match="none of its rows was changed"):
        accept_corrections(settings, file)
    rows = exported[DAYS[0]]
    mixed = tmp_path / "mixed.csv"
    with mixed.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.DictWriter(sink, rows[0])
        writer.writeheader()
        writer.writerows([dict(rows[0], Id="C00000000000009"), rows[1]])
    (taken,) = accept_corrections(settings, mixed)
    assert (taken.rows, taken.unknown, taken.unchanged) == (1, 0, 1)
    assert quarantined(settings) == [1, 2]


def test_of_rows_of_one_key_the_one_that_was_changed_last_is_accepted(settings: Settings) -> None:
    text = """Id,LastName,Email,IsDeleted,MasterRecordId,LastModifiedDate
K00000000000001,Bos,old@firma.nl,false,,2026-05-01T09:00:00Z
K00000000000001,Bos,new@firma.nl,false,,2026-06-02T09:00:00+02:00
K00000000000001,Bos,older@firma.nl,false,,2026-06-02T06:59:59Z
K00000000000001,Bos,ever@firma.nl,false,,9999-12-31T00:00:00Z
K00000000000001,Bos,some@firma.nl,false,,
"""
    path = Path(settings.landing_url) / "crm" / "contact" / f"{DAYS[0]}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    lake = Lake(settings.lake_url)
    process_day(settings, lake, CONTACT, DAYS[0])
    kept = lake.read(layout.valid_path(CONTACT, DAYS[0]), ["Email"]).to_pydict()
    assert kept == {"Email": ["new@firma.nl"]}


def test_numbers_that_lost_their_zeros_in_a_spreadsheet_name_nobody_else(
    settings: Settings, tmp_path: Path
) -> None:
    contract = contract_named("erp/customer")
    path = Path(settings.landing_url) / "erp" / "customer" / f"{DAYS[0]}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"KUNNR": f"{row:010}", "NAME1": f"Bakker {row}", "TELF1": "0612345679"} for row in range(12)]
    cells[3]["NAME1"] = ""
    with path.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.DictWriter(sink, contract.column_names, delimiter=";")
        writer.writeheader()
        writer.writerows(cells)
    lake = Lake(settings.lake_url)
    assert process_day(settings, lake, contract, DAYS[0]).quarantined == 1
    out = tmp_path / "out.csv"
    export_rows(settings, contract.name, DAYS[0], out)
    with out.open(encoding="utf-8-sig", newline="") as lines:
        (exported,) = csv.DictReader(lines)
    opened = {name: str(int(text)) if text.isdigit() else text for name, text in exported.items()}
    stripped = {name: text.lstrip("'").lstrip("0") for name, text in exported.items()}
    for line, refused in ((stripped, True), (opened, False)):
        with out.open("w", encoding="utf-8", newline="") as sink:
            writer = csv.DictWriter(sink, line)
            writer.writeheader()
            writer.writerow({**line, "_sha256": opened["_sha256"], "_row": opened["_row"], "NAME1": "Mol"})
        if refused:
            with pytest.raises(QuarantineError, match="leading zeros are gone in 'KUNNR', 'TELF1'"):
                accept_corrections(settings, out)
    accept_corrections(settings, out)
    assert process_day(settings, lake, contract, DAYS[0]).quarantined == 0
    kept = lake.read(layout.valid_path(contract, DAYS[0]), ["KUNNR"])["KUNNR"].to_pylist()
    assert kept == [row["KUNNR"] for row in cells]


def correct_one(settings: Settings, row: dict[str, str], barrier: Barrier | None = None) -> None:
    if barrier is not None:
        barrier.wait()
    place = (row["_sha256"], int(row["_row"]))
    accept_row(settings, "crm/contact", DAYS[0], place, {"Id": f"C{int(row['_row']):014}"})


def test_rows_that_several_people_correct_at_once_are_all_kept(settings: Settings, tmp_path: Path) -> None:
    text = "Id,LastName,IsDeleted,MasterRecordId,LastModifiedDate\n"
    text += "".join(f"{'' if row % 5 == 0 else f'K{row:014}'},Bos{row},false,,\n" for row in range(60))
    path = Path(settings.landing_url) / "crm" / "contact" / f"{DAYS[0]}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    assert process_day(settings, Lake(settings.lake_url), CONTACT, DAYS[0]).quarantined == 12
    export_rows(settings, "crm/contact", DAYS[0], tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(partial(correct_one, settings, barrier=Barrier(8)), rows[:8]))
    assert len(corrected_rows(settings, "crm/contact", DAYS[0])) == 8
    with ProcessPoolExecutor(2) as processes:
        list(processes.map(partial(correct_one, settings), rows[8:]))
    assert process_day(settings, Lake(settings.lake_url), CONTACT, DAYS[0]).quarantined == 0
