"""How good what sources deliver is: per source, entity, column and day, and what gets worse.

Belongs here: the figures of days put beside each other, and comparing the last day with those before. Does not belong
here: counting (steps.days), single rows (steps.days.quarantine), how it is shown (console, commands).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.figures import ROWS
from cdm_pipelines.hub import measurements
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake

DAYS = 28
"""Days that are looked back at."""
_LAYERS = ("raw", "valid", "quarantine")
_CHANCE = 3.0
"""Standard errors beyond which a share has not risen by chance: one day in 740 would, where nothing changes."""
_CHECK = "check "


@dataclass(frozen=True)
class Day:
    """What came of one day of a source entity.

    Attributes:
        date: The day, YYYY-MM-DD.
        read: Rows delivered.
        accepted: Rows taken over.
        quarantined: Rows rejected.
        repaired: Accepted rows of which a cell was blanked or changed.
        reasons: Rejected rows by rule.
        cells: Repaired cells by rule.
        failed: Checks that did not pass.
    """

    date: str
    read: int = 0
    accepted: int = 0
    quarantined: int = 0
    repaired: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    cells: Mapping[str, int] = field(default_factory=dict)
    failed: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Share of the rows that was rejected."""
        return self.quarantined / self.read if self.read else 0.0


@dataclass(frozen=True)
class Worse:
    """A share that rose on the last day.

    Attributes:
        what: ``quarantined``, ``repaired``, ``reason`` or ``cell``.
        rule: Of a reason or cell; else empty.
        before: The share over the days before.
        last: The share on the last day.
    """

    what: str
    rule: str
    before: float
    last: float


def days_of(
    connection: Connection, contracts: Iterable[SourceContract], most: int = DAYS
) -> dict[str, list[Day]]:
    """The last days of source entities, oldest first, by ``source/entity``; those without figures are left out."""
    assets = {f"{layer}/{one.name}": one.name for one in contracts for layer in _LAYERS}
    figures = measurements.of_days(connection, list(assets), most)
    found: dict[str, list[Day]] = {}
    for name, date in sorted({(assets[asset], date) for asset, date in figures}):
        of = {layer: figures.get((f"{layer}/{name}", date), {}) for layer in _LAYERS}
        found.setdefault(name, []).append(_day(date, of))
    return found


def _day(date: str, of: Mapping[str, Mapping[tuple[str, str], float]]) -> Day:
    failed = {
        name.removeprefix(_CHECK)
        for figures in of.values()
        for (name, part), value in figures.items()
        if name.startswith(_CHECK) and part == "passed" and not value
    }
    rows = {layer: int(figures.get((ROWS, ""), 0)) for layer, figures in of.items()}
    return Day(
        date,
        rows["raw"],
        rows["valid"],
        rows["quarantine"],
        int(of["valid"].get(("repaired rows", ""), 0)),
        _parts(of["quarantine"], "reasons"),
        _parts(of["valid"], "repaired cells by rule"),
        tuple(sorted(failed)),
    )


def _parts(figures: Mapping[tuple[str, str], float], name: str) -> dict[str, int]:
    return {part: int(value) for (one, part), value in sorted(figures.items()) if one == name}


def worse(days: Sequence[Day]) -> list[Worse]:
    """Shares of the last day that are higher than over the days before, by more than chance makes of it; worst first.

    Two proportions are compared by their pooled standard error: a share of few rows has to rise more than one of many.
    """
    if len(days) < 2:
        return []
    *before, last = days
    found = [
        _risen(
            "quarantined", "", [(one.quarantined, one.read) for one in before], (last.quarantined, last.read)
        ),
        _risen(
            "repaired", "", [(one.repaired, one.accepted) for one in before], (last.repaired, last.accepted)
        ),
    ]
    for what, rules, total in (("reason", "reasons", "read"), ("cell", "cells", "accepted")):
        for rule, number in getattr(last, rules).items():
            earlier = [(getattr(one, rules).get(rule, 0), getattr(one, total)) for one in before]
            found.append(_risen(what, rule, earlier, (number, getattr(last, total))))
    risen = [one for one in found if one is not None]
    return sorted(risen, key=lambda one: (one.before - one.last, one.what, one.rule))


def _risen(what: str, rule: str, before: Sequence[tuple[int, int]], last: tuple[int, int]) -> Worse | None:
    hits, rows = (sum(column) for column in zip(*before, strict=True))
    if not rows or not last[1]:
        return None
    was, now = hits / rows, last[0] / last[1]
    pooled = min((hits + last[0]) / (rows + last[1]), 1.0)
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / last[1]))
    return Worse(what, rule, was, now) if now - was > _CHANCE * error and now > was else None


def repaired_columns(lake: Lake, contract: SourceContract, dates: Iterable[str]) -> dict[str, dict[str, int]]:
    """Repaired cells by day and column; days that the lake no longer holds are left out."""
    found: dict[str, dict[str, int]] = {}
    for date in dates:
        if lake.exists(path := layout.repairs_path(contract, date)):
            counts = pc.value_counts(lake.read(path, ["column"])["column"]).to_pylist()
            found[date] = dict(Counter({one["values"]: one["counts"] for one in counts}).most_common())
    return found
