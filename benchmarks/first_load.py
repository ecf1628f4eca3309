"""One measured run: a first load, an unchanged rerun, Splink, and the quality of both.

Belongs here: the stages in their order, each in a fresh process. Does not belong here: what a stage does (stages).
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks import peers
from benchmarks.extracts import Extracts
from benchmarks.machine import busy_seconds
from benchmarks.meter import Usage, environment, measure
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.hub.server import EmbeddedServer
from cdm_pipelines.settings import Settings, load_settings, root
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

STATE_STAGES = ("records party", "records order", "link", "stage", "publish")


@dataclass(frozen=True)
class Measured:
    """A stage, what it needed and what it counted."""

    name: str
    usage: Usage
    counts: dict[str, object]


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        others: Cores that work of others kept busy meanwhile, on average; more than a little makes seconds too high.
        first: Stages of the first load.
        again: Stages of the rerun on unchanged extracts.
        linking: Splink, where it was measured.
        quality: Measures by system and kind of party.
    """

    others: float
    first: tuple[Measured, ...]
    again: tuple[Measured, ...]
    linking: peers.Linking | None
    quality: dict[str, dict[str, dict[str, float]]]

    @property
    def seconds(self) -> float:
        """Of the first load."""
        return sum(stage.usage.seconds for stage in self.first)


class Bench:
    """Runs the stages on a fresh home folder below ``out``.

    Args:
        made: Extracts to load.
        out: Folder for the home, logs and results.
        python: Python of Splink's environment; None to leave Splink out.
        tell: Gets a line after each stage.
    """

    def __init__(self, made: Extracts, out: Path, python: Path | None, tell: Callable[[str], None]) -> None:
        self._made, self._out, self._python, self._tell = made, out, python, tell
        self._home = out / "home"
        self._settings = load_settings(
            home=self._home,
            landing_url=str(made.landing),
            lake_url=str(self._home / "lake"),
            database_url=None,  # the user's own database is none of ours
            policies=Settings.model_fields["policies"].default,
        )
        self._server = EmbeddedServer(self._home, programs=self._settings.postgres_bin)

    def run(self) -> Run:
        """Measure once.

        Raises:
            StageError: A stage failed.
        """
        self._server.stop()
        for folder in (self._home, self._out / "log", self._out / "splink"):
            shutil.rmtree(folder, ignore_errors=True)
        self._home.mkdir(parents=True)
        (self._out / "log").mkdir()
        started, busy, own = time.perf_counter(), busy_seconds(), time.process_time()
        hub = self._measure("hub", "hub")
        with self._server.running():
            first = [hub, *(self._measure(f"day {name}", "day", name) for name in self._made.sources)]
            first += [self._measure(name, name) for name in STATE_STAGES]
            again = [self._measure(name, name, note=" again") for name in STATE_STAGES]
            linking = self._splink()
            folders = sorted((self._out / "splink").glob("0.*"))
            quality = self._measure("quality", "quality", str(self._made.truth), *map(str, folders))
        usages = [stage.usage for stage in (*first, *again, quality)] + ([linking.usage] if linking else [])
        ours = sum(u.cpu_seconds + u.database_cpu_seconds for u in usages) + time.process_time() - own
        others = max(0.0, busy_seconds() - busy - ours) / (time.perf_counter() - started)
        return Run(others, tuple(first), tuple(again), linking, quality.counts)  # type: ignore[arg-type]

    def _measure(self, name: str, stage: str, *arguments: str, note: str = "") -> Measured:
        result = self._out / "log" / f"{name}{note}.json"
        usage = measure(
            [sys.executable, "-m", "benchmarks", "stage", str(result), stage, *arguments],
            environment(**self._settings.environment(), PYTHONPATH=str(root())),
            result.with_suffix(".log"),
            self._postgres,
        )
        self._tell(_line(f"{name}{note}", usage))
        return Measured(name, usage, json.loads(result.read_text(encoding="utf-8")))

    def _splink(self) -> peers.Linking | None:
        if self._python is None:
            return None
        party = self._out / "party.parquet"
        pq.write_table(tables.records(Lake(self._settings.lake_url), Entity.PARTY).read(), party)
        linking = peers.splink(self._python, party, self._out / "splink", self._out / "log" / "splink.log")
        self._tell(_line("Splink linking", linking.usage))
        return linking

    def _postgres(self) -> int | None:
        found = self._server.postmaster()
        return found.pid if found else None


def _line(name: str, usage: Usage) -> str:
    return (
        f"{name:20} {usage.seconds:7.1f} s {usage.cpu_seconds:7.1f} s CPU {usage.peak_bytes / 2**20:7,.0f} MiB"
        f"   PostgreSQL {usage.database_cpu_seconds:6.1f} s CPU {usage.database_bytes / 2**20:6,.0f} MiB"
    )
