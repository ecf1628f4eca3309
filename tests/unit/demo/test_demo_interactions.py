"""Visits, mailings and tickets look as their systems export them, and are whose the truth says."""

import csv
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from demo_deliveries import DATA, DAYS, Delivery, Row

from cdm_demo import generate, generator
from cdm_demo.devices import JUNK
from cdm_demo.generator import DEMO_START
from cdm_demo.headers import (
    DESK_TICKET,
    ERP_PRODUCT,
    INTERACTION_EXTRACTS,
    MAIL_ACTIVITY,
    MAIL_CONSENT,
    SHOP_CUSTOMER,
    SHOP_ORDER,
    WEB_EVENT,
)

Event = dict[str, Any]
HERE = ZoneInfo("Europe/Amsterdam")


@cache
def events(delivery: Delivery, days: tuple[str, ...] = DAYS) -> list[Event]:
    """Events of some days, their parameters beside their own fields."""
    found = []
    for day in days:
        with delivery.path(WEB_EVENT, day).open(encoding="utf-8") as lines:
            found += [json.loads(line) for line in lines]
    for event in found:
        for parameter in event["event_params"]:
            (event[parameter["key"]],) = parameter["value"].values()
    return found


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """Three days with many interactions."""
    folder = tmp_path_factory.mktemp("interactions")
    generate(1_200, 3, 17, folder, DEMO_START, interactions=25)
    return Delivery(folder)


@pytest.fixture(scope="module", params=["committed", "many"])
def made(request: pytest.FixtureRequest, many: Delivery) -> Delivery:
    return many if request.param == "many" else Delivery(DATA)


def test_events_are_those_of_the_export_to_bigquery(made: Delivery) -> None:
    found = events(made)
    products, orders = (
        made.by_key(ERP_PRODUCT, DAYS[0]),
        {r["Name"] for d in DAYS for r in made.rows(SHOP_ORDER, d)},
    )
    for event in found:
        own = set(event) - {parameter["key"] for parameter in event["event_params"]}
        assert own <= set(WEB_EVENT.columns)
        assert own >= {"event_date", "event_timestamp", "event_name", "event_params", "user_pseudo_id"}
        moment = datetime.fromtimestamp(int(event["event_timestamp"]) / 1_000_000, UTC)
        assert f"{moment.astimezone(HERE):%Y%m%d}" == event["event_date"]
        assert event["ga_session_id"].isdigit()
        assert {item["item_id"] for item in event["items"]} <= set(products)
        assert ("transaction_id" in event) == (event["event_name"] == "purchase")
        assert event.get("transaction_id", "#1001") in orders
    assert len({event["event_id"] for event in found}) == len(found)
    assert {"page_view", "view_item", "add_to_cart", "view_search_results", "login", "purchase"} < {
        event["event_name"] for event in found
    }


def test_events_come_on_their_day_or_a_day_late(many: Delivery) -> None:
    late = 0
    for day in DAYS[1:]:
        dates = {event["event_date"] for event in events(many, (day,))}
        before = {one.replace("-", "") for one in DAYS if one < day}
        assert day.replace("-", "") in dates
        assert dates <= {day.replace("-", ""), max(before)}
        late += len(dates) - 1
    assert late


def visits_of(delivery: Delivery) -> dict[tuple[str, str], Row]:
    return {
        (row["token"], row["visit"]): row for row in delivery.truth("visits") if row["device"] != "no_token"
    }


def test_the_visits_of_a_token_are_of_whom_the_truth_says(made: Delivery) -> None:
    tokens = {row["token"]: row for row in made.truth("tokens")}
    visits, parties = visits_of(made), made.party_of()
    identified: dict[str, set[str]] = defaultdict(set)
    logins = 0
    for event in events(made):
        token = event["user_pseudo_id"]
        if tokens[token]["device"] == "no_token":
            assert tokens[token]["truth_id"] == "none"
            continue
        visit = visits[token, event["ga_session_id"]]
        if "user_id" in event:
            assert parties["shop", "customer", event["user_id"]] == visit["truth_id"]
            identified[token].add(visit["truth_id"])
            logins += 1
        assert visit["identified"] or "user_id" not in event
    assert logins > 100
    people: dict[str, set[str]] = defaultdict(set)
    for (token, _), visit in visits.items():
        people[token].add(visit["truth_id"])
        assert visit["device"] == tokens[token]["device"]
    for token, who in people.items():
        owner = tokens[token]["truth_id"]
        assert who == {owner} if owner != "shared" else who == identified[token]
        assert (owner == "shared") == (len(who) > 1)
    kinds = Counter(row["device"] for row in tokens.values() if row["truth_id"] == "shared")
    assert kinds["tablet"]
    assert kinds["kiosk"] == 1


def test_every_visit_of_the_truth_has_events_and_the_other_way_round(made: Delivery) -> None:
    found = {(event["user_pseudo_id"], event["ga_session_id"]) for event in events(made)}
    assert {(row["token"], row["visit"]) for row in made.truth("visits")} == found


def test_many_visits_come_before_the_login_that_tells_whose_they_are(many: Delivery) -> None:
    tokens = {row["token"] for row in many.truth("tokens") if row["truth_id"].startswith("P")}
    first: dict[str, int] = {}
    for (token, visit), row in visits_of(many).items():
        if row["identified"] == "login":
            first[token] = min(first.get(token, int(visit)), int(visit))
    gaps = [
        first[token] - int(visit) for token, visit in visits_of(many) if token in first and token in tokens
    ]
    before = [gap for gap in gaps if gap > 0]
    assert len(before) > 200
    assert any(gap > 90 * 86_400 for gap in before)
    assert tokens - first.keys()


def test_what_is_no_token_is_shown_as_browsers_send_it(many: Delivery) -> None:
    shown = {event["user_pseudo_id"] for event in events(many)}
    assert set(JUNK) <= shown


def test_no_cell_of_a_csv_file_needs_quotes(made: Delivery) -> None:
    for extract in (MAIL_ACTIVITY, DESK_TICKET):
        for day in DAYS:
            text = made.path(extract, day).read_text(encoding="utf-8")
            assert '"' not in text
            assert {len(row) for row in csv.reader(text.splitlines())} == {len(extract.columns)}


def test_mailings_go_to_subscribers_and_stop_when_they_must(made: Delivery) -> None:
    rows = [row for day in DAYS for row in made.rows(MAIL_ACTIVITY, day)]
    mailboxes = {r["Email"].lower() for d in DAYS for r in made.rows(SHOP_CUSTOMER, d)}
    spoiled = {r["record_id"] for r in made.truth("planted") if r["source"] == "shop"}
    assert len({row["Email Address"].lower() for row in rows} - mailboxes) <= len(spoiled)
    sent: dict[tuple[str, str], list[str]] = defaultdict(list)
    over: dict[str, str] = {}
    for row in rows:
        if row["Action"] == "sent":
            sent[row["Email Address"], row["Campaign ID"]].append(row["Timestamp"])
        elif row["Action"] == "unsubscribe" or row["Bounce Type"] == "hard":
            over[row["Email Address"]] = row["Timestamp"]
        assert (row["Action"] == "bounce") == (row["Bounce Type"] != "")
        assert (row["Action"] == "click") == (row["URL"] != "")
    shared = {one for (one, _), times in sent.items() if len(times) > 1}
    for row in rows:
        assert min(sent[row["Email Address"], row["Campaign ID"]]) <= row["Timestamp"]
    assert over
    for (mailbox, _), times in sent.items():
        # One who opens late may be mailed once more in between.
        if mailbox in over and mailbox not in shared:
            assert min(times) <= over[mailbox]
    assert {row["Action"] for row in rows} == {"sent", "open", "click", "bounce", "unsubscribe"}


def test_nobody_agrees_to_a_text_before_there_is_one(made: Delivery) -> None:
    said = [row for day in DAYS for row in made.rows(MAIL_CONSENT, day)]
    assert len({row["Text version"] for row in said}) == 2
    assert all(row["Text version"] <= row["Timestamp"][:7] for row in said)


def test_tickets_are_opened_then_solved_then_rated(made: Delivery) -> None:
    tickets: dict[str, dict[str, Row]] = defaultdict(dict)
    for day in DAYS:
        for row in made.rows(DESK_TICKET, day):
            assert row["Updated at"][:10] <= day
            tickets[row["ID"]][row["Update"]] = row
            assert row["Requester email"] or row["Requester phone"]
    scores: dict[bool, list[int]] = {True: [], False: []}
    for updates in tickets.values():
        moments = [
            updates[name]["Updated at"]
            for name in ("created", "complaint", "solved", "rated")
            if name in updates
        ]
        assert moments == sorted(moments)
        assert "created" in updates
        if "rated" in updates:
            scores["complaint" in updates].append(int(updates["rated"]["Satisfaction Score"]))
    assert sum(scores[True]) / len(scores[True]) + 1 < sum(scores[False]) / len(scores[False])
    complaints = sum("complaint" in updates for updates in tickets.values())
    planted = sum(int(row["complaints"]) for row in made.truth("behaviour"))
    assert planted - 8 <= complaints <= planted
    assert complaints


def test_blocks_share_no_interaction_no_token_and_no_ticket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "BLOCK", 200)
    generate(1_000, 3, 3, tmp_path, DEMO_START, interactions=5)
    delivery = Delivery(tmp_path)
    tokens = [row["token"] for row in delivery.truth("tokens")]
    assert len(tokens) == len(set(tokens))
    assert len({event["event_id"] for event in events(delivery)}) == len(events(delivery))
    for extract in (MAIL_ACTIVITY, DESK_TICKET):
        rows = [row for day in DAYS for row in delivery.rows(extract, day)]
        assert len({row[extract.key[0]] for row in rows}) == len(rows) > 0
    opened = [
        row["ID"] for day in DAYS for row in delivery.rows(DESK_TICKET, day) if row["Update"] == "created"
    ]
    assert len(opened) == len(set(opened))


def test_on_a_day_without_visitors_a_machine_looks(tmp_path: Path) -> None:
    generate(30, 3, 1, tmp_path, DEMO_START)
    found = [path for path in (tmp_path / "landing" / "web").rglob("*") if path.is_file()]
    events = [json.loads(line) for path in found for line in path.read_text().splitlines()]
    assert len(found) == 3
    assert "null" in {event["user_pseudo_id"] for event in events}


def test_more_interactions_are_made_when_more_are_asked_for(tmp_path: Path) -> None:
    for asked in (3, 30):
        made = generate(1_500, 1, 4, tmp_path / str(asked), DEMO_START, interactions=asked)
        rows = sum(made.rows[e.source, e.entity, DAYS[0]] for e in INTERACTION_EXTRACTS)
        assert 0.75 < rows / (1_500 * asked) < 1.25
    for name in ("party", "structure", "behaviour"):
        assert Delivery(tmp_path / "3").truth(name) == Delivery(tmp_path / "30").truth(name)
    with pytest.raises(ValueError, match="interactions"):
        generate(100, 1, 4, tmp_path / "refused", DEMO_START, interactions=-1)
