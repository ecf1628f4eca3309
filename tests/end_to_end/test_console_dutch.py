"""Pages of a real run that are read in Dutch hold no word of English: customers, quality, privacy, refusals."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from cdm_pipelines.console.app import console
from cdm_pipelines.console.house import House
from cdm_pipelines.console.pages.words import codes, dutch
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.privacy.roles import RolesPolicy
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.settings import load_settings

from .conftest import DAYS, Deployment
from .office import link, served

EMPTY = frozenset({"input", "meta", "link", "br", "rect", "circle", "path", "line", "polyline"})
OF_FILES = frozenset({"payments", "processing", "quarantine"})
"""Of the data, of names of files, and of keys of policies."""


class Reader(HTMLParser):
    """What somebody reads of a page, less ids, and what is said to be English."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._open: list[bool] = []
        self.read: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note whether what follows is left out."""
        own = dict(attrs)
        if tag not in EMPTY:
            is_id = "id" in (own.get("class") or "").split()
            self._open.append(is_id or own.get("lang") == "en" or tag in {"script", "pre", "textarea"})

    def handle_endtag(self, tag: str) -> None:
        """What was left out ends."""
        if self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Keep what is read."""
        if not any(self._open):
            self.read.append(data)


def words(text: str) -> set[str]:
    """Words of a text, without names of columns and parameters."""
    return set(re.findall(r"[a-z]{4,}", re.sub(r"\{\w+\}|\w*_\w*", "", text.lower())))


@pytest.fixture(scope="module")
def company(lived: Callable[..., Deployment]) -> Deployment:
    return lived(*DAYS[:2])


@pytest.fixture(scope="module")
def house(company: Deployment) -> Iterator[House]:
    with served(company.settings) as made:
        yield made


@pytest.fixture(scope="module")
def known(company: Deployment) -> dict[str, Any]:
    """A person of several records who ordered."""
    rows = company.query(
        """SELECT to_jsonb(c) FROM golden.customer c JOIN golden.customer_order o USING (golden_id)
        WHERE c.party_kind = 'person' AND c.record_count > 1 ORDER BY c.golden_id LIMIT 1"""
    )
    found: dict[str, Any] = rows[0][0]
    return found


@pytest.fixture(scope="module")
def english(known: dict[str, Any]) -> set[str]:
    """Words that stand in English phrases, in no Dutch one, and in no name that pages show."""
    found = {word for phrase in dutch() for word in words(phrase)}
    ours = [*dutch().values(), *(one for of in codes().values() for one in of.values())]
    names = [*(one.name for one in all_contracts()), *RolesPolicy.load(load_settings().policies).roles]
    shown = [*(str(value) for value in known.values()), *(str(rule) for rule in Rule)]
    left = found - {word for text in (*ours, *names, *shown) for word in words(text)} - OF_FILES
    assert {"average", "cannot", "days", "purchases", "sign"} <= left
    return left


def test_pages_that_are_read_in_dutch_hold_no_english(
    house: House, known: dict[str, Any], english: set[str]
) -> None:
    client = TestClient(console(house), house.settings.console_url, headers={"accept-language": "nl"})
    customer = f"/customers/{known['golden_id']}"
    found = {}
    for role, places in {
        "privacy_officer": (customer, "/quality", "/privacy", "/privacy/register", "/privacy/retention"),
        "service": (customer, "/", f"/?q={known['surname']}"),
        "steward": (customer, f"/review/customer/{known['golden_id']}", "/review", "/quality"),
        "marketing": (customer,),
    }.items():
        client.cookies.clear()
        place = link(house.engine, house.settings, role).removeprefix(house.settings.console_url)
        client.post(place, headers={"origin": house.settings.console_url})
        for place in places:
            page = client.get(place)
            assert page.status_code == 200, (role, place)
            found[role, place] = sorted(words(" ".join(Reader(page.text).read)) & english)
    assert {place: left for place, left in found.items() if left} == {}


@pytest.mark.parametrize(
    ("place", "status"), [("/sign-in/start", 503), ("/sign-in/done", 401), ("/nowhere", 404)]
)
def test_a_refused_sign_in_is_told_in_dutch(house: House, english: set[str], place: str, status: int) -> None:
    own = {"oidc_issuer": "http://127.0.0.1:9", "oidc_client_id": "x", "oidc_client_secret": SecretStr("x")}
    away = House(house.settings.model_copy(update=own), house.engine)
    page = TestClient(console(away), house.settings.console_url, headers={"accept-language": "nl"}).get(place)
    assert (page.status_code, '<html lang="nl">' in page.text) == (status, True)
    assert words(" ".join(Reader(page.text).read)) & english == set()
