"""The ledger of consent: what was said once stays, whatever a later extract leaves out, in whatever order it came."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.records import Partition, current_state
from cdm_pipelines.records.ledger import added, statements

Row = dict[str, Any]
ONE, TWO, THREE, FOUR = (f"2026-06-0{day}" for day in range(1, 5))
_NAMES = [one.name for one in attributes(Entity.CONSENT)]
_EXTRA = ["record_id", "modified_at", "_file", "merged_into", "invalid_attributes"]


class Days:
    """Standardised days in memory."""

    def __init__(self, delivered: Mapping[str, Sequence[Row]], delivery: Any = "snapshot") -> None:
        self.partitions = [Partition("crm", "flag", date, date, delivery) for date in sorted(delivered)]
        schema = pa.schema([(name, pa.string()) for name in (*_EXTRA, *_NAMES)] + [("_row", pa.int64())])
        self.tables = {
            date: pa.Table.from_pylist(
                [
                    {**dict.fromkeys(schema.names), "_file": "f", "_row": at, "purpose": "marketing", **row}
                    for at, row in enumerate(rows)
                ],
                schema=schema,
            )
            for date, rows in delivered.items()
        }

    def read(self, path: str, columns: list[str]) -> pa.Table:
        return self.tables[path].select(columns)

    def ledger(self) -> pa.Table:
        return pa.concat_tables(current_state(Entity.CONSENT, self.partitions, self.read))

    def said(self) -> list[tuple[str, str, str | None]]:
        rows = sorted(self.ledger().to_pylist(), key=lambda row: (row["first_seen"], row["stated_at"] or ""))
        return [(row["first_seen"], row["state"], row["stated_at"]) for row in rows]


def flag(state: str, record: str = "1", at: str | None = None) -> Row:
    return {"record_id": record, "statement_id": record, "party_id": "p", "state": state, "stated_at": at}


def test_flag_that_changes_is_a_statement_of_that_day_and_again_when_it_changes_back() -> None:
    days = Days(
        {ONE: [flag("given")], TWO: [flag("given")], THREE: [flag("objected")], FOUR: [flag("given")]}
    )
    assert days.said() == [(ONE, "given", None), (THREE, "objected", None), (FOUR, "given", None)]


def test_what_a_later_extract_leaves_out_stays() -> None:
    assert Days({ONE: [flag("objected")], TWO: []}).said() == [(ONE, "objected", None)]
    assert Days({ONE: [flag("objected")], TWO: [], THREE: [flag("objected")]}).said() == [
        (ONE, "objected", None)
    ]


def test_what_a_source_overwrites_stays() -> None:
    days = Days(
        {ONE: [flag("given", at="2026-01-01T00:00:00Z")], TWO: [flag("withdrawn", at="2026-05-31T10:00:00Z")]}
    )
    assert days.said() == [
        (ONE, "given", "2026-01-01T00:00:00Z"),
        (TWO, "withdrawn", "2026-05-31T10:00:00Z"),
    ]


def test_statement_delivered_again_with_its_moment_is_the_same() -> None:
    one = flag("given", at="2026-01-01T00:00:00Z")
    assert (
        len(Days({ONE: [one], TWO: [flag("withdrawn", at="2026-02-01T00:00:00Z")], THREE: [one]}).said()) == 2
    )


def test_both_of_a_day_are_kept() -> None:
    same = "2026-01-01T00:00:00Z"
    assert {
        state for _, state, _ in Days({ONE: [flag("given", at=same), flag("withdrawn", at=same)]}).said()
    } == {
        "given",
        "withdrawn",
    }


def test_of_two_without_a_moment_in_one_day_the_stricter() -> None:
    assert Days({ONE: [flag("given"), flag("objected")], TWO: [flag("objected"), flag("given")]}).said() == [
        (ONE, "objected", None)
    ]


def test_tick_that_is_gone_was_taken_back_and_one_that_never_was_says_nothing() -> None:
    gone = Days(
        {ONE: [flag("nothing")], TWO: [flag("given")], THREE: [flag("nothing")], FOUR: [flag("nothing")]}
    )
    assert gone.said() == [(TWO, "given", None), (THREE, "withdrawn", None)]
    assert Days({ONE: [flag("objected")], TWO: [flag("nothing")]}).said() == [(ONE, "objected", None)]


def test_what_waits_to_be_confirmed_is_kept_and_says_nothing() -> None:
    waiting = {**flag("nothing"), "party_id": None, "party_email": "a@x.nl"}
    assert Days({ONE: [waiting], TWO: [waiting]}).said() == [(ONE, "nothing", None)]
    dated = flag("nothing", at="2026-01-01T00:00:00Z")
    assert Days({ONE: [dated], TWO: [dated]}).said() == [(ONE, "nothing", "2026-01-01T00:00:00Z")]


STATES = st.sampled_from(["given", "objected", "nothing"])
MOMENTS = st.sampled_from([None, None, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"])
rows = st.lists(st.builds(flag, STATES, st.sampled_from(["1", "2"]), MOMENTS), max_size=3)
delivered = st.fixed_dictionaries({ONE: rows, TWO: rows, THREE: rows})


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(delivered)
def test_order_of_days_leaves_no_trace_and_days_only_add(each: Mapping[str, Sequence[Row]]) -> None:
    days = Days(each)
    expected = days.ledger()
    for order in itertools.permutations(days.partitions):
        assert statements(Entity.CONSENT, order, days.read).equals(expected.combine_chunks())
    before = statements(Entity.CONSENT, days.partitions[:2], days.read)
    more = added(Entity.CONSENT, before, days.partitions[2], days.read)
    grown = pa.concat_tables([before, more])
    assert sorted(grown["record_id"].to_pylist()) == expected["record_id"].to_pylist()
    assert not added(Entity.CONSENT, grown, days.partitions[2], days.read).num_rows, "twice is once"


@pytest.mark.parametrize("missing", [ONE, TWO])
def test_a_day_less_takes_nothing_that_another_delivered(missing: str) -> None:
    each = {ONE: [flag("given", at="2026-01-01T00:00:00Z")], TWO: [flag("given", at="2026-01-01T00:00:00Z")]}
    assert len(Days({day: rows for day, rows in each.items() if day != missing}).said()) == 1
