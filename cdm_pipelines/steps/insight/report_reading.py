"""What every section of the report reads: one version of the hub, and figures asked of it.

Belongs here: asking a figure with its query. Does not belong here: which figures a section has.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, text

from cdm_pipelines.hub.kpi_query import absent, ask
from cdm_pipelines.insight.kpi_policy import dated
from cdm_pipelines.insight.kpis import KpiFound, without_table
from cdm_pipelines.insight.report_model import Figure
from cdm_pipelines.insight.report_months import Period
from cdm_pipelines.insight.report_words import Told, Unit
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.insight import kpis
from cdm_pipelines.store.lake import Lake

_NO_ROWS = Told(
    en="there are no rows that it could be worked out from", nl="er zijn geen rijen om het uit te berekenen"
)


@dataclass(frozen=True)
class Reading:
    """What sections read.

    Attributes:
        connection: In a transaction that sees one published version.
        lake: The lake.
        settings: Of the deployment.
        period: The month that the data are of.
        currency: Of amounts.
    """

    connection: Connection
    lake: Lake
    settings: Settings
    period: Period
    currency: str

    @cached_property
    def kpis(self) -> list[KpiFound]:
        """The key figures of the month, asked once and kept."""
        return kpis.of_month(self.connection, self.settings, self.period)

    def figure(
        self,
        key: str,
        title: Told,
        formula: Told,
        query: str,
        unit: Unit = Unit.COUNT,
        *,
        needs: tuple[str, ...] = (),
        because: Told = _NO_ROWS,
    ) -> Figure:
        """A figure from a query of our own that gives one ``value``.

        Args:
            key: Its name within the section.
            title: What it is.
            formula: How it is worked out, in words.
            query: May name the days of ``kpi_policy.DAYS``.
            unit: What it is counted in.
            needs: Tables without which it cannot be measured.
            because: Why it cannot, where the query gives nothing.
        """
        sql = dated(query, self.period.days)
        shared: dict[str, Any] = {"key": key, "title": title, "unit": unit, "formula": formula, "query": sql}
        if missing := absent(self.connection, needs):
            return Figure(value=None, because=without_table(missing[0]), **shared)
        value = ask(self.connection, sql, ("value",))["value"]
        if value is None:
            return Figure(value=None, because=because, **shared)
        return Figure(value=round(float(value), 9), **shared)

    def rows(self, query: str, needs: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query of our own; none where a table is not there."""
        if absent(self.connection, needs):
            return []
        return [tuple(row) for row in self.connection.execute(text(dated(query, self.period.days)))]
