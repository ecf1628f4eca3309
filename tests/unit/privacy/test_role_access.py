"""The database is made what the policy says, once, and whatever differs is told and mended."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from governed_hub import ACME, ANNA, ELS, PIET, GovernedHub, governed_hub, server
from sqlalchemy import make_url, text
from typer.testing import CliRunner

from cdm_pipelines.cli import app
from cdm_pipelines.hub import role_access, role_schemas
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.profile_views import drop_views, make_views
from cdm_pipelines.privacy.catalogue import NEVER, types
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.privacy import access
from cdm_pipelines.steps.privacy.anonymity import anonymity
from cdm_pipelines.steps.profile.enrich import groups_of, policy_of, tables_of


@pytest.fixture(scope="module")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GovernedHub]:
    with server(None) as url, governed_hub(url, tmp_path_factory.mktemp("governed")) as made:
        yield made


def cdm(governed: GovernedHub, *arguments: str) -> Any:
    return CliRunner().invoke(app, arguments, env=governed.settings.environment())


def drift(governed: GovernedHub) -> list[str]:
    with governed.engine.connect() as connection:
        return [step.finding for step in access.drift(connection, governed.settings)]


def apply(governed: GovernedHub) -> list[str]:
    with governed.engine.begin() as connection:
        return [step.finding for step in access.apply(connection, governed.settings, thorough=True)]


def run(governed: GovernedHub, *statements: str) -> None:
    with governed.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_applied_again_nothing_is_touched(governed: GovernedHub) -> None:
    query = """SELECT c.oid::text, c.xmin::text, c.relacl::text FROM pg_class c
        JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname LIKE 'for%%' ORDER BY 1"""
    with governed.engine.connect() as connection:
        before = connection.exec_driver_sql(query).fetchall()
    assert apply(governed) == []
    with governed.engine.connect() as connection:
        assert connection.exec_driver_sql(query).fetchall() == before
    assert drift(governed) == []


BY_HAND = {
    "a table granted": (
        ["GRANT SELECT ON golden.customer TO cdm_service"],
        "cdm_service has SELECT on table",
    ),
    "a column granted": (
        ["GRANT SELECT (iban) ON golden.customer TO cdm_login_service"],
        "cdm_login_service has SELECT of column iban on table",
    ),
    "everybody let in": (["GRANT USAGE ON SCHEMA golden TO PUBLIC"], "PUBLIC has USAGE on schema"),
    "a function": (
        ["GRANT EXECUTE ON FUNCTION golden.customer_as_of(timestamptz) TO PUBLIC"],
        "PUBLIC has EXECUTE on function",
    ),
    "writing through a view": (
        ["GRANT UPDATE ON for_service.customer TO cdm_service"],
        "has UPDATE on table",
    ),
    "a sequence": (
        ["GRANT USAGE ON SEQUENCE ops.publication_publication_id_seq TO cdm_sales"],
        "cdm_sales has USAGE on sequence",
    ),
    "what is to come": (
        ["ALTER DEFAULT PRIVILEGES IN SCHEMA golden GRANT SELECT ON TABLES TO cdm_sales"],
        "cdm_sales is granted of every new object of golden",
    ),
    "a view replaced, its note kept": (
        ["CREATE OR REPLACE VIEW for_marketing.product AS SELECT * FROM golden.product"],
        "the view for_marketing.product is another one",
    ),
    "a view replaced, its note written anew": (
        [
            "SET LOCAL search_path = pg_catalog",
            "CREATE OR REPLACE VIEW for_marketing.product AS SELECT * FROM golden.product",
            """DO $$ DECLARE held text; BEGIN
                SELECT md5(concat_ws('|', pg_get_viewdef(oid), reloptions::text, pg_get_userbyid(relowner))) INTO held
                FROM pg_class WHERE oid = 'for_marketing.product'::regclass;
                EXECUTE format('COMMENT ON VIEW for_marketing.product IS %%L', regexp_replace(
                    obj_description('for_marketing.product'::regclass, 'pg_class'), '[0-9a-f]{32}$', held));
            END $$""",
        ],
        "the view for_marketing.product is another one",
    ),
    "a view opened": (
        ["ALTER VIEW for_branch.customer RESET (security_barrier)"],
        "the view for_branch.customer is another one",
    ),
    "a view of another's": (
        ["ALTER VIEW for_service.customer OWNER TO cdm_login_service"],
        "the view for_service.customer is another one",
    ),
    "a view too many": (
        ["CREATE VIEW for_service.everything AS SELECT * FROM golden.customer"],
        "for_service.everything is no view of the policy",
    ),
    "a view gone": (["DROP VIEW for_service.customer"], "the view for_service.customer is missing"),
    "a right gone": (
        ["REVOKE SELECT (surname) ON for_service.customer FROM cdm_service"],
        "missing: cdm_service has SELECT of column surname",
    ),
    "a function replaced": (
        [
            """CREATE OR REPLACE FUNCTION for_service.find(typed text) RETURNS TABLE (golden_id uuid)
            LANGUAGE sql SECURITY DEFINER AS 'SELECT golden_id FROM golden.customer'"""
        ],
        'the function "for_service"."find"(text) is missing or another one',
    ),
    "a role that logs in": (["ALTER ROLE cdm_service LOGIN"], "the role cdm_service may log in"),
    "a role that makes roles": (["ALTER ROLE cdm_service CREATEROLE"], "may make roles"),
    "a role with another's rights": (["GRANT cdm_finance TO cdm_service"], "is a member of cdm_finance"),
    "a schema gone": (["DROP SCHEMA for_sales CASCADE"], "the schema for_sales is missing"),
    "what is to come, anywhere": (
        ["ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO cdm_sales"],
        "cdm_sales is granted of every new object that",
    ),
    "what is to come of a role": (
        ["ALTER DEFAULT PRIVILEGES IN SCHEMA for_service GRANT SELECT ON TABLES TO cdm_sales"],
        "cdm_sales is granted of every new object of for_service",
    ),
    "what another makes": (
        [
            "ALTER DEFAULT PRIVILEGES FOR ROLE cdm_finance IN SCHEMA golden GRANT SELECT ON TABLES TO cdm_sales",
        ],
        "cdm_sales is granted of every new object of golden",
    ),
    "a view whose name is a statement": (
        ["""CREATE VIEW for_service."customer"";ALTER ROLE cdm_login_sales SUPERUSER;--" AS SELECT 1 AS a"""],
        "is no view of the policy",
    ),
    "a function whose name is a statement": (
        [
            """CREATE FUNCTION for_service."f""();ALTER ROLE cdm_login_sales SUPERUSER;--"() RETURNS int
            LANGUAGE sql AS 'SELECT 1'"""
        ],
        "is no function of the policy",
    ),
    "a right of somebody with a quote": (
        ['CREATE ROLE """q"', 'GRANT SELECT ON golden.customer TO """q"'],
        "has SELECT on table",
    ),
    "a procedure": (
        ["CREATE PROCEDURE for_service.p() LANGUAGE sql AS 'SELECT 1'"],
        "is no function of the policy",
    ),
    "an aggregate": (
        ["CREATE AGGREGATE for_service.total(int4) (sfunc = int4pl, stype = int4)"],
        "is no function of the policy",
    ),
    "public opened": (["GRANT CREATE ON SCHEMA public TO PUBLIC"], "in the schema public"),
}


@pytest.mark.parametrize("what", list(BY_HAND))
def test_what_was_done_by_hand_is_told_and_mended(governed: GovernedHub, what: str) -> None:
    statements, told = BY_HAND[what]
    run(governed, *statements)
    found = drift(governed)
    assert any(told in one for one in found), found
    assert apply(governed) == []
    assert drift(governed) == []


def test_a_user_who_has_more_than_a_role_is_told(governed: GovernedHub) -> None:
    run(governed, "GRANT pg_read_all_data TO cdm_login_sales")
    try:
        assert drift(governed) == [
            "the user cdm_login_sales has a role and is a member of pg_read_all_data, which reads more"
        ]
        result = cdm(governed, "roles", "check")
        assert result.exit_code == 1
        assert (
            'REVOKE "pg_read_all_data" FROM "cdm_login_sales"'
            in cdm(governed, "roles", "apply", "--sql").stdout
        )
    finally:
        run(governed, "REVOKE pg_read_all_data FROM cdm_login_sales")
    assert cdm(governed, "roles", "check").exit_code == 0


@pytest.mark.parametrize(
    ("may", "told"),
    [("REPLICATION", "may replicate everything"), ("BYPASSRLS", "passes by row-level security")],
)
def test_a_user_who_may_read_more_without_a_right_is_told(governed: GovernedHub, may: str, told: str) -> None:
    run(governed, f"ALTER ROLE cdm_login_sales {may}")
    try:
        assert drift(governed) == [f"the user cdm_login_sales has a role and {told}"]
    finally:
        run(governed, f"ALTER ROLE cdm_login_sales NO{may}")


def test_a_user_who_has_a_role_by_way_of_another_is_told_too(governed: GovernedHub) -> None:
    run(
        governed,
        "CREATE ROLE team IN ROLE cdm_sales",
        "CREATE ROLE readers IN ROLE pg_read_all_data",
        "CREATE ROLE nina LOGIN IN ROLE team, readers",
    )
    try:
        told = "the user nina has a role and is a member of pg_read_all_data, which reads more"
        assert told in drift(governed)
    finally:
        run(governed, "DROP ROLE nina", "DROP ROLE readers", "DROP ROLE team")


def test_what_an_administrator_runs_holds_no_statement_of_others(governed: GovernedHub) -> None:
    name = '"x\nALTER ROLE cdm_login_sales SUPERUSER;--"'
    run(governed, f"CREATE ROLE {name} LOGIN IN ROLE cdm_service, pg_read_all_data")
    try:
        with governed.engine.connect() as connection:
            sql = access.script(access.drift(connection, governed.settings))
            connection.exec_driver_sql(sql)
            super_ = "SELECT rolsuper FROM pg_roles WHERE rolname = 'cdm_login_sales'"
            assert connection.exec_driver_sql(super_).scalar_one() is False
            connection.commit()
        assert drift(governed) == []
    finally:
        run(governed, f"DROP ROLE {name}")


def test_a_view_that_others_read_is_told_when_it_has_to_go(governed: GovernedHub) -> None:
    run(governed, "CREATE SCHEMA company", "CREATE VIEW company.own AS SELECT * FROM for_service.customer")
    try:
        with governed.engine.begin() as connection, pytest.raises(HubError) as told:
            role_schemas.drop_views(connection)
        assert "for_service.customer is read by a view or function that somebody else made" in str(told.value)
    finally:
        run(governed, "DROP SCHEMA company CASCADE")
    assert drift(governed) == []


def test_somebody_elses_table_in_a_schema_of_ours_is_told_and_kept(governed: GovernedHub) -> None:
    run(governed, "CREATE TABLE for_sales.notes (x int)")
    try:
        assert any("for_sales.notes is a table that somebody else made" in one for one in drift(governed))
        apply(governed)
        run(governed, "SELECT * FROM for_sales.notes")
    finally:
        run(governed, "DROP TABLE for_sales.notes")


def test_a_role_taken_out_of_the_policy_goes(governed: GovernedHub) -> None:
    path = governed.settings.policies / "roles.yaml"
    former = path.read_text(encoding="utf-8")
    roles = yaml.safe_load(former)
    roles["roles"]["intern"] = {**roles["roles"]["sales"], "description": "Learns."}
    path.write_text(yaml.safe_dump(roles, sort_keys=False), encoding="utf-8")
    assert apply(governed) == []
    path.write_text(former, encoding="utf-8")
    assert any("for_intern is of no role" in one for one in drift(governed))
    assert apply(governed) == []
    with governed.engine.connect() as connection:
        assert connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = 'cdm_intern'")).first() is None
        assert (
            connection.execute(text("SELECT 1 FROM pg_namespace WHERE nspname = 'for_intern'")).first()
            is None
        )


def test_who_has_agreed_to_nothing_is_not_seen_for_a_purpose_that_needs_it(governed: GovernedHub) -> None:
    path = governed.settings.policies / "roles.yaml"
    former = path.read_text(encoding="utf-8")
    roles = yaml.safe_load(former)
    roles["roles"]["campaign"] = {**roles["roles"]["marketing"], "rows": {"consent": "marketing"}}
    path.write_text(yaml.safe_dump(roles, sort_keys=False), encoding="utf-8")
    try:
        assert apply(governed) == []
        with governed.engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM for_campaign.customer")) == 0
            assert connection.scalar(text("SELECT count(*) FROM for_campaign.profile_rfm")) == 0
            assert connection.scalar(text("SELECT count(*) FROM for_campaign.product")) == 1
            for golden_id, allowed in ((ANNA, True), (PIET, False)):
                connection.execute(
                    text(
                        """INSERT INTO privacy.consent (golden_id, purpose, channel, allowed, state, why, shared,
                        contradictory) VALUES (:id, 'marketing', 'email', :allowed, 'given', '', false, false)"""
                    ),
                    {"id": golden_id, "allowed": allowed},
                )
            seen = connection.scalars(text("SELECT golden_id::text FROM for_campaign.profile_rfm")).all()
            assert seen == [ANNA]
            ends = "UPDATE privacy.consent SET expires = now() {} interval '1 hour' WHERE allowed"
            for when, count in (("-", 0), ("+", 1)):
                connection.execute(text(ends.format(when)))
                seen_now = connection.scalars(text("SELECT count(*) FROM for_campaign.customer")).one()
                assert seen_now == count, "a yes that has ended since the day of the data is none"
            for purpose, count in (("personalisation", 1), ("marketing", 0), ("", 0)):
                connection.execute(text("DELETE FROM privacy.restriction"))
                connection.execute(
                    text("INSERT INTO privacy.restriction VALUES ('crm', 'contact', 'R1', :purpose, 1)"),
                    {"purpose": purpose},
                )
                seen = connection.scalars(text("SELECT count(*) FROM for_campaign.customer")).one()
                assert seen == count, purpose
    finally:
        path.write_text(former, encoding="utf-8")
        apply(governed)


def test_values_that_lost_are_hidden_with_those_that_won(governed: GovernedHub) -> None:
    lost = '[{"value": "SECRET", "source": "erp", "entity": "customer", "record_id": "9"}]'
    rows = ", ".join(
        f"('{ANNA}', '{attribute}', 'crm', 'contact', '003A', 'newest', '{lost}')"
        for attribute in ("iban", "email")
    )
    query = "SELECT attribute, losers::text ~ 'SECRET' FROM {}.provenance WHERE rule = 'newest' AND golden_id = '{}'"
    with governed.engine.connect() as connection:
        connection.execute(text("DELETE FROM golden.provenance WHERE attribute IN ('iban', 'email')"))
        connection.execute(
            text(
                f"""INSERT INTO golden.provenance (golden_id, attribute, source, entity, record_id, rule, losers)
                VALUES {rows}"""
            )
        )
        seen = {
            role: dict(connection.execute(text(query.format(f"for_{role}", ANNA))).tuples().all())
            for role in ("steward", "privacy_officer")
        }
        connection.execute(
            text(
                f"""INSERT INTO golden.customer_history
                SELECT (jsonb_populate_record(NULL::golden.customer_history, to_jsonb(c) || jsonb_build_object(
                    'valid_from', now(), 'valid_to', now(), 'opened_by', 1, 'closed_by', 1,
                    'provenance', (SELECT jsonb_agg(to_jsonb(p)) FROM golden.provenance p
                                   WHERE p.golden_id = c.golden_id)))).*
                FROM golden.customer c WHERE c.golden_id = '{ANNA}'"""
            )
        )
        former = connection.scalars(
            text(f"SELECT provenance FROM for_steward.customer_history WHERE golden_id = '{ANNA}'")
        ).one()
    assert seen["steward"] == {"iban": False, "email": True}, "a steward reads account numbers masked"
    assert seen["privacy_officer"] == {"iban": True, "email": True}
    kept = {one["attribute"]: "SECRET" in str(one["losers"]) for one in former if one["rule"] == "newest"}
    assert kept == {"iban": False, "email": True}


def test_conditions_say_what_their_words_say(governed: GovernedHub) -> None:
    path = governed.settings.policies / "roles.yaml"
    former = path.read_text(encoding="utf-8")
    roles = yaml.safe_load(former)
    branch, odd = roles["roles"]["branch"], "$find$ 'x' \\ % {city} $$"
    roles["roles"]["others"] = {
        **branch,
        "rows": {
            "birth_date": {"none_of": ["1990-05-01"]},
            "country": {"none_of": ["BE"]},
            "source": ["crm"],
        },
    }
    roles["roles"]["odd"] = {**branch, "rows": {"city": odd}}
    path.write_text(yaml.safe_dump(roles, sort_keys=False), encoding="utf-8")
    moved = text("UPDATE golden.customer SET city = :city WHERE golden_id = :id")
    try:
        with governed.engine.begin() as connection:
            connection.execute(moved, {"city": odd, "id": ACME})
        assert apply(governed) == []
        assert drift(governed) == []
        ids = {}
        with governed.engine.connect() as connection:
            for relation in ("for_others.customer", "for_odd.customer", "for_odd.find('Acme')"):
                query = f"SELECT golden_id::text FROM {relation} ORDER BY 1"
                ids[relation] = list(connection.scalars(text(query)))
        assert ids == {
            "for_others.customer": [ANNA, ACME],  # an organisation has no date of birth
            "for_odd.customer": [ACME],
            "for_odd.find('Acme')": [ACME],
        }
    finally:
        with governed.engine.begin() as connection:
            connection.execute(moved, {"city": None, "id": ACME})
        path.write_text(former, encoding="utf-8")
        apply(governed)


def change_profile(governed: GovernedHub, change: str) -> None:
    with governed.engine.begin() as connection:
        drop_views(connection)
        connection.exec_driver_sql(f"ALTER TABLE profile.rfm {change}")
        enrichment = policy_of(governed.settings)
        make_views(connection, tables_of(enrichment), groups_of(enrichment))
        assert access.apply(connection, governed.settings) == []


def test_views_follow_when_tables_of_the_profile_change(governed: GovernedHub) -> None:
    """A column comes that nobody declared: it counts as personal, and only who reads all of a person sees it."""
    change_profile(governed, "ADD COLUMN shoe_size text DEFAULT '44'")
    try:
        assert drift(governed) == []
        seen = {}
        for role in ("sales", "privacy_officer"):
            with governed.login(role) as user:
                row = user.execute(f"SELECT t::text FROM for_{role}.profile_rfm AS t".encode()).fetchone()
                seen[role] = row is not None and "44" in row[0]
        assert seen == {"sales": False, "privacy_officer": True}
    finally:
        change_profile(governed, "DROP COLUMN shoe_size")


def found_by(governed: GovernedHub, role: str, typed: str) -> set[str]:
    with governed.login(role) as user:
        rows = user.execute(f"SELECT golden_id FROM for_{role}.find(%s)".encode(), (typed,)).fetchall()
    return {str(row[0]) for row in rows}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("anna.vandenberghe@example.nl", {ANNA}),
        ("ANNA.Vandenberghe@example.nl", {ANNA}),
        ("06-12345678", {ANNA}),
        ("+31 6 1234 5678", {ANNA}),
        ("0032470123456", {ELS}),
        ("1234AB 12", {ANNA}),
        ("Vandenberghe", {ANNA}),
        ("Vandenberge", {ANNA}),
        ("delft", {ANNA, PIET}),
        ("ORD-3", {ELS}),
        ("R4", {ACME}),
        (PIET, {PIET}),
        ("nobody", set()),
        ("", set()),
        ("' OR true --", set()),
        ("00000000-0000-0000-0000-000000000000", set()),
        ("%", set()),
        ("\\", set()),
    ],
)
def test_a_search_finds_customers_by_what_is_masked(
    governed: GovernedHub, typed: str, expected: set[str]
) -> None:
    assert found_by(governed, "service", typed) == expected


def test_a_search_finds_nobody_whom_the_role_does_not_see(governed: GovernedHub) -> None:
    for typed in ("els@voorbeeld.be", "Verborgen", "ORD-3", ELS, "R3", "Acme"):
        assert found_by(governed, "branch", typed) == set(), typed
    assert found_by(governed, "branch", "Vandenberghe") == {ANNA}


def test_a_search_finds_those_whom_the_role_sees_among_many_others(governed: GovernedHub) -> None:
    others = """(SELECT md5('other ' || n)::uuid AS id FROM generate_series(1, 300) n) AS o"""
    run(
        governed,
        f"""INSERT INTO golden.customer SELECT (jsonb_populate_record(c, jsonb_build_object('golden_id', o.id,
            'country', 'BE'))).* FROM golden.customer c, {others} WHERE c.golden_id = '{ANNA}'""",
        f"""INSERT INTO golden.search SELECT (jsonb_populate_record(s, jsonb_build_object('golden_id', o.id))).*
            FROM golden.search s, {others} WHERE s.golden_id = '{ANNA}'""",
        # who is sought comes last in the table
        f"UPDATE golden.search SET terms = terms WHERE golden_id = '{ANNA}'",
    )
    try:
        for typed in ("Vandenberghe", "anna.vandenberghe@example.nl", "06-12345678", "1234AB 12"):
            assert ANNA in found_by(governed, "branch", typed), typed
    finally:
        gone = f"IN (SELECT id FROM {others})"
        run(
            governed,
            f"DELETE FROM golden.search WHERE golden_id {gone}",
            f"DELETE FROM golden.customer WHERE golden_id {gone}",
        )


def test_a_search_forgives_no_slip_in_names_that_the_role_reads_masked(governed: GovernedHub) -> None:
    """Else whoever asks with one letter after the other would spell the name."""
    path = governed.settings.policies / "roles.yaml"
    former = path.read_text(encoding="utf-8")
    roles = yaml.safe_load(former)
    service = roles["roles"]["service"]
    roles["roles"]["desk"] = {**service, "reads": {**service["reads"], "user.name": "masked"}}
    path.write_text(yaml.safe_dump(roles, sort_keys=False), encoding="utf-8")
    try:
        assert apply(governed) == []
        run(governed, "CREATE ROLE cdm_login_desk LOGIN IN ROLE cdm_desk")
        assert found_by(governed, "desk", "Vandenberghe") == {ANNA}
        assert found_by(governed, "desk", "Vandenberge") == set()
    finally:
        run(governed, "DROP ROLE cdm_login_desk")
        path.write_text(former, encoding="utf-8")
        apply(governed)


def test_a_search_finds_whom_an_id_was_merged_into_and_nobody_who_is_gone(governed: GovernedHub) -> None:
    merged, gone = (f"00000000-0000-5000-8000-0000000000{n}" for n in ("a1", "a2"))
    run(
        governed,
        f"""INSERT INTO identity.golden_id (golden_id, source, entity, record_id, generation, sequence, status,
            alias_of) VALUES ('{merged}', 'crm', 'contact', 'RA', 0, 91, 'alias', '{ANNA}')""",
        f"""INSERT INTO identity.golden_id SELECT '{gone}', source, entity, 'RB', 0, 92, 'retired'
            FROM identity.golden_id WHERE golden_id = '{ANNA}'""",
        f"UPDATE identity.golden_id SET status = 'retired' WHERE golden_id = '{PIET}'",
    )
    try:
        assert found_by(governed, "service", merged) == {ANNA}
        assert found_by(governed, "service", gone) == set()
        assert found_by(governed, "service", PIET) == set()
    finally:
        run(
            governed,
            f"DELETE FROM identity.golden_id WHERE golden_id IN ('{merged}', '{gone}')",
            f"UPDATE identity.golden_id SET status = 'current' WHERE golden_id = '{PIET}'",
        )


def test_a_search_uses_nothing_that_is_hidden(governed: GovernedHub) -> None:
    """A steward reads no orders, so an order number finds nobody; nor would asking tell that there is one."""
    assert found_by(governed, "steward", "ORD-3") == set()
    assert found_by(governed, "steward", "els@voorbeeld.be") == {ELS}


def test_names_of_the_reader_have_no_part_in_a_search(governed: GovernedHub) -> None:
    with governed.login("service") as user:
        user.execute("CREATE DOMAIN pg_temp.uuid AS pg_catalog.text CHECK (false)")
        user.execute("CREATE FUNCTION pg_temp.lower(text) RETURNS text LANGUAGE sql AS 'SELECT 1 / 0'")
        user.execute("SET search_path = pg_temp, pg_catalog")
        (found,) = user.execute("SELECT golden_id FROM for_service.find(%s)", (ANNA,)).fetchall()
    assert str(found[0]) == ANNA


def test_a_search_leaves_a_line_without_what_was_typed(governed: GovernedHub) -> None:
    found_by(governed, "service", "anna.vandenberghe@example.nl")
    with governed.engine.connect() as connection:
        line = (
            connection.execute(text("SELECT * FROM ops.access_log ORDER BY access_id DESC LIMIT 1"))
            .mappings()
            .one()
        )
    assert (line["who"], line["role"], line["purpose"]) == ("cdm_login_service", "service", "service")
    assert [str(one) for one in line["golden_ids"]] == [ANNA]
    assert "user.contact.email" in line["categories"]
    assert "vandenberghe" not in str(dict(line)).lower()


def test_what_is_declared_has_the_types_that_the_database_has(governed: GovernedHub) -> None:
    """What is told of roles without asking a database, such as the page of who sees what, is what one would tell."""
    with governed.engine.connect() as connection:
        there = role_access.relations(connection)
    declared = types(access.governed(governed.settings).catalogue)
    assert {name: columns for name, columns in there.items() if name not in NEVER} == declared


def test_customers_alike_in_all_that_an_analyst_sees_are_one_group(governed: GovernedHub) -> None:
    """Who is alike but for a trait that is in the view, such as the language, is no company to hide in."""
    with governed.engine.connect() as connection:
        query = """SELECT array_agg(n) FROM (SELECT count(*) AS n FROM (SELECT birth_date, gender, postcode, country,
            language FROM for_analyst.customer) AS t GROUP BY t) AS g"""
        connection.exec_driver_sql(
            f"UPDATE golden.customer SET birth_date = '1980-05-05', gender = 'female', postcode = '1299 ZZ', "
            f"country = 'NL', language = CASE golden_id WHEN '{PIET}' THEN 'en' ELSE 'nl' END"
        )
        assert connection.exec_driver_sql(query).scalar() in ([1, 3], [3, 1])
        (figures,) = anonymity(connection, governed.settings)
        connection.rollback()
    assert (figures.groups, figures.smallest, figures.below) == (2, 1, 4)


def test_k_anonymity_is_counted(governed: GovernedHub) -> None:
    with governed.engine.connect() as connection:
        (figures,) = anonymity(connection, governed.settings)
    assert (figures.customers, figures.groups, figures.smallest, figures.below) == (4, 4, 1, 4)
    assert set(figures.quasi_identifiers) == {"birth_date", "gender", "postcode", "country", "language"}
    assert "analyst" in cdm(governed, "roles", "anonymity").stdout


def test_a_user_with_few_rights_is_told_what_an_administrator_runs(tmp_path: Path) -> None:
    with server(None) as url:
        with psycopg.connect(url, autocommit=True) as administrator:
            administrator.execute("CREATE ROLE pipeline LOGIN")
            administrator.execute("CREATE DATABASE company OWNER pipeline")
            administrator.execute(b"CREATE ROLE stranger LOGIN")
        own = make_url(url).set(username="pipeline", database="company").render_as_string()
        with psycopg.connect(
            make_url(url).set(database="company").render_as_string(), autocommit=True
        ) as admin:
            for extension in ("pg_trgm", "unaccent"):
                admin.execute(f"CREATE EXTENSION {extension}".encode())
            with pytest.raises(AssertionError), governed_hub(own, tmp_path, "acme"):
                pass
            (tmp_path / "second").mkdir()
            settings = governed_settings(own, tmp_path)
            script = CliRunner().invoke(app, ["roles", "apply", "--sql"], env=settings.environment())
            assert script.exit_code == 0
            assert 'CREATE ROLE "acme_service" NOLOGIN;' in script.stdout
            admin.execute(script.stdout.encode())
        result = CliRunner().invoke(app, ["roles", "apply"], env=settings.environment())
        assert result.exit_code == 0, result.output
        assert CliRunner().invoke(app, ["roles", "check"], env=settings.environment()).exit_code == 0
        strange = make_url(own).set(username="stranger").render_as_string()
        with psycopg.connect(strange) as stranger, pytest.raises(psycopg.errors.InsufficientPrivilege):
            stranger.execute("SELECT * FROM for_service.customer")


def governed_settings(url: str, folder: Path) -> Settings:

    return load_settings(
        home=folder / "home",
        database_url=url,
        policies=folder / "own",
        role_prefix="acme",
        lake_url=str(folder / "lake"),
    )


def test_two_deployments_on_one_server_have_roles_of_their_own(tmp_path: Path) -> None:
    with server(None) as url:
        with psycopg.connect(url, autocommit=True) as administrator:
            administrator.execute("CREATE DATABASE other")
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        other = make_url(url).set(database="other").render_as_string()
        with (
            governed_hub(url, tmp_path / "a", "one") as one,
            governed_hub(other, tmp_path / "b", "two") as two,
        ):
            assert drift(one) == drift(two) == []
            with two.login("service") as user:
                assert user.execute("SELECT count(*) FROM for_service.customer").fetchone() == (4,)
            crossed = make_url(other).set(username="one_login_service").render_as_string()
            with psycopg.connect(crossed) as user, pytest.raises(psycopg.errors.InsufficientPrivilege):
                user.execute("SELECT * FROM for_service.customer")
