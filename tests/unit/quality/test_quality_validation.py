"""Verdicts on rows and cells, and their agreement with Pandera."""

import json
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaErrors

from cdm_pipelines.contracts import Column, Delivery, Format, LogicalType, SourceContract
from cdm_pipelines.contracts.model import Deletion
from cdm_pipelines.quality import repeats, validation
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.quality.schema import failures, pandera_schema
from cdm_pipelines.quality.validation import reconcile
from cdm_pipelines.store.frames import TEXT, to_frame, to_table

T = LogicalType


@dataclass(frozen=True)
class Validated:
    """What became of some rows, as frames."""

    valid: pd.DataFrame
    quarantine: pd.DataFrame
    repairs: pd.DataFrame


def validate(frame: pd.DataFrame, judged: SourceContract, superseded: Any = None) -> Validated:
    """The verdict on a frame."""
    found = validation.validate(to_table(frame), judged, superseded)
    return Validated(to_frame(found.valid), to_frame(found.quarantine), to_frame(found.repairs))


def superseded_rows(frame: pd.DataFrame, judged: SourceContract) -> Any:
    """Which rows of a frame a later one supersedes."""
    return repeats.superseded_rows(to_table(frame), judged)


def contract(*columns: Column) -> SourceContract:
    """A contract with a key and these columns."""
    return SourceContract(
        source="erp",
        entity="customer",
        version="1",
        owner="finance",
        description="",
        location="{date}.csv",
        format=Format.CSV,
        delivery=Delivery.SNAPSHOT,
        columns=(Column("id", required=True, key_position=1), *columns),
    )


def raw(**cells: list[str | None]) -> pd.DataFrame:
    """Raw rows as ingest gives them."""
    count = len(next(iter(cells.values())))
    frame = pd.DataFrame({name: pd.array(values, dtype=TEXT) for name, values in cells.items()})
    frame["_file"] = pd.array(["f.csv"] * count, dtype=TEXT)
    frame["_row"] = pd.array(range(2, count + 2), dtype="Int64")
    frame["_sha256"] = pd.array(["0" * 64] * count, dtype=TEXT)
    return frame


CELLS: list[tuple[Column, str, str | None]] = [
    (Column("x", T.INTEGER), "12", None),
    (Column("x", T.INTEGER), "12.0", None),
    (Column("x", T.INTEGER), "12.5", "not_integer"),
    (Column("x", T.NUMBER, decimal=","), "1.234,5", None),
    (Column("x", T.NUMBER, decimal=","), "twelve", "not_number"),
    (Column("x", T.BOOLEAN), "Ja", None),
    (Column("x", T.BOOLEAN), "perhaps", "not_boolean"),
    (Column("x", T.BOOLEAN, values={"J": "true"}), "J", None),
    (Column("x", T.BOOLEAN, values={"J": "true"}), "ja", "unknown_code"),
    (Column("x", T.DATE), "2026-02-28", None),
    (Column("x", T.DATE), "2026-02-30", "not_date"),
    (Column("x", T.DATE), "9999-12-31", "implausible_date"),
    (Column("x", T.DATE), "1799-12-31", "implausible_date"),
    (Column("x", T.DATE, minimum=date(2000, 1, 1)), "1999-12-31", "below_minimum"),
    (Column("x", T.DATE, maximum=date(2000, 1, 1)), "2000-01-02", "above_maximum"),
    (Column("x", T.DATE, maximum=date(2000, 1, 1)), "2000-01-01", None),
    (Column("x", T.TIMESTAMP), "2026-06-01T10:00:00Z", None),
    (Column("x", T.TIMESTAMP), "10:00", "not_date"),
    (Column("x", T.NUMBER, minimum=Decimal(0)), "-0.01", "below_minimum"),
    (Column("x", T.NUMBER, maximum=Decimal(10)), "10", None),
    (Column("x", enum=("A", "B")), "A", None),
    (Column("x", enum=("A", "B")), "a", "not_allowed"),
    (Column("x", min_length=3), "ab", "too_short"),
    (Column("x", max_length=3), "éèüx", "too_long"),
    (Column("x", max_length=3), "éèü", None),
    (Column("x", pattern="[0-9]+"), "12a", "pattern"),
    (Column("x", pattern="[0-9]+"), "12", None),
    (Column("x", maps_to=("party.email",)), "a@b", None),
    (Column("x", maps_to=("party.email",)), "a.b", "not_email"),
    (Column("x", maps_to=("order.party_email",)), "@b", "not_email"),
    (Column("x", maps_to=("party.phone",)), "020-123 45 67", None),
    (Column("x", maps_to=("party.mobile",)), "unknown", "not_phone"),
    (Column("x", maps_to=("party.mobile",)), "12345", "not_phone"),
]


def judge(column: Column, value: str) -> Validated:
    """One row of somebody with one value."""
    name = Column("name", maps_to=("party.full_name",))
    return validate(raw(id=["1"], name=["Jo Bos"], x=[value]), contract(name, column))


@pytest.mark.parametrize(
    ("column", "value", "rule"), CELLS, ids=lambda item: str(getattr(item, "logical_type", item))
)
def test_bad_optional_cell_is_blanked_and_recorded(column: Column, value: str, rule: str | None) -> None:
    result = judge(column, value)
    assert len(result.quarantine) == 0
    assert result.valid["x"].fillna("").tolist() == ["" if rule else value]
    assert result.repairs["rule"].tolist() == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [case for case in CELLS if case[2]],
    ids=lambda item: str(getattr(item, "logical_type", item)),
)
def test_bad_required_cell_rejects_the_row_without_telling_its_value(
    column: Column, value: str, rule: str
) -> None:
    result = judge(replace(column, required=True), value)
    assert len(result.valid) == len(result.repairs) == 0
    assert result.quarantine["x"].tolist() == [value]
    (reason,) = json.loads(result.quarantine["_reasons"].iloc[0])
    assert (reason["column"], reason["rule"]) == ("x", rule)
    assert "{" not in reason["fix"]
    assert not any(sign.isalpha() and sign not in "Aa" for sign in reason["shape"])


def test_null_spellings_become_null_before_anything_is_judged() -> None:
    column = Column("x", T.DATE, null_values=("00000000",), date_formats=("%Y%m%d",))
    result = validate(raw(id=["1", "2", "3"], x=["00000000", " ", None]), contract(column))
    assert result.valid["x"].isna().tolist() == [True] * 3
    assert len(result.repairs) == 0


@pytest.mark.parametrize(
    ("column", "padded", "kept"),
    [
        (Column("x", T.INTEGER), "                 7", "7"),
        (Column("x", T.NUMBER), "\t7.50 ", "7.50"),
        (Column("x", T.BOOLEAN), " true", "true"),
        (Column("x", T.DATE), "2026-06-01   ", "2026-06-01"),
        (
            Column("x", T.TIMESTAMP, date_formats=("%d-%m-%Y %H:%M",)),
            "  01-06-2026 08:00",
            "01-06-2026 08:00",
        ),
        (Column("x", values={"01": "female"}), " 01 ", "01"),
        (Column("x", enum=("A", "B")), "B\u00a0", "B"),
        (Column("x", max_length=4), " Jo ", " Jo "),
    ],
    ids=lambda item: str(getattr(item, "logical_type", item)).strip(),
)
def test_blanks_around_a_typed_value_or_a_code_are_no_part_of_it(
    column: Column, padded: str, kept: str
) -> None:
    result = judge(column, padded)
    assert result.valid["x"].tolist() == [kept]
    assert len(result.repairs) == 0


def test_unknown_columns_pass_and_absent_ones_do_not_hurt() -> None:
    result = validate(raw(id=["1"], new=["=x"]), contract(Column("x")))
    assert list(result.valid.columns) == ["id", "new", "_file", "_row", "_sha256"]
    assert list(result.repairs.columns) == ["_file", "_row", "_sha256", "column", "rule", "shape", "action"]


def test_a_rejected_row_has_all_its_reasons_and_stays_as_delivered() -> None:
    columns = (Column("name", required=True), Column("born", T.DATE), Column("n", T.INTEGER))
    frame = raw(id=[None, "2"], name=[None, "Bos"], born=["x", "y"], n=["1", "z"])
    result = validate(frame, contract(*columns), np.array([False, True]))
    assert result.quarantine.drop(columns="_reasons").equals(frame)
    rules = [[r["rule"] for r in json.loads(text)] for text in result.quarantine["_reasons"]]
    assert rules == [["missing_key", "missing", "not_date"], ["superseded", "not_date", "not_integer"]]


def test_a_deleted_record_without_a_name_is_accepted_whatever_the_word_for_true() -> None:
    columns = (Column("name", maps_to=("party.full_name",)), Column("gone", T.BOOLEAN))
    judged = replace(contract(*columns), deleted=Deletion("gone", ("true",)))
    result = validate(raw(id=["1", "2", "3"], name=[None] * 3, gone=["TRUE", "ja", "nee"]), judged)
    assert list(result.valid["id"]) == ["1", "2"]


def test_no_rows() -> None:
    result = validate(raw(id=[], x=[]), contract(Column("x", T.DATE)))
    assert len(result.valid) == len(result.quarantine) == len(result.repairs) == 0
    assert superseded_rows(raw(id=[]), contract()).tolist() == []


def test_last_of_a_key_wins_and_rows_without_a_whole_key_take_no_part() -> None:
    two = contract(Column("line", required=True, key_position=2, null_values=("0",)))
    keys = raw(id=["1", "1", "1", None, None, "1", "1"], line=["1", "2", "1", "1", "1", "0", "0"])
    assert superseded_rows(keys, two).tolist() == [True, False, False, False, False, False, False]
    keys["_defect"] = pd.array([None, None, "ragged", None, None, None, None], dtype=TEXT)
    assert not superseded_rows(keys, two).any()


@pytest.mark.parametrize(
    ("first", "second"),
    [("K1", "K1 "), ("K1\t", "K1"), ("\u00a0K1", "K1"), ("7.0\u00a0", "7"), ("7", " 7.00"), ("seven", "7")],
)
def test_keys_that_make_one_record_id_are_one_key(first: str, second: str) -> None:
    """Two rows are accepted with one id otherwise, of which the state of records keeps one without a word."""
    key = Column("id", required=True, key_position=1, values={"seven": "7"} if first == "seven" else {})
    judged = replace(contract(), columns=(key, Column("name", maps_to=("party.full_name",))))
    frame = raw(id=[first, second, "8"], name=["Jan de Boer", "Piet Smit", "Els Bos"])
    found = repeats.find_repeats(to_table(frame), judged)
    told = repeats.with_conflicts(found, [to_table(frame)["name"]])
    assert told.superseded.tolist() == told.conflicting.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("column", "delivered", "left"),
    [
        (
            Column("x", maps_to=("party.postcode",)),
            ["1067.0", "01067", "1067.05"],
            ["1067", "01067", "1067.05"],
        ),
        (Column("x", maps_to=("party.phone",)), ["301234569.0", "030.0123"], ["301234569", "030.0123"]),
        (Column("x", maps_to=("party.mobile",)), [" 612341278.00\u00a0"], [" 612341278\u00a0"]),
        (Column("x", maps_to=("consent.party_phone",)), ["612341278.0"], ["612341278"]),
        (Column("x", maps_to=("party.house_number",)), ["12.0", "12-0"], ["12", "12-0"]),
        (Column("x", maps_to=("party.house_number",), null_values=("0.0",)), ["12.0", "0.0"], ["12", None]),
        (Column("x", T.INTEGER, maps_to=("party.house_number",)), ["12.0"], ["12"]),
        (Column("x", T.NUMBER, decimal=",", maps_to=("party.house_number",)), ["12,0", "10"], ["12", "10"]),
        (Column("x", maps_to=("party.house_addition",)), ["2.0", "A.0"], ["2", "A.0"]),
        (Column("x", maps_to=("party.postcode",), pattern=r"\d+\.0"), ["1067.0"], ["1067.0"]),
        (Column("x", maps_to=("party.address_line",)), ["Dreef 12.0"], ["Dreef 12.0"]),
        (Column("x", T.NUMBER, maps_to=("order.total_amount",)), ["12.0"], ["12.0"]),
    ],
)
def test_values_in_digits_lose_the_fraction_that_they_never_had(
    column: Column, delivered: list[str | None], left: list[str | None]
) -> None:
    ids: list[str | None] = [str(number) for number in range(len(delivered))]
    name = Column("name", maps_to=("party.full_name",))
    names: list[str | None] = ["Bos"] * len(ids)
    found = validate(raw(id=ids, name=names, x=delivered), contract(name, column))
    assert [None if text is pd.NA else text for text in found.valid["x"]] == left
    rewritten = sum(text != kept for text, kept in zip(delivered, left, strict=True) if kept is not None)
    assert found.repairs["rule"].tolist() == ["trailing_zero"] * rewritten
    assert set(found.repairs["action"]) <= {"rewritten"}


def test_of_one_file_the_row_that_was_changed_last_wins_and_a_later_file_over_all() -> None:
    keys = raw(id=["1", "1", "1", "2", "2", "1"]).assign(_file=["a", "a", "a", "a", "a", "b"])
    times = pa.array(["2026-06-02T00:00:00Z", "2026-05-01T00:00:00Z", None, None, None, None])
    found = repeats.find_repeats(to_table(keys), contract(), times)
    assert found.superseded.tolist() == [True, True, True, True, False, False]
    assert found.repeated.tolist() == [False, True, True, True, False, False]
    assert found.last.tolist() == [0, 0, 0, 4, 4, 5]


def test_every_rule_says_what_it_means_and_what_to_do() -> None:
    column = Column("x", date_formats=("%Y",), enum=("A",), minimum=Decimal(1), min_length=1, pattern="p")
    for rule in Rule:
        assert rule.meaning
        assert rule.fix(column)
        assert "{" not in rule.fix(column)


def test_reconciliation_names_what_is_missing() -> None:
    assert reconcile(10, 8, 2) is None
    assert reconcile(10, 7, 2) == "10 rows read, but 7 accepted and 2 quarantined: 1 lost"
    assert reconcile(10, 9, 2) == "10 rows read, but 9 accepted and 2 quarantined: 1 made up"


CELL = st.sampled_from([None, "1", "x", "2026-02-30", "2026-02-28", "a@b.nl", "12345678", "9999-01-01"])
COLUMNS = (
    Column("name", required=True, max_length=8, maps_to=("party.full_name",)),
    Column("born", T.DATE),
    Column("mail", maps_to=("party.email",), pattern=".*nl"),
    Column("n", T.INTEGER, maximum=Decimal(5)),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(CELL, CELL, CELL, CELL, CELL), min_size=1, max_size=8), st.integers(1, 8))
def test_verdicts_agree_with_pandera_and_do_not_depend_on_chunks(
    rows: list[tuple[Any, ...]], size: int
) -> None:
    judged = contract(*COLUMNS)
    names = judged.column_names
    frame = raw(**{name: [row[place] for row in rows] for place, name in enumerate(names)})
    superseded = superseded_rows(frame, judged)
    whole = validate(frame, judged, superseded)
    assert len(whole.valid) + len(whole.quarantine) == len(rows)
    pieces = [
        validate(frame.iloc[start : start + size], judged, superseded[start : start + size])
        for start in range(0, len(rows), size)
    ]
    for part in ("valid", "quarantine"):
        together = pd.concat([getattr(piece, part) for piece in pieces], ignore_index=True)
        pd.testing.assert_frame_equal(together, getattr(whole, part))
    assert _faults(whole) == _pandera_faults(frame, judged)


def _faults(result: Validated) -> set[tuple[int, str]]:
    found = set(zip(result.repairs["_row"], result.repairs["column"], strict=True))
    for row, text in zip(result.quarantine["_row"], result.quarantine["_reasons"], strict=True):
        found |= {(row, reason["column"] or "id") for reason in json.loads(text)}
    return found


def _pandera_faults(frame: pd.DataFrame, judged: SourceContract) -> set[tuple[int, str]]:
    """Row and column of Pandera's failure cases; a duplicate that lacks its key is no duplicate here."""
    try:
        pandera_schema(judged).validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return set()
    duplicate = cases["check"] == "multiple_fields_uniqueness"
    keyed = frame["id"].notna().to_numpy()[cases["index"].astype(int)]
    cases = cases[~duplicate | keyed]
    return {(int(row) + 2, str(column)) for row, column in zip(cases["index"], cases["column"], strict=True)}


def test_the_schema_tells_types_nullability_and_keys_to_other_tools() -> None:
    schema = pandera_schema(contract(*COLUMNS))
    assert schema.unique == ["id"]
    assert {name: column.nullable for name, column in schema.columns.items()} == {
        "id": False,
        "name": False,
        "born": True,
        "mail": True,
        "n": True,
    }
    assert [check.name for check in schema.columns["born"].checks] == ["not_date", "implausible_date"]


def test_what_slipped_through_is_told_by_column_and_rule_without_a_value() -> None:
    judged = contract(*COLUMNS)
    rows = raw(id=["1", "2"], name=["Bos", "far too long a name"], born=["2000-02-30", None])
    assert failures(to_table(rows), judged) == {"name: too_long": 1, "born: not_date": 1}
    assert not failures(validate(rows, judged).valid.pipe(to_table), judged)
