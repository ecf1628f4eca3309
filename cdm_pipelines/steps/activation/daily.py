"""All audiences after a publication: those of every day delivered, the others counted, what came of all; with figures.

Belongs here: going through them, and what is told of it. Does not belong here: one audience (``audiences``,
``deliveries``), counting results (``audience_results``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from cdm_pipelines.figures import ROWS, Check, Figures, Grid, Outcome
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.activation.audience_book import AudienceError, Book
from cdm_pipelines.steps.activation.audience_results import measure
from cdm_pipelines.steps.activation.deliveries import Delivered, deliver
from cdm_pipelines.steps.privacy.reading import delivering
from cdm_pipelines.store.damage import LakeError

Connect = Callable[[], Connection]
WHO, TOOL = "pipeline", "publish/audiences"
"""As the access log knows deliveries of every day, which nobody asks for."""


@dataclass(frozen=True)
class Daily:
    """What came of all audiences.

    Attributes:
        done: Of each that could be chosen, what came of it; one that is delivered by hand has no number.
        problems: By audience, or by ``audiences.yaml``, why it could not be.
        delivered: Names of those that are delivered every day.
        results: What came of every audience ever delivered, a row for those sent to and one for those left out.
    """

    done: Sequence[Delivered]
    problems: Mapping[str, str] = field(default_factory=dict)
    delivered: frozenset[str] = frozenset()
    results: Sequence[Mapping[str, Any]] = ()

    @property
    def told(self) -> list[str]:
        """What was done, a sentence each."""
        return [
            one.sentence
            if one.audience in self.delivered
            else f"{one.audience}: {one.counts['members']:,} would be in it; it is delivered by hand"
            for one in self.done
        ]


def deliver_daily(connect: Connect, settings: Settings) -> Daily:
    """Deliver the audiences of every day, and count the others; one that fails does not keep the others waiting.

    Then what came of all of them is counted anew, by the interactions and orders that the day brought.

    Raises:
        PrivacyPolicyError, PurposesError: A policy cannot be used.
    """
    try:
        book = Book.of(settings)
    except AudienceError as error:
        return Daily([], {"audiences.yaml": str(error)})
    done, problems = [], {}
    daily = frozenset(name for name, one in book.policy.audiences.items() if one.daily)
    for name in book.policy.audiences:
        try:
            noted = delivering(settings, WHO, TOOL, book.named(name).purpose)
            one = deliver(connect, book, name, noted, dry_run=name not in daily)
        except (AudienceError, LakeError) as error:
            problems[name] = str(error)
            continue
        done.append(one)
        if one.problem:
            problems[name] = one.problem
    results: Sequence[Mapping[str, Any]] = ()
    try:
        with connect() as connection, connection.begin():
            results = measure(connection, book)
    except LakeError as error:  # what was delivered is delivered
        problems["results"] = str(error)
    return Daily(done, problems, daily, results)


def audiences_outcome(daily: Daily) -> Outcome:
    """What came of ``publish/audiences``."""
    rows = [
        {
            "audience": one.audience,
            **one.counts,
            "added": one.added if one.audience in daily.delivered else 0,
            "removed": one.removed if one.audience in daily.delivered else 0,
        }
        for one in daily.done
    ]
    figures: Figures = {
        ROWS: sum(one.counts["members"] for one in daily.done),
        "audiences": Grid(rows, ("audience",)),
        "results": Grid(daily.results, ("audience", "variant")),
    }
    told = "; ".join(f"{name}: {problem}" for name, problem in daily.problems.items())
    check = Check(not daily.problems, told or "in order", "WARN", {"audiences": len(daily.done)})
    return Outcome("publish/audiences", figures, {"audiences_delivered": check})
