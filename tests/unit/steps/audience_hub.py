"""A hub with customers and what they allow, and audiences of a test's own, for the tests of audiences."""

import csv
import datetime as dt
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pyarrow as pa
import yaml
from sqlalchemy import Connection, Engine, text

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.enrichment.interactions import DAY_SCHEMA
from cdm_pipelines.hub.access_log import Reading
from cdm_pipelines.records import records_schema
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.activation.audience_book import Book
from cdm_pipelines.steps.activation.deliveries import Delivered, deliver
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake

POLICIES = Settings.model_fields["policies"].default
_SPACE = UUID("00000000-0000-5000-8000-000000000000")
AUDIENCE: dict[str, Any] = {
    "description": "Persons, by mail.",
    "purpose": "marketing",
    "channel": "email",
    "filter": {"column": "party_kind", "operator": "equals", "value": "person"},
    "target": "mail",
}
READER = Reading("mia", "marketing", "marketing", "cdm audience deliver")
TARGETS: dict[str, Any] = {
    "mail": {"platform": "mailchimp"},
    "ads": {"platform": "google_customer_match"},
    "social": {"platform": "meta_custom_audience"},
    "contacts": {"platform": "hubspot"},
    "campaign": {"platform": "salesforce_campaign", "source": "crm/contact", "campaign_id": "701A"},
}


def golden(number: int) -> UUID:
    """The golden id of a customer of the test."""
    return uuid5(_SPACE, str(number))


@dataclass(frozen=True)
class Hub:
    """A hub, and audiences that a test declares."""

    settings: Settings
    engine: Engine

    def declare(self, audiences: Mapping[str, Any], **policy: Any) -> Book:
        """Declare audiences, in place of those before."""
        said = {"version": 1, "targets": TARGETS, **policy, "audiences": dict(audiences)}
        path = self.settings.policies / "audiences.yaml"
        path.write_text(yaml.safe_dump(said, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return Book.of(self.settings)

    def deliver(self, book: Book, name: str = "people", **more: Any) -> Delivered:
        """Deliver an audience."""
        return deliver(self.engine.connect, book, name, READER, **more)

    def run(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement, for good."""
        with self.engine.begin() as connection:
            done = connection.execute(text(statement), values)
            return list(done.all()) if done.returns_rows else []

    def members(self, name: str = "people") -> list[dict[str, str]]:
        """The newest list of an audience, as its own file says that it is whole."""
        folder = self.folder(name)
        manifest = json.loads((folder / "delivery.json").read_text(encoding="utf-8"))
        rows = self.rows("members", name)
        assert manifest["members"] == len(rows)
        return rows

    def folder(self, name: str = "people") -> Path:
        """Of the newest delivery of an audience."""
        return max((Path(self.settings.lake_url) / "publish" / "audiences" / name).iterdir())

    def rows(self, what: str, name: str = "people") -> list[dict[str, str]]:
        """The rows of a file of the newest delivery; none where there is no such file."""
        path = self.folder(name) / f"{what}.csv"
        return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))) if path.exists() else []

    def numbers(self, name: str = "people") -> set[int]:
        """Which customers are in the newest list, by their mailboxes."""
        return {int(row["Email Address"].partition("@")[0][1:]) for row in self.members(name)}

    def allow(self, *numbers: int, allowed: bool = True, channel: str = "email", **more: Any) -> None:
        """What customers allow for marketing, as if it had been published."""
        values = {
            "state": "given" if allowed else "withdrawn",
            "expires": None,
            "purpose": "marketing",
            **more,
        }
        for number in numbers:
            self.run(
                """INSERT INTO privacy.consent (golden_id, purpose, channel, allowed, state, expires, why, shared,
                    contradictory) VALUES (:id, :purpose, :channel, :allowed, :state, :expires, '', false, false)
                ON CONFLICT (golden_id, purpose, channel) DO UPDATE SET allowed = :allowed, state = :state,
                    expires = :expires""",
                id=golden(number),
                channel=channel,
                allowed=allowed,
                **values,
            )

    def restrict(self, number: int, purpose: str = "") -> None:
        """Restrict a customer's record, for a purpose or for all."""
        self.run(
            """INSERT INTO privacy.restriction (source, entity, record_id, purpose, request_id)
            VALUES ('crm', 'contact', :id, :purpose, 1) ON CONFLICT DO NOTHING""",
            id=f"R{number}",
            purpose=purpose,
        )

    def mailed(self, *told: tuple[int, str, str, dt.date]) -> None:
        """What the mail tool tells, in place of before: customer, kind, campaign and day; known by their mailboxes."""
        lake, schema = Lake(self.settings.lake_url), records_schema(Entity.PARTY)
        own = {"source": "crm", "entity": "contact", "active": True, "first_seen": "2026-01-01"}
        parties = [
            {**own, "record_id": f"R{number}", "email": f"c{number}@example.nl"}
            for number in sorted({number for number, *_ in told})
        ]
        rows = [{name: one.get(name) for name in schema.names} for one in parties]
        tables.records(lake, Entity.PARTY).put([pa.Table.from_pylist(rows, schema)], schema, repr(rows))
        lake.delete_folder(layout.INTERACTIONS)
        days = [
            {
                "source": "mail",
                "entity": "activity",
                "extract_date": str(day),
                "party_email": f"c{number}@example.nl",
                "day": day,
                "channel": "email",
                "kind": kind,
                "campaign": campaign,
                "touches": 1,
                "scores": 0,
            }
            for number, kind, campaign, day in told
        ]
        newest = max(day for *_, day in told)
        with lake.writer(
            layout.interactions_path(contract_named("mail/activity"), str(newest)), DAY_SCHEMA
        ) as to:
            to.write_table(
                pa.Table.from_pylist(
                    [{name: one.get(name) for name in DAY_SCHEMA.names} for one in days], DAY_SCHEMA
                )
            )

    def merge(self, loser: int, survivor: int) -> None:
        """Two customers become one, as a publication has it."""
        lost, kept = golden(loser), golden(survivor)
        with self.engine.begin() as connection:
            for statement in (
                "UPDATE golden.crosswalk SET golden_id = :kept WHERE golden_id = :lost",
                "UPDATE identity.golden_id SET alias_of = :kept WHERE alias_of = :lost",
                "UPDATE identity.golden_id SET status = 'alias', alias_of = :kept WHERE golden_id = :lost",
                "DELETE FROM privacy.consent WHERE golden_id = :lost",
                "DELETE FROM golden.provenance WHERE golden_id = :lost",
                "DELETE FROM golden.customer WHERE golden_id = :lost",
            ):
                connection.execute(text(statement), {"kept": kept, "lost": lost})


def hub_of(settings: Settings, engine: Engine, customers: int) -> Hub:
    """A hub with so many persons, c0@example.nl and so on, of whom nobody has said anything."""
    policies = settings.home / "policies"
    if not policies.exists():
        shutil.copytree(POLICIES, policies)
    own = settings.model_copy(update={"policies": policies})
    with engine.begin() as connection:
        fill(connection, customers)
    return Hub(own, engine)


def fill(connection: Connection, customers: int) -> None:
    """Persons with a record of the CRM each, and the golden id that follows from their number."""
    if not customers:
        return
    made = "SELECT * FROM made"
    connection.execute(text("CREATE TEMPORARY TABLE made (number int, golden_id uuid) ON COMMIT DROP"))
    connection.execute(
        text("INSERT INTO made VALUES (:number, :id)"),
        [{"number": number, "id": golden(number)} for number in range(customers)],
    )
    for statement in (
        f"""INSERT INTO golden.customer (golden_id, party_kind, status, given_name, surname_prefix, surname, email,
            mobile, country, postcode, birth_date, record_count, source_count, first_seen, last_seen)
        SELECT golden_id, 'person', 'active', 'Given' || number, 'van', 'Surname' || number,
            'c' || number || '@example.nl', '+316' || lpad(number::text, 8, '0'), 'NL', '1234 AB',
            date '1980-01-01' + number % 3650, 1, 1, '2026-01-01', '2026-01-01' FROM ({made}) AS m""",
        f"""INSERT INTO golden.crosswalk SELECT 'crm', 'contact', 'R' || number, golden_id, true FROM ({made}) AS m""",
        f"""INSERT INTO identity.golden_id SELECT golden_id, 'crm', 'contact', 'R' || number, 0, number, 'current'
        FROM ({made}) AS m""",
        f"""INSERT INTO golden.provenance SELECT golden_id, '*', 'crm', 'contact', 'R' || number, 'only', NULL, NULL
        FROM ({made}) AS m""",
    ):
        connection.execute(text(statement))
