"""Days of interactions from a few rows, counted, and attached to customers."""

import datetime as dt
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from cdm_pipelines.enrichment.attachment import Attached, attach, attached_rows
from cdm_pipelines.enrichment.interactions import DAY_SCHEMA, READ, WHAT, WHO, Tally, counted, working
from cdm_pipelines.enrichment.subjects import run
from cdm_pipelines.enrichment.tokens import Era, Eras, InteractionPolicy, Rules
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.touches import CROSSWALK, ORDERS, PARTIES

Row = Mapping[str, Any]
SHIPPED = InteractionPolicy.load(Settings.model_fields["policies"].default / "interactions.yaml")
STANDARD = pa.schema([(name, pa.bool_() if name == "is_deleted" else pa.string()) for name in READ])


def gid(name: str) -> str:
    """A golden id of a customer's name."""
    return f"00000000-0000-8000-8000-{name.encode().hex():0>12}"


def rules(**changed: object) -> Rules:
    return Rules.model_validate(SHIPPED.rules.model_dump() | changed)


def by(**changed: object) -> Eras:
    """The shipped rules with some changed, for all days."""
    return (Era("", rules(**changed)),)


def standard(rows: Sequence[Row]) -> pa.Table:
    """A standardised day; what a row leaves out is a visit of the web without anything."""
    full = [
        {"record_id": str(number), "channel": "web", "kind": "visit", "direction": "in", **row}
        for number, row in enumerate(rows)
    ]
    return pa.Table.from_pylist([{name: row.get(name) for name in READ} for row in full], schema=STANDARD)


@contextmanager
def database(threads: int = 1) -> Iterator[duckdb.DuckDBPyConnection]:
    with tempfile.TemporaryDirectory() as folder, working(Path(folder), threads=threads) as db:
        yield db


def count(
    rows: Sequence[Row],
    date: str = "2026-06-03",
    source: str = "web",
    repeated: pa.Array | None = None,
    pieces: int = 1,
) -> tuple[Tally, pa.Table]:
    """A day counted."""
    table = standard(rows)
    size = -(-table.num_rows // pieces) or 1
    batches = [table.slice(at, size) for at in range(0, table.num_rows, size)]
    with database() as db:
        tally, found = counted(
            db,
            batches,
            source=source,
            entity="event",
            date=dt.date.fromisoformat(date),
            timezone="Europe/Amsterdam",
            repeated=repeated,
        )
        return tally, pa.concat_tables([DAY_SCHEMA.empty_table(), *found])


@contextmanager
def known(
    days: Iterable[pa.Table], parties: Sequence[Row], orders: Sequence[Row] = ()
) -> Iterator[duckdb.DuckDBPyConnection]:
    """What attaching needs. A party names its ``customer``; an order names the party by ``party``."""
    crosswalk, records = [], []
    for row in parties:
        record = {"source": "web", "entity": "customer", "active": True, "first_seen": "2026-01-01", **row}
        customer = record.pop("customer")
        records.append({name: record.get(name) for name in PARTIES.names})
        if customer is not None:
            key = {name: record[name] for name in ("source", "entity", "record_id")}
            crosswalk.append({"golden_id": gid(customer), **key})
    placed = [
        {"source": "web", "party_entity": "customer", **row, "party_record_id": row["party"]}
        for row in orders
    ]
    tables = {
        "days": pa.concat_tables([DAY_SCHEMA.empty_table(), *days]),
        "crosswalk": pa.Table.from_pylist(crosswalk, schema=CROSSWALK),
        "parties": pa.Table.from_pylist(records, schema=PARTIES),
        "party_orders": pa.Table.from_pylist(
            [{name: row.get(name) for name in ORDERS.names} for row in placed], schema=ORDERS
        ),
    }
    with database() as db:
        for name, table in tables.items():
            db.register(f"given_{name}", table)
            run(db, f"CREATE TABLE {name} AS SELECT * FROM given_{name}")
        yield db


def attached(
    db: duckdb.DuckDBPyConnection, eras: Eras, customers: Iterable[str] | None = None
) -> tuple[list[dict[str, Any]], Attached | None]:
    """Rows that are attached, in order, and what came of it."""
    found = attach(db, eras, customers)
    order = [(name, "ascending") for name in ("golden_id", "first_at", *WHAT, "attached_by")]
    return attached_rows(db).sort_by(order).to_pylist(), found


__all__ = ["WHAT", "WHO", "attached", "by", "count", "database", "gid", "known", "rules", "standard"]
