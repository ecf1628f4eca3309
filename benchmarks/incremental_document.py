"""What ``python -m benchmarks incremental`` found, and its document.

Belongs here: figures and text. Does not belong here: measuring (incremental).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from benchmarks.document import NOISY, table
from benchmarks.stages import NIGHT

AIM = 0.08
"""Of a rebuild's time, at the largest size with one in a hundred records changed."""
_MIB = 2**20
_TITLES = {
    "records": "Current state of records",
    "link": "Link persons and organisations",
    "stage": "Golden ids and values into staging, audited",
    "publish": "Publish in one transaction",
}


@dataclass(frozen=True)
class Night:
    """One run from records to the published version, in one process.

    Attributes:
        steps: Seconds of each step.
        seconds: Of the whole process, from start to end.
        cpu_seconds: Of the process and of PostgreSQL.
        peak_bytes: Of the process.
        database_bytes: Of PostgreSQL's processes.
        others: Cores that other work kept busy meanwhile.
        records: Records that changed.
        compared: Pairs of records.
        customers: Golden customers there are.
        worked: Golden customers that were worked through.
        identity: Golden ids by what happened to them.
        published: Rows that publication changed, per table.
    """

    steps: Mapping[str, float]
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    database_bytes: int
    others: float
    records: int
    compared: int
    customers: int
    worked: int
    identity: Mapping[str, int]
    published: Mapping[str, int]

    @property
    def together(self) -> float:
        """Seconds of all steps."""
        return sum(self.steps.values())


@dataclass(frozen=True)
class Share:
    """The nights after a delta of so many rows: a rebuild, the night itself, and one on which nothing changed."""

    share: float
    rows: int
    full: Night
    night: Night
    again: Night

    @property
    def ratio(self) -> float:
        """The night's time as part of the rebuild's."""
        return self.night.together / self.full.together


@dataclass(frozen=True)
class Size:
    """All shares at one number of records."""

    records: int
    customers: int
    shares: tuple[Share, ...]

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        """From what ``asdict`` made of it."""
        shares = tuple(
            Share(
                share["share"],
                share["rows"],
                *(Night(**share[name]) for name in ("full", "night", "again")),
            )
            for share in figures["shares"]
        )
        return cls(figures["records"], figures["customers"], shares)


def markdown(sizes: Sequence[Size], facts: Mapping[str, str], source: str = "") -> str:
    """The document.

    Args:
        sizes: From small to large.
        facts: Of the machine and of packages.
        source: Says where the figures are.
    """
    stated = ", ".join(f"{name} {value}" for name, value in facts.items())
    parts = [
        "# Benchmark of incremental runs",
        "*Written by `make benchmark-incremental`; do not edit.*",
        _summary(sizes),
        *(text for size in sizes for text in _size(size)),
        _METHOD,
        f"Machine and versions: {stated}.",
        source,
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _summary(sizes: Sequence[Size]) -> str:
    largest = sizes[-1]
    most = max(largest.shares, key=lambda share: share.rows)
    met = "met" if most.ratio <= AIM else "not met"
    return (
        f"With {most.rows:,} records new or changed among {largest.records:,}, an incremental run took "
        f"**{most.ratio:.1%}** of the time of a full one (aim: {AIM:.0%}; {met}): {most.night.together:.1f} seconds "
        f"instead of {most.full.together:.1f}, from the current state of records to the published version. "
        "Every incremental run published the same as a full one, and one on which nothing changed wrote nothing and "
        "gave no customer another id."
    )


def _size(size: Size) -> Iterator[str]:
    yield f"## {size.records:,} records"
    head = ["Step", "Full, seconds"]
    for share in size.shares:
        head += [f"{share.rows:,} changed", "of full"]
    full = [share.full for share in size.shares]
    rows = []
    for name in NIGHT:
        row = [_TITLES[name], " / ".join(f"{night.steps[name]:.1f}" for night in full)]
        for share in size.shares:
            seconds = share.night.steps[name]
            row += [f"{seconds:.2f}", f"{seconds / share.full.steps[name]:.1%}"]
        rows.append(row)
    rows.append(["**Together**", " / ".join(f"**{night.together:.1f}**" for night in full)])
    for share in size.shares:
        rows[-1] += [f"**{share.night.together:.2f}**", f"**{share.ratio:.1%}**"]
    yield table(head, rows, "lr" + "rr" * len(size.shares))
    yield table(
        ["Run", "Process, seconds", "CPU seconds", "Peak MiB", "PostgreSQL MiB", "Records and orders changed",
         "Pairs compared", "Customers worked through", "Customers published", "Cores busy with other work"],
        [row for share in size.shares for row in _runs(share)],
        "lrrrrrrrrr",
    )  # fmt: skip
    if max(night.others for share in size.shares for night in (share.full, share.night)) > NOISY:
        yield "Other work kept cores busy meanwhile: the seconds are too high, and ratios are less certain."


def _runs(share: Share) -> Iterator[list[str]]:
    changed = f"{share.rows:,} changed"
    for name, night in ((f"{changed}, full", share.full), (changed, share.night), ("unchanged", share.again)):
        yield [
            name,
            f"{night.seconds:.1f}",
            f"{night.cpu_seconds:.1f}",
            f"{night.peak_bytes / _MIB:,.0f}",
            f"{night.database_bytes / _MIB:,.0f}",
            f"{night.records:,}",
            f"{night.compared:,}",
            f"{night.worked:,}",
            f"{night.published['customer']:,}",
            f"{night.others:.1f}",
        ]


_METHOD = """\
## How it is measured

- A first load of the extracts of `cdm demo-data` is published. Then the web shop, which delivers what is new or
  changed, delivers another day: one row in ten is a new record; of the others a quarter each has another surname,
  address, e-mail address or phone. The sources that deliver snapshots deliver none.
- That day is landed, validated and standardised, and lake and database are copied. On one copy everything is made
  anew under the kept model ("full"), on the other only what the day touches. What follows is one process that calls
  the functions behind the assets; Dagster's own bookkeeping, starting Python and importing are not in the steps, but
  are in the seconds of the process.
- After the incremental run comes one on which nothing changed, and then a rebuild. The command fails unless the
  former leaves every file of records and linkage untouched, publishes nothing and changes no golden id; unless the
  latter publishes nothing; and unless the full run on the copy published as many rows of every table.
- Where two figures stand in the column of full runs, they are of the two copies: same records, other changes.
- Memory is the resident memory of the process and its descendants, looked at every 50 milliseconds.
"""
