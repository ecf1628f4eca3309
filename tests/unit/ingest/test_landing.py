"""Which files belong to which day."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

import fsspec
import pytest
from ingest_samples import CUSTOMER

from cdm_pipelines.ingest import find_files, landing_dates

FILES = [
    "erp/customer/2026-06-01.csv",
    "erp/customer/2026-06-01-part2.csv.gz",
    "erp/customer/2026-06-02.csv",
    "erp/customer/2026-06-02.csv.done",
    "erp/customer/2026-06-02.csv.part",
    "erp/customer/2026-13-45.csv",
    "erp/customer/readme.txt",
    "erp/customer/old/2026-06-03.csv",
    "kna1/KNA1_20260601_full.txt",
    "daily/2026-06-01/customer.csv",
]


@pytest.fixture
def landing(tmp_path: Path) -> str:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"id\n")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("location", "dates", "found"),
    [
        ("erp/customer/{date}*.csv", ["2026-06-01", "2026-06-02"], [FILES[0], FILES[1]]),
        ("erp/customer/{date}*", ["2026-06-01", "2026-06-02"], [FILES[0], FILES[1]]),
        ("kna1/KNA1_{date:%Y%m%d}_*.txt", ["2026-06-01"], [FILES[8]]),
        ("daily/{date}/customer.csv", ["2026-06-01"], [FILES[9]]),
        ("*/{date}*.csv", [], []),
        ("nowhere/{date}.csv", [], []),
    ],
)
def test_files_and_dates(landing: str, location: str, dates: list[str], found: list[str]) -> None:
    contract = replace(CUSTOMER, location=location)
    assert landing_dates(landing, contract) == dates
    assert [file.path for file in find_files(landing, contract, "2026-06-01")] == found


def test_a_name_that_goes_on_comes_after_the_one_that_ends_and_numbers_count(tmp_path: Path) -> None:
    names = [
        "2026-06-01.csv",
        "2026-06-01 (1).csv",
        "2026-06-01-corrected.csv",
        "2026-06-01_2.csv",
        "2026-06-01_10.csv.gz",
    ]
    for name in names:
        path = tmp_path / "erp" / "customer" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"id\n")
    found = find_files(str(tmp_path), replace(CUSTOMER, location="erp/customer/{date}*.csv"), "2026-06-01")
    assert [PurePosixPath(file.path).name for file in found] == names


@pytest.mark.parametrize(
    "name", ["2026-06-03.CSV", "2026-06-03.CSV.GZ", "2026-06-03.ZIP", "2026-06-03.csv.Gz"]
)
def test_a_name_may_end_in_capitals(tmp_path: Path, name: str) -> None:
    path = tmp_path / "erp" / "customer" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"id\n")
    path.with_name(f"{name}.TMP").write_bytes(b"id\n")
    assert landing_dates(str(tmp_path), CUSTOMER) == ["2026-06-03"]
    assert [file.path for file in find_files(str(tmp_path), CUSTOMER, "2026-06-03")] == [
        f"erp/customer/{name}"
    ]


def test_unfinished_and_marker_files_are_no_extracts(landing: str) -> None:
    contract = replace(CUSTOMER, location="erp/customer/{date}*")
    assert [file.path for file in find_files(landing, contract, "2026-06-02")] == [
        "erp/customer/2026-06-02.csv"
    ]


def test_a_file_that_is_written_anew_looks_different(landing: str) -> None:
    (before,) = find_files(landing, CUSTOMER, "2026-06-02")
    Path(landing, before.path).write_bytes(b"id\n1\n")
    (after,) = find_files(landing, CUSTOMER, "2026-06-02")
    assert after != before
    assert after.size == 5


def test_any_file_system() -> None:
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe("/landing-dates/erp/customer/2026-06-01.csv", b"id\n")
    assert landing_dates("memory://landing-dates", CUSTOMER) == ["2026-06-01"]
    assert [file.size for file in find_files("memory://landing-dates", CUSTOMER, "2026-06-01")] == [3]
