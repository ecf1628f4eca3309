"""Keys that stand in more than one row of a day: which row counts, and when that is not in order.

Belongs here: which rows a later one replaces, and which of those name somebody else. Does not belong here: what
happens to such a row (validation), or when there are too many (thresholds).

A later file of a day corrects an earlier one; of the rows of one file the one that its source changed last counts, then
the last. Within one file a key may repeat on purpose, as a customer does on every order line; then its rows agree on
what makes the record: the names of a party, all that is mapped of anything else. Rows that disagree are a sign that the
column is no key, or that its values have lost digits.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, targets
from cdm_pipelines.contracts.model import Column, RepeatedKey
from cdm_pipelines.quality.values import Flags, as_flags
from cdm_pipelines.store.keys import compared

Positions = npt.NDArray[np.int64]
_NAMES = ("name", "organisation")


@dataclass(frozen=True)
class Repeats:
    """What a later row makes of each row of a day.

    Attributes:
        superseded: A later row of the day has the same key.
        repeated: A later row of the same file has; all of them are superseded.
        conflicting: That row says something else of the record than this one; all of them are repeated.
        last: Position of the row of the file that counts for the key.
    """

    superseded: Flags
    repeated: Flags
    conflicting: Flags
    last: Positions

    @property
    def of_keys_that_repeat(self) -> Flags:
        """Rows whose key stands more than once in their file, the one that counts included."""
        found = self.repeated.copy()
        found[self.last[found]] = True
        return found

    def part(self, start: int, rows: int) -> "Repeats":
        """That of some rows that follow each other."""
        cut = slice(start, start + rows)
        return Repeats(self.superseded[cut], self.repeated[cut], self.conflicting[cut], self.last[cut])


def superseded_rows(keys: pa.Table, contract: SourceContract) -> Flags:
    """Which rows have their key again in a later row: the last one wins. See `find_repeats`."""
    return find_repeats(keys, contract).superseded


def find_repeats(
    keys: pa.Table, contract: SourceContract, modified_at: pa.ChunkedArray | pa.Array | None = None
) -> Repeats:
    """Find rows whose key comes again later in the day; conflicts are found by `with_conflicts`.

    Args:
        keys: The key columns of all rows of a day, in order, with ``_file``; rows with a ``_defect``, where that is
            given, take no part, and neither do rows without a key.
        contract: Names the key.
        modified_at: When each row's source last changed it, as sortable text; one without is the oldest of its file.
    """
    codes = np.zeros(keys.num_rows, dtype=np.int64)
    complete = np.ones(keys.num_rows, dtype=bool)
    if "_defect" in keys.column_names:
        complete &= as_flags(pc.is_null(keys["_defect"]))
    for name in contract.key:
        column = contract.column(name)
        cells = coded_cells(compared(keys[name], column))  # as record ids are made
        complete &= as_flags(pc.is_valid(cells.indices))
        codes = _with(codes, cells)
    rows = np.flatnonzero(complete) if modified_at is None else _by_time(keys["_file"], modified_at, complete)
    superseded = np.zeros(keys.num_rows, dtype=bool)
    superseded[rows] = _comes_again(codes[rows])
    last = np.arange(keys.num_rows)
    if not superseded.any():
        return Repeats(superseded, superseded.copy(), superseded.copy(), last)
    repeated = superseded.copy()
    if "_file" in keys.column_names:
        codes = _with(codes, coded_cells(keys["_file"]))
        repeated[rows] = _comes_again(codes[rows])
    place = np.zeros(codes.max() + 1, dtype=np.int64)
    place[codes[rows]] = rows  # of equal codes the last is kept
    last[rows] = place[codes[rows]]
    return Repeats(superseded, repeated, np.zeros(keys.num_rows, dtype=bool), last)


def with_conflicts(found: Repeats, columns: Iterable[pa.ChunkedArray]) -> Repeats:
    """The same, with the repeated rows that disagree with the last one of their key.

    Args:
        found: Of all rows of a day.
        columns: Those of `compared_columns`, of the same rows. Where one of two rows has no value they agree.
    """
    rows = np.flatnonzero(found.repeated)
    conflicting = np.zeros(len(found.repeated), dtype=bool)
    shown = found.of_keys_that_repeat
    place = np.zeros(len(found.repeated), dtype=np.int64)
    place[shown] = np.arange(shown.sum())
    ours, theirs = place[rows], place[found.last[rows]]
    for cells in columns:
        coded = coded_cells(cells.filter(pa.array(shown)))
        if not len(coded.dictionary):
            continue
        folded = _folded(coded.dictionary)
        values = indices(pc.dictionary_encode(folded))[indices(coded)]
        filled = present(coded, as_flags(pc.equal(folded, "")))
        conflicting[rows] |= (values[ours] != values[theirs]) & filled[ours] & filled[theirs]
    return Repeats(found.superseded, found.repeated, conflicting, found.last)


def of_repeated(found: Repeats, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column, null but where a key stands more than once in its file: there alone rows are put in an order by it."""
    return pc.if_else(pa.array(found.of_keys_that_repeat), cells, pa.scalar(None, cells.type))


def compared_columns(contract: SourceContract) -> tuple[str, ...]:
    """The columns in which rows of one key in one file have to agree, by what the contract says of such rows."""
    mapped = [column for column in contract.columns if column.maps_to and column.key_position is None]
    names = [column for column in mapped if any(map(_is_name, column.maps_to))]
    match contract.repeated_key:
        case RepeatedKey.LAST:
            return ()
        case RepeatedKey.IDENTICAL:
            chosen = mapped
        case None:
            chosen = names if contract.entities == (Entity.PARTY,) and names else mapped
    return tuple(column.name for column in chosen)


def _is_name(path: str) -> bool:
    target = targets()[path]
    if target.entity is not Entity.PARTY:
        return False
    group = getattr(target, "group", "")
    yields = getattr(target, "yields", ())
    return group in _NAMES or "surname" in yields or "organisation_name" in yields


def names_party(column: Column) -> bool:
    """Whether a column holds a name of a party, or part of one."""
    return any(map(_is_name, column.maps_to))


def _folded(values: pa.Array) -> pa.Array:
    return pc.utf8_lower(pc.replace_substring_regex(pc.utf8_trim_whitespace(values), r"\s+", " "))


def _with(codes: Positions, cells: pa.DictionaryArray) -> Positions:
    """Codes that also tell these values apart."""
    both = codes * (len(cells.dictionary) + 1) + indices(cells)
    result: Positions = np.unique(both, return_inverse=True)[1]
    return result


def _by_time(files: pa.ChunkedArray, modified_at: pa.ChunkedArray | pa.Array, some: Flags) -> Positions:
    """Positions of some rows, file by file, those without a time first and the last changed last."""
    order = pa.table(
        {
            "file": indices(coded_cells(files)),  # in the order in which files come
            "time": pc.fill_null(modified_at, ""),
            "row": np.arange(len(files)),
        }
    )
    ranked = pc.sort_indices(order, sort_keys=[(name, "ascending") for name in order.column_names])
    result: Positions = ranked.to_numpy().astype(np.int64)
    return result[some[result]]


def _comes_again(codes: Positions) -> Flags:
    places = np.arange(len(codes))
    last = np.zeros(codes.max(initial=-1) + 1, dtype=np.int64)
    last[codes] = places  # of several the last one stays
    result: Flags = last[codes] != places
    return result


def is_nothing(values: pa.Array, column: Column) -> Flags:
    """Which distinct texts mean that there is no value: blanks, and the contract's own spellings of null."""
    trimmed = pc.utf8_trim_whitespace(values)
    nothing = as_flags(pc.equal(trimmed, ""))
    if column.null_values:
        nothing |= as_flags(pc.is_in(trimmed, pa.array([text.strip() for text in column.null_values])))
    return nothing


def coded_cells(cells: pa.ChunkedArray) -> pa.DictionaryArray:
    """The distinct values of a column, and which of them each row has."""
    coded: pa.DictionaryArray = pc.dictionary_encode(cells.combine_chunks())
    return coded


def present(coded: pa.DictionaryArray, nothing: Flags) -> Flags:
    """Which rows have a value."""
    filled = as_flags(pc.is_valid(coded.indices))
    return filled & ~nothing[indices(coded)] if len(nothing) else filled


def indices(coded: pa.DictionaryArray) -> Positions:
    """Which distinct value each row has; 0 where it has none."""
    result: Positions = pc.fill_null(coded.indices, 0).to_numpy().astype(np.int64)
    return result
