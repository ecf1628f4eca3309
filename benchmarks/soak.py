"""``python -m benchmarks soak``: does anything grow while the daemon runs?

Belongs here: a platform that works as hard as it can for hours, what it holds meanwhile, and the picture. Does not
belong here: starting it and counting (``served``).

Sensors are evaluated one after another without a pause, days of extracts arrive all the time, and runs follow. What is
held is looked at while nothing else is asked, so that two looks can be compared.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar

import psutil
import psycopg

from benchmarks.machine import machine
from benchmarks.served import SENSORS, Served, evaluate, finished, served
from cdm_demo import generate
from cdm_pipelines.hub.server import EmbeddedServer
from cdm_pipelines.settings import root

RESULTS = root() / "benchmarks" / "results" / "soak.json"
PICTURE = root() / "docs" / "how-to" / "soak.svg"
T = TypeVar("T")
_CUSTOMERS, _SEED = 300, 7
_BETWEEN_DAYS = 60.0  # seconds


@dataclass(frozen=True)
class Look:
    """What the platform held at a moment.

    Attributes:
        minutes: Since it began.
        evaluations: Of sensors, so far.
        runs: That have ended, so far.
        connections: To the database.
        threads: Of all its processes but PostgreSQL's.
        handles: Open files, sockets and pipes of those.
        processes: How many those are.
        memory: What those hold by themselves, in MB.
        database: Size of the database, in MB.
        lake: Size of the lake, in MB.
        files: Files under CDM_HOME but the database's.
        temporary: Files of ours in the folder for temporary files.
    """

    minutes: float
    evaluations: int
    runs: int
    connections: int
    threads: int
    handles: int
    processes: int
    memory: float
    database: float
    lake: float
    files: int
    temporary: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak, write its figures and the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument(
        "--out", type=Path, default=None, help="folder for figures and picture; default: where committed"
    )
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        looks = soak(Path(folder), given.minutes)
    results = RESULTS if given.out is None else given.out / RESULTS.name
    picture = PICTURE if given.out is None else given.out / PICTURE.name
    content = {"machine": machine(), "looks": [asdict(look) for look in looks]}
    results.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    picture.write_text(svg(looks), encoding="utf-8")
    sys.stderr.write(f"written: {results}, {picture}\n")
    return 0


def soak(folder: Path, minutes: float) -> list[Look]:
    """Have a platform work for so many minutes; returns what it held, about once a minute."""
    home, landing = folder / "home", folder / "landing"
    days = round(minutes * 60 / _BETWEEN_DAYS) + 2
    generate(customers=_CUSTOMERS, days=days, seed=_SEED, out=folder / "company")
    arriving = sorted({path.stem for path in (folder / "company" / "landing").rglob("*.*")})
    landing.mkdir()
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = {
        **os.environ,
        "CDM_HOME": str(home),
        "CDM_LANDING_URL": str(landing),
        "TMPDIR": str(temporary),
    }
    looks: list[Look] = []
    with served(environment) as platform:
        begun = time.monotonic()
        done = 0
        next_day, day = 0.0, 0
        while (passed := time.monotonic() - begun) < minutes * 60:
            if passed >= next_day and day < len(arriving):
                _arrive(folder / "company" / "landing", landing, arriving[day])
                day, next_day = day + 1, next_day + _BETWEEN_DAYS
                looks.append(_look(platform, home, temporary, passed / 60, done))
                last = looks[-1]
                sys.stderr.write(f"{last}\n")
            evaluate(platform, SENSORS[done % len(SENSORS)])
            done += 1
    return looks


def _arrive(company: Path, landing: Path, day: str) -> None:
    for path in company.rglob(f"{day}.*"):
        target = landing / path.relative_to(company)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def _look(platform: Served, home: Path, temporary: Path, minutes: float, evaluations: int) -> Look:
    with psycopg.connect(EmbeddedServer(home).url()) as connection:
        (counted,) = connection.execute(
            "SELECT count(*) FILTER (WHERE client_port IS NOT NULL), pg_database_size(current_database()) / 1e6 "
            "FROM pg_stat_activity"
        ).fetchall()
    connections, database = counted
    processes = [one for one in platform.children() if "postgres" not in _told(one, psutil.Process.name, "")]
    lake = [path.stat().st_size for path in (home / "lake").rglob("*") if path.is_file()]
    own = [path for path in home.rglob("*") if "postgres" not in path.relative_to(home).parts]
    return Look(
        minutes=round(minutes, 2),
        evaluations=evaluations,
        runs=finished(platform),
        connections=int(connections),
        threads=sum(_told(one, psutil.Process.num_threads, 0) for one in processes),
        handles=sum(_told(one, psutil.Process.num_fds, 0) for one in processes),
        processes=len(processes),
        memory=round(sum(_told(one, _own_memory, 0.0) for one in processes), 1),
        database=round(float(database), 1),
        lake=round(sum(lake) / 1e6, 1),
        files=sum(path.is_file() for path in own),
        temporary=sum(path.is_file() for path in temporary.rglob("*")),
    )


def _own_memory(process: psutil.Process) -> float:
    return float(process.memory_full_info().uss) / 1e6


def _told(process: psutil.Process, ask: Callable[[psutil.Process], T], gone: T) -> T:
    """What a process tells, unless it has ended meanwhile."""
    try:
        return ask(process)
    except psutil.NoSuchProcess:
        return gone


_WIDTH, _HEIGHT, _LEFT = 380, 96, 60
_CHARTS = tuple(field.name for field in fields(Look) if field.name != "minutes")


def svg(looks: Sequence[Look]) -> str:
    """A small line for each figure, all over the same hours."""
    rows = (len(_CHARTS) + 1) // 2
    shapes = [_chart(looks, name, index) for index, name in enumerate(_CHARTS)]
    size = f"{2 * _WIDTH} {rows * _HEIGHT + 24}"
    last = max(look.minutes for look in looks)
    foot = f'<text x="{_LEFT}" y="{rows * _HEIGHT + 14}" font-size="11" fill="#555">{last:.0f} minutes</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(shapes)}{foot}</svg>\n'
    )


def _chart(looks: Sequence[Look], name: str, index: int) -> str:
    left, top = (index % 2) * _WIDTH + _LEFT, (index // 2) * _HEIGHT + 8
    width, height = _WIDTH - _LEFT - 16, _HEIGHT - 34
    values = [float(getattr(look, name)) for look in looks]
    most, last = max([*values, 1.0]), max([look.minutes for look in looks] + [1.0])
    points = " ".join(
        f"{left + width * look.minutes / last:.1f},{top + 16 + height * (1 - value / most):.1f}"
        for look, value in zip(looks, values, strict=True)
    )
    return (
        f'<text x="{left}" y="{top + 8}" font-size="12" fill="#222">{name}</text>'
        f'<text x="{left - 6}" y="{top + 24}" font-size="10" fill="#777" text-anchor="end">{most:,.0f}</text>'
        f'<text x="{left - 6}" y="{top + 18 + height}" font-size="10" fill="#777" text-anchor="end">0</text>'
        f'<path d="M{left} {top + 16 + height}h{width}" stroke="#ccc"/>'
        f'<polyline points="{points}" fill="none" stroke="#2a6fb0" stroke-width="1.5"/>'
    )
