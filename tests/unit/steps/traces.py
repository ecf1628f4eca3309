"""Histories of what customers leave behind: web visits, orders, invoices, refunds, products.

Belongs here: what sources deliver of them, changed, moved to another customer, delivered again or late; and what a
profile has to add up to, read off the records alone. Does not belong here: histories of the customers themselves, and
publishing (``test_incremental_histories``).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake

Row = dict[str, Any]
EVENTS, INVOICES, REFUNDS, PRODUCTS, LINES, SALES, PAYMENTS = (
    "web/event",
    "erp/invoice",
    "erp/refund",
    "erp/product",
    "erp/order_line",
    "erp/order",
    "erp/payment",
)
KINDS: Mapping[str, Entity] = {
    EVENTS: Entity.INTERACTION,
    INVOICES: Entity.INVOICE,
    REFUNDS: Entity.REFUND,
    PRODUCTS: Entity.PRODUCT,
    LINES: Entity.ORDER_LINE,
    SALES: Entity.ORDER,
    PAYMENTS: Entity.PAYMENT,
}
"""Source entities of which this module makes days, and the canonical entity of each."""
_NUMBER = {
    EVENTS: "interaction_id",
    INVOICES: "invoice_id",
    REFUNDS: "refund_id",
    SALES: "order_id",
    PAYMENTS: "payment_id",
}
_ZONE = ZoneInfo("Europe/Amsterdam")
_NOT_COUNTED = {"cancelled", "canceled", "geannuleerd", "voided", "refunded", "rejected", "declined"}


class Company(Protocol):
    """What a history needs of the company that it happens to."""

    lake: Lake
    rng: Any
    today: dt.date
    happened: list[str]
    delivered: dict[tuple[str, dt.date], list[Row]]

    def read(self, name: str) -> list[Row]:
        """What a source delivered on the first day."""

    def former(self, name: str, *, before_today: bool) -> list[Row]:
        """What a source delivered last."""

    def deliver(self, name: str, rows: list[Row], date: dt.date) -> None:
        """Deliver a day."""

    def one(self, rows: list[Row], **having: object) -> Row:
        """Any of some rows."""

    def named(self, what: str) -> str:
        """A number that nothing has."""


def leave_traces(company: Company, *, anew: bool) -> None:
    """Let some sources deliver a day: what is new, changed, somebody else's now, there again, or late."""
    for name in company.rng.sample(sorted(KINDS), company.rng.randint(2, 4)):
        rows = _products(company, anew) if name == PRODUCTS else _changed(company, name)
        date = company.today
        if name != PRODUCTS and company.rng.random() < 0.2:
            date -= dt.timedelta(company.rng.randint(5, 400))  # late, or from before all others
            company.happened.append(f"{name} of an earlier day")
        company.deliver(name, rows, date)


def _changed(company: Company, name: str) -> list[Row]:
    known = [row for (other, _), rows in company.delivered.items() if other == name for row in rows]
    known = [dict(row) for row in [*company.read(name), *known]]
    rows: dict[str, Row] = {}
    for _ in range(company.rng.randint(0, 4)):
        what = company.rng.choice(["new", "changed", "moved", "again", "withdrawn"])
        company.happened.append(f"{name} {what}")
        row = company.one(known)
        if what == "new" and name in _NUMBER:
            number = company.named(what)
            row |= {"record_id": number, _NUMBER[name]: number}
            row |= _moments(company, name)
        elif what == "new":
            line = company.named(what)
            row |= {"record_id": f"{row['order_id']}|{line}", "line_id": line}
        if what in ("changed", "new"):
            row |= _values(company, name)
        elif what == "moved":
            row |= _owner(company, name)
        elif what == "withdrawn":
            row["is_deleted"] = True
        if "party_id" in row and what == "new":
            row |= _owner(company, name)
        rows[row["record_id"]] = row
    return list(rows.values())


def _moments(company: Company, name: str) -> Row:
    day = company.today - dt.timedelta(company.rng.choice([0, 0, 1, 30, 200]))
    clock = f"{day}T{company.rng.randrange(24):02}:{company.rng.randrange(60):02}:00Z"
    columns: dict[str, Row] = {
        EVENTS: {"occurred_at": clock},
        SALES: {"ordered_at": clock},
        REFUNDS: {"refunded_at": clock},
        PAYMENTS: {"paid_at": clock},
        INVOICES: {"issued_on": str(day), "due_on": str(day + dt.timedelta(30)), "settled_on": None},
    }
    found: Row = columns[name]
    return found


def _values(company: Company, name: str) -> Row:
    rng = company.rng
    amount = f"{rng.choice([0, 5, 80, 700])}.{rng.randrange(100):02}"
    settled = rng.choice([None, str(company.today - dt.timedelta(rng.randrange(60)))])
    product = company.one(company.read(PRODUCTS))
    columns: dict[str, Row] = {
        EVENTS: {"kind": rng.choice(["visit", "product_view", "complaint", "open", "bounce", "call"])},
        SALES: {
            "total_amount": rng.choice([amount, amount, f"-{amount}", None]),
            "status": rng.choice("ABC"),
        },
        REFUNDS: {"amount": amount, "line_id": None},
        PAYMENTS: {"amount": amount},
        INVOICES: {"amount": amount, "settled_on": settled, "disputed": rng.choice([None, "true"])},
        LINES: {
            "product_code": rng.choice([product["product_code"], None]),
            "quantity": str(rng.randint(0, 4)),
            "unit_price": amount,
        },
    }
    return columns[name]


def _owner(company: Company, name: str) -> Row:
    """Somebody else, or nobody who is known."""
    rng = company.rng
    if name == EVENTS:
        shopper = company.one(company.read("shop/customer"))
        tokens = [row["token"] for row in company.read(EVENTS)]
        ways: list[Row] = [
            {"party_id": shopper["record_id"]},
            {"party_email": shopper["email"], "party_id": None},
            {"party_id": None, "order_id": company.one(company.read("shop/order"))["order_id"]},
            {"party_id": None, "party_email": None, "order_id": None},
            {"party_id": "nobody"},
        ]
        return {**rng.choice(ways), "token": rng.choice([*tokens, None, "null"])}
    if name in (REFUNDS, PAYMENTS, LINES):
        order = company.one(company.read(SALES))["order_id"]
        return {"order_id": rng.choice([order, order, order, "0099999999"])}
    debtor = company.one(company.read("erp/customer"))["record_id"]
    return {"party_id": rng.choice([debtor, debtor, debtor, "0099999999"])}


def _products(company: Company, anew: bool) -> list[Row]:
    rows = company.former(PRODUCTS, before_today=anew)
    for _ in range(company.rng.randint(0, 2)):
        what = company.rng.choice(["value", "absent", "new"])
        company.happened.append(f"product {what}")
        row = company.one(rows)
        match what:
            case "value":
                column = company.rng.choice(["name", "category", "brand", "price", "cost"])
                row[column] = company.rng.choice([company.one(rows)[column], None])
            case "absent":
                rows.remove(row)
            case "new":
                code = company.named("X")
                rows.append({**row, "record_id": code, "product_code": code})
    return rows


def expected_purchases(lake: Lake, golden: Mapping[tuple[str, str, str], str], today: dt.date) -> Row:
    """What ``rfm`` has to add up to, read off the records: orders that count, their sum, what was paid back of it.

    Args:
        lake: The lake.
        golden: Golden customer by source, entity and number of a party record.
        today: The day that the history has come to: what is dated up to then has been, whenever it was delivered.
    """
    found: Row = {"orders": 0, "not_counted": 0, "gross": Decimal(0), "returned": Decimal(0)}
    back: dict[tuple[str, str], Decimal] = {}
    for row in active(lake, Entity.REFUND):
        key = (row["source"], row["order_id"])
        back[key] = back.get(key, Decimal(0)) + Decimal(row["amount"] or 0)
    for row in active(lake, Entity.ORDER):
        if (row["source"], row["party_entity"], row["party_record_id"]) not in golden:
            continue
        total, moment = row["total_amount"], dt.datetime.fromisoformat(row["ordered_at"])
        future = moment.astimezone(_ZONE).date() > today
        cancelled = (row["status"] or "").lower() in _NOT_COUNTED
        if total is None or Decimal(total) < 0 or future or cancelled:
            found["not_counted"] += 1
            continue
        found["orders"] += 1
        found["gross"] += Decimal(total)
        found["returned"] += back.get((row["source"], row["order_id"]), Decimal(0))
    return found


def active(lake: Lake, entity: Entity) -> list[Row]:
    table = tables.records(lake, entity).read()
    return [row for row in table.to_pylist() if row["active"]]


def expected_interactions(lake: Lake, names: Sequence[str]) -> int:
    """How many interactions there are: of each number the newest day's, unless its source took it back."""
    newest: dict[tuple[str, str], tuple[str, bool]] = {}
    for name in names:
        contract = contract_named(name)
        for day in layout.standard_days(lake, contract, Entity.INTERACTION):
            for row in lake.read(layout.standard_path(contract, day, Entity.INTERACTION)).to_pylist():
                newest[name, row["record_id"]] = max(
                    newest.get((name, row["record_id"]), ("", False)), (day, bool(row["is_deleted"]))
                )
    return sum(not gone for _, gone in newest.values())
