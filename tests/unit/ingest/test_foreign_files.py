"""Files as strangers write them: without a header, with totals, in JSON, in parts; read as the contract says."""

import gzip
import io
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ingest_samples import CUSTOMER, DATE, deliver, run_day, with_dialect

from cdm_pipelines.contracts import Column, Dialect, Format, SourceContract
from cdm_pipelines.contracts.model import Joined
from cdm_pipelines.ingest import ExtractError, Refusal, read_extract, read_file, reading_notes
from cdm_pipelines.quality.suggest import suggest

HEADER = "id,name,born,email\n"
PEOPLE = [("7", "de Boer", "1980-02-29", "a@example.nl"), ("8", "Wong | Lee", "", "b@example.nl")]


def lines(delimiter: str, *, header: bool = True) -> str:
    """The people, with a delimiter."""
    rows = [CUSTOMER.column_names, *PEOPLE] if header else PEOPLE
    return "".join(delimiter.join(row) + "\n" for row in rows)


@pytest.mark.parametrize("delimiter", ["||", "::", "+|", "~|~", "§", "¦", "\x1f"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_delimiters_of_several_signs(
    tmp_path: Path, delimiter: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdm_pipelines.ingest.delimited.BLOCK_BYTES", 7)
    deliver(tmp_path, lines(delimiter).encode(encoding))
    outcome = run_day(tmp_path, with_dialect(delimiter=delimiter, encoding=encoding))
    assert outcome.valid["name"].tolist() == ["de Boer", "Wong | Lee"]


def test_a_quoted_cell_may_hold_the_delimiter_of_several_signs(tmp_path: Path) -> None:
    deliver(tmp_path, b'id||name||born||email\n1||"Bos || Vos"||||\n')
    assert run_day(tmp_path, with_dialect(delimiter="||")).valid["name"].tolist() == ["Bos || Vos"]


def test_without_a_header_columns_are_those_of_the_contract_by_place(tmp_path: Path) -> None:
    deliver(tmp_path, lines(",", header=False).encode())
    outcome = run_day(tmp_path, with_dialect(header=False))
    assert outcome.valid["id"].tolist() == ["7", "8"]
    assert outcome.raw["_row"].tolist() == [1, 2]
    with pytest.raises(ExtractError, match="seems to have no header") as refused:
        run_day(tmp_path)
    assert "Boer" not in str(refused.value)


@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\n', "\ufeffsep=;\n"])
def test_a_line_that_tells_spreadsheets_the_delimiter_is_no_header(tmp_path: Path, first: str) -> None:
    deliver(tmp_path, (first + lines(";")).encode())
    outcome = run_day(tmp_path, with_dialect(delimiter=";"))
    assert outcome.valid["id"].tolist() == ["7", "8"]
    assert outcome.raw["_row"].tolist() == [3, 4]
    with pytest.raises(ExtractError, match="its first line says ';'"):
        run_day(tmp_path)


def test_the_place_of_the_header_is_told(tmp_path: Path) -> None:
    deliver(tmp_path, f"Customers,,,\nof today,,,\n{HEADER}1,Bos,,\n".encode())
    with pytest.raises(ExtractError, match=r"header in row 3. Set dialect.skipRows: 2"):
        run_day(tmp_path)
    assert run_day(tmp_path, with_dialect(skip_rows=2)).valid["id"].tolist() == ["1"]


def test_rows_that_sum_up_others_never_become_customers(tmp_path: Path) -> None:
    rows = "1,Total,,\n2,Bos,,\nGrand total,,,12\n(2 rows affected)\nEindstand 3,,,\n"
    deliver(tmp_path, f"{HEADER}{rows}".encode())
    usual = run_day(tmp_path)
    assert usual.valid["id"].tolist() == ["2"]
    assert usual.reasons[2][0] == "totals_line"
    assert [usual.reasons[row][0] for row in (4, 5, 6)] == ["totals_line", "totals_line", "missing"]
    told = run_day(tmp_path, with_dialect(totals=("eindstand .*", "grand total", r"\(.*\)")))
    assert told.valid["id"].tolist() == ["2"]
    assert [reasons[0] for _, reasons in sorted(told.reasons.items())] == ["totals_line"] * 4


def test_a_header_that_comes_again_is_no_record(tmp_path: Path) -> None:
    deliver(tmp_path, f"{HEADER}1,Bos,,\n\ufeff{HEADER}2,Vos,,\n".encode())
    outcome = run_day(tmp_path)
    assert outcome.valid["id"].tolist() == ["1", "2"]
    assert outcome.reasons[3][0] == "header_again"


def test_names_that_stand_there_twice_are_numbered_when_the_contract_knows_them(tmp_path: Path) -> None:
    deliver(tmp_path, b"id,name,name,name\n1,Bos,Vos,Kok\n")
    contract = replace(CUSTOMER, columns=(*CUSTOMER.columns, Column("name_2"), Column("name_3")))
    (table,) = read_extract(str(tmp_path), contract, DATE)
    assert [table.column(n).to_pylist() for n in ("name", "name_2", "name_3")] == [["Bos"], ["Vos"], ["Kok"]]
    with pytest.raises(ExtractError, match="such as 'name_2'"):
        run_day(tmp_path)


RECORDS = [
    {
        "id": 1,
        "name": "Bos",
        "home": {"town": "Ede", "geo": {"lat": 52.1}},
        "mails": [{"at": "a@example.nl"}],
    },
    {"id": 2, "name": "Vos", "home": None, "mails": []},
]


@pytest.mark.parametrize(
    ("content", "format_", "dialect"),
    [
        (json.dumps(RECORDS), Format.JSON, Dialect()),
        (json.dumps(RECORDS, indent=3), Format.JSON, Dialect(encoding="utf-8")),
        (
            json.dumps({"meta": {"n": [1]}, "data": {"rows": RECORDS}}),
            Format.JSON,
            Dialect(records_at="data.rows"),
        ),
        ("\n".join(map(json.dumps, RECORDS)), Format.JSONL, Dialect()),
    ],
)
def test_values_within_json_objects_are_columns_by_path(
    tmp_path: Path, content: str, format_: Format, dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdm_pipelines.ingest.json_document._PIECE", 11)
    path = tmp_path / "people.json"
    path.write_text(content, encoding="utf-8")
    columns = (
        Column("id"),
        Column("home.town"),
        Column("home.geo.lat"),
        Column("mails.0.at"),
        Column("mails"),
    )
    contract = replace(CUSTOMER, format=format_, dialect=dialect, columns=columns, party_kind=None)
    (table,) = read_file(path, contract)
    found = table.select([c.name for c in columns]).to_pylist()
    assert (
        found[0]
        == {
            "id": "1",
            "home.town": "Ede",
            "home.geo.lat": "52.1",
            "mails.0.at": None,
            "mails": '[{"at":"a@example.nl"}]',
        }
        or found[0]["mails.0.at"] == "a@example.nl"
    )
    assert (found[1]["id"], found[1]["home.town"]) == ("2", None)


@pytest.mark.parametrize("content", ['[{"id": 1}, {"id"', '[{"id": 1} {"id": 2}]', '{"id": [1', "[1, 2"])
def test_what_is_no_json_document_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "people.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ExtractError, match=r"JSON|recordsAt"):
        list(read_file(path, replace(CUSTOMER, format=Format.JSON)))


@pytest.mark.parametrize(
    ("content", "at", "problem"),
    [
        (
            '[{"id": "1"}][{"id": "2"}]',
            "",
            "goes on behind the end of its JSON document, which has 1 records",
        ),
        ('[{"id": "1"}]\n{"id": "2"}', "", "goes on behind the end"),
        ('[{"id": "1"}]garbage', "", "goes on behind the end"),
        ('{"a": {"rows": [{"id": "1"}], "b": [1]}, "c": {}} x', "a.rows", "goes on behind the end"),
        ('{"a": {"rows": [{"id": "1"}]}', "a.rows", "ends within a JSON value after record 1"),
        ('{"a": {"rows": [{"id": "1"}], "b"', "a.rows", "ends within a JSON value after record 1"),
        ('{"rows": [{"id": "1"}], "n": 1, "rows": [{"id": "2"}]}', "rows", "more than one value at 'rows'"),
        ('{"rows": [{"id": "1"}] "n": 1}', "rows", "is no JSON document"),
    ],
)
def test_json_document_is_read_to_its_end(
    tmp_path: Path, content: str, at: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdm_pipelines.ingest.json_document._PIECE", 7)
    path = tmp_path / "people.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ExtractError, match=problem):
        list(read_file(path, replace(CUSTOMER, format=Format.JSON, dialect=Dialect(records_at=at))))


@pytest.mark.parametrize(
    ("content", "at"),
    [("[]\n", ""), ('{"n": [1, {"b": 2}], "rows": [ ], "next": null, "links": {"self": "x"}}\r\n', "rows")],
)
def test_json_document_without_records_is_an_empty_delivery(tmp_path: Path, content: str, at: str) -> None:
    path = tmp_path / "people.json"
    path.write_text(content, encoding="utf-8")
    read = list(read_file(path, replace(CUSTOMER, format=Format.JSON, dialect=Dialect(records_at=at))))
    assert [table.num_rows for table in read] == [0]
    assert set(CUSTOMER.column_names) <= set(read[0].column_names)


@pytest.mark.parametrize(("format_", "content"), [(Format.JSON, '[{"a": 1}]'), (Format.JSONL, '{"a": 1}')])
def test_json_of_other_names_is_not_said_to_lack_a_header(
    tmp_path: Path, format_: Format, content: str
) -> None:
    path = tmp_path / "people.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ExtractError, match="lacks the column 'id'"):
        list(read_file(path, replace(CUSTOMER, format=format_)))


def zipped(**files: str) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.csv", text)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["2026-06-01.csv.zip", "2026-06-01.zip", "2026-06-01.csv"])
def test_a_zip_archive_of_one_file_is_read(tmp_path: Path, name: str) -> None:
    deliver(tmp_path, zipped(people=lines(",")), name)
    assert run_day(tmp_path).valid["id"].tolist() == ["7", "8"]


@pytest.mark.parametrize(
    "beside", [".DS_Store", "__MACOSX/._people.csv", "map/.DS_Store", "map/__MACOSX/x.csv", "Thumbs.db"]
)
def test_what_a_file_manager_leaves_in_a_zip_archive_is_no_delivery(tmp_path: Path, beside: str) -> None:
    buffer = io.BytesIO(zipped(people=lines(",")))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(beside, "x")
    deliver(tmp_path, buffer.getvalue())
    assert run_day(tmp_path).valid["id"].tolist() == ["7", "8"]


def test_a_zip_archive_of_several_files_is_refused(tmp_path: Path) -> None:
    deliver(tmp_path, zipped(people=lines(","), others=lines(",")))
    with pytest.raises(ExtractError, match="zip archive of 2 files"):
        run_day(tmp_path)


@pytest.mark.parametrize(
    "pack", [lambda text: gzip.compress(text.encode()), lambda text: zipped(people=text)]
)
def test_a_file_that_unpacks_to_far_more_than_it_is_is_refused_unless_the_contract_says_so(
    tmp_path: Path, pack: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdm_pipelines.ingest.unpack.ALWAYS_ALLOWED", 10_000)
    deliver(tmp_path, pack(HEADER + "1,Bos,,\n" * 20_000))  # type: ignore[operator]
    with pytest.raises(ExtractError, match=r"unpacks to more than .* MB.*maxUnpackedBytes") as refused:
        run_day(tmp_path)
    assert refused.value.kind == Refusal.TOO_LARGE
    assert len(run_day(tmp_path, with_dialect(max_unpacked_bytes=1_000_000)).raw) == 20_000


@pytest.mark.slow
def test_what_is_no_file_or_lies_elsewhere_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    path = deliver(landing, HEADER.encode())
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ExtractError, match="a pipe or a device"):
        run_day(landing)
    path.unlink()
    elsewhere = tmp_path / "secret.csv"
    elsewhere.write_text(HEADER, encoding="utf-8")
    path.symlink_to(elsewhere)
    with pytest.raises(ExtractError, match="leads out of landing"):
        run_day(landing)
    elsewhere.unlink()
    with pytest.raises(ExtractError, match="link to nothing"):
        run_day(landing)


@pytest.mark.parametrize("change", [b"", HEADER.encode() + b"1,Bos,,\n" * 9])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, change: bytes) -> None:
    path = deliver(tmp_path, HEADER.encode() + b"1,Bos,,\n" * 50)
    tables = read_extract(str(tmp_path), CUSTOMER, DATE, chunk_rows=10)
    next(tables)
    path.write_bytes(change)
    with pytest.raises(ExtractError, match="changed while it was read"):
        list(tables)


@pytest.mark.parametrize(
    ("dialect", "clean", "odd", "unfit"),
    [
        ({}, "utf-8", "cp1252", 1),
        ({"other_encoding": "cp1252"}, "utf-8", "cp1252", 0),
        ({"encoding": "cp1252"}, "utf-8", "cp1252", 1),
        ({"encoding": "cp1252"}, "cp1252", "utf-8", 0),
        ({"encoding": "cp850"}, "cp850", "utf-8", 0),
    ],
)
def test_lines_vote_on_the_encoding(
    tmp_path: Path, dialect: dict[str, str], clean: str, odd: str, unfit: int
) -> None:
    many = [f"{n},Müller,,".encode(clean) for n in range(30)]
    content = b"\n".join([HEADER.encode().strip(), *many, "99,Schütz,,".encode(odd), b""])
    deliver(tmp_path, content)
    contract = with_dialect(**dialect)
    outcome = run_day(tmp_path, contract)
    assert outcome.valid["name"].tolist() == ["Müller"] * 30 + ["Schütz"] * (1 - unfit)
    assert list(outcome.reasons.values()) == [["undecodable"]] * unfit
    (table,) = read_extract(str(tmp_path), contract, DATE)
    (note,) = reading_notes(table.schema)
    assert "lines" in note
    assert "Sch" not in note


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_read_either_way_round(tmp_path: Path, encoding: str) -> None:
    deliver(tmp_path, lines(",").encode(encoding))
    assert run_day(tmp_path, with_dialect(encoding="utf-16")).valid["id"].tolist() == ["7", "8"]


def joined_contract() -> SourceContract:
    """Customers whose e-mail addresses come in a file of their own."""
    other = Joined("erp/customer/mail-{date}*.csv", "id", "customer", Dialect(delimiter=";"))
    return replace(CUSTOMER, joined=(other,))


def test_columns_of_other_files_are_joined_and_none_of_their_rows_is_lost(tmp_path: Path) -> None:
    deliver(tmp_path, b"id,name,born\n1,Bos,\n2,Vos,\n", "2026-06-01-a.csv")
    deliver(tmp_path, b"id,name,born\n3,Kok,\n", "2026-06-01-b.csv")
    deliver(
        tmp_path,
        b"customer;email;shoe\n3;c@example.nl;43\n1;old@example.nl;41\n1;a@example.nl;42\n9;z@example.nl;40\n",
        "mail-2026-06-01.csv",
    )
    outcome = run_day(tmp_path, joined_contract())
    assert outcome.valid["email"].fillna("").tolist() == ["a@example.nl", "", "c@example.nl"]
    assert outcome.valid["shoe"].fillna("").tolist() == ["42", "", "43"]
    assert sorted(outcome.quarantine["id"]) == ["1", "9"]
    assert {reasons[0] for reasons in outcome.reasons.values()} == {"unjoined"}


def test_blanks_around_a_key_keep_no_rows_apart_that_are_joined(tmp_path: Path) -> None:
    deliver(tmp_path, b"id,name,born\n1   ,Bos,\n2,Vos,\n")
    deliver(
        tmp_path,
        b"customer;email\n1;a@example.nl\n 2 ;b@example.nl\n  ;c@example.nl\n",
        "mail-2026-06-01.csv",
    )
    outcome = run_day(tmp_path, joined_contract())
    assert outcome.valid["email"].fillna("").tolist() == ["a@example.nl", "b@example.nl"]
    assert len(outcome.quarantine) == 1, "the row without a key is of nobody"


SNIFFED: dict[str, tuple[str, dict[str, Any]]] = {
    "no header": (
        "4|Road|2011|Elm 3\n5|Hill|2012|Oak 4\n6|Road|2013|Ash 5\n",
        {"delimiter": "|", "header": False},
    ),
    "several signs": ("klant||naam||plaats\n1||Bos||Ede\n2||Vos||\n", {"delimiter": "||"}),
    "plus bar": ("1+|Bos+|a@b.nl+|2011\n2+|Vos+|c@d.nl+|2012\n", {"delimiter": "+|", "header": False}),
    "empty cells": ("a|b|c|d\n1||x|y\n2|z||y\n3|z|x|y\n", {"delimiter": "|"}),
    "separator line": ("sep=|\na|b\n1|x\n2|y\n", {"delimiter": "|"}),
    "preamble": (
        "Report\nPrinted, today\n\nid,name,town,mail\n1,Bos,Ede,a@b.nl\n2,Vos,Epe,c@d.nl\n3,Kok,Elst,e@f.nl\n",
        {"skip_rows": 3},
    ),
    "totals": (
        "id,name,town,due\n1,Bos,Ede,3\n2,Vos,Epe,4\n3,Kok,Elst,5\n4,Mol,Ede,5\nEindstand,,,17\n",
        {"totals": ("Eindstand",)},
    ),
    "a header of words": ("name,town\nBos,Ede\nVos,Epe\n", {}),
    "a header of years": ("id,name,2025,2026\na,Bos,1,2\nb,Vos,3,4\nc,Kok,3,4\n", {}),
}


@pytest.mark.parametrize(("text", "expected"), SNIFFED.values(), ids=SNIFFED)
def test_suggest_sees_how_a_file_is_written(tmp_path: Path, text: str, expected: dict[str, Any]) -> None:
    from cdm_pipelines.contracts import load_contract  # noqa: PLC0415

    path = tmp_path / "klant.csv"
    path.write_text(text, encoding="utf-8")
    target = tmp_path / "klant.odcs.yaml"
    target.write_text(suggest(path).to_yaml(), encoding="utf-8")
    contract = load_contract(target)
    assert contract.dialect == replace(Dialect(), **expected)
    rows = [row for table in read_file(path, contract) for row in table.to_pylist()]
    assert {row["_defect"] for row in rows} <= {None, "totals_line"}
    assert len(rows) == len(text.splitlines()) - contract.dialect.skip_rows - contract.dialect.header - (
        text.startswith("sep=")
    )
