"""Our own linking of one file, in a process of its own.

Belongs here: the library call, and what it says of itself. Does not belong here: what is measured from outside.
"""

import os
import threading
import time
from itertools import accumulate
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

# Imported before the clock starts, as every system's packages are.
from cdm_pipelines.linkage import load_policy
from cdm_pipelines.linkage.engines.local import link

_EVERY = 0.05  # seconds between two looks at the memory
PHASES = {
    "read": ("read",),
    "encode": ("encode",),
    "block and compare": ("block", "compare", "count"),
    "fit": ("fit",),
    "score": ("score",),
    "cluster": ("cluster",),
    "write": ("output", "write"),
}
"""Stages as they follow each other in time; blocks are made and compared in turns."""


class _Watch:
    """The resident memory of this process, from now on."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self._seen: list[tuple[float, int]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        process = psutil.Process(os.getpid())
        while not self._done.is_set():
            self._seen.append((time.perf_counter() - self.started, process.memory_info().rss))
            self._done.wait(_EVERY)

    def peaks(self, seconds: dict[str, float]) -> dict[str, int]:
        """Most bytes in each of the phases that follow each other, which took so many seconds."""
        self._done.set()
        self._thread.join()
        ends = list(accumulate(seconds.values()))
        starts = [0.0, *ends[:-1]]
        return {
            phase: max((rss for at, rss in self._seen if start - 2 * _EVERY <= at < end + _EVERY), default=0)
            for phase, start, end in zip(seconds, starts, ends, strict=True)
        }


def link_table(records: str, policy: str, out: str) -> dict[str, object]:
    """Link a file under a policy and leave ``clusters.parquet`` (``record_id``, ``cluster_id``) in ``out``."""
    rules = load_policy(policy)
    watch = _Watch()
    table = pq.read_table(records)
    read = time.perf_counter() - watch.started
    result = link(table, rules)
    linked = time.perf_counter() - watch.started
    clusters = pa.Table.from_pandas(result.clusters[["record_id", "cluster_id"]], preserve_index=False)
    pq.write_table(clusters, Path(out) / "clusters.parquet")
    seconds = time.perf_counter() - watch.started
    stages = {"read": read, **result.report["seconds"], "write": seconds - linked}
    phases = {name: sum(stages.get(stage, 0.0) for stage in parts) for name, parts in PHASES.items()}
    return {
        "seconds": seconds,
        "steps": phases,
        "peaks": watch.peaks(phases),
        "pairs": result.report["pairs"],
        "expected": result.report["expected"],
    }
