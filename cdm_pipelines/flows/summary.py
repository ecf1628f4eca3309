"""What a person wants to know after a run: counts per source, customers, duplicates, quality against the truth.

Belongs here: figures. Does not belong here: how they are printed (commands).
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.flows import layout
from cdm_pipelines.hub import queries
from cdm_pipelines.identity import CROSSWALK_SCHEMA
from cdm_pipelines.ingest.lake import Lake

EXAMPLES = 5


def source_counts(lake: Lake, contracts: Sequence[SourceContract]) -> list[dict[str, object]]:
    """Rows over all days of the lake, per source entity."""
    rows: list[dict[str, object]] = []
    for contract in contracts:
        days = layout.days(lake, "raw", contract)
        repaired = 0
        for day in days:
            if lake.exists(path := layout.repairs_path(contract, day)):
                cells = lake.read(path, ["_file", "_row"])
                repaired += cells.group_by(["_file", "_row"]).aggregate([]).num_rows
        rows.append(
            {
                "source": contract.name,
                "days": len(days),
                "read": sum(lake.count(layout.raw_path(contract, day)) for day in days),
                "accepted": _rows(lake, [layout.valid_path(contract, day) for day in days]),
                "repaired": repaired,
                "quarantined": _rows(lake, [layout.quarantine_path(contract, day) for day in days]),
            }
        )
    return rows


def _rows(lake: Lake, paths: Sequence[str]) -> int:
    return sum(lake.count(path) for path in paths if lake.exists(path))


@dataclass(frozen=True)
class Accuracy:
    """Pairs of records in one customer, against the truth."""

    precision: float
    recall: float
    pairs: int


def accuracy(connection: Connection, truth: Path) -> Accuracy:
    """Compare the published crosswalk with a truth file (``source, entity, record_id, truth_id``)."""
    from cdm_pipelines.linkage import evaluate  # noqa: PLC0415 - the toolkit takes a second to load

    known = pd.read_csv(truth, dtype=str, keep_default_na=False, quoting=csv.QUOTE_MINIMAL)
    linked = queries.read_crosswalk(connection, CROSSWALK_SCHEMA).to_pandas()
    both = linked.merge(known, on=["source", "entity", "record_id"], how="inner")
    key = pd.DataFrame({"source": both["source"] + "/" + both["entity"], "record_id": both["record_id"]})
    figures = evaluate(key.assign(cluster_id=both["golden_id"]), key.assign(truth_id=both["truth_id"])).pairs
    return Accuracy(figures.precision, figures.recall, figures.true_positives + figures.false_negatives)


def example_merges(connection: Connection) -> Sequence[Mapping[str, object]]:
    """A few customers that several sources know under different spellings."""
    return queries.largest_customers(connection, EXAMPLES)


def quarantine_reasons(lake: Lake, contracts: Sequence[SourceContract]) -> dict[str, int]:
    """Repaired cells by rule, over all days."""
    counts: dict[str, int] = {}
    for contract in contracts:
        for day in layout.days(lake, "repairs", contract):
            rules = lake.read(layout.repairs_path(contract, day), ["rule"])["rule"]
            for entry in pc.value_counts(rules).to_pylist():
                counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]
    return counts
