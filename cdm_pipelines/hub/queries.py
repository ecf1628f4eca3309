"""What people and later steps ask the published tables.

Belongs here: reading rows. Does not belong here: whole tables (``bulk``), writing (``publish``), or how an answer is
shown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, func, select

from cdm_pipelines.hub import schema as hub
from cdm_pipelines.hub.golden_ids import as_uuid

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


def count_records(connection: Connection) -> int:
    """Number of published source records."""
    return int(connection.scalar(select(func.count()).select_from(hub.crosswalk)) or 0)


def decisions_in_force(connection: Connection) -> set[int]:
    """Decisions of which published values come."""
    number = hub.provenance.c.decision_id
    return {int(one) for one in connection.scalars(select(number).where(number.is_not(None)).distinct())}


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
