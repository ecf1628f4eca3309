"""One file per source with the cells in which its records disagree with their golden customers.

Belongs here: reading records, customers and the cells as delivered, and writing the files. Does not belong here: what
a disagreement is (publish.corrections).

Of a customer whose data may not be used for this, the cells alone are told that were put right because the person asked
for it: whoever restricts their data or objects still has it mended, and recipients are told (GDPR articles 16 and 19).

The files hold personal data, each of one source, and are meant for its owner. They are a pure function of the records
and of what is published: the same state gives the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from sqlalchemy import Connection

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.golden.provenance import EVERYTHING_ELSE
from cdm_pipelines.hub import linked, rights
from cdm_pipelines.privacy.checks import in_force
from cdm_pipelines.privacy.given import Given
from cdm_pipelines.privacy.off import EVERY_CHANNEL
from cdm_pipelines.publish.corrections import CORRECTIONS_SCHEMA, Cell, Disagreement, cells, disagreements
from cdm_pipelines.publish.leaving import ORIGIN_SCHEMA, Leaving
from cdm_pipelines.publish.policy import FeedPolicy
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.consent.off import off_in_use
from cdm_pipelines.store import layout
from cdm_pipelines.store.cipher import hidden
from cdm_pipelines.store.keys import composite_keys, positions
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.spreadsheets import neutralised
from cdm_pipelines.store.tables import records as party_records

_ROWS = 500_000


@dataclass(frozen=True)
class Corrections:
    """What was written for one source: the file, and the number of cells by ``entity.column``."""

    source: str
    path: str
    cells: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Cells in all."""
        return sum(self.cells.values())


def corrections_leaving(connection: Connection, settings: Settings, off: pa.Table | None = None) -> Leaving:
    """What may be told to the owners of sources.

    Args:
        connection: Of a migrated hub.
        settings: Where policies are.
        off: ``privacy.off.OFF_SCHEMA``: customers of whom nothing is told for a purpose; as published consent has it
            when left out.

    Raises:
        FeedPolicyError, PurposesError: A policy cannot be used, or a contract does not keep to the purposes.
    """
    contracts = all_contracts()
    purposes = in_force(settings.policies, contracts)
    policy = FeedPolicy.in_force(settings.policies / "change_feed.yaml", purposes)
    purpose = policy.source_corrections.purpose
    if off is None:
        off = off_in_use(connection, purposes, [(purpose, EVERY_CHANNEL)])
    return Leaving.for_purpose(purpose, EVERY_CHANNEL, Given.of(contracts, purposes), off, ())


def write_corrections(
    connection: Connection, lake: Lake, contracts: Sequence[SourceContract], leaving: Leaving
) -> list[Corrections]:
    """Write a file per source, whole, in place of the one before; empty but for its header when all agree.

    Args:
        connection: Of a migrated hub; it sees one publication throughout (REPEATABLE READ).
        lake: With the records that were published.
        contracts: Of all source entities.
        leaving: What may be told; see :func:`corrections_leaving`.
    """
    feeding = sorted((c for c in contracts if Entity.PARTY in c.entities), key=lambda c: c.name)
    return [
        _write(lake, source, find_corrections(connection, lake, list(group), leaving))
        for source, group in groupby(feeding, key=lambda contract: contract.source)
    ]


def find_corrections(
    connection: Connection,
    lake: Lake,
    contracts: Iterable[SourceContract],
    leaving: Leaving,
    golden_ids: Sequence[str] | None = None,
) -> Iterator[pa.Table]:
    """Tables of ``CORRECTIONS_SCHEMA``, one per contract, ordered by record id and column.

    Args:
        connection: Inside a transaction, so that all is of one publication.
        lake: With the records that were published.
        contracts: The source entities to look at.
        leaving: What may be told.
        golden_ids: Only records of these customers; all when None.
    """
    put_right = rights.rectified(connection)
    for contract in contracts:
        records = _records(lake, contract)
        asked = linked.linked_customers(connection, contract.source, contract.entity, golden_ids)
        with closing(asked) as batches:  # an open COPY would hold up the end of the connection
            pieces = [
                piece
                for customers in batches
                for piece in _rows(contract, records, customers, leaving, put_right)
            ]
        found = pa.concat_tables([_FOUND.empty_table(), *pieces])
        asked_for = _put_right(contract, found, put_right)
        others = found.filter(pc.and_not(leaving.may_leave(found["golden_id"]), asked_for))
        told = pa.concat_tables(
            [found.filter(asked_for), _that_may_leave(connection, contract, others, leaving)]
        )
        told = _with_rules(connection, told)
        told = _as_delivered(lake, contract, told).sort_by(
            [("record_id", "ascending"), ("column", "ascending")]
        )
        for name in ("current_value", "golden_value"):
            told = told.set_column(told.column_names.index(name), name, hidden(told[name]))
        entity = pa.repeat(pa.scalar(contract.entity), told.num_rows)
        yield told.append_column("entity", entity).select(CORRECTIONS_SCHEMA.names)


_FOUND = pa.schema(
    [
        ("record_id", pa.string()),
        ("column", pa.string()),
        ("current_value", pa.string()),
        ("golden_value", pa.string()),
        ("group", pa.string()),
        ("golden_id", pa.string()),
        ("target", pa.string()),
        ("extract_date", pa.string()),
    ]
)


def _write(lake: Lake, source: str, tables: Iterable[pa.Table]) -> Corrections:
    path, counts = layout.source_corrections_path(source), {}
    with lake.file(path) as file, pa_csv.CSVWriter(file, CORRECTIONS_SCHEMA) as writer:
        for table in tables:
            writer.write_table(neutralised(table))
            for count in pc.value_counts(composite_keys(table, "entity", "column")).to_pylist():
                counts[count["values"].replace("\x1f", ".")] = count["counts"]
    return Corrections(source, lake.where(path), dict(sorted(counts.items())))


def _records(lake: Lake, contract: SourceContract) -> pa.Table:
    parts = {part for cell in cells(contract) for part in cell.parts}
    names = ["source", "entity", "record_id", "extract_date", "party_kind", *sorted(parts)]
    parties = party_records(lake, Entity.PARTY).read(names)
    own = pc.and_(pc.equal(parties["source"], contract.source), pc.equal(parties["entity"], contract.entity))
    return parties.filter(own)


def _rows(
    contract: SourceContract, records: pa.Table, customers: pa.Table, leaving: Leaving, put_right: pa.Table
) -> Iterator[pa.Table]:
    """The disagreements of one batch of records, a row each, a table per column."""
    mended = pc.is_in(customers["golden_id"], value_set=put_right["golden_id"].combine_chunks())
    customers = customers.filter(pc.or_(leaving.may_leave(customers["golden_id"]), mended))
    at = positions(customers["record_id"].combine_chunks(), records["record_id"].combine_chunks())
    customers = customers.filter(pa.array(at >= 0)).combine_chunks()
    own = records.take(pa.array(at[at >= 0])).combine_chunks()
    for one in disagreements(contract, own, customers):
        if all(leaving.covers(part) for part in one.cell.parts):
            yield _table(one, own, customers)


def _table(one: Disagreement, own: pa.Table, customers: pa.Table) -> pa.Table:
    size = len(one.rows)
    columns = {
        "record_id": _taken(own, "record_id", one),
        "column": pa.repeat(one.cell.column.name, size),
        "current_value": one.standardised,
        "golden_value": one.golden,
        "group": _group(one.cell, _taken(own, "party_kind", one)),
        "golden_id": _taken(customers, "golden_id", one),
        "target": pa.repeat(one.cell.target, size),
        "extract_date": _taken(own, "extract_date", one),
    }
    return pa.table(columns, schema=_FOUND)


def _taken(table: pa.Table, name: str, one: Disagreement) -> pa.Array:
    return table[name].take(one.rows).combine_chunks()


def _group(cell: Cell, party_kind: pa.Array) -> pa.Array:
    """The group of attributes in which the golden value was chosen; a name may be that of a person or not."""
    if "organisation_name" not in cell.parts:
        return pa.repeat(cell.group, len(party_kind))
    return pc.if_else(pc.equal(party_kind, "organisation"), "organisation", cell.group)


def _put_right(contract: SourceContract, found: pa.Table, put_right: pa.Table) -> pa.Array:
    """Whether each cell holds a value that was put right because its person asked for it."""
    of_part = [(part, cell.target) for cell in cells(contract) for part in cell.parts]
    asked = [
        (row["golden_id"], target)
        for row in put_right.to_pylist()
        for part, target in of_part
        if part == row["attribute"]
    ]
    columns = zip(*asked, strict=True) if asked else ([], [])
    named = pa.table([pa.array(one, pa.string()) for one in columns], names=["golden_id", "target"])
    keys = composite_keys(named, "golden_id", "target")
    return pc.is_in(composite_keys(found, "golden_id", "target"), value_set=keys)


def _that_may_leave(
    connection: Connection, contract: SourceContract, found: pa.Table, leaving: Leaving
) -> pa.Table:
    """The cells whose golden value was delivered for the purpose by the source that it comes from."""
    if not leaving.not_given or not found.num_rows:
        return found
    origins = linked.origins(connection, pc.unique(found["golden_id"]).to_pylist(), ORIGIN_SCHEMA)
    at = _place(found, composite_keys(origins, "golden_id", "attribute"))
    of = pc.binary_join_element_wise(origins["source"], origins["entity"], "/").combine_chunks()
    pairs = pa.table({"origin": of.take(pa.array(at, mask=at < 0)), "target": found["target"]})
    parts = {cell.target: set(cell.parts) for cell in cells(contract)}
    distinct = pairs.group_by(["origin", "target"]).aggregate([])
    withheld = [
        not parts[row["target"]].isdisjoint(leaving.not_given.by_entity.get(row["origin"], ()))
        for row in distinct.to_pylist()
    ]
    these = distinct.filter(pa.array(withheld, pa.bool_()))
    gone = pc.is_in(
        composite_keys(pairs, "origin", "target"), value_set=composite_keys(these, "origin", "target")
    )
    return found.filter(pc.invert(gone))


def _place(found: pa.Table, keys: pa.Array) -> np.ndarray:
    """The row of provenance that speaks for each cell: of its column, of its group, or of everything else; or -1."""
    everything = pa.repeat(EVERYTHING_ELSE, found.num_rows)
    place = np.full(found.num_rows, -1)
    for name in (found["target"], found["group"], everything):
        asked = pa.table({"golden_id": found["golden_id"], "attribute": name})
        own = positions(composite_keys(asked, "golden_id", "attribute"), keys)
        place = np.where(place >= 0, place, own)
    return place


def _with_rules(connection: Connection, found: pa.Table) -> pa.Table:
    """The rule that chose the group of each cell, or everything without a rule of its own."""
    rules = linked.rules(connection, found["golden_id"])
    keys = composite_keys(rules, "golden_id", "attribute")
    everything = pa.repeat(EVERYTHING_ELSE, found.num_rows)
    own, other = (
        positions(
            composite_keys(pa.table({"golden_id": found["golden_id"], "group": group}), "golden_id", "group"),
            keys,
        )
        for group in (found["group"], everything)
    )
    at = np.where(own >= 0, own, other)
    return found.append_column("rule", rules["rule"].combine_chunks().take(pa.array(at, mask=at < 0)))


def _as_delivered(lake: Lake, contract: SourceContract, found: pa.Table) -> pa.Table:
    """The cells as the source delivered them, day by day; standardised where that day is no longer there."""
    pieces = []
    for date in pc.unique(found["extract_date"]).to_pylist():
        of_day = found.filter(pc.equal(found["extract_date"], date))
        path = layout.standard_path(contract, date, Entity.PARTY)
        if lake.exists(path):
            delivered = _originals(lake, path, of_day)
            at = of_day.schema.get_field_index("current_value")
            of_day = of_day.set_column(at, "current_value", pc.coalesce(delivered, of_day["current_value"]))
        pieces.append(of_day)
    return pa.concat_tables([found.slice(0, 0), *pieces])


def _originals(lake: Lake, path: str, found: pa.Table) -> pa.ChunkedArray:
    """What the day's table holds for each cell, as delivered."""
    wanted = pc.unique(found["record_id"])
    names = pc.unique(found["target"]).to_pylist()
    columns = ["record_id", *(f"{name}_original" for name in names)]
    kept = [
        table.filter(pc.is_in(table["record_id"], value_set=wanted))
        for table in lake.read_batches(path, _ROWS, columns)
    ]
    day = pa.concat_tables(kept)
    at = positions(found["record_id"].combine_chunks(), day["record_id"].combine_chunks())
    values = pa.chunked_array([pa.nulls(found.num_rows, pa.string())])
    for name in names:
        own = day[f"{name}_original"].combine_chunks().cast(pa.string()).take(pa.array(at, mask=at < 0))
        values = pc.if_else(pc.equal(found["target"], name), own, values)
    return values
