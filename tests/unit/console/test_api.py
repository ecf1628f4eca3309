"""The API answers with what the caller's role may see, and with nothing else, whatever is asked."""

import datetime as dt
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
import yaml
from governed_hub import ANNA, ELS, PIET, POLICIES, SECRETS, GovernedHub
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from sqlalchemy import text
from starlette.testclient import TestClient

from cdm_pipelines.console.app import console
from cdm_pipelines.console.house import House
from cdm_pipelines.hub.pruning import forget_events

ROLES = [*yaml.safe_load((POLICIES / "roles.yaml").read_text(encoding="utf-8"))["roles"], "branch"]
ELSEWHERE = ("/changes/stream", "/match")
"""What is tried over a real run: a stream does not end, and here is no linkage."""
PARTS = ("", "/records", "/provenance", "/links", "/history", "/orders", "/profile", "/consent", "/journey")


def seen_by(governed: GovernedHub, role: str) -> str:
    """All that a role reads in its own schema, as PostgreSQL gives it to whoever logs in with it."""
    found: list[str] = []
    with governed.login(role) as connection:
        views = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relkind = 'v'",
            [f"for_{role}"],
        ).fetchall()
        for (view,) in views:
            rows = connection.execute(f'SELECT to_jsonb(t) FROM for_{role}."{view}" t'.encode()).fetchall()
            found += [json.dumps(row[0], ensure_ascii=False) for row in rows]
    return "\n".join(found)


@pytest.mark.parametrize("role", ROLES)
def test_no_answer_holds_what_a_role_may_not_see(governed: GovernedHub, program: Any, role: str) -> None:
    allowed = seen_by(governed, role)
    hidden = [secret for secret in SECRETS if secret not in allowed]
    client = program(role)
    answers = [client.get(f"/v1/customers/{one}{part}") for one in (ANNA, PIET, ELS) for part in PARTS]
    typed = (
        "Vandenberghe",
        "vandenberge",
        "anna.vandenberghe@example.nl",
        "0612345678",
        "1234AB 12",
        "ORD-1",
    )
    answers += [client.get("/v1/search", params={"q": one}) for one in typed]
    answers += [client.get("/v1/changes"), client.get("/v1/customers/{ANNA}", params={"as_of": "2030-01-01"})]
    text_of_all = "\n".join(answer.text for answer in answers)
    assert [secret for secret in hidden if secret in text_of_all] == []
    assert not {answer.status_code for answer in answers} & {500, 503}
    assert any(answer.status_code == 200 for answer in answers) == (role != "analyst"), (
        "an analyst recognises nobody"
    )


def test_a_customer_is_answered_as_the_role_sees_it(program: Any) -> None:
    found = program("service").get(f"/v1/customers/{ANNA}").json()
    assert found["golden_id"] == ANNA
    assert found["name"] == "Anna van den Vandenberghe"
    assert found["values"]["email"] == "a***@e***.nl"
    assert found["values"]["birth_date"] == "1980"
    assert {"email", "birth_date"} <= set(found["masked"])


def test_an_older_id_leads_to_the_customer_that_it_became(governed: GovernedHub, program: Any) -> None:
    older = str(uuid4())
    with governed.engine.begin() as connection:
        connection.execute(
            text(
                """INSERT INTO identity.golden_id (golden_id, source, entity, record_id, generation, sequence, status,
                alias_of) VALUES (:older, 'crm', 'contact', 'gone', 0, 100, 'merged', :anna)"""
            ),
            {"older": older, "anna": ANNA},
        )
    found = program("service").get(f"/v1/customers/{older}").json()
    assert (found["golden_id"], found["asked_as"]) == (ANNA, older)


def test_a_customer_of_others_and_one_that_there_is_not_are_told_alike(program: Any) -> None:
    client = program("branch")
    answers = [client.get(f"/v1/customers/{one}{part}") for one in (ELS, uuid4()) for part in ("", "/orders")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert client.get("/v1/search", params={"q": "Verborgen"}).json()["items"] == []


@pytest.mark.parametrize(
    ("typed", "role", "found"),
    [
        ("vandenberge anna", "service", [ANNA]),
        ("0612345678", "service", [ANNA]),
        ("061234567", "service", []),
        ("ANNA.vandenberghe@example.nl", "service", [ANNA]),
        ("anna.vandenbergh@example.nl", "service", []),
        ("anna.vandenbergh@example.nl", "steward", [ANNA]),
        ("1234 AB 12", "service", [ANNA]),
        ("ORD-1", "service", [ANNA]),
        ("ORD-1", "steward", []),
    ],
)
def test_typing_errors_are_forgiven_where_a_role_reads_in_clear(
    program: Any, typed: str, role: str, found: list[str]
) -> None:
    answer = program(role).get("/v1/search", params={"q": typed})
    assert [one["golden_id"] for one in answer.json()["items"]] == found


@pytest.mark.parametrize(
    ("typed", "role", "missed", "suggestion"),
    [
        ("vandenberghe anna", "service", [], False),
        ("vandenberge", "service", [], True),  # only like it
        ("vandenberghe karel", "service", ["karel"], True),
        ("vandenberghe 1980", "service", [], False),  # who sees the year
        ("vandenberghe 1950", "service", ["1950"], True),
        ("vandenberghe 1234 AB 13", "service", ["13"], True),
        ("vandenberghe 1234 AB 12", "service", [], False),
        (
            "vandenberghe anna@example.nl",
            "service",
            ["anna@example.nl"],
            True,
        ),  # masked: by whole values only
        ("vandenberghe anna.vandenberghe@example.nl", "service", [], False),
        ("anna.vandenbergh@example.nl", "steward", ["anna.vandenbergh@example.nl"], True),
        ("0612345678", "service", [], False),
        (ANNA, "service", [], False),
    ],
)
def test_what_was_typed_and_is_not_theirs_is_said(
    program: Any, typed: str, role: str, missed: list[str], suggestion: bool
) -> None:
    items = program(role).get("/v1/search", params={"q": typed}).json()["items"]
    assert [(one["missed"], one["suggestion"]) for one in items if one["golden_id"] == ANNA] == [
        (missed, suggestion)
    ]


def test_each_reading_leaves_a_line_of_who_and_whom(governed: GovernedHub, program: Any) -> None:
    client = program("service")
    client.get(f"/v1/customers/{ANNA}")
    client.get(f"/v1/customers/{ANNA}/orders")
    with governed.engine.connect() as connection:
        lines = connection.execute(
            text(
                "SELECT who, role, purpose, tool, golden_ids::text[] FROM ops.access_log "
                "ORDER BY access_id DESC LIMIT 3"
            )
        ).all()
    assert {(line.who, line.role, line.purpose) for line in lines} == {
        ("service program", "service", "service")
    }
    assert {"GET /v1/customers", "GET /v1/customers orders"} <= {line.tool for line in lines}
    assert all(line.golden_ids == [ANNA] for line in lines)


def test_what_did_not_change_is_not_sent_again(program: Any) -> None:
    client = program("service")
    first = client.get(f"/v1/customers/{ANNA}")
    again = client.get(f"/v1/customers/{ANNA}", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(f"/v1/customers/{PIET}", headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200


def test_pages_go_on_where_the_one_before_ended(program: Any) -> None:
    client, cursor, names = program("privacy_officer"), "", []
    while cursor is not None:
        answer = client.get(f"/v1/customers/{ANNA}/provenance", params={"limit": 1, "cursor": cursor}).json()
        names += [row["attribute"] for row in answer["items"]]
        cursor = answer["next"]
    assert names == ["*"]
    assert client.get(f"/v1/customers/{ANNA}/orders", params={"cursor": "mine"}).status_code == 422


MANY = 1100
"""Rows of one customer: more than anything reads at once."""


@pytest.fixture
def many(governed: GovernedHub) -> Iterator[str]:
    """A customer with many orders and source records."""
    fill = f"""
        INSERT INTO golden.customer_order (source, entity, record_id, golden_id, active, order_id, ordered_at)
        SELECT 'many', 'order', n, '{PIET}', true, 'M-' || n, timestamptz '2026-01-01' + n * interval '1 hour'
        FROM generate_series(1, {MANY}) AS n;
        INSERT INTO golden.crosswalk SELECT 'many', 'contact', n, '{PIET}', true FROM generate_series(1, {MANY}) AS n"""
    tables = ("golden.customer_order", "golden.crosswalk")
    with governed.engine.begin() as connection:
        for statement in fill.split(";"):
            connection.execute(text(statement))
    yield PIET
    with governed.engine.begin() as connection:
        for table in tables:
            connection.execute(text(f"DELETE FROM {table} WHERE source = 'many'"))


@pytest.mark.parametrize(
    ("part", "names"),
    [("orders", ("record_id",)), ("records", ("source", "record_id")), ("journey", ("number",))],
)
def test_a_list_goes_on_to_its_end_however_long_it_is(
    program: Any, many: str, part: str, names: tuple[str, ...]
) -> None:
    client, cursor, found, pages = program("privacy_officer"), "", [], 0
    while cursor is not None:
        answer = client.get(f"/v1/customers/{many}/{part}", params={"limit": 400, "cursor": cursor}).json()
        found += [tuple(row[name] for name in names) for row in answer["items"]]
        cursor, pages = answer["next"], pages + 1
    assert len(set(found)) == len(found) >= MANY + 1
    assert pages == 3


def test_a_list_that_changed_begins_again_and_gives_no_row_twice(
    program: Any, governed: GovernedHub, many: str
) -> None:
    client = program("privacy_officer")

    def orders(cursor: str = "") -> Any:
        return client.get(f"/v1/customers/{many}/orders", params={"limit": 5, "cursor": cursor})

    first = orders().json()
    assert orders(first["next"]).json()["items"], "nothing has changed"
    newer = f"""INSERT INTO golden.customer_order (source, entity, record_id, golden_id, active, order_id, ordered_at)
        VALUES ('many', 'order', 'new', '{PIET}', true, 'M-new', timestamptz '2027-01-01')"""
    with governed.engine.begin() as connection:
        connection.execute(text(newer))
    refused = orders(first["next"])
    assert (refused.status_code, refused.json()["status"]) == (409, 409)
    assert "begin again" in refused.json()["detail"]
    assert orders().json()["items"][0]["record_id"] == "new"


def test_requests_that_come_meanwhile_move_no_page(program: Any) -> None:
    client = program("privacy_officer")

    def ask(kind: str) -> None:
        body = {"kind": kind, "customer": ELS, "reason": "a page"}
        assert client.post("/v1/privacy/requests", json=body).status_code == 201

    def page(cursor: str = "") -> Any:
        return client.get("/v1/privacy/requests", params={"limit": 2, "cursor": cursor}).json()

    for kind in ("restrict", "lift", "restrict", "lift"):
        ask(kind)
    first = page()
    newest = max(row["request"] for row in first["items"])
    assert [row["request"] for row in first["items"]] == [newest, newest - 1]
    ask("restrict")
    ask("lift")
    assert [row["request"] for row in page(first["next"])["items"]] == [newest - 2, newest - 3]


def test_a_page_says_of_how_many_it_shows_the_last(browser: Any, many: str) -> None:
    shown = browser("privacy_officer").get(f"/customers/{many}").text
    for words in ("The last 20 of 1,101;", "The last 100 of 1,10", "The first 200 of 1,101;"):
        assert words in shown


def test_of_consent_that_changed_the_purposes_are_named_to_who_sees_consent(
    governed: GovernedHub, program: Any
) -> None:
    with governed.engine.begin() as connection:
        number = connection.scalar(
            text("INSERT INTO ops.publication (changes) VALUES ('{}') RETURNING publication_id")
        )
        connection.execute(
            text(
                """INSERT INTO ops.outbox (event_id, publication_id, golden_id, type, changes)
                VALUES (:event, :number, :id, 'customer.consent_changed', '{"marketing/email": null}')"""
            ),
            {"event": uuid4(), "number": number, "id": PIET},
        )

    def named(role: str) -> list[str]:
        items = program(role).get("/v1/changes", params={"limit": 1000}).json()["items"]
        return [name for one in items if one["type"] == "customer.consent_changed" for name in one["changed"]]

    assert named("service") == ["marketing/email"]
    assert named("branch") == [], "sees no consent"


def test_a_write_that_is_repeated_is_done_once(governed: GovernedHub, program: Any) -> None:
    client, key = program("steward"), str(uuid4())
    body = {"kind": "confirm", "customer": PIET, "reason": "seen"}
    answers = [client.post("/v1/decisions", json=body, headers={"idempotency-key": key}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    other = client.post("/v1/decisions", json={**body, "customer": ANNA}, headers={"idempotency-key": key})
    assert other.status_code == 409
    undone = client.post("/v1/decisions", json={"kind": "undo", "decision": answers[0].json()["decision"]})
    assert undone.status_code == 201
    with governed.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM identity.decision WHERE kind = 'confirm'")) == 1


def test_a_write_that_is_sent_twice_at_once_is_done_once(governed: GovernedHub, program: Any) -> None:
    def decisions() -> int:
        with governed.engine.connect() as connection:
            return int(connection.scalar(text("SELECT count(*) FROM identity.decision")) or 0)

    client, before = program("steward"), decisions()
    together = Barrier(4)

    def send(key: str) -> tuple[int, int]:
        together.wait()
        body = {"kind": "confirm", "customer": ELS, "reason": key}
        answer = client.post("/v1/decisions", json=body, headers={"idempotency-key": key})
        return answer.status_code, answer.json()["decision"]

    with ThreadPoolExecutor(4) as pool:
        for number in range(1, 6):
            told = set(pool.map(send, [str(uuid4())] * 4))
            assert [status for status, _ in told] == [201], told
            assert decisions() == before + number


def test_a_role_that_sees_some_customers_takes_back_nothing_about_others(
    program: Any, governed: GovernedHub
) -> None:
    path = governed.settings.policies / "roles.yaml"
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace("  branch:\n", "  branch:\n    changes: [decisions]\n"), encoding="utf-8")
    steward = program("steward")

    def decided(client: Any, **body: Any) -> Any:
        return client.post("/v1/decisions", json=body)

    try:
        settings = governed.settings.model_copy(update={"console_url": "http://console.example"})
        branch = TestClient(
            console(House(settings, governed.engine)),
            settings.console_url,
            headers={"authorization": program("branch").headers["authorization"]},
        )
        of_another = decided(steward, kind="confirm", customer=ELS).json()["decision"]
        undone = decided(steward, kind="undo", decision=of_another).json()["decision"]
        for number in (of_another, undone, 999_999):
            refused = decided(branch, kind="undo", decision=number)
            assert refused.status_code == 404, "of another country, or of nobody: told alike"
        own = decided(branch, kind="confirm", customer=ANNA).json()["decision"]
        taken_back = decided(branch, kind="undo", decision=own)
        assert taken_back.status_code == 201
        assert decided(branch, kind="undo", decision=taken_back.json()["decision"]).status_code == 201
    finally:
        path.write_text(before, encoding="utf-8")


@pytest.mark.parametrize(
    ("role", "body", "status"),
    [
        ("service", {"kind": "confirm", "customer": PIET}, 403),
        ("steward", {"kind": "confirm"}, 422),
        ("steward", {"kind": "confirm", "customer": str(uuid4())}, 404),
        ("steward", {"kind": "same", "customer": ANNA, "other": ANNA}, 422),
        ("steward", {"kind": "set", "customer": ANNA, "attribute": "shoe_size", "value": "42"}, 422),
        ("steward", {"kind": "confirm", "customer": ANNA, "because": "x"}, 422),
        ("steward", {"kind": "undo", "decision": 999_999}, 422),
        ("steward", {"kind": "confirm", "customer": "a\x00b"}, 422),
    ],
)
def test_what_cannot_be_decided_is_told_without_its_value(
    program: Any, role: str, body: dict[str, Any], status: int
) -> None:
    answer = program(role).post("/v1/decisions", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert "42" not in answer.text.replace("422", "")


def test_a_key_may_what_it_was_made_for(program: Any) -> None:
    answer = program("steward", "read").post("/v1/decisions", json={"kind": "confirm", "customer": PIET})
    assert answer.status_code == 403
    assert "write" in answer.json()["detail"]


def test_a_restriction_is_recorded_by_who_may(program: Any) -> None:
    body = {"kind": "restrict", "customer": ELS, "reason": "R-1"}
    assert program("service").post("/v1/privacy/requests", json=body).status_code == 403
    officer = program("privacy_officer")
    number = officer.post("/v1/privacy/requests", json=body).json()["request"]
    listed = officer.get("/v1/privacy/requests").json()["items"]
    assert (listed[0]["request"], listed[0]["kind"], listed[0]["state"]) == (number, "restrict", "done")
    lifted = officer.post("/v1/privacy/requests", json={**body, "kind": "lift"})
    assert lifted.json()["records"] >= 1


def test_the_description_is_one_that_tools_read(browser: Any) -> None:
    described = browser().get("/v1/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert {"/customers/{golden_id}", "/search", "/decisions", "/changes"} <= set(described["paths"])
    assert not re.search(r"https?://(?!json-schema.org)", json.dumps(described))


@pytest.mark.slow
@pytest.mark.parametrize("role", ["steward", "service", "privacy_officer", "analyst"])
def test_no_request_breaks_the_api_or_its_description(
    house: House, governed: GovernedHub, program: Any, role: str
) -> None:
    client: TestClient = program(role)
    hidden = [secret for secret in SECRETS if secret not in seen_by(governed, role)]
    headers = {"authorization": client.headers["authorization"], "host": "console.example"}
    schema = schemathesis.openapi.from_asgi(
        "/v1/openapi.json", console(house), headers={"host": "console.example"}
    )
    operations = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    operations = [one for one in operations if one.path not in ELSEWHERE]
    assert len(operations) > 10

    def untold(operation: Any) -> bool:
        return bool(operation.method.upper() == "POST" or operation.path.startswith("/changes"))

    def check(case: Any) -> None:
        # That a value is none of its kind, a decision about nobody, or a position not of this feed, is more than a
        # description can tell.
        # Whether anything is answered without a key is tried below: here the key goes along each time.
        left_out = [
            ignored_auth,
            *([positive_data_acceptance] if untold(case.operation) else []),
        ]
        answer = case.call_and_validate(headers=headers, excluded_checks=left_out)
        assert [secret for secret in hidden if secret in answer.text] == []

    for operation in operations:
        tried = hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
        tried(given(case=operation.as_strategy())(check))()


def test_nothing_is_answered_without_a_key(browser: Any, program: Any) -> None:
    described = browser().get("/v1/openapi.json").json()
    for client in (browser(), program("steward")):
        if "authorization" in client.headers:
            client.headers["authorization"] += "x"
        for path, ways in described["paths"].items():
            for way in ways:
                place = path.replace("{golden_id}", ANNA)
                answer = client.request(
                    way, f"/v1{place}", params={"q": "x"}, json={"kind": "confirm", "customer": ANNA}
                )
                assert answer.status_code in {401, 422}, (way, path)
                assert not any(secret in answer.text for secret in SECRETS)


def test_who_was_away_for_longer_than_events_are_kept_is_told_so(
    governed: GovernedHub, program: Any, browser: Any
) -> None:
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=500)
    with governed.engine.begin() as connection:
        publication = connection.scalar(
            text(
                "INSERT INTO ops.publication (changes, published_at) VALUES ('{}', :at) RETURNING publication_id"
            ),
            {"at": long_ago},
        )
        added = text(
            """INSERT INTO ops.outbox (event_id, publication_id, golden_id, type)
               VALUES (gen_random_uuid(), :publication, :anna, 'customer.changed') RETURNING position"""
        )
        places = [connection.scalar(added, {"publication": publication, "anna": ANNA}) for _ in range(4)]
        forget_events(connection, long_ago + dt.timedelta(days=1), [])
    client = program("service")
    for path in ("/v1/changes", "/v1/changes/stream"):
        answer = client.get(path, params={"after": places[0]})
        assert answer.status_code == 410
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.json()["oldest"] == places[2]
        assert str(places[2]) in answer.json()["detail"]
    for asked in ({"after": places[2]}, {}):
        found = client.get("/v1/changes", params=asked)
        assert [item["position"] for item in found.json()["items"]] == [places[3]]
    for path in ("/v1/changes", "/v1/changes/stream"):  # as after a restore of an earlier hub
        answer = client.get(path, params={"after": places[3] + 1})
        assert answer.status_code == 410
        assert answer.json()["oldest"] == places[3]
        assert "earlier state" in answer.json()["detail"]
    assert client.get("/v1/changes", params={"after": places[3]}).json()["items"] == []
    described = browser().get("/v1/openapi.json").json()["paths"]
    assert {"410"} <= set(described["/changes"]["get"]["responses"])
    assert {"410"} <= set(described["/changes/stream"]["get"]["responses"])
