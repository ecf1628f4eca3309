"""What is told of golden ids that change, and when too many do."""

from pathlib import Path
from typing import Any

import committed
import pyarrow as pa
import pytest
import yaml
from sqlalchemy import Engine, text

from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.identity.constraints import NOTHING_DECIDED
from cdm_pipelines.linkage.cluster.health import HEALTH_SCHEMA
from cdm_pipelines.records import records_schema
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.customers.publication import StagedCustomers
from cdm_pipelines.steps.linking.linked_with import write_linked_with
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake

PEOPLE = 40
_SIDES = ("left_source", "left_id", "right_source", "right_id")
APART = {number: f"c{number:02}" for number in range(PEOPLE)}


class Company:
    """Persons, each one record, whose clusters a test decides."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine, self.settings, self.lake = engine, settings, Lake(settings.lake_url)

    def link(
        self, clusters: dict[int, str], model: str = "m1", phones: dict[int, str] | None = None, **more: Any
    ) -> None:
        """Give every record its cluster."""
        schema = records_schema(Entity.PARTY)
        row = {"source": "crm", "entity": "contact", "party_kind": "person", "active": True}
        row |= dict.fromkeys(("extract_date", "first_seen", "last_seen"), "2026-06-01")
        rows = [
            {**row, "record_id": f"{number:02}", "phone": (phones or {}).get(number)} for number in clusters
        ]
        party = pa.Table.from_pylist([{n: r.get(n) for n in schema.names} for r in rows], schema)
        tables.records(self.lake, Entity.PARTY).put([party], schema, "made")
        labels = pa.table(
            {
                "source": ["crm/contact"] * len(clusters),
                "record_id": party["record_id"],
                "cluster_id": list(clusters.values()),
            }
        )
        tables.clusters(self.lake).put([labels], labels.schema, "made")
        links = more.get("links", [("00", "01", 7.0), ("01", "02", 9.25), ("00", "02", 8.0)])
        pairs = [("crm/contact", left, "crm/contact", right, weight, 0.9) for left, right, weight in links]
        columns = (*_SIDES, "weight", "probability")
        matches = pa.Table.from_pylist([dict(zip(columns, pair, strict=True)) for pair in pairs])
        tables.matches(self.lake).put([matches], matches.schema, "made")
        self.lake.write(layout.HEALTH, HEALTH_SCHEMA.empty_table())
        write_linked_with(
            self.lake, {"a kind of which there is no model": model}, more.get("decided", NOTHING_DECIDED)
        )

    def stage(self, **limits: Any) -> StagedCustomers:
        """Stage under other limits."""
        policies = Path(self.settings.home) / "policies"
        if not policies.exists():
            policies.mkdir(parents=True)
            for path in self.settings.policies.glob("*.yaml"):
                (policies / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
        given = yaml.safe_load((self.settings.policies / "checks.yaml").read_text(encoding="utf-8"))
        given["customer_drift"] = given["cluster_size_drift"] = {"warn": 9, "error": 9}
        given["cluster_size"] = {"warn": 999, "error": 999}
        (policies / "checks.yaml").write_text(yaml.safe_dump({**given, **limits}), encoding="utf-8")
        settings = self.settings.model_copy(update={"policies": policies})
        return committed.stage_customers(self.engine, self.lake, settings)

    def run(self, **limits: Any) -> StagedCustomers:
        done = self.stage(**limits)
        assert not done.stopped, done.verdicts
        committed.publish_customers(self.engine, self.lake, self.settings)
        return done

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def events(self) -> list[tuple[str, str, Any]]:
        """What the last publication told."""
        return self.ask("""SELECT event, reason, evidence FROM identity.event WHERE publication_id =
                           (SELECT max(publication_id) FROM identity.event) ORDER BY golden_id""")


@pytest.fixture
def company(hub_engine: Engine, settings: Settings) -> Company:
    company = Company(hub_engine, settings)
    company.link(APART)
    company.run()
    return company


def test_an_unchanged_run_has_no_churn(company: Company) -> None:
    assert {(event, reason) for event, reason, _ in company.events()} == {("created", "new_record")}
    for model in ("m1", "m2"):  # the same clusters, whatever the model
        company.link(APART, model=model)
        done = company.run()
        assert (done.churn.total, done.verdicts["id_churn"].figure, done.verdicts["merges"].figure) == (
            0,
            0,
            0,
        )


def test_a_merge_tells_its_reason_and_the_strongest_link(company: Company) -> None:
    company.link(APART | {0: "c02", 1: "c02"}, phones={1: "+31101111111"})
    done = company.run()
    link = {"records": ["crm/contact/01", "crm/contact/02"], "weight": 9.25}
    assert company.events() == [("merged", "changed_value", link)] * 2
    assert done.churn.moved == {"changed_value": 2}
    assert done.churn.records == PEOPLE
    assert done.verdicts["merges"].figure == 2 / PEOPLE


def test_a_decision_is_the_reason_when_it_is_made_and_when_it_is_undone(company: Company) -> None:
    stien = Actor("Stien", Role.STEWARD)
    number = committed.same(company.engine, "crm/contact/07", "crm/contact/08", stien).decision.decision_id
    company.link(APART | {8: "c07"}, decided=committed.constraints(company.engine))
    company.run()
    assert company.events() == [("merged", "decision", {"decision": number})]
    company.link(APART | {8: "c07"}, decided=committed.constraints(company.engine))
    committed.undo(company.engine, number, stien)  # after linking: none of this run's doing
    assert company.run().churn.total == 0
    company.link(APART, decided=committed.constraints(company.engine))
    company.run()
    assert company.events() == [("restored", "decision", {"decision": number})]


def test_more_merges_than_the_policy_allows_are_not_published(company: Company) -> None:
    before = company.ask("SELECT * FROM golden.crosswalk ORDER BY record_id")
    together = APART | dict.fromkeys(range(8), "c00")
    company.link(together)
    limit = {"warn": 0.05, "error": 0.15, "new_model": {"warn": 0.3, "error": 0.5}}
    done = company.stage(merges=limit)
    assert done.stopped
    assert done.verdicts["merges"].text == (
        "7 of 40 customers in service are merged: 17.50% (warning above 0.05, error above 0.15). If it may be so: "
        "`cdm run --date DAY --accept merges`, or another limit in policies/checks.yaml"
    )
    done = company.stage(id_churn=limit)
    assert [name for name, verdict in done.verdicts.items() if verdict.stops] == ["id_churn"]
    assert (
        "7 of 40 records in service have another golden id: 17.50% (neighbour: 7)"
        in done.verdicts["id_churn"].text
    )
    committed.publish_customers(company.engine, company.lake, company.settings)
    assert company.ask("SELECT * FROM golden.crosswalk ORDER BY record_id") == before

    assert not company.stage(merges={**limit, "at_least": 10}).stopped
    company.link(together, model="m2")
    done = company.run(merges=limit, id_churn=limit)
    assert done.churn.moved == {"new_model": 7}
    assert done.verdicts["merges"].passed


def test_links_of_a_neighbour_follow_a_pair_that_changed(company: Company) -> None:
    """Stewards read them of both customers, though a run works through the one whose record changed only."""
    pairs = [(f"{number:02}", f"{number + 1:02}", 7.0) for number in range(PEOPLE - 1)]
    company.link(APART, links=pairs)
    company.run()
    changed = [("00", "01", 5.0), *pairs[2:]]
    company.link(APART, phones={1: "+31101234567"}, links=changed)
    assert company.run().worked == 1
    both = sorted(
        row for left, right, weight in changed for row in ((left, right, weight), (right, left, weight))
    )
    links = "SELECT record_id, other_record_id, weight FROM golden.customer_link ORDER BY 1, 2"
    assert company.ask(links) == both
