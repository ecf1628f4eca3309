"""Audiences: who is in them, why others are not, and what is delivered, on a real hub."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from audience_hub import AUDIENCE, TARGETS, Hub, golden, hub_of
from sqlalchemy import Engine

from cdm_pipelines.hub.profile import table_of
from cdm_pipelines.insight.action_policy import Pressure
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.activation.actions import action_policy, contacted
from cdm_pipelines.steps.activation.audience_book import AudienceError, Book
from cdm_pipelines.steps.activation.contacts import first_day
from cdm_pipelines.steps.activation.delivery_files import Files
from cdm_pipelines.steps.profile.enrich import company_of, policy_of, tables_of
from cdm_pipelines.store.damage import LakeError
from cdm_pipelines.store.lake import Lake


@pytest.fixture
def hub(settings: Settings, hub_engine: Engine) -> Hub:
    return hub_of(settings, hub_engine, 10)


def test_who_allows_it_is_in_it_and_others_are_told_by_reason(hub: Hub) -> None:
    hub.allow(0, 1, 2, 3, 4, 5, 6)
    hub.allow(0, allowed=False, channel="", state=None)  # nothing was said of every channel
    hub.allow(1, allowed=False)
    hub.allow(2, allowed=False, channel="", state="objected")
    hub.allow(3, expires=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1))
    hub.restrict(4)
    hub.restrict(5, "marketing")
    hub.allow(8)
    hub.run("UPDATE golden.customer SET deceased = true WHERE golden_id = :id", id=golden(8))
    hub.run("UPDATE golden.customer SET email = NULL WHERE golden_id = :id", id=golden(6))
    hub.run(
        """INSERT INTO privacy.request (kind, due_on, checked_by, state, policy, subject)
        VALUES ('erase', '2026-01-01', 'P', 'open', '{}',
                jsonb_build_object('golden_ids', jsonb_build_array(CAST(:id AS text))))""",
        id=str(golden(7)),
    )
    book = hub.declare({"people": AUDIENCE})
    done = hub.deliver(book)
    assert hub.numbers() == {0}
    assert done.counts == {
        "found by the filter": 10,
        "being erased": 1,
        "restricted": 1,
        "deceased": 1,
        "objected": 2,
        "no consent": 3,
        "objected to what it is chosen by": 0,
        "no address for the channel": 1,
        "open complaint": 0,
        "contacted too often": 0,
        "control group": 0,
        "over the cap": 0,
        "members": 1,
    }
    assert sum(list(done.counts.values())[1:]) == 10


def test_who_is_chosen_by_what_they_bought_allows_that_as_well(hub: Hub) -> None:
    """Worked out for analytics, and chosen by for marketing: both have to be allowed at that moment."""
    hub.allow(*range(5))
    (rfm,) = [one for one in tables_of(policy_of(hub.settings)) if one.name == "rfm"]
    with hub.engine.begin() as connection:
        table_of(rfm).create(connection)
    for number, segment in enumerate(("at_risk", "at_risk", "loyal", "at_risk")):  # nothing of the fifth
        hub.run(
            "INSERT INTO profile.rfm (golden_id, as_of, segment) VALUES (:id, :day, :segment)",
            id=golden(number),
            day=dt.date(2026, 6, 1),
            segment=segment,
        )
    chosen = {**AUDIENCE, "filter": {"column": "rfm_segment", "operator": "in", "value": ["at_risk"]}}
    book = hub.declare({"people": chosen})
    assert hub.deliver(book).counts["found by the filter"] == 3
    assert hub.numbers() == {0, 1, 3}
    hub.allow(
        0, allowed=False, channel="", purpose="analytics", state="objected"
    )  # until the next run it is there
    hub.restrict(1, "analytics")
    done = hub.deliver(book)
    assert hub.numbers() == {3}
    assert done.counts["objected to what it is chosen by"] == 2
    path = hub.settings.policies / "purposes.yaml"
    said = path.read_text(encoding="utf-8")
    path.write_text(said.replace("selects_by: [rfm, ", "selects_by: ["), encoding="utf-8")
    with pytest.raises(AudienceError, match=r"purposes\.marketing\.selects_by"):
        hub.declare({"people": chosen})


def test_a_withdrawal_seconds_before_is_honoured_and_removes_the_same_day(hub: Hub) -> None:
    hub.allow(0, 1, 2)
    book = hub.declare({"people": AUDIENCE})
    first = hub.deliver(book)
    assert (first.added, first.removed, hub.numbers()) == (3, 0, {0, 1, 2})
    keys = {row["Email Address"]: row["CDM ID"] for row in hub.members()}
    hub.allow(1, allowed=False)
    second = hub.deliver(book)
    assert (second.added, second.removed, hub.numbers()) == (0, 1, {0, 2})
    assert hub.rows("removed") == [{"CDM ID": keys["c1@example.nl"]}]
    assert hub.rows("added") == []
    [(action, reason)] = hub.run(
        "SELECT action, reason FROM activation.delivery_member WHERE golden_id = :id AND action = 'removed'",
        id=golden(1),
    )
    assert (action, reason) == ("removed", "no consent")


def test_delivering_again_writes_nothing_and_a_changed_value_is_an_update(hub: Hub) -> None:
    hub.allow(0, 1)
    book = hub.declare({"people": AUDIENCE})
    hub.deliver(book)
    again = hub.deliver(book)
    assert (again.number, "nothing has changed" in again.sentence) == (0, True)
    assert hub.run("SELECT count(*) FROM activation.delivery") == [(1,)]
    hub.run("UPDATE golden.customer SET given_name = 'Zoë' WHERE golden_id = :id", id=golden(1))
    third = hub.deliver(book)
    assert (third.added, third.updated, third.removed) == (0, 1, 0)
    assert [row["First Name"] for row in hub.rows("added")] == ["Zoë"]


def test_the_control_group_is_stable_and_kept_through_a_merge(hub: Hub) -> None:
    hub.allow(*range(10))
    book = hub.declare({"people": {**AUDIENCE, "control_group": 0.5}})
    hub.deliver(book)
    treated = hub.numbers()
    control = set(range(10)) - treated
    assert treated
    assert control
    assert hub.deliver(book).number == 0
    one, other = min(control), min(treated)
    hub.merge(one, other)  # who was left out becomes one with somebody who was not
    done = hub.deliver(book)
    assert hub.numbers() == treated - {other}
    assert (done.added, done.removed) == (0, 1)
    hub.deliver(book)
    assert hub.numbers() == treated - {other}
    second = min(treated - {other})
    hub.merge(second, max(control))  # and the other way round
    hub.deliver(book)
    assert hub.numbers() == treated - {other, second}


def test_a_merge_of_two_who_are_in_it_is_no_new_contact(hub: Hub) -> None:
    hub.allow(0, 1)
    book = hub.declare({"people": AUDIENCE})
    hub.deliver(book)
    keys = {row["Email Address"]: row["CDM ID"] for row in hub.members()}
    hub.merge(1, 0)
    done = hub.deliver(book)
    assert (done.added, done.updated, done.removed) == (0, 0, 1)
    assert hub.rows("removed") == [{"CDM ID": keys["c1@example.nl"]}]
    hub.allow(2)
    hub.deliver(book)
    hub.run("DELETE FROM golden.customer WHERE golden_id = :id", id=golden(3))
    hub.run("DELETE FROM golden.crosswalk WHERE golden_id = :id", id=golden(3))
    assert hub.numbers() == {0, 2}


def test_the_cap_keeps_who_is_in_it(hub: Hub) -> None:
    hub.allow(*range(5))
    book = hub.declare({"people": {**AUDIENCE, "cap": 3}})
    hub.deliver(book)
    before = hub.numbers()
    assert len(before) == 3
    hub.allow(*range(10))
    done = hub.deliver(book)
    assert (done.number, hub.numbers(), done.counts["over the cap"]) == (0, before, 7)


def test_nobody_is_added_more_often_than_the_policy_says_over_all_audiences(hub: Hub) -> None:
    hub.allow(0, 1)
    audiences = {name: {**AUDIENCE, "target": "mail"} for name in ("people", "second", "third")}
    book = hub.declare(audiences, pressure={"most": 2, "days": 30})
    assert hub.deliver(book, "people").added == 2
    assert hub.deliver(book, "second").added == 2
    third = hub.deliver(book, "third")
    assert (third.added, third.counts["contacted too often"]) == (0, 2)
    assert hub.deliver(book, "people").number == 0, "who is in it already stays"
    hub.run(
        "UPDATE activation.delivery SET released_at = now() - interval '40 days' WHERE audience = 'people'"
    )
    assert hub.deliver(book, "third").added == 2


def test_what_the_mail_tool_tells_presses_too_and_nothing_counts_twice(hub: Hub) -> None:
    """Of one audience nobody knows yet what became of it; of the other the mail tool told."""
    hub.allow(0, 1, 2)
    audiences = {
        "people": {**AUDIENCE, "campaign": "Spring"},
        "second": AUDIENCE,
        "third": AUDIENCE,
    }
    pressure = {"most": 2, "days": 30}
    today = first_day(hub.settings, 1)
    book = hub.declare(audiences, pressure=pressure)
    hub.deliver(book)
    hub.mailed(
        (0, "sent", "spring ", today),  # came back: one contact
        (1, "sent", "Winter", today),  # another campaign: two
        (2, "sent", "Winter", today - dt.timedelta(days=30)),  # too long ago: one
        (2, "click", "Winter", today),  # by the customer
    )
    done = hub.deliver(Book.of(hub.settings), "second")
    assert (done.added, done.counts["contacted too often"]) == (2, 1)
    assert hub.numbers("second") == {0, 2}


def test_next_best_actions_count_contacts_by_the_same_rule(hub: Hub) -> None:
    """Within a window that ends with the day of the data: who was added before it counts for nothing."""
    hub.allow(0, 1, 2)
    book = hub.declare({"people": AUDIENCE, "others": AUDIENCE})
    hub.deliver(book)
    hub.deliver(book, "others")
    hub.merge(1, 0)
    today = first_day(hub.settings, 1)
    hub.mailed((2, "sent", "people", today), (2, "sent", "people", today))
    policy = action_policy(hub.settings).model_copy(update={"contact_pressure": Pressure(days=7, most=2)})
    company = company_of(Lake(hub.settings.lake_url), hub.settings)

    def found(as_of: dt.date) -> dict[str, int]:
        with hub.engine.connect() as connection:
            rows = contacted(connection, company, policy, as_of).to_pylist()
        assert {row["last_on"] for row in rows} <= {today}
        return {row["golden_id"]: row["contacts"] for row in rows}

    assert found(today) == {str(golden(0)): 4, str(golden(2)): 3}
    assert found(today - dt.timedelta(days=3)) == {str(golden(0)): 4, str(golden(2)): 2}, (
        "not of a day to come"
    )
    assert found(today + dt.timedelta(days=6)) == {str(golden(0)): 4, str(golden(2)): 3}
    assert found(today + dt.timedelta(days=7)) == {}


def test_a_preview_writes_nothing(hub: Hub) -> None:
    hub.allow(0)
    book = hub.declare({"people": AUDIENCE})
    told = hub.deliver(book, dry_run=True)
    assert (told.added, told.number) == (1, 0)
    assert hub.run("SELECT count(*) FROM activation.delivery") == [(0,)]
    assert not (Path(hub.settings.lake_url) / "publish").exists()


def test_an_empty_audience_is_told_and_one_that_had_members_removes_them(hub: Hub) -> None:
    book = hub.declare({"people": AUDIENCE})
    assert "Nobody is in it" in hub.deliver(book).sentence
    hub.allow(0)
    hub.deliver(book)
    hub.allow(0, allowed=False)
    done = hub.deliver(book)
    assert (done.removed, done.counts["members"], hub.members()) == (1, 0, [])
    assert len(hub.rows("removed")) == 1


def test_hashed_forms_hold_no_value_in_clear(hub: Hub) -> None:
    hub.allow(0, 1)
    book = hub.declare({name: {**AUDIENCE, "target": name} for name in ("ads", "social")})
    for name in ("ads", "social"):
        hub.deliver(book, name)
        written = (hub.folder(name) / "members.csv").read_text(encoding="utf-8")
        assert "example.nl" not in written
        assert "Surname" not in written
    assert not (hub.folder("ads") / "removed.csv").exists()
    assert "in the place of the whole list" in (hub.folder("ads") / "delivery.json").read_text(
        encoding="utf-8"
    )


def test_what_no_source_gives_for_the_purpose_does_not_leave(hub: Hub) -> None:
    """The CRM gives e-mail for marketing, the phone number for other things."""
    hub.allow(0)
    book = hub.declare({"people": {**AUDIENCE, "target": "contacts"}})
    hub.deliver(book)
    [row] = hub.members()
    assert (row["Email"], row["Phone Number"]) == ("c0@example.nl", "")
    hub.run(
        "UPDATE golden.provenance SET source = 'erp', entity = 'customer' WHERE golden_id = :id", id=golden(0)
    )
    hub.deliver(book)
    [row] = hub.members()
    assert row["Email"] == "c0@example.nl"
    assert row["First Name"] == "", "the ERP does not give names for marketing"


def test_a_campaign_takes_the_records_of_its_own_source(hub: Hub) -> None:
    hub.allow(0, 1)
    hub.run("UPDATE golden.crosswalk SET source = 'shop', entity = 'customer' WHERE record_id = 'R1'")
    book = hub.declare({"people": {**AUDIENCE, "target": "campaign"}})
    done = hub.deliver(book)
    assert [(row["CampaignId"], row["ContactId"]) for row in hub.members()] == [("701A", "R0")]
    assert done.counts["no address for the channel"] == 1


@pytest.mark.parametrize("after", ["files", "ledger", "own file"])
def test_killed_anywhere_and_run_again_it_is_the_same(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    hub.allow(0, 1, 2)
    book = hub.declare({"people": AUDIENCE})
    real_write, real_finish = Files.write, Files.finish

    class KilledError(Exception):
        pass

    def write(self: Files, *given: Any) -> None:
        real_write(self, *given)
        if after == "files":
            raise KilledError

    def finish(self: Files, *given: Any) -> None:
        if after == "own file":
            real_finish(self, *given)
        raise KilledError

    monkeypatch.setattr(Files, "write", write)
    monkeypatch.setattr(Files, "finish", finish)
    with pytest.raises(KilledError):
        hub.deliver(book)
    monkeypatch.undo()
    hub.allow(1, allowed=False)  # in between
    done = hub.deliver(book)
    assert hub.numbers() == {0, 2}
    released = after == "own file"  # then it was released to three, and one of them is removed
    assert (done.added, done.removed, done.number) == ((0, 1, 2) if released else (2, 0, 1))
    assert hub.run("SELECT count(*) FROM activation.delivery WHERE released_at IS NULL") == [(0,)]
    assert hub.deliver(book).number == 0
    assert len(list(hub.folder().parent.iterdir())) == (2 if released else 1)


def test_a_template_of_another_form_is_told_and_nothing_is_written(hub: Hub) -> None:
    hub.allow(0)
    template = hub.settings.policies / "template.csv"
    targets = {**TARGETS, "mail": {"platform": "mailchimp", "template": "template.csv"}}
    book = hub.declare({"people": AUDIENCE}, targets=targets)
    template.write_text("CDM ID,Email Address,Last Name,First Name\n", encoding="utf-8")
    hub.deliver(book)
    assert list(hub.members()[0]) == ["CDM ID", "Email Address", "Last Name", "First Name"]
    template.write_text("CDM ID,Email,Last Name,First Name\n", encoding="utf-8")
    hub.allow(1)
    with pytest.raises(
        AudienceError, match=r"has 'Email', which the form does not know; .* lacks 'Email Address'"
    ):
        hub.deliver(book)
    assert len(hub.members()) == 1


def test_a_folder_that_cannot_be_written_to_is_told_and_nothing_counts(hub: Hub, tmp_path: Path) -> None:
    hub.allow(0)
    (tmp_path / "file").write_text("", encoding="utf-8")
    targets = {**TARGETS, "mail": {"platform": "mailchimp", "folder": str(tmp_path / "file" / "folder")}}
    book = hub.declare({"people": AUDIENCE}, targets=targets)
    with pytest.raises((LakeError, AudienceError), match="cannot be written"):
        hub.deliver(book)
    assert hub.run("SELECT count(*) FROM activation.delivery") == [(0,)]


REFUSED = [
    ({"purpose": None}, "purpose"),
    ({"purpose": " "}, "no audience leaves without a purpose"),
    ({"purpose": "marketting"}, "there is no purpose marketting. Did you mean 'marketing'?"),
    ({"channel": "pigeon"}, "nobody is addressed through pigeon for the purpose marketing"),
    ({"target": "mial"}, "there is no target mial. Did you mean 'mail'?"),
    ({"cap": -1}, "cap"),
    ({"control_group": 1.5}, "control_group"),
    ({"colour": "red"}, "colour"),
    ({"filter": {"column": "party_knd", "operator": "equals", "value": "x"}}, "Did you mean 'party_kind'?"),
    ({"filter": {"column": "party_kind", "operator": "equal", "value": "x"}}, "Did you mean 'equals'?"),
    ({"filter": {"column": "record_count", "operator": "more_than", "value": "two"}}, "is number"),
    (
        {"filter": {"column": "party_kind", "operator": "more_than", "value": "a"}},
        "does not go with party_kind",
    ),
    ({"filter": {"column": "iban", "operator": "is_filled"}}, "which the purpose marketing does not cover"),
    (
        {"filter": {"column": "country", "operator": "equals", "value": "NL"}},
        "no source gives country for marketing",
    ),
    (
        {"filter": {"column": "quality_confidence", "operator": "at_least", "value": 0.5}},
        "and not for marketing",
    ),
    ({"filter": {"consent": "analitics"}}, "there is no purpose analitics"),
    ({"filter": {"all": []}}, "no list of terms"),
    ({"filter": ["x"]}, "is no term"),
    ({"target": "mail", "channel": "phone"}, "no way to reach customers by phone"),
]


@pytest.mark.parametrize(("wrong", "told"), REFUSED)
def test_what_cannot_be_done_is_refused_with_the_fix(hub: Hub, wrong: dict[str, Any], told: str) -> None:
    audience = {name: value for name, value in {**AUDIENCE, **wrong}.items() if value is not None}
    with pytest.raises((AudienceError, PrivacyPolicyError)) as refused:
        hub.declare({"people": audience})
    assert told in str(refused.value)
    assert "audiences" in str(refused.value)


def test_two_audiences_of_one_name_are_refused(hub: Hub) -> None:
    hub.declare({"people": AUDIENCE})
    path = hub.settings.policies / "audiences.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text[text.index("  people:") :], encoding="utf-8")
    with pytest.raises(PrivacyPolicyError, match="people is given twice"):
        Book.of(hub.settings)


def test_a_form_that_changed_since_the_target_was_set_up_is_told(hub: Hub) -> None:
    targets = {**TARGETS, "mail": {"platform": "mailchimp", "form": 2}}
    with pytest.raises(PrivacyPolicyError, match="the form of Mailchimp has changed: it is version 1"):
        hub.declare({"people": AUDIENCE}, targets=targets)


FILTERS = [
    ({"column": "party_kind", "operator": "in", "value": ["person"]}, {0, 1, 2}),
    ({"column": "party_kind", "operator": "not_equals", "value": "person"}, set()),
    ({"not": {"column": "email", "operator": "contains", "value": "C1@"}}, {0, 2}),
    ({"column": "email", "operator": "starts_with", "value": "c2"}, {2}),
    ({"column": "email", "operator": "contains", "value": "%"}, set()),
    ({"column": "email", "operator": "equals", "value": "x' OR '1'='1"}, set()),
    ({"column": "record_count", "operator": "between", "value": [1, 2]}, {0, 1, 2}),
    ({"column": "first_seen", "operator": "at_most", "value": dt.date(2026, 1, 1)}, {0, 1, 2}),
    ({"column": "first_seen", "operator": "in_the_last_days", "value": 1}, set()),
    ({"column": "surname", "operator": "is_empty"}, set()),
    ({"any": [{"column": "email", "operator": "starts_with", "value": one} for one in ("c0", "c1")]}, {0, 1}),
    ({"consent": "analytics"}, {0, 2}),
    ({"consent": "analytics", "allowed": False}, {1}),
    ({"consent": "marketing", "channel": "email"}, {0, 1, 2}),
    ({"consent": "marketing", "channel": "phone"}, set()),
]


@pytest.mark.parametrize(("said", "expected"), FILTERS)
def test_a_filter_finds_whom_it_says(hub: Hub, said: dict[str, Any], expected: set[int]) -> None:
    hub.allow(0, 1, 2)
    hub.allow(1, allowed=False, channel="", purpose="analytics", state="objected")
    book = hub.declare({"people": {**AUDIENCE, "filter": said}})
    done = hub.deliver(book)
    assert (hub.numbers() if done.number else set()) == expected
