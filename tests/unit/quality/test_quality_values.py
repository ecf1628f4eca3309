"""What a text means as a number or a day."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdm_pipelines.quality.shapes import shape
from cdm_pipelines.quality.values import days, matches, numbers, plain_numbers


@pytest.mark.parametrize(
    ("text", "decimal", "plain"),
    [
        ("1234,50", ",", "1234.50"),
        ("1.234.567,50", ",", "1234567.50"),
        ("1234,50-", ",", "-1234.50"),
        ("€ 1.250,-", ",", "1250"),
        ("1.250,-- EUR", ",", "1250"),
        ("-1.250,\u2014", ",", "-1250"),
        ("(\u20ac 12,=)", ",", "-12"),
        ("Fr. 5.-", ".", None),
        ("CHF 5.\u2013", ".", "5"),
        ("1.250,-", ".", None),
        ("1250-", ",", "-1250"),
        ("€ 12,00", ",", "12.00"),
        ("-€5,1", ",", "-5.1"),
        ("€-5", ",", "-5"),
        ("12,00 EUR", ",", "12.00"),
        ("1 234,5", ",", "1234.5"),
        ("1\u00a0234,5", ",", "1234.5"),
        ("(9,00)", ",", "-9.00"),
        ("\u22125", ",", "-5"),
        ("12,3,4", ",", None),
        ("1.23", ",", None),
        ("0.500", ",", None),
        ("0,500", ".", None),
        ("0 500", ",", None),
        ("10.500", ",", "10500"),
        ("$90,000 ", ".", "90000"),
        ("1'234.50", ".", "1234.50"),
        ("1855811.0", ".", "1855811.0"),
        ("1e3", ".", "1e3"),
        ("1,23", ".", None),
        ("1.2.3", ".", None),
        ("--5", ".", None),
        ("$", ".", None),
        ("", ".", None),
        ("abc", ".", None),
        (None, ".", None),
    ],
)
def test_numbers(text: str | None, decimal: str, plain: str | None) -> None:
    values = pa.array([text], pa.string())
    assert plain_numbers(values, decimal).to_pylist() == [plain]
    (number,) = numbers(values, decimal)
    assert np.isnan(number) if plain is None else number == float(plain)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_a_number_written_the_dutch_way_is_read_back(number: object) -> None:
    dutch = f"{number:,.2f}".translate(str.maketrans(",.", ".,"))
    (read,) = numbers(pa.array([dutch]), ",")
    assert read == float(f"{number}")


@pytest.mark.parametrize(
    ("text", "formats", "day"),
    [
        ("2024-02-29", (), "2024-02-29"),
        ("2023-02-29", (), None),
        ("1900-02-29", (), None),
        ("2000-02-29", (), "2000-02-29"),
        ("2024-2-9", (), None),
        ("20240229", ("%Y%m%d",), "2024-02-29"),
        ("20230230", ("%Y%m%d",), None),
        ("2024022", ("%Y%m%d",), None),
        ("99991231", ("%Y%m%d",), "9999-12-31"),
        ("00010101", ("%Y%m%d",), "0001-01-01"),
        ("00000000", ("%Y%m%d",), None),
        ("4/8/1966", ("%m/%d/%Y",), "1966-04-08"),
        ("13/1/1999", ("%m/%d/%Y",), None),
        ("13/1/1999", ("%m/%d/%Y", "%d/%m/%Y"), "1999-01-13"),
        ("31-12-99", ("%d-%m-%y",), "1999-12-31"),
        ("31-12-24", ("%d-%m-%y",), "2024-12-31"),
        ("3 Feb 2021", ("%d %b %Y",), "2021-02-03"),
        ("3 Foo 2021", ("%d %b %Y",), None),
        ("1-mrt-26", ("%d-%b-%y",), "2026-03-01"),
        ("1-mei-26", ("%d-%b-%y",), "2026-05-01"),
        ("1-okt-26", ("%d-%b-%y",), "2026-10-01"),
        ("1 août 2026", ("%d %B %Y",), "2026-08-01"),
        ("1 marraskuu 2026", ("%d %B %Y",), "2026-11-01"),
        ("31 April 2021", ("%d %B %Y",), None),
        ("2024-02-29\n", (), None),
        ("yesterday", (), None),
        (None, (), None),
    ],
)
def test_days(text: str | None, formats: tuple[str, ...], day: str | None) -> None:
    read = days(pa.array([text], pa.string()), formats)
    assert read.exists.tolist() == [day is not None]
    if day is not None:
        expected = dt.date.fromisoformat(day)
        assert (read.year[0], read.ordinal[0]) == (expected.year, expected.toordinal() - 719_163)


@pytest.mark.parametrize(
    ("text", "formats", "exists"),
    [
        ("2026-06-01T10:20:30.000Z", (), True),
        ("2026-06-01 10:20", (), True),
        ("2026-06-01", (), True),
        ("2026-06-01T24:00:00Z", (), False),
        ("2026-06-31T10:20:30Z", (), False),
        ("2026-06-01 10:20:30 +0200", ("%Y-%m-%d %H:%M:%S %z",), True),
        ("2026-06-01 10:61:30 +0200", ("%Y-%m-%d %H:%M:%S %z",), False),
        ("20260601102030", ("%Y%m%d%H%M%S",), True),
        ("20260601102", ("%Y%m%d%H%M%S",), False),
    ],
)
def test_moments(text: str, formats: tuple[str, ...], *, exists: bool) -> None:
    assert days(pa.array([text]), formats, with_time=True).exists.tolist() == [exists]


@given(st.dates(), st.sampled_from(["%Y-%m-%d", "%d-%m-%Y", "%Y%m%d", "%m/%d/%Y", "%d.%m.%Y"]))
def test_every_day_of_the_calendar_is_read_back(day: dt.date, text_format: str) -> None:
    text = day.strftime(text_format.replace("%Y", f"{day.year:04d}"))
    read = days(pa.array([text]), (text_format,))
    assert read.ordinal.tolist() == [day.toordinal() - 719_163]


def test_patterns_that_the_fast_engine_does_not_know() -> None:
    assert matches(pa.array(["aa", "ab", None]), r"(a)\1").tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Müller-de Vries", "Aaaaaa-aa Aaaaa"),
        ("1234 AB", "9999 AA"),
        ("a@b.nl", "a@a.aa"),
        ("東京", "aa"),
        ("€ 5\n", "? 9?"),
        ("x" * 50, "a" * 24),
    ],
)
def test_shapes(value: str, shown: str) -> None:
    assert shape(value) == shown
