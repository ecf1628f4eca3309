"""Drift is silent while records are as they were, and names what moved when they are not."""

import json
from typing import Any

import pytest
from linkage_examples import people, policy

from cdm_pipelines.linkage import LinkageModel, link
from cdm_pipelines.linkage.model.drift import COUNTS, LevelCounts, drift
from cdm_pipelines.linkage.model.fellegi_sunter import Parameters

PEOPLE = people(600, seed=3)
POLICY = policy(chunk_pairs=700)


@pytest.fixture(scope="module")
def model() -> LinkageModel:
    return link(PEOPLE, POLICY).model


def counted(model: LinkageModel, **changes: Any) -> LevelCounts:
    counts: LevelCounts = link(PEOPLE.assign(**changes), POLICY, model=model).report[COUNTS]
    return counts


def test_counting_with_a_frozen_model_is_counting_in_the_fit(model: LinkageModel) -> None:
    first = link(PEOPLE, POLICY)
    assert counted(model) == first.report[COUNTS] == model.training[COUNTS]
    assert all(sum(levels) == first.report["pairs"] for levels in first.report[COUNTS].values())


def test_other_people_of_the_same_kind_are_no_drift(model: LinkageModel) -> None:
    found = drift(model, link(people(600, seed=8), POLICY, model=model).report[COUNTS])
    assert found is not None
    assert 0 < found.largest < 0.05


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"postcode": PEOPLE["postcode"].where(PEOPLE.index % 2 == 0)}, "postcode missing: "),
        ({"given_name": "Jan"}, "given_name "),
    ],
)
def test_what_moved_is_named(model: LinkageModel, changes: dict[str, Any], told: str) -> None:
    found = drift(model, counted(model, **changes))
    assert found is not None
    assert found.largest > 0.25
    assert found.text.startswith(told)
    assert list(found.indices.values()) == sorted(found.indices.values(), reverse=True)


def test_the_index_is_that_of_the_textbook() -> None:
    """Of 10,000 pairs 1,000 agreed, of 20,000 now 6,000: (.3 - .1) ln 3 + (.7 - .9) ln (7/9)."""
    name = Parameters(("different", "equal"), (0.1, 0.9), (0.9, 0.1), (0.9, 0.1))
    training = {COUNTS: {"name": [0, 9_000, 1_000]}}
    then = LinkageModel("", 1, 0.1, 0.0, 0.9, {"name": name}, training)
    found = drift(then, {"name": [0, 14_000, 6_000]})
    assert found is not None
    assert found.largest == pytest.approx(0.26998, abs=1e-3)
    assert found.text == "name equal: 10.0% of pairs then, 30.0% now"
    assert drift(then, {"name": [0, 400, 99]}) is None, "too few pairs to tell"


def test_a_model_of_before_links_as_ever_and_its_drift_is_not_known(model: LinkageModel) -> None:
    data = json.loads(model.to_json())
    del data["training"][COUNTS]
    older = LinkageModel.from_json(json.dumps(data))
    result = link(PEOPLE, POLICY, model=older)
    assert result.clusters.equals(link(PEOPLE, POLICY, model=model).clusters)
    assert drift(older, result.report[COUNTS]) is None
