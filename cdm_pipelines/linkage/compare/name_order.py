"""Names in each other's place: a surname entered as the given name, or the other way round.

Belongs here: telling whether two records' names agree crosswise. Does not belong here: how alike names are that stand
where they belong (name).
"""

import numpy as np

from cdm_pipelines.linkage.compare.levels import Levels, jaro_winkler
from cdm_pipelines.linkage.encode.columns import union
from cdm_pipelines.linkage.encode.records import Records

_ALIKE = 0.84  # Jaro-Winkler similarity of the second name where the first agrees to the letter
CROSSWISE, HALF = 2, 1


class NameOrder:
    """Given name and surname of pairs of records, held against each other crosswise.

    A form filled in wrongly leaves both names swapped (``CROSSWISE``), or one name in the other's place and nothing
    left to tell about the second (``HALF``): *clarke* without a surname beside *joe clarke*.
    """

    def __init__(self, records: Records, given_name: str, surname: str) -> None:
        both = union([records.columns[given_name], records.columns[surname]])
        self._names = both
        self._given = np.ascontiguousarray(both.codes[:, 0])
        self._family = np.ascontiguousarray(both.codes[:, 1])

    def __call__(self, left: np.ndarray, right: np.ndarray) -> Levels:
        """``CROSSWISE``, ``HALF`` or 0 for each pair; symmetric."""
        a, b, x, y = self._given[left], self._family[left], self._given[right], self._family[right]
        one, other = (a == y) & (a >= 0), (b == x) & (b >= 0)
        found: Levels = np.zeros(len(left), dtype=np.int8)
        rest = np.flatnonzero((one | other) & (a != x) & (b != y))
        one, other = one[rest], other[rest]
        # The second names: those that are not already known to agree.
        p, q = np.where(one, b[rest], a[rest]), np.where(one, x[rest], y[rest])
        missing = (p < 0) | (q < 0)
        alike = one & other
        open_ = np.flatnonzero(~alike & ~missing)
        alike[open_] = jaro_winkler(self._names, p[open_], q[open_], _ALIKE) > 0
        found[rest] = np.where(alike, CROSSWISE, np.where(missing, HALF, 0))
        return found
