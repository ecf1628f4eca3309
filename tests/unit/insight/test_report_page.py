"""The page: nothing of another host, nothing unescaped, every figure with formula and query, in both languages."""

import datetime as dt
import re
import xml.etree.ElementTree as ET

import pytest
from pydantic import ValidationError

from cdm_pipelines.insight import report_charts
from cdm_pipelines.insight.report_model import (
    Chart,
    ChartKind,
    Edge,
    Figure,
    Point,
    Report,
    Section,
    Table,
)
from cdm_pipelines.insight.report_months import InsightError
from cdm_pipelines.insight.report_page import page
from cdm_pipelines.insight.report_words import Language, Told, Unit, language_of, month_name, same, written

EVIL = "<script>alert('&\"')</script>"


def report() -> Report:
    shared = {"formula": same(EVIL), "query": f"SELECT '{EVIL}'"}
    figures = (
        Figure(key="a", title=same(EVIL), value=0.125, unit=Unit.SHARE, target=0.2, met=False, **shared),
        Figure(key="b", title=same("b"), value=None, unit=Unit.COUNT, because=same(EVIL), **shared),
        Figure(key="c", title=same("c"), value=1234.5, unit=Unit.CURRENCY, base=1000, **shared),
    )
    point = Point(label=same(EVIL), value=3.0, key="x", target=4.0, met=True, below=same(EVIL))
    other = Point(label=same("none"), value=None, key="y")
    edge = Edge(start="x", end="y", told=same(EVIL), weight=0.5)
    charts = tuple(
        Chart(kind=kind, title=same(EVIL), points=(point, other), edges=(edge,), target=2.0)
        for kind in ChartKind
    )
    table = Table(title=same(EVIL), columns=(same(EVIL),), rows=((same(EVIL),),), numeric=(0,))
    section = Section(
        key="s", title=same(EVIL), intro=same(EVIL), figures=figures, charts=charts, tables=(table,)
    )
    day = dt.date(2026, 6, 1)
    return Report(month=day, as_of=day, currency="EUR", sections=(section,))


@pytest.mark.parametrize("language", Language)
def test_what_a_company_writes_is_text_and_never_a_tag(language: Language) -> None:
    made = page(report(), language)
    assert "<script" not in made
    assert "alert(" in made


@pytest.mark.parametrize("language", Language)
def test_the_page_asks_nothing_of_another_host(language: Language) -> None:
    made = page(report(), language).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"(https?:)?//[a-z]|url\((?!#)|<link|@import|src=", made)


def test_figures_are_written_as_a_language_writes_them() -> None:
    english, dutch = (page(report(), one) for one in Language)
    assert ("12.5%" in english, "€ 1,234.50" in english) == (True, True)
    assert ("12,5%" in dutch, "€ 1.234,50" in dutch) == (True, True)
    assert '<html lang="nl">' in dutch
    assert "Nog niet meetbaar, want" in dutch
    assert "Not measurable yet, because" in english


def test_a_report_is_the_same_after_it_was_kept() -> None:
    assert Report.model_validate_json(report().model_dump_json()) == report()


def test_a_figure_without_a_value_says_why() -> None:
    with pytest.raises(ValidationError, match="say why"):
        Figure(key="a", title=same("a"), value=None, unit=Unit.COUNT, formula=same("f"), query="SELECT 1")


@pytest.mark.parametrize(
    "drawn",
    [
        report_charts.line([], EVIL, unit=Unit.COUNT, language=Language.ENGLISH),
        report_charts.line([("2026-06", None)], EVIL, unit=Unit.COUNT, language=Language.ENGLISH),
        report_charts.line(
            [("2026-04", 1.0), ("2026-05", None), ("2026-06", 0.0)],
            EVIL,
            unit=Unit.SHARE,
            language=Language.DUTCH,
            target=0.5,
        ),
        report_charts.bars([], EVIL, unit=Unit.COUNT, language=Language.ENGLISH),
        report_charts.bars([(EVIL, 0.0)], EVIL, unit=Unit.COUNT, language=Language.ENGLISH),
        report_charts.radar([("a", 1.0), ("b", 5.0), (EVIL, 3.0)], 5, EVIL),
        report_charts.graph([], [], EVIL),
        report_charts.graph([("a", EVIL, "", False)], [("a", "b", EVIL, 1.0), ("a", "a", EVIL, 1.0)], EVIL),
    ],
)
def test_a_picture_of_little_or_nothing_is_a_picture_still(drawn: str) -> None:
    found = ET.fromstring(drawn)
    assert found.get("role") == "img"
    assert found.get("aria-label") == EVIL


def test_a_gap_of_months_breaks_the_line() -> None:
    points = [("2026-03", 1.0), ("2026-04", 1.0), ("2026-05", None), ("2026-06", 1.0)]
    drawn = report_charts.line(points, "x", unit=Unit.COUNT, language=Language.ENGLISH)
    assert len(re.findall(r'<path d="M[^"]*" fill="none" stroke="#35608f"', drawn)) == 2


def test_an_unknown_language_is_told_with_those_that_there_are() -> None:
    with pytest.raises(InsightError, match=r"en \(English\) or nl \(Dutch\)"):
        language_of("de")


@pytest.mark.parametrize(
    ("value", "unit", "english", "dutch"),
    [
        (0.9784, Unit.SHARE, "97.8%", "97,8%"),
        (1234567, Unit.COUNT, "1,234,567", "1.234.567"),
        (3.456, Unit.SCORE, "3.46", "3,46"),
        (12.25, Unit.DAYS, "12.2 days", "12,2 dagen"),
    ],
)
def test_numbers_in_words(value: float, unit: Unit, english: str, dutch: str) -> None:
    assert (written(value, unit, Language.ENGLISH), written(value, unit, Language.DUTCH)) == (english, dutch)
    assert month_name(dt.date(2026, 3, 1), Language.DUTCH) == "maart 2026"


def test_a_text_without_one_of_the_languages_is_refused() -> None:
    with pytest.raises(ValidationError):
        Told.model_validate({"en": "only"})
