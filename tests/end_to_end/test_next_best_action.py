"""Next best actions of a company: chosen under consent, kept for a period, seen by the roles, measured and judged."""

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cdm_demo import generate
from cdm_pipelines.settings import load_settings

from .conftest import Deployment

pytestmark = pytest.mark.slow

_RULES = {
    "version": 1,
    "period_days": 28,
    "control_share": 0.3,
    "exploration": 0.4,
    "contact_pressure": {"days": 7, "most": 1},
    "outcome": {"kind": "order", "within_days": 1},
    "actions": [
        {
            "key": "offer",
            "says": {"en": "Make an offer", "nl": "Een aanbod doen"},
            "purpose": "marketing",
            "channel": "email",
            "goal": "buys again",
            "value": {"column": "lifetime_value_expected_value", "share": 0.1},
            "cost": 0.02,
            "probability": {"rate": 0.04},
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


def test_it(company: Deployment) -> None:
    print(
        company.query(
            "SELECT action, count(*), avg(expected_value) FROM activation.next_best_action GROUP BY 1"
        )
    )
    print(
        company.query(
            "SELECT variant, action, count(*), avg(propensity), min(propensity) FROM activation.action_choice GROUP BY 1, 2"
        )
    )
    print(company.query("SELECT * FROM activation.next_best_action LIMIT 5"))
    print(company.query("SELECT * FROM activation.action_choice LIMIT 5"))
    assert 0
