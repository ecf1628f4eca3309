"""Rows leave an extract as it was delivered, and nothing else of it changes."""

import gzip
import io
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdm_pipelines.contracts import Column, Delivery, Dialect, Format, SourceContract
from cdm_pipelines.ingest.removal import Extract

CSV = b'id,name\r\n1,Jan\r\n2,"van der\nBerg, ""Piet"""\r\n3,M\xc3\xbcller\r\n'


def contract(**values: object) -> SourceContract:
    made = SourceContract(
        source="crm",
        entity="contact",
        version="1",
        owner="sales",
        description="Contacts.",
        location="crm/contact/{date}.csv",
        format=Format.CSV,
        delivery=Delivery.SNAPSHOT,
        columns=(Column("id", key_position=1, required=True), Column("name", multiline=True)),
    )
    return replace(made, **values)  # type: ignore[arg-type]


def names(extract: Extract) -> list[tuple[int, str]]:
    rows = extract.rows()
    return list(zip(rows["_row"].to_pylist(), rows["name"].to_pylist(), strict=True))


@pytest.mark.parametrize("gone", [{2}, {3}, {2, 4}, {3, 4}])
def test_records_go_and_the_others_keep_their_numbers(gone: set[int]) -> None:
    extract = Extract(contract(), "crm/contact/2026-06-01.csv", CSV)
    before = names(extract)
    anew = extract.without(gone)
    assert anew is not None
    assert names(Extract(contract(), extract.path, anew)) == [one for one in before if one[0] not in gone]
    assert anew.startswith(b"id,name\r\n")


def test_compressed_files_stay_compressed() -> None:
    extract = Extract(contract(), "crm/contact/2026-06-01.csv.gz", gzip.compress(CSV))
    anew = extract.without({2})
    assert anew is not None
    assert b"Jan" not in gzip.decompress(anew)


def test_other_encodings_and_dialects() -> None:
    own = contract(dialect=Dialect(delimiter=";", encoding="cp1252"))
    content = 'id;name\n1;Jan\n2;"Müller; Zn"\n'.encode("cp1252")
    anew = Extract(own, "a.csv", content).without({2})
    assert anew == 'id;name\n\n2;"Müller; Zn"\n'.encode("cp1252")


def test_json_lines_and_parquet() -> None:
    lines = contract(format=Format.JSONL)
    anew = Extract(lines, "a.jsonl", b'{"id": "1", "name": "Jan"}\n{"id": "2", "name": "Piet"}\n').without(
        {1}
    )
    assert anew == b'\n{"id": "2", "name": "Piet"}\n'
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": ["1", "2"], "name": ["Jan", "Piet"]}), sink)
    table = Extract(contract(format=Format.PARQUET), "a.parquet", sink.getvalue())
    (first, _), _ = names(table)
    left = table.without({first})
    assert left is not None
    assert pq.read_table(pa.BufferReader(left))["name"].to_pylist() == ["Piet"]


def test_what_cannot_be_done_is_told_and_not_tried() -> None:
    assert (
        Extract(contract(format=Format.JSON), "a.json", b'[{"id": "1", "name": "Jan"}]').without({1}) is None
    )
    assert Extract(contract(), "a.csv", b'id,name\n1,"Jan\n').without({2}) is None
