"""``python -m benchmarks organisations``: how well organisations are linked, beside Splink on the same records.

Belongs here: from data sets to results, the linking of each by both. Does not belong here: the document's text
(document), Splink's set-up (peer_splink).
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import yaml
from rich.console import Console

from benchmarks import peers, results
from benchmarks.linkage.sets import MissingError
from benchmarks.machine import machine, versions
from benchmarks.meter import environment
from benchmarks.organisations import sets
from benchmarks.organisations.document import Linked
from benchmarks.organisations.thresholds import MATCH, THRESHOLDS
from cdm_pipelines.linkage.encode.clean import clean, rare_tokens, word_counts
from cdm_pipelines.linkage.encode.organisation import significant, sorted_words
from cdm_pipelines.linkage.encode.records import ONLY_SOURCE
from cdm_pipelines.linkage.engines.local import link
from cdm_pipelines.linkage.evaluate.measures import evaluate
from cdm_pipelines.linkage.policy.file import load_policy
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.settings import root

OUT = root() / "benchmarks" / "out" / "organisations"
POLICY = root() / "benchmarks" / "policies" / "organisations_f1.yaml"
console = Console(stderr=True, highlight=False, soft_wrap=True)


def main(given: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks organisations", description=__doc__)
    parser.add_argument("--skip-peers", action="store_true", help="leave Splink out")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for all that is made")
    options = parser.parse_args(given)
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    facts = machine() | versions()
    try:
        python = None if options.skip_peers else peers.prepare(root() / ".venv" / "peers")
        facts |= peers.versions(python) if python else {}
        rows = [row for data in _data(out) for row in _linked(data, out, python)]
    except (MissingError, peers.PeersError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    figures = {"facts": facts, "rows": [asdict(row) for row in rows]}
    written = results.publish("organisations", figures, committed=python is not None, out=out)
    sys.stdout.write(written[0].read_text(encoding="utf-8"))
    return 0


def _data(out: Path) -> list[sets.DataSet]:
    folder = out / "packages"
    makers: list[Callable[[], sets.DataSet]] = [
        lambda: sets.assignees(folder, "nber-subset"),
        lambda: sets.assignees(folder, "air-umass"),
        lambda: sets.restaurants(folder),
        lambda: sets.made(names_only=False),
        lambda: sets.made(names_only=True),
    ]
    return [make() for make in makers]


def policy(data: sets.DataSet, base: Path, folder: Path) -> LinkagePolicy:
    """A policy over the columns that a set has; nothing else differs from the file that it extends."""
    spelled: dict[str, Any] = {"extends": str(base), "id": "record_id", "columns": dict(data.columns)}
    spelled |= {"source": "file", "duplicate_free": ["a", "b"]} if data.two else {"source": None}
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(spelled), encoding="utf-8")
    return load_policy(path)


def _linked(data: sets.DataSet, out: Path, python: Path | None) -> list[Linked]:
    folder = out / data.name.replace(",", "").replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        _ours(data, "ours, for F1", POLICY, folder),
        _ours(data, "ours, as shipped", Path("organisation"), folder),
    ]
    if python is not None:
        rows += _splink(data, folder, python)
    for row in rows:
        console.print(f"{row.data:26} {row.system:32} F1 {row.f1:.3f}", markup=False)
    return rows


def _ours(data: sets.DataSet, system: str, base: Path, folder: Path) -> Linked:
    one = policy(data, base, folder)
    started = time.perf_counter()
    found = link(data.records, one)
    seconds = time.perf_counter() - started
    pairs = found.pairs[found.pairs["probability"] >= found.model.match]
    return _measured(
        data, system, found.clusters, pairs, expected=found.report["expected"]["precision"], seconds=seconds
    )


def _measured(
    data: sets.DataSet,
    system: str,
    clusters: pd.DataFrame,
    pairs: pd.DataFrame,
    *,
    expected: float,
    seconds: float,
) -> Linked:
    entity = data.truth.set_index("record_id")["truth_id"]
    same = pairs["left_id"].map(entity).to_numpy() == pairs["right_id"].map(entity).to_numpy()
    source = data.truth if data.two else data.truth.assign(source=ONLY_SOURCE)
    with_source = clusters[["record_id", "cluster_id"]].merge(source, on="record_id")
    measured = evaluate(with_source.drop(columns=["truth_id"]), source).pairs
    true = measured.true_positives + measured.false_negatives
    precision = float(same.mean()) if len(same) else 1.0
    return Linked(
        data.name, data.about, len(data.records), true, system, measured.precision, measured.recall,
        len(pairs), expected, precision, seconds,
    )  # fmt: skip


def _splink(data: sets.DataSet, folder: Path, python: Path) -> list[Linked]:
    path = folder / "records.parquet"
    prepared(data.records, list(data.columns.values())).to_parquet(path)
    command = [
        str(python),
        "-m",
        "benchmarks.organisations.peer_splink",
        str(path),
        "two" if data.two else "one",
        str(folder),
    ]
    done = subprocess.run(  # noqa: S603 - our own arguments
        command, env=environment(), cwd=root(), capture_output=True, text=True, check=False, timeout=500
    )
    if done.returncode:
        raise peers.PeersError(f"Splink on {data.name} failed:\n{done.stderr.strip()[-1500:]}")
    seconds = float(json.loads((folder / "told.json").read_text(encoding="utf-8"))["seconds"])
    pairs = pd.read_parquet(folder / "pairs.parquet")
    rows = []
    for threshold in THRESHOLDS:
        clusters = pd.read_parquet(folder / f"clusters-{threshold}.parquet")
        kept = pairs[pairs["match_probability"] >= threshold]
        expected = float(kept["match_probability"].mean()) if len(kept) else 1.0
        rows.append(
            _measured(data, f"Splink at {threshold:g}", clusters, kept, expected=expected, seconds=seconds)
        )
    best = max(rows, key=lambda row: row.f1)
    chosen = next(row for row in rows if row.system == f"Splink at {MATCH:g}")
    return [chosen] if best is chosen else [chosen, best.renamed(f"{best.system}, the best for it")]


def prepared(records: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Records with what a careful person would prepare of their names, for Splink."""
    name = columns[0]
    values = pa.array(records[name].astype("string"), from_pandas=True)
    plain = ["" if one is None else one for one in clean(values, "organisation").to_pylist()]
    distinct = sorted(set(plain))
    counts = word_counts([(distinct, pd.Series(plain).value_counts().reindex(distinct).tolist())])
    rare = dict(zip(distinct, rare_tokens(distinct, counts, 2), strict=True))
    made = records.drop(columns=[name]).rename(columns={"record_id": "unique_id"})
    made = made[["unique_id", *columns[1:], *(["file"] if "file" in made else [])]]
    return made.assign(
        name_clean=plain,
        name_sorted=[sorted_words(one) for one in plain],
        words=pd.Series([list(significant(one)) for one in plain], index=made.index),
        rare1=[(*rare[one], None)[0] for one in plain],
        rare2=[(*rare[one], None, None)[1] for one in plain],
        name_start=[one[:6] for one in plain],
    )
