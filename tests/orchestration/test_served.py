"""`cdm up`: UI and daemon serve the code location for weeks, and end together without a trace."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.served import PATIENCE, free_port, held, served, work
from cdm_pipelines.commands import operate
from cdm_pipelines.hub.server import EmbeddedServer

LOCATIONS = (
    "{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name } jobs { name } } } } }"
)
EVALUATIONS, JOBS = 90, 6


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "CDM_HOME": str(tmp_path / "home"), "CDM_LANDING_URL": str(tmp_path / "landing")}


def test_ui_and_daemon_serve_the_code_location_until_ctrl_c(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with served(environment) as platform:
        answer = platform.ask(LOCATIONS)
        assert platform.console_is_ready()
        again = subprocess.run(
            [sys.executable, "-m", "cdm_pipelines.cli", "up", "--port", str(free_port()), "--no-console"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert again.returncode == 3, "a second daemon would start every run a second time"
        assert f"works on {tmp_path / 'home'} already" in again.stderr
        assert f"Dagster UI on http://127.0.0.1:{platform.port}" in platform.printed
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


_STARTER = """
import signal, sys
from pathlib import Path
from cdm_pipelines.commands import operate
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever started the tests
with operate._only_one(Path(sys.argv[1])) as lock, operate._Processes(lock) as processes:
    processes.start("server", "http.server", "0", "--bind", "127.0.0.1")
    print(processes._running["server"].pid, flush=True)
    processes.wait(until=lambda: False)
"""


def started(home: Path) -> tuple[subprocess.Popen[str], psutil.Process]:
    """What holds the home, and what it has started."""
    starter = subprocess.Popen(
        [sys.executable, "-c", _STARTER, str(home)],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},  # a pipe would keep back what the child says
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    child = psutil.Process(int(starter.stdout.readline()))
    assert "Serving" in starter.stdout.readline()
    return starter, child


def test_a_terminal_that_is_closed_leaves_nothing_running(tmp_path: Path) -> None:
    starter, child = started(tmp_path)
    with starter:
        starter.send_signal(signal.SIGHUP)
    assert psutil.wait_procs([child], timeout=5)[1] == []


def test_what_a_killed_one_left_is_named_and_ended_before_another_starts(
    environment: dict[str, str], tmp_path: Path
) -> None:
    starter, child = started(tmp_path / "home")
    with starter:
        starter.kill()
    done = subprocess.run(
        [sys.executable, "-m", "cdm_pipelines.cli", "up"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 3
    assert f"`kill {child.pid}` ends that" in done.stderr
    child.terminate()
    assert psutil.wait_procs([child], timeout=PATIENCE)[1] == []
    with operate._only_one(tmp_path / "home") as lock:  # noqa: SLF001 - starting all of it takes a minute
        assert lock.read() == ""
