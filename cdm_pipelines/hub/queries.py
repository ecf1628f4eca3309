"""What people and later steps ask the published tables.

Belongs here: reading. Does not belong here: writing (``publish``), or how an answer is shown.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Column, ColumnElement, Connection, Select, func, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import BigInteger, Boolean, Date, DateTime, Integer, Numeric

from cdm_pipelines.hub import schema as hub
from cdm_pipelines.hub.golden_ids import as_uuid
from cdm_pipelines.hub.load import copy_table, read_batches, read_table
from cdm_pipelines.hub.published import customers_of, published_table

Row = dict[str, object]

_C = hub.customer.c


@dataclass(frozen=True)
class Customer:
    """A golden customer with what it is made of.

    Attributes:
        golden: Its columns.
        records: Its rows of the crosswalk.
        provenance: Its rows of the provenance table.
        aliases: Golden ids of customers that were merged into it.
    """

    golden: Row
    records: Sequence[Row]
    provenance: Sequence[Row]
    aliases: Sequence[str]


@dataclass(frozen=True)
class Summary:
    """How many source records became how many customers.

    Attributes:
        records: Source records by ``source/entity``.
        customers: Golden customers.
        duplicates_within: Records beyond the first of a customer within one source, summed over sources.
        duplicates_across: Sources beyond the first of a customer. Records - within - across = customers.
    """

    records: dict[str, int]
    customers: int
    duplicates_within: int
    duplicates_across: int


def customer(connection: Connection, golden_id: str) -> Customer | None:
    """A customer by golden id or alias, with its records and the provenance of its values."""
    ids = as_uuid(golden_id)
    found = connection.execute(_by_golden_id(ids)).scalar() if ids else None
    if found is None:
        return None
    golden = _rows(connection, select(hub.customer).where(_C.golden_id == found))
    records = select(hub.crosswalk).where(hub.crosswalk.c.golden_id == found)
    provenance = select(hub.provenance).where(hub.provenance.c.golden_id == found)
    aliases = select(hub.golden_id.c.golden_id).where(hub.golden_id.c.alias_of == found)
    return Customer(
        golden[0],
        [
            _without(row, "golden_id")
            for row in _rows(connection, records.order_by(*hub.crosswalk.primary_key))
        ],
        [
            _without(row, "golden_id")
            for row in _rows(connection, provenance.order_by(*hub.provenance.primary_key))
        ],
        [str(row) for row in connection.scalars(aliases.order_by(hub.golden_id.c.sequence))],
    )


def orders(connection: Connection, golden_id: UUID, limit: int) -> list[Row]:
    """The newest orders of a customer: when, number, status, amount, currency and source."""
    order = hub.customer_order.c
    names = ("ordered_at", "order_id", "status", "total_amount", "currency", "source")
    query = select(*(order[name] for name in names)).where(order.golden_id == golden_id)
    return _rows(
        connection, query.order_by(order.ordered_at.desc().nulls_last(), order.order_id).limit(limit)
    )


def cards(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, Row]:
    """By what a person recognises each customer.

    Returns:
        Rows of ``golden_id``, ``name``, ``address``, ``email``, ``phone``, ``birth_date``, ``status`` and
        ``records``, their number.
    """
    rows = _rows(connection, select(*_card()).where(_C.golden_id.in_(list(ids))))
    return {UUID(str(row["golden_id"])): row for row in rows}


def summary(connection: Connection) -> Summary:
    """Count source records, customers, and duplicates within and across sources."""
    x = hub.crosswalk.c
    per_source = select(x.golden_id, func.count().label("records")).group_by(x.golden_id, x.source).subquery()
    totals = connection.execute(
        select(
            func.coalesce(func.sum(per_source.c.records), 0),
            func.count(),
            func.count(per_source.c.golden_id.distinct()),
        )
    ).one()
    records, pairs, customers = map(int, totals)
    by_entity = connection.execute(
        select(x.source, x.entity, func.count()).group_by(x.source, x.entity).order_by(x.source, x.entity)
    )
    return Summary(
        {f"{source}/{entity}": int(count) for source, entity, count in by_entity},
        customers,
        records - pairs,
        pairs - customers,
    )


def largest_customers(connection: Connection, limit: int = 5, *, across: bool = True) -> list[Row]:
    """Customers made of the most records: those known to most sources first when ``across`` is set.

    Rows are as those of :func:`cards`.
    """
    order = [_C.source_count.desc()] if across else []
    query = select(*_card()).order_by(*order, _C.record_count.desc(), _C.golden_id)
    return _rows(connection, query.limit(limit))


@dataclass(frozen=True)
class Part:
    """What of a published table is exported.

    Attributes:
        name: Of the table.
        view: Through which it is read, as SQL names it; the table itself when empty.
        schema: Names and types of the columns.
        left_out: Golden ids of customers whose rows are not exported; None for nobody's.
    """

    name: str
    schema: pa.Schema
    view: str = ""
    left_out: pa.Array | None = None


def whole_table(name: str) -> Part:
    """All of a published table.

    Raises:
        HubError: No published table has that name.
    """
    return Part(name, table_schema(name))


def export_table(connection: Connection, part: Part) -> Generator[pa.Table, None, None]:
    """Rows of a published table in order of its key, streamed: memory does not grow with their number."""
    names = ", ".join(f'"{name}"' for name in part.schema.names)
    order = ", ".join(f'"{key}"' for key in published_table(part.name).key if key in part.schema.names)
    query = f"SELECT {names} {_rows_of(connection, part)} ORDER BY {order or 1}"
    yield from read_batches(connection, query, part.schema)


def whose(name: str) -> frozenset[str]:
    """The columns of a published table by which it is known whose a row is."""
    known = published_table(name)
    return frozenset({"golden_id"} if "golden_id" in known.table.c else known.key)


def count_rows(connection: Connection, part: Part) -> int:
    """Number of rows that :func:`export_table` gives."""
    return int(connection.scalar(text(f"SELECT count(*) {_rows_of(connection, part)}")) or 0)


def _rows_of(connection: Connection, part: Part) -> str:
    """SQL from ``FROM`` on; whose rows are left out is in a table of the session."""
    known = published_table(part.name)
    if part.left_out is None or not len(part.left_out):
        return f"FROM {part.view or known.table.fullname} AS t"
    connection.execute(text("DROP TABLE IF EXISTS pg_temp.left_out"))
    connection.execute(text("CREATE TEMP TABLE left_out (golden_id uuid PRIMARY KEY) ON COMMIT DROP"))
    copy_table(connection, "left_out", pa.table({"golden_id": part.left_out}), "pg_temp")
    if "golden_id" in known.table.c:
        theirs = "SELECT FROM left_out AS o WHERE o.golden_id = t.golden_id"
    else:
        whose = customers_of(part.name).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
        same = " AND ".join(f'w."{key}" = t."{key}"' for key in known.key)
        theirs = f"SELECT FROM ({whose}) AS w JOIN left_out AS o USING (golden_id) WHERE {same}"
    return f"FROM {part.view or known.table.fullname} AS t WHERE NOT EXISTS ({theirs})"


def table_schema(name: str) -> pa.Schema:
    """Names and types of the exported rows of a published table; decimals, ids and JSON as text.

    Raises:
        HubError: No published table has that name.
    """
    return pa.schema([(column.name, _arrow_type(column)) for column in published_table(name).table.columns])


def customer_schema() -> pa.Schema:
    """Names and types of exported customers."""
    return table_schema("customer")


def read_registry(connection: Connection, schema: pa.Schema) -> pa.Table:
    """The published golden ids in order of publication, in the columns of identity's registry."""
    return read_table(connection, _select("identity.golden_id", schema, "sequence"), schema)


def read_crosswalk(connection: Connection, schema: pa.Schema) -> pa.Table:
    """The published crosswalk, in the columns asked for."""
    return read_table(connection, _select("golden.crosswalk", schema, "source, entity, record_id"), schema)


def ids_of_forgotten(connection: Connection, beginning: str) -> pa.Array:
    """Golden ids whose founding record was forgotten, which is named by a text with this beginning since."""
    schema = pa.schema([("golden_id", pa.string())])
    query = """SELECT golden_id FROM identity.golden_id WHERE starts_with(record_id, %(beginning)s)
               AND EXISTS (SELECT FROM privacy.certificate) ORDER BY golden_id"""
    found = read_table(connection, query, schema, {"beginning": beginning})
    return found["golden_id"].combine_chunks()


def count_records(connection: Connection) -> int:
    """Number of published source records."""
    return int(connection.scalar(select(func.count()).select_from(hub.crosswalk)) or 0)


def decisions_in_force(connection: Connection) -> set[int]:
    """Decisions of which published values come."""
    number = hub.provenance.c.decision_id
    return {int(one) for one in connection.scalars(select(number).where(number.is_not(None)).distinct())}


def _select(table: str, schema: pa.Schema, order: str) -> str:
    names = ", ".join(f'"{name}"' for name in schema.names)
    return f"SELECT {names} FROM {table} ORDER BY {order}"  # noqa: S608 - names of our own tables and columns


@cache
def _card() -> tuple[ColumnElement[Any], ...]:
    """The columns by which a person recognises a customer."""

    def joined(separator: str, *parts: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.nullif(func.concat_ws(separator, *parts), "")

    person = joined(" ", func.coalesce(_C.given_name, _C.initials), _C.surname_prefix, _C.surname)
    organisation = joined(" ", _C.organisation_name, _C.legal_form)
    street = joined(" ", _C.street, _C.house_number, _C.house_addition)
    return (
        _C.golden_id,
        func.coalesce(person, organisation, _C.trade_name).label("name"),
        joined(", ", street, joined(" ", _C.postcode, _C.city)).label("address"),
        _C.email,
        func.coalesce(_C.mobile, _C.phone).label("phone"),
        _C.birth_date,
        _C.status,
        _C.record_count.label("records"),
    )


def _by_golden_id(golden_id: UUID) -> Select[Any]:
    """The customer of an id, or the one that an alias stands for."""
    registry = hub.golden_id.c
    return select(func.coalesce(registry.alias_of, registry.golden_id).label("golden_id")).where(
        registry.golden_id == golden_id
    )


def _rows(connection: Connection, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _without(row: Row, name: str) -> Row:
    return {key: value for key, value in row.items() if key != name}


def _arrow_type(column: Column[Any]) -> pa.DataType:
    match column.type:
        case Boolean():
            return pa.bool_()
        case Date():
            return pa.date32()
        case DateTime():
            return pa.timestamp("us", "UTC")
        case Integer() | BigInteger():
            return pa.int64()
        case Numeric():
            return pa.string()
        case _:
            return pa.string()
