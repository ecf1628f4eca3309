"""Dates and timestamps in declared formats."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdm_pipelines.contracts import date_formats
from cdm_pipelines.quality.values import days
from cdm_pipelines.standardise import dates
from cdm_pipelines.standardise.distinct import TEXT


@pytest.mark.parametrize(
    ("delivered", "formats", "expected"),
    [
        ("20260601", ("%Y%m%d",), "2026-06-01"),
        ("20260230", ("%Y%m%d",), None),
        ("99991231", ("%Y%m%d",), "9999-12-31"),
        ("4/8/1966", ("%m/%d/%Y",), "1966-04-08"),
        ("04/08/1966", ("%d/%m/%Y",), "1966-08-04"),
        ("01-02-2026", ("%Y%m%d", "%d-%m-%Y"), "2026-02-01"),
        ("2026-06-01", ("%d-%m-%Y",), None),
        ("2026-06-01", (), "2026-06-01"),
        ("2026-06-01T23:30:00Z", (), "2026-06-01"),
        ("01-06-2026", (), None),
        ("2026-06-01 23:30:00 -0500", ("%Y-%m-%d %H:%M:%S %z",), "2026-06-01"),
        ("morgen", (), None),
    ],
)
def test_dates(delivered: str, formats: tuple[str, ...], expected: str | None) -> None:
    assert dates.date(pa.array([delivered]), formats)[0].as_py() == expected


@pytest.mark.parametrize(
    ("delivered", "formats", "expected", "wrong"),
    [
        ("1980-02-29", (), "1980-02-29", False),
        ("1981-02-29", (), None, False),
        ("1899-12-31", (), "1899-12-31", True),
        ("1900-01-01", (), "1900-01-01", True),
        ("1970-01-01", (), "1970-01-01", True),
        ("2026-06-01", (), "2026-06-01", False),
        ("2026-06-02", (), "2026-06-02", True),
        ("9999-12-31", (), "9999-12-31", True),
        ("01-02-75", ("%d-%m-%y",), "1975-02-01", False),
        ("01-02-30", ("%d-%m-%y",), "1930-02-01", False),
        ("01-02-26", ("%d-%m-%y",), "2026-02-01", False),
    ],
)
def test_birth_dates(delivered: str, formats: tuple[str, ...], expected: str | None, wrong: bool) -> None:
    born, implausible = dates.birth_date(pa.array([delivered]), formats, "2026-06-01")
    assert (born[0].as_py(), implausible[0].as_py()) == (expected, wrong)


@pytest.mark.parametrize(
    ("delivered", "formats", "expected"),
    [
        ("2026-06-01T10:20:30.000Z", (), "2026-06-01T10:20:30Z"),
        ("2026-06-01 10:20:30 +0200", (), "2026-06-01T08:20:30Z"),
        ("2026-06-01 10:20:30 +0200", ("%Y-%m-%d %H:%M:%S %z",), "2026-06-01T08:20:30Z"),
        ("2026-06-01T10:20:30+02", (), "2026-06-01T08:20:30Z"),
        ("2026-01-31T10:20:30Z", (), "2026-01-31T10:20:30Z"),
        ("2026-02-30T10:20:30Z", (), None),
        ("2026-06-01 10:20:30", (), "2026-06-01T08:20:30Z"),
        ("2026-06-01", (), "2026-05-31T22:00:00Z"),
        ("20260601", ("%Y%m%d",), "2026-05-31T22:00:00Z"),
        ("2026-10-25 02:30:00", (), "2026-10-25T00:30:00Z"),  # occurs twice: the first
        ("2026-03-29 02:30", (), "2026-03-29T01:00:00Z"),  # skipped: when the clock moved
        ("9999-12-31T23:59:59Z", (), "9999-12-31T23:59:59Z"),
        ("1650-01-01T00:00:00Z", (), "1650-01-01T00:00:00Z"),
        ("99991231", ("%Y%m%d",), "9999-12-30T23:00:00Z"),
        ("0001-01-01 00:00:00", (), None),
        ("01/06/2026 10:20", (), None),
        ("gisteren", (), None),
        ("1 januari 2026", ("%d %B %Y",), "2025-12-31T23:00:00Z"),
        ("1-Mrt-26 14:05", ("%d-%b-%y %H:%M",), "2026-03-01T13:05:00Z"),
        ("1 févr. 2026 2:05 PM", ("%d %b %Y %I:%M %p",), "2026-02-01T13:05:00Z"),
        ("2026-06-01 10:00:00 UTC", ("%Y-%m-%d %H:%M:%S %Z",), "2026-06-01T10:00:00Z"),
        ("2026-06-01 10:00:00 CEST", ("%Y-%m-%d %H:%M:%S %Z",), "2026-06-01T08:00:00Z"),
        ("2026-06-01 10:00:00 XYZ", ("%Y-%m-%d %H:%M:%S %Z",), None),
        ("31 mei 9999", ("%d %B %Y",), "9999-05-30T22:00:00Z"),
    ],
)
def test_timestamps(delivered: str, formats: tuple[str, ...], expected: str | None) -> None:
    assert dates.timestamp(pa.array([delivered]), formats, "Europe/Amsterdam")[0].as_py() == expected


def test_one_value_does_not_change_how_another_is_read() -> None:
    delivered = pa.array(
        ["2026-06-01T10:20:30Z", "2026-06-01 10:20", None, "x", "2026-06-01T10:20:30Z"], TEXT
    )
    assert dates.timestamp(delivered, (), "UTC").to_pylist() == [
        *("2026-06-01T10:20:30Z", "2026-06-01T10:20:00Z", None, None, "2026-06-01T10:20:30Z")
    ]


EARLIEST, LATEST = datetime.fromisoformat("1800-01-01"), datetime.fromisoformat("2199-12-31")
DAYS = ("%Y-%m-%d", "%d-%m-%Y", "%m/%d/%y", "%Y%m%d", "%d %b %Y", "%B %d, %Y", "%d.%m.%Y", "%d%b%Y")
TIMES = ("", " %H:%M", "T%H:%M:%S%z", " %H:%M:%S.%f", " %I:%M %p", " %H:%M:%S %Z", " 100%% %H", "%H%M%S")
FORMATS = [day + time for day in DAYS for time in TIMES]
MONTHS = {
    "en": "January February March April May June July August September October November December",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
    "da": "januar februar marts april maj juni juli august september oktober november december",
    "no": "januar februar mars april mai juni juli august september oktober november desember",
    "short nl": "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "short de": "Jan. Feb. Mär. Apr. Mai Jun. Jul. Aug. Sep. Okt. Nov. Dez.",
    "short fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
}


@settings(max_examples=100, deadline=None)
@given(st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)), st.sampled_from(FORMATS))
def test_what_is_accepted_as_a_day_or_a_moment_is_read(moment: datetime, form: str) -> None:
    delivered = pa.array([moment.strftime(form)], TEXT)
    accepted = days(delivered, (form,))
    assert accepted.exists.tolist() == [True]
    day = dates.date(delivered, (form,))[0].as_py()
    assert day == accepted.ordinal.astype("datetime64[D]").astype(str)[0]
    assert dates.timestamp(delivered, (form,), "UTC")[0].as_py()[:10] == day


@pytest.mark.parametrize("language", MONTHS)
def test_no_month_of_a_language_is_lost(language: str) -> None:
    delivered = pa.array([f"2 {name} 2026" for name in MONTHS[language].split()])
    expected = [f"2026-{month:02d}-02" for month in range(1, 13)]
    for form in ("%d %B %Y", "%d %b %Y"):
        assert dates.date(delivered, (form,)).to_pylist() == expected
        moments = dates.timestamp(delivered, (form,), "UTC").to_pylist()
        assert moments == [f"{day}T00:00:00Z" for day in expected]


def test_every_part_of_a_format_is_read_by_both_readers() -> None:
    used = {part for form in FORMATS for part in date_formats.pieces(form) if part.startswith("%")}
    assert used == set(date_formats.PARTS)
    assert [form for form in FORMATS if date_formats.fault(form)] == []


@pytest.mark.parametrize(
    "delivered", ["2026-06-01T10:20", "2026-06-01 10:20:30.5 UTC", "2026-06-01 10:20:30,25+02"]
)
def test_every_spelling_of_a_moment_that_is_accepted_is_read(delivered: str) -> None:
    values = pa.array([delivered], TEXT)
    assert days(values, (), with_time=True).exists.tolist() == [True]
    assert dates.timestamp(values, (), "Europe/Amsterdam")[0].is_valid
