"""What the benchmark of the profile works on, and what its document says."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from benchmarks.profile import measured
from benchmarks.profile_document import Run, Size, markdown
from benchmarks.profile_inputs import LAST_DAY, STANDARD, World, golden_of, ordered_by
from cdm_pipelines.contracts.canonical import Entity

WORLD = World(3_000)


def test_a_company_is_as_large_as_it_says_and_names_only_whom_it_knows() -> None:
    [chunk] = WORLD.chunks()
    assert chunk.customer.num_rows == 3_000 == len(chunk.customer["golden_id"].unique())
    assert chunk.crosswalk.num_rows == 6_000 == chunk.states[Entity.PARTY].num_rows
    assert 4 < chunk.states[Entity.ORDER].num_rows / 3_000 < 6
    assert 1.8 < chunk.states[Entity.ORDER_LINE].num_rows / chunk.states[Entity.ORDER].num_rows < 2.2
    for entity in (Entity.ORDER, Entity.INVOICE):
        named = chunk.states[entity]["party_record_id"]
        assert pc.all(pc.is_in(named, value_set=chunk.crosswalk["record_id"].combine_chunks())).as_py()
    assert pc.max(chunk.states[Entity.ORDER]["ordered_at"]).as_py()[:10] <= LAST_DAY.isoformat()


def test_a_company_is_the_same_each_time_and_a_night_is_about_its_customers() -> None:
    [one], [other] = (list(World(500).chunks()) for _ in range(2))
    assert one.customer.equals(other.customer)
    assert one.states[Entity.ORDER_LINE].equals(other.states[Entity.ORDER_LINE])
    some = np.array([3, 7])
    assert pc.all(pc.is_in(golden_of(some), value_set=one.customer["golden_id"].combine_chunks())).as_py()
    bought = ordered_by(some, 1)
    assert bought[Entity.ORDER].num_rows == 2
    assert not set(bought[Entity.ORDER]["order_id"].to_pylist()) & set(
        one.states[Entity.ORDER]["order_id"].to_pylist()
    )


def test_days_of_interactions_come_to_twenty_a_customer() -> None:
    days = World(200_000).days()
    assert (days[0], days[-1]) == (LAST_DAY - dt.timedelta(364), LAST_DAY)
    of_day = WORLD.interactions_of(LAST_DAY)
    assert {table.schema for table in of_day.values()} == {STANDARD}
    assert 0.9 < sum(table.num_rows for table in of_day.values()) * 365 / WORLD.interactions < 1.01


def test_the_document_says_which_aims_are_met_and_where_the_seconds_go() -> None:
    needed = {
        "seconds": 101.0,
        "cpu_seconds": 150.0,
        "peak_bytes": 4 * 2**30,
        "database_cpu_seconds": 20.0,
        "database_bytes": 2**29,
        "others": 0.1,
    }

    def run(compute: float) -> Run:
        parts = {"inputs": 1.0, "computing": compute - 4, "pictures": 1.0, "staging": 2.0}
        one = {"rows": 9, "worked": None, "seconds": compute, "parts": parts}
        said = {
            "seconds": {"fit": 10.0, "compute": compute, "customers": 50.0, "publish": 3.0},
            "spent": {"attaching": 2.0},
            "fit": {"inputs": 4.0, "rfm": 5.0},
            "enrichers": {"rfm": one},
        }
        return Run(needed, said)

    size = Size(1_000_000, 0.01, {"order": 5_000_000}, needed, run(87.0), {"customers": run(27.0)})
    told = markdown([size], {"cores": "2"})
    assert "**100 s** (aim: 120 s; met) and **4.0 GiB** (aim: 5 GiB; met)" in told
    assert "with customers changed **40 s** (not met)" in told
    assert "| rfm | 9 | 5.0 | 83.0 | 1.0 | 2.0 |" in told
    assert "| compute | 83.0 | 23.0 |" in told


@pytest.mark.slow
def test_a_night_on_which_few_changed_works_on_few(tmp_path: Path) -> None:
    size = measured(1_000, 0.01, tmp_path)
    assert size.first.said["enrichers"]["rfm"]["worked"] is None
    for run in size.nights.values():
        worked = {name: one["worked"] for name, one in run.said["enrichers"].items()}
        assert worked["rfm"] == 10 <= worked["churn"] < 100
        assert None not in worked.values()
        assert max(worked["household"], worked["organisation"], worked["quality"]) < 100
