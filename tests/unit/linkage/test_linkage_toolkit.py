"""Both ways with recordlinkage: ours in its classes, its algorithms in our policy, its opinion of our pairs."""

from collections.abc import Callable

import pandas as pd
import pytest
import recordlinkage
from linkage_examples import comparison, full_people, full_policy, people, policy, truth_of

from cdm_pipelines.linkage import LinkageError, LinkagePolicy, link
from cdm_pipelines.linkage.blocking.toolkit import BlockOn
from cdm_pipelines.linkage.compare.feature import CompareLevels
from cdm_pipelines.linkage.evaluate.measures import evaluate
from cdm_pipelines.linkage.policy.spec import Derived

PEOPLE = people(120, seed=6).set_index("id")


def test_our_blocking_in_its_index_finds_what_its_own_does() -> None:
    for key in (["postcode"], ["surname", "postcode"]):
        ours = recordlinkage.Index([BlockOn(key, clean=dict.fromkeys(key, "exact"))]).index(PEOPLE)
        theirs = recordlinkage.Index([recordlinkage.index.Block(key)]).index(PEOPLE.dropna(subset=key))
        assert {frozenset(p) for p in ours} == {frozenset(p) for p in theirs}
        assert len(ours) == len(theirs)
    left, right = PEOPLE.iloc[:100], PEOPLE.iloc[100:]
    ours = recordlinkage.Index([BlockOn(["postcode"])]).index(left, right)
    theirs = recordlinkage.Index([recordlinkage.index.Block("postcode")]).index(
        left.dropna(subset="postcode"), right.dropna(subset="postcode")
    )
    assert set(ours) == set(theirs)


def test_our_blocking_takes_derived_keys_and_cuts_large_blocks() -> None:
    start = {"start": Derived(of=("surname",), take="first", length=1)}
    some = BlockOn(["start"], clean={"surname": "surname"}, derived=start).index(PEOPLE)
    assert len(some) > 0
    assert len(
        BlockOn(["start"], clean={"surname": "surname"}, derived=start, max_block_size=2).index(PEOPLE)
    ) < len(some)


def test_our_comparisons_in_its_compare_beside_its_own() -> None:
    pairs = recordlinkage.Index([BlockOn(["birth_date"], clean={"birth_date": "date"})]).index(PEOPLE)
    compare = recordlinkage.Compare(
        [
            CompareLevels(comparison(kind="surname", column="a"), clean={"a": "surname"}, label="ours"),
            recordlinkage.compare.Exact("a", "a", label="theirs"),
        ]
    )
    found = compare.compute(pairs, PEOPLE.rename(columns={"surname": "a"}))
    both = found.join(pd.DataFrame(index=pairs))
    known = PEOPLE["surname"]
    equal = [known[a] == known[b] for a, b in both.index]
    assert ((both["ours"] == 5) == equal).all()
    missing = [pd.isna(known[a]) or pd.isna(known[b]) for a, b in both.index]
    assert ((both["ours"] == -1) == missing).all()
    linked = compare.compute(
        pairs[:5], PEOPLE.rename(columns={"surname": "a"}), PEOPLE.rename(columns={"surname": "a"})
    )
    assert linked["ours"].tolist() == found["ours"][:5].tolist()


def test_its_algorithms_in_our_policy() -> None:
    frame = PEOPLE.reset_index()
    mixed = policy(
        blocking=[
            {"keys": ["surname", "postcode"]},
            {"keys": "birth_date", "algorithm": "SortedNeighbourhood", "arguments": {"window": 3}},
            {"keys": ["given_name", "surname"], "algorithm": "Block"},
        ],
        comparisons={
            "surname": {
                "kind": "toolkit",
                "column": "surname",
                "algorithm": "String",
                "arguments": {"method": "jarowinkler"},
                "at_least": [0.8, 0.92],
            },
            "given_name": {"kind": "given_name", "column": "given_name"},
            "birth_date": {"kind": "date", "column": "birth_date"},
            "postcode": {"kind": "exact", "column": "postcode"},
        },
    )
    result = link(frame, mixed)
    assert all(rule["new_pairs"] for rule in result.report["rules"])
    measured = evaluate(result.clusters, truth_of(frame))
    assert measured.pairs.precision > 0.95
    assert measured.pairs.recall > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "own", "least"),
    [
        (people(400, seed=1), policy, {"pairs": 0.95, "ours": 0.98, "theirs": 0.9}),
        (full_people(300, seed=1), full_policy, {"pairs": 0.998, "ours": 0.97, "theirs": 0.99}),
    ],
    ids=["four columns", "fourteen columns"],
)
def test_its_classifier_is_of_our_opinion(
    table: pd.DataFrame, own: Callable[..., LinkagePolicy], least: dict[str, float]
) -> None:
    """Its ECM is told only which comparisons agree at all, and knows neither u from random pairs nor frequencies."""
    pairs = link(table, own(thresholds={"match": 0.5, "review": 1e-15})).pairs.set_index(
        ["left_id", "right_id"]
    )
    agreements = (pairs[list(own().comparisons)] > 0).astype(int)
    theirs = pairs.index.isin(recordlinkage.ECMClassifier().fit_predict(agreements))
    ours = pairs["probability"].to_numpy() >= 0.5
    assert 100 < ours.sum() < 0.6 * len(pairs)
    shares = {"pairs": (ours == theirs).mean(), "ours": theirs[ours].mean(), "theirs": ours[theirs].mean()}
    assert {name: share for name, share in shares.items() if share < least[name]} == {}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"blocking": [{"keys": "surname", "algorithm": "Blok"}]}, ["'Blok'", "did you mean 'Block'"]),
        (
            {"blocking": [{"keys": "surname", "algorithm": "Block", "arguments": {"windw": 3}}]},
            ["surname", "arguments", "windw"],
        ),
        (
            {"comparisons": {"x": {"kind": "toolkit", "column": "surname", "algorithm": "Sting"}}},
            ["'Sting'", "did you mean 'String'"],
        ),
        (
            {"comparisons": {"x": {"kind": "toolkit", "column": "surname", "algorithm": "Frequency"}}},
            ["surname", "Frequency looks at all values", "term_frequency"],
        ),
    ],
)
def test_what_the_toolkit_has_not_is_told(changes: dict[str, object], told: list[str]) -> None:
    with pytest.raises(LinkageError) as caught:
        link(PEOPLE.reset_index(), policy(**changes))
    for part in told:
        assert part in str(caught.value)
