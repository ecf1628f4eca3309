"""All comparisons of a policy together: from candidate pairs to agreement patterns packed in one integer.

Belongs here: which class makes which kind of comparison, packing and unpacking. Does not belong here: what a level
means (bound, name, address) or weighs (model).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage.compare.address import Address
from cdm_pipelines.linkage.compare.bound import Compared, Date, Email, Exact, Identifier, Phone, Text
from cdm_pipelines.linkage.compare.levels import Levels
from cdm_pipelines.linkage.compare.name import GivenName, Surname
from cdm_pipelines.linkage.compare.organisation import Organisation
from cdm_pipelines.linkage.encode.positions import Pair, Positions
from cdm_pipelines.linkage.encode.records import Records, encode_rows
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.policy import comparisons, spec
from cdm_pipelines.linkage.policy.equivalents import NameForms, equivalents

Packed = npt.NDArray[np.int64]


def _toolkit(records: Records, comparison: comparisons.ToolkitComparison) -> Compared:
    from cdm_pipelines.linkage.compare.toolkit import ToolkitLevels  # noqa: PLC0415 - recordlinkage is heavy

    return ToolkitLevels(records, comparison)


_MAKERS: dict[type[Any], Callable[[Records, Any], Compared]] = {
    comparisons.ExactComparison: Exact,
    comparisons.TextComparison: Text,
    comparisons.SurnameComparison: Surname,
    comparisons.OrganisationComparison: Organisation,
    comparisons.DateComparison: Date,
    comparisons.AddressComparison: Address,
    comparisons.PhoneComparison: Phone,
    comparisons.EmailComparison: Email,
    comparisons.IdentifierComparison: Identifier,
    comparisons.ToolkitComparison: _toolkit,
}


def bound(records: Records, comparison: comparisons.Comparison, forms: NameForms | None = None) -> Compared:
    """One comparison, ready to compare these records; ``forms`` of names are those shipped where not given."""
    if isinstance(comparison, comparisons.GivenNameComparison):
        known = equivalents(comparison.equivalents, None) if forms is None else forms
        return GivenName(records, comparison, known)
    return _MAKERS[type(comparison)](records, comparison)


class Comparer:
    """The comparisons of a policy over one set of records.

    Attributes:
        by_name: The bound comparisons, in the policy's order.
        sizes: For each comparison the number of its levels, missing not counted.
    """

    def __init__(
        self,
        records: Records,
        policy: spec.LinkagePolicy,
        forms: Mapping[str, NameForms] | None = None,
    ) -> None:
        """Bind them; forms of names are read from the policy's tables where they are not given."""
        forms = policy.name_forms() if forms is None else forms
        self.by_name: Mapping[str, Compared] = {
            name: bound(records, comparison, forms.get(name))
            for name, comparison in policy.comparisons.items()
        }
        self.sizes = [len(compared.labels) for compared in self.by_name.values()]
        self._packing = Packing(self.sizes)

    def levels(self, left: Positions, right: Positions) -> Levels:
        """Levels of pairs, shape (pairs, comparisons)."""
        found = np.empty((len(left), len(self.sizes)), dtype=np.int8)
        for number, compared in enumerate(self.by_name.values()):
            found[:, number] = compared.levels(left, right)
        return found

    def packed(self, left: Positions, right: Positions) -> Packed:
        """Agreement patterns of pairs, one integer each; see ``Packing``."""
        packed = np.zeros(len(left), dtype=np.int64)
        for compared, place in zip(self.by_name.values(), self._packing.places, strict=True):
            packed += (compared.levels(left, right).astype(np.int64) + 1) * place
        return packed

    @property
    def packing(self) -> "Packing":
        """How these comparisons' levels share one integer."""
        return self._packing


def side_by_side(
    left: pa.Table | pd.DataFrame,
    right: pa.Table | pd.DataFrame,
    policy: spec.LinkagePolicy,
    at: Pair | None = None,
) -> tuple[Records, Positions, Positions]:
    """Rows of two tables that are compared with each other as records, and the positions of each pair.

    Args:
        left: One side of each pair, in the columns that the policy maps. Sources tell the form of dates, where they
            stand in both tables.
        right: The other side.
        policy: What is compared.
        at: Which rows make the pairs, on the left and on the right; row by row where not given.

    Raises:
        LinkageError: The tables are compared row by row, and not of equal length.
    """
    if at is None and len(left) != len(right):
        raise LinkageError(
            f"pairs: {len(left)} rows on the left and {len(right)} on the right; give both sides of each pair"
        )
    told = policy.source is not None and all(
        policy.source in (one.column_names if isinstance(one, pa.Table) else one.columns)
        for one in (left, right)
    )
    records = encode_rows([left, right], policy.columns, source=policy.source if told else None)
    one, other = at or (np.arange(len(left), dtype=np.int32),) * 2
    return records, one, other + np.int32(len(left))


class Packing:
    """Agreement patterns as mixed-radix integers: level + 1 of each comparison is a digit."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = sizes
        self.places: list[int] = []
        place = 1
        for size in sizes:
            self.places.append(place)
            place *= size + 1
        self.patterns = place

    def unpack(self, packed: Packed) -> Levels:
        """Levels of patterns, shape (patterns, comparisons)."""
        digits = [
            packed // place % (size + 1) - 1 for place, size in zip(self.places, self.sizes, strict=True)
        ]
        return np.stack(digits, axis=1).astype(np.int8).reshape(len(packed), len(self.sizes))
