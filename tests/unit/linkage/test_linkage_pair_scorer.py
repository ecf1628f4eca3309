"""One way to score pairs: the weights of a whole linkage, in batches of any size that carry only their own records."""

import multiprocessing
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
from linkage_examples import full_people, full_policy

from cdm_pipelines.linkage import LinkageError, LinkagePolicy, LinkResult, link
from cdm_pipelines.linkage.encode.columns import FEW, Column, joined, sorted_codes
from cdm_pipelines.linkage.encode.records import encode
from cdm_pipelines.linkage.explain.pair import Subject, waterfall
from cdm_pipelines.linkage.model.scoring import PairScorer, ScoredPairs
from cdm_pipelines.linkage.policy.comparisons import COMPARISONS

PEOPLE = full_people(400, seed=11)
WORD = {"word": {"kind": "text", "columns": ["job", "city"], "at_least": [0.8], "term_frequency": {}}}
KINDS = {
    "email": {"kind": "email", "column": "email", "term_frequency": {}},
    "phone": {
        "kind": "phone",
        "columns": ["phone", "mobile"],
        "mobile_prefixes": ["06"],
        "shared": True,
        "term_frequency": {"fuzzy": 0.3},
    },
    "osa": {
        "kind": "text",
        "columns": "street",
        "similarity": "damerau_levenshtein",
        "at_least": [0.8],
    },
    "qgrams": {
        "kind": "toolkit",
        "column": "job",
        "algorithm": "String",
        "arguments": {"method": "cosine"},
        "at_least": [0.7, 0.4],
        "term_frequency": {},
    },
    **WORD,
}


def every_kind(folder: Path) -> LinkagePolicy:
    """The full policy with more comparisons yet, and a table of names of its own beside it."""
    given = {
        "kind": "given_name",
        "column": "given_name",
        "initials": "initials",
        "gender": "gender",
        "surname": "surname",
        "term_frequency": {},
    }
    whole = full_policy()
    content = whole.model_dump(mode="json", exclude={"folder"})
    content["columns"]["initials"] = {"column": "initials", "clean": "name"}
    content["comparisons"] |= {**KINDS, "given_name": given}
    content["thresholds"] |= {"review": 1e-9}
    (folder / "given_names.yaml").write_text("anna: [tineke, sanne]\n", encoding="utf-8")
    policy = LinkagePolicy.model_validate(content)
    return policy.model_copy(update={"folder": folder})


def records() -> pd.DataFrame:
    """People, with initials and with letters beyond ASCII here and there: batches with and without them differ."""
    frame = PEOPLE.assign(initials=PEOPLE["given_name"].str[:1])
    frame.loc[frame.index % 17 == 3, "surname"] = "Müller-Şahin"
    frame.loc[frame.index % 19 == 4, "given_name"] = None
    return frame


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> LinkagePolicy:
    return every_kind(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def linked(policy: LinkagePolicy) -> LinkResult:
    return link(records(), policy, remember=True)


@pytest.fixture(scope="module")
def scorer(policy: LinkagePolicy, linked: LinkResult) -> PairScorer:
    assert linked.state is not None
    return PairScorer(policy, linked.model, linked.state.plan.words)


def sides(pairs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both records of each pair, row by row."""
    by_id = records().set_index("id", drop=False)
    return by_id.loc[pairs["left_id"]], by_id.loc[pairs["right_id"]]


def batches(pairs: int, size: int | None) -> Iterator[npt.NDArray[np.intp]]:
    """The pairs in order, some at a time; in any order and of any size where no size is given."""
    rng = np.random.default_rng(5)
    order = np.arange(pairs) if size else rng.permutation(pairs)
    start = 0
    while start < pairs:
        step = size or int(rng.integers(1, 200))
        yield order[start : start + step]
        start += step


def same(scored: ScoredPairs, pairs: pd.DataFrame, policy: LinkagePolicy) -> None:
    assert scored.weight.tobytes() == pairs["weight"].to_numpy().tobytes()
    assert (scored.levels == pairs[list(policy.comparisons)].to_numpy()).all()


def test_every_kind_of_comparison_is_in_the_policy(policy: LinkagePolicy, linked: LinkResult) -> None:
    known = {get_args(kind.model_fields["kind"].annotation)[0] for kind in COMPARISONS}
    assert {one.kind for one in policy.comparisons.values()} == known
    assert {one.kind for one in policy.comparisons.values() if one.term_frequency} >= {
        *("text", "given_name", "surname", "date", "address", "email", "phone", "toolkit")
    }
    assert len(linked.pairs) > 1_500
    for name in policy.comparisons:
        assert linked.pairs[name].nunique() >= 2, f"the pairs do not tell levels of {name} apart"
    assert {6, 7, 8} & set(linked.pairs["given_name"]), "no name in another form or another place"


@pytest.mark.parametrize("size", [7, 100_000, None])
def test_weights_are_those_of_the_whole_linkage(
    size: int | None, scorer: PairScorer, linked: LinkResult
) -> None:
    whole = linked.pairs if size is None or size > 7 else linked.pairs.iloc[::12]
    for some in batches(len(whole), size):
        pairs = whole.iloc[some]
        same(scorer.score(*sides(pairs)), pairs, scorer.policy)


def test_weights_of_pairs_by_themselves_are_those_of_the_whole_linkage(
    scorer: PairScorer, linked: LinkResult
) -> None:
    chosen = np.random.default_rng(3).choice(len(linked.pairs), 60, replace=False)
    for one in chosen:
        pairs = linked.pairs.iloc[[one]]
        same(scorer.score(*sides(pairs)), pairs, scorer.policy)


def test_a_row_in_many_pairs_weighs_in_each_what_it_weighs_by_itself(
    scorer: PairScorer, linked: LinkResult
) -> None:
    left, right = sides(linked.pairs.iloc[:40])
    chosen = np.random.default_rng(4).integers(0, 40, (2, 300)).astype(np.int32)
    by_rows = scorer.score(left.iloc[chosen[0]], right.iloc[chosen[1]])
    told = scorer.score(left, right, (chosen[0], chosen[1]))
    assert told.weight.tobytes() == by_rows.weight.tobytes()
    assert (told.levels == by_rows.levels).all()


def test_texts_joined_of_few_records_are_those_of_many() -> None:
    rng = np.random.default_rng(6)
    words = ["Aa", "bé", " c ", "", "d e", None]
    pieces = [[words[at] for at in rng.integers(0, 6, 400)] for _ in range(3)]

    def texts(first: int, last: int) -> list[str | None]:
        columns = []
        for piece in pieces:
            codes, values = sorted_codes(pa.array(piece[first:last], pa.string()))
            columns.append(Column(codes.reshape(-1, 1), values))
        made = joined(columns, 1)
        return [None if code < 0 else made.values[code].as_py() for code in made.flat.tolist()]

    assert FEW < 400
    assert texts(0, 200) + texts(200, 400) == texts(0, 400)


def scored_elsewhere(pickled: bytes, left: pd.DataFrame, right: pd.DataFrame) -> ScoredPairs:
    scorer: PairScorer = pickle.loads(pickled)
    return scorer.score(left, right)


def test_a_scorer_holds_all_that_it_reads_when_it_is_sent_to_another_process(
    linked: LinkResult, tmp_path: Path
) -> None:
    policy = every_kind(tmp_path)
    sent = pickle.dumps(PairScorer(policy, linked.model))
    (tmp_path / "given_names.yaml").unlink()
    pairs = linked.pairs.iloc[::3]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as other:
        scored = other.submit(scored_elsewhere, sent, *sides(pairs)).result()
    same(scored, pairs, policy)


def test_explanation_and_linkage_tell_the_same_weight(
    policy: LinkagePolicy, linked: LinkResult, scorer: PairScorer
) -> None:
    pairs = linked.pairs.iloc[[0, len(linked.pairs) // 2]]
    found = scorer.score(*sides(pairs))
    for k, (left, right) in enumerate(zip(pairs["left_id"], pairs["right_id"], strict=True)):
        everybody = records()
        two = everybody[everybody["id"].isin([left, right])]
        told = waterfall(Subject(encode(two, policy), policy, linked.model), 0, 1)
        assert told.weight == pytest.approx(found.weight[k], abs=1e-9)


def test_records_that_are_encoded_in_part_have_the_keys_of_the_whole(
    policy: LinkagePolicy, scorer: PairScorer
) -> None:
    whole, part = encode(records(), policy), scorer.encode(records().iloc[5:25])
    at = np.searchsorted(np.array(whole.ids.to_pylist()), np.array(part.ids.to_pylist()))
    for key in (*policy.derived, "email"):
        assert (part.hashes(key) == whole.hashes(key)[at]).all()


def test_both_sides_have_as_many_rows_and_the_model_is_of_the_policy(
    scorer: PairScorer, policy: LinkagePolicy
) -> None:
    left, right = records().iloc[:3], records().iloc[:2]
    with pytest.raises(LinkageError, match="3 rows on the left and 2 on the right"):
        scorer.score(left, right)
    few: dict[str, Any] = {name: one for name, one in policy.comparisons.items() if name != "email"}
    fewer = policy.model_copy(update={"comparisons": few})
    with pytest.raises(LinkageError, match="'email' is not as the model was fitted"):
        PairScorer(fewer, scorer.model).score(right, right)
    assert PairScorer(fewer, scorer.model.only(few)).score(right, right).levels.shape == (2, len(few))
