"""A log of decisions that an earlier release wrote comes into its present form: same effect, nothing whitewashed."""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, create_engine, make_url, text

from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.hub import migrate as migrations
from cdm_pipelines.hub.connection import DRIVER
from cdm_pipelines.hub.migrate import migrate
from cdm_pipelines.identity.chain import Head
from cdm_pipelines.identity.decisions import Kind, Record
from cdm_pipelines.identity.effective import effective
from cdm_pipelines.identity.entries import OF_PERSON, Part
from cdm_pipelines.steps.stewardship import decisions
from cdm_pipelines.steps.stewardship.erasure import erase_details

A, B, C = (["crm", "contact", f"record-{name}"] for name in "abc")
PHONE, FORMER_PHONE = "+31101234567", "+31107654321"
Row = dict[str, Any]


OFFICER = Actor("Guus", Role.PRIVACY_OFFICER)


def digest_of(value: str) -> str:
    """What releases before told a source's value by: anybody can make it."""
    return sha256(value.encode()).hexdigest()[:16]


SUBJECTS: list[tuple[str, dict[str, Any], int | None]] = [
    ("same", {"left": [A], "right": [B]}, None),
    ("different", {"left": [A, B], "right": [C]}, None),
    (
        "set",
        {
            "record": A,
            "attribute": "phone",
            "value": PHONE,
            "expires": None,
            "overruled": [[*A, digest_of(FORMER_PHONE)], [*B, None]],
        },
        None,
    ),
    ("same", {"left": [B], "right": [C]}, None),
    ("confirm", {"records": [A, B]}, None),
    ("undo", {}, 5),
]


def former_log() -> list[Row]:
    """A log as releases before wrote it."""
    rows: list[Row] = []
    for number, (kind, subject, undoes) in enumerate(SUBJECTS, start=1):
        row: Row = {
            "decision_id": number,
            "decided_at": f"2026-06-01T12:00:00.{number:06d}Z",
            "decided_by": "Stien",
            "kind": kind,
            "subject": subject,
            "reason": 'because é "quoted"',
            "undoes": undoes,
            "previous_hash": rows[-1]["hash"] if rows else "0" * 64,
        }
        content = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        rows.append({**row, "hash": sha256(content.encode()).hexdigest()})
    return rows


FORMER = former_log()
FORMER_HEAD = Head(len(FORMER), FORMER[-1]["hash"])


@pytest.fixture
def former(new_database: Callable[..., str]) -> Iterator[Engine]:
    """A hub of the version before, with a log."""
    engine = create_engine(make_url(new_database()).set(drivername=DRIVER))
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {migrations.VERSION_SCHEMA}"))
        command.upgrade(migrations._config(connection), "0005")  # noqa: SLF001 - no command of ours stops half way
        for row in FORMER:
            insert(connection, row)
    yield engine
    engine.dispose()


def insert(connection: Connection, row: Mapping[str, Any]) -> None:
    columns = ", ".join(f":{name}" for name in row)
    connection.execute(
        text(f"INSERT INTO identity.decision VALUES ({columns})"),
        {**row, "subject": json.dumps(row["subject"])},
    )
    connection.execute(text("INSERT INTO identity.decision_head VALUES (:decision_id, :hash)"), row)


def verified(engine: Engine, *noted: Head) -> list[str]:
    with engine.connect() as connection:
        return [fault.text for fault in decisions.verify_log(connection, noted).faults]


def tamper(engine: Engine, statements: str) -> None:
    with engine.begin() as connection:
        for table in ("decision", "decision_head"):
            connection.execute(text(f"ALTER TABLE identity.{table} DISABLE TRIGGER USER"))
        for statement in statements.split(";"):
            connection.execute(text(statement))


def test_entries_keep_number_order_time_words_and_effect(former: Engine) -> None:
    migrate(former)
    with former.connect() as connection:
        log = decisions.read_log(connection)
    assert [(d.decision_id, str(d.kind), d.undoes) for d in log[:-1]] == [
        (number, kind, undoes) for number, (kind, _, undoes) in enumerate(SUBJECTS, start=1)
    ]
    assert [d.decided_at.astimezone(dt.UTC).microsecond for d in log[:-1]] == [1, 2, 3, 4, 5, 6]
    assert {(d.decided_by, d.reason) for d in log[:-1]} == {("Stien", 'because é "quoted"')}
    assert log[0].subject == SUBJECTS[0][1]
    assert log[1].subject == SUBJECTS[1][1]
    assert log[4].subject == SUBJECTS[4][1]
    assert (log[2].attribute, log[2].value, log[2].expires) == ("phone", PHONE, None)
    found = effective(log)
    assert [str(found.states[number]) for number in range(1, 7)] == [
        "effective",
        "effective",
        "effective",
        "conflict",
        "undone",
        "effective",
    ]
    assert found.conflicts[0].clash.decisions == (2,)
    assert (log[-1].kind, log[-1].decision_id) == (Kind.MIGRATED, 7)
    assert verified(former) == []


def test_what_a_source_said_is_still_told_from_news_but_by_a_salted_fingerprint(former: Engine) -> None:
    migrate(former)
    with former.connect() as connection:
        decision = decisions.read_log(connection)[2]
        query = "SELECT string_agg(content, ' ') FROM identity.decision_detail"
        assert digest_of(FORMER_PHONE) not in str(connection.scalar(text(query)))
    told = dict(decision.overruled)
    assert told[Record(*A)] == decision.fingerprint(FORMER_PHONE) != decision.fingerprint(PHONE)
    assert told[Record(*B)] is None


def test_the_log_goes_on_and_a_former_head_noted_elsewhere_still_proves_it(former: Engine) -> None:
    migrate(former)
    with former.connect() as connection:
        [noted] = {decisions.verify_log(connection).head}
    with former.begin() as connection:
        decisions.undo(connection, 2, Actor("Stien", Role.STEWARD))
    assert verified(former, FORMER_HEAD, noted) == []
    assert verified(former, Head(6, "1" * 64)) != []
    (told,) = verified(former, Head(3, FORMER[2]["hash"]))
    assert "of heads from before decision 7, which gave the log another form, only the last is known" in told


def test_no_hash_of_former_entries_is_left_once_anything_of_them_is_erased(former: Engine) -> None:
    """Such a hash is a digest without salt: with all else known it would confirm a guess."""
    migrate(former)
    with former.begin() as connection:
        erase_details(connection, [3], OF_PERSON, OFFICER)
    with former.connect() as connection:
        for table in ("decision", "decision_head", "decision_detail"):
            content = str(
                connection.scalars(text(f"SELECT to_jsonb(t)::text FROM identity.{table} AS t")).all()
            )
            assert not [row["hash"] for row in FORMER if row["hash"] in content]
        erased = decisions.verify_log(connection).erased
    assert [(one.decision_id, one.parts) for one in erased] == [
        (3, ("reason", "value", "record")),
        (7, (str(Part.FORMER),)),
    ]
    assert verified(former) == []


def test_erasing_what_came_after_leaves_the_former_head(former: Engine) -> None:
    migrate(former)
    with former.begin() as connection:
        decisions.undo(connection, 2, Actor("Stien", Role.STEWARD))
    with former.begin() as connection:
        erase_details(connection, [8], {Part.AUTHOR}, OFFICER)
    assert verified(former, FORMER_HEAD) == []


BROKEN: list[tuple[str, str, Sequence[str]]] = [
    (
        "edited",
        "UPDATE identity.decision SET decided_by = 'Guus' WHERE decision_id = 2",
        ["decision 2 was edited or moved, before decision 7 gave the log its present form"],
    ),
    (
        "removed",
        "DELETE FROM identity.decision WHERE decision_id = 2",
        ["decision 2 was removed, before decision 7 gave the log its present form"],
    ),
    (
        "cut off",
        "DELETE FROM identity.decision WHERE decision_id >= 5",
        [f"decision {n} was removed, before decision 7 gave the log its present form" for n in (5, 6)],
    ),
    (
        "all removed",
        "DELETE FROM identity.decision",
        [f"decision {n} was removed, before decision 7 gave the log its present form" for n in range(1, 7)],
    ),
    (
        "broken beyond reading",
        "UPDATE identity.decision SET subject = '[]' WHERE decision_id = 1",
        ["decision 1 was edited or moved, before decision 7 gave the log its present form"],
    ),
]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case[0])
def test_a_log_that_was_tampered_with_stays_told(
    case: tuple[str, str, Sequence[str]], former: Engine
) -> None:
    _, statements, expected = case
    tamper(former, statements)
    migrate(former)
    assert verified(former) == list(expected)
    with former.connect() as connection:
        log = decisions.read_log(connection)
    if len(log) > 1:
        with former.begin() as connection:
            decisions.undo(connection, log[-2].decision_id, Actor("Stien", Role.STEWARD))
    assert verified(former) == list(expected), "what comes after does not cover it"


def test_the_former_tables_and_their_bytes_are_gone(former: Engine) -> None:
    values = [PHONE, digest_of(FORMER_PHONE), *(row["hash"] for row in FORMER[:-1])]
    migrate(former)
    with former.begin() as connection:
        numbers = [row["decision_id"] for row in FORMER]
        erase_details(connection, numbers, set(Part), OFFICER)
    with former.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("CHECKPOINT"))
        query = "SELECT 'base/' || oid FROM pg_database WHERE datname = current_database()"
        folder = str(connection.scalar(text(query)))
        names = connection.scalars(text("SELECT pg_ls_dir(:folder)"), {"folder": folder}).all()
        read = text("SELECT pg_read_binary_file(:path, 0, 100000000, true)")
        contents = [connection.scalar(read, {"path": f"{folder}/{name}"}) or b"" for name in names]
    for value in (*values, FORMER[-1]["hash"], "Stien", *(record[2] for record in (A, B, C))):
        assert not any(value.encode() in content for content in contents), value


def test_a_hub_without_decisions_gets_none(new_database: Callable[..., str]) -> None:
    engine = create_engine(make_url(new_database()).set(drivername=DRIVER))
    migrate(engine)
    with engine.connect() as connection:
        assert decisions.verify_log(connection).head == Head()
    engine.dispose()
