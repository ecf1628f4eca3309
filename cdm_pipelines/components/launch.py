"""Running a job in this process, in the same instance and under the same name as the UI shows it.

Belongs here: the one place that touches Dagster's internals. ``execute_in_process`` makes runs without the origin
by which the UI links a run to its job, so the run is created the way the daemon does and executed here, which also
spares the start of a code server and of a process per run.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg
import psutil
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
    HIDDEN_TAG_PREFIX,
    PARTITION_NAME_TAG,
)

LOCATION = "cdm_pipelines"
ACCEPT_TAG = "cdm/accept"
"""Names of checks to which a person says yes for a run, with commas between them; set it in the UI's launchpad too."""
HOST_TAG, PROCESS_TAG = f"{HIDDEN_TAG_PREFIX}cdm_host", f"{HIDDEN_TAG_PREFIX}cdm_process"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""The terminal belongs to the progress display; the event log has everything."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended: ``failures`` are texts for people, by step, ``warnings`` checks that did not stop it."""

    run_id: str
    succeeded: bool
    failures: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()


def run_job(
    definitions: dg.Definitions,
    name: str,
    instance: dg.DagsterInstance,
    *,
    dates: tuple[str, str] | None = None,
    part: str = "",
    run_config: Mapping[str, object] | None = None,
    accept: Sequence[str] = (),
    on_step: Callable[[str], None] = lambda _: None,
) -> RunOutcome:
    """Run one job to its end.

    Args:
        definitions: The code location.
        name: Name of the job.
        instance: The instance that keeps the run.
        dates: First and last day, for a partitioned job; both the same for one day.
        part: Path below the layers, such as ``crm/contact``: only its assets; all of the job when empty.
        run_config: Configuration of the run.
        accept: Names of checks to which a person says yes.
        on_step: Called with the name of each step that starts.
    """
    job = definitions.resolve_job_def(name)
    if part:
        keys = job.asset_layer.executable_asset_keys
        job = job.get_subset(asset_selection={key for key in keys if key.path[1:] == part.split("/")})
    run = instance.create_run_for_job(
        job,
        run_config={**(run_config or {}), **QUIET},
        tags={
            **_partition_tags(dates),
            **_accept_tag(accept),
            HOST_TAG: socket.gethostname(),
            PROCESS_TAG: _process(),
        },
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
    failed_checks: dict[str, list[dg.AssetCheckEvaluation]] = {}
    for event in execute_run_iterator(InMemoryJob(job), run, instance):
        step = event.step_key or ""
        if event.is_step_start:
            on_step(step)
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            if not event.asset_check_evaluation_data.passed:
                failed_checks.setdefault(step, []).append(event.asset_check_evaluation_data)
        elif event.is_step_failure:
            failures[step] = _text(event, failed_checks.get(step, []))
    final = instance.get_run_by_id(run.run_id)
    succeeded = final is not None and final.status == dg.DagsterRunStatus.SUCCESS
    warnings = [
        _check_text(check)
        for step, checks in failed_checks.items()
        if step not in failures
        for check in checks
    ]
    return RunOutcome(run.run_id, succeeded, failures, warnings)


def fail_orphans(instance: dg.DagsterInstance) -> int:
    """Close runs of this machine whose process is gone: nobody else will, and they would hold up the queue."""
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={HOST_TAG: socket.gethostname()})
    orphans = [run for run in instance.get_runs(started) if not _alive(run.tags.get(PROCESS_TAG, ""))]
    for run in orphans:
        instance.report_run_failed(run, "The process of this run was killed. Run the day again.")
    return len(orphans)


def _process() -> str:
    """This process, told from a later one with the same number by its time of creation."""
    own = psutil.Process()
    return f"{own.pid}:{own.create_time():.0f}"


def _alive(process: str) -> bool:
    pid, _, created = process.partition(":")
    try:
        return f"{psutil.Process(int(pid)).create_time():.0f}" == created
    except (psutil.NoSuchProcess, ValueError):
        return False


def accepted_checks(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the checks to which a person said yes, from the tags of a run."""
    return tuple(name.strip() for name in tags.get(ACCEPT_TAG, "").split(",") if name.strip())


def _accept_tag(accept: Sequence[str]) -> dict[str, str]:
    return {ACCEPT_TAG: ",".join(accept)} if accept else {}


def _partition_tags(dates: tuple[str, str] | None) -> dict[str, str]:
    if dates is None:
        return {}
    if dates[0] == dates[1]:
        return {PARTITION_NAME_TAG: dates[0]}
    return {ASSET_PARTITION_RANGE_START_TAG: dates[0], ASSET_PARTITION_RANGE_END_TAG: dates[1]}


def _text(event: dg.DagsterEvent, failed_checks: Sequence[dg.AssetCheckEvaluation]) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    if failed_checks:
        return "; ".join(_check_text(check) for check in failed_checks)
    if failure.error is None:
        return "failed without a message"
    last = (
        failure.error.cause or failure.error
    )  # after the last retry, the cause is what went wrong every time
    return last.message.strip().partition("\n")[0]


def _check_text(check: dg.AssetCheckEvaluation) -> str:
    return f"{check.asset_key.to_user_string()}, check {check.check_name}: {check.description or 'failed'}"
