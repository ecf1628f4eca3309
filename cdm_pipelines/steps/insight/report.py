"""The step of the report: all sections of a month, kept in the lake, as a page in a language.

Belongs here: the order of sections, keeping them, telling Dagster. Does not belong here: what a section says
(``report_sections``, ``report_kept``), or how a page looks (insight).
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from cdm_pipelines.figures import ROWS, Check, Grid, Outcome
from cdm_pipelines.insight.report_model import Report, Section
from cdm_pipelines.insight.report_months import InsightError, Period
from cdm_pipelines.insight.report_page import page
from cdm_pipelines.insight.report_words import Language
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.insight.report_kept import journeys, key_figures, maturity_levels
from cdm_pipelines.steps.insight.report_reading import Reading
from cdm_pipelines.steps.insight.report_sections import customers, risks, value
from cdm_pipelines.steps.insight.report_worth import quality, worth
from cdm_pipelines.steps.profile.enrich import policy_of
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake

ASSET = "insight/report"
SECTIONS: Sequence[Callable[[Reading], Section]] = (
    customers,
    key_figures,
    quality,
    worth,
    value,
    maturity_levels,
    journeys,
    risks,
)
"""In the order in which they are read; a section more is a function more."""


def of_month(connection: Connection, lake: Lake, settings: Settings, period: Period) -> Report:
    """The report of a month: worked out and kept where the data are of it, otherwise as it was kept.

    Raises:
        InsightError: A policy names what there is not, or no report was kept of the month.
        PrivacyPolicyError: A policy cannot be used.
        DamagedError: The kept report is damaged.
    """
    if period.now:
        return work_out(connection, lake, settings, period)
    path = layout.report_path(period.name)
    if not lake.exists(path):
        raise InsightError(
            f"No report was kept of {period.name}: it is when `cdm report` runs in it, or the job key_figures does."
        )
    return Report.model_validate_json(lake.read_json(path))


def work_out(connection: Connection, lake: Lake, settings: Settings, period: Period) -> Report:
    """All sections of the month that the data are of."""
    reading = Reading(connection, lake, settings, period, policy_of(settings).currency)
    return Report(
        month=period.first,
        as_of=period.as_of,
        currency=reading.currency,
        sections=tuple(section(reading) for section in SECTIONS),
    )


def keep(lake: Lake, report: Report) -> list[str]:
    """Keep a report, and its page in every language; the same is not written again. Returns the paths of the pages."""
    month = f"{report.month:%Y-%m}"
    lake.write_json(layout.report_path(month), report.model_dump_json(indent=1))
    pages = {layout.report_page_path(month, str(one)): page(report, one) for one in Language}
    for path, content in pages.items():
        lake.write_text(path, content)
    return list(pages)


def outcome(lake: Lake, report: Report, pages: Sequence[str]) -> Outcome:
    """What came of the report: its figures by section, where the pages are, and what cannot be measured yet."""
    figures = [(section, figure) for section in report.sections for figure in section.figures]
    unknown = [f"{section.key}.{figure.key}" for section, figure in figures if figure.value is None]
    return Outcome(
        ASSET,
        {
            ROWS: len(figures),
            "month": f"{report.month:%Y-%m}",
            "value": {f"{s.key}.{f.key}": f.value for s, f in figures if f.value is not None},
            "not measurable yet": Grid(
                [
                    {"figure": f"{s.key}.{f.key}", "because": f.because.en}
                    for s, f in figures
                    if f.because is not None
                ],
                ("figure",),
            ),
        },
        {
            "all_measurable": Check(
                not unknown,
                f"{len(unknown)} of {len(figures)} figures cannot be measured yet" if unknown else "",
                "WARN",
            )
        },
        url=lake.where(pages[0]) if pages else "",
    )
