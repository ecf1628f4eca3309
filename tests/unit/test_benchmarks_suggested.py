"""The benchmark of suggested policies: files hold nothing of the truth, and what is suggested is close to careful."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.linkage.sets import MissingError
from benchmarks.suggested import document, run, sets
from benchmarks.suggested.dressed import KINDS
from cdm_pipelines.linkage import load_policy


@pytest.mark.parametrize("kind", KINDS)
def test_files_hold_nothing_of_the_truth(kind: str, tmp_path: Path) -> None:
    data = sets.made(kind, tmp_path, tmp_path, 1_000)
    assert data.records == len(data.truth) == 1_000
    people = set(data.truth["truth_id"])
    for file in data.files:
        frame = pd.read_csv(file, dtype=str)
        assert not people & set(frame.to_numpy().ravel().tolist())
        assert frame.iloc[:, 0].tolist() == [f"r{number:06d}" for number in range(len(frame))]
    read = {name for column in load_policy(data.careful).columns.values() for name in column.names}
    assert read <= {name for file in data.files for name in pd.read_csv(file, nrows=1).columns}


def test_a_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="historical_50k"):
        sets.made("historical_50k", tmp_path, tmp_path, 1_000)


@pytest.mark.parametrize("kind", ["split_dates", "two_languages", "american", "without_headers"])
def test_suggested_is_close_to_careful(kind: str, tmp_path: Path) -> None:
    told: list[str] = []
    linked = run.measured(sets.made(kind, tmp_path, tmp_path, 2_000), told.append)
    assert [(one.policy, one.guards) for one in linked] == [
        ("suggested", True),
        ("suggested", False),
        ("careful", True),
        ("careful", False),
    ]
    assert len(told) == 4
    for suggested, careful in zip(linked[:2], linked[2:], strict=True):
        assert suggested.quality["F1"] > careful.quality["F1"] - document.CLOSE
        assert suggested.quality["F1"] > 0.9
