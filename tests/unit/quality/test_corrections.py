"""Quarantined rows go out, come back corrected, and the day is run again."""

import csv
import io
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_quality_validation import Validated, contract, raw, superseded_rows, validate

from cdm_pipelines.contracts import Column, LogicalType
from cdm_pipelines.quality import corrections as corrected
from cdm_pipelines.quality.corrections import (
    CorrectionsError,
    read_corrections,
)
from cdm_pipelines.store.frames import TEXT, to_frame, to_table

CONTRACT = contract(Column("name", required=True), Column("born", LogicalType.DATE))


def day() -> pd.DataFrame:
    """Four rows: one good, one without a name, one ragged, one of which the key is taken again."""
    frame = raw(id=["1", "2", "3", "1"], name=["Bos", None, "Vos", "Bos"], born=[None, "x", None, None])
    frame["_defect"] = pd.array([None, None, "ragged", None], dtype=TEXT)
    return frame


def apply_corrections(frame: pd.DataFrame, corrections: pd.DataFrame) -> pd.DataFrame:
    """A frame with corrected rows."""
    return to_frame(corrected.apply_corrections(to_table(frame), to_table(corrections)))


def export_quarantine(frame: pd.DataFrame) -> bytes:
    """The CSV for a person."""
    return corrected.export_quarantine(to_table(frame))


def judged(frame: pd.DataFrame) -> Validated:
    """The verdict on a day."""
    return validate(frame, CONTRACT, superseded_rows(frame, CONTRACT))


def edit(exported: bytes, delimiter: str = ",", **cells: str) -> bytes:
    """What a person saves after filling in these cells of the row with id 2."""
    lines = list(csv.reader(io.StringIO(exported.decode("utf-8-sig"), newline="")))
    for line in lines[1:]:
        if line[0] == "2":
            for name, text in cells.items():
                line[lines[0].index(name)] = text
    saved = io.StringIO(newline="")
    csv.writer(saved, delimiter=delimiter).writerows(lines)
    return saved.getvalue().encode("utf-8-sig")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_corrected_row_is_accepted_when_the_day_runs_again(delimiter: str) -> None:
    before = judged(day())
    assert before.quarantine["id"].tolist() == ["1", "2", "3"]
    corrections = read_corrections(
        edit(export_quarantine(before.quarantine), delimiter, name="Mol", born="2000-01-01")
    )
    again = apply_corrections(day(), corrections)
    assert again["_row"].tolist() == day()["_row"].tolist()
    after = judged(again)
    assert after.valid[["id", "name"]].to_numpy().tolist() == [["2", "Mol"], ["1", "Bos"]]
    assert after.valid["born"].fillna("").tolist() == ["2000-01-01", ""]
    assert after.quarantine["id"].tolist() == ["1", "3"]
    assert len(after.valid) + len(after.quarantine) == 4


def test_rows_that_come_back_as_they_were_change_nothing() -> None:
    corrections = read_corrections(export_quarantine(judged(day()).quarantine))
    pd.testing.assert_frame_equal(apply_corrections(day(), corrections), day())


def test_only_some_columns_of_the_day_can_be_corrected() -> None:
    corrections = read_corrections(edit(export_quarantine(judged(day()).quarantine), id="9"))
    keys = apply_corrections(day()[["id", "_file", "_row", "_sha256"]], corrections)
    assert keys["id"].tolist() == ["1", "9", "3", "1"]


def test_corrections_of_another_file_touch_nothing() -> None:
    corrections = read_corrections(edit(export_quarantine(judged(day()).quarantine), name="Mol"))
    corrections["_sha256"] = pd.array(["f" * 64] * len(corrections), dtype=TEXT)
    pd.testing.assert_frame_equal(apply_corrections(day(), corrections), day())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"", "lacks _sha256, _row"),
        (b"id,_row\n1,2\n", "lacks _sha256"),
        (b"id,_row,_sha256\n1,,x\n", "lost its _sha256 or _row"),
        (b"id,_row,_sha256\n1,two,x\n", "lost its _sha256 or _row"),
        (b"id,_row,_sha256\n1,2\n", "Line 2 has another number of cells"),
        (b"id,_row,_sha256\n1,2,x\n3,2,x\n", "A row stands there twice"),
    ],
)
def test_what_cannot_be_read_back_is_refused_with_the_reason(content: bytes, says: str) -> None:
    with pytest.raises(CorrectionsError, match=says):
        read_corrections(content)


@given(
    st.lists(
        st.sampled_from(["\uff1d1+1", "'\uff0b1", "\uff0d1", "''\uff20x", "\tx"])
        | st.sampled_from(["007", "'007", "0", "0612345679", "123456789012", "''123456789012", "0.5"])
        | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
        max_size=8,
    )
)
def test_every_value_survives_the_round_trip(values: list[str]) -> None:
    frame = raw(id=[str(i) for i in range(len(values))], name=list(values))
    frame["_reasons"] = pd.array(["[]"] * len(values), dtype=TEXT)
    exported = export_quarantine(frame)
    lines = list(csv.reader(io.StringIO(exported.decode("utf-8-sig"), newline="")))
    assert not [
        cell for line in lines[1:] for cell in line if cell and cell[0] in "=+-@\t\r\uff1d\uff0b\uff0d\uff20"
    ]
    assert read_corrections(exported)["name"].tolist() == values
    assert not [cell for line in lines[1:] for cell in line if re.fullmatch("0[0-9]+|[0-9]{12,}", cell)]
