"""The document on linkage: what a reader sees of a comparison, of growth and of calibration.

Belongs here: words, tables, which picture. Does not belong here: measuring, drawing (charts).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.document import NOISY, table
from benchmarks.linkage import charts
from benchmarks.linkage.calibration import CLOSE, LEAST, Cell
from benchmarks.linkage.run import (
    COMMAND,
    GOLDENMATCH,
    OURS,
    PLAIN,
    SPLINK,
    Contestant,
    Linked,
    middle,
    spread,
)
from benchmarks.meter import Usage

NAME = "benchmarks-linkage"
_MIB = 2**20
_QUALITY = ("precision", "recall", "F1", "B-cubed F1")
Facts = Mapping[str, str]

_HEAD = """\
# Benchmarks of linkage

*Written by `make benchmark-linkage`; do not edit.*"""

_MANY = """\
Memory does not follow the number of pairs: they are compared in chunks, and those that score wait in a temporary file.
[These rules](../../benchmarks/policies/people_many.yaml) make tens of millions of pairs, to show that and nothing
else."""

_COMMANDS = """\
Each is a whole process, from its start to its end: reading, linking, and writing what it writes. `light` are the same
six blocking rules for both, at the threshold that serves F1 (ours one half, Splink's 0.9); `shipped` is the policy for
persons as it ships, with its own thresholds and guards. Splink here is without term frequencies, and clusters at one
threshold."""

_METHOD = """\
## How it is measured

- All systems link the same files on the same machine, in turns, each in a process of its own; of the repetitions the
  one of median seconds is shown. Ids say nothing, rows are shuffled, and the truth is in a file that only the measures
  read.
- Seconds run from reading the records to clusters written. Starting Python and importing packages are not in them, for
  no system; "with start" is the whole process. Memory is the most resident memory of the process and its descendants,
  looked at every 50 milliseconds. A linking that takes more time or memory than the machine can spare is ended, with
  all that it started; the table says when, and at how much memory. It is not tried again.
- Quality is that of clusters. Our thresholds, and those of the peers' rows, are chosen without the truth. Where another
  threshold gives Splink a better F1, that is a row of its own, which only somebody who knows the truth can choose.
- The people are made up by [a generator](../../benchmarks/people.py) for this purpose alone. The product's comparisons
  were designed on other data. `light` and `wide` are six and eight blocking rules, the same for Splink and for us.
- Ours: [a plain policy](../../benchmarks/policies) a data set. All extend the shipped policy for persons, at the
  threshold that serves F1 (one half); a set's own file maps columns and, for people, names the blocking rules.
- Splink on DuckDB: [comparisons of its library with term frequencies](../../benchmarks/linkage/peer_splink.py),
  blocking rules, training and deterministic rules as in the examples of its documentation for each published set, u
  from ten million random pairs, connected components at probability 0.9.
- GoldenMatch: [its own automatic configuration](../../benchmarks/linkage/peer_goldenmatch.py), the one it chooses by
  default and the probabilistic one that it has on request. Two sources are given to it as one table.
- recordlinkage: [index, compare and ECM as it comes](../../benchmarks/linkage/peer_recordlinkage.py), with the same
  blocking rules, Jaro-Winkler and exact comparisons, connected components of its links.
- Calibration: generated people with the shipped policy and its own thresholds, less the columns that a cell does not
  have. "Expected" is what the model reports without labels for pairs from its match threshold on, "true" is their share
  of true pairs. Pairs that blocking missed count in the true recall and not in the expected one."""


def markdown(
    facts: Facts,
    linked: Sequence[Linked],
    others: Mapping[str, float],
    grown: Sequence[Linked],
    cells: Sequence[Cell],
    *,
    many: Sequence[Linked] = (),
    commands: Sequence[Linked] = (),
    source: str = "",
) -> str:
    """The whole document, of the parts that were measured.

    Args:
        facts: Of the machine and of packages, with versions.
        linked: The comparison, with all repetitions.
        others: Cores that the work of others kept busy on average, by part: comparison, growth, many.
        grown: Ours at growing sizes.
        cells: The calibration grid.
        many: Ours with many candidate pairs.
        commands: Whole commands, with all repetitions.
        source: Says where the figures are.
    """
    parts = [_HEAD]
    if linked:
        parts += [
            f"![Seconds]({NAME}.svg)",
            *_noise(others, "comparison"),
            _beside(linked),
            *_comparison(linked),
        ]
    if commands:
        parts += ["## Whole commands", *_noise(others, "commands"), _ratios(commands), _COMMANDS]
        parts += _comparison(commands, level="###")
    if grown:
        parts += ["## Growth", *_noise(others, "growth"), f"![Growth]({NAME}-growth.svg)", _growth(grown)]
    if many:
        parts += ["## Many candidate pairs", *_noise(others, "many"), _growth(many), _MANY]
    if cells:
        parts += ["## Calibration", f"![Calibration]({NAME}-calibration.svg)", _calibration(cells)]
    stated = ", ".join(f"{name} {value}" for name, value in facts.items())
    ends = ["## Machine and versions", f"{stated}.", *([source] if source else []), _METHOD]
    return "\n\n".join([*parts, *ends]) + "\n"


def documents(parts: Mapping[str, Any], source: str) -> dict[str, str]:
    """The document and its pictures by file name.

    Args:
        parts: What was measured, by part: comparison, growth, calibration, many; those that are there.
        source: Says where the figures are.
    """
    rows = {name: part["rows"] for name, part in parts.items()}
    linked, commands, grown, many = (
        [_linked(row) for row in rows.get(name, [])] for name in ("comparison", "commands", "growth", "many")
    )
    cells = [Cell(**row) for row in rows.get("calibration", [])]
    facts = {name: value for part in reversed(list(parts.values())) for name, value in part["facts"].items()}
    others = {name: part["others"] for name, part in parts.items()}
    text = markdown(facts, linked, others, grown, cells, many=many, commands=commands, source=source)
    return {f"{NAME}.md": text} | pictures(linked, grown, cells)


def _linked(row: dict[str, Any]) -> Linked:
    usage = Usage(**row["usage"]) if row["usage"] else None
    return Linked(**row | {"contestant": Contestant(**row["contestant"]), "usage": usage})


def pictures(linked: Sequence[Linked], grown: Sequence[Linked], cells: Sequence[Cell]) -> dict[str, str]:
    """The pictures by file name."""
    made = {}
    if linked:
        groups: dict[str, list[tuple[str, str, float]]] = {}
        for one in middle(linked):
            if one.usage:
                bar = (one.contestant.name, one.contestant.system, one.seconds)
                groups.setdefault(one.data, []).append(bar)
        made[f"{NAME}.svg"] = charts.bars(groups)
    sizes = [(_number(one.counts, "records"), one) for one in grown if one.usage]
    if sizes:
        phases = list(_steps(sizes[0][1]))
        seconds = {"all": [(size, one.seconds) for size, one in sizes]}
        seconds |= {name: [(size, _steps(one)[name]) for size, one in sizes] for name in phases}
        memory = {"all": [(size, one.usage.peak_bytes / _MIB) for size, one in sizes if one.usage]}
        memory |= {
            name: [(size, _steps(one, "peaks")[name] / _MIB) for size, one in sizes] for name in phases
        }
        panels = [
            charts.growth(seconds, "Seconds by stage", "s"),
            charts.growth(memory, "Most memory during a stage", "MiB"),
        ]
        made[f"{NAME}-growth.svg"] = charts.beside(panels)
    if cells:
        dots = [
            (cell.expected_precision, cell.precision, _name(cell), f"{cell.columns} columns")
            for cell in cells
        ]
        made[f"{NAME}-calibration.svg"] = charts.calibration(dots, CLOSE)
    return made


def _noise(others: Mapping[str, float], part: str) -> list[str]:
    if others.get(part, 0.0) <= NOISY:
        return []
    return [f"Other work kept {others[part]:.1f} cores busy meanwhile: the seconds are too high."]


def _beside(linked: Sequence[Linked]) -> str:
    """Ours as a share of each peer's, of the same variant."""
    rows = []
    shown = [one for one in middle(linked) if one.usage]
    for peer in shown:
        system, variant = peer.contestant.system, peer.contestant.variant
        if system not in (SPLINK, GOLDENMATCH):
            continue
        same = [one for one in shown if one.data == peer.data and one.contestant.system == OURS]
        ours = next((one for one in same if one.contestant.variant == variant), same[0] if same else None)
        if ours is None or ours.usage is None or peer.usage is None:
            continue
        rows.append(
            [
                peer.data,
                ours.contestant.name,
                peer.contestant.name,
                f"{ours.seconds / peer.seconds:.2f}",
                f"{ours.usage.peak_bytes / peer.usage.peak_bytes:.2f}",
                f"{ours.quality['F1'] - peer.quality['F1']:+.4f}",
            ]
        )
    if not rows:
        return "No peer was measured."
    return table(
        ["Data", "Ours", "Peer", "Seconds, ours / peer", "Memory, ours / peer", "F1, ours - peer"],
        rows,
        "lllrrr",
    )


def _ratios(commands: Sequence[Linked]) -> str:
    """Ours as shares of the peer's whole process."""
    shown = [one for one in middle(commands) if one.usage]
    rows = [
        [
            ours.data,
            ours.contestant.name,
            f"{ours.seconds / peer.seconds:.2f}",
            f"{ours.usage.peak_bytes / peer.usage.peak_bytes:.2f}",
            f"{ours.quality['F1'] - peer.quality['F1']:+.4f}",
        ]
        for peer in shown
        for ours in shown
        if peer.contestant.system == PLAIN and ours.contestant.system == COMMAND and ours.data == peer.data
        if ours.usage and peer.usage
    ]
    head = ["Data", "Ours", "Seconds, ours / Splink", "Memory, ours / Splink", "F1, ours - Splink"]
    return table(head, rows, "llrrr") if rows else "No peer was measured."


def _comparison(linked: Sequence[Linked], level: str = "##") -> list[str]:
    parts = []
    chosen = middle(linked)
    for data in dict.fromkeys(one.data for one in chosen):
        rows = []
        for one in (one for one in chosen if one.data == data):
            if one.usage is None:
                rows.append([one.contestant.name, one.outcome, *[""] * 8])
                continue
            least, _, most = spread(linked, data, one.contestant)
            rows.append(
                [
                    one.contestant.name,
                    f"{one.seconds:.1f}",
                    f"{least:.1f} to {most:.1f}",
                    f"{one.usage.seconds:.1f}",
                    f"{one.usage.cpu_seconds:.1f}",
                    f"{one.usage.peak_bytes / _MIB:,.0f}",
                    *(f"{one.quality[name]:.4f}" for name in _QUALITY),
                ]
            )
            if one.best:
                name = f"{one.contestant.name}, threshold {one.best['threshold']:g} chosen by the truth"
                rows.append([name, *[""] * 5, *(f"{one.best[name]:.4f}" for name in _QUALITY)])
        head = ["System", "Seconds", "All runs", "With start", "CPU seconds", "Peak MiB"]
        head += ["Precision", "Recall", "F1", "B-cubed F1"]
        parts += [f"{level} {data[0].upper()}{data[1:]}", table(head, rows, "lrrrrrrrrr")]
    return parts


def _growth(grown: Sequence[Linked]) -> str:
    phases = list(_steps(next(one for one in grown if one.usage))) if any(one.usage for one in grown) else []
    rows = []
    for one in grown:
        if one.usage is None:
            rows.append([one.data, one.outcome, *[""] * (len(phases) + 3)])
            continue
        seconds, peaks = _steps(one), _steps(one, "peaks")
        rows.append(
            [
                f"{_number(one.counts, 'records'):,.0f}",
                f"{_number(one.counts, 'pairs'):,.0f}",
                f"{one.seconds:.1f}",
                *(f"{seconds[name]:.1f} s, {peaks[name] / _MIB:,.0f}" for name in phases),
                f"{one.usage.peak_bytes / _MIB:,.0f}",
                f"{one.quality['F1']:.4f}",
            ]
        )
    head = ["Records", "Candidate pairs", "Seconds", *(f"{name}, MiB" for name in phases), "Peak MiB", "F1"]
    return table(head, rows, "r" * len(head))


def _calibration(cells: Sequence[Cell]) -> str:
    close = sum(abs(cell.off) <= CLOSE for cell in cells)
    worst = min(cells, key=lambda cell: cell.precision)
    summary = (
        f"True precision is within {CLOSE} of the expected one in {close} of {len(cells)} cells; the worst true "
        f"precision is {worst.precision:.3f} ({_name(worst)}), {'not under' if worst.precision >= LEAST else 'under'} "
        f"{LEAST:.2f}."
    )
    rows = [
        [
            f"{cell.repeats:.0%}",
            f"{cell.columns}",
            f"{cell.errors:.0%}",
            f"{cell.sources}",
            f"{cell.accepted:,}",
            f"{cell.expected_precision:.3f}",
            f"{cell.precision:.3f}" if abs(cell.off) <= CLOSE else f"**{cell.precision:.3f}**",
            f"{cell.expected_recall:.3f}",
            f"{cell.recall:.3f}",
            f"{cell.cluster_precision:.3f}",
            f"{cell.cluster_recall:.3f}",
        ]
        for cell in cells
    ]
    head = [
        "Repeated records",
        "Columns",
        "Errors",
        "Sources",
        "Pairs accepted",
        "Precision expected",
        "true",
    ]
    head += ["Recall expected", "true", "Precision of clusters", "Recall of clusters"]
    return f"{summary}\n\n{table(head, rows, 'r' * len(head))}"


def _name(cell: Cell) -> str:
    sources = "1 source" if cell.sources == 1 else f"{cell.sources} sources"
    return f"{cell.repeats:.0%} repeated, {cell.columns} columns, {cell.errors:.0%} errors, {sources}"


def _steps(one: Linked, key: str = "steps") -> dict[str, float]:
    found = one.counts.get(key)
    return {str(name): float(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _number(counts: Mapping[str, object], key: str) -> float:
    value = counts.get(key, 0)
    return float(value) if isinstance(value, int | float) else 0.0
