"""What ``python -m benchmarks console`` found, and its document.

Belongs here: figures and text. Does not belong here: measuring (console).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

TARGET = 50.0  # milliseconds, p99 of each kind at the largest size
WARMING = 10.0  # seconds before the first request that counts


@dataclass(frozen=True)
class Way:
    """What was measured of one kind of request: how many, and milliseconds from its moment to its answer."""

    name: str
    asked: int
    failed: int
    p50: float
    p99: float
    slowest: float


@dataclass(frozen=True)
class Minute:
    """What was measured in one minute: MiB at its end, and milliseconds in which 99 of 100 were answered, by kind."""

    memory: float
    search: float
    customer: float
    match: float


@dataclass(frozen=True)
class Size:
    """What was measured at one number of customers.

    Attributes:
        customers: Golden customers.
        rate: Requests a second that were begun.
        seconds: For so long.
        ways: By kind of request.
        before: MiB of the console's processes before, and after the first seconds; what they share counts once.
        after: MiB after the last request.
        cores: Cores that they took, those of PostgreSQL and of the asking process left out.
        others: Cores that everything else on the machine took, PostgreSQL and the asking process among it.
        answered: Requests a second that were answered well.
        processor: Milliseconds of processor that the console's processes took for a request.
        minutes: By minute, where it went on for several.
    """

    customers: int
    rate: float
    seconds: float
    ways: tuple[Way, ...]
    before: float
    after: float
    cores: float
    others: float
    answered: float = 0.0
    processor: float = 0.0
    minutes: tuple[Minute, ...] = ()

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        """From what ``asdict`` made of it."""
        minutes = tuple(Minute(**one) for one in figures.get("minutes", ()))
        return cls(**{**figures, "ways": tuple(Way(**way) for way in figures["ways"]), "minutes": minutes})


_HEADINGS = (
    *("Customers", "Requests a second", "What", "Asked", "Failed", "p50 ms", "p99 ms", "Slowest ms"),
    *("MiB before", "after", "Cores", "Other cores"),
)


def markdown(sizes: Sequence[Size], facts: Mapping[str, str], source: str) -> str:
    """The document."""
    largest = sizes[-1]
    worst = max(way.p99 for way in largest.ways)
    met = "met" if worst < TARGET and not any(way.failed for way in largest.ways) else "not met"
    told = (
        f"At {largest.customers:,} customers and {largest.rate:.0f} requests a second for {largest.seconds:.0f} "
        f"seconds, 99 of 100 answers of each kind came within **{worst:.0f} ms** (aim: {TARGET:.0f} ms; {met}). The "
        f"processes took {largest.before:,.0f} MiB before and {largest.after:,.0f} MiB after."
    )
    if largest.answered:
        cost = f"each for {largest.processor:.1f} ms of processor"
        told += f" {largest.answered:.0f} requests a second were answered, {cost}."
    lines = [
        "# Benchmark of the console",
        "",
        "*Written by `make benchmark-console`; do not edit.*",
        "",
        told,
        "",
        f"| {' | '.join(_HEADINGS)} |",
        f"|{' ---: |' * 12}",
        *(
            f"| {one.customers:,} | {one.rate:.0f} | {way.name} | {way.asked:,} | {way.failed:,} | {way.p50:.1f} "
            f"| {way.p99:.1f} | {way.slowest:.0f} | {one.before:,.0f} | {one.after:,.0f} | {one.cores:.2f} "
            f"| {one.others:.2f} |"
            for one in sizes
            for way in one.ways
        ),
        "",
        *_by_minute(largest),
        "## How it is measured",
        "",
        "- `cdm serve` is one process for each core, and two beside them; PostgreSQL and the process that asks run on",
        "  the same cores. Memory that the processes share counts once.",
        "- 40 of 100 requests search for a name with a town, 50 ask for a customer, 10 match a record; each reads",
        "  as the role `steward`, and leaves its line in the access log.",
        "- A request counts from the moment at which it was to be begun, waiting included.",
        f"- {WARMING:.0f} seconds at half the rate, which do not count, come first.",
        f"- Machine and versions: {', '.join(f'{name} {value}' for name, value in facts.items())}.",
        "",
        source,
        "",
    ]
    return "\n".join(lines)


def _by_minute(size: Size) -> list[str]:
    """Memory and answers by minute, where it went on for several."""
    if not size.minutes:
        return []
    return [
        "## By minute",
        "",
        "| Minute | MiB | p99 ms of a search | of a customer | of a match |",
        f"|{' ---: |' * 5}",
        *(
            f"| {number} | {one.memory:,.0f} | {one.search:.1f} | {one.customer:.1f} | {one.match:.1f} |"
            for number, one in enumerate(size.minutes, start=1)
        ),
        "",
    ]
