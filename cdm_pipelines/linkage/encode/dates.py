"""Dates in the forms in which people write them, read as eight digits: year, month, day.

Belongs here: forms with and without separators, in any order of parts, with two-digit years, with names of months, and
dates of which a part is missing. Does not belong here: which order a column has (steps.linking), or comparing dates.

Nothing is checked against the calendar and a date that is mistyped keeps its digits: that one digit is off is what a
comparison can see. A part that is missing is 00.
"""

import re
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.date_formats import month_of

Order = Literal["ymd", "dmy", "mdy"]

CENTURY = 20
"""Two-digit years below it are of this century: customers are adults, and hardly any are older than a hundred."""

_YEAR_FIRST = r"^[0-9]{4}[^0-9][0-9]{2}[^0-9][0-9]{2}(?:[^0-9].*)?$"
_TOGETHER = r"^[0-9]{8}(?:[^0-9].*)?$"
_TIME = re.compile(r"(?:(?<=\d)t|\s+)\d{1,2}:\d\d.*$")
_FRACTION = re.compile(r"(?<=\d)\.0+(?!\d)")
_TOKENS = re.compile(r"\d+|[^\W\d_]+")
_NO_MONTH = re.compile(r"(\d{4})--(\d{1,2})")


def read_dates(values: pa.Array, order: Order) -> pa.Array:
    """Distinct texts as YYYYMMDD; empty where they are no dates.

    Args:
        values: Texts, none of them null.
        order: Of the parts where the text does not show it: what begins with four digits of a year is read as year,
            month, day in any column.
    """
    plain = pc.match_substring_regex(values, _YEAR_FIRST)
    if order == "ymd":
        plain = pc.or_(plain, pc.match_substring_regex(values, _TOGETHER))
    digits = pc.utf8_slice_codeunits(pc.replace_substring_regex(values, r"\D+", ""), 0, 8)
    others = pc.invert(plain)
    if not pc.any(others).as_py():
        return digits
    read = [None if text is None else read_date(text, order) for text in values.filter(others).to_pylist()]
    return pc.replace_with_mask(digits, others, pa.array(read, pa.string()))


def read_date(text: str, order: Order) -> str:
    """One text as YYYYMMDD; empty where it is no date."""
    text = _FRACTION.sub("", _TIME.sub("", text.strip().lower())).strip(" -")
    if text.isdecimal():
        return _together(text, order)
    if gap := _NO_MONTH.fullmatch(text):
        return f"{gap[1]}00{int(gap[2]):02d}"
    tokens = _TOKENS.findall(text)
    months = [month for month in map(_month, tokens) if month]
    numbers = [token for token in tokens if token.isdecimal()]
    if months:
        return _with_month(numbers, months[0])
    if len(numbers) == 2:
        return _two_parts(*numbers)
    return _three_parts(numbers, order) if len(numbers) == 3 else ""


def year_first(values: pa.Array, order: Order) -> pa.Array:
    """Texts with their dates as YYYY-MM-DD, which is read alike in any order of parts; what is no date as it was."""
    encoded = values.dictionary_encode()
    texts = encoded.dictionary
    digits = read_dates(texts, order)
    parts = [pc.utf8_slice_codeunits(digits, start, stop) for start, stop in ((0, 4), (4, 6), (6, 8))]
    written = pc.if_else(pc.equal(pc.utf8_length(digits), 8), pc.binary_join_element_wise(*parts, "-"), texts)
    return pa.DictionaryArray.from_arrays(encoded.indices, written).dictionary_decode()


def month_number(text: str) -> int:
    """The month that a number or a name is, 0 for none."""
    text = _FRACTION.sub("", text.strip().lower())
    if text.isdecimal():
        return int(text) if int(text) <= 12 else 0
    return _month(text)


def day_exists(date: str) -> bool:
    """Whether eight digits are a day of a year that somebody may live or have lived in."""
    year, month, day = int(date[:4]), int(date[4:6]), int(date[6:8])
    return 1500 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= 31


def _month(word: str) -> int:
    return 0 if word.isdecimal() else month_of(word)


def _together(digits: str, order: Order) -> str:
    if order != "ymd" and len(digits) in (5, 7):
        digits = f"0{digits}"  # the leading zero was lost in a spreadsheet
    if len(digits) == 6:
        found = _three_parts([digits[:2], digits[2:4], digits[4:]], order)
        return found if day_exists(found) else ""
    if len(digits) < 8:
        return ""
    digits = digits[:8]
    if order == "ymd" or day_exists(digits):
        return digits
    return _three_parts([digits[:2], digits[2:4], digits[4:]], order)


def _with_month(numbers: list[str], month: int) -> str:
    years = [number for number in numbers if len(number) == 4] or numbers[1:]
    if not years or len(numbers) > 2:
        return ""
    days = [number for number in numbers if number is not years[0]]
    return _written(years[0], month, int(days[0]) if days else 0)


def _two_parts(one: str, other: str) -> str:
    """A date without its day, or without its year."""
    if len(one) == 4 or len(other) == 4:
        year, month = (one, other) if len(one) == 4 else (other, one)
        return _written(year, int(month), 0)
    return _written("0000", int(one), int(other))


def _three_parts(parts: list[str], order: Order) -> str:
    if len(parts[0]) == 4 or (order == "ymd" and len(parts[2]) <= 2):
        year, month, day = parts[0], int(parts[1]), int(parts[2])
    else:
        first, second, year = int(parts[0]), int(parts[1]), parts[2]
        day, month = (second, first) if order == "mdy" else (first, second)
        if month > 12 >= day:
            day, month = month, day
    return _written(year, month, day)


def _written(year: str, month: int, day: int) -> str:
    if len(year) <= 2:
        year = f"{20 if int(year) < CENTURY else 19}{int(year):02d}"
    return f"{year}{month:02d}{day:02d}" if len(year) == 4 and month <= 99 and day <= 99 else ""
