"""What lies before a steward: how much they did today, and cases that wait among those they do not see."""

import datetime as dt
from collections.abc import Iterator

import pytest
import yaml
from governed_hub import GovernedHub
from sqlalchemy import text
from starlette.testclient import TestClient

from cdm_pipelines.console.app import console
from cdm_pipelines.console.house import House
from cdm_pipelines.hub import console as hub
from cdm_pipelines.hub.proposals import propose
from cdm_pipelines.steps.privacy import access

from .conftest import URL


@pytest.fixture(scope="module")
def office(governed: GovernedHub) -> Iterator[House]:
    """A company with a steward for Belgium, where one proposes and another approves."""
    path = governed.settings.policies / "roles.yaml"
    before = path.read_text(encoding="utf-8")
    roles = yaml.safe_load(before)
    roles["roles"]["belgium"] = {**roles["roles"]["steward"], "rows": {"country": ["BE"]}}
    path.write_text(yaml.safe_dump({**roles, "four_eyes": ["decisions"]}, sort_keys=False), encoding="utf-8")
    with governed.engine.begin() as connection:
        access.apply(connection, governed.settings)
    settings = governed.settings.model_copy(update={"console_url": URL})
    yield House(settings, governed.engine, local=True)
    path.write_text(before, encoding="utf-8")
    with governed.engine.begin() as connection:
        access.apply(connection, governed.settings)
        connection.execute(text("TRUNCATE ops.proposal, ops.review_item"))


def signed_in(house: House, who: str, role: str) -> TestClient:
    with house.engine.begin() as connection:
        hour = dt.timedelta(hours=1)
        secret = hub.begin_session(connection, hub.SIGNED_IN, hour, who=who, role=role, roles=[role])
    client = TestClient(console(house), URL, headers={"origin": URL})
    client.cookies.set(house.cookie, secret, domain="console.example")
    return client


def test_what_somebody_proposed_today_counts_however_much_others_proposed(office: House) -> None:
    with office.engine.begin() as connection:
        for who, first in (("ann", 0), ("bob", 150)):
            for number in range(first, first + 150):
                propose(connection, "confirm", {"customer": str(number)}, who)
        yesterday, taken_back = (
            "proposed_at = now() - interval '1 day'",
            "state = 'rejected', decided_by = 'Ann'",
        )
        for change, number in ((yesterday, 0), (taken_back, 1)):
            connection.execute(
                text(f"UPDATE ops.proposal SET {change} WHERE subject ->> 'customer' = '{number}'")
            )
    for who, decided in (("ann", 148), ("ANN", 148), ("bob", 150), ("eve", 0)):
        assert f"\n{decided} decided today" in signed_in(office, who, "steward").get("/review").text, who
