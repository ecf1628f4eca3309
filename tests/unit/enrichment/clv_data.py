"""The published purchases of CDNOW, where the folder of shared data is there."""

import datetime as dt
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

_FOLDER = Path(os.environ.get("CDM_SHARED_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
END_OF_CALIBRATION, END = dt.date(1997, 9, 30), dt.date(1998, 6, 30)
Floats = NDArray[np.float64]


class Summary(NamedTuple):
    x: Floats
    recency: Floats
    age: Floats
    mean: Floats

    @property
    def repeat(self) -> NDArray[np.bool_]:
        return self.x > 0


def _path(name: str) -> Path:
    path = _FOLDER / "clv" / name
    if not path.exists():
        pytest.skip(f"{name} is not in the folder of shared data (CDM_SHARED_DATA)")
    return path


def summary() -> Summary:
    table = np.loadtxt(_path("cdnow_summary.csv"), delimiter=",", skiprows=1)
    return Summary(*table.T[1:5])


def purchases() -> list[tuple[int, dt.date, str]]:
    """Customer, day and amount, as they were rung up: more than one on a day too."""
    rows = (line.split() for line in _path("cdnow_sample.txt").read_text(encoding="ascii").splitlines())
    return [
        (int(one), dt.date(int(day[:4]), int(day[4:6]), int(day[6:])), amount)
        for _, one, day, _, amount in rows
    ]
