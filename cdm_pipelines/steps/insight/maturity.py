"""The step of maturity: facts measured, held against the model, kept by month, counted for Dagster.

Belongs here: reading, judging, writing. Does not belong here: what a level asks for (insight).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.figures import ROWS, Grid, Outcome, Picture
from cdm_pipelines.hub import kpi_history
from cdm_pipelines.hub.kpi_query import absent, ask
from cdm_pipelines.hub.schema_kpi import maturity as table
from cdm_pipelines.insight.kpi_policy import dated
from cdm_pipelines.insight.maturity import Judged, MaturityPolicy, evidence, judge
from cdm_pipelines.insight.maturity_model import FACTS, HIGHEST, TITLES, Dimension
from cdm_pipelines.insight.maturity_queries import MEASURES
from cdm_pipelines.insight.report_charts import radar
from cdm_pipelines.insight.report_months import InsightError, Period
from cdm_pipelines.insight.report_words import Language, Told, written
from cdm_pipelines.privacy.governance import GovernancePolicy
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.insight import kpis

ASSET = "insight/maturity"


def facts(connection: Connection, settings: Settings, period: Period) -> dict[str, float | None]:
    """All facts of a month that is kept already as far as key figures go; None where one cannot be measured."""
    found: dict[str, float | None] = {}
    for name, measure in MEASURES.items():
        if absent(connection, measure.needs):
            found[name] = None
            continue
        value = ask(connection, dated(measure.query, period.days), ("value",))["value"]
        found[name] = None if value is None else round(float(value), 9)
    return found | _governed(settings, period)


def _governed(settings: Settings, period: Period) -> dict[str, float | None]:
    """What follows from policies/governance.yaml: who owns sources, and which reviews were due by the month's end."""
    policy, contracts = GovernancePolicy.load(settings.policies), all_contracts()
    owned = [
        policy.of_source(one.source, one.entity, one.owner).owner != policy.default.owner for one in contracts
    ]
    return {
        "owners": sum(owned) / len(owned) if owned else None,
        "reviews": float(len(list(policy.due(period.last)))),
    }


def work_out(connection: Connection, settings: Settings, period: Period) -> list[Judged]:
    """The level of every dimension in the month that the data are of; its key figures are kept before.

    Raises:
        PrivacyPolicyError: A policy cannot be used.
    """
    answers = MaturityPolicy.load(settings.policies).answers
    kpis.of_month(connection, settings, period)
    return judge(facts(connection, settings, period), answers)


def keep(connection: Connection, period: Period, found: Sequence[Judged]) -> int:
    """Write the month; running it again changes nothing. Returns how many rows were changed."""
    return kpi_history.keep(connection, table, period.first, rows_of(period, found))


def rows_of(period: Period, found: Sequence[Judged]) -> list[dict[str, Any]]:
    """As they are kept, without the month."""
    return [
        {
            "as_of": period.as_of,
            "dimension": str(one.dimension),
            "level": one.level,
            "evidence": [each.as_json() for each in one.findings],
        }
        for one in found
    ]


def of_month(connection: Connection, settings: Settings, period: Period) -> list[dict[str, Any]]:
    """Rows of a month, in the order of the dimensions: judged and kept where the data are of it, otherwise as kept.

    Raises:
        InsightError: Nothing was kept of the month.
    """
    if period.now:
        found = work_out(connection, settings, period)
        keep(connection, period, found)
        return rows_of(period, found)
    order = [str(one) for one in Dimension]
    rows = kpi_history.of_month(connection, table, period.first)
    if not rows:
        raise InsightError(f"No maturity was kept of {period.name}: it is when `cdm maturity` runs in it.")
    return sorted(rows, key=lambda row: order.index(row["dimension"]))


def history(connection: Connection, period: Period) -> dict[str, list[tuple[str, int]]]:
    """Month and level of each dimension, oldest first."""
    found: dict[str, list[tuple[str, int]]] = {str(one): [] for one in Dimension}
    for row in kpi_history.series(connection, table, period.first, kpis.MONTHS):
        found[row["dimension"]].append((f"{row['month']:%Y-%m}", row["level"]))
    return found


def told_rows(rows: Sequence[Mapping[str, Any]], language: Language) -> list[dict[str, str]]:
    """Each dimension with its level, what carries it and what the next level takes."""
    return [
        {
            "dimension": TITLES[Dimension(row["dimension"])].read(language),
            "level": str(row["level"]),
            "evidence": "\n".join(evidence(one, language) for one in _carrying(row)),
            "for the next": "\n".join(
                evidence(one, language)
                for one in row["evidence"]
                if one["level"] == row["level"] + 1 and not one["met"]
            ),
        }
        for row in rows
    ]


def _carrying(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What carries a level: of each fact and question what the highest level asks."""
    found = {
        one.get("fact", one.get("question")): one for one in row["evidence"] if one["level"] <= row["level"]
    }
    return list(found.values())


_RADAR = Told(en="Maturity, from 1 to 5: {levels}", nl="Volwassenheid, van 1 tot 5: {levels}")


def picture(rows: Sequence[Mapping[str, Any]], language: Language) -> tuple[str, str]:
    """The radar, and the same in words."""
    axes = [(TITLES[Dimension(row["dimension"])].read(language), float(row["level"])) for row in rows]
    told = _RADAR.read(language).format(levels=", ".join(f"{name} {level:.0f}" for name, level in axes))
    return radar(axes, HIGHEST, told), told


def maturity_outcome(
    rows: Sequence[Mapping[str, Any]], measured: Mapping[str, float | None], period: Period
) -> Outcome:
    """What came of maturity: levels, a radar, evidence, and every fact."""
    svg, told = picture(rows, Language.ENGLISH)
    return Outcome(
        ASSET,
        {
            ROWS: len(rows),
            "month": period.name,
            "levels": {row["dimension"]: float(row["level"]) for row in rows},
            "radar": Picture(svg, told),
            "evidence": Grid(
                [
                    {name: words.replace("\n", "; ") for name, words in row.items()}
                    for row in told_rows(rows, Language.ENGLISH)
                ],
                ("dimension",),
            ),
            "facts": Grid(
                [
                    {
                        "fact": FACTS[name].told.en,
                        "found": "not known"
                        if value is None
                        else written(value, FACTS[name].unit, Language.ENGLISH),
                    }
                    for name, value in measured.items()
                ],
                ("fact",),
            ),
        },
    )
