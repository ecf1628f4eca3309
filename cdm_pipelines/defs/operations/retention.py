"""The asset ``privacy/retention`` and its schedule: what expires when, and what of it is let go.

Belongs here: what it is called and when it runs. Does not belong here: what expires, or figures.

It is a job of its own, since it lets go only while no other run writes.
"""

import datetime as dt

import dagster as dg

from cdm_pipelines.components.measuring import Results, measuring
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.registry import OWNER
from cdm_pipelines.components.transient import transient_retry_policy

RETENTION = dg.AssetKey(["privacy", "retention"])


@dg.asset(
    key=RETENTION,
    check_specs=[
        dg.AssetCheckSpec(
            "nothing_overdue",
            asset=RETENTION,
            description="Nothing is kept longer than policies/retention.yaml and policies/purposes.yaml allow.",
        )
    ],
    deps=[["golden", "customer"]],
    group_name="retention",
    owners=[OWNER],
    kinds={"postgres"},
    tags={"layer": "privacy", "privacy": "none"},
    retry_policy=transient_retry_policy(),
    pool="hub",
)
def retention(context: dg.AssetExecutionContext, platform: Platform) -> Results:
    """What expires when, by purpose and place; let go where policies/retention.yaml says `apply: true`."""
    from cdm_pipelines.contracts.actor import PIPELINE  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.steps.rights import retention as steps  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.rights.retention_figures import retention_outcome  # noqa: PLC0415 - the same

    settings, today, done = platform.settings, dt.datetime.now(dt.UTC).date(), None
    with measuring(context, platform) as run:
        applied = steps.terms_of(settings).policy.apply
        if applied:
            found, done = steps.apply(settings, run.engine, PIPELINE, today, own_run=context.run.run_id)
        else:
            with run.engine.connect() as connection:
                found = steps.planned(settings, connection, today)
        context.log.info("%d entries have expired, %s", found.expired.num_rows, "let go" if done else "kept")
        yield from run.results([retention_outcome(found, done, applied=applied)])


retention_job = dg.define_asset_job(
    "retention",
    selection=dg.AssetSelection.assets(RETENTION),
    description="Says what has expired, and lets it go where policies/retention.yaml says so.",
)

weekly_retention = dg.ScheduleDefinition(
    name="weekly_retention",
    job=retention_job,
    cron_schedule="0 4 * * 6",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Says what has expired, in the night to Saturday; as shipped nothing goes.",
)
