"""The models of customer value: published fits, what must hold for any parameters, and their intervals."""

from math import isclose

import numpy as np
import pytest
from clv_data import Floats, summary
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special

from cdm_pipelines.enrichment.lifetime_value import fit_bg_nbd, fit_gamma_gamma, fit_mbg_nbd
from cdm_pipelines.enrichment.value_intervals import Histories, intervals
from cdm_pipelines.enrichment.value_models import (
    ModelError,
    PurchaseModel,
    SpendModel,
    alive,
    at_least,
    expected_if_alive,
    expected_of_newcomer,
    expected_purchases,
    expected_spend,
)

CDNOW = PurchaseModel(0.2426, 4.4135, 0.7929, 2.4258, 0.0)
CDNOW_MBG = PurchaseModel(0.52484, 6.18299, 0.89136, 1.61401, 0.0, 1)
CDNOW_SPEND = SpendModel(6.25, 3.74, 15.44, 0.0)


def one(*values: float) -> list[Floats]:
    return [np.array([value]) for value in values]


@pytest.mark.parametrize(
    ("fit", "expected", "likelihood"),
    [
        (fit_bg_nbd, (0.24259, 4.41353, 0.79289, 2.42575), -9582.4256),
        (fit_mbg_nbd, (0.52484, 6.18299, 0.89136, 1.61401), -9582.1327),
    ],
)
def test_purchase_models_have_the_published_fit(
    fit: object, expected: tuple[float, ...], likelihood: float
) -> None:
    data = summary()
    assert callable(fit)
    model = fit(data.x, data.recency, data.age)
    assert (model.r, model.alpha, model.a, model.b) == pytest.approx(expected, rel=1e-4)
    assert model.log_likelihood == pytest.approx(likelihood, abs=1e-3)


def test_spend_model_has_the_published_fit() -> None:
    data = summary()
    model = fit_gamma_gamma(data.x[data.repeat], data.mean[data.repeat])
    assert data.repeat.sum() == 946
    assert (model.p, model.q, model.gamma) == pytest.approx((6.249, 3.745, 15.448), rel=2e-4)
    assert model.v == model.gamma
    assert model.log_likelihood == pytest.approx(-4055.92, abs=0.01)
    assert model.mean == pytest.approx(35.17, abs=0.01)


def pareto_nbd_log_likelihood(theta: Floats, x: Floats, recency: Floats, age: Floats) -> float:
    """Schmittlein, Morrison and Colombo (1987) as in Fader and Hardie's note of 2005, in logarithms."""
    r, alpha, s, beta = np.exp(theta)
    least, most = min(alpha, beta), max(alpha, beta)
    shape = r + s + x
    second = s + 1 if alpha >= beta else r + x

    def term(time: Floats) -> Floats:
        series = special.hyp2f1(shape, second, shape + 1, (most - least) / (most + time))
        return np.asarray(np.log(series) - shape * np.log(most + time))

    last, end = term(recency), term(age)
    # Where the last purchase is at the end the difference is nothing, and has no logarithm.
    gap = np.where(last > end, -np.expm1(end - last), 0.0)
    gone = np.where(gap > 0, last + np.log(np.where(gap > 0, gap, 1.0)), -np.inf) + np.log(s / shape)
    here = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
    rest = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    return float((rest + np.logaddexp(here, gone)).sum())


def test_pareto_nbd_is_fitted_to_the_same_customers_as_well() -> None:
    data = summary()

    def cost(theta: Floats) -> float:
        return -pareto_nbd_log_likelihood(theta, data.x, data.recency, data.age)

    found = optimize.minimize(cost, np.log([0.5, 10.0, 0.5, 10.0]), method="L-BFGS-B")
    assert np.exp(found.x) == pytest.approx((0.5533, 10.578, 0.6062, 11.668), rel=5e-3)
    assert found.fun == pytest.approx(9594.974, abs=0.01)
    # Three models of the same behaviour see it about equally likely; ours the two more so.
    ours = fit_bg_nbd(data.x, data.recency, data.age).log_likelihood
    assert 0 < ours + found.fun < 15


def test_published_customers() -> None:
    data = summary()
    model = fit_bg_nbd(data.x, data.recency, data.age)
    regular = (np.array([26.0]), np.array([30.86]), np.array([31.0]))
    assert expected_purchases(model, *regular, 52)[0] == pytest.approx(25.759, abs=0.001)
    assert expected_of_newcomer(model, 52) == pytest.approx(1.444, abs=0.001)
    spend = fit_gamma_gamma(data.x[data.repeat], data.mean[data.repeat])
    assert expected_spend(spend, *one(2, 22.35))[0] == pytest.approx(24.66, abs=0.01)


def test_one_time_buyers_are_all_alive_in_one_model_and_less_so_over_time_in_the_other() -> None:
    age = np.array([1.0, 10.0, 40.0, 200.0])
    nothing = np.zeros(4)
    assert (alive(CDNOW, nothing, nothing, age) == 1).all()
    still = alive(CDNOW_MBG, nothing, nothing, age)
    assert (np.diff(still) < 0).all()
    assert still[-1] < 0.5 < still[0]


def test_a_fit_depends_neither_on_the_order_of_customers_nor_on_how_they_are_counted() -> None:
    rng = np.random.default_rng(3)
    x, recency, age, *_ = simulated(rng, CDNOW_MBG, customers=3000, end=40, ahead=1)
    recency, age = np.floor(recency), np.ceil(age)
    order = rng.permutation(3000)
    once = fit_mbg_nbd(x, recency, age)
    assert fit_mbg_nbd(x[order], recency[order], age[order]) == once
    rows, counts = np.unique(np.stack([x, recency, age]), axis=1, return_counts=True)
    assert len(counts) < 2500
    assert fit_mbg_nbd(rows[0], rows[1], rows[2], counts) == once
    # In days as in weeks: rates per day are a seventh, the rest is the same.
    days = fit_mbg_nbd(x, recency * 7, age * 7)
    assert (days.r, days.alpha / 7, days.a, days.b) == pytest.approx(
        (once.r, once.alpha, once.a, once.b), rel=1e-4
    )


def simulated(
    rng: np.random.Generator, model: PurchaseModel, *, customers: int, end: float, ahead: float
) -> tuple[Floats, ...]:
    """By the models, and ``CDNOW_SPEND``: x, recency, age, mean spend, and purchases and value ahead, of customers."""
    spend = CDNOW_SPEND
    rate = rng.gamma(model.r, 1 / model.alpha, customers)
    leave = rng.beta(model.a, model.b, customers)
    scale = rng.gamma(spend.q, 1 / spend.gamma, customers)
    age = rng.uniform(end / 2, end, customers)
    x, recency, now, number = (np.zeros(customers) for _ in range(4))
    spent, value = np.zeros(customers), np.zeros(customers)
    here = rng.random(customers) >= leave if model.first_chance else np.ones(customers, dtype=bool)
    while len(which := np.flatnonzero(here)):
        now[which] += rng.exponential(1 / rate[which])
        amount = rng.gamma(spend.p, 1 / scale[which])
        before, after = now[which] <= age[which], now[which] <= age[which] + ahead
        x[which[before]] += 1
        recency[which[before]] = now[which[before]]
        spent[which[before]] += amount[before]
        number[which[~before & after]] += 1
        value[which[~before & after]] += amount[~before & after]
        here[which] = after & (rng.random(len(which)) >= leave[which])
    return x, recency, age, spent / np.maximum(x, 1), number, value


def test_planted_parameters_are_found_again() -> None:
    rng = np.random.default_rng(11)
    x, recency, age, mean, number, _ = simulated(rng, CDNOW_MBG, customers=40_000, end=100, ahead=50)
    model = fit_mbg_nbd(x, recency, age)
    assert (model.r, model.alpha) == pytest.approx((CDNOW_MBG.r, CDNOW_MBG.alpha), rel=0.1)
    assert model.a / (model.a + model.b) == pytest.approx(0.89136 / (0.89136 + 1.61401), rel=0.1)
    assert expected_purchases(model, x, recency, age, 50).sum() == pytest.approx(number.sum(), rel=0.03)
    spend = fit_gamma_gamma(x[x > 0], mean[x > 0])
    assert spend.mean == pytest.approx(CDNOW_SPEND.mean, rel=0.03)


def test_intervals_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    x, recency, age, mean, number, value = simulated(rng, CDNOW, customers=40_000, end=600, ahead=365)
    age = np.ceil(age)
    now = alive(CDNOW, x, recency, age)
    known = Histories(x.astype(np.int64), age.astype(np.int64), now, mean)
    likely, worth = intervals(CDNOW, CDNOW_SPEND, known, ahead_days=365, unit_days=1.0, share=0.8)
    assert worth is not None
    assert np.mean((likely.low <= number) & (number <= likely.high)) > 0.8
    assert np.mean((worth.low - 1e-9 <= value) & (value <= worth.high)) > 0.8
    # Where an end is not nothing, a tenth lies beyond it.
    for end, beyond in ((worth.high, value > worth.high), (worth.low, value < worth.low)):
        some = end > 0
        assert some.sum() > 1000
        assert beyond[some].mean() == pytest.approx(0.1, abs=4 * (0.09 / some.sum()) ** 0.5)


def test_intervals_of_a_customer_are_the_same_whoever_is_beside() -> None:
    rng = np.random.default_rng(6)
    known = Histories(
        rng.integers(0, 30, 500), rng.integers(0, 700, 500), rng.random(500), rng.gamma(3, 10, 500)
    )
    ways = {"ahead_days": 365, "unit_days": 7.0, "share": 0.8}
    everybody = intervals(CDNOW, CDNOW_SPEND, known, **ways)  # type: ignore[arg-type]
    some = rng.permutation(500)[:20]
    few = intervals(CDNOW, CDNOW_SPEND, Histories(*(column[some] for column in known)), **ways)  # type: ignore[arg-type]
    for whole, part in zip(everybody, few, strict=True):
        assert whole is not None
        assert part is not None
        assert (whole.low[some] == part.low).all()
        assert (whole.high[some] == part.high).all()


parameter = st.floats(0.05, 50)
PURCHASE_MODELS = st.builds(
    PurchaseModel, parameter, parameter, parameter, parameter, st.just(0.0), st.integers(0, 1)
)


@settings(max_examples=200, deadline=None)
@given(PURCHASE_MODELS, st.integers(0, 300), st.floats(0, 500), st.floats(0, 1), st.floats(1, 500))
def test_what_holds_of_every_customer_under_every_model(
    model: PurchaseModel, x: int, age: float, part: float, ahead: float
) -> None:
    recency = age * part if x else 0.0
    number, last, end = one(x, recency, age)
    still = alive(model, number, last, end)[0]
    soon, later = (expected_purchases(model, number, last, end, time)[0] for time in (ahead, 2 * ahead))
    most = (model.r + x) / (model.alpha + age) * ahead
    assert 0 <= still <= 1
    assert 0 <= soon <= later * (1 + 1e-6) + 1e-9
    assert soon <= most * still * (1 + 1e-6) + 1e-9  # who never leaves buys no more than at the rate known
    if x:  # who was seen longer ago is less likely to be still there
        assert alive(model, number, last / 2, end)[0] <= still + 1e-12


@settings(max_examples=100, deadline=None)
@given(PURCHASE_MODELS, st.integers(0, 100), st.floats(0, 500), st.floats(1, 100))
def test_expectation_and_distribution_agree(model: PurchaseModel, x: int, age: float, ahead: float) -> None:
    """Two ways to the same number: the closed form, and the sum over all numbers of purchases."""
    number, end = one(x, age)
    tail = at_least(model, number, end, ahead, np.arange(1.0, 20_000))[0]
    assert (np.diff(tail) <= 1e-12).all()
    if tail[-1] < 1e-12:
        assert isclose(
            expected_if_alive(model, number, end, ahead)[0], tail.sum(), rel_tol=1e-5, abs_tol=1e-8
        )


@pytest.mark.parametrize("a", [0.5, 1.0, 1 + 1e-6, 0.99995, 2.5, 400.0, 5000.0])
def test_expectation_where_its_closed_form_has_none(a: float) -> None:
    model = PurchaseModel(0.5, 5.0, a, 3.0, 0.0, 1)
    for number, end in (one(20, 100), one(222, 0)):
        terms = at_least(model, number, end, 63, np.arange(1.0, 20_000))[0]
        assert expected_if_alive(model, number, end, 63)[0] == pytest.approx(terms.sum(), rel=1e-4)


@settings(max_examples=100, deadline=None)
@given(st.floats(0.1, 50), st.floats(1.01, 50), st.floats(0.1, 1000), st.integers(0, 500), st.floats(0, 1e6))
def test_expected_spend_is_between_the_customers_and_everybodys(
    p: float, q: float, gamma: float, x: int, mean: float
) -> None:
    model = SpendModel(p, q, gamma, 0.0)
    low, high = sorted((mean, model.mean))
    found = expected_spend(model, *one(x, mean))[0]
    assert (low * (1 - 1e-9) <= found <= high * (1 + 1e-9)) if x else isclose(found, model.mean)


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        (([], [], []), "no customers"),
        (([1, 2], [1], [2, 3]), "different lengths"),
        (([1], [3], [2]), "within its age"),
        (([-1], [0], [2]), "0 or more"),
        (([0], [1], [2]), "recency"),
        (([1], [float("nan")], [2]), "no number"),
    ],
)
def test_what_is_no_history_is_refused(arrays: tuple[list[float], ...], why: str) -> None:
    with pytest.raises(ModelError, match=why):
        fit_bg_nbd(*arrays)


def test_customers_who_do_not_differ_are_refused() -> None:
    with pytest.raises(ModelError, match="border"):
        fit_bg_nbd([4] * 500, [40] * 500, [50] * 500)
    with pytest.raises(ModelError, match="border"):
        fit_gamma_gamma([4] * 500, [10] * 500)
    with pytest.raises(ModelError, match="above 0"):
        fit_gamma_gamma([4, 2], [10, 0])
