"""Typed values become the text that the raw layer holds.

Belongs here: one spelling per type: ISO 8601 dates, plain numbers, true and false, JSON for what is nested.
Does not belong here: reading files.

A whole number of which the type cannot hold every digit is spelled as a spreadsheet shows it (``1.234567E+19``), by
which damage is told; so no digits are made up.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.ingest.cells import empty_to_null
from cdm_pipelines.ingest.text import MARK

_SURROGATES = re.compile("[\ud800-\udfff]")
_EXACT = 2**53
"""Below it a float tells each whole number from the next."""
_SPREADSHEET = 10**15
"""Of a longer number a spreadsheet keeps no digit behind the fifteenth."""


def as_text(value: Any) -> str | None:
    """The text of one value; None for what holds nothing."""
    if value is None or value == "":
        return None
    for kind, spell in _SPELLINGS:
        if isinstance(value, kind):
            return spell(value)
    return str(value)


def sheet_text(value: Any) -> str | None:
    """`as_text` of a cell of a spreadsheet."""
    if isinstance(value, float) and _SPREADSHEET <= abs(value) < math.inf and value.is_integer():
        return _with_exponent(repr(value))
    return as_text(value)


def text_array(values: list[str | None]) -> pa.Array:
    """Texts as an Arrow array; half of a surrogate pair, which is no text, becomes `MARK`."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array([value and _SURROGATES.sub(MARK, value) for value in values], pa.string())


def arrow_text(array: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """A typed Arrow column as text."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return arrow_text(array.cast(kind.value_type))
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            return pc.replace_substring(array.cast(pa.string()), " ", "T", max_replacements=1)
        return pc.strftime(array.cast(pa.timestamp(kind.unit, "UTC")), "%Y-%m-%dT%H:%M:%SZ")
    if pa.types.is_floating(kind):
        return _floats(array)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return text_array([as_text(value) for value in array.to_pylist()])
    return empty_to_null(array.cast(pa.string()))


def _bytes(value: bytes) -> str | None:
    try:
        return value.decode() or None
    except UnicodeDecodeError:
        return value.hex()


def _floats(array: pa.ChunkedArray | pa.Array) -> pa.Array:
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    values = array.to_numpy(zero_copy_only=False)
    finite = np.isfinite(values)
    is_whole = finite & (np.trunc(values) == values)
    plain = is_whole & (np.abs(values) < 2.0 ** (np.finfo(values.dtype).nmant + 1))
    whole = pa.array(np.where(plain, values, 0).astype(np.int64)).cast(pa.string())
    texts = pc.if_else(pa.array(plain), whole, array.cast(pa.string()))
    texts = pc.if_else(pa.array(finite), texts, pa.scalar(None, pa.string()))
    has_exponent = pc.fill_null(pc.match_substring(texts, "e"), False).to_numpy(zero_copy_only=False)
    odd = has_exponent | (is_whole & ~plain)
    if not odd.any():
        return texts
    spelt = zip(texts.filter(pa.array(odd)).to_pylist(), is_whole[odd], strict=True)
    kept = [_with_exponent(text) if whole else _without_exponent(text) for text, whole in spelt]
    return pc.replace_with_mask(texts, pa.array(odd), pa.array(kept, pa.string()))


def _float(value: float) -> str | None:
    if not math.isfinite(value):
        return None
    if not value.is_integer():
        return repr(value)
    return str(int(value)) if abs(value) < _EXACT else _with_exponent(repr(value))


def _with_exponent(text: str) -> str:
    """A number as a spreadsheet shows one that is too long for it."""
    return f"{Decimal(text).normalize():E}"


def _without_exponent(text: str) -> str:
    """A fraction with all its digits, but for one that is next to nothing."""
    return f"{Decimal(text):f}" if abs(Decimal(text)) >= 1 else text


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=as_text)


_SPELLINGS: tuple[tuple[Any, Callable[[Any], str | None]], ...] = (
    (str, str),
    (bool, lambda value: "true" if value else "false"),
    (float, _float),
    (Decimal, lambda value: f"{value:f}"),
    (date | time, lambda value: value.isoformat()),
    (timedelta, lambda value: str(value.total_seconds())),
    (bytes | bytearray | memoryview, lambda value: _bytes(bytes(value))),
    (dict | list | tuple, _json),
)
