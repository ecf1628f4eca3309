"""Who links what, each in a process of its own with a meter beside it.

Belongs here: the contestants, one linking, repetitions, growth. Does not belong here: how a system is set up (ours,
peer_*), or what is shown (document).
"""

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from benchmarks.linkage.kinds import KINDS
from benchmarks.linkage.sets import DataSet
from benchmarks.meter import StageError, Usage, environment, measure
from cdm_pipelines.linkage.evaluate.measures import evaluate
from cdm_pipelines.settings import root

OURS, SPLINK, GOLDENMATCH, TOOLKIT = "cdm_pipelines", "Splink", "GoldenMatch", "recordlinkage"
COMMAND, PLAIN = "cdm link", "Splink, plain"
"""As a user meets them: the whole command, and a program of Splink's without term frequencies."""
POLICIES = root() / "benchmarks" / "policies"
LEFT_OUT = "left out of this run"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Contestant:
    """A system as it is set up for one run: a variant of the blocking rules, or of its own configuration."""

    system: str
    variant: str = ""

    @property
    def name(self) -> str:
        """As the document shows it."""
        return f"{self.system}, {self.variant}" if self.variant else self.system


@dataclass(frozen=True)
class Limits:
    """What a linking may take before it is ended, with all that it started; none is no limit.

    Attributes:
        seconds: On the wall.
        bytes: Of resident memory.
        left_out: Systems that are not asked, or not for a data set: ``system``, or ``system@records``.
    """

    seconds: float | None = None
    bytes: int | None = None
    left_out: frozenset[str] = frozenset()

    def leaves_out(self, data: DataSet, contestant: Contestant) -> bool:
        """Whether the contestant does not link this data."""
        return not self.left_out.isdisjoint({contestant.system, f"{contestant.system}@{data.rows}"})


@dataclass(frozen=True)
class Linked:
    """One linking.

    Attributes:
        data: Name of the data set.
        contestant: Who linked.
        usage: Of the whole process.
        seconds: From reading the records to clusters written; starting Python and importing not counted.
        counts: Seconds per step, and what else the system says of itself.
        quality: Pairwise precision, recall and F1, B-cubed F1.
        best: The same at the threshold that the truth would choose, and that threshold, where there are others.
        failure: Why there is nothing of all this.
    """

    data: str
    contestant: Contestant
    usage: Usage | None = None
    seconds: float = 0.0
    counts: dict[str, object] = field(default_factory=dict)
    quality: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    failure: str = ""

    @property
    def outcome(self) -> str:
        """Why there are no figures: what was done to it as it is, what it did itself as a failure."""
        own = not self.failure.startswith(("ended", LEFT_OUT))
        return f"failed: {self.failure}" if own else self.failure


def contestants(kind: str, peers: bool) -> list[Contestant]:
    """All that link this kind of data."""
    variants = list(KINDS[kind].rules)
    ours = [Contestant(OURS, variant) for variant in variants]
    if not peers:
        return ours
    theirs = [Contestant(SPLINK, variant) for variant in variants]
    golden = [Contestant(GOLDENMATCH, variant) for variant in ("automatic", "probabilistic")]
    return [*ours, *theirs, *golden, Contestant(TOOLKIT, variants[0])]


def commands() -> list[Contestant]:
    """Whole processes: the same blocking for both, and the policy that ships with what it asks for."""
    return [Contestant(COMMAND, "light"), Contestant(COMMAND, "shipped"), Contestant(PLAIN, "light")]


def compare(
    data: Sequence[DataSet],
    chosen: Callable[[str], list[Contestant]],
    out: Path,
    python: Path | None,
    *,
    repetitions: int,
    limits: Limits,
    tell: Tell,
) -> list[Linked]:
    """Link all data with all contestants, as often as asked; who fails on a data set is not asked again.

    Args:
        data: The data sets.
        chosen: The contestants for a kind of data.
        out: Folder for clusters and logs.
        python: Python of the peers' environment.
        repetitions: How often; the systems take turns.
        limits: What a linking may take.
        tell: Gets a line after each linking.
    """
    linked: list[Linked] = []
    failed: set[tuple[str, Contestant]] = set()
    for number in range(1, repetitions + 1):
        tell(f"Repetition {number} of {repetitions}")
        for one in data:
            for contestant in chosen(one.kind):
                if (one.name, contestant) in failed:
                    continue
                if limits.leaves_out(one, contestant):
                    done = Linked(one.name, contestant, failure=LEFT_OUT)
                else:
                    done = link(one, contestant, out, python, limits)
                if done.failure:
                    failed.add((one.name, contestant))
                linked.append(done)
                tell(line(done))
    return linked


def link(data: DataSet, contestant: Contestant, out: Path, python: Path | None, limits: Limits) -> Linked:
    """One linking; a system that fails says why in what is returned."""
    folder = out / "linked"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = out / f"{contestant.name}, {data.folder.name}.log"
    variables = environment(PYTHONPATH=str(root()), GOLDENMATCH_AUTOCONFIG_MEMORY="0")
    try:
        usage = measure(
            _command(data, contestant, folder, python),
            variables,
            log,
            limit=limits.seconds,
            most=limits.bytes,
        )
        counts = _counts(contestant, folder, usage)
        truth = pd.read_parquet(data.truth).assign(source="")
        quality = _measures(folder / "clusters.parquet", truth)
        others = {
            float(path.stem.partition("-")[2]): _measures(path, truth)
            for path in folder.glob("clusters-*.parquet")
        }
    except (StageError, OSError) as error:
        return Linked(data.name, contestant, failure=_reason(error, out))
    best: dict[str, float] = {}
    if others:
        threshold = max(others, key=lambda one: others[one]["F1"])
        if others[threshold]["F1"] > quality["F1"]:
            best = {"threshold": threshold, **others[threshold]}
    return Linked(data.name, contestant, usage, counts["seconds"], counts, quality, best)


def _counts(contestant: Contestant, folder: Path, usage: Usage) -> dict[str, Any]:
    """What a system says of itself; of a whole command the seconds of its process count."""
    figures = folder / "figures.json"
    said: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else {}
    return said | {"seconds": usage.seconds} if contestant.system in (COMMAND, PLAIN) else said


def _command(data: DataSet, contestant: Contestant, folder: Path, python: Path | None) -> list[str]:
    if contestant.system in (OURS, COMMAND):
        stem = data.kind if contestant.variant in ("", "light") else f"{data.kind}_{contestant.variant}"
        policy = str(POLICIES / f"{stem}.yaml")
        if contestant.system == COMMAND:
            command = str(Path(sys.executable).with_name("cdm"))
            return [command, "link", str(data.records), "--policy", policy, "--out", str(folder)]
        what = ["link table", str(data.records), policy, str(folder)]
        return [sys.executable, "-m", "benchmarks", "stage", str(folder / "figures.json"), *what]
    program = {
        SPLINK: "peer_splink",
        PLAIN: "peer_splink",
        GOLDENMATCH: "peer_goldenmatch",
        TOOLKIT: "peer_recordlinkage",
    }
    interpreter = sys.executable if contestant.system == TOOLKIT or python is None else str(python)
    what = [str(data.records), data.kind, contestant.variant, str(folder)]
    what += ["plain"] if contestant.system == PLAIN else []
    return [interpreter, "-m", f"benchmarks.linkage.{program[contestant.system]}", *what]


def _reason(error: Exception, out: Path) -> str:
    """The last line of what the system said, without our folders."""
    last = str(error).strip().splitlines()[-1]
    return last.replace(str(out), "…").replace(str(root()), "…")[:200]


def _measures(clusters: Path, truth: pd.DataFrame) -> dict[str, float]:
    found = evaluate(pd.read_parquet(clusters).assign(source=""), truth)
    return {
        "precision": found.pairs.precision,
        "recall": found.pairs.recall,
        "F1": found.pairs.f1,
        "B-cubed F1": found.bcubed_f1,
    }


def line(done: Linked) -> str:
    """One linking, for the terminal."""
    who = f"{done.data:20} {done.contestant.name:28}"
    if done.usage is None:
        return f"{who} {done.outcome}"
    memory = done.usage.peak_bytes / 2**20
    return f"{who} {done.seconds:7.1f} s {memory:7,.0f} MiB  F1 {done.quality['F1']:.4f}"


def middle(linked: Sequence[Linked]) -> list[Linked]:
    """Of the repetitions of each linking the one of median seconds, the quicker of two; in the order of the first."""
    groups: dict[tuple[str, Contestant], list[Linked]] = {}
    for one in linked:
        groups.setdefault((one.data, one.contestant), []).append(one)
    chosen = []
    for group in groups.values():
        whole = sorted((one for one in group if one.usage), key=lambda one: one.seconds)
        failures = [one for one in group if not one.usage]
        chosen.append(failures[0] if failures else whole[(len(whole) - 1) // 2])
    return chosen


def spread(linked: Sequence[Linked], data: str, contestant: Contestant) -> tuple[float, float, float]:
    """Least, median and most seconds of the repetitions of one linking."""
    seconds = [
        one.seconds for one in linked if (one.data, one.contestant) == (data, contestant) and one.usage
    ]
    return min(seconds), median(seconds), max(seconds)
