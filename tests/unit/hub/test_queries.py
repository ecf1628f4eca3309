"""Finding, showing and exporting published customers."""

import datetime as dt
import json
import resource
from pathlib import Path
from uuid import UUID

import hub_examples as examples
import pyarrow as pa
import pytest
from sqlalchemy import Engine, text

from cdm_pipelines.hub import bulk, load, queries
from cdm_pipelines.hub.bulk import customer_schema, export_table, whole_table
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.queries import Summary, largest_customers, summary
from cdm_pipelines.hub.schema import customer as customer_table
from cdm_pipelines.identity import CROSSWALK_SCHEMA, REGISTRY_SCHEMA, golden_id
from cdm_pipelines.steps.customers.export import export_table as export_to_file


@pytest.fixture
def hub(hub_engine: Engine) -> Engine:
    examples.published(hub_engine)
    return hub_engine


ANNA, ACME, PIET = (
    golden_id("crm", "contact", "003A"),
    golden_id("crm", "account", "001X"),
    golden_id("erp", "customer", "77"),
)


def test_a_customer_with_its_records_and_provenance(hub: Engine) -> None:
    with hub.connect() as connection:
        found = queries.customer(connection, ANNA)
    assert found is not None
    assert found.golden["birth_date"] == dt.date(1980, 2, 29)
    assert found.golden["employer_id"] == UUID(ACME)
    assert [(row["source"], row["record_id"]) for row in found.records] == [("crm", "003A"), ("shop", "77")]
    assert {row["attribute"]: row["rule"] for row in found.provenance}["name"] == "completeness"
    assert found.aliases == []


def test_an_alias_leads_to_the_customer_it_was_merged_into(hub: Engine) -> None:
    examples.published(hub, examples.changed("001X", cluster="piet"))
    with hub.connect() as connection:
        merged = golden_id("erp", "customer", "77")
        found = queries.customer(connection, merged)
        assert found is not None
        assert found.golden["golden_id"] == UUID(ACME)
        assert found.aliases == [merged]


@pytest.mark.parametrize("golden", ["nonsense", "00000000-0000-5000-8000-000000000000"])
def test_no_such_customer(hub: Engine, golden: str) -> None:
    with hub.connect() as connection:
        assert queries.customer(connection, golden) is None


def test_an_empty_hub_answers(hub_engine: Engine) -> None:
    with hub_engine.connect() as connection:
        assert summary(connection) == Summary({}, 0, 0, 0)
        assert list(export_table(connection, whole_table("customer"))) == []
        assert largest_customers(connection) == []


def test_summary_counts_add_up(hub: Engine) -> None:
    with hub.connect() as connection:
        found = summary(connection)
    assert found == Summary(
        {"crm/account": 1, "crm/contact": 1, "erp/customer": 2, "shop/customer": 1},
        customers=3,
        duplicates_within=1,
        duplicates_across=1,
    )
    assert sum(found.records.values()) - found.duplicates_within - found.duplicates_across == found.customers


def test_examples_of_merges(hub: Engine) -> None:
    with hub.connect() as connection:
        assert [str(row["golden_id"]) for row in largest_customers(connection, 1)] == [ANNA]
        everyone = largest_customers(connection, 5, across=False)
    assert [row["records"] for row in everyone] == [2, 2, 1]


def test_a_customer_found_is_recognised_at_a_glance(hub: Engine) -> None:
    with hub.connect() as connection:
        found = queries.cards(connection, [UUID(ANNA), UUID(ACME)])
    anna, acme = found[UUID(ANNA)], found[UUID(ACME)]
    assert anna == {
        "golden_id": UUID(ANNA),
        "name": "Anna van der Berg",
        "address": "Dorpsstraat 12, 1234 AB Delft",
        "email": "anna@example.nl",
        "phone": "+31612345678",
        "birth_date": dt.date(1980, 2, 29),
        "status": "active",
        "records": 2,
    }
    assert (acme["name"], acme["address"], acme["phone"]) == ("Acme Wonen", "99, 1234 AB", None)


def test_the_export_holds_every_column_of_every_customer(hub: Engine) -> None:
    with hub.connect() as connection:
        pieces = list(export_table(connection, whole_table("customer")))
    rows = pa.concat_tables(pieces)
    assert rows.schema == customer_schema()
    assert rows.schema.names == [column.name for column in customer_table.columns]
    assert rows["golden_id"].to_pylist() == sorted([ANNA, ACME, PIET])
    anna = next(row for row in rows.to_pylist() if row["golden_id"] == ANNA)
    assert (anna["birth_date"], anna["email_opt_out"], anna["record_count"], anna["title"]) == (
        dt.date(1980, 2, 29),
        True,
        2,
        None,
    )


def test_any_published_table_can_be_exported(hub: Engine, tmp_path: Path) -> None:
    with hub.connect() as connection:
        assert (
            export_to_file(connection, tmp_path / "provenance.jsonl", "jsonl", whole_table("provenance")) > 3
        )
    rows = [json.loads(line) for line in (tmp_path / "provenance.jsonl").read_text().splitlines()]
    names = [(row["golden_id"], row["attribute"]) for row in rows]
    assert names == sorted(names)
    refused = pytest.raises(HubError, match=r"staged is not a published table; choose from .*customer_order")
    with hub.connect() as connection, refused:
        export_to_file(connection, tmp_path / "staged.csv", "csv", whole_table("staged"))
    assert {path.name for path in tmp_path.iterdir()} & {"staged.csv", ".staged.csv.part"} == set()


def test_identity_reads_back_what_was_published(hub_engine: Engine) -> None:
    tables = examples.version(hub_engine)
    examples.published(hub_engine)
    with hub_engine.connect() as connection:
        assert bulk.read_registry(connection, REGISTRY_SCHEMA) == tables["golden_id"]
        crosswalk = bulk.read_crosswalk(connection, CROSSWALK_SCHEMA)
    by_key = [("source", "ascending"), ("entity", "ascending"), ("record_id", "ascending")]
    assert crosswalk == tables["crosswalk"].select(CROSSWALK_SCHEMA.names).sort_by(by_key)


def test_index_serves_the_search_for_a_surname(hub: Engine) -> None:
    with hub.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = connection.scalars(text("EXPLAIN SELECT FROM golden.customer WHERE lower(surname) = 'berg'"))
        assert "customer_surname_lower_idx" in " ".join(plan)


@pytest.mark.parametrize("file_format", ["csv", "parquet", "jsonl"])
def test_an_export_to_a_full_disk_ends_and_leaves_no_file(
    hub: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    monkeypatch.setattr(load, "_READ_BYTES", 20)
    with hub.begin() as connection:  # more than fits into the buffers of a connection
        columns = ", ".join(
            f'"{column.name}"' for column in customer_table.columns if column.name != "golden_id"
        )
        more = f"SELECT gen_random_uuid(), {columns} FROM golden.customer, generate_series(1, 300)"
        connection.execute(text("UPDATE golden.customer SET title = repeat('x', 50000)"))
        connection.execute(text(f"INSERT INTO golden.customer (golden_id, {columns}) {more}"))
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most[1]))
    try:
        with pytest.raises(OSError, match="File too large"), hub.connect() as connection:
            export_to_file(connection, tmp_path / "customers", file_format, whole_table("customer"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert list(tmp_path.iterdir()) == []
    with hub.connect() as connection:
        assert summary(connection).customers == 3
