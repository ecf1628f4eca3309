"""Figures of all customers that are kept as a history, read with the rights of the caller's role.

Belongs here: the views of schema ``insight`` as a role has them. Does not belong here: what the figures mean (insight),
how they are shown (pages).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import FromClause, Table, column, select, table

from cdm_pipelines.console.errors import ForbiddenError
from cdm_pipelines.console.sight import Eyes, Sight
from cdm_pipelines.hub import kpi_history, schema_insight, schema_kpi, scorecards
from cdm_pipelines.insight.scorecard import Trend, trends
from cdm_pipelines.privacy.views import view_name

QUALITY, KPI = schema_insight.quality.fullname, schema_kpi.kpi.fullname


def sees(sight: Sight, name: str) -> bool:
    """Whether a role sees a table of figures."""
    return name in sight.tables


def qualities(eyes: Eyes, **subject: str) -> list[Mapping[str, Any]]:
    """Figures of quality that are kept, oldest first: all, or those of a source, entity, attribute or measure.

    Raises:
        ForbiddenError: The role does not see them.
    """
    view = _view(eyes.sight, schema_insight.quality)
    with eyes.as_role() as connection:
        return list(scorecards.history(connection, of=view, subject=subject))


def courses(eyes: Eyes) -> list[Trend]:
    """The course of every figure of quality.

    Raises:
        ForbiddenError: The role does not see them.
    """
    return trends(qualities(eyes))


def key_figures(eyes: Eyes) -> list[Mapping[str, Any]]:
    """All key figures that are kept, the oldest month first.

    Raises:
        ForbiddenError: The role does not see them.
    """
    view = _view(eyes.sight, schema_kpi.kpi)
    with eyes.as_role() as connection:
        found = connection.execute(select(view).order_by(view.c.month, view.c.kpi)).mappings()
        return [dict(row) for row in found]


def until(rows: Sequence[Mapping[str, Any]], last: Any, months: int) -> list[Mapping[str, Any]]:
    """Those of so many calendar months up to one."""
    first = kpi_history.months_before(last, months - 1)
    return [row for row in rows if first <= row["month"] <= last]


def _view(sight: Sight, of: Table) -> FromClause:
    """The role's view of a table, of which it has to see every column in clear."""
    sight.see_that_sees(of.fullname)
    if hidden := sorted(set(of.columns.keys()) - sight.clear(of.fullname)):
        raise ForbiddenError(
            f"The role {sight.name} does not see {', '.join(hidden)} of {of.fullname} (policies/roles.yaml)."
        )
    return table(view_name(of.fullname), *(column(one.name, one.type) for one in of.columns))
