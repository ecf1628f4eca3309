"""``cdm demo --recent``: extracts whose last day was yesterday, so that nothing is old in the UI."""

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recent") / "checkout"
    for name in ("cdm_pipelines", "cdm_demo"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder)
    return folder


def cdm(checkout: Path, home: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDM_")}
    done = subprocess.run(
        [sys.executable, "-m", "cdm_pipelines.cli", *arguments],
        cwd=checkout,
        env={**clean, "PYTHONPATH": str(checkout), "CDM_HOME": str(home), "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_recent_days_end_yesterday_and_nothing_is_old(checkout: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = dt.date.today()  # noqa: DTZ011 - as the command, the user's own
    code, told = cdm(checkout, home, "demo", "--recent")
    assert code == 0, told
    assert "days ago" not in told
    assert "golden customers" in told
    landing = checkout / "data" / "recent" / "landing" / "crm" / "contact"
    days = sorted(file.stem for file in landing.iterdir())
    assert len(days) == 3
    assert days[-1] in {str(first - dt.timedelta(1)), str(dt.date.today() - dt.timedelta(1))}  # noqa: DTZ011
    code, told = cdm(checkout, home, "run")
    assert code == 0, told
    assert "nothing" in told.lower(), "what comes after runs on the same extracts"

    other = tmp_path / "other"
    file = other / "lake" / "standard" / "crm" / "contact" / "2026-06-01" / "party.parquet"
    file.parent.mkdir(parents=True)
    file.touch()
    code, told = cdm(checkout, other, "demo", "--recent")
    assert code == 1
    assert "holds days of other extracts" in told


def test_recent_extracts_are_not_made_beside_ones_of_your_own(checkout: Path, tmp_path: Path) -> None:
    code, told = cdm(checkout, tmp_path, "demo", "--recent", CDM_LANDING_URL=str(tmp_path / "mine"))
    assert code == 2
    assert "leave out CDM_LANDING_URL" in told


def test_the_last_day_of_extracts_may_be_chosen(checkout: Path, tmp_path: Path) -> None:
    arguments = ("demo-data", "--customers", "10", "--interactions", "0", "--out", str(tmp_path / "made"))
    assert cdm(checkout, tmp_path, *arguments, "--ending", "2025-03-01")[0] == 0
    days = sorted(file.stem for file in (tmp_path / "made" / "landing" / "crm" / "contact").iterdir())
    assert days == ["2025-02-27", "2025-02-28", "2025-03-01"]
    code, told = cdm(checkout, tmp_path, *arguments, "--ending", "soon")
    assert code == 2
    assert "--ending soon: write a day such as 2026-06-03." in told
