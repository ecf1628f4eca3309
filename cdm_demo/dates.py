"""Days as the systems write them.

Belongs here: day numbers to text in each system's spelling. Does not belong here: which day something happened.
"""

from datetime import date, timedelta
from functools import cache

import numpy as np

from cdm_demo.draws import Ints, Text, digits, text

_FIRST, _LAST = date(1900, 1, 1), date(2060, 12, 31)


def day_number(day: date) -> int:
    """Days since 1900-01-01."""
    return (day - _FIRST).days


@cache
def _days(pattern: str) -> Text:
    return text([(_FIRST + timedelta(n)).strftime(pattern) for n in range((_LAST - _FIRST).days + 1)])


def iso_day(days: Ints) -> Text:
    """YYYY-MM-DD."""
    written: Text = _days("%Y-%m-%d")[days]
    return written


def sap_day(days: Ints) -> Text:
    """YYYYMMDD."""
    written: Text = _days("%Y%m%d")[days]
    return written


def clock(seconds: Ints, joint: str = ":") -> Text:
    """HH:MM:SS of seconds since midnight."""
    hours, minutes = digits(seconds // 3600, 2), digits(seconds // 60 % 60, 2)
    written: Text = hours + joint + minutes + joint + digits(seconds % 60, 2)
    return written


def instant(days: Ints, seconds: Ints) -> Text:
    """As Salesforce writes it, in UTC: 2026-06-01T10:20:30.000Z."""
    written: Text = iso_day(days) + "T" + clock(seconds) + ".000Z"
    return written


@cache
def _offsets() -> Text:
    """Offset of Dutch local time per day; summer time from the last Sunday of March to that of October."""
    offsets = []
    for n in range((_LAST - _FIRST).days + 1):
        day = _FIRST + timedelta(n)
        summer = _last_sunday(day.year, 3) <= day < _last_sunday(day.year, 10)
        offsets.append("+0200" if summer else "+0100")
    return text(offsets)


@cache
def _last_sunday(year: int, month: int) -> date:
    end = date(year, month, 31)
    return end - timedelta((end.weekday() + 1) % 7)


@cache
def _seconds_ahead() -> Ints:
    return np.array([int(offset[1:3]) * 3600 for offset in _offsets()], dtype=np.int64)


def unix_seconds(days: Ints, seconds: Ints) -> Ints:
    """Seconds since 1970, in UTC, of seconds since midnight in Dutch local time."""
    moments: Ints = (days - day_number(date(1970, 1, 1))) * 86_400 + seconds - _seconds_ahead()[days]
    return moments


def shop_time(days: Ints, seconds: Ints) -> Text:
    """As Shopify writes it, in local time: 2026-06-01 12:20:30 +0200."""
    written: Text = iso_day(days) + " " + clock(seconds) + " " + _offsets()[days]
    return written
