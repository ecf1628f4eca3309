"""The current state of source records, whatever the order in which their days came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records_examples import Row, standard

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.records import Partition, current_state, records_schema, versions

DATES = ("2026-06-01", "2026-06-02", "2026-06-03", "2026-06-04")


@dataclass
class Days:
    """Standard partitions in memory, and what was read of them."""

    tables: dict[str, pa.Table]
    read_columns: list[tuple[str, tuple[str, ...]]]

    def read(self, path: str, columns: list[str]) -> pa.Table:
        self.read_columns.append((path, tuple(columns)))
        return self.tables[path].select(columns)


def days(
    delivered: Mapping[str, Sequence[Row]],
    delivery: Any = "snapshot",
    source: str = "crm",
    entity: str = "contact",
) -> tuple[list[Partition], Days]:
    partitions = [
        Partition(source, entity, date, f"{source}/{entity}/{date}", delivery) for date in delivered
    ]
    tables = {f"{source}/{entity}/{date}": standard(rows, date) for date, rows in delivered.items()}
    return partitions, Days(tables, [])


def state(partitions: Sequence[Partition], lake: Days) -> dict[str, Row]:
    table = pa.concat_tables(current_state(Entity.PARTY, partitions, lake.read))
    assert table.schema == records_schema(Entity.PARTY)
    return {row["record_id"]: row for row in table.to_pylist()}


def test_the_latest_extract_wins_even_over_a_later_modification() -> None:
    found = state(
        *days(
            {
                DATES[0]: [{"record_id": "1", "city": "Delft", "modified_at": "2026-06-09T00:00:00Z"}],
                DATES[1]: [{"record_id": "1", "city": "Gouda", "modified_at": "2026-05-01T00:00:00Z"}],
            }
        )
    )
    assert found["1"]["city"] == "Gouda"
    assert (found["1"]["extract_date"], found["1"]["first_seen"], found["1"]["last_seen"]) == (
        DATES[1],
        DATES[0],
        DATES[1],
    )


@pytest.mark.parametrize(
    ("description", "rows", "winner"),
    [
        (
            "the later modification wins",
            [
                {"city": "A", "modified_at": "2026-06-01T12:00:00Z"},
                {"city": "B", "modified_at": "2026-06-01T11:00:00Z"},
            ],
            "A",
        ),
        ("without modification times the later row wins", [{"city": "A"}, {"city": "B"}], "B"),
        (
            "a row with a modification time wins over one without",
            [{"city": "A", "modified_at": "2026-06-01T12:00:00Z"}, {"city": "B"}],
            "A",
        ),
        (
            "the later file wins before the later row",
            [{"city": "A", "_file": "b.csv", "_row": 2}, {"city": "B", "_file": "a.csv", "_row": 9}],
            "A",
        ),
    ],
)
def test_rows_of_one_day(description: str, rows: list[Row], winner: str) -> None:
    found = state(*days({DATES[0]: [{"record_id": "1", **row} for row in rows] + [{"record_id": "2"}]}))
    assert found["1"]["city"] == winner, description
    assert set(found) == {"1", "2"}


def test_absence_from_the_latest_snapshot_ends_a_record_but_keeps_it() -> None:
    found = state(*days({DATES[0]: [{"record_id": "1"}, {"record_id": "2"}], DATES[1]: [{"record_id": "1"}]}))
    assert found["1"]["active"] is True
    assert (found["2"]["active"], found["2"]["last_seen"]) == (False, DATES[0])


def test_absence_from_a_delta_says_nothing() -> None:
    found = state(
        *days({DATES[0]: [{"record_id": "1"}, {"record_id": "2"}], DATES[1]: [{"record_id": "1"}]}, "delta")
    )
    assert found["2"]["active"] is True


def test_a_quarantined_row_is_not_an_absent_record() -> None:
    partitions, lake = days(
        {
            DATES[0]: [{"record_id": "1"}, {"record_id": "2"}, {"record_id": "3"}],
            DATES[1]: [{"record_id": "1"}],
        }
    )
    partitions[1] = replace(partitions[1], held_back=pa.array(["2", None]))
    found = state(partitions, lake)
    assert {key: row["active"] for key, row in found.items()} == {"1": True, "2": True, "3": False}
    assert found["2"]["extract_date"] == DATES[0]


@pytest.mark.parametrize("delivery", ["snapshot", "delta"])
@pytest.mark.parametrize("ending", [{"is_deleted": True}, {"merged_into": "1"}])
def test_deleted_and_merged_records_are_inactive_and_kept(delivery: str, ending: Row) -> None:
    found = state(*days({DATES[0]: [{"record_id": "1"}, {"record_id": "2", **ending}]}, delivery))
    assert {key: row["active"] for key, row in found.items()} == {"1": True, "2": False}
    assert found["2"]["merged_into"] == ending.get("merged_into")


def test_a_record_that_comes_back_is_active_again() -> None:
    found = state(
        *days(
            {DATES[0]: [{"record_id": "1"}], DATES[1]: [{"record_id": "2"}], DATES[2]: [{"record_id": "1"}]}
        )
    )
    assert (found["1"]["active"], found["1"]["first_seen"]) == (True, DATES[0])
    assert found["2"]["active"] is False


def test_sources_do_not_disturb_each_other() -> None:
    one, first = days({DATES[0]: [{"record_id": "1", "city": "Delft"}]})
    two, second = days({DATES[1]: [{"record_id": "1", "city": "Gouda"}]}, source="erp", entity="customer")
    lake = Days(first.tables | second.tables, [])
    tables = list(current_state(Entity.PARTY, [*two, *one], lake.read))
    assert [(t["source"][0].as_py(), t["city"][0].as_py(), t["active"][0].as_py()) for t in tables] == [
        ("crm", "Delft", True),
        ("erp", "Gouda", True),
    ]


def test_values_are_read_only_where_they_win() -> None:
    everyone = [{"record_id": str(number)} for number in range(5)]
    partitions, lake = days(dict.fromkeys(DATES, everyone))
    state(partitions, lake)
    assert [path for path, columns in lake.read_columns if "city" in columns] == [f"crm/contact/{DATES[-1]}"]


def test_no_days_are_no_records() -> None:
    assert list(current_state(Entity.PARTY, [], Days({}, []).read)) == []
    assert state(*days({DATES[0]: []})) == {}


def test_a_day_given_twice_is_refused() -> None:
    partitions, lake = days({DATES[0]: [{"record_id": "1"}]})
    with pytest.raises(ValueError, match="crm/contact have the same date"):
        state(partitions * 2, lake)


row_strategy = st.fixed_dictionaries(
    {"record_id": st.sampled_from("abcde"), "city": st.sampled_from(["Delft", "Gouda", None])},
    optional={
        "modified_at": st.sampled_from(["2026-06-01T01:00:00Z", "2026-06-01T02:00:00Z"]),
        "is_deleted": st.booleans(),
        "merged_into": st.sampled_from(["a", None]),
    },
)
history = st.dictionaries(st.sampled_from(DATES), st.lists(row_strategy, max_size=6), min_size=1)


def expected(delivered: Mapping[str, Sequence[Row]], delivery: str) -> dict[str, Row]:
    """The same, record by record, as one would write it without thinking of speed."""
    found: dict[str, Row] = {}
    first: dict[str, str] = {}
    for date in sorted(delivered):
        ordered = sorted(
            enumerate(delivered[date]), key=lambda row: (row[1].get("modified_at") or "", row[0])
        )
        for _, row in ordered:
            first.setdefault(row["record_id"], date)
            found[row["record_id"]] = {**row, "extract_date": date}
    latest = {row["record_id"] for row in delivered[max(delivered)]}
    return {
        key: {
            "city": row["city"],
            "extract_date": row["extract_date"],
            "first_seen": first[key],
            "active": not row.get("is_deleted")
            and not row.get("merged_into")
            and (delivery == "delta" or key in latest),
        }
        for key, row in found.items()
    }


@settings(max_examples=150, deadline=None)
@given(
    delivered=history,
    delivery=st.sampled_from(["snapshot", "delta"]),
    order=st.randoms(),
    batch=st.integers(1, 9),
)
def test_any_order_of_days_gives_what_the_rules_say(
    delivered: dict[str, list[Row]], delivery: str, order: Any, batch: int
) -> None:
    partitions, lake = days(delivered, delivery)
    shuffled = order.sample(partitions, len(partitions))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(versions, "_BATCH_ROWS", batch)
        tables = list(current_state(Entity.PARTY, shuffled, lake.read))
    assert tables == list(current_state(Entity.PARTY, partitions, lake.read))
    ids = [row["record_id"] for table in tables for row in table.to_pylist()]
    assert ids == sorted(set(ids))
    wanted = expected(delivered, delivery)
    found = {
        row["record_id"]: {name: row[name] for name in ("city", "extract_date", "first_seen", "active")}
        for table in tables
        for row in table.to_pylist()
    }
    assert found == wanted
