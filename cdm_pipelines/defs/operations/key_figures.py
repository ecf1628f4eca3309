"""The assets ``insight/*`` that are kept by month, their job and its schedule.

Belongs here: what they are called, depend on, and when they run. Does not belong here: figures (steps.insight).

They are a job of their own: a night's publication does not wait for them, and one that fails leaves customers as they
are. A day's run writes the month of its data anew; what is there when the month is over stays.
"""

import dagster as dg

from cdm_pipelines.components.measuring import Results, measuring
from cdm_pipelines.components.metadata import hub_schema
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.registry import OWNER
from cdm_pipelines.components.transient import transient_retry_policy
from cdm_pipelines.hub.schema_kpi import kpi

KPIS = dg.AssetKey(["insight", "kpis"])
_GROUP = "key_figures"
_TAGS = {"layer": "insight", "privacy": "none"}


@dg.asset(
    key=KPIS,
    deps=[["golden", "customer"], ["profile", "customer"]],
    check_specs=[
        dg.AssetCheckSpec(
            "targets_met",
            asset=KPIS,
            description="Every key figure reaches its target of policies/kpis.yaml.",
        )
    ],
    metadata={"dagster/table_name": str(kpi), "dagster/column_schema": hub_schema(kpi)},
    retry_policy=transient_retry_policy(),
    tags=_TAGS,
    pool="hub",
    group_name=_GROUP,
    owners=[OWNER],
    kinds={"postgres"},
)
def kpis(context: dg.AssetExecutionContext, platform: Platform) -> Results:
    """The nine key figures of the central customer view, each with its query, kept by month."""
    from cdm_pipelines.steps.insight import kpis as steps  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.steps.insight.months import one_version, period  # noqa: PLC0415 - the same

    with measuring(context, platform) as run:
        with one_version(run.engine) as connection:
            meant = period(connection, None)
            found = steps.work_out(connection, platform.settings, meant)
            changed = steps.keep(connection, meant, found)
        context.log.info("%s: %d key figures, %d rows changed", meant.name, len(found), changed)
        yield from run.results([steps.kpi_outcome(platform.settings, meant, found)])


key_figures = dg.define_asset_job(
    "key_figures",
    selection=dg.AssetSelection.groups(_GROUP),
    description="Key figures, maturity, touch points and the report of the month that the newest data are of.",
)

daily_key_figures = dg.ScheduleDefinition(
    name="daily_key_figures",
    job=key_figures,
    cron_schedule="30 5 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Writes the month of the newest data anew, every morning; the last one of a month stays.",
)
