"""The current state of every source record.

Belongs here: the tables ``records/*``: which version shows, whether the record is active. Does not belong
here: which records are the same party (linkage) and whose value is best (golden).

A pure function of the set of partitions: the order in which days arrived, or were run again, leaves no trace.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity, KeptAs, declaration
from cdm_pipelines.records.ledger import statements
from cdm_pipelines.records.partition import Partition, Read
from cdm_pipelines.records.schema import records_schema
from cdm_pipelines.records.versions import Chosen, choose

__all__ = ["Partition", "Read", "current_state", "records_schema"]


def current_state(entity: Entity, partitions: Iterable[Partition], read: Read) -> Iterator[pa.Table]:
    """Yield the current state of all records, one table per source entity.

    Args:
        entity: The canonical entity that the partitions hold.
        partitions: Any number of days of any number of source entities, in any order.
        read: Reads some columns of the table at a path, as ``Lake.read`` does. Values are read only from
            partitions that hold a winning version, one partition at a time.

    Yields:
        Tables of ``records_schema(entity)`` in order of source and entity, rows sorted by record id. A record
        is inactive when the latest snapshot of its source entity lacks it, when the source marks it deleted,
        or when the source merged it into another; it is kept all the same.

    Raises:
        ValueError: two partitions of one source entity have the same date.
    """
    ledger = declaration(entity).kept is KeptAs.LEDGER
    by_name = sorted(partitions, key=lambda partition: (partition.source, partition.entity))
    for _, days in groupby(by_name, key=lambda partition: (partition.source, partition.entity)):
        own = list(days)
        yield statements(entity, own, read) if ledger else _entity_state(entity, own, read)


def _entity_state(entity: Entity, partitions: Sequence[Partition], read: Read) -> pa.Table:
    chosen = choose(partitions, read)
    schema = records_schema(entity)
    derived = {"source", "entity", "active", "first_seen", "last_seen"}
    stored = [name for name in schema.names if name not in derived]
    found = [
        _winners(partition, rows, [*stored, "is_deleted"], read)
        for partition, rows in zip(chosen.partitions, chosen.rows, strict=True)
        if len(rows)
    ]
    if not found:
        return schema.empty_table()
    values = pa.concat_tables(found)
    columns = {
        **{name: values[name] for name in stored},
        "source": _constant(partitions[0].source, values.num_rows),
        "entity": _constant(partitions[0].entity, values.num_rows),
        "active": _active(chosen, values),
        "first_seen": chosen.first_seen,
        "last_seen": values["extract_date"],
    }
    state = pa.table({name: columns[name] for name in schema.names}, schema=schema)
    return state.take(pc.sort_indices(values["record_id"]))


def _winners(partition: Partition, rows: np.ndarray, columns: list[str], read: Read) -> pa.Table:
    table = read(partition.path, columns).select(columns)
    schema = pa.schema([(name, pa.bool_() if name == "is_deleted" else pa.string()) for name in columns])
    if len(rows) < table.num_rows:
        table = table.take(pa.array(rows))
    return table.cast(schema)


def _active(chosen: Chosen, values: pa.Table) -> pa.ChunkedArray:
    gone = pc.or_(pc.fill_null(values["is_deleted"], False), pc.is_valid(values["merged_into"]))
    if chosen.partitions[0].delivery == "delta":
        return pc.invert(gone)
    return pc.and_(pa.array(chosen.present), pc.invert(gone))


def _constant(value: str, length: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), length)
