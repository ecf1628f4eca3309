"""The step that makes ``records/*`` from all standardised days.

Belongs here: finding the days in the lake and writing the state. Does not belong here: which version wins (records).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.flows.layout import (
    FINGERPRINT,
    quarantine_path,
    records_path,
    standard_days,
    standard_path,
)
from cdm_pipelines.ingest.lake import Lake
from cdm_pipelines.records import Partition, current_state, records_schema, resolve_order_parties


@dataclass(frozen=True)
class Built:
    """What came of it: counts, and a fingerprint of all that went in."""

    rows: int
    active: int
    partitions: int
    by_source: dict[str, int]
    fingerprint: str


def build_records(lake: Lake, contracts: Sequence[SourceContract], entities: Sequence[Entity]) -> Built:
    """Write the current state of each canonical entity; the same days give the same bytes."""
    rows = active = days = 0
    by_source: dict[str, int] = {}
    digest = sha256()
    for entity in entities:
        partitions = list(_partitions(lake, contracts, entity))
        days += len(partitions)
        for partition in partitions:
            digest.update(f"{partition.path} {lake.notes(partition.path).get(FINGERPRINT, '')}\n".encode())
        tables = current_state(entity, partitions, lake.read)
        parties = _parties(lake) if entity is Entity.ORDER else None
        schema = records_schema(entity)
        if parties is not None:
            schema = resolve_order_parties(schema.empty_table(), parties).schema
        with lake.writer(records_path(entity), schema) as writer:
            for table in tables:
                state = table if parties is None else resolve_order_parties(table, parties).cast(schema)
                writer.write_table(state)
                rows += state.num_rows
                active += pc.sum(state["active"]).as_py() or 0
                if state.num_rows:
                    name = f"{state['source'][0]}/{state['entity'][0]}"
                    by_source[name] = by_source.get(name, 0) + state.num_rows
    return Built(rows, active, days, by_source, digest.hexdigest()[:16])


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
    if not lake.exists(path) or lake.count(path) == 0:
        return None
    keys = lake.read(path, list(contract.key))
    ids = pc.binary_join_element_wise(*(keys[name] for name in contract.key), "|")
    return ids.drop_null().combine_chunks()


def _parties(lake: Lake) -> pa.Table:
    columns = ["source", "entity", "record_id", "active", "first_seen", "email"]
    path = records_path(Entity.PARTY)
    if not lake.exists(path):
        return records_schema(Entity.PARTY).empty_table().select(columns)
    return lake.read(path, columns)
