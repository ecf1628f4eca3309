"""Keys of source records, and other keys of several columns, as single values.

Belongs here: joining on the three columns that name a record, at the speed of one. Does not belong here: what
the join is for. Nothing else in the project joins parts of a key into one text, or reads the cell of one.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Attribute, ValueType, targets
from cdm_pipelines.contracts.model import Column, LogicalType
from cdm_pipelines.store.arrow import whole

_Cells = TypeVar("_Cells", pa.Array, pa.ChunkedArray)
RECORD_KEY = ("source", "entity", "record_id")
# Names of sources and entities are plain words, so only the last part of a key can hold it.
_SEPARATOR = "\x1f"
_ID_SEPARATOR = "|"
_NOT_PLAIN = r"\||\\$"
_FRACTION = r"^([\s\pZ]*[0-9]+)[{sign}]0+([\s\pZ]*)$"
_IDENTIFIERS = ("party.vat_number", "party.coc_number", "party.iban")
_DIGITS = frozenset(
    [
        *("party.house_number", "party.house_addition", "party.postcode", "party.phone", "party.mobile"),
        *("consent.party_phone", "interaction.party_phone"),
    ]
)
"""What is written in digits, and is neither an id nor a number to reckon with."""


def is_identifying(column: Column) -> bool:
    """Whether a column holds an id: part of a key, a reference to another record, a number given out by somebody."""
    return column.key_position is not None or any(map(_identifies, column.maps_to))


def _identifies(path: str) -> bool:
    target = targets()[path]
    own = isinstance(target, Attribute) and (target.key or target.type is ValueType.REFERENCE)
    return own or path in _IDENTIFIERS


def plain_ids(cells: _Cells, column: Column) -> _Cells:
    """Ids as they were before a spreadsheet or a program read them as fractions: ``1042.0`` is ``1042``.

    So that a customer's number is the same in a file of customers and in one of orders; and so with postcodes, house
    numbers and phone numbers, whose ``.0`` would be a digit of theirs. Nothing changes where the contract gives the
    column's ``pattern``.
    """
    is_digits = not _DIGITS.isdisjoint(column.maps_to)
    is_id = is_identifying(column) and column.logical_type is not LogicalType.NUMBER
    if not (is_id or is_digits) or column.pattern is not None:
        return cells
    sign = column.decimal if column.logical_type is LogicalType.NUMBER else "."
    if not pc.any(pc.match_substring(cells, f"{sign}0")).as_py():
        return cells
    plain: _Cells = pc.replace_substring_regex(cells, _FRACTION.format(sign=sign), r"\1\2")
    if column.null_values:  # 0.0 may be one
        plain = pc.if_else(_is_nothing(pc.utf8_trim_whitespace(cells), column), cells, plain)
    return plain


def without_nothing(cells: _Cells, column: Column) -> _Cells:
    """A source column in its own words, trimmed; null where it is empty or says that there is no value."""
    trimmed = pc.utf8_trim_whitespace(cells)
    left: _Cells = pc.if_else(_is_nothing(trimmed, column), pa.scalar(None, pa.string()), trimmed)
    return left


def _is_nothing(trimmed: _Cells, column: Column) -> _Cells:
    words = ["", *(text.strip() for text in column.null_values)]
    found: _Cells = pc.is_in(trimmed, value_set=pa.array(words, pa.string()))
    return found


def compared(cells: _Cells, column: Column) -> _Cells:
    """A key or reference as it is compared: `plain_ids`, `without_nothing`, codes by what they mean."""
    texts = without_nothing(plain_ids(cells, column), column)
    if not column.values:
        return texts
    found = pc.index_in(texts, value_set=pa.array(list(column.values), pa.string()))
    meanings: Any = pa.array(list(column.values.values()), pa.string())
    meant: _Cells = pc.coalesce(meanings.take(found), texts)
    return meant


def record_id(parts: Sequence[pa.Array]) -> pa.Array:
    r"""The id of the record with a key of these parts, in order; null where any of them is.

    Parts stand behind each other with a stroke between. A stroke within one has a backslash before it, so that no two
    keys have one id: ``A|B`` and ``C`` are ``A\|B|C``. A part without a stroke, and without a backslash at its end,
    stands as it is.
    """
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*map(_part, parts), _ID_SEPARATOR)


def _part(values: pa.Array) -> pa.Array:
    odd = pc.match_substring_regex(values, _NOT_PLAIN)
    if not pc.any(odd).as_py():
        return values
    return pc.if_else(odd, pc.replace_substring_regex(values, r"([|\\])", r"\\\1"), values)


def composite(*parts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One text per row made of several columns of text, null where any of them is."""
    return pc.binary_join_element_wise(*(whole(part) for part in parts), _SEPARATOR)


def one_key(*parts: object) -> str:
    """The text that :func:`composite` makes of a row with these parts."""
    return _SEPARATOR.join(map(str, parts))


def composite_keys(table: pa.Table, *columns: str) -> pa.Array:
    """One text per row made of some columns of a table, null where any of them is."""
    return composite(*(whole(table[name]).cast(pa.string()) for name in columns))


def record_keys(table: pa.Table) -> pa.Array:
    """The source record of each row (``source``, ``entity``, ``record_id``) as one text."""
    return composite_keys(table, *RECORD_KEY)


def keys_of_records(keys: pa.Array) -> pa.Table:
    """The source records of which :func:`record_keys` made some texts."""
    parts = pc.split_pattern(keys, _SEPARATOR)
    return pa.table({name: pc.list_element(parts, at) for at, name in enumerate(RECORD_KEY)})


def positions(values: pa.Array, among: pa.Array) -> npt.NDArray[np.int64]:
    """Place of each value's first appearance among others; -1 for null and for what is not there."""
    codes = pc.index_in(values, value_set=among, skip_nulls=True)
    found: npt.NDArray[np.int64] = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def having(
    table: pa.Table, keys: pa.Table, columns: Sequence[str], named: Sequence[str] | None = None
) -> pa.Array:
    """Whether each row of a table has one of some keys; a key of which a part is null is none.

    Args:
        table: The rows.
        keys: The keys.
        columns: Of the keys. The last should have most values: whole keys are made only of rows that have one of its.
        named: The same columns as the table names them, where it names them otherwise.
    """
    named = named or columns
    near = pc.is_in(table[named[-1]], value_set=keys[columns[-1]].combine_chunks(), skip_nulls=True)
    few = table.select(named).filter(near)
    exact = pc.is_in(composite_keys(few, *named), value_set=composite_keys(keys, *columns), skip_nulls=True)
    found = near.to_numpy(zero_copy_only=False).copy()
    found[found] = exact.to_numpy(zero_copy_only=False)
    return pa.array(found)
