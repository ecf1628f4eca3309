"""What ``python -m benchmarks match`` found, and its document.

Belongs here: figures and text. Does not belong here: measuring (match).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

TARGET, MEMORY = 50.0, 1.5  # milliseconds of the slowest one in a hundred; GiB
WARMING = 50  # records before the first that counts


@dataclass(frozen=True)
class Size:
    """What was measured at one number of customers.

    Attributes:
        customers: Golden customers.
        records: Source records that were held in memory.
        loading: Seconds to load them.
        held: GiB that the process takes more for it, files that it maps included; ``own``: without those.
        own: See there.
        asked: Records that were held out and asked for.
        joined: Of those the ones that joined a customer; ``doubtful`` and ``refused`` alike.
        doubtful: See there.
        refused: See there.
        agree: Of those asked, the ones of which the night says the same.
        p50, p99, slowest: Milliseconds of one, answer of the hub included.
        processor: Milliseconds of this process's processors, on average.
        compared: Records that one was compared with, on average.
        others: Cores that other work kept busy meanwhile.
    """

    customers: int
    records: int
    loading: float
    held: float
    own: float
    asked: int
    joined: int
    doubtful: int
    refused: int
    agree: int
    p50: float
    p99: float
    slowest: float
    processor: float
    compared: float
    others: float

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        """From what ``asdict`` made of it."""
        return cls(**figures)


def markdown(sizes: Sequence[Size], facts: Mapping[str, str], source: str) -> str:
    """The document."""
    largest = sizes[-1]
    met = "met" if largest.p99 < TARGET else "not met"
    lines = [
        "# Benchmark of matching one record",
        "",
        "*Written by `python -m benchmarks match`; do not edit.*",
        "",
        (
            f"Of {largest.asked:,} records that were held out of {largest.customers:,} customers, "
            f"**{largest.agree:,}** were answered as the night with them in links them. 99 of 100 took less than "
            f"**{largest.p99:.0f} ms** (aim: {TARGET:.0f} ms; {met}), half of them less than {largest.p50:.0f} ms. "
            f"The process takes {largest.held:.1f} GiB more for it (aim: {MEMORY} GiB)."
        ),
        "",
        *_table(sizes),
        "",
        "## How it is measured",
        "",
        "- Records are drawn at random and typed as they are standardised, with the connection open; the time runs",
        "  from values to answer, reading them and asking the hub for customers included.",
        "- *Agree*: the record joins the customer that it was published with, or none where that has no other record.",
        "- Memory is what the process takes more once the linkage is loaded; *mapped* are pages of files in it, which",
        "  the system gives away when others need them.",
        f"- {WARMING} that do not count come first.",
        f"- Machine and versions: {', '.join(f'{name} {value}' for name, value in facts.items())}.",
        "",
        source,
        "",
    ]
    return "\n".join(lines)


def _table(sizes: Sequence[Size]) -> Iterator[str]:
    yield (
        "| Customers | Records | Load s | GiB | of which mapped | Asked | Agree | Join | In doubt | Compared | p50 ms "
        "| p99 ms | Slowest ms | Processor ms | Others' cores |"
    )
    yield f"|{' ---: |' * 15}"
    for one in sizes:
        yield (
            f"| {one.customers:,} | {one.records:,} | {one.loading:.1f} | {one.held:.2f} | {one.held - one.own:.2f} "
            f"| {one.asked:,} | {one.agree:,} | {one.joined:,} | {one.doubtful:,} | {one.compared:.0f} | {one.p50:.1f} "
            f"| {one.p99:.1f} | {one.slowest:.0f} | {one.processor:.1f} | {one.others:.1f} |"
        )
