"""The views of schema ``profile``: all that is said of a customer, and of groups of customers.

Belongs here: making views of the tables that are there, with a comment per column, and taking them away before a table
that they read changes. Does not belong here: the tables (``profile``), or which groups there are (enrichment).

A view is made anew when its text changes; its comment ends with a fingerprint of that, by which ours are known.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import ProgrammingError

from cdm_pipelines.contracts.profile import GroupView, ProfileTable
from cdm_pipelines.hub.load import without_data
from cdm_pipelines.hub.role_schemas import drop_views as drop_views_of_roles
from cdm_pipelines.hub.schema import comment_of
from cdm_pipelines.hub.view_columns import ViewColumn

SCHEMA, VIEW = "profile", "customer"
_MADE_AS = "Made as"


@dataclass(frozen=True)
class _View:
    name: str
    description: str
    columns: Sequence[ViewColumn]
    rows: str

    @property
    def made(self) -> str:
        selected = ",\n  ".join(f'{one.sql} AS "{one.name}"' for one in self.columns)
        return f"SELECT {selected}\n{self.rows}"

    @property
    def comment(self) -> str:
        said = repr((self.made, [one.comment for one in self.columns]))
        return f"{self.description} {_MADE_AS} {sha256(said.encode()).hexdigest()[:16]}."


def drop_views(connection: Connection) -> None:
    """Remove the views, so that a table that they read can be changed; ``make_views`` makes them anew.

    Those of roles go as well, which ``role_access`` makes anew in the same transaction.
    """
    drop_views_of_roles(connection)
    for name in _found(connection):
        connection.execute(text(f'DROP VIEW {SCHEMA}."{name}"'))


def make_views(
    connection: Connection, declared: Sequence[ProfileTable], groups: Sequence[GroupView] = ()
) -> None:
    """Make the views anew that are other ones, and remove those that there is no table for.

    Args:
        connection: In the transaction that publishes.
        declared: The tables that are there.
        groups: Views beside the wide one.
    """
    golden = [one["name"] for one in inspect(connection).get_columns("customer", schema="golden")]
    views = [_wide(golden, declared), *_grouped(declared, groups)]
    found = _found(connection)
    gone = found.keys() - {one.name for one in views}
    if gone:
        drop_views_of_roles(connection)
    for name in gone:
        connection.execute(text(f'DROP VIEW {SCHEMA}."{name}"'))
    for one in views:
        if found.get(one.name) != one.comment:
            with without_data(f"making the view {SCHEMA}.{one.name} anew"):
                _make(connection, one, replaces=one.name in found)


def rows(connection: Connection, view: GroupView) -> int:
    """How many groups there are."""
    return int(connection.scalar(text(f'SELECT count(*) FROM {SCHEMA}."{view.name}"')) or 0)


def wide_columns(declared: Iterable[ProfileTable]) -> list[ViewColumn]:
    """The columns of ``profile.customer`` beside those of golden customers."""
    columns = []
    for table in (one for one in declared if one.wide):
        privacy = {one.name: one.privacy for one in table.columns}
        for output in table.columns:
            name, value = f"{table.name}_{output.name}", f'"{table.name}"."{output.name}"'
            columns.append(ViewColumn(name, value, comment_of(output.description, output.privacy)))
        for age in table.ages:
            days = f'(CURRENT_DATE - "{table.name}"."{age.of}"::date)'
            comment = comment_of(age.description, privacy[age.of])
            columns.append(ViewColumn(f"{table.name}_{age.name}", days, comment))
    return columns


def _wide(golden: Iterable[str], declared: Sequence[ProfileTable]) -> _View:
    """Golden customers, and the columns of each table with a row per customer."""
    own = [ViewColumn(name, f'c."{name}"', "") for name in golden]
    joins = [_joined(one, "c") for one in declared if one.wide]
    return _View(
        VIEW,
        "One row per golden customer with all that the profile says.",
        [*own, *wide_columns(declared)],
        "\n".join(["FROM golden.customer AS c", *joins]),
    )


def _grouped(declared: Sequence[ProfileTable], groups: Iterable[GroupView]) -> list[_View]:
    """The views of groups whose tables are there, without the columns of tables that are not."""
    there = {one.name: one for one in declared}
    made = []
    for group in (one for one in groups if one.groups in there):
        columns = [one for one in group.columns if one.tables <= there.keys()]
        others = sorted(set().union(*(one.tables for one in columns)) - {group.groups})
        joins = [_joined(there[name], group.groups) for name in others]
        of = f'FROM {SCHEMA}."{there[group.groups].table_name}" AS "{group.groups}"'
        made.append(
            _View(
                group.name,
                group.description,
                [
                    ViewColumn(one.name, f"({one.sql})::{one.type}", comment_of(one.description, one.privacy))
                    for one in columns
                ],
                "\n".join([of, *joins, f"GROUP BY {group.columns[0].sql}"]),
            )
        )
    return made


def _joined(table: ProfileTable, to: str) -> str:
    return f'LEFT JOIN {SCHEMA}."{table.table_name}" AS "{table.name}" ON "{table.name}".golden_id = {to}.golden_id'


def _found(connection: Connection) -> dict[str, str]:
    """Our views that are there, with their comments."""
    found = connection.execute(
        text(
            f"""SELECT viewname, obj_description(format('%I.%I', schemaname, viewname)::regclass, 'pg_class') AS said
            FROM pg_views WHERE schemaname = '{SCHEMA}'"""
        )
    )
    return {str(row.viewname): row.said for row in found if row.said and _MADE_AS in row.said}


def _make(connection: Connection, view: _View, *, replaces: bool) -> None:
    def run(statement: str) -> None:
        connection.exec_driver_sql(statement.replace("%", "%%"))  # words of a description are no parameters

    name = f'{SCHEMA}."{view.name}"'
    try:
        with connection.begin_nested():  # keeps what was granted of it
            run(f"CREATE OR REPLACE VIEW {name} AS {view.made}")
    except ProgrammingError:
        if not replaces:
            raise
        drop_views_of_roles(connection)
        run(f"DROP VIEW {name}")
        run(f"CREATE VIEW {name} AS {view.made}")
    run(f"COMMENT ON VIEW {name} IS {_quoted(view.comment)}")
    for one in view.columns:
        if one.comment:
            run(f'COMMENT ON COLUMN {name}."{one.name}" IS {_quoted(one.comment)}')


def _quoted(words: str) -> str:
    escaped = words.replace("'", "''")
    return f"'{escaped}'"
