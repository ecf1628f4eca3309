"""Measures against their plain definitions and against recordlinkage's."""

from itertools import combinations

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cdm_pipelines.linkage import LinkageError
from cdm_pipelines.linkage.evaluate.measures import evaluate
from cdm_pipelines.linkage.evaluate.reliability import reliability


def frames(labels: list[tuple[int, int, str]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    ids = [f"r{n}" for n in range(len(labels))]
    sources = [source for _, _, source in labels]
    found = pd.DataFrame({"source": sources, "record_id": ids, "cluster_id": [str(c) for c, _, _ in labels]})
    true = pd.DataFrame({"source": sources, "record_id": ids, "truth_id": [str(t) for _, t, _ in labels]})
    return found, true


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from("ab")), min_size=1, max_size=14)
)
@example([(1, 0, "a"), (2, 2, "a"), (0, 1, "a"), (0, 1, "a"), (0, 1, "a")])
@settings(max_examples=60, deadline=None)
def test_measures_follow_their_definitions(labels: list[tuple[int, int, str]]) -> None:
    import recordlinkage  # noqa: PLC0415

    result = evaluate(*frames(labels))
    pairs = list(combinations(range(len(labels)), 2))
    found = {p for p in pairs if labels[p[0]][0] == labels[p[1]][0]}
    true = {p for p in pairs if labels[p[0]][1] == labels[p[1]][1]}
    within = {p for p in pairs if labels[p[0]][2] == labels[p[1]][2]}
    assert (result.pairs.true_positives, result.pairs.false_positives) == (
        len(found & true),
        len(found - true),
    )
    assert result.within.true_positives == len(found & true & within)
    assert result.across.false_negatives == len(true - found - within)
    if found and true:
        theirs = [pd.MultiIndex.from_tuples(sorted(chosen)) for chosen in (true, found)]
        assert result.pairs.precision == pytest.approx(recordlinkage.precision(*theirs))
        assert result.pairs.recall == pytest.approx(recordlinkage.recall(*theirs))
        if found & true:
            assert result.pairs.f1 == pytest.approx(recordlinkage.fscore(*theirs))
    share = 0.0
    for cluster, party, _ in labels:
        mine = [one for one in labels if one[0] == cluster]
        share += sum(one[1] == party for one in mine) / len(mine)
    assert result.bcubed_precision == pytest.approx(share / len(labels))
    assert 0 <= result.exact_clusters <= 1


def test_a_perfect_clustering_and_records_in_one_frame_only() -> None:
    found, true = frames([(0, 7, "a"), (0, 7, "b"), (1, 8, "a")])
    result = evaluate(found, pd.concat([true, true.assign(record_id="other")[:1]]))
    assert (result.pairs.f1, result.bcubed_f1, result.exact_clusters, result.records) == (1, 1, 1, 3)


def test_what_cannot_be_evaluated_is_told() -> None:
    found, true = frames([(0, 0, "a")])
    with pytest.raises(LinkageError, match="truth_id"):
        evaluate(found, true.drop(columns="truth_id"))
    with pytest.raises(LinkageError, match="no record is in both"):
        evaluate(found, true.assign(source="elsewhere"))


def test_probabilities_stand_beside_the_share_that_match() -> None:
    _, true = frames([(0, person, "a") for person in (0, 0, 1, 1, 2)] + [(0, 2, "b")])
    rows = [
        ("a", "r0", "a", "r1", 0.999, True),
        ("a", "r2", "a", "r3", 0.6, True),
        ("a", "r0", "a", "r2", 0.7, False),
        ("b", "r5", "a", "r4", 0.5, True),
        ("a", "r1", "a", "r3", 0.49, False),
        ("a", "r0", "b", "stranger", 0.9, False),
        ("a", "r0", "a", "r3", 1.0, False),
    ]
    names = ("left_source", "left_id", "right_source", "right_id", "probability", "matches")
    bands = reliability(pd.DataFrame(rows, columns=names), true)
    assert [(one.low, one.high, one.pairs) for one in bands] == [
        (0.5, 0.8, 3),
        (0.8, 0.95, 0),
        (0.95, 0.99, 0),
        (0.99, 1.0, 2),
    ]
    for band, expected, share in ((bands[0], 0.6, 2 / 3), (bands[3], 0.9995, 0.5)):
        assert band.expected == pytest.approx(expected)
        assert band.true == pytest.approx(share)
