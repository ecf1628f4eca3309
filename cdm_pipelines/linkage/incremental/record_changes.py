"""What has changed between two tables of records.

Belongs here: which records came, went and changed, and where the others are now. Does not belong here: what follows
from it (relink).
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.encode.positions import Flags, Places
from cdm_pipelines.linkage.encode.records import Records, ordered_records
from cdm_pipelines.linkage.encode.rows import Rows
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.store.arrow import differ, whole


@dataclass(frozen=True)
class RecordChanges:
    """Where records went.

    Attributes:
        former: Sources and ids of the former records.
        new_of_old: Per former record its place now; -1 where it is gone.
        old_of_new: Per record its former place; -1 where it is new.
        changed: Places of records that are new or have other values, in order.
        rows: Those records, in that order, as ``linked_columns`` gives them.
        stale: Per former record whether it is gone or has other values now.
    """

    former: Records
    new_of_old: Places
    old_of_new: Places
    changed: Places
    rows: pa.Table
    stale: Flags

    @property
    def any(self) -> bool:
        """Whether any record came, went or changed."""
        return bool(len(self.changed) or self.stale.any())

    @classmethod
    def between(cls, before: Rows, now: pa.Table, policy: LinkagePolicy) -> Self:
        """To another table of ``linked_columns``, found out record by record."""
        former, latter = (ordered_records(table, policy) for table in (before.records(), now))
        at = former.places(*latter.names())
        gone = np.ones(len(former), dtype=bool)
        gone[at[at >= 0]] = False
        return cls._of(before, (former, latter), at, now, np.flatnonzero(gone))

    @classmethod
    def by(cls, before: Rows, rows: pa.Table, gone: pa.Table, policy: LinkagePolicy) -> Self:
        """As someone says.

        Args:
            before: The former records.
            rows: Changed and new records, as ``linked_columns`` gives them; some may be as they were.
            gone: Source and id of records that are no more; some may never have been.
            policy: The policy.
        """
        former = ordered_records(before.records(columns=policy.key_columns), policy)
        latter = ordered_records(rows, policy)
        left = ordered_records(gone, policy)
        at, away = (former.places(*some.names()) for some in (latter, left))
        return cls._of(before, (former, latter), at, rows, np.setdiff1d(away[away >= 0], at))

    @classmethod
    def _of(
        cls, before: Rows, names: tuple[Records, Records], at: Places, rows: pa.Table, gone: Places
    ) -> Self:
        """From the former place of each of some rows, -1 for new ones, and the former places of those that are gone."""
        former, latter = names
        known, new = np.flatnonzero(at >= 0), np.flatnonzero(at < 0)
        differs = np.ones(len(at), dtype=bool)
        differs[known] = _differ(before.records(at[known]), rows.take(pa.array(known)))
        stays = np.ones(len(former), dtype=bool)
        stays[gone] = False
        # Records that stay and records that come are both in order; the latter are put between the former.
        place = np.append(0, np.cumsum(stays))[_insertion(former, latter, new)]
        old_of_new = np.insert(np.flatnonzero(stays), place, -1)
        new_of_old = np.full(len(former), -1)
        there = np.flatnonzero(old_of_new >= 0)
        new_of_old[old_of_new[there]] = there
        stale = ~stays
        stale[at[known[differs[known]]]] = True
        is_changed = old_of_new < 0
        is_changed[new_of_old[stale & stays]] = True
        return cls(
            former, new_of_old, old_of_new, np.flatnonzero(is_changed), rows.filter(pa.array(differs)), stale
        )


def _differ(former: pa.Table, latter: pa.Table) -> Flags:
    """Where two tables of the same columns have other values."""
    found = np.zeros(latter.num_rows, dtype=bool)
    for name in latter.column_names:
        found |= differ(whole(former[name]), whole(latter[name]))
    return found


def _insertion(former: Records, latter: Records, new: Places) -> Places:
    """For each of some new records, the former place of the first record that comes after it."""
    place = np.zeros(len(new), np.int64)
    for code in np.unique(latter.source[new]):
        own = np.flatnonzero(latter.source[new] == code)
        source = latter.sources[code]
        next_one = bisect_left(former.sources, source)
        start, end = np.searchsorted(former.source, [next_one, next_one + (source in former.sources)])
        within = pc.search_sorted(former.ids.slice(start, end - start), latter.ids.take(pa.array(new[own])))
        place[own] = start + within.to_numpy()
    return place
