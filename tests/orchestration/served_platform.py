"""`cdm up` as a process, and what a browser would ask of it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil

PATIENCE = 240.0
HEALTH = "{ instance { daemonHealth { allDaemonStatuses { daemonType required lastHeartbeatTime } } } }"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Served:
    """UI, daemon and code server of one home."""

    process: subprocess.Popen[bytes]
    port: int

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
        answer = self.ask(HEALTH)
        daemons = answer["instance"]["daemonHealth"]["allDaemonStatuses"] if answer else []
        return bool(daemons) and all(d["lastHeartbeatTime"] for d in daemons if d["required"])

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=PATIENCE)


@contextmanager
def served(environment: Mapping[str, str] | None = None) -> Iterator[Served]:
    """`cdm up`, from the moment that all its daemons live."""
    port = free_port()
    up = subprocess.Popen(
        [sys.executable, "-m", "cdm_pipelines.cli", "up", "--port", str(port)],
        env=dict(environment or os.environ),
    )
    platform = Served(up, port)
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
