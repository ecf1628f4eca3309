"""Telling people when a run fails.

Belongs here: the run-failure sensor. Does not belong here: how a message is sent (steps.operate.notify).
"""

import dagster as dg

from cdm_pipelines.components.transient import told_to_people
from cdm_pipelines.settings import load_settings


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=30)
def run_failed(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Sends a message to the webhook and mailboxes of the settings; says so when there are none."""
    from cdm_pipelines.steps.operate.notify import FailedRun, notify  # noqa: PLC0415 - loads only when a run failed

    with told_to_people():
        settings = load_settings()
        run = context.dagster_run
        failed = FailedRun(
            job=run.job_name,
            run_id=run.run_id,
            partition=run.tags.get("dagster/partition", ""),
            steps={
                str(event.step_key): _text(event)
                for event in context.get_step_failure_events()
                if event.step_key
            },
        )
        problems = notify(settings, failed)
        for problem in problems:
            context.log.warning(problem)
        if not (settings.notify_webhook or settings.notify_email):
            return dg.SkipReason("Nobody to tell: set CDM_NOTIFY_WEBHOOK or CDM_NOTIFY_EMAIL.")
        return None


def _text(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    return "failed without a message" if failure.error is None else str(failure.error.cls_name)
