"""Maturity: a level needs all below it, what is not known is not met, and answers that cannot be used are refused."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from cdm_pipelines.insight.maturity import MaturityPolicy, evidence, judge
from cdm_pipelines.insight.maturity_model import FACTS, LEVELS, QUESTIONS, Answered, Dimension
from cdm_pipelines.insight.maturity_queries import MEASURES
from cdm_pipelines.insight.report_words import Language
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.settings import Settings

BEST = dict.fromkeys(FACTS, 100.0) | {"reviews": 0.0}
YES: dict[str, bool | None] = dict.fromkeys(QUESTIONS, True)


def levels(facts: Mapping[str, float | None], answers: Mapping[str, bool | None]) -> dict[str, int]:
    return {str(one.dimension): one.level for one in judge(facts, answers)}


def test_all_that_is_asked_is_the_highest_level_and_nothing_the_lowest() -> None:
    assert set(levels(BEST, YES).values()) == {5}
    assert set(levels({}, {}).values()) == {1}


@pytest.mark.parametrize("answer", [None, False])
def test_a_question_without_a_yes_is_not_met(answer: bool | None) -> None:
    assert levels(BEST, YES | {"goal_written": answer})["vision"] == 1
    (vision,) = (
        one for one in judge(BEST, YES | {"goal_written": answer}) if one.dimension == Dimension.VISION
    )
    assert [(one.level, one.met) for one in vision.next] == [(2, answer)]


@pytest.mark.parametrize(
    ("facts", "dimension", "level"),
    [
        ({"quality": 0.74}, "data", 2),
        ({"quality": None}, "data", 1),
        ({"shared": 0.49}, "data", 4),
        ({"checks": 0.94}, "technology", 2),
        ({"reviews": 1.0}, "governance", 2),
        ({"requests": None}, "governance", 3),
        ({"departments": 3.0}, "organisation", 3),
    ],
)
def test_a_level_is_the_highest_below_what_is_lacking(
    facts: dict[str, float | None], dimension: str, level: int
) -> None:
    found = levels(BEST | facts, YES)
    assert found[dimension] == level
    assert {one for name, one in found.items() if name != dimension} == {5}


def test_every_fact_and_question_is_asked_for_and_every_fact_is_measured() -> None:
    criteria = [one for each in LEVELS.values() for level in each.values() for one in level]
    questions = {one.question for one in criteria if isinstance(one, Answered)}
    facts = {one.fact for one in criteria if not isinstance(one, Answered)}
    assert (questions, facts) == (set(QUESTIONS), set(FACTS))
    assert facts - set(MEASURES) == {"owners", "reviews"}


def test_evidence_says_what_is_not_known() -> None:
    (vision, *_) = judge({}, {})
    told = [evidence(one.as_json(), Language.DUTCH) for one in vision.next]
    assert told == [
        "kengetallen die worden gemeten: niet bekend (gevraagd: minstens 1)",
        "Staat op papier wat het bedrijf met klantgegevens wil, en waarom? Antwoord: niet bekend",
    ]


def test_the_form_that_is_shipped_asks_every_question_and_answers_none() -> None:
    answers = MaturityPolicy.load(Settings.model_fields["policies"].default).answers
    assert answers == dict.fromkeys(QUESTIONS)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("version: 1\nanswers: {sponsr: yes}", "Did you mean 'sponsor'?"),
        ("version: 1\nanswers: {sponsor: perhaps}", "answers.sponsor"),
        ("version: 1\nanswers: {sponsor: 1}", "answers.sponsor"),
        ("version: 1\nanswer: {}", "answer: Extra inputs"),
        ("version: 1\nanswers: {sponsor: yes, sponsor: no}", "given twice"),
        ("version: [", "cannot be read as YAML"),
    ],
)
def test_answers_that_cannot_be_used(tmp_path: Path, said: str, told: str) -> None:
    (tmp_path / "maturity.yaml").write_text(said)
    with pytest.raises(PrivacyPolicyError) as refused:
        MaturityPolicy.load(tmp_path)
    assert told in str(refused.value)


def test_answers_that_are_left_out_are_not_known(tmp_path: Path) -> None:
    (tmp_path / "maturity.yaml").write_text("version: 1\n")
    assert MaturityPolicy.load(tmp_path).answers == {}
