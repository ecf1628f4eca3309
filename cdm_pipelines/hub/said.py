"""Statements of consent that were made here, in PostgreSQL: kept, read as the ledger has others, marked as taken in.

Belongs here: those rows, and the locks that keep them from being lost. Does not belong here: what is in force
(privacy.consent), taking one down (steps.consent.said), columns (``schema_privacy``).

Whoever takes a statement down shares a lock with others who do, and a publication has it alone from before it looks
what was said until its commit. So a version that was staged before a statement cannot take its effect back.
"""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection, func, insert, select, text, update
from sqlalchemy.exc import OperationalError

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.load import read_table, without_data
from cdm_pipelines.hub.schema_privacy import said_here
from cdm_pipelines.store.keys import RECORD_KEY, composite_keys

SOURCE, ENTITY = "cdm", "said"
"""What the ledger calls the source and entity of a statement that was made here."""
_LOCK = 0x63646D63  # "cdmc": the key of the advisory lock between statements and publications
_OF_ONE = 0x63646D64  # "cdmd": with a hash of the golden id, that between statements about one customer
_PATIENCE = "20s"
_VALUES = tuple(one.name for one in attributes(Entity.CONSENT))
LEDGER: Final = pa.schema(
    [(name, pa.string()) for name in ("source", "entity", "record_id", "first_seen", "party", *_VALUES)]
)
"""A statement as the ledger has it, all as text; ``party`` is the key of the record that it is about as one text."""


def begin(connection: Connection) -> None:
    """Begin to take a statement down; the first thing that is done in its transaction.

    Raises:
        HubError: A publication is under way for longer than anybody waits; nothing was changed.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}'"))
    try:
        connection.execute(select(func.pg_advisory_xact_lock_shared(_LOCK)))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != "55P03":
            raise
        raise HubError(
            "Customers are being published, and nothing can be said meanwhile. Nothing was recorded: try again in a "
            "minute."
        ) from None


def one_at_a_time(connection: Connection, golden_id: UUID) -> None:
    """Wait until nobody else takes down what the same customer says; until the transaction ends."""
    key = func.hashtext(str(golden_id))
    connection.execute(select(func.pg_advisory_xact_lock(_OF_ONE, key)))


def wait(connection: Connection) -> None:
    """Wait until nothing is being said, and have nothing said until the transaction ends: it publishes."""
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def add(connection: Connection, **values: Any) -> tuple[int, Any]:
    """Write a statement down; returns its number and moment."""
    s = said_here.c
    statement = insert(said_here).values(**values, stated_at=func.clock_timestamp(), told=[])
    with without_data("recording the statement"):
        row = connection.execute(statement.returning(s.number, s.stated_at)).one()
    return int(row.number), row.stated_at


def changed(connection: Connection, number: int, told: Iterable[str]) -> None:
    """Note what a statement changed, for whoever is told of it by the next publication."""
    connection.execute(update(said_here).where(said_here.c.number == number).values(told=list(told)))


def version(connection: Connection) -> str:
    """Changes whenever something is said, or what was said is erased; empty where nothing is."""
    s = said_here.c
    count, last = connection.execute(select(func.count(), func.max(s.number))).one()
    return f"{count}:{last}" if count else ""


_MOMENT = """to_char(stated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_AS_IN_LEDGER = {
    "statement_id": "statement",
    "party_id": "record_id",
    "purpose": "purpose",
    "channel": "nullif(channel, '')",
    "state": "state",
    "stated_at": _MOMENT,
    "method": "nullif(method, '')",
    "notice": "notice",
    "notice_version": "notice_version",
}
"""SQL by attribute; the other attributes are empty."""
ROWS: Final = f"""SELECT '{SOURCE}' AS source, '{ENTITY}' AS entity, statement AS record_id,
    to_char(stated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS first_seen,
    source AS party_source, entity AS party_entity, record_id AS party_record_id,
    {", ".join(f"{_AS_IN_LEDGER.get(name, 'NULL::text')} AS {name}" for name in _VALUES)} FROM {said_here}"""  # noqa: S608 - our own names
"""SQL for all statements that were made here, as ``LEDGER`` but for the party, which is in three columns."""
_WHOSE = ("party_source", "party_entity", "party_record_id")
_READ = pa.schema([(name, pa.string()) for name in (*RECORD_KEY, "first_seen", *_WHOSE, *_VALUES)])


def ledger(connection: Connection) -> pa.Table:
    """All statements that were made here, as ``LEDGER``."""
    rows = read_table(connection, ROWS, _READ)
    return rows.append_column("party", composite_keys(rows, *_WHOSE)).select(LEDGER.names).cast(LEDGER)


def waiting(connection: Connection) -> pa.Table:
    """Keys of those that no publication has taken in."""
    query = f"""SELECT '{SOURCE}' AS source, '{ENTITY}' AS entity, statement AS record_id FROM {said_here}
        WHERE publication_id IS NULL"""  # noqa: S608 - our own names
    return read_table(connection, query, pa.schema([LEDGER.field(name) for name in RECORD_KEY]))


def taken_in(connection: Connection, publication: int, noted: str) -> int:
    """Mark those that wait as taken in by a publication, and note what they changed for the outbox.

    Args:
        connection: In the transaction that publishes, with the crosswalk as it will be.
        publication: Its number.
        noted: The table in which what is told of consent is noted.

    Returns:
        How many they were.
    """
    connection.execute(
        text(
            f"""INSERT INTO {noted} SELECT golden_id, told FROM {said_here}
            JOIN golden.crosswalk USING (source, entity, record_id)
            WHERE publication_id IS NULL AND cardinality(told) > 0"""  # noqa: S608 - our own names
        )
    )
    s = said_here.c
    marked = update(said_here).where(s.publication_id.is_(None)).values(publication_id=publication)
    return int(connection.execute(marked).rowcount)
