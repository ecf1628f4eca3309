"""What the command line tells of profiles, journeys, models and tokens."""

import re
import shutil
from collections.abc import Callable

import pytest

from cdm_pipelines.settings import load_settings

from .conftest import DAYS, Deployment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def known(deploy: Callable[..., Deployment]) -> Deployment:
    """A day of a company whose policies are its own."""
    made = deploy().settings
    policies = made.home / "policies"
    shutil.copytree(made.policies, policies)
    given = {
        name: getattr(made, name) for name in ("home", "landing_url", "lake_url", "database_url", "threads")
    }
    own = Deployment(load_settings(**given, policies=policies))
    assert own.run(DAYS[0]) == 0
    return own


def test_a_journey_has_every_touch_of_its_customer_in_order(known: Deployment) -> None:
    [(golden, emails, orders)] = known.query(
        """SELECT golden_id::text, engagement_emails_365, rfm_orders + rfm_orders_not_counted FROM profile.customer
           WHERE rfm_orders > 1 AND engagement_emails_365 > 0 ORDER BY engagement_visits_365 DESC, golden_id LIMIT 1"""
    )
    told = known.ask("customer", golden, "--journey", "--limit", "10000")
    numbers = [number for (number,) in known.query(_ORDERS.format(golden))]
    assert len(numbers) == orders
    assert all(number in told for number in numbers)
    assert "newest" not in told
    assert told.count("email") >= emails > 0
    days = re.findall(r"^│ (\d{4}-\d\d-\d\d)", told, re.MULTILINE)
    assert days == sorted(days)
    few = known.ask("customer", golden, "--journey", "--limit", "3")
    assert re.search(r"The newest \d+ of \d+ touches; --limit shows more\.", few)
    assert re.findall(r"^│ (\d{4}-\d\d-\d\d)", few, re.MULTILINE)[-1] == days[-1]


def test_a_profile_is_told_value_for_value_with_where_it_comes_from(known: Deployment) -> None:
    [(golden, orders, segment)] = known.query(
        "SELECT golden_id::text, orders, segment FROM profile.rfm ORDER BY orders DESC, golden_id LIMIT 1"
    )
    told = " ".join(known.ask("customer", golden, "--profile").split())
    assert re.search(rf"rfm │ orders │ {orders}\b", told)
    assert f"rfm │ segment │ {segment}" in told
    assert re.search(r"rfm │ orders │[^│]+│ purchases\.order_id", told)


def test_who_asks_for_a_profile_and_a_journey_at_once_is_told(known: Deployment) -> None:
    assert "Ask for --profile, for --journey" in known.ask("customer", "x", "--profile", "--journey", code=2)


def test_tokens_say_what_a_policy_would_change_before_it_does(known: Deployment) -> None:
    assert "Today's policy changes nothing." in known.ask("profile", "tokens")
    policy = known.settings.policies / "interactions.yaml"
    before = policy.read_text()
    visits = known.query(_ATTACHED)
    policy.write_text(before.replace("channels_left_out: [", "channels_left_out: [web, "))
    told = " ".join(known.ask("profile", "tokens").split())
    [moved] = re.findall(r"would give ([\d,]+) interactions", told)
    assert int(moved.replace(",", "")) > 0
    assert known.query(_ATTACHED) == visits, "nothing is changed by asking"
    policy.write_text(before)


def test_models_are_listed_and_held_against_those_before_them(known: Deployment) -> None:
    first = known.ask("profile", "model")
    assert re.search(r"│ rfm +│ 1 +│", first)
    assert "No scale or model has a former version yet." in known.ask("profile", "model", "--diff")
    assert known.run(DAYS[1], refit=True) == 0
    assert re.search(r"│ rfm +│ 2 +│", known.ask("profile", "model"))
    told = known.ask("profile", "model", "--diff")
    assert re.search(r"rfm: version 1 of \S+ \(then\) and 2 of", told)
    [(former, latter)] = known.query(
        """SELECT one.model->>'customers', other.model->>'customers' FROM ops.profile_model one
           JOIN ops.profile_model other USING (enricher)
           WHERE enricher = 'rfm' AND one.number = 1 AND other.number = 2"""
    )
    assert former != latter
    assert re.search(rf"│ customers +│ {former} +│ {latter} +│ \d+\.\d% +│", told)


_ORDERS = "SELECT order_id FROM golden.customer_order WHERE golden_id = '{}' AND active"
_ATTACHED = "SELECT golden_id, visits_365 FROM profile.engagement ORDER BY 1"
