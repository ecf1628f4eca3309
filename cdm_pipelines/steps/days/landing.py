"""What lies in landing, as the sensor and the schedule want to know it.

Belongs here: one look at a source's folders, and what the lake was made from. Does not belong here: the decision
what to run (arrivals) or reading files (ingest).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath

import fsspec

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.landing import dated_files, landing_dates
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
            files: dict[str, dict[str, tuple[int, str]]] = {
                date: {} for date in landing_dates(landing_url, contract)
            }
            for file, date in dated_files(landing_url, contract):
                if date in files:  # else it is only joined to what has not come
                    files[date][file.path] = (file.size, file.modified)
            for date, of_day in files.items():
                so_far = found.get(date, Delivery({}, frozenset()))
                found[date] = Delivery({**so_far.files, **of_day}, so_far.entities | {contract.entity})
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


def read_in_part(settings: Settings, contracts: Sequence[SourceContract]) -> dict[str, list[str]]:
    """Days in landing that were ingested when their contract read less of them, as before an upgrade.

    Returns:
        By the canonical entity that the customers have nothing of, the days without it, in order.
    """
    lake, found = Lake(settings.lake_url), defaultdict[str, set[str]](set)
    for contract in contracts:
        read = {entity: set(layout.standard_days(lake, contract, entity)) for entity in contract.entities}
        every = set().union(*read.values())
        if all(days == every for days in read.values()):
            continue
        here = set(landing_dates(settings.landing_url, contract))
        for entity, days in read.items():
            found[str(entity)] |= (every - days) & here
    return {entity: sorted(days) for entity, days in sorted(found.items()) if days}


def _exists(landing_url: str, marker: str, date: str) -> bool:
    filesystem, root = fsspec.core.url_to_fs(landing_url)
    return bool(filesystem.exists(str(PurePosixPath(root) / marker.format(date=date))))


def ingested_digests(
    lake: Lake, contracts: Sequence[SourceContract], now: Mapping[str, Delivery]
) -> dict[str, str]:
    """Digests of the days that were gone through with exactly the files that lie in landing now, refused or not.

    So a new sensor does not ask again for what was ingested before it. Compared by path, size and moment of writing: a
    corrected file may be as long as the one before. A raw table of a former release has not noted the moment.
    """
    same: dict[str, str] = {}
    for date, delivery in now.items():
        held: dict[str, tuple[int, str]] = {}
        for contract in contracts:
            with suppress(DamagedError):  # as if it had not been ingested: so it is made anew
                if has_ended(lake, contract, date):
                    held.update(layout.files_of(lake.notes(layout.raw_path(contract, date))))
        if held.keys() == delivery.files.keys() and all(
            held[path] in (file, (file[0], "")) for path, file in delivery.files.items()
        ):
            same[date] = delivery.digest
    return same


def has_ended(lake: Lake, contract: SourceContract, date: str) -> bool:
    """Whether a day went through to its end with the raw table that there is, and was not cut short after it.

    Raises:
        DamagedError: A table of it is damaged or not there.
    """
    raw = lake.notes(layout.raw_path(contract, date)).get(layout.FINGERPRINT)
    last = lake.notes(layout.repairs_path(contract, date))
    if layout.OF_RAW not in last and layout.CORRECTED in last:  # of a former release, which did not note it
        return True
    return last.get(layout.OF_RAW, last.get(layout.FINGERPRINT)) == raw
