"""Next best actions of a company: chosen under consent, kept for a period, seen by the roles, measured and judged."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from sqlalchemy import text

from cdm_demo import generate
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.activation.actions import choose_actions
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.profile.enrich import company_of
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons, Rows, Stores

from .conftest import Deployment
from .office import browsing, served, signed_in

pytestmark = pytest.mark.slow

_RULES = {
    "version": 1,
    "period_days": 28,
    "control_share": 0.3,
    "exploration": 0.4,
    "contact_pressure": {"days": 7, "most": 2},
    "outcome": {"kind": "order", "within_days": 1},
    "log": ["lifetime_value_expected_value"],
    "actions": [
        {
            "key": "offer",
            "says": {"en": "Make an offer", "nl": "Een aanbod doen"},
            "purpose": "marketing",
            "channel": "email",
            "goal": "buys again",
            "value": {"amount": 30},
            "cost": 0.02,
            "probability": {"rate": 0.1},
        },
        {
            "key": "call",
            "says": {"en": "Call", "nl": "Bellen"},
            "purpose": "sales",
            "channel": "phone",
            "goal": "stays",
            "value": {"amount": 20},
            "cost": 0.5,
            "probability": {"rate": 0.05},
            "excludes": [
                {
                    "reason": "open_complaint",
                    "when": [{"column": "service_open_tickets", "over": 0}],
                    "says": {"en": "open complaint", "nl": "openstaande klacht"},
                }
            ],
        },
    ],
}


@pytest.fixture(scope="module")
def company(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A company with rules of its own, one day old."""
    out = tmp_path_factory.mktemp("shop")
    generate(customers=250, days=2, seed=11, out=out)
    made = deploy(out / "landing").settings
    policies = made.home / "policies"
    shutil.copytree(made.policies, policies)
    (policies / "next_best_action.yaml").write_text(yaml.safe_dump(_RULES))
    given = {
        name: getattr(made, name) for name in ("home", "landing_url", "lake_url", "database_url", "threads")
    }
    own = Deployment(load_settings(**given, policies=policies))
    assert own.run("2026-06-01") == 0
    return own


_NEXT = "SELECT * FROM activation.next_best_action ORDER BY golden_id"
_LOG = "SELECT * FROM activation.action_choice ORDER BY period, golden_id"


def test_nobody_has_an_action_that_they_do_not_allow(company: Deployment) -> None:
    """Consent held against the choice in plain Python: every answer for the purpose and channel has to be a yes."""
    said: dict[tuple[str, str], list[tuple[str, bool]]] = {}
    for golden_id, purpose, channel, allowed in company.query(
        "SELECT golden_id::text, purpose, channel, allowed FROM privacy.consent WHERE state IS NOT NULL"
    ):
        said.setdefault((golden_id, purpose), []).append((channel, allowed))
    having = company.query(
        "SELECT golden_id::text, purpose, channel FROM activation.next_best_action WHERE action IS NOT NULL"
    )
    assert len({purpose for _, purpose, _ in having}) == 2, "both actions are somebody's"
    for golden_id, purpose, channel in having:
        answers = [yes for where, yes in said.get((golden_id, purpose), []) if where in ("", channel)]
        assert all(answers)
        assert answers or purpose == "sales", "marketing needs a yes"
    everybody = company.query("SELECT count(*) FROM golden.customer")
    assert company.query("SELECT count(*) FROM activation.next_best_action") == everybody


def test_every_choice_says_with_which_probability_it_was_drawn(company: Deployment) -> None:
    rows = company.query(
        "SELECT variant, action, propensity, propensities, context FROM activation.action_choice"
    )
    assert {variant for variant, *_ in rows} == {"treated", "explored", "control"}
    for variant, action, propensity, propensities, context in rows:
        done = "none" if variant == "control" else action
        assert propensities[done] == pytest.approx(propensity)
        assert sum(propensities.values()) == pytest.approx(1)
        assert set(context) == {"lifetime_value_expected_value", "service_open_tickets"}
    alone = company.query(
        """SELECT count(*) FROM activation.action_choice c JOIN activation.next_best_action n USING (golden_id)
           WHERE c.variant = 'control' AND n.action IS NOT NULL"""
    )
    assert alone == [(0,)]


def test_doing_it_again_changes_nothing(company: Deployment) -> None:
    before = company.query(_NEXT), company.query(_LOG)
    assert company.run("2026-06-01", rebuild=True) == 0
    assert (company.query(_NEXT), company.query(_LOG)) == before


def test_marketing_sees_it_on_the_page_of_a_customer_and_finance_does_not(company: Deployment) -> None:
    [(golden_id,)] = company.query(
        """SELECT golden_id::text FROM activation.next_best_action
           WHERE action = 'call' AND excluded LIKE 'offer: %' ORDER BY 1 LIMIT 1"""
    )
    with served(company.settings) as house, browsing() as browser:
        page = signed_in(house, browser, "marketing")
        page.goto(f"{house.settings.console_url}/customers/{golden_id}")
        told = page.locator("section[aria-labelledby=next-action]").text_content() or ""
        assert "Call" in told
        assert "stays" in told
        assert "Make an offer" in told
        dutch = signed_in(house, browser, "service", language="nl-NL")
        dutch.goto(f"{house.settings.console_url}/customers/{golden_id}")
        words = dutch.locator("section[aria-labelledby=next-action]").text_content() or ""
        assert "Beste volgende actie" in words
        assert "Bellen" in words
        other = signed_in(house, browser, "finance")
        other.goto(f"{house.settings.console_url}/customers/{golden_id}")
        assert other.locator("section[aria-labelledby=next-action]").count() == 0


def test_the_archive_of_a_person_has_it_and_an_erasure_removes_it(company: Deployment) -> None:
    [(text_id,)] = company.query("SELECT golden_id::text FROM activation.action_choice ORDER BY 1 LIMIT 1")
    persons = Persons.of([], [UUID(text_id)])
    places = {one.name: one for one in all_places(company.settings).places}
    mine = [places["activation/next_best_action"], places["activation/action_choice"]]
    with open_hub(company.settings) as engine, engine.connect() as connection:
        stores = Stores(Lake(company.settings.lake_url), connection)
        found = [
            row
            for one in mine
            if one.search
            for each in one.search.find(stores, persons)
            for row in each.rows
        ]
        assert len(found) == 2
        for one in mine:
            assert isinstance(one.erasure, Rows)
            assert one.erasure.remove(stores, persons) == 1
        connection.rollback()


def test_a_restriction_withdraws_the_action_in_the_next_run_and_what_came_of_it_is_told(
    company: Deployment,
) -> None:
    [(golden_id, source, entity, record_id)] = company.query(
        """SELECT n.golden_id::text, k.source, k.entity, k.record_id FROM activation.next_best_action n
           JOIN golden.crosswalk k USING (golden_id) WHERE action IS NOT NULL
           AND k.source IN ('crm', 'erp') ORDER BY 1, 2, 3, 4 LIMIT 1"""
    )
    company.alter(
        f"INSERT INTO privacy.restriction VALUES ('{source}', '{entity}', '{record_id}', '', 1, now())"
    )
    first = company.query(_LOG)
    assert company.run("2026-06-02") == 0
    [(action, excluded)] = company.query(
        f"SELECT action, excluded FROM activation.next_best_action WHERE golden_id = '{golden_id}'"
    )
    assert action is None
    assert "call: restricted" in excluded
    [(withdrawn,)] = company.query(
        f"SELECT withdrawn_on::text FROM activation.action_choice WHERE golden_id = '{golden_id}'"
    )
    assert withdrawn == "2026-06-02"
    now = {(row[0], row[1]): row[:-1] for row in company.query(_LOG)}
    assert all(now[row[0], row[1]] == row[:-1] for row in first), "choices of the period stay what they were"
    assert any(row[-1] is None for row in first)


def test_what_actions_brought_is_what_another_query_says(company: Deployment) -> None:
    told = " ".join(company.ask("actions", "uplift").split())
    counted = company.query(
        """SELECT c.action, count(*) FILTER (WHERE variant <> 'control'), count(*) FILTER (WHERE variant = 'control')
           FROM activation.action_choice c WHERE chosen_on = '2026-06-01' GROUP BY 1"""
    )
    assert "a response is order within 1 days" in told
    for action, treated, control in counted:
        assert f"│ {action} │ {treated} │ {control} │" in told
    assert "choices still have time to get a response" in told
    shown = " ".join(company.ask("actions", "show").split())
    assert "Decided by expected value = probability x value - cost." in shown
    for action, number in company.query(
        "SELECT action, count(*) FROM activation.next_best_action WHERE action IS NOT NULL GROUP BY 1"
    ):
        assert f"│ {action} │" in shown
        assert f" {number} │" in shown


def test_who_turns_off_what_an_action_chooses_by_has_it_no_more(company: Deployment, tmp_path: Path) -> None:
    """At once, and not only when the profile is worked out without them."""
    policies = Path(shutil.copytree(company.settings.policies, tmp_path / "policies"))
    rules: dict[str, Any] = {**_RULES}
    offer, call = rules["actions"]
    by_value = {**offer, "requires": [{"column": "lifetime_value_expected_value", "empty": False}]}
    (policies / "next_best_action.yaml").write_text(yaml.safe_dump({**rules, "actions": [by_value, call]}))
    own = company.settings.model_copy(update={"policies": policies})
    offered = "SELECT golden_id::text FROM activation.next_best_action WHERE action = 'offer' ORDER BY 1"
    with open_hub(own) as engine, engine.connect() as connection:
        choose_actions(connection, company_of(Lake(own.lake_url), own))
        one, *others = connection.execute(text(offered)).scalars()
        connection.execute(
            text(
                """
                INSERT INTO privacy.consent
                    (golden_id, purpose, channel, allowed, state, why, shared, contradictory)
                VALUES (:one, 'analytics', '', false, 'objected', 'said', false, false)
                ON CONFLICT (golden_id, purpose, channel) DO UPDATE SET allowed = false, state = 'objected'"""
            ),
            {"one": one},
        )
        choose_actions(connection, company_of(Lake(own.lake_url), own))
        assert list(connection.execute(text(offered)).scalars()) == others
        connection.rollback()


def test_changed_rules_are_judged_before_they_are_used(company: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "next_best_action.yaml"
    changed = yaml.safe_load(yaml.safe_dump(_RULES))
    file.write_text(yaml.safe_dump(changed))
    same = company.ask("actions", "judge", "--policies", str(tmp_path))
    assert "They choose otherwise for 0% of the customers." in same
    assert "No difference can be told" in same
    changed["actions"][0]["requires"] = [{"column": "rfm_segment", "one_of": ["champion"]}]
    file.write_text(yaml.safe_dump(changed))
    assert "rfm_segment was not written down" in company.ask(
        "actions", "judge", "--policies", str(tmp_path), code=1
    )
    changed["actions"][0]["requires"] = [{"column": "rfm_segmant", "one_of": ["champion"]}]
    file.write_text(yaml.safe_dump(changed))
    told = company.ask("actions", "judge", "--policies", str(tmp_path), code=1)
    assert "there is no column rfm_segmant" in told
    assert "rfm_segment" in told
    file.unlink()
    assert "has no next_best_action.yaml" in company.ask(
        "actions", "judge", "--policies", str(tmp_path), code=1
    )
