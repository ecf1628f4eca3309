"""A handful of customers, made by the rooms that make them, for the tests of the hub."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Engine, text

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.golden import load_policy, survive
from cdm_pipelines.hub import publish
from cdm_pipelines.hub.bulk import read_crosswalk, read_registry
from cdm_pipelines.hub.publish import PublishResult
from cdm_pipelines.hub.staging import Staged, stage
from cdm_pipelines.identity import CROSSWALK_SCHEMA, REGISTRY_SCHEMA, assign
from cdm_pipelines.records import records_schema

POLICY = Path(__file__).parents[3] / "cdm_pipelines" / "policies" / "survivorship.yaml"
Row = dict[str, Any]

PEOPLE: list[Row] = [
    {
        "source": "crm",
        "entity": "contact",
        "record_id": "003A",
        "cluster": "anna",
        "given_name": "Anna",
        "surname_prefix": "van der",
        "surname": "Berg",
        "street": "Dorpsstraat",
        "house_number": "12",
        "postcode": "1234 AB",
        "city": "Delft",
        "email": "anna@example.nl",
        "mobile": "+31612345678",
        "birth_date": "1980-02-29",
        "email_opt_out": "true",
        "employer_id": "001X",
    },
    {
        "source": "shop",
        "entity": "customer",
        "record_id": "77",
        "cluster": "anna",
        "given_name": "Anna",
        "surname": "Berg",
        "email": "anna@example.nl",
        "phone": "+31101234567",
    },
    {
        "source": "crm",
        "entity": "account",
        "record_id": "001X",
        "cluster": "acme",
        "party_kind": "organisation",
        "organisation_name": "Acme Wonen",
        "postcode": "1234 AB",
        "house_number": "99",
    },
    {"source": "erp", "entity": "customer", "record_id": "77", "cluster": "piet", "surname": "Jansen"},
    {"source": "erp", "entity": "customer", "record_id": "78", "cluster": "piet", "surname": "Janssen"},
]


def version(engine: Engine, people: Sequence[Row] = PEOPLE) -> dict[str, pa.Table]:
    """The tables to publish for some source records."""
    schema = records_schema(Entity.PARTY)
    usual = {
        "active": True,
        "party_kind": "person",
        **dict.fromkeys(("extract_date", "first_seen", "last_seen"), "2026-06-01"),
    }
    rows = [{**usual, **row} for row in people]
    records = pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema)
    names = ["source", "entity", "record_id"]
    clusters = records.select(names).append_column("cluster_id", pa.array([row["cluster"] for row in rows]))
    with engine.connect() as connection:
        registry = read_registry(connection, REGISTRY_SCHEMA)
        crosswalk = read_crosswalk(connection, CROSSWALK_SCHEMA)
    done = assign(clusters, registry, crosswalk, records)
    golden = survive(records, done.crosswalk, load_policy(POLICY))
    none = pa.nulls(done.events.num_rows, pa.string())
    return {
        "golden_id": done.registry,
        "customer": golden.customer,
        "crosswalk": done.crosswalk.append_column("active", records["active"]),
        "provenance": golden.provenance,
        "event": done.events.append_column("reason", none).append_column("evidence", none),
    }


def staged(engine: Engine, people: Sequence[Row] = PEOPLE) -> Staged:
    return stage(engine, version(engine, people))


def promote(engine: Engine, token: UUID | None = None) -> PublishResult:
    """Publish what is staged, for good."""
    with engine.begin() as connection:
        return publish.promote(connection, token)


def published(engine: Engine, people: Sequence[Row] = PEOPLE) -> PublishResult:
    return promote(engine, staged(engine, people).token)


def changed(key: str, **values: Any) -> list[Row]:
    """The people, with other values for one record."""
    return [{**row, **values} if row["record_id"] == key else row for row in PEOPLE]


def everything(engine: Engine) -> Mapping[str, list[Row]]:
    """All rows of the published tables, with the transaction that wrote each."""
    tables = ("golden.customer", "golden.crosswalk", "golden.provenance", "identity.golden_id")
    with engine.connect() as connection:
        return {
            table: [
                dict(row)
                for row in connection.execute(
                    text(f"SELECT xmin::text, ctid::text, * FROM {table} ORDER BY 3, 4, 5")
                ).mappings()
            ]
            for table in tables
        }
