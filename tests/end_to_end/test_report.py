"""Key figures, maturity, touch points and the report over the demo: figures by another way, bad input, the page."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from cdm_demo import generate
from cdm_pipelines.components.location import load_definitions
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.insight.report_model import Figure, Report
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake

from .conftest import Deployment

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FIRST, LAST = "2026-06-01", "2026-06-02"
DAYS_OF_JUNE = (FIRST, LAST)
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def deployment(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    out = tmp_path_factory.mktemp("board")
    generate(customers=250, days=2, seed=7, out=out)
    made = deploy(out / "landing")
    assert made.run(FIRST, LAST) == 0
    return made


@pytest.fixture(scope="module")
def pages(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {language: folder / f"{language}.html" for language in ("en", "nl")}
    for language, path in made.items():
        deployment.ask("report", "--month", "2026-06", "--language", language, "--out", str(path))
    return made


@pytest.fixture(scope="module")
def report(deployment: Deployment, pages: dict[str, Path]) -> Report:
    lake = Lake(deployment.settings.lake_url)
    return Report.model_validate_json(lake.read_json("insight/report/2026-06.json"))


def figures(report: Report) -> dict[str, Figure]:
    return {f"{section.key}.{one.key}": one for section in report.sections for one in section.figures}


def rows(deployment: Deployment, table: str, columns: str) -> list[dict[str, Any]]:
    """Whole rows, from which everything is counted again here and nothing in SQL."""
    names = columns.split()
    found = deployment.query(f"SELECT {', '.join(names)} FROM {table}")
    return [dict(zip(names, row, strict=True)) for row in found]


def newest_checks(deployment: Deployment) -> list[float]:
    order = rows(deployment, "ops.measurement", 'asset name part value "partition" measured_at')
    found: dict[tuple[str, str], tuple[Any, float]] = {}
    for row in order:
        if (
            row["name"].startswith("check ")
            and row["part"] == "passed"
            and not row["asset"].startswith("insight")
        ):
            at = (row['"partition"'], row["measured_at"])
            key = (row["asset"], row["name"])
            if key not in found or found[key][0] < at:
                found[key] = (at, row["value"])
    return [value for _, value in found.values()]


def independent(deployment: Deployment) -> dict[str, float | None]:
    """Every figure of the report, counted in Python from whole rows."""
    customers = rows(
        deployment, "golden.customer", "golden_id status party_kind record_count source_count first_seen"
    )
    crosswalk = [
        row for row in rows(deployment, "golden.crosswalk", "source entity golden_id active") if row["active"]
    ]
    rfm = rows(deployment, "profile.rfm", "golden_id net orders last_ordered_on")
    engagement = rows(deployment, "profile.engagement", "golden_id visits_90 emails_90 clicks_90 as_of")
    value = rows(deployment, "profile.lifetime_value", "expected_value expected_margin")
    service = rows(deployment, "profile.service", "csat csat_answers")
    stages = [
        row["stage"] for row in rows(deployment, "profile.lifecycle", "stage") if row["stage"] != "prospect"
    ]
    quality = [
        row["confidence"] for row in rows(deployment, "profile.quality", "confidence") if row["confidence"]
    ]
    consent = rows(deployment, "privacy.consent", "golden_id purpose allowed")
    overdue = rows(deployment, "profile.payment", "overdue_amount")
    checks = newest_checks(deployment)
    visitors = [row for row in engagement if row["visits_90"] > 0]
    bought = {row["golden_id"]: row["last_ordered_on"] for row in rfm}
    buyers = [
        row for row in visitors
        if bought.get(row["golden_id"]) and (row["as_of"] - bought[row["golden_id"]]).days < 90
    ]  # fmt: skip
    answered = [row for row in service if row["csat"] is not None]
    answers = sum(row["csat_answers"] for row in answered)
    lists = Counter((row["source"], row["entity"], row["golden_id"]) for row in crosswalk)
    nets = sorted((row["net"] for row in rfm if row["net"] > 0), reverse=True)
    expected = [row["expected_value"] for row in value if row["expected_value"] is not None]
    whose = dict(deployment.query("SELECT part, value FROM ops.measurement WHERE name = 'whose'"))
    anonymous = [
        whose.get(f"anonymous: {reason}", 0.0)
        for reason in ("not identified", "no token", "shared device", "channel left out")
    ]
    met = {row["kpi"]: row["met"] for row in rows(deployment, "insight.kpi", "kpi met")}
    levels = {
        row["dimension"]: row["level"] for row in rows(deployment, "insight.maturity", "dimension level")
    }
    subject = ("source", "entity", "attribute", "dimension", "measure")
    scores: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows(deployment, "insight.quality", f"{' '.join(subject)} as_of numerator denominator target"):
        key = tuple(row[name] for name in subject)
        if key not in scores or scores[key]["as_of"] < row["as_of"]:
            scores[key] = row

    def score(name: str, value: str) -> float:
        mine = [row for row in scores.values() if row[name] == value]
        return float(sum(row["numerator"] for row in mine) / sum(row["denominator"] for row in mine))

    targets = [row for row in scores.values() if row["target"] is not None]
    dimensions = ("completeness", "validity", "uniqueness", "consistency", "timeliness", "accuracy")
    return {
        "quality.without_fault": score("measure", "all"),
        **{f"quality.{name}": score("dimension", name) for name in dimensions},
        "quality.missed": sum(row["numerator"] / row["denominator"] < row["target"] for row in targets),
        "worth.faults": None,  # the company has not said what one of them costs
        "worth.gains": None,
        "customers.customers": len(customers),
        "customers.active": sum(row["status"] == "active" for row in customers),
        "customers.organisations": sum(row["party_kind"] == "organisation" for row in customers),
        "customers.new": sum(str(row["first_seen"]) >= FIRST for row in customers),
        "customers.records": sum(row["record_count"] for row in customers) / len(customers),
        "customers.shared": sum(row["source_count"] > 1 for row in customers) / len(customers),
        "customers.may_be_mailed": len(
            {row["golden_id"] for row in consent if row["purpose"] == "marketing" and row["allowed"]}
        ),
        "kpis.satisfaction": float(sum(row["csat"] * row["csat_answers"] for row in answered) / answers)
        if answers >= 5
        else None,
        "kpis.conversion": len(buyers) / len(visitors) if len(visitors) >= 5 else None,
        "kpis.lifetime_value": float(sum(expected) / len(expected)),
        "kpis.targeting": sum(row["clicks_90"] for row in engagement)
        / sum(row["emails_90"] for row in engagement),
        "kpis.churn": stages.count("lost") / len(stages),
        "kpis.cost": sum(count - 1 for count in lists.values()) / len(crosswalk),
        "kpis.reliable_insight": float(sum(quality) / len(quality)),
        "kpis.privacy_compliance": None,
        "kpis.governance": sum(checks) / len(checks),
        "value.buyers": sum(row["orders"] > 0 for row in rfm),
        "value.net": float(sum(row["net"] for row in rfm)),
        "value.expected": float(sum(expected)),
        "value.margin": float(sum(row["expected_margin"] or Decimal(0) for row in value)),
        "value.top_tenth": float(sum(nets[: -(-len(nets) // 10)]) / sum(nets)),
        "value.overdue": float(sum(row["overdue_amount"] or Decimal(0) for row in overdue)),
        **{f"maturity.{name}": level for name, level in levels.items()},
        "touch_points.hand_over": whose["by token"] / (whose["by token"] + sum(anonymous)),
        "risks.overdue_requests": 0,
        "risks.missed_targets": list(met.values()).count(False),
        "risks.stale_sources": 0,
        "risks.failed_checks": checks.count(0.0),
    }


def test_every_figure_equals_what_is_counted_from_whole_rows(deployment: Deployment, report: Report) -> None:
    found = {key: one.value for key, one in figures(report).items()}
    expected = independent(deployment)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == (None if value is None else pytest.approx(value, abs=1e-8)), key


def test_every_query_that_is_shown_gives_the_figure_beside_it(deployment: Deployment, report: Report) -> None:
    for key, one in figures(report).items():
        (row, *more) = deployment.query(one.query.replace(":", r"\:").replace(r"\:\:", "::"))
        assert not more, key
        if one.value is not None:
            assert float(row[0]) == pytest.approx(one.value, abs=1e-8), key


def test_the_charts_count_what_the_figures_do(report: Report) -> None:
    charts = {chart.title.en: chart for section in report.sections for chart in section.charts}
    stages = sum(point.value or 0 for point in charts["Customers by stage"].points)
    assert stages == figures(report)["customers.customers"].value
    visits = charts["What becomes of visits that name nobody"].points
    assert sum(point.value or 0 for point in visits) == figures(report)["touch_points.hand_over"].base


def test_touch_points_count_every_interaction_and_order_of_the_month(
    deployment: Deployment, report: Report
) -> None:
    """What was before the month counts nowhere, for gaps are held against what a silent one has in a month."""
    kept = {row["touch_point"]: row for row in rows(
        deployment, "insight.touch_point", "touch_point contacts recognised hidden"
    )}  # fmt: skip
    every: Counter[str] = Counter()
    of_month: Counter[str] = Counter()
    lake = Lake(deployment.settings.lake_url)
    for path in lake.paths(layout.INTERACTIONS):
        for row in lake.read(path).to_pylist():
            every[row["source"]] += row["touches"]
            of_month[row["source"]] += row["touches"] if str(row["day"]) in DAYS_OF_JUNE else 0
    by_contacts = {"website": "web", "email": "mail", "service_desk": "desk"}
    assert {name: kept[name]["contacts"] for name in by_contacts} == {
        name: of_month[source] for name, source in by_contacts.items()
    }
    assert sum(every.values()) > sum(of_month.values()) > 0
    assert all(kept[name]["recognised"] <= kept[name]["contacts"] for name in by_contacts)
    assert sum(kept[name]["recognised"] for name in by_contacts) > 0
    orders: dict[str, list[Any]] = {"shop": [], "erp": []}
    for source, at, golden_id in deployment.query(
        "SELECT source, ordered_at, golden_id FROM golden.customer_order"
    ):
        orders[source].append((at and str(at.astimezone(ZoneInfo("Europe/Amsterdam")).date()), golden_id))
    for name, source in (("web_shop", "shop"), ("sales_office", "erp")):
        whose = [golden_id for day, golden_id in orders[source] if day in DAYS_OF_JUNE]
        assert (kept[name]["contacts"], kept[name]["recognised"]) == (
            len(whose),
            sum(one is not None for one in whose),
        )
        assert len(whose) < len(orders[source])
    assert (kept["store"]["contacts"], kept["store"]["hidden"]) == (None, None)


def test_who_hands_over_to_whom(deployment: Deployment) -> None:
    found = deployment.query("SELECT from_point, to_point, times, customers FROM insight.hand_over")
    assert ("web_shop", "website") in {(one, other) for one, other, *_ in found}
    assert all(one != other and 0 < customers <= times for one, other, times, customers in found)


def test_a_run_of_the_job_keeps_the_month_and_a_second_one_changes_nothing(
    deployment: Deployment, report: Report
) -> None:
    tables = ("kpi", "maturity", "touch_point", "hand_over")

    def state() -> tuple[Any, ...]:
        kept = [
            deployment.query(f"SELECT xmin::text, t.* FROM insight.{one} t ORDER BY 2, 4, 5")
            for one in tables
        ]
        lake = {path: digest for path, digest in deployment.lake().items() if path.startswith("insight/")}
        return kept, lake

    before = state()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in deployment.settings.environment().items():
            patch.setenv(name, value)
        job = load_definitions().resolve_job_def("key_figures")
        done = job.execute_in_process(resources={"platform": Platform()})
    assert done.success
    assert state() == before
    made = {
        event.step_materialization_data.materialization.asset_key.to_user_string()
        for event in done.all_events
        if event.is_step_materialization
    }
    assert made == {f"insight/{name}" for name in ("kpis", "maturity", "touch_points", "report")}
    checks = {one.check_name: (one.passed, one.severity) for one in done.get_asset_check_evaluations()}
    assert checks["targets_met"] == (False, dg.AssetCheckSeverity.WARN)
    assert checks["all_deliver"] == (False, dg.AssetCheckSeverity.WARN)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("kpis", "--month", "2099-01"), "still to come"),
        (("kpis", "--month", "2026-05"), "before the first run"),
        (("maturity", "--month", "2026-07"), "Nothing was delivered in 2026-07"),
        (("touch-points", "--month", "June"), "YYYY-MM"),
        (("report", "--language", "de"), "choose en (English) or nl (Dutch)"),
        (("report", "--month", "2026-05"), "before the first run"),
    ],
)
def test_what_cannot_be_answered_is_told_in_a_sentence(
    deployment: Deployment, arguments: tuple[str, ...], told: str
) -> None:
    said = deployment.ask(*arguments, code=1)
    assert told in " ".join(said.split())
    assert "Traceback" not in said


def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked(
    deployment: Deployment, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    said = deployment.ask("report", "--out", str(tmp_path / "file" / "report.html"), code=2)
    assert "cannot be used as a folder" in said
    assert "is a folder" in deployment.ask("report", "--out", str(tmp_path), code=2)


def test_commands_say_the_same_in_both_languages(deployment: Deployment) -> None:
    assert "not measurable yet, because nobody has asked" in " ".join(deployment.ask("kpis").split())
    assert "Tevredenheid" in deployment.ask("kpis", "--language", "nl")
    assert "10 questions have no answer yet" in deployment.ask("maturity")
    assert "Webwinkel naar Website" in deployment.ask("touch-points", "--language", "nl")


def test_no_value_of_a_person_is_in_a_report(deployment: Deployment, pages: dict[str, Path]) -> None:
    names = {
        str(value)
        for row in deployment.query(
            "SELECT golden_id, email, surname, phone, iban, postcode FROM golden.customer"
        )
        for value in row
        if value is not None and len(str(value)) > 5
    }
    kept = json.dumps(
        [
            path.read_text(encoding="utf-8")
            for path in Path(deployment.settings.lake_url).glob("insight/**/*.*")
        ]
    )
    for text in (kept, *(path.read_text(encoding="utf-8") for path in pages.values())):
        assert not {name for name in names if name in text and re.search(rf"\b{re.escape(name)}\b", text)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def opened(browser: Browser, path: Path, width: int) -> tuple[Page, list[str]]:
    page = browser.new_page(viewport={"width": width, "height": 900}, offline=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    return page, asked


@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("width", [1200, 360])
def test_the_page_is_whole_offline_and_can_be_read_by_everybody(
    browser: Browser, pages: dict[str, Path], language: str, width: int
) -> None:
    page, asked = opened(browser, pages[language], width)
    try:
        assert asked == [pages[language].as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page)
        serious = [
            one["id"] for one in found.response["violations"] if one["impact"] in {"serious", "critical"}
        ]
        assert serious == []
        assert page.locator("[data-figure]").count() == 42
    finally:
        page.close()


def test_on_paper_nothing_is_cut_off(browser: Browser, pages: dict[str, Path]) -> None:
    page, _ = opened(browser, pages["nl"], 700)
    try:
        page.emulate_media(media="print")
        wide = page.evaluate(
            "Math.max(...[...document.querySelectorAll('table, svg, .figure')]"
            ".map(one => one.getBoundingClientRect().right))"
        )
        assert wide <= 701
        assert not page.locator("nav").is_visible()
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    finally:
        page.close()
