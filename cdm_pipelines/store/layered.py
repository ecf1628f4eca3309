"""A table of the lake that is kept as a base and the rows that have changed since.

Belongs here: reading both as one table, changing a few rows without writing the others, telling what changed since a
reader last looked. Does not belong here: what the rows mean.

Each change has a version, counted up by one, and a digest of all that led to it. A reader remembers both as a ``Mark``
and later asks for the rows that changed since; where that is not known (the table was written anew, or is another one)
it has to read everything. The changes lie beside the base in ``<name>.changes.arrow`` and name the base that they
belong to, so that a base written anew makes whatever lies beside it void, whenever a process is stopped. A base always
has such a file beside it, without rows where nothing has changed: so a lost one is noticed.

Both are files of Arrow's own format: on this machine a reader maps them into memory, so that a few rows or columns of
many cost what those few take.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.store.arrow import differ, digest
from cdm_pipelines.store.damage import DamagedError, Fault
from cdm_pipelines.store.keys import composite_keys, having
from cdm_pipelines.store.lake import Lake

_VERSION, _GONE, _ROW = "_version", "_gone", "_row"
_DIGEST, _BASE, _CHAIN = "digest", "base", "chain"
_BESIDE = "beside"  # on a base that has a file of changes; those of earlier releases have one where something changed
_MOST = 0.2  # of the rows; with more changes than that the base is written anew


class Mark(NamedTuple):
    """A version of a table: its number, and a digest of how it came about."""

    version: int
    digest: str

    def __str__(self) -> str:
        return f"{self.version}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """What ``str`` made."""
        version, digest = text.split(":", 1)
        return cls(int(version), digest)


_UNKNOWN = Mark(0, "")  # of a base that was written without a version


@dataclass(frozen=True)
class Changes:
    """What happened since a mark.

    Attributes:
        rows: Rows that are new or have other values, as they are now.
        gone: Key columns of rows that are gone.
    """

    rows: pa.Table
    gone: pa.Table

    @property
    def any(self) -> bool:
        """Whether there is anything."""
        return bool(self.rows.num_rows or self.gone.num_rows)


class Layered:
    """A table with a key, at a path of the lake."""

    def __init__(self, lake: Lake, path: str, keys: Iterable[str]) -> None:
        self._lake, self._path, self._keys = lake, path, list(keys)
        self._beside = path.removesuffix(".arrow") + ".changes.arrow"

    @property
    def files(self) -> tuple[str, str]:
        """Where its base and its changes lie."""
        return self._path, self._beside

    @property
    def exists(self) -> bool:
        """Whether there is such a table."""
        return self._lake.exists(self._path)

    @property
    def mark(self) -> Mark:
        """The newest version."""
        return self._chain()[-1]

    def fault(self) -> DamagedError | None:
        """What is wrong with its files, all of which are looked through; None when nothing is, or they never were."""
        try:
            if self._lake.exists(self._path):
                self._lake.verify(self._path)
                if len(self._chain()) > 1:
                    self._lake.verify(self._beside)
            elif self._lake.exists(self._beside):
                self._lake.verify(self._path)  # changes of nothing: their base is gone
        except DamagedError as damaged:
            return damaged
        return None

    def write(self, tables: pa.Table | Iterable[pa.Table], schema: pa.Schema, fingerprint: str) -> int:
        """Write the table anew; returns the number of rows.

        Args:
            tables: All rows, in one piece or several.
            schema: Of the pieces.
            fingerprint: Of all that it was made from.
        """
        pieces = [tables] if isinstance(tables, pa.Table) else tables
        if not self.exists:
            # What was left of a former table could be of a base just like this one.
            mark = Mark(1, fingerprint)
            self._unchanged(mark, schema)
            return self._write_base(pieces, schema, mark)
        mark = Mark(self.mark.version + 1, fingerprint)
        rows = self._write_base(pieces, schema, mark)
        self._unchanged(mark, schema)
        return rows

    def write_lost(self, tables: Iterable[pa.Table], schema: pa.Schema, fingerprint: str) -> int:
        """Write a table anew of which files are damaged or gone; returns the number of rows.

        No version of the lost table is known any more. The mark is made from the rows as well, so that it can only be
        one that a reader remembers where the rows are the same.
        """
        rows = pa.concat_tables([schema.empty_table(), *tables])
        self._lake.delete(self._path)
        return self.write(rows, schema, digest(fingerprint, rows))

    def read(self, columns: list[str] | None = None) -> pa.Table:
        """The table as it is now, or some of its columns; rows that have changed come last."""
        base, changes = self._lake.read_arrow(self._path), self._changes()
        wanted = columns if columns is not None else base.column_names
        if changes is None:
            return base.select(wanted)
        now = changes.filter(pc.invert(changes[_GONE]))
        stays = base.select(wanted).filter(_standing(base, changes))
        return pa.concat_tables([stays, now.select(wanted)])

    def rows(self, keys: pa.Table, named: Sequence[str] | None = None) -> pa.Table:
        """The rows that have one of some keys, as the table is now.

        Args:
            keys: Those of the table, among other columns; or, of one or more columns that are named, others.
            named: The columns of the table that hold the columns of ``keys``; its own key when left out.
        """
        base, changes = self._lake.read_arrow(self._path), self._changes()
        columns = self._keys if named is None else keys.column_names
        found = having(base, keys, columns, named)
        if changes is None:
            return base.filter(found)
        stays = base.filter(pc.and_(found, _standing(base, changes)))
        now = pc.and_not(having(changes, keys, columns, named), changes[_GONE])
        return pa.concat_tables([stays, changes.filter(now).select(base.column_names)])

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        return self._lake.arrow_schema(self._path)

    def put(self, tables: Iterable[pa.Table], schema: pa.Schema, fingerprint: str) -> int:
        """Make the table equal to the given rows; where few differ only those are written, all where it is damaged.

        Returns:
            The number of rows that are new, have other values or are gone.
        """
        if self.fault() is not None:
            return self.write_lost(tables, schema, fingerprint)
        if not self.exists or self.schema != schema or self.mark == _UNKNOWN:
            return self.write(tables, schema, fingerprint)
        now, before = pa.concat_tables([schema.empty_table(), *tables]), self.read()
        keys, former = composite_keys(now, *self._keys), composite_keys(before, *self._keys)
        at = pc.index_in(keys, value_set=former)
        differs = pc.is_null(at).to_numpy(zero_copy_only=False)
        there = np.flatnonzero(~differs)
        aligned = before.take(at.drop_null())
        for name in schema.names:
            differs[there] |= differ(aligned[name], now[name].take(pa.array(there)))
        rows, gone = now.filter(pa.array(differs)), before.filter(pc.invert(pc.is_in(former, value_set=keys)))
        if rows.num_rows + gone.num_rows > _MOST * before.num_rows:
            self.write(now, schema, fingerprint)
        else:
            self.update(rows, gone.select(self._keys))
        return int(rows.num_rows + gone.num_rows)

    def update(self, rows: pa.Table, gone: pa.Table | None = None) -> None:
        """Give some rows other values, add some and take some away.

        Args:
            rows: In the columns of the table; each counts as changed.
            gone: Key columns of rows to take away; one that is among ``rows`` too has come again, and stays.
        """
        schema = self.schema
        if gone is not None and gone.num_rows and rows.num_rows:
            gone = gone.filter(self._absent(gone, rows))
        new = pa.concat_tables(
            [
                rows.select(schema.names).cast(schema),
                *([_only_keys(gone, schema)] if gone is not None else []),
            ]
        )
        if not new.num_rows:
            return
        chain = self._chain()
        new = new.append_column(_GONE, pa.array(np.arange(new.num_rows) >= rows.num_rows))
        now = Mark(chain[-1].version + 1, digest(chain[-1].digest, new))
        new = new.append_column(_VERSION, pa.repeat(pa.scalar(now.version, pa.int64()), new.num_rows))
        former = self._changes()
        rows_of_base = self._lake.read_arrow(self._path, []).num_rows
        if former is not None and former.num_rows + new.num_rows > _MOST * rows_of_base:
            self._compact(chain[-1])
            chain, former = chain[-1:], None
        new = new.append_column(_ROW, self._rows_of_base(new))
        if former is not None:
            new = pa.concat_tables([former.filter(self._absent(former, new)), new])
        notes = {_BASE: str(chain[0]), _CHAIN: " ".join(map(str, [*chain[1:], now]))}
        self._lake.write_arrow(self._beside, [new.combine_chunks()], new.schema, notes)

    def take_out(
        self,
        test: Callable[[pa.Table], pa.Array | pa.ChunkedArray],
        changed: Callable[[pa.Table], pa.Table] | None = None,
    ) -> int:
        """Take rows away that a test finds, and every byte of them out of the files; returns how many there were.

        Args:
            test: Which rows.
            changed: Of the rows that stay, those that are otherwise then, as they are then.
        """
        rows = self.read()
        theirs = test(rows)
        gone = rows.filter(theirs).select(self._keys)
        others = rows.slice(0, 0) if changed is None else changed(rows.filter(pc.invert(theirs)))
        self.update(others, gone)
        self.compact_now()
        return int(gone.num_rows)

    def since(self, mark: Mark | None) -> Changes | None:
        """What changed since a mark; None where that is not known."""
        if mark in (None, _UNKNOWN) or mark not in self._chain():
            return None
        changes, schema = self._changes(), self.schema
        if changes is None:
            return Changes(schema.empty_table(), schema.empty_table().select(self._keys))
        new = changes.filter(pc.greater(changes[_VERSION], mark.version))
        there = new.filter(pc.invert(new[_GONE])).select(schema.names)
        return Changes(there, new.filter(new[_GONE]).select(self._keys))

    def compact_now(self) -> None:
        """Take what rows were before, and rows that are gone, out of the files: no byte of them is left there.

        The newest version stays the newest, and who has read up to it goes on from it; who has not reads everything.
        """
        chain = self._chain()
        if len(chain) > 1:
            self._compact(chain[-1])
        if len(chain) > 1 or self._of_another_base(chain[0]):
            self._unchanged(chain[-1], self.schema)

    def _of_another_base(self, base: Mark) -> bool:
        """Whether the file of changes is of a former base: a process was killed before it wrote that anew."""
        return self._lake.exists(self._beside) and self._lake.arrow_notes(self._beside)[_BASE] != str(base)

    def _compact(self, mark: Mark) -> None:
        """Write the base anew, as the table is now: each row in its place, and sorted where there are new ones."""
        changes = self._changes()
        if changes is None or pc.all(changes[_GONE]).as_py():
            whole = self.read()
        elif changes.filter(pc.invert(changes[_GONE]))[_ROW].null_count:
            whole = self.read().sort_by([(key, "ascending") for key in self._keys])
        else:
            whole = _in_place(self._lake.read_arrow(self._path), changes)
        self._write_base([whole], whole.schema, mark)

    def _write_base(self, pieces: Iterable[pa.Table], schema: pa.Schema, mark: Mark) -> int:
        notes = {_VERSION: str(mark.version), _DIGEST: mark.digest, _BESIDE: "yes"}
        return self._lake.write_arrow(self._path, pieces, schema, notes)

    def _unchanged(self, base: Mark, schema: pa.Schema) -> None:
        """Have a file of no changes beside a base."""
        schema = schema.remove_metadata()
        for name, kind in ((_GONE, pa.bool_()), (_VERSION, pa.int64()), (_ROW, pa.int64())):
            schema = schema.append(pa.field(name, kind))
        self._lake.write_arrow(self._beside, [], schema, {_BASE: str(base), _CHAIN: ""})

    def _changes(self) -> pa.Table | None:
        """The changes of this base, with version and whether the row is gone; None where there are none."""
        return self._lake.read_arrow(self._beside) if len(self._chain()) > 1 else None

    def _absent(self, rows: pa.Table, others: pa.Table) -> pa.Array:
        """Whether each row's key is none of the others'."""
        return pc.invert(having(rows, others, self._keys))

    def _rows_of_base(self, rows: pa.Table) -> pa.Array:
        """The row of the base that each row takes the place of; null where there is none."""
        base = self._lake.read_arrow(self._path, self._keys)
        found = having(base, rows, self._keys)
        at = pc.index_in(
            composite_keys(rows, *self._keys), value_set=composite_keys(base.filter(found), *self._keys)
        )
        return pa.array(np.flatnonzero(found)).take(at)

    def _chain(self) -> list[Mark]:
        """The version of the base, and those of the changes to it."""
        notes = self._lake.arrow_notes(self._path)
        base = Mark(int(notes[_VERSION]), notes[_DIGEST]) if _VERSION in notes else _UNKNOWN
        if not self._lake.exists(self._beside):
            if _BESIDE in notes:
                raise self._lake.damaged(self._beside, Fault.MISSING)
            return [base]
        notes = self._lake.arrow_notes(self._beside)
        later = notes[_CHAIN].split() if notes[_BASE] == str(base) else []
        return [base, *map(Mark.parse, later)]


def _standing(base: pa.Table, changes: pa.Table) -> pa.Array:
    """Whether each row of the base is as it was."""
    standing = np.ones(base.num_rows, dtype=bool)
    standing[changes[_ROW].drop_null().to_numpy()] = False
    return pa.array(standing)


def _in_place(base: pa.Table, changes: pa.Table) -> pa.Table:
    """The rows of a base, each with what changed of it, without those that are gone."""
    gone, of_base = changes[_GONE].to_numpy(), changes[_ROW]
    at = np.arange(base.num_rows)
    at[of_base.filter(pc.invert(changes[_GONE])).to_numpy()] = base.num_rows + np.flatnonzero(~gone)
    away = of_base.filter(changes[_GONE]).drop_null().to_numpy()
    both = pa.concat_tables([base, changes.select(base.column_names)])
    return both.take(pa.array(np.delete(at, away)))


def _only_keys(keys: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows of a schema that have nothing but their keys."""
    columns = [
        keys[field.name] if field.name in keys.column_names else pa.nulls(keys.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
