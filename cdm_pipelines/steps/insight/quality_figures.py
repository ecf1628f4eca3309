"""What is told of scorecards: in Dagster, on a terminal, in a check.

Belongs here: which figures and pictures, and under which name. Does not belong here: measuring (``quality``).
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cdm_pipelines.figures import ROWS, Check, Figures, Grid, Outcome, Picture
from cdm_pipelines.insight.currency import PRIOR_YEARS, Decline
from cdm_pipelines.insight.scorecard import Trend, missed, worst_movers
from cdm_pipelines.insight.scorecard_picture import lines
from cdm_pipelines.steps.insight.quality import Measured

TARGETS = "targets"
LINES: Mapping[str, str] = {
    "filled": "completeness of values",
    "fit": "validity of values",
    "accepted": "rows accepted",
    "not_repeated": "rows not repeated",
    "all": "records without a fault",
}
"""Measures of days of sources that are drawn, and what they are called."""


def quality_outcome(done: Measured, rows: Sequence[Mapping[str, Any]], moves: Decline | None) -> Outcome:
    """What came of ``insight/quality``.

    Args:
        done: What was measured.
        rows: The history, as ``hub.scorecards.history`` gives it.
        moves: How fast addresses go out of date; None where there are no customers yet.
    """
    figures: Figures = {
        ROWS: len(done.courses),
        "days of sources measured": done.days,
        "figures changed": done.changed,
        "course": course(rows),
        "without a fault": Grid(friday(done.courses), ("source",)),
        "got worse": Grid(told(worst_movers(done.courses)), ("figure",)),
        "below target": Grid(told(missed(done.courses)), ("figure",)),
        **(_moves(moves) if moves else {}),
    }
    return Outcome("insight/quality", figures, {TARGETS: targets_check(done.courses)})


def _moves(moves: Decline) -> Figures:
    return {
        "moves a year, estimated": round(moves.rate, 6),
        "moves a year, 95 % from": round(moves.low, 6),
        "moves a year, 95 % to": round(moves.high, 6),
        "moves a year, prior": moves.prior,
        "moves seen": moves.moves,
        "customer-years seen": round(moves.years, 2),
        f"weight of the prior ({PRIOR_YEARS:,.0f} customer-years)": round(moves.weight_of_prior, 4),
    }


def targets_check(courses: Iterable[Trend]) -> Check:
    """Which targets of governance.yaml are missed, and whose they are."""
    courses = list(courses)
    below, judged = missed(courses), sum(one.target is not None for one in courses)
    told_first = "; ".join(
        f"{name_of(one)} {one.last.share:.2%} < {one.target:.2%} ({one.owner})" for one in below[:10]
    )
    more = f"; and {len(below) - 10} more: cdm quality" if len(below) > 10 else ""
    text = f"{told_first}{more}" if below else f"{judged:,} figures have a target, and keep it"
    return Check(not below, text, "WARN", {"with a target": judged, "missed": len(below)})


def name_of(one: Trend) -> str:
    """A figure in one line."""
    last = one.last
    what = f" {last.attribute}" if last.attribute else ""
    return f"{last.source}/{last.entity}{what} {last.dimension} ({last.measure})"


def told(courses: Iterable[Trend]) -> list[dict[str, object]]:
    """Figures as rows of a table."""
    return [
        {
            "figure": name_of(one),
            "score": round(one.last.share, 6),
            "before": None if one.before is None else round(one.before, 6),
            "faults": round(one.last.faults, 2),
            "of": round(one.last.denominator, 2),
            "target": one.target,
            "owner": one.owner,
        }
        for one in courses
    ]


def friday(courses: Iterable[Trend]) -> list[dict[str, object]]:
    """Share of the last hundred records without a fault, and of all, by source entity."""
    rows: dict[str, dict[str, object]] = {}
    for one in courses:
        if one.last.dimension == "friday":
            source = f"{one.last.source}/{one.last.entity}"
            row = rows.setdefault(source, {"source": source, "last hundred": None, "all": None, "records": 0})
            row["all" if one.last.measure == "all" else "last hundred"] = round(one.last.share, 4)
            row["records"] = int(one.last.denominator) if one.last.measure == "all" else row["records"]
    return list(rows.values())


def course(rows: Iterable[Mapping[str, Any]]) -> Picture:
    """Scores of all sources together by day."""
    sums: dict[tuple[str, dt.date], list[float]] = {}
    for row in rows:
        if row["measure"] in LINES:
            both = sums.setdefault((row["measure"], row["as_of"]), [0.0, 0.0])
            both[0] += row["numerator"]
            both[1] += row["denominator"]
    days = sorted({day for _, day in sums})
    series = {
        words: [
            sums[measure, day][0] / sums[measure, day][1] if (measure, day) in sums else None for day in days
        ]
        for measure, words in LINES.items()
    }
    return lines("Quality of what sources delivered, by day", [str(day) for day in days], series)
