"""PostgreSQL's roles, views and rights made what a policy says, and told where they differ.

Belongs here: comparing the database with what it should hold, step by step, and taking the steps. Does not belong here:
what it should hold (privacy.views), what is said to people (steps.privacy).

Whatever is wrong is a step that mends it. A step that the pipeline's user may not take is an administrator's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from cdm_pipelines.hub import role_rights
from cdm_pipelines.hub.role_schemas import MADE, RoleSchema, RoleView, our_schemas, quoted, quoted_name, run
from cdm_pipelines.hub.schema import SCHEMAS

_LOCK = 0x726F6C65  # "role": the key of the advisory lock under which one process at a time applies
READ = tuple(name for name in SCHEMAS if name != "staging")
"""Schemas whose tables roles may have views of."""


@dataclass(frozen=True)
class Step:
    """Something that differs, and what mends it.

    Attributes:
        finding: What differs, in words.
        sql: Statements that mend it; none where a person has to look.
        view: The view to make, which takes more than statements.
        schema: Where.
        administrator: Whether the pipeline's user may not run them.
    """

    finding: str
    sql: tuple[str, ...] = ()
    view: RoleView | None = None
    schema: str = ""
    administrator: bool = False


def relations(connection: Connection) -> dict[str, dict[str, str]]:
    """Tables and views that roles may have views of: ``schema.table`` with its columns and their types."""
    rows = connection.execute(
        text(
            """SELECT n.nspname || '.' || c.relname AS name, a.attname, format_type(a.atttypid, NULL) AS type
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'v') ORDER BY 1, a.attnum"""
        ),
        {"schemas": list(READ)},
    )
    found: dict[str, dict[str, str]] = {}
    for name, column, of_type in rows:
        found.setdefault(name, {})[column] = of_type
    return found


def set_key(connection: Connection, inner: bytes, outer: bytes) -> None:
    """Keep the key of pseudonyms where the views of a pseudonymous role find it; a no-op where it is there."""
    connection.execute(
        text(
            """INSERT INTO privacy.pseudonym_key AS k VALUES (1, :inner, :outer)
            ON CONFLICT (key_id) DO UPDATE SET inner_pad = :inner, outer_pad = :outer
            WHERE (k.inner_pad, k.outer_pad) IS DISTINCT FROM (:inner, :outer)"""
        ),
        {"inner": inner, "outer": outer},
    )


def steps(connection: Connection, wanted: Sequence[RoleSchema], *, thorough: bool = False) -> list[Step]:
    """All that differs between the database and what is wanted, in the order of mending it.

    Args:
        connection: Of a migrated hub, in a transaction.
        wanted: For every role.
        thorough: Whether each view is compared with one made anew, and not by the note of when it was made alone.
    """
    with _fixed_path(connection):
        power = role_rights.power(connection)
        there = role_rights.roles(connection, [one.group for one in wanted])
        found = list(_roles(wanted, there, may_create=power.may_create_roles))
        missing = {one.group for one in wanted} - there.keys()
        usable = [one for one in wanted if one.group not in missing or power.may_create_roles]
        schemas = our_schemas(connection)
        found += _gone(connection, schemas, wanted)
        for one in usable:
            found += _schema(connection, one, schemas, thorough=thorough)
        given = role_rights.rights(connection, usable, power, missing=not found)
        found += [Step(one.finding, one.sql, administrator=one.administrator) for one in given]
    return found


def bring_up(connection: Connection, wanted: Sequence[RoleSchema], *, thorough: bool = False) -> list[Step]:
    """Make the database what is wanted; does nothing where it is that already.

    Args:
        connection: In a transaction.
        wanted: For every role.
        thorough: As in :func:`steps`.

    Returns:
        What could not be done, and is an administrator's or a person's.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    todo = steps(connection, wanted, thorough=thorough)
    left = take(connection, todo)
    if len(left) < len(todo):  # rights of what is there now
        left = take(connection, steps(connection, wanted))
    return left


def take(connection: Connection, todo: Iterable[Step]) -> list[Step]:
    """Take the steps that may be taken, each whole or not at all.

    Args:
        connection: In a transaction.
        todo: From :func:`steps`.

    Returns:
        Those that could not be taken, and are an administrator's or a person's.
    """
    left = []
    with _fixed_path(connection):
        for step in todo:
            if step.administrator or (not step.sql and step.view is None):
                left.append(step)
                continue
            try:
                with connection.begin_nested():
                    for statement in step.sql:
                        run(connection, statement)
                    if step.view is not None:
                        _make(connection, step.schema, step.view)
            except DBAPIError as error:
                state = getattr(error.orig, "sqlstate", "")
                left.append(
                    Step(f"{step.finding} (PostgreSQL refused: {state})", step.sql, administrator=True)
                )
    return left


class _fixed_path:  # noqa: N801 - used as a function
    """Names of other schemas are written out, whatever the search path was, by PostgreSQL too."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._former = self._connection.scalar(text("SELECT current_setting('search_path')"))
        self._set("pg_catalog")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._set(str(self._former))

    def _set(self, path: str) -> None:
        self._connection.execute(text("SELECT set_config('search_path', :path, true)"), {"path": path})


def _roles(
    wanted: Iterable[RoleSchema], there: Mapping[str, role_rights.Group], *, may_create: bool
) -> Iterator[Step]:
    for one in wanted:
        group = there.get(one.group)
        if group is None:
            sql = f'CREATE ROLE "{one.group}" NOLOGIN'
            yield Step(f"the role {one.group} is missing", (sql,), administrator=not may_create)
            continue
        for more, sql in group.more.items():
            yield Step(f"the role {one.group} {more}", (sql,), administrator=not may_create)


def _gone(connection: Connection, schemas: Mapping[str, str], wanted: Sequence[RoleSchema]) -> Iterator[Step]:
    """Schemas of roles that the policy has no more."""
    known = {one.schema: one.group for one in wanted}
    for schema, said in schemas.items():
        group = said.partition(MADE)[2].strip(" .").removeprefix("for ")
        if known.get(schema) == group:
            continue
        drops = [
            *(f'DROP VIEW "{schema}".{quoted_name(name)}' for name in _views(connection, schema)),
            *(f"DROP ROUTINE {name}" for name in _functions(connection, schema)),
        ]
        yield Step(f"{schema} is of no role of the policy", (*drops, f'DROP SCHEMA "{schema}"'))
        if group and group not in known.values() and role_rights.roles(connection, [group]):
            yield Step(
                f"the role {group} is not in the policy any more", (f"DROP ROLE {quoted_name(group)}",)
            )


def _schema(
    connection: Connection, one: RoleSchema, schemas: Mapping[str, str], *, thorough: bool
) -> Iterator[Step]:
    comment = f"{one.comment} {MADE} for {one.group}."
    commented = f'COMMENT ON SCHEMA "{one.schema}" IS {quoted(comment)}'
    if one.schema not in schemas:
        yield Step(
            f"the schema {one.schema} is missing", (f'CREATE SCHEMA IF NOT EXISTS "{one.schema}"', commented)
        )
    elif schemas[one.schema] != comment:
        yield Step(f"the schema {one.schema} says something else of its role", (commented,))
    there = _views(connection, one.schema)
    for name in sorted(there.keys() - {view.name for view in one.views}):
        drop = f'DROP VIEW "{one.schema}".{quoted_name(name)}'
        yield Step(f"{one.schema}.{name} is no view of the policy", (drop,))
    kept = [view for view in one.views if there.get(view.name) == view.fingerprint]
    others = _others_than_made_now(connection, one.schema, kept) if thorough else set()
    for view in one.views:
        made = there.get(view.name)
        if made is None:
            yield Step(f"the view {one.schema}.{view.name} is missing", view=view, schema=one.schema)
        elif made != view.fingerprint or view.name in others:
            yield Step(f"the view {one.schema}.{view.name} is another one", view=view, schema=one.schema)
    yield from _wanted_functions(connection, one)
    for name, kind in _others(connection, one.schema):
        yield Step(
            f"{one.schema}.{name} is a {kind} that somebody else made: look at it, and drop or move it"
        )


def _wanted_functions(connection: Connection, one: RoleSchema) -> Iterator[Step]:
    there = _functions(connection, one.schema)
    wanted = {f'"{one.schema}"."{each.name}"({each.arguments})': each for each in one.functions}
    for name in sorted(there.keys() - wanted.keys()):
        yield Step(f"{name} is no function of the policy", (f"DROP ROUTINE {name}",))
    for name, function in wanted.items():
        if there.get(name) != function.fingerprint:
            note = f"{function.comment} {MADE} as {function.fingerprint}"
            held = f"md5(pg_get_functiondef({quoted(name)}::regprocedure))"
            yield Step(
                f"the function {name} is missing or another one",
                (
                    *([f"DROP ROUTINE {name}"] if name in there else []),
                    function.sql,
                    f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC",
                    _noted("FUNCTION", name, note, held),
                ),
            )


def _noted(kind: str, name: str, note: str, held: str) -> str:
    """Notes what a view or function was made from, and what PostgreSQL holds of it."""
    return (
        f"DO $note$ BEGIN EXECUTE format('COMMENT ON {kind} %s IS %L', {quoted(name)}, {quoted(note)} || ' ' "
        f"|| {held}); END $note$"
    )


_HELD = "md5(concat_ws('|', pg_get_viewdef(c.oid), c.reloptions::text, pg_get_userbyid(c.relowner)))"
"""What PostgreSQL holds of a view: its query, options and owner."""


def _views(connection: Connection, schema: str) -> dict[str, str]:
    """Views of a schema, with the fingerprint of what each was made from; empty where it is another one now."""
    rows = connection.execute(
        text(
            f"""SELECT c.relname, obj_description(c.oid, 'pg_class') AS said, {_HELD} AS held FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = :schema AND c.relkind = 'v' ORDER BY 1"""  # noqa: S608 - ours
        ),
        {"schema": schema},
    )
    return {str(name): _unchanged(said, held) for name, said, held in rows}


def _unchanged(said: str | None, held: str | None) -> str:
    """The fingerprint that a note begins with, where it ends with that of what PostgreSQL holds."""
    made, _, noted = (said or "").partition(f"{MADE} as ")[2].partition(" ")
    return made if noted == held else ""


def _functions(connection: Connection, schema: str) -> dict[str, str]:
    """Functions of a schema, with the fingerprint of what each was made from; empty where it is another one now."""
    rows = connection.execute(
        text(
            """SELECT format('"%s"."%s"(%s)', n.nspname, replace(p.proname, '"', '""'),
                    (SELECT string_agg(format_type(t, NULL), ', ' ORDER BY at)
                     FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS u(t, at))) AS name,
                obj_description(p.oid, 'pg_proc') AS said,
                CASE WHEN p.prokind IN ('f', 'p') THEN md5(pg_get_functiondef(p.oid)) END AS held
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname = :schema ORDER BY 1"""
        ),
        {"schema": schema},
    )
    return {str(name): _unchanged(said, held) for name, said, held in rows}


def _others(connection: Connection, schema: str) -> list[tuple[str, str]]:
    """What else is in a schema of ours."""
    rows = connection.execute(
        text(
            """SELECT c.relname,
                CASE c.relkind WHEN 'r' THEN 'table' WHEN 'm' THEN 'materialised view' WHEN 'S' THEN 'sequence'
                ELSE 'relation' END
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = :schema AND c.relkind NOT IN ('v', 'i', 'c', 't') ORDER BY 1"""
        ),
        {"schema": schema},
    )
    return [(str(name), str(kind)) for name, kind in rows]


def _others_than_made_now(connection: Connection, schema: str, views: Sequence[RoleView]) -> set[str]:
    """Which of these views are not what they would be if they were made now, whatever their note says."""
    if not views:
        return set()
    with connection.begin_nested() as savepoint:
        made = (
            f'CREATE TEMPORARY VIEW "{_probe(schema, view)}"{_options(view)} AS {view.select}'
            for view in views
        )
        run(connection, ";\n".join(made))
        same = connection.scalars(
            text(
                f"""SELECT c.relname FROM unnest(CAST(:names AS text[]), CAST(:probes AS text[])) AS u(name, probe)
                JOIN pg_namespace n ON n.nspname = :schema
                JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = u.name
                JOIN pg_class p ON p.oid = to_regclass('pg_temp.' || quote_ident(u.probe))
                WHERE {_HELD} = {_HELD.replace("c.", "p.")}"""  # noqa: S608 - ours
            ),
            {
                "schema": schema,
                "names": [view.name for view in views],
                "probes": [_probe(schema, view) for view in views],
            },
        ).all()
        savepoint.rollback()
    return {view.name for view in views} - set(same)


def _probe(schema: str, view: RoleView) -> str:
    return f"probe_{schema}_{view.fingerprint}"[:63]


def _options(view: RoleView) -> str:
    return " WITH (security_barrier)" if view.barrier else ""


def _make(connection: Connection, schema: str, view: RoleView) -> None:
    """Make a view anew, with comments; what was granted of a former one goes with it, and is granted again."""
    name = f'"{schema}".{quoted_name(view.name)}'
    note = f"{view.description} {MADE} as {view.fingerprint}"
    held = f"(SELECT {_HELD} FROM pg_class c WHERE c.oid = {quoted(name)}::regclass)"  # noqa: S608 - ours
    statements = (
        f"DROP VIEW IF EXISTS {name}",
        f"CREATE VIEW {name}{_options(view)} AS {view.select}",
        *(
            f"COMMENT ON COLUMN {name}.{quoted_name(one.name)} IS {quoted(one.comment)}"
            for one in view.columns
        ),
        _noted("VIEW", name, note, held),
    )
    run(connection, ";\n".join(statements))
