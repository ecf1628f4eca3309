"""Another rule is judged by choices that were made, and a model is used only where it is better: held against truth."""

import datetime as dt
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cdm_demo.responses import NOTHING, RESPONSES, Planted, planted
from cdm_pipelines.hub.actions import CHOICE
from cdm_pipelines.insight.action_choice import CONTACTS, House, assess, draw, told
from cdm_pipelines.insight.action_draws import drawn
from cdm_pipelines.insight.action_judgement import estimate
from cdm_pipelines.insight.action_policy import ActionPolicy
from cdm_pipelines.insight.action_rows import Days, Held, Made
from cdm_pipelines.insight.action_terms import Outcome
from cdm_pipelines.privacy.off import NOBODY
from cdm_pipelines.steps.activation.action_model import of_past
from cdm_pipelines.steps.activation.action_results import RESPONSES as SAID
from cdm_pipelines.steps.activation.action_results import judge_rules, with_responses

DAY = dt.date(2026, 6, 10)
WORDS = {"en": "Words", "nl": "Woorden"}
KEYS = ("offer", "call", "letter")
VALUE, COST = 50.0, 1.0


def rules(rates: dict[str, dict[str, float]], **more: Any) -> ActionPolicy:
    """A rule that takes the action of which it believes most, by segment."""
    actions = [
        {
            "key": key,
            "says": WORDS,
            "purpose": "marketing",
            "channel": "email",
            "goal": "buys",
            "value": {"amount": VALUE},
            "cost": COST,
            "probability": {"column": "segment", "rates": rates[key]},
        }
        for key in KEYS
    ]
    base = {"version": 1, "control_share": 0.2, "exploration": 0.5, "actions": actions}
    return ActionPolicy.model_validate({**base, **more})


def prefers(**best: str) -> dict[str, dict[str, float]]:
    return {key: {one: 0.2 if best[one] == key else 0.05 for one in best} for key in KEYS}


NOW = prefers(loyal="letter", at_risk="letter", new="letter")
BEST = prefers(loyal="call", at_risk="offer", new="letter")
WORST = prefers(loyal="letter", at_risk="letter", new="call")


def logged(
    policy: ActionPolicy, size: int = 30_000, seed: int = 4, **barred: Any
) -> tuple[Planted, pa.Table]:
    """Choices of a period by a policy, kept as the hub keeps them, with the planted responses."""
    made = planted(size, seed)
    everybody = {name: ["x"] * size for name in ("email", "mobile", "phone", "street", "postcode")}
    columns = {"segment": made.segments.tolist(), "status": ["active"] * size, **everybody}
    customers = pa.table({"golden_id": made.golden_ids, **columns})
    nobody = pa.array([], pa.string())
    house = House(nobody, nobody, barred.get("off", NOBODY), CONTACTS.empty_table())
    found = assess(policy, customers, DAY, house)
    draws = [drawn(customers["golden_id"], f"{name} {seed}") for name in ("control", "period")]
    result = draw(policy, found, draws[0], draws[1])
    held = Held.of(CHOICE.empty_table(), policy, customers)
    words = told(policy, found, result)
    kept = Made(
        policy, Days.of(DAY, policy), customers, found, result, words, held, CONTACTS.empty_table()
    ).log()
    done = np.where(result.control, NOTHING, np.array(KEYS)[result.action])
    responded = made.respond(done, seed)[result.action >= 0]
    rows = kept.append_column("control", pc.equal(kept["variant"], "control"))
    rows = rows.append_column("responded", pa.array(responded))
    return made, rows.append_column("amount", pa.nulls(rows.num_rows, pa.float64()))


def worth(made: Planted, rates: dict[str, dict[str, float]]) -> float:
    """What a rule is really worth per customer."""
    best = {one: max(KEYS, key=lambda key: rates[key][one]) for one in ("loyal", "at_risk", "new")}
    done = np.array([best[one] for one in made.segments.tolist()])
    return float(made.probability(done).mean() * VALUE - COST)


def test_a_rule_is_worth_what_is_planted() -> None:
    made, past = logged(rules(NOW))
    found = judge_rules(past, rules(NOW), rules(BEST))
    assert found.refused == ""
    assert found.now is not None
    assert found.then is not None
    assert found.difference is not None
    for one, rates in ((found.now, NOW), (found.then, BEST)):
        for interval in (one.ips, one.snips):
            assert interval.low < worth(made, rates) < interval.high
    assert found.difference.low < worth(made, BEST) - worth(made, NOW) < found.difference.high
    assert found.verdict == "The changed rule would have done better, by more than chance explains."
    assert found.differing == pytest.approx(0.6, abs=0.02)
    assert "worse" in judge_rules(past, rules(BEST), rules(WORST)).verdict
    assert "No difference" in judge_rules(past, rules(NOW), rules(NOW)).verdict


def test_intervals_of_a_judgement_hold_what_is_planted() -> None:
    """SNIPS over 40 seeds; an interval of 95 % covers fewer than 34 of them once in 300 times."""
    hits = 0
    for seed in range(40):
        made, past = logged(rules(NOW), 1_500, seed)
        then = judge_rules(past, rules(NOW), rules(BEST)).then
        assert then is not None
        hits += then.snips.low <= worth(made, BEST) <= then.snips.high
    assert hits >= 34


def test_without_exploration_nothing_else_can_be_judged_and_it_says_so() -> None:
    _, past = logged(rules(NOW, exploration=0.0), 3_000)
    found = judge_rules(past, rules(NOW), rules(BEST))
    assert found.difference is None
    assert "It cannot be judged" in found.verdict
    assert "exploration was 0" in found.verdict


def test_an_action_that_nobody_could_get_is_not_judged() -> None:
    _, past = logged(rules(NOW), 3_000)
    told = rules(BEST).model_dump(mode="json", by_alias=True)
    told["actions"][0]["key"] = "something_new"
    found = judge_rules(past, rules(NOW), ActionPolicy.model_validate(told))
    assert "could not have been drawn" in found.verdict


def test_too_little_overlap_is_refused() -> None:
    _, past = logged(rules(NOW, exploration=0.02), 1_500)
    found = judge_rules(past, rules(NOW), rules(prefers(loyal="call", at_risk="call", new="call")))
    assert "too few choices" in found.verdict
    assert "needed" in found.verdict


def test_whom_the_house_barred_stays_barred() -> None:
    made = planted(3_000, 4)
    off = pa.table({"purpose": ["marketing"] * 3_000, "channel": [""] * 3_000, "golden_id": made.golden_ids})
    told = rules(NOW).model_dump(mode="json", by_alias=True)
    told["actions"][1]["purpose"] = "sales"
    policy = ActionPolicy.model_validate(told)
    _, past = logged(policy, 3_000, off=off)
    assert set(past["action"].to_pylist()) == {"call"}
    best = rules(BEST).model_dump(mode="json", by_alias=True)
    found = judge_rules(past, policy, ActionPolicy.model_validate(best))
    assert found.differing == 0, "the one action that was open is what both take"


def test_several_choices_of_a_customer_are_one_observation() -> None:
    reward, once = np.array([0.0, 1.0] * 50), np.arange(100)
    twice = np.concatenate([once, once])
    one = estimate(np.ones(100), reward, once, 0.0).ips
    both = estimate(np.ones(200), np.concatenate([reward, reward]), twice, 0.0).ips
    assert both.high - both.low == pytest.approx(one.high - one.low)


def test_responses_count_within_their_days_and_choices_when_their_time_is_over() -> None:
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(5)]
    days = [DAY, DAY, DAY, DAY, DAY + dt.timedelta(days=5)]
    row = {"period": DAY, "policy": "p", "action": "offer", "variant": "treated", "propensity": 1.0}
    choices = pa.Table.from_pylist(
        [{**row, "golden_id": one, "chosen_on": day} for one, day in zip(ids, days, strict=True)], CHOICE
    )
    after = [
        (0, 1, "order", 10.0),
        (0, 3, "order", 5.0),
        (1, 0, "order", 9.0),
        (2, 4, "order", 9.0),
        (3, 1, "click", None),
    ]
    said = pa.Table.from_pylist(
        [
            {"golden_id": ids[at], "day": DAY + dt.timedelta(days=day), "kind": kind, "amount": amount}
            for at, day, kind, amount in after
        ],
        SAID,
    )
    found = with_responses(choices, said, {"offer": Outcome(within_days=3)}, DAY + dt.timedelta(days=6))
    assert found.waiting == 1
    assert found.choices["responded"].to_pylist() == [True, False, False, False]
    assert found.choices["amount"].to_pylist() == [15.0, 0.0, 0.0, 0.0]


_MODEL = {"features": ["segment"], "smallest": 1000}


@pytest.mark.parametrize("method", ["logistic", "boosting"])
def test_a_model_is_used_where_it_beats_the_best_single_action(method: str) -> None:
    policy = rules(NOW, model={**_MODEL, "method": method})
    assert policy.model is not None
    _, past = logged(policy, 12_000)
    segments = pa.table({"segment": ["loyal", "at_risk", "new"]})
    found = of_past(policy, policy.model, past, segments)
    assert found.uplift is not None, found.words
    assert [KEYS[at] for at in found.uplift.argmax(1)] == ["call", "offer", "letter"]
    planted_gain = RESPONSES["offer"]["at_risk"] - RESPONSES[NOTHING]["at_risk"]
    assert found.uplift[1, 0] == pytest.approx(planted_gain, abs=0.04)
    again = of_past(policy, policy.model, past, segments)
    assert again.uplift is not None
    assert (again.uplift == found.uplift).all()


def test_an_action_that_the_model_does_not_know_goes_by_what_is_declared_and_is_drawn() -> None:
    """So it can get the responses by which a model is fitted of it: 10 % of 50, at no cost, is 5."""
    new = {"key": "visit", "says": WORDS, "purpose": "marketing", "channel": "post", "goal": "buys"}
    worth = {"value": {"amount": 50}, "cost": 0, "probability": {"rate": 0.1}}
    before = rules(NOW, model=_MODEL)
    _, past = logged(before, 12_000)
    said = before.model_dump(mode="json", by_alias=True)
    policy = ActionPolicy.model_validate({**said, "actions": [*said["actions"], {**new, **worth}]})
    assert policy.model is not None
    size = 3_000
    made = planted(size, 8)
    everybody = {name: ["x"] * size for name in ("email", "mobile", "phone", "street", "postcode")}
    columns = {"segment": made.segments.tolist(), "status": ["active"] * size, **everybody}
    customers = pa.table({"golden_id": made.golden_ids, **columns})
    model = of_past(policy, policy.model, past, customers.select(["segment"]))
    assert model.uplift is not None, model.words
    assert model.words.endswith(
        "it knows too little of visit, which goes by the probability that is declared"
    )
    found = assess(policy, customers, DAY, uplift=model.uplift)
    assert found.expected[:, 3].tolist() == [5.0] * size
    assert found.possible[:, 3].all()
    assert not np.allclose(found.probabilities[:, 0], 0.05), "the others go by the model"
    draws = [drawn(customers["golden_id"], name) for name in ("control", "period")]
    result = draw(policy, found, draws[0], draws[1])
    assert (result.action[result.explored] == 3).sum() > 200


def test_a_model_that_knows_nothing_is_hardly_ever_used() -> None:
    """One that is no better passes a standard error by chance in one of six times."""
    policy = rules(NOW, model={**_MODEL, "features": ["noise"]})
    assert policy.model is not None
    words = []
    for seed in range(6):
        _, past = logged(rules(NOW), 4_000, seed)
        noise = np.random.default_rng(seed + 50).normal(size=past.num_rows).round(3)
        context = pa.array([json.dumps({"noise": one}) for one in noise])
        past = past.set_column(past.schema.get_field_index("context"), "context", context)
        words.append(of_past(policy, policy.model, past, pa.table({"noise": [0.0]})).words)
    assert sum(one.startswith("used") for one in words) <= 2, words
    assert any("does not beat the best single action" in one for one in words)


def test_a_model_with_too_few_choices_is_not_used() -> None:
    policy = rules(NOW, model=_MODEL)
    assert policy.model is not None
    _, past = logged(policy, 500)
    assert "are needed" in of_past(policy, policy.model, past, pa.table({"segment": ["new"]})).words
    nothing = of_past(policy, policy.model, past.slice(0, 0), pa.table({"segment": ["new"]}))
    assert nothing.words.startswith("not used")
