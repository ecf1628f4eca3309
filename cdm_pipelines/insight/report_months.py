"""Months that are reported of: which one is meant, and which days belong to it.

Belongs here: reading a month, and refusing one of which nothing can be known. Does not belong here: asking the hub
which days it knows (steps.insight).
"""

import datetime as dt
import re
from dataclasses import dataclass


class InsightError(ValueError):
    """What was asked cannot be answered; the message names what is wrong and the fix, and no value of a person."""


@dataclass(frozen=True)
class Period:
    """A month and the days that count for it.

    Attributes:
        first: Its first day.
        last: Its last day, or today while it is not over.
        as_of: The last day of the data.
        now: Whether the data are of this month; of a former one only what was kept can be told.
    """

    first: dt.date
    last: dt.date
    as_of: dt.date
    now: bool = True

    @property
    def name(self) -> str:
        """YYYY-MM."""
        return f"{self.first:%Y-%m}"

    @property
    def days(self) -> dict[str, dt.date]:
        """Days that a query may name."""
        return {"first": self.first, "last": self.last, "as_of": self.as_of}


def period_of(asked: str | None, first: dt.date | None, last: dt.date | None, today: dt.date) -> Period:
    """The month that is meant.

    Args:
        asked: YYYY-MM; that of the last day of the data when left out.
        first: The first day that published customers were made from; None before the first publication.
        last: The last one.
        today: Which day it is.

    Raises:
        InsightError: It is no month, is to come, or nothing is known of it.
    """
    if asked is not None:
        month = _read(asked)
        if month > today:
            raise InsightError(f"{asked} is still to come; name a month up to {today:%Y-%m}.")
    if first is None or last is None:
        raise InsightError(
            "No customers are published yet: `cdm run` publishes them, and then there are figures."
        )
    month = _read(asked) if asked is not None else last.replace(day=1)
    if month > last:
        raise InsightError(
            f"Nothing was delivered in {month:%Y-%m}: the newest data are of {last}. `cdm run` takes in newer days."
        )
    if month < first.replace(day=1):
        raise InsightError(
            f"{month:%Y-%m} was before the first run, whose data are of {first}; name a month from {first:%Y-%m} on."
        )
    end = _end(month)
    now = month == last.replace(day=1)
    return Period(month, min(end, today), last if now else end, now)


def whole(month: dt.date, as_of: dt.date) -> Period:
    """A month of which figures were kept.

    Args:
        month: Its first day.
        as_of: Last day of the data that they were worked out from.
    """
    return Period(month, _end(month), as_of, now=False)


def _end(month: dt.date) -> dt.date:
    return dt.date(month.year + month.month // 12, month.month % 12 + 1, 1) - dt.timedelta(days=1)


def _read(text: str) -> dt.date:
    if not re.fullmatch(r"\d{4}-\d{2}", text):
        raise InsightError(f"{text!r} is no month; write it as YYYY-MM, such as 2026-06.")
    try:
        return dt.date.fromisoformat(f"{text}-01")
    except ValueError:
        raise InsightError(f"{text!r} is no month; the second part is 01 to 12.") from None
