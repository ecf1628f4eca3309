"""The set-up: what `make` does on a machine that has never seen this project, told with a Python that only notes."""

import os
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
MAKE = shutil.which("make")
TOOLS = ("sh", "echo", "cat", "rm", "sed", "awk", "find", "mkdir", "ln", "touch", "dirname", "basename")

pytestmark = pytest.mark.skipif(MAKE is None, reason="make is not installed")

# A Python 3.12 that notes how it is called and does just enough: a virtual environment is a link to itself.
PYTHON = """#!/bin/sh
echo "$(basename "$0") $*" >> "$NOTES"
case "$*" in
  "-c import sys, venv, ensurepip;"*) exit {supported} ;;
  "-c import sys; print(sys.prefix)") cd "$(dirname "$0")/.." && pwd ;;
  "--version") echo "Python 3.12.1" ;;
  "-m venv .venv") mkdir -p .venv/bin; ln -s "$0" .venv/bin/python ;;
  "-m venv .venv/docs")
    mkdir -p .venv/docs/bin; for one in python mkdocs; do ln -s "$PWD/$0" .venv/docs/bin/$one; done ;;
  "-m pip install"*) exit ${{PIP_FAILS:-0}} ;;
esac
"""


class Checkout:
    """A copy of the set-up's files in a folder with a blank, and a machine with few programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a checkout"
        self.folder.mkdir()
        for name in ("Makefile", "requirements.lock", "pyproject.toml"):
            shutil.copy2(ROOT / name, self.folder)
        self.programs = folder / "bin"
        self.programs.mkdir()
        for tool in TOOLS:
            (self.programs / tool).symlink_to(str(shutil.which(tool)))
        self.notes = folder / "notes"

    def python(self, name: str, *, supported: bool = True) -> None:
        """Put a Python on the machine; one that is not supported answers so, as a wrong version does."""
        file = self.programs / name
        file.write_text(PYTHON.format(supported=0 if supported else 1))
        file.chmod(0o755)

    def make(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run make as on that machine; what Python was asked is in ``calls`` afterwards."""
        self.notes.write_text("")
        return subprocess.run(
            [str(MAKE), *arguments],
            cwd=self.folder,
            env={"PATH": str(self.programs), "NOTES": str(self.notes), **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> str:
        return self.notes.read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_make_alone_lists_every_target(checkout: Checkout) -> None:
    listed = re.findall(r"^  make (\w+) +\w", checkout.make().stdout, flags=re.MULTILINE)
    assert listed == [
        "help",
        "demo",
        "up",
        "test",
        "coverage",
        "lint",
        "canary",
        "benchmark",
        "soak",
        "docs",
        "migration",
        "lock",
        "clean",
    ]


def test_packages_come_from_the_lock_file_by_their_hashes(checkout: Checkout) -> None:
    checkout.python("python3.12")
    done = checkout.make("venv")
    assert done.returncode == 0, done.stderr
    installs = [line for line in checkout.calls.splitlines() if " -m pip install " in line]
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert installs[1].endswith("--no-deps --no-build-isolation --editable .")
    assert len(installs) == 2


def test_second_time_installs_nothing(checkout: Checkout) -> None:
    checkout.python("python3.12")
    checkout.make("venv")
    done = checkout.make("venv")
    assert done.returncode == 0
    assert "pip" not in checkout.calls
    assert done.stdout == ""


def test_newer_lock_file_is_installed_into_the_same_environment(checkout: Checkout) -> None:
    checkout.python("python3.12")
    checkout.make("venv")
    later = (checkout.folder / ".venv" / "installed").stat().st_mtime + 10
    os.utime(checkout.folder / "requirements.lock", (later, later))
    checkout.make("venv")
    assert "-m pip install" in checkout.calls
    assert "-m venv" not in checkout.calls


def test_installation_that_failed_starts_anew(checkout: Checkout) -> None:
    checkout.python("python3.12")
    assert checkout.make("venv", PIP_FAILS="1").returncode != 0
    assert checkout.make("venv").returncode == 0
    assert "-m venv" in checkout.calls


def test_documentation_has_an_environment_of_its_own(checkout: Checkout) -> None:
    checkout.python("python3.12")
    (checkout.folder / "docs").mkdir()
    shutil.copy2(ROOT / "docs" / "requirements.lock", checkout.folder / "docs")
    done = checkout.make("docs")
    assert done.returncode == 0, done.stderr
    installs = [line for line in checkout.calls.splitlines() if " -m pip install " in line]
    assert installs[-1].endswith("--require-hashes -r docs/requirements.lock")
    assert checkout.calls.splitlines()[-2:] == ["python -m handbook --write", "mkdocs build --strict"]
    checkout.make("docs")
    assert "pip" not in checkout.calls


def test_moved_checkout_is_set_up_anew(checkout: Checkout) -> None:
    checkout.python("python3.12")
    checkout.make("venv")
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("elsewhere"))
    checkout.make("venv")
    assert "-m venv" in checkout.calls


def test_newest_python_that_works_is_taken(checkout: Checkout) -> None:
    checkout.python("python3.13", supported=False)  # as a launcher that names a version which is not there
    checkout.python("python3.12")
    checkout.python("python3")
    checkout.make("venv")
    assert "python3.12 -m venv .venv" in checkout.calls


def test_chosen_python_is_taken_and_no_other(checkout: Checkout) -> None:
    checkout.python("python3.12")
    checkout.python("mine")
    checkout.make("venv", "PYTHON=mine")
    assert "mine -m venv .venv" in checkout.calls
    shutil.rmtree(checkout.folder / ".venv")
    assert checkout.make("venv", "PYTHON=missing").returncode != 0


def test_machine_without_a_usable_python_is_told_what_to_install(checkout: Checkout) -> None:
    checkout.python("python3", supported=False)
    done = checkout.make("venv")
    assert done.returncode != 0
    assert "Python 3.11, 3.12 or 3.13" in done.stderr
    assert "apt install python3-venv" in done.stderr
    assert not (checkout.folder / ".venv").exists()


def test_clean_stops_the_server_and_removes_what_was_made(checkout: Checkout) -> None:
    checkout.python("python3.12")
    checkout.make("venv")
    for folder in (".cdm/lake", ".mypy_cache", "cdm_pipelines/__pycache__", "data/landing"):
        (checkout.folder / folder).mkdir(parents=True)
    done = checkout.make("clean")
    assert done.returncode == 0, done.stderr
    assert "-m cdm_pipelines.hub.server stop .cdm" in checkout.calls
    left = {path.name for path in checkout.folder.iterdir()}
    assert left == {"Makefile", "requirements.lock", "pyproject.toml", "cdm_pipelines", "data"}
    assert checkout.make("clean").returncode == 0


def pinned_in(lock: str) -> dict[str, str]:
    """Version of every package in a lock file, each of which has hashes."""
    text = (ROOT / lock).read_text()
    entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert all(re.match(r"[A-Za-z0-9._-]+==\S+ .*\\$", entry) for entry in entries)
    assert text.count("--hash=sha256:") >= len(entries)
    return {
        name.lower(): version
        for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ \\]+)", text, flags=re.MULTILINE)
    }


def test_lock_file_pins_every_dependency_with_hashes() -> None:
    pinned = pinned_in("requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["s3"],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pinned[requirement.name.lower()]), requirement


def test_lock_file_of_the_documentation_pins_its_group_with_hashes() -> None:
    pinned = pinned_in("docs/requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for requirement in map(Requirement, project["dependency-groups"]["docs"]):
        assert requirement.specifier.contains(pinned[requirement.name.lower()]), requirement


@pytest.mark.parametrize(
    "name",
    ["Makefile", "requirements.lock", "docs/requirements.lock", ".ci/run", "pyproject.toml", "mkdocs.yml"],
)
def test_no_host_of_packages_is_named(name: str) -> None:
    assert "://" not in (ROOT / name).read_text()


def test_ci_runs_the_tests_from_anywhere_without_asking(checkout: Checkout, tmp_path: Path) -> None:
    script = ROOT / ".ci" / "run"
    assert stat.S_IMODE(script.stat().st_mode) & 0o111
    (checkout.folder / ".ci").mkdir()
    shutil.copy2(script, checkout.folder / ".ci")
    (checkout.programs / "make").write_text('#!/bin/sh\nread answer && exit 1\necho "$PWD: make $*"\n')
    (checkout.programs / "make").chmod(0o755)
    for tool in ("bash", "env"):
        (checkout.programs / tool).symlink_to(str(shutil.which(tool)))
    done = subprocess.run(
        [str(checkout.folder / ".ci" / "run")],
        cwd=tmp_path,
        env={"PATH": str(checkout.programs)},
        input="an answer\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{checkout.folder}: make test\n"
