"""u-probabilities: how often pairs of any two records reach each level of a comparison.

Belongs here: random pairs, pairs that agree on a key, and what their levels say of all pairs. Does not belong here:
taking the matches among them out (em).

Random pairs alone cannot show that two records in a million share an address. Each comparison therefore names a key
whose equality its high levels go with: pairs with equal keys are counted exactly and sampled apart (two strata).
Keys have hashes that are equal in every table, so that who holds a part of the records can count them
(``key_counts``), levels can be counted batch by batch, and counts add up: ``UProbabilities.from_counts`` is all that is
computed from them.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.blocking.pairs import Allowed, Blocks
from cdm_pipelines.linkage.compare.bound import Compared, Key
from cdm_pipelines.linkage.compare.levels import Levels
from cdm_pipelines.linkage.encode.hashes import Hashes
from cdm_pipelines.linkage.encode.positions import Flags, Positions
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.parallel import in_order

_IN_KEY = 50_000  # pairs with equal keys that are looked at


@dataclass(frozen=True)
class Keyed:
    """Pairs drawn that have a comparison's key in common.

    Attributes:
        key: The key.
        left: Positions of the one record of each pair.
        right: Of the other.
        number: How many pairs there are, of which these were drawn.
    """

    key: Key
    left: Positions
    right: Positions
    number: float


@dataclass(frozen=True)
class UProbabilities:
    """Probabilities of a comparison's levels over all pairs where it can be made, the few matches among them.

    Attributes:
        levels: Shape (levels,), sums to 1.
        comparable: Share of all pairs where it can be made.
        keyed: The pairs with equal keys that were looked at; None where they were counted elsewhere.
        hidden: Levels that no pair has shown: they are less frequent than is said.
    """

    levels: npt.NDArray[np.float64]
    comparable: float
    keyed: Keyed | None = None
    hidden: tuple[int, ...] = ()

    @property
    def unseen(self) -> Flags:
        """For each level whether no pair has shown it."""
        return np.isin(np.arange(len(self.levels)), self.hidden)

    @classmethod
    def from_counts(
        cls,
        inside: npt.NDArray[np.float64],
        outside: npt.NDArray[np.float64],
        *,
        equal: float,
        comparable: float,
        total: int,
    ) -> Self:
        """From counted levels, wherever they were counted.

        Args:
            inside: Levels of sampled pairs with equal keys, shape (levels,); missing not counted.
            outside: Levels of random pairs with different keys.
            equal: Number of all pairs with equal keys.
            comparable: Share of random pairs where the comparison can be made.
            total: Number of all pairs.
        """
        everything = max(comparable * total, equal, 1.0)
        share = min(equal / everything, 1.0)
        shares = share * _shares(inside) + (1 - share) * _shares(outside)
        # A level that neither shows has happened less than once in the pairs looked at.
        hidden = np.flatnonzero(shares == 0)
        shares[hidden] = 0.5 / max(float(inside.sum() + outside.sum()), 1.0)
        return cls(shares / shares.sum(), comparable, hidden=tuple(hidden.tolist()))


def random_pairs(
    records: int, wanted: int, allowed: Allowed, rng: np.random.Generator
) -> tuple[Positions, Positions]:
    """About ``wanted`` pairs of different records, drawn with replacement; all pairs where there are no more."""
    if records * (records - 1) // 2 <= wanted:
        left, right = np.triu_indices(records, k=1)
    else:
        left = rng.integers(0, records, wanted)
        right = (left + rng.integers(1, records, wanted)) % records
    low, high = np.minimum(left, right).astype(np.int32), np.maximum(left, right).astype(np.int32)
    keep = allowed(low, high)
    return low[keep], high[keep]


def estimate(
    compared: Compared, pairs: tuple[Positions, Positions], allowed: Allowed, rng: np.random.Generator
) -> UProbabilities:
    """Estimate one comparison's u-probabilities from random pairs and from pairs with equal keys."""
    size, key = len(compared.labels), compared.key()
    number, drawn = Blocks("", key.codes).sample(_IN_KEY, rng)
    keep = allowed(*drawn)
    drawn = (drawn[0][keep], drawn[1][keep])
    levels = compared.levels(*pairs)
    equal = number * float(keep.mean()) if len(keep) else 0.0
    counted = UProbabilities.from_counts(
        _counts(compared.levels(*drawn), size),
        _counts(levels[~key.equal(*pairs)], size),
        equal=equal,
        comparable=float((levels >= 0).mean()) if len(levels) else 0.0,
        total=allowed.total,
    )
    return replace(counted, keyed=Keyed(key, *drawn, equal))


def key_counts(compared: Compared) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Hashes of the values of a comparison's key among some records, and in how many records each occurs."""
    hashes = np.sort(compared.key().hashes, axis=1)
    hashes[:, 1:][hashes[:, 1:] == hashes[:, :-1]] = 0  # a record that has a value twice has it
    found, counts = np.unique(hashes[hashes > 0], return_counts=True)
    return found, counts.astype(np.int64)


def equal_pairs(counts: npt.NDArray[np.int64]) -> int:
    """Number of pairs with equal keys, from the number of records of each key; one that shares two counts twice."""
    return int((counts * (counts - 1) // 2).sum())


def _counts(levels: Levels, size: int) -> npt.NDArray[np.float64]:
    return np.bincount(levels[levels >= 0], minlength=size).astype(np.float64)


def _shares(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    total = counts.sum()
    return np.asarray(counts / total if total else np.zeros(len(counts)))


def u_probabilities(
    compared: dict[str, Compared],
    records: Records,
    allowed: Allowed,
    wanted: int,
    seed: int,
    *,
    threads: int | None = None,
) -> dict[str, UProbabilities]:
    """u-probabilities of every comparison, from one set of random pairs."""
    rng = np.random.default_rng(seed)
    pairs = random_pairs(len(records), wanted, allowed, rng)

    def of_one(numbered: tuple[int, Compared]) -> UProbabilities:
        number, one = numbered
        return estimate(one, pairs, allowed, np.random.default_rng([seed, number]))

    return dict(zip(compared, in_order(of_one, enumerate(compared.values()), threads), strict=True))
