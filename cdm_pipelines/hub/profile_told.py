"""Which changes of the profile are told, and what was told last of columns that move by less.

Belongs here: the columns whose change is told, noting them for the outbox, and ``ops.profile_told``. Does not belong
here: publishing the tables (``profile``), events (``outbox``).

A column with a threshold is compared with what was last told of it, not with the version before: what moves by a hair
every week is told when the hairs add up to the threshold. What was told last is kept only of columns that have moved
since; of all others it is the published value.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Subquery,
    Table,
    Text,
    delete,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from cdm_pipelines.contracts.profile import MEASURED, ProfileColumn, ProfileTable
from cdm_pipelines.hub.schema import typed
from cdm_pipelines.hub.schema_profile import profile_told

TOLD, SINCE = "told", "moved_since"
"""Columns of the differences of a table: names of columns that are told, and values told last of those that are not."""


def last_told(declared: ProfileTable) -> Subquery | None:
    """What was told last of customers of a table, as ``past``; None where every change of it is told."""
    if declared.key or not any(map(_measured, declared.columns)):
        return None
    of = select(profile_told.c.golden_id, profile_told.c.told).where(profile_told.c.enricher == declared.name)
    return of.subquery("past")


def kept(declared: ProfileTable) -> dict[str, ColumnElement[Any]]:
    """What is kept of each row that differs, of ``old``, ``new`` and :func:`last_told`.

    Of a row that is new or gone, all columns are told that have a value.
    """
    past = last_told(declared) is not None
    told, since = [], []
    for one in (one for one in declared.columns if one.tells):
        before, new = f'old."{one.name}"', f'new."{one.name}"'
        differs = f"{before} IS DISTINCT FROM {new}"
        if _measured(one):
            last = f"coalesce((past.told ->> '{one.name}')::{_sql_type(one)}, {before})" if past else before
            moved = f"abs({new} - {last})"
            differs = f"coalesce({moved} >= {float(one.tells_from)!r}, {differs})"
            since.append(
                f"'{one.name}', CASE WHEN {moved} > 0 AND {moved} < {float(one.tells_from)!r} THEN {last} END"
            )
        told.append(f"CASE WHEN {differs} THEN '{declared.name}_{one.name}' END")
    found: dict[str, ColumnElement[Any]] = {
        TOLD: literal_column(f"array_remove(ARRAY[{', '.join(told)}]::text[], NULL)", ARRAY(Text))
    }
    if past:
        made = f"jsonb_strip_nulls(jsonb_build_object({', '.join(since)}))"
        found[SINCE] = literal_column(f"nullif({made}, '{{}}')", JSONB)
    return found


def note(connection: Connection, declared: ProfileTable, difference: Table) -> None:
    """Remember which columns of which customers changed, for the outbox, and what was told last of the others."""
    connection.execute(
        text(
            "CREATE TEMPORARY TABLE IF NOT EXISTS noted_profile (golden_id uuid, told text[]) ON COMMIT DROP"
        )
    )
    connection.execute(
        text(
            f"INSERT INTO noted_profile SELECT golden_id, told FROM {difference.name} WHERE cardinality(told) > 0"
        )
    )
    if SINCE not in difference.c:
        return
    this = {"enricher": declared.name}
    connection.execute(
        text(
            f"""DELETE FROM {profile_told} AS t USING {difference.name} AS d
            WHERE t.enricher = :enricher AND t.golden_id = d.golden_id AND d.{SINCE} IS NULL"""
        ),
        this,
    )
    connection.execute(
        text(
            f"""INSERT INTO {profile_told} AS t (golden_id, enricher, told)
            SELECT golden_id, :enricher, {SINCE} FROM {difference.name} WHERE {SINCE} IS NOT NULL
            ON CONFLICT (golden_id, enricher) DO UPDATE SET told = excluded.told WHERE t.told <> excluded.told"""
        ),
        this,
    )


def begin_anew(connection: Connection, declared: ProfileTable) -> None:
    """Forget what was told of a table whose rows or columns are others now."""
    connection.execute(delete(profile_told).where(profile_told.c.enricher == declared.name))


def forget_gone(connection: Connection, declared: ProfileTable) -> None:
    """Forget what was told of customers of whom the table has no row any more."""
    connection.execute(
        text(
            f"""DELETE FROM {profile_told} AS t WHERE t.enricher = :enricher AND NOT EXISTS (
                SELECT FROM profile.{declared.table_name} AS p WHERE p.golden_id = t.golden_id)"""
        ),
        {"enricher": declared.name},
    )


def _measured(column: ProfileColumn) -> bool:
    return bool(column.tells and column.tells_from and column.type in MEASURED)


def _sql_type(column: ProfileColumn) -> str:
    kind = typed(column.type)
    return str(kind() if isinstance(kind, type) else kind)
