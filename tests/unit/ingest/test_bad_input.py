"""Everything that is wrong with files in practice: a clear message or a quarantined row, and nothing lost."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from ingest_samples import CUSTOMER, DATE, Outcome, deliver, run_day, with_dialect

from cdm_pipelines.ingest import ExtractError, Refusal, read_extract
from cdm_pipelines.ingest.cells import DEFECT, REPLACEMENT, mark_unusable, with_origin
from cdm_pipelines.ingest.errors import Defect
from cdm_pipelines.quality.corrections import export_quarantine, read_corrections
from cdm_pipelines.store.frames import to_table

HEADER = b"id,name,born,email\n"
GOOD = b"1,Jansen,1980-02-29,a@example.nl\n"
MANY = HEADER + b"".join(b"%d,Jansen,1980-01-01,a@example.nl\n" % i for i in range(500))
BIG_CELL = b"x" * 10_000_000
WIDE_CHARACTERS = "id,name,born,email\n1,Jansen,,\n"

REFUSED: list[tuple[str, bytes, dict[str, Any], Refusal, list[str]]] = [
    (
        "wrong encoding",
        HEADER + "".join(f"{i},Müller,,\n" for i in range(50)).encode("cp1252"),
        {},
        Refusal.ENCODING,
        ["is not utf-8: 50 of 51 lines cannot be decoded", "looks like cp1252", "dialect.encoding: cp1252"],
    ),
    (
        "UTF-8 where the contract says one byte per sign",
        HEADER + "".join(f"{i},Müller,,\n" for i in range(50)).encode(),
        {"encoding": "cp1252"},
        Refusal.ENCODING,
        ["is not cp1252: everything in it is valid utf-8", "dialect.encoding: utf-8"],
    ),
    (
        "UTF-16 with a byte-order mark",
        WIDE_CHARACTERS.encode("utf-16"),
        {},
        Refusal.ENCODING,
        ["looks like utf-16", "dialect.encoding: utf-16"],
    ),
    (
        "UTF-16 without a byte-order mark",
        WIDE_CHARACTERS.encode("utf-16-le"),
        {},
        Refusal.ENCODING,
        ["looks like utf-16-le"],
    ),
    (
        "UTF-8 where the contract says UTF-16",
        WIDE_CHARACTERS.encode(),
        {"encoding": "utf-16"},
        Refusal.ENCODING,
        ["is not utf-16"],
    ),
    (
        "byte-order mark of UTF-8 where the contract says cp1252",
        b"\xef\xbb\xbf" + HEADER + GOOD,
        {"encoding": "cp1252"},
        Refusal.ENCODING,
        ["looks like utf-8"],
    ),
    (
        "wrong delimiter",
        HEADER.replace(b",", b";") + GOOD.replace(b",", b";"),
        {},
        Refusal.DELIMITER,
        ["is not delimited by ','", "it looks like ';'", 'dialect.delimiter: ";"'],
    ),
    (
        "tabs",
        HEADER.replace(b",", b"\t"),
        {},
        Refusal.DELIMITER,
        ["looks like '\\t'", 'dialect.delimiter: "\\t"'],
    ),
    (
        "duplicate header",
        b"id,name,born,email,name\n1,a,,,b\n",
        {},
        Refusal.HEADER,
        ["has more than one column named 'name'"],
    ),
    ("reserved header", b"id,name,born,email,_row\n", {}, Refusal.HEADER, ["has a column named '_row'"]),
    (
        "missing required column",
        b"id,naam,born,email\n1,Jansen,,\n",
        {},
        Refusal.MISSING_COLUMN,
        ["lacks the column 'name'", "its column 2 looks like 'name'", "change the name in the contract"],
    ),
    ("empty file", b"", {}, Refusal.EMPTY, ["is empty (0 bytes)"]),
    ("blank lines only", b"\n\n\n", {}, Refusal.EMPTY, ["has no header"]),
    (
        "truncated gzip",
        gzip.compress(MANY, mtime=0)[:-200],
        {},
        Refusal.TRUNCATED,
        ["gzip file that is cut off", "again"],
    ),
    (
        "gzip cut within its head",
        gzip.compress(MANY, mtime=0)[:5],
        {},
        Refusal.TRUNCATED,
        ["gzip file that is cut off"],
    ),
    (
        "a quote that is never closed",
        HEADER + GOOD + b'2,"de Vries\nvan Bakker\n',
        {},
        Refusal.TRUNCATED,
        ["ends within quotes that were opened in row 3", "it is cut off"],
    ),
    (
        "a quote that is never closed, after stray quotes",
        HEADER + b'1,5" pipe,,\n2,"de Vries\nvan Bakker\n',
        {},
        Refusal.TRUNCATED,
        ["opened in row 3"],
    ),
    (
        "a damaged zip archive",
        b"PK\x03\x04 and more",
        {},
        Refusal.TRUNCATED,
        ["is a zip file that is cut off"],
    ),
    ("a Parquet file", b"PAR1 and more", {}, Refusal.UNREADABLE, ["is a Parquet file", "format: parquet"]),
]


@pytest.mark.parametrize(
    ("content", "dialect", "kind", "says"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_unusable_file_is_refused_with_a_message_that_says_what_to_do(
    tmp_path: Path, content: bytes, dialect: dict[str, Any], kind: Refusal, says: list[str]
) -> None:
    deliver(tmp_path, content)
    with pytest.raises(ExtractError) as refused:
        list(read_extract(str(tmp_path), with_dialect(**dialect), DATE))
    message = str(refused.value)
    assert refused.value.kind == kind
    assert message.startswith("erp/customer: erp/customer/2026-06-01.csv ")
    for words in says:
        assert words in message
    for value in ("Jansen", "Vries", "Bakker", "Müller", "example.nl"):
        assert value not in message


ROWS: list[tuple[str, bytes, dict[str, Any], list[str], dict[int, list[str]]]] = [
    ("byte-order mark", b"\xef\xbb\xbf" + HEADER + GOOD, {}, ["1"], {}),
    ("UTF-16 as agreed", WIDE_CHARACTERS.encode("utf-16"), {"encoding": "utf-16"}, ["1"], {}),
    ("cp1252 as agreed", HEADER + "1,Müller,,\n".encode("cp1252"), {"encoding": "cp1252"}, ["1"], {}),
    ("Windows line ends", HEADER.replace(b"\n", b"\r\n") + GOOD.replace(b"\n", b"\r\n"), {}, ["1"], {}),
    ("no line end at the end", HEADER + b"1,Jansen,,", {}, ["1"], {}),
    ("header only", HEADER, {}, [], {}),
    ("header only, no line end", HEADER.strip(), {}, [], {}),
    ("extra column", b"id,name,born,email,extra\n1,Jansen,,,new\n", {}, ["1"], {}),
    ("missing optional column", b"id,name,email\n1,Jansen,\n", {}, ["1"], {}),
    ("lines above the header", b"Report of today\n\n" + HEADER + GOOD, {"skip_rows": 2}, ["1"], {}),
    ("blank lines", HEADER + b"\n" + GOOD + b"\r\n\n2,Bos,,\n", {}, ["1", "2"], {}),
    ("row with too few cells", HEADER + b"1,Jansen\n" + b"2,Bos,,\n", {}, ["2"], {2: ["ragged"]}),
    ("row with too many cells", HEADER + b"1,Jansen,,,,x\n2,Bos,,\n", {}, ["2"], {2: ["ragged"]}),
    ("empty cells too many do no harm", HEADER + b"1,Jansen,,,,\n2,Bos,,\n", {}, ["1", "2"], {}),
    ("zero byte", HEADER + b"1,Jan\0sen,,\n2,Bos,,\n", {}, ["2"], {2: ["nul_byte"]}),
    (
        "one byte that cannot be decoded",
        MANY + b"x,J\xffn,,\n",
        {},
        [str(i) for i in range(500)],
        {502: ["undecodable"]},
    ),
    ("one bad byte in a small file", HEADER + b"1,J\xffn,,\n2,Bos,,\n", {}, ["2"], {2: ["undecodable"]}),
    ("10 MB cell", HEADER + b"1," + BIG_CELL + b",,\n2,Bos,,\n", {}, ["2"], {2: ["cell_too_long"]}),
    (
        "10 MB cell in quotes",
        HEADER + b'1,"' + BIG_CELL + b'\n",,\n2,Bos,,\n',
        {},
        ["2"],
        {2: ["cell_too_long"]},
    ),
    ("quoted line ends", HEADER + b'1,"Jansen\nde\r\nVries, 3",,\n2,Bos,,\n', {}, ["1", "2"], {}),
    ("doubled quotes", HEADER + b'1,"Jan ""de"" Bos",,\n""\n', {}, ["1"], {3: ["ragged"]}),
    (
        "text after a closing quote",
        HEADER + b'1,5" pipe,,\n2,"Bos"x,,\n3,"a\nb",,\n',
        {},
        ["1", "3"],
        {3: ["stray_quote"]},
    ),
    (
        "a quote that is never closed, and whole rows after it",
        HEADER + GOOD + b'2,"de Vries,,\n3,Bakker,,\n',
        {},
        ["1", "3"],
        {3: ["stray_quote"]},
    ),
    (
        "a quote that a later row closes",
        HEADER + b'1,"Vos,,\n2,Bos,,x\n3,Bakker,,5"\n4,"Kok",,\n',
        {},
        ["2", "3", "4"],
        {2: ["stray_quote"]},
    ),
    (
        "a file that quotes everything, with a quote that is not doubled",
        HEADER + b'"1","Jan "de" Vos","",""\n"2","Bos\nvan","",""\n"3","Kok","",""\n',
        {},
        ["2", "3"],
        {2: ["stray_quote"]},
    ),
    (
        "a quoted text that looks like part of a row",
        HEADER + b'1,"Vos\nand, as he says, so on,",,\n2,Bos,,\n',
        {},
        ["1", "2"],
        {},
    ),
    ("source that never quotes", HEADER + b'1,"Jansen,,\n2,Bos",,\n', {"quote": ""}, ["1", "2"], {}),
    (
        "null keys",
        HEADER + b",Jansen,,\n  ,Bos,,\n3,Vos,,\n",
        {},
        ["3"],
        {2: ["missing_key"], 3: ["missing_key"]},
    ),
    ("duplicate keys", HEADER + b"1,Oud,,\n2,Bos,,\n1,Nieuw,,\n", {}, ["2", "1"], {2: ["superseded"]}),
    (
        "a broken row supersedes nothing",
        HEADER + b"1,Oud,,\n1,Nieuw\n",
        {},
        ["1"],
        {3: ["ragged"]},
    ),
    ("missing required value", HEADER + b"1,,,\n", {}, [], {2: ["missing"]}),
    (
        "all rows bad, each with all its reasons",
        HEADER + b",,1980-02-30,nobody\n,,,\nx\n",
        {},
        [],
        {
            2: ["missing_key", "missing", "not_date", "not_email"],
            3: ["missing_key", "missing"],
            4: ["ragged"],
        },
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "dialect", "ids", "reasons"), [c[1:] for c in ROWS], ids=[c[0] for c in ROWS]
)
def test_bad_rows_go_to_quarantine_and_the_others_through(
    tmp_path: Path, content: bytes, dialect: dict[str, Any], ids: list[str], reasons: dict[int, list[str]]
) -> None:
    deliver(tmp_path, content)
    outcome = run_day(tmp_path, with_dialect(**dialect))
    assert outcome.valid["id"].tolist() == ids
    assert outcome.reasons == reasons


def test_dates_that_do_not_exist_are_blanked_and_recorded(tmp_path: Path) -> None:
    deliver(tmp_path, HEADER + b"1,A,1980-02-30,\n2,B,9999-12-31,\n3,C,1980-02-29,\n")
    outcome = run_day(tmp_path)
    assert outcome.valid["born"].fillna("").tolist() == ["", "", "1980-02-29"]
    assert outcome.blanked == [(2, "born", "not_date"), (3, "born", "implausible_date")]


def test_new_and_absent_columns_are_told(tmp_path: Path) -> None:
    from cdm_pipelines.ingest import absent_columns, new_columns  # noqa: PLC0415

    deliver(tmp_path, b"id,name,extra\n1,Jansen,x\n")
    (table,) = read_extract(str(tmp_path), CUSTOMER, DATE)
    assert new_columns(table.schema, CUSTOMER) == ["extra"]
    assert absent_columns(table.schema) == ["born", "email"]
    assert table.column("extra").to_pylist() == ["x"]


def test_absent_day_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match="no file for 2026-06-01") as refused:
        list(read_extract(str(tmp_path), CUSTOMER, DATE))
    assert refused.value.kind == Refusal.ABSENT
    assert "erp/customer/{date}*.csv" in str(refused.value)


def test_formulas_are_harmless_in_the_export_and_come_back_unchanged(tmp_path: Path) -> None:
    cells = [
        "=cmd|' /C calc'!A0",
        "+31 20 1234567",
        "-1",
        "@SUM(A1)",
        "\tx",
        "'=x",
        "''-y",
        "plain",
        "'t Hart",
    ]
    rows = "".join(f'"","{cell}",,\n' for cell in cells)
    deliver(tmp_path, HEADER + rows.encode())
    outcome = run_day(tmp_path)
    exported = export_quarantine(to_table(outcome.quarantine))
    assert exported.startswith(b"\xef\xbb\xbf")
    shown = _names(outcome, exported)
    assert not [cell for cell in shown if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert read_corrections(exported)["name"].tolist() == cells


def _names(outcome: Outcome, exported: bytes) -> list[str]:
    import csv  # noqa: PLC0415
    import io  # noqa: PLC0415

    lines = list(csv.reader(io.StringIO(exported.decode("utf-8-sig"), newline="")))
    place = lines[0].index("name")
    assert len(lines) == len(outcome.quarantine) + 1
    return [line[place] for line in lines[1:]]


@pytest.mark.slow
def test_ten_megabyte_cells_do_not_stay_in_memory(tmp_path: Path) -> None:
    deliver(tmp_path, HEADER + b"".join(b"%d,%s,,\n" % (i, BIG_CELL) for i in range(8)))
    tables = list(read_extract(str(tmp_path), CUSTOMER, DATE))
    assert sum(table.nbytes for table in tables) < 100_000
    assert sum(table.num_rows for table in tables) == 8


@pytest.mark.parametrize(("start", "end"), [(0, 9), (2, 3), (3, 9), (0, 2), (4, 4)])
def test_a_sign_is_found_in_whatever_piece_of_a_table(start: int, end: int) -> None:
    texts = ["a", None, "c\0d", "e", "", "f\0", "g"]
    cells = pa.chunked_array([pa.array(["z", *texts[:3]], pa.string())[1:], pa.array(texts[3:], pa.string())])
    table = with_origin(pa.table({"name": cells}), 1).slice(start, end - start)
    marked = mark_unusable(table, 100, {"\0": Defect.NUL_BYTE})
    of = texts[start:end]
    assert marked["name"].to_pylist() == [text and text.replace("\0", REPLACEMENT) for text in of]
    assert marked[DEFECT].to_pylist() == [
        Defect.NUL_BYTE.value if text and "\0" in text else None for text in of
    ]
