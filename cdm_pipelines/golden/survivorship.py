"""From the records of each customer to one golden record.

Belongs here: laying records out by customer, the golden table, bounded memory. Does not belong here: the
rules (``contest``), what is remembered about their outcome (``provenance``), the policy file (``policy``).

Records are laid out customer by customer, so that each rule is one pass over whole columns; a customer with
one record takes that record as it is. Customers are worked through in chunks and never divided between two,
so the size of a chunk bounds the memory and cannot be seen in the outcome.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.golden.contest import Contest, Ints, Layout
from cdm_pipelines.golden.corrected import Corrections
from cdm_pipelines.golden.policy import SurvivorshipPolicy, golden_groups
from cdm_pipelines.golden.provenance import PROVENANCE_SCHEMA, provenance
from cdm_pipelines.identity.relations import golden_employers
from cdm_pipelines.parallel import in_order
from cdm_pipelines.store.keys import RECORD_KEY, positions, record_keys

__all__ = ["CUSTOMER_SCHEMA", "PROVENANCE_SCHEMA", "Golden", "survive", "survive_in_chunks"]

_GOLDEN_ATTRIBUTES = tuple(a.name for a in attributes(Entity.PARTY, golden_only=True))
_RECORD_COLUMNS = (
    *RECORD_KEY,
    "active",
    "extract_date",
    "first_seen",
    "last_seen",
    "modified_at",
    "invalid_attributes",
    *(name for group in golden_groups().values() for name in group),
)

CUSTOMER_SCHEMA = pa.schema(
    [
        ("golden_id", pa.string()),
        ("party_kind", pa.string()),
        ("status", pa.string()),
        *((name, pa.string()) for name in _GOLDEN_ATTRIBUTES),
        ("employer_id", pa.string()),
        ("record_count", pa.int64()),
        ("source_count", pa.int64()),
        ("first_seen", pa.string()),
        ("last_seen", pa.string()),
    ]
)
"""The golden customer; canonical values as text, ``employer_id`` a golden id."""


@dataclass(frozen=True)
class Golden:
    """Golden customers in order of golden id, and where their values come from.

    Attributes:
        customer: ``CUSTOMER_SCHEMA``.
        provenance: ``PROVENANCE_SCHEMA``.
    """

    customer: pa.Table
    provenance: pa.Table


def survive(
    records: pa.Table,
    crosswalk: pa.Table,
    policy: SurvivorshipPolicy,
    *,
    corrected: pa.Table | None = None,
    chunk_rows: int = 100_000,
) -> Golden:
    """Choose the golden values of every customer.

    Args:
        records: ``records/party``.
        crosswalk: ``source, entity, record_id, golden_id``, of the same records.
        policy: The rules.
        corrected: ``corrected.SET_SCHEMA``: values that a steward set, which stand above those of the records.
        chunk_rows: Records worked on at a time.

    Raises:
        ValueError: a record has no golden id.
    """
    chunks = list(survive_in_chunks(records, crosswalk, policy, corrected=corrected, chunk_rows=chunk_rows))
    return Golden(
        pa.concat_tables([CUSTOMER_SCHEMA.empty_table(), *(chunk.customer for chunk in chunks)]),
        pa.concat_tables([PROVENANCE_SCHEMA.empty_table(), *(chunk.provenance for chunk in chunks)]),
    )


def survive_in_chunks(
    records: pa.Table,
    crosswalk: pa.Table,
    policy: SurvivorshipPolicy,
    *,
    employers: pa.Array | None = None,
    corrected: pa.Table | None = None,
    chunk_rows: int = 100_000,
    threads: int | None = None,
) -> Iterator[Golden]:
    """Like :func:`survive`, some customers at a time, in order of golden id; the next are made meanwhile.

    ``employers`` gives the golden id of each record's employer, where not all organisations are among the records.
    """
    golden = _golden_ids(records, crosswalk)
    if employers is None:
        organisations = records.filter(pc.equal(records["party_kind"], "organisation"))
        employers = golden_employers(records, organisations, crosswalk)
    place = records.schema.get_field_index("employer_id")
    records = records.set_column(place, "employer_id", employers).select(_RECORD_COLUMNS)
    order, starts = _layout(records, golden)
    ends = np.append(starts[1:], len(order))
    corrections = Corrections.of(corrected, crosswalk)

    def chunk(span: tuple[int, int]) -> Golden:
        first, last = span
        rows = order[starts[first] : ends[last - 1]]
        ids = golden.take(pa.array(order[starts[first:last]]))
        sizes = ends[first:last] - starts[first:last]
        shared = np.repeat(sizes > 1, sizes)
        laid_out = records.take(pa.array(np.concatenate([rows[shared], rows[~shared]])))
        return _chunk(laid_out.combine_chunks(), Layout.of(sizes), ids, policy, corrections)

    return in_order(chunk, _spans(starts, ends, chunk_rows), threads)


def _spans(starts: Ints, ends: Ints, chunk_rows: int) -> Iterator[tuple[int, int]]:
    """Customers, from and to, whose records together are about ``chunk_rows``."""
    first = 0
    while first < len(starts):
        last = max(int(np.searchsorted(ends, starts[first] + chunk_rows, side="right")), first + 1)
        yield first, last
        first = last


def _golden_ids(records: pa.Table, crosswalk: pa.Table) -> pa.Array:
    keys, crossed = record_keys(records), record_keys(crosswalk)
    golden = crosswalk["golden_id"].combine_chunks()
    if not keys.equals(crossed):
        at = positions(keys, crossed)
        golden = golden.take(pa.array(at, mask=at < 0))
    if golden.null_count:
        raise ValueError(f"{golden.null_count} records have no golden id")
    return golden


def _layout(records: pa.Table, golden: pa.Array) -> tuple[Ints, Ints]:
    """Rows in order of golden id and then of key, and where each customer starts among them."""
    codes = golden.dictionary_encode()
    rank = pc.sort_indices(codes.dictionary).to_numpy().argsort()
    customer = rank[codes.indices.to_numpy(zero_copy_only=False)]
    keys = record_keys(records)
    by_key = np.arange(len(keys))
    if len(keys) > 1 and not pc.all(pc.less(keys[:-1], keys[1:])).as_py():
        by_key = pc.sort_indices(keys).to_numpy()
    order = by_key[np.argsort(customer[by_key], kind="stable")]
    laid = customer[order]
    starts = np.flatnonzero(np.append(True, laid[1:] != laid[:-1])) if len(laid) else np.empty(0, np.int64)
    return order.astype(np.int64), starts.astype(np.int64)


def _chunk(
    records: pa.Table, layout: Layout, ids: pa.Array, policy: SurvivorshipPolicy, corrections: Corrections
) -> Golden:
    """Golden records of whole customers laid out one after another."""
    contest = Contest(records, layout, policy)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {"golden_id": ids, **_summary(records, layout)}
    outcomes = {}
    for group in policy.groups:
        outcome = contest.decide(group)
        outcomes[group.name] = outcome
        winner = layout.starts.copy()
        winner[layout.shared] = outcome.winner
        at = pa.array(winner, mask=winner < 0)
        columns |= {name: records[name].take(at) for name in group.attributes}
    customer = pa.table({name: columns[name] for name in CUSTOMER_SCHEMA.names}, schema=CUSTOMER_SCHEMA)
    origins = provenance(records, layout, ids, outcomes, policy)
    return Golden(*corrections.apply(customer, origins, records, layout, policy))


def _summary(records: pa.Table, layout: Layout) -> dict[str, pa.Array]:
    """Status, counts and dates of each customer."""
    active = layout.best(np.maximum, records["active"].to_numpy().astype(np.int64))
    source = _codes(records["source"])[1]  # within a customer, rows are in order of source
    another = np.append(1, source[1:] != source[:-1]).astype(np.int64)
    another[layout.starts] = 1
    first, last = _codes(records["first_seen"]), _codes(records["last_seen"])
    return {
        "status": pa.array(["inactive", "active"]).take(pa.array(active)),
        "record_count": pa.array(layout.sizes),
        "source_count": pa.array(layout.best(np.add, another)),
        "first_seen": first[0].take(pa.array(layout.best(np.minimum, first[1]))),
        "last_seen": last[0].take(pa.array(layout.best(np.maximum, last[1]))),
    }


def _codes(column: pa.ChunkedArray) -> tuple[pa.Array, Ints]:
    """Distinct values in ascending order, and the place of each row's value among them."""
    encoded = column.combine_chunks().dictionary_encode()
    order = pc.sort_indices(encoded.dictionary)
    rank = order.to_numpy().argsort()
    return encoded.dictionary.take(order), rank[encoded.indices.to_numpy(zero_copy_only=False)]
