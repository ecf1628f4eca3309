"""A canonical entity is one declaration: contract, records, hub, publication, events and dictionary follow from it.

The entity is declared here and nowhere else; no other file of the project knows of it.
"""

import csv
import datetime as dt
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, make_url, text

from cdm_pipelines.contracts import SourceContract, load_contract, render_dictionary
from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.contracts.canonical import (
    Attribute,
    Entity,
    EntityDeclaration,
    OfParent,
    OfParty,
    ValueType,
)
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.entity import SemanticType, declare, withdraw
from cdm_pipelines.defs.customers.records import records_assets
from cdm_pipelines.hub import migrate as migrations
from cdm_pipelines.hub.bulk import whole_table
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.publish import PublishResult, promote
from cdm_pipelines.hub.published import customers_of, published
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.customers.export import export_table
from cdm_pipelines.steps.customers.publication import stage_customers
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.steps.stewardship import decisions
from cdm_pipelines.steps.stewardship.decisions import constraints
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

from .conftest import DAYS, Deployment

TICKET, REMARK = Entity("service_ticket"), Entity("ticket_remark")
SERVICE = "user.behavior"
_ticket = partial(Attribute, TICKET, group="ticket", privacy=SERVICE)
_remark = partial(Attribute, REMARK, group="remark", privacy=SERVICE)
T = ValueType

TICKETS = EntityDeclaration(
    entity=TICKET,
    plural="service tickets",
    description="Questions and complaints with the golden customer who has them.",
    whose=OfParty(by=(("party_id", "record_id"), ("party_email", "email"))),
    attributes=(
        _ticket("ticket_id", T.TEXT, "Number of the ticket.", key=True),
        _ticket("party_id", T.REFERENCE, "Record of the customer who asked."),
        _ticket("party_email", T.TEXT, "Address that the question came from.", semantic=SemanticType.EMAIL),
        _ticket("opened_at", T.TIMESTAMP, "When it was opened."),
        _ticket("due", T.DATE, "Day by which it should be answered."),
        _ticket("minutes", T.INTEGER, "Minutes that it has taken."),
        _ticket("urgent", T.BOOLEAN, "Whether it cannot wait."),
        _ticket("subject", T.TEXT, "What it is about."),
    ),
    indexed=("opened_at",),
    told_as="tickets",
)
REMARKS = EntityDeclaration(
    entity=REMARK,
    plural="remarks on tickets",
    description="What was said of a ticket.",
    whose=OfParent(TICKET, by=(("ticket_id", "ticket_id"),)),
    attributes=(
        _remark("ticket_id", T.TEXT, "Number of the ticket.", key=True),
        _remark("remark_id", T.TEXT, "Number of the remark within it.", key=True),
        _remark("remark", T.TEXT, "What was said."),
    ),
)
COLUMNS = {
    "Number": ("ticket_id", "string", "primaryKey: true, required: true, primaryKeyPosition: 1, "),
    "Contact": ("party_id", "string", ""),
    "Address": ("party_email", "string", ""),
    "Opened": ("opened_at", "timestamp", ""),
    "Due": ("due", "date", ""),
    "Minutes": ("minutes", "integer", ""),
    "Urgent": ("urgent", "boolean", ""),
    "Subject": ("subject", "string", ""),
}
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: crm-ticket
name: Tickets of the help desk
version: 1.0.0
status: active
domain: service
dataProduct: crm
description: {purpose: What customers ask.}
team: {name: service}
schema:
  - name: ticket
    description: Tickets that were opened or changed.
    customProperties:
      - {property: delivery, value: delta}
      - {property: format, value: csv}
    properties:
"""
Row = dict[str, Any]


@dataclass(frozen=True)
class Company:
    """An installation in service, to which tickets come."""

    settings: Settings
    engine: Engine
    lake: Lake
    contract: SourceContract
    versions: Path

    def deliver(self, date: str, *tickets: tuple[str, ...]) -> None:
        """A file of the help desk, as its day of work leaves it in the lake."""
        folder = Path(self.settings.landing_url) / "crm" / "ticket"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{date}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([tuple(COLUMNS), *tickets])
        process_day(self.settings, self.lake, self.contract, date)

    def publish(self, *, rebuild: bool = False) -> PublishResult:
        """Everything from records to the published version."""
        build_records(self.lake, (*all_contracts(), self.contract), tuple(Entity))
        with self.engine.begin() as connection:
            link_parties(self.lake, self.settings, decided=constraints(connection))
        with self.engine.begin() as connection:
            staged = stage_customers(connection, self.lake, self.settings, rebuild=rebuild)
            assert not staged.stopped, staged.verdicts
        with self.engine.begin() as connection:
            return promote(connection)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def golden(self, contact: str) -> str:
        """The golden customer of a contact."""
        [(golden,)] = self.query(
            f"SELECT golden_id FROM golden.crosswalk WHERE (entity, record_id) = ('contact', '{contact}')"
        )
        return str(golden)

    def tickets(self) -> dict[str, str | None]:
        """The golden customer of each ticket."""
        rows = self.query("SELECT ticket_id, golden_id::text FROM golden.service_ticket ORDER BY 1")
        return {str(ticket): golden for ticket, golden in rows}

    def events(self) -> dict[tuple[str, str], Row]:
        """What the last publication told: customer and type, with what changed."""
        rows = self.query(
            "SELECT golden_id::text, type, changes FROM ops.outbox "
            "WHERE publication_id = (SELECT max(publication_id) FROM ops.publication)"
        )
        return {(str(golden), str(kind)): changes or {} for golden, kind, changes in rows}


@dataclass(frozen=True)
class Base:
    """An installation to make copies of, and the migration that its hub was brought up with."""

    settings: Settings
    versions: Path


@pytest.fixture(scope="module")
def base(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    """A company in service before the entity was thought of; then it is declared, and the hub migrated."""
    settings = deploy().settings
    lake = Lake(settings.lake_url)
    for contract in all_contracts():
        if contract.name in ("crm/contact", "crm/account"):
            process_day(settings, lake, contract, DAYS[0])
    declared: list[Entity] = []
    try:
        with open_hub(settings) as engine:
            build_records(lake, all_contracts(), tuple(Entity))
            with engine.begin() as connection:
                link_parties(lake, settings, decided=constraints(connection))
                assert not stage_customers(connection, lake, settings).stopped
                promote(connection)
            declared += [declare(TICKETS), declare(REMARKS)]
            versions = migrated(engine, tmp_path_factory.mktemp("migrations"))
        yield Base(settings, versions)
    finally:
        for entity in reversed(declared):
            withdraw(entity)
        published()


@pytest.fixture
def company(base: Base, tmp_path: Path, new_database: Callable[..., str]) -> Iterator[Company]:
    """A copy of it."""
    home = tmp_path / "home"
    shutil.copytree(base.settings.home, home)
    assert base.settings.database_url is not None
    template = make_url(base.settings.database_url.get_secret_value()).database
    settings = load_settings(
        home=home,
        landing_url=str(home / "landing"),
        lake_url=str(home / "lake"),
        database_url=new_database(template),
        threads=1,
    )
    with open_hub(settings) as engine:
        yield Company(settings, engine, Lake(settings.lake_url), contract_of_tickets(tmp_path), base.versions)


def contract_of_tickets(folder: Path) -> SourceContract:
    path = folder / "ticket.odcs.yaml"
    lines = [
        f"      - {{name: {name}, description: {name} of the ticket., logicalType: {kind}, {more}customProperties: "
        f"[{{property: mapsTo, value: service_ticket.{attribute}}}]}}"
        for name, (attribute, kind, more) in COLUMNS.items()
    ]
    path.write_text(CONTRACT + "\n".join(lines) + "\n", encoding="utf-8")
    return load_contract(path)


def migrated(engine: Engine, folder: Path) -> Path:
    """The hub after the migration that the project writes for the declarations."""
    versions = folder / "versions"
    versions.mkdir()
    migrations.write_revision(engine, "Add service tickets", versions)
    with engine.connect() as connection:
        before = migrations.version(connection)
    migrations.migrate(engine, versions)
    with engine.begin() as connection:  # steps ask for the newest version that the project's own folder has
        table = f"{migrations.VERSION_SCHEMA}.{migrations.VERSION_TABLE}"
        connection.execute(text(f"UPDATE {table} SET version_num = '{before}'"))
    return versions


def people(company: Company, count: int) -> list[Row]:
    """Contacts who are different customers, each with an address of their own."""
    rows = company.query(
        """SELECT min(x.record_id), min(c.email) FROM golden.crosswalk x JOIN golden.customer c USING (golden_id)
           WHERE x.entity = 'contact' AND c.email IS NOT NULL AND c.record_count = 1 AND c.email_kind <> 'role'
           GROUP BY golden_id ORDER BY 1"""
    )
    return [{"contact": contact, "email": email} for contact, email in rows[:count]]


def ticket(number: str, *, contact: str = "", email: str = "", minutes: str = "5") -> tuple[str, ...]:
    return (number, contact, email, "2026-06-01T09:30:00Z", "2026-06-08", minutes, "yes", "A lost parcel")


def outcome(company: Company) -> dict[str, list[tuple[Any, ...]]]:
    """All published rows."""
    return {
        name: company.query(f"SELECT to_jsonb(t) FROM {one.table.schema}.{name} AS t ORDER BY to_jsonb(t)")
        for name, one in published().items()
    }


def test_hub_table_by_a_small_migration(company: Company) -> None:
    assert migrations.differences(company.engine) == []
    (file,) = company.versions.glob("v*.py")
    written = file.read_text(encoding="utf-8")
    assert re.fullmatch(r"v\d{4}_add_service_tickets\.py", file.name)
    assert len(written.splitlines()) < 75, written
    comments = {
        c["name"]: c["comment"] for c in inspect(company.engine).get_columns("service_ticket", "golden")
    }
    assert comments["subject"] == f"What it is about. Privacy category: {SERVICE}."
    assert "golden_id" in comments
    assert "golden_id" not in {
        c["name"] for c in inspect(company.engine).get_columns("ticket_remark", "golden")
    }


def test_published_in_full_then_in_part(company: Company) -> None:
    anna, bert, cees = people(company, 3)
    company.deliver(
        DAYS[0],
        ticket("1", contact=anna["contact"]),
        ticket("2", contact=bert["contact"]),
        ticket("3", email=f" {cees['email'].upper()} "),
        ticket("4", email="nobody@knows.example"),
    )
    company.publish()
    one, two, three = (company.golden(person["contact"]) for person in (anna, bert, cees))
    whose = {"1": one, "2": two, "3": three, "4": None}
    assert company.tickets() == whose
    values = "SELECT opened_at, due, minutes, urgent, subject, active FROM golden.service_ticket LIMIT 1"
    opened = dt.datetime(2026, 6, 1, 9, 30, tzinfo=dt.UTC)
    assert company.query(values) == [(opened, dt.date(2026, 6, 8), 5, True, "A lost parcel", True)]

    company.deliver(
        DAYS[1],
        ticket("2", contact=bert["contact"], minutes="12"),
        ticket("5", contact=anna["contact"], minutes="1.5"),
    )
    done = company.publish()
    change = done.changes["service_ticket"]
    assert (change.inserted, change.updated, change.deleted, change.rows) == (1, 1, 0, 5)
    assert not done.changes["customer"].any
    assert company.tickets() == {**whose, "5": one}
    minutes = "SELECT ticket_id, minutes FROM golden.service_ticket WHERE ticket_id IN ('2', '5') ORDER BY 1"
    assert company.query(minutes) == [("2", 12), ("5", None)], "1.5 is no whole number"
    told = company.events()
    assert set(told) == {(one, "customer.changed"), (two, "customer.changed")}
    before, after = told[two, "customer.changed"]["tickets"]
    assert None not in (before, after)
    assert before != after
    assert told[one, "customer.changed"]["tickets"][0] is None, "a new ticket has no rows before"

    rows = outcome(company)
    assert company.publish(rebuild=True).publication_id is None
    assert outcome(company) == rows
    file = company.versions / "tickets.jsonl"
    with company.engine.connect() as connection:
        assert export_table(connection, file, "jsonl", whole_table("service_ticket")) == 5
    assert (
        json.loads(file.read_text(encoding="utf-8").splitlines()[0])["opened_at"]
        == "2026-06-01T09:30:00.000Z"
    )


def test_a_merge_moves_the_rows(company: Company) -> None:
    anna, bert, _ = people(company, 3)
    company.deliver(DAYS[0], ticket("1", contact=anna["contact"]), ticket("2", email=bert["email"]))
    company.publish()
    one, other = company.golden(anna["contact"]), company.golden(bert["contact"])
    left, right = (f"crm/contact/{person['contact']}" for person in (anna, bert))
    with company.engine.begin() as connection:
        decisions.same(connection, left, right, Actor("Stien", Role.STEWARD))
    done = company.publish()
    kept = company.golden(anna["contact"])
    assert company.golden(bert["contact"]) == kept
    assert company.tickets() == {"1": kept, "2": kept}
    assert done.changes["service_ticket"].updated == 1
    told = company.events()
    (gone,) = {one, other} - {kept}
    assert set(told) == {(kept, "customer.changed"), (gone, "customer.merged")}
    assert {"records", "tickets"} <= set(told[kept, "customer.changed"])
    rows = outcome(company)
    assert company.publish(rebuild=True).publication_id is None
    assert outcome(company) == rows


def test_rows_of_a_parent_lead_to_its_customer(company: Company) -> None:
    anna, *_ = people(company, 3)
    company.deliver(DAYS[0], ticket("1", contact=anna["contact"]), ticket("2"))
    company.publish()
    with company.engine.begin() as connection:
        connection.execute(
            text(
                """INSERT INTO golden.ticket_remark (source, entity, record_id, active, ticket_id, remark_id) VALUES
                   ('crm', 'remark', '1|1', true, '1', '1'), ('crm', 'remark', '2|1', true, '2', '1'),
                   ('erp', 'remark', '1|1', true, '1', '1')"""
            )
        )
        found = [tuple(map(str, row)) for row in connection.execute(customers_of("ticket_remark"))]
    assert found == [("crm", "remark", "1|1", company.golden(anna["contact"]))]


def test_dictionary_lineage_and_assets_know_it(company: Company) -> None:
    told = render_dictionary([*all_contracts(), company.contract])
    section = told[told.index("### service_ticket") :].split("###")[1]
    assert (
        "Published as `golden.service_ticket`; a row finds its customer (`golden_id`) by `party_id`"
        in section
    )
    assert (
        f"| `due` | date | Day by which it should be answered. |  | `{SERVICE}` | `crm/ticket`.`Due` |"
        in section
    )
    assert "whose service ticket it names by `ticket_id`" in told
    assets = {key.to_user_string(): asset for asset in records_assets() for key in asset.keys}
    own = {f"records/{name}" for name in ("party", "order", "invoice", "product", "consent")}
    assert set(assets) == {*own, "records/service_ticket"}
    (spec,) = assets["records/service_ticket"].specs
    assert {dep.asset_key.to_user_string() for dep in spec.deps} == {"records/party"}


def test_its_records_follow_the_party_that_they_name(company: Company) -> None:
    """Who has a ticket depends on the parties: a customer who comes later takes it, without a word of the help desk."""
    company.deliver(DAYS[0], ticket("1", email="later@comes.example"))
    company.publish()
    assert company.tickets() == {"1": None}
    contact = next(one for one in all_contracts() if one.name == "crm/contact")
    file = Path(company.settings.landing_url) / "crm" / "contact" / f"{DAYS[1]}.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    newcomer = next(
        row for row in rows if row["Email"] and "@" in row["Email"] and row["IsDeleted"] == "false"
    )
    content = file.read_text(encoding="utf-8")
    file.write_text(content.replace(newcomer["Email"], "later@comes.example"), encoding="utf-8")
    process_day(company.settings, company.lake, contact, DAYS[1])
    company.publish()
    assert company.tickets() == {"1": company.golden(newcomer["Id"])}
    rows_of = tables.records(company.lake, TICKET).read(["party_record_id"]).to_pylist()
    assert rows_of == [{"party_record_id": newcomer["Id"]}]
