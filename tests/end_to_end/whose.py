"""Whose everything is: rows of the hub, lines of landing and values, before an erasure and after it.

Worked out from what is published and from what was delivered, in other words than the pipeline does it.
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

from .conftest import Deployment

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by table of the hub."""
Lines = Mapping[str, Sequence[str]]
"""Lines by file of landing."""

PARTY = {
    "crm/contact": "Id",
    "crm/account": "Id",
    "erp/customer": "KUNNR",
    "shop/customer": "Customer ID",
}
"""Extracts of parties, and where their key is."""
OF_ORDER = {
    "erp/order": "VBELN",
    "erp/order_line": "VBELN",
    "erp/invoice": "AUBEL",
    "erp/payment": "VBELN",
    "erp/refund": "AUBEL",
    "shop/order": "Name",
}
"""Extracts about orders, and where their number is."""
OF_MAILBOX = {
    "mail/activity": "Email Address",
    "mail/consent": "Email Address",
    "desk/ticket": "Requester email",
}
"""Extracts that name nobody but by an e-mail address, and where that is."""
NAMING = (
    *("Id", "KUNNR", "Customer ID", "Email", "ZZSMTP", "Phone", "MobilePhone", "TELF1", "TELF2", "ZZIBAN"),
    *("LastName", "NAME1", "Last Name", "MailingStreet", "STRAS", "Default Address Address1"),
    *("Email Address", "Requester email", "Requester phone"),
    *("Billing Name", "Billing Address1", "Billing Phone", "Shipping Name", "Shipping Address1"),
)
"""Columns of landing whose cells can name somebody, as they are spelled there."""
STANDARD = ("email", "phone", "mobile", "iban", "record_id", "surname", "street")
"""Columns of party records whose values can."""


def rows_of(home: Deployment) -> Rows:
    """All rows of all tables of a hub."""
    names = home.query(
        """SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
           WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'dagster')"""
    )
    return {name: [row for (row,) in home.query(f"SELECT to_jsonb(t) FROM {name} AS t")] for (name,) in names}


def lines_of(landing: Path) -> Lines:
    """All lines of all files of landing; those of ERP are in its own code page."""
    return {
        str(path.relative_to(landing)): text_of(path).splitlines()
        for path in sorted(landing.rglob("*"))
        if path.is_file()
    }


def text_of(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def entity_of(name: str) -> str:
    """Source and entity of a file of landing."""
    return name.rpartition("/")[0]


def cells_of(name: str, lines: Sequence[str]) -> list[dict[str, str]]:
    """The cells of each line by column, less what guards a number from a spreadsheet; the first line has none."""
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in lines]
    delimiter = max(",;", key=lines[0].count)
    read = [next(csv.reader([line], delimiter=delimiter), []) for line in lines]
    rows = [
        {column: cell.removeprefix("'").strip() for column, cell in zip(read[0], row, strict=False)}
        for row in read
    ]
    return [{}, *rows[1:]]


@dataclass(frozen=True)
class Whose:
    """What is of some customers.

    Attributes:
        ids: Their golden ids, those that were merged among them.
        records: Their party records.
        orders: Source and number of their orders.
    """

    ids: frozenset[str]
    records: frozenset[tuple[str, str, str]]
    orders: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, hub: Rows, ids: Collection[str]) -> "Whose":
        known = hub["identity.golden_id"]
        of = {row["golden_id"]: row["alias_of"] or row["golden_id"] for row in known}
        current = {of[one] for one in ids}
        return cls(
            frozenset(id_ for id_, now in of.items() if now in current),
            frozenset(
                (row["source"], row["entity"], row["record_id"])
                for row in hub["golden.crosswalk"]
                if row["golden_id"] in current
            ),
            frozenset(
                (row["source"], row["order_id"])
                for row in hub["golden.customer_order"]
                if row["golden_id"] in current
            ),
        )

    def has(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of the hub names one of them, a record or an order of theirs."""
        named = (
            (row.get("source"), row.get("entity"), row.get("record_id")),
            (row.get("other_source"), row.get("other_entity"), row.get("other_record_id")),
        )
        return (
            any(value in self.ids for value in row.values() if isinstance(value, str))
            or not self.records.isdisjoint(named)
            or (row.get("source"), row.get("order_id")) in self.orders
        )

    def rest(self, hub: Rows, *tables: str) -> dict[str, list[str]]:
        """The rows of all others, by table."""
        return {
            name: sorted(json.dumps(row, sort_keys=True) for row in hub[name] if not self.has(row))
            for name in tables or hub
        }

    def numbers(self, lines: Lines) -> dict[str, set[int]]:
        """Which lines of landing are theirs, by file."""
        owners = _mailboxes(lines)
        found: dict[str, set[int]] = {}
        for name, of_file in lines.items():
            entity, cells = entity_of(name), cells_of(name, of_file)
            source = entity.partition("/")[0]
            if entity in PARTY:
                key = PARTY[entity]
                own = [(*entity.split("/"), row.get(key, "")) in self.records for row in cells]
            elif entity in OF_ORDER:
                own = [(source, row.get(OF_ORDER[entity], "")) in self.orders for row in cells]
            elif entity in OF_MAILBOX:
                boxes = [owners.get(row.get(OF_MAILBOX[entity], "").lower(), set()) for row in cells]
                own = [bool(of) and of <= self.records for of in boxes]
            elif entity == "web/event":
                own = self._visits(cells)
            else:
                own = [False] * len(cells)
            found[name] = {at for at, one in enumerate(own) if one}
        return found

    def _visits(self, events: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Events that name them or an order of theirs, and those of tokens by which nobody else is known."""
        shoppers = {record for source, _, record in self.records if source == "shop"}
        named: list[bool] = []
        tokens: defaultdict[str, set[bool]] = defaultdict(set)
        for event in events:
            orders = [
                one["value"].get("string_value")
                for one in event["event_params"]
                if one["key"] == "transaction_id"
            ]
            of = {("shop", order) in self.orders for order in orders}
            of |= {event["user_id"] in shoppers} if event.get("user_id") else set()
            named.append(True in of)
            tokens[event["user_pseudo_id"]] |= of
        return [
            own or tokens[event["user_pseudo_id"]] == {True} for own, event in zip(named, events, strict=True)
        ]

    def values(self, home: Deployment, lines: Lines) -> set[str]:
        """What can name them, in small letters: of their records, and of their lines as delivered."""
        found: set[str] = set()
        for row in tables.records(Lake(home.settings.lake_url), Entity.PARTY).read().to_pylist():
            if (row["source"], row["entity"], row["record_id"]) in self.records:
                found |= {str(row[name]) for name in STANDARD if row.get(name)}
        for name, own in self.numbers(lines).items():
            cells = cells_of(name, lines[name])
            found |= {str(cells[at][column]) for at in own for column in NAMING if cells[at].get(column)}
        return {value.lower() for value in found if _is_telling(value)}


def _mailboxes(lines: Lines) -> dict[str, set[tuple[str, str, str]]]:
    """Party records by their e-mail address as delivered, in small letters."""
    found: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for name, of_file in lines.items():
        if (entity := entity_of(name)) in PARTY:
            source, kind = entity.split("/")
            for row in cells_of(name, of_file):
                if address := (row.get("Email") or row.get("ZZSMTP") or "").lower():
                    found[address].add((source, kind, row.get(PARTY[entity], "")))
    return found


def _is_telling(value: str) -> bool:
    """Whether nobody else has a value by chance alone."""
    digits = sum(map(str.isdigit, value))
    return len(value) > 6 and (digits > 7 or not value.replace(" ", "").isdigit())


def exclusive(values: Collection[str], others: Iterable[str]) -> set[str]:
    """Those of some values that no text of others holds."""
    text = "\n".join(others).lower()
    return {value for value in values if value not in text}


def of_others(whose: Whose, hub: Rows, lines: Lines, left_out: Collection[str] = ()) -> Iterator[str]:
    """All texts of landing and of the hub that are not theirs, but for some tables."""
    own = whose.numbers(lines)
    for name, of_file in lines.items():
        yield from (line for at, line in enumerate(of_file) if at not in own[name])
    for name, rows in whose.rest(hub).items():
        if name not in left_out:
            yield from (re.sub(r'\\"', '"', row) for row in rows)
