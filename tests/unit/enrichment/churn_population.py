"""Buyers with planted behaviour: they buy at random at a rate of their own until, some day, they never do again.

Who complains or pays late is likelier to leave; who has left no longer visits. Nothing else decides. The tables are
those of ``enricher_tables``.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from enricher_tables import base_tables, gid

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.enrichment.inputs import ATTACHED
from cdm_pipelines.enrichment.work import Work, opened
from cdm_pipelines.records import records_schema

FIRST, UNTIL = dt.date(2023, 1, 1), dt.date(2026, 6, 3)
DAYS = (UNTIL - FIRST).days
LAST = UNTIL - dt.timedelta(days=1)
"""The last day of which there is anything."""


@dataclass(frozen=True)
class Planted:
    """What was planted.

    Attributes:
        tables: Base tables.
        unhappy: Who complains, (n,).
        gone: The day after which a customer buys nothing, counted from ``FIRST``, (n,).
    """

    tables: Mapping[str, pa.Table]
    unhappy: Any
    gone: Any


def planted(
    customers: int = 6_000, *, seed: int = 1, terminations: bool = False, hazard: float = 1.0
) -> Planted:
    """Make buyers.

    Args:
        customers: How many.
        seed: Of all that is random.
        terminations: Whether who leaves says so by an order in the state ``terminated``.
        hazard: How much likelier than usual everybody is to leave.
    """
    rng = np.random.default_rng(seed)
    unhappy, late = rng.random(customers) < 0.3, rng.random(customers) < 0.25
    rate = rng.gamma(2.0, 1 / 60, customers)  # purchases a day: one in thirty days on average
    start = rng.integers(0, DAYS, customers)
    leaving = hazard / 900 * np.exp(1.4 * unhappy + 0.9 * late)
    gone = start + rng.exponential(1 / leaving)
    who, day = _events(rng, start, np.minimum(gone, DAYS), rate)
    who, day = np.concatenate([np.arange(customers), who]), np.concatenate([start, day])
    amount = np.round(rng.lognormal(3.5, 0.5, len(who)), 2)
    orders = order_columns(who, day, amount, np.full(len(who), "shipped", dtype=object))
    if terminations:
        ended = np.flatnonzero(gone < DAYS)
        zeros = np.zeros(len(ended))
        said = order_columns(
            ended, gone[ended], zeros, np.full(len(ended), "Terminated", dtype=object), first=len(who)
        )
        orders = {name: np.concatenate([orders[name], said[name]]) for name in orders}
    billed = rng.random(len(who)) < 0.5
    pays = rng.random(len(who)) < np.where(late[who], 0.7, 0.05)
    visits = _events(rng, start, np.minimum(gone, DAYS), rate * 4)
    complaints = _events(rng, start, np.minimum(gone, DAYS), np.where(unhappy, 1 / 120, 0))
    tables = base_tables({})
    tables["crosswalk"] = pa.table(
        {
            "golden_id": [gid(number) for number in range(customers)],
            "source": ["shop"] * customers,
            "entity": ["customer"] * customers,
            "record_id": [str(number) for number in range(customers)],
        }
    )
    tables["state_order"] = state_table(Entity.ORDER, orders)
    tables["state_invoice"] = state_table(
        Entity.INVOICE, _invoices(who[billed], day[billed], amount[billed], pays[billed])
    )
    tables["attached"] = touch_table({"visit": visits, "complaint": complaints})
    return Planted(tables, unhappy, gone)


@contextmanager
def work_on_tables(
    tables: Mapping[str, pa.Table], *, as_of: dt.date = LAST, threads: int = 2
) -> Iterator[Work]:
    """The work of an enricher on whole tables."""
    with opened(
        tables,
        as_of=as_of,
        horizon=as_of + dt.timedelta(9),
        currency="EUR",
        timezone="Europe/Amsterdam",
        threads=threads,
    ) as work:
        yield work


def only(tables: Mapping[str, pa.Table], customers: set[int]) -> dict[str, pa.Table]:
    """The tables of some customers alone, as incremental work sees them."""
    keys, ids = pa.array([str(one) for one in customers]), pa.array([gid(one) for one in customers])
    found = dict(tables)
    for name, column, values in (
        ("crosswalk", "golden_id", ids),
        ("attached", "golden_id", ids),
        ("state_order", "party_record_id", keys),
        ("state_invoice", "party_record_id", keys),
    ):
        table = tables[name]
        kept = set(values.to_pylist())
        found[name] = table.filter(pa.array([one in kept for one in table[column].to_pylist()]))
    return found


def _events(rng: np.random.Generator, start: Any, end: Any, rate: Any) -> tuple[Any, Any]:
    """Days of a Poisson process per customer, and whose they are."""
    number = rng.poisson(rate * np.maximum(end - start, 0))
    who = np.repeat(np.arange(len(start)), number)
    return who, start[who] + rng.random(len(who)) * (end - start)[who]


def _dates(day: Any) -> Any:
    return np.datetime64(FIRST) + np.floor(np.asarray(day)).astype(int)


def order_columns(who: Any, day: Any, amount: Any, status: Any, first: int = 0) -> dict[str, Any]:
    return {
        "order_id": (first + np.arange(len(who))).astype(str).astype(object),
        "party_record_id": who.astype(str).astype(object),
        "ordered_at": np.char.add(_dates(day).astype(str), "T10:00:00Z").astype(object),
        "total_amount": np.char.mod("%.2f", amount).astype(object),
        "status": status,
    }


def _invoices(who: Any, day: Any, amount: Any, late: Any) -> dict[str, Any]:
    return {
        "invoice_id": np.arange(len(who)).astype(str).astype(object),
        "party_record_id": who.astype(str).astype(object),
        "issued_on": _dates(day).astype(str).astype(object),
        "due_on": _dates(day + 14).astype(str).astype(object),
        "settled_on": _dates(day + np.where(late, 30, 7)).astype(str).astype(object),
        "amount": np.char.mod("%.2f", amount).astype(object),
    }


def state_table(entity: Entity, columns: Mapping[str, Any]) -> pa.Table:
    n = len(columns["party_record_id"])
    given = dict(columns) | {
        "source": ["shop"] * n,
        "entity": [str(entity)] * n,
        "record_id": [str(number) for number in range(n)],
        "party_entity": ["customer"] * n,
        "active": [True] * n,
    }
    types = {field.name: field.type for field in records_schema(entity)}
    types |= {"party_entity": pa.string(), "party_record_id": pa.string()}
    return pa.table(
        {
            name: pa.array(given[name], kind) if name in given else pa.nulls(n, kind)
            for name, kind in types.items()
        }
    )


def touch_table(by_kind: Mapping[str, tuple[Any, Any]]) -> pa.Table:
    parts = []
    for kind, (who, day) in by_kind.items():
        n = len(who)
        given = {
            "golden_id": np.array([gid(number) for number in range(who.max(initial=0) + 1)], dtype=object)[
                who
            ],
            "source": ["web"] * n,
            "day": pa.array(_dates(day)),
            "kind": [kind] * n,
            "channel": ["web"] * n,
            "touches": np.ones(n, dtype=int),
        }
        parts.append(
            pa.table(
                {
                    field.name: pa.array(given[field.name], field.type)
                    if field.name in given
                    else pa.nulls(n, field.type)
                    for field in ATTACHED
                }
            )
        )
    return pa.concat_tables(parts)
