"""How often records agree by chance: the marginal probability of each level over all pairs.

Belongs here: random pairs, and exact counts of agreement on keys. Does not belong here: telling matches from chance
(em).

Random pairs alone cannot show that two records in a million share an address. Each comparison therefore names a key
whose equality its high levels go with: pairs with equal keys are counted exactly and sampled apart (two strata).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.blocking.pairs import Allowed, Blocks
from cdm_pipelines.linkage.compare.bound import Compared
from cdm_pipelines.linkage.compare.levels import Levels
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.parallel import in_order

_IN_KEY = 50_000  # pairs with equal keys that are looked at


@dataclass(frozen=True)
class Chance:
    """Marginal probabilities of a comparison's levels over all pairs where it can be made.

    Attributes:
        levels: Shape (levels,), sums to 1.
        comparable: Share of all pairs where it can be made.
    """

    levels: npt.NDArray[np.float64]
    comparable: float


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


def chance(
    compared: Compared, pairs: tuple[Positions, Positions], allowed: Allowed, rng: np.random.Generator
) -> Chance:
    """Estimate one comparison's marginals from random pairs and from pairs with equal keys."""
    size = len(compared.labels)
    key = Blocks("", compared.key())
    number, drawn = key.sample(_IN_KEY, rng)
    keep = allowed(*drawn)
    drawn = (drawn[0][keep], drawn[1][keep])
    equal = number * float(keep.mean()) if len(keep) else 0.0
    levels = compared.levels(*pairs)
    made = key.makes(*pairs)
    comparable = float((levels >= 0).mean()) if len(levels) else 0.0
    everything = max(comparable * allowed.total, equal, 1.0)
    share = min(equal / everything, 1.0)
    inside, outside = _counts(compared.levels(*drawn), size), _counts(levels[~made], size)
    shares = share * _shares(inside) + (1 - share) * _shares(outside)
    # A level that neither shows has happened less than once in the pairs looked at.
    shares[shares == 0] = 0.5 / max(float(inside.sum() + outside.sum()), 1.0)
    return Chance(shares / shares.sum(), comparable)


def _counts(levels: Levels, size: int) -> npt.NDArray[np.float64]:
    return np.bincount(levels[levels >= 0], minlength=size).astype(np.float64)


def _shares(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    total = counts.sum()
    return np.asarray(counts / total if total else np.zeros(len(counts)))


def chances(
    compared: dict[str, Compared],
    records: Records,
    allowed: Allowed,
    wanted: int,
    seed: int,
    *,
    threads: int | None = None,
) -> dict[str, Chance]:
    """Marginals of every comparison, from one set of random pairs."""
    rng = np.random.default_rng(seed)
    pairs = random_pairs(len(records), wanted, allowed, rng)

    def estimate(numbered: tuple[int, Compared]) -> Chance:
        number, one = numbered
        return chance(one, pairs, allowed, np.random.default_rng([seed, number]))

    return dict(zip(compared, in_order(estimate, enumerate(compared.values()), threads), strict=True))
