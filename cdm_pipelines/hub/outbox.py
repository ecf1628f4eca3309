"""The transactional outbox: what a publication changed, written with the publication itself.

Belongs here: the SQL that turns staged events and difference tables into rows of ``identity.event`` and
``ops.outbox``. Does not belong here: reading them (``feed``), or how they reach anybody (``publish``).

All of it runs in the transaction of :func:`cdm_pipelines.hub.publish.promote`, under its advisory lock: an
event is there exactly when its change is, and positions become visible in their order, since no two
publications overlap. Positions have gaps where a publication was undone; readers go by *greater than*.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, Table, text
from sqlalchemy.schema import DropTable

from cdm_pipelines.contracts.entity import RECORDS
from cdm_pipelines.hub import consent
from cdm_pipelines.hub import schema as hub
from cdm_pipelines.hub.published import PublishedTable, Telling
from cdm_pipelines.hub.schema_feed import staged_event

__all__ = ["CHANNEL", "RECORDS", "RETIREMENT", "append", "note", "tell_retired"]

CHANNEL = "cdm_feed"
"""Channel of LISTEN and NOTIFY; the payload is the last position."""

RETIREMENT = "customer.retired"
"""Type of what consumers are told of an id of which no record is left."""
_BOOKKEEPING = {"golden_id", "record_count", "source_count", "first_seen", "last_seen"}
_ATTRIBUTES = tuple(column.name for column in hub.customer.columns if column.name not in _BOOKKEEPING)


def note(connection: Connection, known: PublishedTable, difference: Table) -> None:
    """Remember how customers will change, before a published table is made equal to its staged version.

    Args:
        connection: In the transaction that publishes.
        known: The published table; what nobody is told of is passed over.
        difference: Keys and kind (inserted, updated, deleted) of the rows of the table that differ.
    """
    if known.told is None:
        return
    _ready(connection)
    match known.told:
        case Telling.VALUES:
            query = _VALUES.format(difference=difference.name)
        case Telling.MEMBERS:
            query = _MEMBERS.format(difference=difference.name)
        case Telling.ROWS:
            query = _rows_of(known, difference)
    connection.execute(text(f"INSERT INTO noted_{known.told} {query}"))


def append(connection: Connection, publication: int | None) -> None:
    """Write down what happened, for good and for consumers, and wake those who listen.

    Args:
        connection: In the transaction that publishes; customers and crosswalk are as they will be.
        publication: Number of the publication; None when nothing changed, and then nothing is told.
    """
    if publication is not None:
        _ready(connection)
        for table in ("identity.event", "ops.outbox"):
            if not connection.scalar(text(f"SELECT EXISTS (SELECT FROM {table})")):  # noqa: S608 - our own tables
                connection.execute(text(f"TRUNCATE {table}"))  # a new file need not be logged
        told = connection.execute(text(_APPEND), {"publication": publication}).rowcount
        told += connection.execute(text(_APPEND_PROFILE), {"publication": publication}).rowcount
        told += connection.execute(text(_APPEND_CONSENT), {"publication": publication}).rowcount
        if told:
            _wake(connection)
    connection.execute(DropTable(staged_event, if_exists=True))


def tell_retired(connection: Connection, publication: int, ids: Sequence[UUID]) -> None:
    """Write down that golden ids fell out of use since their records are gone, and wake those who listen.

    Args:
        connection: In the transaction that retires them.
        publication: Number of the publication that it is.
        ids: The ids.
    """
    connection.execute(text(_APPEND_RETIRED), {"publication": publication, "ids": list(ids)})
    _wake(connection)


def _wake(connection: Connection) -> None:
    connection.execute(
        text("SELECT pg_notify(:channel, max(position)::text) FROM ops.outbox"), {"channel": CHANNEL}
    )


def _ready(connection: Connection) -> None:
    """Make what is missing of the tables that :data:`_APPEND` reads, empty."""
    for name in Telling:
        columns = "golden_id uuid, changes jsonb"
        connection.execute(
            text(f"CREATE TEMPORARY TABLE IF NOT EXISTS noted_{name} ({columns}) ON COMMIT DROP")
        )
    connection.execute(
        text(
            "CREATE TEMPORARY TABLE IF NOT EXISTS noted_profile (golden_id uuid, told text[]) ON COMMIT DROP"
        )
    )
    connection.execute(text(consent.NOTED))
    staged_event.create(connection, checkfirst=True)


def _fingerprint(attribute: str, value: str) -> str:
    """SQL for 16 hexadecimal digits in quotes, or null; of this value of this attribute of this customer only."""
    salted = f"(SELECT secret FROM ops.feed) || convert_to(golden_id || '/{attribute}/' || {value}, 'UTF8')"  # noqa: S608 - names of our own columns
    return f"""coalesce('"' || left(encode(sha256({salted}), 'hex'), 16) || '"', 'null')"""


def _pair(attribute: str, before: str, after: str) -> str:
    """SQL for the JSON member of one attribute, with both fingerprints."""
    prints = f"{_fingerprint(attribute, before)} || ',' || {_fingerprint(attribute, after)}"
    return f"""'"{attribute}":[' || {prints} || ']'"""


_DIFFERENT = ", ".join(
    f"CASE WHEN old.{name} IS DISTINCT FROM new.{name} THEN {_pair(name, f'old.{name}', f'new.{name}')} END"
    for name in _ATTRIBUTES
)
_VALUES = f"""
SELECT golden_id, ('{{{{' || told || '}}}}')::jsonb
FROM {{difference}} JOIN golden.customer AS old USING (golden_id) JOIN staging.customer AS new USING (golden_id),
     LATERAL (SELECT concat_ws(',', {_DIFFERENT}) AS told OFFSET 0) AS once
WHERE kind = 'updated' AND told <> ''
"""  # noqa: S608 - names of our own columns

_KEY = "source, entity, record_id"
_MEMBERS_OF = """
SELECT golden_id, string_agg(concat_ws('|', source, entity, record_id, active), ','
                             ORDER BY source COLLATE "C", entity COLLATE "C", record_id COLLATE "C") AS members
FROM {table} JOIN affected USING (golden_id) GROUP BY golden_id
"""
_MEMBERS = f"""
WITH affected AS (
    SELECT golden_id FROM {{difference}} JOIN golden.crosswalk USING ({_KEY})
    UNION SELECT golden_id FROM {{difference}} JOIN staging.crosswalk USING ({_KEY})),
old AS ({_MEMBERS_OF.format(table="golden.crosswalk")}),
new AS ({_MEMBERS_OF.format(table="staging.crosswalk")})
SELECT golden_id, ('{{{{' || {_pair(RECORDS, "old.members", "new.members")} || '}}}}')::jsonb
FROM old JOIN new USING (golden_id) WHERE old.members <> new.members
"""  # noqa: S608 - names of our own tables and columns


def _rows_of(known: PublishedTable, difference: Table) -> str:
    """SQL for the customers whose rows of an entity differ, with fingerprints of the rows that do."""
    keys = ", ".join(known.key)
    order = ", ".join(f'{name} COLLATE "C"' for name in known.key)
    of = f"""SELECT golden_id, string_agg((to_jsonb(t) - 'first_seen')::text, ',' ORDER BY {order}) AS rows
             FROM {difference.name} JOIN {{version}}.{known.name} AS t USING ({keys})
             WHERE golden_id IS NOT NULL GROUP BY golden_id"""  # noqa: S608 - names of our own tables and columns
    return f"""
    WITH old AS ({of.format(version="golden")}), new AS ({of.format(version="staging")})
    SELECT golden_id, ('{{' || {_pair(known.told_as, "old.rows", "new.rows")} || '}}')::jsonb
    FROM old FULL JOIN new USING (golden_id) WHERE old.rows IS DISTINCT FROM new.rows
    """  # noqa: S608 - names of our own tables and columns


_NAME = """(SELECT uuid_send(hub_id) || int8send(:publication) FROM ops.feed)
    || uuid_send(golden_id) || convert_to(event, 'UTF8')"""
_EVENT_ID = f"encode(set_byte(set_byte(substr(sha256({_NAME}), 1, 16), 6, 128), 8, 128), 'hex')::uuid"
"""A name-based UUID of version 8 (RFC 9562, appendix B.2), by SHA-256: PostgreSQL has no SHA-1."""

_APPEND = f"""
WITH happened AS (
    INSERT INTO identity.event (golden_id, event, related_id, reason, evidence, publication_id, event_id)
    SELECT golden_id, event, related_id, reason, evidence, :publication, {_EVENT_ID}
    FROM staging.event ORDER BY golden_id
    RETURNING golden_id, event, event_id, related_id),
noted_entities AS (
    SELECT golden_id, jsonb_object_agg(key, value) AS changes FROM noted_rows, jsonb_each(changes)
    WHERE NOT EXISTS (SELECT FROM staging.event WHERE event.golden_id = noted_rows.golden_id) GROUP BY golden_id),
changed AS (
    SELECT golden_id, 'changed' AS event, coalesce(noted_values.changes, '{{}}')
           || coalesce(noted_members.changes, '{{}}') || coalesce(noted_entities.changes, '{{}}') AS changes
    FROM noted_values FULL JOIN noted_members USING (golden_id) FULL JOIN noted_entities USING (golden_id)),
told AS (
    SELECT golden_id, event, event_id, related_id, NULL::jsonb AS changes FROM happened
    UNION ALL SELECT golden_id, event, {_EVENT_ID}, NULL, changes FROM changed)
INSERT INTO ops.outbox (event_id, publication_id, golden_id, type, related_id, changes)
SELECT event_id, :publication, golden_id, 'customer.' || event, related_id, changes FROM told
ORDER BY array_position(ARRAY['created', 'split', 'restored', 'merged', 'retired'], event) NULLS LAST, golden_id
"""  # noqa: S608 - our own expressions
"""Of one publication, new customers come first, then those that are gone, then changes of those that stay; no
customer has two events, since one that is new or gone has no values or records to compare with."""

_APPEND_RETIRED = f"""
WITH gone AS (SELECT unnest(cast(:ids AS uuid[])) AS golden_id, 'retired' AS event),
happened AS (
    INSERT INTO identity.event (golden_id, event, reason, publication_id, event_id)
    SELECT golden_id, event, 'record_gone', :publication, {_EVENT_ID} FROM gone ORDER BY golden_id
    RETURNING golden_id, event_id)
INSERT INTO ops.outbox (event_id, publication_id, golden_id, type)
SELECT event_id, :publication, golden_id, '{RETIREMENT}' FROM happened ORDER BY golden_id
"""  # noqa: S608 - our own expressions

_APPEND_PROFILE = f"""
WITH changed AS (
    SELECT golden_id, 'profile_changed' AS event, jsonb_object_agg(name, NULL ORDER BY name) AS changes
    FROM noted_profile, unnest(told) AS name
    WHERE NOT EXISTS (SELECT FROM staging.event WHERE event.golden_id = noted_profile.golden_id) GROUP BY golden_id)
INSERT INTO ops.outbox (event_id, publication_id, golden_id, type, changes)
SELECT {_EVENT_ID}, :publication, golden_id, 'customer.profile_changed', changes FROM changed ORDER BY golden_id
"""  # noqa: S608 - our own expressions
"""A customer whose profile differs is told so after all else; one that is new or gone is not."""

_APPEND_CONSENT = f"""
WITH changed AS (
    SELECT golden_id, 'consent_changed' AS event, jsonb_object_agg(name, NULL ORDER BY name) AS changes
    FROM noted_consent, unnest(told) AS name
    WHERE NOT EXISTS (SELECT FROM staging.event WHERE event.golden_id = noted_consent.golden_id) GROUP BY golden_id)
INSERT INTO ops.outbox (event_id, publication_id, golden_id, type, changes)
SELECT {_EVENT_ID}, :publication, golden_id, 'customer.consent_changed', changes FROM changed ORDER BY golden_id
"""  # noqa: S608 - our own expressions
"""Where what a customer allows differs, whoever may act on it is told for which purposes and channels."""
