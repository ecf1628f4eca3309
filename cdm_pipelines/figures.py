"""What was counted and measured of an asset in a run: the one form from which rows and pictures are made.

Belongs here: the kinds of figures, and figures as rows of ``ops.measurement``. Does not belong here: counting (steps),
keeping the rows (hub.measurements), or how Dagster shows a figure (components.metadata).

Figures and their names hold counts, rates, keys and fingerprints, never a personal value (R6).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

ROWS = "rows"
"""Name of the figure that every table has."""


@dataclass(frozen=True)
class Bars:
    """Counts by name, shown with a bar each.

    Attributes:
        counts: What is counted, by name.
        heading: What the names are, and what is counted.
        scale: Whether the names are steps of a scale, kept in their order, and not kinds, largest first.
    """

    counts: Mapping[str, int]
    heading: tuple[str, str]
    scale: bool = False


@dataclass(frozen=True)
class Grid:
    """Rows of which some columns say what a row is about, and the numbers in the others are figures of it."""

    rows: Sequence[Mapping[str, object]]
    key: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """Points that are shown as a drawing; ``told`` is read where it cannot be shown.

    ``points`` is empty where the drawing shows figures that stand beside it.
    """

    svg: str
    told: str
    points: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """A point in time, in seconds since 1970."""

    seconds: float


@dataclass(frozen=True)
class Words:
    """What is shown beside figures and is none, such as the paths of files: not kept."""

    text: str


Figure = bool | int | float | str | Bars | Grid | Picture | Moment | Words | Mapping[str, float]
Figures = Mapping[str, Figure]


@dataclass(frozen=True)
class Check:
    """What a check of an asset found; ``severity`` is WARN or ERROR and counts only when it did not pass."""

    passed: bool
    text: str
    severity: str = "ERROR"
    figures: Figures = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What came of one asset in a run.

    Attributes:
        asset: Its key, ``layer/source/entity`` or ``layer/name``.
        figures: By name.
        checks: By name.
        partition: The day; "" for a state.
        url: Where its table lies in the lake; "" for a table of the hub.
        version: Fingerprint of its data; "" where none is known.
        made: Whether there is a new version of it: no when a check forbade that.
    """

    asset: str
    figures: Figures
    checks: Mapping[str, Check] = field(default_factory=dict)
    partition: str = ""
    url: str = ""
    version: str = ""
    made: bool = True


class Measured(NamedTuple):
    """One row: a number, or else a text such as a fingerprint; ``part`` tells the parts of a distribution apart."""

    name: str
    part: str
    value: float | None
    text: str | None


def measured(outcome: Outcome) -> list[Measured]:
    """The figures of an asset and of its checks as rows; those of a check are named ``check <name>``."""
    rows = list(_rows(outcome.figures)) if outcome.made else []
    for name, check in outcome.checks.items():
        rows.append(Measured(f"check {name}", "passed", float(check.passed), None))
        rows += [_of_check(name, row) for row in _rows(check.figures)]
    return rows


def _of_check(name: str, row: Measured) -> Measured:
    return row._replace(name=f"check {name}", part=f"{row.name} {row.part}".strip())


def _rows(figures: Figures) -> Iterator[Measured]:
    for name, figure in figures.items():
        for part, value in _parts(figure):
            if isinstance(value, str):
                yield Measured(name, part, None, value)
            else:
                yield Measured(name, part, float(value), None)


def _parts(figure: Figure) -> Iterator[tuple[str, float | str]]:
    match figure:
        case Words():
            return
        case Moment():
            yield "", figure.seconds
        case Bars():
            yield from figure.counts.items()
        case Picture():
            yield from figure.points.items()
        case Grid():
            for row in figure.rows:
                about = " ".join(str(row[name]) for name in figure.key)
                yield from (
                    (f"{about}: {name}", value)
                    for name, value in row.items()
                    if name not in figure.key and isinstance(value, int | float)
                )
        case Mapping():
            yield from figure.items()
        case _:
            yield "", figure
