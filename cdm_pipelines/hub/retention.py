"""What retention asks of the hub: last touches, what is dated, and taking away what the law has kept long enough.

Belongs here: the SQL. Does not belong here: how long what is kept (privacy.retention), forgetting events, versions and
lines (``pruning``, ``access_log``).
"""

import datetime as dt
from collections.abc import Collection, Sequence

import pyarrow as pa
from sqlalchemy import Connection, delete, text

from cdm_pipelines.contracts.canonical import Entity, declaration
from cdm_pipelines.hub.load import read_table
from cdm_pipelines.hub.published import published_table
from cdm_pipelines.hub.schema_access import access_log
from cdm_pipelines.hub.schema_rights import legal_hold

TOUCHED = pa.schema([("golden_id", pa.string()), ("touched", pa.date32())])
DOCUMENTS = pa.schema(
    [
        *((name, pa.string()) for name in ("source", "entity", "record_id", "golden_id", "order_id")),
        ("dated", pa.date32()),
        ("rows", pa.int64()),
        ("billed", pa.bool_()),
    ]
)
COUNTED = pa.schema([("subject", pa.string()), ("since", pa.date32()), ("number", pa.int64())])


def touches(connection: Connection, timezone: str, until: dt.date) -> pa.Table:
    """The last order, invoice and statement of consent of each customer up to a day, a row per kind (``TOUCHED``)."""
    parts = [
        f"SELECT golden_id, max({_day(column, timezone)}) AS touched FROM {table} "  # noqa: S608 - our own names
        f"WHERE golden_id IS NOT NULL AND {_day(column, timezone)} <= DATE '{until.isoformat()}' GROUP BY golden_id"
        for table, column in (
            (_table(Entity.ORDER), "ordered_at"),
            (_table(Entity.INVOICE), "issued_on"),
            ("privacy.consent_statement", "stated_at"),
        )
    ]
    return read_table(connection, " UNION ALL ".join(parts), TOUCHED)


def consents(connection: Connection) -> pa.Table:
    """Purposes that each customer consents to, with commas between: ``golden_id, consented``."""
    query = """SELECT golden_id, string_agg(DISTINCT purpose, ',' ORDER BY purpose) AS consented
               FROM privacy.consent WHERE allowed AND state = 'given' GROUP BY golden_id"""
    return read_table(connection, query, pa.schema([("golden_id", pa.string()), ("consented", pa.string())]))


def staying(connection: Connection) -> dict[str, str]:
    """Why customers have to stay, by golden id: restricted, or a disputed invoice."""
    query = f"""SELECT golden_id::text, 'has an invoice that is disputed' FROM {_table(Entity.INVOICE)}
                WHERE disputed AND settled_on IS NULL AND golden_id IS NOT NULL
                UNION ALL SELECT DISTINCT golden_id::text, 'is restricted' FROM privacy.restriction
                JOIN golden.crosswalk USING (source, entity, record_id) WHERE purpose = ''"""  # noqa: S608 - our own names
    return {str(golden_id): str(why) for golden_id, why in connection.execute(text(query))}


def documents(
    connection: Connection,
    entity: str,
    dated: str,
    before: dt.date,
    *,
    related: Sequence[str] = (),
    staying: Sequence[tuple[str, str, dt.date]] = (),
) -> pa.Table:
    """Documents of before a day as ``DOCUMENTS``.

    Args:
        connection: Of a migrated hub.
        entity: Canonical entity.
        dated: Its attribute that dates it.
        before: The day.
        related: Entities of which the rows of the same order count as its own (``rows``).
        staying: Other kinds of documents, how they are dated and the first day that stays: where one of the same order
            does, ``billed`` is true.
    """
    known = set(published_table(_name(entity)).table.c.keys())
    order = "d.order_id" if "order_id" in known else "NULL"
    golden = "d.golden_id" if "golden_id" in known else "NULL"
    same = f"WHERE r.source = d.source AND r.order_id = {order}"
    rows = "".join(f" + (SELECT count(*) FROM {_table(Entity(one))} r {same})" for one in related)  # noqa: S608 - our own names
    stay = "".join(
        f" OR EXISTS (SELECT FROM {_table(Entity(one))} r {same} AND CAST(r.{day} AS date) >= DATE '{first}')"
        for one, day, first in staying
    )
    query = f"""SELECT d.source, d.entity, d.record_id, {golden} AS golden_id, {order} AS order_id,
                       CAST(d.{dated} AS date) AS dated, 1{rows} AS rows, false{stay} AS billed
                FROM {_table(Entity(entity))} d WHERE CAST(d.{dated} AS date) < DATE '{before}'
                ORDER BY d.source, d.entity, d.record_id"""  # noqa: S608 - our own names, and days
    return read_table(connection, query, DOCUMENTS)


def documents_by_year(connection: Connection, entity: str, dated: str, since: dt.date) -> pa.Table:
    """How many documents there are of each year, from a day on, as ``COUNTED``; ``since`` is the year's last day."""
    query = f"""SELECT CAST(date_part('year', {dated}) AS integer)::text AS subject,
                       make_date(CAST(date_part('year', {dated}) AS integer), 12, 31) AS since, count(*) AS number
                FROM {_table(Entity(entity))} WHERE CAST({dated} AS date) >= DATE '{since.isoformat()}'
                GROUP BY 1, 2 ORDER BY 1"""  # noqa: S608 - our own names, and a day
    return read_table(connection, query, COUNTED)


def rows_of_orders(
    connection: Connection, entity: str, keys: Collection[tuple[str, str]]
) -> list[tuple[str, str, str]]:
    """Keys of the rows of an entity that name orders (source and number)."""
    query = f"""SELECT r.source, r.entity, r.record_id FROM {_table(Entity(entity))} r
                JOIN unnest(CAST(:sources AS text[]), CAST(:orders AS text[])) AS o (source, order_id)
                USING (source, order_id)"""  # noqa: S608 - our own names
    pairs = sorted(keys)
    values = {"sources": [one for one, _ in pairs], "orders": [order for _, order in pairs]}
    return [(row[0], row[1], row[2]) for row in connection.execute(text(query), values)]


def versions(connection: Connection) -> pa.Table:
    """Former versions of customers by the day on which they ended, as ``COUNTED``."""
    return _by_day(connection, "golden.customer_history", "valid_to")


def events(connection: Connection, sinks: Collection[str]) -> pa.Table:
    """Events of the change feed that may be forgotten once they are old enough, by the day of publication."""
    query = """
        WITH delivered AS (
            SELECT min(coalesce(s.position, 0)) AS position FROM unnest(CAST(ARRAY[{sinks}] AS text[])) AS wanted (name)
            LEFT JOIN ops.sink s USING (name))
        SELECT '' AS subject, (p.published_at AT TIME ZONE 'UTC')::date AS since, count(*) AS number
        FROM ops.outbox o JOIN ops.publication p USING (publication_id)
        WHERE o.position < (SELECT max(position) FROM ops.outbox)
        AND NOT EXISTS (SELECT FROM ops.dead_letter d WHERE d.position = o.position)
        AND ({none} OR o.position <= (SELECT position FROM delivered))
        GROUP BY 2 ORDER BY 2"""
    names = ", ".join("'" + one.replace("'", "''") + "'" for one in sorted(sinks))
    return read_table(connection, query.format(sinks=names, none="false" if sinks else "true"), COUNTED)


def lines(connection: Connection) -> pa.Table:
    """Lines of the access log by day, as ``COUNTED``."""
    return _by_day(connection, str(access_log), "accessed_at")


def held(connection: Connection) -> pa.Table:
    """What the law has kept of erased persons, by kind and the day on which it may go, as ``COUNTED``."""
    query = """SELECT what AS subject, until AS since, count(*) AS number FROM privacy.legal_hold
               GROUP BY 1, 2 ORDER BY 2, 1"""
    return read_table(connection, query, COUNTED)


def release(connection: Connection, what: str, until: dt.date) -> int:
    """Delete what the law had kept until a day; returns how many documents there were."""
    h = legal_hold.c
    return int(connection.execute(delete(legal_hold).where(h.what == what, h.until == until)).rowcount)


def _by_day(connection: Connection, table: str, column: str) -> pa.Table:
    query = f"""SELECT '' AS subject, ({column} AT TIME ZONE 'UTC')::date AS since, count(*) AS number
                FROM {table} GROUP BY 2 ORDER BY 2"""  # noqa: S608 - our own names
    return read_table(connection, query, COUNTED)


def _day(column: str, timezone: str) -> str:
    if column.endswith("_on"):
        return column
    zone = timezone.replace("'", "''")
    return f"({column} AT TIME ZONE '{zone}')::date"


def _name(entity: str) -> str:
    return declaration(Entity(entity)).table_name


def _table(entity: Entity) -> str:
    return str(published_table(_name(entity)).table)


def orders_of(
    connection: Connection, entity: str, keys: Collection[tuple[str, str, str]]
) -> set[tuple[str, str]]:
    """Source and number of the orders that documents are, or are of."""
    query = f"""SELECT source, order_id FROM {_table(Entity(entity))}
                JOIN unnest(CAST(:sources AS text[]), CAST(:entities AS text[]), CAST(:records AS text[]))
                     AS k (source, entity, record_id) USING (source, entity, record_id)
                WHERE order_id IS NOT NULL"""  # noqa: S608 - our own names
    columns = list(zip(*sorted(keys), strict=True)) or [(), (), ()]
    values = {name: list(one) for name, one in zip(("sources", "entities", "records"), columns, strict=True)}
    return {(row[0], row[1]) for row in connection.execute(text(query), values)}
