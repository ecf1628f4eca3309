"""The log of steward decisions in PostgreSQL.

Belongs here: adding an entry, reading the log, and looking up the records that a decision names. Does not belong
here: what decisions mean, and how they are chained (identity).
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, and_, func, insert, select

from cdm_pipelines.hub.load import without_data
from cdm_pipelines.hub.queries import Row
from cdm_pipelines.hub.schema import crosswalk, customer, decision, decision_head, golden_id

_LOCK = 0x63646D73  # "cdms": the key of the advisory lock under which one steward at a time decides


def begin_decision(connection: Connection) -> dt.datetime:
    """Wait for one's turn to add to the log, which lasts until the transaction ends; returns the time."""
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    now: dt.datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return now


def add_decision(connection: Connection, row: Mapping[str, Any]) -> None:
    """Add an entry, and note that the log ends with it."""
    with without_data("recording the decision"):
        connection.execute(insert(decision).values(**row))
        head = {name: row[name] for name in ("decision_id", "hash")}
        connection.execute(insert(decision_head).values(**head))


def read_decisions(connection: Connection) -> list[Row]:
    """All entries in order."""
    return _rows(connection, select(decision).order_by(decision.c.decision_id))


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
