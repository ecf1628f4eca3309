"""The command ``python -m benchmarks linkage``: the options, what is kept of a run, and what is written.

Belongs here: from data sets to document. Does not belong here: a linking (run), the grid (calibration), the document's
text.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from benchmarks import peers, results
from benchmarks.linkage import calibration, run, sets
from benchmarks.linkage.kinds import KINDS
from benchmarks.machine import busy_seconds, machine, versions
from cdm_pipelines.settings import root

RECORDS = (100_000, 1_000_000)
GROWTH = (100_000, 300_000, 1_000_000, 3_000_000)
MANY = 1_000_000
LIMIT = 600
SPARED = 2 / 3  # of the machine's memory
PARTS = ("comparison", "commands", "growth", "calibration", "many")
OUT = root() / "benchmarks" / "out" / "linkage"
console = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Part:
    """What a run measured, as it is kept in a file.

    Attributes:
        full: Whether it is of the size that the committed document shows.
        facts: Of the machine and of packages.
        others: Cores that the work of others kept busy meanwhile, on average.
        rows: Linkings, or cells of the grid.
    """

    full: bool
    facts: dict[str, str]
    others: float
    rows: list[dict[str, Any]]


def main(given: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    options = _options(given)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        name, part = _measured(options)
    except peers.PeersError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    path = options.out / f"{name}.json"
    path.write_text(json.dumps(asdict(part), indent=1), encoding="utf-8")
    written = _write(options.out)
    sys.stdout.write(written[0].read_text(encoding="utf-8"))
    console.print(f"\nWritten: {', '.join(str(target) for target in written)}", markup=False)
    return 0


def _measured(options: argparse.Namespace) -> tuple[str, Part]:
    """Measure one part; returns its name too.

    Raises:
        PeersError: The peers cannot be installed.
    """
    facts = machine() | versions()
    if options.calibration:
        cells = calibration.grid(options.records[0] if options.records else calibration.RECORDS, _tell)
        return "calibration", Part(options.records is None, facts, 0.0, [asdict(cell) for cell in cells])
    if options.growth:
        sizes = options.records or GROWTH
        rows, others = _ours_alone(options, sizes, "light")
        return "growth", Part(tuple(sizes) == GROWTH, facts, others, rows)
    if options.many_pairs:
        sizes = options.records or (MANY,)
        rows, others = _ours_alone(options, sizes, "many")
        return "many", Part(tuple(sizes) == (MANY,), facts, others, rows)
    python = None
    if not options.skip_peers:
        with console.status("The peers' environment …"):
            python = peers.prepare(root() / ".venv" / "peers")
        facts |= peers.versions(python, ("Splink", "DuckDB", "GoldenMatch"))
    if options.commands:
        sizes = options.records or (MANY,)
        people = [sets.people(size, options.out) for size in sizes]
        asked = [one for one in run.commands() if python or one.system == run.COMMAND]
        linked, others = _compared(options, people, lambda _: asked, python)
        return "commands", Part(python is not None and tuple(sizes) == (MANY,), facts, others, linked)
    sizes = options.records or RECORDS
    data = _data(options, sizes)
    linked, others = _compared(options, data, lambda kind: _chosen(options, kind), python)
    whole = python is not None and tuple(sizes) == RECORDS and {one.kind for one in data} == set(KINDS)
    return "comparison", Part(whole and not options.systems, facts, others, linked)


def _ours_alone(
    options: argparse.Namespace, sizes: Sequence[int], variant: str
) -> tuple[list[dict[str, Any]], float]:
    """Our own linkings of people, one a size, and the cores that others kept busy meanwhile."""
    data = [sets.people(size, options.out) for size in sizes]
    ours = [run.Contestant(run.OURS, variant)]
    linked, others = _compared(options, data, lambda _: ours, None)
    rows = [
        one | {"counts": one["counts"] | {"records": size}} for one, size in zip(linked, sizes, strict=True)
    ]
    return rows, others


def _data(options: argparse.Namespace, sizes: Sequence[int]) -> list[sets.DataSet]:
    found = []
    for name in options.sets:
        if name == "people":
            for size in sizes:
                with console.status(f"{size:,} records of people …"):
                    found.append(sets.people(size, options.out))
            continue
        try:
            found.append(sets.published(name, options.shared_data, options.out))
        except sets.MissingError as error:
            console.print(f"Left out: {error}", markup=False)
    return found


def _chosen(options: argparse.Namespace, kind: str) -> list[run.Contestant]:
    everyone = run.contestants(kind, not options.skip_peers)
    return [one for one in everyone if not options.systems or one.system in options.systems]


def _compared(
    options: argparse.Namespace, data: Sequence[sets.DataSet], chosen: Any, python: Path | None
) -> tuple[list[dict[str, Any]], float]:
    """Linkings as rows, and the cores that others kept busy meanwhile."""
    repetitions = 1 if options.growth or options.many_pairs else options.repetitions
    limits = run.Limits(options.limit, round(options.memory * 2**30), frozenset(options.leave_out))
    started, busy, own = time.perf_counter(), busy_seconds(), time.process_time()
    linked = run.compare(
        data, chosen, options.out, python, repetitions=repetitions, limits=limits, tell=_tell
    )
    ours = sum(one.usage.cpu_seconds for one in linked if one.usage) + time.process_time() - own
    others = max(0.0, busy_seconds() - busy - ours) / (time.perf_counter() - started)
    return [asdict(one) for one in linked], others


def _write(out: Path) -> list[Path]:
    """The document of the parts in ``out``; where all are there, of full size, the committed one as well."""
    parts = {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name in PARTS
        if (path := out / f"{name}.json").is_file()
    }
    complete = len(parts) == len(PARTS) and all(part["full"] for part in parts.values())
    return results.publish("linkage", parts, committed=complete, out=out)


def _tell(line: str) -> None:
    console.print(line, markup=False)


def _options(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks linkage",
        description="Seconds, memory and quality of linking, beside Splink, GoldenMatch and recordlinkage.",
    )
    parser.add_argument(
        "--records", type=int, nargs="+", help="records of generated people, one or more sizes"
    )
    parser.add_argument(
        "--repetitions", type=int, default=3, help="of each linking; the median is shown (%(default)s)"
    )
    parser.add_argument("--sets", nargs="+", choices=list(KINDS), default=list(KINDS), help="data sets (all)")
    systems = [run.OURS, run.SPLINK, run.GOLDENMATCH, run.TOOLKIT]
    parser.add_argument("--systems", nargs="+", choices=systems, help="who links (all)")
    parser.add_argument("--skip-peers", action="store_true", help="leave all but our own linking out")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--growth", action="store_true", help="ours alone, at growing sizes, by stage")
    part.add_argument(
        "--many-pairs", action="store_true", help="ours alone, with more than 20 million candidate pairs"
    )
    part.add_argument(
        "--commands",
        action="store_true",
        help="whole commands: ours, also with the shipped policy, and Splink's",
    )
    part.add_argument(
        "--calibration", action="store_true", help="expected against true precision, over a grid"
    )
    parser.add_argument(
        "--limit", type=float, default=LIMIT, help="seconds that a linking may take (%(default)s)"
    )
    spared = round(psutil.virtual_memory().total * SPARED / 2**30, 1)
    parser.add_argument(
        "--memory", type=float, default=spared, help="GiB that a linking may take (%(default)s, two thirds)"
    )
    parser.add_argument(
        "--leave-out",
        nargs="+",
        default=[],
        metavar="SYSTEM[@RECORDS]",
        help="who does not link, or not data of this size: GoldenMatch@1000000",
    )
    parser.add_argument(
        "--shared-data", type=Path, help="folder of the published sets (BENCHMARK_DATA, ../shared/data)"
    )
    parser.add_argument("--out", type=Path, default=OUT, help="folder for all that is made")
    options = parser.parse_args(given)
    if min(options.records or [100]) < 100 or options.repetitions < 1:
        parser.error("--records must be at least 100, --repetitions at least 1")
    strangers = sorted({one.partition("@")[0] for one in options.leave_out} - set(systems))
    if strangers:
        parser.error(f"--leave-out knows no {strangers[0]!r}; there are {', '.join(systems)}")
    options.out = options.out.absolute()
    default = os.environ.get("BENCHMARK_DATA") or root().parent / "shared" / "data"
    options.shared_data = (options.shared_data or Path(default)).absolute()
    return options
