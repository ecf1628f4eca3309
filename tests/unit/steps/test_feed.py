"""The change feed as receivers see it: all of it, in order per customer, whatever goes wrong."""

import datetime as dt
import json
import os
import re
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pyarrow as pa
import pytest
import yaml
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from sqlalchemy import Engine, text
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from cdm_pipelines.hub import feed, pruning
from cdm_pipelines.privacy.off import NOBODY, OFF_SCHEMA
from cdm_pipelines.publish.policy import FeedPolicyError
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.customers.feed import (
    PositionError,
    Served,
    UnknownSinkError,
    deliver,
    replay,
    retry,
    status,
)
from cdm_pipelines.steps.operate.checkup import check_configuration

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
OLD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
Answer = int | str
"""A status, ``hang`` or ``cut``."""


def customer(number: int) -> UUID:
    return uuid5(UUID(int=0), str(number))


@dataclass
class Receiver:
    """A server that keeps what it takes; ``answers`` says how it reacts to an event, by customer or to all."""

    port: int = 0
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    taken: list[dict[str, Any]] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    forged: int = 0

    def react(self, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            event = Webhook(SECRET).verify(body, dict(headers))
        except WebhookVerificationError:
            self.forged += 1
            return 400
        assert event["id"] == headers["webhook-id"]
        self.seen[event["id"]] += 1
        for key in (event["subject"], "*"):
            if answers := self.answers.get(key):
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if answer == 200:
                    break
                return answer
        self.taken.append(event)
        return 204

    @property
    def once(self) -> list[str]:
        """The numbers of the events, without those that came again."""
        return [e["sequence"] for e in {event["id"]: event for event in self.taken}.values()]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    known = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = known.react({k.lower(): v for k, v in self.headers.items()}, body)
            if answer == "hang":
                time.sleep(0.5)
            if isinstance(answer, int):
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        known.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield known
        server.shutdown()
        thread.join()


@dataclass
class Feed:
    """A hub with a feed, and the sinks of a policy."""

    engine: Engine
    settings: Settings
    policy: Path

    def sinks(self, **sinks: Mapping[str, object]) -> None:
        every = {name: {"purpose": "service", **sink} for name, sink in sinks.items()}
        self.policy.write_text(yaml.safe_dump({"sinks": every}), encoding="utf-8")

    def webhook(self, receiver: Receiver, **more: object) -> None:
        quick = {"attempts": 3, "first_wait": 0.01, "longest_wait": 0.02, "timeout": 10, "stop_after": 3}
        url = f"http://127.0.0.1:{receiver.port}/customers"
        os.environ["FEED_SECRET"] = SECRET
        self.sinks(crm={"kind": "webhook", "url": url, "secret_variable": "FEED_SECRET", **quick, **more})

    def happen(self, customers: Sequence[int], kind: str = "customer.changed") -> None:
        with self.engine.begin() as connection:
            number = connection.scalar(
                text("INSERT INTO ops.publication (changes) VALUES ('{}') RETURNING publication_id")
            )
            rows = [
                {
                    "id": customer(one),
                    "event": uuid5(customer(one), f"{number} {place}"),
                    "number": number,
                    "kind": kind,
                }
                for place, one in enumerate(customers)
            ]
            connection.execute(
                text(
                    """INSERT INTO ops.outbox (event_id, publication_id, golden_id, type, changes)
                       VALUES (:event, :number, :id, :kind, '{"city": ["0123456789abcdef", null]}')"""
                ),
                rows,
            )

    def deliver(self, off: pa.Table = NOBODY) -> Served:
        (served,) = deliver(self.engine.connect, self.settings, off=off)
        return served

    def golden(self, number: int, **sources: str) -> None:
        """A customer whose groups of attributes come from source entities; ``else_`` is all other groups."""
        with self.engine.begin() as connection:
            for group, origin in sources.items():
                source, entity = origin.split("/")
                attribute = "*" if group == "else_" else group
                values = {"id": customer(number), "a": attribute, "s": source, "e": entity}
                connection.execute(
                    text(
                        """INSERT INTO golden.provenance (golden_id, attribute, source, entity, record_id, rule)
                           VALUES (:id, :a, :s, :e, '1', 'single_record')"""
                    ),
                    values,
                )

    def changed(self, number: int, *names: str, kind: str = "customer.changed") -> None:
        """A customer changes in some attributes."""
        self.happen([number], kind)
        said = json.dumps({name: ["0123456789abcdef", None] for name in names})
        with self.engine.begin() as connection:
            query = "UPDATE ops.outbox SET changes = CAST(:said AS jsonb) WHERE golden_id = :id"
            connection.execute(text(query), {"said": said, "id": customer(number)})

    @property
    def numbers(self) -> list[str]:
        with self.engine.connect() as connection:
            return [f"{entry.position:019d}" for entry in feed.entries(connection, 0, 10_000)]

    @property
    def dead(self) -> list[tuple[UUID, int, str]]:
        with self.engine.connect() as connection:
            return [(d.golden_id, d.attempts, d.error) for d in feed.dead_letters(connection)]


@pytest.fixture
def hub(hub_engine: Engine, settings: Settings, tmp_path: Path) -> Feed:
    policies = Path(shutil.copytree(settings.policies, tmp_path / "policies"))
    return Feed(hub_engine, settings.model_copy(update={"policies": policies}), policies / "change_feed.yaml")


def test_every_event_arrives_once_in_order_and_signed(hub: Feed, receiver: Receiver) -> None:
    hub.webhook(receiver)
    hub.happen(range(250))
    assert hub.deliver() == Served("crm", 250, 0, 0)
    assert [event["sequence"] for event in receiver.taken] == hub.numbers
    assert receiver.forged == 0
    hub.happen([7])
    assert hub.deliver().delivered == 1
    assert hub.deliver().delivered == 0
    assert receiver.once == hub.numbers


def test_events_are_cloudevents_that_refer_to_values(hub: Feed, receiver: Receiver) -> None:
    hub.webhook(receiver)
    hub.happen([1])
    hub.deliver()
    event = JSONFormat().read(CloudEvent, json.dumps(receiver.taken[0]))
    with hub.engine.connect() as connection:
        assert event.get_source() == f"/cdm/hub/{feed.hub_id(connection)}"
    assert (event.get_type(), event.get_subject()) == ("cdm.customer.changed", str(customer(1)))
    assert event.get_data() == {
        "golden_id": str(customer(1)),
        "publication": 1,
        "customer": f"golden.customer/{customer(1)}",
        "changes": [
            {
                "attribute": "city",
                "before": "0123456789abcdef",
                "after": None,
                "value": f"golden.customer/{customer(1)}/city",
            }
        ],
    }


TROUBLE: list[tuple[str, Answer]] = [
    ("answers 500", 500),
    ("hangs", "hang"),
    ("cuts off", "cut"),
    ("redirects", 302),
]


@pytest.mark.parametrize(("trouble", "answer"), TROUBLE, ids=[name for name, _ in TROUBLE])
def test_trouble_that_passes_is_not_noticed(
    hub: Feed, receiver: Receiver, trouble: str, answer: Answer
) -> None:
    hub.webhook(receiver, timeout=0.5 if answer == "hang" else 10)
    receiver.answers["*"] = [200, answer, answer, 200, answer, 200]
    hub.happen(range(20))
    served = hub.deliver()
    assert (served.dead, served.behind, served.delivered) == (0, 0, 20)
    assert receiver.once == hub.numbers


def test_a_receiver_that_is_down_loses_nothing(hub: Feed, receiver: Receiver) -> None:
    hub.webhook(receiver)
    hub.happen(range(60))
    receiver.answers["*"] = [*[200] * 10, 503]
    served = hub.deliver()
    assert (served.delivered, served.dead, served.behind) == (10, 0, 50)
    assert served.problem == "the receiver answered 503"
    assert sum(receiver.seen.values()) < 10 + 3 * 3 + 12, "it is left alone after some customers"
    receiver.answers.clear()
    assert hub.deliver() == Served("crm", 50, 0, 0)
    assert receiver.once == hub.numbers


def test_nobody_there(hub: Feed) -> None:
    hub.webhook(Receiver(port=9))
    hub.happen(range(60))
    served = hub.deliver()
    assert (served.delivered, served.dead, served.behind) == (0, 0, 60)
    assert served.problem.startswith("the receiver could not be reached")


@contextmanager
def slow_receiver(at_once: bytes, slowly: bytes) -> Iterator[int]:
    """A receiver that answers some bytes at once and the rest one by one, ten a second; yields its port."""
    ended = threading.Event()

    def answer(of: socket.socket) -> None:
        with of, suppress(OSError):
            of.recv(65_536)
            of.sendall(at_once)
            for byte in slowly:
                if ended.wait(0.1):
                    return
                of.sendall(bytes([byte]))

    def serve(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        yield listening.getsockname()[1]
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("at_once", "slowly", "taken"),
    [
        (b"", b"HTTP/1.1 200 OK\r\nX: " + 60 * b"y", 0),
        (b"HTTP/1.1 200 OK\r\n", b"X: " + 60 * b"y", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n", 60 * b"y", 1),
    ],
)
def test_a_receiver_that_answers_byte_by_byte_is_waited_for_as_long_as_the_timeout(
    hub: Feed, at_once: bytes, slowly: bytes, taken: int
) -> None:
    with slow_receiver(at_once, slowly) as port:
        hub.webhook(Receiver(port), timeout=0.3, attempts=1)
        hub.happen([1])
        begun = time.monotonic()
        served = hub.deliver()
    assert time.monotonic() - begun < 3
    assert (served.delivered, served.dead + served.behind) == (taken, 1 - taken)


def test_an_event_that_is_never_taken_holds_up_its_customer_only(hub: Feed, receiver: Receiver) -> None:
    hub.webhook(receiver)
    receiver.answers[str(customer(3))] = [500]
    hub.happen([1, 3, 2, 3, 4])
    hub.happen([3, 1])
    served = hub.deliver()
    assert (served.delivered, served.dead, served.behind) == (4, 3, 0)
    waits = "waits behind an earlier event of this customer"
    assert hub.dead == [(customer(3), 3, "answered 500"), (customer(3), 0, waits), (customer(3), 0, waits)]
    hub.happen([3])
    assert hub.deliver().dead == 4, "the customer still waits in the next delivery"
    receiver.answers.clear()
    hub.happen([3])
    assert retry(hub.engine.connect, hub.settings, "crm") == Served("crm", 5, 0, 0)
    of_customer = [e["sequence"] for e in receiver.taken if e["subject"] == str(customer(3))]
    assert of_customer == sorted(of_customer)
    assert sorted(receiver.once) == hub.numbers


def test_many_events_in_a_row_that_are_never_taken_do_not_stop_the_others(
    hub: Feed, receiver: Receiver
) -> None:
    hub.webhook(receiver)
    for one in range(8):
        receiver.answers[str(customer(one))] = [422]
    hub.happen(range(12))
    served = hub.deliver()
    assert (served.delivered, served.dead, served.behind) == (4, 8, 0)
    assert [attempts for _, attempts, _ in hub.dead] == [3, 3, 3, 1, 1, 1, 1, 1]


def test_a_retry_that_fails_keeps_the_dead_letters(hub: Feed, receiver: Receiver) -> None:
    hub.webhook(receiver)
    receiver.answers[str(customer(3))] = [500]
    hub.happen([3, 1, 3])
    hub.deliver()
    assert retry(hub.engine.connect, hub.settings, "crm").dead == 2
    assert len(receiver.taken) == 1


def test_a_receiver_that_is_gone_is_sent_nothing_more(hub: Feed, receiver: Receiver) -> None:
    hub.webhook(receiver)
    receiver.answers["*"] = [200, 200, 410]
    hub.happen(range(5))
    served = hub.deliver()
    assert (served.delivered, served.dead, served.behind) == (2, 0, 3)
    assert "answered 410 Gone and is sent nothing more. `cdm feed retry --sink crm`" in served.problem
    receiver.answers.clear()
    assert hub.deliver() == Served("crm", 0, 0, 3, served.problem)
    assert retry(hub.engine.connect, hub.settings, "crm") == Served("crm", 3, 0, 0)
    assert receiver.once == hub.numbers


def test_replay_from_any_position_under_the_same_ids(hub: Feed, receiver: Receiver) -> None:
    hub.webhook(receiver)
    receiver.answers[str(customer(4))] = [500]
    hub.happen(range(6))
    hub.deliver()
    receiver.answers.clear()
    assert replay(hub.engine.connect, hub.settings, "crm", int(hub.numbers[3])) == Served("crm", 3, 0, 0)
    assert [e["sequence"] for e in receiver.taken[-3:]] == hub.numbers[3:]
    assert sorted(receiver.once) == hub.numbers
    assert set(receiver.seen.values()) == {1, 2, 4}


def test_a_replay_from_where_no_event_is_kept_is_refused_and_moves_nothing(
    hub: Feed, receiver: Receiver
) -> None:
    hub.webhook(receiver)
    hub.happen(range(6))
    hub.deliver()
    first, last = int(hub.numbers[0]), int(hub.numbers[-1])
    with hub.engine.begin() as connection:
        connection.execute(text("UPDATE ops.publication SET published_at = published_at - interval '1 year'"))
        pruning.forget_events(connection, dt.datetime.now(dt.UTC) - dt.timedelta(days=90), ["crm"])
    for position in (first, last - 1, last + 2, last * 10):
        with pytest.raises(PositionError, match=f"from position {last} to {last}, and {position} is none"):
            replay(hub.engine.connect, hub.settings, "crm", position)
    hub.happen([1])
    assert hub.deliver().delivered == 1, "what happened after a refused replay arrives"
    assert replay(hub.engine.connect, hub.settings, "crm", last).delivered == 2
    assert replay(hub.engine.connect, hub.settings, "crm", last + 2).delivered == 0


def test_two_deliveries_at_once_do_not_overlap(hub: Feed, receiver: Receiver) -> None:
    hub.webhook(receiver)
    hub.happen(range(100))
    served: list[Served] = []
    threads = [threading.Thread(target=lambda: served.append(hub.deliver())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.delivered for one in served) == 100
    assert [event["sequence"] for event in receiver.taken] == hub.numbers


def test_a_secret_is_replaced_without_a_gap(hub: Feed, receiver: Receiver) -> None:
    hub.webhook(receiver)
    hub.happen([1])
    os.environ["FEED_SECRET"] = f"{OLD_SECRET} {SECRET}"
    assert hub.deliver().delivered == 1
    os.environ["FEED_SECRET"] = OLD_SECRET
    hub.happen([1])
    assert hub.deliver().behind == 1
    assert receiver.forged > 0


def test_a_sink_that_begins_now_is_told_what_happens_from_then_on(hub: Feed, receiver: Receiver) -> None:
    hub.webhook(receiver, start="now")
    hub.happen(range(3))
    assert hub.deliver() == Served("crm", 0, 0, 0)
    hub.happen([9])
    assert hub.deliver().delivered == 1


def test_files_hold_every_event_and_are_named_by_position(hub: Feed) -> None:
    hub.sinks(warehouse={"kind": "files", "rows_per_file": 4})
    hub.happen(range(10))
    assert hub.deliver() == Served("warehouse", 10, 0, 0)
    hub.happen([1])
    hub.deliver()
    files = sorted((Path(hub.settings.lake_url) / "publish" / "feed" / "warehouse").iterdir())
    numbers = hub.numbers
    ends = [(numbers[0], numbers[3]), (numbers[4], numbers[7]), (numbers[8], numbers[9]), (numbers[10],) * 2]
    assert [file.name for file in files] == [f"{first}-{last}.jsonl" for first, last in ends]
    lines = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert [line["sequence"] for line in lines] == numbers


def test_one_sink_that_fails_does_not_keep_the_others_waiting(hub: Feed, receiver: Receiver) -> None:
    blocked = Path(hub.settings.lake_url).parent / "a_file"
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("")
    url = f"http://127.0.0.1:{receiver.port}/"
    hub.sinks(
        blocked={"kind": "files", "url": str(blocked)},
        no_secret={"kind": "webhook", "url": url, "secret_variable": "NOT_SET"},
        well={"kind": "files"},
    )
    hub.happen(range(3))
    first, second, third = deliver(hub.engine.connect, hub.settings)
    assert (
        first.behind,
        "a_file/0000000000000000001-0000000000000000003.jsonl cannot be written: Not a directory"
        in first.problem,
    ) == (3, True)
    assert second.problem == "Sink no_secret: NOT_SET is not set; it must hold the signing secret (whsec_…)."
    assert third == Served("well", 3, 0, 0)
    with hub.engine.connect() as connection:
        assert [served.behind for _, served in status(connection, hub.settings)] == [3, 3, 0]


WRONG: list[tuple[Mapping[str, object], str]] = [
    ({"kind": "pigeon"}, "sinks.crm: .*'files', 'webhook'"),
    (
        {"kind": "webhook", "url": "http://example.com", "secret_variable": "X"},
        "url: use https://; http is for this",
    ),
    ({"kind": "webhook", "url": "https://example.com", "secret_variable": "CDM_X"}, "secret_variable"),
    ({"kind": "files", "secret": "whsec_x"}, "files.secret: Extra inputs"),
]


@pytest.mark.parametrize(("sink", "message"), WRONG, ids=[message[:20] for _, message in WRONG])
def test_a_policy_that_cannot_be_used(hub: Feed, sink: Mapping[str, object], message: str) -> None:
    hub.sinks(crm=sink)
    with pytest.raises(FeedPolicyError, match=message):
        hub.deliver()


def test_an_unknown_sink_is_told_with_those_there_are(hub: Feed) -> None:
    hub.sinks(crm={"kind": "files"})
    act: list[Callable[[], object]] = [
        lambda: deliver(hub.engine.connect, hub.settings, "erp"),
        lambda: replay(hub.engine.connect, hub.settings, "erp", 1),
        lambda: retry(hub.engine.connect, hub.settings, "erp"),
    ]
    for do in act:
        with pytest.raises(UnknownSinkError, match=r"no sink erp in change_feed\.yaml; there are: crm"):
            do()


NO_PURPOSE: list[tuple[dict[str, object], str]] = [
    (
        {"purpose": None},
        r"sinks\.crm\.files\.purpose: name the purpose in purposes\.yaml for which the sink is told",
    ),
    (
        {"purpose": "servce"},
        r"change_feed\.yaml: sinks\.crm\.purpose: .* has no purpose servce\. Did you mean 'service'\?",
    ),
    (
        {"channel": "pigeon"},
        r"sinks\.crm\.channel: nobody is addressed through pigeon for the purpose service\. Use one",
    ),
    (
        {"purpose": "legal_duty", "channel": "email"},
        r"sinks\.crm\.channel: .* Remove it\. Or add it to purposes\.legal_duty",
    ),
]


@pytest.mark.parametrize(("said", "message"), NO_PURPOSE)
def test_each_sink_has_a_purpose_that_there_is(hub: Feed, said: dict[str, object], message: str) -> None:
    hub.sinks(crm={"kind": "files", **said})
    with pytest.raises(FeedPolicyError, match=message):
        hub.deliver()
    assert any(re.search(message, one) for one in check_configuration(hub.settings))


def test_a_sink_without_a_purpose_is_served_for_what_is_undeclared_and_told(hub: Feed) -> None:
    hub.sinks(crm={"kind": "files", "purpose": ""})
    assert not hub.deliver().problem
    assert [one for one in check_configuration(hub.settings) if "sinks.crm.purpose: name the purpose" in one]


def attributes(event: Mapping[str, Any]) -> list[str]:
    return [change["attribute"] for change in event["data"].get("changes", [])]


def off(purpose: str, number: int, channel: str = "") -> pa.Table:
    return pa.table([[purpose], [channel], [str(customer(number))]], schema=OFF_SCHEMA)


def test_nothing_is_told_of_who_is_off_for_the_purpose_and_it_is_counted(
    hub: Feed, receiver: Receiver
) -> None:
    hub.webhook(receiver, purpose="marketing", channel="email")
    hub.happen([1, 2, 3, 1], "customer.created")
    done = hub.deliver(off("marketing", 1))
    assert (done.delivered, done.withheld, done.behind) == (2, 2, 0)
    assert [event["subject"] for event in receiver.taken] == [str(customer(2)), str(customer(3))]
    hub.happen([2, 3], "customer.created")
    assert hub.deliver(off("marketing", 2, "email")).withheld == 1
    hub.happen([2], "customer.created")
    assert hub.deliver(off("marketing", 2, "phone")).delivered == 1
    assert hub.deliver(off("service", 2)).behind == 0


def test_a_file_holds_nothing_of_who_is_off_and_there_is_none_without_events(hub: Feed) -> None:
    hub.sinks(warehouse={"kind": "files"})
    hub.happen([1, 2])
    assert hub.deliver(off("service", 1)) == Served("warehouse", 1, 0, 0, withheld=1)
    hub.happen([1])
    assert hub.deliver(off("service", 1)) == Served("warehouse", 0, 0, 0, withheld=1)
    [file] = (Path(hub.settings.lake_url) / "publish" / "feed" / "warehouse").iterdir()
    assert str(customer(1)) not in file.read_text(encoding="utf-8")


def test_attributes_leave_that_the_purpose_covers_and_whose_source_gave_them_for_it(
    hub: Feed, receiver: Receiver
) -> None:
    hub.webhook(receiver, purpose="marketing")
    hub.golden(1, else_="crm/contact", surname="erp/customer")
    hub.golden(2, else_="erp/customer", email="crm/contact")
    everything = ("email", "name", "surname", "given_name", "city", "iban", "status", "something_new")
    hub.changed(1, *everything)
    hub.changed(2, *everything)
    assert hub.deliver().delivered == 2
    # Of the CRM e-mail and name were given for marketing, of the ERP the e-mail alone; the bank account is not covered.
    assert [attributes(event) for event in receiver.taken] == [
        ["email", "given_name", "status"],
        ["email", "status"],
    ]


def test_an_event_of_which_nothing_is_left_is_not_sent_and_not_sent_again(
    hub: Feed, receiver: Receiver
) -> None:
    hub.webhook(receiver, purpose="analytics")
    hub.golden(1, else_="crm/contact")
    hub.changed(1, "email", "birth_date")
    assert hub.deliver() == Served("crm", 0, 0, 0, withheld=1)
    assert hub.deliver() == Served("crm", 0, 0, 0)


def test_of_the_profile_what_the_enrichers_of_the_purpose_give_leaves(hub: Feed, receiver: Receiver) -> None:
    hub.webhook(receiver, purpose="analytics")
    hub.changed(1, "rfm_segment", "payment_open_amount", "churn_no_such", kind="customer.profile_changed")
    assert hub.deliver().delivered == 1
    assert [attributes(event) for event in receiver.taken] == [["rfm_segment"]]


def test_that_consent_changed_is_told_to_whoever_it_is_of_though_nothing_else_leaves(
    hub: Feed, receiver: Receiver
) -> None:
    said = ("marketing", "marketing/email", "marketing/phone", "analytics/email")

    def told(**purpose: str) -> list[tuple[str, str]]:
        receiver.taken.clear()
        hub.webhook(receiver, **purpose)
        hub.changed(1, *said, kind="customer.consent_changed")
        hub.changed(2, "email")
        withdrawn = pa.concat_tables([off(purpose["purpose"], number) for number in (1, 2)])
        served = hub.deliver(withdrawn)
        assert (served.delivered, served.withheld) == (len(receiver.taken), 2 - len(receiver.taken))
        changes = [one for event in receiver.taken for one in event["data"]["changes"]]
        return sorted((one["purpose"], one["channel"]) for one in changes)

    assert told(purpose="marketing", channel="email") == [("marketing", ""), ("marketing", "email")]
    assert told(purpose="marketing") == [("marketing", ""), ("marketing", "email"), ("marketing", "phone")]
    assert told(purpose="analytics") == [("analytics", "email")]
    assert told(purpose="service") == [], "what is said of another purpose is not told"


def test_a_dead_letter_that_may_not_leave_any_more_is_forgotten_and_not_sent(
    hub: Feed, receiver: Receiver
) -> None:
    hub.webhook(receiver)
    receiver.answers[str(customer(1))] = [500]
    hub.happen([1, 2])
    assert hub.deliver().dead == 1
    receiver.answers.clear()
    done = retry(hub.engine.connect, hub.settings, "crm", off=off("service", 1))
    assert (done.dead, done.withheld) == (0, 1)
    assert [event["subject"] for event in receiver.taken] == [str(customer(2))]
