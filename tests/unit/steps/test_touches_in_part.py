"""Whose interactions may be others by a change: what is computed for them is what is computed for everybody."""

import datetime as dt
import random
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import committed
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from test_incremental_histories import CONTACTS, FIRST_DAY, Company, Row, base, found
from test_interactions import Web, contract, event

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.enrichment.catalogue import enrichers
from cdm_pipelines.enrichment.interactions import SUBJECT_COLUMNS
from cdm_pipelines.enrichment.places import places
from cdm_pipelines.enrichment.tokens import Era, Eras, InteractionPolicy
from cdm_pipelines.hub import profile_models
from cdm_pipelines.records import records_schema
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.customers.publication import publish_customers
from cdm_pipelines.steps.profile.enrich import Enriched, company_of, enrich
from cdm_pipelines.steps.profile.former import FORMER, Changed, keep_former, versions
from cdm_pipelines.steps.profile.former import ORDERS as FORMER_ORDERS
from cdm_pipelines.steps.profile.touches import CROSSWALK, Known, Touches, opened_touches
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.keys import RECORD_KEY, having
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons, Stores, erase, search

__all__ = ["base", "found"]  # fixtures
READERS = ("engagement", "service", "preference", "churn")
SHIPPED = InteractionPolicy.load(Settings.model_fields["policies"].default / "interactions.yaml")
ERAS = (Era("", SHIPPED.rules),)
SOURCES, NUMBERS, ORDERS = ("web", "shop", "crm"), "123456", ("o1", "o2", "o3", "o4")
EMAILS, PHONES = [f"{name}@x.nl" for name in "abcdefgh"], ["+311", "+312", "+313", "+314", "+315"]


# Any small world


@dataclass
class World:
    """A few customers who share addresses, numbers, orders and devices, and days of interactions."""

    rng: random.Random
    web: Web
    parties: dict[tuple[str, str], Row]
    orders: dict[str, tuple[str, str]]
    days: dict[str, list[dict[str, Any]]]

    @classmethod
    def of(cls, seed: int, folder: Path) -> "World":
        world = cls(random.Random(seed), Web(Lake(str(folder))), {}, {}, {})
        for key in ((source, number) for source in SOURCES for number in NUMBERS):
            if world.rng.random() < 0.7:
                world.parties[key] = world.party()
        for number in ORDERS:
            world.orders[number] = world.one(sorted(world.parties))
        world.days = {f"2026-06-0{day}": world.events(day) for day in (1, 2)}
        return world

    def one(self, of: Any) -> Any:
        return self.rng.choice(of)

    def party(self) -> Row:
        return {
            "golden_id": self.one([None, *(f"00000000-0000-8000-8000-00000000000{n}" for n in range(1, 9))]),
            "active": self.rng.random() < 0.8,
            "first_seen": self.one(["2026-01-01", "2026-01-02"]),
            "email": self.one([None, *EMAILS]),
            "phone": self.one([None, None, *PHONES]),
            "mobile": self.one([None, None, *PHONES]),
        }

    def events(self, day: int) -> list[dict[str, Any]]:
        return [
            event(
                10 * day + number,
                day,
                self.one([None, None, *"stuvwxyz"]),
                **self.one(
                    [
                        {},
                        {},
                        {"party_id": self.one(NUMBERS)},
                        {"order_id": self.one(ORDERS)},
                        {"party_email": self.one(EMAILS)},
                        {"party_phone": self.one(PHONES)},
                    ]
                ),
            )
            for number in range(9)
        ]

    def change(self) -> set[str]:
        """Change something; returns the customers that a version which publishes it touches."""
        before = {key: dict(row) for key, row in self.parties.items()}, dict(self.orders)
        for _ in range(self.rng.randint(1, 2)):
            self.one([self.another, self.another, self.go, self.move, self.order, self.day])()
        (parties, orders), touched = before, set()
        for one, other in ((parties, self.parties), (self.parties, parties)):
            touched |= {row["golden_id"] for key, row in one.items() if other.get(key) != row}
        for number, key in {*orders.items(), *self.orders.items()}:
            if orders.get(number) != self.orders.get(number):
                touched |= {rows[key]["golden_id"] for rows in (parties, self.parties) if key in rows}
        return {str(one) for one in touched - {None}}

    def key(self) -> tuple[str, str]:
        return self.one(SOURCES), self.one(NUMBERS)

    def another(self) -> None:
        """A party is new, or something of it is other."""
        key = self.key()
        names = self.rng.sample(["active", "first_seen", "email", "phone", "mobile"], 2)
        same = {name: value for name, value in self.parties.get(key, {}).items() if name not in names}
        self.parties[key] = {**self.party(), **same}

    def go(self) -> None:
        self.parties.pop(self.key(), None)

    def move(self) -> None:
        """A party is of another customer, or of none."""
        row = self.parties[self.one(sorted(self.parties))]
        row["golden_id"] = self.party()["golden_id"]

    def order(self) -> None:
        self.orders[self.one([*ORDERS, "o5"])] = self.key()

    def day(self) -> None:
        """A day comes, comes again or is taken away."""
        match self.one(["again", "new", "gone"]):
            case "again":
                self.days["2026-06-02"] = self.events(2)
            case "new":
                self.days["2026-06-03"] = self.events(self.one([2, 3]))
            case "gone":
                self.days.pop("2026-06-01", None)

    def keep(self) -> None:
        """Put all into the lake."""
        keyed = [
            {**row, "source": source, "entity": "customer", "record_id": number}
            for (source, number), row in sorted(self.parties.items())
        ]
        others = [
            {"source": "crm", "entity": "customer", "record_id": f"other {n}", "active": True}
            for n in range(40)
        ]
        put(self.web.lake, Entity.PARTY, keyed + others)
        orders = [
            {
                "source": "shop",
                "entity": "order",
                "record_id": number,
                "order_id": number,
                "party_source": source,
                "party_entity": "customer",
                "party_record_id": record if source == "shop" else None,
            }
            for number, (source, record) in sorted(self.orders.items())
        ]
        orders += [
            {"source": "shop", "entity": "order", "record_id": f"other {n}", "order_id": f"other {n}"}
            for n in range(20)
        ]
        put(self.web.lake, Entity.ORDER, orders)
        for date, rows in self.days.items():
            self.web.day(date, rows)
        for date in {"2026-06-01", "2026-06-02", "2026-06-03"} - self.days.keys():
            self.web.lake.delete(standard(date))

    @property
    def known(self) -> Known:
        rows = [
            {
                "golden_id": row["golden_id"],
                "source": source,
                "entity": "customer",
                "record_id": number,
            }
            for (source, number), row in self.parties.items()
            if row["golden_id"]
        ]
        return Known.of(self.web.lake, pa.Table.from_pylist(rows, schema=CROSSWALK))

    @property
    def looked_up(self) -> Known:
        """The same, of which the crosswalk is looked up as it is needed."""
        return Known.looked_up(self.web.lake, Looked(self.known.crosswalk))


@dataclass(frozen=True)
class Looked:
    """A crosswalk that rows are looked up in."""

    crosswalk: pa.Table

    def of_customers(self, golden_ids: pa.Array) -> pa.Table:
        return self.crosswalk.filter(pc.is_in(self.crosswalk["golden_id"], value_set=golden_ids))

    def of_records(self, keys: pa.Table) -> pa.Table:
        return self.crosswalk.filter(having(self.crosswalk, keys, RECORD_KEY))


def standard(date: str) -> str:
    return layout.standard_path(contract(), date, Entity.INTERACTION)


def put(lake: Lake, entity: Entity, rows: list[Row]) -> None:
    schema = records_schema(entity)
    if entity is Entity.ORDER:
        for name in ("party_entity", "party_record_id"):
            schema = schema.append(pa.field(name, pa.string()))
    full = [{name: row.get(name) for name in schema.names} for row in rows]
    tables.records(lake, entity).put([pa.Table.from_pylist(full, schema=schema)], schema, repr(rows))


def by_customer(rows: pa.Table) -> Mapping[str, list[str]]:
    made: dict[str, list[str]] = {}
    for row in rows.to_pylist():
        made.setdefault(row.pop("golden_id"), []).append(str(row))
    return {customer: sorted(own) for customer, own in made.items()}


def assert_told(world: World, change: Callable[[], set[str]], eras: Eras = ERAS) -> list[str]:
    """Whoever has other interactions after a change is told; returns who is."""
    world.keep()
    world.web.update()
    keep_former(world.web.lake)
    published = versions(world.web.lake)
    with opened(world) as touches:
        before = by_customer(touches.attached(eras)[0])
    touched = change()
    world.keep()
    counted = world.web.update()
    changed = Changed.since(world.web.lake, published)
    assert changed is not None
    subjects = SUBJECT_COLUMNS.empty_table() if counted.mark == counted.before else counted.subjects
    assert subjects is not None
    with opened(world) as touches:
        everybody = by_customer(touches.attached(eras)[0])
    with opened(world, world.looked_up) as touches:
        concerned = touches.concerned(eras, touched, subjects, former=changed.parties, orders=changed.orders)
        part = by_customer(touches.attached(eras, concerned)[0])
    assert part == {name: rows for name, rows in everybody.items() if name in concerned}
    differ = {name for name in before.keys() | everybody.keys() if before.get(name) != everybody.get(name)}
    assert differ <= set(concerned)
    return concerned


@pytest.mark.parametrize("seed", range(10))
def test_nobodys_interactions_change_but_those_of_whom_it_is_said(seed: int, tmp_path: Path) -> None:
    world = World.of(seed, tmp_path / "lake")
    others = {
        "numbers_of": {"web": ("shop", "crm")} if seed % 2 else {},
        "customers_per_token": 1 + seed % 3 // 2,
    }
    eras = (Era("", SHIPPED.rules.model_copy(update=others)),)
    for _ in range(4):
        assert_told(world, world.change, eras)


@pytest.mark.parametrize("seed", range(6))
def test_the_contacts_of_some_days_are_those_that_all_interactions_tell_of(seed: int, tmp_path: Path) -> None:
    world = World.of(seed, tmp_path / "lake")
    for row in (row for rows in world.days.values() for row in rows):
        row |= {
            "kind": world.one(["sent", "visit", "bounce", "ticket_solved", None]),
            "direction": world.one(["in", "out", None]),
        }
    world.keep()
    world.web.update()
    by_us: dict[str, int] = {}
    by_them: dict[str, dt.date] = {}
    day = dt.date(2026, 6, 2)
    with opened(world) as touches:
        for row in touches.attached(ERAS)[0].to_pylist():
            who, kind = row["golden_id"], row["kind"]
            if row["day"] != day or kind == "bounce":
                continue
            ours = "out" if kind in {"sent", "ticket_solved"} else None
            if (row["direction"] or ours) == "out" and kind != "ticket_solved":
                by_us[who] = by_us.get(who, 0) + row["touches"]
            if (row["direction"] or ("in" if kind == "visit" else None)) == "in":
                by_them[who] = day
        messages = touches.messages_by_us(ERAS, day, day).to_pylist()
        touched = touches.last_by_customers(ERAS, day, day).to_pylist()
    contacts = {row["golden_id"]: 0 for row in messages}
    for row in messages:
        assert row["day"] == day
        contacts[row["golden_id"]] += row["contacts"]
    assert contacts == by_us
    assert {row["golden_id"]: row["touched"] for row in touched} == by_them


def customer(number: int, **known: str) -> Row:
    return {"golden_id": gid(number), "active": True, "first_seen": "2026-01-01", **known}


def gid(number: int) -> str:
    return f"00000000-0000-8000-8000-0000000000{number:02}"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two customers of an address, two of a device: one by its number, one by an order."""
    return World(
        random.Random(0),
        Web(Lake(str(tmp_path / "lake"))),
        {
            ("web", "1"): customer(1, email="a@x.nl"),
            ("web", "2"): customer(2, email="a@x.nl"),
            ("web", "3"): customer(3),
            ("shop", "4"): customer(4),
            ("shop", "5"): {**customer(5), "golden_id": None},
        },
        {"o1": ("shop", "4")},
        {
            "2026-06-01": [
                event(1, 1, party_email="a@x.nl"),
                event(2, 1, "t", party_id="3"),
                event(3, 1, "t"),
                {**event(4, 1, "t", order_id="o1"), "occurred_at": "2026-06-01T12:00:00Z"},
            ]
        },
    )


BY_NUMBERS_OF_THE_SHOP = (Era("", SHIPPED.rules.model_copy(update={"numbers_of": {"web": ("web", "shop")}})),)


def test_an_address_that_one_of_two_gives_up_is_the_others_own(world: World) -> None:
    def give_up() -> set[str]:
        world.parties["web", "1"]["email"] = "b@x.nl"
        return {gid(1)}

    assert assert_told(world, give_up) == [gid(1), gid(2)]
    with opened(world) as touches:
        assert gid(2) in by_customer(touches.attached(ERAS)[0])


def test_a_party_that_is_gone_leaves_its_address_to_the_other(world: World) -> None:
    def go() -> set[str]:
        del world.parties["web", "1"]
        return {gid(1)}

    assert assert_told(world, go) == [gid(1), gid(2)]
    with opened(world) as touches:
        assert gid(2) in by_customer(touches.attached(ERAS)[0])


def test_a_device_is_ones_own_when_the_others_order_is_nobodys(world: World) -> None:
    def leave() -> set[str]:
        world.orders["o1"] = ("shop", "5")
        return {gid(4)}

    assert assert_told(world, leave, BY_NUMBERS_OF_THE_SHOP) == [gid(3), gid(4)]
    with opened(world) as touches:
        assert len(by_customer(touches.attached(BY_NUMBERS_OF_THE_SHOP)[0])[gid(3)]) == 2  # the visit as well


def opened(world: World, known: Known | None = None) -> AbstractContextManager[Touches]:
    return opened_touches(world.web.lake, [contract()], known or world.known, threads=1)


# Any history, published


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a company that has only what reads interactions worked out."""
    folder = tmp_path_factory.mktemp("policies") / "policies"
    shutil.copytree(load_settings().policies, folder)
    policy = yaml.safe_load((folder / "enrichment.yaml").read_text())
    policy["enrichers"] = {name: {"enabled": False} for name in enrichers(folder) if name not in READERS}
    (folder / "enrichment.yaml").write_text(yaml.safe_dump(policy))
    return folder


@pytest.fixture
def company(found: Callable[[int], Company], policies: Path, request: pytest.FixtureRequest) -> Company:
    made = found(request.param)
    known = {
        name: getattr(made.settings, name) for name in ("home", "landing_url", "lake_url", "database_url")
    }
    made.settings = load_settings(**known, policies=policies, threads=1)
    publish(made)
    return made


def publish(company: Company) -> Mapping[str, Enriched]:
    """Publish what changed; it is what computing everybody gives. Returns what was computed."""
    company.stage(rebuild=False)
    with company.engine.begin() as connection:
        own = company_of(company.lake, company.settings)
        done = enrich(connection, own, profile_models.current(connection))
    committed.publish_customers(company.engine, company.lake, company.settings)
    published = company.profile()
    assert sorted(published) == sorted([*READERS, "withheld"])
    assert published == company.profile(rebuilt=True), company.happened
    assert not [one.problem for one in done.values() if one.problem]
    return done


@dataclass
class Traces:
    """What visitors, readers and callers of a company leave behind."""

    company: Company

    def days(self, name: str) -> list[tuple[str, list[Row]]]:
        """All that was delivered, by day."""
        made = contract_named(name)
        dates = layout.standard_days(self.company.lake, made, Entity.INTERACTION)
        return [
            (date, self.company.lake.read(layout.standard_path(made, date, Entity.INTERACTION)).to_pylist())
            for date in dates
        ]

    def lay(self, name: str, date: str, rows: list[Row]) -> None:
        at = layout.standard_path(contract_named(name), date, Entity.INTERACTION)
        first = layout.standard_path(contract_named(name), str(FIRST_DAY), Entity.INTERACTION)
        schema = self.company.lake.schema(first)
        with self.company.lake.writer(at, schema) as writer:
            writer.write_table(pa.Table.from_pylist(rows, schema))
            writer.add_key_value_metadata({layout.FINGERPRINT: sha256(repr(rows).encode()).hexdigest()})

    def leave(self) -> None:
        """A new day, one that comes again, or the same once more."""
        rng, company = self.company.rng, self.company
        name = rng.choice(["web/event", "web/event", "mail/activity", "desk/ticket"])
        days = self.days(name)
        date, rows = days[-1]
        everything = [row for _, of_day in days for row in of_day]
        if rng.random() < 0.6:
            day = dt.date.fromisoformat(date) + dt.timedelta(1)
            rows = [
                {**row, "record_id": company.named("new"), "extract_date": str(day)}
                for row in rng.sample(everything, 5)
            ] + rng.sample(rows, 1)
            date = str(day)
        for row in rng.sample(rows, 2):
            what = rng.choice(["somebody else", "nobody", "address", "phone", "order", "device", "gone"])
            company.happened.append(f"{name}: {what}")
            match what:
                case "somebody else":
                    row["party_id"] = company.one(company.read("shop/customer"))["record_id"]
                case "nobody":
                    row.update(dict.fromkeys(("party_id", "party_email", "party_phone", "order_id")))
                case "address":
                    row["party_email"] = company.one(company.read(CONTACTS))["email"]
                case "phone":
                    row["party_phone"] = company.one(company.read(CONTACTS))["mobile"]
                case "order":
                    row["order_id"] = company.one(company.read("shop/order"))["order_id"]
                case "device":
                    row["token"] = rng.choice(everything)["token"]
                case "gone":
                    row["is_deleted"] = True
        self.lay(name, date, rows)

    def share(self) -> None:
        """Somebody gets an address or a phone that others have, or gives it up."""
        company = self.company
        rows = company.former(CONTACTS, before_today=False)
        known = [row for _, of_day in self.days("mail/activity") for row in of_day]
        one, other = company.one(rows), company.one(rows)
        company.happened.append("shared")
        one["email"] = company.rng.choice([other["email"], company.rng.choice(known)["party_email"], None])
        one["mobile"] = company.rng.choice([other["mobile"], one["mobile"], None])
        company.today += dt.timedelta(1)
        company.deliver(CONTACTS, rows, company.today)


@pytest.mark.slow
@pytest.mark.parametrize("company", range(3), indirect=True)
def test_any_history_gives_what_computing_everybody_gives(company: Company) -> None:
    traces, worked = Traces(company), []
    customers = company.query("SELECT count(*) FROM golden.customer")[0][0]
    for step in range(4):
        traces.leave()
        if step % 2:
            traces.share()
            company.build_and_link()
        worked.append(publish(company)["engagement"].worked)
    assert [one for one in worked if one is not None and 0 < one < 0.2 * customers], worked


@pytest.mark.parametrize("company", [0], indirect=True)
def test_a_run_that_was_killed_is_made_up_for(company: Company) -> None:
    """Whatever was written of it before it could be published."""
    traces = Traces(company)
    for killed in ("when days were counted", "when the profile was staged", "when parties were kept"):
        traces.leave()
        traces.share()
        company.build_and_link()
        company.stage(rebuild=False)
        own = company_of(company.lake, company.settings)
        if killed == "when days were counted":
            own.counted()
        with company.engine.connect() as connection:  # and never committed
            if killed != "when days were counted":
                enrich(connection, own, profile_models.current(connection))
            if killed == "when parties were kept":
                publish_customers(connection, company.lake, company.settings)
        publish(company)
    traces.leave()
    assert publish(company)["engagement"].worked is not None


# What is kept


def test_what_parties_were_is_found_and_leaves_for_good(world: World) -> None:
    world.keep()
    world.web.update()
    keep_former(world.web.lake)
    stores, ann = Stores(world.web.lake, None), Persons.of([("web", "customer", "1")])
    (place,) = [one for one in places() if one.name == "profile/parties"]
    assert [row["email"] for _, one in search([place], stores, ann) for row in one.rows] == ["a@x.nl"]
    assert [one.rows for one in erase([place], stores, ann)] == [1]
    assert not world.web.lake.exists(layout.FORMER_PARTIES)
    assert list(search([place], stores, ann)) == []


@pytest.mark.parametrize("damage", ["gone", "altered", "another version", "older"])
def test_what_parties_were_is_believed_of_its_own_version_only(world: World, damage: str) -> None:
    """It may be lost, or of another version than the published one: a run that was killed leaves it so."""
    world.keep()
    world.web.update()
    lake = world.web.lake
    keep_former(lake)
    older = Path(lake.url, layout.FORMER_PARTIES).read_bytes()
    world.parties["web", "1"]["email"] = "b@x.nl"
    world.keep()
    published = versions(lake)
    keep_former(lake)
    world.parties["web", "1"]["email"] = "c@x.nl"
    world.keep()
    assert Changed.since(lake, published) is not None
    file = Path(lake.url, layout.FORMER_PARTIES)
    match damage:
        case "gone":
            lake.delete(layout.FORMER_PARTIES)
        case "altered":
            file.write_bytes(file.read_bytes()[:-40] + b"x" * 40)
        case "another version":
            keep_former(lake)
        case "older":
            file.write_bytes(older)
    assert Changed.since(lake, published) is None
    keep_former(lake)
    assert Changed.since(lake, versions(lake)) == Changed(FORMER.empty_table(), FORMER_ORDERS.empty_table())


def test_where_there_are_no_interactions_nothing_is_kept_of_parties(world: World) -> None:
    world.days.clear()
    world.keep()
    world.web.update()
    keep_former(world.web.lake)
    assert not world.web.lake.exists(layout.FORMER_PARTIES)
