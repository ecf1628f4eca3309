"""The customers' job, the automation that starts it, and housekeeping.

Belongs here: what runs when. Sources bring their own jobs, schedules and sensors (components.source).
"""

import time

import dagster as dg

from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.transient import told_to_people
from cdm_pipelines.hub.migrate import migrate
from cdm_pipelines.settings import load_settings

STATE_GROUPS = ("records", "link", "golden", "publish")
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
DAY_SECONDS = 86_400

customers = dg.define_asset_job(
    "customers",
    selection=dg.AssetSelection.groups(*STATE_GROUPS),
    description="From the current records of all sources to the published golden customers, and those who are told.",
)

automation = dg.AutomationConditionSensorDefinition(
    "customers_automation",
    target=dg.AssetSelection.groups(*STATE_GROUPS),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Publishes customers when a source has new standardised days and its blocking checks passed.",
)


@dg.op
@told_to_people()
def forget_old_runs(context: dg.OpExecutionContext) -> None:
    """Delete finished runs that are older than CDM_RUN_RETENTION_DAYS, with their events."""
    limit = time.time() - load_settings().run_retention_days * DAY_SECONDS
    records = context.instance.get_run_records(dg.RunsFilter(statuses=FINISHED))
    old = [record.dagster_run.run_id for record in records if record.create_timestamp.timestamp() < limit]
    for run_id in old:
        context.instance.delete_run(run_id)
    context.log.info("%d runs deleted", len(old))


@dg.op
@told_to_people()
def forget_old_figures(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Delete figures that are older than CDM_RUN_RETENTION_DAYS, except the last ones of what there still is."""
    from cdm_pipelines.steps.operate.measurements import forget_superseded  # noqa: PLC0415 - loads only in a run

    with platform.hub() as engine:
        migrate(engine)
        with engine.begin() as connection:
            forgotten = forget_superseded(connection, platform.lake, platform.settings)
    context.log.info("%d figures deleted", forgotten)


@dg.op
@told_to_people()
def sweep_lake(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Remove files that killed processes left half-written."""
    context.log.info("%d half-written files removed", platform.lake.sweep())


@dg.job(description="Deletes old runs, old figures and what killed processes left behind.")
def housekeeping() -> None:
    """Keep the platform small."""
    forget_old_runs()
    forget_old_figures()
    sweep_lake()


weekly_housekeeping = dg.ScheduleDefinition(
    name="weekly_housekeeping",
    job=housekeeping,
    cron_schedule="0 3 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Keeps the platform small, in the night to Sunday.",
)
