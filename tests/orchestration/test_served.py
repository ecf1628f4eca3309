"""`cdm up`: UI and daemon serve the code location, and end together without a trace."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from cdm_pipelines.hub.server import EmbeddedServer

PATIENCE = 240.0
QUERY = """{
  repositoriesOrError { ... on RepositoryConnection { nodes { location { name } jobs { name } } } }
  instance { daemonHealth { allDaemonStatuses { daemonType required lastHeartbeatTime } } }
}"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int) -> Any:
    """What the UI asks when it opens; None while nobody listens."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": QUERY}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


def serves(answer: Any) -> bool:
    daemons = answer["instance"]["daemonHealth"]["allDaemonStatuses"] if answer else []
    return bool(daemons) and all(d["lastHeartbeatTime"] for d in daemons if d["required"])


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "CDM_HOME": str(tmp_path / "home"), "CDM_LANDING_URL": str(tmp_path / "landing")}


def test_ui_and_daemon_serve_the_code_location_until_ctrl_c(
    environment: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    up = subprocess.Popen(
        [sys.executable, "-m", "cdm_pipelines.cli", "up", "--port", str(port)], env=environment
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while not serves(answer := ask(port)):
            assert up.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        started = psutil.Process(up.pid).children(recursive=True)
        up.send_signal(signal.SIGINT)
        assert up.wait(timeout=PATIENCE) == 0
    finally:
        up.terminate()
        up.wait()
    (repository,) = answer["repositoriesOrError"]["nodes"]
    assert repository["location"]["name"] == "cdm_pipelines"
    assert {"customers", "ingest_crm"} < {job["name"] for job in repository["jobs"]}
    assert len(started) >= 3
    assert psutil.wait_procs(started, timeout=20)[1] == []
    assert EmbeddedServer(tmp_path / "home").postmaster() is None


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
