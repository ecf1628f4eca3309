"""The report as one HTML page that works offline and prints: nothing is asked of another host, and no script runs.

Belongs here: choosing the language, drawing the charts, filling the template. Does not belong here: what is told
(``report_model``).
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cdm_pipelines.insight import report_charts
from cdm_pipelines.insight.report_model import Chart, ChartKind, Figure, Report
from cdm_pipelines.insight.report_words import Language, Told, Unit, day_name, month_name, number, written

_WORDS: Mapping[str, Told] = {
    "title": Told(en="Customer data", nl="Klantgegevens"),
    "report": Told(en="Report of {month}", nl="Verslag van {month}"),
    "as_of": Told(en="Data up to and including {day}", nl="Gegevens tot en met {day}"),
    "contents": Told(en="Contents", nl="Inhoud"),
    "target": Told(en="target", nl="doel"),
    "met": Told(en="met", nl="gehaald"),
    "missed": Told(en="missed", nl="niet gehaald"),
    "not_yet": Told(en="Not measurable yet, because {why}.", nl="Nog niet meetbaar, want {why}."),
    "base": Told(en="cases: {base}", nl="gevallen: {base}"),
    "owner": Told(en="owner: {owner}", nl="eigenaar: {owner}"),
    "query": Told(en="Query", nl="Query"),
    "skip": Told(en="Skip to the content", nl="Naar de inhoud"),
    "about": Told(
        en="Every figure has its formula beside it and the query that it comes from; both can be run again by anybody. "
        "A figure that cannot be measured says so, and why. No figure is of one person.",
        nl="Bij ieder cijfer staat hoe het is berekend en de query waar het uit komt; beide kan iedereen opnieuw "
        "uitvoeren. Een cijfer dat niet te meten is zegt dat, en waarom. Geen cijfer gaat over één persoon.",
    ),
}


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("cdm_pipelines.insight"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(report: Report, language: Language) -> str:
    """The page in one language.

    Args:
        report: Of a month.
        language: In which it is read.
    """

    def say(key: str, **words: object) -> str:
        return _WORDS[key].read(language).format(**words)

    sections = [
        {
            "key": one.key,
            "title": one.title.read(language),
            "intro": one.intro.read(language),
            "because": say("not_yet", why=one.because.read(language)) if one.because else "",
            "figures": [_figure(figure, report.currency, language) for figure in one.figures],
            "charts": [
                {"title": chart.title.read(language), "svg": Markup(drawn(chart, report.currency, language))}  # noqa: S704 - every text in it is escaped
                for chart in one.charts
            ],
            "tables": [
                {
                    "title": table.title.read(language),
                    "columns": [column.read(language) for column in table.columns],
                    "rows": [[each.read(language) for each in row] for row in table.rows],
                    "numeric": table.numeric,
                }
                for table in one.tables
            ],
        }
        for one in report.sections
    ]
    return (
        _environment()
        .get_template("report.html")
        .render(
            language=str(language),
            say=say,
            month=month_name(report.month, language),
            day=day_name(report.as_of, language),
            sections=sections,
        )
    )


def _figure(one: Figure, currency: str, language: Language) -> dict[str, Any]:
    def said(key: str, **words: object) -> str:
        return _WORDS[key].read(language).format(**words)

    notes = []
    if one.target is not None:
        notes.append(f"{said('target')} {written(one.target, one.unit, language, currency)}")
    if one.met is not None:
        notes.append(said("met" if one.met else "missed"))
    if one.base is not None and one.value is not None:
        notes.append(said("base", base=number(one.base, language)))
    if one.owner:
        notes.append(said("owner", owner=one.owner))
    return {
        "key": one.key,
        "title": one.title.read(language),
        "value": None if one.value is None else written(one.value, one.unit, language, currency),
        "because": said("not_yet", why=one.because.read(language)) if one.because else "",
        "formula": one.formula.read(language),
        "query": one.query,
        "state": {True: "good", False: "bad", None: ""}[one.met],
        "mark": {True: "✓", False: "✗", None: ""}[one.met],
        "notes": " · ".join(notes),
    }


def drawn(chart: Chart, currency: str, language: Language) -> str:
    """A chart as SVG text."""
    told, points = chart.title.read(language), chart.points
    unit = points[0].unit if points else Unit.COUNT
    match chart.kind:
        case ChartKind.TARGETS:
            rows = [
                {
                    "title": one.label.read(language),
                    "value": one.value,
                    "target": one.target,
                    "met": one.met,
                    "unit": one.unit,
                }
                for one in points
            ]
            return report_charts.targets(rows, told, language, currency)
        case ChartKind.LINE:
            values = [(one.label.read(language), one.value) for one in points]
            return report_charts.line(
                values, told, unit=unit, language=language, currency=currency, target=chart.target
            )
        case ChartKind.BARS:
            counts = [(one.label.read(language), one.value or 0.0) for one in points]
            return report_charts.bars(counts, told, unit=unit, language=language, currency=currency)
        case ChartKind.RADAR:
            axes = [(one.label.read(language), one.value or 0.0) for one in points]
            return report_charts.radar(axes, 5, told)
        case ChartKind.MAP:
            nodes = [
                (
                    one.key,
                    one.label.read(language),
                    one.below.read(language) if one.below else "",
                    one.value is not None,
                )
                for one in points
            ]
            edges = [(one.start, one.end, one.told.read(language), one.weight) for one in chart.edges]
            return report_charts.graph(nodes, edges, told)
