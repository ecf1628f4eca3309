"""How a column writes its dates, found from its values.

Belongs here: the order of day, month and year of a column, whether dates may be of birth, and numbers that are parts of
dates. Does not belong here: reading one date (linkage.encode.dates), or what a header says (column_meanings).
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cdm_pipelines.linkage.encode.dates import Order, day_exists, month_number, read_date

CLEAN: dict[Order, str] = {"ymd": "", "dmy": "date_dmy", "mdy": "date_mdy"}
"""How a policy says it; year first is what the shipped policies take for granted."""

_SAMPLE = 3_000
_LEAST = 0.5  # of the values are dates, or the column is of something else
_YEAR_FIRST = re.compile(r"\s*(?:1[5-9]|20)\d\d(?:\D|(?:0\d|1[0-2])[0-3]\d(?:\D|$))")
_YEAR_LAST = re.compile(r"\s*(\d{1,2})(?:\D+(\d{1,2})\D+|(\d\d))(?:(?:1[5-9]|20)\d\d|\d\d)(?:\D.*)?$")
_WORD = re.compile(r"[^\W\d_]{3}")


@dataclass(frozen=True)
class DateForm:
    """How dates are written.

    Attributes:
        order: Of their parts.
        share: Of the values that are dates when read so.
        years: The first and the last quartile of the years.
        doubt: What the values leave open, in words.
    """

    order: Order
    share: float
    years: tuple[float, float]
    doubt: str = ""

    @property
    def clean(self) -> str:
        """As a policy says it."""
        return CLEAN[self.order]

    @property
    def of_birth(self) -> bool:
        """Whether these may be the birthdays of people: years that somebody may have, spread over decades."""
        first, last = self.years
        return self.share > 0.9 and first >= 1850 and last <= 2020 and last - first >= 12


def date_form(columns: Sequence[pa.Array]) -> DateForm | None:
    """How columns that are read as one write dates; None where most values are none.

    Args:
        columns: Distinct values of each, none of them null.
    """
    texts = [text for values in columns for text in spread(values)]
    if not texts:
        return None
    first = sum(bool(_YEAR_FIRST.match(text)) for text in texts)
    orders: tuple[Order, ...] = ("ymd", "dmy", "mdy") if 2 * first > len(texts) else ("dmy", "mdy", "ymd")
    read = {order: [found for text in texts if day_exists(found := _read(text, order))] for order in orders}
    order = max(orders, key=lambda one: len(read[one]))
    share = len(read[order]) / len(texts)
    if share < _LEAST:
        return None
    doubt = ""
    if order != "ymd":
        day_first, month_first = _evidence(texts)
        order = "mdy" if month_first > day_first else "dmy"
        if day_first and month_first and min(day_first, month_first) > 0.05 * max(day_first, month_first):
            doubt = "some values have the day first, others the month"
        elif not day_first and not month_first and not any(_WORD.search(text) for text in texts):
            doubt = "nothing tells the day from the month; the day is taken to come first"
    years = np.quantile([int(day[:4]) for day in read[order]], [0.25, 0.75])
    return DateForm(order, share, (float(years[0]), float(years[1])), doubt)


def is_year(values: pa.Array) -> bool:
    """Whether numbers may be years of birth."""
    return _mostly(values, lambda text: bool(re.fullmatch(r"(?:1[5-9]|20)\d\d(?:\.0+)?", text)), 0.9)


def is_short_year(values: pa.Array) -> bool:
    """Whether numbers may be the last two digits of years."""
    return _mostly(values, lambda text: bool(re.fullmatch(r"\d{1,2}(?:\.0+)?", text)), 0.98)


def is_month(values: pa.Array) -> bool:
    """Whether values may be months: numbers up to twelve, or names."""
    return _mostly(values, lambda text: month_number(text) > 0, 0.9)


def is_day(values: pa.Array) -> bool:
    """Whether numbers may be days of months."""
    return _mostly(values, lambda text: bool(re.fullmatch(r"(?:0?[1-9]|[12]\d|3[01])(?:\.0+)?", text)), 0.9)


def spread(values: pa.Array, most: int = _SAMPLE) -> list[str]:
    """Some of the values, from all over them."""
    step = max(1, len(values) // most)
    return [text for text in values[::step].to_pylist() if text]


def _read(text: str, order: Order) -> str:
    found = read_date(text, order)
    return found if len(found) == 8 else "00000000"


def _evidence(texts: Iterable[str]) -> tuple[int, int]:
    """In how many values only the first number can be a day, and in how many only the second."""
    day_first = month_first = 0
    for text in texts:
        if _YEAR_FIRST.match(text) is None and (found := _YEAR_LAST.match(_padded(text))):
            one, two = int(found[1]), int(found[2] or found[3])
            day_first += 12 < one <= 31 and two <= 12
            month_first += 12 < two <= 31 and one <= 12
    return day_first, month_first


def _padded(text: str) -> str:
    text = text.strip()
    return f"0{text}" if text.isdecimal() and len(text) in (5, 7) else text


def _mostly(values: pa.Array, fits: Callable[[str], bool], share: float) -> bool:
    texts = spread(values)
    return bool(texts) and sum(map(fits, texts)) >= share * len(texts)
