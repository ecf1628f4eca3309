"""Whatever column is compared in addition, on whatever shipped benchmark table, F1 does not fall by more than .01."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.linkage import sets
from benchmarks.people import generate
from cdm_pipelines.linkage import link, load_policy
from cdm_pipelines.linkage.evaluate.measures import evaluate
from cdm_pipelines.linkage.policy.file import parse_policy

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("BENCHMARK_DATA", str(ROOT.parent / "shared" / "data")))
FILES = {"fake_1000": "fake_1000.csv", "historical_50k": "historical_50k.parquet"}
TABLES = tuple(
    name
    for name in ("febrl3", "febrl4", "fake_1000", "historical_50k", "people", "people_wide")
    if name not in FILES or (SHARED / "linkage" / FILES[name]).is_file()
)
MAY_FALL = 0.01
PEOPLE = 4_000
HISTORICAL = 10  # one person in so many of historical_50k
Values = npt.NDArray[np.object_]


class Table(NamedTuple):
    """A benchmark table with its truth, and the columns that its policy compares."""

    records: pd.DataFrame
    truth: pd.DataFrame
    policy: dict[str, Any]
    columns: tuple[str, ...]


def _like(of: Values, rng: np.random.Generator) -> Values:
    """A value that goes with another in four records of five, and any in the fifth."""
    start = _start(of, rng)
    return np.where(rng.random(len(of)) < 0.8, start, rng.integers(0, 9, len(of)).astype(str)).astype(object)


def _start(of: Values, _: np.random.Generator) -> Values:
    return np.array([None if value is None else str(value)[:2] for value in of], object)


def _minority(of: Values, _: np.random.Generator) -> Values:
    """One country for most, another for those with certain names, as people of another country have."""
    starts = sorted({str(value)[:2] for value in of if value is not None})[::9]
    return np.array(["other" if str(value)[:2] in starts else "main" for value in of], object)


def _nearly_empty(of: Values, rng: np.random.Generator) -> Values:
    values = rng.integers(0, 9, len(of)).astype(str).astype(object)
    values[rng.random(len(of)) < 0.97] = None
    return values


COLUMNS: dict[str, Callable[[Values, np.random.Generator], Values]] = {
    "constant": lambda of, _: np.full(len(of), "x", object),
    "copy": lambda of, _: of,
    "noise": lambda of, rng: rng.integers(0, 40, len(of)).astype(str).astype(object),
    "noise of few values": lambda of, rng: rng.integers(0, 4, len(of)).astype(str).astype(object),
    "function": _start,
    "correlated": _like,
    "nearly unique": lambda of, rng: rng.permutation(len(of)).astype(str).astype(object),
    "nearly empty": _nearly_empty,
    "minority": _minority,
}


@cache
def table(name: str, folder: Path) -> Table:
    """A benchmark table, a tenth of the largest."""
    if name in sets.PUBLISHED:
        found = sets.published(name, SHARED, folder)
        records, truth = (pq.read_table(path).to_pandas() for path in (found.records, found.truth))
        records = records.astype(object).mask(records.isna(), None)
    else:
        made = generate(PEOPLE, seed=4)
        records, truth = made.records.to_pandas(), made.truth.to_pandas()
    if name == "historical_50k":
        kept = pd.factorize(truth["truth_id"])[0] % HISTORICAL == 0
        records, truth = records[kept].reset_index(drop=True), truth[kept].reset_index(drop=True)
    policy = load_policy(ROOT / "benchmarks" / "policies" / f"{name}.yaml")
    spelled = policy.model_dump(mode="json", exclude_unset=True)
    mapped = [policy.columns[one].column or one for one in ("given_name", "surname", "birth_date")]
    return Table(records, truth, spelled, tuple(mapped))


def f1(of: Table, extra: Values | None = None, **comparison: object) -> float:
    """F1 of a table, with one more column or without."""
    records, policy = of.records, of.policy
    if extra is not None:
        records = records.assign(extra=extra)
        policy = {
            **policy,
            "columns": {**policy["columns"], "extra": {"clean": "text"}},
            "comparisons": {
                **policy["comparisons"],
                "extra": {"kind": "exact", "column": "extra", **comparison},
            },
        }
    clusters = link(records, parse_policy(policy)).clusters
    return evaluate(clusters, of.truth.merge(clusters[["source", "record_id"]], on="record_id")).pairs.f1


@cache
def without(name: str, folder: Path) -> float:
    return f1(table(name, folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@given(
    name=st.sampled_from(TABLES),
    column=st.tuples(st.sampled_from(sorted(COLUMNS)), st.integers(0, 2), st.integers(1, 5)),
    weighed=st.sampled_from(({}, {"shared": True, "term_frequency": {}})),
)
@settings(
    max_examples=16,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_one_more_column_costs_nothing(
    folder: Path, name: str, column: tuple[str, int, int], weighed: dict[str, object]
) -> None:
    (kind, which, seed), of = column, table(name, folder)
    values = of.records[of.columns[which]].to_numpy(object)
    extra = COLUMNS[kind](values, np.random.default_rng(seed))
    assert f1(of, extra, **weighed) >= without(name, folder) - MAY_FALL


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("kind", ["copy", "function"])
def test_what_another_column_says_is_never_evidence(folder: Path, kind: str, which: int) -> None:
    of = table("febrl3", folder)
    values = of.records[of.columns[which]].to_numpy(object)
    extra = COLUMNS[kind](values, np.random.default_rng(1))
    assert f1(of, extra, term_frequency={}) >= without("febrl3", folder) - MAY_FALL / 2
