"""The step that counts the days of interactions.

Belongs here: finding the standardised days in the lake, and keeping what is counted of each up to date. Does not belong
here: counting itself (enrichment), and whose they are (``touches``).

A day is counted when it is new or has changed, or when another day has come or gone that shares interactions with it:
of those that several days deliver, the last day's count, as the newest version of any record does. So the outcome
follows from the set of days, whatever the order in which they came. What is asked of other days is their ids, eight
bytes each.
"""

import datetime as dt
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.enrichment.interactions import (
    DAY_SCHEMA,
    FORM,
    IDS_SCHEMA,
    READ,
    SUBJECT_COLUMNS,
    Tally,
    counted,
    ids_of,
    working,
)
from cdm_pipelines.steps.profile.repeated import shared
from cdm_pipelines.store.damage import DamagedError, Fault, made_anew
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layout import (
    CONTENT,
    FINGERPRINT,
    INTERACTION_IDS,
    INTERACTIONS,
    interaction_ids_path,
    interactions_made_path,
    interactions_path,
    raw_path,
    standard_days,
    standard_path,
    valid_path,
)

if TYPE_CHECKING:
    import duckdb


_FEW = 31
"""So many changed days of a source are looked through for whom they concern; of more, everybody is."""


@dataclass(frozen=True)
class Updated:
    """What came of counting.

    Attributes:
        days: How many days there are.
        counted: How many of them were counted anew.
        tally: What all days consist of.
        by_source: The same by ``source/entity``.
        before: Stands for all that was counted before; empty where nothing was.
        mark: Stands for all that is counted now; empty where nothing is.
        subjects: Whom the rows name that are new, have changed or are gone, as ``SUBJECT_COLUMNS``; None for everybody.
    """

    days: int
    counted: int
    tally: Tally
    by_source: Mapping[str, Tally]
    before: str
    mark: str
    subjects: pa.Table | None


class _Day(NamedTuple):
    """What is known of a counted day: what it was made from, what it is, and what it consists of."""

    made_from: str
    mark: str
    tally: Tally


_Days = Mapping[str, _Day]
"""By date."""


@dataclass
class _Work:
    """What counting the days of one source entity needs and finds."""

    lake: Lake
    db: "duckdb.DuckDBPyConnection"
    contract: SourceContract
    timezone: str
    rows: int
    changed: int = 0
    everybody: bool = False
    subjects: list[pa.Table] = field(default_factory=list)


def update_interactions(
    lake: Lake,
    contracts: Sequence[SourceContract],
    timezone: str,
    *,
    threads: int,
    rows: int = 100_000,
    memory: str = "2GB",
) -> Updated:
    """Bring the counted days up to the standardised ones.

    Args:
        lake: The lake.
        contracts: All that there are; of those that deliver no interactions nothing is kept.
        timezone: In which days begin.
        threads: Results do not depend on it.
        rows: How many are read at a time; results do not depend on it either.
        memory: How much counting may take before it puts rows aside.

    Raises:
        DamagedError: A standardised day is damaged, or gone though it was not taken away.
    """
    own = delivering(contracts)
    known = {interactions_made_path(contract) for contract in own}
    before = {path: _made(lake, path) for path in lake.paths(INTERACTIONS, ".made.json")}
    now: dict[str, _Days] = {}
    subjects: list[pa.Table] = []
    changed, everybody = 0, not before
    with database(threads, memory) as db:
        for contract in own:
            work, path = _Work(lake, db, contract, timezone, rows), interactions_made_path(contract)
            now[path] = _brought_up(work, before.get(path, {}))
            changed += work.changed
            everybody = everybody or work.everybody or work.changed > _FEW
            subjects += work.subjects
    for path in sorted(before.keys() - known):
        everybody = True
        _forget(lake, path)
    tallies = {
        f"{contract.source}/{contract.entity}": sum(
            (one.tally for one in now[interactions_made_path(contract)].values()), Tally()
        )
        for contract in own
    }
    return Updated(
        sum(map(len, now.values())),
        changed,
        sum(tallies.values(), Tally()),
        tallies,
        _mark(before),
        _mark(now),
        None if everybody else _distinct(subjects),
    )


def delivering(contracts: Sequence[SourceContract]) -> list[SourceContract]:
    """Those that deliver interactions."""
    return [contract for contract in contracts if Entity.INTERACTION in contract.entities]


def _mark(made: Mapping[str, _Days]) -> str:
    said = {path: {date: one.mark for date, one in days.items()} for path, days in made.items() if days}
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16] if said else ""


def _made(lake: Lake, path: str) -> _Days:
    """What is known of the counted days of a source entity; nothing where that is damaged."""
    try:
        made = json.loads(lake.read_json(path))
    except DamagedError as damaged:
        made_anew("What is known of counted interactions is", damaged)
        return {}
    return {date: _Day(one["from"], one["is"], Tally(**one["tally"])) for date, one in made.items()}


def _keep(lake: Lake, path: str, days: _Days) -> None:
    made = {
        date: {"from": one.made_from, "is": one.mark, "tally": asdict(one.tally)}
        for date, one in days.items()
    }
    lake.write_json(path, json.dumps(made, indent=1))


def _forget(lake: Lake, path: str) -> None:
    """Remove what was counted of a source entity that delivers no interactions any more."""
    below = PurePosixPath(path).relative_to(INTERACTIONS)
    folder = str(below).removesuffix(".made.json")
    lake.delete_folder(f"{INTERACTIONS}/{folder}")
    lake.delete_folder(f"{INTERACTION_IDS}/{folder}")
    lake.delete(path)


def _brought_up(work: _Work, before: _Days) -> _Days:
    """Count what has to be of one source entity; returns what is known of its days now."""
    lake, contract = work.lake, work.contract
    days = standard_days(lake, contract, Entity.INTERACTION)
    made_from = {date: _fingerprint(work, date) for date in days}
    _none_lost(work, before.keys() - made_from.keys())
    noted = {date: _noted(lake, interactions_path(contract, date)) for date in days}
    if {date: (one.made_from, one.mark) for date, one in before.items()} == {
        date: (made_from[date], noted[date]) for date in days
    }:
        return dict(before)
    for date in days:
        if _noted(lake, interaction_ids_path(contract, date)) != made_from[date]:
            _write_ids(work, date, made_from[date])
    _remove(work, days, before)
    repeated = _repeated(work, before, made_from, noted)
    now = {
        date: _count(work, date, made_from[date], repeated[date], before.get(date))
        if date in repeated
        else before[date]
        for date in days
    }
    _keep(lake, interactions_made_path(contract), now)
    return now


def _repeated(
    work: _Work, before: _Days, made_from: Mapping[str, str], noted: Mapping[str, str | None]
) -> dict[str, pa.Array]:
    """Of each day that may have to be counted the ids that a later one delivers again, sorted.

    Other days are there as they were counted, and share no interaction with new ones. Where a day that was counted is
    gone or is another one, what it had delivered is not known, and all may have to be counted.
    """
    dates = list(made_from)
    asked = set(dates)
    if all(made_from.get(date) == one.made_from for date, one in before.items()):
        asked = asked - before.keys()
    found = shared(work.lake, work.db, work.contract, dates, asked)
    others = {date for date in dates if date in before and noted[date] != before[date].mark}
    if not found.days | others <= asked:
        found = shared(work.lake, work.db, work.contract, dates, asked | found.days | others)
    return found.repeated()


def _remove(work: _Work, days: Sequence[str], before: _Days) -> None:
    """Remove what is kept of days that were taken away."""
    stay = {path for date in days for path in _paths(work.contract, date)}
    gone = sorted(_kept(work) - stay)
    for path in gone:
        if path.startswith(f"{INTERACTIONS}/"):
            work.changed += 1
            work.subjects.append(_subjects(work.lake, path))
        work.lake.delete(path)
    counted_then = {interactions_path(work.contract, date) for date in before}
    work.everybody = work.everybody or not counted_then <= stay | set(gone)


def _paths(contract: SourceContract, date: str) -> tuple[str, str]:
    return interactions_path(contract, date), interaction_ids_path(contract, date)


def _kept(work: _Work) -> set[str]:
    """All files of days that are kept of a source entity."""
    below = f"{work.contract.source}/{work.contract.entity}"
    return {path for root in (INTERACTIONS, INTERACTION_IDS) for path in work.lake.paths(f"{root}/{below}")}


def _fingerprint(work: _Work, date: str) -> str:
    """Changes when anything changes that is counted of a day."""
    notes = work.lake.notes(standard_path(work.contract, date, Entity.INTERACTION))
    said = [FORM, work.timezone, notes.get(FINGERPRINT, ""), notes.get(CONTENT, "")]
    return sha256(json.dumps(said).encode()).hexdigest()[:16]


def _none_lost(work: _Work, gone: Iterable[str]) -> None:
    """See that no day was lost: one that is gone from all layers was taken away.

    Raises:
        DamagedError: One is gone, and what it was made from is there.
    """
    for date in sorted(gone):
        if any(work.lake.exists(path(work.contract, date)) for path in (raw_path, valid_path)):
            raise work.lake.damaged(standard_path(work.contract, date, Entity.INTERACTION), Fault.MISSING)


def _noted(lake: Lake, path: str) -> str | None:
    """The fingerprint that a file made here bears; None where it is not there, or is not what was written."""
    try:
        return lake.notes(path, rows=True).get(FINGERPRINT, "")
    except DamagedError as damaged:
        if damaged.fault is not Fault.MISSING:
            made_anew("What was counted of a day is", damaged)
        return None


def _standard(work: _Work, date: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    path = standard_path(work.contract, date, Entity.INTERACTION)
    there = set(work.lake.schema(path).names)
    return work.lake.read_batches(path, work.rows, [name for name in columns if name in there])


def _write_ids(work: _Work, date: str, fingerprint: str) -> None:
    with work.lake.writer(interaction_ids_path(work.contract, date), IDS_SCHEMA) as writer:
        for table in ids_of(work.db, _standard(work, date, ["record_id"])):
            writer.write_table(table)
        writer.add_key_value_metadata({FINGERPRINT: fingerprint})


def _count(work: _Work, date: str, made_from: str, repeated: pa.Array, before: _Day | None) -> _Day:
    """Count a day, unless what is there is that already."""
    lake, path = work.lake, interactions_path(work.contract, date)
    left_out = sha256(repeated.to_numpy().tobytes()).hexdigest()
    mark = sha256(f"{made_from} {left_out}".encode()).hexdigest()[:16]
    is_now = _noted(lake, path)
    if before is not None and before.mark == mark == is_now:
        return before
    # What was counted is not what is known to be: a run was killed, or a file was lost. Whom it named is not known.
    work.everybody = work.everybody or is_now != (before.mark if before is not None else None)
    work.changed += 1
    if is_now is not None and work.changed <= _FEW:
        work.subjects.append(_subjects(lake, path))
    tally, pieces = counted(
        work.db,
        _standard(work, date, READ),
        source=work.contract.source,
        entity=work.contract.entity,
        date=dt.date.fromisoformat(date),
        timezone=work.timezone,
        repeated=repeated,
    )
    with lake.writer(path, DAY_SCHEMA) as writer:
        for piece in pieces:
            writer.write_table(piece)
        writer.add_key_value_metadata({FINGERPRINT: mark})
    if work.changed <= _FEW:
        work.subjects.append(_subjects(lake, path))
    return _Day(made_from, mark, tally)


def _subjects(lake: Lake, path: str) -> pa.Table:
    return _distinct([lake.read(path, SUBJECT_COLUMNS.names)])


def _distinct(pieces: Sequence[pa.Table]) -> pa.Table:
    found = pa.concat_tables(
        [SUBJECT_COLUMNS.empty_table(), *(piece.cast(SUBJECT_COLUMNS) for piece in pieces)]
    )
    return found.group_by(SUBJECT_COLUMNS.names).aggregate([])


@contextmanager
def database(threads: int, memory: str) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A database to work with, and a folder for what does not fit into its memory, which goes with it."""
    with (
        tempfile.TemporaryDirectory(prefix="cdm-interactions-") as folder,
        working(Path(folder), threads=threads, memory=memory) as db,
    ):
        yield db
