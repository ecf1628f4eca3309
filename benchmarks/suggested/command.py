"""The command ``python -m benchmarks suggested``: the options, what is kept of a run, and what is written.

Belongs here: from sets to document. Does not belong here: a set (sets), a linking (run), the document's text.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from benchmarks import results
from benchmarks.linkage.sets import MissingError
from benchmarks.machine import machine, versions
from benchmarks.suggested import run, sets
from cdm_pipelines.settings import root

RECORDS = 10_000
OUT = root() / "benchmarks" / "out" / "suggested"
console = Console(stderr=True, highlight=False, soft_wrap=True)


def main(given: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    options = _options(given)
    options.out.mkdir(parents=True, exist_ok=True)
    measured: list[run.Measured] = []
    for name in options.sets:
        try:
            data = sets.made(name, options.shared_data, options.out, options.records)
        except MissingError as error:
            console.print(f"Left out: {name}: {error}", markup=False)
            continue
        measured += run.measured(data, lambda line: console.print(line, markup=False))
    whole = {one.name for one in measured} == set(sets.NAMES) and options.records == RECORDS
    figures = {"facts": machine() | versions(), "linked": [asdict(one) for one in measured]}
    written = results.publish("suggested", figures, committed=whole, out=options.out)
    sys.stdout.write(written[0].read_text(encoding="utf-8"))
    console.print(f"\nWritten: {', '.join(str(target) for target in written)}", markup=False)
    return 0


def _options(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks suggested",
        description="Quality of linking under the suggested policy and under a careful one, with guards and without.",
    )
    parser.add_argument(
        "--sets", nargs="+", choices=sets.NAMES, default=list(sets.NAMES), help="data sets (all)"
    )
    parser.add_argument(
        "--records", type=int, default=RECORDS, help="records of each generated set (%(default)s)"
    )
    parser.add_argument(
        "--shared-data", type=Path, help="folder of the published sets (BENCHMARK_DATA, ../shared/data)"
    )
    parser.add_argument("--out", type=Path, default=OUT, help="folder for all that is made")
    options = parser.parse_args(given)
    if options.records < 1_000:
        parser.error("--records must be at least 1000")
    options.out = options.out.absolute()
    default = os.environ.get("BENCHMARK_DATA") or root().parent / "shared" / "data"
    options.shared_data = (options.shared_data or Path(default)).absolute()
    return options
