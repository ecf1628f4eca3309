"""A file that nobody has described yet: what its columns hold.

Belongs here: per column type, formats, nulls and uniqueness, from a sample. Does not belong here: how the file is
written (ingest.sniff), what a column means (semantics) or the contract (suggest).
"""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import Delivery, Dialect, Format, LogicalType, SourceContract
from cdm_pipelines.contracts.model import EPOCHS
from cdm_pipelines.ingest import read_file
from cdm_pipelines.ingest.sniff import Sniffed, sniff
from cdm_pipelines.quality.values import (
    FALSE,
    TRUE,
    Days,
    as_flags,
    days,
    epoch_seconds,
    matches,
    plain_numbers,
)
from cdm_pipelines.quality.vocabulary import header_words

SAMPLE_ROWS = 100_000
_NULL_SPELLINGS = ("NULL", "null", "N/A", "n/a", "NA", "None", "nan", "NaN", "-", "--", "\\N", "?", "#N/A")
_NULL_CODE = "NA"
_NULL_DATES = ("00000000", "0000-00-00", "0000-00-00 00:00:00", "00-00-0000", "0")
_DATE_FORMATS = (
    *("%Y-%m-%d", "%Y%m%d", "%d-%m-%Y", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d"),
    *("%d-%m-%y", "%m/%d/%y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y"),
)
_TIME_FORMATS = (
    "",
    " %H:%M:%S",
    " %H:%M",
    "T%H:%M:%S",
    " %H:%M:%S %z",
    " %H:%M:%S.%f",
    "T%H:%M:%S%z",
    "T%H:%M:%S.%f%z",
)
_YEARS_OF_NO_DAY = (1, 1111, 1753, 1800, 2999, 9999)
_FLAG_HEADER = re.compile(
    r"^(is|has|can|do|does|accepts?|heeft)\b|\b(flag|deleted|opt|exempt|owner|blocked)", re.IGNORECASE
)
_TIME_HEADER = re.compile(
    r"\b(?:timestamp|time|epoch|ts|at|created|updated|occurred|tijdstip|tijd|zeit|horodatage)\b|timestamp$"
)
_FIRST_SECOND, _LAST_SECOND = 946_684_800, 1_999_999_999  # from 2000; 2026060112 is a date and its hour
_MOST = 0.98
_SAMPLE_VALUES = 5_000


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What a sample says about a column.

    Attributes:
        name: As in the header.
        cells: The sample itself.
        values: Distinct values, spellings of null left out.
        filled: Share of rows with a value.
        unique: Whether every row has a value of its own.
        logical_type: What nearly every value can be read as.
        date_formats: Formats of a date or timestamp; empty for ISO 8601.
        decimal: Decimal sign of a number.
        null_values: Texts that stand where there is no value.
        apostrophe: Whether values carry a leading apostrophe.
        doubt: What the sample leaves open, in words; empty when nothing.
    """

    name: str
    cells: pa.Array
    values: pa.Array
    filled: float
    unique: bool
    logical_type: LogicalType
    date_formats: tuple[str, ...] = ()
    decimal: str = "."
    null_values: tuple[str, ...] = ()
    apostrophe: bool = False
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class FileProfile:
    """How a file is written and what it holds; ``unfit`` rows of the sample could not be read as they should."""

    path: Path
    sniffed: Sniffed
    rows: int
    whole: bool
    columns: tuple[ColumnProfile, ...]
    unfit: int = 0

    @property
    def format(self) -> Format:
        """Its format."""
        return self.sniffed.format

    @property
    def dialect(self) -> Dialect:
        """As a contract would say it."""
        return self.sniffed.dialect

    @property
    def bom(self) -> bool:
        """Whether it begins with a byte-order mark."""
        return self.sniffed.bom


def profile_file(path: Path, sheet: str | None = None) -> FileProfile:
    """Profile the first `SAMPLE_ROWS` rows of a file; of a workbook those of a sheet.

    Raises:
        ExtractError: The file cannot be read as any known format.
    """
    sniffed = sniff(path, sheet)
    tables = read_file(path, undescribed(sniffed), chunk_rows=SAMPLE_ROWS)
    table = next(tables)
    sound = table.filter(pc.is_null(table.column("_defect")))
    names = [name for name in table.column_names if name not in ("_file", "_row", "_sha256", "_defect")]
    return FileProfile(
        path=path,
        sniffed=sniffed,
        rows=sound.num_rows,
        whole=table.num_rows < SAMPLE_ROWS,
        columns=tuple(profile_column(name, sound.column(name), sniffed.dialect.delimiter) for name in names),
        unfit=table.num_rows - sound.num_rows,
    )


def undescribed(sniffed: Sniffed) -> SourceContract:
    """A contract without columns, by which a file can be read that nobody has described."""
    return SourceContract(
        source="file",
        entity="file",
        version="",
        owner="",
        description="",
        location="",
        format=sniffed.format,
        delivery=Delivery.SNAPSHOT,
        columns=(),
        dialect=sniffed.dialect,
    )


def profile_column(name: str, cells: pa.ChunkedArray, delimiter: str = ",") -> ColumnProfile:
    """Profile one column of text; semicolons between cells are a sign that commas stand in numbers."""
    trimmed = pc.utf8_trim_whitespace(cells.combine_chunks())
    distinct = pc.drop_null(pc.unique(trimmed))
    distinct = distinct.filter(pc.not_equal(distinct, ""))
    apostrophe = len(distinct) > 0 and bool(
        as_flags(pc.match_substring_regex(distinct, "^'[0-9+]")).mean() > 0.5
    )
    shown = pc.replace_substring_regex(distinct, "^'", "") if apostrophe else distinct
    nulls = _present(_NULL_SPELLINGS, shown)
    reading = _read_type(name, _without(shown, nulls), ",." if delimiter == ";" else ".,")
    if reading.logical_type == LogicalType.INTEGER and _padded(cells):
        reading = _Reading()
    nulls += reading.null_values
    present = as_flags(pc.is_in(trimmed, distinct)) & ~as_flags(
        pc.is_in(trimmed, pa.array(nulls, pa.string()))
    )
    count = int(present.sum())
    values = _without(shown, nulls)
    return ColumnProfile(
        name=name,
        cells=trimmed,
        values=values,
        filled=count / len(trimmed) if len(trimmed) else 0.0,
        unique=0 < len(values) == count == len(trimmed),
        logical_type=reading.logical_type,
        date_formats=reading.date_formats,
        decimal=reading.decimal,
        null_values=nulls,
        apostrophe=apostrophe,
        doubt=reading.doubt or _doubtful_null(nulls, values),
    )


def _doubtful_null(nulls: tuple[str, ...], values: pa.Array) -> str:
    """Among codes of two capitals NA is a country, a state or a province as well."""
    among_codes = _NULL_CODE in nulls and len(values) > 0 and matches(values, "[A-Z]{2}").all()
    return f"is {_NULL_CODE} a code (Namibia), or no value?" if among_codes else ""


def _padded(cells: pa.ChunkedArray) -> bool:
    """Whether values stand between blanks: a code of fixed width, which is text whatever its signs."""
    return bool(pc.any(pc.match_substring_regex(cells, r"^\s+\S|\S\s+$")).as_py())


@dataclass(frozen=True, slots=True)
class _Reading:
    logical_type: LogicalType = LogicalType.STRING
    date_formats: tuple[str, ...] = ()
    decimal: str = "."
    null_values: tuple[str, ...] = ()
    doubt: str = ""


def _read_type(name: str, values: pa.Array, decimals: str) -> _Reading:
    if not len(values):
        return _Reading(doubt="no value in the sample")
    for read in (_boolean, _epoch, _moment, _integer, partial(_number, decimals=decimals)):
        reading = read(name, values)
        if reading is not None:
            return reading
    return _Reading()


def _boolean(name: str, values: pa.Array) -> _Reading | None:
    words = set(pc.utf8_lower(values).to_pylist()) if len(values) <= 4 else set()
    if not words or not words <= {*TRUE, *FALSE}:
        return None
    if words <= {"0", "1"} and not _FLAG_HEADER.search(name):
        return None
    if words == {"x"} or len(words) > 2:
        return None
    return _Reading(LogicalType.BOOLEAN, doubt="" if len(words) == 2 else "only one value in the sample")


def _epoch(name: str, values: pa.Array) -> _Reading | None:
    """A count from 1970, of this century, under a header that speaks of a time: other numbers have ten digits too."""
    if not _TIME_HEADER.search(header_words(name)) or not matches(values, r"[0-9]{10,16}").all():
        return None
    for form, per_second in EPOCHS.items():
        seconds = pc.cast(epoch_seconds(values, per_second), pa.float64())
        if pc.all(pc.and_(pc.greater(seconds, _FIRST_SECOND), pc.less(seconds, _LAST_SECOND))).as_py():
            return _Reading(LogicalType.TIMESTAMP, (form,))
    return None


def _moment(_: str, values: pa.Array) -> _Reading | None:
    nulls = _present(_NULL_DATES, values)
    sample = _without(values, nulls)[:_SAMPLE_VALUES]
    if not len(sample) or not as_flags(pc.match_substring_regex(sample, r"[0-9]")).all():
        return None
    timed = bool(as_flags(pc.match_substring(sample, ":")).mean() > 0.5)
    kind = LogicalType.TIMESTAMP if timed else LogicalType.DATE
    if _share(days(sample, (), with_time=timed)) >= _MOST:
        return _Reading(kind, null_values=nulls)
    times = _TIME_FORMATS if timed else ("",)
    shares = {
        day + time: _share(days(sample, (day + time,), with_time=timed))
        for day in _DATE_FORMATS
        for time in times
    }
    best = max(shares, key=lambda text: shares[text])
    if shares[best] < _MOST:
        return None
    rivals = [text for text, share in shares.items() if text != best and share >= shares[best]]
    doubt = f"{' and '.join(rivals)} would fit as well" if rivals else ""
    return _Reading(kind, (best,), null_values=nulls, doubt=doubt)


def _integer(_: str, values: pa.Array) -> _Reading | None:
    fits = matches(values, r"-?(?:0|[1-9][0-9]{0,14})")
    return _Reading(LogicalType.INTEGER) if fits.all() else None


def _number(_: str, values: pa.Array, decimals: str) -> _Reading | None:
    """A number with decimals, groups or a currency sign; what begins with a zero or a plus is a code.

    Where either decimal sign fits as well, the first of ``decimals`` is taken; whether ``1.101`` is a thousand or
    one and a bit is then a matter of doubt.
    """
    if as_flags(pc.match_substring_regex(values, r"^(?:0[0-9]|\+)")).any():
        return None
    plain = {sign: plain_numbers(values, sign) for sign in decimals}
    fits = {sign: as_flags(pc.is_valid(read)) for sign, read in plain.items()}
    best = max(decimals, key=lambda sign: fits[sign].mean())
    if fits[best].mean() < _MOST:
        return None
    other = next(sign for sign in decimals if sign != best)
    doubts = [] if fits[best].all() else [f"{(~fits[best]).sum()} values are no number"]
    differs = as_flags(pc.not_equal(plain[best], plain[other])).any()
    if fits[other].mean() == fits[best].mean() and differs:
        doubts.append(f"three digits follow each separator: decimal {other!r} would fit as well")
    return _Reading(LogicalType.NUMBER, decimal=best, doubt="; ".join(doubts))


def _share(found: Days) -> float:
    """Share of days that may be meant; one that stands for no day says nothing against it."""
    plausible = (found.year >= 1900) & (found.year <= 2100) | np.isin(found.year, _YEARS_OF_NO_DAY)
    return float((found.exists & plausible).mean())


def _present(spellings: tuple[str, ...], values: pa.Array) -> tuple[str, ...]:
    found = as_flags(pc.is_in(pa.array(spellings), values))
    return tuple(text for text, there in zip(spellings, found, strict=True) if there)


def _without(values: pa.Array, spellings: tuple[str, ...]) -> pa.Array:
    return (
        values.filter(pc.invert(pc.is_in(values, pa.array(spellings, pa.string())))) if spellings else values
    )
