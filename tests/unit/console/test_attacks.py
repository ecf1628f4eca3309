"""What somebody tries who wants in, wants more, or wants it to break."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import httpx2
import pytest
from governed_hub import ANNA, SECRETS, GovernedHub
from serving import free_port, serving
from sqlalchemy import text
from starlette.testclient import TestClient

from cdm_pipelines.console import guard
from cdm_pipelines.console import house as house_module
from cdm_pipelines.console.app import console
from cdm_pipelines.console.house import House

URL = "http://console.example"
SQL = (
    "' OR 1=1 --",
    "'; DROP TABLE golden.customer; --",
    '" OR ""="',
    "1; RESET ROLE; SELECT 1",
    "$find$",
    "%' --",
)
TEMPLATE = ("{{ 7*7 }}", "{% import os %}", "${7*7}", "#{7*7}", "{{ caller.secret }}")


@pytest.mark.parametrize("typed", [*SQL, *TEMPLATE, "a\x00b", "\ud800", "x" * 300, "{0}", "%s%s", "\\"])
def test_what_is_typed_stays_text(browser: Any, program: Any, governed: GovernedHub, typed: str) -> None:
    typed = typed.encode("utf-8", "replace").decode()
    page = browser("service").get("/", params={"q": typed})
    assert page.status_code == 200
    assert ">49<" not in page.text
    answer = program("service").get("/v1/search", params={"q": typed})
    assert answer.status_code == 200
    assert answer.json()["items"] == []
    with governed.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM golden.customer")) == 4


@pytest.fixture
def script(governed: GovernedHub) -> Iterator[str]:
    """A customer whose name is a script."""
    name = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    with governed.engine.begin() as connection:
        before = connection.scalar(
            text("SELECT given_name FROM golden.customer WHERE golden_id = :id"), {"id": ANNA}
        )
        change = text("UPDATE golden.customer SET given_name = :name WHERE golden_id = :id")
        connection.execute(change, {"name": name, "id": ANNA})
    yield name
    with governed.engine.begin() as connection:
        connection.execute(change, {"name": before, "id": ANNA})


def test_a_script_in_a_name_is_shown_and_not_run(browser: Any, script: str) -> None:
    client = browser("service")
    for place in (f"/customers/{ANNA}", "/?q=vandenberghe", "/hits?q=vandenberghe"):
        page = client.get(place)
        assert "&lt;script&gt;" in page.text
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "unsafe-inline" not in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/%2e%2e/settings.py",
        "/static//etc/passwd",
        "/customers/../../etc/passwd",
        "/v1/customers/..%2f..%2fsearch",
        "/sign-in/link/../../x",
    ],
)
def test_no_path_leads_out_of_the_pages(browser: Any, path: str) -> None:
    answer = browser("service").get(path)
    assert answer.status_code in {401, 403, 404, 422}
    assert "import " not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site", "origin": URL},
        {"sec-fetch-site": "same-site", "origin": URL},
        {"sec-fetch-site": "same-origin", "origin": "https://evil.example"},
        {"sec-fetch-site": "none"},
    ],
)
def test_a_change_from_another_site_is_refused(browser: Any, headers: dict[str, str]) -> None:
    client = browser("steward")
    del client.headers["origin"]
    for path in ("/sign-out", "/role", "/language"):
        assert client.post(path, headers=headers).status_code == 403
    answer = client.post("/v1/decisions", json={"kind": "confirm", "customer": ANNA}, headers=headers)
    assert answer.status_code == 403
    assert client.get("/").status_code == 200


def test_a_change_from_a_page_of_ours_is_done(browser: Any) -> None:
    client = browser("steward")
    del client.headers["origin"]
    body = {"kind": "confirm", "customer": ANNA}
    done = client.post("/v1/decisions", json=body, headers={"sec-fetch-site": "same-origin", "origin": URL})
    assert done.status_code == 201


@pytest.mark.parametrize("host", ["evil.example", "console.example.evil.example", "127.0.0.1", ""])
def test_another_name_for_this_machine_is_not_answered(browser: Any, host: str) -> None:
    answer = browser("service").get("/", headers={"host": host})
    assert answer.status_code == 403
    assert not any(secret in answer.text for secret in SECRETS)


def test_no_header_can_be_put_in(browser: Any) -> None:
    answer = browser().post("/language", data={"language": "nl\r\nset-cookie: a=b", "next": "/\r\nx-evil: 1"})
    assert "x-evil" not in answer.headers
    assert "a=b" not in answer.headers.get("set-cookie", "")


def test_wrong_keys_lock_their_address_out_for_a_while(house: House) -> None:
    fresh = House(house.settings, house.engine, local=True)
    client = TestClient(console(fresh), URL, headers={"authorization": "Bearer cdm_wrong"})
    told = [client.get("/v1/search", params={"q": "x"}).status_code for _ in range(25)]
    assert told[:20] == [401] * 20
    assert set(told[20:]) == {429}


def test_whoever_comes_with_a_right_key_is_not_locked_out_by_others(house: House, program: Any) -> None:
    right = program("service").headers["authorization"]
    client = TestClient(console(House(house.settings, house.engine)), URL)
    for _ in range(25):
        client.get("/v1/search", params={"q": "x"}, headers={"authorization": "Bearer cdm_wrong"})
    told = client.get("/v1/search", params={"q": "x"}, headers={"authorization": right})
    assert told.status_code == 200


@pytest.mark.parametrize(("proxies", "locked"), [(("127.0.0.1",), False), (("192.0.2.1",), True), ((), True)])
def test_only_a_trusted_proxy_says_where_a_request_comes_from(
    house: House, proxies: tuple[str, ...], *, locked: bool
) -> None:
    with served(house, proxies) as port:
        told = [
            httpx2.get(
                f"http://127.0.0.1:{port}/v1/search?q=x",
                headers={"authorization": "Bearer cdm_wrong", "x-forwarded-for": f"203.0.113.{number}"},
            ).status_code
            for number in range(21)
        ]
    assert told[:20] == [401] * 20
    assert told[20] == (429 if locked else 401)


def test_who_asks_too_often_waits(program: Any) -> None:
    client = program("steward", "read", per_minute=3)
    told = [client.get(f"/v1/customers/{ANNA}").status_code for _ in range(5)]
    assert told == [200, 200, 200, 429, 429]


def test_a_key_takes_nothing_from_a_person_or_another_key_of_its_name(
    program: Any, browser: Any, governed: GovernedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house_module, "PER_MINUTE", 4)
    person, *keys = browser("branch"), program("branch", per_minute=4), program("branch", per_minute=4)
    with governed.engine.begin() as connection:
        connection.execute(text("UPDATE ops.session SET who = 'branch program' WHERE role = 'branch'"))
    for client in (*keys, person):
        told = [client.get(f"/v1/customers/{ANNA}").status_code for _ in range(5)]
        assert told == [200, 200, 200, 200, 429]


def test_a_key_that_was_taken_back_is_none(program: Any, governed: GovernedHub) -> None:
    client = program("sales")
    assert client.get(f"/v1/customers/{ANNA}").status_code == 200
    with governed.engine.begin() as connection:
        connection.execute(text("UPDATE ops.api_token SET revoked_at = now() WHERE role = 'sales'"))
    assert client.get(f"/v1/customers/{ANNA}").status_code == 401


def test_secrets_are_kept_as_their_hashes_alone(program: Any, browser: Any, house: House) -> None:
    key = program("finance").headers["authorization"].removeprefix("Bearer ")
    secret = browser("finance").cookies[house.cookie]
    with house.engine.connect() as connection:
        kept = connection.scalar(
            text(
                """SELECT string_agg(t, ' ') FROM (SELECT to_jsonb(s)::text FROM ops.session s
                UNION ALL SELECT to_jsonb(k)::text FROM ops.api_token k) AS x(t)"""
            )
        )
    assert key not in str(kept)
    assert secret not in str(kept)


def test_a_huge_body_is_not_read(program: Any) -> None:
    client = program("steward")
    told = client.post(
        "/v1/decisions", content=b"x" * 2_000_000, headers={"content-type": "application/json"}
    )
    assert told.status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(200):
            yield b"x" * 10_000

    told = client.post("/v1/decisions", content=pieces(), headers={"content-type": "application/json"})
    assert told.status_code == 413


def test_deep_json_is_refused(program: Any) -> None:
    deep = b'{"kind":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    told = program("steward").post(
        "/v1/decisions", content=deep, headers={"content-type": "application/json"}
    )
    assert told.status_code in {400, 422}


@contextmanager
def served(house: House, proxies: tuple[str, ...] = ()) -> Iterator[int]:
    """A real server on a port."""
    port = free_port()
    settings = house.settings.model_copy(update={"console_url": f"http://127.0.0.1:{port}"})
    with serving(console(House(settings, house.engine)), port, proxies):
        yield port


def test_slow_clients_are_let_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.5)
    with served(house) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
            slow.sendall(
                f"POST /language HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\norigin: http://127.0.0.1:{port}\r\n"
                "content-type: application/x-www-form-urlencoded\r\ncontent-length: 1000\r\n\r\nla".encode()
            )
            assert b" 408 " in slow.recv(4096)
        with socket.create_connection(("127.0.0.1", port), timeout=40) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nhost: ")
            began = time.monotonic()
            assert slow.recv(4096) == b""
            assert time.monotonic() - began < 39
        with socket.create_connection(("127.0.0.1", port), timeout=20) as whole:
            whole.sendall(f"GET /health HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode())
            assert b" 200 " in whole.recv(4096)


def test_headers_without_an_end_are_refused_and_a_body_is_none(house: House) -> None:
    with served(house) as port:
        begun = f"POST /language HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n".encode()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as endless:
            endless.sendall(begun + b"x-more: ")
            with suppress(OSError):  # it is told before all is sent
                for _ in range(100):
                    endless.sendall(b"x" * 1000)
                    time.sleep(0.001)
            assert b" 400 " in endless.recv(4096)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as large:
            large.sendall(begun + b"content-length: 100000\r\n\r\n" + b"x" * 100_000)
            assert b" 403 " in large.recv(4096)  # of no page of ours, and no word of its length


def test_more_requests_at_once_than_connections_are_all_answered(house: House, program: Any) -> None:
    fresh = House(house.settings, house.engine)  # which has to ask first what roles see
    client = TestClient(
        console(fresh), URL, headers={"authorization": program("steward").headers["authorization"]}
    )
    with ThreadPoolExecutor(40) as pool:
        told = list(pool.map(lambda _: client.get(f"/v1/customers/{ANNA}").status_code, range(80)))
    assert told == [200] * 80
