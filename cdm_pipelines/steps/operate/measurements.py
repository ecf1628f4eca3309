"""The figures of assets as a person asks for them, and which of them are kept.

Belongs here: what is shown of ``ops.measurement``, and what there still is. Does not belong here: SQL
(hub.measurements), or how it is printed (commands).
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from sqlalchemy import Connection

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub import measurements
from cdm_pipelines.hub.measurements import Figure, Measurements
from cdm_pipelines.settings import Settings
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake

MOST = 8
"""Days or runs that a trend goes back."""


class UnknownAssetError(LookupError):
    """There are no figures of that asset or day; the message says of which there are."""


@dataclass(frozen=True)
class Trend:
    """One figure: the last one, and those before it, oldest first; None where there was none."""

    name: str
    part: str
    last: Figure
    before: tuple[Figure | None, ...]


def overview(connection: Connection) -> list[Measurements]:
    """The last figures of every asset."""
    return measurements.newest(connection)


def trends(connection: Connection, asset: str, partition: str = "") -> tuple[Measurements, list[Trend]]:
    """The figures of an asset: of its last run, or of a day and the days before it.

    Args:
        connection: To the hub.
        asset: Its key, such as ``raw/crm/contact``.
        partition: The day; the last one when empty.

    Raises:
        UnknownAssetError: There are no figures of it.
    """
    known = {one.asset: one for one in measurements.newest(connection)}
    if asset not in known:
        raise UnknownAssetError(
            f"There are no figures of {asset}. There are of: {', '.join(known) or 'nothing'}."
        )
    found = measurements.series(connection, asset, partition or known[asset].partition, MOST + 1)
    if not found or (partition and found[-1][0].partition != partition):
        raise UnknownAssetError(f"There are no figures of {asset} for {partition}.")
    *before, (which, last) = found
    return which, [
        Trend(*key, value, tuple(earlier.get(key) for _, earlier in before)) for key, value in last.items()
    ]


def forget_superseded(connection: Connection, lake: Lake, settings: Settings) -> int:
    """Delete figures older than the settings keep runs, except the last of states and of days in the lake."""
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=settings.run_retention_days)
    return measurements.prune(connection, before, [*_states(connection), *_days(lake)])


def _states(connection: Connection) -> Iterator[tuple[str, str]]:
    yield from ((one.asset, "") for one in measurements.newest(connection) if not one.partition)


def _days(lake: Lake) -> Iterator[tuple[str, str]]:
    for contract in all_contracts():
        days = layout.days(lake, "raw", contract)
        yield from ((f"{layer}/{contract.name}", day) for layer, day in product(layout.LAYERS, days))
