"""``cdm up``, ``cdm check``, ``cdm doctor`` and ``cdm dagster``: running and inspecting the platform.

Belongs here: starting processes and telling what is well and what is not.
"""

import os
import signal
import subprocess
import sys
from typing import Annotated

import typer

from cdm_pipelines.commands.terminal import (
    DONE,
    FAILED,
    REFUSED,
    console,
    errors,
    fail,
    settings,
    show,
    told_to_people,
)

STOP_SECONDS = 20


def up(
    port: Annotated[int, typer.Option(help="Port of the UI.")] = 3000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; the UI has no access control.")
    ] = "127.0.0.1",
) -> None:
    """Start Dagster's UI and daemon (schedules and sensors live) until Ctrl-C."""
    from cdm_pipelines.components.session import code_location, open_platform  # noqa: PLC0415

    with told_to_people(), open_platform(settings()):
        location = code_location()
        commands = {
            "UI": ["dagster_webserver", *location, "-h", host, "-p", str(port)],
            "daemon": ["dagster._daemon", "run", *location],
        }
        running = {
            name: subprocess.Popen([sys.executable, "-m", *command], start_new_session=True)  # noqa: S603 - our own arguments
            for name, command in commands.items()
        }
        console.print(f"Dagster UI on http://{host}:{port} (Ctrl-C stops it)", markup=False)
        code = _until_one_ends(running)
    raise typer.Exit(code)


def _until_one_ends(running: dict[str, subprocess.Popen[bytes]]) -> int:
    """Wait for Ctrl-C or the end of a process, then stop all; returns the exit code."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    code = DONE
    try:
        while all(process.poll() is None for process in running.values()):
            try:
                next(iter(running.values())).wait(timeout=1)
            except subprocess.TimeoutExpired:
                continue
        for name, process in running.items():
            if process.poll() is not None:
                errors.print(f"The {name} ended with exit code {process.returncode}.", style="red")
                code = FAILED
    except KeyboardInterrupt:
        console.print("Stopping …")
    for process in running.values():
        process.send_signal(signal.SIGINT)
    for process in running.values():
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    return code


def dagster(context: typer.Context) -> None:
    """Run any Dagster command on this instance, for example `cdm dagster run list`."""
    from cdm_pipelines.components.session import open_platform  # noqa: PLC0415

    with told_to_people(), open_platform(settings()):
        code = subprocess.run([sys.executable, "-m", "dagster", *context.args], check=False).returncode  # noqa: S603 - the user's own command
    raise typer.Exit(code)


def check(
    write: Annotated[bool, typer.Option("--write", help="Write docs/data-dictionary.md anew.")] = False,
) -> None:
    """Check contracts, policies and the data dictionary without running anything."""
    from cdm_pipelines.flows.checkup import check_configuration  # noqa: PLC0415

    problems = check_configuration(settings(), write=write)
    for problem in problems:
        errors.print(f"✗ {problem}", style="red", markup=False)
    if problems:
        raise typer.Exit(REFUSED)
    console.print("✓ contracts, policies and data dictionary are in order")


def doctor() -> None:
    """Try everything the pipeline needs and say what to do about what is missing."""
    from cdm_pipelines.flows.checkup import examine  # noqa: PLC0415

    findings = examine(settings())
    show(
        "Platform",
        [
            {"": "✓" if f.well else "✗", "what": f.what, "finding": f.finding, "what to do": f.fix}
            for f in findings
        ],
    )
    if not all(f.well for f in findings):
        fail("Something needs attention.", FAILED)
