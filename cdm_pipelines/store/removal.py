"""How rows of persons are found in the lake's files, and leave them for good.

Belongs here: Parquet tables, tables of base and changes, CSV and JSON Lines, one file at a time. Does not belong here:
which tables there are and what names a person in them (the ``places`` of each room).

A file is written anew beside itself and moved into its place (see ``lake``), so that a reader sees all of it or none,
and no copy of a removed row stays in it. What a file notes of itself stays, but for the digest of its rows: later steps
see that the table is another one.
"""

import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.store.arrow import digest
from cdm_pipelines.store.compaction import without_former
from cdm_pipelines.store.keys import having
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Layered
from cdm_pipelines.store.layout import CONTENT
from cdm_pipelines.store.register import Anew, Found, Persons, Rows, Search, Stores, matching

_BATCH = 100_000

Test = Callable[[pa.Table], pa.Array | pa.ChunkedArray]
"""Whether each row of a table is one of the persons'."""


@dataclass(frozen=True)
class Reading:
    """A test that says which columns it reads, so that the others need not be."""

    test: Test
    reads: frozenset[str]

    def __call__(self, table: pa.Table) -> pa.Array | pa.ChunkedArray:
        """Whether each row is."""
        return self.test(table)


def columns_of(test: Test, names: Iterable[str]) -> list[str] | None:
    """Those of some columns that a test reads; None where it may read any."""
    return [name for name in names if name in test.reads] if isinstance(test, Reading) else None


Match = Callable[[Stores, str, Persons], Test | None]
"""The test for the file at a path; None where nothing in it can be theirs."""


def by_columns(*named: tuple[str, ...], linked: bool = False) -> Match:
    """Rows whose record key stands in some columns, given once or several times over (both sides of a pair).

    Args:
        named: Names of the columns; source, entity and record id, or with ``linked`` source/entity and record id.
        linked: Whether keys are spelled as linkage does.
    """

    def match(stores: Stores, path: str, persons: Persons) -> Test | None:
        del stores, path
        keys = persons.linked if linked else persons.records
        if not keys.num_rows:
            return None

        def test(table: pa.Table) -> pa.Array:
            found = pa.repeat(pa.scalar(False), table.num_rows)
            for names in named:
                found = pc.or_(found, having(table, keys, keys.column_names, names))
            return found

        return Reading(test, frozenset(name for names in named for name in names))

    return match


def by_reference(name: str) -> Match:
    """Rows that name a record of their own source in a column, of whatever entity that is."""

    def match(stores: Stores, path: str, persons: Persons) -> Test | None:
        del stores, path
        keys = persons.records
        if not keys.num_rows:
            return None
        return Reading(
            lambda table: having(table, keys, ("source", "record_id"), ("source", name)),
            frozenset(("source", name)),
        )

    return match


def any_of(*matches: Match | None) -> Match:
    """Rows that one of some tests finds; those that are None find nothing."""

    def match(stores: Stores, path: str, persons: Persons) -> Test | None:
        found = [one(stores, path, persons) for one in matches if one is not None]
        tests = [test for test in found if test is not None]
        if not tests:
            return None

        def test(table: pa.Table) -> pa.Array | pa.ChunkedArray:
            return reduce(pc.or_, (one(table) for one in tests))

        reads = [one.reads for one in tests if isinstance(one, Reading)]
        return Reading(test, frozenset().union(*reads)) if len(reads) == len(tests) else test

    return match


Besides = Callable[[SourceContract], Match | None]
"""Which rows of a source entity are a person's besides those of the person's records, as a room says that knows."""


def nobody_else(contract: SourceContract) -> None:
    """None besides."""
    del contract


Told = Callable[[Stores, str], Mapping[str, str]]
"""What a table that is written anew notes in the place of what it noted."""


def nothing_new(stores: Stores, path: str) -> Mapping[str, str]:
    """What it noted."""
    del stores, path
    return {}


def parquet_rows(pattern: str, match: Match, told: Told = nothing_new) -> tuple[Search, Rows]:
    """Search and erasure of the Parquet tables of a pattern."""

    def files(stores: Stores, persons: Persons) -> Iterator[tuple[str, Test]]:
        for path in paths_of(stores.lake, pattern):
            test = match(stores, path, persons)
            if test is not None:
                yield path, test

    def find(stores: Stores, persons: Persons) -> Iterator[Found]:
        for path, test in files(stores, persons):
            pieces = rows_where(stores.lake, path, test)
            yield Found(path, [row for table in pieces for row in table.to_pylist()])

    def remove(stores: Stores, persons: Persons) -> int:
        gone = sum(
            without_rows(stores.lake, path, test, told=told(stores, path))
            for path, test in files(stores, persons)
        )
        without_former(stores.lake, matching(pattern), _folder(pattern))
        return gone

    return Search(_BY_RECORD, find), Rows(remove, "files, and packs of them, written anew without their rows")


_BY_RECORD = "key of the source record"


def rows_where(lake: Lake, path: str, test: Test) -> Iterator[pa.Table]:
    """The rows of a Parquet table that a test finds; most columns are read only where there are some."""
    keys = columns_of(test, lake.schema(path).names)
    if keys is not None:
        yield from lake.read_where(path, keys, test)
        return
    for table in lake.read_batches(path, _BATCH):
        yield table.filter(test(table))


def without_rows(
    lake: Lake, path: str, test: Test, *, unsaid: Collection[str] = (), told: Mapping[str, str] | None = None
) -> int:
    """Write a Parquet table anew without some rows; returns how many there were.

    Args:
        lake: The lake.
        path: Of the table.
        test: Which rows.
        unsaid: Notes that it does not keep; it has the others that it had.
        told: Notes that it has in the place of those of the same name.
    """
    keys = lake.read_batches(path, _BATCH, columns_of(test, lake.schema(path).names))
    theirs = np.concatenate([np.zeros(0, bool), *(_as_numpy(test(table)) for table in keys)])
    if not theirs.any():
        return 0
    at = 0

    def stay(table: pa.Table) -> pa.Table:
        nonlocal at
        at += table.num_rows
        return table.filter(pa.array(~theirs[at - table.num_rows : at]))

    written_anew(lake, path, stay, unsaid=unsaid, told=told, done=pa.table({"gone": np.flatnonzero(theirs)}))
    return int(theirs.sum())


def _as_numpy(found: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    flags: npt.NDArray[np.bool_] = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    return flags.astype(bool, copy=False)


def written_anew(
    lake: Lake,
    path: str,
    change: Callable[[pa.Table], pa.Table],
    *,
    unsaid: Collection[str] = (),
    told: Mapping[str, str] | None = None,
    done: pa.Table | None = None,
) -> None:
    """Write a Parquet table anew with other rows of the same columns, and with the notes that it had but for some.

    Args:
        lake: The lake.
        path: Of the table.
        change: Makes its rows, some at a time, those that it is to have.
        unsaid: Notes that it does not keep.
        told: Notes that it has in the place of those of the same name.
        done: Which rows it leaves out, where it does nothing else: the digest of the rows is then of that and the
            digest before, and not of all rows, which takes as long as writing them.
    """
    schema, told = lake.schema(path), told or {}
    unsaid = {*unsaid, *told}
    said = {key: value for key, value in (schema.metadata or {}).items() if key.decode() not in unsaid}
    schema = schema.with_metadata(said)
    kept_with_schema = {key.decode() for key in said} | unsaid
    notes = {key: value for key, value in lake.notes(path).items() if key not in kept_with_schema} | dict(
        told
    )
    noted = CONTENT in notes
    content = digest(notes[CONTENT], done) if noted and done is not None else ""
    with lake.writer(path, schema) as writer:
        for table in lake.read_batches(path, _BATCH, coded=done is not None):  # codes are quickly left out
            rows = change(table).cast(schema)
            writer.write_table(rows)
            if noted and done is None:
                content = digest(content, rows)
        if noted:
            notes[CONTENT] = content
        writer.add_key_value_metadata(notes)


def layered_rows(opened: Callable[[Lake], Layered], match: Match) -> tuple[Search, Rows]:
    """Search and erasure of a table of base and changes."""

    def found(stores: Stores, persons: Persons) -> tuple[Layered, Test | None]:
        table = opened(stores.lake)
        return table, match(stores, "", persons) if table.exists else None

    def find(stores: Stores, persons: Persons) -> Iterator[Found]:
        table, test = found(stores, persons)
        if test is not None:
            whole = table.read()
            yield Found(table.files[0], whole.filter(test(whole)).to_pylist())

    def remove(stores: Stores, persons: Persons) -> int:
        table, test = found(stores, persons)
        return 0 if test is None else without_layered(stores.lake, table, test)

    return Search(_BY_RECORD, find), Rows(remove, "base and changes written anew without their rows")


def without_layered(
    lake: Lake, table: Layered, test: Test, changed: Callable[[pa.Table], pa.Table] | None = None
) -> int:
    """Take rows out of a table of base and changes, also those that are of the past; returns how many there are now.

    The base is written anew, since rows that were merely taken away would stay in it; who has read up to the newest
    version goes on from it.

    Args:
        lake: The lake.
        table: The table.
        test: Which rows to take out.
        changed: Of the rows that stay, those that are otherwise then, as they are then.
    """
    if not any(pc.any(test(lake.read_arrow(path))).as_py() for path in table.files if lake.exists(path)):
        return 0
    if table.mark.digest and table.fault() is None:
        return table.take_out(test, changed)
    rows = table.read()
    theirs = test(rows)
    stays = rows.filter(pc.invert(theirs))
    table.put([stays], table.schema, digest(str(table.mark), rows.filter(theirs)))
    if changed is not None:
        table.update(changed(stays))
    table.compact_now()
    return int(rows.num_rows - stays.num_rows)


def csv_rows(pattern: str, match: Match) -> tuple[Search, Rows]:
    """Search and erasure of CSV files whose columns are all text; rows that stay keep their bytes."""

    def read(lake: Lake, path: str) -> pa.Table:
        content = lake.read_text(path).encode()
        names = pa_csv.open_csv(io.BytesIO(content)).schema.names
        convert = pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        parse = pa_csv.ParseOptions(newlines_in_values=True)
        return pa_csv.read_csv(io.BytesIO(content), parse_options=parse, convert_options=convert)

    def found(stores: Stores, persons: Persons) -> Iterator[tuple[str, pa.Table, pa.Array | pa.ChunkedArray]]:
        for path in paths_of(stores.lake, pattern):
            test = match(stores, path, persons)
            if test is not None:
                table = read(stores.lake, path)
                yield path, table, test(table)

    def find(stores: Stores, persons: Persons) -> Iterator[Found]:
        for path, table, theirs in found(stores, persons):
            yield Found(path, table.filter(theirs).to_pylist())

    def remove(stores: Stores, persons: Persons) -> int:
        gone = 0
        for path, table, theirs in found(stores, persons):
            number = int(pc.sum(theirs).as_py() or 0)
            gone += number
            if number:
                with stores.lake.file(path) as sink, pa_csv.CSVWriter(sink, table.schema) as writer:
                    writer.write_table(table.filter(pc.invert(theirs)))
        return gone

    return Search(_BY_RECORD, find), Rows(remove, "files written anew without their rows")


def lines_of_ids(pattern: str) -> tuple[Search, Rows]:
    """Search and erasure of text files of which each line names golden customers."""

    def found(stores: Stores, persons: Persons) -> Iterator[tuple[str, list[str], list[bool]]]:
        ids = sorted(str(one) for one in persons.golden_ids)
        for path in paths_of(stores.lake, pattern) if ids else []:
            lines = stores.lake.read_text(path).splitlines(keepends=True)
            yield path, lines, [any(one in line for one in ids) for line in lines]

    def find(stores: Stores, persons: Persons) -> Iterator[Found]:
        for path, lines, theirs in found(stores, persons):
            both = zip(lines, theirs, strict=True)
            yield Found(path, [{"line": line.rstrip("\n")} for line, own in both if own])

    def remove(stores: Stores, persons: Persons) -> int:
        gone = 0
        for path, lines, theirs in found(stores, persons):
            if any(theirs):
                gone += sum(theirs)
                both = zip(lines, theirs, strict=True)
                stores.lake.write_text(path, "".join(line for line, own in both if not own))
        return gone

    return Search("golden id", find), Rows(remove, "files written anew without their lines")


def arrow_rows(pattern: str, match: Match) -> Search:
    """Search of the Arrow files of a pattern."""

    def find(stores: Stores, persons: Persons) -> Iterator[Found]:
        for path in paths_of(stores.lake, pattern):
            test = match(stores, path, persons)
            if test is not None:
                table = stores.lake.read_arrow(path)
                yield Found(path, table.filter(test(table)).to_pylist())

    return Search(_BY_RECORD, find)


def thrown_away(search: Search, of: str, *paths: str) -> Anew:
    """Files and folders that are removed whole when a person is in them, the first of ``paths`` first."""

    def remove(stores: Stores, persons: Persons) -> int:
        rows = sum(len(found.rows) for found in search.find(stores, persons))
        if rows:
            for path in paths:
                if PurePosixPath(path).suffix:
                    stores.lake.delete(path)
                else:
                    stores.lake.delete_folder(path)
        return rows

    return Anew(of, remove)


def paths_of(lake: Lake, pattern: str) -> list[str]:
    """The files of the lake that a pattern covers, sorted."""
    covers = matching(pattern)
    return [path for path in lake.paths(_folder(pattern), PurePosixPath(pattern).suffix) if covers(path)]


def _folder(pattern: str) -> str:
    """The folder in which all files of a pattern are."""
    fixed = pattern[: min((at for at in map(pattern.find, "{*") if at >= 0), default=len(pattern))]
    return fixed.rpartition("/")[0]
