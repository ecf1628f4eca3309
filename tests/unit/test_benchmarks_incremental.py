"""What the benchmark of incremental runs delivers, runs and says."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
from benchmark_tables import rows

from benchmarks import homes, incremental
from benchmarks.command import main
from benchmarks.deltas import changed
from benchmarks.incremental import UnequalError, require_equal
from benchmarks.incremental_document import Night, Share, Size, markdown
from benchmarks.meter import Usage
from cdm_demo.headers import SHOP_CUSTOMER

pytestmark = pytest.mark.slow  # stages and systems run in processes of their own

NIGHT = Night(
    steps={"records": 1.0, "link": 2.0, "stage": 3.0, "publish": 4.0},
    seconds=12.0,
    cpu_seconds=11.0,
    peak_bytes=2**30,
    database_bytes=2**20,
    others=0.0,
    records=10,
    compared=20,
    customers=30,
    worked=5,
    identity={"created": 1},
    published={"customer": 5},
)


def test_a_tenth_of_a_delta_is_new_and_the_rest_has_other_values() -> None:
    made = {
        name: [f"{name} {number}" for number in range(400)]
        for name in ("Customer ID", "Last Name", "Default Address Address1", "Email", "Phone", "Tags")
    }
    first = pd.DataFrame({**made, "Default Address City": "Delft", "Default Address Zip": "2600 AA"})
    first = first.reindex(columns=list(SHOP_CUSTOMER.columns), fill_value="")
    day = changed(first, 200)
    known = day[day["Customer ID"].isin(first["Customer ID"])].set_index("Customer ID")
    assert len(day) == 200
    assert len(known) == 180
    assert day["Customer ID"].is_unique
    before = first.set_index("Customer ID").loc[known.index]
    differs = {name: int((known[name] != before[name]).sum()) for name in known}
    assert all(40 <= differs[name] <= 45 for name in ("Last Name", "Default Address Address1"))
    assert differs["Email"] == differs["Phone"] == 45
    assert differs["Tags"] == 0
    assert changed(first, 200).equals(day), "the same each time"


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the stages without a process for each."""

    def run_here(command: Sequence[str], variables: Mapping[str, str], log: Path, *_: object) -> Usage:
        assert command[:3] == [sys.executable, "-m", "benchmarks"], log
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            assert main(command[3:]) == 0
        return Usage(1.0, 1.0, 2**20)

    monkeypatch.setattr(homes, "measure", run_here)
    monkeypatch.setattr(incremental, "measure", run_here)


@pytest.mark.usefixtures("_in_this_process")
def test_a_small_benchmark_runs_every_night(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["incremental", "--records", "300", "--shares", "0.05", "--out", str(tmp_path)]
    assert main(arguments) == 0, capsys.readouterr().err
    text = capsys.readouterr().out
    (share,) = json.loads((tmp_path / "figures-incremental-300.json").read_text(encoding="utf-8"))["shares"]
    assert share["rows"] == 15
    assert share["night"]["published"]["customer"] == share["full"]["published"]["customer"] > 0
    assert 0 < share["night"]["worked"] < share["full"]["worked"]
    assert share["again"]["worked"] == 0
    assert not any(share["again"]["published"].values())
    assert "15 changed, full" in text
    assert str(tmp_path) not in text


NOTHING = replace(NIGHT, identity={"created": 0}, published={"customer": 0})
EQUAL = Share(0.01, 10, NIGHT, NIGHT, NOTHING)


@pytest.mark.parametrize(
    ("share", "check", "untouched", "said"),
    [
        (EQUAL, NIGHT, True, "A rebuild after 10 changes published others"),
        (EQUAL, NOTHING, False, "An unchanged night wrote files"),
        (replace(EQUAL, again=NIGHT), NOTHING, True, "An unchanged night changed something"),
        (replace(EQUAL, again=replace(NOTHING, identity={"split": 1})), NOTHING, True, "An unchanged night"),
        (replace(EQUAL, full=NOTHING), NOTHING, True, "A rebuild published"),
    ],
)
def test_nights_that_come_to_different_customers_are_an_error(
    share: Share, check: Night, untouched: bool, said: str
) -> None:
    require_equal(EQUAL, NOTHING, untouched=True)
    with pytest.raises(UnequalError, match=said):
        require_equal(share, check, untouched=untouched)


def test_the_document_shows_the_largest_share_of_the_largest_size() -> None:
    def told(full: float) -> str:
        night = replace(NIGHT, steps=dict.fromkeys(NIGHT.steps, full))
        sizes = [Size(1_000, 500, (EQUAL,)), Size(2_000, 900, (replace(EQUAL, full=night, rows=20), EQUAL))]
        return markdown([Size.of(json.loads(json.dumps(asdict(size)))) for size in sizes], {"cores": "2"})

    assert "20 records new or changed among 2,000" in told(50.0)
    assert "**5.0%** of the time of a full one (aim: 8%; met)" in told(50.0)
    assert "**10.0%** of the time of a full one (aim: 8%; not met)" in told(25.0)
    assert rows(told(50.0), "2,000 records")["Link persons and organisations"][1:3] == ["2.00", "4.0%"]
