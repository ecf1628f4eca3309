"""Figures of everybody are told again on nights on which only some customers are worked on."""

import datetime as dt
from pathlib import Path

from cdm_pipelines.figures import Bars, Figures, Grid, Picture
from cdm_pipelines.steps.profile.pictures import HOLD_FOR, keep, kept
from cdm_pipelines.store.lake import Lake

FIGURES: Figures = {
    "customers": 12,
    "share": 0.25,
    "method": "historic",
    "gaps": {"typical": 69.4},
    "sizes": Bars({"1": 3, "2": 1}, ("customers", "households"), scale=True),
    "value": Grid([{"segment": "loyal", "net": 10.5}], ("segment",)),
    "transitions": Picture("<svg/>", "Transitions: none", {"a -> b": 1.0}),
}


def test_figures_of_every_kind_come_back_as_they_were_with_the_day_that_they_hold_for(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    told = keep(lake, "rfm", dt.date(2026, 6, 1), FIGURES)
    assert told == {HOLD_FOR: "2026-06-01", **FIGURES}
    assert kept(lake, "rfm") == told


def test_where_none_were_kept_or_they_are_damaged_nothing_is_told(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert kept(lake, "rfm") == {}
    keep(lake, "rfm", dt.date(2026, 6, 1), FIGURES)
    [path] = tmp_path.rglob("rfm.json")
    path.write_text(path.read_text().replace("12", "13"))
    assert kept(lake, "rfm") == {}
