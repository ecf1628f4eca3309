"""Whose a row is."""

from typing import Any

import pyarrow as pa
import pytest

from cdm_pipelines.contracts.canonical import Entity, OfParty, declaration
from cdm_pipelines.records import resolve_parties

PARTIES = [
    ("crm", "account", "7", True, "2026-06-01", None),
    ("crm", "contact", "7", True, "2026-06-02", None),
    ("crm", "contact", "8", False, "2026-06-01", None),
    ("erp", "customer", "1", True, "2026-06-01", "info@example.nl"),
    ("erp", "customer", "2", True, "2026-06-02", "info@example.nl"),
    ("erp", "customer", "3", False, "2026-05-01", "info@example.nl"),
    ("shop", "customer", "1", True, "2026-06-01", "anna@example.nl"),
]

ORDER = declaration(Entity.ORDER).whose
assert isinstance(ORDER, OfParty)
ORDERED: OfParty = ORDER


def parties() -> pa.Table:
    names = ["source", "entity", "record_id", "active", "first_seen", "email"]
    return pa.table({name: [row[at] for row in PARTIES] for at, name in enumerate(names)})


def orders(*rows: tuple[str, str | None, str | None]) -> pa.Table:
    names = ["source", "party_id", "party_email"]
    return pa.table({name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(names)})


@pytest.mark.parametrize(
    ("description", "order", "party"),
    [
        ("by number, in the order's own source", ("shop", "1", None), ("customer", "1")),
        ("by e-mail when there is no number", ("shop", None, "anna@example.nl"), ("customer", "1")),
        ("a number goes before an e-mail", ("erp", "2", "info@example.nl"), ("customer", "2")),
        ("an unknown number is not replaced by a mailbox", ("erp", "9", "info@example.nl"), (None, None)),
        ("a shared mailbox: active, then seen first", ("erp", None, "info@example.nl"), ("customer", "1")),
        ("one number in two entities: seen first", ("crm", "7", None), ("account", "7")),
        ("an inactive record still owns its orders", ("crm", "8", None), ("contact", "8")),
        ("another source's customer", ("shop", "2", None), (None, None)),
        ("no party named", ("shop", None, None), (None, None)),
    ],
)
def test_order_party(description: str, order: Any, party: tuple[str | None, str | None]) -> None:
    found = resolve_parties(orders(order), parties(), ORDERED).to_pylist()[0]
    assert (found["party_entity"], found["party_record_id"]) == party, description


def test_orders_without_any_party_records() -> None:
    found = resolve_parties(orders(("shop", "1", None)), parties().slice(0, 0), ORDERED)
    assert found["party_record_id"].null_count == 1
    assert resolve_parties(orders(), parties(), ORDERED).num_rows == 0
