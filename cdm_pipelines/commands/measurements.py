"""``cdm measurements``: the figures of assets and checks, and how they went.

Belongs here: printing. Does not belong here: which figures there are (steps.operate.measurements).
"""

from collections.abc import Sequence
from typing import Annotated

import typer

from cdm_pipelines.commands.terminal import console, hub, settings, show

_BARS = "▁▂▃▄▅▆▇█"


def measurements(
    asset: Annotated[str, typer.Argument(help="Such as raw/crm/contact or link/clusters.")] = "",
    partition: Annotated[
        str, typer.Option(metavar="YYYY-MM-DD", help="A day; the last one when left out.")
    ] = "",
) -> None:
    """Show the last figures of an asset and its checks, with those before them; or of which assets there are any."""
    from cdm_pipelines.steps.operate.measurements import overview, trends  # noqa: PLC0415 - commands load what they need

    with hub(settings()) as engine, engine.connect() as connection:
        if not asset:
            rows = [
                {
                    "asset": one.asset,
                    "day": one.partition,
                    "figures": one.figures,
                    "at": f"{one.measured_at:%F %T}",
                }
                for one in overview(connection)
            ]
            show("Figures", rows, numeric=["figures"])
            return
        which, found = trends(connection, asset.strip("/"), partition)
    console.print(
        f"{which.asset} {which.partition}  run {which.run}, {which.measured_at:%F %T}", markup=False
    )
    rows = [
        {
            "figure": one.name,
            "part": one.part,
            "last": _text(one.last),
            "course": _line([*one.before, one.last]),
        }
        for one in found
    ]
    show("Figures", rows, numeric=["last"])


def _text(figure: float | str) -> str:
    if isinstance(figure, str):
        return figure
    return f"{figure:,.0f}" if figure.is_integer() else f"{figure:,.4g}"


def _line(series: Sequence[float | str | None]) -> str:
    """The course of a figure as a line of bars from nought to its largest; a dot where there was none."""
    numbers = [one for one in series if isinstance(one, float)]
    if len(series) < 2 or not numbers:
        return ""
    most = max(map(abs, numbers)) or 1.0
    return "".join(
        _BARS[round(abs(one) / most * (len(_BARS) - 1))] if isinstance(one, float) else "·" for one in series
    )
