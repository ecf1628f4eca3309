"""The interval of the overlap: on pairs whose truth is drawn from the model itself, and at its ends."""

import numpy as np
import pytest

from cdm_pipelines.insight.takeover_overlap import Found, Gaps, overlap
from cdm_pipelines.linkage.model.fellegi_sunter import LinkageModel, Parameters, probability

LEVELS = ("different", "similar", "equal")


def model(matches: float = 2_000.0) -> LinkageModel:
    comparisons = {
        "given_name": Parameters(LEVELS, (0.05, 0.15, 0.8), (0.95, 0.04, 0.01), (0.9, 0.08, 0.02)),
        "surname": Parameters(LEVELS, (0.03, 0.07, 0.9), (0.985, 0.01, 0.005), (0.1, 0.1, 0.8), shared=True),
        "birth_date": Parameters(LEVELS, (0.02, 0.03, 0.95), (0.97, 0.029, 0.001), (0.95, 0.049, 0.001)),
        "email": Parameters(
            LEVELS, (0.1, 0.02, 0.88), (0.9998, 0.0001, 0.0001), (0.9, 0.05, 0.05), shared=True
        ),
    }
    training = {"expected_matches": matches, "comparable": dict.fromkeys(comparisons, 0.8)}
    return LinkageModel("p", 1_000, 0.001, 0.0, 0.8, comparisons, training)


def gaps(records: int, filled: float = 0.8) -> Gaps:
    chance = np.random.default_rng(1)
    return Gaps(chance.random((records, 4)) < filled, np.zeros((records, 4)), np.full(4, 0.9))


def found(odds: np.ndarray, others: int) -> Found:
    return Found(odds, np.full((len(odds), 4), 2, np.int8), others, 0.2)


def test_pairs_that_are_sure_are_counted() -> None:
    done = overlap([(found(np.full(60, 40.0), 140), gaps(200), model())], 60)
    assert done.customers == 200
    assert 60 <= done.low <= done.expected <= done.high <= 75
    assert done.expected - done.unseen == pytest.approx(60, abs=0.01)


def test_nobody_is_shared_where_no_pair_was_found() -> None:
    done = overlap([(found(np.empty(0), 100), gaps(100), model())], 0)
    assert (done.low, done.expected, done.high) == (0, 0.0, 0)


def test_everybody_is_shared_at_most() -> None:
    done = overlap([(found(np.full(50, 30.0), 0), gaps(50), model())], 50)
    assert done.high == 50
    assert done.share == pytest.approx(1)


def test_no_customers_have_no_overlap() -> None:
    assert overlap([], 0).customers == 0


def test_emptier_records_hide_more() -> None:
    full, empty = (
        overlap([(found(np.full(60, 40.0), 140), gaps(200, filled), model())], 60) for filled in (0.95, 0.5)
    )
    assert empty.found < full.found
    assert empty.unseen > full.unseen
    assert empty.high > full.high


def test_a_model_of_few_matches_is_less_sure() -> None:
    odds = np.linspace(-1.5, 6, 100)
    sure, unsure = (
        overlap([(found(odds, 100), gaps(200), model(matches))], 60) for matches in (100_000.0, 30.0)
    )
    assert unsure.high - unsure.low > sure.high - sure.low


def test_the_same_seed_gives_the_same_interval() -> None:
    parts = [(found(np.linspace(-2, 10, 80), 120), gaps(200), model())]
    assert overlap(parts, 50, seed=3) == overlap(parts, 50, seed=3)


def test_the_interval_covers_what_the_model_draws_nineteen_times_in_twenty() -> None:
    """Truth is drawn from the model: who is shared, whose pair is found, and which of the pairs are true."""
    chance, hits, rounds = np.random.default_rng(5), 0, 60
    gap = gaps(400)
    for number in range(rounds):
        odds = chance.normal(4, 4, 130)
        odds = odds[odds > -2]
        true = chance.random(len(odds)) < probability(odds)
        share = overlap([(found(odds, 270), gap, model())], 0, seed=number)
        hidden = chance.binomial(270, share.unseen / 270)
        hits += share.low <= true.sum() + hidden <= share.high
    assert hits >= 0.9 * rounds
