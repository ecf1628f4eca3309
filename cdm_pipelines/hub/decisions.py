"""The log of steward decisions in PostgreSQL.

Belongs here: adding an entry, reading the log, removing details so that no byte of them is left, and looking up the
records that a decision names. Does not belong here: what decisions mean, and how they are chained (identity).
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, and_, func, insert, select, text

from cdm_pipelines.hub.load import without_data
from cdm_pipelines.hub.queries import Row
from cdm_pipelines.hub.schema import crosswalk, customer, decision, decision_detail, decision_head, golden_id

_LOCK = 0x63646D73  # "cdms": the key of the advisory lock under which one steward at a time decides


def begin_decision(connection: Connection) -> dt.datetime:
    """Wait for one's turn to add to the log, which lasts until the transaction ends; returns the time."""
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    now: dt.datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return now


def add_decision(
    connection: Connection, row: Mapping[str, Any], details: Sequence[Mapping[str, Any]]
) -> None:
    """Add an entry with its details, and note that the log ends with it."""
    with without_data("recording the decision"):
        connection.execute(insert(decision).values(**row))
        if details:
            connection.execute(insert(decision_detail), details)
        head = {name: row[name] for name in ("decision_id", "hash")}
        connection.execute(insert(decision_head).values(**head))


def read_decisions(connection: Connection) -> tuple[list[Row], list[Row]]:
    """All entries in order, and all details in order, as they were at one moment."""
    e, d = decision.c, decision_detail.c
    named = [column.label(f"detail_{column.name}") for column in d]
    query = select(*e, *named).join_from(decision, decision_detail, d.decision_id == e.decision_id, full=True)
    entries: dict[object, Row] = {}
    details: list[Row] = []
    for row in _rows(connection, query.order_by(e.decision_id, d.decision_id, d.place)):
        if row["decision_id"] is not None:
            entries.setdefault(row["decision_id"], {column.name: row[column.name] for column in e})
        if row["detail_decision_id"] is not None:
            details.append({column.name: row[f"detail_{column.name}"] for column in d})
    return list(entries.values()), details


def remove_details(connection: Connection, places: Collection[tuple[int, int]]) -> None:
    """Remove details, given as decision and place, from the table and from its file.

    What is deleted stays readable in a table's file until something else is written over it, vacuumed or not. So the
    details that stay are put into a new file, and PostgreSQL removes the old one when the transaction ends. Until then
    others who read details wait.
    """
    with without_data("erasing the details"):
        connection.execute(text("SET LOCAL cdm.erasing = 'on'"))
        connection.execute(text("LOCK TABLE identity.decision_detail IN ACCESS EXCLUSIVE MODE"))
        connection.execute(
            text(
                """CREATE TEMPORARY TABLE kept_detail ON COMMIT DROP AS
                   SELECT * FROM identity.decision_detail WHERE (decision_id, place) NOT IN
                     (SELECT * FROM unnest(CAST(:decisions AS bigint[]), CAST(:places AS integer[])))"""
            ),
            {"decisions": [number for number, _ in places], "places": [place for _, place in places]},
        )
        connection.execute(text("TRUNCATE identity.decision_detail"))
        connection.execute(
            text("INSERT INTO identity.decision_detail SELECT * FROM kept_detail ORDER BY decision_id, place")
        )
        connection.execute(text("DROP TABLE kept_detail"))
        connection.execute(text("SET LOCAL cdm.erasing = 'off'"))


def read_heads(connection: Connection) -> list[Row]:
    """The heads that were noted, in order."""
    return _rows(connection, select(decision_head).order_by(decision_head.c.decision_id))


def registered(connection: Connection, id_: UUID) -> Row | None:
    """The registry's row of a golden id, current or not."""
    rows = _rows(connection, select(golden_id).where(golden_id.c.golden_id == id_))
    return rows[0] if rows else None


def record_of(connection: Connection, source: str, entity: str, record_id: str) -> Row | None:
    """The crosswalk's row of a source record, with the kind of party."""
    x = crosswalk.c
    query = (
        select(crosswalk, customer.c.party_kind)
        .join(customer, customer.c.golden_id == x.golden_id)
        .where(and_(x.source == source, x.entity == entity, x.record_id == record_id))
    )
    rows = _rows(connection, query)
    return rows[0] if rows else None


def _rows(connection: Connection, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]
