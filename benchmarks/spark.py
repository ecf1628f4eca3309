"""``python -m benchmarks spark``: linking on a cluster beside linking in one process, the same records.

Belongs here: from records to figures and document; a server of its own without Java. Does not belong here: what the
document says (spark_document).

Server and workers are one process here, the driver another: what either needs is told apart.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from benchmarks import results
from benchmarks.machine import busy_seconds, machine, versions
from benchmarks.people import generate
from cdm_pipelines.linkage import Engine, LinkagePolicy, LinkResult, LocalEngine, load_policy
from cdm_pipelines.linkage.policy.shipped import SHIPPED
from cdm_pipelines.settings import root

RECORDS = 200_000
OUT = root() / "benchmarks" / "out" / "spark"
_SERVER = """
import sys
from pysail.spark import SparkConnectServer
server = SparkConnectServer()
server.start(background=True)
print(server.listening_address[1], flush=True)
sys.stdin.read()
"""


def main(given: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks spark", description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS, help="how many records")
    parser.add_argument("--bins", type=int, help="into how many bins the work is cut, if not by the records")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for all that is made")
    parser.add_argument("--one", choices=("local", "spark"), help=argparse.SUPPRESS)
    options = parser.parse_args(given)
    if options.one:
        sys.stdout.write(json.dumps(_linked(options.one, options.records, options.bins)))
        return 0
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in ("local", "spark"):
        busy, started = busy_seconds(), time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "benchmarks",
            "spark",
            "--one",
            name,
            "--records",
            str(options.records),
        ]
        command += ["--bins", str(options.bins)] if options.bins else []
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
        row = json.loads(done.stdout)
        others = busy_seconds() - busy - row["cpu_seconds"] - row.get("server_cpu_seconds", 0.0)
        rows.append(row | {"others": max(others, 0.0) / (time.perf_counter() - started)})
    if rows[0]["digest"] != rows[1]["digest"]:
        sys.stderr.write("The outcomes differ.\n")
        return 1
    figures = {"facts": machine() | versions(), "records": options.records, "rows": rows}
    written = results.publish(
        "spark", figures, committed=options.records == RECORDS and not options.bins, out=out
    )
    sys.stdout.write(written[0].read_text(encoding="utf-8"))
    return 0


def _linked(name: str, records: int, bins: int | None) -> dict[str, Any]:
    """One linking, and what it needed."""
    table, policy = _table(records)
    if name == "local":
        return _measured(LocalEngine(), table, policy) | {"engine": name}
    from cdm_pipelines.linkage.engines.spark import SparkEngine  # noqa: PLC0415 - the other loads nothing of it

    with _server() as url:
        found = _measured(SparkEngine(url, bins=bins), table, policy)
    server = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found | {
        "engine": name,
        "server_cpu_seconds": server.ru_utime + server.ru_stime,
        "server_peak_bytes": server.ru_maxrss * 1024,
    }


def _table(records: int) -> tuple[pa.Table, LinkagePolicy]:
    """Generated people of three sources, with nothing in what the shipped policy reads beyond."""
    policy = load_policy(SHIPPED / "person.yaml")
    table = generate(records, seed=1, sources=3).records
    for name in dict.fromkeys(name for column in policy.columns.values() for name in column.names):
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows, pa.string()))
    return table, policy


def _measured(engine: Engine, table: pa.Table, policy: LinkagePolicy) -> dict[str, Any]:
    started, cpu = time.perf_counter(), time.process_time()
    result = engine.link(table, policy)
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "pairs": result.report["pairs"],
        "kept": len(result.pairs),
        "clusters": result.report["clusters"],
        "stages": result.report["seconds"],
        "digest": _digest(result),
    }


def _digest(result: LinkResult) -> str:
    """Of clusters, pairs with their weights, and model: equal where these are, bit for bit."""
    found = hashlib.sha256(result.model.to_json().encode())
    for frame in (result.clusters, result.pairs):
        found.update(pd.util.hash_pandas_object(frame).to_numpy().tobytes())
    return found.hexdigest()


@contextmanager
def _server() -> Iterator[str]:
    """A Spark Connect server in a process of its own."""
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(root())},
    ) as process:
        assert process.stdout is not None  # noqa: S101 - asked for
        try:
            yield f"sc://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()
