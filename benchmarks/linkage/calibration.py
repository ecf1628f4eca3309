"""Whether the model knows how well it does: expected against true precision, over a grid of made-up data.

Belongs here: the grid, one cell of it, and what is shown of it. Does not belong here: choosing anything by the truth.
The policy is the shipped one for persons with its own thresholds, less the columns that a cell does not have.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pandas as pd

from benchmarks.people import COLUMNS as EVERY_COLUMN
from benchmarks.people import generate
from cdm_pipelines.linkage import LinkagePolicy, load_policy
from cdm_pipelines.linkage.engines.local import link
from cdm_pipelines.linkage.evaluate.measures import evaluate
from cdm_pipelines.linkage.policy.file import parse_policy
from cdm_pipelines.linkage.policy.shipped import SHIPPED

RECORDS = 20_000
CLOSE = 0.02
LEAST = 0.9

REPEATS = (0.01, 0.1, 0.4)
COLUMNS = {
    3: ("given_name", "surname", "birth_date"),
    5: ("given_name", "surname", "birth_date", "postcode", "house_number"),
    9: EVERY_COLUMN,
}
ERRORS = (0.03, 0.15)
SOURCES = (1, 2, 3)
"""One source, two in which nobody is twice and three in which people may be."""


@dataclass(frozen=True)
class Cell:
    """One cell of the grid, what the model expects and what is true.

    Attributes:
        repeats: Share of the records that are a further record of a person already there.
        columns: Number of columns.
        errors: Chance of a typing error in a value.
        sources: Number of sources; in two sources nobody is twice.
        accepted: Pairs from the match threshold on.
        expected_precision: Of the accepted pairs, from the model's own report.
        expected_recall: Of the matches among candidate pairs.
        precision: True share of the accepted pairs.
        recall: True pairs accepted, of all there are; those that blocking missed count.
        cluster_precision: Of all pairs within clusters.
        cluster_recall: Of all true pairs.
        seconds: Of linking.
    """

    repeats: float
    columns: int
    errors: float
    sources: int
    accepted: int
    expected_precision: float
    expected_recall: float
    precision: float
    recall: float
    cluster_precision: float
    cluster_recall: float
    seconds: float

    @property
    def off(self) -> float:
        """True less expected precision."""
        return self.precision - self.expected_precision


def policy(columns: int, sources: int) -> LinkagePolicy:
    """The shipped policy on so many columns."""
    whole = load_policy(SHIPPED / "person.yaml")
    spelled = whole.model_dump(mode="json", exclude_unset=True)
    spelled["columns"] = {
        name: one if name in COLUMNS[columns] else None for name, one in spelled["columns"].items()
    }
    spelled |= {"source": "source", "duplicate_free": ["s0", "s1"] if sources == 2 else []}
    return parse_policy(spelled)


def measure(repeats: float, columns: int, errors: float, sources: int, *, records: int, seed: int) -> Cell:
    """Generate, link and hold against the truth."""
    made = generate(
        records,
        seed=seed,
        repeats=repeats,
        errors=errors,
        sources=sources,
        once_per_source=sources == 2,
    )
    started = time.perf_counter()
    result = link(made.records, policy(columns, sources))
    seconds = time.perf_counter() - started
    truth = made.truth.to_pandas()
    person = truth.set_index("record_id")["truth_id"]
    pairs = result.pairs[result.pairs["probability"] >= result.model.match]
    same = int((pairs["left_id"].map(person).to_numpy() == pairs["right_id"].map(person).to_numpy()).sum())
    source = made.records["source"].to_pandas().to_numpy()
    clusters = evaluate(result.clusters, truth.assign(source=source)).pairs
    true = clusters.true_positives + clusters.false_negatives
    return Cell(
        repeats,
        columns,
        errors,
        sources,
        len(pairs),
        result.report["expected"]["precision"],
        result.report["expected"]["recall"],
        same / len(pairs) if len(pairs) else 1.0,
        same / true if true else 1.0,
        clusters.precision,
        clusters.recall,
        seconds,
    )


def grid(records: int, tell: Callable[[str], None]) -> list[Cell]:
    """All cells."""
    cells = []
    for number, (repeats, columns, errors, sources) in enumerate(
        itertools.product(REPEATS, COLUMNS, ERRORS, SOURCES), start=1
    ):
        cell = measure(repeats, columns, errors, sources, records=records, seed=number)
        cells.append(cell)
        tell(
            f"{number:3}  repeats {repeats:4.0%}  columns {columns}  errors {errors:3.0%}  sources {sources}  "
            f"precision {cell.expected_precision:.3f} expected, {cell.precision:.3f} true  {cell.seconds:.1f} s"
        )
    return cells


def table(cells: list[Cell]) -> pd.DataFrame:
    """The cells as a table, one row each."""
    return pd.DataFrame([asdict(cell) | {"off": cell.off} for cell in cells])
