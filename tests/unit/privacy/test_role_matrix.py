"""Done when: connected as every role, every table, column and statement is allowed or refused as the policy says.

What there is comes from the database's own catalogue: a schema, table, column or function that is new is tried with the
others. What a role may read of it is worked out once more, apart from the code that makes the views.
"""

import hmac
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

import psycopg
import pytest
import yaml
from governed_hub import (
    ACME,
    ANNA,
    BRANCH,
    ELS,
    PIET,
    POLICIES,
    SECRETS,
    GovernedHub,
    governed_hub,
    older_programs,
    server,
)
from psycopg import errors, sql
from sqlalchemy import text

from cdm_pipelines.hub import schema
from cdm_pipelines.hub.connection import DAGSTER_SCHEMA
from cdm_pipelines.hub.migrate import VERSION_SCHEMA
from cdm_pipelines.steps.privacy import access

ROLES: dict[str, dict[str, Any]] = {
    **yaml.safe_load((POLICIES / "roles.yaml").read_text(encoding="utf-8"))["roles"],
    "branch": BRANCH,
}
NEVER = {
    "golden.search",
    "golden.search_word",
    "golden.search_source",
    "identity.decision_detail",
    "ops.api_token",
    "ops.assignment",
    "ops.feed",
    "ops.kept_answer",
    "ops.linkage_model",
    "ops.proposal",
    "ops.put_off",
    "ops.session",
    "privacy.pseudonym_key",
}
"""What no role sees, whatever the policy says: keys, sessions, what people of the company left with each other."""
CODES = {
    "uuid",
    "date",
    "timestamp with time zone",
    "numeric",
    "bigint",
    "integer",
    "boolean",
    "double precision",
}
"""Types of columns that hold no free text."""
SUITS = {
    "year": {"date", "timestamp with time zone"},
    "keyed": {"uuid", "text"},
    "masked": None,
    "stars": None,
}
"""Types of columns that a mask suits: text where nothing is said, any where it is None; no other is shown by it."""
BUILT_IN = "pg_catalog.suppress_redundant_updates_trigger()"
NOT_HERE = frozenset({"58P01", "0A000", "42704"})
"""Files, features and objects that a server has not: nobody can use them."""
REFUSED = (errors.InsufficientPrivilege, errors.UndefinedTable, errors.InvalidSchemaName)


@pytest.fixture(scope="module", params=["embedded", "14 or 15"])
def governed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GovernedHub]:
    programs = None if request.param == "embedded" else older_programs()
    with server(programs) as url, governed_hub(url, tmp_path_factory.mktemp("governed")) as made:
        yield made


@pytest.fixture(params=list(ROLES))
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def user(governed: GovernedHub, role: str) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    with governed.login(role) as connection:
        yield connection


def base_tables(governed: GovernedHub) -> dict[str, list[str]]:
    """All tables and views of the pipeline, in every schema, with their columns."""
    found: dict[str, list[str]] = {}
    with governed.engine.connect() as connection:
        rows = connection.execute(
            text(
                """SELECT format('"%s"."%s"', n.nspname, c.relname), a.attname FROM pg_class c
                JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
                WHERE n.nspname = ANY(:base) AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND a.attnum > 0
                AND NOT a.attisdropped"""
            ),
            {"base": schemas(governed)},
        )
        for table, column in rows:
            found.setdefault(table, []).append(column)
    return found


def schemas(governed: GovernedHub) -> list[str]:
    """Every schema of the database but those of PostgreSQL and of roles."""
    query = """SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|for_)'
        AND nspname NOT IN ('information_schema', 'public') ORDER BY 1"""
    with governed.engine.connect() as connection:
        return list(connection.scalars(text(query)))


def objects(governed: GovernedHub, query: str) -> list[str]:
    """What a query over the catalogue finds in the schemas of the pipeline."""
    with governed.engine.connect() as connection:
        return list(connection.scalars(text(query), {"base": schemas(governed)}))


def refused(user: "psycopg.Connection[tuple[Any, ...]]", statement: str) -> bool:
    """Whether a statement is refused for want of a right; anything else than that and success is an error."""
    try:
        user.execute(statement.encode())
    except (
        errors.InsufficientPrivilege,
        errors.ObjectNotInPrerequisiteState,
    ):  # the latter: nobody writes a join
        return True
    return False


def passing(user: "psycopg.Connection[tuple[Any, ...]]", statements: Mapping[str, str]) -> list[str]:
    return [name for name, statement in statements.items() if not refused(user, statement)]


def statements_on(table: str, columns: list[str]) -> dict[str, str]:
    first = f'"{columns[0]}"'
    return {
        f"{table} {kind}": statement
        for kind, statement in {
            "select *": f"SELECT * FROM {table}",
            "count": f"SELECT count(*) FROM {table}",
            "whole row": f"SELECT t FROM {table} AS t",
            "where": f"SELECT 1 FROM {table} WHERE {first} IS NOT NULL",
            "exists": f"SELECT EXISTS (SELECT FROM {table})",
            "insert": f"INSERT INTO {table} DEFAULT VALUES",
            "update": f"UPDATE {table} SET {first} = NULL",
            "delete": f"DELETE FROM {table}",
            "copy to": f"COPY (SELECT * FROM {table}) TO STDOUT",
            "explain": f"EXPLAIN SELECT * FROM {table}",
            "lock": f"DO $$ BEGIN LOCK TABLE {table} IN ACCESS SHARE MODE; END $$",
            "cursor": f"DO $$ DECLARE c CURSOR FOR SELECT * FROM {table}; BEGIN OPEN c; END $$",
            "view": f"CREATE TEMPORARY VIEW peek AS SELECT * FROM {table}; SELECT * FROM peek",
            "merge by name": f"SELECT * FROM {table} NATURAL JOIN {table} AS other",
            "comment": f"SELECT {first}, {table}.ctid FROM {table}",
        }.items()
    }


def test_every_schema_of_the_pipeline_is_tried_and_has_something_to_try(governed: GovernedHub) -> None:
    assert {*schema.SCHEMAS, VERSION_SCHEMA, DAGSTER_SCHEMA} == set(schemas(governed))
    tried = {table.split('"')[1] for table in base_tables(governed)}
    assert tried == set(schemas(governed))


def test_no_role_reads_or_writes_any_base_table(
    governed: GovernedHub, user: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    tables = base_tables(governed)
    assert len(tables) > 50
    for table, columns in tables.items():
        assert passing(user, statements_on(table, columns)) == []
        each = {f"{table}.{one}": f'SELECT "{one}" FROM {table}' for one in columns}
        assert passing(user, each) == []


def test_no_role_changes_the_tables_of_the_pipeline_otherwise(
    governed: GovernedHub, user: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    tables = objects(
        governed,
        'SELECT format(\'"%s"."%s"\', schemaname, tablename) FROM pg_tables WHERE schemaname = ANY(:base)',
    )
    assert tables
    for table in tables:
        kinds = {
            "truncate": f"TRUNCATE {table}",
            "references": f"CREATE TEMPORARY TABLE mine (x uuid REFERENCES {table})",
            "trigger": f"CREATE TRIGGER spy AFTER INSERT ON {table} EXECUTE FUNCTION {BUILT_IN}",
            "drop": f"DROP TABLE {table}",
            "alter": f"ALTER TABLE {table} ADD COLUMN spy text",
            "rule": f"CREATE RULE spy AS ON INSERT TO {table} DO NOTHING",
            "index": f"CREATE INDEX ON {table} ((1))",
            "copy from": f"COPY {table} FROM '/dev/null'",
            "policy": f"CREATE POLICY spy ON {table}",
            "owner": f"ALTER TABLE {table} OWNER TO CURRENT_USER",
            "like": f"CREATE TEMPORARY TABLE alike (LIKE {table} INCLUDING ALL)",
        }
        assert passing(user, kinds) == []


def test_no_role_uses_a_sequence_or_a_function_of_the_pipeline(
    governed: GovernedHub, user: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    sequences = objects(
        governed,
        'SELECT format(\'"%s"."%s"\', schemaname, sequencename) FROM pg_sequences WHERE schemaname = ANY(:base)',
    )
    calls = objects(
        governed,
        """SELECT format('"%s"."%s"(%s)', n.nspname, p.proname, (SELECT string_agg('NULL::' || t::regtype, ', ')
            FROM unnest(p.proargtypes::oid[]) AS t)) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = ANY(:base)""",
    )
    assert sequences
    assert calls
    for one in sequences:
        ways = {
            one: f"SELECT * FROM {one}",
            "next": f"SELECT nextval('{one}')",
            "set": f"SELECT setval('{one}', 1)",
        }
        assert passing(user, ways) == []
    assert passing(user, {one: f"SELECT {one}" for one in calls}) == []


def test_a_role_cannot_reach_the_views_of_another(
    governed: GovernedHub, role: str, user: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    with governed.engine.connect() as connection:
        views = connection.scalars(
            text(
                """SELECT format('"%s"."%s"', schemaname, viewname) FROM pg_views
                WHERE schemaname LIKE 'for\\_%' AND schemaname <> :own"""
            ),
            {"own": f"for_{role}"},
        ).all()
    assert len(views) > 50
    assert passing(user, {view: f"SELECT * FROM {view}" for view in views}) == []
    others = [name for name in ROLES if name != role and ROLES[name].get("search")]
    assert passing(user, {name: f"SELECT for_{name}.find('x')" for name in others}) == []


def said(reads: Mapping[str, str], category: str) -> str:
    """What a policy says of a category, by the nearest above it: written once more, apart from the code."""
    parts = category.split(".")
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in reads:
            return reads[".".join(parts[:length])]
    return "hidden"


def declared(governed: GovernedHub) -> dict[str, dict[str, tuple[str, str]]]:
    """Columns with type and category, as PostgreSQL holds them, of all that is there by ``schema.table``."""
    query = """SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, NULL),
            coalesce(substring(col_description(c.oid, a.attnum) FROM 'Privacy category: (.*)[.]$'), '')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE n.nspname = ANY(:base) AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped"""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    with governed.engine.connect() as connection:
        for table, column, kind, category in connection.execute(text(query), {"base": list(schema.SCHEMAS)}):
            found.setdefault(table, {})[column] = (kind, category)
    golden = found["golden.customer"]
    return {  # the wide view of the profile shows golden columns without saying once more what they are
        table: {
            name: (kind, category or (golden[name][1] if table == "profile.customer" else "user"))
            for name, (kind, category) in columns.items()
        }
        for table, columns in found.items()
    }


def fits(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern if pattern.count(".") == 2 else f"*.{pattern}")


def shown(policy: Mapping[str, Any], table: str, column: str, kind: str, category: str) -> str:
    """How the policy has a role read a column: clear, hidden or masked."""
    path = f"{table}.{column}"
    how = next((how for one, how in policy.get("columns", {}).items() if fits(path, one)), None)
    if how is None:
        how = said(policy["reads"], category)
        free = table.startswith("golden.") and category.startswith("user") and kind not in CODES
        codes = policy.get("pseudonymous", {}).get("shown_text", [])
        if "pseudonymous" in policy and how == "clear" and free and not any(fits(path, one) for one in codes):
            how = "hidden"
    if how in {"clear", "hidden"}:
        return str(how)
    suits = SUITS.get(how, {"text"})
    return "masked" if suits is None or kind in suits else "hidden"


def expected(
    policy: Mapping[str, Any], tables: Mapping[str, Mapping[str, tuple[str, str]]]
) -> dict[str, dict[str, str]]:
    """Views with their columns, and how each is read, as the policy has it."""
    found = {}
    for table, columns in tables.items():
        schema_name, _, name = table.partition(".")
        theirs = not policy.get("rows") or "golden_id" in columns or schema_name == "golden"
        asked = any(fnmatchcase(table, one) for one in policy["tables"])
        if schema_name == "staging" or table in NEVER or not asked or not theirs:
            continue
        how = {column: shown(policy, table, column, *of) for column, of in columns.items()}
        if seen := {column: one for column, one in how.items() if one != "hidden"}:
            found[name if schema_name == "golden" else f"{schema_name}_{name}"] = seen
    return found


WORKED_OUT = {
    *(("provenance", "losers"), ("customer_history", "provenance")),
    *(("privacy_consent", "allowed"), ("privacy_consent", "state")),
}
"""Columns that are in clear and not just as they are kept; they have tests of their own."""


def test_views_hold_exactly_the_columns_of_the_policy_in_clear_or_masked(
    governed: GovernedHub, role: str, user: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    """Of all schemas; a column is in clear where PostgreSQL holds nothing but the base column for it."""
    rows = user.execute(
        """SELECT c.relname, a.attname, pg_get_viewdef(c.oid) FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE n.nspname = %s AND c.relkind = 'v' AND a.attnum > 0""",
        (f"for_{role}",),
    ).fetchall()
    there: dict[str, dict[str, str]] = {}
    for view, column, definition in rows:
        plain = re.search(rf'(?:SELECT|,)\s+(?:t\.)?"?{column}"?\s*(?:,|FROM\b)', definition)
        there.setdefault(view, {})[column] = "clear" if plain or (view, column) in WORKED_OUT else "masked"
    assert there == expected(ROLES[role], declared(governed))


def test_views_are_compared_of_every_schema_that_roles_read(governed: GovernedHub) -> None:
    """Nobody has to think of a schema that is new: the privacy officer and the engineer see some of each."""
    tables = declared(governed)
    views = {view for policy in ROLES.values() for view in expected(policy, tables)}
    compared = {name for name in schema.SCHEMAS if any(view.startswith(f"{name}_") for view in views)}
    assert compared == set(schema.SCHEMAS) - {"golden", "staging"}
    assert {"customer", "provenance"} <= views


def test_each_view_can_be_read_and_not_written(
    role: str, user: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    views = user.execute("SELECT viewname FROM pg_views WHERE schemaname = %s", (f"for_{role}",)).fetchall()
    assert views
    for (view,) in views:
        name = f'"for_{role}"."{view}"'
        assert not refused(user, f"SELECT * FROM {name}")
        assert not refused(user, f"SELECT t, count(*) FROM {name} AS t GROUP BY t")
        columns = user.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", (name,)
        ).fetchall()
        writes = {
            kind: statement
            for kind, statement in statements_on(name, [columns[-1][0]]).items()
            if kind.rpartition(" ")[2] in {"insert", "update", "delete"}
        }
        writes |= {
            "drop": f"DROP VIEW {name}",
            "replace": f"CREATE OR REPLACE VIEW {name} AS SELECT 1 AS x",
            "comment": f"COMMENT ON VIEW {name} IS 'mine'",
            "open": f"ALTER VIEW {name} RESET (security_barrier)",
            "trigger": f"CREATE TRIGGER spy INSTEAD OF INSERT ON {name} EXECUTE FUNCTION {BUILT_IN}",
        }
        assert passing(user, writes) == []


def text_of(user: "psycopg.Connection[tuple[Any, ...]]", role: str) -> str:
    """All that a role reads, as text."""
    views = user.execute("SELECT viewname FROM pg_views WHERE schemaname = %s", (f"for_{role}",)).fetchall()
    found = []
    for (view,) in views:
        rows = user.execute(
            sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(f"for_{role}", view))
        )
        found += [str(row[0]) for row in rows]
    return "\n".join(found)


CLEAR_TO = {
    "Vandenberghe": {"steward", "service", "sales", "finance", "privacy_officer", "branch"},
    "anna.vandenberghe": {"steward", "sales", "finance", "privacy_officer"},
    "612345678": {"steward", "sales", "privacy_officer", "branch"},
    "NL91ABNA0417164300": {"finance", "privacy_officer", "branch"},
    "Geheimstraat": {"steward", "service", "sales", "finance", "privacy_officer", "branch"},
    "1980-02-29": {"steward", "privacy_officer", "branch"},
}
"""Who reads each value of Anna in clear, worked out by hand from policies/roles.yaml."""


def test_values_are_read_in_clear_by_those_roles_alone(
    role: str, user: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    everything = text_of(user, role)
    assert {value for value in SECRETS if value in everything} == {
        value for value, roles in CLEAR_TO.items() if role in roles
    }


def test_masked_values_are_as_promised(governed: GovernedHub) -> None:
    with governed.login("service") as service, governed.login("marketing") as marketing:
        seen = service.execute(
            "SELECT given_name, email, mobile, birth_date, iban FROM for_service.customer WHERE golden_id = %s",
            (ANNA,),
        ).fetchone()
        assert seen == ("Anna", "a***@e***.nl", "06-****5678", "1980", "NL** **** 4300")
        seen = marketing.execute(
            "SELECT given_name, surname_prefix, surname, postcode FROM for_marketing.customer WHERE golden_id = %s",
            (ANNA,),
        ).fetchone()
        assert seen == ("A.", "v** d**", "V***********", "1234")


def test_a_role_with_conditions_sees_its_rows_alone(governed: GovernedHub) -> None:
    with governed.login("branch") as user:
        ids = {
            view: {str(row[0]) for row in user.execute(f"SELECT golden_id FROM for_branch.{view}".encode())}
            for view in (
                "customer",
                "crosswalk",
                "customer_order",
                "invoice",
                "profile_customer",
                "profile_rfm",
            )
        }
        assert ids == {view: {ANNA, PIET} for view in ids}
        lines = user.execute("SELECT order_id FROM for_branch.order_line").fetchall()
        assert sorted(lines) == [("ORD-1",), ("ORD-2",)]
        assert user.execute("SELECT count(*) FROM for_branch.product").fetchone() == (1,)
        there = user.execute("SELECT viewname FROM pg_views WHERE schemaname = 'for_branch'").fetchall()
        # Rows of several customers at once, or of nobody in particular, cannot be told apart.
        assert {name for (name,) in there}.isdisjoint({"profile_household", "ops_review_item"})


def test_no_function_of_the_reader_runs_on_rows_of_others(governed: GovernedHub) -> None:
    with governed.login("branch") as user:
        notices: list[str] = []
        user.add_notice_handler(lambda note: notices.append(str(note.message_primary)))
        user.execute(
            "CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
            "$$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$"
        )
        for view in ("customer", "profile_customer", "customer_order"):
            column = "party_email" if view == "customer_order" else "surname"
            user.execute(f"SELECT * FROM for_branch.{view} AS t WHERE pg_temp.leak(t::text)".encode())
            user.execute(f"SELECT * FROM for_branch.{view} WHERE pg_temp.leak({column})".encode())
        assert any("Jansen" in note for note in notices)
        assert not any("Verborgen" in note or "els@" in note or "Acme" in note for note in notices)
        for probe in ("Verborgen", "nobody"):  # an error would tell that the row is there
            user.execute(
                "SELECT 1 FROM for_branch.customer WHERE 1 / (CASE WHEN surname = %s THEN 0 ELSE 1 END) = 1",
                (probe,),
            )


CASTS = ("integer", "date", "uuid", "json", "inet", "boolean")
"""Types to which hardly any text can be cast: the error quotes what could not."""


def quoted_by_errors(user: "psycopg.Connection[tuple[Any, ...]]", statements: Iterator[str]) -> list[str]:
    """All that PostgreSQL says of statements that fail; those that do not fail say nothing."""
    said = []
    for statement in statements:
        try:
            user.execute(statement.encode())
        except psycopg.Error as error:
            diag = error.diag
            said.append(
                "\n".join(
                    str(part)
                    for part in (
                        *(diag.message_primary, diag.message_detail, diag.message_hint),
                        *(diag.context, diag.internal_query),
                    )
                    if part
                )
            )
    return said


def test_errors_hold_nothing_that_is_masked(
    governed: GovernedHub, role: str, user: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    """Of every view and every column that the role sees masked: an error quotes what the role sees, if anything."""
    masked = [
        (view, column)
        for view, columns in expected(ROLES[role], declared(governed)).items()
        for column, how in columns.items()
        if how == "masked"
    ]
    for view, column in masked:
        table, name = f'"for_{role}"."{view}"', f'"{column}"'
        rows = user.execute(f"SELECT DISTINCT {name}::text FROM {table}".encode()).fetchall()
        seen = "\n".join(str(value).lower() for (value,) in rows if value)
        forms = (
            f"SELECT {name}::text::{{}} FROM {table}",
            f"SELECT 1 FROM {table} WHERE {name}::text::{{}} IS NULL",
        )
        said = quoted_by_errors(user, (form.format(kind) for form in forms for kind in CASTS))
        for text_ in said:
            assert not [one for one in SECRETS if one in text_], f"{view}.{column}: {text_}"
            quoted = [one.lower() for one in re.findall(r'"([^"]*)"', text_)[:1]]
            assert all(one in seen for one in quoted), f"{view}.{column}: {text_}"
        if seen:
            assert said, f"{view}.{column}: nothing failed, so nothing was tried"


def test_errors_of_searching_hold_nothing(
    governed: GovernedHub, role: str, user: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    """Golden ids are all that it gives away, and what it does inside is in no error either."""
    if not ROLES[role].get("search"):
        functions = "SELECT proname FROM pg_proc WHERE pronamespace = to_regnamespace(%s)"
        assert user.execute(functions, (f"for_{role}",)).fetchall() == []
        return
    typed = (
        *SECRETS,
        "Anna",
        "anna vandenberghe",
        "0612345678",
        "1234 AB 12",
        ANNA,
        "' || x",
        "%",
        "\\",
        "(",
        "",
    )
    ways = (
        "SELECT golden_id::text::{kind} FROM for_{role}.find({typed})",
        "SELECT 1 FROM for_{role}.find({typed}) AS f WHERE f.golden_id::text::{kind} IS NULL",
        "SELECT f::text::{kind} FROM for_{role}.find({typed}) AS f",
        "SELECT 1 / (count(*) - count(*)) FROM for_{role}.find({typed})",
        "SELECT for_{role}.find({typed}, 1)",
    )
    literals = [sql.Literal(one).as_string(user) for one in typed]
    said = quoted_by_errors(
        user,
        (
            way.format(kind=kind, role=role, typed=literal)
            for way in ways
            for literal in literals
            for kind in ("integer", "json")
        ),
    )
    assert said
    for text_ in said:
        inner = text_.replace(ANNA, "")
        assert not [one for one in SECRETS if one in inner], inner
        assert "golden." not in inner, inner


def test_statistics_and_catalogs_hold_no_values(
    governed: GovernedHub, role: str, user: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    ours = "schemaname NOT IN ('pg_catalog', 'information_schema')"
    with governed.engine.connect() as connection:
        noted = set(connection.scalars(text(f"SELECT schemaname FROM pg_stats WHERE {ours}")))
        held = str(
            connection.execute(text(f"SELECT array_agg(s::text) FROM pg_stats s WHERE {ours}")).scalar()
        )
    assert noted >= {"golden", "identity", "ops", "profile", "staging", DAGSTER_SCHEMA}
    assert SECRETS[0] in held
    for view in ("pg_stats", "pg_stats_ext", "pg_stats_ext_exprs"):
        assert user.execute(f"SELECT * FROM {view} WHERE {ours}".encode()).fetchall() == []
    assert (
        passing(
            user,
            {
                "pg_statistic": "SELECT * FROM pg_statistic",
                "pg_authid": "SELECT * FROM pg_authid",
                "pg_largeobject": "SELECT * FROM pg_largeobject",
                "pg_user_mapping": "SELECT * FROM pg_user_mapping",
            },
        )
        == []
    )
    catalog = "".join(
        str(row)
        for view in ("pg_proc", "pg_views", "pg_description", "pg_stat_activity", "pg_settings", "pg_indexes")
        for row in user.execute(f"SELECT t::text FROM {view} AS t".encode())
    )
    assert not any(secret in catalog for secret in SECRETS)


def test_no_way_around(governed: GovernedHub, role: str, user: "psycopg.Connection[tuple[Any, ...]]") -> None:
    owner = user.execute(
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'customer_history'"
    ).fetchone()
    assert owner is not None
    other = "sales" if role != "sales" else "finance"
    sequence = "ops.publication_publication_id_seq"
    ways = {
        "set role to the pipeline's": f'SET ROLE "{owner[0]}"',
        "set role to another": f"SET ROLE cdm_{other}",
        "authorisation": f'SET SESSION AUTHORIZATION "{owner[0]}"',
        "make a role": "CREATE ROLE mine SUPERUSER",
        "grow a role": f"ALTER ROLE cdm_{role} LOGIN",
        "join": f"GRANT cdm_{other} TO cdm_login_{role}",
        "grow itself": f"ALTER ROLE cdm_login_{role} CREATEROLE",
        "search path": "SET search_path = golden; SELECT * FROM golden.customer",
        "function as of": "SELECT golden.customer_as_of(now())",
        "function words": "SELECT golden.search_words('x')",
        "function similar": "SELECT golden.search_similar(ARRAY['x'])",
        "make in golden": "CREATE TABLE golden.mine (x int)",
        "make in public": "CREATE TABLE public.mine (x int)",
        "function in public": "CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
        "make in its own": f"CREATE TABLE for_{role}.mine (x int)",
        "schema": "CREATE SCHEMA mine",
        "currval": f"SELECT pg_sequence_last_value('{sequence}'::regclass) FROM {sequence}",
        "nextval": f"SELECT nextval('{sequence}')",
        "setval": f"SELECT setval('{sequence}', 1)",
        "sequence": f"SELECT * FROM {sequence}",
        "read file": "SELECT pg_read_file('PG_VERSION')",
        "list files": "SELECT pg_ls_dir('.')",
        "stat file": "SELECT pg_stat_file('PG_VERSION')",
        "copy file": "COPY (SELECT 1) TO '/tmp/spied'",
        "program": "COPY (SELECT 1) TO PROGRAM 'cat'",
        "large object": "SELECT lo_from_bytea(0, 'x')",
        "large object made": "SELECT lo_create(0)",
        "large object of old": "SELECT lo_creat(-1)",
        "import": "SELECT lo_import('/etc/passwd')",
        "extension": "CREATE EXTENSION file_fdw",
        "untrusted": "CREATE LANGUAGE plpython3u",
        "reload": "SELECT pg_reload_conf()",
        "end others": "ALTER SYSTEM SET fsync = off",
        "publication": "CREATE PUBLICATION mine FOR ALL TABLES",
        "event trigger": f"CREATE EVENT TRIGGER spy ON ddl_command_end EXECUTE FUNCTION {BUILT_IN}",
        "statistics": "CREATE STATISTICS spy ON given_name, surname FROM golden.customer",
        "preload": "LOAD 'auto_explain'",
        "log": "SELECT pg_current_logfile()",
        "default rights": f'ALTER DEFAULT PRIVILEGES FOR ROLE "{owner[0]}" GRANT SELECT ON TABLES TO PUBLIC',
        "leak by security definer": "SELECT * FROM privacy.pseudonym_key",
        "checksum": "SELECT query_to_xml('SELECT * FROM golden.customer', true, true, '')",
        "table to xml": "SELECT table_to_xml('golden.customer'::regclass, true, true, '')",
        "dump": "SELECT schema_to_xml('golden', true, true, '') FROM golden.customer",
    }
    for name, statement in ways.items():
        try:
            user.execute(statement.encode())
        except REFUSED:
            continue
        except psycopg.Error as error:
            if error.sqlstate in NOT_HERE:
                continue
        pytest.fail(f"{role}: {name} passed")


def test_estimates_of_the_planner_tell_nothing_of_masked_values(governed: GovernedHub) -> None:
    with governed.login("marketing") as user:
        plans = [
            str(
                user.execute(
                    "EXPLAIN SELECT * FROM for_marketing.customer WHERE surname = %s", (value,)
                ).fetchall()
            )
            for value in ("Vandenberghe", "V***********", "nobody")
        ]
    estimates = {tuple(re.findall(r"rows=\d+", plan)) for plan in plans}
    assert len(estimates) == 1


def test_the_analyst_gets_pseudonyms_that_only_the_key_makes(governed: GovernedHub) -> None:
    key = access.pseudonym_key(governed.settings)
    expected = {hmac.new(key, one.encode(), sha256).hexdigest()[:32]: one for one in (ANNA, PIET, ELS, ACME)}
    with governed.login("analyst") as user:
        customers = user.execute(
            "SELECT golden_id, birth_date, postcode FROM for_analyst.customer"
        ).fetchall()
        assert {(expected[one], *rest) for one, *rest in customers} == {
            (ANNA, "1980", "12"),
            (PIET, "1990", "12"),
            (ELS, "1971", "90"),
            (ACME, None, None),
        }
        joined = user.execute(
            "SELECT c.golden_id FROM for_analyst.customer c JOIN for_analyst.customer_order o USING (golden_id) "
            "JOIN for_analyst.order_line l USING (order_id) JOIN for_analyst.profile_rfm r USING (golden_id)"
        ).fetchall()
        assert {expected[one] for (one,) in joined} == {ANNA, PIET, ELS, ACME}
        everything = text_of(user, "analyst")
    assert not any(one in everything for one in (ANNA, "ORD-1", "R1", "Delft", "anna", "paid-reason"))


def test_nothing_of_this_left_the_database_other_than_the_policy_says(governed: GovernedHub) -> None:
    with governed.login("service") as user:
        assert refused(user, "GRANT SELECT ON for_service.customer TO PUBLIC")
    with governed.engine.connect() as connection:
        assert [step.finding for step in access.drift(connection, governed.settings)] == []
