"""Joining groups of records by the evidence between them.

Belongs here: average linkage over comparisons, by reciprocal nearest neighbours. Does not belong here: which records
and pairs come here (cluster), or what evidence weighs (model).

Average linkage usually averages the scores of the pairs between two groups. A pair without a date of birth then
counts as weak evidence, though it is none. Here each comparison is averaged over the pairs where it could be made,
and the averages are added up: what is missing between some pairs is told by the others.

What is averaged depends on the question. One record is held against a group as against a distribution: its values are
likely if they are those of any of the group's records, so Bayes factors are averaged (a kernel estimate of what the
party's records look like), and a value that three of ten records have counts for it. For two groups that would let one
slip of the pen outweigh many disagreements; there bits are averaged. In between, the smaller group's size decides.

The best pair of all is in every round a pair of mutual best neighbours, and so are many others: they join at once
(reciprocal nearest neighbours, Murtagh 1983).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.model import Bits, Floats, Scores

Labels = npt.NDArray[np.int64]
Votes = npt.NDArray[np.integer[Any]]
Weigh = Callable[[Floats, Floats], Scores]


@dataclass(frozen=True)
class Evidence:
    """What is known about pairs.

    Attributes:
        odds: Posterior log2 odds of each pair; minus infinity where it is no match by itself.
        match: Bits for a match, shape (pairs, comparisons); NaN where a comparison could not be made.
        related: Bits for related records, alike.
        apart: Pairs that must not come together.
        votes: 1 where a pair contradicts being of one party, -1 where it could and does not, 0 where none can tell.
    """

    odds: Floats
    match: Bits
    related: Bits
    apart: npt.NDArray[np.bool_]
    votes: Votes


@dataclass(frozen=True)
class Limits:
    """When groups join.

    Attributes:
        match: One of their pairs has these log2 odds.
        support: The evidence between them has these log2 odds.
        most: Together they are at most so many records.
    """

    match: float
    support: float
    most: int


@dataclass
class Groups:
    """Groups of records and the evidence between them.

    Attributes:
        member: For each record the lowest position of its group.
        sizes: For each lowest position the number of records in the group.
        low, high: Groups of each edge.
        sums: Evidence added up over the edge's pairs, shape (edges, kinds, comparisons): bits for a match and for
            related records, Bayes factors for both, and the number of pairs where the comparison was made.
        best: The highest odds of a pair.
        apart: Whether any pair must stay apart.
        votes: Votes of the pairs added up: above zero, most of them contradict.
    """

    member: Labels
    sizes: npt.NDArray[np.int64]
    low: Labels
    high: Labels
    sums: Floats
    best: Floats
    apart: npt.NDArray[np.bool_]
    votes: Votes

    @classmethod
    def of(cls, given: Labels, left: Labels, right: Labels, evidence: Evidence) -> Self:
        """Groups to begin with (``given``: each record's lowest position in its group) and pairs of records."""
        made = ~np.isnan(evidence.match)
        kinds = [np.where(made, bits, 0.0) for bits in (evidence.match, evidence.related)]
        factors = [np.where(made, np.exp2(bits), 0.0) for bits in (evidence.match, evidence.related)]
        sums = np.stack([*kinds, *factors, made], axis=1)
        sizes = np.bincount(given, minlength=len(given))
        votes = evidence.votes.astype(np.int32)
        groups = cls(given.copy(), sizes, left, right, sums, evidence.odds, evidence.apart, votes)
        groups._contract(np.arange(len(left)), given)
        return groups

    def joined(self, weigh: Weigh, limits: Limits) -> Labels:
        """Join mutual best neighbours until no two groups may join; the lowest position of each record's group."""
        while True:
            evidence = self.evidence(weigh)
            fits = self.sizes[self.low] + self.sizes[self.high] <= limits.most
            may = (
                (evidence >= limits.support)
                & (self.best >= limits.match)
                & ~self.apart
                & (self.votes <= 0)
                & fits
            )
            chosen = np.flatnonzero(may)
            if not len(chosen):
                return self.member
            chosen = chosen[np.lexsort((self.high[chosen], self.low[chosen], -evidence[chosen]))]
            mutual = chosen[_first_for_both(self.low[chosen], self.high[chosen], len(self.member))]
            low, high = self.low[mutual], self.high[mutual]
            now = np.arange(len(self.member))
            now[high] = low
            self.sizes[low] += self.sizes[high]
            self.member = now[self.member]
            self._contract(np.arange(len(self.low)), now)

    def evidence(self, weigh: Weigh) -> Floats:
        """Posterior log2 odds of each edge that its two groups are one party."""
        made = self.sums[:, -1]
        pairs = np.maximum(made, 1.0)
        # The fewer records the smaller group has, the more it is one record that must be like some of the others.
        as_one = 1 / np.minimum(self.sizes[self.low], self.sizes[self.high])
        totals = []
        for kind in (0, 1):
            mean_of_bits = self.sums[:, kind] / pairs
            bits_of_mean = np.log2(np.where(made > 0, self.sums[:, kind + 2] / pairs, 1.0))
            totals.append(as_one * bits_of_mean.sum(axis=1) + (1 - as_one) * mean_of_bits.sum(axis=1))
        return weigh(*totals).odds

    def _contract(self, edges: Labels, now: Labels) -> None:
        """Rename groups and add up the edges that fall together."""
        a, b = now[self.low], now[self.high]
        low, high = np.minimum(a, b), np.maximum(a, b)
        edges = edges[low != high]
        edges = edges[np.lexsort((self.high[edges], self.low[edges], high[edges], low[edges]))]
        low, high = low[edges], high[edges]
        new = np.append(True, (low[1:] != low[:-1]) | (high[1:] != high[:-1]))[: len(low)]
        first = np.flatnonzero(new)
        self.low, self.high = low[first], high[first]
        self.sums, self.best = self.sums[edges], self.best[edges]
        self.apart, self.votes = self.apart[edges], self.votes[edges]
        if len(first) < len(edges):
            self.sums = np.add.reduceat(self.sums, first, axis=0)
            self.best = np.maximum.reduceat(self.best, first)
            self.apart = np.logical_or.reduceat(self.apart, first)
            self.votes = np.add.reduceat(self.votes, first)


def _first_for_both(low: Labels, high: Labels, groups: int) -> npt.NDArray[np.int64]:
    """Of edges from best to worst, those that are the first of both their groups."""
    rank = np.arange(len(low))
    first = np.full(groups, len(low))
    # The last assignment to a place stands: backwards, that is the first edge.
    ends = np.stack([low, high], axis=1).ravel()[::-1]
    first[ends] = np.repeat(rank, 2)[::-1]
    return np.flatnonzero((first[low] == rank) & (first[high] == rank))
