"""Laws of ingest: nothing is lost, and neither the size of chunks nor of blocks shows."""

import csv
import io
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from ingest_samples import CUSTOMER, DATE, deliver, run_day

from cdm_pipelines.ingest import ExtractError, blocks, delimited, read_extract
from cdm_pipelines.ingest.blocks import Records, Shape, UnclosedQuoteError

CELL = st.text(alphabet="ab,\"\n\r;é '=@1", max_size=6)
CLEAN_ROWS = st.lists(st.tuples(CELL, CELL, CELL, CELL), max_size=12)
LAX = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def as_csv(rows: Sequence[tuple[str, ...]]) -> bytes:
    """Rows as the csv module writes them."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(CUSTOMER.column_names)
    writer.writerows(rows)
    return text.getvalue().encode()


@LAX
@given(rows=CLEAN_ROWS)
def test_what_was_written_is_what_is_read(rows: list[tuple[str, ...]]) -> None:
    lines = [line for row in rows for cell in row for line in re.split("[\r\n]", cell)[1:]]
    assume(not any("," in line for line in lines))  # with enough of them nobody can tell it from a row
    with tempfile.TemporaryDirectory() as folder:
        deliver(Path(folder), as_csv(rows))
        tables = list(read_extract(folder, CUSTOMER, DATE, chunk_rows=5))
    read = [
        tuple(row[n] or "" for n in CUSTOMER.column_names) for table in tables for row in table.to_pylist()
    ]
    assert read == rows
    assert [d for table in tables for d in table.column("_defect").to_pylist() if d] == []


@LAX
@given(
    rows=CLEAN_ROWS,
    damage=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3)), max_size=4),
)
def test_every_row_of_a_damaged_file_is_accepted_or_quarantined_or_the_file_is_refused(
    rows: list[tuple[str, ...]], damage: list[tuple[int, bytes, int]]
) -> None:
    content = as_csv(rows)
    header, body = content.split(b"\r\n", 1)
    for place, inserted, dropped in damage:
        body = body[:place] + inserted + body[place + dropped :]
    with tempfile.TemporaryDirectory() as folder:
        deliver(Path(folder), header + b"\n" + body)
        try:
            whole = run_day(Path(folder))
        except ExtractError:
            return
        pieces = run_day(Path(folder), chunk_rows=2)
    for name in ("raw", "valid", "quarantine"):
        pd.testing.assert_frame_equal(getattr(whole, name), getattr(pieces, name))
    assert whole.blanked == pieces.blanked
    assert len(set(whole.raw["_row"])) == len(whole.raw)


def cut_into_records(pieces: list[bytes], width: int) -> tuple[bytes, list[bytes], bool]:
    """The records, the lines that are none, and whether the stream ended where a record ends."""
    records = Records(iter(pieces), ",", '"')
    records.shape = Shape(width=width)
    whole, unread = b"", []
    try:
        for block in records.blocks():
            whole += block.records
            unread += [one.line for one in block.unread]
    except UnclosedQuoteError:
        return whole, unread, False
    return whole, unread, True


@LAX
@given(
    text=st.text(alphabet="a1,\"\n\r'", max_size=60),
    size=st.integers(1, 20),
    width=st.sampled_from([0, 2, 3]),
)
def test_every_byte_is_in_a_record_or_in_a_line_put_aside_wherever_the_stream_is_cut(
    text: str, size: int, width: int
) -> None:
    content = text.encode()
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    whole, unread, complete = cut_into_records(pieces, width)
    assert (whole, unread, complete) == cut_into_records([content], width)
    if complete:
        assert len(whole) + sum(map(len, unread)) == len(content)
    records = list(csv.reader(io.StringIO(whole.decode(), newline=""), strict=True))
    if not unread and complete:
        assert records == list(csv.reader(io.StringIO(text, newline="")))


def test_small_blocks_give_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(str(i), f'Jan "{i}"\nde Vries', "x" * (i % 7), "é") for i in range(300)]
    deliver(tmp_path, as_csv(rows) + b"301,ragged\n\n302,Bos,,\n" + b"x" * 50 + b",Vos,,\n")
    whole = run_day(tmp_path)
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 50)
    pieces = run_day(tmp_path)
    pd.testing.assert_frame_equal(whole.raw, pieces.raw)
    assert pieces.raw["_row"].tolist() == [*range(2, 303), 304, 305]


def test_a_record_without_end_is_refused_before_it_fills_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "MAX_RECORD_BYTES", 10_000)
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1_000)
    deliver(tmp_path, as_csv([("1", "Jansen", "", "")]) + b'2,"' + b"x\n" * 50_000)
    with pytest.raises(ExtractError, match="has no end of row 3 within 64 MB"):
        list(read_extract(str(tmp_path), CUSTOMER, DATE))
