"""`cdm demo-data` refuses what it cannot make, and takes the place of nobody's extracts."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cdm_demo.headers import EXTRACTS, INTERACTION_EXTRACTS
from cdm_pipelines.cli import app
from cdm_pipelines.commands.demo import DEMO_SOURCES


def made(out: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and text of a small delivery."""
    done = CliRunner().invoke(app, ["demo-data", "--customers", "10", "--out", str(out), *arguments])
    return done.exit_code, " ".join(done.output.split())


def test_extracts_of_a_company_stay_where_they_are(tmp_path: Path) -> None:
    own = tmp_path / "landing" / "crm" / "contact" / "2026-06-01.csv"
    own.parent.mkdir(parents=True)
    own.write_text("Id,LastName\n1,Bos\n", encoding="utf-8")
    code, told = made(tmp_path)
    assert code == 1
    assert "no demo made" in told
    assert own.read_text(encoding="utf-8").endswith("1,Bos\n")
    assert not (tmp_path / "truth").exists()


def test_a_demo_takes_the_place_of_one_before_it(tmp_path: Path) -> None:
    assert made(tmp_path)[0] == made(tmp_path, "--days", "1")[0] == 0
    assert [one.name for one in (tmp_path / "landing" / "crm" / "contact").iterdir()] == ["2026-06-01.csv"]
    assert sorted(DEMO_SOURCES) == sorted({one.source for one in EXTRACTS + INTERACTION_EXTRACTS})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--days", "1000"), "less than or equal to 365"),
        (("--customers", "99999999"), "less than or equal"),
        (("--ending", "0001-01-01"), "give a day from 2010 to 2058"),
        (("--ending", "2300-01-01"), "give a day from 2010 to 2058"),
        (("--ending", "yesterday"), "write a day such as"),
    ],
)
def test_what_cannot_be_made_is_told(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    code, said = made(tmp_path, *arguments)
    assert code == 2
    assert told in said
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_used_is_told() -> None:
    code, said = made(Path("/proc/nothing"))
    assert code == 2
    assert "cannot be used as a folder" in said
