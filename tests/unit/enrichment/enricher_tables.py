"""Tables for enrichers: a few rows of records and customers, everything else empty."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from cdm_pipelines.contracts.canonical import Entity, OfParty, declarations
from cdm_pipelines.enrichment.inputs import ATTACHED
from cdm_pipelines.enrichment.work import Work, opened
from cdm_pipelines.golden.survivorship import CUSTOMER_SCHEMA
from cdm_pipelines.records import records_schema

Rows = Sequence[Mapping[str, Any]]
AS_OF = dt.date(2026, 6, 3)


def gid(number: int) -> str:
    """A golden id."""
    return f"00000000-0000-8000-8000-{number:012d}"


def base_tables(given: Mapping[str, Rows], as_of: dt.date = AS_OF) -> dict[str, pa.Table]:
    """All base tables, of those given the rows, whatever they leave out null.

    A row of an order or invoice names its customer by ``customer``, a number; a party record likewise. Both find it in
    the crosswalk that is made of them.
    """
    tables, crosswalk = {}, {}
    for declared in declarations():
        if declared.entity is Entity.INTERACTION:
            continue
        name = f"state_{declared.entity}"
        fields = {field.name: field.type for field in records_schema(declared.entity)}
        of_party = isinstance(declared.whose, OfParty)
        if of_party:
            fields |= {"party_entity": pa.string(), "party_record_id": pa.string()}
        rows = []
        for number, row in enumerate(given.get(name, ())):
            values = {
                "source": "shop",
                "entity": str(declared.entity),
                "record_id": str(number),
                "active": True,
                "extract_date": as_of.isoformat(),
                "first_seen": as_of.isoformat(),
                **row,
            }
            if "customer" in values:
                customer = values.pop("customer")
                key = (values["source"], "customer", str(customer))
                if of_party:
                    values |= {"party_entity": "customer", "party_record_id": str(customer)}
                else:
                    key = (values["source"], values["entity"], values["record_id"])
                crosswalk[key] = gid(customer)
            rows.append({field: values.get(field) for field in fields})
        tables[name] = pa.Table.from_pylist(rows, schema=pa.schema(list(fields.items())))
    links = [
        dict(zip(("source", "entity", "record_id"), key, strict=True), golden_id=one)
        for key, one in crosswalk.items()
    ]
    text = pa.string()
    tables["crosswalk"] = pa.Table.from_pylist(
        links, schema=pa.schema([(name, text) for name in ("golden_id", "source", "entity", "record_id")])
    )
    customers = [
        {**row, "golden_id": gid(row["golden_id"]) if isinstance(row["golden_id"], int) else row["golden_id"]}
        for row in given.get("golden_customer", ())
    ]
    tables["golden_customer"] = pa.Table.from_pylist(customers, schema=CUSTOMER_SCHEMA)
    rates: Rows = given.get("rates", ({"currency": "EUR", "valid_from": dt.date(1, 1, 1), "rate": 1.0},))
    tables["rates"] = pa.Table.from_pylist(
        list(rates),
        schema=pa.schema([("currency", text), ("valid_from", pa.date32()), ("rate", pa.float64())]),
    )
    dated: Rows = given.get("days_of_payment", ({"source": "erp"}, {"source": "shop"}))
    tables["days_of_payment"] = pa.Table.from_pylist(list(dated), schema=pa.schema([("source", text)]))
    tables["not_counted"] = pa.table({"status": pa.array(["cancelled", "geannuleerd"])})
    touches = [
        {**row, "golden_id": gid(row["golden_id"]) if isinstance(row["golden_id"], int) else row["golden_id"]}
        for row in given.get("attached", ())
    ]
    tables["attached"] = pa.Table.from_pylist(touches, schema=ATTACHED)
    return tables


@contextmanager
def work_on(*, as_of: dt.date = AS_OF, ahead: int = 9, **given: Rows) -> Iterator[Work]:
    """The work of an enricher on rows per base table: ``work_on(state_order=[{...}])``; what is dated over ``ahead``
    days later than ``as_of`` is in the future.
    """
    with opened(
        base_tables(given, as_of),
        as_of=as_of,
        horizon=as_of + dt.timedelta(ahead),
        currency="EUR",
        timezone="Europe/Amsterdam",
        threads=1,
    ) as work:
        yield work
