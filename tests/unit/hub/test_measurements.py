"""Figures of runs are kept, asked for and forgotten."""

import datetime as dt

import pytest
from sqlalchemy import Engine, text

from cdm_pipelines.figures import Bars, Check, Figures, Grid, Moment, Outcome, Picture, Words, measured
from cdm_pipelines.hub.measurements import prune, record
from cdm_pipelines.steps.operate.measurements import UnknownAssetError, overview, trends

NOW = dt.datetime.now(dt.UTC)


def outcome(rows: int, day: str = "", asset: str = "records/party", **more: float) -> Outcome:
    return Outcome(asset, {"rows": rows, **more}, partition=day)


def at(engine: Engine, run: str, days_ago: int, *outcomes: Outcome) -> None:
    """Keep figures as a run did some days ago."""
    with engine.begin() as connection:
        for one in outcomes:
            record(connection, run, one)
        query = text("UPDATE ops.measurement SET measured_at = :moment WHERE run = :run")
        connection.execute(query, {"moment": NOW - dt.timedelta(days=days_ago), "run": run})


def kept(engine: Engine) -> set[tuple[str, str, str]]:
    with engine.connect() as connection:
        query = text("SELECT DISTINCT asset, partition, run FROM ops.measurement")
        return {(row.asset, row.partition, row.run) for row in connection.execute(query)}


def test_every_kind_of_figure_is_a_row_or_several() -> None:
    figures: Figures = {
        "rows": 3,
        "share": 0.5,
        "fitted": True,
        "fingerprint": "abc",
        "sizes": Bars({"1": 2, "2": 1}, ("size", "clusters")),
        "levels": Grid([{"comparison": "city", "m": 0.9, "note": "x"}], ("comparison",)),
        "curve": Picture("<svg/>", "told", {"+1": 0.25}),
        "seconds": {"person": 1.5},
        "oldest": Moment(7.0),
        "files": Words("crm/contact.csv"),
    }
    checks = {"volume": Check(False, "fewer", "WARN", {"figure": 0.1})}
    assert measured(Outcome("a/b", figures, checks)) == [
        ("rows", "", 3.0, None),
        ("share", "", 0.5, None),
        ("fitted", "", 1.0, None),
        ("fingerprint", "", None, "abc"),
        ("sizes", "1", 2.0, None),
        ("sizes", "2", 1.0, None),
        ("levels", "city: m", 0.9, None),
        ("curve", "+1", 0.25, None),
        ("seconds", "person", 1.5, None),
        ("oldest", "", 7.0, None),
        ("check volume", "passed", 0.0, None),
        ("check volume", "figure", 0.1, None),
    ]


def test_a_step_that_is_tried_again_replaces_what_its_run_kept(hub_engine: Engine) -> None:
    at(hub_engine, "one", 0, outcome(1, gone=1))
    at(hub_engine, "one", 0, outcome(2))
    with hub_engine.connect() as connection:
        rows = connection.execute(text("SELECT name, value FROM ops.measurement")).all()
    assert [tuple(row) for row in rows] == [("rows", 2.0)]


def test_figures_of_a_state_go_back_over_runs_and_of_a_day_over_days(hub_engine: Engine) -> None:
    raw = "raw/crm/contact"
    at(hub_engine, "one", 3, outcome(10), outcome(100, "2026-06-01", raw))
    at(hub_engine, "two", 2, outcome(11), outcome(110, "2026-06-02", raw))
    at(hub_engine, "three", 1, outcome(12), outcome(101, "2026-06-01", raw))
    with hub_engine.connect() as connection:
        assert [(one.asset, one.partition) for one in overview(connection)] == [
            (raw, "2026-06-02"),
            ("records/party", ""),
        ]
        _, (state,) = trends(connection, "records/party")
        which, (day,) = trends(connection, raw)
        _, (earlier,) = trends(connection, raw, "2026-06-01")
    assert (state.last, state.before) == (12.0, (10.0, 11.0))
    assert (which.partition, day.last, day.before) == ("2026-06-02", 110.0, (101.0,))
    assert (earlier.last, earlier.before) == (101.0, ())


def test_what_there_is_not_is_told(hub_engine: Engine) -> None:
    at(hub_engine, "one", 0, outcome(1, "2026-06-01", "raw/crm/contact"))
    with hub_engine.connect() as connection:
        with pytest.raises(UnknownAssetError, match="There are of: raw/crm/contact"):
            trends(connection, "raw/crm/nobody")
        with pytest.raises(UnknownAssetError, match="for 2026-06-02"):
            trends(connection, "raw/crm/contact", "2026-06-02")


def test_old_figures_are_forgotten_but_for_the_last_of_what_there_still_is(hub_engine: Engine) -> None:
    raw = "raw/crm/contact"
    at(hub_engine, "first", 200, outcome(1), outcome(1, "2026-06-01", raw), outcome(1, "2026-05-01", raw))
    at(hub_engine, "second", 150, outcome(2))
    at(hub_engine, "third", 100, outcome(3), outcome(3, asset="link/gone"))
    at(hub_engine, "new", 1, outcome(4, "2026-06-02", raw))
    held = [("records/party", ""), (raw, "2026-06-01"), (raw, "2026-06-02")]
    with hub_engine.begin() as connection:
        assert prune(connection, NOW - dt.timedelta(days=90), held) == 4
    assert kept(hub_engine) == {
        ("records/party", "", "third"),
        (raw, "2026-06-01", "first"),
        (raw, "2026-06-02", "new"),
    }
