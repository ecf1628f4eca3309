"""Running a command in a process of its own, with a meter beside it.

Belongs here: seconds and memory of a process with all its descendants, and of PostgreSQL. Does not belong here: what
runs.
"""

import os
import resource
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

EVERY = 0.05
"""Seconds between two looks at the memory."""
_GIB = 2**30
_GONE_WITHIN = 10.0  # seconds; a process that is killed may still have much memory to give back
_NEW_PROCESSES_EVERY = 0.25  # seconds; a look for new processes reads all of the system's


class StageError(Exception):
    """A process failed; the message says which, and what it said last."""


class LimitError(StageError):
    """A process was ended because it took too long or too much; the message says after how long, and at how much."""


@dataclass(frozen=True)
class Usage:
    """What a process needed.

    Attributes:
        seconds: From start to end, as a clock on the wall tells.
        cpu_seconds: Of the process and its descendants, on all cores together.
        peak_bytes: Most resident memory of the process and its descendants at one time.
        database_cpu_seconds: Of PostgreSQL's processes meanwhile.
        database_bytes: Most memory of PostgreSQL's processes at one time; what they share counts once.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    database_cpu_seconds: float = 0.0
    database_bytes: int = 0


def measure(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    database: Callable[[], int | None] = lambda: None,
    *,
    limit: float | None = None,
    most: int | None = None,
) -> Usage:
    """Run a command to its end and measure it.

    Args:
        command: Program and arguments.
        environment: All of its variables.
        log: File for what it prints.
        database: Gives the process number of PostgreSQL while it runs.
        limit: Seconds after which it is ended, with its descendants.
        most: Bytes of resident memory above which it is ended likewise.

    Raises:
        LimitError: It was ended.
        StageError: The command failed.
    """
    server = _Tree(database())
    before, server_before = _cpu_of_children(), sum(server.cpu_seconds_each(with_ended=True).values())
    started = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            command, env=dict(environment), stdout=output, stderr=subprocess.STDOUT
        )
        with process:
            own = _Tree(process.pid)
            used: dict[int, float] = {}
            peak = database_peak = 0
            while process.poll() is None:
                server.root = database()
                peak = max(peak, own.resident())
                taken = time.perf_counter() - started
                if (limit is not None and taken > limit) or (most is not None and peak > most):
                    own.end()
                    raise LimitError(f"ended at {peak / _GIB:.1f} GiB of memory after {taken:,.0f} seconds")
                used |= own.cpu_seconds_each()
                database_peak = max(database_peak, server.resident(shared_once=True))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(EVERY)
    seconds = time.perf_counter() - started
    if process.returncode:
        last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise StageError(f"{log.stem} failed with code {process.returncode}; its output is in {log}\n{last}")
    # The system tells the seconds of a process only to the parent that waits for it: not those of a fork server's.
    cpu = max(_cpu_of_children() - before, sum(used.values()))
    server_cpu = sum(server.cpu_seconds_each(with_ended=True).values()) - server_before
    return Usage(seconds, cpu, peak, max(0.0, server_cpu), database_peak)


def environment(**variables: str) -> dict[str, str]:
    """The variables of this process, without those of this project, and with the ones given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CDM_", "DAGSTER_"))}
    return kept | variables


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Tree:
    """A process and its descendants."""

    def __init__(self, root: int | None) -> None:
        self.root = root
        self._members: list[psutil.Process] = []
        self._found_for: int | None = None
        self._found_at = 0.0

    def resident(self, *, shared_once: bool = False) -> int:
        """Bytes of resident memory of all of them now."""
        sizes = []
        for member in self._processes():
            with suppress(psutil.Error):
                sizes.append(member.memory_info())
        if not shared_once:
            return sum(size.rss for size in sizes)
        shared = [getattr(size, "shared", 0) for size in sizes]
        return sum(size.rss for size in sizes) - sum(shared) + max(shared, default=0)

    def cpu_seconds_each(self, *, with_ended: bool = False) -> dict[int, float]:
        """Seconds that each has used by now; on demand also those of its children that have ended."""
        used = {}
        for member in self._processes():
            with suppress(psutil.Error):
                times = member.cpu_times()
                ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
                used[member.pid] = times.user + times.system + (ended if with_ended else 0.0)
        return used

    def end(self) -> None:
        """End them all: first each is halted, so that none starts another while the others end."""
        halted: dict[int, psutil.Process] = {}
        while True:
            self._found_for = None
            new = [member for member in self._processes() if member.pid not in halted]
            if not new:
                break
            for member in new:
                halted[member.pid] = member
                with suppress(psutil.Error):
                    member.suspend()
        for member in halted.values():
            with suppress(psutil.Error):
                member.kill()
        psutil.wait_procs(
            [member for pid, member in halted.items() if pid != self.root], timeout=_GONE_WITHIN
        )

    def _processes(self) -> list[psutil.Process]:
        now = time.monotonic()
        if self._found_for != self.root or now - self._found_at > _NEW_PROCESSES_EVERY:
            self._members, self._found_for, self._found_at = [], self.root, now
            with suppress(psutil.Error):
                root = psutil.Process(self.root) if self.root else None
                self._members = [root, *root.children(recursive=True)] if root else []
        return self._members
