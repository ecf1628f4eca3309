"""Text in a source's spelling, read as numbers, moments and codes in compiled code.

Belongs here: what a distinct text means by the contract's type, decimal sign and date formats. Does not
belong here: verdicts (schema) or the canonical spelling of a party's values (standardise).

Dates are taken apart with regular expressions and computed, not guessed: 30 February is none, and the year
9999 is read as a year, so that it can be told from a text that is no date.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.date_formats import (
    DATE_PARTS,
    NAMED_MONTHS,
    NAMED_ZONE,
    PARTS,
    ZONES,
    month_of,
    pieces,
)
from cdm_pipelines.contracts.model import EPOCHS, LogicalType
from cdm_pipelines.store.arrow import whole

if TYPE_CHECKING:
    import pandas as pd

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

TRUE = ("true", "1", "yes", "y", "t", "ja", "j", "x", "on")
FALSE = ("false", "0", "no", "n", "f", "nee", "off")
_CURRENCY = r"(?:EUR|USD|GBP|CHF|€|\$|£|¥)"
_SPACE = r"[ \x{a0}\x{202f}]"
_GAP = _SPACE + "*"
_SIGN = r"[-+\x{2212}]"
NO_CENTS = r"[-=\x{2010}-\x{2015}\x{2212}]{1,2}"
"""What stands for the cents of a whole amount, behind the decimal sign: no minus sign (``1.250,-``)."""
_ISO_TIME = (
    r"(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?" + _SPACE + r"?"
    r"(?:Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?"
)
_SECONDS_OF_DAY = 86_400
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31


@dataclass(frozen=True)
class Days:
    """What texts say as calendar days.

    Attributes:
        exists: Whether the text is a day that exists, in one of the formats.
        year: Of the day; 0 where none exists.
        ordinal: Days since 1970-01-01; 0 where none exists.
    """

    exists: Flags
    year: Ints
    ordinal: Ints


def matches(values: pa.Array, pattern: str) -> Flags:
    """Whether each text matches a regular expression as a whole; null does not."""
    try:
        found = pc.match_substring_regex(values, rf"\A(?:{pattern})\z")
    except pa.ArrowInvalid:  # RE2 has no look-around and no back-references: Python has
        compiled = re.compile(pattern)
        texts = values.to_pylist()
        return np.array(
            [text is not None and compiled.fullmatch(text) is not None for text in texts], dtype=bool
        )
    return as_flags(found)


def as_texts(series: "pd.Series[str]") -> pa.Array:
    """A series of text as one Arrow array."""
    values = pa.array(series, pa.string(), from_pandas=True)
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def as_flags(values: pa.Array | pa.ChunkedArray) -> Flags:
    """An Arrow boolean array as numpy; null is false."""
    flags: Flags = pc.fill_null(values, fill_value=False).to_numpy(zero_copy_only=False).astype(bool)
    return flags


def is_marked(cells: pa.Array | pa.ChunkedArray, marks: Sequence[str], logical_type: LogicalType) -> Flags:
    """Which cells have one of some marks, as `as_mark` compares them."""
    wanted = as_mark(pa.array(marks, pa.string()), logical_type)
    return as_flags(pc.is_in(as_mark(whole(cells), logical_type), wanted))


def as_mark(words: pa.Array, logical_type: LogicalType) -> pa.Array:
    """Words as they are compared with those of a contract: trimmed; of booleans ``TRUE``, ``1`` and ``ja`` are one."""
    trimmed = pc.utf8_trim_whitespace(words)
    if logical_type is not LogicalType.BOOLEAN:
        return trimmed
    lower = pc.utf8_lower(trimmed)
    known = pc.if_else(pc.is_in(lower, pa.array(FALSE)), "false", lower)
    return pc.if_else(pc.is_in(lower, pa.array(TRUE)), "true", known)


def plain_numbers(values: pa.Array, decimal: str = ".") -> pa.Array:
    """Numbers in plain spelling (``-1234.5``); null where a text is no number.

    Currency signs before or after, groups of three, a minus at the end (SAP) and accounting brackets are
    understood. A group never begins with 0: ``0.500`` is no number where the decimal sign is a comma.
    """
    point = re.escape(decimal)
    values = pc.replace_substring_regex(
        values, rf"([0-9]){point}{NO_CENTS}({_GAP}(?:{_CURRENCY}{_GAP})?\)?{_GAP})$", r"\1\2"
    )
    group = r"['\x{2019}. \x{a0}\x{202f}]" if decimal == "," else r"['\x{2019}, \x{a0}\x{202f}]"
    digits = rf"(?:(?:[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+|[0-9]+)(?:{point}[0-9]*)?|{point}[0-9]+)"
    front = rf"(?:{_SIGN}{_GAP}(?:{_CURRENCY}{_GAP})?|{_CURRENCY}{_GAP}{_SIGN}?)?"
    number = rf"{front}{digits}(?:[eE][-+]?[0-9]{{1,3}})?{_GAP}(?:{_CURRENCY}{_GAP})?-?"
    fits = matches(values, rf"{_GAP}(?:{number}|\({number}\)){_GAP}")
    negative = pc.match_substring_regex(values, r"^[^0-9]*[-\x{2212}(]|[-)]" + _GAP + "$")
    bare = pc.replace_substring_regex(values, _CURRENCY + r"|[()'\x{2019} \x{a0}\x{202f}]|-$", "")
    bare = pc.replace_substring_regex(bare, rf"^{_SIGN}|-$", "")
    bare = pc.replace_substring(bare, "." if decimal == "," else ",", "")
    bare = pc.replace_substring(bare, decimal, ".")
    signed = pc.if_else(negative, pc.binary_join_element_wise("-", bare, ""), bare)
    return pc.if_else(pa.array(fits), signed, pa.scalar(None, pa.string()))


def numbers(values: pa.Array, decimal: str = ".") -> npt.NDArray[np.float64]:
    """Texts as numbers; NaN where a text is none."""
    plain = pc.cast(plain_numbers(values, decimal), pa.float64())
    result: npt.NDArray[np.float64] = plain.to_numpy(zero_copy_only=False)
    return result


def days(values: pa.Array, formats: tuple[str, ...], *, with_time: bool = False) -> Days:
    """Texts as calendar days, each in the first of the formats that it fits.

    Args:
        values: Texts.
        formats: Of ``strptime``, or `EPOCHS`; empty means ISO 8601.
        with_time: Whether ISO 8601 may go on with a time.
    """
    exists = np.zeros(len(values), dtype=bool)
    year, ordinal = np.zeros(len(values), dtype=np.int64), np.zeros(len(values), dtype=np.int64)
    for form in formats or (None,):
        if form is None:
            found = _read(values, *_iso(with_time=with_time))
        elif form in EPOCHS:
            found = _of_epoch(values, EPOCHS[form])
        else:
            found = _read(values, *_patterns(form))
        new = found.exists & ~exists
        year, ordinal = np.where(new, found.year, year), np.where(new, found.ordinal, ordinal)
        exists |= new
    return Days(exists, year, ordinal)


def epoch_seconds(values: pa.Array, per_second: int) -> pa.Array:
    """Texts that count from 1970-01-01 as whole seconds (int64); null where a text is no such count.

    A fraction is left off, and so is what a spreadsheet or a JSON writer makes of a whole number: ``1.7E9``, ``5.0``.
    """
    fits = matches(values, r"-?[0-9]{1,17}(?:\.[0-9]*)?|[0-9](?:\.[0-9]{1,17})?[eE]\+?[0-9]{1,2}")
    known = pc.if_else(pa.array(fits), values, pa.scalar(None, pa.string()))
    whole = pc.replace_substring_regex(known, r"\.[0-9]*$", "")
    short = pc.match_substring_regex(whole, r"^-?[0-9]+$")
    counted = pc.cast(pc.if_else(short, whole, pa.scalar(None, pa.string())), pa.int64())
    if pc.any(pc.invert(short)).as_py():
        rest = pc.cast(pc.if_else(short, pa.scalar(None, pa.string()), known), pa.float64())
        believable = pc.if_else(pc.less(rest, 1e17), rest, pa.scalar(None, pa.float64()))
        counted = pc.coalesce(counted, pc.cast(pc.floor(believable), pa.int64()))
    seconds = np.floor_divide(pc.fill_null(counted, 0).to_numpy(), per_second)
    return pa.array(seconds, mask=~as_flags(pc.is_valid(counted)))


def in_digits(values: pa.Array, form: str) -> tuple[pa.Array, str]:
    """Texts and their format, with numbers for names of months and offsets for names of zones.

    For readers that know such names in the language of their machine only. Null where a text does not fit the format.
    """
    parts = pieces(form)
    if not {*NAMED_MONTHS, NAMED_ZONE} & set(parts):
        return values, form
    groups = (f"(?P<part{place}>{_unnamed(part)})" for place, part in enumerate(_spelt(form, parts)))
    found = pc.extract_regex(values, rf"\A{''.join(groups)}\z")
    texts: list[pa.Array] = [pc.struct_field(found, f"part{place}") for place in range(len(parts))]
    for place, part in enumerate(parts):
        if part in NAMED_MONTHS:
            parts[place], texts[place] = "%m", _named(texts[place], lambda name: f"{month_of(name):02d}")
        elif part == NAMED_ZONE:
            parts[place], texts[place] = "%z", _named(texts[place], ZONES.__getitem__)
    return pc.binary_join_element_wise(*texts, ""), "".join(parts)


def _named(names: pa.Array, meaning: Callable[[str], str]) -> pa.Array:
    coded = names.dictionary_encode()
    meant = pa.array([meaning(name) for name in coded.dictionary.to_pylist()], pa.string())
    return meant.take(coded.indices)


def _of_epoch(values: pa.Array, per_second: int) -> Days:
    seconds = epoch_seconds(values, per_second)
    ordinal = np.floor_divide(pc.fill_null(seconds, 0).to_numpy(), _SECONDS_OF_DAY)
    exists = as_flags(pc.is_valid(seconds)) & (ordinal >= _FIRST_DAY) & (ordinal <= _LAST_DAY)
    ordinal = np.where(exists, ordinal, 0)
    year = ordinal.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return Days(exists, np.where(exists, year, 0), ordinal)


def _iso(*, with_time: bool) -> tuple[str, str]:
    whole, day = (pattern.replace(r"\d{1,2}", r"\d{2}") for pattern in _patterns("%Y-%m-%d"))
    return (whole + _ISO_TIME if with_time else whole), day


@lru_cache(maxsize=256)
def _patterns(text: str) -> tuple[str, str]:
    """Regular expressions of a ``strptime`` format: of the whole, its day one group, and of the day alone.

    Where parts follow each other without a sign between them, each has its full width.
    """
    parts = pieces(text)
    places = [place for place, part in enumerate(parts) if part in DATE_PARTS]
    spelt = _spelt(text, parts)
    first, last = places[0], places[-1] + 1
    day = "".join(spelt[first:last])
    return f"{''.join(spelt[:first])}(?P<day>{_unnamed(day)}){''.join(spelt[last:])}", day


def _spelt(text: str, parts: list[str]) -> list[str]:
    """Regular expressions of the parts of a format."""
    spelt = [PARTS.get(part) or re.escape(part) for part in parts]
    if re.search(r"%[A-Za-z]%[A-Za-z]", text):
        spelt = [part.replace(r"\d{1,2}", r"\d{2}").replace("]?", "]") for part in spelt]
    return spelt


def _unnamed(pattern: str) -> str:
    return re.sub(r"\(\?P<\w>", "(?:", pattern)


def _read(values: pa.Array, whole: str, day: str) -> Days:
    """The day is cut out of each text; then only distinct days are computed with."""
    cut = pc.struct_field(pc.extract_regex(values, rf"\A(?:{whole})\z"), "day").dictionary_encode()
    found = _compute(cut.dictionary, day)
    place = pc.fill_null(cut.indices, 0).to_numpy()
    if not len(cut.dictionary):
        nothing = np.zeros(len(values), dtype=np.int64)
        return Days(nothing.astype(bool), nothing, nothing)
    here = as_flags(pc.is_valid(cut.indices)) & found.exists[place]
    return Days(here, np.where(here, found.year[place], 0), np.where(here, found.ordinal[place], 0))


def _compute(values: pa.Array, pattern: str) -> Days:
    parts = pc.extract_regex(values, rf"\A(?:{pattern})\z")
    fits = as_flags(pc.is_valid(parts))
    names = [field.name for field in parts.type]
    year = _number(parts, "Y") if "Y" in names else _century(_number(parts, "y"))
    month = _month(pc.struct_field(parts, "b")) if "b" in names else _number(parts, "m")
    day = _number(parts, "d")
    fits &= (month >= 1) & (month <= 12) & (year >= 1)
    first = np.where(fits, (year - 1970) * 12 + month - 1, 0)
    ordinal = _first_day(first)
    fits &= (day >= 1) & (day <= _first_day(first + 1) - ordinal)
    return Days(fits, np.where(fits, year, 0), np.where(fits, ordinal + day - 1, 0))


def _first_day(months: Ints) -> Ints:
    """Days since 1970-01-01 of the first day of a month, counted from January 1970."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _number(parts: pa.StructArray, name: str) -> Ints:
    result: Ints = pc.cast(pc.fill_null(pc.struct_field(parts, name), "0"), pa.int64()).to_numpy()
    return result


def _century(year: Ints) -> Ints:
    """Two digits as POSIX reads them: 69 to 99 are of the twentieth century."""
    return np.where(year >= 69, 1900 + year, 2000 + year)


def _month(names: pa.Array) -> Ints:
    """Of distinct days: their months, 0 where a name is none."""
    return np.array([month_of(name) if name else 0 for name in names.to_pylist()], dtype=np.int64)
