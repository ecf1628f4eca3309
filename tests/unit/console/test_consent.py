"""What a customer says at a touch point is in force at once, for every role, and nothing of it is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from governed_hub import ANNA, ELS, PIET, GovernedHub
from sqlalchemy import text
from starlette.testclient import TestClient

from cdm_pipelines.console.app import console
from cdm_pipelines.console.house import House
from cdm_pipelines.hub import consent, places, said
from cdm_pipelines.hub.persons import persons_of
from cdm_pipelines.hub.schema_privacy import consent_state
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Register, Stores, erase

URL = "http://console.example"

NO_MAIL = {"purpose": "marketing", "channel": "email", "state": "withdrawn", "method": "call"}


def say(client: Any, customer: str, key: str | None = None, **more: Any) -> Any:
    headers = {} if key is None else {"idempotency-key": key}
    return client.post("/v1/consent", json={"customer": customer, **NO_MAIL, **more}, headers=headers)


def of_marketing(client: Any, customer: str) -> dict[str, bool]:
    """What a customer allows by channel."""
    shown = client.get(f"/v1/customers/{customer}/consent").json()["items"]
    return {one["channel"]: one["allowed"] for one in shown if one["purpose"] == "marketing"}


def rows(governed: GovernedHub, query: str) -> list[tuple[Any, ...]]:
    with governed.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_what_is_said_is_in_force_for_whoever_asks_next(program: Any, governed: GovernedHub) -> None:
    service = program("service")
    yes = say(service, ANNA, state="given", notice="Shall we mail you offers?", notice_version="3")
    assert yes.status_code == 201, yes.text
    assert yes.json() | {"statement": 0} == {
        "statement": 0,
        "purpose": "marketing",
        "channel": "email",
        "allowed": True,
        "state": "given",
        "why": "the latest statement, about the record",
        "changed": ["marketing/email"],
    }
    for role in ("service", "privacy_officer"):
        shown = program(role).get(f"/v1/customers/{ANNA}/consent").json()["items"]
        assert {(one["purpose"], one["channel"]): one["allowed"] for one in shown}["marketing", "email"]
    no = say(service, "crm/contact/R1", reason="called about too many mails").json()
    assert (no["allowed"], no["state"], no["changed"]) == (False, "withdrawn", ["marketing/email"])
    again = say(service, ANNA).json()
    assert again["changed"] == [], "said before"
    assert of_marketing(service, ANNA) == {"": False, "email": False}
    kept = rows(
        governed,
        "SELECT state, method, notice_version, who, role FROM privacy.said_here "
        f"WHERE record_id = 'R{ANNA[-1]}' ORDER BY number",
    )
    assert kept[0] == ("given", "call", "3", "service program", "service")
    assert [one[0] for one in kept] == ["given", "withdrawn", "withdrawn"]
    standing = rows(
        governed,
        f"SELECT state, standing FROM privacy.consent_statement WHERE golden_id = '{ANNA}' ORDER BY stated_at",
    )
    assert standing == [("given", "superseded"), ("withdrawn", "superseded"), ("withdrawn", "in force")]


def test_a_yes_that_has_ended_since_it_was_published_is_none(program: Any, governed: GovernedHub) -> None:
    service = program("service")
    say(service, ELS, state="given")
    assert of_marketing(service, ELS)["email"]
    with governed.engine.begin() as connection:
        ended = "UPDATE privacy.consent SET expires = now() - interval '1 minute' WHERE golden_id = :id AND allowed"
        connection.execute(text(ended), {"id": ELS})
        (told,) = [one for one in consent.of_customer(connection, UUID(ELS)) if one["channel"] == "email"]
    assert (told["allowed"], told["state"]) == (False, "expired"), "on the command line"
    shown = service.get(f"/v1/customers/{ELS}/consent").json()["items"]
    (row,) = [one for one in shown if (one["purpose"], one["channel"]) == ("marketing", "email")]
    assert (row["allowed"], row["state"]) == (False, "expired")
    assert say(service, ELS, state="given").json()["allowed"], "who says yes again is heard"


def test_what_is_next_for_a_customer_is_hidden_once_they_do_not_allow_it(
    program: Any, browser: Any, governed: GovernedHub
) -> None:
    service = program("service")

    def shown(purpose: str = "marketing") -> list[tuple[Any, ...]]:
        with governed.engine.begin() as connection:
            connection.execute(text("DELETE FROM activation.next_best_action"))
            row = "VALUES (:id, 'Nextly', :purpose, 'email', '2026-01-01', '2026-01-31')"
            connection.execute(
                text(
                    "INSERT INTO activation.next_best_action (golden_id, action, purpose, channel, chosen_on, until) "
                    f"{row}"
                ),
                {"id": PIET, "purpose": purpose},
            )
        with governed.login("service") as connection:
            query = "SELECT action FROM for_service.activation_next_best_action"
            return connection.execute(query).fetchall()

    say(service, PIET, state="given")
    assert shown() == [("Nextly",)]
    assert "Nextly" in browser("service").get(f"/customers/{PIET}").text
    say(service, PIET, state="withdrawn")
    assert shown() == []
    page = browser("service").get(f"/customers/{PIET}")
    assert page.status_code == 200
    assert "Nextly" not in page.text
    assert shown("billing") == [("Nextly",)], "nobody can refuse that"
    say(service, PIET, state="given")
    assert shown() == [("Nextly",)]
    with governed.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO privacy.restriction VALUES ('crm', 'contact', 'R2', 'marketing', 1)")
        )
    try:
        assert shown() == [], "objected by a request"
    finally:
        with governed.engine.begin() as connection:
            connection.execute(text("DELETE FROM privacy.restriction"))
            connection.execute(text("DELETE FROM activation.next_best_action"))


def test_a_tick_of_a_source_s_first_day_takes_back_no_withdrawal_at_a_touch_point_either(
    program: Any, governed: GovernedHub
) -> None:
    """Whatever is said at a touch point, the customer's other statements are weighed as the night weighs them."""
    said_before = f"""INSERT INTO privacy.consent_statement (source, entity, record_id, golden_id, customers, standing,
            party_id, party_email, purpose, channel, state, first_seen, stated_at) VALUES
        ('crm', 'contact', 'tick', '{ELS}', 1, '', 'R3', NULL, 'analytics', 'email', 'given', '2026-01-01', NULL),
        ('mail', 'log', 'stop', '{ELS}', 1, '', NULL, 'els@voorbeeld.be', 'analytics', 'email', 'withdrawn',
         '2026-01-01', '2024-05-01')"""
    made_from = {"as_of": "2026-01-02", consent.FIRST_DAYS: '{"crm/contact": "2026-01-01"}'}
    with governed.engine.begin() as connection:
        connection.execute(text(said_before))
        connection.execute(consent_state.insert().values(name="consent", made_from=made_from, rows=0))
    try:
        say(program("service"), ELS, purpose="analytics", channel="phone", state="given")
        told = rows(
            governed,
            f"SELECT allowed, state FROM privacy.consent WHERE golden_id = '{ELS}' AND purpose = 'analytics' "
            "AND channel = 'email'",
        )
        assert told == [(False, "withdrawn")]
    finally:
        with governed.engine.begin() as connection:
            connection.execute(consent_state.delete())
            connection.execute(
                text("DELETE FROM privacy.consent_statement WHERE record_id IN ('tick', 'stop')")
            )


def test_for_every_channel_is_for_each(program: Any) -> None:
    service = program("service")
    say(service, PIET, state="given")
    assert say(service, PIET, channel="", state="objected").json()["changed"] == ["marketing/email"]
    assert say(service, PIET, channel="phone", state="given").json()["allowed"]
    assert of_marketing(service, PIET) == {"": False, "email": False, "phone": True}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"purpose": "astrology"}, "there are service, order_handling"),
        ({"purpose": "billing"}, "it rests on contract"),
        ({"channel": "pigeon"}, "there are email, phone, post"),
        ({"state": "perhaps"}, "not as it should be"),
        ({"method": ""}, "not as it should be"),
        ({"reason": "a\x00b"}, "not as it should be"),
        ({"reason": "a" * 501}, "not as it should be"),
    ],
)
def test_what_nobody_can_say_is_refused_in_words(
    program: Any, governed: GovernedHub, wrong: dict[str, Any], words: str
) -> None:
    before = rows(governed, "SELECT count(*) FROM privacy.said_here")
    answer = say(program("service"), ANNA, **wrong)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert rows(governed, "SELECT count(*) FROM privacy.said_here") == before


def test_a_yes_from_before_birth_is_refused(program: Any, governed: GovernedHub) -> None:
    birth = "UPDATE golden.customer SET birth_date = '{}' WHERE golden_id = '{}'"
    with governed.engine.begin() as connection:
        connection.execute(text(birth.format("2190-05-01", PIET)))
    try:
        answer = say(program("service"), PIET, purpose="analytics", state="given")
        assert answer.status_code == 422
        assert "before birth" in answer.json()["detail"]
    finally:
        with governed.engine.begin() as connection:
            connection.execute(text(birth.format("1990-05-01", PIET)))


def test_who_may_not_or_does_not_see_the_customer_says_nothing(program: Any, browser: Any) -> None:
    assert say(program("marketing"), ANNA).status_code == 403
    assert say(program("service", "read"), ANNA).status_code == 403
    assert say(browser(), ANNA).status_code == 401
    assert say(program("service"), "00000000-0000-5000-8000-00000000dead").status_code == 404
    assert say(program("service"), "crm/contact/nobody").status_code == 404


def test_a_role_that_sees_some_customers_says_nothing_of_others(program: Any, governed: GovernedHub) -> None:
    path = governed.settings.policies / "roles.yaml"
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace("  branch:\n", "  branch:\n    changes: [consent]\n"), encoding="utf-8")
    try:
        settings = governed.settings.model_copy(update={"console_url": URL})
        key = program("branch").headers["authorization"]
        branch = TestClient(
            console(House(settings, governed.engine)), URL, headers={"origin": URL, "authorization": key}
        )
        assert say(branch, ELS).status_code == 404, "of another country"
        assert say(branch, ANNA).status_code == 201
    finally:
        path.write_text(before, encoding="utf-8")


def test_the_same_write_again_is_answered_and_not_done_again(program: Any, governed: GovernedHub) -> None:
    service, said_of_els = program("service"), "SELECT count(*) FROM privacy.said_here WHERE record_id = 'R3'"
    [(before,)] = rows(governed, said_of_els)
    first = say(service, ELS, "a-key")
    assert first.status_code == 201
    assert say(service, ELS, "a-key").json() == first.json()
    assert say(service, ELS, "a-key", state="given").status_code == 409
    assert rows(governed, said_of_els) == [(before + 1,)]


def test_of_many_who_speak_at_once_all_are_kept_and_the_last_counts(
    program: Any, governed: GovernedHub
) -> None:
    service = program("service")
    before = rows(governed, "SELECT count(*) FROM privacy.said_here")[0][0]
    states = ["given", "withdrawn"] * 6
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda state: say(service, ANNA, state=state), states))
    assert {answer.status_code for answer in answers} == {201}
    assert rows(governed, "SELECT count(*) FROM privacy.said_here")[0][0] == before + len(states)
    [(last,)] = rows(
        governed,
        "SELECT state FROM privacy.said_here WHERE record_id = 'R1' ORDER BY stated_at DESC LIMIT 1",
    )
    [(state, allowed)] = rows(
        governed,
        f"SELECT state, allowed FROM privacy.consent WHERE golden_id = '{ANNA}' AND purpose = 'marketing' "
        "AND channel = 'email'",
    )
    assert (state, allowed) == (last, last == "given")


def test_while_customers_are_published_it_waits(
    program: Any, governed: GovernedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = program("service")
    with governed.engine.begin() as publishing:
        said.wait(publishing)
        answers: list[Any] = []
        speaker = threading.Thread(target=lambda: answers.append(say(service, ANNA, state="given")))
        speaker.start()
        speaker.join(0.5)
        assert speaker.is_alive()
    speaker.join(10)
    assert answers[0].json()["allowed"]
    monkeypatch.setattr(said, "_PATIENCE", "100ms")
    with governed.engine.begin() as publishing:
        said.wait(publishing)
        told = say(service, ANNA)
    assert told.status_code == 503
    assert "Nothing was recorded" in told.json()["detail"]


def test_of_who_is_being_erased_nothing_is_taken_down(program: Any, governed: GovernedHub) -> None:
    with governed.engine.begin() as connection:
        connection.execute(
            text(
                f"""INSERT INTO privacy.request (kind, due_on, checked_by, state, policy, subject)
                VALUES ('erase', '2026-02-01', 'Petra', 'open', '{{}}', '{{"golden_ids": ["{ELS}"]}}')"""
            )
        )
    answer = say(program("privacy_officer"), ELS, state="given")
    assert answer.status_code == 422
    assert "is being erased" in answer.json()["detail"]


def test_an_address_that_others_have_binds_as_before(program: Any, governed: GovernedHub) -> None:
    with governed.engine.begin() as connection:
        connection.execute(
            text(
                """INSERT INTO privacy.consent_statement (source, entity, record_id, customers, standing, first_seen,
                    party_email, purpose, channel, state, stated_at)
                VALUES ('mail', 'log', 'm-1', 3, 'in force', '2026-01-01', 'piet@example.nl', 'analytics', 'email',
                        'objected', '2026-01-01 10:00Z')"""
            )
        )
    yes = say(program("service"), PIET, purpose="analytics", state="given").json()
    assert (yes["allowed"], yes["state"]) == (False, "objected"), "it may have been another's no"
    assert "about an e-mail address that 3 customers have" in yes["why"]
    assert rows(governed, "SELECT standing FROM privacy.consent_statement WHERE record_id = 'm-1'") == [
        ("in force",)
    ]


def test_it_is_shown_to_the_person_and_goes_with_them(
    program: Any, governed: GovernedHub, tmp_path: Path
) -> None:
    say(program("service"), PIET, purpose="analytics", reason="rang from abroad")
    register = Register([*places.places()])
    with governed.engine.begin() as connection:
        told = consent.statements_of(connection, UUID(PIET))
        assert "rang from abroad" in [one["reason"] for one in told]
        persons, stores = persons_of(connection, [UUID(PIET)]), Stores(Lake(str(tmp_path)), connection)
        erased = {one.place: one.rows for one in erase(register, stores, persons)}
        assert erased["privacy/said_here"] >= 1
        left = connection.scalar(text("SELECT count(*) FROM privacy.said_here WHERE record_id = 'R2'"))
        assert left == 0
        assert consent.of_customer(connection, UUID(PIET)) == []
        connection.rollback()
