"""Next best actions in the hub: what is chosen now, and the log of all choices.

Belongs here: reading and writing those rows. Does not belong here: choosing (insight), what came of it
(steps.activation), columns (``schema_actions``).
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Table, select, text
from sqlalchemy.dialects.postgresql import insert

from cdm_pipelines.hub.consent import ALLOWED_NOW
from cdm_pipelines.hub.load import copy_table, read_table
from cdm_pipelines.hub.role_schemas import quoted
from cdm_pipelines.hub.schema_actions import action_choice, action_policy, next_best_action

_T, _D, _F = pa.string(), pa.date32(), pa.float64()
NEXT = pa.schema(
    [
        *((name, _T) for name in ("golden_id", "action", "purpose", "channel", "goal")),
        ("expected_value", _F),
        ("chosen_on", _D),
        ("until", _D),
        ("excluded", _T),
        ("contacted_on", _D),
    ]
)
"""Rows of ``next_best_action``."""
CHOICE = pa.schema(
    [
        ("period", _D),
        ("golden_id", _T),
        ("chosen_on", _D),
        *((name, _T) for name in ("policy", "action", "variant")),
        ("propensity", _F),
        *((name, _T) for name in ("propensities", "barred")),
        *((name, _F) for name in ("expected_value", "value", "cost")),
        ("context", _T),
        ("withdrawn_on", _D),
    ]
)
"""Rows of ``action_choice``; ``propensities`` and ``context`` as JSON."""
HELD = pa.schema(
    [
        CHOICE.field(name)
        for name in ("golden_id", "chosen_on", "action", "variant", "expected_value", "withdrawn_on")
    ]
)
"""What is asked of the choices of a period."""
RESTRICTED = pa.schema([("golden_id", _T)])
_LOCK = 0x63646D61  # "cdma": the key of the advisory lock under which one process at a time chooses


def alone(connection: Connection) -> None:
    """Wait until no other process chooses, to the end of the transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def customers(connection: Connection, columns: Mapping[str, pa.DataType]) -> pa.Table:
    """All customers by golden id, with some columns of their profile."""
    schema = pa.schema([("golden_id", _T), *columns.items()])
    listed = ", ".join(f'"{name}"' for name in schema.names)
    # Each table of the profile is kept in memory by golden id: what does not fit is put aside and read again.
    connection.execute(text("SET LOCAL work_mem = '128MB'"))
    # Asked in order, the database would go through the tables customer by customer, which takes three times as long.
    return read_table(connection, f"SELECT {listed} FROM profile.customer", schema).sort_by("golden_id")


def restricted(connection: Connection) -> pa.Array:
    """Golden ids of customers whose data are restricted for every purpose."""
    query = """SELECT DISTINCT golden_id FROM golden.crosswalk
               JOIN privacy.restriction USING (source, entity, record_id) WHERE purpose = '' ORDER BY golden_id"""
    return read_table(connection, query, RESTRICTED)["golden_id"].combine_chunks()


def held(connection: Connection, period: dt.date) -> pa.Table:
    """The choices of a period, as ``HELD`` by golden id."""
    where = "WHERE period = %(period)s ORDER BY golden_id"
    return _choices(connection, where, {"period": period}, schema=HELD)


def choices(connection: Connection, since: dt.date | None = None) -> pa.Table:
    """All choices, each under the golden id that stands for its customer now, by period and id.

    Customers who became one may have several of a period: that of the id that stands for them is the first.

    Args:
        connection: Of a migrated hub.
        since: Only those of periods that begin on this day or later.
    """
    where = "" if since is None else "WHERE period >= %(since)s"
    values = {} if since is None else {"since": since}
    now = (
        "coalesce((SELECT g.alias_of FROM identity.golden_id g WHERE g.golden_id = c.golden_id), c.golden_id)"
    )
    order = f"ORDER BY period, golden_id, c.golden_id <> {now}, c.golden_id"
    return _choices(connection, f"{where} {order}", values, now)


def _choices(
    connection: Connection,
    rest: str,
    values: Mapping[str, object],
    now: str = "c.golden_id",
    schema: pa.Schema = CHOICE,
) -> pa.Table:
    listed = ", ".join(f"{now} AS golden_id" if name == "golden_id" else f"c.{name}" for name in schema.names)
    return read_table(connection, f"SELECT {listed} FROM {action_choice} AS c {rest}", schema, values)


def has_choices(connection: Connection) -> bool:
    """Whether any choice was ever made."""
    return bool(connection.scalar(select(action_choice.c.golden_id).limit(1)))


def policies(connection: Connection) -> Mapping[str, Mapping[str, Any]]:
    """The policies by which choices were made, by fingerprint, the oldest first."""
    rows = connection.execute(
        select(action_policy).order_by(action_policy.c.first_used, action_policy.c.policy)
    )
    return {str(row.policy): row.content for row in rows}


def keep(
    connection: Connection,
    policy: tuple[str, Mapping[str, Any]],
    new: pa.Table,
    withdrawn: pa.Array,
    rows: pa.Table,
    *,
    period: dt.date,
    as_of: dt.date,
) -> None:
    """Write what was chosen, in the caller's transaction: readers see what was before, or all of it.

    Args:
        connection: In a transaction.
        policy: Its fingerprint and what it says.
        new: ``CHOICE``, of customers who had none in this period.
        withdrawn: Golden ids of those whose choice is no longer allowed.
        rows: ``NEXT``, of all customers.
        period: First day of the period.
        as_of: The day of the choice.
    """
    fingerprint, content = policy
    statement = insert(action_policy).values(policy=fingerprint, content=json.loads(json.dumps(content)))
    connection.execute(statement.on_conflict_do_nothing())
    copy_table(connection, action_choice.name, new, schema=str(action_choice.schema))
    if len(withdrawn):
        _stage(connection, "withdrawn_choice", action_choice, pa.table({"golden_id": withdrawn}))
        connection.execute(
            text(
                f"""UPDATE {action_choice} AS c SET withdrawn_on = :as_of FROM withdrawn_choice AS w
                WHERE c.period = :period AND c.golden_id = w.golden_id AND c.withdrawn_on IS NULL"""
            ),
            {"as_of": as_of, "period": period},
        )
    empty = connection.scalar(select(next_best_action.c.golden_id).limit(1)) is None
    if empty:  # all rows are new
        copy_table(connection, next_best_action.name, rows, schema=str(next_best_action.schema))
        return
    _stage(connection, "coming_action", next_best_action, rows)
    listed, others = ", ".join(NEXT.names), NEXT.names[1:]
    given, there = (", ".join(f"{side}.{name}" for name in others) for side in ("c", "n"))
    same = "c.golden_id = n.golden_id"
    for change in (  # rows that stay as they are are not touched at all
        f"""DELETE FROM {next_best_action} AS n WHERE NOT EXISTS (SELECT FROM coming_action AS c WHERE {same})""",
        f"""UPDATE {next_best_action} AS n SET ({", ".join(others)}) = ROW({given}) FROM coming_action AS c
            WHERE {same} AND ({there}) IS DISTINCT FROM ({given})""",
        f"""INSERT INTO {next_best_action} ({listed}) SELECT {listed} FROM coming_action AS c
            WHERE NOT EXISTS (SELECT FROM {next_best_action} AS n WHERE {same})""",
    ):
        connection.execute(text(change))


def _stage(connection: Connection, name: str, like: Table, rows: pa.Table) -> None:
    listed = ", ".join(rows.schema.names)
    connection.execute(text(f"DROP TABLE IF EXISTS pg_temp.{name}"))
    connection.execute(
        text(f"CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS SELECT {listed} FROM {like} WITH NO DATA")
    )
    copy_table(connection, name, rows, schema="pg_temp")
    connection.execute(text(f"ANALYZE pg_temp.{name}"))


def not_allowed(of: str, refusable: Sequence[str], consented: Sequence[str]) -> str:
    """SQL for whether a row of ``next_best_action`` has an action that its customer does not allow now.

    Args:
        of: How the row is called.
        refusable: Keys of the purposes that a customer can refuse.
        consented: Those of them that need a yes.
    """
    against = "\n            OR ".join(_against(of, refusable, consented))
    return f"""{of}.action IS NOT NULL AND (
            {against})"""


def _against(of: str, refusable: Sequence[str], consented: Sequence[str]) -> tuple[str, ...]:
    """What each speaks against an action: a restriction, a no, no yes where one is needed."""
    keys, needed = (f"ARRAY[{', '.join(map(quoted, one))}]::text[]" for one in (refusable, consented))
    said = f"""SELECT FROM privacy.consent c WHERE c.golden_id = {of}.golden_id AND c.purpose = {of}.purpose
                AND c.channel IN ('', {of}.channel)"""
    allowed = ALLOWED_NOW.format(of="c")
    return (
        f"""EXISTS (SELECT FROM golden.crosswalk k JOIN privacy.restriction r USING (source, entity, record_id)
                    WHERE k.golden_id = {of}.golden_id AND r.purpose IN ('', {of}.purpose))""",
        f"{of}.purpose = ANY({keys}) AND EXISTS ({said} AND c.state IS NOT NULL AND NOT {allowed})",
        f"{of}.purpose = ANY({needed}) AND NOT EXISTS ({said} AND {allowed})",
    )


def breaches(connection: Connection, refusable: Sequence[str], consented: Sequence[str]) -> int:
    """How many customers have an action that they do not allow, counted apart from how actions are chosen."""
    # One by one, so that the database joins whole tables: all in one condition it would ask customer by customer.
    each = " UNION ".join(
        f"SELECT n.golden_id FROM {next_best_action} AS n WHERE n.action IS NOT NULL AND {one}"
        for one in _against("n", refusable, consented)
    )
    return int(connection.scalar(text(f"SELECT count(*) FROM ({each}) AS found")) or 0)


def by_action(connection: Connection) -> Mapping[str, int]:
    """How many customers have which action now."""
    query = f"SELECT action, count(*) FROM {next_best_action} WHERE action IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    return {str(key): int(number) for key, number in connection.execute(text(query))}


def by_reason(connection: Connection) -> Mapping[tuple[str, str], int]:
    """For how many customers each reason speaks against each action, most first."""
    query = f"""
        SELECT split_part(part, ': ', 1) AS action, reason, count(*) FROM {next_best_action},
            unnest(string_to_array(excluded, '; ')) AS part,
            unnest(string_to_array(split_part(part, ': ', 2), ', ')) AS reason
        GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2"""
    return {(str(key), str(reason)): int(number) for key, reason, number in connection.execute(text(query))}


def forget(connection: Connection, before: dt.date) -> int:
    """Delete choices of periods that began before a day; returns how many went."""
    gone = connection.execute(text(f"DELETE FROM {action_choice} WHERE period < :before"), {"before": before})
    return int(gone.rowcount)
