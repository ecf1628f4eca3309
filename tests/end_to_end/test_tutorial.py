"""The tutorial, followed to the letter: its files are written and its commands run, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cdm_pipelines.settings import load_settings

from .conftest import DAYS, ROOT

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "tutorial" / "first-customer.md"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)
MAKE = f"""#!/bin/sh
[ "$*" = demo ] && exec .venv/bin/cdm run --date {DAYS[0]}  # one day of the demo's three, to be quick
"""
CDM = f"""#!/bin/sh
exec {sys.executable} -m cdm_pipelines.cli "$@"
"""


@dataclass(frozen=True)
class Said:
    """What was printed, by the command that printed it."""

    by: dict[str, str]

    def to(self, command: str) -> str:
        (printed,) = [text for shown, text in self.by.items() if command in shown]
        return printed


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[..., str], _template: str) -> Said:
    folder = tmp_path_factory.mktemp("clone")
    for name in ("cdm_pipelines", "data/landing"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dagster.yaml", "workspace.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    for name, script in (("bin/make", MAKE), (".venv/bin/cdm", CDM)):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    settings = load_settings(
        home=folder / ".cdm",
        landing_url=str(folder / "data" / "landing"),
        database_url=new_database(_template),
        policies=folder / "cdm_pipelines" / "policies",
        threads=1,
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")} | {
        **settings.environment(),
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "COLUMNS": "200",
    }
    return Said(dict(followed(folder, environment)))


def followed(folder: Path, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Write the files and run the commands in the order of the page; yields each command with its output."""
    for language, title, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if title and title.endswith("loyalty/defs.yaml"):
            yield "too early", too_early(folder, environment)
        if title:
            (folder / title).write_text(text, encoding="utf-8")
        elif language == "sh":
            for command in text.splitlines():
                done = subprocess.run(
                    ["sh", "-c", command],
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
                yield command, done.stdout + done.stderr


def too_early(folder: Path, environment: dict[str, str]) -> str:
    """What is said to who brings the file in before the component is written."""
    command = [".venv/bin/cdm", "ingest", "members.csv", "--source", "loyalty", "--date", "2026-06-02"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert not (folder / "data" / "landing" / "loyalty").exists()
    return done.stdout + done.stderr


def test_the_member_is_found_among_the_systems_that_know_him(said: Said) -> None:
    for asked in ("cdm customer L0001", 'cdm customer "tuinstijn molenweg"'):
        assert "Timo Tuinstijn" in said.to(asked)
    told = said.to("cdm customer L0001")
    assert all(source in told for source in ("crm", "erp", "loyalty", "shop", "Where each value came from"))


def test_the_faulty_row_waits_and_comes_back_corrected(said: Said) -> None:
    assert "missing_key" in said.to("quarantine show loyalty/member")
    assert "1 corrected rows" in said.to("quarantine retry")
    assert "Zwaardemaker" in said.to("cdm customer L0005")


def test_the_page_tells_everything_that_was_needed(said: Said) -> None:
    assert len(said.by) == 14
    assert "Write defs.yaml beside the contract" in " ".join(said.to("too early").split())
    assert "is loyalty/member of 2026-06-02" in said.to("ingest members.csv")
