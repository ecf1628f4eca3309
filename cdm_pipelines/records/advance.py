"""The current state after new days, from the state before them: only records that the new days touch are looked at.

Belongs here: when that is possible, and what changes. Does not belong here: the state of a set of days (``state``).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.records.partition import Partition
from cdm_pipelines.store.arrow import whole


class AnewError(Exception):
    """The days cannot be added to the state; it has to be made anew from all days."""


def follow(partitions: list[Partition], latest: str | None) -> bool:
    """Whether all partitions are of days after the latest one that a state holds."""
    return latest is None or all(partition.date > latest for partition in partitions)


def advance(state: pa.Table, new: pa.Table, newest: Partition) -> pa.Table:
    """The records that new days of one source entity change.

    Args:
        state: The former state of all records of that source entity; for changes alone ``record_id`` and
            ``first_seen`` are enough.
        new: The state of the new days alone, as ``current_state`` makes it; all later than those of ``state``.
        newest: The latest new day.

    Returns:
        Changed and new records, in the columns of ``state``.

    Raises:
        AnewError: A record was absent before and is held back now: whether it is active only all days can tell.
    """
    former = pc.index_in(new["record_id"], value_set=whole(state["record_id"]))
    first_seen = whole(state["first_seen"]).take(former.combine_chunks())
    place = new.schema.get_field_index("first_seen")
    changed = new.set_column(place, "first_seen", pc.coalesce(first_seen, new["first_seen"]))
    if newest.delivery == "delta":
        return changed
    others = state.filter(
        pc.invert(pc.is_in(state["record_id"], value_set=new["record_id"].combine_chunks()))
    )
    if newest.held_back is not None:
        kept = pc.is_in(others["record_id"], value_set=newest.held_back.cast(pa.string()))
        if pc.any(pc.and_(kept, pc.invert(others["active"]))).as_py():
            raise AnewError("a record that was absent is held back")
        others = others.filter(pc.invert(kept))
    absent = others.filter(others["active"])
    inactive = pa.array(np.zeros(absent.num_rows, dtype=bool))
    absent = absent.set_column(absent.schema.get_field_index("active"), "active", inactive)
    return pa.concat_tables([changed, absent])
