"""Who has which rights in the database, and which are too many or too few.

Belongs here: reading PostgreSQL's lists of rights, and the statements that mend them. Does not belong here: views
(``role_access``).

Rights of an object's owner, of superusers, and of the user that the pipeline connects as are no finding: they are what
it works with.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from cdm_pipelines.hub.connection import DAGSTER_SCHEMA
from cdm_pipelines.hub.migrate import VERSION_SCHEMA
from cdm_pipelines.hub.role_schemas import RoleSchema, quoted_name
from cdm_pipelines.hub.schema import SCHEMAS

OURS = (*SCHEMAS, VERSION_SCHEMA, DAGSTER_SCHEMA)
"""Schemas that nobody but the pipeline reads."""
_POWERFUL = (
    "pg_read_all_data",
    "pg_write_all_data",
    "pg_read_all_settings",
    "pg_read_all_stats",
    "pg_read_server_files",
    "pg_write_server_files",
    "pg_execute_server_program",
    "pg_monitor",
    "pg_signal_backend",
)
_ATTRIBUTES = {
    "rolcanlogin": ("may log in", "NOLOGIN"),
    "rolsuper": ("is a superuser", "NOSUPERUSER"),
    "rolcreaterole": ("may make roles", "NOCREATEROLE"),
    "rolcreatedb": ("may make databases", "NOCREATEDB"),
    "rolreplication": ("may replicate everything", "NOREPLICATION"),
    "rolbypassrls": ("passes by row-level security", "NOBYPASSRLS"),
}
_EVERYBODY = "PUBLIC"
_LARGE_OBJECTS = ("lo_creat(integer)", "lo_create(oid)", "lo_from_bytea(oid, bytea)")


@dataclass(frozen=True)
class Power:
    """What the user may whom the pipeline connects as."""

    name: str
    superuser: bool
    may_create_roles: bool


@dataclass(frozen=True)
class Group:
    """A role that is there, and what it may beyond nothing: in words, with what takes it away."""

    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Right:
    """A right too many or too few, and what mends it."""

    finding: str
    sql: tuple[str, ...] = ()
    administrator: bool = False


@dataclass(frozen=True, order=True)
class _Grant:
    """A right that somebody has: ``kind`` of object, its name, to whom, which, and on which column."""

    kind: str
    name: str
    grantee: str
    privilege: str
    column: str = ""

    @property
    def words(self) -> str:
        whom = self.grantee if self.grantee == _EVERYBODY else self.grantee[1:-1]
        column = f" of column {self.column}" if self.column else ""
        return f"{whom} has {self.privilege}{column} on {self.kind.lower()} {self.name}"

    def _said(self, verb: str, to: str) -> str:
        column = f" ({quoted_name(self.column)})" if self.column else ""
        kind = "" if self.kind == "TABLE" else f"{self.kind} "
        return f"{verb} {self.privilege}{column} ON {kind}{self.name} {to} {self.grantee}"

    @property
    def grant(self) -> str:
        return self._said("GRANT", "TO")

    @property
    def revoke(self) -> str:
        return self._said("REVOKE", "FROM") + " CASCADE"


def power(connection: Connection) -> Power:
    """What our own user may."""
    row = connection.execute(
        text("SELECT rolname, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user")
    ).one()
    return Power(str(row.rolname), bool(row.rolsuper), bool(row.rolsuper or row.rolcreaterole))


def roles(connection: Connection, names: Sequence[str]) -> dict[str, Group]:
    """The roles of these names that are there."""
    columns = ", ".join(_ATTRIBUTES)
    rows = connection.execute(
        text(f"SELECT rolname, {columns} FROM pg_roles WHERE rolname = ANY(:names)"),  # noqa: S608 - ours
        {"names": list(names)},
    ).mappings()
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        name = str(row["rolname"])
        found[name] = {
            words: f'ALTER ROLE "{name}" {option}'
            for column, (words, option) in _ATTRIBUTES.items()
            if row[column]
        }
    memberships = connection.execute(
        text(
            """SELECT m.rolname AS member, g.rolname AS of FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member
            JOIN pg_roles g ON g.oid = a.roleid WHERE m.rolname = ANY(:names) ORDER BY 1, 2"""
        ),
        {"names": list(names)},
    )
    for member, of in memberships:
        found[member][f"is a member of {of}, and has its rights"] = (
            f"REVOKE {quoted_name(of)} FROM {quoted_name(member)}"
        )
    return {name: Group(more) for name, more in found.items()}


def rights(
    connection: Connection, wanted: Sequence[RoleSchema], own: Power, *, missing: bool = True
) -> Iterator[Right]:
    """Rights too few, then rights too many.

    Args:
        connection: Of a migrated hub.
        wanted: For every role.
        own: What our user may.
        missing: Whether all that is wanted is there, so that rights of it may be missing.
    """
    should = set(_wanted(wanted))
    there = set(_granted(connection, [*OURS, *(one.schema for one in wanted)], own))
    for grants in _by_object(should - there) if missing else ():
        yield Right(f"missing: {grants[0].words}", tuple(one.grant for one in grants))
    for grants in _by_object(there - should):
        yield Right(f"too much: {grants[0].words}", tuple(one.revoke for one in grants))
    yield from _defaults(connection, [*OURS, *(one.schema for one in wanted)], own)
    yield from _everybody(connection, own)
    yield from _members(connection, [one.group for one in wanted], own)


def _by_object(grants: Iterable[_Grant]) -> Iterator[list[_Grant]]:
    found: dict[tuple[str, str, str], list[_Grant]] = {}
    for one in sorted(grants):
        found.setdefault((one.kind, one.name, one.grantee), []).append(one)
    yield from found.values()


def _wanted(wanted: Iterable[RoleSchema]) -> Iterator[_Grant]:
    for one in wanted:
        whom = f'"{one.group}"'
        yield _Grant("SCHEMA", f'"{one.schema}"', whom, "USAGE")
        for view in one.views:
            for column in view.columns:
                yield _Grant("TABLE", f'"{one.schema}".{quoted_name(view.name)}', whom, "SELECT", column.name)
        for function in one.functions:
            name = f'"{one.schema}"."{function.name}"({function.arguments})'
            yield _Grant("FUNCTION", name, whom, "EXECUTE")


_GRANTED = """
    WITH ours AS (SELECT oid, nspname, nspacl, nspowner FROM pg_namespace WHERE nspname = ANY(:schemas)),
    listed AS (
        SELECT 'SCHEMA' AS kind, format('"%s"', nspname) AS name, '' AS col, nspowner AS owner, nspacl AS acl FROM ours
        UNION ALL
        SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
            format('"%s"."%s"', nspname, replace(c.relname, '"', '""')), '', c.relowner, c.relacl
        FROM pg_class c JOIN ours ON ours.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'S', 'p', 'f')
        UNION ALL
        SELECT 'TABLE', format('"%s"."%s"', nspname, replace(c.relname, '"', '""')), a.attname, c.relowner, a.attacl
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN ours ON ours.oid = c.relnamespace
        WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
        UNION ALL
        SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
            format('"%s"."%s"(%s)', nspname, replace(p.proname, '"', '""'),
                (SELECT string_agg(format_type(t, NULL), ', ' ORDER BY n)
                 FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS u(t, n))), '',
            p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
        FROM pg_proc p JOIN ours ON ours.oid = p.pronamespace
        WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e'))
    SELECT l.kind, l.name, l.col, g.rolname AS grantee, e.privilege_type AS privilege
    FROM listed l, aclexplode(l.acl) AS e LEFT JOIN pg_roles g ON g.oid = e.grantee
    WHERE e.grantee <> l.owner AND NOT coalesce(g.rolsuper, false) AND coalesce(g.rolname, '') <> :own"""


def _granted(connection: Connection, schemas: Sequence[str], own: Power) -> Iterator[_Grant]:
    rows = connection.execute(text(_GRANTED), {"schemas": list(schemas), "own": own.name})
    for row in rows:
        yield _Grant(row.kind, row.name, _whom(row.grantee), row.privilege, row.col)


def _whom(role: str | None) -> str:
    return _EVERYBODY if role is None else quoted_name(role)


_DEFAULTS = """
    SELECT n.nspname, m.rolname AS maker, g.rolname AS grantee, d.defaclobjtype::text AS kind
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace JOIN pg_roles m ON m.oid = d.defaclrole,
        aclexplode(d.defaclacl) e LEFT JOIN pg_roles g ON g.oid = e.grantee
    WHERE e.grantee <> d.defaclrole AND (n.nspname = ANY(:schemas) OR (n.nspname IS NULL AND m.rolname = :own
        AND NOT (e.grantee = 0 AND d.defaclobjtype IN ('f', 'T'))))
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""
"""In a schema of ours, whoever makes the object; elsewhere what our user makes, but for types, which hold nothing."""
_KINDS = {
    "r": "TABLES", "f": "FUNCTIONS", "S": "SEQUENCES", "T": "TYPES", "n": "SCHEMAS", "L": "LARGE OBJECTS",
}  # fmt: skip


def _defaults(connection: Connection, schemas: Sequence[str], own: Power) -> Iterator[Right]:
    """What is granted of everything that is made from now on."""
    closed = connection.scalar(
        text(
            """SELECT NOT EXISTS (SELECT FROM aclexplode(d.defaclacl) e WHERE e.grantee = 0) FROM pg_default_acl d
            WHERE d.defaclrole = to_regrole(quote_ident(:own)) AND d.defaclnamespace = 0 AND d.defaclobjtype = 'f'"""
        ),
        {"own": own.name},
    )
    if not closed:
        yield Right(
            "everybody may call every function that the pipeline makes from now on",
            ("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",),
        )
    for schema, maker, grantee, letter in connection.execute(
        text(_DEFAULTS), {"schemas": list(schemas), "own": own.name}
    ):
        within = f" IN SCHEMA {quoted_name(schema)}" if schema else ""
        revoke = (
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {quoted_name(maker)}{within} "
            f"REVOKE ALL ON {_KINDS.get(letter, 'TABLES')} FROM {_whom(grantee)}"
        )
        where = f"of {schema}" if schema else f"that {maker} makes"
        yield Right(f"{grantee or _EVERYBODY} is granted of every new object {where}", (revoke,))


def _everybody(connection: Connection, own: Power) -> Iterator[Right]:
    """What PostgreSQL lets everybody do beside reading: making things in schema public, and large objects."""
    row = connection.execute(
        text(
            """SELECT EXISTS (SELECT FROM aclexplode(n.nspacl) e WHERE e.grantee = 0 AND e.privilege_type = 'CREATE')
                AS creates, pg_has_role(n.nspowner, 'USAGE') AS ours
            FROM pg_namespace n WHERE n.nspname = 'public'"""
        )
    ).one_or_none()
    if row is not None and row.creates:
        yield Right(
            "everybody may make tables and functions in the schema public",
            ("REVOKE CREATE ON SCHEMA public FROM PUBLIC",),
            administrator=not (row.ours or own.superuser),
        )
    for function in _LARGE_OBJECTS if own.superuser else ():  # a hosted server's users cannot take that away
        name = f"pg_catalog.{function}"
        if connection.scalar(
            text(
                """SELECT EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) e
                WHERE e.grantee = 0) FROM pg_proc p WHERE p.oid = to_regprocedure(:name)"""
            ),
            {"name": name},
        ):
            yield Right(
                f"everybody may make large objects ({function})",
                (f"REVOKE EXECUTE ON FUNCTION {name} FROM PUBLIC",),
            )


def _members(connection: Connection, groups: Sequence[str], own: Power) -> Iterator[Right]:
    """Users with one of the roles who have more than it."""
    rows = connection.execute(
        text(
            """WITH RECURSIVE member(oid) AS (
                SELECT a.member FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid
                WHERE g.rolname = ANY(:groups)
                UNION SELECT a.member FROM pg_auth_members a JOIN member m ON a.roleid = m.oid),
            has(oid, role) AS (
                SELECT oid, oid FROM member UNION
                SELECT h.oid, a.roleid FROM has h JOIN pg_auth_members a ON a.member = h.role)
            SELECT DISTINCT u.rolname AS member, r.rolname AS role, r.rolsuper, r.rolbypassrls, r.rolreplication
            FROM has h JOIN pg_roles u ON u.oid = h.oid JOIN pg_roles r ON r.oid = h.role
            WHERE u.rolname <> :own AND NOT u.rolname = ANY(:groups) AND (
                r.rolname = ANY(:powerful) OR r.rolname = :own OR r.rolsuper OR r.rolbypassrls OR r.rolreplication
                OR r.oid IN (SELECT nspowner FROM pg_namespace WHERE nspname = ANY(:schemas)))
            ORDER BY 1, 2"""
        ),
        {"groups": list(groups), "own": own.name, "powerful": list(_POWERFUL), "schemas": list(OURS)},
    )
    for row in rows.mappings():
        member, role = row["member"], row["role"]
        if member == role:
            may = [words for name, (words, _) in _ATTRIBUTES.items() if row.get(name)]
            yield Right(f"the user {member} has a role and {' and '.join(may) or 'owns a schema of ours'}")
        else:
            yield Right(
                f"the user {member} has a role and is a member of {role}, which reads more",
                (f"REVOKE {quoted_name(role)} FROM {quoted_name(member)}",),
                administrator=True,
            )
