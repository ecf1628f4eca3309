"""Consent in the hub: staged with the customers, and published in their transaction.

Belongs here: staging, applying what differs, telling of it. Does not belong here: the rules (privacy.consent), what has
to be worked out anew (steps.consent), columns (``schema_privacy``).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    and_,
    delete,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, dialect, insert
from sqlalchemy.schema import CreateTable, DropTable

from cdm_pipelines.hub import said
from cdm_pipelines.hub.differences import Change, apply, change_of, differences
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.load import copy_table, leave_alone, read_grouped, read_table, unlogged
from cdm_pipelines.hub.schema_privacy import consent, consent_state, consent_statement, said_here

STAGED = (consent, consent_statement)
WORKED = Table("consent_worked", MetaData(), Column("golden_id", Uuid, primary_key=True), schema="staging")
WAITING = Table(
    "consent_waiting",
    MetaData(),
    Column("table_name", Text, primary_key=True),
    Column("rows", Integer, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("made_from", JSONB, nullable=False),
    schema="staging",
)
"""What is staged of consent."""
_NAME = "consent"
DEFAULTS = "defaults"
"""Under which name a version says, by purpose, whether it is allowed while nothing was said."""
FIRST_DAYS = "first_days"
"""Under which name a version says, by source entity, the first day that was delivered of it."""
SAID = "said"
"""Under which name a version says what of the statements that were made here is in it."""


def clear(connection: Connection) -> None:
    """Stage nothing of consent: what waits is of customers that are staged anew."""
    for table in (WAITING, WORKED, *(staging_table(one) for one in STAGED)):
        connection.execute(DropTable(table, if_exists=True))


def staging_table(table: Table) -> Table:
    """The table in which the next version of one is staged."""
    made = table.to_metadata(MetaData(), schema="staging")
    made.indexes.clear()
    return made


def state(connection: Connection) -> Mapping[str, str]:
    """What the published consent was made from; empty before the first one."""
    found: Mapping[str, str] | None = connection.scalar(select(consent_state.c.made_from))
    return found or {}


def waiting(connection: Connection) -> Mapping[str, str]:
    """What the staged consent was made from; empty where none is."""
    if not _there(connection, WAITING):
        return {}
    found: Mapping[str, str] | None = connection.scalar(select(WAITING.c.made_from).limit(1))
    return found or {}


def stage(
    connection: Connection,
    rows: pa.Table,
    statements: pa.Table,
    made_from: Mapping[str, str],
    worked: pa.Array | None,
) -> None:
    """Stage the next version, whole or of the customers that were worked on.

    Args:
        connection: In a transaction, under the lock of ``staging``.
        rows: The columns of ``privacy.consent``.
        statements: Those of ``privacy.consent_statement``: all, or those that take the place of what is published.
        made_from: Versions of all that it was made from.
        worked: Golden ids of the customers that were worked on: of theirs, what is not staged goes. None for everybody.
    """
    clear(connection)
    connection.execute(CreateTable(WAITING))
    for table, content in zip(STAGED, (rows, statements), strict=True):
        staged = unlogged(staging_table(table))
        connection.execute(CreateTable(staged))
        leave_alone(connection, staged)
        count = copy_table(connection, staged.name, content.select([one.name for one in table.columns]))
        connection.execute(text(f"ANALYZE {staged}"))
        values = {"rows": count, "whole": worked is None, "made_from": dict(made_from)}
        connection.execute(insert(WAITING).values(table_name=table.name, **values))
    if worked is not None:
        connection.execute(CreateTable(WORKED))
        copy_table(connection, WORKED.name, pa.table({"golden_id": worked}))


def publish(connection: Connection, publication: int) -> Mapping[str, Change]:
    """Publish what is staged, in the transaction that publishes the customers.

    Statements that were made here since the last time are in it if they were when it was staged, and are told of now.

    Args:
        connection: In the transaction.
        publication: Its number.

    Returns:
        By table, ``consent``, ``consent_statement`` and ``said_here``; empty where nothing was staged.

    Raises:
        HubError: Staged rows are gone.
    """
    if not _there(connection, WAITING):
        return {}
    rows = {row.table_name: row for row in connection.execute(select(WAITING))}
    changes = {}
    first = not state(connection)
    for table in STAGED:
        own = rows[table.name]
        found = connection.scalar(select(func.count()).select_from(staging_table(table)))
        if found != own.rows:
            raise HubError(
                f"staging.{table.name} has {found or 0} rows of the {own.rows} that were staged: the database server "
                "has crashed since. Stage again (materialise golden/staged)."
            )
        changes[table.name] = _apply(connection, table, own.made_from, whole=own.whole, silent=first)
    values = {"made_from": rows[_NAME].made_from, "rows": changes[_NAME].rows}
    connection.execute(
        insert(consent_state)
        .values(name=_NAME, **values)
        .on_conflict_do_update(index_elements=["name"], set_=values)
    )
    if rows[_NAME].made_from.get(SAID, "") == said.version(connection):
        connection.execute(text(NOTED))
        new = said.taken_in(connection, publication, "noted_consent")
        changes[said_here.name] = Change(new, 0, 0, new)
    clear(connection)
    return changes


def _apply(
    connection: Connection, table: Table, made_from: Mapping[str, str], *, whole: bool, silent: bool
) -> Change:
    """Make a table equal to its staged version, touching only what differs, and note what is told of it."""
    staged, of_customers = staging_table(table), table is consent
    among = None if whole or not of_customers else select(WORKED.c.golden_id)
    difference = differences(connection, table, staged, among=among, whole=whole or of_customers)
    if of_customers and not silent:
        _note(connection, difference, made_from)
    counts = apply(connection, table, staged, difference)
    difference.drop(connection)
    return change_of(counts, int(connection.scalar(select(func.count()).select_from(table)) or 0))


_ALLOWS = (
    "coalesce({side}.allowed, {side}_every.allowed, (cast(:defaults AS jsonb) ->> d.purpose)::boolean, false)"
)


def _note(connection: Connection, difference: Table, made_from: Mapping[str, str]) -> None:
    """Remember for which purposes and channels what customers allow changes, for the outbox.

    A channel without a row is as every channel is; where that has none either, as the purpose's default.
    """
    old, new = _ALLOWS.format(side="old"), _ALLOWS.format(side="new")
    every = (
        "{side}_every ON {side}_every.golden_id = d.golden_id AND {side}_every.purpose = d.purpose "
        "AND {side}_every.channel = ''"
    )
    connection.execute(text(NOTED))
    connection.execute(
        text(
            f"""INSERT INTO noted_consent
            SELECT d.golden_id, array_agg(concat_ws('/', d.purpose, nullif(d.channel, '')))
            FROM {difference.name} AS d
            LEFT JOIN {consent} AS old USING (golden_id, purpose, channel)
            LEFT JOIN staging.consent AS new USING (golden_id, purpose, channel)
            LEFT JOIN {consent} AS {every.format(side="old")}
            LEFT JOIN staging.consent AS {every.format(side="new")}
            WHERE {old} <> {new} GROUP BY d.golden_id"""
        ),
        {"defaults": made_from.get(DEFAULTS, "{}")},
    )


NOTED = "CREATE TEMPORARY TABLE IF NOT EXISTS noted_consent (golden_id uuid, told text[]) ON COMMIT DROP"
"""SQL for the table of what is told of consent in a publication."""


COLUMNS = tuple(one.name for one in consent.columns)
"""Of ``privacy.consent``."""
ALLOWED_NOW = "({of}.allowed AND coalesce({of}.expires > now(), true))"
"""SQL for whether a row of ``privacy.consent`` is a yes now: it was on the day of the data, and has not ended since."""
STATE_NOW = "CASE WHEN {of}.allowed AND {of}.expires <= now() THEN 'expired' ELSE {of}.state END"
"""SQL for its state now."""
NOW = {"allowed": ALLOWED_NOW, "state": STATE_NOW}
"""By column, what takes its place where it is told to somebody."""
_TOLD = (
    "purpose",
    "channel",
    "state",
    "stated_at",
    "first_seen",
    "standing",
    "method",
    "notice_version",
    "source",
)


def of_customer(connection: Connection, golden_id: UUID) -> Sequence[Mapping[str, Any]]:
    """What a customer allows now: rows of ``privacy.consent`` by purpose and channel."""
    columns = ", ".join(f"{NOW.get(name, 'c.' + name).format(of='c')} AS {name}" for name in COLUMNS)
    query = f"SELECT {columns} FROM {consent} AS c WHERE c.golden_id = :id ORDER BY c.purpose, c.channel"
    return [dict(row) for row in connection.execute(text(query), {"id": golden_id}).mappings()]


def statements_of(connection: Connection, golden_id: UUID) -> Sequence[Mapping[str, Any]]:
    """Statements about one customer alone, the oldest first; with the words of whoever took down one made here."""
    own, here = consent_statement.c, said_here.c
    same = and_(here.statement == own.record_id, own.source == said.SOURCE, own.entity == said.ENTITY)
    told = select(*(own[name] for name in _TOLD), here.reason)
    query = told.outerjoin_from(consent_statement, said_here, same).where(own.golden_id == golden_id)
    order = (own.purpose, func.coalesce(own.stated_at, own.first_seen), own.source, own.record_id)
    return [dict(row) for row in connection.execute(query.order_by(*order)).mappings()]


_PUBLISHED = f"""SELECT s.source, s.entity, s.record_id, h.source AS h_source, h.entity AS h_entity,
        h.record_id AS h_record_id, s.party_id, s.party_email, s.party_phone, s.token, s.purpose, s.channel, s.state,
        to_char(s.stated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS stated_at,
        s.first_seen::text AS first_seen,
        to_char(s.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS expires_at,
        s.double_opt_in::text AS double_opt_in, s.customers, s.standing
    FROM {consent_statement} AS s LEFT JOIN {said_here} AS h
        ON h.statement = s.record_id AND s.source = '{said.SOURCE}' AND s.entity = '{said.ENTITY}'"""


def published_about(
    connection: Connection, golden_id: UUID, emails: Collection[str], phones: Collection[str]
) -> Sequence[Mapping[str, Any]]:
    """Published statements about one customer, and those about several who share one of its addresses.

    Args:
        connection: To the hub.
        golden_id: The customer.
        emails: Its e-mail addresses.
        phones: Its phone numbers.

    Returns:
        What decides of each, as text, with how many customers it is about, what became of it, and as ``h_source``,
        ``h_entity``, ``h_record_id`` the record that one which was made here is about.
    """
    # A statement is about a phone number only where nobody has its e-mail address.
    of_phone = """s.party_phone = ANY(:phones) AND NOT EXISTS (
        SELECT FROM golden.search AS t WHERE t.terms @> ARRAY['@' || s.party_email])"""
    query = f"""{_PUBLISHED} WHERE s.golden_id = :golden_id
        OR s.customers > 1 AND (s.party_email = ANY(:emails) OR {of_phone})"""
    values = {"golden_id": golden_id, "emails": sorted(emails), "phones": sorted(phones)}
    return [dict(row) for row in connection.execute(text(query), values).mappings()]


def replace_of_one(
    connection: Connection,
    golden_id: UUID,
    rows: Sequence[Mapping[str, Any]],
    standing: Mapping[tuple[str, str, str], str],
) -> None:
    """Put what one customer allows in the place of what is published of it, with statements that were made here.

    Args:
        connection: In a transaction.
        golden_id: The customer.
        rows: Of ``privacy.consent``, all that it has.
        standing: What became of statements about it alone, by source, entity and key.
    """
    before = {(row["purpose"], row["channel"]): row for row in of_customer(connection, golden_id)}
    now = {(row["purpose"], row["channel"]): dict(row) for row in rows}
    c = consent.c
    for purpose, channel in before.keys() - now.keys():
        where = (c.golden_id == golden_id, c.purpose == purpose, c.channel == channel)
        connection.execute(delete(consent).where(*where))
    changed = [row for key, row in now.items() if row != before.get(key)]
    if changed:
        statement = insert(consent).values(changed)
        own = {one.name: statement.excluded[one.name] for one in consent.columns if not one.primary_key}
        keys = list(consent.primary_key)
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=own))
    here = [key for source, entity, key in standing if (source, entity) == (said.SOURCE, said.ENTITY)]
    if here:
        connection.execute(text(_ADD_HERE), {"golden_id": golden_id, "statements": here})
    parts = dict(zip(("sources", "entities", "keys"), map(list, zip(*standing, strict=True)), strict=True))
    values = {"golden_id": golden_id, **parts, "standings": list(standing.values())}
    connection.execute(text(_STANDING), values)


_DIALECT = dialect()  # type: ignore[no-untyped-call]
_IN_LEDGER = [name for name in said.LEDGER.names if name != "party"]
_ADD_HERE = f"""INSERT INTO {consent_statement} ({", ".join(_IN_LEDGER)}, golden_id, customers, standing)
    SELECT {", ".join(f"CAST(here.{one} AS {consent_statement.c[one].type.compile(_DIALECT)})" for one in _IN_LEDGER)},
           :golden_id, 1, '' FROM ({said.ROWS}) AS here
    WHERE here.record_id = ANY(:statements) ON CONFLICT DO NOTHING"""
_STANDING = f"""UPDATE {consent_statement} AS s SET standing = new.standing
    FROM unnest(CAST(:sources AS text[]), CAST(:entities AS text[]), CAST(:keys AS text[]), CAST(:standings AS text[]))
         AS new(source, entity, record_id, standing)
    WHERE s.golden_id = :golden_id AND s.source = new.source AND s.entity = new.entity AND s.record_id = new.record_id
      AND s.standing <> new.standing"""


def depending(connection: Connection, as_of: str) -> tuple[pa.Array, pa.Table]:
    """What of the published consent may be other without a change of its customer, or of its own statements.

    Args:
        connection: To the hub.
        as_of: The day that the next version holds for.

    Returns:
        Golden ids of customers with whom others share an address, or whose consent has ended; and keys of statements
        about several customers.
    """
    ids = read_table(
        connection,
        f"""SELECT DISTINCT golden_id FROM {consent}
        WHERE shared OR (allowed AND expires < %(day)s::timestamp AT TIME ZONE 'UTC' + interval '1 day')""",
        pa.schema([("golden_id", pa.string())]),
        {"day": as_of},
    )["golden_id"].combine_chunks()
    return ids, _keys(connection, "customers > 1")


def statements_about(connection: Connection, ids: pa.Array) -> pa.Table:
    """Keys of the published statements about one of some customers alone."""
    connection.execute(
        text("CREATE TEMPORARY TABLE IF NOT EXISTS asked_consent (golden_id uuid) ON COMMIT DROP")
    )
    connection.execute(text("TRUNCATE asked_consent"))
    copy_table(connection, "asked_consent", pa.table({"golden_id": ids}), schema="pg_temp")
    return _keys(connection, "golden_id IN (SELECT golden_id FROM asked_consent)")


_KEY = pa.schema([("source", pa.string()), ("entity", pa.string()), ("record_id", pa.string())])


def _keys(connection: Connection, condition: str) -> pa.Table:
    return read_table(
        connection, f"SELECT source, entity, record_id FROM {consent_statement} WHERE {condition}", _KEY
    )


ALLOWED = pa.schema(
    [(name, pa.string()) for name in ("golden_id", "purpose", "channel")]
    + [(name, pa.bool_()) for name in ("allowed", "said")]
)
"""What customers allow, and whether somebody said so, or it is what the purpose has where nothing was said."""


def allowed(connection: Connection, purposes: Collection[str], *, coming: bool = False) -> pa.Table:
    """What customers allow for some purposes, as it is published or as it will be.

    Of what is published a yes that has ended since is none.

    Args:
        connection: To the hub.
        purposes: Their keys.
        coming: Whether of the next version.
    """
    rows = next_rows(connection, consent) if coming else str(consent)
    now = "allowed" if coming else "allowed AND coalesce(expires > clock_timestamp(), true)"
    query = f"""SELECT golden_id, purpose, channel, {now}, state IS NOT NULL FROM {rows}
        WHERE purpose = ANY(%(purposes)s)"""
    return read_grouped(connection, query, ALLOWED, {"purposes": sorted(purposes)})


def counts(connection: Connection) -> Mapping[str, Mapping[str, int]]:
    """Figures of the next version: statements by what became of them, purpose and state; rows by what they say."""
    said, rows = next_rows(connection, consent_statement), next_rows(connection, consent)
    asked = {
        "standing": f"SELECT standing, count(*) FROM {said} GROUP BY 1",
        "said": f"SELECT concat_ws(' ', coalesce(purpose, 'no purpose'), state), count(*) FROM {said} GROUP BY 1",
        "purposes": f"SELECT purpose, count(*) FROM {said} WHERE purpose IS NOT NULL GROUP BY 1",
        "allowed": f"""SELECT concat_ws(' ', purpose, nullif(channel, ''), CASE WHEN allowed THEN 'yes' ELSE 'no' END),
            count(*) FROM {rows} GROUP BY 1""",
        "states": f"SELECT coalesce(state, 'nothing said'), count(*) FROM {rows} GROUP BY 1",
        "contradictory": f"SELECT 'contradictory', count(*) FROM {rows} WHERE contradictory",
    }
    return {
        name: {str(what): int(number) for what, number in connection.execute(text(f"{query} ORDER BY 1"))}
        for name, query in asked.items()
    }


def next_rows(connection: Connection, table: Table) -> str:
    """SQL for the rows of a table as they will be published."""
    if not _there(connection, WAITING):
        return str(table)
    staged = f"staging.{table.name}"
    if connection.scalar(select(WAITING.c.whole).limit(1)):
        return staged
    if table is consent:
        stays = f"golden_id NOT IN (SELECT golden_id FROM {WORKED})"
    else:
        same = " AND ".join(f"s.{one.name} = t.{one.name}" for one in table.primary_key)
        stays = f"NOT EXISTS (SELECT FROM {staged} AS s WHERE {same})"
    columns = ", ".join(one.name for one in table.columns)
    kept = f"SELECT {columns} FROM {table} AS t WHERE {stays}"
    return f"(SELECT {columns} FROM {staged} UNION ALL {kept}) AS {table.name}"


def _there(connection: Connection, table: Table) -> bool:
    return connection.scalar(select(func.to_regclass(str(table)))) is not None
