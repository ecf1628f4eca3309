"""Clusters held against a labelled sample of pairs, with confidence intervals.

Belongs here: drawing a sample, weighing its labels, intervals. Does not belong here: the whole truth (measures).

A stratum is a band of the model's probability among pairs in one cluster, or among pairs apart. Whoever labels need not
label each stratum alike: a label counts for as many pairs as its stratum has per label, so a sample that is taken
mostly near the threshold is as fair as one taken evenly, as long as it is random within a band. Bands without labels
go with the nearest that has some. Recall is among the pairs in clusters and those from the review threshold on:
nobody can label a sample of all pairs there are.

Intervals: Wilson's (1927) in each stratum, narrowed by what is labelled of it (Cochran 1977), added up by the method of
variance estimates recovery (Zou, Huang and Zhang 2009), and for recall and F1, which are ratios, by its form for
ratios (Donner and Zou 2012). With one stratum it is Wilson's interval itself.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from cdm_pipelines.linkage.encode.positions import Flags, Positions
from cdm_pipelines.linkage.evaluate.truth import Codes, pairs_within
from cdm_pipelines.linkage.model.fellegi_sunter import Floats

BANDS = (0.5, 0.9, 0.99, 0.999)
_UNSCORED = -1  # pairs in one cluster that the model did not see, or put below the review threshold


@dataclass(frozen=True)
class Estimate:
    """A share, and the limits of its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Stratum:
    """Pairs of a band of probability, of one cluster or apart.

    Attributes:
        together: Whether they are in one cluster.
        band: The lowest and the highest probability; none for pairs below the review threshold.
        pairs: How many there are.
        labelled: How many of them have a label.
        matches: Labelled pairs that are matches.
    """

    together: bool
    band: tuple[float, float] | None
    pairs: int
    labelled: int
    matches: int


@dataclass(frozen=True)
class SampleEvaluation:
    """What a labelled sample says of a clustering; estimates are None where no label bears on them.

    Attributes:
        precision: Share of pairs in one cluster that are matches.
        recall: Share of matches, among pairs in one cluster and those from the review threshold on, that are in one.
        f1: Harmonic mean of the two.
        strata: Pairs and labels by stratum.
        outside: Labelled pairs that are apart and below the review threshold: they cannot be weighed.
        outside_matches: Matches among them.
    """

    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None
    strata: tuple[Stratum, ...]
    outside: int
    outside_matches: int


@dataclass(frozen=True)
class Population:
    """The pairs that a sample is of.

    Attributes:
        clusters: Cluster of each record.
        left, right: Scored pairs, left < right.
        probability: Theirs.
    """

    clusters: Codes
    left: Positions
    right: Positions
    probability: Floats

    def together(self, left: Positions, right: Positions) -> Flags:
        """Whether pairs are in one cluster."""
        found: Flags = self.clusters[left] == self.clusters[right]
        return found

    def bands(self, left: Positions, right: Positions) -> npt.NDArray[np.int64]:
        """The band of each pair, -1 where it is not scored."""
        known = (self.left.astype(np.int64) << 32) | self.right
        order = np.argsort(known)
        asked = (np.minimum(left, right).astype(np.int64) << 32) | np.maximum(left, right)
        place = (
            order[np.searchsorted(known, asked, sorter=order).clip(0, len(known) - 1)]
            if len(known)
            else asked
        )
        there = known[place] == asked if len(known) else np.zeros(len(asked), dtype=bool)
        band = np.full(len(asked), _UNSCORED, dtype=np.int64)
        band[there] = np.digitize(self.probability[place[there]], BANDS)
        return band

    def sizes(self) -> dict[tuple[bool, int], int]:
        """Number of pairs of each stratum that has any: whether together, and the band."""
        together = self.together(self.left, self.right)
        band = np.digitize(self.probability, BANDS)
        found = {
            (side, k): int(((together == side) & (band == k)).sum())
            for side in (True, False)
            for k in range(len(BANDS) + 1)
        }
        members = np.bincount(self.clusters) if len(self.clusters) else self.clusters
        found[True, _UNSCORED] = int((members * (members - 1) // 2).sum()) - int(together.sum())
        return {stratum: size for stratum, size in sorted(found.items()) if size}

    def draw(self, pairs: int, seed: int) -> tuple[Positions, Positions]:
        """Pairs to label, as many of each stratum as of any other while it has them, in an order that tells nothing."""
        rng = np.random.default_rng(seed)
        together, band = self.together(self.left, self.right), np.digitize(self.probability, BANDS)
        sizes = self.sizes()
        shares = _shares(list(sizes.values()), pairs)
        left, right = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
        for (side, k), share in zip(sizes, shares, strict=True):
            if k == _UNSCORED:
                a, b = self._unscored(share, rng)
            else:
                here = np.flatnonzero((together == side) & (band == k))
                here = rng.choice(here, share, replace=False)
                a, b = self.left[here], self.right[here]
            left.append(a)
            right.append(b)
        order = rng.permutation(sum(shares))
        return np.concatenate(left)[order], np.concatenate(right)[order]

    def _unscored(self, wanted: int, rng: np.random.Generator) -> tuple[Positions, Positions]:
        """Some of the pairs in one cluster that are not scored: those of the lowest random numbers."""
        left, right, lot = np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0)
        for a, b in pairs_within(self.clusters):
            new = np.flatnonzero(self.bands(a, b) == _UNSCORED)
            left, right = np.append(left, a[new]), np.append(right, b[new])
            lot = np.append(lot, rng.random(len(new)))
            first = np.argsort(lot)[:wanted]
            left, right, lot = left[first], right[first], lot[first]
        return left, right


def population(clusters: pd.DataFrame, pairs: pd.DataFrame) -> tuple[Population, "pd.Index[str]"]:
    """The pairs of a linkage, and the names ``source|record_id`` that positions stand for.

    Args:
        clusters: ``source``, ``record_id``, ``cluster_id``.
        pairs: Pairs from the review threshold on: ``left_source``, ``left_id`` and so on, ``probability``.
    """
    names = pd.Index(clusters["source"].astype(str) + "|" + clusters["record_id"].astype(str))
    a, b = (
        names.get_indexer(
            pd.Index(pairs[f"{side}_source"].astype(str) + "|" + pairs[f"{side}_id"].astype(str))
        )
        for side in ("left", "right")
    )
    known = (a >= 0) & (b >= 0)
    low, high = np.minimum(a, b)[known].astype(np.int32), np.maximum(a, b)[known].astype(np.int32)
    codes = pd.factorize(clusters["cluster_id"])[0].astype(np.int64)
    return Population(codes, low, high, pairs["probability"].to_numpy(dtype=np.float64)[known]), names


def _shares(sizes: list[int], wanted: int) -> list[int]:
    """How many of each to take: the same of all, and all of those that have not so many."""
    shares = [0] * len(sizes)
    left = min(wanted, sum(sizes))
    for rank, k in enumerate(sorted(range(len(sizes)), key=lambda k: (sizes[k], k))):
        shares[k] = min(sizes[k], left // (len(sizes) - rank))
        left -= shares[k]
    return shares


def estimate(
    whole: Population, left: Positions, right: Positions, match: Flags, *, confidence: float = 0.95
) -> SampleEvaluation:
    """Estimate precision, recall and F1 from labelled pairs.

    Args:
        whole: The pairs that they are a sample of.
        left: Positions of the labelled pairs, the one side.
        right: The other side.
        match: Whether each is a match.
        confidence: Of the intervals.
    """
    together, band = whole.together(left, right), whole.bands(left, right)
    inside = together | (band != _UNSCORED)
    strata = []
    for (side, k), size in whole.sizes().items():
        here = (together == side) & (band == k)
        edges = None if k == _UNSCORED else ((0.0, *BANDS)[k], (*BANDS, 1.0)[k])
        strata.append(Stratum(side, edges, size, int(here.sum()), int(match[here].sum())))
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    merged = _total([one for one in strata if one.together], z)
    apart = _total([one for one in strata if not one.together], z)
    pairs = sum(one.pairs for one in strata if one.together)
    precision = recall = f1 = None
    if merged and pairs:
        precision = Estimate(*(one / pairs for one in merged))
    if merged and apart and merged[0] > 0:
        recall = _inverse(_ratio(apart, merged))
        f1 = _inverse(_ratio((apart[0] + pairs, apart[1] + pairs, apart[2] + pairs), merged), 2.0)
    return SampleEvaluation(
        precision, recall, f1, tuple(strata), int((~inside).sum()), int(match[~inside].sum())
    )


Limits = tuple[float, float, float]  # a number, its lower and its upper limit


def _total(strata: list[Stratum], z: float) -> Limits | None:
    """Matches in some strata together; None where there are pairs and not one label."""
    cells = _collapsed(strata)
    if cells is None:
        return None
    total = below = above = 0.0
    for pairs, labelled, matches in cells:
        share = matches / labelled
        low, high = wilson(matches, labelled, z * (1 - labelled / pairs) ** 0.5)
        total += pairs * share
        below += (pairs * (share - low)) ** 2
        above += (pairs * (high - share)) ** 2
    most = float(sum(pairs for pairs, _, _ in cells))
    return total, max(total - below**0.5, 0.0), min(total + above**0.5, most)


def _collapsed(strata: list[Stratum]) -> list[tuple[int, int, int]] | None:
    """Pairs, labels and matches; a band without labels goes with the nearest that has some, the lower of two."""
    labelled = [k for k, one in enumerate(strata) if one.labelled]
    if not labelled:
        return None if strata else []
    pairs = dict.fromkeys(labelled, 0)
    for k, one in enumerate(strata):
        pairs[min(labelled, key=lambda other: (abs(other - k), other))] += one.pairs
    return [(pairs[k], strata[k].labelled, strata[k].matches) for k in labelled]


def wilson(matches: int, labelled: int, z: float) -> tuple[float, float]:
    """Wilson's interval of a share."""
    share, extra = matches / labelled, z * z / labelled
    middle = (share + extra / 2) / (1 + extra)
    half = z * (share * (1 - share) / labelled + extra / (4 * labelled)) ** 0.5 / (1 + extra)
    return min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)


def _ratio(above: Limits, below: Limits) -> Limits:
    """Limits of a ratio of two independent estimates from theirs; infinite where the lower one may be nothing."""
    (a, a_low, a_high), (b, b_low, b_high) = above, below
    product = a * b
    least = b_high * (2 * b - b_high)
    inner = product**2 - a_low * (2 * a - a_low) * least
    low = (product - max(inner, 0.0) ** 0.5) / least if least > 0 else a_low / b_high
    most = b_low * (2 * b - b_low)
    inner = product**2 - a_high * (2 * a - a_high) * most
    high = (product + max(inner, 0.0) ** 0.5) / most if most > 0 else float("inf")
    return a / b, max(low, 0.0), high


def _inverse(ratio: Limits, of: float = 1.0) -> Estimate:
    """``of / (1 + ratio)``, which falls while the ratio rises."""
    value, low, high = ratio
    return Estimate(of / (1 + value), of / (1 + high), min(of / (1 + low), 1.0))
