"""What linking keeps for the next run: read back bit for bit, with no hash of a personal value in its files."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cdm_pipelines.linkage.cluster.clusters import Links
from cdm_pipelines.linkage.cluster.health import Figures
from cdm_pipelines.linkage.encode.hashes import hashed
from cdm_pipelines.linkage.encode.keys import BlockingPlan
from cdm_pipelines.linkage.encode.rows import Rows
from cdm_pipelines.linkage.incremental.state import LinkState
from cdm_pipelines.steps.linking.state import (
    KeptState,
    OtherKeyError,
    keep_plan,
    kept_plan,
    read_state,
    write_state,
)
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Mark
from cdm_pipelines.store.secret import Secret

OURS, OTHER = Secret(b"1" * 32), Secret(b"2" * 32)
PHONES = hashed(pa.array(["+31101234567", "+31107654321", "1987-04-23"]))
MARK = Mark(3, "b8bb5be6f7f891cb")


def state() -> LinkState:
    records = pa.table({"source": ["crm/contact"] * 2, "record_id": ["1", "2"]})
    keys = [PHONES[:2].reshape(2, 1), np.array([[PHONES[2], 0], [PHONES[2], PHONES[0]]], np.uint64)]
    rows = Rows.of(records, keys)
    none = np.zeros(0, np.int32)
    return LinkState(
        rows,
        BlockingPlan({"phone": PHONES[:1]}, {"phone": PHONES[:0]}, {"word": {int(PHONES[1]): 4}}),
        Links(none, none, np.zeros(0), np.zeros(0, np.int64)),
        np.zeros(0),
        np.array([0, 1]),
        np.array([0, 1]),
        Figures(np.zeros(2, np.int64), np.zeros(2, np.int64)),
    )


def kept(number: int = 1, base: int = 1) -> KeptState:
    return KeptState(state(), number, base, "model", MARK, "outcome", ("digest",))


def assert_whole(found: KeptState | None, expected: KeptState) -> None:
    assert found is not None
    names = ("number", "base", "model", "parties", "outcome", "shared")
    assert [getattr(found, name) for name in names] == [getattr(expected, name) for name in names]
    for tables in ("base_tables", "tables"):
        was = getattr(expected.state, tables)()
        now = getattr(found.state, tables)()
        assert now.keys() == was.keys()
        assert all(now[name].equals(was[name]) for name in was)


def hashes_in(root: Path) -> list[int]:
    files = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
    return [int(one) for one in PHONES if any(one.tobytes() in content for content in files)]


def write_plainly(lake: Lake, one: KeptState) -> None:
    """As releases did that hid nothing."""
    folder = layout.link_state_folder("person")
    for name, tables in (
        (f"base-{one.base}", one.state.base_tables()),
        (str(one.number), one.state.tables()),
    ):
        for table, content in tables.items():
            lake.write_arrow(f"{folder}/{name}/{table}.arrow", [content], content.schema)
    notes = {"format": 1, "number": one.number, "base": one.base, "model": one.model}
    notes |= {"parties": str(one.parties), "outcome": one.outcome, "layout": 3}
    lake.write_text(layout.link_state_path("person"), json.dumps(notes))


def test_a_state_is_read_back_and_its_files_tell_no_hash(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    write_state(lake, "person", kept(), OURS)
    assert_whole(read_state(lake, "person", OURS), kept())
    assert hashes_in(tmp_path) == []
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    write_state(lake, "person", kept(), OURS)
    assert {path: path.read_bytes() for path in before} == before, "written again, the files are the same"


def test_a_state_of_a_release_that_read_records_otherwise_is_made_anew(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    write_plainly(lake, kept(2, 1))
    assert len(hashes_in(tmp_path)) == 3
    assert read_state(lake, "person", OURS) is None
    write_state(lake, "person", kept(3, 3), OURS)
    assert hashes_in(tmp_path) == []


def test_a_state_of_another_secret_is_told_and_not_misread(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    write_state(lake, "person", kept(), OURS)
    with pytest.raises(OtherKeyError, match="another secret than CDM_HOME has now"):
        read_state(lake, "person", OTHER)


def test_a_plan_outlives_its_state_and_is_not_taken_for_another_under_another_secret(tmp_path: Path) -> None:
    lake, plan = Lake(str(tmp_path)), state().plan
    keep_plan(lake, "person", "model", plan, OURS)
    found = kept_plan(lake, "person", "model", OURS)
    assert found is not None
    assert found.to_table().equals(plan.to_table())
    assert kept_plan(lake, "person", "another model", OURS) is None
    assert kept_plan(lake, "person", "model", OTHER) is None
