"""Signing in: with a real provider, by a link of this machine, and refused with a page that says what to do."""

import datetime as dt
import importlib
import json
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx2
import pytest
from governed_hub import GovernedHub
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import SecretStr
from sqlalchemy import text
from starlette.testclient import TestClient

from cdm_pipelines.console.app import console
from cdm_pipelines.console.house import House
from cdm_pipelines.console.pages.menu import menu
from cdm_pipelines.hub import console as hub

URL = "http://console.example"
Claims = dict[str, Any]


@dataclass
class Provider:
    """An OpenID Connect provider on this machine: whoever comes is let in with the claims that are set.

    Attributes:
        claims: Of the person.
        key: That it signs with.
        change: What is done to a token's claims before it is signed.
        url: Its issuer.
    """

    claims: Claims = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    published: RSAKey | None = None
    change: Callable[[Claims], Claims] = lambda claims: claims
    url: str = ""
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"]
        if path == "/.well-known/openid-configuration":
            return self._json(start, self._described())
        if path == "/keys":
            return self._json(start, {"keys": [(self.published or self.key).as_dict(private=False)]})
        if path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
            code = uuid4().hex
            self.codes[code] = asked
            start("302 Found", [("Location", f"{asked['redirect_uri']}?code={code}&state={asked['state']}")])
            return [b""]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        sent = {
            name: values[0] for name, values in parse_qs(environ["wsgi.input"].read(length).decode()).items()
        }
        found = self.codes.pop(sent.get("code", ""), None)
        if found is None or "code_verifier" not in sent:
            return self._json(start, {"error": "invalid_grant"}, "400 Bad Request")
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": "console",
            "sub": "u1",
            "iat": now,
            "exp": now + 300,
            "nonce": found["nonce"],
        }
        token = jwt.encode({"alg": "RS256", "kid": "one"}, self.change(claims | self.claims), self.key)
        return self._json(
            start, {"access_token": "a", "token_type": "Bearer", "expires_in": 300, "id_token": token}
        )

    def _described(self) -> Claims:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _json(self, start: Callable[..., Any], content: Claims, status: str = "200 OK") -> list[bytes]:
        start(status, [("Content-Type", "application/json")])
        return [json.dumps(content).encode()]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running(provider: Provider) -> Iterator[Provider]:
    with make_server("127.0.0.1", 0, provider, handler_class=_Quiet) as server:
        provider.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield provider
        server.shutdown()
        thread.join()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running(
        Provider({"preferred_username": "j.bakker", "roles": ["service", "cdm_sales", "janitor"]})
    ) as made:
        yield made


@pytest.fixture
def own(governed: GovernedHub, provider: Provider) -> House:
    changed = {
        "console_url": URL,
        "oidc_issuer": provider.url,
        "oidc_client_id": "console",
        "oidc_client_secret": SecretStr("secret"),
    }
    return House(governed.settings.model_copy(update=changed), governed.engine)


@pytest.fixture
def visitor(own: House) -> TestClient:
    return TestClient(console(own), URL, follow_redirects=False, headers={"origin": URL})


def away(visitor: TestClient, next_path: str = "/") -> str:
    """Leave for the provider; returns where it sends the person back to."""
    start = visitor.get("/sign-in/start", params={"next": next_path})
    assert start.status_code == 302
    return str(httpx2.get(start.headers["location"]).headers["location"])


def test_somebody_signs_in_with_the_roles_that_the_provider_names(visitor: TestClient, own: House) -> None:
    assert visitor.get("/").status_code == 401
    back = visitor.get(away(visitor, "/?q=jansen"))
    assert (back.status_code, back.headers["location"]) == (303, "/?q=jansen")
    assert "Piet" in visitor.get("/?q=jansen").text
    with own.engine.connect() as connection:
        row = connection.execute(
            text("SELECT who, role, roles FROM ops.session WHERE who = 'j.bakker'")
        ).one()
    assert tuple(row) == ("j.bakker", "service", ["service", "sales"])
    cookie = back.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_a_session_is_a_new_one_at_every_sign_in(visitor: TestClient, own: House) -> None:
    planted = "planted-by-somebody-else"
    visitor.cookies.set(own.cookie, planted, domain="console.example")
    visitor.get(away(visitor))
    first = visitor.cookies[own.cookie]
    visitor.get(away(visitor))
    assert len({planted, first, visitor.cookies[own.cookie]}) == 3
    other = TestClient(console(own), URL, cookies={own.cookie: planted})
    assert other.get("/").status_code == 401


def _other_key(provider: Provider) -> None:
    provider.published, provider.key = provider.key, RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


def _set(name: str, value: object) -> Callable[[Provider], None]:
    def change(provider: Provider) -> None:
        provider.change = lambda claims: {**claims, name: value}

    return change


def _without(name: str) -> Callable[[Provider], None]:
    def change(provider: Provider) -> None:
        provider.change = lambda claims: {key: value for key, value in claims.items() if key != name}

    return change


@pytest.mark.parametrize(
    ("broken", "status", "said"),
    [
        (_set("aud", "another"), 401, "cannot be believed"),
        (_set("iss", "https://elsewhere.example"), 401, "cannot be believed"),
        (_set("exp", 1_000_000_000), 401, "cannot be believed"),
        (_set("nonce", "another"), 401, "cannot be believed"),
        (_without("exp"), 401, "cannot be believed"),
        (_without("nonce"), 401, "cannot be believed"),
        (_other_key, 401, "cannot be believed"),
        (_without("roles"), 403, "names no role"),
        (_set("roles", ["janitor"]), 403, "names no role"),
        (_set("roles", {"service": True}), 403, "names no role"),
    ],
    ids=[
        "audience",
        "issuer",
        "expired",
        "nonce",
        "no expiry",
        "no nonce",
        "key",
        "no claim",
        "no role",
        "odd claim",
    ],
)
def test_what_cannot_be_believed_is_refused_with_a_page(
    visitor: TestClient,
    own: House,
    provider: Provider,
    *,
    broken: Callable[[Provider], None],
    status: int,
    said: str,
) -> None:
    broken(provider)
    page = visitor.get(away(visitor))
    assert page.status_code == status
    assert said in page.text
    assert "<h1>" in page.text
    assert visitor.get("/").status_code == 401


def test_an_answer_that_comes_twice_or_from_elsewhere_is_refused(visitor: TestClient, own: House) -> None:
    back = away(visitor)
    stranger = TestClient(console(own), URL, follow_redirects=False)
    assert stranger.get(back).status_code == 401
    cookie = visitor.cookies[own.cookie]
    assert visitor.get(back).status_code == 303
    visitor.cookies.set(own.cookie, cookie, domain="console.example")
    again = visitor.get(back)
    assert again.status_code == 401
    assert "used already" in again.text
    other = away(visitor)
    state = re.sub(r"state=[^&]+", "state=mine", other)
    assert visitor.get(state).status_code == 401


def test_whoever_refuses_at_the_provider_is_told_how_to_begin_again(visitor: TestClient) -> None:
    state = re.search(r"state=[^&]+", away(visitor))
    assert state is not None
    page = visitor.get(f"/sign-in/done?error=access_denied&error_description=<b>no</b>&{state[0]}")
    assert page.status_code == 401
    assert "refused the sign-in (access_denied)" in page.text
    assert "Sign in again from the first page" in page.text
    assert "<b>no</b>" not in page.text
    assert visitor.get("/").status_code == 401


def test_whoever_begins_without_end_to_sign_in_waits(visitor: TestClient, own: House) -> None:
    def begun() -> int:
        with own.engine.connect() as connection:
            return int(
                connection.scalar(text("SELECT count(*) FROM ops.session WHERE state = 'signing in'")) or 0
            )

    before = begun()
    told = [visitor.get("/sign-in/start").status_code for _ in range(65)]
    assert told == [302] * 60 + [429] * 5
    assert begun() == before + 60


def test_a_provider_that_is_away_is_told(own: House) -> None:
    gone = House(own.settings.model_copy(update={"oidc_issuer": "http://127.0.0.1:9"}), own.engine)
    page = TestClient(console(gone), URL).get("/sign-in/start")
    assert page.status_code == 503
    assert "CDM_OIDC_ISSUER" in page.text


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\r\nb: c",
        "\\\\evil",
    ],
)
def test_nobody_is_led_to_another_site(visitor: TestClient, place: str) -> None:
    assert visitor.get(away(visitor, place)).headers["location"] == "/"
    back = visitor.post("/language", data={"language": "nl", "next": place})
    assert back.headers["location"] == "/"


def test_a_link_signs_in_once_on_this_machine_alone(house: House, browser: Any, own: House) -> None:
    with house.engine.begin() as connection:
        link = hub.begin_session(
            connection,
            hub.LINK,
            dt.timedelta(minutes=1),
            who="local service",
            role="service",
            roles=["service"],
        )
    client = browser()
    assert client.get(f"/sign-in/link/{link}").status_code == 200
    assert "first look" in client.get(f"/sign-in/link/{link}").text
    assert client.post(f"/sign-in/link/{link}").status_code == 303
    assert client.get("/").status_code == 200
    again = browser().post(f"/sign-in/link/{link}")
    assert again.status_code == 401
    assert "was used" in again.text
    assert (
        TestClient(console(own), URL, headers={"origin": URL}).post(f"/sign-in/link/{link}").status_code
        == 403
    )


@pytest.mark.parametrize("role", ["service", "steward", "privacy_officer"])
def test_each_page_says_that_links_sign_in_here(house: House, own: House, browser: Any, role: str) -> None:
    client = browser(role)
    words = "signed in by a link, on this machine only"
    places = [place for place, _ in menu(house.sights.of(role))]
    assert len(places) > 1
    for place in [*places, "/nowhere", "/sign-in/link/x"]:
        assert words in client.get(place).text, place
    assert words in browser().get("/").text
    assert words not in TestClient(console(own), URL).get("/").text


def test_whoever_signs_out_is_out(browser: Any, house: House) -> None:
    client = browser("service")
    secret = client.cookies[house.cookie]
    assert client.get("/").status_code == 200
    client.post("/sign-out")
    client.cookies.set(house.cookie, secret, domain="console.example")
    assert client.get("/").status_code == 401


@pytest.mark.parametrize(
    "what", ["ends_at = now() - interval '1 second'", "seen_at = now() - interval '2 hours'"]
)
def test_a_session_that_has_ended_or_was_left_alone_is_over(browser: Any, house: House, what: str) -> None:
    client = browser("service")
    with house.engine.begin() as connection:
        connection.execute(text(f"UPDATE ops.session SET {what} WHERE state = 'signed in'"))
    assert client.get("/").status_code == 401


def test_somebody_acts_in_another_of_their_roles_and_in_no_other(browser: Any) -> None:
    client = browser("service", "steward")
    assert client.post("/role", data={"role": "steward"}).status_code == 303
    assert ">steward<" in client.get("/").text
    assert client.post("/role", data={"role": "engineer"}).status_code == 400


def test_somebody_signs_in_at_a_provider_of_somebody_else(governed: GovernedHub) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the versions that it is written for
        mock = importlib.import_module("oidc_provider_mock")
        person = mock.User(sub="u7", claims={"email": "p.smit@example.nl", "roles": ["cdm_finance"]})
        with mock.run_server_in_thread(user_claims=[person]) as server:
            changed = {
                "console_url": URL,
                "oidc_issuer": f"http://127.0.0.1:{server.server_port}",
                "oidc_client_id": "console",
                "oidc_client_secret": SecretStr("secret"),
            }
            house = House(governed.settings.model_copy(update=changed), governed.engine)
            visitor = TestClient(console(house), URL, follow_redirects=False)
            start = visitor.get("/sign-in/start").headers["location"]
            back = httpx2.post(start, data={"sub": "u7"}).headers["location"]
            assert visitor.get(back).status_code == 303
            assert "p.smit@example.nl" in visitor.get("/").text
