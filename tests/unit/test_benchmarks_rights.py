"""What the benchmark of access and erasure runs and says."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from benchmark_tables import rows

from benchmarks import homes, rights
from benchmarks.command import main
from benchmarks.meter import Usage
from benchmarks.rights_document import Size, markdown


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the stages without a process for each."""

    def run_here(command: Sequence[str], variables: Mapping[str, str], log: Path, *_: object) -> Usage:
        if "cdm_pipelines.cli" not in command:
            assert command[:3] == [sys.executable, "-m", "benchmarks"], log
            with monkeypatch.context() as patch:
                for name, value in variables.items():
                    patch.setenv(name, value)
                assert main(command[3:]) == 0
        return Usage(1.0, 1.0, 2**20)

    monkeypatch.setattr(homes, "measure", run_here)
    monkeypatch.setattr(rights, "measure", run_here)


@pytest.mark.slow
@pytest.mark.usefixtures("_in_this_process")
def test_a_small_benchmark_answers_and_erases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["rights", "--records", "300", "--persons", "3", "--out", str(tmp_path)]
    assert main(arguments) == 0, capsys.readouterr().err
    text = capsys.readouterr().out
    size = json.loads((tmp_path / "figures-rights-300.json").read_text(encoding="utf-8"))
    assert (size["erasure"]["persons"], size["erasure"]["found"]) == (3, 0)
    assert size["erasure"]["records"] >= 3
    assert len(size["access"]) == 20
    assert size["night"]["compared"] < 300, "the run after it is incremental"
    assert size["night"]["worked"] < size["customers"] / 3
    assert set(size["days"]) == {"plain", "encrypted"}
    assert "bank accounts encrypted" in text
    [heading] = [line[3:] for line in text.splitlines() if line.startswith("## ") and " records, " in line]
    assert float(rows(text, heading)["Archive, first of a process"][0]) > 0
    assert str(tmp_path) not in text


USED: Mapping[str, float] = {
    "seconds": 9.0,
    "cpu_seconds": 7.0,
    "database_cpu_seconds": 1.0,
    "peak_bytes": 2**30,
    "others": 0.1,
}
ERASED: Mapping[str, Any] = {
    "seconds": 50.0,
    "parts": {"reading what is known": 20.0, "landing": 10.0, "hub": 20.0},
    "persons": 100,
    "records": 800,
    "values": 1_000,
    "files": 100,
    "tables": 40,
    "found": 0,
}
NIGHT: Mapping[str, Any] = {"seconds": {"records": 1.0, "link": 2.0}, "compared": 700, "worked": 90}
SIZE = Size(1_000_000, 460_000, [1.5, 0.5, 0.7], 2.0, [1.9, 1.8], ERASED, USED, NIGHT, USED)


def test_the_document_says_whether_the_aims_are_met() -> None:
    def told(size: Size) -> str:
        return markdown([Size.of(json.loads(json.dumps(asdict(size))))], {"cores": "2"})

    assert "took **1.9 seconds** (aim: 2; met)" in told(SIZE)
    assert "writing the archive 0.7, at most 1.5." in told(SIZE)
    assert "took **9 seconds** (aim: 60; met)" in told(SIZE)
    assert "compared 700 pairs of records, worked through 90 customers, and took 3 seconds" in told(SIZE)
    assert "took **2.5 seconds** (aim: 2; not met)" in told(replace(SIZE, commands=[2.5]))
    slow = replace(SIZE, erasure_needed={**USED, "seconds": 61.0})
    assert "took **61 seconds** (aim: 60; not met)" in told(slow)
    assert "| The database | 20.0 |" in told(SIZE)
