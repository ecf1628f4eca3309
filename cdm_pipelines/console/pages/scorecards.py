"""The pages of scorecards: figures of quality by source, entity, attribute and owner, and the course of one of them.

Belongs here: those pages. Does not belong here: what is measured and what got worse (insight.scorecard), reading it
(console.measured).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cdm_pipelines.console import charts, measured
from cdm_pipelines.console.errors import UnknownError
from cdm_pipelines.console.pages.asking import eyes
from cdm_pipelines.console.pages.quality import number_of
from cdm_pipelines.console.pages.render import language_of, rendered
from cdm_pipelines.console.pages.words import translator
from cdm_pipelines.console.source_rows import watches
from cdm_pipelines.insight import report_charts
from cdm_pipelines.insight.report_words import Language, Unit, written
from cdm_pipelines.insight.scorecard import (
    GOLDEN,
    MEASURES,
    Trend,
    by_dimension,
    missed,
    trends,
    worst_movers,
)

PAGE = 40
"""Figures on a page."""
WHICH: Mapping[str, str] = {"": "All", "missed": "Below target", "fell": "Got worse"}
DIMENSIONS: Mapping[str, str] = {
    "completeness": "Completeness",
    "validity": "Validity",
    "uniqueness": "Uniqueness",
    "consistency": "Consistency",
    "timeliness": "Timeliness",
    "accuracy": "Accuracy",
    "friday": "Without any fault",
}
"""What each dimension of quality is called."""
_CHOICES: Mapping[str, Callable[[Trend], str]] = {
    "of": lambda one: f"{one.last.source}/{one.last.entity}",
    "attribute": lambda one: one.last.attribute,
    "dimension": lambda one: one.last.dimension,
    "owner": lambda one: one.owner,
}
"""By what figures are chosen."""


def overview(request: Request) -> Response:
    """All figures, or those of a source, attribute, dimension or owner, that fell, or that miss their target."""
    with eyes(request, "console scorecards") as one:
        every = measured.courses(one)
        caller, sight = one.caller, one.sight
    asked = {name: request.query_params.get(name, "") for name in (*_CHOICES, "which")}
    chosen = [
        course
        for course in every
        if all(not asked[name] or told(course) == asked[name] for name, told in _CHOICES.items())
    ]
    fell, below = worst_movers(chosen, len(chosen)), missed(chosen)
    faulty = sorted(chosen, key=lambda course: (-course.last.faults, course.last.subject))
    listed = {"missed": below, "fell": fell}.get(asked["which"], faulty)
    start = number_of(request.query_params.get("from", "0"))
    said = translator(language_of(request))
    return rendered(
        request,
        "scorecards.html",
        caller,
        sight=sight,
        asked=asked,
        choices={name: sorted({told(course) for course in every}) for name, told in _CHOICES.items()},
        which=WHICH,
        dimensions=DIMENSIONS,
        last=max((course.last.as_of for course in chosen), default=None),
        scores=by_dimension(course.last for course in chosen),
        cards=_cards(chosen),
        fell=len(fell),
        below=len(below),
        judged=sum(course.target is not None for course in chosen),
        number=len(listed),
        start=start,
        page=PAGE,
        rows=[(course, _faults(course, said)) for course in listed[start : start + PAGE]],
        percent=_percent(request),
        address=address,
    )


def _cards(courses: Sequence[Trend]) -> list[dict[str, Any]]:
    """A row per source entity: one score per dimension, by the counts of its figures."""
    found: dict[str, list[Trend]] = {}
    for one in courses:
        found.setdefault(f"{one.last.source}/{one.last.entity}", []).append(one)
    return [
        {
            "of": name,
            "owners": sorted({one.owner for one in theirs}),
            "scores": by_dimension(one.last for one in theirs),
        }
        for name, theirs in sorted(found.items())
    ]


def _faults(one: Trend, said: Callable[..., str]) -> Markup:
    words = said("Share at fault over {number} days", number=len(one.shares))
    return charts.spark([1 - share for share in one.shares], words)


def _percent(request: Request) -> Callable[[float], str]:
    language = Language(str(language_of(request)))
    return lambda share: written(share, Unit.SHARE, language)


def address(one: Trend) -> str:
    """Where the course of a figure is shown."""
    last = one.last
    attribute = f"?attribute={last.attribute}" if last.attribute else ""
    return f"/scorecards/{last.source}/{last.entity}/{last.measure}{attribute}"


def course(request: Request) -> Response:
    """One figure over days, with what it is counted from."""
    path, language = request.path_params, language_of(request)
    attribute = request.query_params.get("attribute", "")
    with eyes(request, "console scorecards") as one:
        rows = measured.qualities(
            one, source=path["source"], entity=path["entity"], attribute=attribute, measure=path["measure"]
        )
        caller, sight = one.caller, one.sight
    if not rows:
        raise UnknownError("There is no such figure.")
    (of,) = trends(rows)
    return rendered(
        request,
        "scorecard.html",
        caller,
        sight=sight,
        of=of,
        name=DIMENSIONS[of.last.dimension],
        measure=MEASURES[of.last.measure],
        drawn=drawn(rows, of, translator(language)(DIMENSIONS[of.last.dimension]), Language(str(language))),
        days=[{**row, "share": row["numerator"] / row["denominator"]} for row in rows[::-1]],
        percent=_percent(request),
        watched=watches(sight) and of.last.source != GOLDEN,
    )


def drawn(rows: Sequence[Mapping[str, Any]], of: Trend, told: str, language: Language) -> Markup:
    """The course as the report draws lines; its scale begins below the lowest, since most scores are near 1."""
    lowest = min([*of.shares, *([] if of.target is None else [of.target])])
    points = [(str(row["as_of"]), share) for row, share in zip(rows, of.shares, strict=True)]
    least = max(0.0, lowest - (1 - lowest) * 0.1 - 0.005)
    return Markup(  # noqa: S704 - every text in it is escaped
        report_charts.line(
            points, told, unit=Unit.SHARE, language=language, target=of.target, least=round(least, 3)
        )
    )


ROUTES = (
    Route("/scorecards", overview),
    Route("/scorecards/{source}/{entity}/{measure}", course),
)
