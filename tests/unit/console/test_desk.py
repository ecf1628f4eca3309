"""What lies before a steward: how much they did today, and cases that wait among those they do not see."""

import datetime as dt
from collections.abc import Iterator

import pytest
import yaml
from governed_hub import ANNA, ELS, GovernedHub
from sqlalchemy import text
from starlette.testclient import TestClient

from cdm_pipelines.console.app import console
from cdm_pipelines.console.caller import Caller
from cdm_pipelines.console.desk import desk
from cdm_pipelines.console.house import House
from cdm_pipelines.console.queue import first_visible
from cdm_pipelines.console.sight import Eyes
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


def test_a_case_that_the_role_sees_is_found_behind_all_that_it_does_not_see(office: House) -> None:
    with office.engine.begin() as connection:
        connection.execute(text("TRUNCATE ops.review_item"))
        connection.execute(
            text(
                """INSERT INTO ops.review_item (item_id, doubt, left_id, right_id, priority, finding, waits)
                SELECT 'pair/' || l || '/' || r, 'pair', l, r, 1000 - n, 'n' || n, true
                FROM (SELECT CAST(:anna AS uuid) AS l, md5(n::text)::uuid AS r, n FROM generate_series(1, 900) AS n)"""
            ),
            {"anna": ANNA},
        )
        connection.execute(
            text(
                """INSERT INTO ops.review_item (item_id, doubt, left_id, priority, finding, waits)
                VALUES ('customer/' || :els, 'customer', CAST(:els AS uuid), 1, 'bridge', true)"""
            ),
            {"els": ELS},
        )
    with office.engine.begin() as connection:
        for role, case, waiting in (("belgium", f"customer/{ELS}", 1), ("steward", None, 901)):
            caller = Caller("bea", role, (role,), frozenset(), 600, "secret")
            eyes = Eyes(connection, office.sights.of(role), caller, "test")
            found = desk(eyes)
            assert found.waiting == waiting
            assert found.key is not None
            assert case in {None, found.key.text}
            assert bool(first_visible(eyes, 1, doubt="pair")) == (role == "steward")
