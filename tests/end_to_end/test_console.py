"""The console over a real run: found, shown, matched, told; in a real browser, in both languages."""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import Browser
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from starlette.testclient import TestClient

from cdm_pipelines.console.app import console
from cdm_pipelines.console.house import House
from cdm_pipelines.console.pages.menu import PAGES, menu
from cdm_pipelines.console.sight import Sight
from cdm_pipelines.hub import console as sessions
from cdm_pipelines.privacy.roles import RolesPolicy
from cdm_pipelines.privacy.views import CUSTOMER
from cdm_pipelines.settings import load_settings

from .conftest import DAYS, Deployment
from .office import browsing, serious, served, signed_in

ROLES = sorted(RolesPolicy.load(load_settings().policies).roles)
SECRET = ("email", "phone", "mobile", "birth_date", "surname", "street", "iban", "golden_id")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def company(lived: Callable[..., Deployment]) -> Deployment:
    return lived(*DAYS[:2])


@pytest.fixture(scope="module")
def house(company: Deployment) -> Iterator[House]:
    with served(company.settings) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as made:
        yield made


@pytest.fixture(scope="module")
def program(house: House, company: Deployment) -> Callable[..., TestClient]:
    app = console(house)

    def made(role: str, *scopes: str) -> TestClient:
        options = [part for scope in scopes or ("read", "match", "write") for part in ("--scope", scope)]
        key = company.ask("token", "make", "shop", "--role", role, *options).splitlines()[-1]
        client = TestClient(app, house.settings.console_url, follow_redirects=False)
        client.headers["authorization"] = f"Bearer {key}"
        return client

    return made


@pytest.fixture(scope="module")
def known(company: Deployment) -> dict[str, Any]:
    """A person of several records who ordered."""
    rows = company.query(
        """SELECT to_jsonb(c) FROM golden.customer c JOIN golden.customer_order o USING (golden_id)
        WHERE c.party_kind = 'person' AND c.record_count > 1 AND c.email IS NOT NULL AND c.birth_date IS NOT NULL
        ORDER BY c.golden_id LIMIT 1"""
    )
    found: dict[str, Any] = rows[0][0]
    return found


@pytest.mark.parametrize(
    "part", ["records", "provenance", "history", "orders", "profile", "consent", "journey"]
)
def test_all_that_belongs_to_a_customer_is_answered(
    program: Callable[..., TestClient], known: dict[str, Any], part: str
) -> None:
    answer = program("privacy_officer", "read").get(f"/v1/customers/{known['golden_id']}/{part}")
    assert answer.status_code == 200
    assert answer.json()["items"]


def test_orders_come_with_their_lines_and_add_up(
    company: Deployment, program: Callable[..., TestClient], known: dict[str, Any]
) -> None:
    orders = program("service").get(f"/v1/customers/{known['golden_id']}/orders").json()["items"]
    ((number, lines),) = company.query(
        f"""SELECT count(DISTINCT (o.source, o.order_id)), count(l.*) FROM golden.customer_order o
        LEFT JOIN golden.order_line l USING (source, order_id) WHERE o.golden_id = '{known["golden_id"]}'"""
    )
    assert (len(orders), sum(len(one["order_lines"]) for one in orders)) == (number, lines)


def test_a_day_before_anything_was_known_shows_nobody(
    program: Callable[..., TestClient], known: dict[str, Any]
) -> None:
    place, client = f"/v1/customers/{known['golden_id']}", program("steward", "read")
    now = client.get(place, params={"as_of": "2999-01-01"})
    assert now.json()["values"]["surname"] == known["surname"]
    assert client.get(place, params={"as_of": "2001-01-01"}).status_code == 404
    assert program("service").get(place, params={"as_of": "2999-01-01"}).status_code == 403


def test_a_person_who_is_known_is_matched_before_a_duplicate_is_made(
    program: Callable[..., TestClient], known: dict[str, Any]
) -> None:
    fields = ("given_name", "surname", "birth_date", "email", "postcode", "house_number")
    record = {name: known[name] for name in fields if known[name]}
    found = program("steward", "match").post("/v1/match", json={"record": record}).json()
    assert (found["verdict"], found["golden_id"]) == ("joins", known["golden_id"])
    best = found["candidates"][0]
    odds = 2 ** sum(step["weight"] for step in best["waterfall"])
    assert odds / (1 + odds) == pytest.approx(best["probability"], abs=1e-4)
    assert best["records"]
    unseen = program("service", "match").post("/v1/match", json={"record": record}).json()
    assert unseen["golden_id"] == known["golden_id"]
    assert unseen["candidates"][0]["records"] == []
    told = {step["comparison"] for step in unseen["candidates"][0]["waterfall"]}
    assert "birth_date" not in told
    assert "values that the role does not see" in told


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"record": {"given_name": "Zwaantje", "surname": "Onbekendstra", "birth_date": "1931-02-03"}}, 200),
        ({"record": {"shoe_size": "42"}}, 422),
        ({"record": {"email": "info@example.nl"}}, 422),
        ({"record": {"surname": ""}}, 422),
        ({}, 422),
    ],
)
def test_what_matches_nobody_and_what_cannot_be_matched_is_told(
    program: Callable[..., TestClient], body: dict[str, Any], status: int
) -> None:
    answer = program("steward", "match").post("/v1/match", json=body)
    assert answer.status_code == status
    if status == 200:
        assert (answer.json()["verdict"], answer.json()["candidates"]) == ("new", [])
    assert program("steward", "read").post("/v1/match", json=body).status_code in {403, 422}


@pytest.mark.parametrize("role", ["steward", "service"])
def test_no_record_breaks_the_matching(house: House, program: Callable[..., TestClient], role: str) -> None:
    host = house.settings.console_url.partition("//")[2]
    headers = {"authorization": program(role, "match").headers["authorization"], "host": host}
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", console(house), headers={"host": host})

    def check(case: Any) -> None:
        left_out = [ignored_auth, positive_data_acceptance]
        case.call_and_validate(headers=headers, excluded_checks=left_out)

    tried = hypothesis_settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    tried(given(case=schema["/match"]["POST"].as_strategy())(check))()


def test_changes_are_paged_and_streamed_in_order(
    program: Callable[..., TestClient], company: Deployment
) -> None:
    client, after, seen = program("service"), 0, []
    while True:
        found = client.get("/v1/changes", params={"after": after, "limit": 100}).json()
        seen += [one["position"] for one in found["items"]]
        after = found["after"]
        if not found["behind"]:
            break
    ((number,),) = company.query("SELECT count(*) FROM ops.outbox")
    assert (len(seen), seen) == (number, sorted(seen))


def test_events_of_the_stream_go_on_where_a_client_was(
    house: House, program: Callable[..., TestClient], company: Deployment
) -> None:
    ((last,),) = company.query("SELECT max(position) FROM ops.outbox")
    headers = {"authorization": program("service").headers["authorization"], "last-event-id": str(last - 2)}
    url = f"{house.settings.console_url}/v1/changes/stream"
    with httpx2.stream("GET", url, headers=headers, timeout=30) as stream:
        events = []
        for line in stream.iter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line.removeprefix("data: ")))
            if len(events) == 2:
                break
    assert [event["position"] for event in events] == [last - 1, last]


def test_a_caller_is_found_while_they_spell_their_name(
    house: House, browser: Browser, known: dict[str, Any]
) -> None:
    page = signed_in(house, browser, "service", viewport=DESKTOP)
    page.locator("#q").press_sequentially(f"{known['given_name']} {known['surname'][:-1]}", delay=5)
    hit = page.locator(f".hits a[href='/customers/{known['golden_id']}']")
    hit.wait_for()
    hit.click()
    assert known["surname"] in page.locator("h1").inner_text()
    assert known["email"] not in page.content()


def test_every_value_leads_to_the_cell_that_it_came_from_why_it_is_theirs_and_the_run(
    company: Deployment, house: House, browser: Browser, known: dict[str, Any]
) -> None:
    page = signed_in(house, browser, "steward", viewport=DESKTOP)
    page.goto(f"{house.settings.console_url}/customers/{known['golden_id']}")
    why = page.locator("tr", has_text="Surname").first.locator("details")
    why.locator("summary").click()
    published = {run for (run,) in company.query("SELECT run FROM ops.publication")}
    assert (
        str(why.get_by_role("link", name="Run in Dagster").get_attribute("href")).removeprefix(
            f"{house.settings.dagster_url}/runs/"
        )
        in published
    )
    why.get_by_role("link", name="Why it is theirs").click()
    assert serious(page) == []
    assert page.locator("table.waterfall tbody tr").count() > 3
    noted = company.query("SELECT categories FROM ops.access_log WHERE tool = 'console link'")
    assert "user.name" in {category for (categories,) in noted for category in categories}
    page.go_back()
    why.locator("summary").click()
    why.locator("a.id").click()
    rows = page.locator("tbody tr").all_inner_texts()
    assert any(known["surname"].lower() in row.lower() and ".csv" in row for row in rows)


@pytest.fixture(scope="module")
def company_page(house: House) -> Callable[..., str]:
    """A function that gives a page as somebody of a role reads it."""
    app = console(house)

    def made(role: str, path: str, language: str = "en") -> str:
        with house.engine.begin() as connection:
            lasts = dt.timedelta(hours=1)
            secret = sessions.begin_session(
                connection, sessions.SIGNED_IN, lasts, who=role, role=role, roles=[role]
            )
        headers = {"accept-language": language, "cookie": f"{house.cookie}={secret}"}
        return TestClient(app, house.settings.console_url, headers=headers).get(path).text

    return made


def _card(page: str, name: str) -> str:
    """A card of a page; empty where it has none."""
    return page.partition(f'aria-labelledby="{name}"')[2].partition("</section>")[0]


def test_who_calls_is_seen_with_open_issues_and_last_contacts(
    company: Deployment, company_page: Callable[..., str]
) -> None:
    golden_id, tickets, last = company.query(
        """SELECT golden_id, service_open_tickets, engagement_last_contact_by_customer FROM profile.customer
        WHERE service_last_ticket_on IS NOT NULL AND engagement_last_contact_by_customer IS NOT NULL
        ORDER BY service_open_tickets DESC NULLS LAST, 1 LIMIT 1"""
    )[0]
    shown = _card(company_page("service", f"/customers/{golden_id}"), "contacts")
    facts = dict(re.findall(r'<th scope="row">([^<]+)</th><td><b>([^<]*)</b>', shown))
    assert facts["Open tickets"] == str(tickets)
    assert facts["Last contact by the customer"] == last.isoformat()
    assert "Last about a ticket" not in facts  # which tells of visits too, and the role sees none
    officer = _card(company_page("privacy_officer", f"/customers/{golden_id}"), "contacts")
    assert "Last about a ticket" in officer
    dutch = company_page("service", f"/customers/{golden_id}", "nl")
    assert "Openstaande zaken en laatste contacten" in dutch
    assert "Open meldingen" in dutch
    assert _card(company_page("finance", f"/customers/{golden_id}"), "contacts") == ""


def test_who_belongs_to_a_customer_is_a_link_away_for_roles_that_see_it(
    company: Deployment, company_page: Callable[..., str]
) -> None:
    one, members = company.query(
        """SELECT min(golden_id::text), array_agg(golden_id::text) FROM profile.household_member
        GROUP BY household_id HAVING count(*) > 1 ORDER BY 1 LIMIT 1"""
    )[0]
    shown = company_page("service", f"/customers/{one}")
    assert set(re.findall(r"/customers/([0-9a-f-]{36})\"", _card(shown, "household"))) == {*members} - {one}
    surname = company.query(f"SELECT surname FROM golden.customer WHERE golden_id = '{max(members)}'")[0][0]
    assert surname in _card(shown, "household")
    assert ">Huishouden</h2>" in company_page("service", f"/customers/{one}", "nl")
    assert _card(company_page("finance", f"/customers/{one}"), "household") == ""

    employer, contacts = company.query(
        """SELECT employer_id::text, array_agg(golden_id::text) FROM golden.customer
        WHERE employer_id IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"""
    )[0]
    for role in ("service", "finance"):
        shown = _card(company_page(role, f"/customers/{employer}"), "organisation")
        assert {*contacts} <= {*re.findall(r"/customers/([0-9a-f-]{36})\"", shown)}
        assert f"/customers/{employer}" in _card(
            company_page(role, f"/customers/{contacts[0]}"), "organisation"
        )


def test_a_former_day_shows_the_values_of_then_and_where_they_came_from(
    company: Deployment, house: House, browser: Browser
) -> None:
    golden_id, attribute, before, now = _that_changed(company)
    at = f"golden_id = '{golden_id}'"  # as if the days had been run thirty and ten days ago
    company.alter(
        f"""UPDATE golden.customer_history SET valid_from = now() - interval '30 days',
        valid_to = now() - interval '10 days' WHERE {at}"""
    )
    company.alter(f"UPDATE golden.customer_version SET valid_from = now() - interval '10 days' WHERE {at}")
    page = signed_in(house, browser, "steward", viewport=DESKTOP)
    page.goto(f"{house.settings.console_url}/customers/{golden_id}")
    row = page.locator("#values + .scroll tbody tr").filter(
        has=page.get_by_role("rowheader", name=attribute.replace("_", " ").capitalize(), exact=True)
    )
    assert now in row.inner_text()
    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=20)
    page.fill("#as_of", day.isoformat())
    page.get_by_role("button", name="Show").click()
    assert before in row.inner_text()
    assert now not in row.locator("td").first.inner_text()
    row.locator("summary").first.click()
    assert re.search(r"(crm|erp|shop)/\w+/\S+", row.inner_text())
    assert "orders, consent, profile" in page.locator("p.told.warn").inner_text()
    assert page.locator("#orders").count() == 0


def _that_changed(company: Deployment) -> tuple[str, str, str, str]:
    """A customer with a value that was another one before: its id, the attribute, then and now."""
    names = ("street", "city", "email", "mobile", "surname", "given_name", "postcode", "phone")
    for name in names:
        found = company.query(
            f"""SELECT golden_id::text, h.{name}, c.{name} FROM golden.customer_history h
            JOIN golden.customer c USING (golden_id) JOIN golden.customer_version v USING (golden_id)
            WHERE h.{name} <> c.{name} ORDER BY 1 LIMIT 1"""
        )
        for golden_id, before, now in found:
            return golden_id, name, before, now
    raise AssertionError("no customer changed")


def test_paper_shows_what_is_folded_up_and_no_menu(
    house: House, browser: Browser, known: dict[str, Any]
) -> None:
    page = signed_in(house, browser, "steward", viewport=DESKTOP)
    page.goto(f"{house.settings.console_url}/customers/{known['golden_id']}")
    folded = page.locator("details:not([open]) > :not(summary)")
    seen = "all => all.filter(one => one.checkVisibility() && one.getBoundingClientRect().height > 0).length"
    assert folded.count() > 5
    assert folded.evaluate_all(seen) == 0
    page.emulate_media(media="print")
    assert folded.evaluate_all(seen) == folded.count()
    for menu_or_form in ("header.top", "form", ".local", ".no-print"):
        assert [one.is_visible() for one in page.locator(menu_or_form).all()].count(True) == 0, menu_or_form


def test_links_sign_in_on_no_other_address_than_this_machines(company: Deployment) -> None:
    told = company.ask("serve", "--local", "--host", "0.0.0.0", code=1)
    assert "leave --host out" in told
    assert "sign-in/link" not in told


def test_pages_are_read_without_scripts(house: House, browser: Browser, known: dict[str, Any]) -> None:
    page = signed_in(house, browser, "service", java_script_enabled=False)
    page.goto(f"{house.settings.console_url}/?q={known['surname']}")
    assert page.locator(".hits a").count() > 0
    page.locator(f".hits a[href='/customers/{known['golden_id']}']").first.click()
    assert page.locator("#orders").count() == 1


@pytest.mark.parametrize("language", ["en-GB", "nl-NL"])
@pytest.mark.parametrize("role", ROLES)
def test_every_page_of_every_role_can_be_used_and_holds_nothing_that_it_may_not_see(
    house: House, browser: Browser, known: dict[str, Any], role: str, language: str
) -> None:
    more = {"viewport": PHONE, "color_scheme": "dark"} if language == "nl-NL" else {"viewport": DESKTOP}
    page = signed_in(house, browser, role, language, **more)
    assert page.locator("html").get_attribute("lang") == language[:2]
    sight = house.sights.of(role)
    own = {place for place, _ in menu(sight)}
    people = [f"/?q={known['surname']}"] if "/" in own else []
    if "golden_id" in sight.clear(CUSTOMER):
        people.append(f"/customers/{known['golden_id']}")
    hidden, statuses = _hidden(known, sight), {}
    for place in [*(place for place, _, _ in PAGES), *people, "/nowhere"]:
        answer = page.request.get(f"{house.settings.console_url}{place}")
        statuses[place], shown = answer.status, answer.text()
        assert [name for name, value in hidden if value in shown] == [], place
        if answer.status == 403:
            continue
        page.goto(f"{house.settings.console_url}{place}")
        assert serious(page) == [], place
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{place} scrolls sideways"
    page.context.close()
    assert statuses.pop("/nowhere") == 404
    assert statuses.pop("/") in ({200} if "/" in own else {200, 403})
    assert {place for place, status in statuses.items() if status == 200} == {*own - {"/"}, *people}


def _hidden(known: dict[str, Any], sight: Sight) -> list[tuple[str, str]]:
    """Values of a person that a role does not see in clear, long enough to be told from other text."""
    clear = sight.clear(CUSTOMER)
    seen = {str(known[name]) for name in clear if name in known}
    return [
        (name, str(value))
        for name, value in known.items()
        if name in SECRET and name not in clear and value and str(value) not in seen
    ]
