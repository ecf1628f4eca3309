"""Positions of records: the numbers by which everything downstream speaks of records and pairs.

Belongs here: aliases of arrays of positions, and from named records to their positions. Does not belong here: what a
pair is for (blocking, labels, constraints).
"""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.errors import LinkageError

Positions = npt.NDArray[np.int32]
"""Positions of records, one side of some pairs."""
Places = npt.NDArray[np.int64]
"""Positions or row numbers as indices."""
Flags = npt.NDArray[np.bool_]
"""Yes or no for each of some records or pairs."""
Pair = tuple[Positions, Positions]
"""Pairs: the left positions and the right ones."""

PAIR = ("left_source", "left_id", "right_source", "right_id")
"""The columns that name a pair."""
SIDES = (("left_source", "left_id"), ("right_source", "right_id"))
MEMBER = ("source", "record_id")


def positions(records: Records, pairs: pd.DataFrame | None, name: str) -> tuple[Positions, Positions, Flags]:
    """Positions of the pairs whose records are both there, and which of the rows that are.

    Raises:
        LinkageError: A column of ``PAIR`` is missing; ``name`` says of what.
    """
    none = np.zeros(0, dtype=np.int32)
    if pairs is None or pairs.empty:
        return none, none, np.zeros(0, dtype=bool)
    left, right = (places(records, pairs, side, name) for side in SIDES)
    there = (left >= 0) & (right >= 0) & (left != right)
    return left[there], right[there], there


def places(records: Records, named: pd.DataFrame, columns: tuple[str, str], name: str) -> Positions:
    """Positions of the records that two columns of a frame name; -1 for those that are not there.

    Raises:
        LinkageError: A column is missing; ``name`` says of what.
    """
    missing = [column for column in columns if column not in named.columns]
    if missing:
        raise LinkageError(f"{name}: there is no column {missing[0]!r}; give {', '.join(columns)}")
    texts = (pa.array(named[column].astype(str), pa.string()) for column in columns)
    found: Positions = records.places(*texts).astype(np.int32)
    return found
