"""What ``python -m benchmarks rights`` found, and its document.

Belongs here: figures and text. Does not belong here: measuring (rights).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Self

from benchmarks.document import NOISY, table

AIM_ACCESS, AIM_ERASURE = 2.0, 60.0
"""Seconds, at a million."""
_MIB = 2**20
_PARTS = {
    "reading what is known": "What is known of them, and what others have too",
    "landing": "Extracts as delivered",
    "days": "Days of sources in the lake",
    "records": "Current records",
    "link": "Matches, clusters, what linking starts from",
    "beside": "The database, and beside it current records and what linking starts from",
    "looking through everything": "Looking through every file and table",
}


@dataclass(frozen=True)
class Size:
    """All that was measured at one number of records.

    Attributes:
        records: Source records of parties.
        customers: Golden customers.
        access: Seconds of each answer in one process.
        access_cpu: Processor seconds of all of them.
        commands: Seconds of the whole command, some times.
        erasure: What the stage of erasing said.
        erasure_needed: ``meter.Usage`` of it by name, and ``others``: cores that other work kept busy.
        night: What the stage of the next night said.
        night_needed: As ``erasure_needed``.
        days: The same of a day of the ERP's customers that is run again, with bank accounts plain and encrypted.
    """

    records: int
    customers: int
    access: Sequence[float]
    access_cpu: float
    commands: Sequence[float]
    erasure: Mapping[str, Any]
    erasure_needed: Mapping[str, float]
    night: Mapping[str, Any]
    night_needed: Mapping[str, float]
    days: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        """From what ``asdict`` made of it."""
        return cls(**figures)


def markdown(sizes: Sequence[Size], facts: Mapping[str, str], source: str = "") -> str:
    """The document.

    Args:
        sizes: From small to large.
        facts: Of the machine and of packages.
        source: Says where the figures are.
    """
    stated = ", ".join(f"{name} {value}" for name, value in facts.items())
    parts = [
        "# Benchmark of access and erasure",
        "*Written by `make benchmark-rights`; do not edit.*",
        _summary(sizes[-1]),
        *(text for size in sizes for text in _size(size)),
        _METHOD,
        f"Machine and versions: {stated}.",
        source,
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _summary(size: Size) -> str:
    command, erased = median(size.commands), size.erasure_needed["seconds"]
    return (
        f"Among {size.customers:,} customers with {size.records:,} source records the command that answers one person "
        f"took **{command:.1f} seconds** (aim: {AIM_ACCESS:.0f}; {_met(command, AIM_ACCESS)}), start of Python "
        f"included; writing the archive {median(size.access):.1f}, at most {max(size.access):.1f}. Erasing "
        f"{size.erasure['persons']:,} persons, looking through everything included, took **{erased:.0f} seconds** "
        f"(aim: {AIM_ERASURE:.0f}; {_met(erased, AIM_ERASURE)}). The run after it compared "
        f"{size.night['compared']:,} pairs of records, worked through {size.night['worked']:,} customers, and took "
        f"{sum(size.night['seconds'].values()):.0f} seconds."
    )


def _met(seconds: float, aim: float) -> str:
    return "met" if seconds <= aim else "not met"


def _size(size: Size) -> Iterator[str]:
    yield f"## {size.records:,} records, {size.customers:,} customers"
    first, *others = size.access
    rows = [
        ["Archive, first of a process", f"{first:.2f}"],
        ["Archive, each further: median", f"{median(others or [first]):.2f}"],
        ["Archive, each further: slowest", f"{max(others or [first]):.2f}"],
        ["Archive, processor, on average", f"{size.access_cpu / len(size.access):.2f}"],
        ["`cdm privacy access`, median", f"{median(size.commands):.2f}"],
    ]
    yield table(["One person's data", "Seconds"], rows, "lr")
    parts = size.erasure["parts"]
    named = [[title, f"{parts[name]:.1f}"] for name, title in _PARTS.items() if name in parts]
    rest = sum(seconds for name, seconds in parts.items() if name not in _PARTS)
    last = [["The database", f"{rest:.1f}"]] if rest else []
    rows = [*named, *last, ["**Together**", f"**{size.erasure['seconds']:.1f}**"]]
    yield table([f"Erasing {size.erasure['persons']:,} persons", "Seconds"], rows, "lr")
    found = size.erasure
    yield (
        f"{found['records']:,} source records went; {found['values']:,} values were looked for in {found['files']:,} "
        f"files and {found['tables']:,} tables."
    )
    rows = [
        [name, *_needed(needed)]
        for name, needed in (
            ("Erasure", size.erasure_needed),
            ("The run after it", size.night_needed),
            *((f"Customers of the ERP, a day, bank accounts {how}", used) for how, used in size.days.items()),
        )
    ]
    yield table(["Process", "Seconds", "Processor", "Peak MiB", "Cores busy with other work"], rows, "lrrrr")
    if max(size.erasure_needed["others"], size.night_needed["others"]) > NOISY:
        yield "Other work kept cores busy meanwhile: the seconds are too high; those of the processor are not."
    night = [[name, f"{seconds:.1f}"] for name, seconds in size.night["seconds"].items()]
    yield table(["Step of the run after it", "Seconds"], night, "lr")


def _needed(needed: Mapping[str, float]) -> Iterator[str]:
    yield f"{needed['seconds']:.1f}"
    yield f"{needed['cpu_seconds'] + needed['database_cpu_seconds']:.1f}"
    yield f"{needed['peak_bytes'] / _MIB:,.0f}"
    yield f"{needed['others']:.1f}"


_METHOD = """\
## How it is measured

- A first load of one day of the extracts of `cdm demo-data` is published, without interactions and profiles. Persons
  are drawn at random from the customers, in the same way each time.
- An archive is that of `cdm privacy access`, written by one process; the first has to look through each file that it
  reads (checksums), which later ones of that process need not. The whole command starts Python besides, its modules
  compiled.
- Erasing is one process: who it is, what others have too, tombstones, landing, lake, database, statistics, and last
  every file and table looked through for each value. PostgreSQL runs already.
- The run after it goes from the current state of records to the published version, in one process, without Dagster.
- The day of the ERP's customers is landed, validated and standardised again, first as before and then with every bank
  account encrypted; a row of another source has none.
- Memory is the resident memory of the process and its descendants, looked at every 50 milliseconds.
"""
