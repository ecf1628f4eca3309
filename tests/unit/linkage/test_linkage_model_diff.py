"""Two models side by side: every level of either, and what moved most on top."""

from dataclasses import replace

import pytest

from cdm_pipelines.linkage import LinkageModel
from cdm_pipelines.linkage.model.difference import changes
from cdm_pipelines.linkage.model.fellegi_sunter import Parameters

NAME = Parameters(("different", "similar", "equal"), (0.1, 0.1, 0.8), (0.8, 0.1, 0.1), (0.8, 0.1, 0.1))
DATE = Parameters(("different", "equal"), (0.2, 0.8), (0.95, 0.05), (0.9, 0.1))
MODEL = LinkageModel("p", 100, 0.01, 0.0, 0.9, {"name": NAME, "date": DATE})


def test_a_model_and_itself() -> None:
    found = changes(MODEL, MODEL)
    assert [(one.comparison, one.meaning) for one in found] == [
        *(("name", label) for label in NAME.labels),
        *(("date", label) for label in DATE.labels),
    ]
    assert all(one.then == one.now and one.bits == 0 for one in found)


def test_the_largest_change_comes_first_whichever_its_direction() -> None:
    name, date = replace(NAME, m=(0.05, 0.15, 0.8)), replace(DATE, u=(0.9, 0.1))
    found = changes(MODEL, replace(MODEL, comparisons={"name": name, "date": date}))
    moved = [(one.comparison, one.meaning, round(one.bits or 0, 3)) for one in found]
    assert moved[:3] == [("name", "different", -1.0), ("date", "equal", -1.0), ("name", "similar", 0.585)]
    now = found[0].now
    assert now is not None
    assert now == pytest.approx((0.05, 0.8, -4.0))


def test_what_only_one_of_them_has() -> None:
    coarse = Parameters(("different", "equal"), (0.2, 0.8), (0.9, 0.1), (0.9, 0.1))
    found = changes(MODEL, replace(MODEL, comparisons={"name": coarse, "email": DATE}))
    missing = {
        (one.comparison, one.meaning): (one.then is None, one.now is None)
        for one in found
        if one.bits is None
    }
    assert missing == {
        ("email", "different"): (True, False),
        ("email", "equal"): (True, False),
        ("name", "similar"): (False, True),
        ("date", "different"): (False, True),
        ("date", "equal"): (False, True),
    }
    assert [one.bits is None for one in found] == [True] * 5 + [False] * 2


def test_a_fingerprint_is_of_all_that_a_model_holds() -> None:
    assert LinkageModel.from_json(MODEL.to_json()).fingerprint == MODEL.fingerprint
    others = [
        replace(MODEL, match=0.91),
        replace(MODEL, comparisons={"name": NAME}),
        replace(MODEL, training={"labels": 1}),
    ]
    assert len({MODEL.fingerprint, *(one.fingerprint for one in others)}) == 4
