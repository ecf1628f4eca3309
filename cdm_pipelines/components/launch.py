"""Running a job in this process, in the same instance and under the same name as the UI shows it.

Belongs here: the one place that touches Dagster's internals. ``execute_in_process`` makes runs without the origin
by which the UI links a run to its job, so the run is created the way the daemon does and executed here, which also
spares the start of a code server and of a process per run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

LOCATION = "cdm_pipelines"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""The terminal belongs to the progress display; the event log has everything."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended: ``failures`` are texts for people, by step."""

    run_id: str
    succeeded: bool
    failures: Mapping[str, str] = field(default_factory=dict)


def run_job(
    definitions: dg.Definitions,
    name: str,
    instance: dg.DagsterInstance,
    *,
    dates: tuple[str, str] | None = None,
    run_config: Mapping[str, object] | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> RunOutcome:
    """Run one job to its end.

    Args:
        definitions: The code location.
        name: Name of the job.
        instance: The instance that keeps the run.
        dates: First and last day, for a partitioned job; both the same for one day.
        run_config: Configuration of the run.
        on_step: Called with the name of each step that starts.
    """
    job = definitions.resolve_job_def(name)
    run = instance.create_run_for_job(
        job,
        run_config={**(run_config or {}), **QUIET},
        tags=_partition_tags(dates),
        asset_selection=frozenset(job.asset_layer.executable_asset_keys),
        remote_job_origin=RemoteJobOrigin(
            repository_origin=RemoteRepositoryOrigin(
                code_location_origin=RegisteredCodeLocationOrigin(LOCATION),
                repository_name=definitions.get_repository_def().name,
            ),
            job_name=name,
        ),
    )
    failures: dict[str, str] = {}
    for event in execute_run_iterator(InMemoryJob(job), run, instance):
        if event.is_step_start and event.step_key:
            on_step(event.step_key)
        if event.is_step_failure and event.step_key:
            failures[event.step_key] = _text(event)
    final = instance.get_run_by_id(run.run_id)
    succeeded = final is not None and final.status == dg.DagsterRunStatus.SUCCESS
    return RunOutcome(run.run_id, succeeded, failures)


def _partition_tags(dates: tuple[str, str] | None) -> dict[str, str]:
    if dates is None:
        return {}
    if dates[0] == dates[1]:
        return {PARTITION_NAME_TAG: dates[0]}
    return {ASSET_PARTITION_RANGE_START_TAG: dates[0], ASSET_PARTITION_RANGE_END_TAG: dates[1]}


def _text(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    return failure.error.message.strip() if failure.error else "failed without a message"
