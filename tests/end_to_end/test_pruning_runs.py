"""What runs leave behind goes after CDM_RUN_RETENTION_DAYS, also where nobody runs a daemon."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from cdm_pipelines.components.session import open_instance
from cdm_pipelines.settings import load_settings

from .conftest import DAYS, Deployment

TABLES = ("runs", "event_logs", "asset_check_executions", "run_tags")


@pytest.fixture(scope="module")
def lived(deploy: Callable[..., Deployment]) -> Deployment:
    """Two days run in June; their runs are moved two years back. The policy lets raw days go."""
    own = deploy().settings
    policies = own.home / "policies"
    shutil.copytree(own.policies, policies)
    policy = policies / "pruning.yaml"
    policy.write_text(policy.read_text().replace("raw: null", "raw: 31"))
    given = {
        name: getattr(own, name) for name in ("home", "landing_url", "lake_url", "database_url", "threads")
    }
    lived = Deployment(load_settings(**given, policies=policies))
    for day in DAYS[:2]:
        assert lived.run(day) == 0
    return lived


def age(deployment: Deployment) -> None:
    for table, column in (
        ("runs", "create_timestamp"),
        ("event_logs", "timestamp"),
        ("asset_check_executions", "create_timestamp"),
    ):
        deployment.alter(f"UPDATE dagster.{table} SET {column} = {column} - interval '2 years'")
    deployment.alter("UPDATE dagster.runs SET update_timestamp = update_timestamp - interval '2 years'")
    for folder in logs(deployment):
        os.utime(folder, (0, 0))


def logs(deployment: Deployment) -> list[Path]:
    folder = deployment.settings.home / "dagster" / "storage"
    return [path for path in folder.iterdir() if (path / "compute_logs").is_dir()]


def counts(deployment: Deployment) -> dict[str, int]:
    return {table: deployment.query(f"SELECT count(*) FROM dagster.{table}")[0][0] for table in TABLES}


def test_who_only_runs_days_has_it_pruned_by_the_first_run_that_finds_it_overdue(lived: Deployment) -> None:
    published, before = lived.published(), counts(lived)
    orphan = lived.settings.home / "dagster" / "storage" / "5c9a3f0e-0000-0000-0000-000000000000"
    (orphan / "compute_logs").mkdir(parents=True)
    (orphan / "compute_logs" / "step.out").write_text("left by a run that was deleted by an earlier release")
    assert len(logs(lived)) > before["runs"] / 2
    planned = " ".join(lived.ask("prune", "--dry-run").split())
    assert "finished runs" not in planned
    assert "6 packs" not in planned
    age(lived)
    kept = counts(lived), len(logs(lived))
    planned = " ".join(lived.ask("prune", "--dry-run").split())
    assert f"finished runs of Dagster, with their events │ {before['runs']} │" in planned
    assert f"folders with what runs printed │ {len(logs(lived))} │" in planned
    raw = [path for path in (Path(lived.settings.lake_url) / "raw").rglob("*") if path.is_file()]
    assert {path.stem for path in raw} == set(DAYS[:2])
    assert f"days of raw whose rows are older than the policy keeps │ {len(raw)} │" in planned
    assert "Would free" in planned
    assert (counts(lived), len(logs(lived))) == kept
    files = len([path for path in Path(lived.settings.lake_url).rglob("*") if path.is_file()])

    assert lived.run(DAYS[1]) == 0

    after = counts(lived)
    sources = {path.name for path in lived.landing.iterdir()}
    assert after["runs"] == len(sources) + 2, "the sources, customers, and housekeeping itself"
    assert after["event_logs"] < before["event_logs"] / 1.5
    assert {path.name for path in logs(lived)} <= {
        str(run) for (run,) in lived.query("SELECT run_id FROM dagster.runs")
    }
    assert len([path for path in Path(lived.settings.lake_url).rglob("*") if path.is_file()]) < files / 1.4
    assert lived.published() == published
    assert lived.run(DAYS[1]) == 0
    with open_instance(lived.settings) as (_, instance):
        assert len(instance.get_run_ids(dg.RunsFilter(job_name="housekeeping"))) == 1
    lived.run(DAYS[1], rebuild=True)
    assert lived.published() == published


def test_a_damaged_pack_is_told_by_the_command_and_the_exit_code(lived: Deployment) -> None:
    lived.ask("prune")
    pack = next(Path(lived.settings.lake_url).glob("valid/crm/contact/*.zip"))
    content = pack.read_bytes()
    (pack.parent / f"{DAYS[0]}.parquet").write_bytes(b"")
    pack.write_bytes(content[:-40])
    told = " ".join(lived.ask("prune", code=1).split())
    assert "2026-06.zip" in told
    assert "cdm run --from 2026-06-01 --to 2026-06-30 --source crm" in told
