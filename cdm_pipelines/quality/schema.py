"""Pandera schemas, derived from contracts.

Belongs here: which checks a column's contract asks for, each a vectorised function of a series of text. Does
not belong here: what happens to a row that fails (validation).

The raw layer is text, so types are checked on text: a check says whether a value can be read as its type.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import Column, LogicalType, SourceContract
from cdm_pipelines.quality.damage import Spoilt, spoilt_sought
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.quality.values import FALSE, TRUE, Flags, as_flags, as_texts, days, matches, numbers
from cdm_pipelines.store.frames import to_frame

Test = Callable[[pa.Array], Flags]
"""Whether each of some texts, none of them null, passes."""

EARLIEST_YEAR, LATEST_YEAR = 1800, 2199
_EMAIL_TARGETS = ("party.email", "order.party_email")
_PHONE_TARGETS = ("party.phone", "party.mobile")
_WHOLE_NUMBER = r"[+-]?[0-9]{1,18}(?:\.0*)?"
_ADDRESS = r"[^@]*[^@\s][^@]*@[^@]*[^@\s][^@]*"


@lru_cache(maxsize=256)
def pandera_schema(contract: SourceContract) -> Any:
    """The contract as a ``pandera.pandas.DataFrameSchema`` of text columns.

    Validate lazily a frame whose null spellings are null already. Names of checks are `Rule` values. Columns
    that the contract does not know are let through.
    """
    import pandera.pandas as pandera  # noqa: PLC0415 - takes more than a second to import

    columns = {
        column.name: pandera.Column(
            checks=[
                pandera.Check(partial(_run, test), name=str(rule), error=str(rule))
                for rule, test in tests(column)
            ],
            nullable=not column.is_essential,
            required=column.is_essential,
            title=column.name,
            description=column.description,
        )
        for column in contract.columns
    }
    return pandera.DataFrameSchema(
        columns,
        unique=list(contract.key),
        report_duplicates="exclude_last",
        strict=False,
        name=contract.name,
        description=contract.description,
    )


def failures(table: pa.Table, contract: SourceContract) -> Counter[str]:
    """What Pandera finds wrong with accepted rows, by column and rule, without values; nothing where all is well.

    Args:
        table: Rows as text; columns of few values may be codes of them.
        contract: What they are held against.
    """
    from pandera.errors import SchemaErrors  # noqa: PLC0415 - Pandera loads in a run

    try:
        pandera_schema(contract).validate(to_frame(table), lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        return Counter(
            f"{column}: {rule}" for column, rule in zip(cases["column"], cases["check"], strict=True)
        )
    return Counter()


def _run(test: Test, series: "pd.Series[str]") -> "pd.Series[bool]":
    """A test as Pandera calls it: null passes, since nullability is a matter of its own. Each code is tested once."""
    values = pa.array(series, from_pandas=True)
    if isinstance(values, pa.DictionaryArray):
        passed = np.append(test(values.dictionary.cast(pa.string())), True)  # no code at all has no type
        return pd.Series(passed[pc.fill_null(values.indices, len(passed) - 1).to_numpy()], index=series.index)
    values = as_texts(series)
    return pd.Series(test(values) | as_flags(pc.is_null(values)), index=series.index)


def tests(column: Column) -> Iterator[tuple[Rule, Test]]:
    """The tests that a column's contract asks for; the first that fails tells best what is wrong."""
    if (spoilt := spoilt_sought(column)) is not None:
        yield Rule.SPREADSHEET, partial(_is_sound, spoilt)
    if column.values:
        yield Rule.UNKNOWN_CODE, _one_of(tuple(column.values))
    else:
        yield from _type_tests(column)
    if column.enum:
        yield Rule.NOT_ALLOWED, _one_of(column.enum)
    if column.min_length is not None:
        yield Rule.TOO_SHORT, _length(np.greater_equal, column.min_length)
    if column.max_length is not None:
        yield Rule.TOO_LONG, _length(np.less_equal, column.max_length)
    if column.pattern is not None:
        yield Rule.PATTERN, partial(matches, pattern=column.pattern)
    yield from _limits(column)
    if any(path in _EMAIL_TARGETS for path in column.maps_to):
        yield Rule.NOT_EMAIL, partial(matches, pattern=_ADDRESS)
    if any(path in _PHONE_TARGETS for path in column.maps_to):
        yield Rule.NOT_PHONE, partial(_contains, pattern=r"(?:\d[^\d]*){6}")


def _limits(column: Column) -> Iterator[tuple[Rule, Test]]:
    if column.minimum is not None:
        yield Rule.BELOW_MINIMUM, _bound(column, np.greater_equal, column.minimum)
    if column.maximum is not None:
        yield Rule.ABOVE_MAXIMUM, _bound(column, np.less_equal, column.maximum)


def _type_tests(column: Column) -> Iterator[tuple[Rule, Test]]:
    match column.logical_type:
        case LogicalType.INTEGER:
            yield Rule.NOT_INTEGER, partial(matches, pattern=_WHOLE_NUMBER)
        case LogicalType.NUMBER:
            yield Rule.NOT_NUMBER, lambda values: ~np.isnan(numbers(values, column.decimal))
        case LogicalType.BOOLEAN:
            yield Rule.NOT_BOOLEAN, lambda values: _one_of(TRUE + FALSE)(pc.utf8_lower(values))
        case LogicalType.DATE | LogicalType.TIMESTAMP:
            yield Rule.NOT_DATE, lambda values: _days(column, values).exists
            yield Rule.IMPLAUSIBLE_DATE, partial(_plausible, column)
        case LogicalType.STRING:
            return


def _days(column: Column, values: pa.Array) -> Any:
    return days(values, column.date_formats, with_time=column.logical_type == LogicalType.TIMESTAMP)


def _plausible(column: Column, values: pa.Array) -> Flags:
    read = _days(column, values)
    plausible: Flags = ~read.exists | ((read.year >= EARLIEST_YEAR) & (read.year <= LATEST_YEAR))
    return plausible


def _one_of(allowed: tuple[str, ...]) -> Test:
    known = pa.array(allowed)
    return lambda values: as_flags(pc.is_in(values, known))


def _contains(values: pa.Array, pattern: str) -> Flags:
    return as_flags(pc.match_substring_regex(values, pattern))


def _is_sound(spoilt: Spoilt, values: pa.Array) -> Flags:
    return ~spoilt.among(values)


def _length(compare: Callable[..., Any], limit: int) -> Test:
    return lambda values: as_flags(
        pa.array(compare(pc.fill_null(pc.utf8_length(values), limit).to_numpy(), limit))
    )


def _bound(column: Column, compare: Callable[..., Any], limit: Decimal | date) -> Test:
    if isinstance(limit, date):
        ordinal = (limit - date(1970, 1, 1)).days

        def within_days(values: pa.Array) -> Flags:
            read = _days(column, values)
            result: Flags = ~read.exists | compare(read.ordinal, ordinal)
            return result

        return within_days

    def within(values: pa.Array) -> Flags:
        read = numbers(values, column.decimal)
        result: Flags = np.isnan(read) | compare(read, float(limit))
        return result

    return within
