"""The step that makes ``records/*`` from all standardised days.

Belongs here: finding the days in the lake and writing the state. Does not belong here: which version wins (records).
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, KeptAs, OfParty, attributes, declaration, with_state
from cdm_pipelines.records import Partition, current_state, records_schema, resolve_parties
from cdm_pipelines.records.advance import AnewError, advance, follow
from cdm_pipelines.records.ledger import added
from cdm_pipelines.records.whose import PARTY_KEY, parties_concerned, party_columns, rows_concerned
from cdm_pipelines.store import tables
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.damage import DamagedError, Fault, made_anew
from cdm_pipelines.store.keys import RECORD_KEY, compared, having, record_id
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Layered, Mark
from cdm_pipelines.store.layout import (
    CONTENT,
    FINGERPRINT,
    made_path,
    quarantine_path,
    raw_path,
    records_path,
    standard_days,
    standard_path,
    valid_path,
)

_PARTIES = records_path(Entity.PARTY)


@dataclass(frozen=True)
class Built:
    """What came of it: counts, and a fingerprint of all that went in."""

    rows: int
    active: int
    partitions: int
    by_source: dict[str, int]
    fingerprint: str
    changed: int


def build_records(
    lake: Lake, contracts: Sequence[SourceContract], entities: Sequence[Entity], *, rebuild: bool = False
) -> Built:
    """Bring the current state of each canonical entity up to the days that there are.

    Days that are later than all that the state was made from are added to it; anything else makes it anew from all
    days. The outcome is the same, and later steps are told which records changed. So it is with a state of which a file
    is damaged or gone.

    Args:
        lake: The lake.
        contracts: Of the sources that deliver the entities.
        entities: The canonical entities; those that are kept as days have no state, and are passed over.
        rebuild: Whether to make the state anew whatever has come.

    Raises:
        DamagedError: A standardised day is damaged or gone.
    """
    rows = active = days = changed = 0
    by_source: Counter[str] = Counter()
    digest = sha256()
    for entity in entities:
        if declaration(entity).kept is KeptAs.DAYS:
            continue
        partitions = list(_partitions(lake, contracts, entity))
        of_days = _fingerprints(lake, partitions)
        days += len(partitions)
        digest.update("".join(f"{path} {mark}\n" for path, mark in of_days.items()).encode())
        made_from = of_days | _of_parties(lake, entity)
        table = tables.records(lake, entity)
        fault = _fault(lake, entity, table)
        if fault is not None:
            made_anew(f"The current state of {entity} is", fault)
        before = _made_from(lake, entity, table) if fault is None else None
        _none_gone(lake, contracts, entity, before or {}, made_from)
        if rebuild or before != made_from:
            changed += _bring_up(
                lake, entity, partitions, made_from, None if rebuild else before, lost=fault is not None
            )
            lake.write_json(made_path(entity), _made(table, made_from))
        counts = json.loads(lake.read_json(made_path(entity)))
        rows += sum(counts["by_source"].values())
        active += counts["active"]
        by_source.update(counts["by_source"])
    return Built(rows, active, days, dict(sorted(by_source.items())), digest.hexdigest()[:16], changed)


def is_up_to_date(lake: Lake, contracts: Sequence[SourceContract], entity: Entity) -> bool:
    """Whether the current state of an entity is made of the days that there are, as they are."""
    return _made_from(lake, entity, tables.records(lake, entity)) == _to_make_from(lake, contracts, entity)


def days_wait(lake: Lake, contracts: Sequence[SourceContract]) -> bool:
    """Whether there are days of which the current state of their records has not been made."""
    return any(
        next(_partitions(lake, contracts, one.entity), None) is not None
        and not is_up_to_date(lake, contracts, one.entity)
        for one in with_state()
    )


def first_days(lake: Lake, entity: Entity) -> dict[str, str]:
    """The first day that a state was made of, by source entity (``source/entity``); none where that is not noted."""
    if not lake.exists(made_path(entity)):
        return {}
    made = json.loads(lake.read_json(made_path(entity)))
    days = [PurePosixPath(path).parent for path in made["partitions"] if path != _PARTIES]
    newest_first = sorted(days, key=lambda day: day.name, reverse=True)
    return {f"{day.parts[-3]}/{day.parts[-2]}": day.name for day in newest_first}


def made_of_what_is_left(
    lake: Lake, contracts: Sequence[SourceContract], entity: Entity, gone: pa.Table
) -> bool:
    """Say of a state that was up to date that it still is, since the same records left it and its days.

    Returns:
        Whether it is so. Where a row that is left names one of them, or days have come or gone, the next run makes the
        state anew.
    """
    table, whose = tables.records(lake, entity), _whose(entity)
    made, now = json.loads(lake.read_json(made_path(entity))), _to_make_from(lake, contracts, entity)
    if made["partitions"].keys() != now.keys():
        return False
    if whose is not None:
        state, none = table.read(), records_schema(Entity.PARTY).empty_table()
        keys = [(mine, other) for mine, other in whose.by if other in RECORD_KEY]
        naming = [having(state, gone, ("source", other), ("source", mine)) for mine, other in keys]
        if any(pc.any(one).as_py() for one in (rows_concerned(state, none, gone, whose), *naming)):
            return False
    lake.write_json(made_path(entity), _made(table, now))
    return True


def _to_make_from(lake: Lake, contracts: Sequence[SourceContract], entity: Entity) -> dict[str, str]:
    """Fingerprints of all that a state is to be made of, by path."""
    return _fingerprints(lake, _partitions(lake, contracts, entity)) | _of_parties(lake, entity)


def _of_parties(lake: Lake, entity: Entity) -> dict[str, str]:
    """The version of the parties, where whose a row is depends on them."""
    return {} if _whose(entity) is None else _parties_mark(lake)


def _made(table: Layered, made_from: Mapping[str, str]) -> str:
    """What is noted of a state: its version, what it was made of, and counts."""
    return json.dumps({"mark": str(table.mark), "partitions": made_from, **_counts(table)}, indent=1)


def _counts(table: Layered) -> dict[str, object]:
    """Records by source entity, and how many of them are active."""
    state = table.read(["source", "entity", "active"])
    counted = state.group_by(["source", "entity"]).aggregate([([], "count_all")]).to_pylist()
    found = {f"{row['source']}/{row['entity']}": row["count_all"] for row in counted}
    return {"by_source": dict(sorted(found.items())), "active": pc.sum(state["active"]).as_py() or 0}


def _fault(lake: Lake, entity: Entity, table: Layered) -> DamagedError | None:
    """What is wrong with the files of a state; None where it is whole, or was never made."""
    fault = table.fault()
    if fault is None and not table.exists and lake.exists(made_path(entity)):
        return lake.damaged(records_path(entity), Fault.MISSING)
    return fault


def _none_gone(
    lake: Lake,
    contracts: Sequence[SourceContract],
    entity: Entity,
    before: Mapping[str, str],
    made_from: Mapping[str, str],
) -> None:
    """See that no day that a state was made from was lost: one that is gone from all layers was taken away.

    Raises:
        DamagedError: One is gone, and what it was made from is there.
    """
    for path in sorted(before.keys() - made_from.keys() - {_PARTIES}):
        date = PurePosixPath(path).parent.name
        for contract in contracts:
            if path == standard_path(contract, date, entity) and _is_there(lake, contract, date):
                raise lake.damaged(path, Fault.MISSING)


def _is_there(lake: Lake, contract: SourceContract, date: str) -> bool:
    """Whether a day that was ingested is still in the lake, whatever else is of it."""
    return lake.exists(raw_path(contract, date)) or lake.exists(valid_path(contract, date))


def _made_from(lake: Lake, entity: Entity, table: Layered) -> dict[str, str] | None:
    """Fingerprints of the days that a state was made from, by path; None where there is no whole state."""
    if not table.exists or not lake.exists(made_path(entity)):
        return None
    if table.schema != _schema(entity):
        return None
    try:
        made = json.loads(lake.read_json(made_path(entity)))
    except DamagedError as damaged:
        made_anew(f"The current state of {entity} is", damaged)
        return None
    found: dict[str, str] = made["partitions"]
    return found if made["mark"] == str(table.mark) and "by_source" in made else None


def _bring_up(
    lake: Lake,
    entity: Entity,
    partitions: list[Partition],
    made_from: Mapping[str, str],
    before: Mapping[str, str] | None,
    *,
    lost: bool,
) -> int:
    """Make the state that of the given days; returns the number of records that changed, all of a lost one."""
    table = tables.records(lake, entity)
    schema, whose = _schema(entity), _whose(entity)
    if before is not None:
        with suppress(AnewError):
            rows = _added(lake, entity, partitions, made_from, before)
            if whose is not None:
                rows = _placed_anew(lake, entity, whose, rows, before)
            table.update(rows)
            return int(rows.num_rows)
    states: Iterable[pa.Table] = current_state(entity, partitions, _reading(lake, entity))
    if whose is not None:
        parties = _parties(lake, whose)
        states = (resolve_parties(state, parties, whose).cast(schema) for state in states)
    fingerprint = sha256(json.dumps(made_from).encode()).hexdigest()[:16]
    return (table.write_lost if lost else table.put)(states, schema, fingerprint)


def _added(
    lake: Lake,
    entity: Entity,
    partitions: list[Partition],
    made_from: Mapping[str, str],
    before: Mapping[str, str],
) -> pa.Table:
    """The records that new days change.

    Raises:
        AnewError: A day is not later than those that are in the state, has changed or is gone.
    """
    known = {path: fingerprint for path, fingerprint in before.items() if path != _PARTIES}
    if any(made_from.get(path) != fingerprint for path, fingerprint in known.items()):
        raise AnewError("a day has changed")
    state: pa.Table | None = None
    ledger = declaration(entity).kept is KeptAs.LEDGER
    # Only a snapshot tells of records that it does not hold.
    whole = any(p.delivery == "snapshot" and p.path not in before for p in partitions)
    columns = None if whole else [*RECORD_KEY, "first_seen"]
    pieces = [records_schema(entity).empty_table()]
    by_name = sorted(partitions, key=lambda p: (p.source, p.entity, p.date))
    for (source, name), group in groupby(by_name, key=lambda p: (p.source, p.entity)):
        days = list(group)
        new = [day for day in days if day.path not in before]
        latest = max((day.date for day in days if day.path in before), default=None)
        if not new:
            continue
        if not follow(new, latest):
            raise AnewError("an earlier day has come")
        if ledger:
            pieces += _statements(entity, new, source, name, lake)
            continue
        (made,) = current_state(entity, new, _reading(lake, entity))
        if state is None:
            state = tables.records(lake, entity).read(columns or records_schema(entity).names)
        own = state.filter(pc.and_(pc.equal(state["source"], source), pc.equal(state["entity"], name)))
        pieces.append(advance(own, made, new[-1]))
    return pa.concat_tables(pieces)


def _statements(
    entity: Entity, new: Sequence[Partition], source: str, name: str, lake: Lake
) -> list[pa.Table]:
    """What later days add to a ledger."""
    names = records_schema(entity).names
    state = tables.records(lake, entity).read(names)
    before = state.filter(pc.and_(pc.equal(state["source"], source), pc.equal(state["entity"], name)))
    after = before
    for day in sorted(new, key=lambda one: one.date):
        after = pa.concat_tables([after, added(entity, after, day, _reading(lake, entity))])
    return [after.slice(before.num_rows)]


def _reading(lake: Lake, entity: Entity) -> Callable[[str, list[str]], pa.Table]:
    """Reads a standardised day; an attribute that a former release did not know of is empty there."""
    known = {one.name for one in attributes(entity)}

    def read(path: str, names: list[str]) -> pa.Table:
        there = set(lake.schema(path).names)
        later = [name for name in names if name in known and name not in there]
        table = lake.read(path, [name for name in names if name not in later])
        for name in later:
            table = table.append_column(name, pa.nulls(table.num_rows, pa.string()))
        return table.select(names)

    return read


def _placed_anew(
    lake: Lake, entity: Entity, whose: OfParty, added: pa.Table, before: Mapping[str, str]
) -> pa.Table:
    """New and changed rows with the party behind them, and others that have another party now.

    Raises:
        AnewError: It is not known which parties changed.
    """
    parties, table = _parties(lake, whose), tables.records(lake, entity)
    changes = (
        tables.records(lake, Entity.PARTY).since(Mark.parse(before[_PARTIES])) if before[_PARTIES] else None
    )
    if changes is None:
        raise AnewError("it is not known which parties changed")
    names = records_schema(entity).names
    state = table.read()
    suspects = state.filter(
        pc.and_(
            pc.invert(having(state, added, RECORD_KEY)),
            rows_concerned(state, changes.rows, changes.gone, whose),
        )
    )
    rows = pa.concat_tables([added.select(names), suspects.select(names)])
    placed = resolve_parties(rows, parties_concerned(rows, parties, whose), whose).cast(_schema(entity))
    own, others = placed.slice(0, added.num_rows), placed.slice(added.num_rows)
    stays = pc.equal(
        *(
            pc.binary_join_element_wise(*(pc.fill_null(t[key], "") for key in PARTY_KEY[1:]), "/")
            for t in (others, suspects)
        )
    )
    return pa.concat_tables([own, others.filter(pc.invert(stays))])


def _partitions(lake: Lake, contracts: Sequence[SourceContract], entity: Entity) -> Iterator[Partition]:
    for contract in contracts:
        if entity not in contract.entities:
            continue
        for date in standard_days(lake, contract, entity):
            yield Partition(
                contract.source,
                contract.entity,
                date,
                standard_path(contract, date, entity),
                contract.delivery.value,
                held_back=_held_back(lake, contract, date),
            )


def _held_back(lake: Lake, contract: SourceContract, date: str) -> pa.Array | None:
    """Ids of the records that a day delivered but that were quarantined: they are not absent."""
    path = quarantine_path(contract, date)
    if not lake.exists(path) and not _is_there(lake, contract, date):
        return None  # so a day that was not ingested here has none
    if lake.count(path) == 0:
        return None
    keys = lake.read(path, list(contract.key))
    return record_id(
        [compared(whole(keys[name]), contract.column(name)) for name in contract.key]
    ).drop_null()


def _fingerprints(lake: Lake, partitions: Iterable[Partition]) -> dict[str, str]:
    """Of days, by path."""
    return {partition.path: _fingerprint(lake, partition) for partition in partitions}


def _fingerprint(lake: Lake, partition: Partition) -> str:
    """Changes when anything changes that the state takes from a day."""
    notes = lake.notes(partition.path)
    held_back = partition.held_back.to_pylist() if partition.held_back is not None else []
    made_from = [partition.delivery, notes.get(FINGERPRINT, ""), notes.get(CONTENT, ""), *sorted(held_back)]
    return sha256(json.dumps(made_from).encode()).hexdigest()[:16]


def _whose(entity: Entity) -> OfParty | None:
    """How the rows of an entity name their party; None where they name none."""
    whose = declaration(entity).whose
    return whose if isinstance(whose, OfParty) else None


def _schema(entity: Entity) -> pa.Schema:
    """Columns of the state of an entity."""
    schema, whose = records_schema(entity), _whose(entity)
    if whose is None:
        return schema
    nobody = records_schema(Entity.PARTY).empty_table()
    return resolve_parties(schema.empty_table(), nobody, whose).schema


def _parties(lake: Lake, whose: OfParty) -> pa.Table:
    columns = party_columns(whose)
    parties = tables.records(lake, Entity.PARTY)
    return (
        parties.read(columns)
        if parties.exists
        else records_schema(Entity.PARTY).empty_table().select(columns)
    )


def _parties_mark(lake: Lake) -> dict[str, str]:
    parties = tables.records(lake, Entity.PARTY)
    return {_PARTIES: str(parties.mark) if parties.exists else ""}
