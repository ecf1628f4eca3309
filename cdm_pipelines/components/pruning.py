"""What Dagster leaves behind: runs with their events, what they printed, ticks, results of checks.

Belongs here: finding and deleting what is older than runs are kept. Does not belong here: lake and hub
(steps.operate.pruning).

Dagster's daemon deletes ticks by dagster.yaml, and nothing else; deleting a run leaves what it printed, and the results
of its checks. Where only ``cdm run`` runs, no daemon deletes anything.
"""

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from sqlalchemy import Engine, text

from cdm_pipelines.hub.connection import DAGSTER_SCHEMA
from cdm_pipelines.steps.operate.pruning import Pruned

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
HOUSEKEEPING = "housekeeping"
OVERDUE = dt.timedelta(days=8)
"""The daemon prunes every seven; who only runs ``cdm run`` has it done by the first run that finds it overdue."""
_AT_A_TIME = 500
_LOOSE = {
    "results of checks": f"""
        DELETE FROM {DAGSTER_SCHEMA}.asset_check_executions c WHERE create_timestamp < :before
        AND NOT EXISTS (SELECT FROM {DAGSTER_SCHEMA}.runs r WHERE r.run_id = c.run_id)
        AND EXISTS (SELECT FROM {DAGSTER_SCHEMA}.asset_check_executions n WHERE n.asset_key = c.asset_key
                    AND n.check_name = c.check_name AND n.id > c.id)""",  # noqa: S608 - our own schema
    "ticks of sensors and schedules": f"DELETE FROM {DAGSTER_SCHEMA}.job_ticks WHERE timestamp < :before",  # noqa: S608
}  # of runs that are gone, or of nothing; all times in them are UTC


def overdue(instance: dg.DagsterInstance, now: dt.datetime) -> bool:
    """Whether nobody has pruned for long, and there are runs as old as that: two questions of one row each."""
    since = now - OVERDUE
    done = dg.RunsFilter(job_name=HOUSEKEEPING, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=since)
    return not instance.get_run_ids(done, limit=1) and bool(
        instance.get_run_ids(dg.RunsFilter(created_before=since), limit=1)
    )


def prune_runs(
    instance: dg.DagsterInstance, engine: Engine, before: dt.datetime, *, dry_run: bool
) -> Iterator[Pruned]:
    """Delete finished runs that were made before a moment, with all that they left behind.

    Args:
        instance: The instance.
        engine: Of the database that it is in.
        before: The moment.
        dry_run: Whether to count only.
    """
    old = dg.RunsFilter(statuses=FINISHED, created_before=before)
    runs = list(instance.get_run_ids(old)) if dry_run else list(_deleted(instance, old))
    yield Pruned("finished runs of Dagster, with their events", len(runs))
    yield _printed(instance, set(runs), before, dry_run=dry_run)
    with engine.begin() as connection:
        for what, query in _LOOSE.items():
            naive = before.astimezone(dt.UTC).replace(tzinfo=None)
            with connection.begin_nested() as trial:
                number = connection.execute(text(query), {"before": naive}).rowcount
                if dry_run:
                    trial.rollback()
            yield Pruned(f"{what} of Dagster", number)


def _deleted(instance: dg.DagsterInstance, old: dg.RunsFilter) -> Iterator[str]:
    while runs := instance.get_run_ids(old, limit=_AT_A_TIME):
        for run in runs:
            instance.delete_run(run)
            yield run


def _printed(instance: dg.DagsterInstance, gone: set[str], before: dt.datetime, *, dry_run: bool) -> Pruned:
    """Delete what runs printed that are gone, those that were deleted earlier among them."""
    what = "folders with what runs printed"
    manager = instance.compute_log_manager
    if not isinstance(manager, LocalComputeLogManager):
        for run_id in () if dry_run else gone:
            manager.delete_logs(prefix=[run_id])
        return Pruned(what, len(gone))
    folder, freed, number = Path(manager._base_dir), 0, 0  # noqa: SLF001 - it has no other way to ask
    for run in sorted(folder.iterdir()) if folder.is_dir() else ():
        lost = run.stat().st_mtime < before.timestamp() and not instance.has_run(run.name)
        if run.is_dir() and (run / "compute_logs").is_dir() and (run.name in gone or lost):
            number += 1
            freed += sum(file.stat().st_size for file in run.rglob("*") if file.is_file())
            if not dry_run:
                shutil.rmtree(run, ignore_errors=True)
    return Pruned(what, number, freed)
