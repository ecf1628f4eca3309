"""What lies in landing, as the sensor and the schedule want to know it.

Belongs here: one look at a source's folders, and what the lake was made from. Does not belong here: the decision
what to run (arrivals) or reading files (ingest).
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath

import fsspec

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest import find_files, landing_dates
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.arrivals import Decision, Delivery, decide
from cdm_pipelines.store import layout
from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.lake import Lake


def deliveries(
    landing_url: str, contracts: Sequence[SourceContract], marker: str
) -> tuple[dict[str, Delivery], list[str]]:
    """Look at landing once.

    Args:
        landing_url: Root of landing.
        contracts: The entities of one source.
        marker: Path below landing of the file that the source writes last, with ``{date}`` in it; "" for none.

    Returns:
        Deliveries by date, and what could not be looked at, in words: one bad folder does not hide the others.
    """
    found: dict[str, Delivery] = {}
    problems: list[str] = []
    for contract in contracts:
        try:
            for date in landing_dates(landing_url, contract):
                files = {
                    file.path: (file.size, file.modified) for file in find_files(landing_url, contract, date)
                }
                so_far = found.get(date, Delivery({}, frozenset()))
                found[date] = Delivery({**so_far.files, **files}, so_far.entities | {contract.entity})
        except OSError as error:
            problems.append(f"{contract.name}: landing cannot be listed ({type(error).__name__})")
    if marker:
        found = {date: replace(d, marked=_exists(landing_url, marker, date)) for date, d in found.items()}
    return found, problems


def due(
    settings: Settings, contracts: Sequence[SourceContract], marker: str, required: Collection[str]
) -> tuple[Decision, list[str]]:
    """Which days of a source lie in landing and are not ingested from these files, by one look at it.

    Args:
        settings: Where landing and lake are.
        contracts: The entities of the source.
        marker: As for :func:`deliveries`.
        required: Entities without which a day is not complete.

    Returns:
        The days to run, in order, with why others wait; and what could not be looked at, in words.
    """
    now, problems = deliveries(settings.landing_url, contracts, marker)
    asked = ingested_digests(Lake(settings.lake_url), contracts, now)
    return decide(now, {date: one.digest for date, one in now.items()}, asked, required), problems


def _exists(landing_url: str, marker: str, date: str) -> bool:
    filesystem, root = fsspec.core.url_to_fs(landing_url)
    return bool(filesystem.exists(str(PurePosixPath(root) / marker.format(date=date))))


def ingested_digests(
    lake: Lake, contracts: Sequence[SourceContract], now: Mapping[str, Delivery]
) -> dict[str, str]:
    """Digests of the days whose raw tables were made from exactly the files that lie in landing now.

    Compared by path and size, so that a new sensor does not ask again for what was ingested before it.
    """
    same: dict[str, str] = {}
    for date, delivery in now.items():
        held: dict[str, int] = {}
        for contract in contracts:
            path = layout.raw_path(contract, date)
            with suppress(DamagedError):  # as if it had not been ingested: so it is made anew
                held.update(_files(lake, path))
        if held == {path: size for path, (size, _) in delivery.files.items()}:
            same[date] = delivery.digest
    return same


def _files(lake: Lake, path: str) -> dict[str, int]:
    listed = lake.notes(path).get(layout.FILES, "")
    pairs = (line.rsplit("\t", 1) for line in listed.splitlines())
    return {name: int(size) for name, size in pairs}
