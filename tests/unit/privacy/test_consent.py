"""Effective consent: the rules one by one, and what holds of any ledger."""

import random
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cdm_pipelines.privacy.concerned import concerned
from cdm_pipelines.privacy.consent import (
    BIRTHS,
    CONTACTS,
    IN_FORCE,
    OF_NOBODY,
    RECORDS,
    STANDINGS,
    STATEMENTS,
    SUPERSEDED,
    Effective,
    effective,
)

DEFAULTS = {"marketing": False, "analytics": True}
TODAY = date(2026, 6, 3)
DAY_ONE = "2026-05-31"
FIRST = {"crm/flag": DAY_ONE}
Row = dict[str, Any]


def table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(
        [{name: row.get(name) for name in schema.names} for row in rows], schema=schema
    )


def said(state: str, at: str | None = None, number: str = "", **more: Any) -> Row:
    """A statement about party a of golden customer A, for marketing by e-mail, unless it says otherwise."""
    row = {
        "source": "crm", "entity": "flag", "purpose": "marketing", "channel": "email", "state": state,
        "stated_at": at and (at if "T" in at else f"{at}T12:00:00Z"), "first_seen": "2026-06-01",
    }  # fmt: skip
    if not {"party", "party_email", "party_phone", "token"} & set(more):
        row["party"] = "a"
    row |= more
    row["record_id"] = number or "|".join(f"{key}={value}" for key, value in sorted(row.items()))
    return row


ONE = [("A", "a", "2026-06-01")]
TWO = [("A", "a", "2026-06-01"), ("B", "b", "2026-06-01")]
MERGED = [("A", "a", "2026-06-01"), ("A", "b", "2026-06-02")]
MAILS = [("a", "email", "a@x.nl"), ("b", "email", "b@x.nl")]
SHARED = [("a", "email", "home@x.nl"), ("b", "email", "home@x.nl")]


def work_out(
    statements: Sequence[Row],
    records: Sequence[tuple[str, str, str]] = ONE,
    contacts: Sequence[tuple[str, str, str]] = MAILS,
    births: Sequence[Row] = (),
    as_of: date = TODAY,
) -> Effective:
    return effective(
        table(statements, STATEMENTS),
        table([dict(zip(RECORDS.names, one, strict=True)) for one in records], RECORDS),
        table([dict(zip(CONTACTS.names, one, strict=True)) for one in contacts], CONTACTS),
        table(births, BIRTHS),
        defaults=DEFAULTS,
        as_of=as_of,
        first_days=FIRST,
    )


def allowed(done: Effective, golden: str = "A", purpose: str = "marketing", channel: str = "email") -> bool:
    """As a consumer reads it: the row of the channel, or that of every channel, or the default."""
    rows = {(r["golden_id"], r["purpose"], r["channel"]): r["allowed"] for r in done.consent.to_pylist()}
    return bool(
        rows.get((golden, purpose, channel), rows.get((golden, purpose, ""), DEFAULTS.get(purpose, False)))
    )


def standing(done: Effective) -> list[str]:
    return done.standing["standing"].to_pylist()


NO, YES = "objected", "given"
TABLE = [
    ("nothing said, by consent", [], {}, False),
    ("given", [said(YES, "2026-01-01")], {}, True),
    ("refused", [said("refused", "2026-01-01")], {}, False),
    ("the latest counts", [said(NO, "2026-01-01"), said(YES, "2026-02-01")], {}, True),
    ("the latest counts, whatever came last", [said(YES, "2026-02-01"), said(NO, "2026-03-01")], {}, False),
    ("two at one second: the stricter", [said(YES, "2026-02-01"), said(NO, "2026-02-01")], {}, False),
    ("every channel covers a channel", [said(NO, "2026-02-01", channel=""), said(YES, "2026-01-01")], {}, False),
    ("a later yes for one channel", [said(NO, "2026-02-01", channel=""), said(YES, "2026-03-01")], {}, True),
    ("another channel", [said(YES, "2026-02-01", channel="phone")], {}, False),
    ("about the address", [said(YES, "2026-02-01", party_email="a@x.nl")], {}, True),
    ("about the address, later than about the record",
     [said(YES, "2026-02-01"), said("withdrawn", "2026-03-01", party_email="a@x.nl")], {}, False),
    ("an address of nobody", [said(YES, "2026-02-01", party_email="z@x.nl")], {}, False),
    ("a token of nobody", [said(YES, "2026-02-01", token="t")], {}, False),
    ("a record that is not known, with an address",
     [said(YES, "2026-01-01", party="?", party_email="a@x.nl")], {}, True),
    ("without a moment: the day of the extract", [said(NO, "2026-05-01"), said(YES)], {}, True),
    ("without a moment on the day of a no", [said(NO, "2026-06-01"), said(YES)], {}, False),
    ("a no without a moment on the day of a yes", [said(YES, "2026-06-01"), said(NO)], {}, False),
    ("without a moment on the first day: older than a no", [said(NO, "2025-05-01"), said(YES, first_seen=DAY_ONE)], {},
     False),
    ("without a moment on the first day, alone", [said(YES, first_seen=DAY_ONE)], {}, True),
    ("a no without a moment on the first day", [said(YES, "2026-05-30"), said(NO, first_seen=DAY_ONE)], {}, False),
    ("with a moment on the first day", [said(NO, "2025-05-01"), said(YES, "2025-06-01", first_seen=DAY_ONE)], {}, True),
    ("without a moment on the first day of another source",
     [said(NO, "2025-05-01"), said(YES, first_seen=DAY_ONE, source="shop")], {}, True),
    ("of the first day: an older yes that ended", [said(YES, "2025-01-01", expires_at="2025-12-31T00:00:00Z"),
                                                   said(YES, first_seen=DAY_ONE)], {}, False),
    ("of the first day, of somebody who was born", [said(YES, first_seen=DAY_ONE)],
     {"births": [{"golden_id": "A", "birth_date": "1990-01-01"}]}, True),
    ("of the first day and before birth", [said(YES, first_seen=DAY_ONE)],
     {"births": [{"golden_id": "A", "birth_date": "2026-06-02"}]}, False),
    ("merged: a yes of the first day overrules nothing",
     [said(NO, "2025-01-01"), said(YES, first_seen=DAY_ONE, party="b")],
     {"records": [("A", "a", "2024-01-01"), ("A", "b", "2024-01-01")]}, False),
    ("merged: the stricter part", [said(NO, "2025-01-01"), said(YES, "2026-05-01", party="b")],
     {"records": MERGED}, False),
    ("merged: said otherwise when both were known", [said(NO, "2025-01-01"), said(YES, "2026-06-02", party="b")],
     {"records": MERGED}, True),
    ("merged: said otherwise before", [said(NO, "2025-01-01"), said(YES, "2026-06-01T23:00:00Z", party="b")],
     {"records": MERGED}, False),
    ("merged: said otherwise before the other part was known",
     [said(NO, "2025-01-01", party="b"), said(YES, "2026-06-01T23:00:00Z")], {"records": MERGED}, False),
    ("split: each its own", [said(NO, "2025-01-01"), said(YES, "2026-05-01", party="b")], {"records": TWO}, False),
    ("shared address: a no holds", [said(YES, "2026-01-01"), said(NO, "2026-02-01", party_email="home@x.nl")],
     {"records": TWO, "contacts": SHARED}, False),
    ("shared address: a yes takes nothing back",
     [said(NO, "2026-01-01"), said(YES, "2026-02-01", party_email="home@x.nl")],
     {"records": TWO, "contacts": SHARED}, False),
    ("shared address: a later yes about it",
     [said(NO, "2026-01-01", party_email="home@x.nl"), said(YES, "2026-02-01", party_email="home@x.nl")],
     {"records": TWO, "contacts": SHARED}, True),
    ("ended", [said(YES, "2026-01-01", expires_at="2026-06-02T00:00:00Z")], {}, False),
    ("ends today", [said(YES, "2026-01-01", expires_at="2026-06-03T00:00:00Z")], {}, False),
    ("ends later", [said(YES, "2026-01-01", expires_at="2026-06-04T00:00:00Z")], {}, True),
    ("ended: the yes before it does not come back",
     [said(YES, "2025-01-01"), said(YES, "2026-01-01", expires_at="2026-06-02T00:00:00Z")], {}, False),
    ("a no does not end", [said(NO, "2026-01-01", expires_at="2026-02-01T00:00:00Z")], {}, False),
    ("before birth", [said(YES, "1980-01-01")], {"births": [{"golden_id": "A", "birth_date": "1990-01-01"}]}, False),
    ("in the future", [said(YES, "2026-06-10")], {}, False),
    ("a day ahead of its extract", [said(YES, "2026-06-02")], {}, True),
    ("a no in the future counts", [said(YES, "2026-05-01"), said(NO, "2030-01-01")], {}, False),
    ("a no in the future counts as of its extract", [said(NO, "2030-01-01"), said(YES, "2026-06-02")], {}, True),
    ("not confirmed", [said(YES, "2026-01-01", double_opt_in="false")], {}, False),
    ("confirmed", [said(YES, "2026-01-01", double_opt_in="true")], {}, True),
    ("a word that is not known", [said("unknown", "2026-01-01")], {}, False),
    ("a word that is not known, after a yes", [said(YES, "2026-01-01"), said("gone", "2026-02-01")], {}, False),
    ("a yes after a word that is not known", [said("gone", "2026-01-01"), said(YES, "2026-02-01")], {}, True),
    ("a word that is not known, without a purpose", [said(YES, "2026-01-01"), said("gone", "2026-02-01", purpose=None)],
     {}, True),
    ("merged: a word that is not known is of its part",
     [said("gone", "2025-01-01"), said(YES, "2026-05-01", party="b")], {"records": MERGED}, False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "statements", "identity", "expected"), TABLE, ids=[one[0] for one in TABLE])
def test_what_follows(what: str, statements: list[Row], identity: dict[str, Any], expected: bool) -> None:
    done = work_out(statements, **identity)
    assert allowed(done) is expected, what
    assert len(standing(done)) == len(statements)
    assert set(standing(done)) <= set(STANDINGS)


def test_each_part_has_its_own_after_a_split() -> None:
    statements = [said(NO, "2025-01-01"), said(YES, "2026-05-01", party="b")]
    done = work_out(statements, TWO)
    assert (allowed(done, "A"), allowed(done, "B")) == (False, True)


def test_shared_address_counts_for_each_and_says_so() -> None:
    done = work_out([said(NO, "2026-01-01", party_email="home@x.nl")], TWO, SHARED)
    rows = done.consent.to_pylist()
    assert {row["golden_id"] for row in rows if row["channel"] == "email" and not row["allowed"]} == {
        "A",
        "B",
    }
    assert all("2 customers have" in row["why"] for row in rows if row["channel"] == "email")
    assert done.standing["customers"].to_pylist() == [2]
    assert done.standing["golden_id"].to_pylist() == [None]


def test_defaults_and_purposes_that_are_not_known() -> None:
    done = work_out(
        [said(YES, "2026-01-01", purpose="astrology"), said(NO, "2026-01-01", purpose="analytics")]
    )
    assert not allowed(done, purpose="astrology")
    assert not allowed(done, purpose="analytics")
    assert allowed(done, purpose="analytics", channel="phone"), "nothing was said of it"


def test_what_becomes_of_statements() -> None:
    done = work_out(
        [
            said(NO, "2026-01-01", "1"),
            said(YES, "2026-02-01", "2"),
            said(YES, "2026-02-01", "3", token="t"),
            said(YES, "2036-02-01", "4"),
            said(YES, "2026-02-01", "5", purpose=None),
            said("maybe", "2026-02-01", "6"),
            said(YES, "1980-02-01", "7"),
            said(YES, "2026-02-01", "8", double_opt_in="false"),
            said("nothing", "2026-02-01", "9"),
        ],
        births=[{"golden_id": "A", "birth_date": "1990-01-01"}],
    )
    assert standing(done) == [
        SUPERSEDED, IN_FORCE, OF_NOBODY, "in the future", "no purpose", "unknown state", "before birth", "unconfirmed",
        "says nothing",
    ]  # fmt: skip


# What holds of any ledger

MOMENTS = [
    None,
    *(f"2026-0{month}-01T12:00:00Z" for month in range(4, 8)),
    "2026-06-02T12:00:00Z",
    "2030-01-01T00:00:00Z",
]
statement = st.builds(
    said,
    st.sampled_from(["given", "given", "refused", "withdrawn", "objected", "unknown"]),
    st.sampled_from(MOMENTS),
    purpose=st.sampled_from(["marketing", "analytics"]),
    channel=st.sampled_from(["email", "phone", ""]),
    first_seen=st.sampled_from([DAY_ONE, "2026-06-01", "2026-06-02"]),
    expires_at=st.sampled_from([None, None, "2026-06-01T00:00:00Z", "2027-01-01T00:00:00Z"]),
    party=st.sampled_from(["a", "b", "c", None]),
    party_email=st.sampled_from(["x@x.nl", "y@x.nl", "home@x.nl", None]),
    double_opt_in=st.sampled_from([None, None, "true", "false"]),
)
ledger = st.lists(statement, max_size=9, unique_by=lambda row: row["record_id"])
golden = st.sampled_from(["A", "B", "C"])
identities = st.tuples(golden, golden, golden).map(
    lambda ids: [
        (ids[0], "a", "2026-05-01"),
        (ids[1], "b", "2026-06-01"),
        (ids[2], "c", "2026-06-02"),
    ]
)
REACH = [
    ("a", "email", "x@x.nl"),
    ("a", "email", "home@x.nl"),
    ("b", "email", "home@x.nl"),
    ("c", "email", "y@x.nl"),
]
cells = [(g, p, c) for g in "ABC" for p in DEFAULTS for c in ("email", "phone", "post")]
ledgers = st.lists(ledger, min_size=25, max_size=25)
peopled = st.lists(st.tuples(ledger, identities), min_size=25, max_size=25)
many = settings(
    max_examples=27,  # eight of them in CI: 200 ledgers
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large],
)
"""An example is so many ledgers of people who have nothing to do with each other: a ledger costs a tenth of a second
when it is worked out alone, and nearly nothing beside others."""
World = tuple[Sequence[Row], Sequence[tuple[str, str, str]], Sequence[tuple[str, str, str]]]


def _apart(worlds: Sequence[World]) -> World:
    """Ledgers, records and contacts of several worlds in one, with names that say of which world they are."""
    statements: list[Row] = []
    records: list[tuple[str, str, str]] = []
    contacts: list[tuple[str, str, str]] = []
    names = ("record_id", "party", "party_email", "party_phone", "token")
    for number, (rows, ids, reach) in enumerate(worlds):
        of = f"{number:03}~"
        statements += [
            {name: of + value if value and name in names else value for name, value in row.items()}
            for row in rows
        ]
        records += [(of + golden_id, of + party, since) for golden_id, party, since in ids]
        contacts += [(of + party, kind, of + value) for party, kind, value in reach]
    return statements, records, contacts


def work_out_each(worlds: Sequence[World]) -> list[Effective]:
    """What follows from ledger, records and contacts of each world, all worked out at once."""
    done = work_out(*_apart(worlds))
    consent, standings = done.consent.to_pylist(), done.standing.to_pylist()
    return [
        Effective(
            _of_world(number, "golden_id", consent, done.consent.schema),
            _of_world(number, "record_id", standings, done.standing.schema),
        )
        for number in range(len(worlds))
    ]


def _of_world(number: int, whose: str, rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    of = f"{number:03}~"
    own = [row for row in rows if row[whose].startswith(of)]
    plain = [
        {name: value.replace(of, "") if isinstance(value, str) else value for name, value in row.items()}
        for row in own
    ]
    return pa.Table.from_pylist(plain, schema=schema)


@many
@given(peopled)
def test_worlds_that_are_worked_out_together_come_out_as_alone(several: list[tuple[list[Row], Any]]) -> None:
    alone = work_out(*several[12], REACH)
    beside = work_out_each([(*one, REACH) for one in several])[12]
    assert beside.consent.equals(alone.consent)
    assert beside.standing.equals(alone.standing)


@many
@given(peopled, st.randoms(use_true_random=False))
def test_order_leaves_no_trace(several: list[tuple[list[Row], Any]], chance: random.Random) -> None:
    first = work_out_each([(*one, REACH) for one in several])
    shuffled = [
        (
            chance.sample(rows, len(rows)),
            chance.sample(ids, len(ids)),
            chance.sample(REACH, len(REACH)),
        )
        for rows, ids in several
    ]
    for one, again in zip(first, work_out_each(shuffled), strict=True):
        assert one.consent.equals(again.consent)
        assert one.standing.equals(again.standing)


@many
@given(peopled, st.lists(statement, min_size=25, max_size=25))
def test_one_more_objection_never_allows_more(several: list[tuple[list[Row], Any]], more: list[Row]) -> None:
    objections = [{**one, "state": "objected", "record_id": "one more"} for one in more]
    befores = work_out_each([(*one, REACH) for one in several])
    afters = work_out_each(
        [([*rows, one], ids, REACH) for (rows, ids), one in zip(several, objections, strict=True)]
    )
    for before, after in zip(befores, afters, strict=True):
        had, has = _allowing(before), _allowing(after)
        assert not [cell for cell in cells if has(cell) and not had(cell)]


def _allowing(done: Effective) -> Callable[[tuple[str, str, str]], bool]:
    """As ``allowed``, for many questions."""
    rows = {(r["golden_id"], r["purpose"], r["channel"]): r["allowed"] for r in done.consent.to_pylist()}

    def allows(cell: tuple[str, str, str]) -> bool:
        golden_id, purpose, _ = cell
        return bool(rows.get(cell, rows.get((golden_id, purpose, ""), DEFAULTS[purpose])))

    return allows


@many
@given(ledgers)
def test_merge_is_as_strict_as_the_stricter_part_while_nothing_was_said_since(
    several: list[list[Row]],
) -> None:
    apart = [("A", "a", "2026-06-01"), ("B", "b", "2026-06-01")]
    merged = [("A", "a", "2026-06-01"), ("A", "b", "2026-06-01")]
    contacts = [("a", "email", "x@x.nl"), ("b", "email", "y@x.nl")]
    olds = [
        [
            {**row, "stated_at": f"2026-0{4 if row['stated_at'] else 3}-01T12:00:00Z"}
            for row in rows
            if row["party"] in {"a", "b"}
        ]
        for rows in several
    ]
    separate = work_out_each([(old, apart, contacts) for old in olds])
    for parts, whole in zip(separate, work_out_each([(old, merged, contacts) for old in olds]), strict=True):
        said_no = {
            (r["golden_id"], r["purpose"], r["channel"])
            for r in parts.consent.to_pylist()
            if not r["allowed"]
        }
        for row in whole.consent.to_pylist():
            key = (row["purpose"], row["channel"])
            if row["state"] is not None and {("A", *key), ("B", *key)} & said_no & _said(parts):
                assert not row["allowed"]


def _said(done: Effective) -> set[tuple[str, str, str]]:
    rows = done.consent.to_pylist()
    return {(r["golden_id"], r["purpose"], r["channel"]) for r in rows if r["state"] is not None}


@many
@given(ledgers)
def test_split_gives_each_back_its_own(several: list[list[Row]]) -> None:
    apart = [("A", "a", "2026-05-01"), ("B", "b", "2026-06-01"), ("C", "c", "2026-06-02")]
    mail = {"a": "x@x.nl", "b": "home@x.nl", "c": "y@x.nl"}
    contacts = [(party, "email", value) for party, value in mail.items()]
    together = work_out_each([(rows, apart, contacts) for rows in several])
    alone = work_out_each(
        [
            (
                [
                    row
                    for row in rows
                    if row["party"] == party or (row["party"] is None and row["party_email"] == mail[party])
                ],
                [(golden_id, party, since)],
                [(party, "email", mail[party])],
            )
            for rows in several
            for golden_id, party, since in apart
        ]
    )
    for at, whole in enumerate(together):
        for k, (golden_id, *_) in enumerate(apart):
            mine = [row for row in whole.consent.to_pylist() if row["golden_id"] == golden_id]
            assert mine == alone[at * len(apart) + k].consent.to_pylist()


@many
@given(peopled)
def test_every_statement_has_one_standing(several: list[tuple[list[Row], Any]]) -> None:
    for (rows, _), done in zip(several, work_out_each([(*one, REACH) for one in several]), strict=True):
        assert sorted(done.standing["record_id"].to_pylist()) == sorted(row["record_id"] for row in rows)


@many
@given(peopled, golden, st.integers(0, 2))
def test_a_part_comes_out_as_among_all(several: list[tuple[list[Row], Any]], seed: str, asked: int) -> None:
    rows, ids, reach = _apart([(*one, REACH) for one in several])
    first, *_ = _apart([(own[:asked], (), ()) for own, _ in several])
    part = concerned(
        table(rows, STATEMENTS),
        table([dict(zip(RECORDS.names, one, strict=True)) for one in ids], RECORDS),
        table([dict(zip(CONTACTS.names, one, strict=True)) for one in reach], CONTACTS),
        customers=pa.array([f"{number:03}~{seed}" for number in range(len(several))]),
        asked=table(first, STATEMENTS),
    )
    everybody = work_out(rows, ids, reach)
    some = effective(
        part.statements,
        part.records,
        part.contacts,
        table([], BIRTHS),
        defaults=DEFAULTS,
        as_of=TODAY,
        first_days=FIRST,
    )
    mine = set(part.customers.to_pylist())
    expected = [row for row in everybody.consent.to_pylist() if row["golden_id"] in mine]
    assert some.consent.to_pylist() == expected
    standings = {row["record_id"]: row for row in everybody.standing.to_pylist()}
    for row in some.standing.to_pylist():
        assert row == standings[row["record_id"]]
