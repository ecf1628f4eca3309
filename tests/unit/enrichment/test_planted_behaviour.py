"""Churn and purchases to come against behaviour that was planted: that of the demo's generator, in numbers.

The generator's customers buy at rates of their own, look and read while they are there, and leave for reasons; the
tables are made of its arrays, so that there are enough of them for chance to say nothing.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from churn_population import FIRST, LAST, order_columns, state_table, touch_table, work_on_tables
from enricher_tables import base_tables, gid

from cdm_demo.behaviour import HISTORY, Behaviour, planted
from cdm_demo.draws import Draws
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.enrichment import churn, lifetime_value
from cdm_pipelines.enrichment.work import Work

END = (LAST - FIRST).days
"""The last day, in days since ``FIRST``: the generator's history ends on it."""
Planted = tuple[Behaviour, Mapping[str, pa.Table]]


def made(size: int, seed: int) -> Planted:
    """Behaviour of some parties, and the base tables of what it leaves behind."""
    behaviour = planted(Draws(seed, "planted"), np.zeros(size, dtype=np.int64), start=END, end=END + 1)
    rng, bought = np.random.default_rng(seed), behaviour.purchases
    tables = base_tables({})
    ids = [str(number) for number in range(size)]
    tables["crosswalk"] = pa.table(
        {
            "golden_id": [gid(number) for number in range(size)],
            "source": ["shop"] * size,
            "entity": ["customer"] * size,
            "record_id": ids,
        }
    )
    spent = np.round(rng.lognormal(3.5, 0.5, len(bought.party)) * behaviour.spend[bought.party], 2)
    status = np.full(len(spent), "shipped", dtype=object)
    tables["state_order"] = state_table(Entity.ORDER, order_columns(bought.party, bought.day, spent, status))
    looked = rng.integers(0, size, 40 * size), rng.integers(END - HISTORY, END + 1, 40 * size)
    share = behaviour.visits[looked[0]] / behaviour.visits.max() * behaviour.engaged(*looked)
    kept = rng.random(40 * size) < share
    upset = bought.party[bought.complaint], bought.day[bought.complaint]
    tables["attached"] = touch_table({"visit": (looked[0][kept], looked[1][kept]), "complaint": upset})
    return behaviour, tables


@pytest.fixture(scope="module")
def population() -> Planted:
    return made(60_000, 3)


def of(work: Work, enricher: Any, fitted: Any = None) -> Work:
    return work.of(enricher.parameters(), fitted)


@pytest.mark.slow
def test_churn_means_what_it_says_in_every_tenth_and_its_reasons_add_up(population: Planted) -> None:
    behaviour, tables = population
    with work_on_tables(tables) as work:
        assert churn.ENRICHER.fit is not None
        fitted = churn.ENRICHER.fit(of(work, churn.ENRICHER))
        rows = churn.ENRICHER.compute(of(work, churn.ENRICHER, fitted)).to_pylist()
    assert [row for row in fitted["calibration"] if not row["within"]] == []
    assert len(fitted["calibration"]) == 10
    model, alone = fitted["judged"], fitted["recency_alone"]
    assert model["auc"] > alone["auc"] + 0.02
    assert model["brier"] < alone["brier"]
    scored = [row for row in rows if row["method"] == "model"]
    assert len(scored) > 10_000
    for row in scored:
        parts = row["base"] + row["rest"] + sum(row[f"weight_{n}"] for n in (1, 2, 3))
        assert parts == pytest.approx(row["logit"], abs=2e-6)
        assert row["probability"] == pytest.approx(1 / (1 + np.exp(-row["logit"])), abs=2e-6)
    # What the generator knows and no feature says: who has left has a higher score than who has not.
    left = {gid(number): behaviour.dropped[number] >= 0 for number in range(len(behaviour.dropped))}
    gone = [row["probability"] for row in scored if left[row["golden_id"]]]
    there = [row["probability"] for row in scored if not left[row["golden_id"]]]
    assert np.mean(gone) > np.mean(there) + 0.1


@pytest.mark.slow
def test_purchases_to_come_are_those_expected_whatever_the_frequency() -> None:
    _, tables = made(120_000, 5)
    with work_on_tables(tables) as work:
        assert lifetime_value.ENRICHER.fit is not None
        fitted = lifetime_value.ENRICHER.fit(of(work, lifetime_value.ENRICHER))
    bins = fitted["holdout"]["by_frequency"]
    assert [row["frequency"] for row in bins] == ["0", "1", "2", "3", "4", "5", "6", "7+"]
    for row in bins:
        assert row["expected"] == pytest.approx(row["actual"], rel=0.1), row
    assert fitted["holdout"]["expected"] == pytest.approx(fitted["holdout"]["actual"], rel=0.05)
