"""Erasing from the log of decisions: on record, to the last byte, and told apart from tampering."""

import datetime as dt
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import committed
import pytest
from sqlalchemy import Connection, Engine, text

from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.identity import decisions as subjects
from cdm_pipelines.identity.chain import Verdict
from cdm_pipelines.identity.decisions import DecisionError, Draft, Kind, Record
from cdm_pipelines.identity.effective import State, effective
from cdm_pipelines.identity.entries import OF_PERSON, Part
from cdm_pipelines.steps.stewardship import decisions
from cdm_pipelines.steps.stewardship.erasure import decisions_naming, erase_details

STEWARD = Actor("Stien", Role.STEWARD)
BORN, AUTHOR, REASON = "1987-04-23", "Stien Zonneveld", "her brother, Piet Puk, rang"


OFFICER = Actor("Guus Geluk", Role.PRIVACY_OFFICER)


def record(name: str) -> Record:
    return Record("crm", "contact", f"customer-{name}-of-crm")


A, B, C, D = map(record, "abcd")
DECIDED = [
    (Kind.SAME, subjects.same(A, B)),
    (Kind.DIFFERENT, subjects.different([A], [C, D])),
    (Kind.SET, subjects.set_value(A, "birth_date", BORN, None, {A: "1987-04-01", B: None})),
    (Kind.CONFIRM, subjects.confirm([C, D])),
]


@pytest.fixture
def hub(hub_engine: Engine) -> Engine:
    """A hub with four decisions, and an undo of the last."""
    with hub_engine.begin() as connection:
        for kind, subject in DECIDED:
            decisions.append(connection, Draft(kind, subject, AUTHOR, REASON))
        decisions.append(connection, Draft(Kind.UNDO, {}, AUTHOR, undoes=4))
    return hub_engine


def verified(engine: Engine) -> Verdict:
    with engine.connect() as connection:
        return decisions.verify_log(connection)


def erase(engine: Engine, numbers: list[int], parts: frozenset[Part] | set[Part], *records: Record) -> int:
    with engine.begin() as connection:
        entry = erase_details(
            connection, numbers, parts, OFFICER, records=records or None, reason="request 7"
        )
    assert entry is not None
    return entry.decision_id


def states(engine: Engine) -> dict[int, State]:
    with engine.connect() as connection:
        return dict(effective(decisions.read_log(connection)).states)


def files(connection: Connection) -> Iterator[bytes]:
    """Every file of the database, as it is on disk: tables, indexes, statistics, what is dead in them."""
    connection.execute(text("CHECKPOINT"))
    folder = connection.scalar(
        text("SELECT 'base/' || oid FROM pg_database WHERE datname = current_database()")
    )
    for name in connection.scalars(text("SELECT pg_ls_dir(:folder)"), {"folder": folder}).all():
        content = connection.scalar(
            text("SELECT pg_read_binary_file(:path, 0, 100000000, true)"), {"path": f"{folder}/{name}"}
        )
        yield content or b""


def told(engine: Engine, *values: str) -> list[str]:
    """Which of some values are in any file of the database."""
    with engine.connect() as connection:
        contents = list(files(connection))
    return [value for value in values if any(value.encode() in content for content in contents)]


def test_erasing_author_and_reason_leaves_effect_and_chain(hub: Engine) -> None:
    before = states(hub)
    with hub.connect() as connection:
        told_linkage = committed.constraints(hub).fingerprint
    number = erase(hub, [1, 2, 3, 4, 5], {Part.AUTHOR, Part.REASON})
    assert states(hub) == before | {number: State.EFFECTIVE}
    assert committed.constraints(hub).fingerprint == told_linkage
    found = verified(hub)
    assert found.faults == []
    today = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    assert found.erased[0].text == (
        f"author and reason of decision 1, by decision {number} on {today} (privacy officer)"
    )
    assert len(found.erased) == 5
    log = [logged.decision for logged in committed.logged(hub)]
    assert [(entry.decided_by, entry.reason) for entry in log[:2]] == [(None, None)] * 2
    assert (log[-1].decided_by, log[-1].kind) == ("Guus Geluk", Kind.ERASE)
    with hub.connect() as connection:
        assert decisions_naming(connection, [B]) == [1, 3]


def test_erasing_a_person_ends_what_was_decided_about_it_and_spares_others(hub: Engine) -> None:
    with hub.connect() as connection:
        numbers = decisions_naming(connection, [C])
    assert numbers == [2, 4]
    erase(hub, numbers, OF_PERSON, C)
    assert verified(hub).faults == []
    with hub.connect() as connection:
        assert decisions_naming(connection, [C]) == []
        left = {decision.decision_id: decision for decision in decisions.read_log(connection)}
    assert (left[2].left, left[2].right) == ((A,), (D,)), "the other two stay apart"
    assert left[2].decided_by == AUTHOR
    assert told(hub, C.record_id) == []
    erase(hub, [1, 2, 3], OF_PERSON, A)
    assert states(hub) == {
        1: State.ERASED,
        2: State.ERASED,
        3: State.ERASED,
        4: State.UNDONE,
        **dict.fromkeys((5, 6, 7), State.EFFECTIVE),
    }
    assert committed.constraints(hub).counts == {"same": 0, "different": 0, "confirmed": 0}
    assert told(hub, A.record_id, C.record_id, BORN, "Piet Puk") == []
    assert told(hub, D.record_id) == [D.record_id]


def test_decisions_that_do_not_name_the_person_are_left(hub: Engine) -> None:
    erase(hub, [1, 2, 3, 4], OF_PERSON, B)
    erased = {erasure.decision_id: erasure.parts for erasure in verified(hub).erased}
    assert erased == {1: ("reason", "record"), 3: ("reason", "record")}
    assert states(hub)[3] is State.EFFECTIVE, "the value was set for another record, and stays"


def test_nothing_of_what_was_erased_is_left_on_disk(hub: Engine) -> None:
    secrets = [BORN, AUTHOR, "Piet Puk", *(one.record_id for one in (A, B, C, D))]
    with hub.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM ANALYZE identity.decision_detail"))
        sampled = (
            "SELECT attname FROM pg_stats WHERE tablename = 'decision_detail' AND schemaname = 'identity'"
        )
        assert set(connection.scalars(text(sampled))) == {"decision_id", "place"}, (
            "the planner keeps no value"
        )
        salts = connection.scalars(text("SELECT salt FROM identity.decision_detail")).all()
    assert told(hub, *secrets) == secrets
    erase(hub, [1, 2, 3, 4, 5], set(Part))
    assert told(hub, *secrets) == []
    with hub.connect() as connection:
        contents = list(files(connection))
    assert not any(bytes(salt) in content for salt in salts for content in contents)
    assert verified(hub).faults == []


def test_deleting_details_by_hand_is_tampering_and_leaves_bytes(hub: Engine) -> None:
    tamper(hub, "DELETE FROM identity.decision_detail WHERE decision_id = 3")
    found = verified(hub)
    assert {fault.decision_id for fault in found.faults} == {3}
    assert "the value of decision 3 was removed, and no erasure is on record" in [
        f.text for f in found.faults
    ]
    assert found.erased == []


def test_an_erasure_does_not_hide_what_was_tampered_with_before(hub: Engine) -> None:
    tamper(
        hub,
        "UPDATE identity.decision_detail SET content = '\"Guus\"' WHERE decision_id = 1 AND place = 0;"
        "DELETE FROM identity.decision_detail WHERE decision_id = 2 AND place = 0",
    )
    number = erase(hub, [1, 2], {Part.AUTHOR})
    assert [fault.text for fault in verified(hub).faults] == [
        f"decision 1 had been altered before decision {number} erased part of it",
        "the author of decision 2 was removed, and no erasure is on record",
    ]


def test_what_comes_back_after_it_was_erased_is_told(hub: Engine) -> None:
    with hub.connect() as connection:
        row = (
            connection.execute(text("SELECT * FROM identity.decision_detail WHERE place = 0 LIMIT 1"))
            .mappings()
            .one()
        )
    number = erase(hub, [1], {Part.AUTHOR})
    with hub.begin() as connection:
        connection.execute(
            text("INSERT INTO identity.decision_detail VALUES (:decision_id, :place, :salt, :content)"),
            dict(row),
        )
    assert [fault.text for fault in verified(hub).faults] == [
        f"the author of decision 1 is there again, after decision {number} erased it"
    ]


def test_erasing_again_writes_nothing_and_the_name_of_who_erased_can_be_erased(hub: Engine) -> None:
    number = erase(hub, [1], {Part.AUTHOR})
    with hub.begin() as connection:
        assert erase_details(connection, [1], {Part.AUTHOR}, OFFICER) is None
    assert len(states(hub)) == number
    erase(hub, [number], {Part.AUTHOR})
    assert verified(hub).faults == []
    assert [erasure.role for erasure in verified(hub).erased] == ["privacy officer"] * 2


def test_what_cannot_be_erased_is_refused_and_nothing_is_written(hub: Engine) -> None:
    with pytest.raises(DecisionError, match="There is no decision 9"), hub.begin() as connection:
        erase_details(connection, [1, 9], {Part.AUTHOR}, OFFICER)
    assert len(states(hub)) == 5


def test_an_erasure_is_whole_or_not_at_all(hub: Engine) -> None:
    with hub.connect() as connection:
        erase_details(connection, [1], set(Part), OFFICER)
        connection.rollback()
    assert verified(hub).faults == []
    assert verified(hub).erased == []
    assert told(hub, AUTHOR) == [AUTHOR]


def test_who_verifies_while_others_erase_sees_no_fault(hub: Engine) -> None:
    found: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            found.extend(fault.text for fault in verified(hub).faults)

    watchers = [threading.Thread(target=watch) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    for number in (1, 2, 3, 4, 5):
        for part in (Part.AUTHOR, Part.REASON):
            erase(hub, [number], {part})
    done.set()
    for watcher in watchers:
        watcher.join()
    assert found == []
    assert len(verified(hub).erased) == 10


def test_erasures_and_what_was_erased_are_not_undone(hub: Engine) -> None:
    number = erase(hub, [1], OF_PERSON)
    for refused in (1, number):
        with pytest.raises(DecisionError, match="what was erased does not come back"):
            committed.undo(hub, refused, STEWARD)
    committed.undo(hub, 2, STEWARD)
    assert verified(hub).faults == []


def test_a_failed_erasure_tells_no_value(hub: Engine) -> None:
    with hub.begin() as connection:
        connection.execute(text("ALTER TABLE identity.decision_head ADD CHECK (decision_id < 6)"))
    with pytest.raises(HubError) as failed, hub.begin() as connection:
        erase_details(connection, [1], set(Part), OFFICER, reason=REASON)
    assert "Puk" not in str(failed.value)
    assert verified(hub).faults == []


@contextmanager
def behind_the_triggers(engine: Engine) -> Iterator[Connection]:
    tables = ("decision", "decision_head", "decision_detail")
    with engine.begin() as connection:
        for table in tables:
            connection.execute(text(f"ALTER TABLE identity.{table} DISABLE TRIGGER USER"))
        yield connection
        for table in tables:
            connection.execute(text(f"ALTER TABLE identity.{table} ENABLE TRIGGER USER"))


def tamper(engine: Engine, statements: str) -> None:
    with behind_the_triggers(engine) as connection:
        for statement in statements.split(";"):
            connection.execute(text(statement))


OTHER_VALUES = {
    ("decision", "decision_id"): "99",
    ("decision", "decided_at"): "decided_at - interval '1 us'",
    ("decision", "kind"): "'different'",
    ("decision", "undoes"): "1",
    ("decision", "about"): """'{"erased": [[1, [0, 1, 2, 3]]]}'""",
    ("decision", "parts"): "array_replace(parts, 'author', 'reason')",
    ("decision", "seals"): "seals || repeat('0', 64)",
    ("decision", "previous_hash"): "repeat('1', 64)",
    ("decision", "hash"): "repeat('1', 64)",
    ("decision_head", "decision_id"): "99",
    ("decision_head", "hash"): "repeat('1', 64)",
    ("decision_detail", "decision_id"): "99",
    ("decision_detail", "place"): "99 + place",
    ("decision_detail", "salt"): "convert_to('salt', 'UTF8')",
    ("decision_detail", "content"): "'\"Guus\"'",
}


def test_every_column_is_tampered_with(hub: Engine) -> None:
    with hub.connect() as connection:
        query = (
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_name LIKE 'decision%'"
        )
        assert set(OTHER_VALUES) == {tuple(row) for row in connection.execute(text(query))}


@pytest.mark.parametrize("case", OTHER_VALUES, ids=".".join)
def test_an_edit_of_any_column_is_found(case: tuple[str, str], hub: Engine) -> None:
    table, column = case
    tamper(hub, f"UPDATE identity.{table} SET {column} = {OTHER_VALUES[case]} WHERE decision_id = 1")
    found = verified(hub)
    assert 1 in {fault.decision_id for fault in found.faults} or "99" in OTHER_VALUES[case]
    assert found.faults
    assert found.erased == []


OTHER_ROWS: list[tuple[str, str, set[int]]] = [
    ("an entry removed", "DELETE FROM identity.decision WHERE decision_id = 2", {2}),
    ("the last entry removed", "DELETE FROM identity.decision WHERE decision_id = 5", {5}),
    (
        "entries exchanged",
        """UPDATE identity.decision SET decision_id = -decision_id WHERE decision_id IN (2, 3);
           UPDATE identity.decision SET decision_id = 5 + decision_id WHERE decision_id < 0""",
        {2, 3},
    ),
    (
        "an entry added",
        """INSERT INTO identity.decision SELECT 6, decided_at, kind, undoes, about, parts, seals, previous_hash, hash
           FROM identity.decision WHERE decision_id = 5""",
        {6},
    ),
    (
        "heads removed, then an entry",
        """DELETE FROM identity.decision_head WHERE decision_id > 3;
           DELETE FROM identity.decision WHERE decision_id = 3""",
        {3},
    ),
    ("a head added", "INSERT INTO identity.decision_head VALUES (6, repeat('1', 64))", {6}),
    ("a detail removed", "DELETE FROM identity.decision_detail WHERE decision_id = 4 AND place = 2", {4}),
    ("all details removed", "TRUNCATE identity.decision_detail", {1, 2, 3, 4, 5}),
    ("a detail added", "INSERT INTO identity.decision_detail VALUES (5, 2, '', '\"\"')", {5}),
    (
        "details exchanged between entries",
        """UPDATE identity.decision_detail SET decision_id = -decision_id WHERE decision_id IN (1, 2) AND place = 0;
           UPDATE identity.decision_detail SET decision_id = 3 + decision_id WHERE decision_id < 0""",
        {1, 2},
    ),
    (
        "details exchanged within an entry",
        """UPDATE identity.decision_detail SET place = -place WHERE decision_id = 2 AND place IN (3, 4);
           UPDATE identity.decision_detail SET place = 7 + place WHERE place < 0""",
        {2},
    ),
]


@pytest.mark.parametrize("case", OTHER_ROWS, ids=lambda case: case[0])
def test_rows_that_are_added_removed_or_exchanged_are_found(
    case: tuple[str, str, set[int]], hub: Engine
) -> None:
    _, statements, expected = case
    assert verified(hub).faults == []
    tamper(hub, statements)
    assert {fault.decision_id for fault in verified(hub).faults} == expected


def test_a_log_that_cannot_be_read_any_more_is_told_to_people(hub: Engine) -> None:
    tamper(hub, "UPDATE identity.decision SET kind = 'whatever' WHERE decision_id = 1")
    with pytest.raises(DecisionError, match="cdm steward verify"):
        states(hub)
    assert {fault.decision_id for fault in verified(hub).faults} == {1}


def test_the_log_itself_holds_no_value(hub: Engine) -> None:
    with hub.connect() as connection:
        query = """SELECT to_jsonb(d)::text FROM identity.decision AS d
                   UNION ALL SELECT to_jsonb(h)::text FROM identity.decision_head AS h"""
        content = "\n".join(connection.scalars(text(query)))
    for value in (BORN, "birth_date", AUTHOR, "Piet", A.record_id, json.dumps(A.source)):
        assert value not in content
