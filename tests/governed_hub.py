"""A governed hub with a few customers, on any version of PostgreSQL that is here, for the tests of roles."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from sqlalchemy import Engine, create_engine, inspect, make_url, text
from sqlalchemy.schema import CreateSchema

from cdm_pipelines.hub.connection import DAGSTER_SCHEMA, DRIVER
from cdm_pipelines.hub.migrate import migrate
from cdm_pipelines.hub.profile import table_of
from cdm_pipelines.hub.profile_views import make_views
from cdm_pipelines.hub.schema import SCHEMAS
from cdm_pipelines.hub.server import EmbeddedServer
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.privacy import access
from cdm_pipelines.steps.profile.enrich import groups_of, policy_of, tables_of

POLICIES = Settings.model_fields["policies"].default
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}
VERSIONS = (14, 15)
NEEDED = "TEST_POSTGRES"
"""Names the variable of the version that has to be installed, as it is in CI: without that version the test fails."""
_FOLDERS = ("/usr/lib/postgresql/{}/bin", "/usr/pgsql-{}/bin", "/opt/homebrew/opt/postgresql@{}/bin")
ANNA, PIET, ELS, ACME = (f"00000000-0000-5000-8000-00000000000{n}" for n in range(1, 5))
SECRETS = (
    "Vandenberghe",
    "anna.vandenberghe",
    "612345678",
    "NL91ABNA0417164300",
    "Geheimstraat",
    "1980-02-29",
)
"""Values of Anna: what a role does not read in clear must not hold one."""
BRANCH: dict[str, Any] = {
    "description": "A branch in the Netherlands, for persons.",
    "purposes": ["service"],
    "tables": ["golden.*", "profile.*", "identity.golden_id", "ops.review_item"],
    "reads": {"system": "clear", "user": "clear", "user.contact.email": "masked"},
    "rows": {"country": ["NL"], "party_kind": "person"},
    "search": True,
}


@dataclass(frozen=True)
class GovernedHub:
    """A hub with roles, and users who have one each."""

    settings: Settings
    engine: Engine
    url: str

    def login(self, role: str) -> "psycopg.Connection[tuple[Any, ...]]":
        """Connect as the user of a role."""
        url = make_url(self.url).set(username=f"{self.settings.role_prefix}_login_{role}")
        return psycopg.connect(url.render_as_string(), autocommit=True)


def older_programs() -> Path:
    """Programs of a server of one of the oldest versions that we support; skips the test where there is none."""
    needed = os.environ.get(NEEDED, "")
    for version in [needed] if needed else VERSIONS:
        for folder in (Path(one.format(version)) for one in _FOLDERS):
            if (folder / "initdb").exists():
                return folder
    if needed:
        pytest.fail(
            f"{NEEDED}={needed}, and PostgreSQL {needed} is not installed: apt-get install postgresql-{needed}"
        )
    pytest.skip(
        f"no PostgreSQL {' or '.join(map(str, VERSIONS))} is installed here: apt-get install postgresql-15"
    )


@contextmanager
def server(programs: Path | None) -> Iterator[str]:
    """A quick server of the embedded PostgreSQL, or of other programs."""
    with (
        tempfile.TemporaryDirectory(prefix="cdm-") as home,
        EmbeddedServer(Path(home), programs=programs, options=FAST).running() as url,
    ):
        yield url


@contextmanager
def governed_hub(url: str, folder: Path, prefix: str = "cdm") -> Iterator[GovernedHub]:
    """A hub in the database of a URL, with customers, a profile, the shipped roles and a branch's."""
    policies = folder / "policies"
    policies.symlink_to(POLICIES) if not policies.exists() else None
    own = folder / "own"
    own.mkdir()
    for path in POLICIES.iterdir():
        if path.name != "roles.yaml":
            (own / path.name).symlink_to(path)
    roles = yaml.safe_load((POLICIES / "roles.yaml").read_text(encoding="utf-8"))
    roles["roles"]["branch"] = BRANCH
    (own / "roles.yaml").write_text(yaml.safe_dump(roles, sort_keys=False), encoding="utf-8")
    settings = load_settings(
        home=folder / "home",
        landing_url=str(folder / "landing"),
        lake_url=str(folder / "lake"),
        database_url=url,
        policies=own,
        role_prefix=prefix,
        threads=1,
    )
    engine = create_engine(make_url(url).set(drivername=DRIVER))
    try:
        migrate(engine)
        with engine.begin() as connection:
            fill(connection, settings)
            left = access.apply(connection, settings)
            assert left == []
            for role in [*roles["roles"]]:
                connection.execute(
                    text(f'CREATE ROLE "{prefix}_login_{role}" LOGIN IN ROLE "{prefix}_{role}"')
                )
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
        yield GovernedHub(settings, engine, url)
    finally:
        engine.dispose()


def fill(connection: Any, settings: Settings) -> None:
    """Customers of two countries and kinds, orders, an invoice, an article, and tables of the profile."""
    enrichment = policy_of(settings)
    for declared in tables_of(enrichment):
        table_of(declared).create(connection)
    make_views(connection, tables_of(enrichment), groups_of(enrichment))
    for statement in _ROWS.split(";\n"):
        connection.exec_driver_sql(statement.replace("%", "%%"))
    connection.execute(CreateSchema(DAGSTER_SCHEMA))
    for name in (DAGSTER_SCHEMA, *SCHEMAS):
        if not inspect(connection).get_table_names(
            schema=name
        ):  # of Dagster, and of a version that is checked
            connection.exec_driver_sql(
                f"CREATE TABLE {name}.stand_in (id serial, surname text);"
                f"INSERT INTO {name}.stand_in (surname) SELECT surname FROM golden.customer, generate_series(1, 9)"
            )


_DAY = "'2026-01-01', '2026-01-01'"
_ROWS = f"""
INSERT INTO golden.customer (golden_id, party_kind, status, given_name, surname_prefix, surname, birth_date, gender,
    street, house_number, postcode, city, country, email, mobile, iban, job_title,
    record_count, source_count, first_seen, last_seen) VALUES
('{ANNA}', 'person', 'active', 'Anna', 'van den', 'Vandenberghe', '1980-02-29', 'female', 'Geheimstraat', '12',
    '1234 AB', 'Delft', 'NL', 'anna.vandenberghe@example.nl', '+31612345678', 'NL91ABNA0417164300', NULL, 1, 1, {_DAY}),
('{PIET}', 'person', 'active', 'Piet', NULL, 'Jansen', '1990-05-01', 'male', 'Dorpsstraat', '1',
    '1234 AB', 'Delft', 'NL', 'piet@example.nl', '+31698765432', NULL, NULL, 1, 1, {_DAY}),
('{ELS}', 'person', 'active', 'Els', NULL, 'Verborgen', '1971-03-04', 'female', 'Kerkstraat', '5',
    '9000', 'Gent', 'BE', 'els@voorbeeld.be', '+32470123456', NULL, NULL, 1, 1, {_DAY});
INSERT INTO golden.customer (golden_id, party_kind, status, organisation_name, country, vat_number,
    record_count, source_count, first_seen, last_seen) VALUES
('{ACME}', 'organisation', 'active', 'Acme Wonen', 'NL', 'NL123456782B12', 1, 1, {_DAY});
INSERT INTO golden.crosswalk SELECT 'crm', 'contact', 'R' || right(golden_id::text, 1), golden_id, true
    FROM golden.customer;
INSERT INTO identity.golden_id SELECT golden_id, 'crm', 'contact', 'R' || right(golden_id::text, 1), 0,
    right(golden_id::text, 1)::int, 'current' FROM golden.customer;
INSERT INTO golden.provenance SELECT golden_id, '*', 'crm', 'contact', 'R', 'only',
    '[{{"value": "Geheimstraat"}}]', NULL FROM golden.customer;
INSERT INTO golden.customer_order (source, entity, record_id, golden_id, active, order_id, party_email, status,
    total_amount) SELECT 'erp', 'order', 'O' || right(golden_id::text, 1), golden_id, true,
    'ORD-' || right(golden_id::text, 1), email, 'paid', 10 FROM golden.customer;
INSERT INTO golden.customer_order (source, entity, record_id, active, order_id) VALUES
    ('erp', 'order', 'O9', true, 'ORD-9');
INSERT INTO golden.order_line (source, entity, record_id, active, order_id, line_id, product_code)
    SELECT 'erp', 'order_line', 'L' || record_id, true, order_id, '1', 'P1' FROM golden.customer_order;
INSERT INTO golden.invoice (source, entity, record_id, golden_id, active, invoice_id, amount)
    SELECT 'erp', 'invoice', 'I' || right(golden_id::text, 1), golden_id, true, 'INV', 10 FROM golden.customer;
INSERT INTO golden.product (source, entity, record_id, active, product_code, name) VALUES
    ('erp', 'product', 'P1', true, 'P1', 'Lamp');
INSERT INTO golden.search SELECT golden_id, terms FROM golden.search_source;
INSERT INTO golden.search_word SELECT word, count(*), golden.search_slips(word)
    FROM golden.search, unnest(terms) AS word WHERE word ~ '^[a-z0-9]' GROUP BY word;
INSERT INTO profile.rfm (golden_id, segment, net, as_of) SELECT golden_id, 'loyal', 10, '2026-01-01'
    FROM golden.customer;
UPDATE ops.feed SET hub_id = '{ANNA}', secret = 'a salt'"""
