"""Values that stand for nobody bridge nobody: from a delivered file to clusters, one day at a time and all at once."""

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.model import Column, Delivery, Format, KindRule, PartyKind, SourceContract
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.days.tally import DayResult
from cdm_pipelines.steps.linking.parties import Linked, link_parties
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

DATA = Path(__file__).parents[3] / "data" / "landing"
NAMES = ("id", "name", "email", "phone", "born", "address", "postcode", "city", "iban")
TARGETS = ("full_name", "email", "phone", "birth_date", "address_line", "postcode", "city", "iban")
DESK = SourceContract(
    source="desk",
    entity="visitor",
    version="1",
    owner="",
    description="",
    location="desk/visitor/{date}*.csv",
    format=Format.CSV,
    delivery=Delivery.DELTA,
    columns=(
        Column("id", key_position=1),
        *(
            Column(name, maps_to=(f"party.{target}",))
            for name, target in zip(NAMES[1:], TARGETS, strict=True)
        ),
    ),
    default_country="NL",
    party_kind=KindRule(PartyKind.PERSON),
)
CRM = next(contract for contract in all_contracts() if contract.name == "crm/contact")


@dataclass(frozen=True)
class House:
    """A lake with the contacts of the demo's CRM, and a desk that writes down its visitors."""

    settings: Settings

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_url)

    def day(self, date: str, *rows: tuple[str, ...]) -> DayResult:
        path = Path(self.settings.landing_url) / "desk" / "visitor" / f"{date}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([NAMES, *((*row, *[""] * (len(NAMES) - len(row))) for row in rows)])
        result = process_day(self.settings, self.lake, DESK, date)
        build_records(self.lake, [CRM, DESK], [Entity.PARTY])
        return result

    def link(self, *, rebuild: bool = False) -> Linked:
        return link_parties(self.lake, self.settings, rebuild=rebuild)

    def clusters(self) -> dict[tuple[str, str], str]:
        rows = tables.clusters(self.lake).read().to_pylist()
        return {(row["source"], row["record_id"]): row["cluster_id"] for row in rows}

    def desk(self) -> dict[str, str]:
        return {
            record: cluster
            for (source, record), cluster in self.clusters().items()
            if source == "desk/visitor"
        }


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of which the model was fitted before the desk had any visitor."""
    home = tmp_path_factory.mktemp("fitted")
    lake = Lake(str(home / "lake"))
    own = load_settings(home=home, landing_url=str(DATA), lake_url=str(home / "lake"), threads=1)
    process_day(own, lake, CRM, "2026-06-01")
    build_records(lake, [CRM, DESK], [Entity.PARTY])
    link_parties(lake, own)
    return home


@pytest.fixture
def house(fitted: Path, tmp_path: Path) -> House:
    home = tmp_path / "home"
    shutil.copytree(fitted, home)
    return House(
        load_settings(home=home, landing_url=str(home / "landing"), lake_url=str(home / "lake"), threads=1)
    )


LISTED = (
    (
        "1",
        "Hidde Wartena",
        "no-reply@veiling.nl",
        "+31 6 1234 5678",
        "1900-01-01",
        "Straat 1",
        "1234ab",
        "Plaats",
    ),
    (
        "2",
        "Wiebe Oldersma",
        "no-reply@veiling.nl",
        "0612345678",
        "1900-01-01",
        "Straat 1",
        "1234 AB",
        "Plaats",
    ),
    ("3", "Hidde Klaver", "geen@geen.nl", "0000000000", "1970-01-01", "Onbekend", "0000 AA", "onbekend"),
    ("4", "Froukje Terwisscha", "geen@geen.nl", "06-66666666", "1970-01-01", "xxx 1", "9999 ZZ", "xxx"),
    ("5", "Onbekend", "no-reply@veiling.nl", "0612345678", "1900-01-01", "Straat 1", "1234 AB", "Plaats"),
    ("6", "test test", "test@test.nl", "1111111111", "1900-01-01", "Teststraat 1", "1234 AB", "Test"),
    ("7", "", "hidde@wartena.example.org", "", "", "", "", ""),
)


def test_listed_values_bring_nobody_together_and_are_recorded(house: House) -> None:
    result = house.day("2026-06-02", *LISTED)
    house.link()
    assert len(set(house.desk().values())) == len(LISTED)
    assert result.repairs["placeholder"] > 20
    assert result.repaired == 6
    again = house.day("2026-06-03", *((f"n{row[0]}", *row[1:]) for row in LISTED))
    assert not house.link().everything
    assert again.repairs == result.repairs
    one, other = house.desk()["1"], house.desk()["n1"]
    assert len(set(house.desk().values())) >= len(LISTED), (one, other)


PEOPLE = (
    "Hidde Wartena",
    "Wiebe Oldersma",
    "Froukje Terwisscha",
    "Sjoerd Klaver",
    "Anne Bijlstra",
    "Ube Nauta",
)


def sharing(phone: str, email: str, date: str = "1962-05-09") -> list[tuple[str, ...]]:
    """People with unlike names, and the same way to reach them."""
    return [(f"s{n}", name, email, phone, date) for n, name in enumerate(PEOPLE)]


def test_a_value_of_too_many_unlike_names_is_found_in_the_data_and_again_when_it_is_not(house: House) -> None:
    house.day("2026-06-02", *sharing("020-6247313", "kassa@veilinghuis-oost.nl")[:3])
    house.link()
    house.day("2026-06-03", *sharing("020-6247313", "kassa@veilinghuis-oost.nl")[3:])
    linked = house.link()
    assert linked.shared["person"] == 2
    assert not linked.everything, "the values are found when only what has changed is linked"
    assert len(set(house.desk().values())) == len(PEOPLE)
    found = house.clusters()
    pairs = tables.matches(house.lake).read()
    house.link(rebuild=True)
    assert house.clusters() == found, "and the outcome is that of linking everything"
    order = [(name, "ascending") for name in ("left_source", "left_id", "right_source", "right_id")]
    assert tables.matches(house.lake).read().sort_by(order).equals(pairs.sort_by(order))

    house.day(
        "2026-06-04",
        *((*row[:2], f"own{n}@veilinghuis-oost.nl", "") for n, row in enumerate(sharing("", ""))),
    )
    assert "somebody's again" in house.link().everything["person"]
    assert house.link().shared["person"] == 0


def test_that_more_may_share_a_value_holds_from_the_next_run_on(house: House, tmp_path: Path) -> None:
    policies = shutil.copytree(house.settings.policies, tmp_path / "policies")
    own = House(house.settings.model_copy(update={"policies": policies}))
    own.day("2026-06-02", *sharing("020-6247313", "kassa@veilinghuis-oost.nl"))
    assert own.link().shared["person"] == 2
    path = policies / "placeholders.yaml"
    path.write_text(path.read_text().replace("unlike_names: 4", "unlike_names: 50"))
    linked = own.link()
    assert linked.shared["person"] == 0
    assert not linked.everything
    again = own.link()
    assert again.changed == 0
    found = own.clusters()
    own.link(rebuild=True)
    assert own.clusters() == found


def test_a_family_shares_its_mailbox_and_a_person_is_still_found_by_it(house: House) -> None:
    mail, phone = "familie@terwisscha-wartena.nl", "0513-624817"
    address = ("Zonnedauwpad 14", "8441 AB", "Heerenveen")
    house.day(
        "2026-06-02",
        ("a", "Froukje Terwisscha", mail, phone, "1962-05-09", *address),
        ("b", "F. Terwisscha", mail, phone, "1962-05-09", *address),
        ("c", "Hidde Wartena", mail, phone, "1960-01-19", *address),
        ("d", "Sjoerd Wartena", mail, phone, "1991-08-02", *address),
    )
    assert house.link().shared["person"] == 0
    desk = house.desk()
    assert desk["a"] == desk["b"]
    assert len({desk[who] for who in "acd"}) == 3


def test_a_record_without_a_name_joins_nobody_by_what_housemates_share(house: House) -> None:
    known = (
        "Froukje Terwisscha",
        "f.terwisscha@zonnedauw.nl",
        "0612983746",
        "1962-05-09",
        "Zonnedauwpad 14",
        "8441 AB",
    )
    house.day("2026-06-02", ("a", *known), ("b", "", *known[1:]), ("c", *known))
    house.link()
    desk = house.desk()
    assert desk["a"] == desk["c"] != desk["b"]


def test_what_failed_a_rule_weighs_nothing(house: House) -> None:
    wrong = ("", "020-624", "2031-04-09", "", "", "", "NL00INGB0001234567")
    rows = [(f"i{n}", name, *wrong) for n, name in enumerate(("Hidde Wartena", "Hidde Klaver"))]
    house.day("2026-06-02", *rows)
    house.link()
    left = tables.matches(house.lake).read(["left_source", "right_source"]).to_pylist()
    assert [row for row in left if row["left_source"] == row["right_source"] == "desk/visitor"] == []
    assert len(set(house.desk().values())) == 2
