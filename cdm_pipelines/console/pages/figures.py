"""The page of key figures: those of a month against their targets, and the course of each.

Belongs here: that page. Does not belong here: which key figures there are (policies/kpis.yaml), working them out
(steps.insight.kpis), reading them (console.measured).
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cdm_pipelines.console import measured
from cdm_pipelines.console.errors import UnknownError
from cdm_pipelines.console.pages.asking import eyes, house_of
from cdm_pipelines.console.pages.render import language_of, rendered
from cdm_pipelines.insight import report_charts
from cdm_pipelines.insight.kpi_policy import KpiPolicy
from cdm_pipelines.insight.kpis import NOT_YET, KpiFound, missed
from cdm_pipelines.insight.report_months import whole
from cdm_pipelines.insight.report_words import Language, Told, month_name, written
from cdm_pipelines.steps.insight.kpis import MONTHS, Monthly
from cdm_pipelines.steps.insight.kpis import courses as courses_of
from cdm_pipelines.steps.insight.kpis import kept as kept_of
from cdm_pipelines.steps.profile.enrich import policy_of

_TARGETS = Told(en="Key figures against their targets", nl="Kengetallen naast hun doelen")


def figures(request: Request) -> Response:
    """Key figures of a month, the newest where none is named."""
    language = Language(str(language_of(request)))
    house = house_of(request)
    policy = house.kept("kpis", lambda: KpiPolicy.load(house.settings.policies))
    currency = house.kept("currency", lambda: policy_of(house.settings).currency)
    with eyes(request, "console figures") as one:
        rows = measured.key_figures(one)
        caller, sight = one.caller, one.sight
    months = sorted({row["month"] for row in rows}, reverse=True)
    month = _month(request.query_params.get("month", ""), months)
    theirs = [row for row in rows if row["month"] == month]
    as_of = max((row["as_of"] for row in theirs), default=None)
    found = kept_of(policy, theirs, whole(month, as_of)) if month and as_of else []
    over = courses_of(policy, measured.until(rows, month, MONTHS)) if month else {}
    return rendered(
        request,
        "figures.html",
        caller,
        sight=sight,
        months=[(f"{each:%Y-%m}", month_name(each, language)) for each in months],
        month=month_name(month, language) if month else "",
        chosen=f"{month:%Y-%m}" if month else "",
        as_of=as_of,
        missed=len(missed(found)),
        picture=_targets(found, language, currency),
        figures=[_figure(each, over[each.key], language, currency) for each in found],
    )


def _month(asked: str, months: Sequence[dt.date]) -> dt.date | None:
    if not asked:
        return months[0] if months else None
    for month in months:
        if f"{month:%Y-%m}" == asked:
            return month
    raise UnknownError("No key figures were kept of that month.")


def _targets(found: Sequence[KpiFound], language: Language, currency: str) -> Markup:
    return Markup(report_charts.targets_of(found, _TARGETS.read(language), language, currency))  # noqa: S704 - escaped


def _figure(one: KpiFound, over: Sequence[Monthly], language: Language, currency: str) -> dict[str, Any]:
    kpi = one.kpi

    def told(value: float) -> str:
        return written(value, kpi.unit, language, currency)

    points = [(f"{month:%Y-%m}", value) for month, value in over]
    title = kpi.title.read(language)
    drawn = report_charts.line(
        points, title, unit=kpi.unit, language=language, currency=currency, target=kpi.target
    )
    because = (one.because or kpi.without).read(language)
    return {
        "key": one.key,
        "title": title,
        "value": "" if one.value is None else told(one.value),
        "because": f"{NOT_YET.read(language)} {because}." if one.value is None else "",
        "target": "" if kpi.target is None else told(kpi.target),
        "met": one.met,
        "base": one.base,
        "owner": kpi.owner,
        "definition": kpi.definition.read(language),
        "query": one.query,
        "months": [(month, "" if value is None else told(value)) for month, value in points],
        "drawn": Markup(drawn) if any(value is not None for _, value in points) else "",  # noqa: S704 - escaped
    }


ROUTES = (Route("/figures", figures),)
