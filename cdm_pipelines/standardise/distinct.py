"""Work on distinct values: the one way in which this room applies a function to a column.

Belongs here: encoding rows as codes of distinct combinations and spreading answers back over the rows. Does not
belong here: what a value means.

A function of a semantic type takes text arrays and returns arrays of the same length; it never sees how often or
where a value occurs, so its answer cannot depend on row order or on how rows are cut into chunks.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import FunctionType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Arrays = tuple[pa.Array, ...]
TEXT = pa.string()
FLAG = pa.bool_()
remembered = lru_cache(maxsize=2**16)
"""For functions of a word or a part of a value: distinct values are made of the same parts again and again."""


def over_distinct(function: Callable[..., Arrays], *columns: pa.Array) -> Arrays:
    """Call ``function`` once with the distinct combinations of values, and spread its answers over the rows.

    Args:
        function: Takes as many text arrays as there are ``columns`` and returns arrays of that same length.
        columns: Text arrays of one length; null is a value like any other.

    Returns:
        The arrays that ``function`` returns, one answer per row.
    """
    if len(columns[0]) == 1:
        try:
            asked = _Asked(function, columns)
        except TypeError:  # it has something from around it that may change
            return function(*columns)
        return _of_one(asked)
    codes, distinct = _encode(columns)
    indices = pa.array(codes)
    return tuple(answer.take(indices) for answer in function(*distinct))


class _Asked:
    """A function with the row that it is asked about; equal to another of the same code with the same values."""

    def __init__(self, function: Callable[..., Arrays], columns: Sequence[pa.Array]) -> None:
        self._function, self._columns = function, columns
        self._key = (_told(function), tuple((column.type.id, column[0].as_py()) for column in columns))
        self._hash = hash(self._key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and self._key == other._key

    def answer(self) -> Arrays:
        """What the function returns."""
        return self._function(*self._columns)


def _told(function: object) -> object:
    """What tells a function from others: its code, and what it has from around it; functions are made anew there."""
    if not isinstance(function, FunctionType):
        return function
    around = tuple(_told(cell.cell_contents) for cell in function.__closure__ or ())
    return function.__code__, function.__defaults__, tuple((function.__kwdefaults__ or {}).items()), around


@lru_cache(maxsize=2**13)
def _of_one(asked: _Asked) -> Arrays:
    """An answer that is remembered: one record has no value, or a common one, in most of what is asked of it."""
    return asked.answer()


def _encode(columns: Sequence[pa.Array]) -> tuple[np.ndarray, list[pa.Array]]:
    encoded = [column.dictionary_encode(null_encoding="encode") for column in columns]
    if len(encoded) == 1:
        return encoded[0].indices.to_numpy(), [encoded[0].dictionary]
    combined = encoded[0].indices.to_numpy().astype(np.int64)
    for column in encoded[1:]:
        combined = combined * max(len(column.dictionary), 1) + column.indices.to_numpy()
    known = pa.array(combined).dictionary_encode()
    codes, combinations = known.indices.to_numpy(), known.dictionary.to_numpy()
    distinct: list[pa.Array] = []
    for column in reversed(encoded[1:]):
        combinations, own = np.divmod(combinations, max(len(column.dictionary), 1))
        distinct.append(column.dictionary.take(pa.array(own)))
    distinct.append(encoded[0].dictionary.take(pa.array(combinations)))
    return codes, distinct[::-1]


def each(
    function: Callable[..., Sequence[object]], types: Sequence[pa.DataType], *columns: pa.Array
) -> Arrays:
    """Call a function of single values for each position: for distinct values that no compiled code can take.

    Args:
        function: Takes one value of each column (None for null), returns one value for each of ``types``.
        types: Arrow types of what the function returns.
        columns: Text arrays of one length, already distinct.
    """
    answers = [function(*values) for values in zip(*(column.to_pylist() for column in columns), strict=True)]
    parts = zip(*answers, strict=True) if answers else ((),) * len(types)
    return tuple(pa.array(list(part), kind) for part, kind in zip(parts, types, strict=True))


def where_needed(
    fast: pa.Array, needed: pa.Array, slow: Callable[..., pa.Array], *columns: pa.Array
) -> pa.Array:
    """``fast``, except at the positions ``needed``, where ``slow`` answers for the same positions of ``columns``.

    Args:
        fast: The answers of compiled code.
        needed: Where those do not hold; null counts as not needed.
        slow: Takes ``columns`` at those positions.
        columns: Text arrays of the length of ``fast``.
    """
    needed = pc.fill_null(needed, False)
    if not pc.any(needed).as_py():
        return fast
    return pc.replace_with_mask(fast, needed, slow(*(column.filter(needed) for column in columns)))


def all_ascii(values: pa.Array) -> bool:
    """Whether no value has a sign beyond ASCII: a pattern over all of Unicode takes a millisecond to be compiled."""
    return bool(pc.all(pc.string_is_ascii(values), min_count=0).as_py())


def no_text(length: int) -> pa.Array:
    """A text array of nulls."""
    return pa.nulls(length, TEXT)


def no_flags(length: int) -> pa.Array:
    """A flag array that is false everywhere."""
    return pa.repeat(pa.scalar(False), length)


def coalesce(*arrays: pa.Array) -> pa.Array:
    """The first value that is not null, position by position."""
    return pc.coalesce(*arrays) if len(arrays) > 1 else arrays[0]


def joined(first: pa.Array, second: pa.Array, separator: str) -> pa.Array:
    """Two texts as one, or the one that is there.

    Not pyarrow's join with ``null_handling="skip"``: version 26 leaves out rows in which all values are null.
    """
    return pc.coalesce(pc.binary_join_element_wise(first, second, separator), first, second)
