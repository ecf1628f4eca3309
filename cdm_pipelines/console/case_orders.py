"""The orders of the sides of a case: of customers, and of parts of one.

Belongs here: counting them, and what they come to, as the role sees it. Does not belong here: the sides (``cases``).

An order names a record of its own source, and is that customer's who has the record: it goes where the record goes.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import pyarrow as pa
from sqlalchemy import text

from cdm_pipelines.console import reads
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.records.whose import PARTY_KEY
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.lake import Lake

_PRICE = ("currency", "total_amount")


class Orders(NamedTuple):
    """Orders of a side.

    Attributes:
        orders: How many; None where that is not known.
        amounts: What they come to, by currency; None where the role does not see it.
    """

    orders: int | None = None
    amounts: Mapping[str, Any] | None = None


def of_customers(eyes: Eyes, ids: Sequence[UUID]) -> Orders:
    """The orders of customers together."""
    sight = eyes.sight
    if "golden_id" not in sight.clear(reads.ORDERS):
        return Orders()
    priced = set(_PRICE) <= sight.clear(reads.ORDERS)
    mine = "FROM customer_order WHERE golden_id = ANY (:ids)"
    query = f"SELECT NULL, NULL, count(*) {mine}"
    if priced:
        query = f"SELECT currency, sum(total_amount), count(*) {mine} GROUP BY 1 ORDER BY 1"
    with eyes.as_role() as connection:
        found = connection.execute(text(query), {"ids": list(ids)}).all()
    amounts = {str(currency or ""): amount for currency, amount, _ in found if amount is not None}
    return Orders(sum(int(count) for *_, count in found), amounts if priced else None)


def of_parts(eyes: Eyes, lake: Lake, golden_id: UUID, parts: Sequence[Collection[Record]]) -> list[Orders]:
    """The orders of a customer, by the parts that its records are divided into."""
    clear = eyes.sight.clear(reads.ORDERS)
    if not {"golden_id", *RECORD_KEY} <= clear:
        return [Orders()] * len(parts)
    priced = set(_PRICE) <= clear
    columns = ", ".join([*RECORD_KEY, *(_PRICE if priced else ())])
    query = text(f"SELECT {columns} FROM customer_order WHERE golden_id = :id")  # noqa: S608 - ours
    with eyes.as_role() as connection:
        rows = [dict(row) for row in connection.execute(query, {"id": golden_id}).mappings()]
    whose = _whose(lake, rows)
    found = []
    for part in parts:
        own = [row for row in rows if whose.get(_key(row)) in part]
        amounts: defaultdict[str, Any] = defaultdict(int)
        for row in own:
            if row.get("total_amount") is not None:
                amounts[str(row["currency"] or "")] += row["total_amount"]
        found.append(Orders(len(own), dict(sorted(amounts.items())) if priced else None))
    return found


def _key(row: Mapping[str, Any]) -> Record:
    return Record(*(str(row[name]) for name in RECORD_KEY))


def _whose(lake: Lake, rows: Sequence[Mapping[str, Any]]) -> dict[Record, Record]:
    """The record that each order names."""
    keys = pa.table(
        [pa.array([str(row[name]) for row in rows], pa.string()) for name in RECORD_KEY],
        names=list(RECORD_KEY),
    )
    known = tables.records(lake, Entity.ORDER)
    named = known.rows(keys).to_pylist() if rows and known.exists else []
    return {_key(row): Record(*(str(row[name]) for name in PARTY_KEY)) for row in named}
