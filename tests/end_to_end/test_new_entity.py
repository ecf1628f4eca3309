"""A canonical entity is one declaration: contract, records, hub, publication, events and dictionary follow from it.

The entity is declared here and nowhere else; no other file of the project knows of it.
"""

import csv
import datetime as dt
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text

from cdm_pipelines.contracts import SourceContract, load_contract, render_dictionary
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
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.publish import PublishResult, promote
from cdm_pipelines.hub.published import customers_of, published
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.customers.publication import stage_customers
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.steps.stewardship import decisions
from cdm_pipelines.steps.stewardship.decisions import Author, constraints
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

from .conftest import DAYS, Deployment

TICKET, REMARK = Entity("service_ticket"), Entity("ticket_remark")
SERVICE = "user.behavior.customer_service"
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
    "Number": ("ticket_id", "string", "primaryKey: true, required: true, primaryKeyPosition: 1"),
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
        link_parties(self.lake, self.settings, decided=constraints(self.engine))
        staged = stage_customers(self.engine, self.lake, self.settings, rebuild=rebuild)
        assert not staged.stopped, staged.verdicts
        return promote(self.engine)

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
        return dict((str(ticket), golden) for ticket, golden in rows)

    def events(self) -> dict[tuple[str, str], Row | None]:
        """What the last publication told: customer and type, with what changed."""
        rows = self.query(
            "SELECT golden_id::text, type, changes FROM ops.outbox "
            "WHERE publication_id = (SELECT max(publication_id) FROM ops.publication)"
        )
        return {(str(golden), str(kind)): changes for golden, kind, changes in rows}


@pytest.fixture
def company(deploy: Callable[..., Deployment], tmp_path: Path) -> Iterator[Company]:
    """A company in service before the entity was thought of; then it is declared, and the hub migrated."""
    settings = deploy().settings
    lake = Lake(settings.lake_url)
    contacts = [one for one in all_contracts() if one.name in ("crm/contact", "crm/account")]
    for contract in contacts:
        process_day(settings, lake, contract, DAYS[0])
    with open_hub(settings) as engine:
        build_records(lake, all_contracts(), tuple(Entity))
        link_parties(lake, settings, decided=constraints(engine))
        assert not stage_customers(engine, lake, settings).stopped
        promote(engine)
        declare(TICKETS)
        declare(REMARKS)
        try:
            yield Company(settings, engine, lake, contract_of_tickets(tmp_path), migrated(engine, tmp_path))
        finally:
            withdraw(REMARK)
            withdraw(TICKET)
            published()


def contract_of_tickets(folder: Path) -> SourceContract:
    path = folder / "ticket.odcs.yaml"
    lines = [
        f"      - {{name: {name}, description: {name} of the ticket., logicalType: {kind}, {more + ', ' if more else ''}"
        f"customProperties: [{{property: mapsTo, value: service_ticket.{attribute}}}]}}"
        for name, (attribute, kind, more) in COLUMNS.items()
    ]
    path.write_text(CONTRACT + "\n".join(lines) + "\n", encoding="utf-8")
    return load_contract(path)


def migrated(engine: Engine, folder: Path) -> Path:
    """The hub after the migration that the project writes for the declarations."""
    versions = folder / "versions"
    versions.mkdir()
    migrations.write_revision(engine, "Add service tickets", versions)
    migrations.migrate(engine, versions)
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
