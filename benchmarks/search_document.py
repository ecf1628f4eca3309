"""What ``python -m benchmarks search`` found, and its document.

Belongs here: figures and text. Does not belong here: measuring (search).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

TARGET = 50.0  # milliseconds, p99 at the largest size
WARMING = 100  # queries before the first that counts


@dataclass(frozen=True)
class Figures:
    """Of one kind of query: milliseconds, and the share of customers who came first or among the first five."""

    kind: str
    queries: int
    p50: float
    p99: float
    cpu: float
    first: float
    five: float


@dataclass(frozen=True)
class Size:
    """All kinds at one number of customers; ``others``: cores that other work kept busy meanwhile."""

    customers: int
    others: float
    every: Figures
    kinds: tuple[Figures, ...]

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        """From what ``asdict`` made of it."""
        kinds = tuple(Figures(**kind) for kind in figures["kinds"])
        return cls(figures["customers"], figures["others"], Figures(**figures["every"]), kinds)


def markdown(sizes: Sequence[Size], facts: Mapping[str, str], source: str = "") -> str:
    """The document.

    Args:
        sizes: From small to large.
        facts: Of the machine and of packages.
        source: Says where the figures are.
    """
    largest = sizes[-1]
    met = "met" if largest.every.p99 < TARGET else "not met"
    lines = [
        "# Benchmark of search",
        "",
        "*Written by `make benchmark-search`; do not edit.*",
        "",
        (
            f"99 of 100 searches among {largest.customers:,} customers took less than **{largest.every.p99:.0f} ms** "
            f"(aim: {TARGET:.0f} ms; {met}), half of them less than {largest.every.p50:.0f} ms."
        ),
        "",
        (
            "Persons are drawn at random from the customers, and searched by what a caller would say or an agent would "
            "type. An *error* is one letter or digit replaced, left out, doubled or swapped with the next. *First* and "
            "*first five* say how often the customer meant came first, or among the first five."
        ),
        "",
    ]
    for size in sizes:
        lines += [f"## {size.customers:,} customers", "", *_table(size), ""]
        lines += [f"Work of others kept {size.others:.1f} cores busy meanwhile, of those below.", ""]
    stated = ", ".join(f"{name} {value}" for name, value in facts.items())
    lines += [
        "## How it is measured",
        "",
        (
            "- `steps.search.find.find` is called in one process with an open connection and loaded models: "
            "milliseconds from what was typed to ranked customers. The "
            "command `cdm customer` takes its start-up besides."
        ),
        f"- Kinds are mixed in random order, after {WARMING} searches that do not count.",
        "- Processor time is that of the calling process, on average; the rest is the database's.",
        "- A name alone finds namesakes, of whom nothing typed prefers one; that is what its recall shows.",
        f"- Machine and versions: {stated}.",
        "",
        *([source, ""] if source else []),
    ]
    return "\n".join(lines)


def _table(size: Size) -> Iterator[str]:
    yield "| Typed | Searches | p50 ms | p99 ms | Processor ms | First | First five |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for one in (*size.kinds, size.every):
        name = f"**{one.kind}**" if one is size.every else one.kind
        yield (
            f"| {name} | {one.queries:,} | {one.p50:.1f} | {one.p99:.1f} | {one.cpu:.1f} "
            f"| {one.first:.1%} | {one.five:.1%} |"
        )
