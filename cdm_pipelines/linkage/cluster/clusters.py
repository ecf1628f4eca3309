"""Components divided into clusters that hold together.

Belongs here: limits of components, batches of them, the pairs that blocking did not make. Does not belong here: scores
(model), how groups join (agglomerate), stable ids (identity).

Links from the review threshold on make components. Within each, all pairs are scored, also those that no blocking rule
made, and groups are joined by the evidence between them; a contradiction keeps two groups apart. Everything is decided
within a component, from records, model and decisions alone; components are worked off in batches, so memory is bounded.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.cluster.agglomerate import Groups, JoinLimits, Labels
from cdm_pipelines.linkage.cluster.components import components
from cdm_pipelines.linkage.cluster.health import Figures, figures
from cdm_pipelines.linkage.cluster.partners import PairEvidence
from cdm_pipelines.linkage.compare.comparers import Packed
from cdm_pipelines.linkage.encode.positions import Pair, Positions
from cdm_pipelines.linkage.model.fellegi_sunter import Floats
from cdm_pipelines.linkage.policy.spec import Clustering
from cdm_pipelines.linkage.progress import Progress, silent
from cdm_pipelines.parallel import in_order

_STEP = 2.0  # bits by which the threshold rises to break a component that is too large
_BATCH = 60_000  # pairs that are compared together


@dataclass(frozen=True)
class Links:
    """Pairs from the review threshold on: positions left < right, posterior log2 odds, agreement patterns."""

    left: Positions
    right: Positions
    odds: Floats
    packed: Packed

    def at(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> "Links":
        """Some of the links."""
        return Links(self.left[chosen], self.right[chosen], self.odds[chosen], self.packed[chosen])


def clusters(
    records: int,
    links: Links,
    decided: tuple[Pair, Pair],
    *,
    match: float,
    review: float,
    policy: Clustering,
    evidence: PairEvidence,
    threads: int | None = None,
    progress: Progress = silent,
) -> tuple[Labels, Figures]:
    """For each record the lowest position of its cluster, and figures of that cluster.

    Args:
        records: Number of records.
        links: Pairs from the review threshold on.
        decided: Pairs that belong together, and pairs that stay apart, whatever they score.
        match: Log2 odds from which a pair is a match.
        review: Log2 odds from which there are links.
        policy: The guards.
        evidence: What is known about further pairs.
        threads: How many work on components at a time.
        progress: Told about which share of the records is done, as the stage ``cluster``.
    """
    progress("cluster", 0.0)
    same, different = decided
    member = components(records, *same)
    component = _joined_by(links, same, records)
    if np.bincount(component).max(initial=0) > policy.max_component:
        links = _within_limits(links, same, policy.max_component, review)
        component = _joined_by(links, same, records)
    apart = _key(np.minimum(*different), np.maximum(*different))
    limits = JoinLimits(match, policy.support, policy.max_size)
    links = links.at(np.argsort(component[links.left], kind="stable"))
    of_link = component[links.left]

    def joined(nodes: Labels) -> tuple[Labels, Labels, Figures, int]:
        first, last = component[nodes[0]], component[nodes[-1]]
        known = links.at(slice(*np.searchsorted(of_link, [first, last + 1])))
        left, right, packed = _completed(nodes, component[nodes], known, policy.max_component, evidence)
        known_of = evidence.evidence(left, right, packed)
        known_of.apart[np.isin(_key(left, right), apart)] = True
        # Positions within the batch follow positions in the table, so that the lowest stays the lowest.
        table = np.sort(nodes)
        ends = (left, right, member[table], component[table])
        a, b, given, part = (np.searchsorted(table, of) for of in ends)
        lowest = Groups.of(given, part, a, b, known_of).joined(evidence.weigh, limits)
        return table, table[lowest], figures(lowest, given, a, b, known_of), int(last)

    held = Figures.none(records)
    # No batch has a record of another, so they may be worked on side by side.
    for table, lowest, found, last in in_order(joined, _batches(component), threads):
        member[table] = lowest
        held.bridge[table], held.against[table] = found.bridge, found.against
        progress("cluster", last / records)
    return member, held


def _joined_by(links: Links, same: Pair, records: int) -> Labels:
    """The lowest position of each record's component."""
    return components(records, np.append(links.left, same[0]), np.append(links.right, same[1]))


def _key(left: Positions, right: Positions) -> npt.NDArray[np.int64]:
    return (left.astype(np.int64) << 32) | right.astype(np.int64)


def _within_limits(links: Links, same: Pair, most: int, floor: float) -> Links:
    """Drop the weakest links of components with more than ``most`` records until there is no such component."""
    keep = np.ones(len(links.left), dtype=bool)
    inside = np.arange(len(links.left))  # links in components that are still too large
    while len(inside):
        nodes, ends = np.unique(
            np.concatenate([links.left[inside], links.right[inside], *same]), return_inverse=True
        )
        a, b, c = np.split(ends, [len(inside), 2 * len(inside)])
        d, e = np.split(c, 2)
        component = components(len(nodes), np.append(a, d), np.append(b, e))
        sizes = np.bincount(component, minlength=len(nodes))
        inside = inside[sizes[component[a]] > most]
        floor += _STEP
        weak = links.odds[inside] < floor
        keep[inside[weak]] = False
        inside = inside[~weak]
    return links.at(keep)


def _batches(component: Labels) -> Iterator[Labels]:
    """Records of components of two and more, component by component, about ``_BATCH`` pairs at a time."""
    sizes = np.bincount(component, minlength=len(component))
    nodes = np.flatnonzero(sizes[component] > 1)
    nodes = nodes[np.argsort(component[nodes], kind="stable")]
    of_node = component[nodes]
    pairs = np.cumsum(sizes[of_node] - 1) // 2  # of the components up to and with this record, about
    start = 0
    while start < len(nodes):
        before = int(pairs[start - 1]) if start else 0
        stop = max(int(np.searchsorted(pairs, before + _BATCH, side="right")), start + 1)
        last = of_node[min(stop, len(nodes)) - 1]
        stop = int(np.searchsorted(of_node, last, side="right"))
        yield nodes[start:stop]
        start = stop


def _completed(
    nodes: Labels, component: Labels, known: Links, most: int, evidence: PairEvidence
) -> tuple[Positions, Positions, Packed]:
    """All pairs of each component; those that blocking did not make are compared now."""
    ends = np.searchsorted(component, component, side="right")
    sizes = ends - np.searchsorted(component, component, side="left")
    partners = np.where((sizes > 2) & (sizes <= most), ends - np.arange(len(nodes)) - 1, 0)
    a = np.repeat(np.arange(len(nodes)), partners)
    b = a + 1 + np.arange(len(a)) - np.repeat(np.cumsum(partners) - partners, partners)
    left, right = nodes[a].astype(np.int32), nodes[b].astype(np.int32)
    new = ~np.isin(_key(left, right), _key(known.left, known.right), assume_unique=True)
    left, right = left[new], right[new]
    return (
        np.append(known.left, left),
        np.append(known.right, right),
        np.append(known.packed, evidence.packed(left, right)),
    )
