"""Euros follow from measured volumes and a company's own inputs, to the cent, and from nothing else."""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cdm_pipelines.insight.business_case import ImprovementError, draws_of, gain_of, improved, worked_out
from cdm_pipelines.insight.business_case_policy import BusinessCasePolicy
from cdm_pipelines.insight.fault_costs import optimum
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.settings import Settings

SHIPPED = Settings.model_fields["policies"].default
PAGE = Path(__file__).parents[3] / "docs" / "business-case.md"


@cache
def example() -> tuple[BusinessCasePolicy, dict[str, dict[str, float]], list[list[str]]]:
    """Policy, volumes and amounts that the page works out by hand."""
    text = PAGE.read_text(encoding="utf-8").partition("## Worked by hand")[2]
    said = re.search(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert said is not None
    policy = BusinessCasePolicy.model_validate(yaml.safe_load(said[1]))
    rows = [
        [cell.strip() for cell in row.strip("|").split("|")]
        for row in re.findall(r"^\|.*\|$", text, re.MULTILINE)
    ]
    volumes: dict[str, dict[str, float]] = {}
    for row in rows:
        if len(row) == 3 and row[2].replace(".", "").isdigit():
            volumes.setdefault(row[0], {})[row[1]] = float(row[2])
    return policy, volumes, [row for row in rows if len(row) == 6 and row[0] not in {"Kind", "---"}]


def test_the_example_that_is_worked_by_hand_is_what_the_program_says_to_the_cent() -> None:
    policy, volumes, rows = example()
    found = {
        (one.kind, one.name): (one.likely, one.low, one.high) for one in worked_out(policy, volumes).amounts
    }
    by_hand = {(row[0], row[1]): tuple(Decimal(cell) for cell in row[3:]) for row in rows}
    assert found == by_hand
    assert by_hand["total", "all"][0] == Decimal("22833.90")


def test_what_the_page_says_beside_its_table_is_so() -> None:
    policy, volumes, _ = example()
    assert gain_of(policy, volumes, {"duplicate_records:shop": 0.1})["total"] == Decimal("282.20")
    widest = worked_out(policy, volumes).matters[0]
    assert (widest.input, widest.low, widest.high) == (
        "cost_of_a_returned_parcel",
        Decimal("20539.80"),
        Decimal("25128.00"),
    )
    best = optimum(policy.upkeep, 20453.10)
    assert best is not None
    assert [f"{one:.2f}" for one in (best.reach, best.upkeep, best.poor)] == [
        "9788.08",
        "11213.51",
        "9788.08",
    ]
    text = PAGE.read_text(encoding="utf-8")
    assert all(
        one in text for one in ("282.20", "9,788.08", "11,213.51", "20,539.80", "25,128.00", "8,472.80")
    )


def test_the_optimum_is_less_than_what_lies_around_it() -> None:
    policy, _, _ = example()
    best = optimum(policy.upkeep, 20453.10)
    assert best is not None
    both = best.upkeep + best.poor
    assert all(both < at + best.poor_at(at) for at in (best.upkeep - 10, best.upkeep + 10, best.now))
    assert math.isclose(best.saved, best.now + best.poor_now - both)


def test_without_unit_values_there_is_not_one_euro() -> None:
    policy, (_, volumes, _) = BusinessCasePolicy.load(SHIPPED), example()
    case = worked_out(policy, volumes)
    assert [one.likely for one in case.amounts] == [None] * len(case.amounts)
    assert not any(one.given for one in policy.inputs.values())
    assert not any(claim.enabled for claim in policy.claims.values())
    used = {name for term in policy.terms().values() for name in term.inputs}
    assert used <= set(case.missing)
    assert {one.volume for one in case.of("fault") if one.name == "duplicates_mailed"} == {2080.0}


def test_a_term_without_an_input_is_left_out_and_said_to_be_missing() -> None:
    policy, volumes, _ = example()
    inputs = {**policy.inputs, "cost_of_a_returned_parcel": {"means": "one return", "unit": "EUR"}}
    without = BusinessCasePolicy.model_validate({**policy.model_dump(), "inputs": inputs})
    driver = worked_out(without, volumes).of("driver")[0]
    assert (driver.likely, driver.missing) == (Decimal("8472.80"), ("cost_of_a_returned_parcel",))


def test_a_volume_that_cannot_be_measured_gives_no_amount() -> None:
    policy, volumes, _ = example()
    case = worked_out(policy, {**volumes, "outdated_addresses": None})
    returned = next(one for one in case.amounts if one.name == "returned_parcels")
    assert (returned.likely, returned.missing) == (None, ("not measurable yet: outdated_addresses",))


def test_half_a_cent_is_rounded_up_as_on_paper() -> None:
    policy, volumes, _ = example()
    said = policy.model_dump()
    said["inputs"]["mailings_a_year"]["likely"] = 1
    said["inputs"]["cost_of_a_mail_piece"] |= {"low": None, "likely": 0.125, "high": None}
    counts = {**volumes, "undeliverable_addresses": {"": 1.0}}
    found = worked_out(BusinessCasePolicy.model_validate(said), counts)
    assert [one.likely for one in found.amounts if one.name == "undeliverable_mail"] == [Decimal("0.13")]


def test_a_claim_is_in_no_sum_and_silent_unless_it_is_switched_on() -> None:
    policy, volumes, _ = example()
    off = policy.model_dump()
    off["claims"]["rule_of_ten"]["enabled"] = False
    silent = worked_out(BusinessCasePolicy.model_validate(off), volumes)
    assert silent.of("claim") == []
    assert silent.total == worked_out(policy, volumes).total


def test_the_simulation_is_the_same_again_and_another_input_changes_no_draw() -> None:
    policy, volumes, _ = example()
    assert worked_out(policy, volumes) == worked_out(policy, volumes)
    more = {**policy.model_dump()}
    more["inputs"] = {
        "a_first_one": {"means": "new", "unit": "EUR", "low": 1, "likely": 2, "high": 9},
        **more["inputs"],
    }
    other = BusinessCasePolicy.model_validate(more)
    name = "cost_of_a_returned_parcel"
    assert np.array_equal(draws_of(policy, name), draws_of(other, name))
    seeded = BusinessCasePolicy.model_validate({**policy.model_dump(), "seed": 2})
    assert not np.array_equal(draws_of(policy, name), draws_of(seeded, name))


@pytest.mark.parametrize(
    ("shape", "mean"), [("pert", (9.5 + 4 * 11.75 + 14) / 6), ("triangular", (9.5 + 11.75 + 14) / 3)]
)
def test_draws_have_the_mean_of_their_shape(shape: str, mean: float) -> None:
    policy, _, _ = example()
    said = policy.model_dump()
    said["inputs"]["cost_of_a_returned_parcel"]["shape"] = shape
    drawn = draws_of(
        BusinessCasePolicy.model_validate({**said, "draws": 100_000}), "cost_of_a_returned_parcel"
    )
    assert abs(float(drawn.mean()) - mean) < 0.02
    assert (drawn.min() >= 9.5, drawn.max() <= 14) == (True, True)


@given(share=st.floats(0.01, 1), crm=st.integers(0, 10**7), shop=st.integers(0, 10**7))
def test_an_improvement_is_worth_what_the_volume_shrinks_by(share: float, crm: int, shop: int) -> None:
    policy, volumes, _ = example()
    policy = policy.model_copy(update={"draws": 1_000})
    counts: Mapping[str, Any] = {**volumes, "duplicate_records": {"crm": float(crm), "shop": float(shop)}}
    worth = gain_of(policy, counts, {"duplicate_records:shop": share})["total"]
    assert abs(float(worth) - shop * share * 4 * 0.85) <= 0.02 + 1e-5 * 4
    assert improved(counts, {"share_without_fault": 1.0})["share_without_fault"] == {"": 1.0}


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("customers", "cannot be improved"),
        ("nothing", "cannot be improved"),
        ("duplicate_records:moon", "It is of: crm, shop"),
    ],
)
def test_what_cannot_be_improved_is_told(key: str, told: str) -> None:
    policy, volumes, _ = example()
    with pytest.raises(ImprovementError, match=told):
        gain_of(policy, volumes, {key: 0.1})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("cost_of_a_bounce: {means: b, unit: EUR, likely: -1}", "inputs.cost_of_a_bounce.likely"),
        ("cost_of_a_bounce: {means: b, unit: EUR, likely: .nan}", "inputs.cost_of_a_bounce.likely"),
        ("cost_of_a_bounce: {means: b, unit: EUR, likely: .inf}", "inputs.cost_of_a_bounce.likely"),
        ("cost_of_a_bounce: {means: b, unit: EUR, likely: two}", "inputs.cost_of_a_bounce.likely"),
        (
            "cost_of_a_bounce: {means: b, unit: EUR, low: 3, likely: 2}",
            "low <= likely <= high does not hold: 3, 2, 2",
        ),
        ("cost_of_a_bounce: {means: b, unit: EUR, low: 3}", "likely is not; give likely"),
        ("cost_of_a_bounce: {means: b, unit: share, likely: 2}", "a share is from 0 to 1"),
        ("cost_of_a_bounce: {means: b, unit: EUR, likly: 2}", "inputs.cost_of_a_bounce.likly"),
        ("cost_of_a_bounce: {means: b, unit: EUR, likely: 1, likely: 2}", "likely is given twice"),
    ],
)
def test_an_input_that_cannot_be_is_told_with_file_and_key(tmp_path: Path, change: str, told: str) -> None:
    shipped = (SHIPPED / "business_case.yaml").read_text(encoding="utf-8")
    changed = re.sub(r"^  cost_of_a_bounce: .*$", f"  {change}", shipped, flags=re.MULTILINE)
    assert changed != shipped
    (tmp_path / "business_case.yaml").write_text(changed, encoding="utf-8")
    with pytest.raises(PrivacyPolicyError) as refused:
        BusinessCasePolicy.load(tmp_path)
    assert told in str(refused.value)
    assert str(tmp_path / "business_case.yaml") in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("measured: [bounced_emails]", "measured: [bounced_email]", "faults.bounced_mail.measured"),
        ("inputs: [cost_of_a_bounce]", "inputs: [cost_of_bounces]", "faults.bounced_mail.inputs"),
        (
            "formula: rule_of_ten",
            "formula: rule_of_twelve",
            "claims.rule_of_ten.formula: there is no formula",
        ),
        (
            "formula: per_percent",
            "formula: rule_of_ten",
            "claims.ten_percent_per_percent.measured: rule_of_ten takes 2",
        ),
        ("goal: growth", "goal: growing", "drivers.customers_within_reach.goal"),
        ("terms: [doubtful_consent]", "terms: [doubtful]", "drivers.consent_that_holds.terms"),
        (
            "terms: [doubtful_consent]",
            "terms: [bounced_mail]",
            "bounced_mail is counted in mail_that_arrives already",
        ),
        ("upkeep: {now: null,", "upkeep: {now: 5,", "give now, more and removes, or none"),
        ("draws: 10000", "draws: 10", "draws"),
        ("currency: EUR", "currency: euro", "currency"),
        ("    source: T. Redman, Data Driven (2008)\n", "", "claims.rule_of_ten.source"),
    ],
)
def test_a_name_that_there_is_not_is_told_with_its_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    shipped = (SHIPPED / "business_case.yaml").read_text(encoding="utf-8")
    assert old in shipped
    (tmp_path / "business_case.yaml").write_text(shipped.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PrivacyPolicyError) as refused:
        BusinessCasePolicy.load(tmp_path)
    assert told in str(refused.value)
