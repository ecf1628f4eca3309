"""Why a pair weighs what it does, and why records are in one cluster or in two.

Belongs here: scores and clusters taken apart, from records, policy and model. Does not belong here: how that is drawn
(pictures) or printed (commands), or the scores themselves (model).

Values are shown as they were compared, after cleaning; by default only their shape (R6).
"""

import heapq
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.blocking import Allowed, Flags, Positions
from cdm_pipelines.linkage.comparers import Comparer
from cdm_pipelines.linkage.constraints import Pair, alone, contradictions
from cdm_pipelines.linkage.encode import Records
from cdm_pipelines.linkage.levels import Levels
from cdm_pipelines.linkage.model import Floats, LinkageModel, Scorer, probability
from cdm_pipelines.linkage.policy import LinkagePolicy
from cdm_pipelines.quality.shapes import shape

Group = npt.NDArray[np.int32]  # positions of the records of a cluster
PRIOR, RELATED = "prior odds", "related records"
_CHUNK = 1_000_000
_NONE = np.zeros(0, dtype=np.int32)


def log2_odds(chance: float) -> float:
    """From probability to log2 odds."""
    return float(np.log2(chance / (1 - chance)))


@dataclass(frozen=True)
class Subject:
    """Records with the policy and the model that scored them; a few records of a table do as well as all of it.

    Raises:
        LinkageError: The model does not fit the policy's comparisons.
    """

    records: Records
    policy: LinkagePolicy
    model: LinkageModel

    @cached_property
    def comparer(self) -> Comparer:
        """The comparisons over these records."""
        return Comparer(self.records, self.policy)

    @cached_property
    def scorer(self) -> Scorer:
        """The model over these comparisons."""
        self.model.check(self.policy, self.comparer)
        return Scorer(self.model, self.comparer)

    @cached_property
    def allowed(self) -> Allowed:
        """Which pairs sources that are free of duplicates leave."""
        here = tuple(name for name in self.policy.duplicate_free if name in self.records.sources)
        return Allowed(self.records, self.policy.model_copy(update={"duplicate_free": here}))

    def name(self, position: int) -> str:
        """A record as clusters name it: ``source|record_id``."""
        source = self.records.sources[int(self.records.source[position])]
        return f"{source}|{self.records.ids[int(position)].as_py()}"


@dataclass(frozen=True)
class Step:
    """One step of a waterfall.

    Attributes:
        name: The comparison, or ``PRIOR`` or ``RELATED``.
        meaning: What the level means.
        left, right: The values compared, as they are shown.
        bits: What the level weighs.
        term: What the frequency of the values adds.
        total: Log2 odds of a match after this step.
    """

    name: str
    meaning: str
    left: str
    right: str
    bits: float
    term: float
    total: float

    @property
    def before(self) -> float:
        """Log2 odds of a match before this step."""
        return self.total - self.bits - self.term


@dataclass(frozen=True)
class Waterfall:
    """From the prior odds of any two records to the posterior odds of these two.

    The first step is the prior, then come the comparisons in the policy's order, the last one is what the possibility
    takes away that the two are different people who share an address or a name.
    """

    left: str
    right: str
    steps: tuple[Step, ...]

    @property
    def odds(self) -> float:
        """Posterior log2 odds."""
        return self.steps[-1].total

    @property
    def weight(self) -> float:
        """Match weight: all steps but the prior."""
        return self.odds - self.steps[0].total

    @property
    def probability(self) -> float:
        """Posterior probability of a match."""
        return float(probability(np.array(self.odds)))


def waterfall(subject: Subject, left: int, right: int, show: Callable[[str], str] = shape) -> Waterfall:
    """Take the score of one pair apart.

    Args:
        subject: The records and what scored them.
        left: Position of the one record.
        right: Position of the other.
        show: How a value is shown; by its shape.
    """
    a, b = np.array([left], dtype=np.int32), np.array([right], dtype=np.int32)
    parts = subject.scorer.parts(a, b, subject.comparer.packed(a, b))
    levels, match, terms = parts.levels[0], parts.match[0], parts.terms[0]
    shared = [one.shared for one in subject.model.comparisons.values()]
    evidence = match.sum() + terms.sum()
    related = parts.related[0].sum() + terms[shared].sum()
    weight = float(subject.scorer.scores(np.array([evidence]), np.array([related])).weight[0])
    total = log2_odds(subject.model.prior)
    steps = [Step(PRIOR, f"1 of {1 / subject.model.prior:,.0f} pairs", "", "", total, 0.0, total)]
    for number, (name, compared) in enumerate(subject.comparer.by_name.items()):
        bits, term = float(match[number]), float(terms[number])
        total += bits + term
        meaning = compared.labels[levels[number]] if levels[number] >= 0 else "missing"
        ours, theirs = (_values(subject, name, position, show) for position in (left, right))
        steps.append(Step(name, meaning, ours, theirs, bits, term, total))
    bits = weight - float(evidence)
    steps.append(Step(RELATED, "others who share a name or an address", "", "", bits, 0.0, total + bits))
    return Waterfall(subject.name(left), subject.name(right), tuple(steps))


def _values(subject: Subject, comparison: str, position: int, show: Callable[[str], str]) -> str:
    """The values that a comparison reads, those left out that are another comparison's own."""
    spec = subject.policy.comparisons[comparison]
    others = {c for name, one in subject.policy.comparisons.items() if name != comparison for c in one.reads}
    names = [*spec.reads, *(name for name in spec.reads_optionally if name not in others)]
    found = []
    for name in dict.fromkeys(names):
        column = subject.records.columns[name]
        code = int(column.flat[position])
        if code >= 0:
            found.append(show(str(column.values[code])))
    return ", ".join(found)


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
    odds, apart = _judged(subject, left, right)
    decided = _among(left, right, same)
    shown = decided | ((odds >= log2_odds(subject.policy.thresholds.review)) & ~apart)
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


def _judged(subject: Subject, left: Positions, right: Positions) -> tuple[Floats, Flags]:
    """Log2 odds of pairs as clustering takes them, and whether they must not come together."""
    packed = subject.comparer.packed(left, right)
    levels = subject.comparer.packing.unpack(packed)
    odds = np.where(alone(subject.policy, levels), -np.inf, subject.scorer(left, right, packed).odds)
    return odds, _kept_apart(subject, levels, left, right)


def _kept_apart(subject: Subject, levels: Levels, left: Positions, right: Positions) -> Flags:
    return np.logical_or.reduce([~subject.allowed(left, right), *contradictions(subject.policy, levels)])


def strongest_path(graph: Graph, left: int, right: int) -> tuple[Link, ...]:
    """The chain of links between two records whose weakest link is strongest; empty where there is none."""
    around: dict[int, list[tuple[int, Link]]] = {node: [] for node in graph.nodes}
    for link in graph.links:
        around[link.left].append((link.right, link))
        around[link.right].append((link.left, link))
    # Of two chains that are equally strong the shorter one: a direct link says more than a detour.
    queue: list[tuple[float, int, int]] = [(-np.inf, 0, left)]
    came_by: dict[int, tuple[int, Link]] = {}
    best = {left: (-np.inf, 0)}
    while queue:
        weakest, length, node = heapq.heappop(queue)
        if node == right:
            break
        for other, link in around[node]:
            strength = -np.inf if link.decided else -link.odds
            reached = (max(weakest, strength), length + 1)
            if reached < best.get(other, (np.inf, 0)):
                best[other], came_by[other] = reached, (node, link)
                heapq.heappush(queue, (*reached, other))
    if right not in came_by:
        return ()
    path: list[Link] = []
    while right != left:
        right, link = came_by[right]
        path.append(link)
    return tuple(reversed(path))


def why_apart(
    subject: Subject, left: int, right: int, groups: tuple[Group, Group], made: Pair | None = None
) -> tuple[str, ...]:
    """Every guard that keeps two clusters apart, as sentences; what concerns the pair itself comes first.

    Args:
        subject: The records and what scored them.
        left: Position of a record of the first cluster.
        right: Position of a record of the second.
        groups: The two clusters.
        made: Pairs from the review threshold on that blocking made, where that is known.
    """
    own, others = np.meshgrid(groups[0], groups[1], indexing="ij")
    a, b = own.ravel().astype(np.int32), others.ravel().astype(np.int32)
    odds, apart = _judged(subject, a, b)
    here = int(np.flatnonzero((a == left) & (b == right))[0])
    limits, thresholds = subject.policy.clustering, subject.policy.thresholds
    reasons = []
    if apart[here]:
        reasons.append(_obstacle(subject, left, right))
    elif apart.any():
        k = int(np.argmax(apart))
        reasons.append(f"{_obstacle(subject, int(a[k]), int(b[k]))} These are records of the two clusters.")
    reasons += _below(subject, (a, b), odds, here)
    support = _support(subject, a, b)
    if support < limits.support:
        reasons.append(
            f"Averaged over the {len(a)} pairs between the two clusters the evidence is {support:+.1f} bits; "
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


def _obstacle(subject: Subject, left: int, right: int) -> str:
    a, b = np.array([left], dtype=np.int32), np.array([right], dtype=np.int32)
    names = f"{subject.name(left)} and {subject.name(right)}"
    if not subject.allowed(a, b)[0]:
        source = subject.records.sources[int(subject.records.source[left])]
        return f"{names} are of source {source}, in which every record is another party (duplicate_free)."
    levels = subject.comparer.levels(a, b)
    found = contradictions(subject.policy, levels)
    group = next(
        group for group, hit in zip(subject.policy.clustering.contradictions, found, strict=True) if hit[0]
    )
    return f"{names} contradict each other: different {' and '.join(group)} (clustering.contradictions)."


def _below(subject: Subject, pairs: Pair, odds: Floats, here: int) -> list[str]:
    """That no pair between two clusters is a match, if so."""
    match = subject.model.match
    if odds.max() >= log2_odds(match):
        return []
    best = int(np.argmax(odds))
    if not np.isfinite(odds[here]):
        only = ", ".join(subject.policy.thresholds.not_alone)
        told = [f"The two agree on nothing beyond {only}: that is no match by itself (thresholds.not_alone)."]
    else:
        chance = float(probability(odds[here : here + 1])[0])
        review = subject.policy.thresholds.review
        told = [
            f"The probability of {chance:.4f} is below the match threshold of {match:.4f} (thresholds.match)."
        ]
        if chance < review:
            told[0] = f"The probability of {chance:.4f} is below the review threshold of {review:g}."
    if best != here and odds[best] > odds[here]:
        names = (subject.name(int(side[best])) for side in pairs)
        chance = float(probability(odds[best : best + 1])[0])
        told.append(
            "No other pair of the two clusters is a match either: the best, "
            f"{' and '.join(names)}, has {chance:.4f}; the match threshold is {match:.4f}."
        )
    return told


def _support(subject: Subject, left: Positions, right: Positions) -> float:
    """Log2 odds of two groups: each comparison averaged over the pairs where it could be made, then added up."""
    parts = subject.scorer.parts(left, right, subject.comparer.packed(left, right))
    shared = np.array([one.shared for one in subject.model.comparisons.values()])
    made = np.maximum((parts.levels >= 0).sum(axis=0), 1)
    match = ((parts.match + parts.terms).sum(axis=0) / made).sum()
    related = ((parts.related + parts.terms * shared).sum(axis=0) / made).sum()
    return float(subject.scorer.scores(np.array([match]), np.array([related])).odds[0])


@dataclass(frozen=True)
class Explanation:
    """A pair, and what became of it.

    Attributes:
        waterfall: Its score.
        together: Whether both records are in one cluster; none where no clusters are known.
        graph: Their cluster, or both their clusters.
        path: The strongest chain of links between them, if they are in one cluster.
        reasons: What keeps them apart, if they are not.
    """

    waterfall: Waterfall
    together: bool | None = None
    graph: Graph | None = None
    path: tuple[Link, ...] = ()
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        subject: Subject,
        left: int,
        right: int,
        groups: tuple[Group, Group] | None,
        *,
        same: Pair = (_NONE, _NONE),
        made: Pair | None = None,
        show: Callable[[str], str] = shape,
    ) -> Self:
        """Explain a pair whose clusters are ``groups`` (twice the same one, if they are together)."""
        found = cls(waterfall(subject, left, right, show))
        if groups is None:
            return found
        if right in groups[0]:
            whole = graph(subject, groups[:1], same)
            return replace(found, together=True, graph=whole, path=strongest_path(whole, left, right))
        reasons = why_apart(subject, left, right, groups, made)
        return replace(found, together=False, graph=graph(subject, groups, same), reasons=reasons)


def perfect_odds(subject: Subject) -> Floats:
    """For each record the log2 odds of a match with a perfect copy of itself; minus infinity where it is none.

    A record that is nearly empty, or says only what many others say, reaches no threshold even so.
    """
    found = []
    for start in range(0, len(subject.records), _CHUNK):
        here = np.arange(start, min(start + _CHUNK, len(subject.records)), dtype=np.int32)
        packed = subject.comparer.packed(here, here)
        odds = subject.scorer(here, here, packed).odds
        found.append(np.where(alone(subject.policy, subject.comparer.packing.unpack(packed)), -np.inf, odds))
    return np.concatenate(found) if found else np.zeros(0)


def unlinkable(odds: Floats, thresholds: npt.ArrayLike) -> Floats:
    """The share of records whose perfect copy stays below each threshold (log2 odds)."""
    return np.searchsorted(np.sort(odds), np.asarray(thresholds, dtype=np.float64)) / max(len(odds), 1)
