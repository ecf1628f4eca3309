"""The tables of schema ``profile``: staged with the customers, and published in their transaction.

Belongs here: making the tables what enrichers declare, staging, applying what differs, telling of it. Does not belong
here: what the rows mean and how they come about (enrichment, steps.profile), views (``profile_views``), or golden
customers (``publish``).

The tables follow from declarations that a company may change, so no migration makes them: the publication that brings
the first rows of a changed declaration changes the table. Nothing in them cannot be worked out again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    Index,
    MetaData,
    Table,
    Text,
    Uuid,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.schema import (
    CreateIndex,
    CreateTable,
    DropTable,
    SetColumnComment,
    SetTableComment,
)

from cdm_pipelines.contracts.profile import GroupView, ProfileTable
from cdm_pipelines.hub import profile_told, profile_withheld
from cdm_pipelines.hub.differences import Change, apply, change_of, differences
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.load import copy_table, leave_alone, read_table, unlogged, without_data
from cdm_pipelines.hub.profile_catalogue import Catalogue, note_gone, rows_after
from cdm_pipelines.hub.profile_views import SCHEMA, drop_views, make_views
from cdm_pipelines.hub.schema import column, typed
from cdm_pipelines.hub.schema_profile import profile_state
from cdm_pipelines.hub.schema_profile import profile_told as told_last

WAITING = Table(
    "profile",
    MetaData(),
    Column("enricher", Text, primary_key=True),
    Column("rows", Text, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("made_from", Text, nullable=False),
    schema="staging",
)
"""What is staged of the profile."""
_IDENTIFIER = "user.unique_id"


def table_of(declared: ProfileTable) -> Table:
    """The published table of an enricher."""
    return _table(declared, declared.table_name, SCHEMA)


def _table(declared: ProfileTable, name: str, schema: str) -> Table:
    made = Table(
        name,
        MetaData(),
        column("golden_id", Uuid, "Golden customer.", _IDENTIFIER, key=True),
        *(
            column(one.name, typed(one.type), one.description, one.privacy, key=one.name in declared.key)
            for one in declared.columns
        ),
        column("as_of", Date, "The day that the values hold for.", nullable=False),
        column("model", Text, "Fingerprint of the scale or model that gave them; empty where there is none."),
        schema=schema,
        comment=declared.description,
    )
    for one in declared.columns:
        if one.name.endswith("_id") and one.name not in declared.key:
            Index(f"{name}_{one.name}_idx", made.c[one.name])
    return made


def staging_table(declared: ProfileTable) -> Table:
    """The table in which the next version of an enricher's table is staged."""
    made = _table(declared, _staging_name(declared.name), "staging")
    made.indexes.clear()
    return made


def _staging_name(name: str) -> str:
    return f"profile_{name}"


def _of_worked(staged: str) -> Table:
    """The table of the customers that were worked on for a staged one."""
    return Table(
        f"{staged}_worked", MetaData(), Column("golden_id", Uuid, primary_key=True), schema="staging"
    )


def clear(connection: Connection) -> None:
    """Stage nothing of the profile: what waits belongs to customers that are staged anew."""
    names = connection.scalars(
        text(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'staging' "
            r"AND (tablename = 'profile' OR tablename LIKE 'profile\_%')"
        )
    ).all()
    for name in names:
        connection.execute(DropTable(Table(name, MetaData(), schema="staging"), if_exists=True))


def stage(
    connection: Connection,
    declared: ProfileTable,
    rows: pa.Table,
    made_from: Mapping[str, str],
    worked: pa.Array | None,
) -> None:
    """Stage the next version of a table, whole or as the customers that were worked on.

    The first version of all is staged as the table that it will become, so that publishing it moves no row.

    Args:
        connection: In a transaction, under the lock of ``staging``.
        declared: The table.
        rows: ``golden_id``, its columns, ``as_of`` and ``model``.
        made_from: Versions of all that it was made from.
        worked: Golden ids of the customers that were worked on: of theirs, what is not staged goes. None for everybody.
    """
    name = _staging_name(declared.name)
    staged = staging_table(declared)
    first = worked is None and not is_there(connection, declared)
    WAITING.create(connection, checkfirst=True)
    connection.execute(DropTable(staged, if_exists=True))
    connection.execute(CreateTable(staged if first else unlogged(staged)))
    leave_alone(connection, staged)
    # A key over rows that are there already is made in a third of the time that it takes row by row.
    connection.execute(text(f"ALTER TABLE {staged} DROP CONSTRAINT {name}_pkey"))
    count = copy_table(connection, name, rows, made=True)
    keys = ", ".join(f'"{one.name}"' for one in staged.primary_key)
    with without_data(f"loading {staged}"):
        connection.execute(text(f"ALTER TABLE {staged} ADD PRIMARY KEY ({keys})"))
    of_worked = _of_worked(name)
    connection.execute(DropTable(of_worked, if_exists=True))
    if worked is not None:
        connection.execute(CreateTable(of_worked))
        leave_alone(connection, of_worked)
        copy_table(connection, of_worked.name, pa.table({"golden_id": worked}))
    connection.execute(text(f"ANALYZE {staged}" if first else f"ANALYZE {staged} ({keys})"))
    values = {"rows": str(count), "whole": worked is None, "made_from": json.dumps(dict(made_from))}
    connection.execute(
        insert(WAITING)
        .values(enricher=declared.name, **values)
        .on_conflict_do_update(index_elements=["enricher"], set_=values)
    )


def states(connection: Connection, declared: Iterable[ProfileTable]) -> Mapping[str, Mapping[str, str]]:
    """What the published tables of enrichers were made from."""
    there = {one.name for one in declared if is_there(connection, one)}
    rows = connection.execute(profile_state.select())
    return {row.enricher: row.made_from for row in rows if row.enricher in there}


def is_there(connection: Connection, declared: ProfileTable) -> bool:
    """Whether the published table of an enricher is there."""
    return _there(connection, SCHEMA, declared.table_name)


def waiting(connection: Connection) -> Mapping[str, Mapping[str, str]]:
    """What the staged table of each enricher was made from."""
    if not _there(connection, "staging", WAITING.name):
        return {}
    return {row.enricher: json.loads(row.made_from) for row in connection.execute(WAITING.select())}


def coming(connection: Connection, declared: ProfileTable, columns: pa.Schema) -> pa.Table:
    """Some columns of a table as the next publication leaves it: what is staged, and of other customers what is there.

    Args:
        connection: Of a migrated hub, in the transaction that staged, or after it.
        declared: The table.
        columns: Which, and their types.
    """
    names = ", ".join(f't."{name}"' for name in columns.names)
    staged = _staging_name(declared.name)
    parts, there = [], is_there(connection, declared)
    if declared.name in waiting(connection):
        parts.append(f"SELECT {names} FROM staging.{staged} AS t")
        of_worked = _of_worked(staged)
        among = f"WHERE NOT EXISTS (SELECT FROM {of_worked} AS w WHERE w.golden_id = t.golden_id)"
        there = there and _there(connection, "staging", of_worked.name)
    else:
        among = ""
    if there:
        parts.append(f"SELECT {names} FROM {SCHEMA}.{declared.table_name} AS t {among}")
    return read_table(connection, " UNION ALL ".join(parts), columns) if parts else columns.empty_table()


def publish(
    connection: Connection, declared: Sequence[ProfileTable], groups: Sequence[GroupView] = ()
) -> Mapping[str, Change]:
    """Publish what is staged of the profile, in the transaction that publishes the customers.

    Args:
        connection: In that transaction; customers are as they will be.
        declared: The tables of the enrichers that are switched on; others go.
        groups: Views beside the wide one, made of those tables that are there.

    Returns:
        By table, of those that were staged.

    Raises:
        HubError: Staged rows are gone.
    """
    known = {one.name: one for one in declared}
    _drop_others(connection, known)
    changes: dict[str, Change] = {}
    catalogue = Catalogue(connection, SCHEMA)
    if _there(connection, "staging", WAITING.name):
        for row in connection.execute(WAITING.select().order_by(WAITING.c.enricher)).all():
            if row.enricher not in known:
                continue
            one, expected = known[row.enricher], int(row.rows)
            _require(connection, one, expected)
            if row.whole and _can_move(connection, one):
                changes[one.name] = _move(connection, one, expected)
            else:
                _bring_up(connection, one, catalogue)
                changes[one.name] = _apply(connection, one, expected, whole=row.whole)
            state = {"rows": changes[one.name].rows, "made_from": json.loads(row.made_from)}
            connection.execute(
                insert(profile_state)
                .values(enricher=one.name, **state)
                .on_conflict_do_update(index_elements=["enricher"], set_=state)
            )
    there = [one for one in declared if is_there(connection, one)]
    for one in there:
        if one.name not in changes:
            note_gone(connection, one.name, _without_customers_gone(connection, one))
    for name, gone in profile_withheld.enforce(connection, there).items():
        note_gone(connection, name, gone)
    make_views(connection, there, groups)
    clear(connection)
    return changes


def _require(connection: Connection, declared: ProfileTable, expected: int) -> None:
    """See that all rows are there that were staged."""
    name = _staging_name(declared.name)
    found = _there(connection, "staging", name) and connection.scalar(
        text(f"SELECT count(*) FROM staging.{name}")
    )
    if found is False or found != expected:
        raise HubError(
            f"staging.{name} has {found or 0} rows of the {expected} that were staged: the database server has crashed "
            "since. Stage again (materialise golden/staged)."
        )


def _can_move(connection: Connection, declared: ProfileTable) -> bool:
    """Whether what is staged may become the published table itself: there is none, and the rows outlive a crash."""
    kept = text("SELECT relpersistence = 'p' FROM pg_class WHERE oid = to_regclass(:name)")
    staged = f"staging.{_staging_name(declared.name)}"
    return not is_there(connection, declared) and bool(connection.scalar(kept, {"name": staged}))


def _move(connection: Connection, declared: ProfileTable, rows: int) -> Change:
    """Make the staged table the published one; its first rows are told to nobody."""
    table, staged = table_of(declared), _staging_name(declared.name)
    profile_told.begin_anew(connection, declared)
    for change in (
        f"ALTER TABLE staging.{staged} RENAME TO {table.name}",
        f"ALTER TABLE staging.{table.name} SET SCHEMA {SCHEMA}",
        f"ALTER TABLE {table} RENAME CONSTRAINT {staged}_pkey TO {table.name}_pkey",
        f"ALTER TABLE {table} RESET (autovacuum_enabled)",
    ):
        connection.execute(text(change))
    for index in table.indexes:
        connection.execute(CreateIndex(index))
    connection.execute(SetTableComment(table))
    for one in table.columns:
        connection.execute(SetColumnComment(one))
    return Change(rows, 0, 0, 0)


def _there(connection: Connection, schema: str, name: str) -> bool:
    return bool(connection.scalar(text("SELECT to_regclass(:name)"), {"name": f"{schema}.{name}"}))


def _drop_others(connection: Connection, known: Mapping[str, ProfileTable]) -> None:
    """Remove tables of enrichers that are switched off or are there no more."""
    names = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'profile'")).all()
    gone = sorted(set(names) - {one.table_name for one in known.values()})
    if gone:
        drop_views(connection)
    for name in gone:
        connection.execute(DropTable(Table(name, MetaData(), schema=SCHEMA)))
    for state in (profile_state, *([told_last] if gone else [])):
        connection.execute(state.delete().where(state.c.enricher.not_in(list(known))))


def _bring_up(connection: Connection, declared: ProfileTable, catalogue: Catalogue) -> None:
    """Make a table what is declared: columns that are new or of another type are empty, those that are gone go."""
    table = table_of(declared)
    if not is_there(connection, declared):
        table.create(connection)
        return
    if catalogue.key(table.name) != [one.name for one in table.primary_key]:
        drop_views(connection)
        connection.execute(DropTable(table))
        table.create(connection)
        return
    found = catalogue.columns(table.name)
    dialect = connection.dialect
    spelled = {one.name: one.type.compile(dialect) for one in table.columns}
    other = [
        name
        for name, one in found.items()
        if name not in spelled or one["type"].compile(dialect) != spelled[name]
    ]
    if other:
        drop_views(connection)
        profile_told.begin_anew(connection, declared)
    for name in other:
        connection.execute(text(f'ALTER TABLE {table} DROP COLUMN "{name}"'))
    for name in spelled.keys() - (found.keys() - set(other)):
        connection.execute(text(f'ALTER TABLE {table} ADD COLUMN "{name}" {spelled[name]}'))
    for one in table.columns:
        if one.name in other or one.name not in found or found[one.name]["comment"] != one.comment:
            connection.execute(SetColumnComment(one))
    if catalogue.comment(table.name) != table.comment:  # a lock that autovacuum makes it wait for
        connection.execute(SetTableComment(table))


def _apply(connection: Connection, declared: ProfileTable, expected: int, *, whole: bool) -> Change:
    """Make a table equal to its staged version, touching only what differs, and note what is told of it."""
    name = _staging_name(declared.name)
    table = f"{SCHEMA}.{declared.table_name}"
    if not connection.scalar(text(f"SELECT EXISTS (SELECT FROM {table})")):
        _fill(connection, declared, name)
        return Change(expected, 0, 0, 0)
    published, staged = table_of(declared), staging_table(declared)
    among = None if whole else select(_of_worked(name).c.golden_id)
    kept, past = profile_told.kept(declared), profile_told.last_told(declared)
    difference = differences(connection, published, staged, among=among, keeping=kept, beside=past)
    counts = apply(connection, published, staged, difference)
    profile_told.note(connection, declared, difference)
    difference.drop(connection)
    if whole:
        return change_of(counts, expected)
    return change_of(counts, rows_after(connection, declared.name, published, counts))


def _fill(connection: Connection, declared: ProfileTable, staged: str) -> None:
    """Fill an empty table; its first rows are told to nobody."""
    profile_told.begin_anew(connection, declared)
    columns = ", ".join(f'"{one.name}"' for one in table_of(declared).columns)
    connection.execute(text(f"TRUNCATE {SCHEMA}.{declared.table_name}"))
    connection.execute(
        text(f"INSERT INTO {SCHEMA}.{declared.table_name} ({columns}) SELECT {columns} FROM staging.{staged}")
    )
    connection.execute(text(f"ANALYZE {SCHEMA}.{declared.table_name}"))


def _without_customers_gone(connection: Connection, declared: ProfileTable) -> int:
    """Remove the rows of customers that are no more from a table of which nothing was staged; returns how many."""
    gone = connection.execute(
        text(
            f"""DELETE FROM {SCHEMA}.{declared.table_name} AS t WHERE NOT EXISTS (
                SELECT FROM golden.customer AS c WHERE c.golden_id = t.golden_id)"""
        )
    ).rowcount
    if gone:
        profile_told.forget_gone(connection, declared)
    return gone
