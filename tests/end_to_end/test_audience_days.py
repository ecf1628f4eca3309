"""Two days of a daily audience: who withdraws in an extract is removed that day, and what mails did comes back."""

import csv
import datetime as dt
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import yaml

from cdm_demo import generate
from cdm_pipelines.components.session import open_session
from cdm_pipelines.settings import load_settings

from .conftest import Deployment

pytestmark = pytest.mark.slow
NAME = "newsletter"
TODAY = dt.datetime.now(ZoneInfo("Europe/Amsterdam")).date()
BEFORE = TODAY - dt.timedelta(days=1)


@pytest.fixture(scope="module")
def company(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A company that delivers its newsletter every day, one day old: results count from the day of a delivery on."""
    out = tmp_path_factory.mktemp("mailing")
    generate(customers=150, days=2, seed=12, out=out, start=BEFORE)
    made = deploy(out / "landing").settings
    policies = made.home / "policies"
    shutil.copytree(made.policies, policies)
    path = policies / "audiences.yaml"
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    said["audiences"] = {NAME: {**said["audiences"][NAME], "daily": True, "campaign": "Spring letter"}}
    path.write_text(yaml.safe_dump(said), encoding="utf-8")
    given = {
        name: getattr(made, name) for name in ("home", "landing_url", "lake_url", "database_url", "threads")
    }
    own = Deployment(load_settings(**given, policies=policies))
    assert own.run(str(BEFORE)) == 0
    return own


def files(company: Deployment, what: str) -> list[list[dict[str, str]]]:
    """The rows of a file of each delivery, the first delivery first."""
    folder = Path(company.settings.lake_url) / "publish" / "audiences" / NAME
    found = []
    for delivery in sorted(folder.iterdir()):
        assert json.loads((delivery / "delivery.json").read_text(encoding="utf-8"))["audience"] == NAME
        path = delivery / f"{what}.csv"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        found.append(list(csv.DictReader(lines)))
    return found


def add(company: Deployment, entity: str, *rows: list[Any]) -> None:
    with (company.landing / "mail" / entity / f"{TODAY}.csv").open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def test_a_withdrawal_in_the_day_s_extract_removes_and_the_campaign_comes_back(company: Deployment) -> None:
    [members] = files(company, "members")
    alone = {
        email
        for (email,) in company.query(
            """SELECT email FROM golden.customer JOIN privacy.consent USING (golden_id)
            WHERE purpose = 'marketing' AND channel = 'email' AND NOT shared
            AND email IN (SELECT email FROM golden.customer GROUP BY 1 HAVING count(*) = 1)"""
        )
    }
    leaves, stays, *_ = (row for row in members if row["Email Address"] in alone)
    at = f"{TODAY} 00:30:00"
    add(
        company,
        "consent",
        ["w1", leaves["Email Address"], "", "newsletter", "unsubscribed", at, "mail", "2025-09", ""],
    )
    letter = ["c1", "Spring letter", "What is new", "", ""]
    add(
        company,
        "activity",
        ["s1", stays["Email Address"], "sent", at, *letter],
        ["s2", stays["Email Address"], "open", at, *letter],
        ["s3", stays["Email Address"], "click", at, "c2", "Autumn letter", "Old", "https://shop.example", ""],
    )
    assert company.run(str(TODAY)) == 0
    now = files(company, "members")[-1]
    assert {"CDM ID": leaves["CDM ID"]} in files(company, "removed")[-1]
    assert leaves["Email Address"] not in {row["Email Address"] for row in now}
    assert stays["Email Address"] in {row["Email Address"] for row in now}
    [why] = company.query(
        f"""SELECT m.reason FROM activation.delivery_member AS m JOIN golden.customer AS c USING (golden_id)
        WHERE m.action = 'removed' AND c.email = '{leaves["Email Address"]}'"""
    )
    assert why == ("no consent",)
    counted = company.query("SELECT sent, opened, clicked FROM activation.result WHERE variant = 'sent'")
    assert counted == [(1, 1, 0)]


def test_what_came_of_audiences_is_a_table_of_the_asset(company: Deployment) -> None:
    with open_session(company.settings) as session:
        event = session.instance.get_latest_materialization_event(dg.AssetKey(["publish", "audiences"]))
    assert event is not None
    assert event.asset_materialization is not None
    table = str(event.asset_materialization.metadata["results"].value)
    assert "| audience | variant | customers | sent | opened |" in table
    assert re.search(rf"\| {NAME} \| sent \| \d+ \| 1 \| 1 \|", table)
