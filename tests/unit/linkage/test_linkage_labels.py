"""Labels teach the fit what it cannot see by itself, and teach it little that it sees."""

from itertools import combinations

import pandas as pd
import pytest
from linkage_examples import people, policy

from cdm_pipelines.linkage import LinkageError, LinkageModel, fit, link

PEOPLE = people(300, seed=3)
POLICY = policy()


@pytest.fixture(scope="module")
def unlabelled() -> LinkageModel:
    return fit(PEOPLE, POLICY)


def labels(pairs: list[tuple[str, str]], *, match: bool | str = True) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["left_id", "right_id"]).assign(match=match)


def true_pairs() -> list[tuple[str, str]]:
    return [pair for _, ids in PEOPLE.groupby("truth_id")["id"] for pair in combinations(ids, 2)]


def test_no_labels_change_nothing_at_all(unlabelled: LinkageModel) -> None:
    assert fit(PEOPLE, POLICY, labels=labels([])).to_json() == unlabelled.to_json()


def test_labels_that_agree_with_the_model_change_little(unlabelled: LinkageModel) -> None:
    pairs = link(PEOPLE, POLICY, model=unlabelled).pairs
    sure = pairs[(pairs["probability"] > 0.98) | (pairs["probability"] < 0.05)].head(150)
    taught = fit(PEOPLE, POLICY, labels=sure.assign(match=sure["probability"] > 0.5))
    assert taught.training["labels"] == 150
    assert taught.prior == pytest.approx(unlabelled.prior, rel=0.01)
    for name, one in taught.comparisons.items():
        assert one.m == pytest.approx(unlabelled.comparisons[name].m, abs=0.01)


@pytest.mark.parametrize("name", ["postcode", "birth_date"])
def test_labels_that_say_a_level_occurs_in_matches_raise_its_m(unlabelled: LinkageModel, name: str) -> None:
    known = PEOPLE.set_index("id")[name].dropna()
    differ = [
        (a, b) for a, b in true_pairs() if a in known.index and b in known.index and known[a] != known[b]
    ]
    taught = fit(PEOPLE, POLICY, labels=labels(differ))
    here, before = (model.comparisons[name].m for model in (taught, unlabelled))
    assert here[-1] < before[-1] - 0.01
    assert sum(here[:-1]) > sum(before[:-1]) + 0.01


def test_labels_speak_of_pairs_that_no_rule_made(unlabelled: LinkageModel) -> None:
    """That strangers match is a strange lesson, but it is the one that was given."""
    mixed = PEOPLE["id"].sample(frac=1, random_state=1).tolist()
    taught = fit(PEOPLE, POLICY, labels=labels(list(zip(mixed[:100], mixed[100:200], strict=True))))
    assert taught.comparisons["surname"].m[0] > unlabelled.comparisons["surname"].m[0] + 0.1
    assert taught.prior > 1.1 * unlabelled.prior
    told = taught.training["level_counts"]
    assert told == unlabelled.training["level_counts"], "they are no candidates for all that"


def test_pairs_that_are_known_not_to_match_are_no_matches(unlabelled: LinkageModel) -> None:
    pairs = link(PEOPLE, POLICY, model=unlabelled).pairs
    taught = fit(PEOPLE, POLICY, labels=pairs[pairs["probability"] > 0.9].head(100).assign(match=False))
    assert taught.prior < 0.9 * unlabelled.prior


def test_order_direction_and_repetition_of_labels_do_not_matter() -> None:
    given = pd.concat([labels(true_pairs()[:60]), labels(true_pairs()[100:140], match=False)])
    turned = given.rename(columns={"left_id": "right_id", "right_id": "left_id"})
    other = pd.concat([turned, given]).sample(frac=1, random_state=2).assign(left_source="records")
    other["match"] = other["match"].map({True: "yes", False: "No"})
    assert fit(PEOPLE, POLICY, labels=other).to_json() == fit(PEOPLE, POLICY, labels=given).to_json()


A, B = true_pairs()[0]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (labels([(A, B)]).drop(columns="match"), "no column 'match'"),
        (labels([(A, B)]).drop(columns="left_id"), "no column 'left_id'"),
        (labels([(A, B)], match="perhaps"), "1 values of match are neither true nor false"),
        (labels([("x", B), (A, "y")]), "none of the pairs is of these records"),
        (pd.concat([labels([(A, B)]), labels([(B, A)], match=False)]), f"the first is '{A}' and '{B}'"),
    ],
)
def test_labels_that_cannot_be_used(given: pd.DataFrame, told: str) -> None:
    with pytest.raises(LinkageError, match=told):
        fit(PEOPLE, POLICY, labels=given)


def test_sources_are_needed_where_there_are_sources() -> None:
    table, mine = PEOPLE.assign(shop="a"), policy(source="shop")
    with pytest.raises(LinkageError, match="no column 'left_source'"):
        fit(table, mine, labels=labels([(A, B)]))
    given = labels([(A, B)]).assign(left_source="a", right_source="a")
    assert fit(table, mine, labels=given).training["labels"] == 1


def test_a_model_that_is_given_learns_nothing(unlabelled: LinkageModel) -> None:
    with pytest.raises(LinkageError, match="leave the model out"):
        link(PEOPLE, POLICY, model=unlabelled, labels=labels([(A, B)]))
