"""The customers' job, the automation that starts it, and housekeeping.

Belongs here: what runs when. Sources bring their own jobs, schedules and sensors (components.source).
"""

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING

import dagster as dg

from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.transient import told_to_people
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub import upkeep
from cdm_pipelines.hub.migrate import migrate

if TYPE_CHECKING:
    from cdm_pipelines.steps.operate.pruning import Pruned

STATE_GROUPS = ("records", "link", "golden", "privacy", "profile", "activation", "publish", "insight")

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
def prune_runs(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Delete finished runs that are older than CDM_RUN_RETENTION_DAYS, with their events and what they printed."""
    from cdm_pipelines.components import pruning  # noqa: PLC0415 - loads only in a run

    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=platform.settings.run_retention_days)
    with platform.hub() as engine:
        _log(context, pruning.prune_runs(context.instance, engine, before, dry_run=False))


@dg.op
@told_to_people()
def prune_hub(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Delete from the hub what the policy of pruning lets go, and figures older than CDM_RUN_RETENTION_DAYS."""
    from cdm_pipelines.steps.operate import pruning  # noqa: PLC0415 - loads only in a run

    policy = pruning.policy_of(platform.settings)
    with platform.hub() as engine:
        migrate(engine)
        with engine.begin() as connection:
            done = pruning.prune_hub(
                connection, platform.lake, platform.settings, policy, dt.datetime.now(dt.UTC)
            )
            _log(context, done)
        if untidy := upkeep.tidy(engine):
            context.log.warning(untidy)


@dg.op(pool="lake")
@told_to_people()
def prune_lake(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Pack the files of past months, let go what the policy does, sweep what killed processes left half-written."""
    from cdm_pipelines.steps.operate import pruning  # noqa: PLC0415 - loads only in a run

    policy = pruning.policy_of(platform.settings)
    today = dt.datetime.now(dt.UTC).date()
    _log(context, pruning.prune_lake(platform.lake, all_contracts(), policy, today, dry_run=False))
    _log(context, [pruning.sweep_plans(platform.settings)])


def _log(context: dg.OpExecutionContext, done: "Iterable[Pruned]") -> None:
    for one in done:
        if one.fault:
            context.log.warning("%s: %s", one.what, one.fault)
        elif one.number:
            context.log.info("%s: %d, %s bytes freed", one.what, one.number, one.freed or "some")


@dg.job(description="Prunes lake, hub and Dagster's own tables and logs: `cdm prune --dry-run` says of what.")
def housekeeping() -> None:
    """Keep the platform small."""
    prune_runs()
    prune_hub()
    prune_lake()


weekly_housekeeping = dg.ScheduleDefinition(
    name="weekly_housekeeping",
    job=housekeeping,
    cron_schedule="0 3 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Keeps the platform small, in the night to Sunday.",
)
