"""Pages of scorecards and key figures: what is listed, chosen and drawn, and for whom."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
from governed_hub import GovernedHub

from cdm_pipelines.console.pages.render import STATIC
from cdm_pipelines.hub import kpi_history, scorecards
from cdm_pipelines.hub.schema_insight import quality
from cdm_pipelines.hub.schema_kpi import kpi
from cdm_pipelines.insight import report_charts
from cdm_pipelines.insight.kpi_policy import KpiPolicy
from cdm_pipelines.steps.insight.kpis import courses

DAYS = [dt.date(2026, 6, day) for day in (1, 2, 3)]


def _scored(as_of: dt.date, source: str, attribute: str, fit: float, target: float | None) -> dict[str, Any]:
    return {
        "as_of": as_of,
        "source": source,
        "entity": "contact",
        "attribute": attribute,
        "dimension": "validity",
        "measure": "fit",
        "numerator": fit,
        "denominator": 1000.0,
        "owner": f"owner of {source}",
        "target": target,
        "made_from": "day 1",
    }


@pytest.fixture(scope="module", autouse=True)
def measured(governed: GovernedHub) -> Iterator[None]:
    """E-mail addresses of the CRM got much worse and miss their target; nothing changes in the shop."""
    rows = [
        _scored(day, *of)
        for day, fit in zip(DAYS, (990.0, 989.0, 700.0), strict=True)
        for of in (("crm", "party.email", fit, 0.95), ("shop", "party.phone", 990.0, None))
    ]
    policy = KpiPolicy.load(governed.settings.policies).kpis
    with governed.engine.begin() as connection:
        scorecards.write(connection, quality, rows, "run")
        for month, value in ((5, 0.25), (6, 0.125)):
            row = {
                "as_of": dt.date(2026, month, 3),
                "kpi": "churn",
                "value": value,
                "base": 80,
                "unit": "share",
                "target": 0.15,
                "met": value <= 0.15,
                "because": None,
                "definition": policy["churn"].fingerprint,
            }
            kpi_history.keep(connection, kpi, dt.date(2026, month, 1), [row])
        other = {**row, "as_of": dt.date(2026, 4, 3), "definition": "of another release"}
        kpi_history.keep(connection, kpi, dt.date(2026, 4, 1), [other])
    yield
    with governed.engine.begin() as connection:
        connection.execute(quality.delete())
        connection.execute(kpi.delete())


def _figures(page: str) -> set[str]:
    return set(re.findall(r'href="(/scorecards/[^"]+)"', page))


CRM, SHOP = (
    "/scorecards/crm/contact/fit?attribute=party.email",
    "/scorecards/shop/contact/fit?attribute=party.phone",
)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", {CRM, SHOP}),
        ("of=crm/contact", {CRM}),
        ("attribute=party.phone", {SHOP}),
        ("owner=owner+of+shop", {SHOP}),
        ("dimension=validity", {CRM, SHOP}),
        ("dimension=accuracy", set()),
        ("which=missed", {CRM}),
        ("which=fell", {CRM}),
        ("which=fell&owner=owner+of+shop", set()),
        ("from=1", {SHOP}),
    ],
)
def test_figures_are_chosen_by_source_attribute_owner_and_what_is_wrong(
    browser: Any, asked: str, found: set[str]
) -> None:
    page = browser("steward").get(f"/scorecards?{asked}")
    assert page.status_code == 200
    assert _figures(page.text) == found


def test_the_course_of_a_figure_is_drawn_and_stands_beside_as_a_table(browser: Any) -> None:
    page = browser("steward").get(CRM, headers={"accept-language": "nl"}).text
    assert [share for share in ("99,0%", "98,9%", "70,0%", "95,0%") if share not in page] == []
    assert "owner of crm" in page
    assert "onder het doel" in page
    assert page.count("<circle") == len(DAYS)
    assert "stroke-dasharray" in page
    assert browser("steward").get("/scorecards/crm/contact/none").status_code == 404


def test_key_figures_of_a_month_are_told_in_the_language_of_the_reader(browser: Any) -> None:
    client = browser("marketing")
    newest = client.get("/figures", headers={"accept-language": "nl"}).text
    assert "12,5%" in newest
    assert "Verloop" in newest
    assert "juni 2026" in newest
    former = client.get("/figures?month=2026-05", headers={"accept-language": "en"}).text
    assert "25.0%" in former
    assert "12.5%" not in former
    other = client.get("/figures?month=2026-04", headers={"accept-language": "en"}).text
    assert "worked out in another way in that month" in other
    assert 'value="2026-06"' in other, "and leads to the other months"
    assert client.get("/figures?month=2020-01").status_code == 404
    assert client.get("/figures?month='--").status_code == 404


def test_a_month_of_which_nothing_is_kept_is_a_gap(governed: GovernedHub) -> None:
    policy = KpiPolicy.load(governed.settings.policies)
    of = {"kpi": "churn", "definition": policy.kpis["churn"].fingerprint}
    months = [dt.date(2025, 11, 1), dt.date(2026, 2, 1)]
    over = courses(policy, [of | {"month": month, "value": 0.5} for month in months])["churn"]
    assert [(f"{month:%Y-%m}", value) for month, value in over] == [
        ("2025-11", 0.5),
        ("2025-12", None),
        ("2026-01", None),
        ("2026-02", 0.5),
    ]


@pytest.mark.parametrize(
    ("role", "place", "status"),
    [
        ("marketing", "/scorecards", 403),
        ("marketing", CRM, 403),
        ("finance", "/figures", 200),
        ("analyst", "/scorecards", 200),
        ("branch", "/figures", 403),
        ("branch", "/scorecards", 403),
    ],
)
def test_whoever_does_not_see_the_figures_is_refused(
    browser: Any, role: str, place: str, status: int
) -> None:
    page = browser(role).get(place, headers={"accept-language": "nl"})
    assert page.status_code == status
    if status == 403:
        assert f"De rol {role} ziet insight." in page.text


def test_each_colour_of_a_drawing_has_one_for_the_dark() -> None:
    colours = {
        getattr(report_charts, name) for name in ("INK", "QUIET", "RULE", "GOOD", "BAD", "PLAIN")
    } - set(re.findall(r'\.drawn \[(?:fill|stroke)="(#\w+)"\]', (STATIC / "console.css").read_text()))
    assert colours == set()
