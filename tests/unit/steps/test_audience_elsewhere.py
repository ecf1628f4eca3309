"""An audience that goes elsewhere: the new place is given everybody, the former one is told to let go of everybody."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audience_hub import AUDIENCE, TARGETS, Hub, golden, hub_of
from receiver import Receiver, receiving
from sqlalchemy import Engine
from test_audience_aftermath import erased

from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.activation.audience_book import Book
from cdm_pipelines.steps.activation.delivery_files import Files


@pytest.fixture
def hub(settings: Settings, hub_engine: Engine) -> Hub:
    made = hub_of(settings, hub_engine, 5)
    made.allow(0, 1, 2)
    return made


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving(monkeypatch) as started:
        yield started


def going_to(hub: Hub, target: dict[str, Any], *others: dict[str, Any], **policy: Any) -> Book:
    """The audience with a target; others are declared beside it."""
    targets = {**TARGETS, "own": target} | {f"other{at}": one for at, one in enumerate(others)}
    return hub.declare({"people": {**AUDIENCE, "target": "own"}}, targets=targets, **policy)


def folder(path: Path) -> dict[str, Any]:
    return {"platform": "mailchimp", "folder": str(path)}


def read(path: Path, number: int, what: str) -> list[dict[str, str]]:
    """The rows of a file of a delivery in a folder; none where there is no such file."""
    file = path / "people" / f"{number:06}" / f"{what}.csv"
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines())) if file.exists() else []


def said(path: Path, number: int) -> dict[str, Any]:
    file = path / "people" / f"{number:06}" / "delivery.json"
    return dict(json.loads(file.read_text(encoding="utf-8")))


def test_another_folder_gets_everybody_and_the_former_one_lets_go_of_everybody(
    hub: Hub, tmp_path: Path
) -> None:
    pressure = {"most": 1, "days": 30}
    one, other = tmp_path / "one", tmp_path / "other"
    hub.deliver(going_to(hub, folder(one), pressure=pressure))
    keys = sorted(row["CDM ID"] for row in read(one, 1, "members"))
    book = going_to(hub, folder(other), pressure=pressure)
    told = hub.deliver(book, dry_run=True)
    assert (told.added, f"3 removed at {one} (mailchimp)" in told.sentence) == (3, True)
    assert not other.exists()
    done = hub.deliver(book)
    assert (done.added, done.removed, done.counts["members"], done.problem) == (3, 0, 3, "")
    assert f"3 removed at {one} (mailchimp), where it went before" in done.sentence
    assert sorted(row["CDM ID"] for row in read(other, 3, "added")) == keys
    assert len(read(other, 3, "members")) == 3
    assert sorted(row["CDM ID"] for row in read(one, 2, "removed")) == keys
    assert read(one, 2, "members") == []
    assert (said(one, 2)["removed"], said(one, 2)["members"], said(other, 3)["added"]) == (3, 0, 3)
    assert hub.deliver(book).number == 0
    hub.allow(0, allowed=False)
    assert hub.deliver(book).removed == 1
    assert len(read(other, 4, "removed")) == 1
    assert not (one / "people" / "000004").exists()


def test_going_elsewhere_is_no_new_contact(hub: Hub, tmp_path: Path) -> None:
    pressure = {"most": 2, "days": 30}
    audiences = {"people": {**AUDIENCE, "target": "mail"}, "second": {**AUDIENCE, "target": "mail"}}
    hub.deliver(hub.declare(audiences, pressure=pressure))
    targets = {**TARGETS, "mail": folder(tmp_path)}
    book = hub.declare(audiences, pressure=pressure, targets=targets)
    assert hub.deliver(book).added == 3
    second = hub.deliver(book, "second")
    assert (second.added, second.counts["contacted too often"]) == (3, 0)


def test_a_webhook_after_files_is_told_of_everybody(hub: Hub, receiver: Receiver, tmp_path: Path) -> None:
    hub.deliver(going_to(hub, folder(tmp_path)))
    assert hub.deliver(going_to(hub, {"platform": "webhook", "webhook": receiver.webhook})).problem == ""
    assert receiver.members == {str(golden(number)) for number in range(3)}
    assert len(read(tmp_path, 2, "removed")) == 3


def test_after_another_system_who_withdraws_is_in_neither(hub: Hub) -> None:
    """Both lie in the lake's own folder; each removes in its own form."""
    hub.deliver(going_to(hub, {"platform": "mailchimp"}))
    book = going_to(hub, {"platform": "hubspot"})
    hub.deliver(book)
    hub.allow(1, allowed=False)
    hub.deliver(book)
    lake = Path(hub.settings.lake_url) / "publish" / "audiences"
    assert [said(lake, number)["platform"] for number in (1, 2, 3, 4)] == [
        *("mailchimp", "mailchimp", "hubspot", "hubspot")
    ]
    assert len(read(lake, 2, "removed")) == 3
    assert len(read(lake, 3, "added")) == 3
    assert len(read(lake, 4, "removed")) == 1
    reasons = hub.run(
        "SELECT reason FROM activation.delivery_member WHERE golden_id = :id AND action = 'removed' "
        "ORDER BY delivery_id",
        id=golden(1),
    )
    assert reasons == [("the audience goes elsewhere now",), ("no consent",)]


def test_a_former_webhook_is_told_while_it_is_declared_and_otherwise_people_are(
    hub: Hub, receiver: Receiver, tmp_path: Path
) -> None:
    former = {"platform": "webhook", "webhook": receiver.webhook}
    hub.deliver(going_to(hub, former))
    assert len(receiver.members) == 3
    done = hub.deliver(going_to(hub, folder(tmp_path)))
    assert done.added == 3
    assert f"3 members could not be removed at {receiver.url} (webhook)" in done.problem
    assert "no target of audiences.yaml names that address" in done.problem
    erased(hub, 2)
    book = going_to(hub, folder(tmp_path), former)
    assert hub.deliver(book).problem == ""
    assert receiver.members == set()
    assert len(read(tmp_path, 5, "removed")) == 1, "who was erased leaves the new place too"
    assert hub.run("SELECT count(*) FROM activation.gone_member") == [(0,)]
    count = len(receiver.taken)
    assert (hub.deliver(book).number, len(receiver.taken)) == (0, count)


def test_a_former_folder_that_cannot_be_written_to_is_told_and_tried_again_for_a_while(
    hub: Hub, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    hub.deliver(going_to(hub, folder(one)))
    away = one.rename(tmp_path / "away")
    one.write_text("", encoding="utf-8")
    book = going_to(hub, folder(other), keep_files=10)
    done = hub.deliver(book)
    assert len(read(other, 3, "added")) == 3
    assert f"3 members could not be removed at {one} (mailchimp)" in done.problem
    assert "could not be removed" in hub.deliver(book).problem, "until it is"
    one.unlink()
    away.rename(one)
    assert hub.deliver(book).problem == ""
    assert len(read(one, 2, "removed")) == 3
    away = other.rename(tmp_path / "away")
    other.write_text("", encoding="utf-8")
    book = going_to(hub, folder(one), keep_files=10)
    assert "It is tried with each delivery" in hub.deliver(book).problem
    hub.run("UPDATE activation.delivery SET released_at = now() - interval '11 days'")
    assert "It is not tried again" in hub.deliver(book).problem
    assert hub.deliver(book).problem == ""


def test_back_where_it_was_before_that_place_was_told_who_withdrew_meanwhile_is_removed(
    hub: Hub, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    hub.deliver(going_to(hub, folder(one)))
    away = one.rename(tmp_path / "away")
    one.write_text("", encoding="utf-8")
    assert "could not be removed" in hub.deliver(going_to(hub, folder(other))).problem
    one.unlink()
    away.rename(one)
    hub.allow(1, allowed=False)
    done = hub.deliver(going_to(hub, folder(one)))
    assert (done.added, done.problem) == (2, "")
    assert len(read(one, 2, "removed")) == 3
    assert len(read(one, done.number, "added")) == 2
    assert hub.run("SELECT count(*) FROM activation.delivery WHERE taken_at IS NULL") == [(0,)]


def test_who_is_erased_before_it_goes_elsewhere_is_removed_where_they_were(hub: Hub, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    hub.deliver(going_to(hub, folder(one)))
    keys = {row["CDM ID"] for row in read(one, 1, "members")}
    erased(hub, 1)
    hub.deliver(going_to(hub, folder(other)))
    assert {row["CDM ID"] for row in read(one, 2, "removed")} == keys
    assert len(read(other, 3, "members")) == 2
    assert hub.run("SELECT count(*) FROM activation.gone_member") == [(0,)]


def test_killed_while_it_goes_elsewhere_it_does_so_once(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    hub.deliver(going_to(hub, folder(one), pressure={"most": 1, "days": 30}))
    book = going_to(hub, folder(other), pressure={"most": 1, "days": 30})
    real = Files.finish

    class KilledError(Exception):
        pass

    def before(self: Files, *given: Any) -> None:
        raise KilledError

    def after(self: Files, *given: Any) -> None:
        real(self, *given)
        raise KilledError

    monkeypatch.setattr(Files, "finish", before)
    with pytest.raises(KilledError):
        hub.deliver(book)
    monkeypatch.setattr(Files, "finish", after)
    with pytest.raises(KilledError):
        hub.deliver(book)
    monkeypatch.undo()
    assert read(one, 2, "removed") == []
    assert hub.deliver(book).number == 0
    assert len(read(one, 2, "removed")) == len(read(other, 3, "added")) == 3
    assert hub.run("SELECT number FROM activation.delivery ORDER BY 1") == [(1,), (2,), (3,)]


def test_files_of_a_former_folder_are_let_go_on_time(hub: Hub, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    hub.deliver(going_to(hub, folder(one), keep_files=10))
    book = going_to(hub, folder(other), keep_files=10)
    hub.deliver(book)
    hub.run("UPDATE activation.delivery SET released_at = now() - interval '11 days'")
    hub.deliver(book)
    assert list((one / "people").iterdir()) == []
    assert [path.name for path in (other / "people").iterdir()] == ["000003"]
