"""How customers behave is told in the truth, shows in the orders, and can be learnt from what there is to see."""

from collections import defaultdict
from datetime import date

import numpy as np
import pytest
from demo_deliveries import DATA, DAYS, Delivery, Row

from cdm_demo import generate
from cdm_demo.behaviour import planted
from cdm_demo.draws import Draws
from cdm_demo.generator import DEMO_START
from cdm_demo.headers import ERP_INVOICE, ERP_ORDER


@pytest.fixture(scope="module")
def lifelike(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    folder = tmp_path_factory.mktemp("lifelike")
    generate(3_000, 3, 23, folder, DEMO_START, interactions=15, lifelike=True)
    return Delivery(folder)


@pytest.fixture(scope="module", params=["committed", "lifelike"])
def made(request: pytest.FixtureRequest, lifelike: Delivery) -> Delivery:
    return lifelike if request.param == "lifelike" else Delivery(DATA)


def erp_days(delivery: Delivery) -> dict[str, set[str]]:
    """Days with an order per party that the shop does not know."""
    parties = delivery.party_of()
    in_shop = {party for (source, *_), party in parties.items() if source == "shop"}
    found: dict[str, set[str]] = defaultdict(set)
    for day in DAYS:
        for row in delivery.rows(ERP_ORDER, day):
            party = parties["erp", "customer", row["KUNNR"]]
            if party not in in_shop:
                found[party].add(row["AUDAT"])
    return found


def test_purchases_are_the_days_with_orders_and_nobody_buys_after_leaving(made: Delivery) -> None:
    behaviour = {row["truth_id"]: row for row in made.truth("behaviour")}
    bought = erp_days(made)
    assert len(bought) > 50
    for party, days in bought.items():
        row = behaviour[party]
        assert int(row["purchases"]) == len(days)
        assert row["first_on"].replace("-", "") == min(days)
        assert row["last_on"].replace("-", "") == max(days)
    for row in behaviour.values():
        assert (row["dropped_on"] == "") == (row["alive"] == "yes")
        assert row["dropped_on"] in {"", row["last_on"]}
        assert int(row["complaints"]) <= int(row["purchases"])
    assert {row["alive"] for row in behaviour.values()} == {"yes", ""}


def test_rates_and_chances_are_spread_as_the_model_says() -> None:
    size, start = 40_000, 46_000
    made = planted(Draws(5, "spread"), np.zeros(size, dtype=np.int64), start=start, end=start + 1)
    assert 3.0 < made.rate.mean() < 3.4
    assert 0.9 < made.rate.std() / made.rate.mean() < 1.15  # of a gamma of shape 0.9: 1.05
    assert 0.14 < made.chance.mean() < 0.165
    bought = made.purchases
    per_party = np.bincount(bought.party, minlength=size)
    steady = (made.dropped < 0) & (per_party > 0)
    first = np.full(size, start + 1)
    np.minimum.at(first, bought.party, bought.day)
    repeats, expected = (per_party - 1)[steady].sum(), (made.rate / 365 * (start - first))[steady].sum()
    # Those who stayed bought less than their rates say: who buys more has more occasions to leave. Not much less.
    assert 0.9 < repeats / expected < 1.02


def test_late_deliveries_and_complaints_drive_customers_away() -> None:
    size, start = 40_000, 46_000
    made = planted(Draws(6, "drivers"), np.zeros(size, dtype=np.int64), start=start, end=start + 1)
    bought = made.purchases
    last = bought.day == made.dropped[bought.party]
    plain = last[~bought.late & ~bought.complaint].mean()
    assert 1.5 < last[bought.late & ~bought.complaint].mean() / plain < 2.3
    assert 2.0 < last[bought.complaint].mean() / plain < 3.8


def test_who_has_left_looks_and_reads_less(lifelike: Delivery) -> None:
    behaviour = {row["truth_id"]: row for row in lifelike.truth("behaviour")}
    recent: dict[str, int] = defaultdict(int)
    for visit in lifelike.truth("visits"):
        moment = date.fromtimestamp(int(visit["visit"]))  # noqa: DTZ012 - a day more or less does not matter
        recent[visit["truth_id"]] += (DEMO_START - moment).days < 90

    def mean(rows: list[Row]) -> float:
        return sum(recent[row["truth_id"]] for row in rows) / len(rows)

    silent = [row for row in behaviour.values() if row["last_on"] < "2026-02-01"]
    gone = mean([row for row in silent if row["dropped_on"]])
    alive = mean([row for row in silent if row["alive"]])
    assert alive > 4 * gone


def test_slow_payers_pay_late(lifelike: Delivery) -> None:
    slow = {row["truth_id"]: row["slow"] == "yes" for row in lifelike.truth("behaviour")}
    parties = lifelike.party_of()
    late: dict[bool, list[bool]] = {True: [], False: []}
    for row in lifelike.rows(ERP_INVOICE, DAYS[0]):
        if row["AUGDT"] != "00000000":
            late[slow[parties["erp", "customer", row["KUNRG"]]]].append(row["AUGDT"] > row["NETDT"])
    assert np.mean(late[True]) > 3 * np.mean(late[False])
