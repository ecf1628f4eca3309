"""The profile of generated customers against what was planted: whose visits are, what adds up, merges and splits."""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import committed
import pytest
import traces
from sqlalchemy import Engine, text

from cdm_demo import generate
from cdm_demo.generator import DEMO_START
from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.enrichment.attachment import Attached
from cdm_pipelines.hub import profile_models
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.customers import lost_days
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.steps.profile.enrich import company_of, enrich, policy_of, tables_of
from cdm_pipelines.store.lake import Lake

pytestmark = pytest.mark.slow
STIEN = Actor("Stien", Role.STEWARD)
CUSTOMERS, INTERACTIONS = 700, 20.0
Rows = list[tuple[Any, ...]]
Profile = dict[str, dict[str, list[str]]]
"""Rows of each table by golden id."""


@dataclass
class World:
    """A generated company after its day, and what is true of it."""

    settings: Settings
    engine: Engine
    truth: Path
    lake: Lake = field(init=False)

    def __post_init__(self) -> None:
        self.lake = Lake(self.settings.lake_url)

    def ask(self, sql: str) -> Rows:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def true(self, name: str) -> list[dict[str, str]]:
        with (self.truth / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    @cached_property
    def whose(self) -> dict[tuple[str, str, str], str]:
        """Who is behind each party record."""
        return {(r["source"], r["entity"], r["record_id"]): r["truth_id"] for r in self.true("party")}

    def golden(self) -> dict[tuple[str, str, str], str]:
        """The golden customer of each party record."""
        rows = self.ask("SELECT source, entity, record_id, golden_id::text FROM golden.crosswalk")
        return {(source, entity, record): golden for source, entity, record, golden in rows}

    def whose_golden(self) -> dict[str, str]:
        """Who is behind each golden customer, by the record that sorts first."""
        return {golden: self.whose[record] for record, golden in sorted(self.golden().items(), reverse=True)}

    def attached(self) -> tuple[list[dict[str, Any]], Attached]:
        company = company_of(self.lake, self.settings)
        company.counted()
        with self.engine.connect() as connection, company.attached(NextVersion.of(connection)) as found:
            rows = [
                row | {"golden_id": str(UUID(bytes=row["golden_id"]))} for row in found.read_all().to_pylist()
            ]
        assert company.last_attached is not None
        return rows, company.last_attached

    def publish(self, accept: tuple[str, ...] = ()) -> None:
        """Link and publish; the profile is what computing everything for everybody gives."""
        build_records(self.lake, all_contracts(), list(Entity))
        link_parties(self.lake, self.settings, decided=committed.constraints(self.engine))
        done = committed.stage_customers(self.engine, self.lake, self.settings, accept=accept)
        assert not done.stopped, done.verdicts
        fitted = committed.fit_models(self.engine, company_of(self.lake, self.settings))
        assert not fitted.problems
        committed.publish_customers(self.engine, self.lake, self.settings)

    def profile(self, *, rebuilt: bool = False) -> Profile:
        """The profile as it is published, or as a rebuild of everybody would give it."""
        with self.engine.connect() as connection:  # and never committed
            if rebuilt:
                models = profile_models.current(connection)
                done = enrich(connection, company_of(self.lake, self.settings), models, rebuild=True)
                assert not [one.problem for one in done.values() if one.problem]
            found: Profile = {}
            for one in tables_of(policy_of(self.settings)):
                name = one.name
                table = f"staging.profile_{name}" if rebuilt else f"profile.{one.table_name}"
                rows: dict[str, list[str]] = defaultdict(list)
                for golden, row in connection.execute(
                    text(f"SELECT golden_id::text, t::text FROM {table} AS t ORDER BY 2")
                ):
                    rows[golden].append(row)
                found[name] = dict(rows)
            return found


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[..., str], _template: str
) -> Iterator[World]:
    """A lifelike company with its interactions, processed and published for the first time."""
    home = tmp_path_factory.mktemp("world")
    made = generate(CUSTOMERS, 1, 11, home, lifelike=True, interactions=INTERACTIONS)
    settings = load_settings(
        home=home,
        landing_url=str(made.landing),
        lake_url=str(home / "lake"),
        database_url=new_database(_template),
        threads=1,
    )
    for contract in all_contracts():
        process_day(settings, Lake(settings.lake_url), contract, made.dates[0])
    with open_hub(settings) as engine:
        found = World(settings, engine, made.truth)
        found.publish()
        yield found


def test_visits_are_whose_they_were_and_those_of_shared_devices_nobodys(world: World) -> None:
    """What limits it: on a family's tablet of which one member alone ever logs in, nothing tells of the others."""
    golden = world.golden()
    people: dict[str, set[str]] = defaultdict(set)
    for record, customer in golden.items():
        people[customer].add(world.whose[record])
    visits = {row["visit"]: row for row in world.true("visits")}
    twice = {one for one, n in Counter(row["visit"] for row in world.true("visits")).items() if n > 1}
    rows, figures = world.attached()
    web = [row for row in rows if row["source"] == "web" and row["thread_id"] not in twice]
    by_token = [row for row in web if row["attached_by"] == "token"]
    assert len(by_token) > 300
    wrong = [row for row in web if visits[row["thread_id"]]["truth_id"] not in people[row["golden_id"]]]
    touches = sum(row["touches"] for row in web)
    assert sum(row["touches"] for row in wrong) <= 0.01 * touches
    mistaken = [row for row in by_token if row in wrong]
    assert {visits[row["thread_id"]]["device"] for row in mistaken} <= {"tablet"}

    named: dict[str, set[str]] = defaultdict(set)
    for row in world.true("visits"):
        if row["identified"] and row["device"] in ("own", "tablet"):
            named[row["token"]].add(row["truth_id"])
    shared = {token for token, owners in named.items() if len(owners) > 1}
    assert len(shared) > 5
    assert figures.shared_devices >= 0.9 * len(shared)
    silent = [row for row in by_token if visits[row["thread_id"]]["token"] in shared]
    assert silent == []
    kinds = Counter(visits[row["thread_id"]]["device"] for row in by_token)
    assert kinds.keys() <= {"own", "tablet"}, "neither strangers, nor the kiosk, nor what is no token"


def test_every_interaction_is_somebodys_or_nobodys(world: World) -> None:
    rows, figures = world.attached()
    assert figures.attached + sum(figures.anonymous.values()) == figures.accepted
    assert figures.attached == sum(row["touches"] for row in rows)
    names = ["web/event", "mail/activity", "desk/ticket"]
    assert figures.accepted == traces.expected_interactions(world.lake, names)


def test_profiles_add_up_to_the_sources(world: World) -> None:
    orders = traces.expected_purchases(world.lake, world.golden(), DEMO_START)
    assert orders["orders"] > 500
    [found] = world.ask(
        "SELECT sum(orders), sum(orders_not_counted), sum(gross), sum(returned), sum(net) FROM profile.rfm"
    )
    assert found == (*orders.values(), orders["gross"] - orders["returned"])
    assert world.ask("SELECT sum(historic_value) FROM profile.lifetime_value") == [(found[-1],)]
    invoices = [row for row in traces.active(world.lake, Entity.INVOICE) if row["party_record_id"]]
    disputed = sum(row["disputed"] == "true" for row in invoices)
    assert world.ask("SELECT sum(invoices), sum(disputes) FROM profile.payment") == [
        (len(invoices), disputed)
    ]
    everybody = world.ask("SELECT count(*) FROM golden.customer")
    assert world.ask("SELECT count(*) FROM profile.customer") == everybody
    rows, _ = world.attached()
    visits = Counter(
        row["golden_id"] for row in rows for _ in range(row["touches"]) if row["kind"] == "complaint"
    )
    told: dict[str, Any] = dict(
        world.ask("SELECT golden_id::text, complaints FROM profile.service WHERE complaints > 0")
    )
    assert told == visits
    assert visits


def sums(world: World, *customers: str) -> dict[str, Any]:
    """What some customers have together."""
    names = ", ".join(f"'{one}'" for one in customers)
    [row] = world.ask(
        f"""SELECT coalesce(sum(rfm_orders), 0), coalesce(sum(rfm_net), 0),
            coalesce(sum(lifetime_value_historic_value), 0),
            coalesce(sum(engagement_emails_365), 0), coalesce(sum(service_tickets), 0), count(*)
            FROM profile.customer WHERE golden_id IN ({names})"""
    )
    return dict(zip(("orders", "net", "value", "emails", "tickets", "customers"), row, strict=True))


def test_a_merge_makes_one_profile_and_a_split_gives_each_its_own_again(world: World) -> None:
    before = world.profile()
    assert before == world.profile(rebuilt=True)
    [(one, other)] = world.ask(
        """SELECT a.golden_id::text, b.golden_id::text FROM profile.customer a JOIN profile.customer b
           ON b.household_household_id = a.household_household_id AND b.golden_id > a.golden_id
           WHERE least(a.rfm_orders, b.rfm_orders, a.engagement_emails_365) > 0 ORDER BY 1, 2 LIMIT 1"""
    )
    apart = {golden: sums(world, golden) for golden in (one, other)}
    together = sums(world, one, other)
    sizes: dict[str, Any] = dict(world.ask("SELECT golden_id::text, household_size FROM profile.customer"))
    touched = sum(row["touches"] for row in world.attached()[0])
    records = {golden: "/".join(record) for record, golden in sorted(world.golden().items())}
    committed.same(world.engine, records[one], records[other], STIEN)
    world.publish()

    left = world.ask(f"SELECT golden_id::text FROM golden.customer WHERE golden_id IN ('{one}', '{other}')")
    assert len(left) == 1
    assert sums(world, left[0][0]) == {**together, "customers": 1}
    gone = {one, other} - {left[0][0]}
    theirs = f"SELECT household_id FROM profile.household_member WHERE golden_id = '{left[0][0]}'"
    assert world.ask(
        f"SELECT count(*), max(household_size) FROM profile.customer WHERE household_household_id = ({theirs})"
    ) == [(sizes[one] - 1,) * 2]
    merged = world.profile()
    assert not [name for name, rows in merged.items() if gone & rows.keys()]
    assert merged == world.profile(rebuilt=True)
    assert sum(row["touches"] for row in world.attached()[0]) == touched

    [(number,)] = world.ask("SELECT max(decision_id) FROM identity.decision")
    committed.undo(world.engine, number, STIEN)
    world.publish()
    assert {golden: sums(world, golden) for golden in (one, other)} == apart
    assert world.profile() == before


def test_a_split_gives_each_half_its_own_and_back(world: World) -> None:
    before = world.profile()
    [(golden, record), *_] = world.ask(
        """SELECT golden_id::text, min(concat_ws('/', source, entity, record_id)) FILTER (WHERE source = 'shop')
           FROM golden.crosswalk JOIN golden.customer USING (golden_id) JOIN profile.rfm USING (golden_id)
           WHERE party_kind = 'person' AND orders > 2 GROUP BY 1
           HAVING count(*) = 2 AND count(*) FILTER (WHERE source = 'shop') = 1 ORDER BY 1"""
    )
    whole = sums(world, golden)
    touched = sum(row["touches"] for row in world.attached()[0])
    committed.different(world.engine, record, golden, STIEN)
    world.publish()
    halves = {one for one, of in world.whose_golden().items() if of == world.whose[tuple(record.split("/"))]}
    assert len(halves) == 2
    assert golden in halves
    parted = {one: sums(world, one) for one in halves}
    assert sum(one["net"] for one in parted.values()) == whole["net"]
    assert sum(one["orders"] for one in parted.values()) == whole["orders"]
    own = [row for row in traces.active(world.lake, Entity.ORDER) if row["source"] == "shop"]
    bought = sum(row["party_record_id"] == record.split("/")[2] for row in own)
    assert bought in [one["orders"] for one in parted.values()]
    now = world.profile()
    assert now == world.profile(rebuilt=True)
    others = {
        name: {one: row for one, row in rows.items() if one not in halves} for name, rows in now.items()
    }
    assert others["rfm"] == {one: row for one, row in before["rfm"].items() if one not in halves}
    assert sum(row["touches"] for row in world.attached()[0]) <= touched
    [(number,)] = world.ask("SELECT max(decision_id) FROM identity.decision")
    committed.undo(world.engine, number, STIEN)
    world.publish()
    assert world.profile() == before


def test_who_is_gone_has_no_profile_and_orders_are_nobodys(world: World) -> None:
    """A source is taken away: customers that it alone knew go, and what is left of the others is theirs."""
    before, golden = world.profile(), world.golden()
    gone = set(golden.values()) - {one for key, one in golden.items() if key[0] != "shop"}
    assert len(gone) > 20
    with world.engine.begin() as connection:
        lost_days.remove(
            connection, world.lake, lost_days.to_remove(connection, world.lake, "shop", "customer")
        )
    world.publish(accept=("customer_drift", "id_churn", "cluster_size_drift"))
    now = world.profile()
    assert not [name for name, rows in now.items() if gone & rows.keys()]
    assert now == world.profile(rebuilt=True)
    orders = traces.expected_purchases(world.lake, world.golden(), DEMO_START)
    assert world.ask("SELECT sum(orders), sum(gross) FROM profile.rfm") == [
        (orders["orders"], orders["gross"])
    ]
    assert len(now["rfm"]) < len(before["rfm"])
