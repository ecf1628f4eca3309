"""What ``python -m benchmarks profile`` found, and its document.

Belongs here: figures and text. Does not belong here: measuring (profile).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from benchmarks.document import table

FULL = 1_000_000
AIM_SECONDS, AIM_BYTES, AIM_NIGHT = 120.0, 5 * 2**30, 0.1
"""Of all enrichers at full size, and of a night as part of that."""
_GIB = 2**30
_PARTS = ("inputs", "computing", "pictures", "neighbours", "staging")
_TOLD = ("computing", "pictures", "staging")


@dataclass(frozen=True)
class Run:
    """Bringing the profile up to date, in one process.

    Attributes:
        needed: ``meter.Usage`` by name, and ``others``: cores that other work kept busy meanwhile.
        said: Seconds and rows by step and by enricher, as the stage told them.
    """

    needed: Mapping[str, float]
    said: Mapping[str, Any]

    @property
    def together(self) -> float:
        """Seconds of all that the profile takes; the customers' own publication is left out."""
        return float(sum(seconds for step, seconds in self.said["seconds"].items() if step != "customers"))

    @property
    def processor(self) -> float:
        """Processor seconds, those of PostgreSQL among them."""
        return self.needed["cpu_seconds"] + self.needed["database_cpu_seconds"]


@dataclass(frozen=True)
class Size:
    """All runs at one number of customers.

    Attributes:
        customers: Golden customers.
        share: Of them that a night changes.
        rows: Of the inputs, by entity.
        counted: What counting all days of interactions once needed, as ``Run.needed``.
        first: The first profile: everything is fitted and computed for everybody.
        nights: By what changed.
    """

    customers: int
    share: float
    rows: Mapping[str, int]
    counted: Mapping[str, float]
    first: Run
    nights: Mapping[str, Run]

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        """From what ``asdict`` made of it."""
        nights = {name: Run(**run) for name, run in figures["nights"].items()}
        return cls(**{**figures, "first": Run(**figures["first"]), "nights": nights})


def markdown(sizes: Sequence[Size], facts: Mapping[str, str], source: str = "") -> str:
    """The document.

    Args:
        sizes: From small to large.
        facts: Of the machine and of packages.
        source: Says where the figures are.
    """
    stated = ", ".join(f"{name} {value}" for name, value in facts.items())
    parts = [
        "# Benchmark of the profile",
        "*Written by `make benchmark-profile`; do not edit.*",
        _summary(sizes[-1]),
        *(text for size in reversed(sizes) for text in _size(size)),
        _METHOD,
        f"Machine and versions: {stated}.",
        source,
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _summary(size: Size) -> str:
    first = size.first
    peak = first.needed["peak_bytes"]
    nights = "; ".join(
        f"with {name} changed **{run.together:.0f} s** ({_met(run.together <= AIM_NIGHT * AIM_SECONDS)})"
        for name, run in size.nights.items()
    )
    return (
        f"All enrichers for {size.customers:,} customers, fitted, computed, staged and published: "
        f"**{first.together:.0f} s** (aim: {AIM_SECONDS:.0f} s; {_met(first.together <= AIM_SECONDS)}) and "
        f"**{peak / _GIB:.1f} GiB** (aim: {AIM_BYTES / _GIB:.0f} GiB; {_met(peak <= AIM_BYTES)}). A night on which "
        f"{size.share:.0%} of the customers changed, of which the aim is {AIM_NIGHT * AIM_SECONDS:.0f} s: {nights}."
    )


def _met(met: bool) -> str:
    return "met" if met else "not met"


def _size(size: Size) -> Iterator[str]:
    rows = ", ".join(f"{count:,} {name}" for name, count in size.rows.items())
    yield f"## {size.customers:,} customers"
    yield f"Rows of the inputs: {rows}."
    runs = {"first": size.first, **{f"night: {name}": run for name, run in size.nights.items()}}
    yield table(
        [
            "Run",
            "Seconds",
            "Processor s",
            "of PostgreSQL",
            "Peak GiB",
            "PostgreSQL GiB",
            "Cores busy with others",
        ],
        [
            ["count interactions, once", f"{size.counted['seconds']:.1f}", *_needed(size.counted)],
            *([name, f"{run.together:.1f}", *_needed(run.needed)] for name, run in runs.items()),
        ],
        "lrrrrrr",
    )
    yield "Where the seconds go:"
    steps = {name: _steps(run) for name, run in runs.items()}
    yield table(
        ["Step", *runs],
        [[step, *(f"{of[step]:.1f}" for of in steps.values())] for step in steps["first"]],
        "l" + "r" * len(runs),
    )
    yield "The first profile by enricher, in seconds; inputs that several read are in the table above:"
    fits, enrichers = size.first.said["fit"], size.first.said["enrichers"]
    yield table(
        ["Enricher", "Rows", "Fit", "Compute", "Pictures", "Stage"],
        [
            [
                name,
                f"{one['rows']:,}",
                f"{fits[name]:.1f}" if name in fits else "",
                *(f"{one['parts'][part]:.1f}" for part in _TOLD),
            ]
            for name, one in enrichers.items()
        ],
        "lrrrrr",
    )


def _needed(needed: Mapping[str, float]) -> list[str]:
    return [
        f"{needed['cpu_seconds'] + needed['database_cpu_seconds']:.1f}",
        f"{needed['database_cpu_seconds']:.1f}",
        f"{needed['peak_bytes'] / _GIB:.2f}",
        f"{needed['database_bytes'] / _GIB:.2f}",
        f"{needed['others']:.1f}",
    ]


def _steps(run: Run) -> dict[str, float]:
    """Seconds of a run by step; what is not told apart is in the last."""
    spent, fit, said = run.said["spent"], run.said["fit"], run.said["seconds"]
    parts = {
        part: sum(one["parts"].get(part, 0.0) for one in run.said["enrichers"].values()) for part in _PARTS
    }
    steps = {
        "look for new days of interactions": spent.get("counting", 0.0),
        "attach interactions and make their input": spent.get("attaching", 0.0),
        "read base tables": spent.get("reading", 0.0),
        "make other inputs": fit.get("inputs", 0.0) + parts["inputs"] - spent.get("attaching", 0.0),
        "fit": sum(seconds for name, seconds in fit.items() if name != "inputs"),
        "compute": parts["computing"],
        "pictures": parts["pictures"],
        "what customers have in common": spent.get("neighbours", 0.0) + parts["neighbours"],
        "stage": parts["staging"],
        "publish": said["publish"],
    }
    return {**steps, "other": run.together - sum(steps.values())}


_METHOD = """
## How it is measured

- The inputs are written as the lake and the hub hold them when customers have been published; linking and golden
  records are measured [elsewhere](benchmarks.md). Two source records stand behind each customer.
- *First*: one process fits every scale and model, computes every enricher for everybody, stages and publishes: the
  assets `profile/*` and their part of the publication. Its peak is all resident memory, mapped files of the lake
  among it.
- Days of interactions are counted once, when they come; a year of them before the first profile, in a process of its
  own.
- *Nights*: half of the changed customers have another address, half a new order; the second one brings a day of
  interactions besides. What the publication of the customers themselves takes is left out.
- Processor seconds are those of the process and of PostgreSQL, on all cores together.
"""
