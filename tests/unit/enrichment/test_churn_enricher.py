"""The enricher ``churn`` on buyers of planted behaviour: it is right about the future, and says when it cannot be."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from churn_population import LAST, Planted, only, planted, work_on_tables
from enricher_tables import gid, work_on

from cdm_pipelines.enrichment import churn_features
from cdm_pipelines.enrichment.churn import ENRICHER, ChurnParameters
from cdm_pipelines.enrichment.churn_figures import calibration
from cdm_pipelines.enrichment.churn_model import quality
from cdm_pipelines.enrichment.churn_told import compared
from cdm_pipelines.enrichment.policy import EnrichmentPolicyError, load_policy
from cdm_pipelines.figures import Bars, Grid, Outcome, Picture, measured

HORIZON = 42
THEN = LAST - dt.timedelta(days=HORIZON)
Tables = Mapping[str, pa.Table]


@dataclass(frozen=True)
class Worked:
    """What came of a population on a day."""

    population: Planted
    tables: Tables
    fitted: Mapping[str, Any]
    table: pa.Table
    figures: Mapping[str, Any]


@cache
def worked() -> Worked:
    """Fitted and computed as if only what happened until ``THEN`` were known."""
    population = planted(9_000)
    tables = known_on(population.tables, THEN)
    fitted = fit(tables, as_of=THEN, most=25_000)
    with work_on_tables(tables, as_of=THEN) as opened:
        work = opened.of(ChurnParameters(), fitted)
        table = ENRICHER.shaped(ENRICHER.compute(work))
        assert ENRICHER.picture is not None
        return Worked(population, tables, fitted, table, ENRICHER.picture(table, work))


def known_on(tables: Tables, day: dt.date) -> dict[str, pa.Table]:
    """The tables as they were on a day."""
    orders, touches, invoices = (tables[name] for name in ("state_order", "attached", "state_invoice"))
    place = invoices.schema.get_field_index("settled_on")
    settled = invoices["settled_on"]
    settled = pc.if_else(pc.less_equal(settled, str(day)), settled, pa.scalar(None, settled.type))
    invoices = invoices.set_column(place, "settled_on", settled)
    return dict(tables) | {
        "state_order": orders.filter(pc.less(orders["ordered_at"], str(day + dt.timedelta(days=1)))),
        "attached": touches.filter(pc.less_equal(touches["day"], pa.scalar(day))),
        "state_invoice": invoices.filter(pc.less_equal(invoices["issued_on"], str(day))),
    }


def fit(tables: Tables, *, as_of: dt.date = LAST, threads: int = 2, **set_: Any) -> Mapping[str, Any]:
    with work_on_tables(tables, as_of=as_of, threads=threads) as work:
        assert ENRICHER.fit is not None
        found: Mapping[str, Any] = json.loads(
            json.dumps(ENRICHER.fit(work.of(ChurnParameters(**set_))), allow_nan=False)
        )
        return found


def compute(
    tables: Tables, fitted: Mapping[str, Any] | None, *, as_of: dt.date = LAST, threads: int = 2, **set_: Any
) -> pa.Table:
    with work_on_tables(tables, as_of=as_of, threads=threads) as work:
        return ENRICHER.shaped(ENRICHER.compute(work.of(ChurnParameters(**set_), fitted))).sort_by(
            "golden_id"
        )


def numbers(table: pa.Table) -> Any:
    return np.array([int(one[-12:]) for one in table["golden_id"].to_pylist()])


def scored(table: pa.Table) -> pa.Table:
    return table.filter(pc.equal(table["method"], "model"))


def bought_since(population: Planted, day: dt.date) -> set[int]:
    orders = population.tables["state_order"]
    later = orders.filter(pc.greater_equal(orders["ordered_at"], str(day + dt.timedelta(days=1))))
    return {int(one) for one in later["party_record_id"].to_pylist()}


@pytest.mark.slow
def test_what_it_expects_of_the_future_comes_true_in_every_tenth() -> None:
    table = scored(worked().table)
    back = bought_since(worked().population, THEN)
    left = np.array([number not in back for number in numbers(table)])
    probability = table["probability"].to_numpy()
    assert len(left) > 3_000
    assert [row["tenth"] for row in calibration(probability, left)] == list(range(1, 11))
    assert [row for row in calibration(probability, left) if not row["within"]] == []
    found = quality(probability, left)
    assert found["auc"] > worked().fitted["recency_alone"]["auc"] + 0.05
    assert found["brier"] < worked().fitted["recency_alone"]["brier"] - 0.02


@pytest.mark.slow
def test_it_was_judged_on_a_later_window_beside_recency_alone() -> None:
    fitted = worked().fitted
    window = {name: dt.date.fromisoformat(day) for name, day in fitted["window"].items()}
    assert window["until"] <= THEN
    assert window["judged_on"] == window["until"] - dt.timedelta(days=fitted["horizon_days"])
    assert window["trained_until"] == window["judged_on"]
    assert fitted["judged"]["auc"] > fitted["recency_alone"]["auc"]
    assert (
        fitted["judged"]["brier"] < fitted["recency_alone"]["brier"] < fitted["judged"]["brier_of_the_share"]
    )
    assert all(row["within"] for row in fitted["calibration"])


@pytest.mark.slow
def test_reasons_add_up_for_every_customer() -> None:
    table = scored(worked().table)
    parts = [table[name].to_numpy() for name in ("base", "weight_1", "weight_2", "weight_3", "rest")]
    logit = table["logit"].to_numpy()
    assert np.abs(sum(parts) - logit).max() < 1e-9
    assert np.abs(1 / (1 + np.exp(-logit)) - table["probability"].to_numpy()).max() < 1e-6
    for number in (1, 2, 3):
        words, weight = table[f"reason_{number}"].to_pylist(), table[f"weight_{number}"].to_numpy()
        assert all(
            text.endswith("(raises the risk)") == (one > 0) for text, one in zip(words, weight, strict=True)
        )
    band = np.array(table["risk"].to_pylist())
    probability = table["probability"].to_numpy()
    assert ((band == "high") == (probability >= 0.67)).all()
    assert ((band == "low") == (probability < 0.33)).all()


@pytest.mark.slow
def test_planted_drivers_are_found() -> None:
    strongest = {term["name"]: term for term in worked().fitted["model"]["terms"]}
    for driver in ("complaints", "paid_late", "silence"):
        assert strongest[driver]["values"][-1] > strongest[driver]["values"][0]
    table = scored(worked().table)
    told = {text for number in (1, 2, 3) for text in table[f"reason_{number}"].to_pylist()}
    assert "complained more than average in the last year (raises the risk)" in told
    unhappy = worked().population.unhappy[numbers(table)]
    probability = table["probability"].to_numpy()
    assert probability[unhappy].mean() > probability[~unhappy].mean()


@pytest.mark.slow
def test_who_has_been_silent_for_too_long_is_lost_already() -> None:
    table = worked().table
    lost = table.filter(pc.equal(table["method"], "lost"))
    back = bought_since(worked().population, THEN)
    assert len(lost) + len(scored(table)) == len(table)
    assert lost["probability"].null_count == lost["reason_1"].null_count == len(lost) > 1_000
    assert np.mean([number in back for number in numbers(lost)]) < 0.02


@pytest.mark.slow
def test_customers_worked_on_beside_threads_and_the_order_of_rows_change_nothing() -> None:
    tables, fitted = worked().tables, worked().fitted
    everybody = {row["golden_id"]: row for row in worked().table.to_pylist()}
    some = compute(only(tables, set(range(0, 9_000, 90))), fitted, as_of=THEN, threads=1)
    assert len(some) > 50
    assert all(row == everybody[row["golden_id"]] for row in some.to_pylist())
    small = only(tables, set(range(2_500)))
    rng = np.random.default_rng(2)
    mixed = {name: table.take(rng.permutation(len(table))) for name, table in small.items()}
    first, again = fit(small, as_of=THEN, most=2_000), fit(mixed, as_of=THEN, threads=1, most=2_000)
    assert first["method"] == "model"
    assert first == again
    assert compute(small, first, as_of=THEN).equals(compute(mixed, first, as_of=THEN, threads=1))


@pytest.mark.slow
def test_features_of_a_past_day_know_nothing_of_what_came_later() -> None:
    cut = churn_features.Cut(HORIZON, 15, 175, 1_000, contractual=False)
    found = []
    for tables in (worked().population.tables, worked().tables):
        with work_on_tables(tables, as_of=LAST) as work:
            churn_features.prepare(work, ())
            known = churn_features.on_days(work, [THEN - dt.timedelta(days=100), THEN], cut)
            rows = np.stack([*known.columns.values(), known.silent, known.left])
            found.append(rows[:, np.lexsort(rows[:-1])])
    assert np.array_equal(found[0][:-1], found[1][:-1], equal_nan=True)
    assert not np.array_equal(found[0][-1], found[1][-1])  # but for who has left since


@pytest.mark.slow
def test_what_happened_after_the_last_fit_counts() -> None:
    tables, fitted = worked().tables, worked().fitted
    table = scored(worked().table)
    quiet = table.filter(pc.greater(table["probability"], 0.9))
    golden_id = quiet["golden_id"][0].as_py()
    day = THEN + dt.timedelta(days=2)
    touches = tables["attached"]
    visit = {
        "golden_id": golden_id,
        "source": "web",
        "day": day,
        "kind": "visit",
        "channel": "web",
        "touches": 5,
    }
    seen = pa.Table.from_pylist(
        [{name: visit.get(name) for name in touches.column_names}], schema=touches.schema
    )
    now = compute(dict(tables) | {"attached": pa.concat_tables([touches, seen])}, fitted, as_of=THEN)
    before = {row["golden_id"]: row for row in worked().table.to_pylist()}
    after = {row["golden_id"]: row for row in now.to_pylist()}
    assert after[golden_id]["probability"] < before[golden_id]["probability"]
    assert {name for name in after if after[name] != before[name]} == {golden_id}


@pytest.mark.slow
def test_days_without_data_before_the_fit_are_no_silence() -> None:
    tables, later = worked().tables, THEN + dt.timedelta(days=4)
    fitted = fit(tables, as_of=later, most=25_000)
    assert {name for name in fitted if fitted[name] != worked().fitted[name]} <= {"lag_days"}
    expected = worked().table.sort_by("golden_id")
    assert compute(tables, fitted, as_of=later).equals(expected)


@pytest.mark.slow
def test_contracts_end_by_an_order_of_their_own() -> None:
    population = planted(6_000, terminations=True)
    statuses = ("Terminated", "opgezegd")
    fitted = fit(population.tables, ended_statuses=statuses, horizon_days=90)
    assert fitted["method"] == "model"
    assert fitted["contractual"] is True
    assert all(row["within"] for row in fitted["calibration"])
    table = compute(population.tables, fitted, ended_statuses=statuses)
    has_ended = np.floor(population.gone) < (LAST - dt.date(2023, 1, 1)).days + 1
    method = np.array(table["method"].to_pylist())
    assert (method[np.argsort(numbers(table))] == np.where(has_ended, "ended", "model")).all()


ONE_DAY = {"total_amount": "10.00", "status": "shipped"}


def orders_of(days: Mapping[int, list[dt.date]]) -> list[dict[str, Any]]:
    return [
        {
            "customer": customer,
            "order_id": f"{customer}-{number}",
            "ordered_at": f"{day}T10:00:00Z",
            **ONE_DAY,
        }
        for customer, on in days.items()
        for number, day in enumerate(on)
    ]


def every(days: int, times: int, until: dt.date = LAST) -> list[dt.date]:
    return [until - dt.timedelta(days=days * number) for number in range(times)]


@pytest.mark.parametrize(
    ("days", "set_", "said"),
    [
        ({}, {}, "there are no purchases"),
        ({1: every(10, 2)}, {}, "10 days of purchases are known, at least 84 are wanted"),
        (
            {1: every(10, 2)},
            {"horizon_days": 30},
            "10 days of purchases are known, and a horizon of 30 days wants",
        ),
        (
            {n: every(1, 1, LAST - dt.timedelta(days=n)) for n in range(200)},
            {},
            "nobody has bought on two days",
        ),
        (
            {n: every(10, 40) for n in range(30)},
            {},
            "of 330 customers on 11 days before 2026-05-05 0 left within 28 days",
        ),
    ],
)
def test_data_that_carries_no_model_is_refused_with_a_reason(
    days: Mapping[int, list[dt.date]], set_: dict[str, Any], said: str
) -> None:
    with work_on(as_of=LAST, state_order=orders_of(days)) as work:
        assert ENRICHER.fit is not None
        assert ENRICHER.explain_fit is not None
        assert ENRICHER.picture is not None
        fitted = ENRICHER.fit(work.of(ChurnParameters(**set_)))
        table = ENRICHER.shaped(ENRICHER.compute(work.of(ChurnParameters(**set_), fitted)))
        figures = ENRICHER.picture(table, work.of(ChurnParameters(), fitted))
    assert fitted["method"].startswith(f"refused: {said}")
    assert ENRICHER.explain_fit(fitted) == {"method": fitted["method"]}
    assert sorted(row["golden_id"] for row in table.to_pylist()) == [gid(customer) for customer in days]
    assert {row["method"] for row in table.to_pylist()} == ({fitted["method"]} if days else set())
    assert table["probability"].null_count == len(table)
    assert set(figures) == {"method"}


def test_without_a_fit_nothing_is_fitted() -> None:
    with work_on(as_of=LAST, state_order=orders_of({1: every(10, 3)})) as work:
        (row,) = ENRICHER.compute(work.of(ChurnParameters())).to_pylist()
    assert (row["method"], row["probability"]) == ("refused: no model has been fitted", None)


@pytest.mark.parametrize(("gap", "horizon"), [(10, 28), (40, 42), (60, 63), (900, 301)])
def test_the_horizon_follows_from_intervals_and_is_a_third_of_the_history_at_most(
    gap: int, horizon: int
) -> None:
    tables = {n: every(gap, 2_000 // gap, LAST - dt.timedelta(days=n % 7)) for n in range(100)}
    with work_on(as_of=LAST, state_order=orders_of(tables)) as work:
        assert ENRICHER.fit is not None
        fitted = ENRICHER.fit(work.of(ChurnParameters()))
    assert f" within {horizon} days " in fitted["method"]


@pytest.mark.slow
def test_figures_say_how_good_it_is_and_what_has_moved() -> None:
    assert ENRICHER.explain_fit is not None
    told = ENRICHER.explain_fit(worked().fitted)
    assert told["auc"] > told["auc_of_recency_alone"]  # type: ignore[operator]
    judged = told["judged_on_the_later_window"]
    assert isinstance(judged, Grid)
    assert [row["by"] for row in judged.rows] == ["model", "recency alone"] * 2
    figures = worked().figures
    assert figures["drifted"] is False
    assert isinstance(figures["risk"], Bars)
    assert sum(figures["risk"].counts.values()) == len(scored(worked().table))
    for picture in (told["calibration"], figures["probability"]):
        assert isinstance(picture, Picture)
        assert ET.fromstring(picture.svg).tag.endswith("svg")
    rows = measured(Outcome("profile/churn", {**told, **figures}))
    assert {"auc", "brier", "drift_of_scores"} <= {row.name for row in rows}


@pytest.mark.slow
def test_drift_is_seen_when_behaviour_shifts_and_nothing_is_fitted_for_it() -> None:
    touches = worked().tables["attached"]
    silent = dict(worked().tables) | {
        "attached": touches.filter(pc.less(touches["day"], THEN - dt.timedelta(60)))
    }
    with work_on_tables(silent, as_of=THEN) as opened:
        work = opened.of(ChurnParameters(), worked().fitted)
        assert ENRICHER.picture is not None
        figures = ENRICHER.picture(ENRICHER.shaped(ENRICHER.compute(work)), work)
    assert figures["drifted"] is True
    assert isinstance(figures["drift"], Grid)
    moved = {row["what"] for row in figures["drift"].rows if row["moved"]}
    assert {"score", "engagement_30", "quiet"} <= moved
    assert not moved & {"silence", "purchases", "paid_late"}


@pytest.mark.slow
def test_two_fits_side_by_side() -> None:
    fitted = worked().fitted
    figures = compared(fitted, fitted)
    assert isinstance(figures["curves"], Grid)
    assert {row["moved"] for row in figures["curves"].rows} == {0.0}
    assert isinstance(figures["judged"], Grid)
    assert {row["figure"] for row in figures["judged"].rows} >= {"auc", "brier"}
    assert compared({"method": "refused: too few"}, fitted) == {
        "method_former": "refused: too few",
        "method_latter": "model",
    }


def test_parameters_that_contradict_are_named(tmp_path: Path) -> None:
    policy = tmp_path / "enrichment.yaml"
    policy.write_text(
        "version: 1\ncurrency: EUR\nenrichers:\n  churn: {medium_from: 0.8, high_from: 0.5}\n",
        encoding="utf-8",
    )
    with pytest.raises(
        EnrichmentPolicyError, match=r"enrichers\.churn: .*medium_from must be under high_from"
    ):
        load_policy(policy, {"churn": ENRICHER})
