"""Records and their blocking keys in rows that stay where they are when a few records change.

Belongs here: which row holds a record, reading some records or all, adding rows. Does not belong here: which records
have changed (incremental.record_changes), what keys mean (keys), where rows are kept (steps).

Positions count records in order of source and id, so a new record moves all that follow. Texts and keys are most of
what a linkage keeps; they lie in rows in the order in which they came, and only the number of each record's row moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdm_pipelines.linkage.encode.hashes import Hashes
from cdm_pipelines.linkage.encode.keys import among
from cdm_pipelines.linkage.encode.positions import Places
from cdm_pipelines.store.arrow import whole

Some = npt.NDArray[np.integer[Any]]
_MOST = 0.2  # rows added to a base, as a part of it; with more all are written anew


@dataclass(frozen=True)
class Piece:
    """Rows that are kept together.

    Attributes:
        records: Columns as ``linked_columns`` gives them.
        keys: For each blocking rule the hashes under which each record is in a block, shape (rows, width); 0 for none.
    """

    records: pa.Table
    keys: Sequence[Hashes]

    def __len__(self) -> int:
        return int(self.records.num_rows)

    def to_tables(self) -> dict[str, pa.Table]:
        """Named tables that hold all of it."""
        slots = {
            str(rule): pa.FixedSizeListArray.from_arrays(pa.array(keys.ravel()), keys.shape[1])
            for rule, keys in enumerate(self.keys)
        }
        return {"records": self.records, "keys": pa.table(slots)}

    @classmethod
    def from_tables(cls, records: pa.Table, keys: pa.Table) -> Self:
        """What ``to_tables`` made."""
        return cls(
            records, [_matrix(cast("pa.FixedSizeListArray", whole(column))) for column in keys.columns]
        )

    def followed_by(self, other: Self) -> Self:
        """The rows of both."""
        keys = [_stacked(*both) for both in zip(self.keys, other.keys, strict=True)]
        return type(self)(pa.concat_tables([self.records, other.records]).combine_chunks(), keys)


@dataclass(frozen=True)
class Rows:
    """Records in order of source and id.

    Attributes:
        base: Rows that were written at once.
        added: Rows that were added since; numbers go on from those of the base.
        row: For each record the number of its row. Rows of none are of the past.
    """

    base: Piece
    added: Piece
    row: Places

    @classmethod
    def of(cls, records: pa.Table, keys: Sequence[Hashes]) -> Self:
        """All records in a base."""
        nothing = Piece(records.slice(0, 0), [one[:0] for one in keys])
        return cls(Piece(records, list(keys)), nothing, np.arange(records.num_rows))

    def __len__(self) -> int:
        return len(self.row)

    def records(self, at: Some | None = None, columns: Sequence[str] | None = None) -> pa.Table:
        """The records at some positions, or all; all their columns or some."""
        row = self.row if at is None else self.row[at]
        base, added = (
            piece.records if columns is None else piece.records.select(columns)
            for piece in (self.base, self.added)
        )
        if not len(self.added):
            return base if len(row) == len(self.base) and _is_range(row) else base.take(pa.array(row))
        in_base = row < len(self.base)
        found = pa.concat_tables(
            [base.take(pa.array(row[in_base])), added.take(pa.array(row[~in_base] - len(self.base)))]
        )
        place = np.where(in_base, np.cumsum(in_base), in_base.sum() + np.cumsum(~in_base)) - 1
        return found.combine_chunks().take(pa.array(place))

    def keys(self, rule: int, at: Some | None = None) -> Hashes:
        """Keys of a rule of the records at some positions, or of all."""
        row = self.row if at is None else self.row[at]
        base, added = self.base.keys[rule], self.added.keys[rule]
        in_base = row < len(base)
        found = np.zeros((len(row), max(base.shape[1], added.shape[1])), np.uint64)
        found[in_base, : base.shape[1]] = base[row[in_base]]
        found[~in_base, : added.shape[1]] = added[row[~in_base] - len(base)]
        return found

    def holding(self, rule: int, some: Hashes) -> tuple[Places, Hashes]:
        """Positions of records with one of some keys, once for each, and which."""
        places, keys = [], []
        for piece, start in ((self.base, 0), (self.added, len(self.base))):
            row, slot = np.nonzero(among(piece.keys[rule], some))
            place = self._position[row + start]
            current = place >= 0
            places.append(place[current])
            keys.append(piece.keys[rule][row[current], slot[current]])
        return np.concatenate(places), np.concatenate(keys)

    def replaced(self, old_of_new: Places, changed: Places, rows: Piece) -> Self:
        """With other records.

        Args:
            old_of_new: For each record the position that it had; -1 for new ones.
            changed: Positions of records that are new or have other values, in order.
            rows: Those records, in that order.
        """
        number = len(self.base) + len(self.added)
        row = self.row[old_of_new] if len(self.row) else np.zeros(len(old_of_new), np.int64)
        row[changed] = np.arange(number, number + len(rows))
        now = type(self)(self.base, self.added.followed_by(rows) if len(rows) else self.added, row)
        if len(now.added) <= _MOST * len(now.base):
            return now
        return self.of(now.records(), [now.keys(rule) for rule in range(len(rows.keys))])

    @cached_property
    def _position(self) -> Places:
        """For each row the position of its record; -1 for rows of the past."""
        position = np.full(len(self.base) + len(self.added), -1)
        position[self.row] = np.arange(len(self.row))
        return position


def _matrix(slots: pa.FixedSizeListArray) -> Hashes:
    """The values of lists, one list a row, without copying them."""
    width = slots.type.list_size
    start = slots.offset * width
    found: Hashes = slots.values.to_numpy()[start : start + len(slots) * width].reshape(len(slots), width)
    return found


def _stacked(one: Hashes, other: Hashes) -> Hashes:
    width = max(one.shape[1], other.shape[1])
    return np.concatenate([np.pad(keys, ((0, 0), (0, width - keys.shape[1]))) for keys in (one, other)])


def _is_range(row: Places) -> bool:
    return bool((row == np.arange(len(row))).all())
