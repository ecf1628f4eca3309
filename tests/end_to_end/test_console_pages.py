"""The pages of quality, sources, corrections and privacy in a real browser: what each role does there, and may not."""

import datetime as dt
import io
import json
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FilePayload, Page

from cdm_pipelines.console.house import House
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.hub import console as hub
from cdm_pipelines.hub import proposals
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.quarantine import held_rows

from .conftest import DAYS, Deployment
from .office import browsing, served

pytestmark = pytest.mark.timeout(600)
DAY = DAYS[0]
POLICIES = Settings.model_fields["policies"].default
OF_DATA = (
    "/quality",
    "/quality/crm/contact",
    f"/quality/crm/contact/{DAY}",
    "/sources",
    "/sources/crm/contact",
    "/sources/lineage",
    "/sources/lineage/party.given_name",
)
OF_FIGURES = ("/figures",)
OF_QUALITY = (
    "/scorecards",
    "/scorecards?of=crm/contact&which=missed",
    "/scorecards/crm/contact/filled?attribute=party.email",
)
OF_CORRECTIONS = ("/corrections", "/corrections/crm", f"/corrections/crm/contact/{DAY}")
OF_PLAN = ("/plan", "/plan?file=purposes.yaml")
OF_PRIVACY = ("/privacy", "/privacy/register", "/privacy/retention")
HAS = {
    "engineer": OF_DATA + OF_QUALITY + OF_FIGURES + OF_CORRECTIONS + OF_PLAN,
    "steward": OF_DATA + OF_QUALITY + OF_FIGURES + OF_CORRECTIONS,
    "privacy_officer": OF_DATA + OF_QUALITY + OF_FIGURES + OF_PRIVACY + OF_PLAN,
    "analyst": OF_QUALITY + OF_FIGURES,
    "service": OF_FIGURES,
    "marketing": OF_FIGURES,
}
PLACES = sorted({place for places in HAS.values() for place in places})
ROLES = tuple(HAS)
DUTCH = {
    "/quality": "Gegevenskwaliteit",
    "/scorecards": "Scorekaarten",
    "/figures": "Kengetallen",
    "/sources": "Bronnen",
    "/corrections": "Verbeteringen",
}


@pytest.fixture(scope="module")
def deployment(lived: Callable[..., Deployment]) -> Deployment:
    made = lived(DAY)
    made.ask("kpis")
    return made


@pytest.fixture(scope="module")
def house(deployment: Deployment) -> Iterator[House]:
    """A console that answers, until the module is done."""
    with served(deployment.settings) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as made:
        yield made


Enter = Callable[..., Page]


@pytest.fixture
def enter(house: House, browser: Browser) -> Iterator[Enter]:
    """A function that signs somebody in, and gives their page."""
    opened = []

    def made(role: str, who: str = "", **options: Any) -> Page:
        with house.engine.begin() as connection:
            secret = hub.begin_session(
                connection,
                hub.SIGNED_IN,
                dt.timedelta(hours=1),
                who=who or f"{role} person",
                role=role,
                roles=[role],
            )
        context = browser.new_context(base_url=house.settings.console_url, **options)
        context.add_cookies([{"name": house.cookie, "value": secret, "url": house.settings.console_url}])
        opened.append(context)
        return context.new_page()

    yield made
    for context in opened:
        context.close()


@pytest.mark.parametrize("role", ["engineer", "steward", "privacy_officer"])  # others have none beside theirs
@pytest.mark.parametrize(("language", "width", "scheme"), [("en-GB", 1280, "light"), ("nl-NL", 390, "dark")])
def test_each_page_is_whole_and_readable_for_all(
    enter: Enter, role: str, language: str, width: int, scheme: str
) -> None:
    page = enter(role, locale=language, color_scheme=scheme, viewport={"width": width, "height": 900})
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for place in HAS[role]:
        answer = page.goto(place)
        assert answer is not None
        assert answer.status == 200, place
        assert page.locator("h1").count() == 1, place
        assert page.locator("html").get_attribute("lang") == language[:2]
        if language == "nl-NL" and place in DUTCH:
            assert page.locator("h1").inner_text() == DUTCH[place]
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (
            f"{place} is wider than a phone"
        )
        found = Axe().run(page).response["violations"]
        serious = [
            (one["id"], [node["html"][:120] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], place
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
def test_a_page_that_a_role_has_not_is_refused_in_words(enter: Enter, role: str) -> None:
    page = enter(role)
    for place in set(PLACES) - set(HAS.get(role, ())):
        answer = page.goto(place)
        assert answer is not None
        assert answer.status == 403, place
        assert page.locator("h1").inner_text() == "Not for this role"
        shown = page.get_by_role("navigation").get_by_role("link").all()
        assert place not in [one.get_attribute("href") for one in shown]


def test_rejected_values_are_shown_to_a_role_that_reads_them_and_as_shapes_to_others(
    house: House, enter: Enter
) -> None:
    rows = held_rows(house.settings, "crm/contact", DAY).to_pylist()
    names = {row["LastName"] for row in rows if row["LastName"]}
    assert names
    page = enter("engineer")
    page.goto(f"/quality/crm/contact/{DAY}")
    assert not [name for name in names if name in page.content()]
    page = enter("steward")
    page.goto(f"/quality/crm/contact/{DAY}")
    assert [name for name in names if name not in page.content()] == []
    with house.engine.connect() as connection:
        noted = connection.exec_driver_sql(
            "SELECT role, categories FROM ops.access_log WHERE tool = 'console quality'"
        ).all()
    assert {role for role, _ in noted} >= {"steward"}
    assert "engineer" not in {role for role, _ in noted}
    assert "user.name" in {category for _, categories in noted for category in categories}


def test_a_golden_column_is_drawn_back_to_its_source_columns(enter: Enter) -> None:
    page = enter("engineer")
    page.goto("/sources/lineage")
    page.get_by_role("link", name="given_name", exact=True).click()
    drawing = page.locator("svg.lineage")
    boxes = drawing.locator("g > title").all_text_contents()
    assert "crm/contact: FirstName" in boxes
    assert "golden.customer: given_name" in boxes
    assert drawing.locator(".edge").count() >= len(boxes) - 1
    drawing.get_by_role("link").first.click()
    assert re.search(r"/sources/\w+/\w+$", page.url)


def test_a_source_is_late_by_what_its_contract_agrees(enter: Enter) -> None:
    page = enter("engineer")
    days = (dt.datetime.now(dt.UTC).date() - dt.date.fromisoformat(DAY)).days
    for place in ("/sources", "/sources/crm/contact"):
        page.goto(place)
        assert page.locator(".tag.warn", has_text=f"{days} days old: late").count() > 0


def test_a_rejected_row_put_right_in_place_is_accepted(
    house: House, deployment: Deployment, enter: Enter
) -> None:
    page = enter("steward", "stella")
    page.goto(f"/corrections/crm/contact/{DAY}")
    before = page.locator("ul.plain > li").count()
    page.get_by_role("button", name="I do").click()
    assert "stella, said stella on" in page.locator("main").inner_text()
    page.locator("ul.plain > li", has_text="missing_key").get_by_role("link", name="Correct").click()
    page.get_by_role("button", name="Correct it, and run the day").click()
    assert "Nothing was changed" in page.locator("main").inner_text()
    page.go_back()
    page.get_by_label("Id", exact=True).fill("0037Q00002CORRECT1")
    page.get_by_role("button", name="Correct it, and run the day").click()
    page.get_by_text("The run is done.").wait_for(timeout=300_000)
    page.get_by_role("link", name="Show what came of it").click()
    assert page.locator("ul.plain > li").count() == before - 1
    assert deployment.query(
        "SELECT count(*) FROM golden.crosswalk WHERE source = 'crm' AND record_id = '0037Q00002CORRECT1'"
    ) == [(1,)]
    page.goto("/corrections")
    assert "stella" in page.locator("tr", has_text="crm").first.inner_text()


def _customer(deployment: Deployment, place: int) -> str:
    """A customer of several records."""
    return str(
        deployment.query(
            "SELECT golden_id FROM golden.crosswalk GROUP BY 1 HAVING count(*) > 1 "
            f"ORDER BY 1 OFFSET {place} LIMIT 1"
        )[0][0]
    )


def test_an_erasure_asked_by_one_is_approved_by_another_and_not_by_oneself(
    house: House, deployment: Deployment, enter: Enter
) -> None:
    customer = _customer(deployment, 0)
    page = enter("privacy_officer", "olga")
    page.goto(f"/privacy?customer={customer}")
    page.get_by_label("Number or words of the request").first.fill("letter 12")
    page.get_by_role("button", name="Ask for erasure").click()
    assert "somebody else approves it" in page.locator("p.told[role=status]").inner_text()
    card = page.locator("li.card", has_text=customer)
    assert card.get_by_role("button", name="Approve").count() == 0
    number = str(card.get_attribute("id")).removeprefix("proposal-")
    own = page.evaluate(
        f"fetch('/privacy/proposals/{number}/approve', {{method: 'POST'}}).then(answer => answer.status)"
    )
    assert own == 422
    other = enter("privacy_officer", "piet")
    other.goto("/privacy")
    other.locator("li.card", has_text=customer).get_by_role("button", name="Approve").click()
    _wait_until_done(other, customer)
    other.get_by_role("row", name=re.compile("erase")).first.get_by_role("link").click()
    told = other.locator("main").inner_text()
    assert "Certificate 1" in told
    assert "The chain of certificates is unbroken." in told
    assert deployment.query(f"SELECT count(*) FROM golden.customer WHERE golden_id = '{customer}'") == [(0,)]
    (content,) = deployment.query("SELECT content FROM privacy.certificate")
    said = content[0] if isinstance(content[0], dict) else json.loads(content[0])
    assert said["by"] == "piet"
    assert customer not in other.content()


def test_access_is_handed_over_once_after_another_has_approved_it(
    house: House, deployment: Deployment, enter: Enter
) -> None:
    customer = _customer(deployment, 1)
    page = enter("privacy_officer", "olga")
    page.goto(f"/privacy?customer={customer}")
    page.get_by_role("button", name="Ask for access").click()
    number = str(page.locator("li.card", has_text=customer).get_attribute("id")).removeprefix("proposal-")
    place = f"{house.settings.console_url}/privacy/proposals/{number}/archive"
    headers = {"origin": house.settings.console_url}
    early = page.request.post(place, headers=headers, form={"language": "en"})
    assert early.status == 422
    other = enter("privacy_officer", "piet")
    other.goto("/privacy")
    other.locator("li.card", has_text=customer).get_by_role("button", name="Approve").click()
    page.goto("/privacy")
    with page.expect_download() as download:
        page.locator("li.card", has_text=customer).get_by_role("button", name="Archive in English").click()
    content = download.value.path().read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert customer in archive.read("json/profile.json").decode() or any(
            customer in archive.read(name).decode() for name in archive.namelist()
        )
    again = page.request.post(place, headers=headers, form={"language": "en"})
    assert again.status == 422
    assert "Content-Disposition" not in again.headers
    with house.engine.connect() as connection:
        noted = connection.exec_driver_sql(
            f"SELECT who FROM ops.access_log WHERE tool = 'console access' AND '{customer}' = ANY(golden_ids)"
        ).all()
    assert [tuple(row) for row in noted] == [("olga",)]


def test_a_restriction_and_an_objection_are_done_at_once_and_taken_back(
    deployment: Deployment, enter: Enter
) -> None:
    customer = _customer(deployment, 2)
    page = enter("privacy_officer", "olga")
    for button in ("Keep, and use for nothing", "Lift the restriction", "Use no more for it"):
        page.goto(f"/privacy?customer={customer}")
        page.get_by_role("button", name=button).click()
        assert "It is done" in page.locator("p.told[role=status]").inner_text()
    page.goto(f"/privacy?customer={customer}")
    page.get_by_role("button", name="Lift the restriction").click()
    assert "nothing to lift" in page.locator("main").inner_text()
    (purpose,) = deployment.query("SELECT DISTINCT purpose FROM privacy.restriction")
    assert purpose != ("",)
    page.goto("/privacy")
    with page.expect_download() as download:
        page.goto("/privacy/register")
        page.get_by_role("link", name="processing.html").click()
    assert download.value.suggested_filename == "processing.html"


def test_an_erasure_that_was_approved_and_cut_short_is_gone_on_with(
    house: House, deployment: Deployment, enter: Enter
) -> None:
    customer = _customer(deployment, 3)
    page = enter("privacy_officer", "olga")
    page.goto(f"/privacy?customer={customer}")
    page.get_by_role("button", name="Ask for erasure").click()
    number = str(page.locator("li.card", has_text=customer).get_attribute("id")).removeprefix("proposal-")
    with house.engine.begin() as connection:  # as far as a console gets that is killed then
        proposals.approve(connection, int(number), "piet", ["erase"])
    page.goto("/privacy")
    page.locator("li.card", has_text=customer).get_by_role("button", name="Go on").click()
    _wait_until_done(page, customer)
    assert deployment.query(f"SELECT count(*) FROM golden.customer WHERE golden_id = '{customer}'") == [(0,)]


def _in_force(policy: str) -> str:
    return Path(POLICIES / policy).read_text(encoding="utf-8")


def _wait_until_done(page: Page, text: str) -> None:
    for _ in range(200):
        page.goto("/privacy")
        shown = page.locator("main").inner_text()
        if text not in shown and "under way" not in shown:
            return
        time.sleep(1)
    raise AssertionError(page.locator("main").inner_text())


@pytest.mark.skipif(
    find_spec("cdm_pipelines.commands.plan") is None, reason="this version has no command cdm plan"
)
def test_a_plan_tells_what_a_changed_policy_would_do(enter: Enter) -> None:
    page = enter("engineer", "edsger")
    trust = _in_force("survivorship.yaml").replace("trust:\n", "trust:\n  - shop/customer\n", 1)
    given = {
        "survivorship.yaml": trust.replace("\n  - shop/customer\n\n", "\n\n", 1),
        "person.yaml": re.sub(r"(?m)^  match: .*$", "  match: 0.9999", _in_force("linkage/person.yaml")),
        "contact.odcs.yaml": Path(contract_named("crm/contact").file).read_text(encoding="utf-8") + "\n",
    }
    page.goto("/plan")
    sent = [FilePayload(name=name, mimeType="", buffer=text.encode()) for name, text in given.items()]
    page.set_input_files("#files", sent)
    page.get_by_role("button", name="Plan it").click()
    page.get_by_role("link", name="Show what came of it").wait_for(timeout=300_000)
    page.get_by_role("link", name="Show what came of it").click()
    told = page.locator("main").inner_text()
    assert "Verdict: " in told
    assert page.locator("section", has_text="Golden values").count() == 1
    for taken in ("survivorship.yaml (changed)", "linkage/person.yaml (changed)", "crm/contact (the same)"):
        assert taken in told
    figures = {
        words: int(number.replace(",", ""))
        for words, number in re.findall(r"(?m)^([A-Z][a-z ]+)\n([\d,]+)", page.inner_text("ul.figures"))
    }
    assert figures["Ids that are founded"] > 0
    gained = figures["Ids that are founded"] + figures["Ids that come back"]
    lost = figures["Ids that become an alias"] + figures["Ids that are retired"]
    assert figures["As they would be"] == figures["Customers in service"] + gained - lost
    assert {"Aliases of another id than before", "Records that move"} <= figures.keys()
    page.goto("/plan?file=survivorship.yaml")
    page.get_by_label("survivorship.yaml").fill("version: 1\nrules: [luck]\n")
    page.get_by_role("button", name="Plan it").click()
    page.get_by_role("link", name="Show what came of it").wait_for(timeout=300_000)
    page.get_by_role("link", name="Show what came of it").click()
    assert "The policy has faults" in page.locator("main").inner_text()
