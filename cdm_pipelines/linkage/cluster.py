"""From scored pairs to clusters that hold together.

Belongs here: components, contradictions, agglomeration. Does not belong here: scores (model) or stable ids (identity).

Method. Links from the review threshold on make components; within each, all pairs are scored, also those that no blocking
rule made. Groups are then joined by average log2 odds, each with its mutual best neighbour (reciprocal nearest neighbours,
which for average linkage gives the same tree as joining the best pair of all: Murtagh 1983). Two groups join while one of
their pairs is a match, their average reaches the policy's support, and no pair of them contradicts. Everything is decided
within a component, from records and model alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cdm_pipelines.linkage.blocking import Positions
from cdm_pipelines.linkage.policy import Clustering

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
_NEVER = -1e9  # bits of a pair that must stay apart
_STEP = 2.0  # bits by which the threshold rises to break a component that is too large


@dataclass(frozen=True)
class Links:
    """Pairs with their posterior log2 odds, and whether they contradict."""

    left: Positions
    right: Positions
    odds: Floats
    apart: npt.NDArray[np.bool_]

    def at(self, chosen: npt.NDArray[np.bool_]) -> "Links":
        """Some of the links."""
        return Links(self.left[chosen], self.right[chosen], self.odds[chosen], self.apart[chosen])


Scored = Callable[[Positions, Positions], Links]


def clusters(
    records: int,
    links: Links,
    same: tuple[Positions, Positions],
    different: tuple[Positions, Positions],
    match: float,
    policy: Clustering,
    score: Scored,
) -> Labels:
    """For each record the lowest position of its cluster.

    Args:
        records: Number of records.
        links: Pairs from the review threshold on.
        same: Pairs that belong together whatever they score.
        different: Pairs that stay apart whatever they score.
        match: Log2 odds from which a pair is a match.
        policy: The guards.
        score: Scores further pairs, for those that no blocking rule made.
    """
    given = components(records, *same)
    links = _within_limits(records, links, same, policy.max_component)
    component = components(
        records, np.concatenate([links.left, same[0]]), np.concatenate([links.right, same[1]])
    )
    links = _completed(records, links, component, policy.max_component, score)
    odds = np.clip(links.odds, -policy.limit, policy.limit)
    odds[links.apart] = _NEVER
    odds[_among(records, links, different)] = _NEVER
    graph = _Groups.of(records, given, links, odds)
    return graph.joined(match=min(match, policy.limit), support=policy.support, most=policy.max_size)


def components(records: int, left: Positions, right: Positions) -> Labels:
    """The lowest position of each record's component."""
    graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(records, records))
    label = connected_components(graph, directed=False)[1]
    lowest = np.full(int(label.max(initial=-1)) + 1, records, dtype=np.int64)
    np.minimum.at(lowest, label, np.arange(records))
    return lowest[label]


def _within_limits(records: int, links: Links, same: tuple[Positions, Positions], most: int) -> Links:
    """Drop the weakest links of components with more than ``most`` records until none is left."""
    floor = float(links.odds.min(initial=0.0))
    while True:
        component = components(records, np.append(links.left, same[0]), np.append(links.right, same[1]))
        sizes = np.bincount(component, minlength=records)
        large = sizes[component[links.left]] > most
        if not large.any():
            return links
        floor += _STEP
        links = links.at(~large | (links.odds >= floor))


def _completed(records: int, links: Links, component: Labels, most: int, score: Scored) -> Links:
    """Links together with the pairs of each component that were not among them."""
    sizes = np.bincount(component, minlength=records)
    wanted = np.flatnonzero((sizes[component] > 2) & (sizes[component] <= most))
    order = wanted[np.argsort(component[wanted], kind="stable")]
    ends = np.searchsorted(component[order], component[order], side="right")
    partners = ends - np.arange(len(order)) - 1
    a = np.repeat(np.arange(len(order)), partners)
    b = a + 1 + np.arange(len(a)) - np.repeat(np.cumsum(partners) - partners, partners)
    left, right = order[a].astype(np.int32), order[b].astype(np.int32)
    new = ~np.isin(
        left.astype(np.int64) * records + right, links.left.astype(np.int64) * records + links.right
    )
    more = score(left[new], right[new])
    return Links(
        np.concatenate([links.left, more.left]),
        np.concatenate([links.right, more.right]),
        np.concatenate([links.odds, more.odds]),
        np.concatenate([links.apart, more.apart]),
    )


def _among(records: int, links: Links, pairs: tuple[Positions, Positions]) -> npt.NDArray[np.bool_]:
    low, high = np.minimum(*pairs).astype(np.int64), np.maximum(*pairs)
    return np.isin(links.left.astype(np.int64) * records + links.right, low * records + high)


@dataclass
class _Groups:
    """Groups of records and the sums of the odds between them.

    Attributes:
        member: For each record the lowest position of its group.
        sizes: For each lowest position the number of records in the group.
        low, high: Groups of each edge.
        total: Sum of the odds of the edge's pairs.
        best: The highest of them.
    """

    member: Labels
    sizes: npt.NDArray[np.int64]
    low: Labels
    high: Labels
    total: Floats
    best: Floats

    @classmethod
    def of(cls, records: int, given: Labels, links: Links, odds: Floats) -> "_Groups":
        groups = cls(
            given,
            np.bincount(given, minlength=records),
            links.left.astype(np.int64),
            links.right.astype(np.int64),
            odds,
            odds,
        )
        groups._contract(given)
        return groups

    def _contract(self, now: Labels) -> None:
        """Rename groups and add up edges that fall together."""
        a, b = now[self.low], now[self.high]
        low, high = np.minimum(a, b), np.maximum(a, b)
        keep = low != high
        low, high, total, best = low[keep], high[keep], self.total[keep], self.best[keep]
        order = np.lexsort((best, total, high, low))
        low, high, total, best = low[order], high[order], total[order], best[order]
        first = (
            np.flatnonzero(np.append(True, (low[1:] != low[:-1]) | (high[1:] != high[:-1])))
            if len(low)
            else order
        )
        self.low, self.high = low[first], high[first]
        self.total = np.add.reduceat(total, first) if len(first) else total
        self.best = np.maximum.reduceat(best, first) if len(first) else best

    def joined(self, match: float, support: float, most: int) -> Labels:
        """Join mutual best neighbours until no two groups may join."""
        while True:
            average = self.total / (self.sizes[self.low] * self.sizes[self.high])
            may = (
                (average >= support)
                & (self.best >= match)
                & (self.sizes[self.low] + self.sizes[self.high] <= most)
            )
            chosen = np.flatnonzero(may)
            if not len(chosen):
                return self.member
            chosen = chosen[np.lexsort((self.high[chosen], self.low[chosen], -average[chosen]))]
            rank = np.arange(len(chosen))
            best = np.full(len(self.member), len(chosen))
            np.minimum.at(best, self.low[chosen], rank)
            np.minimum.at(best, self.high[chosen], rank)
            mutual = chosen[(best[self.low[chosen]] == rank) & (best[self.high[chosen]] == rank)]
            low, high = self.low[mutual], self.high[mutual]
            now = np.arange(len(self.member))
            now[high] = low
            self.sizes[low] += self.sizes[high]
            self.member = now[self.member]
            self._contract(now)
