"""A deployment whose stewards work at a console: what stands on a case there, and what was published of it.

Belongs here: the deployment, pressing a key, reading a page and the hub. Does not belong here: what is tried.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine

from cdm_pipelines.console.pages.render import shown
from cdm_pipelines.console.server import links
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.stewardship.decisions import read_log

from .conftest import Deployment
from .office import BROWSERS

ORDER = "priority DESC, doubt, left_id NULLS FIRST, right_id NULLS FIRST, finding"


@dataclass
class Office:
    """A deployment whose console is served, with a browser."""

    home: Deployment
    engine: Engine
    url: str
    browser: Browser | None

    @property
    def settings(self) -> Settings:
        return self.home.settings

    def link(self, role: str = "steward") -> str:
        return links(self.engine, self.settings, [role])[role]

    def page(self, language: str = "en-GB", **more: Any) -> Page:
        """Somebody at their desk, signed in."""
        if self.browser is None:
            pytest.skip(f"no browser is installed: {', '.join(BROWSERS)}")
        page = self.browser.new_context(
            locale=language, viewport={"width": 1280, "height": 900}, **more
        ).new_page()
        page.goto(self.link())
        page.click("main button.first")
        return page

    def one(self, sql: str) -> Any:
        [(found,)] = self.home.query(sql)
        return found

    def waiting(self) -> int:
        return int(self.one("SELECT count(*) FROM ops.review_item WHERE waits"))

    def decisions(self) -> list[str]:
        return [
            str(kind)
            for (kind,) in self.home.query("SELECT kind FROM identity.decision ORDER BY decision_id")
        ]

    def first(self, doubt: str = "pair") -> str:
        """The first case of a kind that waits."""
        found = (
            f"SELECT item_id FROM ops.review_item WHERE waits AND doubt = '{doubt}' ORDER BY {ORDER} LIMIT 1"
        )
        return str(self.one(found))


def press(page: Page, key: str) -> None:
    """Press a key, and wait until the next case is there."""
    page.evaluate("document.querySelector('#desk h1').setAttribute('data-former', '')")
    page.keyboard.press(key)
    page.locator("[data-former]").wait_for(state="detached")  # outlives a page that is fetched anew
    page.wait_for_load_state()


def foretold(page: Page) -> list[dict[str, str]]:
    """What the case on a page says of either side, and of both together: by attribute, as it is written."""
    found: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for row in page.locator("table.sides.fits tbody tr").all():
        name = row.locator("th").inner_text().replace(" ", "_")
        for at, cell in enumerate(row.locator("td").all_inner_texts()):
            found[at][name] = cell
    return list(found.values())


def published(office: Office, golden_id: str, names: Iterable[str]) -> dict[str, str]:
    """The same of a customer, as the steward's own view has it."""
    row = office.one(f"SELECT to_jsonb(c) FROM for_steward.customer c WHERE golden_id = '{golden_id}'")
    orders = office.one(f"SELECT count(*) FROM golden.customer_order WHERE golden_id = '{golden_id}'")
    told = {**row, "source_records": row["record_count"], "orders": orders}
    return {name: shown(told[name]) for name in names}


def home_of(office: Office, records: Iterable[str]) -> str:
    """The one customer that has these records."""
    named = ", ".join(f"'{one}'" for one in records)
    return str(
        office.one(
            f"""SELECT DISTINCT golden_id::text FROM golden.crosswalk
            WHERE source || '/' || entity || '/' || record_id IN ({named})"""
        )
    )


def records_of(page: Page, letter: str) -> list[str]:
    """The source records of a side of the case on a page."""
    heads = page.locator("table.sides:not(.fits) thead th", has=page.locator(".id")).all()
    return [one.locator(".id").inner_text() for one in heads if one.inner_text().startswith(letter)]


def undecided(office: Office) -> list[str]:
    """Persons with orders about whom nothing was decided, those of fewest records first."""
    with office.engine.connect() as connection:
        named = {str(record) for one in read_log(connection) for record in one.records}
    rows = office.home.query(
        """SELECT golden_id::text, array_agg(source || '/' || entity || '/' || record_id) FROM golden.crosswalk
        JOIN golden.customer USING (golden_id) WHERE party_kind = 'person'
        AND golden_id IN (SELECT golden_id FROM golden.customer_order)
        GROUP BY 1 ORDER BY count(*), 1"""
    )
    return [golden_id for golden_id, records in rows if not named & {*records}]


def most_alike(office: Office, ids: Iterable[str]) -> tuple[str, str]:
    """Two of some customers: those that a steward would be asked about first, and who may be one."""
    listed = ", ".join(f"'{one}'" for one in ids)
    left, right = office.home.query(
        f"""SELECT l.golden_id::text, r.golden_id::text FROM golden.customer l JOIN golden.customer r
        ON l.golden_id < r.golden_id LEFT JOIN (
            SELECT k.golden_id, x.golden_id AS other, max(probability) AS probability
            FROM golden.customer_link k JOIN golden.crosswalk x
            ON (x.source, x.entity, x.record_id) = (k.other_source, k.other_entity, k.other_record_id)
            WHERE NOT inside GROUP BY 1, 2) k ON k.golden_id = l.golden_id AND k.other = r.golden_id
        WHERE l.golden_id IN ({listed}) AND r.golden_id IN ({listed})
        ORDER BY probability DESC NULLS LAST, num_nulls(l.birth_date, r.birth_date) DESC,
        l.given_name = r.given_name DESC NULLS LAST, 1, 2 LIMIT 1"""
    )[0]
    return str(left), str(right)
