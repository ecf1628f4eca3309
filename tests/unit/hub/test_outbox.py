"""The outbox: one event for every change of a customer, none for anything else, and no value in any of them."""

import re
import uuid
from collections.abc import Mapping
from hashlib import sha256

import hub_examples as examples
import psycopg
import pytest
from hub_examples import promote
from sqlalchemy import Engine, text

from cdm_pipelines.hub import feed
from cdm_pipelines.hub.feed import Entry
from cdm_pipelines.hub.outbox import CHANNEL, RECORDS


def told(engine: Engine) -> list[Entry]:
    with engine.connect() as connection:
        return feed.entries(connection, 0, 1000)


def since(engine: Engine, before: list[Entry]) -> list[Entry]:
    return told(engine)[len(before) :]


def happened(engine: Engine) -> list[tuple[str, str | None]]:
    query = "SELECT event, related_id, publication_id FROM identity.event ORDER BY publication_id, golden_id"
    with engine.connect() as connection:
        return [(row.event, row.related_id) for row in connection.execute(text(query))]


def golden_ids(engine: Engine) -> dict[str, uuid.UUID]:
    query = "SELECT coalesce(surname, organisation_name), golden_id FROM golden.customer"
    with engine.connect() as connection:
        return dict(connection.execute(text(query)).tuples().all())


def test_the_first_publication_tells_of_every_customer(hub_engine: Engine) -> None:
    number = examples.published(hub_engine).publication_id
    entries = told(hub_engine)
    assert {entry.golden_id for entry in entries} == set(golden_ids(hub_engine).values())
    assert {(e.type, e.publication_id, e.changes) for e in entries} == {("customer.created", number, None)}
    assert happened(hub_engine) == [("created", None)] * 3


def test_nothing_is_told_of_a_rerun_or_of_a_step_that_is_repeated(hub_engine: Engine) -> None:
    token = examples.staged(hub_engine).token
    promote(hub_engine, token)
    before = told(hub_engine)
    promote(hub_engine, token)
    examples.published(hub_engine)
    assert told(hub_engine) == before
    assert len(happened(hub_engine)) == 3


def test_a_change_names_its_attributes_and_holds_no_value(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    before = told(hub_engine)
    examples.published(hub_engine, examples.changed("003A", city="Gouda", birth_date=None, language="nl"))
    (entry,) = since(hub_engine, before)
    assert (entry.type, entry.golden_id) == ("customer.changed", golden_ids(hub_engine)["Berg"])
    assert entry.changes is not None
    assert set(entry.changes) == {"city", "birth_date", "language"}
    shape = [[bool(value) for value in entry.changes[name]] for name in ("city", "birth_date", "language")]
    assert shape == [[True, True], [True, False], [False, True]]
    with hub_engine.connect() as connection:
        everything = str(connection.execute(text("SELECT array_agg(o::text) FROM ops.outbox AS o")).scalar())
    assert not re.search("Berg|Gouda|Delft|anna|1980", everything)


def test_fingerprints_tell_a_value_that_comes_back_and_nothing_else(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    before = told(hub_engine)
    for city in ("Gouda", "Delft"):
        examples.published(hub_engine, [{**row, "city": city, "street": city} for row in examples.PEOPLE])
    examples.published(hub_engine)
    changes: dict[uuid.UUID, list[Mapping[str, tuple[str | None, str | None]]]] = {}
    for entry in since(hub_engine, before):
        assert entry.changes is not None
        changes.setdefault(entry.golden_id, []).append(entry.changes)
    anna = changes[golden_ids(hub_engine)["Berg"]]
    assert [set(change) for change in anna] == [{"city", "street"}, {"city", "street"}, {"street"}]
    assert anna[0]["city"] == anna[1]["city"][::-1]
    assert anna[0]["city"][1] != anna[0]["street"][1], "the same value of another attribute"
    others = [
        change["city"][1]
        for golden, (change, *_) in changes.items()
        if golden != golden_ids(hub_engine)["Berg"]
    ]
    assert anna[0]["city"][1] not in others, "the same value of another customer"
    unsalted = sha256(f"{golden_ids(hub_engine)['Berg']}/city/Gouda".encode()).hexdigest()[:16]
    assert anna[0]["city"][1] != unsalted, "a value that can be guessed"


def test_records_that_join_leave_or_end_are_a_change(hub_engine: Engine) -> None:
    more = {"source": "shop", "entity": "customer", "record_id": "99", "cluster": "anna", "surname": "Berg"}
    steps = [
        [*examples.PEOPLE, more],
        [*examples.PEOPLE, {**more, "active": False}],
        examples.PEOPLE,
    ]
    examples.published(hub_engine)
    before = told(hub_engine)
    for people in steps:
        examples.published(hub_engine, people)
    entries = since(hub_engine, before)
    assert [(e.type, list(e.changes or {})) for e in entries] == [("customer.changed", [RECORDS])] * 3
    assert {e.golden_id for e in entries} == {golden_ids(hub_engine)["Berg"]}
    prints = [(e.changes or {})[RECORDS] for e in entries]
    assert prints[0][0] == prints[2][1]
    assert prints[1][0] == prints[0][1]


def test_days_on_which_a_customer_was_seen_are_no_change(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    before = told(hub_engine)
    later = [{**row, "last_seen": "2026-06-02", "extract_date": "2026-06-02"} for row in examples.PEOPLE]
    assert examples.published(hub_engine, later).changes["customer"].updated == 3
    assert since(hub_engine, before) == []


def test_merge_split_restoration_and_retirement(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    ids = golden_ids(hub_engine)

    def step(people: list[examples.Row]) -> list[tuple[str, uuid.UUID, uuid.UUID | None]]:
        before = told(hub_engine)
        examples.published(hub_engine, people)
        return [
            (e.type.removeprefix("customer."), e.golden_id, e.related_id) for e in since(hub_engine, before)
        ]

    people = examples.PEOPLE
    together = [{**row, "cluster": "one" if row["entity"] != "account" else "acme"} for row in people]
    gone, kept = sorted(
        (ids["Berg"], ids["Jansen"]), key=lambda i: i != golden_ids_after_merge(hub_engine, together)
    )[::-1]
    assert step(together) == [("merged", gone, kept), ("changed", kept, None)]
    assert step(list(people)) == [("restored", gone, None), ("changed", kept, None)]
    apart = examples.changed("78", cluster="alone")
    assert [(event, related) for event, _, related in step(apart)] == [
        ("split", ids["Jansen"]),
        ("changed", None),
    ]
    without = [row for row in people if row["source"] != "erp"]
    assert sorted(event for event, _, _ in step(without)) == ["retired", "retired"]


def golden_ids_after_merge(engine: Engine, people: list[examples.Row]) -> uuid.UUID:
    table = examples.version(engine, people)["crosswalk"]
    return uuid.UUID(table["golden_id"][0].as_py())


def test_ids_of_events_can_be_made_again_by_anybody(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    examples.published(hub_engine, examples.changed("003A", city="Gouda"))
    with hub_engine.connect() as connection:
        hub = feed.hub_id(connection)
        kept = dict(connection.execute(text("SELECT golden_id, event_id FROM identity.event")).tuples().all())
    entries = told(hub_engine)
    for entry in entries:
        name = hub.bytes + entry.publication_id.to_bytes(8) + entry.golden_id.bytes
        made = bytearray(sha256(name + entry.type.removeprefix("customer.").encode()).digest()[:16])
        made[6], made[8] = 0x80, 0x80
        assert entry.event_id == uuid.UUID(bytes=bytes(made))
        assert (entry.event_id.version, entry.event_id.variant) == (8, uuid.RFC_4122)
    assert {e.golden_id: e.event_id for e in entries[:3]} == kept
    assert len({entry.event_id for entry in entries}) == 4


def test_an_undone_publication_is_told_to_nobody(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    before = told(hub_engine)
    examples.staged(hub_engine, examples.changed("003A", city="Gouda"))
    with hub_engine.begin() as connection:
        connection.execute(
            text("ALTER TABLE ops.outbox ADD CONSTRAINT no_more CHECK (publication_id < 2) NOT VALID")
        )
    with pytest.raises(Exception, match="publishing failed"):
        promote(hub_engine)
    assert told(hub_engine) == before
    with hub_engine.begin() as connection:
        connection.execute(text("ALTER TABLE ops.outbox DROP CONSTRAINT no_more"))
    promote(hub_engine)
    (entry,) = since(hub_engine, before)
    assert entry.position > before[-1].position


def test_whoever_listens_is_woken_with_the_last_position(hub_engine: Engine) -> None:
    url = hub_engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        examples.published(hub_engine)
        examples.published(hub_engine)
        examples.published(hub_engine, examples.changed("003A", city="Gouda"))
        heard = [int(notice.payload) for notice in listener.notifies(timeout=5, stop_after=2)]
        heard += [int(notice.payload) for notice in listener.notifies(timeout=0)]
    positions = [entry.position for entry in told(hub_engine)]
    assert heard == [positions[2], positions[3]]
