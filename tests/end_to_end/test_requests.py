"""A request is handled under the policy of when it was asked, counts from its receipt, and is told when it is late."""

import datetime as dt
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from cdm_pipelines.console.app import console
from cdm_pipelines.console.house import House
from cdm_pipelines.console.server import prepare
from cdm_pipelines.hub import console as sessions
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.settings import load_settings

from .conftest import DAYS, Deployment

URL = "http://console.example"
TODAY = dt.datetime.now(dt.UTC).date()
AFTER_90_DAYS = f"{TODAY + dt.timedelta(days=90)}"
FORTY_DAYS_AGO = TODAY - dt.timedelta(days=40)
IN_HUB = "SELECT 1 FROM golden.customer WHERE golden_id = '{}'"


@dataclass(frozen=True)
class Company:
    """A deployment with a policy of its own and a backup, its console, and persons who have invoices."""

    home: Deployment
    house: House
    persons: list[str]

    @property
    def policy(self) -> Path:
        return Path(self.home.settings.policies) / "legal_holds.yaml"

    def as_officer(self, who: str) -> TestClient:
        """The console, as a privacy officer who is signed in."""
        app = console(self.house)
        client = TestClient(app, URL, follow_redirects=False, headers={"origin": URL})
        with self.house.engine.begin() as connection:
            secret = sessions.begin_session(
                connection,
                sessions.SIGNED_IN,
                dt.timedelta(hours=1),
                who=who,
                role="privacy_officer",
                roles=["privacy_officer"],
            )
        client.cookies.set(self.house.cookie, secret, domain="console.example")
        return client

    def proposed(self, kind: str, golden_id: str) -> int:
        """Ask in the console, as olga; returns the number of the proposal."""
        asked = {"kind": kind, "customer": golden_id, "checked_by": "olga", "reason": "letter 12"}
        assert self.as_officer("olga").post("/privacy/ask", data=asked).status_code == 303
        [(number,)] = self.home.query("SELECT max(proposal_id) FROM ops.proposal")
        return int(number)

    def certificate(self, number: int) -> dict[str, Any]:
        """What the certificate of a request says."""
        content: dict[str, Any] = json.loads(self.home.ask("privacy", "certificate", str(number)))["content"]
        return content


@pytest.fixture(scope="module")
def company(lived: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    made = lived(DAYS[0])
    for path in [one for day in DAYS[1:] for one in made.landing.rglob(f"{day}*")]:
        path.unlink()
    own = made.settings
    policies = shutil.copytree(own.policies, own.home / "policies")
    given = {n: getattr(own, n) for n in ("home", "landing_url", "lake_url", "database_url", "threads")}
    home = Deployment(load_settings(**given, policies=policies))
    home.ask("backup", str(tmp_path_factory.mktemp("backups")))
    persons = home.query(
        """SELECT golden_id::text FROM golden.customer WHERE party_kind = 'person' AND record_count > 1
           AND email IS NOT NULL AND golden_id IN (SELECT golden_id FROM golden.invoice) ORDER BY 1"""
    )
    settings = home.settings.model_copy(update={"console_url": URL})
    with open_hub(settings) as engine:
        assert prepare(engine, settings) == []
        yield Company(home, House(settings, engine, local=True), [str(one) for (one,) in persons])


@pytest.fixture
def changed(company: Company) -> Iterator[Callable[[], None]]:
    """A function that changes the policy: backups are gone sooner, invoices too, and answers take longer."""
    was = company.policy.read_text(encoding="utf-8")

    def change() -> None:
        now = was
        for old, new in (
            ("backups_last: 90", "backups_last: 5"),
            ("years: 7", "years: 20"),
            ("answer_within: 1", "answer_within: 3"),
        ):
            assert old in now
            now = now.replace(old, new)
        company.policy.write_text(now, encoding="utf-8")

    yield change
    company.policy.write_text(was, encoding="utf-8")


def assert_is_of_the_former_policy(company: Company, request: int) -> None:
    content = company.certificate(request)
    assert [one["until"] for one in content["backups"]] == [AFTER_90_DAYS]
    dated = company.home.query(
        f"SELECT until, content->'document'->>'issued_on' FROM privacy.legal_hold WHERE request_id = {request}"
    )
    assert dated
    assert {until.year - int(issued[:4]) for until, issued in dated} == {8}
    [(received, due)] = company.home.query(
        f"SELECT received_at::date, due_on FROM privacy.request WHERE request_id = {request}"
    )
    assert dt.timedelta(days=28) <= due - received <= dt.timedelta(days=31)


def test_what_was_proposed_is_done_under_the_policy_of_then(
    company: Company, changed: Callable[[], None]
) -> None:
    person = company.persons[0]
    number = company.proposed("erase", person)
    changed()
    company.home.alter(
        f"UPDATE ops.proposal SET proposed_at = proposed_at - interval '3 days' WHERE proposal_id = {number}"
    )
    assert company.as_officer("piet").post(f"/privacy/proposals/{number}/approve").status_code == 303
    deadline = time.monotonic() + 300
    while company.home.query("SELECT 1 FROM privacy.certificate") == [] and time.monotonic() < deadline:
        time.sleep(0.5)
    [(request, received)] = company.home.query("SELECT request_id, received_at::date FROM privacy.request")
    assert received == TODAY - dt.timedelta(days=3), "when it was proposed, not when it was approved"
    assert_is_of_the_former_policy(company, request)
    assert company.home.query(IN_HUB.format(person)) == []


def test_an_access_that_was_proposed_is_answered_under_the_policy_of_then(
    company: Company, changed: Callable[[], None]
) -> None:
    number = company.proposed("access", company.persons[1])
    changed()
    officer = company.as_officer("piet")
    assert officer.post(f"/privacy/proposals/{number}/approve").status_code == 303
    answered = officer.post(f"/privacy/proposals/{number}/archive", data={"language": "en"})
    assert answered.status_code == 200
    [(policy, received, due)] = company.home.query(
        "SELECT policy, received_at::date, due_on FROM privacy.request ORDER BY request_id DESC LIMIT 1"
    )
    assert policy["backups_last"] == 90
    assert due - received <= dt.timedelta(days=31)


def test_an_erasure_goes_on_under_the_policy_of_its_beginning_and_is_late_by_the_day_it_was_received(
    company: Company, changed: Callable[[], None]
) -> None:
    """Held up by a note that only its owner can take away, after which the policy changes."""
    home, person = company.home, company.persons[2]
    [(email,)] = home.query(f"SELECT email FROM golden.customer WHERE golden_id = '{person}'")
    note = home.settings.home / "note.txt"
    note.write_text(f"write to {email}\n", encoding="utf-8")
    given = ("--received", f"{FORTY_DAYS_AGO}", "--by", "Petra", "--yes")
    assert "home/note.txt" in home.ask("privacy", "erase", person, *given, code=1).replace("\n", "")
    [(request, received)] = home.query(
        "SELECT request_id, received_at::date FROM privacy.request WHERE state = 'open'"
    )
    assert received == FORTY_DAYS_AGO
    told = home.ask("privacy", "requests", code=3)
    assert "1 requests are late" in told
    assert any(f"{request} " in line and "late" in line for line in told.splitlines())
    changed()
    note.unlink()
    home.ask("privacy", "resume", "--by", "Petra")
    assert_is_of_the_former_policy(company, request)
    assert "late" not in home.ask("privacy", "requests")


def test_what_waits_for_a_second_pair_of_eyes_does_not_lapse_and_is_late_everywhere(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    home, number = company.home, company.proposed("erase", company.persons[3])
    told = home.ask("privacy", "requests")
    assert f"proposal {number}" in told
    assert "waits for approval" in told
    home.alter(
        f"""UPDATE ops.proposal SET proposed_at = proposed_at - interval '40 days', subject = jsonb_set(subject,
            '{{due_on}}', to_jsonb((subject->>'due_on')::date - 40)) WHERE proposal_id = {number}"""
    )
    assert "1 requests are late" in home.ask("privacy", "requests", code=3)
    page = company.as_officer("piet").get("/privacy", headers={"accept-language": "en"}).text
    assert "1 requests are late." in page
    assert home.run(DAYS[0]) == 0, "a warning stops nothing"
    said = " ".join(capsys.readouterr().out.split())
    assert f"requests of persons are late: proposal {number}; see `cdm privacy requests`" in said
    assert company.as_officer("piet").post(f"/privacy/proposals/{number}/reject").status_code == 303
    assert "late" not in home.ask("privacy", "requests")


@pytest.mark.parametrize(
    ("received", "told"),
    [
        (f"{TODAY + dt.timedelta(days=1)}", "is yet to come"),
        (f"{TODAY - dt.timedelta(days=400)}", "is more than a year ago"),
        ("1 June", "is not a date"),
    ],
)
def test_a_day_on_which_nobody_received_a_request_is_refused(
    company: Company, tmp_path: Path, received: str, told: str
) -> None:
    home, person = company.home, company.persons[4]
    before = home.query("SELECT count(*) FROM privacy.request")
    code = 2 if "date" in told else 1
    for command in (("erase", person, "--by", "Petra", "--yes"), ("access", person, "--to", str(tmp_path))):
        assert told in home.ask("privacy", *command, "--received", received, code=code).replace("\n", " ")
    assert home.query("SELECT count(*) FROM privacy.request") == before
    assert home.query(IN_HUB.format(person)) == [(1,)]


def test_access_counts_from_the_day_it_was_received(company: Company, tmp_path: Path) -> None:
    given = ("--to", str(tmp_path), "--received", f"{TODAY - dt.timedelta(days=20)}")
    company.home.ask("privacy", "access", company.persons[4], *given)
    [(received, due)] = company.home.query(
        "SELECT received_at::date, due_on FROM privacy.request ORDER BY request_id DESC LIMIT 1"
    )
    assert received == TODAY - dt.timedelta(days=20)
    assert TODAY < due <= TODAY + dt.timedelta(days=11)
