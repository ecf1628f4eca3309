"""The step of the key figures: asked of the hub, kept by month, counted for Dagster.

Belongs here: reading, asking, writing. Does not belong here: which key figures there are (insight).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from cdm_pipelines.figures import ROWS, Check, Grid, Outcome
from cdm_pipelines.hub import kpi_history
from cdm_pipelines.hub.kpi_query import QueryError, absent, ask
from cdm_pipelines.hub.schema_kpi import kpi as table
from cdm_pipelines.insight.kpi_policy import FILE, Kpi, KpiPolicy, dated
from cdm_pipelines.insight.kpis import KpiFound, missed, shown, too_few, without_table
from cdm_pipelines.insight.report_charts import targets_picture
from cdm_pipelines.insight.report_months import InsightError, Period
from cdm_pipelines.insight.report_words import Language, Told, written
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.enrich import policy_of

ASSET = "insight/kpis"
TITLE = Told(
    en="Key figures of {month}, data up to {day}", nl="Kengetallen van {month}, gegevens tot en met {day}"
)
MONTHS = 13
"""So many months are shown beside each other: a year, and the same month of the year before."""
Monthly = tuple[dt.date, float | None]
_COLUMNS = ("value", "base")


def work_out(connection: Connection, settings: Settings, period: Period) -> list[KpiFound]:
    """All key figures of the month that the data are of, in the order of the policy.

    Raises:
        InsightError: A query cannot be run.
        PrivacyPolicyError: The policy cannot be used.
    """
    policy = KpiPolicy.load(settings.policies)
    found = [_ask(connection, settings, key, one, period) for key, one in policy.kpis.items()]
    return [_enough(one, policy.smallest_base) for one in found]


def _enough(one: KpiFound, smallest: int) -> KpiFound:
    if one.value is None or one.base >= smallest:
        return one
    return replace(one, value=None, because=too_few(one.base, smallest))


def _ask(connection: Connection, settings: Settings, key: str, kpi: Kpi, period: Period) -> KpiFound:
    query = dated(kpi.query, period.days)
    if missing := absent(connection, kpi.needs):
        return KpiFound(key, kpi, query, None, 0, without_table(missing[0]))
    where = f"{settings.policies / FILE}: kpis.{key}.query"
    try:
        row = ask(connection, query, _COLUMNS)
    except QueryError as error:
        raise InsightError(
            f"{where}: {error}. docs/reference/data-dictionary.md has every table and column."
        ) from None
    value, base = _number(row["value"], where), _number(row["base"], where)
    because = kpi.without if value is None else None
    return KpiFound(key, kpi, query, value, int(base or 0), because)


def _number(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise InsightError(f"{where}: value and base are numbers, and not {type(value).__name__}.")
    return round(float(value), 9)


def keep(connection: Connection, period: Period, found: Sequence[KpiFound]) -> int:
    """Write the month; running it again changes nothing. Returns how many rows were changed."""
    rows = [{"as_of": period.as_of, **one.row()} for one in found]
    return kpi_history.keep(connection, table, period.first, rows)


def of_month(connection: Connection, settings: Settings, period: Period) -> list[KpiFound]:
    """The key figures of a month: asked and kept where the data are of it, otherwise those that were kept.

    Raises:
        InsightError: A query cannot be run, or nothing was kept of the month.
    """
    if period.now:
        found = work_out(connection, settings, period)
        keep(connection, period, found)
        return found
    rows = kpi_history.of_month(connection, table, period.first)
    if not rows:
        raise InsightError(f"No key figures were kept of {period.name}: they are when `cdm kpis` runs in it.")
    return kept(KpiPolicy.load(settings.policies), rows, period)


def kept(policy: KpiPolicy, rows: Sequence[Mapping[str, Any]], period: Period) -> list[KpiFound]:
    """What was kept of a month, as far as it was worked out as it is now, in the order of the policy."""
    by_key = {row["kpi"]: row for row in rows}
    return [
        _kept(key, one, by_key[key], period)
        for key, one in policy.kpis.items()
        if key in by_key and by_key[key]["definition"] == one.fingerprint
    ]


def _kept(key: str, kpi: Kpi, row: Mapping[str, Any], period: Period) -> KpiFound:
    then = kpi.model_copy(update={"target": row["target"]})
    days = {**period.days, "as_of": row["as_of"]}
    because = Told.model_validate(row["because"]) if row["because"] else None
    return KpiFound(key, then, dated(kpi.query, days), row["value"], row["base"], because)


def series(connection: Connection, settings: Settings, period: Period) -> dict[str, list[Monthly]]:
    """What was kept of each key figure, oldest first, in months in which it was worked out as it is now."""
    policy = KpiPolicy.load(settings.policies)
    return courses(policy, kpi_history.series(connection, table, period.first, MONTHS))


def courses(policy: KpiPolicy, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Monthly]]:
    """What was kept of each key figure where it was worked out as it is now: each month from the first to the last.

    Args:
        policy: The key figures.
        rows: Of ``insight.kpi``, oldest first.
    """
    found: dict[str, list[Monthly]] = {key: [] for key in policy.kpis}
    for row in rows:
        kpi = policy.kpis.get(row["kpi"])
        if kpi is not None and kpi.fingerprint == row["definition"]:
            found[row["kpi"]].append((row["month"], row["value"]))
    return {key: _each_month(values) for key, values in found.items()}


def _each_month(values: Sequence[Monthly]) -> list[Monthly]:
    """With the months between of which nothing is kept, so that they are seen as gaps."""
    known = dict(values)
    if not known:
        return []
    first, last = min(known), max(known)
    months = (last.year - first.year) * 12 + last.month - first.month
    each = (kpi_history.months_before(last, back) for back in range(months, -1, -1))
    return [(month, known.get(month)) for month in each]


def row(settings: Settings, one: KpiFound, language: Language) -> dict[str, str]:
    """A key figure in words, as a row of a table."""
    return shown(one, language, policy_of(settings).currency)


def monthly(settings: Settings, key: str, values: Sequence[Monthly], language: Language) -> dict[str, str]:
    """The months of a key figure in words, as a row of a table."""
    unit, currency = KpiPolicy.load(settings.policies).kpis[key].unit, policy_of(settings).currency
    return {
        f"{month:%Y-%m}": "" if value is None else written(value, unit, language, currency)
        for month, value in values
    }


def kpi_outcome(settings: Settings, period: Period, found: Sequence[KpiFound]) -> Outcome:
    """What came of the key figures: a table, a picture, and a warning where a target is missed."""
    currency = policy_of(settings).currency
    late = missed(found)
    named = ", ".join(one.key for one in late)
    measured = [one for one in found if one.value is not None]
    return Outcome(
        ASSET,
        {
            ROWS: len(found),
            "month": period.name,
            "measured": len(measured),
            "targets missed": len(late),
            "value": {one.key: one.value for one in measured if one.value is not None},
            "key figures": Grid([shown(one, Language.ENGLISH, currency) for one in found], ("key",)),
            "against target": targets_picture(found, Language.ENGLISH, currency),
        },
        {
            "targets_met": Check(
                not late,
                f"{len(late)} of {len(found)} miss their target: {named}" if late else "no target is missed",
                "WARN",
            )
        },
    )
