"""Comparison of addresses: one comparison over all parts, because the parts say the same thing.

Belongs here: levels of agreement over postcode, house number, addition, street and city. Does not belong here: taking
an address line apart (standardise).
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.blocking.pairs import combined
from cdm_pipelines.linkage.compare.bound import Key, codes_of
from cdm_pipelines.linkage.compare.levels import MISSING, Levels, jaro_winkler, one_edit, unequal
from cdm_pipelines.linkage.encode.columns import Codes, Column, joined
from cdm_pipelines.linkage.encode.hashes import of_records
from cdm_pipelines.linkage.encode.keys import together
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.policy import comparisons


class Address:
    """From the same front door down to another town.

    Each part scores 2 for equal, 1 for nearly equal, 0 for different, -1 for missing. A part that is missing is
    nobody's argument: levels ask for agreement, and for the absence of contradiction only where they say so.
    """

    labels: tuple[str, ...] = (
        "different",
        "same town",
        "same street name or postcode area",
        "same street",
        "same number nearby",
        "same building",
        "same address",
    )

    def __init__(self, records: Records, comparison: comparisons.AddressComparison) -> None:
        def column(name: str | None) -> Column | None:
            return records.columns[name] if name else None

        self._postcode, self._street = column(comparison.postcode), column(comparison.street)
        self._number, self._addition = column(comparison.house_number), column(comparison.house_addition)
        self._city = column(comparison.city)
        self._areas = _areas(self._postcode) if self._postcode else np.zeros(0, dtype=np.int32)
        self.columns = frozenset(comparison.reads_optionally)
        whole = [c for c in (self._postcode or self._street or self._city, self._number) if c is not None]
        self._whole = whole
        self.term: Column | None = joined(whole, required=0) if comparison.term_frequency else None

    def levels(self, left: Positions, right: Positions) -> Levels:
        """The strongest level that the parts support."""
        postcode = _part(self._postcode, left, right, self._nearby, quick=True)
        street = _part(self._street, left, right, _alike)
        number = _part(self._number, left, right, None)
        addition = _part(self._addition, left, right, None)
        city = _part(self._city, left, right, _alike)
        place = (postcode == 2) | ((street >= 1) & ((city >= 1) | (postcode >= 1)))
        here = place & (number == 2) & (street != 0)
        levels = np.zeros(len(left), dtype=np.int8)
        for level, reached in enumerate(
            (
                city >= 1,
                (postcode >= 1) | (street >= 1),
                place,
                (number == 2) & ((postcode >= 1) | (street >= 1)),
                here,
                here & (addition != 0),
            ),
            start=1,
        ):
            levels[reached] = level
        nothing = (postcode < 0) & (street < 0) & (city < 0)
        levels[nothing] = MISSING
        return levels

    def _nearby(self, column: Column, a: Codes, b: Codes) -> npt.NDArray[np.bool_]:
        """Postcodes of one area (the first four characters of more), or one character off."""
        one_area: npt.NDArray[np.bool_] = (self._areas[a] >= 0) & (self._areas[a] == self._areas[b])
        rest = np.flatnonzero(~one_area)
        one_area[rest] = one_edit(column, a[rest], b[rest])
        return one_area

    def key(self) -> Key:
        """Equality of postcode (else street, else town) and house number."""
        whole = self._whole
        return Key(
            combined(whole),
            lambda: together([of_records(column.hashes, column.codes) for column in whole]),
        )


Near = Callable[[Column, Codes, Codes], npt.NDArray[np.bool_]]


def _areas(column: Column) -> Codes:
    start = pc.utf8_slice_codeunits(column.values, 0, 4)
    return codes_of(
        pc.if_else(pc.greater(pc.utf8_length(column.values), 4), start, pa.scalar(None, pa.string()))
    )


def _alike(column: Column, a: Codes, b: Codes) -> npt.NDArray[np.bool_]:
    return jaro_winkler(column, a, b, 0.9) > 0


def _part(
    column: Column | None, left: Positions, right: Positions, near: Near | None, *, quick: bool = False
) -> Levels:
    if column is None:
        return np.full(len(left), MISSING, dtype=np.int8)
    a, b = column.flat[left], column.flat[right]
    if near is None:
        levels = np.where(a == b, np.int8(2), np.int8(0))
        levels[(a < 0) | (b < 0)] = MISSING
        return levels

    def one(x: Codes, y: Codes) -> Levels:
        return near(column, x, y).astype(np.int8)

    return unequal(column, a, b, one, top=2, quick=quick)
