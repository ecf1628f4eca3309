"""How fast addresses go out of date: the prior of a country, giving way to what we see ourselves."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdm_pipelines.enrichment.scores import MOVES_A_YEAR
from cdm_pipelines.insight.currency import Step, decline, expected_right, kaplan_meier


def test_without_a_history_of_our_own_it_is_the_country() -> None:
    known = decline(0, 0)
    assert known.rate == pytest.approx(MOVES_A_YEAR)
    assert known.still_right(1) == pytest.approx(1 - 0.097, abs=0.0005)
    assert known.weight_of_prior == 1


def test_the_example_of_the_page() -> None:
    assert decline(20, 150).rate == pytest.approx(0.10609, abs=0.000005)


@given(rate=st.floats(0.01, 1), years=st.floats(1, 1e6))
def test_the_prior_shrinks_with_evidence(rate: float, years: float) -> None:
    moves = round(rate * years)
    known, more = decline(moves, years), decline(moves * 100, years * 100)
    assert abs(more.rate - moves / years) <= abs(known.rate - moves / years) + 1e-12
    assert more.weight_of_prior < known.weight_of_prior
    assert known.low < known.rate < known.high


@given(years=st.floats(0, 80), later=st.floats(0, 80))
def test_an_address_gets_no_surer_with_age(years: float, later: float) -> None:
    known = decline(10, 100)
    assert 0 < known.still_right(years + later) <= known.still_right(years) <= 1


def test_addresses_confirmed_in_the_future_are_of_today() -> None:
    assert expected_right([-5, 0], 0.1) == 2
    assert expected_right([365.25], 0.1) == pytest.approx(math.exp(-0.1))


@pytest.mark.parametrize(("moves", "years"), [(-1, 1), (1, -1), (1, math.nan), (1, math.inf)])
def test_impossible_evidence_is_refused(moves: int, years: float) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        decline(moves, years)


def test_the_curve_of_kaplan_and_meier_worked_by_hand() -> None:
    """Of five addresses one ends at 10, one of four at 20, where another stops being watched; two go on."""
    spells = [(10, True), (15, False), (20, True), (20, False), (30, False)]
    assert kaplan_meier(spells) == [Step(10, 1 - 1 / 5, 5, 1), Step(20, (1 - 1 / 5) * (1 - 1 / 3), 3, 1)]
    assert kaplan_meier([]) == []
    assert kaplan_meier([(4, False)]) == []
