"""How mature the handling of customer data is: facts and answers held against what each level asks for.

Belongs here: ``policies/maturity.yaml``, judging, and telling why. Does not belong here: what a level asks for
(``maturity_model``), measuring facts (steps.insight).

What is not known is not met: neither a question that nobody answered nor a fact that cannot be measured counts as yes,
and both are told as unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, StrictBool, field_validator

from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.insight.maturity_model import (
    FACTS,
    HIGHEST,
    LEVELS,
    QUESTIONS,
    Answered,
    Criterion,
    Dimension,
)
from cdm_pipelines.insight.report_words import Language, Told, written
from cdm_pipelines.privacy.policy_files import PolicyFile

FILE = "maturity.yaml"


class MaturityPolicy(PolicyFile):
    """What people answered.

    Attributes:
        version: Of the form of this file.
        answers: yes or no by question; null, or no line, where nobody answered.
    """

    FILE = FILE
    MANUAL = "docs/report.md"

    version: Literal[1]
    answers: dict[str, StrictBool | None] = Field(default_factory=dict)

    @field_validator("answers")
    @classmethod
    def _known(cls, answers: dict[str, bool | None]) -> dict[str, bool | None]:
        for name in answers:
            if name not in QUESTIONS:
                raise ValueError(f"{name} is no question. {instead(name, sorted(QUESTIONS))}")
        return answers


@dataclass(frozen=True)
class Finding:
    """What was found of one criterion.

    Attributes:
        level: That asks for it.
        criterion: What is asked.
        value: The measured fact, or the answer; None where it is not known.
        met: Whether it is fulfilled; None where that is not known.
    """

    level: int
    criterion: Criterion
    value: float | bool | None
    met: bool | None

    def as_json(self) -> dict[str, Any]:
        """As it is kept: keys and numbers."""
        one = self.criterion
        if isinstance(one, Answered):
            return {"level": self.level, "question": one.question, "answer": self.value, "met": self.met}
        asked = {"at_most": one.at_most} if one.at_most is not None else {"at_least": one.at_least}
        return {"level": self.level, "fact": one.fact, "value": self.value, "met": self.met, **asked}

    def read(self, language: Language) -> str:
        """What was asked and found, in words."""
        return evidence(self.as_json(), language)


@dataclass(frozen=True)
class Judged:
    """The level of a dimension, and all that was found."""

    dimension: Dimension
    level: int
    findings: tuple[Finding, ...]

    @property
    def next(self) -> tuple[Finding, ...]:
        """What the next level takes and is not there yet; empty at the highest."""
        return tuple(one for one in self.findings if one.level == self.level + 1 and not one.met)


def judge(facts: Mapping[str, float | None], answers: Mapping[str, bool | None]) -> list[Judged]:
    """The level of every dimension: the highest of which all criteria, and all of those below, are met.

    Args:
        facts: By key of ``FACTS``; None, or none, where one cannot be measured.
        answers: By key of ``QUESTIONS``; None, or none, where nobody answered.
    """
    return [_judge(dimension, facts, answers) for dimension in Dimension]


def _judge(
    dimension: Dimension, facts: Mapping[str, float | None], answers: Mapping[str, bool | None]
) -> Judged:
    findings = tuple(
        _find(level, criterion, facts, answers)
        for level, criteria in LEVELS[dimension].items()
        for criterion in criteria
    )
    level = 1
    while level < HIGHEST and all(one.met for one in findings if one.level == level + 1):
        level += 1
    return Judged(dimension, level, findings)


def _find(
    level: int,
    criterion: Criterion,
    facts: Mapping[str, float | None],
    answers: Mapping[str, bool | None],
) -> Finding:
    if isinstance(criterion, Answered):
        answer = answers.get(criterion.question)
        return Finding(level, criterion, answer, answer)
    value = facts.get(criterion.fact)
    if value is None:
        return Finding(level, criterion, None, None)
    if criterion.at_most is not None:
        return Finding(level, criterion, value, value <= criterion.at_most)
    return Finding(level, criterion, value, value >= criterion.at_least)


_YES = Told(en="yes", nl="ja")
_NO = Told(en="no", nl="nee")
_UNKNOWN = Told(en="not known", nl="niet bekend")
_AT_LEAST = Told(
    en="{what}: {value} (asked: at least {asked})", nl="{what}: {value} (gevraagd: minstens {asked})"
)
_AT_MOST = Told(
    en="{what}: {value} (asked: at most {asked})", nl="{what}: {value} (gevraagd: hoogstens {asked})"
)
_ANSWER = Told(en="{what} Answer: {value}", nl="{what} Antwoord: {value}")


def evidence(kept: Mapping[str, Any], language: Language) -> str:
    """What was asked and found of a criterion, in words, from what is kept of it."""
    if "question" in kept:
        answer = {True: _YES, False: _NO, None: _UNKNOWN}[kept["answer"]]
        question = QUESTIONS[kept["question"]].read(language)
        return _ANSWER.read(language).format(what=question, value=answer.read(language))
    fact = FACTS[kept["fact"]]

    def said(value: float | None) -> str:
        return _UNKNOWN.read(language) if value is None else written(value, fact.unit, language)

    form, asked = (_AT_MOST, kept["at_most"]) if "at_most" in kept else (_AT_LEAST, kept["at_least"])
    return form.read(language).format(
        what=fact.told.read(language), value=said(kept["value"]), asked=said(asked)
    )
