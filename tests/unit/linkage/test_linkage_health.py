"""How well clusters hold together, and which of them are not healthy."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linkage_examples import people, policy

from cdm_pipelines.linkage import LinkResult, link
from cdm_pipelines.linkage.cluster.agglomerate import Evidence
from cdm_pipelines.linkage.cluster.components import components
from cdm_pipelines.linkage.cluster.health import Figures, Health, HealthLimits, Reason, State, figures
from cdm_pipelines.linkage.encode.records import ordered_records
from cdm_pipelines.linkage.incremental.health import health
from cdm_pipelines.linkage.model.fellegi_sunter import log2_odds

POLICY = policy()
PEOPLE = people(120, seed=5)
NOTHING_DISPUTED = pd.DataFrame(columns=["source", "record_id"], dtype=str)


def judged(pairs: list[tuple[int, int, float, int]]) -> tuple[np.ndarray, np.ndarray, Evidence]:
    """Pairs of records with odds and votes."""
    left, right, odds, votes = (np.array(column) for column in zip(*pairs, strict=True))
    bits = np.zeros((len(pairs), 1), np.float32)
    evidence = Evidence(odds.astype(float), bits, bits, np.zeros(len(pairs), np.bool_), votes)
    return left.astype(np.int64), right.astype(np.int64), evidence


def found(
    member: list[int], pairs: list[tuple[int, int, float, int]], given: list[int] | None = None
) -> Figures:
    return figures(np.array(member), np.array(given or range(len(member))), *judged(pairs))


def test_the_bridge_is_the_weakest_link_of_the_strongest_chain() -> None:
    chain = [(0, 1, 9.0, 0), (1, 2, 4.0, 0), (2, 3, 7.0, 0), (0, 3, 2.0, 0), (3, 4, 30.0, 0)]
    assert found([0, 0, 0, 0, 4], chain).bridge.tolist() == [4, 4, 4, 4, np.inf]
    assert found([0, 0, 2, 2, 2], chain).bridge.tolist() == [9, 9, 7, 7, 7]


def test_what_decisions_hold_together_is_no_bridge() -> None:
    chain = [(0, 1, -3.0, 0), (1, 2, 4.0, 0), (0, 2, 6.0, 0)]
    assert found([0, 0, 0], chain, given=[0, 0, 2]).bridge.tolist() == [6, 6, 6]
    assert found([0, 0, 2], chain, given=[0, 0, 2]).bridge.tolist() == [np.inf] * 3


def test_pairs_that_contradict_are_counted_inside_their_cluster() -> None:
    pairs = [(0, 1, 5.0, 1), (0, 2, 5.0, -1), (1, 2, 5.0, 1), (2, 3, 1.0, 1), (3, 4, 5.0, 0)]
    assert found([0, 0, 0, 3, 3], pairs).against.tolist() == [2, 2, 2, 0, 0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(-5, 5)), min_size=1, max_size=20
    ).map(lambda pairs: [(min(a, b), max(a, b), float(odds), 0) for a, b, odds in pairs if a != b])
)
def test_below_its_bridge_a_cluster_holds_and_above_it_does_not(
    pairs: list[tuple[int, int, float, int]],
) -> None:
    if not pairs:
        return
    left, right, evidence = judged(pairs)
    member = components(7, left.astype(np.int32), right.astype(np.int32))
    bridge = found(member.tolist(), pairs).bridge

    def holds(least: float, cluster: int) -> bool:
        kept = evidence.odds >= least
        parts = components(7, left[kept].astype(np.int32), right[kept].astype(np.int32))
        return len(np.unique(parts[member == cluster])) == 1

    for cluster in np.unique(member):
        if (member == cluster).sum() > 1:
            assert holds(bridge[cluster], cluster)
            assert not holds(bridge[cluster] + 0.5, cluster)


@pytest.fixture(scope="module")
def linked() -> LinkResult:
    return link(PEOPLE, POLICY, remember=True)


def judge(
    linked: LinkResult, bridge: float = 0.0, size: int = 999, disputed: pd.DataFrame = NOTHING_DISPUTED
) -> Health:
    assert linked.state is not None
    records = ordered_records(linked.state.rows.records(), POLICY)
    return health(linked.state, records, linked.model.match, HealthLimits(bridge, size), disputed)


def members(linked: LinkResult) -> pd.Series:
    """Records of each cluster of two and more, by its smallest record."""
    groups = linked.clusters.groupby("cluster_id")["record_id"].agg(list)
    return groups[groups.map(len) > 1]


def confirming(linked: LinkResult, *groups: list[str]) -> LinkResult:
    """Linked again with confirmed records."""
    source = linked.clusters["source"].iloc[0]
    confirmed = pd.DataFrame(
        [(source, record, number) for number, group in enumerate(groups) for record in group],
        columns=["source", "record_id", "group"],
    )
    return link(PEOPLE, POLICY, model=linked.model, confirmed=confirmed, remember=True)


def test_limits_put_clusters_in_doubt_and_every_cluster_has_one_state(linked: LinkResult) -> None:
    every = len(members(linked))
    assert every > 20
    assert judge(linked).states == {State.HEALTHY: every, State.DOUBTFUL: 0, State.CONFLICTED: 0}
    assert judge(linked, bridge=999).reasons == {Reason.BRIDGE: every}
    assert judge(linked, bridge=999, size=1).states[State.DOUBTFUL] == every
    large = sum(len(records) > 2 for records in members(linked))
    assert large > 0
    assert judge(linked, size=2).reasons == {Reason.LARGE: large}
    some = judge(linked, bridge=6)
    assert 0 < some.states[State.DOUBTFUL] < every
    assert (some.unhealthy["bridge"].to_numpy() < log2_odds(linked.model.match) + 6).all()


def test_a_cluster_that_was_confirmed_as_it_is_is_not_in_doubt(linked: LinkResult) -> None:
    records = members(linked).iloc[0]
    now = confirming(linked, records)
    assert len(members(now)) == len(members(linked))
    assert judge(now, bridge=999, size=1).states == {
        State.HEALTHY: 1,
        State.DOUBTFUL: len(members(now)) - 1,
        State.CONFLICTED: 0,
    }


def test_a_confirmed_cluster_that_nothing_else_holds_is_a_proposal_to_split(linked: LinkResult) -> None:
    pair, other = members(linked).iloc[0], members(linked).iloc[1]
    now = judge(confirming(linked, [*pair, other[0]]))
    assert now.states[State.CONFLICTED] == 1
    [row] = now.unhealthy.to_pylist()
    assert row["reason"] == Reason.SPLIT
    assert {row["record_id"], row["other_id"]} <= {*pair, *other}
    assert (row["record_id"] in pair) != (row["other_id"] in pair)


def test_two_confirmed_clusters_that_match_are_in_conflict(linked: LinkResult) -> None:
    first, second = members(linked).iloc[0][:2]
    now = judge(confirming(linked, [first], [second]))
    assert now.reasons == {Reason.MERGE: 2}
    assert now.states[State.CONFLICTED] == 2
    assert {(row["record_id"], row["other_id"]) for row in now.unhealthy.to_pylist()} == {
        (first, second),
        (second, first),
    }


def test_records_that_decisions_quarrel_about_are_in_conflict(linked: LinkResult) -> None:
    records = members(linked).iloc[0]
    source = linked.clusters["source"].iloc[0]
    disputed = pd.DataFrame({"source": [source] * 3, "record_id": [*records[:2], "nobody"]})
    now = judge(linked, bridge=999, disputed=disputed)
    assert now.reasons[Reason.DECISIONS] == 1
    assert now.states == {
        State.HEALTHY: 0,
        State.DOUBTFUL: len(members(linked)) - 1,
        State.CONFLICTED: 1,
    }
