"""Figures and pictures of everybody, kept for the nights on which only some customers are worked on.

Belongs here: keeping them, and reading them back. Does not belong here: what is drawn (enrichment), or under which name
it is told (``figures``).

A picture of the hundredth part of customers that changed says nothing about all, and working out one of all would cost
more than the night itself. So what was told when everybody was worked on last is told again, with the day of it: at the
latest that is ``refit_days`` ago.
"""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from cdm_pipelines.figures import Bars, Figure, Figures, Grid, Moment, Picture, Words
from cdm_pipelines.store import layout
from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.lake import Lake

HOLD_FOR = "figures hold for"
"""The day that the figures of a table of the profile hold for."""
_KINDS: Mapping[str, Callable[..., Figure]] = {
    one.__name__: one for one in (Bars, Grid, Picture, Moment, Words)
}


def keep(lake: Lake, enricher: str, as_of: dt.date, figures: Figures) -> Figures:
    """Keep the figures of everybody; returns them with the day that they hold for."""
    told: Figures = {HOLD_FOR: as_of.isoformat(), **figures}
    said = {name: _said(figure) for name, figure in told.items()}
    lake.write_json(layout.profile_figures_path(enricher), json.dumps(said, indent=1, default=float))
    return told


def kept(lake: Lake, enricher: str) -> Figures:
    """The figures of everybody that were kept last; none where there are none, or where they are damaged."""
    path = layout.profile_figures_path(enricher)
    if not lake.exists(path):
        return {}
    try:
        said: Mapping[str, Any] = json.loads(lake.read_json(path))
    except DamagedError:
        return {}  # made anew when everybody is worked on next
    return {name: _figure(one) for name, one in said.items()}


def _said(figure: Figure) -> object:
    if isinstance(figure, Bars | Grid | Picture | Moment | Words):
        return {"kind": type(figure).__name__, **asdict(figure)}
    return figure


def _figure(said: Any) -> Figure:
    if not isinstance(said, dict) or "kind" not in said:
        figure: Figure = said
        return figure
    values = {name: tuple(one) if name in ("heading", "key") else one for name, one in said.items()}
    kind = str(values.pop("kind"))
    return _KINDS[kind](**values)
