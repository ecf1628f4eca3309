"""A console that is served over a real deployment, and a browser before it.

Belongs here: starting both. Does not belong here: what is tried with them.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from serving import free_port, serving
from sqlalchemy import Engine

from cdm_pipelines.console.app import console
from cdm_pipelines.console.house import House
from cdm_pipelines.console.server import links, prepare
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.settings import Settings

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def served(settings: Settings) -> Iterator[House]:
    """The console of a deployment on a port of its own; links sign in."""
    port = free_port()
    own = settings.model_copy(update={"console_url": f"http://127.0.0.1:{port}"})
    with open_hub(own) as engine:
        assert prepare(engine, own) == []
        house = House(own, engine, local=True)
        with serving(console(house), port):
            yield house


def installed() -> str | None:
    """The browser of this machine."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


@contextmanager
def browsing() -> Iterator[Browser]:
    """A real browser; the test is left out where none is installed."""
    program = installed()
    if program is None:
        pytest.skip(f"no browser is installed: {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def signed_in(house: House, browser: Browser, role: str, language: str = "en-GB", **more: Any) -> Page:
    """The first page, as somebody of a role sees it after signing in."""
    page = browser.new_context(locale=language, **more).new_page()
    page.set_default_timeout(60_000)
    page.goto(link(house.engine, house.settings, role))
    page.click("main button.first")
    return page


def link(engine: Engine, settings: Settings, role: str) -> str:
    """A one-time link of a role."""
    return links(engine, settings, [role])[role]


def serious(page: Page) -> list[str]:
    """What keeps somebody from using a page, as axe sees it."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}" for one in found if one["impact"] in {"serious", "critical"}]
