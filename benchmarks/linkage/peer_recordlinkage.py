"""recordlinkage as it comes: index, compare, ECM; then connected components of its links.

Belongs here: the toolkit used as its documentation shows. Does not belong here: anything of our engine.

Usage: ``python -m benchmarks.linkage.peer_recordlinkage RECORDS.parquet KIND VARIANT OUT``. The clock starts before the
records are read and stops when the clusters are written.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import recordlinkage
from recordlinkage.index import Block
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from benchmarks.linkage.kinds import KINDS, Rules, column

STRINGS = (
    "given_name",
    "first_name",
    "surname",
    "street",
    "address_1",
    "suburb",
    "city",
    "email",
    "birth_place",
)
EXACT = (
    "birth_date",
    "dob",
    "date_of_birth",
    "postcode",
    "postcode_fake",
    "house_number",
    "street_number",
    "phone",
)


def link(records: Path, kind: str, variant: str, out: Path) -> dict[str, object]:
    """Link one file; returns seconds per step and pairs compared."""
    about = KINDS[kind]
    started = time.perf_counter()
    frame = pd.read_parquet(records)
    sides = [side for _, side in frame.groupby(about.source)] if about.source else [frame]
    indexer = recordlinkage.Index()
    for names in _columns(sides, about.rules[variant]):
        indexer.add(Block(names, names))
    candidates = indexer.index(*sides)
    indexed = time.perf_counter()
    compare = recordlinkage.Compare()
    for name in [name for name in STRINGS if name in frame]:
        compare.string(name, name, method="jarowinkler", threshold=0.85, label=name)
    for name in [name for name in EXACT if name in frame]:
        compare.exact(name, name, label=name)
    vectors = compare.compute(candidates, *sides)
    compared = time.perf_counter()
    links = recordlinkage.ECMClassifier().fit_predict(vectors)
    classified = time.perf_counter()
    left, right = (links.get_level_values(side).to_numpy() for side in (0, 1))
    graph = coo_array((np.ones(len(links), np.int8), (left, right)), shape=(len(frame), len(frame)))
    _, member = connected_components(graph, directed=False)
    clusters = pd.DataFrame({"record_id": frame[about.id], "cluster_id": member.astype(str)})
    clusters.to_parquet(out / "clusters.parquet", index=False)
    ended = time.perf_counter()
    return {
        "seconds": ended - started,
        "steps": {
            "index": indexed - started,
            "compare": compared - indexed,
            "ECM": classified - compared,
            "components": ended - classified,
        },
        "pairs": len(candidates),
    }


def _columns(sides: list[pd.DataFrame], rules: Rules) -> list[list[str]]:
    """The columns of every rule; those that are part of another are added to the frames."""
    for part in {part for rule in rules for part in rule}:
        name, length = column(part)
        if length:
            for side in sides:
                side[part] = side[name].str[:length]
    return [list(rule) for rule in rules]


if __name__ == "__main__":
    figures = link(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    (Path(sys.argv[4]) / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
