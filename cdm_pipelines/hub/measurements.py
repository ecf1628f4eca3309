"""Keeping the figures of assets (``ops.measurement``), asking for them, and forgetting those that are superseded.

Belongs here: SQL. Does not belong here: what a figure is (``figures``), or which days the lake still holds (steps).
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ARRAY, Connection, Text, and_, cast, delete, func, or_, select, text, tuple_

from cdm_pipelines.figures import Outcome, measured
from cdm_pipelines.hub.schema_ops import measurement

_WRITE = text(
    """INSERT INTO ops.measurement (asset, partition, run, name, part, value, text)
       SELECT :asset, :partition, :run, * FROM unnest(
         CAST(:names AS text[]), CAST(:parts AS text[]), CAST(:numbers AS double precision[]),
         CAST(:texts AS text[]))"""
)
_C = measurement.c
_SETS = (
    select(_C.asset, _C.partition, _C.run, _C.measured_at, func.count().label("figures"))
    .group_by(_C.asset, _C.partition, _C.run, _C.measured_at)
    .subquery("sets")
)
_NEWEST = (
    select(_SETS)
    .distinct(_SETS.c.asset, _SETS.c.partition)
    .order_by(_SETS.c.asset, _SETS.c.partition, _SETS.c.measured_at.desc(), _SETS.c.run)
    .subquery("newest")
)
"""The last that is known of each asset and day."""

Figure = float | str


@dataclass(frozen=True)
class Measurements:
    """One set of figures: of a day of an asset, or of what a run made of a state."""

    asset: str
    partition: str
    run: str
    measured_at: dt.datetime
    figures: int


def record(connection: Connection, run: str, outcome: Outcome) -> None:
    """Keep the figures of an asset; those that the same run kept of it before are replaced."""
    subject = {"asset": outcome.asset, "partition": outcome.partition, "run": run}
    connection.execute(delete(measurement).where(*(_C[name] == value for name, value in subject.items())))
    rows = measured(outcome)
    columns = {
        "names": [row.name for row in rows],
        "parts": [row.part for row in rows],
        "numbers": [row.value for row in rows],
        "texts": [row.text for row in rows],
    }
    connection.execute(_WRITE, {**subject, **columns})


def newest(connection: Connection) -> list[Measurements]:
    """The last figures of every asset: of its last day, or of the last run that made it."""
    last = select(_NEWEST).distinct(_NEWEST.c.asset).order_by(_NEWEST.c.asset, _NEWEST.c.partition.desc())
    return [Measurements(*row) for row in connection.execute(last)]


def series(
    connection: Connection, asset: str, partition: str, most: int
) -> list[tuple[Measurements, dict[tuple[str, str], Figure]]]:
    """Figures of a day and of the days before it, each from its newest run; or of the last runs of a state.

    Args:
        connection: To the hub.
        asset: Its key, such as ``raw/crm/contact``.
        partition: The day; "" for a state.
        most: How many sets of figures at most.

    Returns:
        Sets of figures, by name and part, oldest first.
    """
    sets = _NEWEST if partition else _SETS
    chosen = select(sets).where(sets.c.asset == asset, sets.c.partition <= partition)
    latest = chosen.order_by(sets.c.partition.desc(), sets.c.measured_at.desc()).limit(most)
    made = [Measurements(*row) for row in connection.execute(latest)]
    found: dict[tuple[str, str], dict[tuple[str, str], Figure]] = {(m.partition, m.run): {} for m in made}
    figures = select(_C.partition, _C.run, _C.name, _C.part, _C.value, _C.text).where(
        _C.asset == asset, tuple_(_C.partition, _C.run).in_(list(found))
    )
    for row in connection.execute(figures.order_by(_C.name, _C.part)):
        found[row.partition, row.run][row.name, row.part] = row.value if row.text is None else row.text
    return [(m, found[m.partition, m.run]) for m in reversed(made)]


def of_days(
    connection: Connection, assets: Collection[str], days: int
) -> dict[tuple[str, str], dict[tuple[str, str], float]]:
    """Numbers of assets by day, each from the newest run, for the last days that any of them has.

    Args:
        connection: To the hub.
        assets: Their keys.
        days: How many days at most.

    Returns:
        By asset and day: figures by name and part.
    """
    ours = cast(list(assets), ARRAY(Text))
    known = select(_C.partition).where(_C.asset == func.any(ours), _C.partition != "").distinct()
    wanted = known.order_by(_C.partition.desc()).limit(days).subquery("wanted")
    newest_of_day = (
        select(_C.asset, _C.partition, _C.run)
        .where(_C.asset == func.any(ours), _C.partition.in_(select(wanted.c.partition)))
        .distinct(_C.asset, _C.partition)
        .order_by(_C.asset, _C.partition, _C.measured_at.desc(), _C.run)
        .subquery("newest_of_day")
    )
    same = and_(*(_C[name] == newest_of_day.c[name] for name in ("asset", "partition", "run")))
    figures = select(_C.asset, _C.partition, _C.name, _C.part, _C.value).join(newest_of_day, same)
    found: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    for row in connection.execute(figures.where(_C.value.is_not(None))):
        found.setdefault((row.asset, row.partition), {})[row.name, row.part] = row.value
    return found


def prune(connection: Connection, before: dt.datetime, held: Collection[tuple[str, str]]) -> int:
    """Forget what was measured before a moment, except the newest figures of what there still is.

    Args:
        connection: To the hub, in a transaction.
        before: The moment.
        held: Asset and partition of all that there still is; partition "" for a state.

    Returns:
        The number of figures that were deleted.
    """
    columns = [asset for asset, _ in held], [partition for _, partition in held]
    is_held = select(*(func.unnest(cast(column, ARRAY(Text))) for column in columns))
    here = tuple_(_C.asset, _C.partition)
    is_newest = select(_NEWEST.c.asset, _NEWEST.c.partition, _NEWEST.c.run)
    superseded = tuple_(_C.asset, _C.partition, _C.run).not_in(is_newest)
    due = and_(_C.measured_at < before, or_(superseded, here.not_in(is_held)))
    return connection.execute(delete(measurement).where(due)).rowcount
