"""``cdm quality``: scorecards with their trend, what got worse, what is below its target.

Belongs here: printing. Does not belong here: measuring (steps.insight), or which figures there are (insight).
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.terminal import USAGE, console, fail, hub, is_day, settings, show

if TYPE_CHECKING:
    from cdm_pipelines.insight.scorecard import Trend

_BARS = "▁▂▃▄▅▆▇█"
_MOST = 25
_DIMENSIONS = ("completeness", "validity", "uniqueness", "consistency", "timeliness", "accuracy")


def quality(
    source: Annotated[
        str, typer.Option(help="Only this source; golden for the golden customers.", metavar="NAME")
    ] = "",
    as_of: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="As it stood on this day.")] = "",
    full: Annotated[bool, typer.Option(help="Every figure, also those without a fault.")] = False,
) -> None:
    """Show the scorecards of sources and golden customers: quality by dimension, with trend, targets and owners."""
    if as_of and not is_day(as_of):
        fail(f"{as_of} is not a date; write YYYY-MM-DD.", USAGE)
    from cdm_pipelines.hub import scorecards  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.insight.scorecard import missed, trends, worst_movers  # noqa: PLC0415
    from cdm_pipelines.steps.insight.quality_figures import friday  # noqa: PLC0415

    with hub(settings()) as engine, engine.connect() as connection:
        day = dt.date.fromisoformat(as_of) if as_of else None
        rows = scorecards.history(connection, source, day)
        if not rows:
            known = sorted({row["source"] for row in scorecards.history(connection)})
            if known and source and source not in known:
                fail(f"There are no figures of {source}. There are of: {', '.join(known)}.", USAGE)
            fail("Nothing is measured yet. `cdm run` measures when it has published customers.")
    courses = trends(rows)
    console.print(f"Quality as of {max(row['as_of'] for row in rows)}", markup=False)
    show("Scorecard", [*_scorecard(courses)], numeric=list(_DIMENSIONS))
    show("Records without a fault (Friday-afternoon figure)", _shares(friday(courses)), numeric=["records"])
    shown = (
        courses
        if full
        else [one for one in courses if one.last.faults > 0 and one.last.dimension != "friday"]
    )
    shown = sorted(shown, key=lambda one: (-one.last.faults, one.last.subject))
    title = (
        "Figures"
        if full
        else f"Most faults ({min(_MOST, len(shown))} of {len(shown)} figures; --full shows all)"
    )
    show(title, _rows(shown if full else shown[:_MOST]), numeric=["score", "faults", "of", "target"])
    show(
        "Got worse, by more than chance",
        _rows(worst_movers(courses)),
        numeric=["score", "faults", "of", "target"],
    )
    show("Below target", _rows(missed(courses)), numeric=["score", "faults", "of", "target"])


def _scorecard(courses: "Sequence[Trend]") -> "Iterable[dict[str, object]]":
    """A row per source entity: one score per dimension, by the counts of its figures."""
    from cdm_pipelines.insight.scorecard import by_dimension  # noqa: PLC0415 - commands load what they need

    for name in sorted({(one.last.source, one.last.entity) for one in courses}):
        theirs = [one for one in courses if (one.last.source, one.last.entity) == name]
        scores = by_dimension(one.last for one in theirs)
        shares = {one: f"{scores[one]:.1%}" if one in scores else "-" for one in _DIMENSIONS}
        yield {"of": "/".join(name), **shares, "owner": theirs[0].owner}


def _rows(courses: "Iterable[Trend]") -> list[dict[str, object]]:
    from cdm_pipelines.steps.insight.quality_figures import name_of  # noqa: PLC0415 - commands load what they need

    return [
        {
            "figure": name_of(one),
            "score": f"{one.last.share:.2%}",
            "faults": f"{one.last.faults:,.6g}",
            "of": f"{one.last.denominator:,.0f}",
            "target": "" if one.target is None else f"{one.target:.0%}",
            "trend": line(one.shares),
            "owner": one.owner,
        }
        for one in courses
    ]


def line(shares: Sequence[float]) -> str:
    """The course of a score as bars, from the lowest to the highest that it had."""
    if len(shares) < 2:
        return ""
    low, high = min(shares), max(shares)
    return "".join(_BARS[round((one - low) / ((high - low) or 1) * (len(_BARS) - 1))] for one in shares[-28:])


def _shares(rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    return [
        {name: f"{value:.1%}" if isinstance(value, float) else value for name, value in row.items()}
        for row in rows
    ]
