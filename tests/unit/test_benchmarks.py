"""What a user of ``make benchmark`` sees, at a size that takes seconds."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil
import pytest
from benchmark_tables import rows

from benchmarks import document, first_load
from benchmarks.command import main
from benchmarks.extracts import Extracts
from benchmarks.first_load import Measured, Run
from benchmarks.meter import StageError, Usage, environment, measure
from benchmarks.peers import Linking
from cdm_pipelines.settings import Settings, root

pytestmark = pytest.mark.slow  # stages and systems run in processes of their own

STAGES = [
    "Make the database, start PostgreSQL, migrate",
    "Land, validate, standardise: crm",
    "Land, validate, standardise: erp",
    "Land, validate, standardise: shop",
    "Current state of parties",
    "Current state of orders, lines, payments",
    "Link persons and organisations",
    "Golden ids and values into staging, audited",
    "Publish in one transaction",
]


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the stages without a process for each: starting Python 16 times is most of a small benchmark."""

    def run_here(command: Sequence[str], variables: Mapping[str, str], log: Path, _: object) -> Usage:
        assert command[:3] == [sys.executable, "-m", "benchmarks"], log
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            assert main(command[3:]) == 0
        return Usage(1.0, 1.0, 2**20)

    monkeypatch.setattr(first_load, "measure", run_here)


def test_a_stage_runs_in_a_process_of_its_own(settings: Settings, tmp_path: Path) -> None:
    variables = environment(**settings.environment(), PYTHONPATH=str(root()))
    command = [sys.executable, "-m", "benchmarks", "stage", str(tmp_path / "counts.json"), "records party"]
    usage = measure(command, variables, tmp_path / "log.txt")
    assert json.loads((tmp_path / "counts.json").read_text(encoding="utf-8")) == {"rows": 0}
    assert usage.peak_bytes > 50_000_000


@pytest.mark.usefixtures("_in_this_process")
def test_a_small_benchmark_shows_every_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDM_DATABASE_URL", "postgresql://nobody@localhost:1/the_users_own")
    assert main(["--records", "300", "--skip-peers", "--out", str(tmp_path)]) == 0

    text = capsys.readouterr().out
    assert (tmp_path / "benchmarks.md").read_text(encoding="utf-8") == text
    first, again = rows(text, "First load"), rows(text, "Unchanged")
    assert list(first) == [*STAGES, "**All**"]
    assert list(again) == [*STAGES[4:], "**All**"]
    assert all(float(first[name][1]) > 0 for name in STAGES)
    assert 250 < int(first["Current state of parties"][0]) < 350
    assert float(rows(text, "Quality")["cdm_pipelines"][4]) > 0.5
    assert list(rows(text, "Quality")) == ["cdm_pipelines"]
    assert str(tmp_path) not in text

    figures = json.loads((tmp_path / "figures-300.json").read_text(encoding="utf-8"))
    assert figures["runs"][0]["again"][-1]["counts"]["changed"] == 0, "a rerun changes no customer"
    assert str(tmp_path) not in json.dumps(figures)
    ET.parse(tmp_path / "benchmarks.svg")
    assert not [
        left for left in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(left.info["cmdline"])
    ]


def test_the_meter_adds_up_what_descendants_hold_at_the_same_time(tmp_path: Path) -> None:
    held = 60_000_000
    child = f"import time; held = b'x' * {held}; time.sleep(1)"
    script = (
        "import subprocess, sys; "
        f"children = [subprocess.Popen([sys.executable, '-c', {child!r}]) for _ in range(2)]; "
        "sys.exit(max(child.wait() for child in children))"
    )
    usage = measure([sys.executable, "-c", script], environment(), tmp_path / "log.txt")
    assert 2 * held < usage.peak_bytes < 3 * held
    assert 1 <= usage.seconds < 20
    assert 0 < usage.cpu_seconds < usage.seconds * (psutil.cpu_count() or 1) + 1


def test_the_meter_counts_the_work_of_processes_that_nobody_waits_for(tmp_path: Path) -> None:
    done = tmp_path / "done"
    work = f"""
import pathlib, time
while time.process_time() < 1: pass
pathlib.Path({str(done)!r}).touch()
"""
    script = f"""
import os, pathlib, subprocess, sys, time
subprocess.Popen([sys.executable, '-c', {work!r}])
while not pathlib.Path({str(done)!r}).exists(): time.sleep(0.05)
os._exit(0)
"""
    usage = measure([sys.executable, "-c", script], environment(), tmp_path / "log.txt")
    assert usage.cpu_seconds > 0.8


def test_the_meter_watches_the_database_apart(tmp_path: Path) -> None:
    code = "import time; held = b'x' * 80_000_000; time.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", code]) as database:
        time.sleep(1)
        usage = measure(
            [sys.executable, "-c", "import time; time.sleep(0.5)"],
            environment(),
            tmp_path / "log.txt",
            lambda: database.pid,
        )
        database.kill()
    assert usage.peak_bytes < 60_000_000
    assert usage.database_bytes > 80_000_000


def test_a_stage_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"(?s)link failed with code 1.*the lake is dry"):
        measure([sys.executable, "-c", "raise SystemExit('the lake is dry')"], {}, tmp_path / "link.log")


def test_variables_of_the_user_do_not_reach_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDM_DATABASE_URL", "postgresql://production")
    monkeypatch.setenv("DAGSTER_HOME", "/production")
    assert environment(CDM_HOME="/here").keys() & {"CDM_DATABASE_URL", "DAGSTER_HOME", "CDM_HOME"} == {
        "CDM_HOME"
    }


def stage(name: str, seconds: float, **counts: object) -> Measured:
    return Measured(name, Usage(seconds, seconds, 100 * 2**20, 0.0, 50 * 2**20), counts)


def report(*totals: float, others: float = 0.1, best_f1: float = 0.7) -> document.Report:
    linking = Linking(10.0, 15.0, Usage(12.0, 20.0, 700 * 2**20), {"person": {"fit": 6.0, "pairs": 5}})

    def measures(f1: float) -> dict[str, dict[str, float]]:
        return {"all": {"records": 9, "precision": 1, "recall": 0.5, "F1": f1, "B-cubed F1": 0.9}}

    quality = {"cdm_pipelines": measures(0.9), "Splink at 0.95": measures(0.6667)}
    quality |= {"Splink at 0.99": measures(best_f1), "Splink at 0.999": measures(0.1)}
    runs = tuple(
        Run(
            others,
            (stage("hub", total - 5), stage("link", 5.0, rows=9, **{"pairs kept": 7})),
            (stage("link", 1.0),),
            linking,
            quality,
        )
        for total in totals
    )
    made = Extracts("/secret/place", 4, 9, 20, 1000, 0.1)
    return document.Report(made, {"cores": "2"}, {"pandas": "2"}, runs)


def test_ratios_to_splink_leave_its_start_out() -> None:
    text = document.markdown(report(40.0))
    figures = rows("\n## Summary\n" + text.partition("svg)")[2], "Summary")
    assert figures["Whole pipeline / Splink's linking"] == ["**4.00**"]
    assert figures["Our linking / Splink's linking"] == ["**0.50**"]


def test_splinks_best_threshold_is_shown_beside_ours() -> None:
    shown = rows(document.markdown(report(40.0)), "Quality")
    assert list(shown) == ["cdm_pipelines", "Splink at 0.95", "Splink at 0.99"]
    assert shown["Splink at 0.95"][2:] == ["1.0000", "0.5000", "0.6667", "0.9000"]
    shown = rows(document.markdown(report(40.0, best_f1=0.5)), "Quality")
    assert list(shown) == ["cdm_pipelines", "Splink at 0.95"]


def test_of_several_runs_the_median_is_shown() -> None:
    text = document.markdown(report(90.0, 30.0, 40.0))
    assert "| Whole pipeline, first load | 40.0 s |" in text
    assert "| First load, 3 runs | 30.0 to 90.0 s |" in text


@pytest.mark.parametrize(("others", "noisy"), [(0.1, False), (1.3, True)])
def test_figures_from_a_busy_machine_say_so(others: float, noisy: bool) -> None:
    assert ("Other work kept 1.3 cores busy" in document.markdown(report(40.0, others=others))) is noisy


def test_the_figures_name_no_place() -> None:
    made = report(40.0)
    assert "/secret" not in made.json() + document.markdown(made) + document.svg(made)


@pytest.mark.parametrize("wrong", [["--records", "5"], ["--repeat", "0"], ["--frobnicate"]])
def test_options_that_cannot_be_used_are_refused(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(wrong)
    assert stopped.value.code == 2
    assert wrong[0] in capsys.readouterr().err
