"""Which clusters of a linkage are in doubt, or contradict what was decided.

Belongs here: from a state and its decisions to the clusters that are not healthy, and why. Does not belong here: the
figures of a cluster, and what each reason means (cluster.health); who looks at them (steps).
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage.cluster.agglomerate import Labels
from cdm_pipelines.linkage.cluster.components import components
from cdm_pipelines.linkage.cluster.constraints import confirmed_groups
from cdm_pipelines.linkage.cluster.health import HEALTH_SCHEMA, Figures, Health, HealthLimits, Reason, State
from cdm_pipelines.linkage.encode.positions import Flags, positions
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.incremental.state import LinkState
from cdm_pipelines.linkage.model.fellegi_sunter import log2_odds


def health(
    state: LinkState, records: Records, match: float, limits: HealthLimits, disputed: pd.DataFrame
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
    state: LinkState, records: Records, groups: Labels | None, match: float
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
    part = components(len(groups), one, other)
    inside = np.flatnonzero(groups >= 0)
    inside = inside[np.argsort(groups[inside], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[inside], prepend=-1))
    of_first = np.repeat(part[inside[starts]], np.diff(starts, append=len(inside)))
    apart = inside[part[inside] != of_first]
    clusters, first = np.unique(state.member[apart], return_index=True)
    return clusters, apart[first]


def _matching(state: LinkState, groups: Labels | None, match: float) -> tuple[Labels, Labels | None]:
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


def _places(records: Records, named: pd.DataFrame) -> Labels:
    """Positions of records; those that are not there are left out."""
    if named.empty:
        return np.zeros(0, np.int64)
    groups = confirmed_groups(records, named.assign(group=0))
    assert groups is not None  # noqa: S101 - there are some
    return np.flatnonzero(groups >= 0)


def _rows(
    records: Records, reason: Reason, concerned: tuple[Labels, Labels | None], sizes: Labels, found: Figures
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
