"""Publishing what a change touches gives what publishing everything gives: random histories on real PostgreSQL."""

import datetime as dt
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace
from typing import Any

import committed
import pyarrow as pa
import pytest
import traces
from sqlalchemy import Engine, make_url, text

from cdm_demo import generate
from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts, contract_named
from cdm_pipelines.enrichment import churn_features
from cdm_pipelines.enrichment.churn_figures import reference
from cdm_pipelines.enrichment.churn_model import fit_model, score
from cdm_pipelines.hub import profile_models
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.identity.decisions import DecisionError
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.customers.publication import publish_customers, stage_customers
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.steps.profile.enrich import company_of, enrich, policy_of, tables_of
from cdm_pipelines.steps.profile.models import fitted_with
from cdm_pipelines.steps.profile.reading import Company as Enriching
from cdm_pipelines.steps.profile.reading import working
from cdm_pipelines.steps.rights.erasure import Asked, erase
from cdm_pipelines.steps.stewardship import decisions
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Layered

Row = dict[str, Any]
FIRST_DAY, SECOND_DAY = dt.date(2026, 6, 1), dt.date(2026, 6, 2)
CONTACTS, ACCOUNTS, DEBTORS, SHOPPERS, ORDERS = (
    "crm/contact",
    "crm/account",
    "erp/customer",
    "shop/customer",
    "shop/order",
)
PERSON = (
    "given_name",
    "surname",
    "birth_date",
    "email",
    "phone",
    "mobile",
    "street",
    "house_number",
    "postcode",
)
COMPANY = ("organisation_name", "coc_number", "vat_number", "street", "postcode", "city", "phone")
PUBLISHED = {
    "golden_id": ("identity", "golden_id"),
    "crosswalk": ("golden", "source, entity, record_id"),
    "customer": ("golden", "golden_id"),
    "provenance": ("golden", "golden_id, attribute"),
    "customer_order": ("golden", "source, entity, record_id"),
    "order_line": ("golden", "source, entity, record_id"),
    "payment": ("golden", "source, entity, record_id"),
}
READ_MODELS = {
    "customer_link": ("golden", "t"),
    "review_item": ("ops", "item_id"),
}
EVENTS = ("staging", "golden_id, event")
OWN = """
description: What a customer ordered.
purpose: A test compares it.
inputs: [orders, customers]
columns:
  - {name: orders, type: integer, description: Orders.}
  - {name: total, type: decimal, description: Their sum.}
"""
QUERY = """
SELECT golden_id, count(order_id) AS orders, coalesce(sum(total), 0) AS total
FROM customers LEFT JOIN orders USING (golden_id) GROUP BY ALL
"""
OWN_TOUCHES = """
description: How often a customer was in touch.
purpose: A test compares it.
inputs: [touches]
columns:
  - {name: touches, type: integer, description: Interactions.}
"""
QUERY_OF_TOUCHES = "SELECT golden_id, sum(touches)::BIGINT AS touches FROM touches GROUP BY ALL"
FEWEST = "enrichers: {lifetime_value: {smallest_repeat_buyers: 20, largest_correlation: 1}}"
"""So few customers make a model of value of a company as small as this one."""
STEPS = 3
IN_PART: list[bool] = []
"""Of each history that was tried, whether a night of it worked on fewer than half of the customers."""
HISTORIES = {"fast": 1, "ci": 2, "thorough": 100}
"""How many are tried, by profile of Hypothesis."""


def path(name: str, date: dt.date) -> str:
    entity = traces.KINDS.get(name, Entity.ORDER if name == ORDERS else Entity.PARTY)
    return layout.standard_path(contract_named(name), str(date), entity)


def lay(lake: Lake, name: str, rows: list[Row], date: dt.date) -> None:
    """Put a day into the lake as a run leaves it there."""
    schema = lake.schema(path(name, FIRST_DAY))
    rows = [{**row, "extract_date": str(date), "_row": at + 2} for at, row in enumerate(rows)]
    with lake.writer(path(name, date), schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema))
        fingerprint = sha256(repr(rows).encode()).hexdigest()
        writer.add_key_value_metadata({layout.FINGERPRINT: fingerprint, layout.CONTENT: ""})


@dataclass
class Company:
    """An installation whose sources deliver what a history says."""

    settings: Settings
    engine: Engine
    lake: Lake
    rng: random.Random
    clock: SimpleNamespace
    today: dt.date = SECOND_DAY
    delivered: dict[tuple[str, dt.date], list[Row]] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)
    worked: list[tuple[int, int]] = field(default_factory=list)

    # What sources deliver

    def former(self, name: str, *, before_today: bool) -> list[Row]:
        """What a source delivered last, perhaps before today."""
        dates = [date for known, date in self.delivered if known == name and SECOND_DAY <= date <= self.today]
        dates = [date for date in dates if not before_today or date < self.today]
        return [dict(row) for row in self.delivered[name, max(dates)]] if dates else self.read(name)

    def read(self, name: str) -> list[Row]:
        """What a source delivered on the first day."""
        rows: list[Row] = self.lake.read(path(name, FIRST_DAY)).to_pylist()
        return rows

    def deliver(self, name: str, rows: list[Row], date: dt.date) -> None:
        self.delivered[name, date] = rows
        lay(self.lake, name, rows, date)

    def one(self, rows: list[Row], **having: object) -> Row:
        return self.rng.choice([r for r in rows if all(r[name] == value for name, value in having.items())])

    def named(self, what: str) -> str:
        return f"{what}-{self.rng.getrandbits(32)}"

    def day(self) -> None:
        """A few changes: on the last day, on a new one, or on the last one without what it changed before."""
        kind = self.rng.choice(["corrected"] * 4 + ["new", "anew"])
        self.happened.append(f"a day: {kind}")
        self.today += dt.timedelta(days=kind == "new")
        self.clock.now += dt.timedelta(days=1)
        contacts, accounts, debtors = (
            self.former(name, before_today=kind == "anew") for name in (CONTACTS, ACCOUNTS, DEBTORS)
        )
        shoppers = [self.one(self.read(SHOPPERS)) for _ in range(2)]
        for _ in range(self.rng.randint(1, 4)):
            if self.rng.random() < 0.6:
                self.change_person(contacts, self.one(self.rng.choice([contacts, debtors, shoppers])))
            else:
                self.change_company(contacts, accounts, debtors)
        if self.rng.random() < 0.5:
            shoppers[0].update({name: self.one(contacts)[name] for name in PERSON})
        for name, rows in (
            (CONTACTS, contacts),
            (ACCOUNTS, accounts),
            (DEBTORS, debtors),
            (SHOPPERS, shoppers),
        ):
            self.deliver(name, rows, self.today)
        guest = self.one(contacts)["email"] or "guest@mail.example"
        order = {**self.one(self.read(ORDERS)), "party_id": None, "party_email": guest}
        number = f"#9{self.today.day}"
        self.deliver(ORDERS, [{**order, "record_id": number, "order_id": number}], self.today)
        if self.rng.random() < 0.2:
            self.backfill(contacts)
        traces.leave_traces(self, anew=kind == "anew")

    def change_person(self, contacts: list[Row], other: Row) -> None:
        contact = self.one(contacts)
        what = self.rng.choice(["somebody else", "bridge", "new", "absent", "merged"])
        self.happened.append(what)
        match what:
            case "somebody else":
                contact.update({name: other[name] for name in PERSON})
            case "bridge":
                half = {name: other[name] for name in PERSON[3:]}
                contacts.append({**contact, **half, "record_id": self.named(what)})
            case "new":
                own = {name: contact[name] for name in ("source", "entity", "employer_id", "party_kind")}
                contacts.append({**other, **own, "record_id": self.named(what)})
            case "absent":
                contacts.remove(contact)
            case "merged":
                contact["merged_into"] = self.one(contacts)["record_id"]

    def change_company(self, contacts: list[Row], accounts: list[Row], debtors: list[Row]) -> None:
        left, right = self.rng.sample(accounts, 2)
        what = self.rng.choice(["employer", "same company", "merged company", "kind"])
        self.happened.append(what)
        match what:
            case "employer":
                self.one(contacts)["employer_id"] = left["record_id"]
            case "same company":
                left.update({name: right[name] for name in COMPANY})
            case "merged company":
                left["merged_into"] = right["record_id"]
            case "kind":
                debtor = self.one(debtors)
                person = debtor["party_kind"] == "person"
                debtor["party_kind"] = "organisation" if person else "person"

    def backfill(self, contacts: list[Row]) -> None:
        """A day from before all others."""
        self.happened.append("an earlier day")
        earlier = [{**self.one(contacts), "record_id": self.named("past")}, self.one(contacts)]
        self.deliver(CONTACTS, earlier, FIRST_DAY - dt.timedelta(days=self.today.day))

    # What stewards decide

    def decide(self) -> None:
        what = self.rng.choice(["same", "different", "confirm", "set", "undo", "nothing"])
        names = [f"{s}/{e}/{r}" for s, e, r in self.query(
            "SELECT source, entity, record_id FROM golden.crosswalk ORDER BY 1, 2, 3")]  # fmt: skip
        one, other = self.rng.sample(names, 2)
        stien = Actor("Stien", Role.STEWARD)
        self.happened.append(f"{what} is decided")
        try:
            match what:
                case "same":
                    committed.same(self.engine, one, other, stien)
                case "different":
                    large = self.query("SELECT golden_id::text FROM golden.crosswalk GROUP BY 1 "
                                       "HAVING count(*) > 2 ORDER BY 1")  # fmt: skip
                    (golden,) = self.rng.choice(large)
                    [(member,), *_] = self.query(
                        "SELECT concat_ws('/', source, entity, record_id) FROM golden.crosswalk "
                        f"WHERE golden_id = '{golden}' ORDER BY 1"
                    )
                    committed.different(self.engine, member, golden, stien)
                case "confirm":
                    committed.confirm(self.engine, one, stien)
                case "set":
                    until = self.clock.now.date() + dt.timedelta(days=self.rng.choice([1, 2, 9]))
                    committed.set_value(
                        self.engine, self.settings, one, "city", "Urk", actor=stien, expires=until
                    )
                case "undo":
                    numbers = [
                        n for (n,) in self.query("SELECT decision_id FROM identity.decision ORDER BY 1")
                    ]
                    committed.undo(self.engine, self.rng.choice(numbers or [1]), stien)
        except DecisionError:
            self.happened.append("refused")

    def erase(self) -> None:
        """Erase a person everywhere: what sources delivered is without them from then on, also when it comes again."""
        persons = self.query(
            "SELECT golden_id::text FROM golden.customer WHERE party_kind = 'person' ORDER BY first_seen, golden_id"
        )
        (golden,) = self.rng.choice(persons)
        self.happened.append("a person is erased")
        officer = Actor("Prisca", Role.PRIVACY_OFFICER)
        erase(self.settings, self.engine, Asked([golden], officer, checked_by="Stien"))
        for name, date in self.delivered:
            self.delivered[name, date] = self.lake.read(path(name, date)).to_pylist()
        assert (golden,) not in self.query("SELECT golden_id::text FROM golden.customer")

    # What runs make of it

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def build_and_link(self) -> None:
        build_records(self.lake, all_contracts(), list(Entity))
        link_parties(self.lake, self.settings, decided=committed.constraints(self.engine))

    def linked(self) -> list[list[Row]]:
        return [rows_of(table(self.lake)) for table in (tables.clusters, tables.matches)]

    def stage(self, *, rebuild: bool) -> None:
        done = committed.stage_customers(self.engine, self.lake, self.settings, rebuild=rebuild)
        assert not done.stopped, done.verdicts
        if not rebuild:
            self.worked.append((done.worked, done.customers))

    def read_models(self, *, rebuilt: bool = False) -> list[list[tuple[Any, ...]]]:
        """What stewards read: as it is, or as publishing everything into empty tables would write it."""
        with self.engine.connect() as connection:  # and never committed
            if rebuilt:
                connection.execute(text("TRUNCATE golden.customer_link, ops.review_item"))
                stage_customers(connection, self.lake, self.settings, rebuild=True)
                publish_customers(connection, self.lake, self.settings)
            queries = (
                f"SELECT to_jsonb(t) FROM {s}.{n} AS t ORDER BY {o}" for n, (s, o) in READ_MODELS.items()
            )
            return [[tuple(row) for row in connection.execute(text(query))] for query in queries]

    def rows(self, name: str, schema: str, order: str) -> list[tuple[Any, ...]]:
        return self.query(f"SELECT to_jsonb(t) FROM {schema}.{name} AS t ORDER BY {order}")

    def profile(self, *, rebuilt: bool = False) -> dict[str, list[tuple[Any, ...]]]:
        """The tables of the profile as they are, or as computing everything for everybody would give them."""
        with self.engine.connect() as connection:  # and never committed
            if rebuilt:
                company = company_of(self.lake, self.settings)
                done = enrich(connection, company, profile_models.current(connection), rebuild=True)
                assert not [one.problem for one in done.values() if one.problem]
            tables = tables_of(policy_of(self.settings))
            named = {
                one.name: f"staging.profile_{one.name}" if rebuilt else f"profile.{one.table_name}"
                for one in tables
            }
            query = "SELECT to_jsonb(t) FROM {} AS t ORDER BY to_jsonb(t)"
            return {
                name: [tuple(row) for row in connection.execute(text(query.format(table)))]
                for name, table in named.items()
            }


def rows_of(table: Layered) -> list[Row]:
    rows: list[Row] = table.read().to_pylist()
    return sorted(rows, key=lambda row: [str(value) for value in row.values()])


@pytest.fixture(scope="module")
def base(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[..., str], _template: str
) -> Settings:
    """A small company after two days, of which the second brought nothing new."""
    home = tmp_path_factory.mktemp("base")
    generate(customers=120, days=1, seed=7, out=home)
    settings = load_settings(
        home=home,
        landing_url=str(home / "landing"),
        lake_url=str(home / "lake"),
        database_url=new_database(_template),
        policies=home / "policies",
        threads=1,
    )
    lake = Lake(settings.lake_url)
    (settings.policies / "enrichers").mkdir(parents=True)
    for path_ in load_settings().policies.rglob("*.yaml"):
        there = settings.policies / path_.relative_to(load_settings().policies)
        there.parent.mkdir(exist_ok=True)
        shutil.copy(path_, there)
    enrichment = settings.policies / "enrichment.yaml"
    enrichment.write_text(enrichment.read_text().replace("enrichers: {}", FEWEST))
    (settings.policies / "enrichers" / "totals.yaml").write_text(OWN)
    (settings.policies / "enrichers" / "totals.sql").write_text(QUERY)
    (settings.policies / "enrichers" / "touched.yaml").write_text(OWN_TOUCHES)
    (settings.policies / "enrichers" / "touched.sql").write_text(QUERY_OF_TOUCHES)
    for contract in all_contracts():
        process_day(settings, lake, contract, str(FIRST_DAY))
    for name in (CONTACTS, ACCOUNTS, DEBTORS):
        lay(lake, name, lake.read(path(name, FIRST_DAY)).to_pylist(), SECOND_DAY)
    build_records(lake, all_contracts(), list(Entity))
    with open_hub(settings) as engine:
        link_parties(lake, settings, decided=committed.constraints(engine))
        assert not committed.stage_customers(engine, lake, settings).stopped
        fitted = committed.fit_models(engine, company_of(lake, settings))
        assert not fitted.problems
        assert fitted.as_of is not None
        keep_churn(engine, company_of(lake, settings), fitted.as_of)
        committed.publish_customers(engine, lake, settings)
        with engine.connect() as connection:
            for name in ("churn", "lifetime_value"):
                query = f"SELECT count(*) FROM profile.{name} WHERE method LIKE 'model%'"
                assert (connection.scalar(text(query)) or 0) > 20, name
    return settings


def keep_churn(engine: Engine, company: Enriching, as_of: dt.date) -> None:
    """Keep a model of leaving, of fewer customers than the enricher itself would fit one to."""
    horizon = 60
    days = [as_of - dt.timedelta(horizon * back) for back in range(1, 9)]
    company.counted()
    with engine.begin() as connection:
        with working(company, NextVersion.of(connection), as_of) as work:
            churn_features.prepare(work, ())
            cut = churn_features.Cut(horizon, horizon, 3650, 50_000, contractual=False)
            known = churn_features.on_days(work, days, cut)
        model = fit_model(churn_features.FEATURES, known.columns, known.left)
        kept = {
            "method": "model",
            "horizon_days": horizon,
            "interval_days": horizon,
            "lost_after_days": 3650,
            "lag_days": 0,
            "contractual": False,
            "model": model,
            "reference": reference(score(model, known.columns).probability, known.columns, model),
        }
        profile_models.keep(connection, "churn", as_of, fitted_with(company.policy.chosen["churn"]), kept)


@pytest.fixture
def found(
    base: Settings,
    tmp_path: Path,
    new_database: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[int], Company]]:
    """A function that makes copies of the company, each with a history of its own; they share a clock."""
    clock = SimpleNamespace(now=dt.datetime.now(dt.UTC))
    told = SimpleNamespace(datetime=SimpleNamespace(now=lambda _: clock.now), date=dt.date, UTC=dt.UTC)
    monkeypatch.setattr(decisions, "dt", told)
    assert base.database_url is not None
    template = make_url(base.database_url.get_secret_value()).database
    with ExitStack() as stack:

        def make(seed: int) -> Company:
            home = Path(mkdtemp(dir=tmp_path))
            shutil.copytree(base.lake_url, home / "lake")
            shutil.copy(base.home / "secret.key", home)
            settings = load_settings(
                home=home,
                landing_url=str(home),
                lake_url=str(home / "lake"),
                database_url=new_database(template),
                policies=base.policies,
                threads=1,
            )
            engine = stack.enter_context(open_hub(settings))
            return Company(settings, engine, Lake(settings.lake_url), random.Random(seed), clock)

        yield make


@pytest.fixture
def company(request: pytest.FixtureRequest, found: Callable[[int], Company]) -> Company:
    return found(request.param)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try as many histories as the profile asks for."""
    if "history" in metafunc.fixturenames:
        profile = metafunc.config.getoption("--hypothesis-profile") or "ci"
        metafunc.parametrize("history", range(HISTORIES.get(profile, HISTORIES["ci"])))


@pytest.mark.slow
@pytest.mark.hypothesis
def test_any_history_is_published_as_if_everything_were(
    history: int, found: Callable[[int], Company]
) -> None:
    company = found(history)
    for step in range(STEPS):
        company.day()
        company.decide()
        publish_as_if_everything_were(company)
        if step == 0:
            company.erase()
    IN_PART.append(any(worked < customers / 2 for worked, customers in company.worked))
    build_records(company.lake, all_contracts(), list(Entity), rebuild=True)
    link_parties(company.lake, company.settings, decided=committed.constraints(company.engine), rebuild=True)
    company.stage(rebuild=True)
    assert committed.promote(company.engine).publication_id is None
    before = company.profile()
    company.lake.delete_folder(layout.INTERACTIONS)
    company.lake.delete_folder(layout.INTERACTION_IDS)
    assert company.profile(rebuilt=True) == before


@pytest.mark.slow
def test_most_histories_have_nights_that_are_worked_through_in_part() -> None:
    if not IN_PART:
        pytest.skip("no history was tried")
    assert sum(IN_PART) >= 0.9 * len(IN_PART)  # in a small company many may be touched, night after night


@pytest.mark.parametrize("company", [0], indirect=True)
def test_texts_and_keys_of_records_that_stay_are_written_once(company: Company) -> None:
    def bases() -> dict[str, tuple[int, int]]:
        files = (Path(company.settings.lake_url) / "link" / "state").rglob("base-*/*")
        return {str(file): (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}

    before = bases()
    assert before
    for _ in range(STEPS):
        company.day()
        former = company.linked()
        company.build_and_link()
        assert company.linked() != former
    assert bases() == before
    link_parties(company.lake, company.settings, decided=committed.constraints(company.engine), rebuild=True)
    assert before.keys().isdisjoint(bases())


@pytest.mark.parametrize("company", [0], indirect=True)
def test_a_founder_that_left_its_id_to_the_others_does_not_take_it_away(company: Company) -> None:
    """Whoever founded an id may be of another customer than the one that has it."""
    [(golden, founder), *_] = company.query(
        """SELECT golden_id::text, min(record_id) FILTER (WHERE source = 'crm') FROM golden.crosswalk
           JOIN golden.customer USING (golden_id) WHERE party_kind = 'person' GROUP BY 1
           HAVING count(*) > 2 AND count(*) FILTER (WHERE source = 'crm') = 1 ORDER BY 1"""
    )
    committed.different(company.engine, f"{CONTACTS}/{founder}", golden, Actor("Stien", Role.STEWARD))
    publish_as_if_everything_were(company)
    whose = f"SELECT golden_id::text FROM golden.crosswalk WHERE record_id = '{founder}'"
    [(own,)] = company.query(whose)
    assert own != golden
    contacts = company.read(CONTACTS)
    company.one(contacts, record_id=founder)["job_title"] = "keeper of bees"
    company.deliver(CONTACTS, contacts, SECOND_DAY)
    publish_as_if_everything_were(company)
    assert company.worked[-1][0] < 3
    assert company.query(whose) == [(own,)]
    status = f"SELECT status FROM identity.golden_id WHERE golden_id = '{golden}'"
    assert company.query(status) == [("current",)]


@pytest.mark.parametrize("company", [0], indirect=True)
def test_orders_that_come_change_and_go_to_another_customer_are_in_the_profile(company: Company) -> None:
    """Nothing of the customers themselves changes, so that only their orders say that their profile does."""
    whose = dict(
        company.query("SELECT record_id, golden_id FROM golden.customer_order WHERE golden_id IS NOT NULL")
    )
    ordered = [row for row in company.read(ORDERS) if row["record_id"] in whose]
    one = ordered[0]
    other = next(row for row in ordered if whose[row["record_id"]] != whose[one["record_id"]])
    before = company.profile()
    for number, (owner, total) in enumerate([(one, "100.00"), (one, "70.00"), (other, "70.00")]):
        row = {**one, "record_id": "#new", "order_id": "#new", "total_amount": total, "status": "paid"}
        row |= {name: owner[name] for name in ("party_id", "party_email")}
        company.deliver(ORDERS, [row], SECOND_DAY + dt.timedelta(number + 1))
        publish_as_if_everything_were(company)
        now = company.profile()
        assert now != before
        before = now


def publish_as_if_everything_were(company: Company) -> None:
    """Publish what changed; it is what linking and staging everything from the same former state would publish."""
    company.build_and_link()
    company.stage(rebuild=True)
    expected = {name: company.rows(name, "staging", order) for name, (_, order) in PUBLISHED.items()}
    events = company.rows("event", *EVENTS)
    company.stage(rebuild=False)
    assert company.rows("event", *EVENTS) == events, company.happened
    committed.publish_customers(company.engine, company.lake, company.settings)
    for name, (schema, order) in PUBLISHED.items():
        assert company.rows(name, schema, order) == expected[name], (name, company.happened)
    assert_accounted_for(company)
    assert company.read_models() == company.read_models(rebuilt=True), company.happened
    assert company.profile() == company.profile(rebuilt=True), company.happened
    assert_conserved(company)
    again = company.linked()
    link_parties(company.lake, company.settings, decided=committed.constraints(company.engine), rebuild=True)
    assert company.linked() == again, company.happened


def assert_conserved(company: Company) -> None:
    """Whoever customers are by now: their profiles add up to what the sources delivered."""
    counted = "count(*), sum(total_amount) FROM golden.customer_order WHERE active AND golden_id IS NOT NULL"
    assert company.query("SELECT sum(orders), sum(total) FROM profile.totals") == company.query(
        f"SELECT {counted}"
    )
    golden = {
        (source, entity, record): one
        for source, entity, record, one in company.query(
            "SELECT source, entity, record_id, golden_id FROM golden.crosswalk"
        )
    }
    expected = traces.expected_purchases(company.lake, golden, company.today)
    assert company.query(
        "SELECT sum(orders), sum(orders_not_counted), sum(gross), sum(returned), sum(net) FROM profile.rfm"
    ) == [(*expected.values(), expected["gross"] - expected["returned"])], company.happened
    profiled = company_of(company.lake, company.settings)
    profiled.counted()
    with company.engine.connect() as connection, profiled.attached(NextVersion.of(connection)):
        attached = profiled.last_attached
    assert attached is not None
    assert attached.attached + sum(attached.anonymous.values()) == attached.accepted
    assert attached.accepted == traces.expected_interactions(
        company.lake, ["web/event", "mail/activity", "desk/ticket"]
    )
    assert company.query("SELECT sum(touches) FROM profile.touched") == [(attached.attached,)]
    customers = company.query("SELECT count(*) FROM golden.customer")
    assert company.query("SELECT count(*) FROM profile.totals") == customers
    assert company.query("SELECT count(totals_orders) FROM profile.customer") == customers


@pytest.mark.slow
def test_the_same_events_in_any_order_end_with_the_same_customers(found: Callable[[int], Company]) -> None:
    """Days, earlier days, days that come anew and decisions, published one by one or all at once (R4)."""
    at_once = found(0)
    for event in events(at_once):
        event()
    publish(at_once)
    assert values(at_once) != values(found(0))
    for seed in (1,):
        one_by_one = found(0)
        shuffled = events(one_by_one)
        random.Random(seed).shuffle(shuffled)
        for event in shuffled:
            event()
            publish(one_by_one)
        assert values(one_by_one) == values(at_once)
        assert min(worked / customers for worked, customers in one_by_one.worked) < 0.5


def events(company: Company) -> list[Callable[[], object]]:
    """What happens to the company, the same for each copy of it."""
    stien, third, fourth = (
        Actor("Stien", Role.STEWARD),
        SECOND_DAY + dt.timedelta(1),
        SECOND_DAY + dt.timedelta(2),
    )
    contacts, debtors, shoppers = (company.read(name) for name in (CONTACTS, DEBTORS, SHOPPERS))
    names = ["/".join((row["source"], row["entity"], row["record_id"])) for row in contacts]
    later = [dict(row) for row in contacts]
    for row in later[10:14]:
        row.update({name: company.one(debtors)[name] for name in PERSON})
    latest = [dict(row) for row in later[:20] + later[21:]]
    latest[12]["email"], latest[30]["merged_into"] = latest[40]["email"], latest[31]["record_id"]
    corrected = [
        {**row, "mobile": row["mobile"] or contacts[place]["mobile"]} for place, row in enumerate(debtors)
    ]
    past = [{**contacts[50], "surname": "Voorheen"}, {**contacts[51], "record_id": "past"}]
    order = {**company.one(company.read(ORDERS)), "record_id": "#9", "order_id": "#9"}
    bought = {**order, "party_id": None, "party_email": contacts[11]["email"] or "guest@mail.example"}
    moved = {**shoppers[5], **{name: contacts[60][name] for name in PERSON}}
    return [
        lambda: company.deliver(CONTACTS, later, third),
        lambda: company.deliver(CONTACTS, latest, fourth),
        lambda: company.deliver(CONTACTS, past, FIRST_DAY - dt.timedelta(9)),
        lambda: company.deliver(DEBTORS, corrected, SECOND_DAY),
        lambda: company.deliver(SHOPPERS, [moved], third),
        lambda: company.deliver(ORDERS, [bought], third),
        lambda: committed.same(company.engine, names[0], names[1], stien),
        lambda: committed.different(company.engine, names[2], names[3], stien),
        lambda: committed.different(company.engine, names[30], names[31], stien),
        lambda: committed.set_value(
            company.engine, company.settings, names[70], "job_title", "baker", actor=stien
        ),
    ]


def publish(company: Company) -> None:
    company.build_and_link()
    company.stage(rebuild=False)
    committed.publish_customers(company.engine, company.lake, company.settings)
    assert_accounted_for(company)


def values(company: Company) -> tuple[set[frozenset[str]], list[tuple[Any, ...]]]:
    """Clusters and golden values without golden ids, which follow the order of publication."""
    clusters = company.query(
        "SELECT array_agg(concat_ws('/', source, entity, record_id)) FROM golden.crosswalk GROUP BY golden_id"
    )
    golden = company.query(
        "SELECT to_jsonb(c) - 'golden_id' - 'employer_id' FROM golden.customer c ORDER BY 1"
    )
    return {frozenset(members) for (members,) in clusters}, golden


def assert_accounted_for(company: Company) -> None:
    """Every record is in exactly one customer, and every id ever published leads to a customer or is retired."""
    records = tables.records(company.lake, Entity.PARTY).read(["source", "entity", "record_id"]).to_pylist()
    published = company.query("SELECT source, entity, record_id, golden_id FROM golden.crosswalk")
    assert sorted(tuple(r.values()) for r in records) == sorted(row[:3] for row in published)
    customers = {(golden,) for *_, golden in published}
    assert customers == set(company.query("SELECT golden_id FROM golden.customer"))
    assert customers == set(
        company.query("SELECT golden_id FROM identity.golden_id WHERE status = 'current'")
    )
    assert customers >= set(company.query("SELECT alias_of FROM identity.golden_id WHERE status = 'alias'"))
