"""Done when: connected as every role, every table, column and statement is allowed or refused as the policy says."""

import hmac
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from governed_hub import (
    ACME,
    ANNA,
    BRANCH,
    ELS,
    OTHERS,
    PIET,
    POLICIES,
    SECRETS,
    GovernedHub,
    governed_hub,
    server,
)
from psycopg import errors, sql
from sqlalchemy import text

from cdm_pipelines.hub import schema
from cdm_pipelines.steps.privacy import access

ROLES: dict[str, dict[str, Any]] = {
    **yaml.safe_load((POLICIES / "roles.yaml").read_text(encoding="utf-8"))["roles"],
    "branch": BRANCH,
}
BASE = ("golden", "identity", "ops", "profile", "privacy", "staging", "migration")
BUILT_IN = "pg_catalog.suppress_redundant_updates_trigger()"
NOT_HERE = frozenset({"58P01", "0A000", "42704"})
"""Files, features and objects that a server has not: nobody can use them."""
REFUSED = (errors.InsufficientPrivilege, errors.UndefinedTable, errors.InvalidSchemaName)


@pytest.fixture(scope="module", params=["embedded", *map(str, OTHERS)])
def governed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GovernedHub]:
    programs = None if request.param == "embedded" else Path(request.param)
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
    """All tables and views of the pipeline with their columns."""
    found: dict[str, list[str]] = {}
    with governed.engine.connect() as connection:
        rows = connection.execute(
            text(
                """SELECT format('"%s"."%s"', n.nspname, c.relname), a.attname FROM pg_class c
                JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
                WHERE n.nspname = ANY(:base) AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped"""
            ),
            {"base": list(BASE)},
        )
        for table, column in rows:
            found.setdefault(table, []).append(column)
    return found


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
    with governed.engine.connect() as connection:
        tables = connection.scalars(
            text(
                'SELECT format(\'"%s"."%s"\', schemaname, tablename) FROM pg_tables WHERE schemaname = ANY(:base)'
            ),
            {"base": list(BASE)},
        ).all()
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


def test_views_hold_exactly_the_columns_of_the_policy(
    role: str, user: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    """Of golden tables, whose categories the hub's schema declares."""
    policy = ROLES[role]
    if "pseudonymous" in policy:
        pytest.skip("has a test of its own")
    for table in schema.metadata.tables.values():
        if table.schema != "golden" or table.name in {"search", "search_word"}:
            continue
        asked = any(re.fullmatch(one.replace("*", ".*"), table.fullname) for one in policy["tables"])
        readable = {
            column.name
            for column in table.columns
            if said(policy["reads"], schema.privacy_of(column)) != "hidden"
            or any(
                fnmatchcase(f"{table.fullname}.{column.name}", one) and how != "hidden"
                for one, how in policy.get("columns", {}).items()
            )
        }
        names = user.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            (f"for_{role}", table.name),
        ).fetchall()
        if policy.get("rows") and table.name == "product":
            asked = True
        assert {name for (name,) in names} == (readable if asked else set()), table.name


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


def test_errors_hold_nothing_that_is_hidden(governed: GovernedHub) -> None:
    with governed.login("marketing") as user:
        for column in ("surname", "email", "given_name"):
            for kind in ("integer", "date", "uuid", "json", "inet", "boolean"):
                with pytest.raises(psycopg.Error) as caught:
                    user.execute(f"SELECT {column}::text::{kind} FROM for_marketing.customer".encode())
                whole = f"{caught.value} {caught.value.diag.message_detail} {caught.value.diag.context}"
                assert not any(secret in whole for secret in SECRETS)


def test_statistics_and_catalogs_hold_no_values(
    governed: GovernedHub, role: str, user: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    ours = "schemaname = ANY(ARRAY['golden', 'identity', 'ops', 'profile', 'privacy'])"
    with governed.engine.connect() as connection:
        assert connection.execute(text(f"SELECT 1 FROM pg_stats WHERE {ours}")).first()
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
