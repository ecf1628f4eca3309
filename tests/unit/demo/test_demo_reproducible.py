"""The same arguments give the same bytes, and data/ is what the documented arguments give."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from demo_deliveries import DATA, Delivery
from hypothesis import given
from hypothesis import strategies as st

from cdm_demo import generate, generator
from cdm_demo.draws import Draws, permute
from cdm_demo.generator import DEMO_CUSTOMERS, DEMO_DAYS, DEMO_SEED, DEMO_START
from cdm_demo.headers import CRM_CONTACT


def test_committed_extracts_are_what_the_documented_arguments_give(tmp_path: Path) -> None:
    generate(DEMO_CUSTOMERS, DEMO_DAYS, DEMO_SEED, tmp_path, DEMO_START)
    again, committed = Delivery(tmp_path).contents(), Delivery(DATA).contents()
    assert sorted(again) == sorted(committed)
    assert [name for name in again if again[name] != committed[name]] == []


def test_committed_extracts_stay_small() -> None:
    assert sum(p.stat().st_size for p in DATA.rglob("*") if p.is_file()) < 4_400_000


def test_two_runs_are_equal_and_another_seed_is_not(tmp_path: Path) -> None:
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        generate(150, 2, seed, tmp_path / name, date(2025, 3, 30))
    one, two, three = (Delivery(tmp_path / name).contents() for name in ("one", "two", "three"))
    assert one == two
    assert [n for n in one if n.startswith("landing/crm") and one[n] == three[n]] == []


def test_a_second_run_into_the_same_folder_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    generate(150, 3, 5, tmp_path, DEMO_START)
    generate(100, 1, 5, tmp_path, DEMO_START)
    generate(100, 1, 5, tmp_path / "fresh", DEMO_START)
    again = Delivery(tmp_path).contents()
    assert again == Delivery(tmp_path / "fresh").contents()


def test_the_first_day_does_not_depend_on_how_many_days_follow(tmp_path: Path) -> None:
    """Who joins later is missing from the first day; nothing else about it changes."""
    generate(300, 1, 5, tmp_path / "one", DEMO_START)
    generate(300, 2, 5, tmp_path / "two", DEMO_START)
    one = set((tmp_path / "one/landing/erp/customer/2026-06-01.csv").read_bytes().split(b"\r\n"))
    two = set((tmp_path / "two/landing/erp/customer/2026-06-01.csv").read_bytes().split(b"\r\n"))
    assert len(two & one) > 0.9 * len(one)


def test_blocks_share_no_key_no_mailbox_and_no_phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "BLOCK", 120)
    summary = generate(600, 1, 3, tmp_path, DEMO_START)
    delivery = Delivery(tmp_path)
    party_of = delivery.party_of()
    assert len(party_of) == len(delivery.truth("party")) == summary.total_records
    assert len({r["truth_id"] for r in delivery.truth("structure")}) == 600
    owners: dict[str, set[str]] = {}
    for row in delivery.rows(CRM_CONTACT, "2026-06-01"):
        if row["Email"] and not row["AccountId"]:
            owners.setdefault(row["Email"], set()).add(party_of["crm", "contact", row["Id"]])
    households = {r["truth_id"]: r["household"] for r in delivery.truth("structure")}
    strangers = [people for people in owners.values() if len({households[p] for p in people}) > 1]
    assert strangers == []


@pytest.mark.parametrize(
    ("customers", "days", "told"),
    [(0, 1, "customers"), (10**9, 1, "customers"), (10, 0, "days"), (10, 1000, "days")],
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, customers: int, days: int, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        generate(customers, days, 1, tmp_path, DEMO_START)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("customers", [1, 2, 7, 30])
def test_very_small_populations_work(tmp_path: Path, customers: int) -> None:
    summary = generate(customers, 3, 1, tmp_path, DEMO_START)
    assert summary.persons + summary.organisations == customers


@given(modulus=st.integers(1, 3000), key=st.integers(0, 200))
def test_permute_gives_every_number_once(modulus: int, key: int) -> None:
    assert sorted(permute(np.arange(modulus), modulus, key).tolist()) == list(range(modulus))


def test_one_more_draw_leaves_the_other_streams_alone() -> None:
    alone = Draws(1, "people").uniform("birth", 5).tolist()
    draws = Draws(1, "people")
    draws.uniform("something new", 1000)
    assert draws.uniform("birth", 5).tolist() == alone
    assert Draws(1, "people").uniform("death", 5).tolist() != alone
