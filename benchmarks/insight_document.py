"""What ``python -m benchmarks insight`` found, and its document.

Belongs here: figures and text. Does not belong here: measuring (insight).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from benchmarks.document import NOISY, table

FULL, AIM = 1_000_000, 60.0
"""Customers of the full size, and seconds that all of it may take there."""
_MIB = 2**20


@dataclass(frozen=True)
class Size:
    """All that was measured at one number of customers.

    Attributes:
        customers: Golden customers, with profiles.
        rows: Rows that were delivered on the day that is measured, and of consent.
        needed: ``meter.Usage`` of each stage by name, and ``others``: cores that other work kept busy.
        said: What each stage said.
    """

    customers: int
    rows: Mapping[str, int]
    needed: Mapping[str, Mapping[str, float]]
    said: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        """From what ``asdict`` made of it."""
        return cls(**figures)

    @property
    def together(self) -> float:
        """Seconds of all stages, without what starting Python takes."""
        return float(sum(one["seconds"] for one in self.said.values()))


def markdown(sizes: Sequence[Size], facts: Mapping[str, str], source: str = "") -> str:
    """The document.

    Args:
        sizes: From small to large.
        facts: Of the machine and of packages.
        source: Says where the figures are.
    """
    stated = ", ".join(f"{name} {value}" for name, value in facts.items())
    parts = [
        "# Benchmark of insight and activation",
        "*Written by `make benchmark-insight`; do not edit.*",
        _summary(sizes[-1]),
        *(text for size in sizes for text in _size(size)),
        _METHOD,
        f"Machine and versions: {stated}.",
        source,
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _summary(size: Size) -> str:
    aim = (
        f" (aim: {AIM:.0f}; {'met' if size.together <= AIM else 'not met'})" if size.customers >= FULL else ""
    )
    return (
        f"Scorecards, key figures, the next best action of everybody and {len(_audiences(size))} audiences of "
        f"{size.customers:,} customers took **{size.together:.0f} seconds**{aim}, one after the other."
    )


def _audiences(size: Size) -> Mapping[str, Mapping[str, float]]:
    found: Mapping[str, Mapping[str, float]] = size.said["audiences"]["audiences"]
    return found


def _size(size: Size) -> Iterator[str]:
    yield f"## {size.customers:,} customers"
    rows = [
        [name.capitalize(), f"{size.said[name]['seconds']:.1f}", *_used(one)]
        for name, one in size.needed.items()
    ]
    yield table(["Stage", "Seconds", "Processor", "Peak MiB", "Cores busy with other work"], rows, "lrrrr")
    if max(one["others"] for one in size.needed.values()) > NOISY:
        yield "Other work kept cores busy meanwhile: the seconds are too high; those of the processor are not."
    rows = [
        [f"`{name}`", f"{one['members']:,}", f"{one['seconds']:.1f}"]
        for name, one in _audiences(size).items()
    ]
    yield table(["Audience", "Members", "Seconds"], rows, "lrr")


def _used(needed: Mapping[str, float]) -> Iterator[str]:
    yield f"{needed['cpu_seconds'] + needed['database_cpu_seconds']:.1f}"
    yield f"{needed['peak_bytes'] / _MIB:,.0f}"
    yield f"{needed['others']:.1f}"


_METHOD = """\
## How it is measured

- Customers with orders, interactions and published profiles are those of the [benchmark of
  profiles](benchmarks-profile.md). Eight of ten said something about each purpose and channel that is asked for, and
  seven of those eight agreed.
- *Scorecards*: a day of three sources, of which one row in a hundred was rejected and one cell in twenty-five rows
  mended, and the published state, written to `insight.quality`.
- *Actions*: chosen under consent, contact pressure and restrictions for everybody, and logged.
- *Audiences*: five are delivered for the first time, with their files, the ledger and control groups.
- Seconds of a stage are those of the step; processor and memory are of its whole process, with what starting takes,
  and of PostgreSQL.
"""
