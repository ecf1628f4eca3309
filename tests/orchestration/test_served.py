"""`cdm up`: UI and daemon serve the code location for weeks, and end together without a trace."""

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from served_platform import PATIENCE, Served, served

from cdm_pipelines.hub.server import EmbeddedServer

LOCATIONS = (
    "{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name } jobs { name } } } } }"
)
REPOSITORY = {"repositoryLocationName": "cdm_pipelines", "repositoryName": "__repository__"}
EVALUATE = """mutation ($sensor: SensorSelector!) {
  sensorDryRun(selectorData: $sensor, cursor: "") {
    __typename ... on DryRunInstigationTick { evaluationResult { error { message } } }
  }
}"""
LAUNCH = """mutation ($run: ExecutionParams!) { launchRun(executionParams: $run) { __typename } }"""
RUNS = "{ runsOrError { ... on Runs { results { status } } } }"
SENSORS = ("landing_crm", "landing_erp", "landing_shop")
EVALUATIONS, JOBS = 500, 20
POOLED = 5
"""Threads that pools of gRPC and of Dagster may start late; a thread per run would be 20."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "CDM_HOME": str(tmp_path / "home"), "CDM_LANDING_URL": str(tmp_path / "landing")}


@dataclass(frozen=True)
class Held:
    """What the platform holds while nothing happens."""

    connections: int
    threads: int
    handles: int

    def within(self, former: "Held") -> bool:
        """Whether nothing has grown; pools of threads may have filled up a little: a leak would exceed that at once."""
        return (
            self.connections <= former.connections
            and self.handles <= former.handles
            and self.threads <= former.threads + POOLED
        )


def held(platform: Served, server: EmbeddedServer) -> Held:
    """The least of several looks: what is only passing by is not held."""
    looks: list[tuple[int, int, int]] = []
    while len(looks) < 12:
        time.sleep(0.5)
        with psycopg.connect(server.url()) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE client_port IS NOT NULL"
            row = connection.execute(query).fetchone()
        assert row
        with suppress(psutil.NoSuchProcess):  # a process that ended while it was looked at
            processes = [one for one in platform.children() if "postgres" not in one.name()]
            threads, handles = (
                sum(one.num_threads() for one in processes),
                sum(one.num_fds() for one in processes),
            )
            looks.append((int(row[0]), threads, handles))
    return Held(*(min(look[position] for look in looks) for position in range(3)))


def work(platform: Served, evaluations: int, jobs: int) -> None:
    """Evaluate sensors as often as they can be, and wait for some runs."""
    before = finished(platform)
    for _ in range(jobs):
        run = {"selector": {**REPOSITORY, "jobName": "housekeeping"}, "mode": "default", "runConfigData": {}}
        answer = platform.ask(LAUNCH, {"run": run})
        assert answer["launchRun"]["__typename"] == "LaunchRunSuccess", answer
    for number in range(evaluations):
        name = SENSORS[number % len(SENSORS)]
        answer = platform.ask(EVALUATE, {"sensor": {**REPOSITORY, "sensorName": name}})
        assert answer["sensorDryRun"]["__typename"] == "DryRunInstigationTick", answer
        assert answer["sensorDryRun"]["evaluationResult"]["error"] is None, answer
    deadline = time.monotonic() + PATIENCE
    while finished(platform) < before + jobs:
        assert time.monotonic() < deadline
        time.sleep(1)


def finished(platform: Served) -> int:
    results: list[dict[str, Any]] = platform.ask(RUNS)["runsOrError"]["results"]
    assert not [run for run in results if run["status"] == "FAILURE"]
    return sum(run["status"] == "SUCCESS" for run in results)


def test_ui_and_daemon_serve_the_code_location_until_ctrl_c(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with served(environment) as platform:
        answer = platform.ask(LOCATIONS)
        started = platform.children()
        assert platform.interrupt() == 0
    (repository,) = answer["repositoriesOrError"]["nodes"]
    assert repository["location"]["name"] == "cdm_pipelines"
    assert {"customers", "ingest_crm"} < {job["name"] for job in repository["jobs"]}
    assert len(started) >= 3
    assert psutil.wait_procs(started, timeout=20)[1] == []
    assert EmbeddedServer(tmp_path / "home").postmaster() is None


@pytest.mark.timeout(900)
def test_what_is_held_does_not_grow_with_evaluations_and_runs(
    environment: dict[str, str], tmp_path: Path
) -> None:
    server = EmbeddedServer(tmp_path / "home")
    with served(environment) as platform:
        work(platform, evaluations=60, jobs=2)
        before = held(platform, server)
        work(platform, evaluations=EVALUATIONS, jobs=JOBS)
        after = held(platform, server)
        assert after.within(before), f"{before} became {after}"


def test_a_port_in_use_is_told_before_anything_starts(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        port = str(occupied.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "cdm_pipelines.cli", "up", "--port", port],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode != 0
    assert f"Port {port} of 127.0.0.1 cannot be used: Address already in use" in done.stderr
    assert not (tmp_path / "home").exists()
