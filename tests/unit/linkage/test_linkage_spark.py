"""Linking on a cluster: the outcome is that of one machine, row for row, however the work is cut."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from linkage_examples import full_people, full_policy, people, policy
from spark_server import served

from cdm_pipelines.linkage import LinkageError, LinkagePolicy, LinkResult, LocalEngine, load_policy
from cdm_pipelines.linkage.cluster.constraints import Decided
from cdm_pipelines.linkage.engines.spark import SparkEngine
from cdm_pipelines.linkage.policy.shipped import SHIPPED

RNG = np.random.default_rng()  # another cut of the work each time: none may change anything


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with served() as url:
        yield url


def assert_same(ours: LinkResult, theirs: LinkResult) -> None:
    pd.testing.assert_frame_equal(ours.clusters, theirs.clusters, check_exact=True)
    pd.testing.assert_frame_equal(ours.pairs, theirs.pairs, check_exact=True)
    assert ours.model.to_json() == theirs.model.to_json()
    reports = [{k: v for k, v in one.report.items() if k != "seconds"} for one in (ours, theirs)]
    assert reports[0] == reports[1]


def of_keys(**changes: Any) -> LinkagePolicy:
    """The policy with every kind of comparison and of key."""
    return full_policy(**changes).model_copy(
        update={
            "blocking": tuple(r for r in full_policy(**changes).blocking if not (r.window or r.algorithm))
        }
    )


def persons(number: int) -> pd.DataFrame:
    frame = full_people(number, seed=5).rename(columns={"id": "record_id", "prefix": "surname_prefix"})
    frame["source"] = np.array(["crm", "shop", "erp"])[np.arange(len(frame)) % 3]
    read = load_policy(SHIPPED / "person.yaml").columns.values()
    return frame.assign(**{n: None for one in read for n in one.names if n not in frame})


def organisations(number: int) -> pd.DataFrame:
    frame = full_people(number, seed=6).rename(columns={"id": "record_id", "firm": "organisation_name"})
    frame["source"] = np.array(["crm", "erp"])[np.arange(len(frame)) % 2]
    frame["vat_number"], frame["iban"] = frame["account"], None
    read = load_policy(SHIPPED / "organisation.yaml").columns.values()
    return frame.assign(**{n: None for one in read for n in one.names if n not in frame})


CASES: dict[str, tuple[Callable[[], pd.DataFrame], Callable[[], LinkagePolicy]]] = {
    "person": (lambda: persons(900), lambda: load_policy(SHIPPED / "person.yaml")),
    "organisation": (lambda: organisations(1000), lambda: load_policy(SHIPPED / "organisation.yaml")),
    "own": (lambda: full_people(1000, seed=7), of_keys),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_cluster_finds_what_one_machine_finds(name: str, cluster: str) -> None:
    table, how = CASES[name][0](), CASES[name][1]()
    here = LocalEngine().link(table, how)
    assert len(here.pairs) > 300
    assert 300 < here.report["clusters"] < len(table)
    for bins in RNG.integers(2, 12, 1).tolist():
        shuffled = table.sample(frac=1, random_state=bins)
        assert_same(here, SparkEngine(cluster, bins=bins).link(shuffled, how))


@pytest.mark.slow
def test_large_blocks_are_split_and_cut_alike(cluster: str) -> None:
    table = full_people(700, seed=8)
    for limits in ({"max_block_size": 2}, {"max_block_size": 6}, {"max_pairs": 400}):
        how = of_keys(**limits)
        here = LocalEngine().link(table, how)
        assert any(rule["oversized_blocks"] for rule in here.report["rules"])
        assert_same(here, SparkEngine(cluster, bins=5).link(table, how))


@pytest.mark.slow
def test_decisions_labels_and_sources_without_duplicates_count_alike(cluster: str) -> None:
    table = people(500, seed=9).assign(
        shop=lambda frame: np.array(["a", "b", "c"])[np.arange(len(frame)) % 3]
    )
    how = policy(source="shop", duplicate_free=["b"], max_block_size=4)
    first = LocalEngine().link(table, how)
    pairs = first.pairs[["left_source", "left_id", "right_source", "right_id"]]
    decided = Decided(different=pairs.head(5), same=pairs.tail(5))
    labels = pd.concat([pairs.head(40).assign(match=True), pairs.tail(20).assign(match=False)])
    given: dict[str, Any] = {"decided": decided, "labels": labels}
    here = LocalEngine().link(table, how, **given)
    assert here.model.training["labels"] > 0
    assert not here.clusters.equals(first.clusters)
    assert_same(here, SparkEngine(cluster, bins=4).link(table, how, **given))
    fitted = SparkEngine(cluster, bins=3).fit(table, how, labels=labels)
    assert fitted.to_json() == LocalEngine().fit(table, how, labels=labels).to_json()


@pytest.mark.slow
def test_a_model_and_a_plan_that_are_given_are_kept_to(cluster: str) -> None:
    table = full_people(700, seed=10)
    how = of_keys(max_block_size=12)
    # Blocks that have outgrown the plan since are cut.
    before = LocalEngine().link(table.head(len(table) // 2), how, remember=True)
    assert before.state is not None
    given: dict[str, Any] = {"model": before.model, "plan": before.state.plan, "remember": True}
    here, there = (one.link(table, how, **given) for one in (LocalEngine(), SparkEngine(cluster, bins=4)))
    assert sum(rule["oversized_blocks"] for rule in here.report["rules"]) > 0
    assert_same(here, there)
    assert here.state is not None
    assert there.state is not None
    tables = zip(here.state.tables().items(), there.state.tables().items(), strict=True)
    assert all(one == other for one, other in tables), "what the next run starts from"
    assert here.state.rows.base.to_tables() == there.state.rows.base.to_tables()


@pytest.mark.slow
def test_a_few_records_or_none_are_no_fault(cluster: str) -> None:
    for number in (0, 1, 3):
        table = people(3, seed=1).head(number)
        here, there = (one.link(table, policy()) for one in (LocalEngine(), SparkEngine(cluster)))
        pd.testing.assert_frame_equal(here.clusters, there.clusters)


@pytest.mark.slow
def test_nothing_is_left_where_records_went_through(cluster: str, tmp_path: Path) -> None:
    SparkEngine(cluster, exchange=str(tmp_path)).link(people(300, seed=2), policy())
    assert list(tmp_path.iterdir()) == []


def test_a_rule_that_looks_at_all_records_is_refused_in_words(cluster: str) -> None:
    with pytest.raises(LinkageError, match=r"given_name.*window looks at all records.*one machine"):
        SparkEngine(cluster).link(full_people(20, seed=1), full_policy())


def test_a_model_of_other_comparisons_is_refused_before_anything_is_compared(cluster: str) -> None:
    table = people(300, seed=3)
    model = LocalEngine().fit(table, policy())
    less = {name: one for name, one in model.comparisons.items() if name != "postcode"}
    with pytest.raises(LinkageError, match="comparison"):
        SparkEngine(cluster).link(table, policy(), model=replace(model, comparisons=less))


def test_where_nothing_answers_is_said_without_a_token() -> None:
    with pytest.raises(LinkageError, match=r"nothing answers at sc://127\.0\.0\.1:9;") as told:
        SparkEngine("sc://127.0.0.1:9/;token=secret").link(people(20, seed=1), policy())
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("url", ["sc:/127.0.0.1:9/;token=secret", "sc:/secret@127.0.0.1:9"])
def test_an_address_that_is_mistyped_is_told_without_a_token(url: str) -> None:
    with pytest.raises(LinkageError, match="engine spark") as told:
        SparkEngine(url).link(people(20, seed=1), policy())
    assert "secret" not in str(told.value)


def test_a_master_needs_spark_in_full() -> None:
    with pytest.raises(LinkageError, match="install pyspark in place of pyspark-client"):
        SparkEngine("local[2]").link(people(20, seed=1), policy())


def test_a_folder_that_workers_cannot_reach_is_said(cluster: str) -> None:
    with pytest.raises(LinkageError, match="--exchange"):
        SparkEngine(cluster, exchange="memory://records").link(people(20, seed=1), policy())


def test_without_the_extra_it_is_said_what_to_install() -> None:
    program = """
import sys
sys.modules["pyspark"] = None
import pandas as pd
from cdm_pipelines.linkage import LinkageError, load_policy
from cdm_pipelines.linkage.engines.spark import SparkEngine
from linkage_examples import people, policy
try:
    SparkEngine("sc://localhost").link(people(20, seed=1), policy())
except LinkageError as error:
    print(error)
"""
    assert "pip install 'cdm-pipelines[spark]'" in _run(program)


def test_who_does_not_ask_for_spark_does_not_load_it() -> None:
    program = """
import sys
import cdm_pipelines.definitions
from cdm_pipelines.commands import linkage
from cdm_pipelines.linkage import engines, link
from cdm_pipelines.linkage.engines import driver, session, spark
from linkage_examples import people, policy
link(people(50, seed=1), policy())
print([name for name in sys.modules if name.partition(".")[0] in ("pyspark", "pysail", "grpc_status")])
"""
    assert _run(program).strip() == "[]"


def test_a_process_without_a_file_of_its_own_links_too(cluster: str) -> None:
    """As a worker does that another library started with ``python -c``."""
    program = f"""
from cdm_pipelines.linkage.engines.spark import SparkEngine
from linkage_examples import people, policy
print(SparkEngine({cluster!r}).link(people(200, seed=1), policy()).report["records"] > 200)
"""
    assert _run(program).strip() == "True"


def _run(program: str) -> str:
    folder = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": folder},
    )
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="real PySpark needs Java")
def test_spark_itself_finds_the_same(tmp_path: Path) -> None:
    """With ``PYTHON_WITH_PYSPARK`` a Python that has pyspark in full beside this project's packages."""
    python = os.environ.get("PYTHON_WITH_PYSPARK")
    if python is None:
        pytest.skip("PYTHON_WITH_PYSPARK names no Python with pyspark in full")
    table = persons(1200)
    here = LocalEngine().link(table, load_policy(SHIPPED / "person.yaml"))
    table.to_parquet(tmp_path / "people.parquet")
    subprocess.run(
        [
            *(python, "-m", "cdm_pipelines.cli", "link", str(tmp_path / "people.parquet")),
            *("--policy", str(SHIPPED / "person.yaml"), "--out", str(tmp_path / "out")),
            *("--engine", "spark", "--master", "local[2]"),
        ],
        check=True,
        env=os.environ | {"PYTHONPATH": str(SHIPPED.parents[2])},
    )
    found = pd.read_parquet(tmp_path / "out" / "pairs.parquet")
    pd.testing.assert_frame_equal(here.pairs, found, check_exact=True, check_dtype=False)
    clusters = pd.read_parquet(tmp_path / "out" / "clusters.parquet")
    pd.testing.assert_frame_equal(here.clusters, clusters, check_exact=True, check_dtype=False)
