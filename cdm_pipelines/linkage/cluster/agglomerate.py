"""Joining groups of records by the evidence between them.

Belongs here: average linkage over comparisons, by reciprocal nearest neighbours. Does not belong here: which records
and pairs come here (clusters), or what evidence weighs (model).

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

from cdm_pipelines.linkage.model.fellegi_sunter import Bits, Floats
from cdm_pipelines.linkage.model.scoring import Scores

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
class JoinLimits:
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
        part: For each record the position of its component; no edge leads out of one.
        sizes: For each lowest position the number of records in the group.
        edges: Which of the rows below are edges now; edges that fall together are added up in the first one's row.
        low, high: Groups of each edge.
        sums: Evidence added up over the edge's pairs, shape (edges, kinds, comparisons): bits for a match and for
            related records, Bayes factors for both, and the number of pairs where the comparison was made.
        best: The highest odds of a pair.
        apart: Whether any pair must stay apart.
        votes: Votes of the pairs added up: above zero, most of them contradict.
    """

    member: Labels
    part: Labels
    sizes: npt.NDArray[np.int64]
    edges: Labels
    low: Labels
    high: Labels
    sums: Floats
    best: Floats
    apart: npt.NDArray[np.bool_]
    votes: Votes

    @classmethod
    def of(cls, given: Labels, part: Labels, left: Labels, right: Labels, evidence: Evidence) -> Self:
        """Groups to begin with, and pairs of records.

        Args:
            given: Each record's lowest position in its group.
            part: The position of its component.
            left: The one record of each pair.
            right: The other.
            evidence: What is known about them.
        """
        made = ~np.isnan(evidence.match)
        kinds = [np.where(made, bits, 0.0) for bits in (evidence.match, evidence.related)]
        factors = [np.where(made, np.exp2(bits), 0.0) for bits in (evidence.match, evidence.related)]
        groups = cls(
            member=given.copy(),
            part=part,
            sizes=np.bincount(given, minlength=len(given)),
            edges=np.arange(len(left)),
            low=left.copy(),
            high=right.copy(),
            sums=np.stack([*kinds, *factors, made], axis=1),
            best=evidence.odds.copy(),
            apart=evidence.apart.copy(),
            votes=evidence.votes.astype(np.int32),
        )
        groups.edges = groups._contracted(groups.edges, given)
        return groups

    def joined(self, weigh: Weigh, limits: JoinLimits) -> Labels:
        """Join mutual best neighbours until no two groups may join; the lowest position of each record's group."""
        odds = np.empty(len(self.low))
        odds[self.edges] = self.evidence(weigh, self.edges)
        while True:
            chosen = self.edges[self._may_join(odds, limits)]
            if not len(chosen):
                return self.member
            # Where no two groups of a component may join, none ever will.
            open_ = self._marked(self.part[self.low[chosen]])
            edges = self.edges[open_[self.part[self.low[self.edges]]]]
            chosen = chosen[np.lexsort((self.high[chosen], self.low[chosen], -odds[chosen]))]
            mutual = chosen[_first_for_both(self.low[chosen], self.high[chosen], len(self.member))]
            low, high = self.low[mutual], self.high[mutual]
            now = np.arange(len(self.member))
            now[high] = low
            self.sizes[low] += self.sizes[high]
            self.member = now[self.member]
            joined = self._marked(np.append(low, high))
            affected = joined[self.low[edges]] | joined[self.high[edges]]
            left = self._contracted(edges[affected], now)
            odds[left] = self.evidence(weigh, left)
            self.edges = np.append(edges[~affected], left)

    def evidence(self, weigh: Weigh, edges: Labels) -> Floats:
        """Posterior log2 odds of edges that their two groups are one party."""
        sums = self.sums[edges]
        made = sums[:, -1]
        pairs = np.maximum(made, 1.0)
        # The fewer records the smaller group has, the more it is one record that must be like some of the others.
        as_one = 1 / np.minimum(self.sizes[self.low[edges]], self.sizes[self.high[edges]])
        totals = []
        for kind in (0, 1):
            mean_of_bits = sums[:, kind] / pairs
            bits_of_mean = np.log2(np.where(made > 0, sums[:, kind + 2] / pairs, 1.0))
            totals.append(as_one * bits_of_mean.sum(axis=1) + (1 - as_one) * mean_of_bits.sum(axis=1))
        return weigh(*totals).odds

    def _may_join(self, odds: Floats, limits: JoinLimits) -> npt.NDArray[np.bool_]:
        edges = self.edges
        together = self.sizes[self.low[edges]] + self.sizes[self.high[edges]]
        found: npt.NDArray[np.bool_] = (
            (odds[edges] >= limits.support)
            & (self.best[edges] >= limits.match)
            & ~self.apart[edges]
            & (self.votes[edges] <= 0)
            & (together <= limits.most)
        )
        return found

    def _marked(self, positions: Labels) -> npt.NDArray[np.bool_]:
        marked = np.zeros(len(self.member), dtype=np.bool_)
        marked[positions] = True
        return marked

    def _key(self, low: Labels, high: Labels) -> Labels:
        return low * len(self.member) + high

    def _contracted(self, edges: Labels, now: Labels) -> Labels:
        """Rename the groups of edges and add up those that fall together; the edges that are left."""
        before = self._key(self.low[edges], self.high[edges])
        a, b = now[self.low[edges]], now[self.high[edges]]
        low, high = np.minimum(a, b), np.maximum(a, b)
        key = self._key(low, high)
        # Summed in the order of the groups before, whatever order the edges have.
        order = np.lexsort((before, key))
        order = order[low[order] != high[order]]
        edges, low, high, key = edges[order], low[order], high[order], key[order]
        first = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: len(key)])
        left = edges[first]
        self.low[left], self.high[left] = low[first], high[first]
        if len(left) < len(edges):
            self.sums[left] = np.add.reduceat(self.sums[edges], first, axis=0)
            self.best[left] = np.maximum.reduceat(self.best[edges], first)
            self.apart[left] = np.logical_or.reduceat(self.apart[edges], first)
            self.votes[left] = np.add.reduceat(self.votes[edges], first)
        return left


def _first_for_both(low: Labels, high: Labels, groups: int) -> npt.NDArray[np.int64]:
    """Of edges from best to worst, those that are the first of both their groups."""
    rank = np.arange(len(low))
    first = np.full(groups, len(low))
    # The last assignment to a place stands: backwards, that is the first edge.
    ends = np.stack([low, high], axis=1).ravel()[::-1]
    first[ends] = np.repeat(rank, 2)[::-1]
    return np.flatnonzero((first[low] == rank) & (first[high] == rank))
