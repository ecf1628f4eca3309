"""Values that a steward set: above every source, for as long as they hold."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.golden import Golden, load_policy, survive
from cdm_pipelines.golden.corrected import set_values
from cdm_pipelines.identity.decisions import Decision, Kind, Record, set_value
from cdm_pipelines.records import records_schema

Row = dict[str, Any]
TODAY = dt.date(2026, 6, 2)
POLICY = load_policy(Path(__file__).parents[3] / "cdm_pipelines" / "policies" / "survivorship.yaml")


def row(source: str, record_id: str, customer: str = "c1", **values: Any) -> Row:
    day = dict.fromkeys(("extract_date", "first_seen", "last_seen"), "2026-06-01")
    entity = {"crm": "contact"}.get(source, "customer")
    key = {"source": source, "entity": entity, "record_id": record_id, "golden_id": customer}
    return {**key, "active": True, "party_kind": "person", **day, **values}


def key(of: Row) -> Record:
    return Record(of["source"], of["entity"], of["record_id"])


def decided(
    number: int, rows: list[Row], attribute: str, value: str, expires: dt.date | None = None
) -> Decision:
    """A value that is set for the customer of the first row, whose records are the rows."""
    overruled = {key(one): one.get(attribute) for one in rows}
    subject = set_value(key(rows[0]), attribute, value, expires, overruled)
    return Decision(number, dt.datetime(2026, 6, 1, tzinfo=dt.UTC), "Stien", Kind.SET, subject, "", None)


def records_of(rows: list[Row]) -> pa.Table:
    schema = records_schema(Entity.PARTY)
    return pa.Table.from_pylist([{name: one.get(name) for name in schema.names} for one in rows], schema)


def golden(
    rows: list[Row], *decisions: Decision, among: list[Row] | None = None, chunk_rows: int = 100_000
) -> Golden:
    """The golden records of some rows, where ``among`` are all rows that there are."""
    names = ["source", "entity", "record_id", "golden_id"]
    crosswalk = pa.table({name: pa.array([one[name] for one in rows], pa.string()) for name in names})
    values = set_values(decisions, records_of(among or rows), TODAY)
    return survive(records_of(rows), crosswalk, POLICY, corrected=values, chunk_rows=chunk_rows)


def value(done: Golden, attribute: str, customer: str = "c1") -> Any:
    return next(c[attribute] for c in done.customer.to_pylist() if c["golden_id"] == customer)


def told(done: Golden, attribute: str, customer: str = "c1") -> Row:
    rows = done.provenance.to_pylist()
    return next(p for p in rows if (p["golden_id"], p["attribute"]) == (customer, attribute))


ANNA = [
    row(
        "crm", "1", phone="+31101111111", city="Delft", street="Plein", email="a@b.nl", email_kind="personal"
    ),
    row("shop", "2", phone="+31102222222", city="Gouda", street="Gracht"),
    row("erp", "3", phone="+31102222222"),
]


def test_a_set_value_outranks_every_source_and_keeps_what_lost() -> None:
    before, done = golden(ANNA), golden(ANNA, decided(7, ANNA, "phone", "+31109999999"))
    assert value(done, "phone") == "+31109999999"
    why = told(done, "phone")
    assert (why["rule"], why["decision_id"], why["record_id"]) == ("steward", 7, "1")
    assert [(x["record_id"], x["value"]) for x in json.loads(why["losers"])] == [
        ("1", "+31101111111"),
        ("3", "+31102222222"),
    ]
    others = [name for name in before.customer.column_names if name != "phone"]
    assert done.customer.select(others) == before.customer.select(others)
    assert [p["attribute"] for p in done.provenance.to_pylist()] == [
        p["attribute"] for p in before.provenance.to_pylist()
    ]


def test_a_source_that_says_the_same_has_not_lost() -> None:
    done = golden(ANNA, decided(7, ANNA, "phone", "+31102222222"))
    assert [x["record_id"] for x in json.loads(told(done, "phone")["losers"])] == ["1"]


def test_one_column_of_a_group_has_provenance_beside_its_group() -> None:
    before, done = golden(ANNA), golden(ANNA, decided(7, ANNA, "city", "Breda"))
    assert (value(done, "city"), value(done, "street")) == ("Breda", value(before, "street"))
    assert told(done, "address") == told(before, "address")
    assert told(done, "city")["rule"] == "steward"
    assert [x["value"] for x in json.loads(told(done, "city")["losers"])] == ["Delft", "Gouda"]


def test_what_follows_from_a_value_follows_from_the_set_one() -> None:
    done = golden(ANNA, decided(7, ANNA, "email", "info@b.nl"))
    assert (value(done, "email"), value(done, "email_kind")) == ("info@b.nl", "role")
    [lost] = json.loads(told(done, "email")["losers"])
    assert lost["value"] == {"email": "a@b.nl", "email_kind": "personal"}


def test_a_customer_of_one_record_without_the_value_gets_it() -> None:
    alone = [row("shop", "9")]
    done = golden(alone, decided(1, alone, "mobile", "+31612345678"))
    assert value(done, "mobile") == "+31612345678"
    assert [(p["attribute"], p["rule"], p["losers"]) for p in done.provenance.to_pylist()] == [
        ("*", "single_record", None),
        ("mobile", "steward", None),
    ]


LATER = [
    ("the value that won changes", 0, {"phone": "+31103333333"}, False),
    ("a value that lost changes", 1, {"phone": "+31103333333"}, False),
    ("a value goes", 2, {"phone": None}, False),
    ("another attribute changes", 0, {"city": "Breda"}, True),
    ("the record is delivered again", 0, {"extract_date": "2026-06-05", "last_seen": "2026-06-05"}, True),
    ("the record is deleted", 0, {"active": False}, True),
]


@pytest.mark.parametrize("case", LATER, ids=lambda case: case[0])
def test_it_holds_until_a_source_says_something_new(case: tuple[str, int, Row, bool]) -> None:
    _, at, change, holds = case
    decision = decided(7, ANNA, "phone", "+31109999999")
    now = [{**one, **change} if place == at else one for place, one in enumerate(ANNA)]
    done = golden(now, decision)
    assert (value(done, "phone") == "+31109999999") is holds
    if not holds:
        assert done == golden(now)
    assert value(golden(ANNA, decision), "phone") == "+31109999999"


def test_a_new_record_is_no_change_of_the_overruled_ones() -> None:
    more = [*ANNA, row("shop", "8", phone="+31104444444", extract_date="2026-06-02")]
    assert value(golden(more, decided(7, ANNA, "phone", "+31109999999")), "phone") == "+31109999999"


def test_it_holds_up_to_the_day_of_expiry() -> None:
    for expires, expected in ((TODAY + dt.timedelta(1), "+31109999999"), (TODAY, "+31102222222")):
        decision = decided(7, ANNA, "phone", "+31109999999", expires)
        assert value(golden(ANNA, decision), "phone") == expected


def test_the_latest_counts_alone() -> None:
    first = decided(1, ANNA, "phone", "+31101111119")
    second = decided(2, ANNA, "phone", "+31102222229", TODAY)
    assert golden(ANNA, first, second) == golden(ANNA)
    other = [row("shop", "9", phone="+31105555555")]
    merged = [*ANNA, *other]
    done = golden(merged, first, decided(2, other, "phone", "+31106666666"))
    assert value(done, "phone") == "+31106666666"


def test_the_value_goes_with_its_record() -> None:
    parted = [*ANNA[:1], *({**one, "golden_id": "c2"} for one in ANNA[1:])]
    done = golden(parted, decided(7, ANNA, "phone", "+31109999999"))
    assert (value(done, "phone"), value(done, "phone", "c2")) == ("+31109999999", "+31102222222")


def test_customers_made_anew_by_themselves_are_as_among_all() -> None:
    """The overruled record is in another customer by now, and says something new there."""
    moved = [*ANNA[:1], *({**one, "golden_id": "c2", "phone": "+31107777777"} for one in ANNA[1:])]
    decision = decided(7, ANNA, "phone", "+31109999999")
    whole, part = golden(moved, decision), golden(moved[:1], decision, among=moved)
    assert value(whole, "phone") == value(part, "phone") == "+31101111111"


texts = st.sampled_from(["A", "B", None])
people = st.lists(
    st.fixed_dictionaries({"customer": st.sampled_from(["c1", "c2", "c3"]), "phone": texts, "city": texts}),
    min_size=1,
    max_size=7,
)
choices = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(["phone", "city"]), st.sampled_from("ABC")), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(drawn=people, chosen=choices, chunk=st.integers(1, 5))
def test_laws_of_set_values(drawn: list[Row], chosen: list[tuple[int, str, str]], chunk: int) -> None:
    rows = [row("shop", str(at), **one) for at, one in enumerate(drawn)]
    decisions = []
    for number, (at, attribute, text) in enumerate(chosen, start=1):
        anchor = rows[at % len(rows)]
        own = [anchor, *(r for r in rows if r["golden_id"] == anchor["golden_id"] and r is not anchor)]
        decisions.append(decided(number, own, attribute, text))
    done = golden(rows, *decisions)
    assert done == golden(rows, *decisions, chunk_rows=chunk)
    for customer in {one["golden_id"] for one in rows}:
        part = golden([one for one in rows if one["golden_id"] == customer], *decisions, among=rows)
        assert part.customer.to_pylist() == [
            c for c in done.customer.to_pylist() if c["golden_id"] == customer
        ]
    latest = {(rows[at % len(rows)]["golden_id"], attribute): text for at, attribute, text in chosen}
    before = golden(rows)
    for customer in done.customer.to_pylist():
        for attribute in ("phone", "city"):
            expected = latest.get(
                (customer["golden_id"], attribute), value(before, attribute, customer["golden_id"])
            )
            assert customer[attribute] == expected
