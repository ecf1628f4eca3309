"""What actions brought: published intervals, planted behaviour found, and intervals that hold as often as they say."""

import datetime as dt
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cdm_demo.responses import NOTHING, Planted, planted
from cdm_pipelines.insight.action_choice import Drawn, assess, draw
from cdm_pipelines.insight.action_draws import drawn
from cdm_pipelines.insight.action_policy import ActionPolicy
from cdm_pipelines.insight.action_uplift import Uplift, needed_to_tell, newcombe, uplifts, welch, wilson

SAYS = {"en": "Words", "nl": "Woorden"}
KEYS = ("offer", "call", "letter")


def rules(**more: Any) -> ActionPolicy:
    """What a company believes: it has the best action of a segment right in one of three."""
    rate = {
        "offer": {"at_risk": 0.1, "loyal": 0.02, "new": 0.02},
        "call": {"loyal": 0.1, "at_risk": 0.02, "new": 0.02},
        "letter": {"new": 0.1, "loyal": 0.01, "at_risk": 0.01},
    }
    actions = [
        {
            "key": key,
            "says": SAYS,
            "purpose": "marketing",
            "channel": "email",
            "goal": "buys",
            "value": {"amount": 50},
            "cost": 0.2,
            "probability": {"column": "segment", "rates": rate[key]},
        }
        for key in KEYS
    ]
    base = {"version": 1, "control_share": 0.2, "exploration": 0.3, "actions": actions}
    return ActionPolicy.model_validate({**base, **more})


def customers_of(made: Planted) -> pa.Table:
    size = len(made.golden_ids)
    everybody = {name: ["x"] * size for name in ("email", "mobile", "phone", "street", "postcode")}
    columns = {"segment": made.segments.tolist(), "status": ["active"] * size, **everybody}
    return pa.table({"golden_id": made.golden_ids, **columns})


def played(
    policy: ActionPolicy, size: int, seed: int, *, keyed: bool = True
) -> tuple[Planted, Drawn, pa.Table]:
    """A period: choices of the policy, and responses as planted; draws by key, or faster from a generator."""
    made = planted(size, seed)
    customers = customers_of(made)
    found = assess(policy, customers, dt.date(2026, 6, 10))
    random = np.random.default_rng([seed, 3])
    draws = [
        drawn(customers["golden_id"], f"{name} {seed}") if keyed else random.random(size)
        for name in ("control", "period")
    ]
    result = draw(policy, found, draws[0], draws[1])
    action = np.array(KEYS)[result.action]
    done = np.where(result.control, NOTHING, action)
    responded = made.respond(done, seed)
    choices = pa.table(
        {
            "first": [True] * size,
            "action": action.tolist(),
            "control": result.control,
            "responded": responded,
            "amount": np.where(responded, made.spend, 0.0),
        }
    )
    return made, result, choices


def truth(made: Planted, result: Drawn, at: int) -> float:
    """The planted uplift of an action over those for whom it was chosen."""
    return float(made.uplift(KEYS[at])[result.action == at].mean())


def test_published_intervals() -> None:
    """Newcombe 1998, table II, contrasts (a), (b), (g) by method 10; Wilson 1998, table I, 81 of 263."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    for treated, control, expected in (
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((10, 10), (0, 10), (0.6075, 1.0)),
    ):
        found = newcombe(treated, control)
        assert (found.low, found.high) == pytest.approx(expected, abs=5e-5)


def test_welch_on_a_worked_example() -> None:
    found = welch(np.array([3.0, 4.0, 5.0, 6.0, 7.0]), np.array([1.0, 2.0, 3.0]))
    # means 5 and 2, variances 2.5 / 5 and 1 / 3: standard error .9129, 5.9 degrees of freedom, t 2.457
    assert found.value == 3
    assert found.high - found.value == pytest.approx(0.9129 * 2.4577, abs=0.005)


def test_numbers_needed() -> None:
    assert needed_to_tell(0.10, 0.05) == 432  # Fleiss without correction gives 435 with a pooled variance
    assert needed_to_tell(0.1, 0.1) is None


def _found(choices: pa.Table) -> dict[str, Uplift]:
    return {one.action: one for one in uplifts(choices, KEYS)}


def test_planted_behaviour_is_found() -> None:
    made, result, choices = played(rules(), 60_000, 5)
    found = _found(choices)
    for at, key in enumerate(KEYS):
        one = found[key]
        assert one.rate is not None
        assert one.rate.low < truth(made, result, at) < one.rate.high
        assert one.rate.low > 0, "each of them brings something, and it is told"
        assert one.needed_to_approach == pytest.approx(1 / one.rate.value)
        assert one.amount is not None
        assert one.amount.tells
        assert one.treated + one.control == (result.action == at).sum()


@pytest.mark.hypothesis
def test_intervals_cover_what_is_planted(request: pytest.FixtureRequest) -> None:
    """At least 90 of 100 seeds of each action: an interval of 95 % does worse once in 87 times (binomial).

    Of all actions together, with as many customers as a small company has, 95 of 100: seeds are fixed, so that it is
    what was measured and no draw.
    """
    thorough = request.config.getoption("--hypothesis-profile") == "thorough"
    hits = dict.fromkeys(KEYS, 0)
    for seed in range(100):
        made, result, choices = played(rules(), 6_000 if thorough else 2_000, seed, keyed=thorough)
        found = _found(choices)
        for at, key in enumerate(KEYS):
            rate = found[key].rate
            assert rate is not None
            hits[key] += rate.low <= truth(made, result, at) <= rate.high
    assert min(hits.values()) >= 90, hits
    if thorough:
        assert sum(hits.values()) >= 0.95 * 100 * len(KEYS), hits


def test_nothing_is_said_of_too_few() -> None:
    table = pa.table(
        {"first": [True], "action": ["a"], "control": [False], "responded": [True], "amount": [1.0]}
    )
    [one] = uplifts(table, ["a"])
    assert one.rate is None
    assert (
        "not measurable yet, because fewer than 5 for whom it was the first choice were left alone"
        in one.reason
    )


def test_no_response_at_all_still_has_an_interval() -> None:
    table = pa.table(
        {
            "first": [True] * 40,
            "action": ["a"] * 40,
            "control": [False, True] * 20,
            "responded": [False] * 40,
            "amount": [0.0] * 40,
        }
    )
    [one] = uplifts(table, ["a"])
    assert one.rate is not None
    assert one.rate.value == 0
    assert -0.17 < one.rate.low < 0 < one.rate.high < 0.17
    assert one.needed_to_approach is None
    assert not math.isnan(one.treated_rate)
