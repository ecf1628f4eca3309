"""A run that is killed at any moment leaves nothing that a later run does not put right."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import psutil
import psycopg
import pytest

from cdm_pipelines.components.launch import run_job
from cdm_pipelines.components.session import open_session
from cdm_pipelines.hub.connection import database_url
from cdm_pipelines.store.lake import Lake

from .conftest import DAYS, Deployment

KILLS_PER_DAY = 2
GIVE_UP_SECONDS = 300
LEFT_BEHIND = ".tmp-0123456789abcdef0123456789abcdef"


class Run:
    """One ``cdm run`` as a process of its own, watched by the processor time that it used.

    Processor time, since how far a run is after some seconds depends on what else the machine does.
    """

    def __init__(self, deployment: Deployment, day: str) -> None:
        self._url = database_url(deployment.settings).set(drivername="postgresql")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cdm_pipelines.cli", "run", "--date", day],
            env=deployment.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._watched = psutil.Process(self._process.pid)
        self.used = 0.0

    def start_up(self) -> "Run":
        """Wait until its first job runs: before that there is nothing to lose."""
        with psycopg.connect(self._url.render_as_string(hide_password=False), autocommit=True) as hub:
            runs = "SELECT count(*) FROM dagster.runs"
            before = after = hub.execute(runs).fetchone()
            while self._process.poll() is None and after == before:
                time.sleep(0.02)
                after = hub.execute(runs).fetchone()
        self._at_first_job = self._processor_seconds()
        return self

    def until(self, processor_seconds: float) -> "Run":
        """Wait until the jobs have used so much, or until the process ended."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            self.used = self._processor_seconds() - self._at_first_job
            if self.used >= processor_seconds:
                break
            time.sleep(0.005)
        return self

    def kill(self) -> bool:
        """``kill -9``; returns whether it was still running."""
        running = self._process.poll() is None
        if running:
            os.kill(self._process.pid, signal.SIGKILL)
        return self._process.wait() == -signal.SIGKILL

    def end(self) -> int:
        """Wait for the end; returns the exit code."""
        self.until(float("inf"))
        return self._process.wait(timeout=GIVE_UP_SECONDS)

    def _processor_seconds(self) -> float:
        try:
            times = self._watched.cpu_times()
        except psutil.NoSuchProcess:
            return self.used
        return float(times.user + times.system)


def whole_lake(deployment: Deployment) -> dict[str, str]:
    """The lake without what killed processes left half-written."""
    return {path: digest for path, digest in deployment.lake().items() if "/.tmp-" not in path}


def left_behind(deployment: Deployment) -> list[Path]:
    return sorted(Path(deployment.settings.lake_url).rglob(".tmp-*"))


@pytest.fixture(scope="module")
def undisturbed(lived: Callable[..., Deployment]) -> tuple[Deployment, float]:
    """Every day run to its end, and the processor seconds that the jobs of a day take."""
    deployment = lived(DAYS[0])
    second = Run(deployment, DAYS[1]).start_up()
    assert second.end() == 0
    assert deployment.run(DAYS[2]) == 0
    return deployment, second.used


@pytest.mark.timeout(1_800)  # thirteen runs, eleven of them with the start of a process
def test_killed_runs_leave_no_trace(
    undisturbed: tuple[Deployment, float], lived: Callable[..., Deployment]
) -> None:
    expected, seconds = undisturbed
    deployment, moments = lived(DAYS[0]), random.Random(20260601)
    killed = 0
    for day in DAYS[1:]:
        for part in range(KILLS_PER_DAY):
            moment = (part + moments.random()) / KILLS_PER_DAY * seconds
            killed += Run(deployment, day).start_up().until(moment).kill()
        assert deployment.run(day) == 0
    assert killed >= KILLS_PER_DAY, "the runs ended before they were killed"
    assert deployment.published() == expected.published()
    assert whole_lake(deployment) == whole_lake(expected)
    with open_session(deployment.settings) as session:
        unfinished = session.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    assert unfinished == []


def test_half_written_files_do_no_harm_and_are_swept_after_a_day(
    undisturbed: tuple[Deployment, float], lived: Callable[..., Deployment]
) -> None:
    expected, _ = undisturbed
    deployment = lived(DAYS[0])
    folders = [path for path in Path(deployment.settings.lake_url).rglob("*") if path.is_dir()]
    for folder in folders:
        (folder / LEFT_BEHIND).write_bytes(b"PAR1 and no more")
    for file in deployment.landing.rglob(f"{DAYS[1]}.csv"):
        file.with_name(f"{file.name}.part").write_bytes(file.read_bytes()[:500])
    for day in DAYS[1:]:
        assert deployment.run(day) == 0
    assert deployment.published() == expected.published()
    assert whole_lake(deployment) == whole_lake(expected)
    yesterday = time.time() - 90_000
    kept, *old = left_behind(deployment)
    for path in old:
        os.utime(path, (yesterday, yesterday))
    with open_session(deployment.settings) as session:
        assert run_job(session.definitions, "housekeeping", session.instance).succeeded
    assert left_behind(deployment) == [kept]
    lakes = [Lake(one.settings.lake_url) for one in (deployment, expected)]
    days, expected_days = ({path: lake.content(path) for path in lake.paths("")} for lake in lakes)
    assert days == expected_days, "housekeeping packs the days of June, which reads the same"
    assert lakes[0].sweep() == 0
