"""A day of a source, counted from what became of its rows: each fault once, under one dimension."""

import datetime as dt
import json

import pyarrow as pa
import pytest

from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.insight.scorecard import About
from cdm_pipelines.insight.scorecard_day import Delivered, Expected, day_scores

ABOUT = About(dt.date(2026, 6, 1), "crm", "contact")
EXPECTED = Expected(
    {"person": ("surname", "birth_date", "phone|mobile"), "organisation": ("organisation_name",)}
)
ORIGIN = pa.schema([("_file", pa.string()), ("_row", pa.int64())])


def quarantine(*reasons: list[tuple[str | None, str]]) -> pa.Table:
    told = [json.dumps([{"column": column, "rule": rule} for column, rule in one]) for one in reasons]
    numbers = list(range(900, 900 + len(told)))
    return pa.table(
        {"_file": ["a.csv"] * len(told), "_row": numbers, "_reasons": told},
        schema=ORIGIN.append(pa.field("_reasons", pa.string())),
    )


def repairs(*cells: tuple[int, str, str]) -> pa.Table:
    names = ("_file", "_row", "column", "rule", "action")
    rows = [
        dict(zip(names, ("a.csv", row, column, "rule", action), strict=True)) for row, column, action in cells
    ]
    schema = ORIGIN
    for name in names[2:]:
        schema = schema.append(pa.field(name, pa.string()))
    return pa.Table.from_pylist(rows, schema=schema)


def persons(number: int, **columns: list[str | None]) -> pa.Table:
    told: dict[str, object] = {
        "_file": ["a.csv"] * number,
        "_row": list(range(2, number + 2)),
        "modified_at": [f"2026-05-{1 + row % 28:02}" for row in range(number)],
        "party_kind": ["person"] * number,
        "invalid_attributes": pa.nulls(number, pa.string()),
    }
    for name in ("surname", "birth_date", "phone", "mobile", "email", "postcode"):
        told[name] = ["x"] * number
    return pa.table({**told, **{name: pa.array(values, pa.string()) for name, values in columns.items()}})


def faults(day: Delivered) -> dict[tuple[str, str], tuple[float, float]]:
    """Faults and what was judged, by attribute and measure, of figures with a fault."""
    scores = day_scores(ABOUT, contract_named("crm/contact"), day, EXPECTED)
    assert len({one.subject for one in scores}) == len(scores)
    assert all(0 <= one.numerator <= one.denominator for one in scores)
    return {(one.attribute, one.measure): (one.faults, one.denominator) for one in scores if one.faults}


def test_a_day_without_a_fault_has_none() -> None:
    day = Delivered(10, quarantine(), repairs(), {"party": persons(10)}, {})
    assert faults(day) == {}


def test_rejected_rows_are_told_apart_by_why() -> None:
    rejected = quarantine(
        [(None, "superseded")], [("Id", "missing_key")], [(None, "ragged")], [(None, "ragged")]
    )
    assert faults(Delivered(14, rejected, repairs(), {"party": persons(10)}, {})) == {
        ("", "accepted"): (3, 13),
        ("record_id", "not_repeated"): (1, 14),
        ("record_id", "with_key"): (1, 14),
        ("", "all"): (3, 13),
    }


def test_a_blanked_cell_is_a_value_that_was_not_fit_and_a_missing_one() -> None:
    table = persons(4, birth_date=["x", None, "x", "x"])
    assert faults(Delivered(4, quarantine(), repairs((3, "Birthdate", "blanked")), {"party": table}, {})) == {
        ("party.birth_date", "fit"): (1, 4),
        ("party.birth_date", "filled"): (1, 4),
        ("", "all"): (1, 4),
        ("", "last_100"): (1, 4),
    }


def test_a_kept_value_that_failed_is_a_fault_and_a_marked_one_is_none() -> None:
    table = persons(3, invalid_attributes=["email", "postcode", None])
    marked = repairs((2, "Email", "marked"))
    assert faults(Delivered(3, quarantine(), marked, {"party": table}, {})) == {
        ("party.postcode", "fit"): (1, 3),
        ("", "all"): (1, 3),
        ("", "last_100"): (1, 3),
    }


def test_one_of_several_attributes_is_enough_and_others_are_not_expected() -> None:
    table = persons(3, phone=["x", None, None], mobile=[None, "x", None], email=[None, None, None])
    assert faults(Delivered(3, quarantine(), repairs(), {"party": table}, {})) == {
        ("party.phone|mobile", "filled"): (1, 3)
    }


def test_an_attribute_of_another_kind_of_party_is_not_missed() -> None:
    kinds = persons(2, surname=["x", None]).set_column(3, "party_kind", pa.array(["person", "organisation"]))
    assert faults(Delivered(2, quarantine(), repairs(), {"party": kinds}, {})) == {}


@pytest.mark.parametrize(("row", "of_last"), [(2, 0), (201, 1)])
def test_the_last_hundred_are_those_that_changed_last(row: int, of_last: int) -> None:
    dates = [f"2026-{1 + number // 28:02}-{1 + number % 28:02}" for number in range(200)]
    table = persons(200, modified_at=list(dates))
    found = faults(Delivered(200, quarantine(), repairs((row, "Phone", "blanked")), {"party": table}, {}))
    assert found["", "all"] == (1, 200)
    assert found.get(("", "last_100"), (0, 100)) == (of_last, 100)


def test_cells_of_a_column_that_feeds_nothing_count_under_its_name() -> None:
    day = Delivered(
        3,
        quarantine(),
        repairs((2, "LastActivityDate", "blanked")),
        {"party": persons(3)},
        {"LastActivityDate": 1},
    )
    assert faults(day)["LastActivityDate", "fit"] == (1, 2)
