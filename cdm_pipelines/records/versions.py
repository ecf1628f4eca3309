"""Which partition speaks for each record of one source entity.

Belongs here: the order of versions, first and last appearance, absence from a snapshot; keys and dates only.
Does not belong here: the values themselves (``state``).

Versions are ordered by extract date, then by the source's own modification time, then by place in the
delivery. The newest partition that holds a record therefore wins, and the modification time only decides
between rows of one day. Partitions are visited from the newest to the oldest, some million rows at a time, so
that memory holds the distinct keys and one batch, however many days there are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.records.partition import Partition, Read
from cdm_pipelines.store.arrow import whole

Rows = npt.NDArray[np.int64]
_Batch = list[tuple[pa.Array, Rows]]

_ORDER_COLUMNS = ("modified_at", "_file", "_row")
_BATCH_ROWS = 2_000_000


@dataclass(frozen=True)
class Chosen:
    """The winning rows of one source entity.

    Attributes:
        partitions: Newest first.
        rows: Per partition, the rows that win; together they are all records, each once.
        first_seen: Per winning row, in the order of partitions and rows: oldest extract date that holds it.
        present: Per winning row: whether the newest partition delivered the record.
    """

    partitions: tuple[Partition, ...]
    rows: tuple[Rows, ...]
    first_seen: pa.Array
    present: npt.NDArray[np.bool_]


def choose(partitions: Sequence[Partition], read: Read) -> Chosen:
    """Pick the winning row of every record among the partitions of one source entity.

    Args:
        partitions: Of one source entity and one canonical entity; any order, at least one.
        read: Reads columns of the table at a path.

    Raises:
        ValueError: two partitions have the same date.
    """
    newest_first = tuple(sorted(partitions, key=lambda partition: partition.date, reverse=True))
    dates = [partition.date for partition in newest_first]
    if len(set(dates)) < len(dates):
        raise ValueError(f"two partitions of {newest_first[0].name} have the same date")

    known = pa.array([], pa.string())
    oldest = np.empty(0, np.int64)
    rows: list[Rows] = []
    for first_place, batch in _batches(newest_first, read):
        sizes = [len(ids) for ids, _ in batch]
        place = np.repeat(np.arange(first_place, first_place + len(batch)), sizes)
        codes = pa.concat_arrays([known, *(ids for ids, _ in batch)]).dictionary_encode()
        code = codes.indices.to_numpy(zero_copy_only=False)[len(known) :]
        new = _first_appearance(code, len(codes.dictionary)) & (code >= len(known))
        oldest = np.concatenate([oldest, np.empty(len(codes.dictionary) - len(known), np.int64)])
        oldest[code] = place  # places ascend, so that the last one written is the oldest day
        ends = np.cumsum([0, *sizes])
        rows += [row[new[ends[i] : ends[i + 1]]] for i, (_, row) in enumerate(batch)]
        known = codes.dictionary

    present = np.zeros(len(known), np.bool_)
    present[: len(rows[0])] = True
    held_back = newest_first[0].held_back
    if held_back is not None:
        present |= pc.is_in(known, value_set=_text(held_back)).to_numpy(zero_copy_only=False)
    first_seen = pa.array(dates, pa.string()).take(pa.array(oldest))
    return Chosen(newest_first, tuple(rows), first_seen, present)


def _batches(partitions: Sequence[Partition], read: Read) -> Iterator[tuple[int, _Batch]]:
    """Distinct record ids and their rows, some partitions at a time, with the place of the first of them."""
    batch: _Batch = []
    start, size = 0, 0
    for place, partition in enumerate(partitions):
        ids, rows = _latest_rows(partition, read)
        batch.append((ids, rows))
        size += len(ids)
        if size >= _BATCH_ROWS:
            yield start, batch
            batch, start, size = [], place + 1, 0
    if batch:
        yield start, batch


def _latest_rows(partition: Partition, read: Read) -> tuple[pa.Array, Rows]:
    """Record ids of a partition, each once, with the row of its latest version."""
    ids = _text(read(partition.path, ["record_id"])["record_id"])
    everything = np.arange(len(ids), dtype=np.int64)
    codes = ids.dictionary_encode()
    if len(codes.dictionary) == len(ids):
        return ids, everything
    code = codes.indices.to_numpy(zero_copy_only=False)
    repeated = np.flatnonzero(np.bincount(code)[code] > 1)
    order = read(partition.path, list(_ORDER_COLUMNS)).take(pa.array(repeated))
    order = order.append_column("code", pa.array(code[repeated]))
    order = order.set_column(0, "modified_at", pc.fill_null(order["modified_at"], ""))
    keys = [(name, "ascending") for name in ("code", *_ORDER_COLUMNS)]
    ranked = pc.sort_indices(order, sort_keys=keys).to_numpy()
    ranked_code = code[repeated][ranked]
    superseded = np.append(ranked_code[1:] == ranked_code[:-1], False)
    keep = np.delete(everything, repeated[ranked[superseded]])
    return ids.take(pa.array(keep)), keep


def _first_appearance(code: npt.NDArray[np.int32], distinct: int) -> npt.NDArray[np.bool_]:
    """Mark the first place of each code."""
    first = np.full(distinct, -1, np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]
    mark = np.zeros(len(code), np.bool_)
    mark[first[first >= 0]] = True
    return mark


def _text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return whole(column).cast(pa.string())
