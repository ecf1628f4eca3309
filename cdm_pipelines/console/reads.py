"""What is asked of a role's own views: one customer, what belongs to it, where its values come from.

Belongs here: reading with the rights of the caller's role, and the line of each reading. Does not belong here: how an
answer is written (api, pages), what a role sees (``sight``).
"""

import datetime as dt
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection, text

from cdm_pipelines.console.errors import ForbiddenError, UnknownError
from cdm_pipelines.console.sight import Eyes, Sight
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub import history, quick
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.privacy.purposes import POLICY as PURPOSES
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.privacy.views import CUSTOMER, view_name
from cdm_pipelines.quality.shapes import shape
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.cells import delivered_cells
from cdm_pipelines.steps.profile.asking import journey_of
from cdm_pipelines.steps.profile.enrich import company_of
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.lake import Lake

Row = dict[str, Any]
HISTORY, ORDERS, PROVENANCE, RECORDS = (
    f"golden.{name}" for name in ("customer_history", "customer_order", "provenance", "crosswalk")
)
PUBLICATIONS = "ops.publication"
LINKS = "golden.customer_link"
CONSENT = "privacy.consent"
WIDE = "profile.customer"
NEXT_ACTION = "activation.next_best_action"
TRANSACTIONS = frozenset({"order", "invoice", "payment", "refund"})
"""Touches that are known from transactions."""
_OF_ORDERS = ("golden.order_line", "golden.payment", "golden.refund", "golden.invoice")
_ORDER_KEY = ("source", "order_id")
MOST = 1000
"""Rows of a customer in one table, where nothing else is said."""
ALL = 10**9
"""For what is wrong unless all are read."""
_KEYS = ("source", "entity", "record_id", "other_source", "other_entity", "other_record_id", "attribute")
"""What tells rows of a table of a customer apart: pages of a list have them in one order."""


def current(connection: Connection, golden_id: UUID) -> UUID:
    """The golden id that an id stands for now; itself where it stands for none.

    Nothing else is told of an id that the caller's role may not see: the customer is looked for in its own view after.
    """
    found: UUID | None = connection.scalar(
        text("SELECT coalesce(alias_of, golden_id) FROM identity.golden_id WHERE golden_id = :id"),
        {"id": golden_id},
    )
    return found or golden_id


def seen(eyes: Eyes, ids: Collection[UUID]) -> set[UUID]:
    """Those of some customers whom the role sees."""
    if eyes.sight.role.sees_everybody or not ids:
        return set(ids)
    with eyes.as_role() as connection:
        query = "SELECT golden_id FROM customer WHERE golden_id = ANY(:ids)"
        return set(quick.scalars(connection, query, {"ids": list(ids)}))


def customer(eyes: Eyes, golden_id: UUID) -> Row:
    """All that a role sees of a customer by an id of any age.

    Raises:
        UnknownError: There is none, or none that the role sees.
        ForbiddenError: The role recognises no single customer.
    """
    eyes.sight.see_that_recognises()
    now = golden_id
    with eyes.as_role():
        rows = _of_customer(eyes, CUSTOMER, now)
    if not rows and (now := current(eyes.connection, golden_id)) != golden_id:
        with eyes.as_role():
            rows = _of_customer(eyes, CUSTOMER, now)
    if not rows:
        raise UnknownError("There is no customer of this id, or none that your role sees.")
    eyes.note([CUSTOMER], [now])
    return rows[0]


def known(eyes: Eyes, golden_id: UUID) -> UUID:
    """The current id of a customer whom the role sees.

    Raises:
        UnknownError: There is none, or none that the role sees.
    """
    eyes.sight.see_that_recognises()
    now = current(eyes.connection, golden_id)
    with eyes.as_role() as connection:
        there = connection.scalar(text("SELECT count(*) FROM customer WHERE golden_id = :id"), {"id": now})
    if not there:
        raise UnknownError("There is no customer of this id, or none that your role sees.")
    return now


def of_customer(
    eyes: Eyes, table: str, golden_id: UUID, *, order: Sequence[str] = (), limit: int = MOST, offset: int = 0
) -> tuple[UUID, list[Row]]:
    """Rows of a customer in a table with its golden id; returns the current id with them.

    Args:
        eyes: Of who reads.
        table: As ``schema.table``.
        golden_id: Of any age.
        order: Columns, of which those count that the role sees.
        limit: How many rows.
        offset: How many rows are left out before them.

    Raises:
        UnknownError, ForbiddenError: As for :func:`customer`; or the role does not see the table.
    """
    eyes.sight.see_that_sees(table)
    now = known(eyes, golden_id)
    with eyes.as_role():
        rows = _of_customer(eyes, table, now, order=order, limit=limit, offset=offset)
    eyes.note([table], [now])
    return now, rows


def count(eyes: Eyes, table: str, golden_id: UUID) -> int:
    """How many rows a role sees of a customer in a table."""
    eyes.sight.see_that_sees(table)
    with eyes.as_role() as connection:
        query = text(f'SELECT count(*) FROM "{view_name(table)}" WHERE golden_id = :id')  # noqa: S608 - ours
        return int(connection.scalar(query, {"id": golden_id}) or 0)


def orders(eyes: Eyes, golden_id: UUID, *, limit: int, offset: int = 0) -> tuple[UUID, list[Row]]:
    """Orders of a customer, the newest first, each with what the role sees of its lines, payments and refunds."""
    newest = ("ordered_at DESC NULLS LAST", "order_id")
    now, found = of_customer(eyes, ORDERS, golden_id, order=newest, limit=limit, offset=offset)
    keyed = set(_ORDER_KEY) <= eyes.sight.clear(ORDERS)
    tables = [one for one in _OF_ORDERS if keyed and set(_ORDER_KEY) <= eyes.sight.clear(one)]
    for table in tables:
        name = table.partition(".")[2]
        lines: dict[tuple[str, ...], list[Row]] = {}
        with eyes.as_role() as connection:
            answer = connection.execute(
                text(
                    # A view that leaves rows out looks up what it is told, and joins only when it is made whole.
                    f"""SELECT * FROM {view_name(table)} WHERE source = ANY(:sources) AND order_id = ANY(:numbers)
                    ORDER BY 1, 2, 3"""  # noqa: S608 - ours
                ),
                {
                    name: [str(row[key]) for row in found]
                    for name, key in zip(("sources", "numbers"), _ORDER_KEY, strict=True)
                },
            ).mappings()
            for line in answer:
                lines.setdefault(tuple(str(line[key]) for key in _ORDER_KEY), []).append(dict(line))
        for row in found:
            row[f"{name}s"] = lines.get(tuple(str(row[key]) for key in _ORDER_KEY), [])
    if tables:
        eyes.note(tables, [now])
    return now, found


@dataclass(frozen=True)
class Then:
    """A customer as it was known at a time, and where its values came from; None where the role does not see that."""

    values: Row
    provenance: list[Row] | None


def as_of(eyes: Eyes, golden_id: UUID, at: dt.datetime) -> Then:
    """A customer as it was known at a time, as far as the role sees it.

    Raises:
        ForbiddenError: The role does not see former values.
        UnknownError: Nothing was known then, or nothing that the role sees.
    """
    eyes.sight.see_that_recognises()
    eyes.sight.see_that_sees(HISTORY)
    version = history.as_of(eyes.connection, golden_id, at)
    nothing = UnknownError("Nothing was known of this customer then, or nothing that your role sees.")
    if version is None:
        raise nothing
    then = UUID(str(version.golden["golden_id"]))
    with eyes.as_role() as connection:
        told: list[Row] | None = None
        if version.valid_to is None:
            rows = _of_customer(eyes, CUSTOMER, then)
            if PROVENANCE in eyes.sight.tables:
                told = _of_customer(eyes, PROVENANCE, then)
        else:
            then_it_held = "golden_id = :id AND valid_from <= :at AND valid_to > :at"
            query = f"SELECT {names_of(eyes.sight, HISTORY)} FROM customer_history WHERE {then_it_held}"  # noqa: S608 - ours
            answer = connection.execute(text(query), {"id": then, "at": at})
            rows = [dict(row) for row in answer.mappings()]
            if rows and "provenance" in eyes.sight.clear(HISTORY):
                told = [dict(one) for one in rows[0]["provenance"] or ()]
    if not rows:
        raise nothing
    eyes.note([HISTORY] if told is None else [HISTORY, PROVENANCE], [then])
    return Then({name: value for name, value in rows[0].items() if name != "provenance"}, told)


def timeline(eyes: Eyes, golden_id: UUID) -> tuple[UUID, list[Row]]:
    """All that happened to a customer, attribute by attribute, of the attributes that the role sees in clear."""
    eyes.sight.see_that_sees(HISTORY)
    now = known(eyes, golden_id)
    shown = eyes.sight.clear(CUSTOMER)
    steps = [
        {
            "at": step.at,
            "publication": step.publication,
            "event": step.event,
            "attribute": step.attribute,
            "before": step.before,
            "after": step.after,
            "source": {
                key: step.source[key] for key in ("source", "entity", "record_id") if key in step.source
            },
        }
        for step in history.timeline(history.life(eyes.connection, now))
        if not step.attribute or step.attribute in shown
    ]
    eyes.note([HISTORY], [now])
    return now, steps


def published(eyes: Eyes, golden_id: UUID) -> dict[str, Row]:
    """When each current value of a customer was published, and by which run, of what the role sees of publications."""
    eyes.sight.see_that_sees(HISTORY)
    seen = eyes.sight.clear(PUBLICATIONS)
    shown = eyes.sight.clear(CUSTOMER)
    life = history.life(eyes.connection, known(eyes, golden_id))
    steps = [step for step in history.timeline(life) if step.attribute in shown]
    numbers = sorted({step.publication for step in steps if step.publication is not None})
    runs: dict[int, str | None] = {}
    if {"publication_id", "run"} <= seen:
        with eyes.as_role() as connection:
            query = text(
                f"SELECT publication_id, run FROM {view_name(PUBLICATIONS)} WHERE publication_id = ANY(:ids)"  # noqa: S608 - ours
            )
            answer = connection.execute(query, {"ids": numbers})
            runs = dict(answer.tuples().all())
    return {step.attribute: {"at": step.at, "run": runs.get(step.publication or 0)} for step in steps}


def consent(eyes: Eyes, golden_id: UUID, settings: Settings) -> tuple[UUID, list[Row]]:
    """What a customer allows, and what the policy has of purposes of which nothing was said."""
    order = ("purpose", "channel")
    now, rows = of_customer(eyes, CONSENT, golden_id, order=order)
    said = {row.get("purpose") for row in rows}
    defaults = Purposes.load(settings.policies / PURPOSES).defaults
    unsaid = [
        {"purpose": purpose, "channel": "", "allowed": allowed, "why": "nothing was said"}
        for purpose, allowed in sorted(defaults.items())
        if purpose not in said
    ]
    return now, [*rows, *unsaid]


def journey(eyes: Eyes, golden_id: UUID, settings: Settings) -> tuple[UUID, list[Row]]:
    """Every touch of a customer, the newest first; for roles that see its visits or its orders, each as far."""
    now = known(eyes, golden_id)
    company = company_of(Lake(settings.lake_url), settings)
    sees_orders = eyes.sight.role.reads_in_clear("user.behavior.purchase_history")
    sees_visits = eyes.sight.role.reads_in_clear("user.behavior.browsing_history")
    if not sees_orders and not sees_visits:
        raise ForbiddenError(
            f"The role {eyes.sight.name} sees neither orders nor visits (policies/roles.yaml)."
        )
    found = journey_of(eyes.connection, company, now, sys.maxsize)
    rows = [
        dict(touch._asdict())
        for touch in found.touches
        if (sees_orders if touch.what in TRANSACTIONS else sees_visits)
    ]
    eyes.note([ORDERS, WIDE], [now])
    return now, rows[::-1]


def cells(eyes: Eyes, golden_id: UUID, record: Record, settings: Settings) -> tuple[UUID, list[Row]]:
    """What a source delivered of a record of a customer: file, row, column and value.

    A value of a category that the role does not read in clear is shown as its shape.

    Raises:
        UnknownError: The record is none of the customer's.
    """
    now, records = of_customer(eyes, RECORDS, golden_id, limit=ALL)
    if tuple(record) not in {(row["source"], row["entity"], row["record_id"]) for row in records}:
        raise UnknownError("The customer has no such record.")
    lake = Lake(settings.lake_url)
    key = pa.table({name: [value] for name, value in zip(RECORD_KEY, record, strict=True)})
    state = tables.records(lake, Entity.PARTY).rows(key).to_pylist()
    role = eyes.sight.role
    found = []
    for cell in delivered_cells(lake, all_contracts(), state):
        clear = role.reads_in_clear(str(cell["category"]))
        found.append({**cell, "value": cell["value"] if clear else shape(str(cell["value"])), "clear": clear})
    eyes.note([RECORDS, CUSTOMER], [now])
    return now, found


def name_of(values: Mapping[str, Any]) -> str:
    """By what a customer is called, as far as a role sees it."""
    given = values.get("given_name") or values.get("initials")
    person = [str(one) for one in (given, values.get("surname_prefix"), values.get("surname")) if one]
    organisation = [str(one) for one in (values.get("organisation_name"), values.get("legal_form")) if one]
    return " ".join(person or organisation) or str(values.get("trade_name") or "")


def address_of(values: Mapping[str, Any]) -> str:
    """Where a customer lives, as far as a role sees it."""
    street = " ".join(
        str(values[name]) for name in ("street", "house_number", "house_addition") if values.get(name)
    )
    place = " ".join(str(values[name]) for name in ("postcode", "city") if values.get(name))
    return ", ".join(part for part in (street, place) if part)


def names_of(sight: Sight, table: str) -> str:
    """The columns that a role sees of a table, as SQL lists them."""
    return ", ".join(f'"{name}"' for name in sight.columns(table))


def _of_customer(
    eyes: Eyes, table: str, golden_id: UUID, *, order: Sequence[str] = (), limit: int = MOST, offset: int = 0
) -> list[Row]:
    """Rows of a customer, in a transaction that reads as the role."""
    seen = eyes.sight.columns(table)
    wanted = [one for one in order if one.split()[0] in seen]
    kept = [*wanted, *(one for one in _KEYS if one in seen and one not in order)] or ["1"]
    query = (
        f'SELECT {names_of(eyes.sight, table)} FROM "{view_name(table)}" WHERE golden_id = :id '  # noqa: S608 - ours
        f"ORDER BY {', '.join(kept)} LIMIT {limit:d} OFFSET {offset:d}"
    )
    return quick.mappings(eyes.connection, query, {"id": golden_id})
