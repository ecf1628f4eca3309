"""Letting go what has expired and is of no single person: days of the lake, files, rows of the hub.

Belongs here: one way for each kind, by the rows of a plan; each may be done twice. Does not belong here: what expires
(privacy.retention), persons (``erasure``), how a place is pruned, which is told by who keeps it.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa
from sqlalchemy import Connection

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.hub import access_log, pruning
from cdm_pipelines.hub import retention as hub
from cdm_pipelines.publish.policy import FeedPolicy
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.operate.pruning import without_values
from cdm_pipelines.store import layout
from cdm_pipelines.store.compaction import without_former
from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.file_store import FileStore
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import matching
from cdm_pipelines.store.removal import without_rows

Row = Mapping[str, str]
"""Of a plan, as text: ``what, place, subject, number, since, due, rule``."""


@dataclass(frozen=True)
class Part:
    """What goes at once: rows of one kind in one place.

    Attributes:
        what: Kind.
        place: Place of the register.
        rows: Of the plan.
    """

    what: str
    place: str
    rows: Sequence[Row]

    @property
    def name(self) -> str:
        """Under which it is written down as a step."""
        return f"{self.place}, {self.what}"

    @property
    def how(self) -> str:
        """In words, for the certificate."""
        return f"let go by {self.rows[0]['rule']}"


@dataclass(frozen=True)
class Hands:
    """What is needed to let something go."""

    settings: Settings
    lake: Lake
    connection: Connection
    contracts: Mapping[str, SourceContract]


def is_impersonal(row: Row) -> bool:
    """Whether a row of a plan is of no single person."""
    return row["what"] in _WAYS


def parts(rows: Sequence[Row], *, after: bool) -> Iterator[Part]:
    """Rows of a plan by kind and place, those of persons left out.

    Args:
        rows: Of the plan.
        after: Whether those are meant that go after the persons, who are found by them, or those before.
    """
    impersonal = [row for row in rows if is_impersonal(row) and (row["what"] in _AFTER) == after]
    for (what, place), own in groupby(
        sorted(impersonal, key=_order), key=lambda row: (row["what"], row["place"])
    ):
        yield Part(what, place, list(own))


def let_go(hands: Hands, part: Part) -> tuple[int, list[tuple[str, str]]]:
    """Let one part go; returns how many, and what could not go since it is damaged: its subject, and the reason."""
    number, left = 0, []
    for some in _WAYS[part.what](part.rows):
        try:
            number += _DOING[part.what](hands, part, some)
        except DamagedError as damaged:
            left.append((some[0]["subject"], str(damaged)))
    return number, left


def _order(row: Row) -> tuple[int | str, ...]:
    return _RANK[row["what"]], row["what"], row["place"], row["since"], row["subject"]


def _each(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    yield from ([row] for row in rows)


def _together(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    yield rows


def _layer(hands: Hands, part: Part, rows: Sequence[Row]) -> int:
    layer, _, name = part.place.partition("/")
    keys = hands.contracts[name].key if layer == "quarantine" else None
    return _emptied(hands.lake, f"{layer}/{name}/{rows[0]['subject']}.parquet", keys)


def _emptied(lake: Lake, path: str, keys: Sequence[str] | None = None) -> int:
    if not lake.exists(path) or layout.PRUNED in lake.notes(path):
        return 0
    without_values(lake, path, keys)
    without_former(lake, matching(path), path.rpartition("/")[0])
    return 1


def _interactions(hands: Hands, part: Part, rows: Sequence[Row]) -> int:
    """The rows of a day, as delivered, accepted, standardised and counted; the next run counts the day anew."""
    contract, date = hands.contracts[part.place.partition("/")[2]], rows[0]["subject"]
    path, lake = layout.standard_path(contract, date, Entity.INTERACTION), hands.lake
    for layer in (layout.raw_path, layout.valid_path):
        _emptied(lake, layer(contract, date))
    for counted in (layout.interactions_path, layout.interaction_ids_path):
        lake.delete(counted(contract, date))
    if not lake.exists(path) or not lake.count(path):
        return 0
    without_rows(lake, path, lambda table: pa.repeat(pa.scalar(True), table.num_rows))
    without_former(lake, matching(path), path.rpartition("/")[0])
    return 1


def _landing(hands: Hands, part: Part, rows: Sequence[Row]) -> int:
    del part
    landing, path = FileStore(hands.settings.landing_url), rows[0]["subject"]
    if not landing.lies_alone(path):
        return 0
    landing.delete(path)
    return 1


def _feed_file(hands: Hands, part: Part, rows: Sequence[Row]) -> int:
    del part
    path = rows[0]["subject"]
    if not hands.lake.lies_alone(path):
        return 0
    hands.lake.delete(path)
    return 1


def _events(hands: Hands, part: Part, rows: Sequence[Row]) -> int:
    del part
    sinks = FeedPolicy.load(hands.settings.policies / "change_feed.yaml").sinks
    return pruning.forget_events(hands.connection, _after(rows), sinks.keys()).rows


def _versions(hands: Hands, part: Part, rows: Sequence[Row]) -> int:
    del part
    return pruning.forget_versions(hands.connection, _after(rows)).rows


def _lines(hands: Hands, part: Part, rows: Sequence[Row]) -> int:
    del part
    return access_log.forget(hands.connection, _after(rows))


def _held(hands: Hands, part: Part, rows: Sequence[Row]) -> int:
    del part
    return sum(
        hub.release(hands.connection, row["subject"], dt.date.fromisoformat(row["since"])) for row in rows
    )


def _after(rows: Sequence[Row]) -> dt.datetime:
    """The end, in UTC, of the newest day of some rows."""
    last = max(dt.date.fromisoformat(row["since"]) for row in rows)
    return dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), dt.UTC)


_DOING: Mapping[str, Callable[[Hands, Part, Sequence[Row]], int]] = {
    "landing": _landing,
    "valid": _layer,
    "quarantine": _layer,
    "feed_files": _feed_file,
    "outbox": _events,
    "history": _versions,
    "access_log": _lines,
    "legal_hold": _held,
    "raw": _layer,
    "interactions": _interactions,
}
"""By kind, in the order in which they go."""
_RANK = {what: rank for rank, what in enumerate(_DOING)}
_AFTER = frozenset({"raw", "interactions"})
_AT_ONCE = frozenset({"outbox", "history", "access_log", "legal_hold"})
_WAYS = {what: _together if what in _AT_ONCE else _each for what in _DOING}
"""Rows of the hub go by a question for all days, files one by one."""
