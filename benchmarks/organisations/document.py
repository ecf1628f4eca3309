"""The document on linking organisations: a table of what was measured, and how.

Belongs here: figures, words, the table. Does not belong here: measuring (command).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from benchmarks.document import table

_HEAD = """\
# Benchmark of organisations

*Written by `make benchmark-organisations`; do not edit.*"""

_METHOD = """\
## How it is measured

- Ids say nothing, rows are shuffled, and only the measures read the truth. Quality is that of pairs within clusters.
  "Expected" is what a model reports without labels of the pairs that it accepts, "true" their share of true pairs.
- *assignees* are the published benchmarks of PatentsView (Monath, Jones and Madhavan, 2021), out of the package
  `pv-evaluation`: every distinct way in which the name of a patent's assignee is written, and no other column. That is
  the hardest form of them: names that are equal to the letter are one record. Assignees of the NBER subset begin with
  five beginnings that many share; the truth was made half by hand and holds some names of one assignee apart. Of the
  other set a truth entity may be a name with over a hundred ways of writing it.
- *restaurants* are the guides of Fodor's and Zagat's, out of `py-entitymatching`: 112 restaurants are in both.
- *made up* organisations come from [a generator](../../benchmarks/organisations/made.py) with errors of its own:
  legal forms, abbreviations, acronyms, word order, towns, typing errors, removals. Subsidiaries of a group and branches
  of a chain are organisations of their own.
- Ours: the shipped policy for organisations, as it is, and
  [at the threshold that serves F1](../../benchmarks/policies/organisations_f1.yaml), one half. The columns of a set are
  mapped, nothing else.
- Splink on DuckDB: [a policy with care](../../benchmarks/organisations/peer_splink.py). It is given names without legal
  forms and their rarest words, prepared by our own code; thresholds are one half, and the one that turns out to be the
  best for it, which only somebody who knows the truth can choose."""


@dataclass(frozen=True)
class Linked:
    """A set linked by one system.

    Attributes:
        data: Name of the set.
        about: What its records hold.
        records: Number of them.
        pairs: True pairs.
        system: Who linked.
        precision: Of pairs within clusters.
        recall: Of true pairs.
        accepted: Pairs from the match threshold on.
        expected_precision: Of those, as the model says.
        true_precision: Of those, in truth.
        seconds: Of linking, the machine being shared.
    """

    data: str
    about: str
    records: int
    pairs: int
    system: str
    precision: float
    recall: float
    accepted: int
    expected_precision: float
    true_precision: float
    seconds: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def renamed(self, system: str) -> Self:
        """The same, under another name of the system."""
        return replace(self, system=system)


def markdown(rows: Sequence[Linked], facts: Mapping[str, str], source: str = "") -> str:
    """The whole document."""
    parts = [_HEAD]
    for name in dict.fromkeys(row.data for row in rows):
        own = [row for row in rows if row.data == name]
        head = (
            "",
            "precision",
            "recall",
            "F1",
            "pairs accepted",
            "expected precision",
            "true precision",
            "seconds",
        )
        body = [
            (
                row.system,
                *(f"{value:.3f}" for value in (row.precision, row.recall, row.f1)),
                f"{row.accepted:,}",
                *(f"{value:.3f}" for value in (row.expected_precision, row.true_precision)),
                f"{row.seconds:.0f}",
            )
            for row in own
        ]
        parts += [
            f"## {name[0].upper()}{name[1:]}",
            f"{own[0].records:,} records, {own[0].pairs:,} true pairs: {own[0].about}.",
            table(head, body, "lrrrrrrr"),
        ]
    stated = ", ".join(f"{name} {value}" for name, value in facts.items())
    return (
        "\n\n".join([*parts, "## Machine and versions", f"{stated}.", *([source] if source else []), _METHOD])
        + "\n"
    )
