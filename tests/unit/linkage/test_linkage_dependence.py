"""Knowing more makes linking no worse: columns that depend on each other, or say nothing, do not spoil the fit."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.people import _SURNAMES, generate
from cdm_pipelines.linkage import LinkagePolicy, LinkResult, link
from cdm_pipelines.linkage.evaluate.measures import evaluate
from cdm_pipelines.linkage.model.decision import decide
from cdm_pipelines.linkage.model.fellegi_sunter import LinkageModel
from cdm_pipelines.linkage.policy.file import parse_policy
from cdm_pipelines.linkage.policy.shipped import SHIPPED
from cdm_pipelines.linkage.policy.spec import MatchThresholds

NAMES = ("given_name", "surname", "birth_date")


def policy(*extra: str, kind: str = "exact") -> LinkagePolicy:
    """Names and a date of birth, and further columns as a person would compare them."""
    import yaml  # noqa: PLC0415 - only here

    spelled = yaml.safe_load((SHIPPED / "person.yaml").read_text(encoding="utf-8"))
    spelled["columns"] = {name: one if name in NAMES else None for name, one in spelled["columns"].items()}
    spelled["columns"] |= {name: {"clean": "exact"} for name in extra}
    for name in extra:
        how = (
            {"columns": [name]} if kind == "text" else {"column": name, "shared": True, "term_frequency": {}}
        )
        spelled["comparisons"][name] = {"kind": kind, **how}
    spelled["thresholds"] = {"match": 0.5, "review": 0.1}
    spelled["clustering"] = {}
    return parse_policy({**spelled, "source": None})


@pytest.fixture(scope="module")
def nations() -> tuple[pd.DataFrame, pd.DataFrame]:
    """People of whom one in eight is of another country, where few names are usual, and those others."""
    made = generate(10_000, seed=6, repeats=0.14)
    frame, truth = made.records.to_pandas(), made.truth.to_pandas()
    person = pd.factorize(truth["truth_id"])[0]
    rng = np.random.default_rng(6)
    country = rng.choice(["main", "aa", "bb", "cc"], person.max() + 1, p=[0.88, 0.06, 0.04, 0.02])
    given, family = rng.zipf(1.6, (2, person.max() + 1)) % 40
    usual = _SURNAMES.split()
    strange = [f"{head}{tail}" for head in ("ilia", "zoran", "mehm", "vas") for tail in "aeiou"]
    other = (country != "main")[person]
    of = country[person]
    frame.loc[other, "given_name"] = [
        f"{strange[g % 20]}{c}" for g, c in zip(given[person][other], of[other], strict=True)
    ]
    frame.loc[other, "surname"] = [
        f"{c}{usual[s]}ov" for s, c in zip(family[person][other], of[other], strict=True)
    ]
    frame["country"] = of
    frame["region"] = [
        f"{c}{r}" for c, r in zip(of, rng.integers(0, 9, person.max() + 1)[person], strict=True)
    ]
    return frame, truth


def f1(result: LinkResult, truth: pd.DataFrame) -> float:
    source = result.clusters["source"].iloc[0]
    return evaluate(result.clusters, truth.assign(source=source)).pairs.f1


@pytest.fixture(scope="module")
def alone(nations: tuple[pd.DataFrame, pd.DataFrame]) -> float:
    return f1(link(nations[0], policy()), nations[1])


@pytest.mark.parametrize("extra", [("country",), ("region",), ("region", "country")])
def test_a_country_with_other_names_does_not_spoil_the_fit(
    nations: tuple[pd.DataFrame, pd.DataFrame], alone: float, extra: tuple[str, ...]
) -> None:
    frame, truth = nations
    result = link(frame, policy(*extra))
    assert f1(result, truth) > alone - 0.01
    followed = {one["comparison"]: one["given"] for one in result.report["dependences"]}
    assert followed, "the report names what depends on what"
    assert LinkageModel.from_json(result.model.to_json()) == result.model, "dependences are part of the model"


@pytest.mark.parametrize("kind", ["constant", "unique", "nearly empty", "minority"])
def test_a_column_that_says_nothing_costs_nothing(
    nations: tuple[pd.DataFrame, pd.DataFrame], alone: float, kind: str
) -> None:
    frame, truth = nations
    rng = np.random.default_rng(1)
    columns = {
        "constant": np.full(len(frame), "x"),
        "unique": np.array([f"u{k}" for k in rng.permutation(len(frame))]),
        "nearly empty": np.array(
            [None if chance < 0.97 else "x" for chance in rng.random(len(frame))], object
        ),
        "minority": np.where(frame["surname"].str[:1].isin(list("kqvz")), "kk", "main"),
    }
    assert f1(link(frame.assign(extra=columns[kind]), policy("extra")), truth) > alone - 0.01


def test_texts_that_are_alike_and_never_equal_are_measured_without_a_division_by_nothing() -> None:
    """Warnings are errors here; on the terminal they would stand between the lines of a run."""
    made = generate(1500, seed=3, repeats=0.1)
    frame, truth = made.records.to_pandas(), made.truth.to_pandas()
    told = frame.assign(card=[f"card of somebody {number:05}" for number in range(len(frame))])
    found = f1(link(told, policy("card", kind="text")), truth)
    assert found > f1(link(frame, policy()), truth) - 0.01


def test_scores_under_dependence_do_not_hang_on_threads_or_chunks(
    nations: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    frame = nations[0].head(3_000)
    rules = policy("country")
    one = link(frame, rules, threads=1)
    two = link(frame.sample(frac=1, random_state=2), rules.model_copy(update={"chunk_pairs": 997}))
    assert one.model == two.model
    pd.testing.assert_frame_equal(one.pairs, two.pairs)
    again = link(frame, rules, model=LinkageModel.from_json(one.model.to_json()))
    pd.testing.assert_frame_equal(one.pairs, again.pairs)


def test_guards_give_way_where_they_are_expected_to_cost_more_than_they_may() -> None:
    odds = np.repeat([8.0, 3.0, -1.0], [600, 600, 300])
    names = np.repeat([False, True, False], [600, 600, 300])
    asked = MatchThresholds(match=0.95, expected_false_matches=0.03, may_cost=0.01, not_alone="name")
    found = decide(0.95, asked, odds, names, 1_230.0)
    assert found.names_suffice
    assert 0.8 < found.match < 0.9
    assert decide(0.95, asked.model_copy(update={"may_cost": None}), odds, names, 1_230.0) == (0.95, False)
    assert decide(0.95, asked, odds[::10], names[::10], 123.0) == (0.95, False), "few matches: guards hold"


@pytest.mark.parametrize("repeats", [0.05, 0.3])
def test_records_without_any_error_are_linked(repeats: float) -> None:
    """Whoever agrees on one column agrees on all: that is no reason to take columns for copies of each other."""
    once = generate(3_000, seed=1, repeats=0.0).records.to_pandas()
    again = once.sample(frac=repeats, random_state=1).assign(record_id=lambda t: t["record_id"] + "-again")
    both = pd.concat([once, again], ignore_index=True)
    person = both["record_id"].str.removesuffix("-again")
    truth = pd.DataFrame({"record_id": both["record_id"], "truth_id": person})
    result = link(both, policy())
    pairs = evaluate(result.clusters, truth.assign(source=result.clusters["source"].iloc[0])).pairs
    assert pairs.recall > 0.95
    assert pairs.precision > 0.75
