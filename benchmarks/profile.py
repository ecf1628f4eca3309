"""``python -m benchmarks profile``: what the profile of a million customers costs, and a night on which little changed.

Belongs here: the stages in their order, each measured in a process of its own. Does not belong here: the stages
(``profile_stages``), what they work on (``profile_inputs``), the document (``profile_document``).
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.homes import copied, settings_of
from benchmarks.machine import busy_seconds, machine, versions
from benchmarks.meter import StageError, environment, measure
from benchmarks.profile_document import FULL, Run, Size
from cdm_pipelines.hub.server import EmbeddedServer
from cdm_pipelines.settings import Settings, root

SIZES = (200_000, FULL)
_SHARE = 0.01
_NOTE = "made.json"


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks profile", description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, nargs="+", default=list(SIZES), help="sizes (%(default)s)")
    parser.add_argument("--share", type=float, default=_SHARE, help="of them changed at night (%(default)s)")
    parser.add_argument("--out", type=Path, default=root() / "benchmarks" / "out")
    options = parser.parse_args(arguments)
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    try:
        sizes = [measured(customers, options.share, out) for customers in sorted(options.customers)]
    except StageError as error:
        _tell(str(error))
        return 1
    figures = {"facts": machine() | versions(), "sizes": [asdict(size) for size in sizes]}
    (told, *_) = results.publish("profile", figures, committed=max(options.customers) >= FULL, out=out)
    sys.stdout.write(told.read_text(encoding="utf-8"))
    return 0


def measured(customers: int, share: float, out: Path) -> Size:
    """The first profile of so many customers, and the nights after it.

    Raises:
        StageError: A stage failed.
    """
    home = made(customers, out)
    work = out / "profile"
    copied(home, work)
    counted, _ = _run(work, "count")
    first, said = _run(work, "run")
    nights = {}
    for number, name in enumerate(("customers", "customers and interactions"), start=1):
        _run(work, "night", str(share), str(customers), str(number), "interactions" if number == 2 else "")
        nights[name] = Run(*_run(work, "run"))
    rows = json.loads((home / _NOTE).read_text(encoding="utf-8"))
    return Size(customers, share, rows, counted, Run(first, said), nights)


def made(customers: int, out: Path) -> Path:
    """The home of so many customers before their first profile, kept for the next measurement.

    Raises:
        StageError: It could not be made.
    """
    home = out / f"profile-{customers}"
    if not (home / _NOTE).exists():
        EmbeddedServer(home, programs=settings_of(home).postgres_bin).stop()
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        run = _run(home, "make", str(customers))[1]
        (home / _NOTE).write_text(json.dumps(run["rows"]), encoding="utf-8")
    return home


def _run(home: Path, name: str, *arguments: str) -> tuple[dict[str, float], dict[str, Any]]:
    """One stage of profiles on a home."""
    return staged(settings_of(home), f"profile {name}", *arguments)


def staged(settings: Settings, name: str, *arguments: str) -> tuple[dict[str, float], dict[str, Any]]:
    """One stage on a home, in a process of its own: what it needed, and what it says.

    Raises:
        StageError: It failed.
    """
    home = settings.home
    result = home / "result.json"
    server = EmbeddedServer(home, programs=settings.postgres_bin)

    def postmaster() -> int | None:
        found = server.postmaster()
        return found.pid if found else None

    os.sync()  # or the disk would still be busy with what was written before
    with server.running():
        started, busy, own = time.perf_counter(), busy_seconds(), time.process_time()
        usage = measure(
            [sys.executable, "-m", "benchmarks", "stage", str(result), name, *arguments],
            environment(**settings.environment(), PYTHONPATH=str(root())),
            home / f"{name}.log",
            postmaster,
        )
        ours = usage.cpu_seconds + usage.database_cpu_seconds + time.process_time() - own
        others = max(0.0, busy_seconds() - busy - ours) / (time.perf_counter() - started)
    needed = {**asdict(usage), "others": others}
    _tell(f"{home.name}: {name}, {usage.seconds:.1f} s, {usage.peak_bytes / 2**30:.2f} GiB")
    return needed, json.loads(result.read_text(encoding="utf-8"))


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
