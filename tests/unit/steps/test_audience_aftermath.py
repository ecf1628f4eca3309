"""What becomes of a delivery: erasure and access of who was in it, webhooks, results, and the asset's figures."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from audience_hub import AUDIENCE, TARGETS, Hub, golden, hub_of
from receiver import Receiver, receiving
from sqlalchemy import Engine

from cdm_pipelines.figures import Grid
from cdm_pipelines.hub import deliveries
from cdm_pipelines.publish.audience_events import AT_ONCE
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.activation.audience_book import Book
from cdm_pipelines.steps.activation.audience_results import counted
from cdm_pipelines.steps.activation.contacts import first_day
from cdm_pipelines.steps.activation.daily import audiences_outcome, deliver_daily
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons, Stores, erase, search


@pytest.fixture
def hub(settings: Settings, hub_engine: Engine) -> Hub:
    return hub_of(settings, hub_engine, 6)


def erased(hub: Hub, number: int) -> list[str]:
    """Erase a customer from the places of audiences and from the golden tables; returns where something was found."""
    places = [one for one in all_places(hub.settings) if "audiences" in one.name or "activation" in one.name]
    persons = Persons.of([("crm", "contact", f"R{number}")], [golden(number)])
    with hub.engine.begin() as connection:
        stores = Stores(Lake(hub.settings.lake_url), connection)
        found = [place.name for place, _ in search(places, stores, persons)]
        erase(places, stores, persons)
        assert [place.name for place, _ in search(places, stores, persons)] == []
    for table in ("golden.customer", "golden.crosswalk", "golden.provenance", "privacy.consent"):
        hub.run(f"DELETE FROM {table} WHERE golden_id = :id", id=golden(number))
    return found


def everything_written(hub: Hub) -> str:
    """All bytes of all files of audiences."""
    folder = Path(hub.settings.lake_url) / "publish" / "audiences"
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.*")))


def test_who_is_erased_leaves_files_and_ledger_and_the_system_is_told(hub: Hub) -> None:
    hub.allow(0, 1, 2)
    book = hub.declare({"people": AUDIENCE})
    hub.deliver(book)
    hub.run("UPDATE golden.customer SET email = 'other1@example.nl' WHERE golden_id = :id", id=golden(1))
    hub.deliver(book)  # now an older file has the former address
    key = next(row["CDM ID"] for row in hub.members() if row["Email Address"] == "other1@example.nl")
    found = erased(hub, 1)
    assert set(found) == {
        "publish/audiences/members",
        "publish/audiences/added",
        "activation/delivery_member",
    }
    written = everything_written(hub)
    assert "c1@example.nl" not in written
    assert "other1@example.nl" not in written
    assert "c0@example.nl" in written
    assert hub.run("SELECT count(*) FROM activation.delivery_member WHERE golden_id = :id", id=golden(1)) == [
        (0,)
    ]
    done = hub.deliver(book)
    assert (done.added, done.removed) == (0, 1)
    assert hub.rows("removed") == [{"CDM ID": key}]
    assert hub.run("SELECT count(*) FROM activation.gone_member") == [(0,)]
    assert hub.deliver(book).number == 0


def test_of_who_is_erased_no_hash_stays_either(hub: Hub) -> None:
    hub.allow(0, 1)
    book = hub.declare({"people": {**AUDIENCE, "target": "ads"}})
    hub.deliver(book)
    [one, other] = [row["Email"] for row in hub.members()]
    number = 0 if golden(0) < golden(1) else 1
    erased(hub, number)
    assert one not in everything_written(hub)
    assert other in everything_written(hub)
    hub.deliver(book)
    assert [row["Email"] for row in hub.members()] == [other]


def test_a_person_is_told_in_which_deliveries_they_were(hub: Hub) -> None:
    hub.allow(0)
    book = hub.declare({"people": AUDIENCE})
    hub.deliver(book)
    hub.allow(0, allowed=False)
    hub.deliver(book)
    with hub.engine.connect() as connection:
        rows = deliveries.of_persons(connection, [golden(0)])
    assert [
        (row["audience"], row["purpose"], row["platform"], row["action"], row["reason"]) for row in rows
    ] == [
        ("people", "marketing", "mailchimp", "added", None),
        ("people", "marketing", "mailchimp", "removed", "no consent"),
    ]


def test_files_and_ledger_are_kept_as_long_as_the_policy_says(hub: Hub) -> None:
    hub.allow(0, 1)
    book = hub.declare({"people": AUDIENCE}, keep_files=30, keep_ledger=40)
    hub.deliver(book)
    hub.allow(1, allowed=False)
    hub.deliver(book)
    hub.run("UPDATE activation.delivery SET released_at = now() - interval '41 days'")
    hub.allow(2)
    hub.deliver(book)
    assert [path.name for path in hub.folder().parent.iterdir()] == ["000003"]
    rows = hub.run("SELECT golden_id, action FROM activation.delivery_member ORDER BY delivery_id")
    assert [(id_, action) for id_, action in rows] == [(golden(0), "added"), (golden(2), "added")]
    assert hub.deliver(book).number == 0


def test_files_go_on_time_while_nobody_comes_or_goes(hub: Hub) -> None:
    hub.allow(0)
    book = hub.declare({"people": AUDIENCE}, keep_files=30, keep_ledger=40)
    hub.deliver(book)
    hub.allow(1)
    hub.deliver(book)
    hub.run("UPDATE activation.delivery SET released_at = now() - interval '35 days'")
    assert not hub.deliver(book).number
    assert [path.name for path in hub.folder().parent.iterdir()] == ["000002"]


# Webhooks


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving(monkeypatch) as started:
        yield started


def hook(hub: Hub, receiver: Receiver) -> Book:
    """An audience whose target is a webhook."""
    targets = {**TARGETS, "hook": {"platform": "webhook", "webhook": receiver.webhook}}
    return hub.declare({"people": {**AUDIENCE, "target": "hook"}}, targets=targets)


def test_a_webhook_is_told_of_ids_and_never_of_who_withdrew_meanwhile(hub: Hub, receiver: Receiver) -> None:
    hub.allow(0, 1)
    book = hook(hub, receiver)
    receiver.down = True
    assert "answered 500" in hub.deliver(book).problem
    receiver.down = False
    hub.allow(1, allowed=False)
    assert hub.deliver(book).problem == ""
    told = [(one["data"]["added"], one["data"]["removed"]) for one in receiver.taken]
    assert told == [([str(golden(0))], []), ([], [str(golden(1))])]
    assert {one["type"] for one in receiver.taken} == {"cdm.audience.changed"}
    assert "example.nl" not in json.dumps(receiver.taken)
    hub.deliver(book)
    assert len(receiver.taken) == 2


def test_a_webhook_is_told_to_let_go_of_who_is_erased_and_then_nothing_is_kept(
    hub: Hub, receiver: Receiver
) -> None:
    """Until it has taken that, their golden id is kept, and nothing else of them."""
    hub.allow(0, 1)
    book = hook(hub, receiver)
    hub.deliver(book)
    erased(hub, 1)
    assert kept(hub) == [str(golden(1))]
    receiver.down = True
    assert "answered 500" in hub.deliver(book).problem
    hub.allow(2)
    hub.deliver(book)
    assert receiver.members == {str(golden(0)), str(golden(1))}
    assert kept(hub) == [str(golden(1))], "it has not been told yet"
    receiver.down = False
    assert hub.deliver(book).problem == ""
    assert receiver.members == {str(golden(0)), str(golden(2))}
    assert [one["data"]["removed"] for one in receiver.taken].count([str(golden(1))]) == 1
    assert kept(hub) == []
    assert hub.deliver(book).number == 0


def kept(hub: Hub) -> list[str]:
    return [key for (key,) in hub.run("SELECT member_key FROM activation.gone_member ORDER BY 1")]


def test_a_receiver_that_knows_events_by_their_ids_loses_no_withdrawal(
    settings: Settings, hub_engine: Engine, receiver: Receiver
) -> None:
    """Of two events of a delivery it takes the first; then somebody of that one is erased."""
    hub = hub_of(settings, hub_engine, AT_ONCE + 3)
    hub.allow(*range(AT_ONCE + 3))
    book = hook(hub, receiver)
    hub.deliver(book)
    assert len(receiver.members) == AT_ONCE + 3
    hub.run("UPDATE privacy.consent SET allowed = false, state = 'withdrawn'")
    receiver.takes = 1
    assert "answered 500" in hub.deliver(book).problem
    assert len(receiver.members) == 3
    receiver.takes = None
    first = min(range(AT_ONCE + 3), key=lambda number: str(golden(number)))
    erased(hub, first)
    assert hub.deliver(book).problem == ""
    assert receiver.members == set()


# Results and figures


def test_results_are_counted_by_hand() -> None:
    day = dt.date(2026, 6, 1)
    treated = pa.Table.from_pylist(
        [
            {"golden_id": one, "variant": "control" if one in "xy" else "sent", "since": day}
            for one in ("a", "b", "c", "x", "y")
        ],
        deliveries.TREATED,
    )
    said = [
        ("a", "sent", "Spring", 1), ("a", "sent", "spring ", 2), ("a", "open", "spring", 3),
        ("a", "click", "spring", 3),
        ("b", "sent", "spring", 1), ("b", "unsubscribe", "spring", 2), ("b", "open", "autumn", 2),
        ("c", "open", "spring", -1), ("x", "sent", "autumn", 1), ("z", "sent", "spring", 1),
    ]  # fmt: skip
    messages = pa.table(
        {
            "golden_id": [one for one, *_ in said],
            "kind": [one for _, one, *_ in said],
            "campaign": [one for *_, one, _ in said],
            "day": [day + dt.timedelta(days=one) for *_, one in said],
        }
    )
    found = counted(treated, messages, pa.array(["a", "x"]), "spring")
    nothing = {"sent": 0, "opened": 0, "clicked": 0, "unsubscribed": 0}
    assert found == [
        {"variant": "control", "customers": 2, **nothing, "bought": 1},
        {
            "variant": "sent",
            "customers": 3,
            "sent": 2,
            "opened": 1,
            "clicked": 1,
            "unsubscribed": 1,
            "bought": 1,
        },
    ]


def test_orders_within_the_days_of_the_audience_count(hub: Hub) -> None:
    hub.allow(0, 1)
    book = hub.declare({"people": AUDIENCE})
    hub.deliver(book)
    now = dt.datetime.now(dt.UTC)
    for number, (who, days) in enumerate([(0, 1), (1, 9), (1, -2), (5, 1)]):
        hub.run(
            """INSERT INTO golden.customer_order (source, entity, record_id, golden_id, active, order_id, ordered_at)
            VALUES ('erp', 'order', :key, :who, true, :key, :at)""",
            key=f"O{number}",
            who=golden(who),
            at=now + dt.timedelta(days=days),
        )
    with hub.engine.connect() as connection:
        assert deliveries.bought(connection, "people", "Europe/Amsterdam", 5).to_pylist() == [str(golden(0))]
        assert len(deliveries.bought(connection, "people", "Europe/Amsterdam", 10)) == 2


def test_the_run_counts_what_came_of_audiences_whoever_delivered_them(hub: Hub) -> None:
    """By the rows of the mail tool that name the campaign, from the day of the delivery on."""
    hub.allow(0, 1, 2)
    book = hub.declare({"people": {**AUDIENCE, "daily": True, "campaign": "Spring"}, "by_hand": AUDIENCE})
    hub.deliver(book, "by_hand")
    assert results(hub) == {}
    today = first_day(hub.settings, 1)
    hub.mailed(
        (0, "sent", "spring", today),
        (1, "sent", "Spring", today),
        (1, "open", "Spring", today),
        (2, "sent", "by_hand", today),
        (2, "sent", "Spring", today - dt.timedelta(days=1)),
        (2, "click", "Autumn", today),
    )
    outcome = audiences_outcome(deliver_daily(hub.engine.connect, hub.settings))
    nothing = {"customers": 3, "sent": 0, "opened": 0, "clicked": 0, "unsubscribed": 0, "bought": 0}
    came = {"people": {**nothing, "sent": 2, "opened": 1}, "by_hand": {**nothing, "sent": 1}}
    assert results(hub) == came
    grid = outcome.figures["results"]
    assert isinstance(grid, Grid)
    assert {row["audience"]: row["sent"] for row in grid.rows} == {"people": 2, "by_hand": 1}


def results(hub: Hub) -> dict[str, dict[str, Any]]:
    names = ("customers", "sent", "opened", "clicked", "unsubscribed", "bought")
    found = hub.run(f"SELECT audience, {', '.join(names)} FROM activation.result WHERE variant = 'sent'")
    return {audience: dict(zip(names, row, strict=True)) for audience, *row in found}


def test_only_audiences_of_every_day_are_delivered_by_the_run(hub: Hub) -> None:
    hub.allow(0, 1)
    hub.declare({"people": {**AUDIENCE, "daily": True}, "by_hand": AUDIENCE})
    done = deliver_daily(hub.engine.connect, hub.settings)
    assert hub.run("SELECT DISTINCT audience FROM activation.delivery") == [("people",)]
    outcome = audiences_outcome(done)
    assert outcome.checks["audiences_delivered"].passed
    assert "delivered by hand" in done.told[1]
    path = hub.settings.policies / "audiences.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("party_kind", "party_knd"), encoding="utf-8")
    told = audiences_outcome(deliver_daily(hub.engine.connect, hub.settings)).checks["audiences_delivered"]
    assert not told.passed
    assert "Did you mean 'party_kind'?" in told.text
