"""The document: tables, a bar per stage, and a picture.

Belongs here: what a reader sees. Does not belong here: measuring.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Self

from benchmarks import peers
from benchmarks.extracts import Extracts
from benchmarks.first_load import Measured, Run
from benchmarks.meter import Usage

_MIB = 2**20
_BAR = 30  # characters of the longest bar
NOISY = 0.2
"""Cores busy with the work of others, above which figures are called noisy."""

_TITLES = {
    "hub": "Make the database, start PostgreSQL, migrate",
    "records party": "Current state of parties",
    "records order": "Current state of orders, lines, payments",
    "link": "Link persons and organisations",
    "stage": "Golden ids and values into staging, audited",
    "publish": "Publish in one transaction",
}

_METHOD = """\
## How it is measured

- The extracts are those of `cdm demo-data`, one day, CSV as the sources write it. They lie on the same disk, and have
  just been written or read: the file cache is warm.
- Every stage runs in a process of its own, which calls the same function as the asset of that name; its seconds
  include starting Python and importing. Dagster's own bookkeeping is not in them.
- Memory is the resident memory of the process and all its descendants at one time, looked at every 50 milliseconds;
  pages that they share count for each. PostgreSQL's is that of all its processes, with what they share counted once.
- The database is fresh: the first load makes it. "Unchanged" runs everything after the extracts once more, with the
  fitted model kept: what a night costs on which nothing changed.
- Splink links `records/party` of the same run, persons and organisations apart: comparisons from its library
  with term frequencies, phones as an array, u from random pairs, m from expectation maximisation on three blocking
  rules, our own thresholds for pairs kept and linked, clusters from connected components
  ([its settings](../../benchmarks/splink_linking.py)). Its clock starts before it reads the records and stops when the
  clusters are written; starting Python and importing Splink, which ours includes, are not counted.
- Quality is over pairs of records, against the truth of the generator, for the same records. Our thresholds are those
  of the policies, chosen without this truth. Where another threshold gives Splink a better F1, that is shown too,
  although only somebody who knows the truth can choose it.
"""


@dataclass(frozen=True)
class Report:
    """Everything that was measured.

    Attributes:
        made: The extracts.
        machine: Facts of the machine.
        versions: Of packages.
        runs: In the order in which they ran.
    """

    made: Extracts
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    runs: tuple[Run, ...]

    @property
    def run(self) -> Run:
        """The run whose first load took the median time; the quicker one of two."""
        return sorted(self.runs, key=lambda run: run.seconds)[(len(self.runs) - 1) // 2]

    @property
    def noisy(self) -> bool:
        """Whether the machine had other work meanwhile."""
        return self.run.others > NOISY

    def figures(self) -> dict[str, Any]:
        """All figures, without paths."""
        figures = asdict(self)
        del figures["made"]["folder"]
        return figures

    def json(self) -> str:
        """The same as a text."""
        return json.dumps(self.figures(), indent=1)

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        """From what ``figures`` made of it."""
        return cls(
            Extracts(folder="", **figures["made"]),
            figures["machine"],
            figures["versions"],
            tuple(_run_of(run) for run in figures["runs"]),
        )


def _run_of(run: Mapping[str, Any]) -> Run:
    def stages(name: str) -> tuple[Measured, ...]:
        return tuple(Measured(stage["name"], Usage(**stage["usage"]), stage["counts"]) for stage in run[name])

    linking = run["linking"]
    return Run(
        run["others"],
        stages("first"),
        stages("again"),
        peers.Linking(**linking | {"usage": Usage(**linking["usage"])}) if linking else None,
        run["quality"],
    )


def markdown(report: Report, source: str = "") -> str:
    """The whole document; ``source`` says where its figures are."""
    facts = [f"{name} {value}" for name, value in (report.machine | report.versions).items()]  # type: ignore[operator]
    parts = [
        "# Benchmarks",
        "*Written by `make benchmark`; do not edit.*",
        _what(report.made),
        "![Seconds per stage](benchmarks.svg)",
        _summary(report),
        "## First load",
        _stages(report.run.first),
        "## Unchanged",
        _stages(report.run.again),
        _splink(report.run),
        "## Quality",
        _quality(report.run.quality),
        "## Machine and versions",
        ", ".join(facts) + ".",
        source,
        _METHOD,
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _what(made: Extracts) -> str:
    return (
        f"A first load, from extract files to published golden tables: {made.records:,} source records of "
        f"{made.customers:,} customers in three systems, with their orders {made.rows:,} rows "
        f"({made.bytes / 1e6:,.0f} MB of CSV)."
    )


def _summary(report: Report) -> str:
    run = report.run
    rows = [
        ["Whole pipeline, first load", _seconds(run.seconds)],
        ["Highest memory of any stage", _mib(max(stage.usage.peak_bytes for stage in run.first))],
        ["Highest memory of PostgreSQL", _mib(max(stage.usage.database_bytes for stage in run.first))],
        ["Unchanged, from records to published tables", _seconds(_total(run.again))],
    ]
    if run.linking:
        ours, theirs = _linking(run), run.linking.seconds
        rows += [
            ["Splink, linking only", _seconds(theirs)],
            ["Whole pipeline / Splink's linking", f"**{run.seconds / theirs:.2f}**"],
            ["Our linking / Splink's linking", f"**{ours / theirs:.2f}**"],
        ]
    if len(report.runs) > 1:
        totals = sorted(each.seconds for each in report.runs)
        rows.append([f"First load, {len(totals)} runs", f"{totals[0]:.1f} to {_seconds(totals[-1])}"])
    note = (
        f"\n\nOther work kept {run.others:.1f} cores busy meanwhile: the seconds are too high."
        if report.noisy
        else ""
    )
    return table(["", "Figure"], rows, "lr") + note


def _stages(stages: Sequence[Measured]) -> str:
    longest = max(stage.usage.seconds for stage in stages)
    rows = [
        [
            title(stage),
            f"{stage.counts['rows']:,}" if "rows" in stage.counts else "",
            f"{stage.usage.seconds:.1f}",
            f"{stage.usage.cpu_seconds:.1f}",
            f"{stage.usage.peak_bytes / _MIB:,.0f}",
            f"{stage.usage.database_cpu_seconds:.1f}",
            f"{stage.usage.database_bytes / _MIB:,.0f}",
            f"`{'█' * max(1, round(_BAR * stage.usage.seconds / longest))}`",
        ]
        for stage in stages
    ]
    total = [
        "**All**",
        "",
        f"**{_total(stages):.1f}**",
        f"**{sum(stage.usage.cpu_seconds for stage in stages):.1f}**",
        f"**{max(stage.usage.peak_bytes for stage in stages) / _MIB:,.0f}**",
        f"**{sum(stage.usage.database_cpu_seconds for stage in stages):.1f}**",
        f"**{max(stage.usage.database_bytes for stage in stages) / _MIB:,.0f}**",
        "",
    ]
    head = ["Stage", "Rows", "Seconds", "CPU seconds", "Peak MiB", "PostgreSQL CPU", "PostgreSQL MiB", ""]
    return table(head, [*rows, total], "lrrrrrrl")


def _splink(run: Run) -> str:
    if not run.linking:
        return ""
    linking = run.linking
    ours = next(stage for stage in run.first if stage.name == "link")
    kept = sum(int(figures["pairs"]) for figures in linking.kinds.values())
    rows = [
        [
            "cdm_pipelines",
            f"{ours.usage.seconds:.1f}",
            f"{ours.usage.cpu_seconds:.1f}",
            f"{ours.usage.peak_bytes / _MIB:,.0f}",
            f"{ours.counts['pairs kept']:,}",
        ],
        [
            "Splink on DuckDB",
            f"{linking.seconds:.1f}",
            f"{linking.cpu_seconds:.1f}",
            f"{linking.usage.peak_bytes / _MIB:,.0f}",
            f"{kept:,}",
        ],
    ]
    beside = table(["Linking only", "Seconds", "CPU seconds", "Peak MiB", "Pairs kept"], rows, "lrrrr")
    steps = "; ".join(
        f"{kind}s: " + ", ".join(f"{step} {value:.1f}" for step, value in peers.steps(figures))
        for kind, figures in linking.kinds.items()
    )
    return f"## Beside Splink\n\n{beside}\n\nSplink's seconds by step: {steps}."


def _quality(quality: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    measures = ("precision", "recall", "F1", "B-cubed F1")
    rows = [
        [system, kind, f"{figures['records']:,}", *(f"{figures[name]:.4f}" for name in measures)]
        for system in _shown(quality)
        for kind, figures in quality[system].items()
    ]
    head = ["System", "Parties", "Records", "Precision", "Recall", "F1", "B-cubed F1"]
    return table(head, rows, "llrrrrr")


def _shown(quality: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    """Ours, Splink at our threshold, and Splink at its best one where that is another."""
    fixed = [name for name in quality if not name.startswith("Splink") or name.endswith(f" {peers.OURS}")]
    others = [name for name in quality if name.startswith("Splink")]
    best = max(others, key=lambda name: quality[name]["all"]["F1"], default=None)
    return fixed if best is None or best in fixed else [*fixed, best]


def svg(report: Report) -> str:
    """Two bars to one scale: the first load with its stages, and Splink's linking."""
    run = report.run
    bars = [("First load", [(title(stage), stage.usage.seconds) for stage in run.first])]
    bars.append(("Unchanged", [(title(stage), stage.usage.seconds) for stage in run.again]))
    if run.linking:
        bars.append(("Splink, linking only", [("Splink, linking only", run.linking.seconds)]))
    widest = max(sum(seconds for _, seconds in parts) for _, parts in bars)
    names = list(dict.fromkeys(name for _, parts in bars for name, _ in parts))
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    shapes: list[str] = []
    for number, (label, parts) in enumerate(bars):
        shapes += _bar(label, parts, 16 + 44 * number, 560 / widest, colours)
    top = 16 + 44 * len(bars) + 14
    for number, name in enumerate(names):
        x, y = 20 + 400 * (number % 2), top + 20 * (number // 2)
        shapes.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colours[name]}"/>')
        shapes.append(f'<text x="{x + 18}" y="{y}">{escape(name)}</text>')
    height = top + 20 * ((len(names) + 1) // 2)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 {height}" font-family="sans-serif" '
        'font-size="12" fill="#222">'
    )
    ground = f'<rect width="820" height="{height}" fill="#fff"/>'
    return "\n".join([head, ground, *shapes, "</svg>\n"])


COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#b279a2", "#9d755d", "#bab0ac", "#eeca3b")


def _bar(
    label: str, parts: Iterable[tuple[str, float]], y: int, scale: float, colours: Mapping[str, str]
) -> list[str]:
    shapes = [f'<text x="20" y="{y + 18}">{escape(label)}</text>']
    x, total = 160.0, 0.0
    for name, seconds in parts:
        tip = f"<title>{escape(name)}: {seconds:.1f} s</title>"
        shapes.append(
            f'<rect x="{x:.1f}" y="{y}" width="{seconds * scale:.1f}" height="26" fill="{colours[name]}">{tip}</rect>'
        )
        x, total = x + seconds * scale, total + seconds
    return [*shapes, f'<text x="{x + 8:.1f}" y="{y + 18}">{total:.1f} s</text>']


def title(stage: Measured) -> str:
    """A stage in words."""
    source = stage.name.removeprefix("day ")
    return _TITLES.get(stage.name, f"Land, validate, standardise: {source}")


def _linking(run: Run) -> float:
    return next(stage.usage.seconds for stage in run.first if stage.name == "link")


def _total(stages: Iterable[Measured]) -> float:
    return sum(stage.usage.seconds for stage in stages)


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _mib(value: int) -> str:
    return f"{value / _MIB:,.0f} MiB"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> str:
    """A Markdown table; ``align`` has an l or r a column."""
    marks = ["---:" if side == "r" else "---" for side in align]
    lines = [head, marks, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
