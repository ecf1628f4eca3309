"""A workbook of several sheets: which one a suggestion is of, and what it says about the others."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook
from typer.testing import CliRunner

from cdm_pipelines.cli import app

PEOPLE = [("Nr", "Naam", "E-mail"), *((n, f"Sanne Prins{n}", f"s{n}@example.nl") for n in range(9))]
FIRMS = [("Debiteur", "Bedrijfsnaam", "Plaats"), *((f"D{n}", f"Maas {n} B.V.", "Venlo") for n in range(4))]


def workbook(folder: Path, **sheets: Sequence[tuple[object, ...]]) -> Path:
    """A workbook with these sheets, in this order."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    path = folder / "export.xlsx"
    book.save(path)
    return path


def suggested(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["suggest", *map(str, arguments)], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


def test_the_only_sheet_with_data_is_taken_and_said_wherever_it_is(tmp_path: Path) -> None:
    told = suggested(workbook(tmp_path, Toelichting=[], Leden=PEOPLE, Blad3=[]))
    assert "# of 3 sheets 'Leden' (10 rows) is taken, the largest table; the others are empty" in told
    assert 'sheet: "Leden"' in told
    assert 'name: "E-mail"' in told


def test_of_several_with_data_the_largest_is_taken_with_a_question_mark(tmp_path: Path) -> None:
    file = workbook(tmp_path, Firma=FIRMS, Leden=PEOPLE)
    told = suggested(file)
    assert "# ? of 2 sheets 'Leden' (10 rows) is taken" in told
    assert "'Firma' (5 rows) can be taken with --sheet" in told
    asked = suggested(file, "--sheet", "Firma")
    assert "# of 2 sheets 'Firma' (5 rows) is taken, as asked" in asked
    assert "party.organisation_name" in asked
    assert 'sheet: "Firma"' in asked


def test_a_single_sheet_needs_no_word(tmp_path: Path) -> None:
    assert "sheet" not in suggested(workbook(tmp_path, Leden=PEOPLE), "--source", "club")


@pytest.mark.parametrize(
    ("name", "said"),
    [("export.xlsx", "has no sheet 'Klanten'"), ("a.csv", "is no workbook"), ("a.parquet", "is no workbook")],
)
def test_a_sheet_that_is_not_there_is_refused_in_words(tmp_path: Path, name: str, said: str) -> None:
    workbook(tmp_path, Leden=PEOPLE)
    (tmp_path / "a.csv").write_text("Nr;Naam\n1;Jo Bos\n")
    pq.write_table(pa.table({"Nr": [1], "Naam": ["Jo Bos"]}), tmp_path / "a.parquet")
    assert said in " ".join(suggested(tmp_path / name, "--sheet", "Klanten", code=1).split())
