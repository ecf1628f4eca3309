"""What the benchmark of insight and activation runs and says."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import profile
from benchmarks.command import main
from benchmarks.insight_document import Size, markdown
from benchmarks.meter import Usage


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

    monkeypatch.setattr(profile, "measure", run_here)


@pytest.mark.slow
@pytest.mark.usefixtures("_in_this_process")
def test_a_small_benchmark_scores_chooses_and_delivers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["insight", "--customers", "300", "--out", str(tmp_path)]) == 0, capsys.readouterr().err
    text = capsys.readouterr().out
    [size] = json.loads((tmp_path / "results" / "insight.json").read_text(encoding="utf-8"))["figures"][
        "sizes"
    ]
    said = size["said"]
    assert said["actions"]["customers"] == 300
    assert 0 < said["actions"]["chosen"] < 300, "not everybody allows an action"
    assert said["scorecards"]["days"] == 3
    assert 0 < said["audiences"]["audiences"]["newsletter"]["members"] < 240, "eight of ten said something"
    assert len(said["audiences"]["audiences"]) == 5
    assert "5 audiences of 300 customers" in text
    assert str(tmp_path) not in text


NEEDED: Mapping[str, float] = {
    "seconds": 9.0,
    "cpu_seconds": 7.0,
    "database_cpu_seconds": 1.0,
    "peak_bytes": 2**30,
    "others": 0.1,
}
SAID: Mapping[str, Any] = {
    "scorecards": {"seconds": 20.0},
    "audiences": {"seconds": 39.0, "audiences": {"newsletter": {"seconds": 39.0, "members": 1_000}}},
}
SIZE = Size(1_000_000, {"consent": 3}, {"scorecards": NEEDED, "audiences": NEEDED}, SAID)


def test_the_document_says_whether_the_aim_is_met() -> None:
    def told(size: Size) -> str:
        return markdown([Size.of(json.loads(json.dumps(asdict(size))))], {"cores": "2"})

    assert "took **59 seconds** (aim: 60; met)" in told(SIZE)
    assert "| `newsletter` | 1,000 | 39.0 |" in told(SIZE)
    slower = replace(SIZE, said={**SAID, "scorecards": {"seconds": 22.0}})
    assert "took **61 seconds** (aim: 60; not met)" in told(slower)
