"""Typed values become the text that the raw layer holds.

Belongs here: one spelling per type: ISO 8601 dates, plain numbers, true and false, JSON for what is nested.
Does not belong here: reading files.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.ingest.cells import empty_to_null
from cdm_pipelines.ingest.text import MARK

_SURROGATES = re.compile("[\ud800-\udfff]")


def as_text(value: Any) -> str | None:
    """The text of one value; None for what holds nothing."""
    if value is None or value == "":
        return None
    for kind, spell in _SPELLINGS:
        if isinstance(value, kind):
            return spell(value)
    return str(value)


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
        return pc.if_else(pc.is_nan(array), pa.scalar(None, pa.string()), array.cast(pa.string()))
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return text_array([as_text(value) for value in array.to_pylist()])
    return empty_to_null(array.cast(pa.string()))


def _bytes(value: bytes) -> str | None:
    try:
        return value.decode() or None
    except UnicodeDecodeError:
        return value.hex()


def _float(value: float) -> str | None:
    if math.isnan(value):
        return None
    return str(int(value)) if value.is_integer() else repr(value)


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
