"""Every format and every place an extract can come from gives the same rows."""

import datetime as dt
import gzip
import json
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from ingest_samples import CUSTOMER, DATE, deliver, run_day, with_dialect

from cdm_pipelines.contracts import Column, Dialect, Format, LogicalType, SourceContract
from cdm_pipelines.contracts.model import FillDown, Query
from cdm_pipelines.ingest import ExtractError, Refusal, checksum, copies, delimited, read_extract

ROWS: list[dict[str, Any]] = [
    {"id": "1", "name": "Jansen", "born": "1980-02-29", "email": "a@example.nl"},
    {"id": "2", "name": "de Vries", "born": None, "email": None},
]


def read(landing: str, contract: SourceContract) -> list[dict[str, Any]]:
    """Declared cells of all rows."""
    names = list(contract.column_names)
    return [row for table in read_extract(landing, contract, DATE) for row in table.select(names).to_pylist()]


def of_format(source_format: Format, suffix: str) -> SourceContract:
    """The contract for another format."""
    return replace(CUSTOMER, format=source_format, location=f"erp/customer/{{date}}*{suffix}")


def csv_bytes() -> bytes:
    """The rows as CSV."""
    return b"id,name,born,email\n1,Jansen,1980-02-29,a@example.nl\n2,de Vries,,\n"


def test_csv_rows_carry_their_origin(tmp_path: Path) -> None:
    path = deliver(tmp_path, csv_bytes())
    (table,) = read_extract(str(tmp_path), CUSTOMER, DATE)
    assert table.column_names == ["id", "name", "born", "email", "_file", "_row", "_sha256", "_defect"]
    assert table.column("_file").to_pylist() == ["erp/customer/2026-06-01.csv"] * 2
    assert table.column("_row").to_pylist() == [2, 3]
    assert set(table.column("_sha256").to_pylist()) == {checksum(path)}
    assert read(str(tmp_path), CUSTOMER) == ROWS


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252", "latin-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    deliver(tmp_path, "id;name;born;email\n1;Müller Ëlf;;\n".encode(encoding))
    contract = with_dialect(delimiter=";", encoding=encoding)
    assert read(str(tmp_path), contract)[0]["name"] == "Müller Ëlf"


def test_compressed_files_are_read_by_what_they_are_not_by_their_name(tmp_path: Path) -> None:
    deliver(tmp_path, gzip.compress(csv_bytes(), mtime=0), "2026-06-01.csv.gz")
    assert read(str(tmp_path), CUSTOMER) == ROWS
    deliver(tmp_path, gzip.compress(csv_bytes(), mtime=1), "2026-06-01.csv")
    assert read(str(tmp_path), CUSTOMER) == ROWS * 2


def test_the_same_bytes_count_once_under_whatever_name(tmp_path: Path) -> None:
    for name in ("2026-06-01.csv", "2026-06-01_2.csv", "2026-06-01-copy.csv"):
        deliver(tmp_path, csv_bytes(), name)
    (table,) = read_extract(str(tmp_path), CUSTOMER, DATE)
    assert set(table.column("_file").to_pylist()) == {"erp/customer/2026-06-01.csv"}
    assert len(table) == len(ROWS)
    assert copies(table.schema) == ["erp/customer/2026-06-01-copy.csv", "erp/customer/2026-06-01_2.csv"]


def test_several_files_of_a_day_come_in_name_order_with_all_their_columns(tmp_path: Path) -> None:
    deliver(tmp_path, b"id,name\n2,B\n", "2026-06-01-b.csv")
    deliver(tmp_path, b"name,id,city\nA,1,Ede\n", "2026-06-01-a.csv")
    (table,) = read_extract(str(tmp_path), CUSTOMER, DATE)
    assert table.column("id").to_pylist() == ["1", "2"]
    assert table.column("city").to_pylist() == ["Ede", None]


def test_one_bad_file_refuses_the_day(tmp_path: Path) -> None:
    deliver(tmp_path, csv_bytes(), "2026-06-01-a.csv")
    deliver(tmp_path, b"", "2026-06-01-b.csv")
    with pytest.raises(ExtractError, match=r"2026-06-01-\w\.csv is empty"):
        list(read_extract(str(tmp_path), CUSTOMER, DATE))


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        json.dumps({**ROWS[0], "tags": ["a", 1], "sum": 1.10, "ok": True}),
        "",
        json.dumps(ROWS[1]),
        "{broken",
        json.dumps({"id": "3", "name": "\ud800", "new": "\0"}),
    ]
    deliver(tmp_path, "\n".join(lines).encode(), "2026-06-01.jsonl")
    contract = of_format(Format.JSONL, ".jsonl")
    outcome = run_day(tmp_path, contract)
    assert outcome.raw["_row"].tolist() == [1, 3, 4, 5]
    assert outcome.raw[["tags", "sum", "ok"]].iloc[0].tolist() == ['["a","1"]', "1.1", "true"]
    assert outcome.valid["id"].tolist() == ["1", "2"]
    assert outcome.reasons == {4: ["unparsable"], 5: ["undecodable"]}


def test_what_is_not_json_lines_is_refused(tmp_path: Path) -> None:
    deliver(tmp_path, csv_bytes(), "2026-06-01.jsonl")
    with pytest.raises(ExtractError, match="is not JSON Lines: 3 of 3 lines"):
        read(str(tmp_path), of_format(Format.JSONL, ".jsonl"))


def test_parquet_values_get_one_spelling(tmp_path: Path) -> None:
    moment = dt.datetime(2026, 6, 1, 10, 20, 30, tzinfo=dt.UTC)
    table = pa.table(
        {
            "id": pa.array([1, 2]),
            "name": pa.array(["Jansen", ""]).dictionary_encode(),
            "born": pa.array([dt.date(1980, 2, 29), None]),
            "email": pa.array([1855811.0, float("nan")]),
            "at": pa.array([moment, None], pa.timestamp("ms", "Europe/Amsterdam")),
            "sum": pa.array([Decimal("1.50"), None]),
            "ok": pa.array([True, None]),
            "parts": pa.array([[{"a": 1}], None]),
            "raw": pa.array([b"\xff\x00", b"abc"]),
        }
    )
    path = deliver(tmp_path, b"", "2026-06-01.parquet")
    pq.write_table(table, path)
    (read_table,) = read_extract(str(tmp_path), of_format(Format.PARQUET, ".parquet"), DATE)
    first, second = read_table.drop_columns(["_file", "_sha256", "_defect"]).to_pylist()
    assert first == {
        "id": "1",
        "name": "Jansen",
        "born": "1980-02-29",
        "email": "1855811",
        "at": "2026-06-01T10:20:30.000Z",
        "sum": "1.50",
        "ok": "true",
        "parts": '[{"a":1}]',
        "raw": "ff00",
        "_row": 1,
    }
    assert [second[name] for name in ("name", "email", "at")] == [None, None, None]


NUMBERS = [
    (5512345678901.0, "5512345678901"),
    (31612345679.0, "31612345679"),
    (-0.0, "0"),
    (12345678901.25, "12345678901.25"),
    (0.1, "0.1"),
    (12345678901234567890.0, "1.2345678901234567E+19"),
    (float("inf"), None),
    (float("-inf"), None),
]


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        *((pa.float64(), value, text) for value, text in [*NUMBERS, (2.0**53 - 1, "9007199254740991")]),
        (pa.float64(), 2.0**53, "9.007199254740992E+15"),
        (pa.float32(), 1234567890.0, "1.234568E+9"),
        (pa.float32(), 16777215.0, "16777215"),
        (pa.array([np.float16(0)]).type, 1042.0, "1042"),
    ],
)
def test_numbers_of_parquet_keep_their_digits_and_get_no_others(
    tmp_path: Path, kind: pa.DataType, given: float, expected: str | None
) -> None:
    path = deliver(tmp_path, b"", "2026-06-01.parquet")
    numbers = pa.array([given, None], pa.float64()).cast(kind, safe=False)
    pq.write_table(pa.table({"id": ["1", "2"], "name": numbers}), path)
    (table,) = read_extract(str(tmp_path), of_format(Format.PARQUET, ".parquet"), DATE)
    assert table["name"].to_pylist() == [expected, None]


def test_long_numbers_of_a_workbook_are_told_as_damage_and_get_no_digits(tmp_path: Path) -> None:
    """A spreadsheet keeps fifteen digits."""
    book = openpyxl.Workbook()
    assert book.active is not None
    given = (5512345678901, 999999999999999, 1234567890123450, 12345678901234567890, 12.5)
    for row in (("id", "name", "born", "email"), *((number, "Bos", None, None) for number in given)):
        book.active.append(row)
    book.save(deliver(tmp_path, b"", "2026-06-01.xlsx"))
    outcome = run_day(tmp_path, of_format(Format.EXCEL, ".xlsx"))
    assert outcome.valid["id"].tolist() == ["5512345678901", "999999999999999", "12.5"]
    assert outcome.raw["id"].str[:17].tolist()[2:4] == ["1.23456789012345E", "1.234567890123457"]
    assert outcome.reasons == {4: ["spreadsheet"], 5: ["spreadsheet"]}


@pytest.mark.parametrize(
    ("source_format", "suffix"),
    [(Format.PARQUET, ".parquet"), (Format.EXCEL, ".xlsx"), (Format.JSONL, ".jsonl")],
)
def test_empty_and_damaged_files_are_refused_in_every_format(
    tmp_path: Path, source_format: Format, suffix: str
) -> None:
    contract = of_format(source_format, suffix)
    path = deliver(tmp_path, b"", f"2026-06-01{suffix}")
    with pytest.raises(ExtractError, match=r"is empty \(0 bytes\)"):
        read(str(tmp_path), contract)
    path.write_bytes(b"PAR1 nothing of the kind")
    with pytest.raises(ExtractError) as refused:
        read(str(tmp_path), contract)
    assert refused.value.kind == Refusal.UNREADABLE


def _workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Klanten"
    sheet.append(["Report"])
    sheet.append(["id", "name", "born", "email"])
    sheet.append([1, "Jansen", dt.date(1980, 2, 29), "a@example.nl"])
    sheet.append([])
    sheet.append(["2", "de Vries", None, None])
    book.save(path)


def test_excel(tmp_path: Path) -> None:
    _workbook(deliver(tmp_path, b"", "2026-06-01.xlsx"))
    contract = replace(of_format(Format.EXCEL, ".xlsx"), dialect=Dialect(sheet="Klanten", skip_rows=1))
    assert read(str(tmp_path), contract) == ROWS
    (table,) = read_extract(str(tmp_path), contract, DATE)
    assert table.column("_row").to_pylist() == [3, 5]
    with pytest.raises(
        ExtractError, match=r"has no sheet 'Adressen'\. Set dialect.sheet to the name of one of its 1 sheets"
    ):
        read(str(tmp_path), replace(contract, dialect=Dialect(sheet="Adressen")))


def test_excel_dates_are_spelt_as_the_column_says(tmp_path: Path) -> None:
    _workbook(deliver(tmp_path, b"", "2026-06-01.xlsx"))
    born = Column("born", logical_type=LogicalType.DATE, date_formats=("%d-%m-%Y",))
    columns = tuple(born if column.name == "born" else column for column in CUSTOMER.columns)
    contract = replace(of_format(Format.EXCEL, ".xlsx"), dialect=Dialect(skip_rows=1), columns=columns)
    assert read(str(tmp_path), contract)[0]["born"] == "29-02-1980"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourceContract:
    url = f"sqlite:///{tmp_path / 'source.db'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("create table klant (id, name, born, email, day)"))
        for row in ROWS:
            connection.execute(
                sa.text("insert into klant values (:id, :name, :born, :email, '2026-06-01')"), row
            )
        connection.execute(sa.text("insert into klant values ('3', 'Bos', null, null, '2026-06-02')"))
    engine.dispose()
    monkeypatch.setenv("CRM_URL", url)
    query = Query("select id, name, born, email from klant where day = :date order by id", "CRM_URL")
    return replace(CUSTOMER, format=Format.SQL, location="", query=query)


def test_query(database: SourceContract, tmp_path: Path) -> None:
    assert read(str(tmp_path), database) == ROWS
    (first,), (again,) = (list(read_extract(str(tmp_path), database, DATE)) for _ in range(2))
    assert first.equals(again)
    assert set(first.column("_file").to_pylist()) == {"query/erp/customer/2026-06-01"}


def test_query_errors_hold_no_secret(
    database: SourceContract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_URL", "postgresql+psycopg://someone:s3cret@127.0.0.1:1/x")
    with pytest.raises(ExtractError, match=r"cannot be queried \(OperationalError\)") as refused:
        read(str(tmp_path), database)
    assert "s3cret" not in str(refused.value)
    assert "someone" not in str(refused.value)
    monkeypatch.delenv("CRM_URL")
    assert "CRM_URL" not in os.environ
    with pytest.raises(ExtractError, match="CRM_URL is not set"):
        read(str(tmp_path), database)


def test_landing_may_be_any_file_system() -> None:
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe("/landing-formats/erp/customer/2026-06-01.csv", csv_bytes())
    assert read("memory://landing-formats", CUSTOMER) == ROWS


def test_apostrophes_go_where_a_spreadsheet_would_have_changed_the_value(tmp_path: Path) -> None:
    contract = replace(
        CUSTOMER,
        columns=(
            *CUSTOMER.columns,
            Column("zip", leading_apostrophe=True),
            Column("note", leading_apostrophe=False),
        ),
        dialect=Dialect(leading_apostrophe=True),
    )
    deliver(tmp_path, b"id,name,zip,note\n'0123,'t Hart,'SW1A 1AA,'1\n''1,'s-Gravenhage,','\n'+31,'=1,''x,\n")
    names = ["id", "name", "zip", "note"]
    rows = [[row[name] for name in names] for row in read(str(tmp_path), contract)]
    assert rows == [
        ["0123", "'t Hart", "SW1A 1AA", "'1"],
        ["''1", "'s-Gravenhage", None, "'"],
        ["+31", "=1", "'x", None],
    ]


@pytest.mark.parametrize("block_bytes", [1, 20, 1_000_000])
def test_continuation_lines_are_completed_and_numbered_wherever_the_file_is_cut(
    tmp_path: Path, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block_bytes)
    contract = replace(
        CUSTOMER,
        columns=(
            Column("order", required=True, key_position=1),
            Column("line", required=True, key_position=2),
            Column("email"),
            Column("item"),
        ),
        fill_down=FillDown(key="order", columns=("email",), numbered_as="line"),
    )
    deliver(
        tmp_path,
        b"order,email,item\n#1,a@b,x\n#1,,y\n#1,broken\n#1,,z\n#2,,x\n#2,c@d,y\n,,w\n,,v\n#1,e@f,x\n#1,,y\n",
    )
    outcome = run_day(tmp_path, contract)
    cells = outcome.raw.loc[outcome.raw["_defect"].isna(), ["order", "line", "email", "item"]].fillna("-")
    assert cells.to_numpy().tolist() == [
        ["#1", "1", "a@b", "x"],
        ["#1", "2", "a@b", "y"],
        ["#1", "3", "a@b", "z"],
        ["#2", "1", "-", "x"],
        ["#2", "2", "c@d", "y"],
        ["-", "1", "-", "w"],
        ["-", "1", "-", "v"],
        ["#1", "1", "e@f", "x"],
        ["#1", "2", "e@f", "y"],
    ]
    assert outcome.reasons == {
        2: ["superseded"],
        3: ["superseded"],
        4: ["ragged"],
        8: ["missing_key"],
        9: ["missing_key"],
    }


def test_a_million_cells_take_no_more_memory_than_a_chunk(tmp_path: Path) -> None:
    rows = b"".join(b"%d,Jansen,1980-01-01,a%d@example.nl\n" % (i, i) for i in range(200_000))
    deliver(tmp_path, b"id,name,born,email\n" + rows)
    before = pa.total_allocated_bytes()
    most = 0
    for table in read_extract(str(tmp_path), CUSTOMER, DATE, chunk_rows=10_000):
        most = max(most, pa.total_allocated_bytes() - before)
        assert table.num_rows <= 10_000
    assert most < 60_000_000
