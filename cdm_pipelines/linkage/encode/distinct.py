"""Distinct numbers of an array, in the order in which they first appear.

Belongs here: that, for few numbers and for many. Does not belong here: distinct texts (columns).

pandas counts many of them several times as fast as sorting does. A search compares a few records, and pandas takes a
third of a second to load: few are sorted.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", bound=np.integer)
_FEW = 4096


def factorized(values: npt.NDArray[Number]) -> tuple[npt.NDArray[np.intp], npt.NDArray[Number]]:
    """The place of each number among the distinct ones, and those."""
    if len(values) > _FEW:
        import pandas as pd  # noqa: PLC0415 - see above

        codes, distinct = pd.factorize(values)
        return codes, distinct
    ordered, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    appearing = np.argsort(first)
    place = np.empty(len(ordered), dtype=np.intp)
    place[appearing] = np.arange(len(ordered))
    return place[inverse], ordered[appearing]
