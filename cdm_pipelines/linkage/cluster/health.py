"""How well clusters hold together.

Belongs here: figures of each cluster, found while it is made, and what puts a cluster in doubt. Does not belong
here: making clusters (clusters), which clusters of a linkage are in doubt (incremental.health).

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
import pyarrow as pa

if TYPE_CHECKING:
    from cdm_pipelines.linkage.cluster.agglomerate import Evidence, Labels
    from cdm_pipelines.linkage.model.fellegi_sunter import Floats


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

    bridge: "Floats"
    against: "Labels"

    @classmethod
    def none(cls, records: int) -> Self:
        """Of records by themselves."""
        return cls(np.full(records, np.inf), np.zeros(records, np.int64))


@dataclass(frozen=True)
class HealthLimits:
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


def figures(
    member: "Labels", given: "Labels", left: "Labels", right: "Labels", evidence: "Evidence"
) -> Figures:
    """Figures of clusters whose pairs were compared.

    Args:
        member: For each record the lowest position of its cluster.
        given: The same of what decisions hold together.
        left: Pairs, the one side.
        right: The other.
        evidence: What is known about them.
    """
    inside = member[left] == member[right]
    against = np.bincount(member[left[inside & (evidence.votes > 0)]], minlength=len(member))[member]
    needed = np.flatnonzero(inside & (given[left] != given[right]))
    one, other, odds = given[left[needed]], given[right[needed]], evidence.odds[needed]
    strongest = np.argsort(-odds, kind="stable")
    low, high = np.minimum(one, other)[strongest], np.maximum(one, other)[strongest]
    _, first = np.unique(low * len(member) + high, return_index=True)
    # Ranks instead of odds: a tree of the least ranks has the strongest links, and rank 0 would be no link.
    from scipy.sparse import coo_matrix  # noqa: PLC0415 - loads where it is needed
    from scipy.sparse.csgraph import minimum_spanning_tree  # noqa: PLC0415

    graph = coo_matrix((first + 1.0, (low[first], high[first])), shape=(len(member), len(member)))
    tree = minimum_spanning_tree(graph.tocsr()).tocoo()
    weakest = np.zeros(len(member), np.int64)
    np.maximum.at(weakest, member[tree.row], tree.data.astype(np.int64))
    bridge = np.append(np.inf, odds[strongest])[weakest][member]
    return Figures(bridge, against.astype(np.int64))
