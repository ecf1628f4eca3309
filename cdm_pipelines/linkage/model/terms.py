"""Term frequencies: agreement on a rare value says more than agreement on a common one.

Belongs here: the frozen tables of how common values are, and the bits they add to a pair. Does not belong here: which
comparisons use them (policy).

A value that k of n records hold agrees by chance with probability (k - 1) / n, less the records of the same party
among those k: a rare surname is often one family's, an address one household's, a mailbox one person's. Values that
fewer than five records share are kept together under one figure, so that a model names no single person.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.encode.columns import Column

Floats = npt.NDArray[np.float64]
_LEAST_SHARED = 5
_MOST_VALUES = 20_000
_LEAST_CHANCE = 0.05  # of agreement on a value, at least this share is taken for chance


@dataclass(frozen=True)
class TermTable:
    """How common the values of one comparison are.

    Attributes:
        records: Number of records that have a value.
        values: Values that at least five records share, with how many do.
        rest: The number of records that share a value, averaged over pairs, for all other values.
        partners: Expected number of other records of the same party with the same value.
        average: Chance of agreement over all values.
        fuzzy: Share of the adjustment for values that are only near.
    """

    records: int
    rest: float
    partners: float
    average: float
    fuzzy: float
    values: dict[str, int] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, column: Column, matched: float, fuzzy: float) -> "TermTable":
        """Count a column's values; ``matched`` is the expected number of same-party records with the same value."""
        counts = column.counts
        records = max(int((column.codes >= 0).any(axis=1).sum()), 1)
        common = np.flatnonzero(counts >= _LEAST_SHARED)
        if len(common) > _MOST_VALUES:
            common = np.sort(common[np.lexsort((common, -counts[common]))[:_MOST_VALUES]])
        others = np.delete(counts, common)
        rest = float((others * others).sum() / others.sum()) if others.sum() else 2.0
        texts = column.values.take(pa.array(common)).to_pylist()
        values = dict(zip(texts, counts[common].tolist(), strict=True))
        table = cls(records, rest, matched, 1.0, fuzzy, values)
        chance = table._chance(counts.astype(np.float64))
        share = counts / max(int(counts.sum()), 1)
        average = float((share * chance).sum()) or 1.0 / records
        return cls(records, rest, matched, average, fuzzy, values)

    def _chance(self, holders: Floats) -> Floats:
        others = np.maximum(holders - 1, 0.5)
        by_chance = np.maximum(1 - self.partners / others, _LEAST_CHANCE)
        return others / self.records * by_chance

    def bits(self, column: Column) -> Floats:
        """For each value of a column the bits that agreement on it adds (rare) or takes away (common)."""
        if column.size < len(self.values):  # few values: asked one by one, no table is made of the many
            known = [self.values.get(value, self.rest) for value in column.values.to_pylist()]
            holders = np.array(known, dtype=np.float64)
        else:
            names = pa.array(list(self.values), pa.string())
            found = pc.index_in(column.values, names).fill_null(-1).to_numpy(zero_copy_only=False)
            holders = np.append(np.array(list(self.values.values()), dtype=np.float64), self.rest)[found]
        return np.asarray(np.log2(self.average / self._chance(holders)))
