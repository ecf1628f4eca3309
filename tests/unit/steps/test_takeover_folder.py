"""What may lie in a folder of another company, and what is said of what may not."""

import gzip
from pathlib import Path

import pytest

from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.plan.making import PlanError
from cdm_pipelines.steps.takeover.assess import assess
from cdm_pipelines.steps.takeover.folder import (
    TakeoverError,
    check_name,
    landing_path,
    place_extracts,
    read_folder,
)

ROWS = "Klantnummer;Voornaam;Achternaam;E-mail\n1;Ans;Vermeer;ans@vermeer.nl\n2;Piet;Bos;piet@bos.nl\n"
ELSEWHERE = '{property: location, value: "crm/contact/{date}*.csv"}'


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Company B", "small letter"),
        ("../b", "small letter"),
        ("", "small letter"),
        ("2b", "small letter"),
        ("b" * 41, "at most 40"),
        ("crm", "taken"),
        ("customers", "taken"),
    ],
)
def test_a_name_that_cannot_be_is_told(name: str, why: str) -> None:
    with pytest.raises(TakeoverError, match=why):
        check_name(name, ["crm"])


def test_a_folder_that_is_not_there_or_empty_is_told(tmp_path: Path) -> None:
    with pytest.raises(TakeoverError, match="no such folder"):
        read_folder(tmp_path / "nowhere", "b", tmp_path / "beside")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / ".hidden.csv").write_text(ROWS)
    (folder / "letter.docx").write_bytes(b"PK")
    with pytest.raises(TakeoverError, match="holds no extract"):
        read_folder(folder, "b", tmp_path / "beside")


def test_a_file_that_cannot_be_read_is_told_and_hinders_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "broken.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    with pytest.raises(TakeoverError, match="no file of it can be read"):
        read_folder(folder, "b", tmp_path / "beside")
    (folder / "klanten.csv").write_text(ROWS)
    found = read_folder(folder, "b", tmp_path / "beside2")
    assert [one.file.name for one in found.extracts] == ["klanten.csv"]
    assert len(found.problems) == 1
    assert found.problems[0].startswith("broken.xlsx")
    assert str(tmp_path) not in found.problems[0]


def test_files_of_one_name_become_entities_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "north").mkdir(parents=True)
    (folder / "klanten.csv").write_text(ROWS)
    (folder / "north" / "Klanten 2026-05-01.csv").write_text(ROWS)
    (folder / "more.csv.gz").write_bytes(gzip.compress(ROWS.encode()))
    found = read_folder(folder, "b", tmp_path / "beside")
    names = {one.contract.name for one in found.extracts}
    assert names == {"b/klanten", "b/klanten_2", "b/more"}
    placed = place_extracts(found, str(tmp_path / "landing"), "2026-06-01")
    assert sorted(placed) == sorted(landing_path(one, "2026-06-01") for one in found.extracts)
    assert all((tmp_path / "landing" / path).is_file() for path in placed)


def test_a_contract_beside_a_file_is_used_under_the_new_name(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "klanten.csv").write_text(ROWS)
    text = next(iter(read_folder(folder, "theirs", tmp_path / "one").texts.values()))
    (folder / "klanten.odcs.yaml").write_text(
        text.replace("dataProduct: theirs", "dataProduct: their_own_name")
    )
    (found,) = read_folder(folder, "b", tmp_path / "two").extracts
    assert found.contract.name == "b/klanten"
    assert not found.suggested


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("kind: DataContract", "kind: Nonsense"), "kind"),
        (("  - name: klanten", "  - name: others"), "another name"),
        (("value: csv}", f"value: csv}}\n      - {ELSEWHERE}"), "location"),
    ],
)
def test_a_contract_with_faults_is_told(tmp_path: Path, change: tuple[str, str], why: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "klanten.csv").write_text(ROWS)
    text = next(iter(read_folder(folder, "theirs", tmp_path / "one").texts.values()))
    assert change[0] in text
    (folder / "klanten.odcs.yaml").write_text(text.replace(*change))
    with pytest.raises(TakeoverError, match=why):
        read_folder(folder, "b", tmp_path / "two")


def test_nothing_to_compare_with_is_told(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "klanten.csv").write_text(ROWS)
    with pytest.raises(PlanError, match="run a day first"):
        assess(settings, tmp_path / "b", "companyb")
