"""A comparison of recordlinkage, the Python Record Linkage Toolkit, in a policy.

Belongs here: the toolkit's similarity of two values, cut into levels. Does not belong here: our comparison as a feature
of the toolkit (compare.feature); importing this module loads scikit-learn.
"""

import numpy as np
import pandas as pd

from cdm_pipelines.linkage.compare.bound import Key
from cdm_pipelines.linkage.compare.levels import Levels, unequal
from cdm_pipelines.linkage.encode.columns import Codes
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.encode.toolkit import compare_feature
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.policy import comparisons


class ToolkitLevels:
    """A comparison of the toolkit cut into levels; computed once for each distinct pair of values."""

    def __init__(self, records: Records, comparison: comparisons.ToolkitComparison) -> None:
        key = f"comparison on {comparison.column!r}: algorithm"
        if comparison.algorithm.startswith("Frequency"):
            raise LinkageError(
                f"{key}: {comparison.algorithm} looks at all values of the column, so that a pair would weigh another "
                "thing in another table; name one that compares two values, or ask for term_frequency"
            )
        arguments = {"left_on": comparison.column, "right_on": comparison.column, **comparison.arguments}
        self._feature = compare_feature(comparison.algorithm, arguments, key)
        self._column = records.columns[comparison.column]
        self._at_least = np.array(sorted(comparison.at_least))
        self.columns = frozenset(comparison.reads)
        self.labels = (
            "different",
            *(f"{comparison.algorithm} >= {value:g}" for value in self._at_least),
            "equal",
        )
        self.term = self._column if comparison.term_frequency else None

    def levels(self, left: Positions, right: Positions) -> Levels:
        """The highest level for equal values, then one for each threshold reached."""
        column = self._column
        return unequal(column, column.flat[left], column.flat[right], self._near, top=len(self.labels) - 1)

    def _near(self, a: Codes, b: Codes) -> Levels:
        x, y = pd.Series(self._column.texts[a]), pd.Series(self._column.texts[b])
        found = np.nan_to_num(np.asarray(self._feature._compute((x,), (y,)), dtype=np.float64))  # noqa: SLF001
        return np.searchsorted(self._at_least, found + 1e-9, side="right").astype(np.int8)

    def key(self) -> Key:
        """Equality of the value."""
        return Key.of(self._column)
