"""Dates and timestamps in the formats that a contract declares, and whether they are plausible.

Belongs here: time zones, sentinel dates, birth dates. Does not belong here: reading a day, which is done where
values are judged (quality.values), so that no day is accepted there and lost here; guessing a format, which no
function of this project does: 03/04/2026 is what its contract says it is.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.model import EPOCHS
from cdm_pipelines.quality.values import days, epoch_seconds, in_digits
from cdm_pipelines.standardise.distinct import TEXT, Arrays, over_distinct, where_needed

# Dates that systems write for "not known" or "for ever". A record can have been made on one of them, so they are kept
# and marked, not dropped.
SENTINELS = (
    "0001-01-01", "1111-11-11", "1753-01-01", "1800-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1901-01-01",
    "1970-01-01", "2099-12-31", "2100-01-01", "2999-12-31", "9999-12-31",
)  # fmt: skip
EARLIEST_BIRTH = "1900-01-01"
_STANDARD_TIMESTAMP = "%Y-%m-%dT%H:%M:%SZ"
# A day that every month has, a time, UTC: needs no calendar.
_PLAIN_UTC = (
    r"^([1-9][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8]))[T ]"
    r"((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?:\.[0-9]{1,9})?Z$"
)
_EPOCH_NAMES = {per_second: name for name, per_second in EPOCHS.items()}
_NAMED_UTC = r"[ \x{a0}\x{202f}]?UTC$"
_ZONED = r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)$"


def date(column: pa.Array, formats: Sequence[str] = ()) -> pa.Array:
    """Dates as YYYY-MM-DD; null where no declared format fits or there is no such day.

    A format with a time of day gives the day as written. Without formats a date is ISO 8601, with or without a time.

    Args:
        column: Text.
        formats: Formats of ``strptime``, tried in order.
    """

    def standard(values: pa.Array) -> Arrays:
        found = days(values, tuple(formats), with_time=True)
        written = pa.array(found.ordinal.astype("datetime64[D]"), mask=~found.exists)
        return (pc.cast(written, TEXT),)

    return over_distinct(standard, column)[0]


def birth_date(column: pa.Array, formats: Sequence[str], extract_date: str) -> Arrays:
    """Dates of birth, and where they are not plausible.

    A two-digit year that would lie after the extract is of the century before.

    Args:
        column: Text.
        formats: Formats of ``strptime``, tried in order; empty means ISO 8601.
        extract_date: YYYY-MM-DD; nobody is born after it.

    Returns:
        The dates as YYYY-MM-DD, and a flag for those before 1900, after the extract, or that are sentinels.
    """
    dates = date(column, formats)
    if any("%y" in form for form in formats):
        century_ago = pc.binary_join_element_wise(
            pc.cast(pc.subtract(pc.cast(pc.utf8_slice_codeunits(dates, 0, 4), pa.int32()), 100), TEXT),
            pc.utf8_slice_codeunits(dates, 4),
            "",
        )
        dates = pc.if_else(pc.greater(dates, extract_date), century_ago, dates)
    outside = pc.or_(pc.less(dates, EARLIEST_BIRTH), pc.greater(dates, extract_date))
    return dates, pc.fill_null(pc.or_(outside, is_sentinel(dates)), False)


def is_sentinel(dates: pa.Array, timezone: str | None = None) -> pa.Array:
    """Where a date (or the day of a timestamp) stands for "not known" or "for ever".

    Args:
        dates: Dates, or timestamps as :func:`timestamp` gives them.
        timezone: In which timestamps without a zone were read: midnight of such a day may be the evening before in UTC.
    """
    found = pc.is_in(pc.utf8_slice_codeunits(dates, 0, 10), value_set=pa.array(SENTINELS))
    return found if timezone is None else pc.or_(found, pc.is_in(dates, value_set=_midnights(timezone)))


@cache
def _midnights(timezone: str) -> pa.Array:
    """Midnights of those days in a zone."""
    return timestamp(pa.array(SENTINELS), (), timezone).drop_null()


def timestamp(column: pa.Array, formats: Sequence[str], timezone: str) -> pa.Array:
    """Timestamps in UTC as YYYY-MM-DDTHH:MM:SSZ; null where no declared format fits.

    A timestamp without zone is read in ``timezone``; an hour that occurs twice is the first of the two, one that is
    skipped is the moment at which the clock was put forward. A date is its midnight.

    Args:
        column: Text.
        formats: Formats of ``strptime`` or `EPOCHS`, tried in order; empty means ISO 8601.
        timezone: IANA name for values that carry no zone.
    """

    def standard(values: pa.Array) -> Arrays:
        answer = pa.nulls(len(values), TEXT)
        for form in formats or ("ISO8601",):
            open_ = pc.and_(pc.is_null(answer), pc.is_valid(values))
            if not pc.any(open_).as_py():
                break
            answer = pc.replace_with_mask(answer, open_, _timestamps(values.filter(open_), form, timezone))
        return (answer,)

    return over_distinct(standard, column)[0]


def _timestamps(values: pa.Array, form: str, timezone: str) -> pa.Array:
    """Distinct values in one format, null nowhere."""
    if form in EPOCHS:
        return _counted(values, EPOCHS[form])
    if form != "ISO8601":
        values, form = in_digits(values, form)
        return _utc(values, form, None if "%z" in form else timezone)
    values = pc.replace_substring_regex(values, _NAMED_UTC, "Z")
    answer = pc.replace_substring_regex(values, _PLAIN_UTC, r"\1T\2Z")
    read = pc.match_substring_regex(values, _PLAIN_UTC)
    zoned = pc.match_substring_regex(values, rf"[T ][0-9]{{2}}:?[0-9]{{2}}.*{_ZONED}")
    dated = pc.match_substring_regex(values, r"^[0-9]{4}-[0-9]{2}-[0-9]{2}")
    answer = pc.if_else(dated, answer, pa.scalar(None, TEXT))
    for zone, kind in ((None, zoned), (timezone, pc.invert(zoned))):
        left = pc.and_(pc.and_(dated, kind), pc.invert(read))
        answer = where_needed(answer, left, lambda rest, zone=zone: _utc(rest, form, zone), values)
    return answer


def _counted(values: pa.Array, per_second: int) -> pa.Array:
    """Moments that count from 1970-01-01; the years that text has four digits for."""
    seconds = epoch_seconds(values, per_second)
    known = days(values, (_EPOCH_NAMES[per_second],)).exists
    written = pa.array(pc.fill_null(seconds, 0).to_numpy(), mask=~known)
    text = pc.cast(pc.cast(written, pa.timestamp("s")), TEXT)
    return pc.binary_join_element_wise(pc.replace_substring(text, " ", "T"), "Z", "")


def _utc(values: pa.Array, form: str, timezone: str | None) -> pa.Array:
    written = values.to_pandas()
    parsed = pd.to_datetime(written, format=form, errors="coerce", utc=timezone is None)
    missed = np.flatnonzero(parsed.isna() & written.notna())
    if parsed.dt.tz is None:
        twice = np.ones(len(parsed), dtype=bool)
        parsed = parsed.dt.tz_localize(timezone, ambiguous=twice, nonexistent="shift_forward")
    seconds = pa.array(
        parsed.dt.tz_convert(UTC).dt.tz_localize(None), pa.timestamp("s"), from_pandas=True, safe=False
    )
    answer = pc.binary_join_element_wise(pc.replace_substring(pc.cast(seconds, TEXT), " ", "T"), "Z", "")
    if not len(missed):
        return answer
    found = [_instant(written.iloc[position], form, timezone) for position in missed]
    mask = np.zeros(len(values), dtype=bool)
    mask[missed] = True
    return pc.replace_with_mask(answer, pa.array(mask), pa.array(found, TEXT))


def _instant(value: str, form: str, timezone: str | None) -> str | None:
    """One timestamp outside the years that pandas knows, such as 9999-12-31."""
    try:
        read = datetime.fromisoformat(value) if form == "ISO8601" else datetime.strptime(value, form)  # noqa: DTZ007
        read = read if read.tzinfo else read.replace(tzinfo=ZoneInfo(timezone or "UTC"))
        return read.astimezone(UTC).strftime(_STANDARD_TIMESTAMP).zfill(20)
    except (ValueError, OverflowError):
        return None
