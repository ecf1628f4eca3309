"""How well clusters hold together.

Belongs here: figures of each cluster, found while it is made, and the clusters that they put in doubt. Does not belong
here: making clusters (cluster), who looks at the doubtful ones (steps.stewardship.review).

Figures, like clusters, are a function of records, model and decisions alone. A cluster is

- *conflicted*, where decisions about its records contradict each other, where it was confirmed and no chain of matches
  holds it together any more, or where it was confirmed and a match leads to another confirmed one;
- *doubtful*, where its weakest bridge is little above the match threshold, where it has implausibly many records, or
  where some of its pairs contradict being of one party and were outvoted;
- *healthy* otherwise. A cluster that was confirmed as it is is not in doubt.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from cdm_pipelines.linkage.cluster.agglomerate import Evidence, Labels
from cdm_pipelines.linkage.cluster.constraints import confirmed_groups, positions
from cdm_pipelines.linkage.model.fellegi_sunter import Floats, log2_odds

if TYPE_CHECKING:
    from cdm_pipelines.linkage.encode.records import Records
    from cdm_pipelines.linkage.incremental.state import LinkState

Flags = npt.NDArray[np.bool_]


class State(StrEnum):
    """What a cluster is, see above."""

    HEALTHY = "healthy"
    DOUBTFUL = "doubtful"
    CONFLICTED = "conflicted"


class Reason(StrEnum):
    """Why a cluster is not healthy, the worst first."""

    DECISIONS = "decisions in conflict"
    SPLIT = "confirmed, falls apart"
    MERGE = "confirmed, matches another"
    AGAINST = "near-contradiction"
    LARGE = "over-large"
    BRIDGE = "weak bridge"

    @property
    def state(self) -> State:
        """What a cluster is for this reason."""
        is_conflict = self in (Reason.DECISIONS, Reason.SPLIT, Reason.MERGE)
        return State.CONFLICTED if is_conflict else State.DOUBTFUL


@dataclass(frozen=True)
class Figures:
    """Figures of the cluster of each record.

    Attributes:
        bridge: Log2 odds of the weakest link that is needed to hold the cluster together; infinite where decisions
            do, and for a record by itself.
        against: Pairs that contradict being of one party.
    """

    bridge: Floats
    against: Labels

    @classmethod
    def none(cls, records: int) -> Self:
        """Of records by themselves."""
        return cls(np.full(records, np.inf), np.zeros(records, np.int64))


@dataclass(frozen=True)
class Limits:
    """What puts a cluster in doubt.

    Attributes:
        bridge: Its weakest bridge is less than so many bits above the match threshold.
        size: It has more records.
    """

    bridge: float
    size: int


@dataclass(frozen=True)
class Health:
    """States of clusters of two and more records.

    Attributes:
        unhealthy: ``HEALTH_SCHEMA``; a row for each reason of a cluster.
        states: Clusters by state.
    """

    unhealthy: pa.Table
    states: Mapping[str, int]

    @classmethod
    def of_nothing(cls) -> Self:
        """Where nothing was linked."""
        return cls(HEALTH_SCHEMA.empty_table(), dict.fromkeys(State, 0))

    @property
    def reasons(self) -> Counter[str]:
        """Clusters by reason; one may have several."""
        return Counter(self.unhealthy["reason"].to_pylist())


HEALTH_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("record_id", pa.string()),
        ("reason", pa.string()),
        ("records", pa.int64()),
        ("bridge", pa.float64()),
        ("against", pa.int64()),
        ("other_source", pa.string()),
        ("other_id", pa.string()),
    ]
)
"""A cluster by its smallest record; why it is not healthy; its size; log2 odds of its bridge; contradicting pairs; and
of a confirmed one a record that is in another part of it, or in the other confirmed cluster."""


def figures(member: Labels, given: Labels, left: Labels, right: Labels, evidence: Evidence) -> Figures:
    """Figures of clusters whose pairs were judged.

    Args:
        member: For each record the lowest position of its cluster.
        given: The same of what decisions hold together.
        left: Pairs, the one side.
        right: The other.
        evidence: What was judged.
    """
    inside = member[left] == member[right]
    against = np.bincount(member[left[inside & (evidence.votes > 0)]], minlength=len(member))[member]
    needed = np.flatnonzero(inside & (given[left] != given[right]))
    one, other, odds = given[left[needed]], given[right[needed]], evidence.odds[needed]
    strongest = np.argsort(-odds, kind="stable")
    low, high = np.minimum(one, other)[strongest], np.maximum(one, other)[strongest]
    _, first = np.unique(low * len(member) + high, return_index=True)
    # Ranks instead of odds: a tree of the least ranks has the strongest links, and rank 0 would be no link.
    graph = coo_matrix((first + 1.0, (low[first], high[first])), shape=(len(member), len(member)))
    tree = minimum_spanning_tree(graph.tocsr()).tocoo()
    weakest = np.zeros(len(member), np.int64)
    np.maximum.at(weakest, member[tree.row], tree.data.astype(np.int64))
    bridge = np.append(np.inf, odds[strongest])[weakest][member]
    return Figures(bridge, against.astype(np.int64))


def health(
    state: "LinkState", records: "Records", match: float, limits: Limits, disputed: pd.DataFrame
) -> Health:
    """The clusters that are not healthy, and how many there are of each state.

    Args:
        state: A linkage.
        records: Its records, in their order.
        match: Probability from which a pair is a match.
        limits: What puts a cluster in doubt.
        disputed: ``source, record_id`` of records about which decisions contradict each other.
    """
    member = state.member
    sizes = np.bincount(member, minlength=len(member))
    groups = confirmed_groups(records, state.decided.confirmed)
    lowest = np.flatnonzero(sizes > 1)
    open_ = lowest[~_settled(member, groups, sizes)[lowest]]
    bridge, against = state.figures.bridge, state.figures.against
    weak = bridge[open_] < log2_odds(match) + limits.bridge
    found = {
        Reason.DECISIONS: (np.unique(member[_places(records, disputed)]), None),
        Reason.SPLIT: _falling_apart(state, records, groups, match),
        Reason.MERGE: _matching(state, groups, match),
        Reason.AGAINST: (open_[against[open_] > 0], None),
        Reason.LARGE: (open_[sizes[open_] > limits.size], None),
        Reason.BRIDGE: (open_[weak], None),
    }
    pieces = [HEALTH_SCHEMA.empty_table()]
    states: dict[str, int] = dict.fromkeys(State, 0)
    counted = np.zeros(len(member), np.bool_)
    for reason, (clusters, others) in found.items():
        states[reason.state] += int((~counted[clusters]).sum())
        counted[clusters] = True
        pieces.append(_rows(records, reason, (clusters, others), sizes, state.figures))
    states[State.HEALTHY] = int((~counted[lowest]).sum())
    return Health(pa.concat_tables(pieces), states)


def _settled(member: Labels, groups: Labels | None, sizes: Labels) -> Flags:
    """Whether each cluster, by its lowest position, was confirmed as it is."""
    found = np.zeros(len(member), np.bool_)
    if groups is not None:
        inside = np.flatnonzero(groups >= 0)
        held = np.bincount(member[inside], minlength=len(member))
        found = (held > 0) & (held == sizes)
    return found


def _falling_apart(
    state: "LinkState", records: "Records", groups: Labels | None, match: float
) -> tuple[Labels, Labels | None]:
    """Confirmed clusters that no chain of matches holds together, with a record of another part than the first's."""
    if groups is None:
        return np.zeros(0, np.int64), None
    links = state.links
    strong = (links.odds >= log2_odds(match)) & (groups[links.left] >= 0)
    same = positions(records, state.decided.same, "same")[:2]
    ends = [
        np.append(side[strong], decided)
        for side, decided in zip((links.left, links.right), same, strict=True)
    ]
    within = groups[ends[0]] == groups[ends[1]]
    one, other = ends[0][within], ends[1][within]
    size = len(groups)
    part = connected_components(coo_matrix((np.ones(len(one)), (one, other)), (size, size)), directed=False)[
        1
    ]
    inside = np.flatnonzero(groups >= 0)
    inside = inside[np.argsort(groups[inside], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[inside], prepend=-1))
    of_first = np.repeat(part[inside[starts]], np.diff(starts, append=len(inside)))
    apart = inside[part[inside] != of_first]
    clusters, first = np.unique(state.member[apart], return_index=True)
    return clusters, apart[first]


def _matching(state: "LinkState", groups: Labels | None, match: float) -> tuple[Labels, Labels | None]:
    """Confirmed clusters with a match to a record of another confirmed one, and that record."""
    if groups is None:
        return np.zeros(0, np.int64), None
    links = state.links
    one, other = groups[links.left], groups[links.right]
    strong = (links.odds >= log2_odds(match)) & (one >= 0) & (other >= 0) & (one != other)
    here, there = (
        np.append(*(side[strong] for side in sides))
        for sides in ((links.left, links.right), (links.right, links.left))
    )
    clusters, first = np.unique(state.member[here], return_index=True)
    return clusters, there[first].astype(np.int64)


def _places(records: "Records", named: pd.DataFrame) -> Labels:
    """Positions of records; those that are not there are left out."""
    if named.empty:
        return np.zeros(0, np.int64)
    groups = confirmed_groups(records, named.assign(group=0))
    assert groups is not None  # noqa: S101 - there are some
    return np.flatnonzero(groups >= 0)


def _rows(
    records: "Records", reason: Reason, concerned: tuple[Labels, Labels | None], sizes: Labels, found: Figures
) -> pa.Table:
    clusters, others = concerned
    source, record_id = records.names(clusters)
    nobody = pa.nulls(len(clusters), pa.string())
    other_source, other_id = (nobody, nobody) if others is None else records.names(others)
    columns = {
        "source": source,
        "record_id": record_id,
        "reason": pa.repeat(str(reason), len(clusters)),
        "records": sizes[clusters],
        "bridge": found.bridge[clusters],
        "against": found.against[clusters],
        "other_source": other_source,
        "other_id": other_id,
    }
    return pa.table(columns, schema=HEALTH_SCHEMA)
