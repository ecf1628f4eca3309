"""A delivery is compared with the one before it, and with what the lake was made from."""

import datetime as dt
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.figures import day_checks
from cdm_pipelines.steps.days.landing import deliveries, due, ingested_digests
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.days.tally import DayResult
from cdm_pipelines.store import layout
from cdm_pipelines.store.damage import LakeError
from cdm_pipelines.store.lake import Lake


@pytest.fixture
def contact() -> SourceContract:
    found = contract_named("crm/contact")
    assert found.delivery.value == "snapshot"
    return found


def delivered(
    settings: Settings, contract: SourceContract, date: str, rows: int, accept: tuple[str, ...] = ()
) -> DayResult:
    """A day of so many rows, each with its key, a name and nothing else."""
    columns = contract.column_names
    named = next(column.name for column in contract.columns if "party.family_name" in column.maps_to)
    lines = [",".join(columns)]
    for row in range(rows):
        cells = {contract.key[0]: f"K{row:014}", named: "Bos"}
        lines.append(",".join(cells.get(name, "") for name in columns))
    path = Path(settings.landing_url) / contract.source / contract.entity / f"{date}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return process_day(settings, Lake(settings.lake_url), contract, date, accept=accept)


def volume(result: DayResult) -> tuple[bool, str]:
    verdict = result.verdicts["volume"]
    return verdict.passed, verdict.text


def test_a_snapshot_is_compared_with_the_last_day_and_not_with_an_older_one(
    settings: Settings, contact: SourceContract
) -> None:
    assert "volume" not in delivered(settings, contact, "2026-06-01", 40).verdicts
    delivered(settings, contact, "2026-06-02", 100)
    passed, text = volume(delivered(settings, contact, "2026-06-04", 50))
    assert not passed
    assert text.startswith("50 rows against 100 on 2026-06-02: 50.0% fewer")


def test_a_company_that_shrank_long_ago_is_not_held_to_its_first_day(
    settings: Settings, contact: SourceContract
) -> None:
    delivered(settings, contact, "2026-06-01", 100)
    assert not delivered(settings, contact, "2026-06-02", 40, accept=("volume",)).stopped
    assert volume(delivered(settings, contact, "2026-06-03", 40)) == (
        True,
        "40 rows against 40 on 2026-06-02: 0.0% fewer",
    )


def test_a_refused_day_is_no_yardstick_for_the_days_after_it(
    settings: Settings, contact: SourceContract
) -> None:
    delivered(settings, contact, "2026-06-01", 100)
    for day, rows in (("2026-06-02", 40), ("2026-06-03", 40), ("2026-06-04", 39)):
        passed, text = volume(delivered(settings, contact, day, rows))
        assert not passed
        assert f"{rows} rows against 100 on 2026-06-01" in text
        assert f"--date {day} --source crm --accept volume" in text
    assert delivered(settings, contact, "2026-06-02", 96).verdicts["volume"].rank == 0
    (_, text) = volume(delivered(settings, contact, "2026-06-03", 94))
    assert text.startswith("94 rows against 96 on 2026-06-02")


def test_a_day_refused_when_it_was_delivered_anew_keeps_what_it_was_measured_by(
    settings: Settings, contact: SourceContract
) -> None:
    delivered(settings, contact, "2026-06-01", 100)
    delivered(settings, contact, "2026-06-02", 100)
    assert delivered(settings, contact, "2026-06-02", 10).stopped
    assert volume(delivered(settings, contact, "2026-06-03", 12))[1].startswith("12 rows against 100")


def test_a_day_that_is_run_again_is_not_compared_with_later_ones(
    settings: Settings, contact: SourceContract
) -> None:
    delivered(settings, contact, "2026-06-01", 40)
    delivered(settings, contact, "2026-06-02", 40)
    delivered(settings, contact, "2026-06-03", 100)
    passed, text = volume(delivered(settings, contact, "2026-06-02", 40))
    assert passed
    assert "against 40 on 2026-06-01" in text


def test_of_several_days_the_one_that_stops_is_told(settings: Settings, contact: SourceContract) -> None:
    sizes = {"2026-06-01": 100, "2026-06-02": 100, "2026-06-03": 85, "2026-06-04": 20, "2026-06-05": 18}
    results = [delivered(settings, contact, date, rows) for date, rows in sizes.items()]
    ranks = [result.verdicts["volume"].rank for result in results[1:]]
    assert ranks == [0, 1, 2, 2]
    told = day_checks(results)["raw"]["volume"]
    assert (told.passed, told.severity) == (False, "ERROR")
    assert told.text.startswith("20 rows against 85 on 2026-06-03")


def test_a_day_delivered_anew_under_the_same_names_and_sizes_is_another_day(
    settings: Settings, contact: SourceContract
) -> None:
    before = delivered(settings, contact, "2026-06-01", 5)
    (path,) = (Path(settings.landing_url) / contact.name).glob("*.csv")
    path.write_bytes(path.read_bytes().replace(b"0004", b"0009"))
    after = process_day(settings, Lake(settings.lake_url), contact, "2026-06-01")
    assert before.files == after.files
    assert before.fingerprint != after.fingerprint


def test_a_sensor_that_begins_anew_asks_only_for_what_the_lake_was_not_made_from(
    settings: Settings, contact: SourceContract
) -> None:
    delivered(settings, contact, "2026-06-01", 5)
    delivered(settings, contact, "2026-06-02", 5)
    path = Path(settings.landing_url) / contact.name / "2026-06-02.csv"
    path.write_bytes(path.read_bytes() + b"\n")
    found, problems = deliveries(settings.landing_url, [contact], marker="")
    known = ingested_digests(Lake(settings.lake_url), [contact], found)
    assert problems == []
    assert known == {"2026-06-01": found["2026-06-01"].digest}


def test_a_corrected_file_of_the_same_size_is_new_until_it_was_ingested(
    settings: Settings, contact: SourceContract
) -> None:
    """One digit was wrong: nobody would see it go unread."""

    def is_new() -> bool:
        return bool(due(settings, [contact], "", [contact.entity])[0].ready)

    delivered(settings, contact, "2026-06-01", 5)
    assert not is_new()
    path = Path(settings.landing_url) / contact.name / "2026-06-01.csv"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"0004", b"0009"))
    os.utime(path, (path.stat().st_atime + 60, path.stat().st_mtime + 60))
    assert is_new()
    process_day(settings, Lake(settings.lake_url), contact, "2026-06-01")
    assert not is_new()


def test_a_day_that_was_cut_short_after_its_raw_table_is_run_again(
    settings: Settings, contact: SourceContract, tmp_path: Path
) -> None:
    """Killed, or the disk full: what was read is there already, what follows from it is of before, or not there."""
    lake = Path(settings.lake_url)

    def is_new() -> bool:
        found, _ = deliveries(settings.landing_url, [contact], marker="")
        return "2026-06-01" not in ingested_digests(Lake(settings.lake_url), [contact], found)

    delivered(settings, contact, "2026-06-01", 5)
    assert not is_new()
    aside = shutil.copytree(lake, tmp_path / "aside")
    delivered(settings, contact, "2026-06-01", 6)
    assert not is_new()
    of_day = [path for path in lake.rglob("*") if path.is_file() and "2026-06-01" in str(path)]
    later = [path for path in of_day if "/raw/" not in str(path)]
    assert len(later) > 2
    for path in later:
        path.unlink()
    assert is_new(), "nothing was made of it"
    for path in later:
        before = aside / path.relative_to(lake)
        if before.exists():
            shutil.copy2(before, path)
    assert is_new(), "what is there was made of what was delivered before"
    assert process_day(settings, Lake(settings.lake_url), contact, "2026-06-01").accepted == 6
    assert not is_new()


def test_a_day_whose_last_table_cannot_be_put_in_place_has_not_ended(
    settings: Settings, contact: SourceContract
) -> None:
    """What was accepted is there already by then, and the standardised day is still that of before."""
    in_the_way = Path(settings.lake_url) / layout.standard_path(contact, "2026-06-01", Entity.PARTY)
    (in_the_way / "a folder").mkdir(parents=True)
    with pytest.raises(LakeError, match="cannot be written"):
        delivered(settings, contact, "2026-06-01", 5)
    assert (Path(settings.lake_url) / layout.valid_path(contact, "2026-06-01")).exists()
    found, _ = deliveries(settings.landing_url, [contact], marker="")
    assert ingested_digests(Lake(settings.lake_url), [contact], found) == {}
    shutil.rmtree(in_the_way)
    process_day(settings, Lake(settings.lake_url), contact, "2026-06-01")
    assert ingested_digests(Lake(settings.lake_url), [contact], found).keys() == found.keys()


def test_a_day_that_a_check_refused_is_not_run_again_by_itself(
    settings: Settings, contact: SourceContract
) -> None:
    for date, rows in (("2026-06-01", 100), ("2026-06-02", 20)):
        result = delivered(settings, contact, date, rows)
    assert result.verdicts["volume"].stops
    found, _ = deliveries(settings.landing_url, [contact], marker="")
    assert ingested_digests(Lake(settings.lake_url), [contact], found).keys() == found.keys()


def test_a_year_of_days_is_looked_at_by_one_listing_of_the_folder(
    settings: Settings, contact: SourceContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(settings.landing_url) / contact.name
    folder.mkdir(parents=True, exist_ok=True)
    days = [f"{dt.date(2025, 1, 1) + dt.timedelta(days=at)}" for at in range(365)]
    for day in days:
        (folder / f"{day}.csv").write_text("a\n", encoding="utf-8")
    listed: list[str] = []
    find = LocalFileSystem.find

    def counted(self: LocalFileSystem, path: str, **more: Any) -> Any:
        listed.append(path)
        return find(self, path, **more)

    monkeypatch.setattr(LocalFileSystem, "find", counted)
    found, problems = deliveries(settings.landing_url, [contact], marker="")
    assert (sorted(found), problems) == (days, [])
    assert len(listed) < 5


def test_a_row_with_several_reasons_counts_under_each(settings: Settings, contact: SourceContract) -> None:
    delivered(settings, contact, "2026-06-01", 1)
    path = Path(settings.landing_url) / contact.name / "2026-06-01.csv"
    header = path.read_text(encoding="utf-8").partition("\n")[0]
    cells = "," * header.count(",")
    path.write_text(f"{header}\n{cells}\nK1{cells}\nK1{cells}\n", encoding="utf-8")
    result = process_day(settings, Lake(settings.lake_url), contact, "2026-06-01")
    assert result.quarantined == 3
    assert result.reasons == {"missing_key": 1, "superseded": 1, "missing": 3, "pattern": 2}
