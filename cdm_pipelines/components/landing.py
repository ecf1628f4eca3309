"""When a source's day is ingested: by the sensor as soon as its files are whole, at the latest by the schedule.

Belongs here: the glue between landing, the decision (steps.days.arrivals) and run requests.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from cdm_pipelines.components.transient import told_to_people
from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.days.arrivals import decide
from cdm_pipelines.steps.days.landing import deliveries, ingested_digests
from cdm_pipelines.store.lake import Lake

INTERVAL_SECONDS = 30


def landing_sensor(
    contracts: Sequence[SourceContract],
    job: UnresolvedAssetJobDefinition,
    required: Sequence[str],
    marker: str,
) -> dg.SensorDefinition:
    """A sensor that asks for a day's run once its files have arrived whole, and never twice for the same files."""
    source = contracts[0].source

    @dg.sensor(
        name=f"landing_{source}",
        job=job,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Ingests a day of {source} as soon as its files are whole.",
    )
    @told_to_people()
    def _sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        settings = load_settings()
        now, unreadable = deliveries(settings.landing_url, contracts, marker)
        for problem in unreadable:
            context.log.warning(problem)
        if context.cursor:
            state: dict[str, dict[str, str]] = json.loads(context.cursor)
        else:
            state = {"before": {}, "asked": ingested_digests(Lake(settings.lake_url), contracts, now)}
        decision = decide(now, state["before"], state["asked"], required)
        # A run that was asked for by hand, or an erasure that has written extracts and their tables anew, was first.
        there = ingested_digests(
            Lake(settings.lake_url), contracts, {date: now[date] for date in decision.ready}
        )
        asked = {**state["asked"], **{date: now[date].digest for date in decision.ready}}
        cursor = json.dumps({"before": {d: v.digest for d, v in now.items()}, "asked": asked}, sort_keys=True)
        for date, reason in decision.waiting.items():
            context.log.info("%s waits: %s", date, reason)
        requests = [
            dg.RunRequest(run_key=f"{source}-{date}-{now[date].digest}", partition_key=date)
            for date in decision.ready
            if date not in there
        ]
        return dg.SensorResult(
            run_requests=requests,
            cursor=cursor,
            skip_reason=None if requests else _why_not(decision.waiting),
        )

    return _sensor


def _why_not(waiting: Mapping[str, str]) -> dg.SkipReason:
    if not waiting:
        return dg.SkipReason("No new files.")
    return dg.SkipReason("; ".join(f"{date}: {reason}" for date, reason in sorted(waiting.items())[:5]))


def source_schedule(
    contracts: Sequence[SourceContract], job: UnresolvedAssetJobDefinition, cron: str, timezone: str
) -> dg.ScheduleDefinition:
    """A schedule that ingests today's extracts at the agreed time, whatever the sensor still waits for."""
    source = contracts[0].source

    @dg.schedule(
        name=f"daily_{source}",
        job=job,
        cron_schedule=cron,
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Ingests today's extracts of {source} at the time they should be there.",
    )
    @told_to_people()
    def _schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        settings = load_settings()
        date = _today(context.scheduled_execution_time)
        now, _ = deliveries(settings.landing_url, contracts, marker="")
        if date not in now:
            return dg.SkipReason(
                f"No file of {source} for {date} in landing; its freshness will show overdue."
            )
        if ingested_digests(Lake(settings.lake_url), contracts, now).get(date) == now[date].digest:
            return dg.SkipReason(f"{date} of {source} is already ingested from these files.")
        return dg.RunRequest(run_key=f"{source}-{date}-scheduled-{now[date].digest}", partition_key=date)

    return _schedule


def _today(moment: datetime) -> str:
    return moment.date().isoformat()
