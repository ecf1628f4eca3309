"""Days of interactions, as websites, mailings and service desks deliver them, from landing to standard."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from yaml import safe_dump, safe_load

from cdm_pipelines.connectors import connector_named
from cdm_pipelines.contracts import ContractError, SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.odcs import parse_contract
from cdm_pipelines.contracts.sections import Report
from cdm_pipelines.settings import Settings
from cdm_pipelines.standardise.interaction_words import InteractionWords, InteractionWordsError
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.days.tally import DayResult
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake

DAY = "2026-06-03"
MICROS = 1_780_444_800_000_000  # 2026-06-03T00:00:00Z


def shipped(system: str, entity: str, **properties: object) -> SourceContract:
    """A connector's contract, with other properties of its entity where they are given."""
    document = safe_load(connector_named(system).contract(entity))
    schema = document["schema"][0]
    kept = [one for one in schema["customProperties"] if one["property"] not in properties]
    given = [{"property": name, "value": value} for name, value in properties.items() if value is not None]
    schema["customProperties"] = [*kept, *given]
    return parse_contract(safe_dump(document, sort_keys=False), Report(entity))


def event(number: int, name: str = "page_view", **more: Any) -> dict[str, Any]:
    """An event of the BigQuery export."""
    return {
        "event_timestamp": str(MICROS + number * 1_000_000),
        "event_name": name,
        "event_params": [
            {"key": "ga_session_id", "value": {"int_value": "7"}},
            {"key": "page_title", "value": {"string_value": "Bikes"}},
        ],
        "user_pseudo_id": "12.34",
        "stream_id": "1",
        "event_bundle_sequence_id": number,
        **more,
    }


def deliver(settings: Settings, contract: SourceContract, content: str, date: str = DAY) -> DayResult:
    folder = Path(settings.landing_url) / contract.source / contract.entity
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{date}.{contract.format}").write_text(content, encoding="utf-8")
    return process_day(settings, Lake(settings.lake_url), contract, date)


def lines(*records: Any) -> str:
    return "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in records)


def rows(settings: Settings, contract: SourceContract, date: str = DAY) -> list[dict[str, Any]]:
    lake = Lake(settings.lake_url)
    return lake.read(layout.standard_path(contract, date, Entity.INTERACTION)).to_pylist()


def repairs(settings: Settings, contract: SourceContract) -> Counter[tuple[str, str, str]]:
    found = Lake(settings.lake_url).read(layout.repairs_path(contract, DAY)).to_pylist()
    return Counter((one["column"], one["rule"], one["action"]) for one in found)


def test_every_event_is_accepted_or_quarantined_whatever_it_says(settings: Settings) -> None:
    contract = shipped("google_analytics4", "event")
    result = deliver(
        settings,
        contract,
        lines(
            event(0),
            event(1, "Purchase", ecommerce={"transaction_id": "B-1"}, user_id="C7"),
            event(2, "our_own_event"),
            event(3, "view_item", items=[{"item_id": "P9"}]),
            event(4, user_pseudo_id="x" * 10_000),
            event(5, event_timestamp=str(MICROS + 40 * 86_400_000_000)),
            event(6, user_pseudo_id=None),
            event(0),
            event(7, event_name=None),
            '{"event_timestamp": ',
        ),
    )
    assert result.reconciles
    assert (result.read, result.accepted, result.quarantined) == (10, 7, 3)
    assert dict(result.reasons) == {"superseded": 1, "missing_key": 1, "unparsable": 1}
    found = rows(settings, contract)
    assert [one["kind"] for one in found] == [
        "other",
        "other",
        "product_view",
        "visit",
        "visit",
        "visit",
        "visit",
    ]
    assert {(one["channel"], one["thread_id"], one["subject"]) for one in found} == {("web", "7", "Bikes")}
    assert found[0]["order_id"] == "B-1"
    assert found[0]["party_id"] == "C7"
    assert found[2]["product_code"] == "P9"
    assert found[0]["occurred_at"] == "2026-06-03T00:00:01Z"
    assert [one["token"] for one in found] == ["12.34", "12.34", "12.34", None, "12.34", None, "12.34"]
    assert found[4]["occurred_at"] is None
    assert found[4]["occurred_at_original"] == str(MICROS + 40 * 86_400_000_000)
    assert len({one["interaction_id"] for one in found}) == 7
    assert repairs(settings, contract) == {
        ("event_name", "unknown_kind", "marked"): 1,
        ("user_pseudo_id", "no_token", "blanked"): 1,
        ("event_timestamp", "impossible_time", "blanked"): 1,
    }
    assert "unknown_kind 1" in result.sentence


def test_a_day_again_is_the_same_and_leaves_no_state(settings: Settings) -> None:
    contract, lake = shipped("google_analytics4", "event"), Lake(settings.lake_url)
    content = lines(*(event(number) for number in range(20)))
    deliver(settings, contract, content)
    path = layout.standard_path(contract, DAY, Entity.INTERACTION)
    before = lake.read(path)
    deliver(settings, contract, content)
    assert lake.read(path).equals(before)
    built = build_records(lake, [contract], list(Entity))
    assert (built.rows, built.partitions) == (0, 0)
    assert not tables.records(lake, Entity.INTERACTION).exists


def test_an_empty_source_is_a_day_without_interactions(settings: Settings) -> None:
    contract = shipped("mailchimp", "campaign_activity")
    result = deliver(settings, contract, "campaign_id,email_address,action,timestamp\n")
    assert (result.read, result.accepted, result.quarantined, result.stopped) == (0, 0, 0, False)
    assert rows(settings, contract) == []


def test_actions_of_a_mailing(settings: Settings) -> None:
    contract = shipped("mailchimp", "campaign_activity")
    deliver(
        settings,
        contract,
        "Campaign ID,Email Address,Action,Timestamp,Campaign Title\n"
        "c1, Jan@Example.NL ,Sent,2026-06-02 10:00:00,Spring\n"
        "c1,jan@example.nl,open,2026-06-02T11:00:00+02:00,Spring\n"
        "c1,jan@example.nl,Bounce,2026-06-02 12:00:00,Spring\n"
        "c1,no address,unsub,2026-06-02 12:30:00,Spring\n",
    )
    found = [
        tuple(
            one[name] for name in ("kind", "channel", "direction", "occurred_at", "party_email", "campaign")
        )
        for one in rows(settings, contract)
    ]
    assert found == [
        ("sent", "email", "out", "2026-06-02T08:00:00Z", "jan@example.nl", "Spring"),
        ("open", "email", "in", "2026-06-02T09:00:00Z", "jan@example.nl", "Spring"),
        ("bounce", "email", "out", "2026-06-02T10:00:00Z", "jan@example.nl", "Spring"),
        ("unsubscribe", "email", "in", "2026-06-02T10:30:00Z", None, "Spring"),
    ]


def test_each_action_of_a_member_is_a_row(settings: Settings) -> None:
    contract = shipped("mailchimp", "email_activity")
    actions = [
        {"action": "open", "timestamp": "2026-06-01T10:00:00+00:00"},
        {"action": "click", "timestamp": "2026-06-01T10:00:00+00:00", "url": "https://shop.example/"},
    ]
    emails = [
        {"campaign_id": "c1", "email_address": "a@example.nl", "activity": actions},
        {"campaign_id": "c1", "email_address": "b@example.nl", "activity": []},
    ]
    result = deliver(settings, contract, json.dumps({"emails": emails, "total_items": 2}))
    assert (result.read, result.accepted) == (2, 2)
    found = rows(settings, contract)
    assert [(one["kind"], one["party_email"]) for one in found] == [
        ("open", "a@example.nl"),
        ("click", "a@example.nl"),
    ]
    assert found[1]["outcome"] == "https://shop.example/"


def ticket(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "created_at": "2026-06-01T08:00:00Z",
        "updated_at": "2026-06-02T09:00:00Z",
        "subject": "Where is it?",
        "requester_id": 70 + number,
        "via": {"channel": "voice", "source": {"from": {"phone": "06 12345670"}}},
        "satisfaction_rating": {"score": "unoffered"},
        **more,
    }


def test_a_ticket_tells_of_its_moments(settings: Settings) -> None:
    contract = shipped("zendesk", "ticket_json", defaultCountry="NL")
    solved = {"metric_set": {"solved_at": "2026-06-02T09:00:00Z"}}
    result = deliver(
        settings,
        contract,
        lines(ticket(1), ticket(2, **solved), ticket(3, **solved, satisfaction_rating={"score": "bad"})),
    )
    assert (result.read, result.accepted, result.standard["interaction"]) == (3, 3, 6)
    found = {
        one["interaction_id"]: tuple(
            one[name]
            for name in ("kind", "direction", "channel", "occurred_at", "score", "outcome", "thread_id")
        )
        for one in rows(settings, contract)
    }
    opened = ("ticket_opened", "in", "phone", "2026-06-01T08:00:00Z", None, None)
    closed = ("ticket_solved", "out", "phone", "2026-06-02T09:00:00Z", None, None)
    assert found == {
        "1|ticket_opened": (*opened, "1"),
        "2|ticket_opened": (*opened, "2"),
        "2|ticket_solved": (*closed, "2"),
        "3|ticket_opened": (*opened, "3"),
        "3|ticket_solved": (*closed, "3"),
        "3|ticket_rated": ("ticket_rated", "in", "phone", "2026-06-02T09:00:00Z", "0", "bad", "3"),
    }
    assert {one["party_phone"] for one in rows(settings, contract)} == {"+31612345670"}


def test_words_of_a_company(settings: Settings, tmp_path: Path) -> None:
    own = safe_load((settings.policies / "interaction_words.yaml").read_text(encoding="utf-8"))
    own["kinds"]["cart"].append("our own event")
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "interaction_words.yaml").write_text(safe_dump(own), encoding="utf-8")
    contract = shipped("google_analytics4", "event")
    deliver(settings, contract, lines(event(1, "our_own_event")))
    assert [one["kind"] for one in rows(settings, contract)] == ["other"]
    words = InteractionWords.load(folder)
    assert "our own event" in words.kinds["cart"]
    own["kinds"]["visit"].append("Our-Own-Event")
    (folder / "interaction_words.yaml").write_text(safe_dump(own), encoding="utf-8")
    with pytest.raises(InteractionWordsError, match="ourownevent has two meanings; keep one"):
        InteractionWords.load(folder)


@pytest.mark.parametrize(
    ("system", "entity", "properties", "message"),
    [
        (
            "google_analytics4",
            "event",
            {"constants": {"interaction.kind": "visit"}},
            "interaction.kind is fed by a column. Keep one",
        ),
        (
            "google_analytics4",
            "event",
            {"constants": {"party.email": "x"}},
            "unknown canonical path 'party.email'",
        ),
        (
            "google_analytics4",
            "event",
            {"format": "csv"},
            "has no meaning in format csv. Set format: jsonl or json",
        ),
        ("zendesk", "ticket", {"moments": [{"column": "nowhere", "kind": "x"}]}, "unknown column 'nowhere'"),
        (
            "mailchimp",
            "campaign_activity",
            {"moments": [{"column": "timestamp", "kind": "sent"}]},
            "interaction.occurred_at is mapped as well. Keep one of the two",
        ),
        (
            "mailchimp",
            "member",
            {"refersTo": "crm"},
            "has no meaning for what is not an interaction. Remove it",
        ),
        ("mailchimp", "email_activity", {"dialect": {"rowsAt": "a..b"}}, "'a..b' cannot be read after 'a'"),
    ],
)
def test_contracts_that_contradict_themselves(
    system: str, entity: str, properties: dict[str, object], message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        shipped(system, entity, **properties)
