"""A labelled sample says what the whole truth would, within its intervals; mistakes are found, sorted and counted."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linkage_examples import people, policy

from cdm_pipelines.linkage import LinkResult, link
from cdm_pipelines.linkage.encode.records import encode
from cdm_pipelines.linkage.evaluate.mistakes import MERGE, MISS, mistakes, wrong_pairs
from cdm_pipelines.linkage.evaluate.sample import Population, Stratum, estimate, population, wilson
from cdm_pipelines.linkage.evaluate.truth import pairs_within
from cdm_pipelines.linkage.explain.pair import Subject

PEOPLE = people(150, seed=21, errors=0.4)


@given(st.lists(st.integers(-1, 4), max_size=12), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_pairs_within_groups_are_all_there_once(groups: list[int], at_once: int) -> None:
    found = [
        (int(a), int(b))
        for left, right in pairs_within(np.array(groups, dtype=np.int64), at_once)
        for a, b in zip(left, right, strict=True)
    ]
    wanted = [p for p in combinations(range(len(groups)), 2) if groups[p[0]] == groups[p[1]] >= 0]
    assert sorted(found) == wanted


def made(seed: int, pairs: int = 3000) -> tuple[Population, np.ndarray]:
    """Pairs of records that are in no other pair, and whether each is a match; probabilities are a little too high."""
    rng = np.random.default_rng(seed)
    chance = 1 / (1 + 2.0 ** -rng.normal(1, 5, pairs))
    chance = chance[chance > 0.1]
    left = np.arange(len(chance), dtype=np.int32) * 2
    clusters = np.arange(2 * len(chance))
    together = chance > 0.5
    clusters[left[together] + 1] = left[together]
    whole = Population(pd.factorize(clusters)[0].astype(np.int64), left, left + 1, chance)
    return whole, rng.random(len(chance)) < 0.95 * chance


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    whole, match = made(1)
    together = whole.together(whole.left, whole.right)
    precision, recall = match[together].mean(), together[match].mean()
    truth = (precision, recall, 2 * precision * recall / (precision + recall))
    held, off = np.zeros(3), np.zeros(3)
    for seed in range(200):
        left, right = whole.draw(120, seed)
        found = estimate(whole, left, right, match[left // 2])
        for k, (one, true) in enumerate(zip((found.precision, found.recall, found.f1), truth, strict=True)):
            assert one is not None
            assert 0 <= one.low <= one.value <= one.high <= 1
            held[k] += one.low <= true <= one.high
            off[k] += one.value - true
    assert (held >= 180).all(), held
    assert (np.abs(off) / 200 < 0.01).all(), off


def test_a_sample_mostly_of_doubtful_pairs_is_weighed() -> None:
    """Forty labels of the doubtful pairs and ten of the many certain ones: the latter count for more."""
    certain, doubtful = 990, 110
    left = np.arange(certain + doubtful, dtype=np.int32) * 2
    whole = Population(
        np.repeat(np.arange(len(left)), 2), left, left + 1, np.repeat([0.9999, 0.6], [certain, doubtful])
    )
    sampled = np.append(np.arange(10), certain + np.arange(40))
    match = np.append(np.ones(10, dtype=bool), np.arange(40) < 20)
    found = estimate(whole, left[sampled], left[sampled] + 1, match)
    assert found.precision is not None
    assert found.precision.value == pytest.approx((990 + 55) / 1100)
    assert found.strata == (Stratum(True, (0.5, 0.9), 110, 40, 20), Stratum(True, (0.999, 1.0), 990, 10, 10))


def test_one_stratum_gives_wilsons_interval_and_all_labels_certainty() -> None:
    left = np.arange(50, dtype=np.int32) * 2
    whole = Population(np.repeat(np.arange(50), 2), left, left + 1, np.full(50, 0.95))
    match = np.arange(50) % 10 != 0
    every = estimate(whole, left, left + 1, match).precision
    assert every is not None
    assert (every.low, every.value, every.high) == pytest.approx((0.9, 0.9, 0.9))
    many = np.arange(100_000, dtype=np.int32) * 2
    large = Population(np.repeat(np.arange(100_000), 2), many, many + 1, np.full(100_000, 0.95))
    some = estimate(large, many[:32], many[:32] + 1, np.ones(32, dtype=bool)).precision
    assert some is not None
    assert some.low == pytest.approx(0.8928208, abs=1e-4)  # R's prop.test(32, 32, correct = FALSE)
    assert wilson(5, 10, 1.6448536) == pytest.approx((0.2692718, 0.7307282))


def test_what_no_label_bears_on_is_not_estimated_and_what_cannot_be_weighed_is_told() -> None:
    whole, match = made(2)
    together = np.flatnonzero(whole.together(whole.left, whole.right))[:30]
    found = estimate(whole, whole.left[together], whole.right[together], match[together])
    assert found.precision is not None
    assert found.recall is None
    assert found.f1 is None
    strangers = np.array([1, 3], dtype=np.int32)
    found = estimate(whole, strangers, strangers + 2, np.array([True, False]))
    assert (found.outside, found.outside_matches, found.precision) == (2, 1, None)


def test_a_sample_is_spread_over_the_strata_and_the_same_for_the_same_seed() -> None:
    whole, _ = made(3)
    left, right = whole.draw(100, 5)
    assert len(np.unique(left)) == 100
    again = whole.draw(100, 5)
    assert (again[0] == left).all()
    assert (again[1] == right).all()
    labelled = [one.labelled for one in estimate(whole, left, right, left > 0).strata]
    assert len(labelled) >= 5
    assert max(labelled) - min(labelled) <= 1
    assert len(whole.draw(10**6, 5)[0]) == len(whole.left)


def test_pairs_in_one_cluster_that_were_not_scored_are_drawn_too() -> None:
    one = np.array([0], dtype=np.int32)
    whole = Population(np.zeros(5, dtype=np.int64), one, one + 1, np.array([0.99]))
    left, right = whole.draw(100, 1)
    assert len(set(zip(left.tolist(), right.tolist(), strict=True))) == 10
    assert whole.sizes() == {(True, -1): 9, (True, 3): 1}


# What a real linkage got wrong


@pytest.fixture(scope="module")
def linked() -> LinkResult:
    return link(PEOPLE, policy())


@pytest.fixture(scope="module")
def subject(linked: LinkResult) -> Subject:
    return Subject(encode(PEOPLE, policy()), policy(), linked.model)


def test_labelling_every_pair_there_is_gives_the_true_precision(linked: LinkResult) -> None:
    whole, names = population(linked.clusters, linked.pairs)
    left, right = whole.draw(10**6, 1)
    person = names.str.split("|").str[1].map(dict(zip(PEOPLE["id"], PEOPLE["truth_id"], strict=True)))
    match = np.asarray(person[left] == person[right])
    found = estimate(whole, left, right, match)
    in_one = [p for p in combinations(range(len(names)), 2) if whole.clusters[p[0]] == whole.clusters[p[1]]]
    true = sum(person[a] == person[b] for a, b in in_one)
    assert found.precision is not None
    assert found.precision.value == pytest.approx(true / len(in_one))
    assert found.recall is not None
    assert found.recall.value == pytest.approx(true / match.sum())


def test_mistakes_are_all_counted_and_the_surest_shown(linked: LinkResult, subject: Subject) -> None:
    person = dict(zip(PEOPLE["id"], PEOPLE["truth_id"], strict=True))
    cluster = dict(zip(linked.clusters["record_id"], linked.clusters["cluster_id"], strict=True))
    ids = subject.records.ids.to_pylist()
    true = np.array([person[one] for one in ids])
    found = pd.factorize(pd.Series(ids).map(cluster))[0].astype(np.int64)
    found = np.where(found < 20, found // 2, found)  # clusters that should not have come together
    wrong = mistakes(subject, wrong_pairs(found, true), worst=5)
    pairs = list(combinations(range(len(ids)), 2))
    merges = [p for p in pairs if found[p[0]] == found[p[1]] and true[p[0]] != true[p[1]]]
    misses = [p for p in pairs if found[p[0]] != found[p[1]] and true[p[0]] == true[p[1]]]
    assert len(misses) > 20
    assert merges
    assert wrong.counts == {MERGE: len(merges), MISS: len(misses)}
    assert sum(one["pairs"] for one in wrong.classes) == len(merges) + len(misses)
    everything = mistakes(subject, wrong_pairs(found, true), worst=10**6)
    for kind, order in ((MERGE, -1), (MISS, 1)):
        weights = [row["weight"] for row in everything.rows if row["mistake"] == kind]
        assert weights == sorted(weights, key=lambda one: order * one)
        assert [row["weight"] for row in wrong.rows if row["mistake"] == kind] == weights[:5]
    known = linked.pairs.set_index(
        "records|" + linked.pairs["left_id"] + "records|" + linked.pairs["right_id"]
    )
    scored = [row for row in everything.rows if row["left"] + row["right"] in known.index]
    assert scored
    for row in scored:
        assert row["weight"] == round(float(known.loc[row["left"] + row["right"], "weight"]), 2)


def test_values_of_mistakes_are_masked_unless_asked_for(linked: LinkResult, subject: Subject) -> None:
    ids = subject.records.ids.to_pylist()
    everyone_alone = np.arange(len(ids))
    person = dict(zip(PEOPLE["id"], PEOPLE["truth_id"], strict=True))
    true = np.array([person[one] for one in ids])
    masked = mistakes(subject, wrong_pairs(everyone_alone, true), worst=50).rows
    shown = mistakes(subject, wrong_pairs(everyone_alone, true), worst=50, show=str).rows
    values = {row["surname, left"] for row in shown} - {""}
    assert values & set(PEOPLE["surname"].dropna())
    assert {row["surname, left"] for row in masked} <= {"", *("a" * n for n in range(1, 20))}
    assert [row["left"] for row in masked] == [row["left"] for row in shown]


def test_records_that_one_side_does_not_know_are_left_out() -> None:
    found, true = np.array([0, 0, 0, -1, 1]), np.array([5, 5, -1, 5, 5])
    wrong = [(kind, a.tolist(), b.tolist()) for kind, a, b in wrong_pairs(found, true)]
    assert wrong == [(MISS, [0, 1], [4, 4])]
