"""A console on a governed hub, asked as a browser and as a program."""

import datetime as dt
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from governed_hub import GovernedHub, governed_hub, server
from starlette.testclient import TestClient

from cdm_pipelines.console.app import console
from cdm_pipelines.console.house import House
from cdm_pipelines.hub import console as hub

URL = "http://console.example"
Client = Callable[..., TestClient]


@pytest.fixture(scope="module")
def governed() -> Iterator[GovernedHub]:
    with (
        server(None) as url,
        tempfile.TemporaryDirectory(prefix="cdm-") as folder,
        governed_hub(url, Path(folder)) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def house(governed: GovernedHub) -> House:
    settings = governed.settings.model_copy(update={"console_url": URL})
    return House(settings, governed.engine, local=True)


@pytest.fixture(scope="module")
def browser(house: House) -> Client:
    """A function that makes a client; with a role one that is signed in."""
    app = console(house)

    def made(role: str = "", *roles: str) -> TestClient:
        client = TestClient(app, URL, follow_redirects=False, headers={"origin": URL})
        if role:
            with house.engine.begin() as connection:
                secret = hub.begin_session(
                    connection,
                    hub.SIGNED_IN,
                    dt.timedelta(hours=1),
                    who=f"{role} person",
                    role=role,
                    roles=[role, *roles],
                )
            client.cookies.set(house.cookie, secret, domain="console.example")
        return client

    return made


@pytest.fixture(scope="module")
def program(house: House, browser: Client) -> Client:
    """A function that makes a client with a key of a role."""

    def made(role: str, *scopes: str, per_minute: int = 1_000_000) -> TestClient:
        with house.engine.begin() as connection:
            key, _ = hub.make_token(
                connection,
                f"{role} program",
                role,
                scopes or ("read", "match", "write"),
                lasts=dt.timedelta(days=1),
                per_minute=per_minute,
                made_by="test",
            )
        client = browser()
        client.headers["authorization"] = f"Bearer {key}"
        return client

    return made
