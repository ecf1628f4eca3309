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
from cdm_pipelines.hub.schema_kpi import kpi, touch_point
from cdm_pipelines.hub.schema_kpi import maturity as maturity_table

KPIS, MATURITY, TOUCH_POINTS, REPORT = (
    dg.AssetKey(["insight", name]) for name in ("kpis", "maturity", "touch_points", "report")
)
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


@dg.asset(
    key=MATURITY,
    deps=[KPIS],
    metadata={"dagster/table_name": str(maturity_table), "dagster/column_schema": hub_schema(maturity_table)},
    retry_policy=transient_retry_policy(),
    tags=_TAGS,
    pool="hub",
    group_name=_GROUP,
    owners=[OWNER],
    kinds={"postgres"},
)
def maturity(context: dg.AssetExecutionContext, platform: Platform) -> Results:
    """Levels 1 to 5 of vision, data, technology, organisation and governance, from what is really there."""
    from cdm_pipelines.steps.insight import maturity as steps  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.steps.insight.months import one_version, period  # noqa: PLC0415 - the same

    with measuring(context, platform) as run:
        with one_version(run.engine) as connection:
            meant = period(connection, None)
            rows = steps.of_month(connection, platform.settings, meant)
            facts = steps.facts(connection, platform.settings, meant)
        context.log.info(
            "%s: %s", meant.name, ", ".join(f"{one['dimension']} {one['level']}" for one in rows)
        )
        yield from run.results([steps.maturity_outcome(rows, facts, meant)])


@dg.asset(
    key=TOUCH_POINTS,
    deps=[["golden", "customer"], ["profile", "interactions"]],
    check_specs=[
        dg.AssetCheckSpec(
            "all_deliver",
            asset=TOUCH_POINTS,
            description="Every touch point of policies/touch_points.yaml delivers data.",
        )
    ],
    metadata={"dagster/table_name": str(touch_point), "dagster/column_schema": hub_schema(touch_point)},
    retry_policy=transient_retry_policy(),
    tags=_TAGS,
    pool="hub",
    group_name=_GROUP,
    owners=[OWNER],
    kinds={"duckdb", "postgres"},
)
def touch_points(context: dg.AssetExecutionContext, platform: Platform) -> Results:
    """What each touch point delivers, how often people are recognised there, and which hands over to which."""
    from cdm_pipelines.steps.insight import touch_points as steps  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.steps.insight.months import one_version, period  # noqa: PLC0415 - the same

    with measuring(context, platform) as run:
        with one_version(run.engine) as connection:
            meant = period(connection, None)
            found = steps.of_month(connection, platform.lake, platform.settings, meant)
        context.log.info("%s: %d touch points", meant.name, len(found.points))
        yield from run.results([steps.outcome(platform.settings, meant, found)])


@dg.asset(
    key=REPORT,
    deps=[KPIS, MATURITY, TOUCH_POINTS, ["golden", "customer"], ["profile", "customer"]],
    check_specs=[
        dg.AssetCheckSpec(
            "all_measurable", asset=REPORT, description="Every figure of the report can be measured."
        )
    ],
    retry_policy=transient_retry_policy(),
    tags=_TAGS,
    pool="hub",
    group_name=_GROUP,
    owners=[OWNER],
    kinds={"html"},
)
def report(context: dg.AssetExecutionContext, platform: Platform) -> Results:
    """What the board is told of the month: one page in each language, kept in the lake."""
    from cdm_pipelines.steps.insight import report as steps  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.steps.insight.months import one_version, period  # noqa: PLC0415 - the same

    with measuring(context, platform) as run:
        with one_version(run.engine) as connection:
            meant = period(connection, None)
            made = steps.work_out(connection, platform.lake, platform.settings, meant)
        pages = steps.keep(platform.lake, made)
        context.log.info("%s: %d sections", meant.name, len(made.sections))
        yield from run.results([steps.outcome(platform.lake, made, pages)])


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
