"""The churn model on any table: good enough on a published set, reasons that add up, nothing that depends on rows."""

import csv
import itertools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from cdm_pipelines.enrichment.churn_figures import calibration, moved, reference, stability
from cdm_pipelines.enrichment.churn_model import CannotFitError, Feature, fit_model, quality, reasons, score

SHARED = Path(os.environ.get("BENCHMARK_DATA", str(Path(__file__).parents[4] / "shared" / "data")))
TELCO = SHARED / "churn" / "telco.csv"
FEATURES = (
    Feature("age", "age", high="old", low="young", unknown="of unknown age"),
    Feature("use", "use"),
    Feature("plan", "plan", kinds=True),
)


def population(n: int = 3_000, seed: int = 3) -> tuple[dict[str, Any], Any]:
    """Leaving follows from age, by a bend from use, and from the plan; some values are missing."""
    rng = np.random.default_rng(seed)
    age, use = rng.normal(size=n), rng.exponential(size=n)
    plan = rng.choice(np.array(["basic", "family", "gold", None], dtype=object), n, p=[0.5, 0.3, 0.19, 0.01])
    logit = -0.5 + age - 2 * np.minimum(use, 1) + np.where(plan == "gold", -1.0, 0.3)
    age[rng.random(n) < 0.1] = np.nan
    return {"age": age, "use": use, "plan": plan}, rng.random(n) < 1 / (1 + np.exp(-logit))


def rows(columns: dict[str, Any], at: Any) -> dict[str, Any]:
    return {name: column[at] for name, column in columns.items()}


def telco() -> tuple[tuple[Feature, ...], dict[str, Any], Any]:
    with TELCO.open(newline="", encoding="utf-8-sig") as file:
        table = list(csv.DictReader(file))
    numbers = ("tenure", "MonthlyCharges", "TotalCharges")
    names = [name for name in table[0] if name not in ("customerID", "Churn")]
    columns: dict[str, Any] = {}
    for name in names:
        texts = [row[name].strip() for row in table]
        columns[name] = (
            np.array([float(text) if text else np.nan for text in texts])
            if name in numbers
            else np.array(texts, dtype=object)
        )
    features = tuple(Feature(name, name, kinds=name not in numbers) for name in names)
    return features, columns, np.array([row["Churn"] == "Yes" for row in table])


@pytest.mark.slow
@pytest.mark.skipif(not TELCO.is_file(), reason="no shared data: set BENCHMARK_DATA")
def test_telephone_customers_out_of_fold() -> None:
    features, columns, left = telco()
    fold = np.random.default_rng(1).permutation(len(left)) % 5
    probability = np.empty(len(left))
    for number in range(5):
        train, rest = fold != number, fold == number
        model = json.loads(json.dumps(fit_model(features, rows(columns, train), left[train])))
        scores = score(model, rows(columns, rest))
        probability[rest] = scores.probability
        assert np.abs(scores.base + scores.contributions.sum(axis=0) - scores.logit).max() < 1e-9
        assert np.abs(np.log(scores.probability / (1 - scores.probability)) - scores.logit).max() < 1e-9
    found = quality(probability, left)
    assert found["auc"] >= 0.84
    assert found["brier"] <= 0.137
    assert all(row["within"] for row in calibration(probability, left))


def test_a_score_means_what_it_says_and_its_reasons_add_up() -> None:
    columns, left = population(12_000)
    at = np.arange(12_000) % 3 > 0
    model = fit_model(FEATURES, rows(columns, at), left[at])
    unseen = rows(columns, ~at)
    scores = score(json.loads(json.dumps(model, allow_nan=False)), unseen)
    assert all(row["within"] for row in calibration(scores.probability, left[~at]))
    assert np.abs(scores.base + scores.contributions.sum(axis=0) - scores.logit).max() < 1e-9
    told = reasons(model, FEATURES, unseen, scores)
    assert np.allclose(sum(weight for _, weight in told), scores.logit - scores.base, atol=1e-9)
    words, weight = told[0]
    old = (unseen["age"] > 1) & (words == "old (raises the risk)")
    assert old.any()
    assert (weight[old] > 0).all()
    gold = np.array([str(text).startswith("plan: gold") for text in words])
    assert (unseen["plan"][gold] == "gold").all()
    assert {str(text) for text in words[gold]} == {"plan: gold (lowers the risk)"}
    assert all((np.abs(one[1]) >= np.abs(two[1])).all() for one, two in itertools.pairwise(told))


def test_neither_rows_beside_it_nor_their_order_nor_threads_nor_json_change_anything() -> None:
    columns, left = population()
    model = fit_model(FEATURES, columns, left)
    order = np.random.default_rng(5).permutation(len(left))
    with threadpool_limits(limits=1):
        assert fit_model(FEATURES, rows(columns, order), left[order]) == model
    full = score(model, columns)
    for at in (order, np.arange(7), np.array([11])):
        part = score(json.loads(json.dumps(model)), rows(columns, at))
        assert (part.logit == full.logit[at]).all()
        assert (part.probability == full.probability[at]).all()
        assert (part.contributions == full.contributions[:, at]).all()


def test_bends_and_calibration_only_where_they_earn_their_place() -> None:
    rng = np.random.default_rng(8)
    bent, left = population(6_000)
    assert fit_model(FEATURES, bent, left)["shape"] == "bent"
    straight = {"x": rng.normal(size=6_000)}
    gone = rng.random(6_000) < 1 / (1 + np.exp(-straight["x"]))
    plain = fit_model((Feature("x", "x"),), straight, gone)
    assert (plain["shape"], plain["calibration"]) == ("straight", {"slope": 1.0, "shift": 0.0})
    noise = {f"x{number}": rng.normal(size=5_000) for number in range(60)}
    rare = rng.random(5_000) < 1 / (1 + np.exp(1.5 - noise["x0"]))
    later = rows(noise, slice(400, None))
    noise, few = rows(noise, slice(400)), rare[:400]
    model = fit_model([Feature(name, name) for name in noise], noise, few)
    scores = score(model, noise)
    assert 0 < model["calibration"]["slope"] < 0.9  # overfitted, and drawn back towards the mean
    assert np.abs(scores.base + scores.contributions.sum(axis=0) - scores.logit).max() < 1e-9
    assert score(model, later).probability.mean() == pytest.approx(rare[400:].mean(), abs=0.04)


def test_values_never_seen_and_missing_ones_have_a_score() -> None:
    columns, left = population()
    model = fit_model(FEATURES, columns, left)
    odd = {
        "age": np.array([np.nan, 1e9]),
        "use": np.array([np.nan, -1e9]),
        "plan": np.array([None, "platinum"], dtype=object),
    }
    scores = score(model, odd)
    ends = score(
        model, {"age": np.array([99.0]), "use": np.array([0.0]), "plan": np.array(["x"], dtype=object)}
    )
    assert np.isfinite(scores.logit).all()
    assert scores.logit[1] == ends.logit[0]  # beyond what was seen, curves are level
    words = {str(text) for text, _ in reasons(model, FEATURES, odd, scores) for text in text}
    assert "of unknown age (lowers the risk)" in words or "of unknown age (raises the risk)" in words
    assert any("plan: other" in text for text in words)


@pytest.mark.parametrize(
    ("columns", "left", "said"),
    [
        ({"x": np.arange(100.0)}, np.arange(100) < 0, "0 of 100 customers left"),
        ({"x": np.arange(100.0)}, np.arange(100) < 97, "97 of 100 customers left"),
        ({"x": np.ones(100)}, np.arange(100) < 50, "No feature differs"),
        ({"x": np.full(100, np.nan)}, np.arange(100) < 50, "No feature differs"),
    ],
)
def test_what_carries_no_model_is_refused(columns: dict[str, Any], left: Any, said: str) -> None:
    with pytest.raises(CannotFitError, match=said):
        fit_model((Feature("x", "x"),), columns, left)


def test_intervals_are_wilsons() -> None:
    (row,) = calibration(np.full(10, 0.4), np.arange(10) < 5, bins=1)
    assert (row["low"], row["high"]) == (pytest.approx(0.2366, abs=1e-4), pytest.approx(0.7634, abs=1e-4))
    assert row["within"]
    (far,) = calibration(np.full(10, 0.2), np.arange(10) < 5, bins=1)
    assert not far["within"]


def test_stability_sees_half_a_standard_deviation_and_not_chance() -> None:
    columns, left = population(20_000)
    model = fit_model(FEATURES, columns, left)
    before = json.loads(json.dumps(reference(score(model, columns).probability, columns, model)))

    def moved_ones(changed: dict[str, Any]) -> set[str]:
        found = stability(before, score(model, changed).probability, changed)
        return {row["what"] for row in found if row["moved"]}

    again, _ = population(300, seed=4)
    assert moved_ones(again) == set()
    assert moved_ones(columns | {"age": columns["age"] + 0.7}) >= {"age"}
    assert "plan" in moved_ones(columns | {"plan": np.full(20_000, "gold", dtype=object)})
    assert "use" in moved_ones(columns | {"use": np.full(20_000, np.nan)})
    assert {row["what"] for row in stability(before, np.full(100, 0.99))} == {"score"}


def test_what_a_new_model_changed() -> None:
    columns, left = population()
    model = fit_model(FEATURES, columns, left)
    other = fit_model(FEATURES, columns | {"age": -columns["age"]}, left)
    assert {row["moved"] for row in moved(model, model)} == {0.0}
    assert max(moved(model, other), key=lambda row: float(row["moved"]))["feature"] == "age"
    alone = fit_model(FEATURES[1:], columns, left)
    gone = next(row for row in moved(model, alone) if row["feature"] == "age")
    assert gone["after"] == 0.0
    assert gone["moved"] > 0
