"""GoldenMatch, linking one file with its own automatic configuration: a program for the peers' own environment.

Belongs here: calling it as its documentation says. Does not belong here: settings of ours; it chooses by itself.

Usage: ``python -m benchmarks.linkage.peer_goldenmatch RECORDS.parquet KIND VARIANT OUT``. The variants are the
configuration that ``dedupe_df`` chooses by default, and the probabilistic one (Fellegi-Sunter) that it has on request.
The clock starts before the records are read and stops when the clusters are written.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import goldenmatch
import pyarrow as pa
import pyarrow.parquet as pq
from goldenmatch.core.autoconfig import auto_configure_probabilistic_df

from benchmarks.linkage.kinds import KINDS

VARIANTS = ("automatic", "probabilistic")


def link(records: Path, kind: str, variant: str, out: Path) -> dict[str, object]:
    """Link one file; returns its seconds."""
    about = KINDS[kind]
    started = time.perf_counter()
    table = pq.read_table(records)
    ids = table[about.id].to_pylist()
    chosen = table.drop_columns([about.id] + ([about.source] if about.source else []))
    config: Any = None
    if variant == "probabilistic":
        config = auto_configure_probabilistic_df(chosen)
    configured = time.perf_counter()
    found = goldenmatch.dedupe_df(chosen, config=config, confidence_required=False)
    clusters = dict(enumerate(ids))
    for number, cluster in found.clusters.items():
        clusters |= dict.fromkeys(cluster["members"], f"c{number}")
    table = pa.table({"record_id": ids, "cluster_id": [clusters[row] for row in range(len(ids))]})
    pq.write_table(table, out / "clusters.parquet")
    ended = time.perf_counter()
    return {
        "seconds": ended - started,
        "steps": {"read, configure": configured - started, "link": ended - configured},
    }


if __name__ == "__main__":
    figures = link(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    (Path(sys.argv[4]) / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
