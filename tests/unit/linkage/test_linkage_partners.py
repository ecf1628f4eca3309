"""Sources without duplicates: one-to-one, many-to-one, and records that are left over."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from linkage_examples import people, policy

from cdm_pipelines.linkage import LinkageModel, LinkResult, fit, link
from cdm_pipelines.linkage.cluster.partners import left_over_bits
from cdm_pipelines.linkage.encode.records import encode
from cdm_pipelines.linkage.evaluate.measures import evaluate
from cdm_pipelines.linkage.explain.clusters import Explanation
from cdm_pipelines.linkage.explain.pair import PARTNERS, Subject, waterfall
from cdm_pipelines.linkage.model.fellegi_sunter import log2_odds

RELATED = {
    "given_name": {"kind": "given_name", "column": "given_name"},
    "surname": {"kind": "surname", "column": "surname", "shared": True, "term_frequency": {}},
    "birth_date": {"kind": "date", "column": "birth_date"},
    "postcode": {"kind": "exact", "column": "postcode", "shared": True},
}


def sided(number: int, seed: int, share: float = 1.0, errors: float = 0.15) -> pd.DataFrame:
    """People once in source a, a share of them also in b, with ids that tell nothing."""
    both = people(number, seed, errors=errors)
    both = both[both["id"].str[-1].isin(["0", "1"])]
    rng = np.random.default_rng(seed)
    both = both[(both["id"].str[-1] == "0") | (rng.random(len(both)) < share)]
    both = both.assign(source=both["id"].str[-1].map({"0": "a", "1": "b"}))
    return both.assign(id=[f"{n:05d}" for n in rng.permutation(len(both))]).reset_index(drop=True)


def quality(result: LinkResult, frame: pd.DataFrame) -> tuple[float, float]:
    truth = frame[["source", "truth_id"]].assign(record_id=frame["id"])
    measured = evaluate(result.clusters, truth).pairs
    return measured.precision, measured.recall


@given(
    st.integers(0, 10_000),
    st.lists(st.sampled_from("abc"), unique=True, min_size=1, max_size=3),
    st.sampled_from([10_000, 5_000_000]),
)
@example(1, ["a", "b"], 10_000)
@example(2, ["a"], 10_000)
@example(3, ["a", "b", "c"], 5_000_000)
@settings(max_examples=10, deadline=None)
def test_no_cluster_holds_two_records_of_a_source_without_duplicates(
    seed: int, free: list[str], chunk: int
) -> None:
    """Whatever the data: here sources say that nobody is in them twice, and are wrong."""
    frame = people(60, seed)
    frame["source"] = np.random.default_rng(seed).choice(list("abc"), len(frame))
    rules = policy(source="source", duplicate_free=free)
    clusters = link(frame, rules).clusters
    held = clusters[clusters["source"].isin(free)].groupby(["cluster_id", "source"]).size()
    assert (held == 1).all()
    again = link(
        frame.sample(frac=1, random_state=seed),
        policy(source="source", duplicate_free=free[::-1], chunk_pairs=chunk),
        threads=1,
    )
    pd.testing.assert_frame_equal(again.clusters, clusters)


def test_many_to_one_leaves_several_records_of_the_one_source_to_a_record_of_the_other() -> None:
    frame = people(150, 5).assign(
        source=lambda one: one["id"].str[-1].map({"0": "register"}).fillna("orders")
    )
    clusters = link(frame, policy(source="source", duplicate_free=["register"])).clusters
    sizes = clusters.groupby(["cluster_id", "source"]).size().unstack(fill_value=0)
    assert sizes["register"].max() == 1
    assert (sizes["orders"][sizes["register"] == 1] == 2).sum() > 20


def test_what_is_left_over_is_likelier_to_belong_together() -> None:
    """Bits by the shares of records that have a partner, for each source whose records have at most one."""
    frame = pd.DataFrame({"id": list("abcdefghij"), "source": [*"aaaabbbbcc"], "given_name": "jan"})
    records = encode(frame.assign(surname=None, birth_date=None, postcode=None), policy(source="source"))
    left, right = np.array([0, 1, 1, 0]), np.array([4, 5, 6, 8])
    none = left_over_bits(records, [], left, right)
    one = left_over_bits(records, ["a"], left, right)
    both = left_over_bits(records, ["a", "b"], left, right)
    assert none == {}
    assert one == {"a": {"b": pytest.approx(np.log2(5 / 2)), "c": pytest.approx(np.log2(3 / 2))}}
    assert both["a"]["b"] == pytest.approx(np.log2(5 / 2) + np.log2(5 / 3))
    assert both["a"]["c"] == pytest.approx(np.log2(3 / 2))
    assert "b" not in both  # b and c share nobody


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_saying_that_sources_are_free_of_duplicates_finds_more_and_nobody_wrong(share: float) -> None:
    frame = sided(700, 8, share, errors=0.3)
    rules = policy(source="source", duplicate_free=["a", "b"])
    model = fit(frame, rules)
    assert model.left_over["a"]["b"] > 0
    precision, recall = quality(link(frame, rules, model=replace(model, left_over={})), frame)
    better_precision, better_recall = quality(link(frame, rules, model=model), frame)
    assert better_recall > recall
    assert better_precision >= precision - 0.01


def test_a_model_keeps_what_it_learnt_about_the_sources() -> None:
    frame = sided(200, 9)
    model = fit(frame, policy(source="source", duplicate_free=["a", "b"]))
    assert LinkageModel.from_json(model.to_json()) == model
    earlier = json.loads(model.to_json())
    del earlier["left_over"]
    assert LinkageModel.from_json(json.dumps(earlier)).left_over == {}


# Two records that are left over, and others around them


@pytest.fixture(scope="module")
def model() -> LinkageModel:
    frame = people(300, 4).assign(source="a")
    fitted = fit(frame, policy(source="source", comparisons=RELATED))
    return replace(fitted, match=0.9, left_over={"a": {"b": 12.0}})


def rows(*given: tuple[str, str, str, str, str | None, str]) -> pd.DataFrame:
    return pd.DataFrame(given, columns=["source", "id", "given_name", "surname", "birth_date", "postcode"])


LEFT_OVER = rows(
    ("a", "1", "Jan", "Hoekstra", None, "1000AB"),
    ("b", "2", "Els", "Hoekstra", None, "1000AB"),
)
RULES = policy(
    source="source", comparisons=RELATED, duplicate_free=["a", "b"], thresholds={"match": 0.9, "review": 1e-6}
)


def together(frame: pd.DataFrame, model: LinkageModel, **changes: object) -> bool:
    clusters = link(frame, RULES.model_copy(update=changes), model=model).clusters
    named = clusters.set_index(clusters["source"] + clusters["record_id"])["cluster_id"]
    return bool(named["a1"] == named["b2"])


def test_two_that_are_left_over_join(model: LinkageModel) -> None:
    assert together(LEFT_OVER, model)
    assert not together(LEFT_OVER, replace(model, left_over={}))


def test_not_where_no_source_is_free_of_duplicates(model: LinkageModel) -> None:
    assert not together(LEFT_OVER, model, duplicate_free=())


def test_not_below_the_review_threshold(model: LinkageModel) -> None:
    strict = RULES.thresholds.model_copy(update={"review": 0.5})
    assert not together(LEFT_OVER, model, thresholds=strict)
    careful = RULES.model_copy(update={"thresholds": strict})
    waiting = waterfall(Subject(encode(LEFT_OVER, careful), careful, model), 0, 1)
    assert PARTNERS not in {step.name for step in waiting.steps}


@pytest.mark.parametrize(
    "partner",
    [("b", "3", "Jan", "Hoekstra", "1970-01-01", "1000AB"), ("a", "0", "Els", "Hoekstra", None, "1000AB")],
)
def test_not_where_one_has_a_better_partner(
    model: LinkageModel, partner: tuple[str, str, str, str, str | None, str]
) -> None:
    assert not together(pd.concat([LEFT_OVER, rows(partner)]), model)


def test_it_is_explained(model: LinkageModel) -> None:
    subject = Subject(encode(LEFT_OVER, RULES), RULES, model)
    found = waterfall(subject, 0, 1)
    assert found.steps[-1].name == PARTNERS
    assert found.steps[-1].bits == pytest.approx(12.0)
    result = link(LEFT_OVER, RULES, model=model)
    assert found.weight == pytest.approx(float(result.pairs["weight"].iloc[0]))
    assert found.odds == pytest.approx(log2_odds(model.prior) + found.weight + 12.0)
    whole = np.array([0, 1], dtype=np.int32)
    told = Explanation.of(subject, 0, 1, (whole, whole))
    assert [link.probability for link in told.path] == [pytest.approx(found.probability)]
    assert found.probability > model.match
