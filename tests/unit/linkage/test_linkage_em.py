"""The fit finds the parameters that made the data, and the toolkit's own method agrees."""

import numpy as np
import numpy.typing as npt
import pytest

from cdm_pipelines.linkage.model import em
from cdm_pipelines.linkage.model.patterns import Table
from cdm_pipelines.linkage.model.ranked import Rank, rising
from cdm_pipelines.linkage.model.u_probabilities import UProbabilities

M = [np.array([0.1, 0.2, 0.7]), np.array([0.05, 0.95]), np.array([0.2, 0.1, 0.7]), np.array([0.15, 0.85])]
U = [np.array([0.9, 0.08, 0.02]), np.array([0.98, 0.02]), np.array([0.7, 0.25, 0.05]), np.array([0.95, 0.05])]


def table(matches: int, others: int, seed: int, missing: float = 0.1) -> Table:
    """Pairs of two rules; rule k agrees on comparison k, whose other levels it therefore never shows."""
    rng = np.random.default_rng(seed)
    rows, rules = [], []
    for rule in (0, 1):
        for count, probabilities in ((matches, M), (others, U)):
            levels = np.stack([rng.choice(len(p), count, p=p) for p in probabilities], axis=1)
            levels[rng.random(levels.shape) < missing] = -1
            levels[:, rule] = len(M[rule]) - 1
            rows.append(levels)
            rules.append(np.full((count, 2), np.arange(2) == rule))
    everything = np.concatenate([np.concatenate(rows), np.concatenate(rules)], axis=1)
    distinct, counts = np.unique(everything, axis=0, return_counts=True)
    return Table(distinct[:, :4].astype(np.int8), distinct[:, 4:].astype(bool), counts.astype(np.float64))


def fit(counted: Table, **changes: object) -> em.Fitted:
    tied = np.array([[True, False, False, False], [False, True, False, False]])
    chances = [UProbabilities(u, 0.9) for u in U]
    options: dict[str, object] = {"relatives": False, "iterations": 300, "tolerance": 1e-6, **changes}
    return em.fit(counted, chances, tied, [False] * 4, 10**9, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("matches", "others"), [(20_000, 20_000), (20_000, 200_000), (20_000, 1_000)])
def test_m_and_the_shares_of_matches_are_recovered(matches: int, others: int) -> None:
    fitted = fit(table(matches, others, seed=3))
    assert fitted.converged
    for found, true in zip(fitted.m, M, strict=True):
        np.testing.assert_allclose(found, true, atol=0.02)
    np.testing.assert_allclose(fitted.rule_matches, matches / (matches + others), atol=0.02)


def test_u_is_what_random_pairs_show_less_the_matches_among_them() -> None:
    prior = 0.01
    marginal = prior * M[1] + (1 - prior) * U[1]
    found = em._less_matches(marginal, M[1], prior)  # noqa: SLF001
    np.testing.assert_allclose(found, U[1], atol=1e-9)
    everything = em._less_matches(np.array([0.99, 0.01]), np.array([0.0, 1.0]), 0.01)  # noqa: SLF001
    assert everything[1] > 0, "no agreement is proof"


def test_related_people_are_told_from_matches() -> None:
    """Housemates share address and surname but not name and birth date: they must not pass for matches."""
    rng = np.random.default_rng(5)
    agree = {
        "match": [0.9, 0.95, 0.9, 0.95],
        "related": [0.95, 0.9, 0.02, 0.001],
        "chance": [0.01, 0.01, 0.02, 0.001],
    }
    counts = {"match": 5_000, "related": 10_000, "chance": 30_000}
    levels = np.concatenate(
        [(rng.random((n, 4)) < agree[kind]).astype(np.int8) for kind, n in counts.items()]
    )
    kinds = np.repeat(list(counts), list(counts.values()))
    distinct, inverse, number = np.unique(levels, axis=0, return_inverse=True, return_counts=True)
    counted = Table(distinct, np.ones((len(distinct), 1), dtype=bool), number.astype(np.float64))
    chances = [UProbabilities(np.array([1 - p, p]), 1.0) for p in agree["chance"]]

    def called(relatives: bool) -> npt.NDArray[np.float64]:
        fitted = em.fit(
            counted,
            chances,
            np.zeros((1, 4), dtype=bool),
            [True, True, False, False],
            10**8,
            relatives=relatives,
            iterations=300,
            tolerance=1e-7,
        )
        logs = [em._logs(distinct, p).sum(axis=0) for p in (fitted.m, fitted.r, fitted.u)]  # noqa: SLF001
        shares = np.array([fitted.prior, fitted.related, 1 - fitted.prior - fitted.related])
        return em._posterior(logs, shares)[0][inverse.ravel()]  # noqa: SLF001

    posterior = called(True)
    assert posterior[kinds == "related"].mean() < 0.02
    assert posterior[kinds == "match"].mean() > 0.9
    assert abs(posterior.sum() - 5_000) < 300


def test_some_agreement_never_weighs_less_than_none() -> None:
    found, _ = rising(np.array([0.1, 0.0, 0.9]), np.array([0.9, 0.05, 0.05]), Rank.plain(3))
    assert found.sum() == pytest.approx(1.0)
    assert found[1] / 0.05 == pytest.approx(found[0] / 0.9)


def test_nothing_to_learn_from() -> None:
    nothing = Table(np.zeros((0, 4), dtype=np.int8), np.zeros((0, 2), dtype=bool), np.zeros(0))
    fitted = fit(nothing)
    assert fitted.prior < 1e-9
    assert all(np.isfinite(np.log(m)).all() for m in (*fitted.m, *fitted.u))


def test_the_toolkit_s_ecm_classifier_agrees_on_who_matches() -> None:
    """Fellegi-Sunter by another hand: recordlinkage's ECM on the same binary agreements."""
    import pandas as pd  # noqa: PLC0415
    import recordlinkage  # noqa: PLC0415

    rng = np.random.default_rng(11)
    m, u = np.array([0.9, 0.95, 0.85, 0.9]), np.array([0.1, 0.05, 0.2, 0.1])
    true = np.arange(6_000) < 2_000
    agree = (rng.random((6_000, 4)) < np.where(true[:, None], m, u)).astype(np.int8)
    distinct, inverse, counts = np.unique(agree, axis=0, return_inverse=True, return_counts=True)
    counted = Table(distinct, np.ones((len(distinct), 1), dtype=bool), counts.astype(np.float64))
    fitted = em.fit(
        counted,
        [UProbabilities(np.array([1 - p, p]), 1.0) for p in u],
        np.zeros((1, 4), dtype=bool),
        [False] * 4,
        10**7,
        relatives=False,
        iterations=300,
        tolerance=1e-7,
    )
    index = pd.MultiIndex.from_arrays([range(6_000), range(6_000)])
    classifier = recordlinkage.ECMClassifier()
    theirs = classifier.fit_predict(pd.DataFrame(agree, index=index, columns=list("abcd")))
    logs = [em._logs(distinct, p).sum(axis=0) for p in (fitted.m, fitted.u)]  # noqa: SLF001
    share = fitted.rule_matches[0]
    ours = (logs[0] - logs[1] + np.log(share / (1 - share)) > 0)[inverse.ravel()]
    by_them = np.isin(np.arange(6_000), theirs.get_level_values(0))
    assert (ours == by_them).mean() > 0.98
    for k in range(4):
        assert fitted.m[k][1] == pytest.approx(classifier.m_probs["abcd"[k]][1], abs=0.03)
