"""What has changed between two tables of records.

Belongs here: which records came, went and changed, and a table with a few records changed. Does not belong here: what
follows from it (relink).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.ingest.layered import differ
from cdm_pipelines.linkage.policy import LinkagePolicy
from cdm_pipelines.parallel import in_order

Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Moved:
    """Where records went between two tables of ``linked_columns``.

    Attributes:
        new_of_old: Per former record its place now; -1 where it is gone.
        old_of_new: Per record its former place; -1 where it is new.
        changed: Places of records that are new or have other values.
        stale: Per former record whether it is gone or has other values now.
    """

    new_of_old: Places
    old_of_new: Places
    changed: Places
    stale: Flags

    @classmethod
    def between(cls, before: pa.Table, now: pa.Table, policy: LinkagePolicy) -> Self:
        """Compare two tables record by record."""
        former, latter = _keys(before, policy), _keys(now, policy)
        if former.equals(latter):
            return cls.of(before, now, np.arange(now.num_rows), np.arange(now.num_rows))
        # Both are in the same order, so the records that stay are too.
        kept = np.flatnonzero(pc.is_in(former, value_set=latter).to_numpy(zero_copy_only=False))
        stays = np.flatnonzero(pc.is_in(latter, value_set=former).to_numpy(zero_copy_only=False))
        old_of_new = np.full(now.num_rows, -1)
        old_of_new[stays] = kept
        return cls.of(before, now, old_of_new, stays)

    @classmethod
    def of(cls, before: pa.Table, now: pa.Table, old_of_new: Places, suspects: Places) -> Self:
        """From where each record was, and the places of those that may have changed."""
        suspects = suspects[old_of_new[suspects] >= 0]
        some = slice(None) if len(suspects) == before.num_rows == now.num_rows else suspects
        differs = np.zeros(len(suspects), dtype=bool)
        for name in now.column_names:
            former, latter = before[name].combine_chunks(), now[name].combine_chunks()
            if not isinstance(some, slice):
                former, latter = former.take(pa.array(old_of_new[some])), latter.take(pa.array(some))
            differs |= differ(former, latter)
        is_changed = old_of_new < 0
        is_changed[suspects] = differs
        new_of_old = np.full(before.num_rows, -1)
        there = old_of_new >= 0
        new_of_old[old_of_new[there]] = np.flatnonzero(there)
        stale = new_of_old < 0
        stale[old_of_new[suspects[differs]]] = True
        return cls(new_of_old, old_of_new, np.flatnonzero(is_changed), stale)


def patched(
    before: pa.Table, rows: pa.Table, gone: pa.Array, policy: LinkagePolicy, threads: int | None = None
) -> tuple[pa.Table, Moved]:
    """A table with some rows changed or added and some taken away, in order of source and id.

    Args:
        before: As ``linked_columns`` gives it.
        rows: Changed and new records, alike.
        gone: Source and id of records to take away, as ``record_names`` gives them.
        policy: The policy.
        threads: How many columns to work on at a time.
    """
    if not rows.num_rows and not len(gone):
        everywhere = np.arange(before.num_rows)
        return before, Moved(everywhere, everywhere, everywhere[:0], np.zeros(before.num_rows, dtype=bool))
    known, names = _keys(before, policy), _keys(rows, policy)
    leaves = pc.is_in(known, value_set=pa.concat_arrays([names, gone.cast(pa.string())]))
    leaves = leaves.to_numpy(zero_copy_only=False)
    leaving, staying = np.flatnonzero(leaves), np.flatnonzero(~leaves)
    # Rows that stay and rows that come are both in order; the latter are put between the former.
    place = np.append(0, np.cumsum(~leaves))[pc.search_sorted(known, names).to_numpy()]
    taken = np.insert(staying, place, before.num_rows + np.arange(len(names)))
    comes = np.flatnonzero(taken >= before.num_rows)
    former = (
        pc.index_in(names, value_set=known.take(pa.array(leaving)))
        .fill_null(-1)
        .to_numpy(zero_copy_only=False)
    )
    old_of_new = taken.copy()
    old_of_new[comes] = np.append(leaving, -1)[former[taken[comes] - before.num_rows]]

    def column(name: str) -> pa.Array:
        both = pa.chunked_array([*before[name].chunks, *rows[name].chunks], pa.string())
        return both.take(pa.array(taken)).combine_chunks()

    columns = in_order(column, before.column_names, threads)
    now = pa.table(dict(zip(before.column_names, columns, strict=True)))
    return now, Moved.of(before, now, old_of_new, comes)


def record_names(source: pa.Array, ids: pa.Array) -> pa.Array:
    """Source and id of records as one text, which sorts as they do."""
    return pc.binary_join_element_wise(source, ids, "\x1f")


def _keys(table: pa.Table, policy: LinkagePolicy) -> pa.Array:
    ids = table[policy.id].combine_chunks()
    return record_names(table[policy.source].combine_chunks(), ids) if policy.source else ids
