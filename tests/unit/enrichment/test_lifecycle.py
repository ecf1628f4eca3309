"""Stages of customers: by their own rhythm, each transition with its day, nothing rewritten by what comes later."""

import datetime as dt
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from enricher_checks import by_customer, check_subset_equals_full, computed, fit, order
from enricher_tables import AS_OF, work_on
from pydantic import ValidationError

from cdm_pipelines.enrichment import lifecycle, lifecycle_step
from cdm_pipelines.enrichment.catalogue import built_in
from cdm_pipelines.enrichment.policy import EnrichmentPolicyError, load_policy
from cdm_pipelines.enrichment.rhythm import fit_rhythm
from cdm_pipelines.enrichment.stages import STAGES, LifecycleParameters

THIRTY: dict[str, Any] = {
    "rhythm": {"mu": math.log(30), "within": 1.0, "weight": 1e-9, "shortest": 5, "longest": 200},
    "retention": [],
}
"""A scale by which somebody who bought once is silent after 90 days and lost after 180; others by their own gaps."""


def bought(customer: int, *days: str) -> list[dict[str, Any]]:
    return [order(customer * 1000 + n, customer, day, "10.00") for n, day in enumerate(days)]


def steps(orders: list[dict[str, Any]], **given: Any) -> dict[int, list[tuple[str, str]]]:
    table = computed(lifecycle_step.ENRICHER, THIRTY, state_order=orders, **given)
    found: dict[int, list[tuple[str, str]]] = {}
    for row in table.to_pylist():
        found.setdefault(int(row["golden_id"][-12:]), []).append(
            (row["stage"], row["entered_on"].isoformat())
        )
    return found


def stage(orders: list[dict[str, Any]], **given: Any) -> dict[int, dict[str, Any]]:
    return by_customer(computed(lifecycle.ENRICHER, THIRTY, state_order=orders, **given))


HISTORIES: list[tuple[str, tuple[str, ...], list[tuple[str, str]]]] = [
    ("bought once", ("2026-05-01",), [("first_time", "2026-05-01")]),
    ("twice a day is once", ("2026-05-01", "2026-05-01"), [("first_time", "2026-05-01")]),
    (
        "the first silence is that of the population",
        ("2026-03-05",),
        [("first_time", "2026-03-05"), ("at_risk", "2026-06-03")],
    ),
    ("a day before it", ("2026-03-06",), [("first_time", "2026-03-06")]),
    (
        "every ten days and then silent: at risk after 30, lost after 60",
        ("2026-01-01", "2026-01-11", "2026-01-21", "2026-01-31"),
        [
            ("first_time", "2026-01-01"),
            ("active", "2026-01-11"),
            ("loyal", "2026-01-31"),
            ("at_risk", "2026-03-02"),
            ("lost", "2026-04-01"),
        ],
    ),
    (
        "at risk, and bought on the very day of being lost: not lost",
        ("2026-01-01", "2026-01-11", "2026-02-10", "2026-05-25"),
        [
            ("first_time", "2026-01-01"),
            ("active", "2026-01-11"),
            ("at_risk", "2026-04-03"),
            ("loyal", "2026-05-25"),
        ],
    ),
    (
        "lost and won back counts from one again",
        ("2025-01-01", "2026-02-01", "2026-03-01", "2026-04-01"),
        [
            ("first_time", "2025-01-01"),
            ("at_risk", "2025-04-01"),
            ("lost", "2025-06-30"),
            ("won_back", "2026-02-01"),
            ("active", "2026-03-01"),
        ],
    ),
]


@pytest.mark.parametrize(("what", "days", "expected"), HISTORIES, ids=[one[0] for one in HISTORIES])
def test_every_stage_with_its_day(what: str, days: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    assert steps(bought(1, *days)) == {1: expected}
    now = stage(bought(1, *days))[1]
    assert (now["stage"], now["entered_on"].isoformat()) == expected[-1]
    assert now["previous_stage"] == (expected[-2][0] if len(expected) > 1 else None)
    assert now["times_lost"] == sum(one == "lost" for one, _ in expected)
    assert now["purchases"] == len(set(days))


def test_prospects_are_known_and_never_bought() -> None:
    customers = [
        {"golden_id": 1, "first_seen": "2026-01-05"},
        {"golden_id": 2, "first_seen": "2026-01-05"},
        {"golden_id": 3, "first_seen": "2026-05-05"},
        {"golden_id": 4},
    ]
    orders = [
        *bought(2, "2026-05-01"),
        *bought(3, "2026-05-01"),
        order(9, 1, "2026-05-01", "10.00", status="cancelled"),
    ]
    assert steps(orders, golden_customer=customers) == {
        1: [("prospect", "2026-01-05")],
        2: [("prospect", "2026-01-05"), ("first_time", "2026-05-01")],
        3: [("first_time", "2026-05-01")],
    }
    now = stage(orders, golden_customer=customers)
    assert {one: row["stage"] for one, row in now.items()} == {
        1: "prospect",
        2: "first_time",
        3: "first_time",
        4: "prospect",
    }
    assert (now[4]["entered_on"], now[2]["previous_stage"], now[1]["purchases"]) == (None, "prospect", 0)


def test_when_the_stage_will_change_unless_something_is_bought() -> None:
    row = stage(bought(1, "2026-05-01", "2026-05-21"))[1]
    assert (row["stage"], row["rhythm_days"]) == ("active", 20)
    assert (row["at_risk_from"], row["lost_from"]) == (dt.date(2026, 7, 20), dt.date(2026, 9, 18))


def test_a_purchase_after_the_fit_moves_that_customers_now_only() -> None:
    orders = [*bought(1, "2026-03-06", "2026-06-04"), *bought(2, "2026-03-06")]
    assert {one: row["stage"] for one, row in stage(orders).items()} == {1: "active", 2: "first_time"}


def test_what_was_is_not_rewritten_by_a_later_purchase() -> None:
    days = ["2025-01-01", "2025-02-10", "2025-02-20", "2025-10-01", "2025-10-05", "2026-01-01", "2026-05-01"]
    whole = steps(bought(1, *days))[1]
    for known in range(1, len(days)):
        before = steps(
            bought(1, *days[:known]), as_of=dt.date.fromisoformat(days[known]) - dt.timedelta(days=1)
        )[1]
        assert before == [one for one in whole if one[1] < days[known]]


def history(customers: int) -> dict[str, Any]:
    random = np.random.default_rng(7)
    orders, golden = [], []
    for customer in range(1, customers + 1):
        golden.append({"golden_id": customer, "first_seen": f"2024-01-{customer % 28 + 1:02}"})
        day = AS_OF - dt.timedelta(days=int(random.integers(1, 900)))
        for nth in range(int(random.integers(0, 7))):
            orders.append(order(customer * 100 + nth, customer, day.isoformat(), "10.00"))
            day += dt.timedelta(days=int(random.integers(0, 60 if customer % 2 else 200)))
            if day > AS_OF:
                break
    return {"state_order": orders, "golden_customer": golden}


@pytest.mark.parametrize("enricher", [lifecycle.ENRICHER, lifecycle_step.ENRICHER], ids=lambda one: one.name)
def test_a_subset_has_the_rows_that_it_has_among_everybody(enricher: Any) -> None:
    table = check_subset_equals_full(enricher, [4, 31, 77], **history(120))
    assert set(table["stage"].to_pylist()) >= set(STAGES) - {"won_back"}


def test_each_customer_is_in_the_last_stage_of_its_steps() -> None:
    given = history(120)
    fitted = fit(lifecycle.ENRICHER, **given)
    now = by_customer(computed(lifecycle.ENRICHER, fitted, **given))
    last: dict[int, Any] = {}
    for row in computed(lifecycle_step.ENRICHER, fitted, **given).to_pylist():
        last[int(row["golden_id"][-12:])] = row  # in order of days
    assert len(now) == 120
    assert {one: (row["stage"], row["entered_on"], row["from_stage"]) for one, row in last.items()} == {
        one: (row["stage"], row["entered_on"], row["previous_stage"]) for one, row in now.items()
    }


def test_the_rhythm_of_everybody_is_recovered_from_planted_gaps() -> None:
    random, orders = np.random.default_rng(3), []
    for customer in range(1, 501):
        own, day = random.normal(math.log(60), 0.5), dt.date(2000, 1, 1)
        for nth in range(customer % 8 + 2):
            orders.append(order(customer * 100 + nth, customer, day.isoformat(), "1.00"))
            day += dt.timedelta(days=max(round(math.exp(random.normal(own, 0.8))), 1))
    with work_on(state_order=orders) as work:
        found = fit_rhythm(work, 90)
    assert found["fitted"]
    assert math.exp(found["mu"]) == pytest.approx(60, rel=0.1)
    assert found["within"] == pytest.approx(0.64, rel=0.1)
    assert found["weight"] == pytest.approx(0.64 / 0.25, rel=0.25)


def test_one_who_buys_without_end_does_not_speed_up_everybody() -> None:
    random, orders = np.random.default_rng(5), []
    for customer in range(1, 101):
        day = dt.date(2020, 1, 1)
        for nth in range(4):
            orders.append(order(customer * 100 + nth, customer, day.isoformat(), "1.00"))
            day += dt.timedelta(days=round(math.exp(random.normal(math.log(60), 0.6))))
    for nth in range(600):
        day = dt.date(2020, 1, 1) + dt.timedelta(days=3 * nth)
        orders.append(order(90_000 + nth, 999, day.isoformat(), "1.00"))
    with work_on(state_order=orders) as work:
        found = fit_rhythm(work, 90)
    assert math.exp(found["mu"]) == pytest.approx(60, rel=0.15)


def test_too_few_who_bought_twice_take_the_default_and_nothing_at_all_is_no_error() -> None:
    few = fit(lifecycle.ENRICHER, state_order=bought(1, "2026-01-01", "2026-02-01"))
    assert not few["rhythm"]["fitted"]
    assert math.exp(few["rhythm"]["mu"]) == pytest.approx(90)
    assert computed(lifecycle.ENRICHER, fit(lifecycle.ENRICHER)).num_rows == 0
    assert computed(lifecycle_step.ENRICHER, None, state_order=bought(1, "2026-01-01")).num_rows == 0
    with pytest.raises(ValidationError, match="lost_after must be more"):
        LifecycleParameters(at_risk_after=6)


def test_retention_and_transitions_are_drawn_and_told() -> None:
    orders = [
        *bought(1, "2025-11-01", "2026-01-10"),
        *bought(2, "2025-11-01"),
        *bought(3, "2026-01-10", "2026-04-10"),
    ]
    fitted = fit(lifecycle.ENRICHER, state_order=orders)
    chart: Any = lifecycle.explain_fit(fitted)["retention"]
    assert chart.points == {
        "2025 Q4 new": 2.0,
        "2025 Q4 +1": 0.5,
        "2025 Q4 +2": 0.0,  # nobody is shown as well
        "2026 Q1 new": 1.0,
        "2026 Q1 +1": 1.0,
    }
    assert "50% to 100%" in chart.told
    with work_on() as work:
        table = computed(lifecycle_step.ENRICHER, THIRTY, state_order=orders)
        flow: Any = lifecycle_step.picture(table, work)["transitions"]
    assert flow.points["first_time -> active"] == 2.0
    assert "first_time -> active 2" in flow.told
    for svg in (chart.svg, flow.svg):
        assert svg.startswith("<svg")
        assert svg.endswith("</svg>\n")


def test_steps_follow_the_parameters_of_the_lifecycle(tmp_path: Path) -> None:
    path = tmp_path / "enrichment.yaml"
    path.write_text("version: 1\ncurrency: EUR\nenrichers: {lifecycle: {loyal_from: 6}}\n")
    chosen = load_policy(path, built_in()).chosen
    assert (
        chosen["lifecycle_step"].parameters
        == chosen["lifecycle"].parameters
        == LifecycleParameters(loyal_from=6)
    )
    path.write_text("version: 1\ncurrency: EUR\nenrichers: {lifecycle: {enabled: false}}\n")
    assert not {"lifecycle", "lifecycle_step"} & load_policy(path, built_in()).chosen.keys()
    path.write_text("version: 1\ncurrency: EUR\nenrichers: {lifecycle_step: {loyal_from: 6}}\n")
    with pytest.raises(EnrichmentPolicyError, match="those of lifecycle; set them there"):
        load_policy(path, built_in())
