"""Valid rows of a source become standard tables, one for each canonical entity that they feed.

Belongs here: the columns that every standard table has, the originals, the marks of doubtful values, one row per
key. Does not belong here: what a value means (the modules of the semantic types).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity, attributes, targets
from cdm_pipelines.contracts.model import SourceContract
from cdm_pipelines.quality.validation import REPAIRS_SCHEMA
from cdm_pipelines.quality.values import is_marked
from cdm_pipelines.standardise import consent, dates, interaction
from cdm_pipelines.standardise.columns import Columns
from cdm_pipelines.standardise.distinct import TEXT, joined, no_flags, no_text
from cdm_pipelines.standardise.party import Standard, kinds, party
from cdm_pipelines.standardise.placeholders import NO_PLACEHOLDERS, Placeholders
from cdm_pipelines.standardise.source_words import SourceWords
from cdm_pipelines.standardise.transaction import transaction
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.keys import record_id

_ORDER = "_position"


class Standardised(NamedTuple):
    """Standard tables by entity, and a row of ``repairs`` for each cell of which nothing, or not all, was read."""

    tables: dict[Entity, pa.Table]
    repairs: pa.Table


def standardise(
    valid: pa.Table,
    contract: SourceContract,
    extract_date: str,
    *,
    timezone: str = "Europe/Amsterdam",
    nobody: Placeholders = NO_PLACEHOLDERS,
    words: SourceWords,
) -> Standardised:
    """Standardise valid rows into the canonical entities that their contract feeds.

    A pure function: row by row its answer depends on that row, the contract and the date only.

    Args:
        valid: Accepted rows, all text, with the origin columns ``_file`` and ``_row``.
        contract: The contract of the source entity.
        extract_date: YYYY-MM-DD.
        timezone: IANA name in which timestamps without a zone are read.
        nobody: Values of a party that stand for nobody, which are blanked.
        words: What sources call interactions, and what was said about consent.

    Returns:
        By entity a table with ``source``, ``entity``, ``record_id``, ``extract_date``, ``_file``, ``_row``,
        ``modified_at``, ``is_deleted``, ``merged_into``, for a party ``party_kind``, the canonical attributes,
        ``<target>_original`` for each target that is fed, and ``invalid_attributes``. A party has a row for each
        valid row, in their order; of the other entities each key occurs once, in the order of file and row. Where rows
        tell of several moments, each is an interaction; statements of consent are all of a day's, of one key too.
    """
    columns = {entity: Columns(valid, contract, entity) for entity in contract.entities}
    tables = {
        entity: _standard(valid, own, entity, extract_date, timezone=timezone, nobody=nobody, words=words)
        for entity, own in columns.items()
    }
    repairs = pa.concat_tables([REPAIRS_SCHEMA.empty_table(), *(own.noted() for own in columns.values())])
    # A column may feed several entities: what is noted of a cell by one rule counts once.
    return Standardised(tables, repairs.group_by(repairs.column_names, use_threads=False).aggregate([]))


def standard_schema(contract: SourceContract, entity: Entity) -> pa.Schema:
    """Columns of ``standard/<source>/<entity>/<date>/<canonical entity>``."""
    origin = ("source", "entity", "record_id", "extract_date", "_file")
    kind = ("party_kind",) if entity == Entity.PARTY else ()
    names = (attribute.name for attribute in attributes(entity))
    fed = dict.fromkeys(t.name for _, path in contract.mapped() if (t := targets()[path]).entity == entity)
    return pa.schema(
        [
            *((name, TEXT) for name in origin),
            ("_row", pa.int64()),
            ("modified_at", TEXT),
            ("is_deleted", pa.bool_()),
            *((name, TEXT) for name in ("merged_into", *kind, *names)),
            *((f"{name}_original", TEXT) for name in fed),
            ("invalid_attributes", TEXT),
        ]
    )


def _standard(
    valid: pa.Table,
    columns: Columns,
    entity: Entity,
    extract_date: str,
    *,
    timezone: str,
    nobody: Placeholders,
    words: SourceWords,
) -> pa.Table:
    contract = columns.contract
    kind = kinds(columns, contract.party_kind) if entity == Entity.PARTY else None
    if kind is not None:
        standard, key = (
            party(columns, kind, extract_date, nobody),
            [columns.key(name) for name in contract.key],
        )
    else:
        standard = transaction(columns, entity, timezone)
        if entity is Entity.INTERACTION:
            interaction.complete(columns, standard, extract_date, timezone, words.interactions)
        if entity is Entity.CONSENT:
            consent.complete(columns, standard, timezone, words.consents)
        key = [standard.values[attribute.name] for attribute in attributes(entity) if attribute.key]
    own = record_id(key)
    if entity in contract.only_with:
        told = pc.is_valid(columns.key(contract.only_with[entity]))
        own = pc.if_else(told, own, pa.scalar(None, TEXT))
    made = {
        "source": _constant(contract.source, columns.length),
        "entity": _constant(contract.entity, columns.length),
        "record_id": own,
        "extract_date": _constant(extract_date, columns.length),
        "_file": columns.raw("_file"),
        "_row": whole(valid["_row"]).cast(pa.int64()),
        "modified_at": modified_at(columns, timezone),
        "is_deleted": _is_deleted(columns),
        "merged_into": _merged_into(columns, own) if entity == Entity.PARTY else no_text(columns.length),
    }
    if kind is not None:
        made["party_kind"] = kind
    for attribute in attributes(entity):
        made[attribute.name] = standard.values[attribute.name]
    for target in columns.targets:
        made[f"{target}_original"] = columns.original(target)
    made["invalid_attributes"] = _invalid(standard, columns.length)
    table = pa.table(made, schema=standard_schema(contract, entity))
    if entity is Entity.INTERACTION and contract.moments:
        table = interaction.of_moments(table, columns, extract_date, timezone, words.interactions)
    if entity is Entity.CONSENT:
        return consent.of_statements(table, columns, timezone, words.consents)
    return table if kind is not None else _one_row_per_key(table)


def _constant(value: str, length: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, TEXT), length)


def modified_at(columns: Columns, timezone: str) -> pa.Array:
    """When their source last changed some rows, in UTC; null where it does not say."""
    name = columns.contract.modified_at
    if name is None:
        return no_text(columns.length)
    return dates.timestamp(columns.key(name), columns.contract.column(name).date_formats, timezone)


def _is_deleted(columns: Columns) -> pa.Array:
    rule = columns.contract.deleted
    if rule is None:
        return no_flags(columns.length)
    kind = columns.contract.column(rule.column).logical_type
    return pa.array(is_marked(columns.raw(rule.column), rule.values, kind))


def _merged_into(columns: Columns, own: pa.Array) -> pa.Array:
    """The record that took this one in; a record that names itself was not merged."""
    name = columns.contract.merged_into
    if name is None:
        return no_text(columns.length)
    other = columns.key(name)
    return pc.if_else(pc.equal(other, own), pa.scalar(None, TEXT), other)


def _invalid(standard: Standard, length: int) -> pa.Array:
    """Names of the attributes whose value is kept but cannot be right, sorted, with commas between."""
    names = no_text(length)
    for attribute, flags in sorted(standard.wrong.items()):
        if pc.any(flags).as_py():
            mark = pc.if_else(pc.fill_null(flags, False), attribute, pa.scalar(None, TEXT))
            names = joined(names, mark, ",")
    return names


def _one_row_per_key(table: pa.Table) -> pa.Table:
    """Rows without a key dropped; of rows with one key, the first value that is there, column by column.

    A web shop writes an order on as many lines as it has articles. In file order, so that the answer does not depend
    on how the frame is sorted.
    """
    table = table.filter(pc.is_valid(table["record_id"])).sort_by(
        [("_file", "ascending"), ("_row", "ascending")]
    )
    codes, distinct = pd.factorize(table["record_id"].to_pandas())
    if len(distinct) == len(table):
        return table
    first = np.full(len(distinct), -1, dtype=np.int64)
    made = {name: _first_value(table[name].combine_chunks(), codes, first) for name in table.column_names}
    return pa.table(made)


def _first_value(
    column: pa.Array, codes: "np.ndarray[tuple[int], np.dtype[np.int64]]", none: np.ndarray
) -> pa.Array:
    """Per code the first value that is not null."""
    present = np.flatnonzero(pc.is_valid(column).to_numpy(zero_copy_only=False))
    found, at = np.unique(codes[present], return_index=True)
    positions = none.copy()
    positions[found] = present[at]
    return column.take(pa.array(positions, mask=positions < 0))
