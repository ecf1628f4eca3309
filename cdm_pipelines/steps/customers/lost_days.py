"""Customers are not retired because the lake has lost what they were made from (and not because it was taken away).

Belongs here: which days of sources customers were made from and cannot be read any more, what that would do, and taking
days away on purpose. Does not belong here: files of a day that is there in part (steps.days.records).

A record leaves the pipeline in one way only: somebody delivers a day anew without it, or takes a day away and says so.
Its absence from a newer snapshot makes it inactive. So a day that customers were made from and that is in no table of
records now was lost, wherever its files were, and nothing is published until it is back or said to be meant.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sqlalchemy import Connection

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, with_state
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub import source_days
from cdm_pipelines.hub.source_days import SourceDay
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.compaction import take_out
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.packs import address

_TOLD = 5
_EVERY_LAYER = (*layout.LAYERS, "repairs", "corrections")


class LostDaysError(Exception):
    """Customers were made from days that cannot be read any more; the message says which, and what to do."""


@dataclass(frozen=True)
class Loss:
    """What would come of publishing without some days.

    Attributes:
        customers: Published customers of which no record would be left.
        records: Published records that would not be there.
    """

    customers: int
    records: int


def none_lost(
    connection: Connection, lake: Lake, contracts: Sequence[SourceContract] | None = None
) -> set[SourceDay]:
    """See that all days that customers were made from are in the current records; returns those that are.

    A canonical entity that the contract of a source does not feed any more is no loss: the contract says so.

    Args:
        connection: Of a migrated hub, in a transaction.
        lake: The lake, with the current records as they are about to be published.
        contracts: Of all sources; the deployment's own when left out.

    Raises:
        LostDaysError: Some are not.
    """
    now, known = _days_of_records(lake), source_days.known_days(connection)
    contracts = all_contracts() if contracts is None else contracts
    fed = {(c.source, c.entity): {str(entity) for entity in c.entities} for c in contracts}
    meant = {day for day in known - now if day.holds not in fed.get((day.source, day.entity), {day.holds})}
    source_days.forget_days(connection, meant)
    lost = {(day.source, day.entity, day.date) for day in known - now - meant}
    if not known:  # the version in service is of an earlier release, which remembered no days
        lost = {(*one, "") for one in source_days.published_sources(connection) - _sources_of_records(lake)}
    if lost:
        raise LostDaysError(_told(lost, _loss(connection, lake, {(one[0], one[1]) for one in lost})))
    return now


def remember(connection: Connection, days: Collection[SourceDay]) -> None:
    """Customers are made from these days."""
    source_days.remember_days(connection, days)


def _days_of_records(lake: Lake) -> set[SourceDay]:
    """The days that the current records were made from."""
    found = set()
    for entity in (one.entity for one in with_state()):
        path = layout.made_path(entity)
        if lake.exists(path):
            for one in json.loads(lake.read_json(path))["partitions"]:
                layer, _, day = one.partition("/")
                if layer == "standard":
                    source, name, date, _ = day.split("/")
                    found.add(SourceDay(source, name, str(entity), date))
    return found


def _sources_of_records(lake: Lake) -> set[tuple[str, str]]:
    """Source and entity of the current party records."""
    parties = tables.records(lake, Entity.PARTY)
    if not parties.exists:
        return set()
    found = parties.read(["source", "entity"]).group_by(["source", "entity"]).aggregate([])
    return set(zip(found["source"].to_pylist(), found["entity"].to_pylist(), strict=True))


def _loss(connection: Connection, lake: Lake, sources: Collection[tuple[str, str]]) -> Loss:
    """What would go of the published records of some sources."""
    parties = tables.records(lake, Entity.PARTY)
    here: set[tuple[str, ...]] = set()
    if parties.exists:
        keys = parties.read(list(RECORD_KEY))
        here = set(zip(*(keys[name].to_pylist() for name in RECORD_KEY), strict=True))
    left: Counter[object] = Counter()
    gone = 0
    for golden_id, *key in source_days.members_of(connection, sources):
        there = tuple(key) in here
        left[golden_id] += there
        gone += not there
    return Loss(sum(not count for count in left.values()), gone)


def _told(lost: Collection[tuple[str, str, str]], loss: Loss) -> str:
    by_source: Mapping[tuple[str, str], list[str]] = defaultdict(list)
    for source, entity, date in sorted(lost):
        by_source[source, entity].append(date)
    whats = [f"{source}/{entity} {_dates(dates)}" for (source, entity), dates in by_source.items()]
    more = f" and of {len(whats) - _TOLD} more" if len(whats) > _TOLD else ""
    commands = {
        f"`cdm run{_range([d for (s, _), dates in by_source.items() if s == source for d in dates])} --source {source}`"
        for source, _ in by_source
    }
    return (
        "The lake does not have any more what published customers were made from: "
        f"{'; '.join(whats[:_TOLD])}{more}. Without it {loss.customers:,} customers would be retired and "
        f"{loss.records:,} records would go, so nothing was published. Restore the lake from a backup, or ingest the "
        f"days again: {', '.join(sorted(commands))}. If they are meant to go, say so with `cdm remove-source SOURCE` "
        "(--from and --to for some days), then run again."
    )


def _dates(dates: Sequence[str]) -> str:
    days = [date for date in dates if date]
    if not days:
        return "(all days)"
    return days[0] if len(days) == 1 else f"({len(days):,} days from {days[0]} to {days[-1]})"


def _range(dates: Iterable[str]) -> str:
    days = sorted(date for date in dates if date)
    if not days:
        return " --from FIRST_DAY --to LAST_DAY"
    return f" --date {days[0]}" if days[0] == days[-1] else f" --from {days[0]} --to {days[-1]}"


@dataclass(frozen=True)
class Removal:
    """What taking days of a source away concerns.

    Attributes:
        source: Source system.
        days: Those that customers were made from.
        files: Paths in the lake, of every layer; the standardised ones last.
    """

    source: str
    days: frozenset[SourceDay]
    files: tuple[str, ...]


def to_remove(
    connection: Connection, lake: Lake, source: str, entity: str = "", days: tuple[str, str] = ("", "")
) -> Removal:
    """What there is of a source, or of an entity or some days of it, in the lake and behind the customers.

    Args:
        connection: Of a migrated hub.
        lake: The lake.
        source: Source system; it need not have a contract any more.
        entity: Entity of the source; all when empty.
        days: First and last day, YYYY-MM-DD; the oldest and the newest when empty.
    """
    first, last = days

    def wanted(name: str, date: str) -> bool:
        return entity in ("", name) and (first or date) <= date <= (last or date)

    known = {day for day in source_days.known_days(connection) if day.source == source}
    files = []
    for layer in (*(one for one in _EVERY_LAYER if one != "standard"), "standard"):
        for path in lake.paths(f"{layer}/{source}"):
            _, _, name, *rest = PurePosixPath(path).parts
            if wanted(name, PurePosixPath(rest[0]).stem):
                files.append(path)
    return Removal(source, frozenset(day for day in known if wanted(day.entity, day.date)), tuple(files))


def remove(connection: Connection, lake: Lake, removal: Removal) -> None:
    """Take days of a source away: from the lake, and from what customers are made from. The next run follows.

    Stopped half-way, the lake has some of them and the hub knows of all: nothing is published, and the same again
    finishes it.

    Args:
        connection: Of a migrated hub, in a transaction of this alone.
        lake: The lake.
        removal: What ``to_remove`` found.
    """
    packed: dict[str, list[str]] = {}
    for path in removal.files:
        lake.delete(path)
        at = address(path)
        if at is not None and lake.packs.holds(path):
            packed.setdefault(at.pack, []).append(at.name)
    for pack, names in packed.items():
        take_out(lake, pack, names)
    for path in removal.files:
        lake.delete_if_empty(str(PurePosixPath(path).parent))
    source_days.forget_days(connection, removal.days)
