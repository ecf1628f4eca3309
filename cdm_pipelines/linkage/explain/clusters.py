"""Why records are in one cluster, or in two.

Belongs here: the graph of a cluster, the chain of links that holds two records together, the guards that keep two
clusters apart. Does not belong here: scores taken apart (pair), how clusters are made (cluster).
"""

import heapq
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.cluster.agglomerate import Groups
from cdm_pipelines.linkage.cluster.constraints import contradictions, votes
from cdm_pipelines.linkage.encode.positions import Flags, Pair, Positions
from cdm_pipelines.linkage.explain.pair import Subject, Waterfall, waterfall
from cdm_pipelines.linkage.model.fellegi_sunter import Floats, log2_odds, probability
from cdm_pipelines.quality.shapes import shape

Group = npt.NDArray[np.int32]  # positions of the records of a cluster
_NONE = np.zeros(0, dtype=np.int32)


@dataclass(frozen=True)
class Link:
    """An edge of a cluster's graph: positions, posterior log2 odds, and whether someone decided it."""

    left: int
    right: int
    odds: float
    decided: bool = False

    @property
    def probability(self) -> float:
        """Posterior probability of a match; 1 where it was decided."""
        return 1.0 if self.decided else float(probability(np.array(self.odds)))


@dataclass(frozen=True)
class Graph:
    """Records as nodes, with the links between them from the review threshold on.

    Attributes:
        nodes: Positions.
        names: ``source|record_id`` of each node.
        groups: The cluster of each node: the position of its first record.
        links: Strongest first.
    """

    nodes: tuple[int, ...]
    names: tuple[str, ...]
    groups: tuple[int, ...]
    links: tuple[Link, ...]


def graph(subject: Subject, groups: Collection[Group], same: Pair = (_NONE, _NONE)) -> Graph:
    """The graph of one cluster or of several together; pairs of ``same`` (left < right) were decided."""
    nodes = np.concatenate([np.sort(group) for group in groups]).astype(np.int32)
    first = np.concatenate([np.full(len(group), group.min()) for group in groups])
    i, j = np.triu_indices(len(nodes), 1)
    left, right = np.minimum(nodes[i], nodes[j]), np.maximum(nodes[i], nodes[j])
    odds = _odds(subject, left, right)
    decided = _among(left, right, same)
    shown = decided | ((odds >= log2_odds(subject.policy.thresholds.review)) & subject.allowed(left, right))
    found = [
        Link(int(left[k]), int(right[k]), float(odds[k]), bool(decided[k])) for k in np.flatnonzero(shown)
    ]
    found.sort(key=lambda link: (not link.decided, -link.odds, link.left, link.right))
    names = tuple(subject.name(int(node)) for node in nodes)
    return Graph(tuple(nodes.tolist()), names, tuple(first.tolist()), tuple(found))


def _among(left: Positions, right: Positions, pairs: Pair) -> Flags:
    low, high = np.minimum(*pairs).astype(np.int64), np.maximum(*pairs)
    found: Flags = np.isin((left.astype(np.int64) << 32) | right, (low << 32) | high)
    return found


def _odds(subject: Subject, left: Positions, right: Positions) -> Floats:
    """Log2 odds of pairs as clustering takes them."""
    return subject.evidence.odds(left, right, subject.comparer.packed(left, right))


def strongest_path(graph: Graph, left: int, right: int) -> tuple[Link, ...]:
    """The chain of links between two records whose weakest link is strongest; empty where there is none."""
    around: dict[int, list[tuple[int, Link]]] = {node: [] for node in graph.nodes}
    for link in graph.links:
        around[link.left].append((link.right, link))
        around[link.right].append((link.left, link))
    queue: list[tuple[float, int]] = [(-np.inf, left)]
    best, came_by = {left: -np.inf}, dict[int, tuple[int, Link]]()
    while queue:
        weakest, node = heapq.heappop(queue)
        if node == right:
            break
        for other, link in around[node]:
            reached = max(weakest, -np.inf if link.decided else -link.odds)
            # Of two chains that are equally strong the one found first stays: a direct link, if there is one.
            if reached < best.get(other, np.inf):
                best[other], came_by[other] = reached, (node, link)
                heapq.heappush(queue, (reached, other))
    if right not in came_by:
        return ()
    path: list[Link] = []
    while right != left:
        right, link = came_by[right]
        path.append(link)
    return tuple(reversed(path))


def why_apart(
    subject: Subject,
    left: int,
    right: int,
    groups: tuple[Group, Group],
    *,
    made: Pair | None = None,
    different: Pair = (_NONE, _NONE),
) -> tuple[str, ...]:
    """Every guard that keeps two clusters apart, as sentences; what concerns the pair itself comes first.

    Args:
        subject: The records and what scored them.
        left: Position of a record of the first cluster.
        right: Position of a record of the second.
        groups: The two clusters.
        made: Pairs from the review threshold on that blocking made, where that is known.
        different: Pairs that were decided to be different parties.
    """
    own, others = np.meshgrid(groups[0], groups[1], indexing="ij")
    a, b = own.ravel().astype(np.int32), others.ravel().astype(np.int32)
    odds = _odds(subject, a, b)
    here = int(np.flatnonzero((a == left) & (b == right))[0])
    limits, thresholds = subject.policy.clustering, subject.policy.thresholds
    reasons = [*_decisions(subject, a, b, here, different), *_obstacles(subject, a, b, here)]
    reasons += _below(subject, (a, b), odds, here)
    support = _support(subject, groups, a, b)
    if len(a) > 1 and support < limits.support:  # of a single pair it is the pair's own score
        reasons.append(
            f"Taken together, the {len(a)} pairs between the two clusters are evidence of {support:+.1f} bits; "
            f"the policy asks for {limits.support:g} (clustering.support)."
        )
    size = len(groups[0]) + len(groups[1])
    if size > limits.max_size:
        reasons.append(
            f"Together they are {size} records; the policy allows {limits.max_size} (clustering.max_size)."
        )
    if reasons:
        return tuple(reasons)
    if made is not None and not _among(np.minimum(a, b), np.maximum(a, b), made).any():
        reason = (
            "No blocking rule made a pair of the two clusters that reaches the review threshold of "
            f"{thresholds.review:g}, so they were never held against each other (blocking)."
        )
    else:
        reason = (
            f"More than {limits.max_component} records hang together here, so their weakest links were cut "
            "(clustering.max_component); or records, policy or model have changed since they were linked."
        )
    return (reason,)


def _decisions(subject: Subject, left: Positions, right: Positions, here: int, different: Pair) -> list[str]:
    """That someone decided two records of the clusters to be different parties, if so."""
    decided = _among(np.minimum(left, right), np.maximum(left, right), different)
    if not decided.any():
        return []
    k = here if decided[here] else int(np.argmax(decided))
    names = f"{subject.name(int(left[k]))} and {subject.name(int(right[k]))}"
    whose = "" if k == here else " These are records of the two clusters."
    return [f"{names} were decided to be different parties: that holds, whatever they score.{whose}"]


def _obstacles(subject: Subject, left: Positions, right: Positions, here: int) -> list[str]:
    """What forbids that two clusters join, told of the pair asked about where it is one of those concerned."""

    def told(concerned: Flags) -> tuple[str, str, int]:
        k = here if concerned[here] else int(np.argmax(concerned))
        names = f"{subject.name(int(left[k]))} and {subject.name(int(right[k]))}"
        return names, "" if k == here else " These are records of the two clusters.", k

    found = []
    forbidden = ~subject.allowed(left, right)
    if forbidden.any():
        names, whose, k = told(forbidden)
        source = subject.records.sources[int(subject.records.source[left[k]])]
        found.append(
            f"{names} are of source {source}, in which every record is another party (duplicate_free).{whose}"
        )
    levels = subject.comparer.levels(left, right)
    against = votes(subject.policy, levels, subject.model.outweighed)
    if against.sum() > 0:
        names, whose, k = told(against > 0)
        hits = contradictions(subject.policy, levels[k : k + 1], subject.model.outweighed)
        group = next(g for g, hit in hits.items() if hit[0])
        share = (
            ""
            if len(left) == 1
            else (
                f" So do {int((against > 0).sum())} of the {int((against != 0).sum())} pairs between the two clusters "
                "that can be compared."
            )
        )
        found.append(
            f"{names} contradict each other: different {' and '.join(group)} (clustering.contradictions).{share}{whose}"
        )
    return found


def _below(subject: Subject, pairs: Pair, odds: Floats, here: int) -> list[str]:
    """That no pair between two clusters is a match, if so."""
    match = subject.model.match
    if odds.max() >= log2_odds(match):
        return []
    best = int(np.argmax(odds))
    a, b = (side[here : here + 1] for side in pairs)
    own = subject.scorer.scores(a, b, subject.scorer.packed(a, b)).odds
    chance = float(probability(own + subject.evidence.raised(a, b, own))[0])
    review = subject.policy.thresholds.review
    if chance >= match:
        only = ", ".join(subject.policy.thresholds.not_alone)
        told = [f"The two agree on nothing beyond {only}: that is no match by itself (thresholds.not_alone)."]
    elif chance >= review:
        told = [
            f"The probability of {chance:.4f} is below the match threshold of {match:.4f} (thresholds.match)."
        ]
    else:
        told = [
            f"The probability of {chance:.4f} is below the review threshold of {review:g} (thresholds.review)."
        ]
    if odds[best] > odds[here]:
        names = (subject.name(int(side[best])) for side in pairs)
        chance = float(probability(odds[best : best + 1])[0])
        told.append(
            "No other pair of the two clusters is a match either: the best, "
            f"{' and '.join(names)}, has {chance:.4f}; the match threshold is {match:.4f}."
        )
    return told


def _support(subject: Subject, groups: tuple[Group, Group], left: Positions, right: Positions) -> float:
    """Log2 odds that two groups are one party, as clustering weighs them."""
    packed = subject.comparer.packed(left, right)
    nodes = np.concatenate(groups)
    given = np.repeat([0, len(groups[0])], [len(groups[0]), len(groups[1])])
    place = {int(node): k for k, node in enumerate(nodes)}
    low, high = (np.array([place[int(node)] for node in side]) for side in (left, right))
    evidence = subject.evidence.evidence(left, right, packed)
    between = Groups.of(given, np.zeros_like(given), low, high, evidence)
    return float(between.evidence(subject.scorer.weigh, between.edges)[0])


@dataclass(frozen=True)
class Explanation:
    """A pair, and what became of it.

    Attributes:
        waterfall: Its score.
        together: Whether both records are in one cluster; none where no clusters are known.
        graph: Their cluster, or both their clusters.
        path: The strongest chain of links between them, if they are in one cluster.
        reasons: What keeps them apart, if they are not.
        decided: Whether someone decided this very pair to be the same party.
    """

    waterfall: Waterfall
    together: bool | None = None
    graph: Graph | None = None
    path: tuple[Link, ...] = ()
    reasons: tuple[str, ...] = ()
    decided: bool = False

    @classmethod
    def of(
        cls,
        subject: Subject,
        left: int,
        right: int,
        groups: tuple[Group, Group] | None,
        *,
        same: Pair = (_NONE, _NONE),
        different: Pair = (_NONE, _NONE),
        made: Pair | None = None,
        show: Callable[[str], str] = shape,
    ) -> Self:
        """Explain a pair whose clusters are ``groups`` (twice the same one, if they are together)."""
        ends = np.array(sorted((left, right)), dtype=np.int32)
        decided = bool(_among(ends[:1], ends[1:], same)[0])
        found = cls(waterfall(subject, left, right, show), decided=decided)
        if groups is None:
            return found
        if right in groups[0]:
            whole = graph(subject, groups[:1], same)
            return replace(found, together=True, graph=whole, path=strongest_path(whole, left, right))
        reasons = why_apart(subject, left, right, groups, made=made, different=different)
        return replace(found, together=False, graph=graph(subject, groups, same), reasons=reasons)
