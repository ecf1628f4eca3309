"""Whether customers are still like those that a model was fitted to.

Belongs here: what an enricher says of it. Does not belong here: working it out (the enricher), reading rows and models
(steps.profile.drift).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from cdm_pipelines.figures import Check

Judge = Callable[[Mapping[str, Any], pa.Table, date, date], Check]
"""Of a model, rows of everybody, the day that the model was fitted for, and the newest day of the data."""


@dataclass(frozen=True)
class Drift:
    """How an enricher's model is held against everybody as they are now; nothing is fitted for that.

    Attributes:
        columns: Of the enricher's table, which are looked at.
        judge: Tells whether they have moved.
        after_days: So old the model is at least: the newest kept one that is; with 0 it is the one that scores.
    """

    columns: pa.Schema
    judge: Judge
    after_days: int = 0


def warning(moved: bool, text: str, **figures: float) -> Check:
    """What was found; that something has moved is no error."""
    return Check(not moved, text, "WARN", figures)
