"""The command: the options, and the order in which things are measured.

Belongs here: from extracts to document. Does not belong here: a stage (stages), the meter, the document's text.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from rich.console import Console

from benchmarks import document, extracts, peers, results
from benchmarks.first_load import Bench
from benchmarks.machine import machine, versions
from benchmarks.meter import StageError
from benchmarks.stages import STAGES
from cdm_pipelines.settings import root

_OTHERS = {
    "linkage": "benchmarks.linkage.command",
    "organisations": "benchmarks.organisations.command",
    "search": "benchmarks.search",
    "match": "benchmarks.match",
    "console": "benchmarks.console",
    "review": "benchmarks.review",
    "profile": "benchmarks.profile",
    "incremental": "benchmarks.incremental",
    "rights": "benchmarks.rights",
    "insight": "benchmarks.insight",
    "soak": "benchmarks.soak",
    "spark": "benchmarks.spark",
    "headers": "benchmarks.headers_measured",
    "suggested": "benchmarks.suggested.command",
}
"""Benchmarks with a command of their own, loaded when asked for: a stage loads what it needs, and no more."""
FULL = 1_000_000
OUT = root() / "benchmarks" / "out"
console = Console(stderr=True, highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["stage"]:
        return _stage(given[1:])
    if given[:1] and given[0] in _OTHERS:
        main_of_it: Callable[[list[str]], int] = import_module(_OTHERS[given[0]]).main
        return main_of_it(given[1:])
    options = _options(given)
    try:
        report = run(options.records, options.out, with_peers=not options.skip_peers, repeat=options.repeat)
    except (StageError, peers.PeersError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    whole = options.records >= FULL and not options.skip_peers
    written = results.publish("first-load", report.figures(), committed=whole, out=options.out)
    sys.stdout.write(written[0].read_text(encoding="utf-8"))
    console.print(f"\nWritten: {', '.join(str(target) for target in written)}", markup=False)
    return 0


def run(records: int, out: Path, *, with_peers: bool, repeat: int) -> document.Report:
    """Measure everything, and leave the figures in ``out`` as JSON.

    Args:
        records: Source records of parties, about.
        out: Folder for extracts, the home of the run, logs and figures.
        with_peers: Whether to measure Splink as well.
        repeat: How often; the document shows the run whose total is the median.

    Raises:
        StageError: A stage failed.
        PeersError: Splink cannot be installed.
    """
    out.mkdir(parents=True, exist_ok=True)
    python = None
    if with_peers:
        with console.status("Splink's environment …"):
            python = peers.prepare(root() / ".venv" / "peers")
    with console.status(f"Extracts of {records:,} records …"):
        made = extracts.make(records, out)
    console.print(f"{made.records:,} party records, {made.rows:,} rows in all, {made.bytes / 1e6:,.0f} MB")
    runs = []
    for number in range(repeat):
        if repeat > 1:
            console.print(f"Run {number + 1} of {repeat}")
        runs.append(Bench(made, out, python, lambda line: console.print(line, markup=False)).run())
    report = document.Report(
        made, machine(), versions() | (peers.versions(python) if python else {}), tuple(runs)
    )
    (out / f"figures-{records}.json").write_text(report.json(), encoding="utf-8")
    return report


def _options(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Seconds and memory of a first load, stage by stage, beside Splink linking the same records.",
    )
    parser.add_argument("--records", type=int, default=FULL, help="source records of parties (%(default)s)")
    parser.add_argument("--skip-peers", action="store_true", help="leave Splink out")
    parser.add_argument("--repeat", type=int, default=1, help="measure so often; the median is shown")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for all that is made")
    options = parser.parse_args(given)
    if options.records < 100 or options.repeat < 1:
        parser.error("--records must be at least 100, --repeat at least 1")
    options.out = options.out.absolute()
    return options


def _stage(given: Sequence[str]) -> int:
    """``stage RESULT NAME [ARGUMENT…]``: run one stage in this process; its counts go to the file RESULT."""
    result, name, *rest = given
    counts = STAGES[name](*rest)
    Path(result).write_text(json.dumps(counts), encoding="utf-8")
    return 0
