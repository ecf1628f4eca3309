"""`cdm up` as a process, what a browser would ask of it, and what it holds.

Belongs here: starting it, having it work, counting connections, threads, handles and memory. Does not belong here: how
long, and what is made of the figures (soak, tests).
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

import psutil
import psycopg

from cdm_pipelines.hub.server import EmbeddedServer

PATIENCE = 240.0
POOLED = 5
"""Threads that pools of gRPC and of Dagster may start late; a thread per run would be 20."""
REPOSITORY = {"repositoryLocationName": "cdm_pipelines", "repositoryName": "__repository__"}
EVALUATE = """mutation ($sensor: SensorSelector!) {
  sensorDryRun(selectorData: $sensor, cursor: "") {
    __typename ... on DryRunInstigationTick { evaluationResult { error { message } } }
  }
}"""
LAUNCH = """mutation ($run: ExecutionParams!) { launchRun(executionParams: $run) { __typename } }"""
RUNS = "{ runsOrError { ... on Runs { results { status } } } }"
SENSORS = ("landing_crm", "landing_erp", "landing_shop")
HEALTH = "{ instance { daemonHealth { allDaemonStatuses { daemonType required lastHeartbeatTime } } } }"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Served:
    """UI, daemon, code server and console of one home."""

    process: subprocess.Popen[bytes]
    port: int
    console_port: int
    output: IO[bytes]

    @property
    def printed(self) -> str:
        """What it said so far, on one line."""
        return " ".join(os.pread(self.output.fileno(), 1 << 20, 0).decode().split())

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> Any:
        """What GraphQL answers; None while nobody listens."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            data=json.dumps({"query": query, "variables": variables or {}}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        except OSError:
            return None

    def serves(self) -> bool:
        """Whether all its daemons live."""
        answer = self.ask(HEALTH)
        daemons = answer["instance"]["daemonHealth"]["allDaemonStatuses"] if answer else []
        well = bool(daemons) and all(d["lastHeartbeatTime"] for d in daemons if d["required"])
        return well and self.console_is_ready()

    def console_is_ready(self) -> bool:
        """Whether the console answers, and its hub."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.console_port}/ready", timeout=60) as answer:
                return bool(json.load(answer)["ready"])
        except OSError:
            return False

    def children(self) -> list[psutil.Process]:
        """Its processes, and theirs."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=PATIENCE)


@contextmanager
def served(environment: Mapping[str, str] | None = None) -> Iterator[Served]:
    """`cdm up`, from the moment that all its daemons live."""
    port, console_port = free_port(), free_port()
    output = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
    up = subprocess.Popen(
        [sys.executable, "-m", "cdm_pipelines.cli", "up", "--port", str(port)],
        env={**(environment or os.environ), "CDM_CONSOLE_URL": f"http://127.0.0.1:{console_port}"},
        stdout=output,
    )
    platform = Served(up, port, console_port, output)
    try:
        deadline = time.monotonic() + PATIENCE
        while not platform.serves():
            assert up.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield platform
    finally:
        up.terminate()
        up.wait()
        output.close()


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
        evaluate(platform, SENSORS[number % len(SENSORS)])
    deadline = time.monotonic() + PATIENCE
    while finished(platform) < before + jobs:
        assert time.monotonic() < deadline
        time.sleep(1)


def evaluate(platform: Served, sensor: str) -> None:
    """Evaluate a sensor once, as the daemon does, without what follows from it."""
    answer = platform.ask(EVALUATE, {"sensor": {**REPOSITORY, "sensorName": sensor}})
    assert answer["sensorDryRun"]["__typename"] == "DryRunInstigationTick", answer
    assert answer["sensorDryRun"]["evaluationResult"]["error"] is None, answer


def finished(platform: Served) -> int:
    """How many runs have ended well; none may have failed."""
    results: list[dict[str, Any]] = platform.ask(RUNS)["runsOrError"]["results"]
    assert not [run for run in results if run["status"] == "FAILURE"]
    return sum(run["status"] == "SUCCESS" for run in results)
