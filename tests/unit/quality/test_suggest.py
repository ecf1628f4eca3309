"""A first contract for an unknown file: what it finds, and that it can be loaded."""

import gzip
from pathlib import Path

import pytest

from cdm_pipelines.contracts import LogicalType, SourceContract, load_contract
from cdm_pipelines.ingest import ExtractError, read_file
from cdm_pipelines.quality.suggest import Suggestion, suggest

DUTCH = [
    "Klantnummer;Voornaam;Achternaam;E-mailadres;Geboortedatum;Postcode;Plaats;Omzet;Actief;Gewijzigd op",
    "000101;Jan;de Vries;jan@example.nl;29-02-1980;1234 AB;Ede;1.234,50;ja;01-06-2026",
    "000102;Eva;'t Hart;eva@example.nl;n/a;2345 BC;Elst;12,00;nee;02-06-2026",
    "000103;Piet;Müller;piet@example.nl;31-12-1970;3456CD;Epe;0,50;ja;03-06-2026",
]


def suggested(path: Path) -> tuple[Suggestion, SourceContract]:
    """The suggestion and the contract it becomes."""
    suggestion = suggest(path)
    target = path.parent / "suggested.odcs.yaml"
    target.write_text(suggestion.to_yaml(), encoding="utf-8")
    return suggestion, load_contract(target)


def put(folder: Path, content: bytes, name: str = "klanten_2026-06-01.csv") -> Path:
    """A file in the folder of a source."""
    path = folder / "Kassa 2" / name
    path.parent.mkdir()
    path.write_bytes(content)
    return path


def test_a_dutch_file_in_code_page_1252(tmp_path: Path) -> None:
    path = put(tmp_path, "\r\n".join([*DUTCH, ""]).encode("cp1252"))
    suggestion, contract = suggested(path)
    assert (contract.source, contract.entity) == ("kassa_2", "klanten")
    assert (contract.dialect.delimiter, contract.dialect.encoding) == (";", "cp1252")
    assert contract.key == ("Klantnummer",)
    assert contract.modified_at == "Gewijzigd op"
    assert contract.default_country == "NL"
    mapped = {column.name: path for column, path in contract.mapped()}
    assert mapped == {
        "Voornaam": "party.given_name",
        "Achternaam": "party.family_name",
        "E-mailadres": "party.email",
        "Geboortedatum": "party.birth_date",
        "Postcode": "party.postcode",
        "Plaats": "party.city",
    }
    types = {column.name: column.logical_type for column in contract.columns}
    assert types["Klantnummer"] == types["Postcode"] == LogicalType.STRING
    assert (types["Omzet"], contract.column("Omzet").decimal) == (LogicalType.NUMBER, ",")
    assert types["Actief"] == LogicalType.BOOLEAN
    born = contract.column("Geboortedatum")
    assert (born.logical_type, born.date_formats, born.null_values) == (
        LogicalType.DATE,
        ("%d-%m-%Y",),
        ("n/a",),
    )
    sure = {column.profile.name: column.confidence for column in suggestion.columns}
    assert sure["E-mailadres"] > 0.9 > sure["Plaats"] - 0.1
    assert sum(table.num_rows for table in read_file(path, contract)) == 3


def test_what_is_unsure_says_so(tmp_path: Path) -> None:
    path = put(tmp_path, b"name,day,contact\nA,01/02/2020,a@example.com\nA,03/04/2020,b@example.com\n")
    text = suggest(path).to_yaml()
    assert "# ? " in text
    assert "%m/%d/%Y would fit as well" in text or "%d/%m/%Y would fit as well" in text
    assert "100% of the values look like it, the header does not" in text


@pytest.mark.parametrize(
    ("delimiter", "totals", "decimal", "doubted"),
    [
        (";", "1.101 30.130", ",", True),
        (";", "1,101 30,130", ",", True),
        (";", "1.101 30.13", ".", False),
        (";", "1.101 0.130", ".", False),
        (";", "1.101,50 2", ",", False),
        ("\t", "1.101 30.130", ".", True),
        ("\t", "1.101 1,5", ",", False),
        ("\t", "€5 €6", ".", False),
    ],
)
def test_three_digits_behind_every_separator_leave_the_decimal_sign_open(
    tmp_path: Path, delimiter: str, totals: str, decimal: str, *, doubted: bool
) -> None:
    lines = ["nr", "naam", "totaal"], *(["K7", "Bos", total] for total in totals.split())
    content = "\n".join(delimiter.join(line) for line in lines).encode()
    suggestion, contract = suggested(put(tmp_path, content))
    assert contract.column("totaal").logical_type == LogicalType.NUMBER
    assert contract.column("totaal").decimal == decimal
    assert ("would fit as well" in suggestion.columns[2].profile.doubt) == doubted
    assert ('- name: "totaal" # ? ' in suggestion.to_yaml()) == doubted


def test_na_among_codes_may_be_namibia(tmp_path: Path) -> None:
    rows = "nr,naam,land,score\nK1,Bos,NL,5\nK2,Vos,NA,NA\nK3,Mol,DE,7\n"
    text = suggest(put(tmp_path, rows.encode())).to_yaml()
    assert '- name: "land" # ? ' in text
    assert "is NA a code (Namibia), or no value?" in text
    assert text.count("Namibia") == 1


def test_leading_apostrophes_and_byte_order_mark(tmp_path: Path) -> None:
    rows = b"Customer ID,First Name,Phone\n'1001,Jan,'+31612345678\n'1002,Eva,'+31687654321\n"
    text = suggest(put(tmp_path, b"\xef\xbb\xbf" + rows)).to_yaml()
    assert "leadingApostrophe: true" in text
    assert "a byte-order mark is there" in text


def test_deletions_merges_and_nulls_of_other_systems(tmp_path: Path) -> None:
    header = b"Id,IsDeleted,MasterRecordId,LastName,FirstName,Birthdate\n"
    rows = b"1,true,2,Bos,Jan,00000000\n2,false,,Vos,Eva,19800229\n"
    _, contract = suggested(put(tmp_path, header + rows))
    assert contract.deleted is not None
    assert (contract.deleted.column, contract.deleted.values) == ("IsDeleted", ("true",))
    assert contract.merged_into == "MasterRecordId"
    born = contract.column("Birthdate")
    assert (born.date_formats, born.null_values) == (("%Y%m%d",), ("00000000",))


def test_order_lines_get_both_key_columns(tmp_path: Path) -> None:
    rows = b"order_id,line_number,sku,quantity\n1,1,x,2\n1,2,y,1\n2,1,x,1\n"
    _, contract = suggested(put(tmp_path, rows))
    assert contract.key == ("order_id", "line_number")
    assert [str(entity) for entity in contract.entities] == ["order_line"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jsonl", b'{"id": "1", "email": "a@b.nl", "first_name": "Jan"}\n{"id": "2"}\n'),
        ("x.csv.gz", gzip.compress(b"id\tfirst_name\temail\n1\tJan\ta@b.nl\n2\t\t\n", mtime=0)),
        ("x.csv", "id|first_name|email\n1|Jan|a@b.nl\n2||\n".encode("utf-16")),
    ],
)
def test_formats_are_found_by_content(tmp_path: Path, name: str, content: bytes) -> None:
    path = put(tmp_path, content, name)
    _, contract = suggested(path)
    assert contract.key == ("id",)
    assert {path for _, path in contract.mapped()} == {"party.email", "party.given_name"}
    assert sum(table.num_rows for table in read_file(path, contract)) == 2


def test_an_empty_file_gives_a_message(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match="is empty"):
        suggest(put(tmp_path, b""))


@pytest.mark.parametrize(
    ("header", "first"),
    [("Debiteur", "10000"), ("Kunde", "K-7001"), ("Cliente", "00042"), ("Mitglied", "M1")],
)
def test_the_word_for_a_customer_over_codes_is_the_key(tmp_path: Path, header: str, first: str) -> None:
    rows = [f"{first}{n};Jan Jansen{n};j{n}@example.nl" for n in range(5)]
    suggestion, contract = suggested(put(tmp_path, "\n".join([f"{header};Naam;E-mail", *rows]).encode()))
    assert contract.key == (header,)
    assert not suggestion.doubts


def test_the_word_for_a_customer_over_names_is_no_key(tmp_path: Path) -> None:
    rows = [f"Anna Bakker{'abcde'[n]};a{n}@example.nl;B{n}" for n in range(5)]
    _, contract = suggested(put(tmp_path, "\n".join(["Kunde;E-mail;Code", *rows]).encode()))
    assert contract.key == ("Code",)


def test_ids_that_a_spreadsheet_spoilt_are_still_the_key_and_said(tmp_path: Path) -> None:
    ids = ["8,71E+12", "8,71E+12", *(str(8712345678900 + n) for n in range(6))]
    rows = [f"{text};Jan Jansen{n};j{n}@example.nl" for n, text in enumerate(ids)]
    suggestion, contract = suggested(put(tmp_path, "\n".join(["Kundennr;Name;Email", *rows]).encode()))
    assert contract.key == ("Kundennr",)
    assert contract.column("Kundennr").logical_type == LogicalType.STRING
    assert any("2 values of the key 'Kundennr'" in doubt for doubt in suggestion.doubts)


def test_ids_that_are_equal_without_damage_are_no_key(tmp_path: Path) -> None:
    ids = ["8,71E+12", "5", "5", "6", "7"]
    rows = [f"{text};Jan Jansen{n};j{n}@example.nl" for n, text in enumerate(ids)]
    _, contract = suggested(put(tmp_path, "\n".join(["Kundennr;Name;Email", *rows]).encode()))
    assert contract.key == ("Email",)


def test_a_day_that_stands_for_none_leaves_the_others_days(tmp_path: Path) -> None:
    days = ["31-12-9999", *(f"{n:02}-05-1980" for n in range(1, 31))]
    rows = [f"{n};Jan Jansen{n};{day}" for n, day in enumerate(days)]
    _, contract = suggested(put(tmp_path, "\n".join(["Klantnr;Naam;Geboortedatum", *rows]).encode()))
    assert contract.column("Geboortedatum").date_formats == ("%d-%m-%Y",)
    assert contract.column("Geboortedatum").maps_to == ("party.birth_date",)


def test_lines_that_sum_up_are_told_once_and_are_no_doubt_about_the_key(tmp_path: Path) -> None:
    rows = [f"{n};Jan Jansen{n};Ede;{n}0,50" for n in range(12)]
    content = "\n".join(["Klantnr;Naam;Plaats;Omzet", *rows, "Totaal;;;660,50", ""]).encode()
    suggestion, _ = suggested(put(tmp_path, content))
    assert "lines at the end that sum up the others and will be quarantined: 1" in suggestion.to_yaml()
    assert not suggestion.doubts


def test_a_state_beside_orders_is_not_surely_their_status(tmp_path: Path) -> None:
    rows = [f"{n};2026-05-01;C{n};Kentucky;{n}.50" for n in range(12)]
    content = "\n".join(["Order ID;Order Date;Customer ID;State;Total", *rows]).encode()
    suggestion, _ = suggested(put(tmp_path, content))
    assert '"State" # ?' in suggestion.to_yaml()


def test_numbers_with_extensions_are_phone_numbers(tmp_path: Path) -> None:
    ends = ("toestel 9", "doorkiesnr 5", "Durchwahl 12", "(tst. 4)", "ext. 7", "")
    rows = [f"{n};Jan Jansen{n};020-62612{n:02} {ends[n % 6]}" for n in range(12)]
    _, contract = suggested(put(tmp_path, "\n".join(["Klantnr;Naam;Telefoon", *rows]).encode()))
    assert contract.column("Telefoon").maps_to == ("party.phone",)
