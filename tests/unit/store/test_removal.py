"""Rows that leave the lake's files are in them no more, and nothing else has changed."""

from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.linkage import places as linkage
from cdm_pipelines.privacy.traces import Traces
from cdm_pipelines.quality import places as quality
from cdm_pipelines.steps.rights.rescan import values_in
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store import removal as leaving
from cdm_pipelines.store.arrow import digest
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Layered
from cdm_pipelines.store.register import Persons, Place, Rows, Stores, erase, search
from cdm_pipelines.store.removal import (
    by_columns,
    csv_rows,
    layered_rows,
    lines_of_ids,
    parquet_rows,
    paths_of,
)

KEY = ("source", "entity", "record_id")
WILLEM = Persons.of([("crm", "contact", "2")])
SECRET = "willem@oranje.nl"
ID = UUID("0b579dbd-26cf-568c-a8ad-9da5e73daf9f")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def stores(lake: Lake) -> Stores:
    return Stores(lake, None)


def rows(*ids: str, source: str = "crm", entity: str = "contact") -> pa.Table:
    return pa.table(
        {
            "source": pa.array([source] * len(ids), pa.string()),
            "entity": pa.array([entity] * len(ids), pa.string()),
            "record_id": pa.array(ids, pa.string()),
            "email": pa.array([SECRET if one == "2" else f"{one}@x.nl" for one in ids], pa.string()),
        }
    )


def content(lake: Lake, path: str) -> bytes:
    return Path(lake.where(path).removeprefix("file://")).read_bytes()


def test_a_parquet_table_keeps_its_other_rows_its_schema_and_its_notes(lake: Lake, stores: Stores) -> None:
    one = rows("1", "2", "3")
    schema = one.schema.with_metadata({layout.FINGERPRINT: "made from", "cdm.absent_columns": '["Fax"]'})
    for day in ("2026-06-01", "2026-06-02"):
        with lake.writer(f"standard/{day}.parquet", schema) as writer:
            writer.write_table((one if day.endswith("1") else one.slice(0, 1)).cast(schema))
            writer.add_key_value_metadata({layout.CONTENT: "of three rows", layout.FILES: "a.csv\t3"})
    untouched = content(lake, "standard/2026-06-02.parquet")
    find, removal = parquet_rows("standard/{date}.parquet", by_columns(KEY))
    (found, nothing) = find.find(stores, WILLEM)
    assert (found.where, found.rows) == ("standard/2026-06-01.parquet", [one.to_pylist()[1]])
    assert nothing.rows == []
    assert removal.remove(stores, WILLEM) == 1
    path = "standard/2026-06-01.parquet"
    assert lake.read(path).to_pylist() == [one.to_pylist()[0], one.to_pylist()[2]]
    assert SECRET not in str(lake.read(path))
    assert lake.schema(path).metadata == schema.metadata
    assert lake.notes(path)[layout.CONTENT] == digest("of three rows", pa.table({"gone": [1]}))  # no value
    assert lake.notes(path)[layout.FILES] == "a.csv\t3"
    assert lake.notes(path)[layout.FINGERPRINT] == "made from"
    assert content(lake, "standard/2026-06-02.parquet") == untouched
    assert removal.remove(stores, WILLEM) == 0


def test_rows_leave_every_piece_of_a_table_and_the_codes_of_its_columns(
    lake: Lake, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving, "_BATCH", 1_000)
    ids = [str(number) for number in range(10, 4_010)]
    ids[2_500], ids[3_999] = "2", "3"
    table = rows(*ids).append_column(
        "city", pa.array(["Zierikzee" if one == "2" else "Delft" for one in ids])
    )
    table = table.append_column("none", pa.nulls(4_000, pa.string()))
    lake.write("standard/2026-06-01.parquet", table)
    traces = Traces(["Zierikzee", SECRET])
    path = "standard/2026-06-01.parquet"
    assert values_in(path, content(lake, path), traces) == {"zierikzee", SECRET}
    _, erasure = parquet_rows("standard/{date}.parquet", by_columns(KEY))
    assert erasure.remove(stores, WILLEM) == 1
    assert lake.read(path).equals(table.filter(pa.array([one != "2" for one in ids])))
    assert lake.schema(path) == table.schema
    assert values_in(path, content(lake, path), traces) == set()


def test_a_table_of_base_and_changes_holds_no_row_of_the_past(lake: Lake, stores: Stores) -> None:
    ids = [str(number) for number in range(40)]
    table = Layered(lake, "records/party.arrow", KEY)
    table.write(rows(*ids), rows().schema, "first")
    moved = rows("2").set_column(3, "email", pa.array(["new-" + SECRET]))
    table.update(moved)  # the base still holds the former value
    assert all(SECRET.encode() in content(lake, path) for path in table.files)
    find, removal = layered_rows(lambda lake: Layered(lake, "records/party.arrow", KEY), by_columns(KEY))
    (found,) = find.find(stores, WILLEM)
    assert found.rows == moved.to_pylist()
    assert removal.remove(stores, WILLEM) == 1
    assert sorted(table.read()["record_id"].to_pylist()) == sorted(set(ids) - {"2"})
    assert not any(SECRET.encode() in content(lake, path) for path in table.files if lake.exists(path))
    mark = table.mark
    assert removal.remove(stores, WILLEM) == 0
    assert table.mark == mark  # nothing to remove, nothing written

    table.update(rows().slice(0, 0), rows("39").select(KEY))  # gone already, and still in the base
    assert b"39@x.nl" in content(lake, table.files[0])
    assert removal.remove(stores, Persons.of([("crm", "contact", "39")])) == 0
    assert not any(b"39@x.nl" in content(lake, path) for path in table.files if lake.exists(path))


def test_readers_of_a_table_that_lost_rows_read_everything(lake: Lake, stores: Stores) -> None:
    table = Layered(lake, "records/party.arrow", KEY)
    table.write(rows("1", "2"), rows().schema, "first")
    before = table.mark
    _, removal = layered_rows(lambda lake: Layered(lake, "records/party.arrow", KEY), by_columns(KEY))
    removal.remove(stores, WILLEM)
    assert table.since(before) is None
    assert table.mark.version == before.version + 1


def test_both_sides_of_a_pair_are_looked_at_and_a_place_without_the_table_holds_nothing(
    lake: Lake, stores: Stores
) -> None:
    places = [one for one in linkage.places({}, lambda *_: None) if one.name == "link/matches"]
    assert list(search(places, stores, WILLEM)) == []
    assert [one.rows for one in erase(places, stores, WILLEM)] == [0]
    pairs = pa.table(
        {
            "left_source": ["crm/contact", "crm/contact", "crm/contact", "erp/customer"],
            "left_id": ["1", "2", "1", "2"],
            "right_source": ["crm/contact", "erp/customer", "erp/customer", "shop/customer"],
            "right_id": ["2", "9", "9", "2"],
            "weight": [1.0, 2.0, 3.0, 4.0],
        }
    )
    tables.matches(lake).write(pairs, pairs.schema, "first")
    assert [one.rows for one in erase(places, stores, WILLEM)] == [2]
    assert tables.matches(lake).read()["weight"].to_pylist() == [3.0, 4.0]


def test_a_cluster_named_after_an_erased_record_is_named_after_the_next(lake: Lake, stores: Stores) -> None:
    clusters = pa.table(
        {
            "source": ["crm/contact", "shop/customer", "erp/customer", "erp/customer"],
            "record_id": ["2", "5", "7", "8"],
            "cluster_id": ["crm/contact|2", "crm/contact|2", "crm/contact|2", "erp/customer|8"],
        }
    )
    tables.clusters(lake).write(clusters, clusters.schema, "first")
    places = [one for one in linkage.places({}, lambda *_: None) if one.name == "link/clusters"]
    assert [one.rows for one in erase(places, stores, WILLEM)] == [1]
    assert tables.clusters(lake).read().to_pylist() == [
        {"source": "shop/customer", "record_id": "5", "cluster_id": "erp/customer|7"},
        {"source": "erp/customer", "record_id": "7", "cluster_id": "erp/customer|7"},
        {"source": "erp/customer", "record_id": "8", "cluster_id": "erp/customer|8"},
    ]
    assert b"crm/contact|2" not in content(lake, layout.CLUSTERS)


def test_a_csv_file_keeps_the_bytes_of_the_rows_that_stay(lake: Lake, stores: Stores) -> None:
    table = rows("1", "2", "3").set_column(3, "email", pa.array(['a "quoted"\nline', SECRET, None]))

    def write(table: pa.Table) -> None:
        with lake.file("publish/crm.csv") as sink, pa_csv.CSVWriter(sink, table.schema) as writer:
            writer.write_table(table)

    write(table.filter(pa.array([True, False, True])))
    expected = content(lake, "publish/crm.csv")
    write(table)
    find, removal = csv_rows("publish/crm.csv", by_columns(KEY))
    (found,) = find.find(stores, WILLEM)
    assert found.rows == [table.to_pylist()[1]]
    assert removal.remove(stores, WILLEM) == 1
    assert content(lake, "publish/crm.csv") == expected
    assert removal.remove(stores, WILLEM) == 0


def test_lines_that_name_a_customer_leave_their_file(lake: Lake, stores: Stores) -> None:
    willem = Persons.of([], [ID])
    lake.write_text("feed/a/1-2.jsonl", f'{{"subject": "{ID}"}}\n{{"subject": "other"}}\n')
    lake.write_text("feed/a/3-3.jsonl", '{"subject": "other"}\n')
    find, removal = lines_of_ids("feed/a/{positions}.jsonl")
    assert [found.where for found in find.find(stores, willem) if found.rows] == ["feed/a/1-2.jsonl"]
    assert removal.remove(stores, willem) == 1
    assert lake.read_text("feed/a/1-2.jsonl") == '{"subject": "other"}\n'
    assert removal.remove(stores, willem) == 0
    assert removal.remove(stores, WILLEM) == 0


def test_delivered_rows_are_found_by_their_place_and_by_their_key(lake: Lake, stores: Stores) -> None:
    contract = contract_named("crm/contact")
    day = "2026-06-01"
    standard = rows("2").append_column("_file", [["a.csv"]]).append_column("_row", [[7]])
    lake.write(layout.standard_path(contract, day, Entity.PARTY), standard)
    delivered = pa.table(
        {
            "Id": ["1", " 2 ", "broken", None, "2"],
            "Email": ["1@x.nl", SECRET, SECRET, "nobody@x.nl", "elsewhere"],
            "_file": ["a.csv", "a.csv", "a.csv", "a.csv", "b.csv"],
            "_row": pa.array([6, 9, 7, 8, 7], pa.int64()),
            "_sha256": ["s"] * 5,
            "_reasons": ["[]"] * 5,
        }
    )
    lake.write(layout.quarantine_path(contract, day), delivered)
    lake.write(layout.quarantine_path(contract, "2026-06-02"), delivered)
    places = [one for one in quality.places([contract]) if one.name == "quarantine/crm/contact"]
    assert [one.rows for one in erase(places, stores, WILLEM)] == [3 + 2]
    assert lake.read(layout.quarantine_path(contract, day))["Email"].to_pylist() == ["1@x.nl", "nobody@x.nl"]
    next_day = lake.read(layout.quarantine_path(contract, "2026-06-02"))  # where no record tells the place
    assert next_day["Id"].to_pylist() == ["1", "broken", None]


def test_lines_of_an_order_are_found_by_the_order_and_by_their_own_key(lake: Lake, stores: Stores) -> None:
    contract = contract_named("shop/order")
    delivered = pa.table(
        {
            "Name": ["#1", "#1", "#2"],
            "Lineitem number": ["1", "2", "1"],
            "Email": [SECRET, None, "2@x.nl"],
            "_file": ["a.csv"] * 3,
            "_row": pa.array([1, 2, 3], pa.int64()),
            "_sha256": ["s"] * 3,
        }
    )
    path = layout.valid_path(contract, "2026-06-01")
    lake.write(path, delivered)
    places = [one for one in quality.places([contract]) if one.name == "valid/shop/order"]
    assert [one.rows for one in erase(places, stores, Persons.of([("shop", "order", "#1")]))] == [2]
    assert lake.read(path)["Name"].to_pylist() == ["#2"]


def test_patterns_find_their_own_files_only(lake: Lake) -> None:
    for path in (
        "raw/crm/contact/2026-06-01.parquet",
        "raw/crm/contact/x.parquet",
        "raw/crm/contacts/2026-06-01.parquet",
    ):
        lake.write(path, rows("1"))
    assert paths_of(lake, "raw/crm/contact/{date}.parquet") == ["raw/crm/contact/2026-06-01.parquet"]
    assert paths_of(lake, "link/health.parquet") == []


def test_a_kill_between_two_files_is_made_good_by_doing_it_again(lake: Lake, stores: Stores) -> None:
    contract = contract_named("crm/contact")
    standard = rows("2").append_column("_file", [["a.csv"]]).append_column("_row", [[7]])
    raw = pa.table({"Id": ["?"], "Email": [SECRET], "_file": ["a.csv"], "_row": pa.array([7], pa.int64())})
    days = ("2026-06-01", "2026-06-02")
    for day in days:
        lake.write(layout.standard_path(contract, day, Entity.PARTY), standard)
        lake.write(layout.valid_path(contract, day), raw)
    (valid,) = (one for one in quality.places([contract]) if one.name == "valid/crm/contact")
    assert isinstance(valid.erasure, Rows)
    assert place_rows(valid, stores) == 2
    lake.write(layout.valid_path(contract, days[1]), raw)  # as if the process had ended before the second day
    assert place_rows(valid, stores) == 1


def place_rows(place: Place, stores: Stores) -> int:
    return sum(one.rows for one in erase([place], stores, WILLEM))
