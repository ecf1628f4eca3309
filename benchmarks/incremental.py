"""``python -m benchmarks incremental``: what a night costs on which little changed, beside a full rebuild.

Belongs here: the nights in their order, and that they come to the same. Does not belong here: what changes (deltas),
how a home with a first load is made (homes), the document (incremental_document).
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

from benchmarks import deltas, extracts, results
from benchmarks.extracts import Extracts
from benchmarks.homes import copied, loaded, settings_of
from benchmarks.incremental_document import Night, Share, Size
from benchmarks.machine import busy_seconds, machine, versions
from benchmarks.meter import StageError, Usage, environment, measure
from cdm_pipelines.hub.server import EmbeddedServer
from cdm_pipelines.settings import Settings, root

SIZES = (100_000, 1_000_000)
SHARES = (0.01, 0.001)
_MADE = ("records", "link")  # folders of the lake that a night makes


class UnequalError(Exception):
    """Two nights did not come to the same; the message says where they differ."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks incremental", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--records", type=int, nargs="+", default=list(SIZES), help="sizes (%(default)s)")
    parser.add_argument("--shares", type=float, nargs="+", default=list(SHARES), help="changed (%(default)s)")
    parser.add_argument("--out", type=Path, default=root() / "benchmarks" / "out")
    options = parser.parse_args(arguments)
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    try:
        for records in sorted(options.records):
            size = measured(records, options.shares, out)
            note = out / f"figures-incremental-{records}.json"
            note.write_text(json.dumps(asdict(size), indent=1), encoding="utf-8")
    except (StageError, UnequalError) as error:
        _tell(str(error))
        return 1
    notes = sorted(out.glob("figures-incremental-*.json"), key=lambda path: int(path.stem.rpartition("-")[2]))
    figures = {
        "facts": machine() | versions(),
        "sizes": [json.loads(note.read_text(encoding="utf-8")) for note in notes],
    }
    whole = max(options.records) >= min(SIZES)
    (told, *_) = results.publish("incremental", figures, committed=whole, out=out)
    sys.stdout.write(told.read_text(encoding="utf-8"))
    return 0


def measured(records: int, shares: Sequence[float], out: Path) -> Size:
    """All nights on about that many records.

    Raises:
        StageError: A stage failed.
        UnequalError: The outcome of a night is not that of a rebuild, or an unchanged night changed something.
    """
    made = extracts.make(records, out)
    home = out / f"loaded-{records}"
    loaded(records, home, out, _tell)
    return Size(made.records, made.customers, tuple(_share(made, share, home, out) for share in shares))


def _share(made: Extracts, share: float, home: Path, out: Path) -> Share:
    """The nights after one delta."""
    landing = out / "delta"
    shutil.rmtree(landing, ignore_errors=True)
    rows = deltas.deliver(made, share, landing)
    work, twin = out / "incremental", out / "rebuilt"
    settings = copied(home, work)
    with EmbeddedServer(work, programs=settings.postgres_bin).running():
        _staged(settings_of(work, landing), "day", deltas.SOURCE, deltas.NEXT_DAY, deltas.ENTITY)
    copied(work, twin)
    full = _night(twin, f"{rows:,} changed, full", "rebuild")
    night = _night(work, f"{rows:,} changed")
    before = _files(settings)
    again = _night(work, "unchanged")
    untouched = _files(settings) == before
    check = _night(work, "rebuilt after it", "rebuild")
    nights = Share(share, rows, full, night, again)
    require_equal(nights, check, untouched=untouched)
    return nights


def require_equal(share: Share, check: Night, *, untouched: bool) -> None:
    """Nights after one delta have to come to the same.

    Args:
        share: The nights.
        check: A rebuild after them.
        untouched: Whether the unchanged night left the lake as it was.

    Raises:
        UnequalError: They did not.
    """
    rows, again = share.rows, share.again
    if any(again.published.values()) or any(again.identity.values()):
        raise UnequalError(f"An unchanged night changed something: {again.published}, {again.identity}")
    if not untouched:
        raise UnequalError("An unchanged night wrote files of records or linkage")
    if any(check.published.values()):
        raise UnequalError(f"A rebuild after {rows:,} changes published others: {check.published}")
    if share.full.published != share.night.published:
        raise UnequalError(
            f"A rebuild published {share.full.published}, the night itself {share.night.published}"
        )


def _night(home: Path, name: str, *arguments: str) -> Night:
    """One night in a process of its own, when the disk has taken what was written before it."""
    settings = settings_of(home)
    os.sync()
    with EmbeddedServer(home, programs=settings.postgres_bin).running():
        started, busy, own = time.perf_counter(), busy_seconds(), time.process_time()
        usage, counts = _staged(settings, "night", *arguments)
        ours = usage.cpu_seconds + usage.database_cpu_seconds + time.process_time() - own
        others = max(0.0, busy_seconds() - busy - ours) / (time.perf_counter() - started)
    steps = {step: float(seconds) for step, seconds in counts.pop("seconds").items()}
    _tell(
        f"{name}: "
        + ", ".join(f"{step} {seconds:.1f}" for step, seconds in steps.items())
        + f", together {sum(steps.values()):.1f} s"
    )
    return Night(
        steps=steps,
        seconds=usage.seconds,
        cpu_seconds=usage.cpu_seconds + usage.database_cpu_seconds,
        peak_bytes=usage.peak_bytes,
        database_bytes=usage.database_bytes,
        others=others,
        **counts,
    )


def _staged(settings: Settings, *stage: str) -> tuple[Usage, dict[str, Any]]:
    """Run a stage on a home whose server runs."""
    home = settings.home
    result = home / "result.json"
    server = EmbeddedServer(home, programs=settings.postgres_bin)

    def postmaster() -> int | None:
        found = server.postmaster()
        return found.pid if found else None

    usage = measure(
        [sys.executable, "-m", "benchmarks", "stage", str(result), *stage],
        environment(**settings.environment(), PYTHONPATH=str(root())),
        home / f"{' '.join(stage)}.log",
        postmaster,
    )
    return usage, json.loads(result.read_text(encoding="utf-8"))


def _files(settings: Settings) -> dict[str, tuple[int, int]]:
    """Time and size of each file that a night makes in the lake."""
    lake = Path(settings.lake_url)
    files = (path for name in _MADE for path in (lake / name).rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
