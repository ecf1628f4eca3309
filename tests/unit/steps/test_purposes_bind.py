"""What data are given for binds: in linking and in golden values, on the steps of a run."""

import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import committed
import pytest
import yaml
from sqlalchemy import Engine, text

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.privacy.purposes import PurposesError
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.linking.parties import Linked, link_parties
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

ROOT = Path(__file__).parents[3]
POLICIES = ROOT / "cdm_pipelines" / "policies"
EXTRACT = ROOT / "data" / "landing" / "erp" / "customer" / "2026-06-01.csv"
CUSTOMER = next(one for one in all_contracts() if one.name == "erp/customer")
IBAN = "NL57RABO0318264953"
TWO = ("0999999998", "0999999999")
"""Two customers of whom the ERP knows no more than a name and one bank account."""


def set_purposes(policies: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the purposes as a company would."""
    path = policies / "purposes.yaml"
    said = yaml.safe_load((POLICIES / "purposes.yaml").read_text(encoding="utf-8"))
    change(said["purposes"])
    path.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")


@dataclass(frozen=True)
class House:
    """A deployment with the customers of the ERP, whose bank accounts are given for billing alone."""

    settings: Settings

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_url)

    def purposes(self, **flags: bool) -> None:
        """Say of billing whether it allows identity resolution, and whether golden customers serve it."""
        set_purposes(self.settings.policies, lambda purposes: purposes["billing"].update(flags))

    def link(self, *, rebuild: bool = False) -> Linked:
        return link_parties(self.lake, self.settings, rebuild=rebuild)

    def clusters(self) -> dict[str, str]:
        return {row["record_id"]: row["cluster_id"] for row in tables.clusters(self.lake).read().to_pylist()}

    def matches(self) -> list[dict[str, Any]]:
        rows = tables.matches(self.lake).read().to_pylist()
        return sorted(rows, key=lambda row: (row["left_id"], row["right_id"]))


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a day of the ERP, nothing linked yet."""
    home = tmp_path_factory.mktemp("delivered")
    shutil.copytree(POLICIES, home / "policies")
    target = home / "landing" / "erp" / "customer" / EXTRACT.name
    target.parent.mkdir(parents=True)
    with EXTRACT.open(encoding=CUSTOMER.dialect.encoding, newline="") as file:
        header, *rows = csv.reader(file, delimiter=";")
    known = dict.fromkeys(header, "")
    for number in TWO:
        own = known | {"KUNNR": number, "LAND1": "NL", "NAME1": "Oetske Tjalsma", "ZZIBAN": IBAN}
        rows.append([own[name] for name in header])
    with target.open("w", encoding=CUSTOMER.dialect.encoding, newline="") as file:
        csv.writer(file, delimiter=";").writerows([header, *rows])
    own_settings = load_settings(home=home, landing_url=str(home / "landing"), lake_url=str(home / "lake"))
    process_day(own_settings, Lake(own_settings.lake_url), CUSTOMER, "2026-06-01")
    build_records(Lake(own_settings.lake_url), [CUSTOMER], [Entity.PARTY])
    return home


@pytest.fixture
def house(delivered: Path, tmp_path: Path, settings: Settings) -> House:
    home = tmp_path / "house"
    shutil.copytree(delivered, home)
    return House(
        load_settings(
            home=home,
            landing_url=str(home / "landing"),
            lake_url=str(home / "lake"),
            policies=home / "policies",
            database_url=settings.database_url,
            threads=1,
        )
    )


def blocked_by_account(linked: Linked) -> int:
    """Pairs that were compared since they have one bank account."""
    return sum(pairs for rule, pairs in linked.blocking.items() if "iban" in rule)


def test_a_value_given_for_no_purpose_that_identifies_is_neither_compared_nor_blocked_on(
    house: House,
) -> None:
    assert blocked_by_account(house.link()) > 0
    assert len({house.clusters()[one] for one in TWO}) == 1
    assert any(row["iban"] >= 0 for row in house.matches())

    house.purposes(identity_resolution=False)
    changed = house.link()
    assert not changed.fitted
    assert len({house.clusters()[one] for one in TWO}) == 2
    assert all(row["iban"] < 0 for row in house.matches())
    clusters, matches = house.clusters(), house.matches()
    assert blocked_by_account(house.link(rebuild=True)) == 0
    assert house.clusters() == clusters
    assert house.matches() == matches

    house.purposes()
    house.link()
    assert len({house.clusters()[one] for one in TWO}) == 1


def test_a_change_of_purposes_that_linking_does_not_read_links_nothing_anew(house: House) -> None:
    house.link()
    before = house.matches()
    set_purposes(house.settings.policies, lambda all_: all_["marketing"].update(identity_resolution=True))
    assert house.link().changed == 0
    assert house.matches() == before


def test_a_value_given_for_no_purpose_that_golden_customers_serve_is_no_golden_value(
    house: House, hub_engine: Engine
) -> None:
    house.link()

    def publish() -> tuple[int, int]:
        committed.stage_customers(hub_engine, house.lake, house.settings)
        committed.publish_customers(hub_engine, house.lake, house.settings)
        with hub_engine.connect() as connection:
            filled = connection.scalar(text("SELECT count(iban) FROM golden.customer"))
            traces = connection.scalar(
                text("SELECT count(*) FROM golden.provenance WHERE attribute = 'iban'")
            )
        return int(filled or 0), int(traces or 0)

    filled, _ = publish()
    assert filled > 10
    house.purposes(golden=False)
    assert publish() == (0, 0)
    house.purposes()
    assert publish()[0] == filled


def test_a_run_under_purposes_that_are_not_kept_to_stops_and_says_why(
    house: House, hub_engine: Engine
) -> None:
    house.link()
    set_purposes(house.settings.policies, lambda purposes: purposes.pop("billing"))
    missing = r"erp/customer\.odcs\.yaml: schema\[customer\]\.properties\[ZZIBAN\]\.purposes: no purpose of "
    with pytest.raises(PurposesError, match=missing):
        house.link()
    with pytest.raises(PurposesError, match=missing):
        committed.stage_customers(hub_engine, house.lake, house.settings)
