"""What ``python -m benchmarks spark`` found, and its document.

Belongs here: text. Does not belong here: measuring (spark).
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.document import table

_MIB = 2**20
_NAMES = {"local": "one process", "spark": "Spark: driver"}


def documents(figures: Mapping[str, Any], source: str) -> dict[str, str]:
    """The document by file name."""
    local, spark = figures["rows"]
    stated = ", ".join(f"{name} {value}" for name, value in figures["facts"].items())
    stages = "; ".join(
        f"{_NAMES[row['engine']].partition(':')[0]}: "
        + ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in row["stages"].items())
        for row in (local, spark)
    )
    rows = [
        _row(_NAMES[row["engine"]], row["seconds"], row["cpu_seconds"], row["peak_bytes"])
        for row in (local, spark)
    ]
    rows.append(
        _row("Spark: server and workers", None, spark["server_cpu_seconds"], spark["server_peak_bytes"])
    )
    what = (
        f"{figures['records']:,} generated records of people in three sources, the shipped policy for persons, the "
        f"model fitted: {local['pairs']:,} pairs compared, {local['kept']:,} kept, {local['clusters']:,} clusters. "
        "Clusters, pairs, weights and model of both engines are equal, bit for bit; the command fails where they are "
        "not. The cluster is a Spark Connect server without Java on the same machine, so it has no more processors "
        "than the one process has."
    )
    when = (
        f"Seconds by stage: {stages}. Other work kept {local['others']:.1f} and {spark['others']:.1f} cores busy "
        "meanwhile: compare processor seconds rather than seconds."
    )
    so = (
        "On one machine the engine of one process is the better one: workers encode a record once for each bin that "
        "it is in, and compare each pair twice, for the fit and for its score. What a cluster is for, and what a large "
        "one needs: [link on a Spark cluster](../how-to/spark.md)."
    )
    parts = [
        "# Benchmark of Spark",
        "*Written by `make benchmark-spark`; do not edit.*",
        source,
        f"{stated}.",
        what,
        table(["", "seconds", "processor seconds", "peak memory, MiB"], rows, "lrrr"),
        when,
        so,
    ]
    return {"benchmarks-spark.md": "\n\n".join(parts) + "\n"}


def _row(name: str, seconds: float | None, cpu: float, peak: int) -> list[str]:
    return [name, "" if seconds is None else f"{seconds:.1f}", f"{cpu:.1f}", f"{peak / _MIB:,.0f}"]
