"""Pages say what they say in both languages, and show what the role sees."""

import json
import re
from typing import Any

import pytest
from governed_hub import ANNA, ELS, SECRETS, GovernedHub
from sqlalchemy import text

from cdm_pipelines.console.errors import ConsoleError
from cdm_pipelines.console.pages.customer import CONTACTS, LAST_TICKET
from cdm_pipelines.console.pages.menu import PAGES
from cdm_pipelines.console.pages.scorecards import DIMENSIONS, WHICH
from cdm_pipelines.console.pages.words import TEMPLATES, dutch
from cdm_pipelines.golden.policy import golden_groups
from cdm_pipelines.insight.scorecard import MEASURES

from .test_api import ROLES, seen_by

_SAID = re.compile(r"""\bt\(\s*(?:"([^"]+)"|'([^']+)')""")


def test_every_phrase_of_the_pages_is_there_in_dutch() -> None:
    said = {
        double or single
        for path in sorted(TEMPLATES.glob("*.html"))
        for double, single in _SAID.findall(path.read_text(encoding="utf-8"))
    }
    said |= {words for _, words, _ in PAGES} | {kind.title for kind in kinds(ConsoleError)}
    said |= {*DIMENSIONS.values(), *WHICH.values(), *(one.formula for one in MEASURES.values())}
    said |= {*CONTACTS, LAST_TICKET}
    assert len(said) > 50
    assert sorted(said - dutch().keys()) == []
    for english, words in dutch().items():
        assert set(re.findall(r"{(\w+)}", english)) == set(re.findall(r"{(\w+)}", words)), english


def kinds(one: type[ConsoleError]) -> set[type[ConsoleError]]:
    return {one}.union(*(kinds(each) for each in one.__subclasses__()))


@pytest.mark.parametrize("role", ROLES)
def test_no_page_holds_what_a_role_may_not_see(governed: GovernedHub, browser: Any, role: str) -> None:
    hidden = [secret for secret in SECRETS if secret not in seen_by(governed, role)]
    client = browser(role)
    places = ["/", "/hits?q=vandenberghe", "/hits?q=0612345678", f"/customers/{ANNA}", f"/customers/{ELS}"]
    pages = [client.get(place) for place in places]
    assert not {page.status_code for page in pages} & {500, 503}
    pages.append(client.get(f"/customers/{ANNA}/records/crm/contact/R1"))  # of a lake that is not there
    assert pages[-1].status_code in {403, 404, 503}
    shown = "\n".join(page.text for page in pages)
    assert [secret for secret in hidden if secret in shown] == []


@pytest.mark.parametrize(
    ("typed", "told", "other"),
    [
        ("vandenberghe karel", "Nobody is known by all of this", "A suggestion"),
        ("vandenberge", "A suggestion: many may be known by this", "Nobody is known"),
    ],
)
def test_a_near_miss_is_a_suggestion_on_the_page_too(browser: Any, typed: str, told: str, other: str) -> None:
    page = browser("service").get("/hits", params={"q": typed}, headers={"accept-language": "en"}).text
    assert f"/customers/{ANNA}" in page
    assert told in page
    assert other not in page
    assert ("not matched: karel" in page) == ("karel" in typed)
    answer = browser("service").get("/hits", params={"q": "vandenberghe"}, headers={"accept-language": "en"})
    assert "uggestion" not in answer.text


def test_a_customer_is_shown_in_the_language_that_was_chosen(browser: Any) -> None:
    client = browser("service")
    english = client.get(f"/customers/{ANNA}", headers={"accept-language": "en"}).text
    assert '<html lang="en">' in english
    assert "Given name" in english
    client.post("/language", data={"language": "nl", "next": f"/customers/{ANNA}"})
    chosen = client.get(f"/customers/{ANNA}", headers={"accept-language": "en"}).text
    assert '<html lang="nl">' in chosen
    assert "Voornaam" in chosen
    assert "Given name" not in chosen


def test_a_value_that_lost_is_shown_to_who_reads_its_kind_in_clear(
    governed: GovernedHub, browser: Any
) -> None:
    lost = {"street": "Verhuisdweg", "iban": "NL20INGB0001234567"}
    with governed.engine.begin() as connection:
        for attribute, value in lost.items():
            group = next(name for name, columns in golden_groups().items() if attribute in columns)
            losers = [{"value": value, "source": "erp", "entity": "customer", "record_id": f"L-{attribute}"}]
            connection.execute(
                text(
                    """INSERT INTO golden.provenance (golden_id, attribute, source, entity, record_id, rule, losers)
                    VALUES (:id, :group, 'crm', 'contact', 'R1', 'latest', CAST(:losers AS jsonb))"""
                ),
                {"id": ANNA, "group": group, "losers": json.dumps(losers)},
            )
    shown = browser("steward").get(f"/customers/{ANNA}").text
    assert "Verhuisdweg" in shown
    assert "erp/customer/L-iban" in shown
    assert lost["iban"] not in shown
    assert lost["iban"] in browser("privacy_officer").get(f"/customers/{ANNA}").text
    with governed.engine.begin() as connection:
        connection.execute(text("DELETE FROM golden.provenance WHERE attribute <> '*'"))


def test_a_customer_of_others_is_not_there(browser: Any) -> None:
    page = browser("branch").get(f"/customers/{ELS}")
    assert page.status_code == 404
    assert "Verborgen" not in page.text


def test_whoever_is_not_signed_in_is_led_on_to_where_they_wanted(browser: Any) -> None:
    page = browser().get(f"/customers/{ANNA}?as_of=2026-01-01")
    assert page.status_code == 401
    assert "Vandenberghe" not in page.text
