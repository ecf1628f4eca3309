"""R9: whatever the pipeline leaves behind, some declaration covers it; and what is erased is gone for good."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdm_pipelines.commands.operate import LOCK
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.migrate import migrate
from cdm_pipelines.hub.persons import persons_of
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.customers.publication import publish_customers, stage_customers
from cdm_pipelines.steps.customers.source_corrections import corrections_leaving, write_corrections
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.steps.operate.coverage import Coverage, coverage
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.stewardship.decisions import constraints
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Erased, Persons, Register, Stores, erase, search

from .conftest import DAYS, Deployment
from .test_commands import read_csv, write_csv

SINK = "sinks:\n  warehouse:\n    kind: files\n    purpose: service\n"
SINGLE = """SELECT golden_id::text FROM golden.customer WHERE party_kind = 'person' AND record_count = 1 ORDER BY 1"""


@dataclass(frozen=True)
class Lived:
    """A deployment in which everything has happened that leaves something behind."""

    home: Deployment

    @property
    def outputs(self) -> Path:
        return Path(self.home.settings.home) / "outputs"

    @property
    def register(self) -> Register:
        return all_places(self.home.settings)

    def check(self, register: Register | None = None) -> Coverage:
        outside = {
            "cdm link --out": self.outputs / "linked",
            "cdm link sample": self.outputs / "sample.csv",
            "cdm link --picture": self.outputs / "picture.svg",
            "cdm export golden": self.outputs / "exports",
            "cdm report": self.outputs / "reports",
            "cdm quarantine export": self.outputs / "rejected.csv",
        }
        with open_hub(self.home.settings) as engine, engine.connect() as connection:
            return coverage(register or self.register, self.home.settings, connection, outside)


@pytest.fixture(scope="module")
def lived(deploy: Callable[..., Deployment]) -> Lived:
    own = deploy().settings
    policies = own.home / "policies"
    shutil.copytree(own.policies, policies)
    (policies / "change_feed.yaml").write_text(SINK, encoding="utf-8")
    given = {
        name: getattr(own, name) for name in ("home", "landing_url", "lake_url", "database_url", "threads")
    }
    home = Deployment(load_settings(**given, policies=policies))
    lived = Lived(home)
    out = lived.outputs
    contact = home.landing / "crm" / "contact" / f"{DAYS[0]}.csv"
    rows = read_csv(contact)
    write_csv(contact, [*rows, dict(rows[5], Id="", LastName="Zonderling", Email="wobbe@zonderling.nl")])
    assert home.run(DAYS[0]) == 0
    one, other, third, fourth, *_ = [str(row[0]) for row in home.query(SINGLE)]
    home.ask("steward", "same", one, other, "--by", "Stien", "--because", "same passport")
    home.ask("steward", "different", *crossed(home), "--by", "Stien")
    home.ask("steward", "set", third, "job_title=keeper of bees", "--by", "Stien")
    home.ask("steward", "confirm", fourth, "--by", "Stien")
    home.ask("quarantine", "export", "crm/contact", "--date", DAYS[0], "--out", str(out / "rejected.csv"))
    rejected = [row for row in read_csv(out / "rejected.csv") if row["LastName"] == "Zonderling"]
    home.ask("quarantine", "retry", str(write_csv(out / "retried.csv", [{**rejected[0], "Id": "003ZZ"}])))
    (out / "retried.csv").unlink()
    assert home.run(DAYS[1], DAYS[2], refit=True) == 0
    for name in ("csv", "parquet", "jsonl"):
        home.ask("export", "golden", "--format", name, "--out", str(out / "exports" / f"customers.{name}"))
    people = str(out / "exports" / "customers.csv")
    home.ask("link", people, "--out", str(out / "linked"))
    home.ask("link", "sample", str(out / "sample.csv"))
    records = home.query("SELECT source || '/' || entity || '|' || record_id FROM golden.crosswalk LIMIT 2")
    home.ask("link", "explain", *(str(row[0]) for row in records), "--picture", str(out / "picture.svg"))
    home.ask("customer", "jansen")
    home.ask("audience", "deliver", "newsletter")
    [(member,)] = home.query(
        "SELECT golden_id::text FROM activation.delivery_member WHERE action = 'added' ORDER BY 1 LIMIT 1"
    )
    said = ("--purpose", "marketing", "--channel", "email", "--state", "withdrawn", "--by", "Petra")
    home.ask("privacy", "say", member, *said)
    assert "1 removed" in home.ask("audience", "deliver", "newsletter")
    home.ask("audience", "results")
    home.ask("report", "--out", str(out / "reports" / "board.html"))
    (own.home / LOCK).write_text("4711\n", encoding="utf-8")  # as `cdm up` leaves it
    return lived


def crossed(home: Deployment) -> tuple[str, str]:
    """A customer of several records, and one of its records."""
    [(golden, record)] = home.query(
        """SELECT golden_id::text, min(source || '/' || entity || '/' || record_id) FROM golden.crosswalk
           JOIN golden.customer USING (golden_id) WHERE party_kind = 'person'
           GROUP BY golden_id HAVING count(*) = 2 ORDER BY 1 LIMIT 1"""
    )
    return str(record), str(golden)


def test_every_file_table_and_column_is_declared(lived: Lived) -> None:
    found = lived.check()
    assert found.faults == ()
    left_nothing = {place.name for place in lived.register} - found.seen
    left_nothing -= {"policies/enrichers"}  # this company has none of its own
    left_nothing -= {"privacy/erasures", "publish/kept_out"}  # nobody was erased by a request
    left_nothing -= {"privacy/protection"}  # nor has it anything that is encrypted
    assert {name for name in left_nothing if name.partition("/")[0] not in MAY_BE_ABSENT} == set()


MAY_BE_ABSENT = {"staging", "corrections", "home", "temporary", "lake", "outside", "profile"}
"""Layers of which this deployment needs not have every place: its server is another, and no process was killed."""


def test_a_server_of_our_own_leaves_nothing_undeclared(tmp_path: Path) -> None:
    settings = load_settings(
        home=tmp_path / "home", landing_url=str(tmp_path / "landing"), lake_url=str(tmp_path / "lake")
    )
    with open_hub(settings) as engine:
        migrate(engine)
        with engine.connect() as connection:
            found = coverage(all_places(settings), settings, connection)
    assert found.faults == ()
    assert {"home/postgres/data", "home/postgres/log", "home/postgres/locks"} <= found.seen


# The check sees what is wrong


def test_a_table_that_nobody_declared_is_told(lived: Lived) -> None:
    lived.home.alter("CREATE TABLE golden.nickname (golden_id uuid, nickname text)")
    try:
        assert lived.check().faults == (
            "hub: golden.nickname is declared by no place; add one to the `places` of the room that writes it",
        )
    finally:
        lived.home.alter("DROP TABLE golden.nickname")


def test_a_column_that_nobody_declared_is_told(lived: Lived) -> None:
    lived.home.alter("ALTER TABLE golden.customer ADD COLUMN nickname text")
    try:
        assert lived.check().faults == (
            "hub: golden.customer: column nickname is not declared; add it to place golden/customer with its category",
        )
    finally:
        lived.home.alter("ALTER TABLE golden.customer DROP COLUMN nickname")


@pytest.mark.parametrize("place", ["lake", "home", "landing"])
def test_a_file_that_nobody_declared_is_told(lived: Lived, place: str) -> None:
    own = lived.home.settings
    folder = {"lake": Path(own.lake_url), "home": own.home, "landing": Path(own.landing_url)}[place]
    stray = folder / "link" / "cache.parquet" if place == "lake" else folder / "notes.txt"
    pq.write_table(pa.table({"email": ["a@b.nl"]}), stray)
    try:
        (fault,) = lived.check().faults
    finally:
        stray.unlink()
    assert fault.startswith(f"{place}: {stray.relative_to(folder)} is declared by no place")


def changed(register: Register, name: str, **values: object) -> Register:
    """The register with one place declared otherwise."""
    return Register(replace(one, **values) if one.name == name else one for one in register)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "column", "category", "told"),
    [
        ("golden/customer", "birth_date", None, "hub: golden.customer: column birth_date is not declared"),
        ("records/party", "iban", None, "column iban is not declared; add it to place records/party"),
        ("link/matches", "weight", None, "lake: link/matches.arrow: column weight is not declared"),
        ("golden/customer", "surname", "system.operations", "column surname is personal"),
        ("standard/crm/contact/party", "email", "system.operations", "column email is personal"),
        ("standard/crm/contact/party", "shoe_size", "user", "there is no column shoe_size; remove it"),
        ("ops/outbox", "shoe_size", "user", "hub: ops.outbox: there is no column shoe_size; remove it"),
    ],
)
def test_a_column_declared_wrongly_is_told(
    lived: Lived, name: str, column: str, category: str | None, told: str
) -> None:
    columns = dict(lived.register.named(name).columns)
    columns.pop(column, None)
    if category is not None:
        columns[column] = category
    faults = lived.check(changed(lived.register, name, columns=columns)).faults
    assert faults
    assert all(told in fault for fault in faults)


def test_a_table_that_is_gone_and_a_pattern_that_is_too_wide_are_told(lived: Lived) -> None:
    wide = changed(lived.register, "dagster/home", pattern="dagster/**")
    assert any("is declared by dagster/logs and dagster/home" in one for one in lived.check(wide).faults)
    gone = changed(lived.register, "ops/sink", pattern="ops.gone")
    assert lived.check(gone).faults == (
        "hub: ops.sink is declared by no place; add one to the `places` of the room that writes it",
        "ops/sink: there is no table ops.gone; remove the declaration",
    )


# Persons


@pytest.fixture(scope="module")
def person(lived: Lived) -> tuple[Persons, tuple[str, ...]]:
    """A person with records in several sources, an order and a former version; and what only they have."""
    [(golden, email, phone)] = lived.home.query(
        """SELECT golden_id, email, coalesce(phone, mobile) FROM golden.customer c WHERE party_kind = 'person'
           AND source_count > 1 AND email IS NOT NULL AND coalesce(phone, mobile) IS NOT NULL
           AND golden_id IN (SELECT golden_id FROM golden.customer_order)
           AND NOT EXISTS (SELECT FROM golden.customer d WHERE d.golden_id <> c.golden_id
                           AND (d.email = c.email OR c.phone IN (d.phone, d.mobile) OR c.mobile IN (d.phone, d.mobile)))
           ORDER BY golden_id LIMIT 1"""
    )
    with open_hub(lived.home.settings) as engine, engine.connect() as connection:
        return persons_of(connection, [UUID(str(golden))]), (str(email), str(phone))


def test_a_person_is_found_in_every_layer(lived: Lived, person: tuple[Persons, tuple[str, ...]]) -> None:
    persons, (email, _) = person
    found = everything_about(lived, persons)
    layers = {name.partition("/")[0] for name in found}
    assert {
        "landing",
        "raw",
        "valid",
        "standard",
        "records",
        "link",
        "publish",
        "golden",
        "identity",
    } <= layers
    assert email in str(found["golden/customer"])
    assert {"records/party", "records/order", "golden/customer_order", "golden/search", "ops/outbox"} <= set(
        found
    )
    assert everything_about(lived, Persons.of([("crm", "contact", "nobody")])) == {}


def everything_about(lived: Lived, persons: Persons) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    with open_hub(lived.home.settings) as engine, engine.connect() as connection:
        stores = Stores(Lake(lived.home.settings.lake_url), connection)
        for place, one in search(lived.register, stores, persons):
            found.setdefault(place.name, []).extend(one.rows)
    return found


def erased(lived: Lived, persons: Persons) -> list[Erased]:
    with open_hub(lived.home.settings) as engine, engine.begin() as connection:
        return erase(lived.register, Stores(Lake(lived.home.settings.lake_url), connection), persons)


def traces(lived: Lived, values: tuple[str, ...]) -> set[str]:
    """Files and tables that hold any of some values, whatever their form."""
    lake = Path(lived.home.settings.lake_url)
    found = set()
    for path in sorted(lake.rglob("*")):
        if path.is_file():
            if path.suffix == ".parquet":
                content = str(pq.read_table(path).to_pylist())
            else:
                content = path.read_bytes().decode("utf-8", "replace")
            if any(value in content for value in values):
                found.add(str(path.relative_to(lake)))
    tables = lived.home.query(
        """SELECT schemaname || '.' || tablename FROM pg_tables
           WHERE schemaname IN ('golden', 'identity', 'ops', 'dagster', 'staging')"""
    )
    for (table,) in tables:
        for value in values:
            if lived.home.query(f"SELECT 1 FROM {table} AS t WHERE strpos(t::text, '{value}') > 0 LIMIT 1"):
                found.add(str(table))
    return found


def test_an_erased_person_is_gone_for_good_and_the_next_run_stands(
    lived: Lived, person: tuple[Persons, tuple[str, ...]]
) -> None:
    persons, values = person
    records = tuple(sorted(key[2] for key in persons.keys if key[1] in ("contact", "customer")))
    assert min(map(len, records)) > 8  # so that none is by chance a part of something else
    before = traces(lived, values)
    assert {"golden.customer", "ops.outbox"} & before == {"golden.customer"}
    assert {"records/party.arrow", "standard/crm/contact/2026-06-01/party.parquet"} & before
    others = lived.home.query("SELECT count(*) FROM golden.customer")[0][0]

    did = {one.place: one for one in erased(lived, persons)}
    assert traces(lived, values) == set()
    assert traces(lived, records) <= {"identity.golden_id"}
    assert did["golden/customer"].rows == 1
    assert did["records/party"].rows > 1
    assert set(everything_about(lived, persons)) == {"identity/event", "identity/golden_id"}
    assert lived.check().faults == ()
    assert sum(one.rows for one in erased(lived, persons)) == 0

    remade(lived)
    assert traces(lived, values) == set()
    assert traces(lived, records) <= {"identity.golden_id"}
    assert lived.home.query("SELECT count(*) FROM golden.customer")[0][0] == others - 1
    status = "SELECT DISTINCT status FROM identity.golden_id WHERE golden_id = '{}'"
    assert {row for one in persons.golden_ids for row in lived.home.query(status.format(one))} <= {
        ("retired",),
        ("alias",),
    }


def remade(lived: Lived) -> None:
    """The steps of the job customers, on the days as they are now."""
    settings = lived.home.settings
    lake = Lake(settings.lake_url)
    build_records(lake, all_contracts(), list(Entity))
    with open_hub(settings) as engine, engine.begin() as connection:
        link_parties(lake, settings, decided=constraints(connection))
        assert not stage_customers(connection, lake, settings).stopped
        publish_customers(connection, lake, settings)
        write_corrections(connection, lake, all_contracts(), corrections_leaving(connection, settings))


def test_the_register_is_a_command(lived: Lived) -> None:
    rows = json.loads(lived.home.ask("register", "--format", "json"))
    assert {row["place"] for row in rows} == {place.name for place in lived.register}
    customer = next(row for row in rows if row["place"] == "golden/customer")
    assert customer["where"] == "hub: golden.customer"
    assert "user.contact.email" in customer["categories"]
    assert customer["erased"] == "rows deleted"
    personal = lived.home.ask("register", "--format", "csv", "--personal").splitlines()
    assert personal[0].startswith("place,kind,where,")
    assert 1 < len(personal) < len(rows)
    assert "golden/customer " in lived.home.ask("register")
