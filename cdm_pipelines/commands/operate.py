"""``cdm up``, ``cdm check``, ``cdm doctor`` and ``cdm dagster``: running and inspecting the platform.

Belongs here: starting processes and telling what is well and what is not.
"""

import datetime as dt
import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Self
from urllib.parse import urlsplit

import typer

from cdm_pipelines.commands.terminal import (
    DONE,
    FAILED,
    REFUSED,
    console,
    errors,
    fail,
    settings,
    show_findings,
    told_to_people,
)
from cdm_pipelines.settings import Settings
from cdm_pipelines.store.files import FILE_MODE, make_folder

if TYPE_CHECKING:
    from sqlalchemy import Connection

STOP_SECONDS = 20
LOCK = "dagster/up.lock"
"""Under ``CDM_HOME``: held by ``cdm up`` and by each process that it started, whose numbers it holds."""


def up(
    port: Annotated[
        int, typer.Option(help="Port of Dagster's UI; the console's is in CDM_CONSOLE_URL.")
    ] = 3000,
    host: Annotated[
        str, typer.Option(help="Address that the UI listens on; it has no access control.")
    ] = "127.0.0.1",
    *,
    console_too: Annotated[
        bool, typer.Option("--console/--no-console", help="Whether the console is served as well.")
    ] = True,
) -> None:
    """Start Dagster's UI and daemon (schedules and sensors live) and the console, until Ctrl-C."""
    from cdm_pipelines.components.session import open_platform  # noqa: PLC0415
    from cdm_pipelines.contracts.catalogue import DEFS  # noqa: PLC0415
    from cdm_pipelines.contracts.source_declaration import declared_soundly  # noqa: PLC0415

    own = settings()
    if (own.home / LOCK).exists():  # before its ports are found in use: another port would be no help
        with _only_one(own.home):
            pass
    if reason := _unusable(host, port):
        fail(f"Port {port} of {host} cannot be used: {reason}. Choose another with --port.", FAILED)
    console_port = urlsplit(own.console_url).port or 0
    if console_too and (reason := _unusable("127.0.0.1", console_port)):
        fail(
            f"Port {console_port} for the console cannot be used: {reason}. Choose another in CDM_CONSOLE_URL, or "
            "leave the console out with --no-console.",
            FAILED,
        )
    with told_to_people():
        declared_soundly(DEFS)
    with (
        told_to_people(),
        _only_one(own.home) as lock,
        open_platform(own),
        tempfile.TemporaryDirectory(prefix="cdm-") as folder,
        _Processes(lock) as processes,
    ):
        address, workspace = Path(folder) / "code.sock", Path(folder) / "workspace.yaml"
        workspace.write_text(_WORKSPACE.format(socket=address), encoding="utf-8")
        processes.start("code server", *_CODE_SERVER, "--socket", str(address))
        console.print("Loading the code location …")
        if processes.wait(until=address.exists):
            processes.start("daemon", "dagster._daemon", "run", "-w", str(workspace))
            processes.start("UI", "dagster_webserver", "-w", str(workspace), "-h", host, "-p", str(port))
            if console_too:
                local = [] if own.oidc_issuer else ["--local"]
                processes.start("console", "cdm_pipelines.cli", "serve", *local)
            if processes.wait(until=lambda: _answers(host, port)):
                console.print(f"Dagster UI on http://{host}:{port} (Ctrl-C stops it)", markup=False)
                processes.wait(until=lambda: False)
    raise typer.Exit(FAILED if processes.ended else DONE)


@contextmanager
def _only_one(home: Path) -> Iterator[IO[str]]:
    """Be the only ``cdm up`` of a home: of two daemons each would start the runs of every schedule and sensor."""
    make_folder((home / LOCK).parent)
    with os.fdopen(os.open(home / LOCK, os.O_RDWR | os.O_CREAT, FILE_MODE), "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            numbers = " ".join(number for number in lock.read().split() if Path(f"/proc/{number}").exists())
            fail(
                f"`cdm up` works on {home} already: end it with Ctrl-C where it was started. Where nothing is seen of "
                f"it, since it was killed, what it started works on: `kill {numbers}` ends that.",
                FAILED,
            )
        lock.truncate()
        yield lock


def _unusable(host: str, port: int) -> str:
    """Why no server can listen there; "" when one can."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return ""
    except OSError as error:
        return str(error.strerror)


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


_CODE_SERVER = (
    "dagster",
    "code-server",
    "start",
    "-m",
    "cdm_pipelines.definitions",
    "--location-name",
    "cdm_pipelines",
)
_WORKSPACE = """\
load_from:
  - grpc_server:
      socket: {socket}
      location_name: cdm_pipelines
"""
"""One code server for UI and daemon: each would start its own, the daemon a new one every minute."""


class _Processes:
    """Processes that belong together: when one ends, on Ctrl-C or when the terminal is closed, all are stopped.

    Args:
        lock: Held by each of them too, and told their numbers.
    """

    def __init__(self, lock: IO[str]) -> None:
        self._lock = lock
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.ended = ""

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):  # also where a script's & made it deaf to the first
            signal.signal(number, _interrupt)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(signal.SIGHUP, _interrupt)
        return self

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start a Python module, out of reach of the terminal's Ctrl-C: ``__exit__`` stops it in order."""
        command = [sys.executable, "-m", module, *arguments]
        self._running[name] = process = subprocess.Popen(  # noqa: S603 - our own arguments
            command, start_new_session=True, pass_fds=(self._lock.fileno(),)
        )
        self._lock.write(f"{process.pid}\n")
        self._lock.flush()

    def wait(self, until: Callable[[], bool]) -> bool:
        """Wait for a condition; returns whether it came before one of the processes ended."""
        while not until():
            for name, process in self._running.items():
                if process.poll() is not None:
                    self.ended = name
                    errors.print(f"The {name} ended with exit code {process.returncode}.", style="red")
                    return False
            time.sleep(0.2)
        return True

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> bool:
        """Stop what was started last first; a second Ctrl-C does not leave half of it behind."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        with suppress(OSError, SystemExit):  # the terminal may be gone
            console.print("Stopping …")
        for process in reversed(self._running.values()):
            process.send_signal(signal.SIGINT)
            deadline = time.monotonic() + STOP_SECONDS
            while _lives(process) and time.monotonic() < deadline:
                time.sleep(0.05)
            if _lives(process):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return kind is KeyboardInterrupt


def _lives(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process or any that it started is there: each of them uses the database."""
    if process.poll() is None:
        return True
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):  # the latter is what some systems say of the dead
        return False
    return True


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def dagster(context: typer.Context) -> None:
    """Run any Dagster command on this instance, for example `cdm dagster run list`."""
    from cdm_pipelines.components.session import open_platform  # noqa: PLC0415

    with told_to_people(), open_platform(settings()):
        code = subprocess.run([sys.executable, "-m", "dagster", *context.args], check=False).returncode  # noqa: S603 - the user's own command
    raise typer.Exit(code)


def check(
    write: Annotated[
        bool,
        typer.Option("--write", help="Write docs/reference: data dictionary and register of places, anew."),
    ] = False,
) -> None:
    """Check contracts, policies, the data dictionary and the register of places without running anything."""
    from cdm_pipelines.steps.operate.checkup import check_configuration, remarks  # noqa: PLC0415

    own = settings()
    problems = check_configuration(own, write=write)
    for remark in remarks(own, dt.datetime.now(dt.UTC).date()):
        errors.print(f"! {remark}", style="yellow", markup=False)
    for problem in problems:
        errors.print(f"✗ {problem}", style="red", markup=False)
    if problems:
        raise typer.Exit(REFUSED)
    console.print("✓ contracts, policies, data dictionary and register are in order")


@contextmanager
def _migrated(own: Settings) -> "Iterator[Connection]":
    from cdm_pipelines.hub.connection import open_hub  # noqa: PLC0415
    from cdm_pipelines.steps.privacy.migrated import bring_up  # noqa: PLC0415

    with open_hub(own) as engine:
        bring_up(engine, own)
        with engine.connect() as connection:
            yield connection


def doctor() -> None:
    """Try everything the pipeline needs and say what to do about what is missing."""
    from cdm_pipelines.steps.operate.checkup import examine  # noqa: PLC0415

    findings = examine(own := settings(), lambda: _migrated(own))
    show_findings("Platform", findings)
    if not all(f.well for f in findings):
        fail("Something needs attention.", FAILED)
