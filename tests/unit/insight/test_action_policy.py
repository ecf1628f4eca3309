"""What is wrong in the policy of next best actions is told with its key and the fix; nothing is invented."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from cdm_pipelines.insight.action_policy import ActionPolicy
from cdm_pipelines.insight.action_rules import probabilities
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.operate.checkup import configuration_problems
from cdm_pipelines.steps.profile.wide import columns_of

SAYS = {"en": "Words", "nl": "Woorden"}
WORTH = {"value": {"amount": 10}, "cost": 1, "probability": {"rate": 0.1}}
ACTION = {"key": "a", "says": SAYS, "purpose": "marketing", "channel": "email", "goal": "buys"}
SHIPPED: Path = Settings.model_fields["policies"].default


def loaded(folder: Path, said: Any) -> ActionPolicy:
    (folder / "next_best_action.yaml").write_text(said if isinstance(said, str) else yaml.safe_dump(said))
    return ActionPolicy.load(folder)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"version": 1, "actions": []}, "actions: Tuple should have at least 1 item"),
        ({"version": 1}, "actions: Field required"),
        (
            {"version": 1, "actions": [{**ACTION, **WORTH, "cost": -1}]},
            "actions.0.cost: Input should be greater",
        ),
        (
            {"version": 1, "actions": [{**ACTION, **WORTH, "probability": {"rate": 1.2}}]},
            "actions.0.probability.rate: Input should be less than or equal to 1",
        ),
        (
            {"version": 1, "actions": [{**ACTION, "value": {"amount": 10}}]},
            "an expected value needs value, cost and probability, and cost and probability is missing",
        ),
        ({"version": 1, "actions": [ACTION, ACTION]}, "a is there twice"),
        (
            {"version": 1, "actions": [{**ACTION, "key": "none"}]},
            "none is the word for leaving somebody alone",
        ),
        ({"version": 1, "actions": [{**ACTION, "chanel": "email"}]}, "actions.0.chanel: Extra inputs"),
        ({"version": 1, "actions": [ACTION], "exploration": 1.5}, "exploration: Input should be less than 1"),
        (
            {"version": 1, "actions": [ACTION], "control_share": -0.1},
            "control_share: Input should be greater",
        ),
        (
            {"version": 1, "actions": [{**ACTION, "requires": [{"column": "x"}]}]},
            "actions.0.requires.0: says nothing of its column",
        ),
        (
            {
                "version": 1,
                "never": [{"reason": "x", "when": [{"column": "y", "is": True}]}],
                "actions": [ACTION],
            },
            "the reason x has no words",
        ),
        (
            {"version": 1, "actions": [{**ACTION, "outcome": {"kind": "wink"}}]},
            "outcome.kind: Input should be",
        ),
        ("version: [", "cannot be read as YAML"),
        ("version: 1\nversion: 1\n", "version is given twice"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_key(tmp_path: Path, said: Any, words: str) -> None:
    with pytest.raises(PrivacyPolicyError) as error:
        loaded(tmp_path, said)
    assert words in str(error.value)
    assert str(tmp_path / "next_best_action.yaml") in str(error.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"purpose": "marketting"}, "there is no purpose marketting"),
        ({"purpose": "operations"}, "nobody is addressed by email for operations"),
        ({"requires": [{"column": "rfm_segmant", "one_of": ["x"]}]}, "there is no column rfm_segmant"),
        (
            {"requires": [{"column": "rfm_segment", "over": 3}]},
            "over asks for a number, and rfm_segment is text",
        ),
        (
            {"requires": [{"column": "rfm_orders", "one_of": ["3"]}]},
            "one_of asks for text, and rfm_orders is a number",
        ),
        ({**WORTH, "value": {"column": "rfm_segment"}}, "rfm_segment is text, and a number is needed"),
        (
            {**WORTH, "probability": {"column": "rfm_orders", "rates": {"1": 0.1}}},
            "rates are by value of a text, and rfm_orders is none",
        ),
        (
            {"purpose": "sales", "requires": [{"column": "rfm_segment", "one_of": ["x"]}]},
            "rfm_segment is user.behavior, which sales may not use",
        ),
        ({"requires": [{"column": "payment_overdue_amount", "over": 0}]}, "which marketing may not use"),
        (
            {"requires": [{"column": "service_open_tickets", "at_most": 0}]},
            "service_open_tickets is worked out for service, and not for marketing",
        ),
    ],
)
def test_what_there_is_not_or_may_not_be_used_is_told(
    tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    policy = loaded(tmp_path, {"version": 1, "actions": [{**ACTION, **more}]})
    settings = load_settings()
    problems = list(
        policy.problems(*columns_of(settings), Purposes.load(settings.policies / "purposes.yaml"))
    )
    assert any(words in one for one in problems), problems


def test_the_policy_that_is_shipped_is_in_order_and_claims_no_value() -> None:
    policy = ActionPolicy.load(SHIPPED)
    settings = load_settings()
    assert not [one for one in configuration_problems(settings, []) if "next_best_action" in one]
    assert not policy.by_value
    assert all(one.value is None and one.probability is None for one in policy.actions)
    assert policy.says("nl").keys() == policy.says("en").keys()


def test_a_company_without_the_file_has_that_of_the_package(tmp_path: Path) -> None:
    assert ActionPolicy.load(tmp_path).fingerprint == ActionPolicy.load(SHIPPED).fingerprint


def test_cdm_check_tells_of_it(tmp_path: Path) -> None:
    for one in SHIPPED.rglob("*.yaml"):
        target = tmp_path / one.relative_to(SHIPPED)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(one.read_bytes())
    file = tmp_path / "next_best_action.yaml"
    file.write_text(file.read_text().replace("rfm_segment", "rfm_segmant"))
    found = configuration_problems(load_settings(policies=tmp_path), [])
    assert any(str(file) in one and "there is no column rfm_segmant" in one for one in found), found


def test_a_column_that_holds_no_probabilities_is_refused(tmp_path: Path) -> None:
    policy = loaded(
        tmp_path, {"version": 1, "actions": [{**ACTION, **WORTH, "probability": {"column": "rfm_orders"}}]}
    )
    with pytest.raises(ValueError, match="rfm_orders holds values beyond 0 to 1"):
        probabilities(pa.table({"rfm_orders": [1, 3]}), policy.actions[0])
