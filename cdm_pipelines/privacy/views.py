"""The views of a role: its columns and rows of every table that it sees.

Belongs here: from the policy to views, as SQL. Does not belong here: masks (``masks``), applying them
(hub.role_access).

A view that leaves rows out is a security barrier: no function of the reader's own runs on a row before it is left out.
One that shows all rows need not be, since a column that is not in it cannot be reached through it. Everything that a
view calls is built in, as functions run with the rights of the reader.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.dialects import postgresql

from cdm_pipelines.contracts.canonical import OfNobody, OfParent, declaration
from cdm_pipelines.hub.actions import not_allowed
from cdm_pipelines.hub.consent import ALLOWED_NOW, NOW
from cdm_pipelines.hub.published import PublishedTable, customers_of, published, published_table
from cdm_pipelines.hub.role_schemas import RoleFunction, RoleSchema, RoleView, quoted, quoted_name
from cdm_pipelines.hub.view_columns import ViewColumn
from cdm_pipelines.privacy.catalogue import NEVER, DeclaredTable
from cdm_pipelines.privacy.lost_values import FORMER, LOSERS, SAID, left_in
from cdm_pipelines.privacy.masks import MASKS
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.privacy.roles import CLEAR, CONSENT, HIDDEN, SOURCE, Condition, DeclaredColumn, Role, Shown
from cdm_pipelines.privacy.search import search_function
from cdm_pipelines.store.categories import UNCLASSIFIED

CUSTOMER, OF_CONSENT, ACTION = "golden.customer", "privacy.consent", "activation.next_best_action"
_MEMBERS = "members"
"""Column of tables with a row for a group of customers: their golden ids."""
_ASKED_FOR = """EXISTS (SELECT FROM golden.crosswalk AS k
    JOIN privacy.restriction AS r USING (source, entity, record_id)
    WHERE k.golden_id = {whose} AND r.purpose IN ({purposes}))"""
"""That a customer is restricted, or objected to a purpose, whatever sources say (steps.consent.off)."""
_SAID_NO = """EXISTS (SELECT FROM privacy.consent AS n
    WHERE n.golden_id = {whose} AND n.purpose = {purpose} AND n.channel = '' AND n.state IS NOT NULL
    AND NOT ({allowed}))"""
"""That a customer said no to a purpose, whatever the channel."""
Columns = Mapping[str, str]
"""PostgreSQL's types by column."""


@dataclass(frozen=True)
class SeenColumn:
    """A column as a role sees it."""

    column: DeclaredColumn
    shown: Shown


@dataclass(frozen=True)
class SeenTable:
    """A table as a role sees it: its view, and each of the columns in it."""

    table: str
    view: str
    description: str
    columns: Sequence[SeenColumn]


def schema_of(role: str) -> str:
    """The schema that a role's views are in."""
    return f"for_{role}"


def view_name(table: str) -> str:
    """The view of ``schema.table``: golden tables by their own name, others with their schema before it."""
    schema, _, name = table.partition(".")
    return name if schema == "golden" else f"{schema}_{name}"


def seen(role: Role, there: Mapping[str, Columns], catalogue: Mapping[str, DeclaredTable]) -> list[SeenTable]:
    """Every table that a role has a view of, with the columns that are not hidden.

    Args:
        role: Whose views.
        there: Tables and views of the database: their columns with their types.
        catalogue: What is declared of them; a column of which nothing is counts as ``user``.
    """
    found = []
    for table, types in there.items():
        if table in NEVER or not role.sees(table) or not _rows_can_be_told(role, table, types):
            continue
        declared = catalogue.get(table, DeclaredTable("", {}))
        columns = []
        for name, of_type in types.items():
            said = declared.columns.get(name)
            category = said.category if said else UNCLASSIFIED
            column = DeclaredColumn(name, of_type, category, said.description if said else "")
            shown = role.reads_column(table, column)
            if shown.how != HIDDEN:
                columns.append(SeenColumn(column, shown))
        if columns:
            found.append(SeenTable(table, view_name(table), declared.description, columns))
    return found


def role_schema(
    name: str,
    role: Role,
    *,
    group: str,
    there: Mapping[str, Columns],
    catalogue: Mapping[str, DeclaredTable],
    purposes: Purposes,
    calling_code: int,
) -> RoleSchema:
    """All that PostgreSQL is to hold for a role.

    Args:
        name: Of the role.
        role: What it may.
        group: Name of PostgreSQL's role.
        there: As in :func:`seen`.
        catalogue: The same.
        purposes: Of the deployment.
        calling_code: Of the country of phone numbers that name none.
    """
    tables = seen(role, there, catalogue)
    left_out = _LeftOut.of(role, purposes)
    customers = _customers(role, there, left_out)
    reader = _Reader(role, there, customers, left_out, _read_in_clear(tables), purposes)
    views = [_view(one, reader) for one in tables]
    functions: list[RoleFunction] = []
    if role.search and any(one.table == CUSTOMER for one in tables):
        functions.append(search_function(name, role, schema_of(name), customers, calling_code))
    comment = f"What the role {group} sees. {role.description}"
    return RoleSchema(group, schema_of(name), comment, tuple(views), tuple(functions))


@dataclass(frozen=True)
class _LeftOut:
    """Customers whom a role does not see, whatever rows it asks for: none where both are empty.

    Attributes:
        restricted: Whether those who are restricted.
        refused: Purposes to all of which they said no.
    """

    restricted: bool
    refused: tuple[str, ...]

    @classmethod
    def of(cls, role: Role, purposes: Purposes) -> "_LeftOut":
        if role.sees_who_is_restricted:
            return cls(restricted=False, refused=())
        keys = role.purposes
        can_be = all(key in purposes.by_key and purposes[key].can_be_refused for key in keys)
        return cls(restricted=True, refused=keys if can_be else ())

    def of_them(self, whose: str) -> list[str]:
        """Conditions each of which says that a golden id is of one of them; none where there are none."""
        if not self.restricted:
            return []
        conditions = [_ASKED_FOR.format(whose=whose, purposes=quoted(""))]
        said = [
            (
                _ASKED_FOR.format(whose=whose, purposes=quoted(key)),
                _SAID_NO.format(whose=whose, purpose=quoted(key), allowed=ALLOWED_NOW.format(of="n")),
            )
            for key in self.refused
        ]
        if len(said) == 1:  # each of its own, so that PostgreSQL looks for them together
            return [*conditions, *said[0]]
        return [*conditions, " AND ".join(f"({' OR '.join(both)})" for both in said)] if said else conditions

    def but(self, whose: str) -> str:
        """The condition that a golden id is of none of them; empty where there are none."""
        return " AND ".join(f"NOT ({one})" for one in self.of_them(whose))


@dataclass(frozen=True)
class _Reader:
    """What the views of a role are made by.

    Attributes:
        role: What it may.
        there: Tables of the database, as in :func:`seen`.
        customers: A query for the golden ids of the customers that it sees.
        left_out: Whom it does not see.
        clear: Columns of golden customers that it reads in clear.
        purposes: Of the deployment.
    """

    role: Role
    there: Mapping[str, Columns]
    customers: str
    left_out: _LeftOut
    clear: Collection[str]
    purposes: Purposes


def _read_in_clear(tables: Sequence[SeenTable]) -> set[str]:
    columns = next((one.columns for one in tables if one.table == CUSTOMER), ())
    return {one.column.name for one in columns if one.shown.how == CLEAR}


def _view(table: SeenTable, reader: _Reader) -> RoleView:
    columns = []
    for one in table.columns:
        name = f"t.{quoted_name(one.column.name)}"
        mask = one.shown.mask
        how = "" if mask is None else f" Masked: {mask.shows}."
        if table.table == OF_CONSENT and one.column.name in NOW:
            name = f"({NOW[one.column.name].format(of='t')})"
        sql = mask.expression(name) if mask else name
        if mask is None and (column := (table.table, one.column.name)) in (LOSERS, FORMER):
            sql = left_in(column, name, reader.clear)
            how = SAID if sql != name else ""
        comment = f"{one.column.description}{how} Privacy category: {one.column.category}.".strip()
        columns.append(ViewColumn(one.column.name, sql, comment))
    schema, _, relation = table.table.partition(".")
    types = reader.there[table.table]
    if reader.role.rows:
        where = _rows_of(table.table, types, reader.customers)
    else:
        where = _rows_but(table.table, types, reader.left_out)
    if table.table == ACTION:
        # What a customer does not allow any more is hidden until the next run chooses anew.
        where = " AND ".join(filter(None, (where, f"NOT ({_not_allowed(reader.purposes)})")))
    rows = f"FROM {schema}.{quoted_name(relation)} AS t" + (f"\nWHERE {where}" if where else "")
    return RoleView(table.view, table.description, tuple(columns), rows, barrier=bool(where))


def _not_allowed(purposes: Purposes) -> str:
    """The condition that a next best action is one that its customer does not allow now."""
    refusable = [key for key, one in purposes.by_key.items() if one.can_be_refused]
    return not_allowed("t", refusable, [key for key in refusable if purposes[key].needs_consent])


def _rows_can_be_told(role: Role, table: str, types: Columns) -> bool:
    """Whether a role that does not see everybody can be shown its rows of a table: it is known whose each one is."""
    if not role.rows or "golden_id" in types:
        return True
    one = _published(table)
    return one is not None and (one.entity is not None)


def _published(table: str) -> PublishedTable | None:
    schema, _, name = table.partition(".")
    return published().get(name) if schema == "golden" else None


def _rows_of(table: str, types: Columns, customers: str) -> str:
    """The condition under which a row of a table is one of the role's; empty where every row is."""
    if "golden_id" in types:
        return f't."golden_id" IN ({customers})'
    one = _published(table)
    if one is None or one.entity is None:
        return "false"
    if isinstance(one.entity.whose, OfNobody):
        return ""
    whose = customers_of(one.name).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
    keys = ", ".join(f'"{key}"' for key in one.key)
    mine = ", ".join(f't."{key}"' for key in one.key)
    return f"({mine}) IN (SELECT {keys} FROM ({whose}) AS whose WHERE golden_id IN ({customers}))"  # noqa: S608 - ours


def _rows_but(table: str, types: Columns, left_out: _LeftOut) -> str:
    """The condition that a row is of nobody who is left out; empty where nobody is, or rows are of nobody."""
    if "golden_id" in types:
        return left_out.but('t."golden_id"')
    if types.get(_MEMBERS) == "uuid[]":  # a row of several customers
        return _none_of(left_out, f'unnest(t."{_MEMBERS}") AS members(member)', "true", "member")
    one = _published(table)
    if one is None or one.entity is None or isinstance(one.entity.whose, OfNobody):
        return ""
    tables: list[str] = []
    links: list[str] = []
    below, entity = "t", one.entity
    while isinstance(entity.whose, OfParent):
        parent = published_table(declaration(entity.whose.entity).table_name)
        above = f"p{len(tables)}"
        tables.append(f"{parent.table.fullname} AS {above}")
        same = (("source", "source"), *entity.whose.by)
        links += [f'{above}."{theirs}" = {below}."{mine}"' for mine, theirs in same]
        if parent.entity is None:
            return "false"
        below, entity = above, parent.entity
    return _none_of(left_out, ", ".join(tables), " AND ".join(links), f"{below}.golden_id")


def _none_of(left_out: _LeftOut, tables: str, links: str, whose: str) -> str:
    """The condition that no row of tables that is linked to ``t`` is of anybody who is left out."""
    return " AND ".join(
        f"NOT EXISTS (SELECT FROM {tables} WHERE {links} AND {one})" for one in left_out.of_them(whose)
    )


def _customers(role: Role, there: Mapping[str, Columns], left_out: _LeftOut) -> str:
    """A query for the golden ids of the customers that a role sees."""
    conditions = [_condition(column, one, there) for column, one in role.rows.items()]
    if but := left_out.but("c.golden_id"):
        conditions.append(but)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT c.golden_id FROM {CUSTOMER} AS c{where}"  # noqa: S608 - names of columns, and quoted values


def _condition(column: str, one: Condition, there: Mapping[str, Columns]) -> str:
    if column == CONSENT:
        if OF_CONSENT not in there:
            return "false"
        agreed = f"x.purpose IN ({quoted_values(one.any_of)}) AND {ALLOWED_NOW.format(of='x')}"
        asked_for = _ASKED_FOR.format(whose="c.golden_id", purposes="'', x.purpose")
        return _exists(OF_CONSENT, f"{agreed} AND NOT {asked_for}")
    if column == SOURCE:
        parts = []
        if one.any_of:
            parts.append(_exists("golden.crosswalk", f"x.source IN ({quoted_values(one.any_of)})"))
        if one.none_of:
            parts.append("NOT " + _exists("golden.crosswalk", f"x.source IN ({quoted_values(one.none_of)})"))
        return " AND ".join(parts)
    value = f'c."{column}"'
    text = f"{value}::text"
    parts = []
    if one.any_of:
        parts.append(f"{text} IN ({quoted_values(one.any_of)})")
    if one.none_of:
        parts.append(f"({value} IS NULL OR {text} NOT IN ({quoted_values(one.none_of)}))")
    return " AND ".join(parts)


def _exists(table: str, condition: str) -> str:
    return f"EXISTS (SELECT FROM {table} AS x WHERE x.golden_id = c.golden_id AND {condition})"


def quoted_values(values: Iterable[str | bool]) -> str:
    """Values as PostgreSQL's literals; of booleans as their text is spelled."""
    texts = (str(one).lower() if isinstance(one, bool) else one for one in values)
    return ", ".join(quoted(one) for one in texts)


def shown_as(shown: Shown) -> str:
    """How a column is read, in words."""
    return (
        "in clear" if shown.how == CLEAR or shown.mask is None else f"masked: {MASKS[shown.mask.name].shows}"
    )
