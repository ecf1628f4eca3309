"""Key figures: which policies are refused, which queries, which months; what is kept and how often it is written."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, text

from cdm_pipelines.hub import kpi_history
from cdm_pipelines.hub.kpi_query import QueryError, ask
from cdm_pipelines.hub.schema_kpi import kpi as table
from cdm_pipelines.insight.kpi_policy import KpiPolicy, dated
from cdm_pipelines.insight.kpis import KpiFound
from cdm_pipelines.insight.report_months import InsightError, Period, period_of
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.insight import kpis
from cdm_pipelines.steps.insight.months import one_version

JUNE = dt.date(2026, 6, 1)
PERIOD = Period(JUNE, dt.date(2026, 6, 30), dt.date(2026, 6, 3))
WORDS = {"en": "some words", "nl": "wat woorden"}
KPI: dict[str, Any] = {
    "title": WORDS,
    "definition": WORDS,
    "owner": "somebody",
    "unit": "count",
    "direction": "higher",
    "target": 5,
    "without": WORDS,
    "query": "SELECT 7 AS value, 9 AS base",
}


def policies(folder: Path, **kpis_: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "kpis.yaml").write_text(yaml.safe_dump({"version": 1, "kpis": kpis_}, sort_keys=False))
    return folder


def test_the_nine_that_are_shipped_are_asked_in_their_order() -> None:
    shipped = KpiPolicy.load(Settings.model_fields["policies"].default)
    assert list(shipped.kpis) == [
        *("satisfaction", "conversion", "lifetime_value", "targeting", "churn", "cost"),
        *("reliable_insight", "privacy_compliance", "governance"),
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"queri": "SELECT 1"}, "kpis.one.queri"),
        ({"query": "DELETE FROM golden.customer"}, "begins with SELECT"),
        ({"query": "SELECT 1; DROP TABLE x"}, "without a semicolon"),
        ({"query": "SELECT :tomorrow AS value"}, ":tomorrow is no day"),
        ({"unit": "share", "target": 80}, "a share is from 0 to 1"),
        ({"unit": "euros"}, "kpis.one.unit"),
        ({"direction": "up"}, "kpis.one.direction"),
        ({"title": {"en": "only English"}}, "kpis.one.title.nl"),
        ({"target": float("nan")}, "kpis.one.target"),
    ],
)
def test_a_policy_that_cannot_be_used_names_file_key_and_fault(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    folder = policies(tmp_path, one=KPI | change)
    with pytest.raises(PrivacyPolicyError) as refused:
        KpiPolicy.load(folder)
    assert "kpis.yaml" in str(refused.value)
    assert told in str(refused.value)


def test_days_that_a_query_names_are_dates_and_casts_and_texts_stay() -> None:
    query = "SELECT 'at :last'::text, x::date FROM t WHERE d BETWEEN :first AND :as_of"
    days = {"first": JUNE, "last": dt.date(2026, 6, 30), "as_of": dt.date(2026, 6, 3)}
    assert dated(query, days) == (
        "SELECT 'at :last'::text, x::date FROM t WHERE d BETWEEN DATE '2026-06-01' AND DATE '2026-06-03'"
    )


TODAY = dt.date(2026, 8, 20)
KNOWN = (dt.date(2026, 6, 2), dt.date(2026, 7, 9))


@pytest.mark.parametrize(
    ("asked", "first", "last", "as_of", "now"),
    [
        (None, "2026-07-01", "2026-07-31", "2026-07-09", True),
        ("2026-07", "2026-07-01", "2026-07-31", "2026-07-09", True),
        ("2026-06", "2026-06-01", "2026-06-30", "2026-06-30", False),
    ],
)
def test_the_month_that_is_meant(asked: str | None, first: str, last: str, as_of: str, now: bool) -> None:
    days = [dt.date.fromisoformat(one) for one in (first, last, as_of)]
    expected = Period(days[0], days[1], days[2], now)
    assert period_of(asked, *KNOWN, TODAY) == expected


def test_a_month_that_is_not_over_ends_today() -> None:
    assert period_of(None, *KNOWN, dt.date(2026, 7, 10)).last == dt.date(2026, 7, 10)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("2026-09", "still to come"),
        ("2026-08", "Nothing was delivered in 2026-08"),
        ("2026-05", "before the first run"),
        ("2026-13", "01 to 12"),
        ("2026-6", "YYYY-MM"),
        ("juni", "YYYY-MM"),
    ],
)
def test_a_month_of_which_nothing_can_be_known(asked: str, told: str) -> None:
    with pytest.raises(InsightError, match=told):
        period_of(asked, *KNOWN, TODAY)


def test_before_the_first_publication_there_is_no_month() -> None:
    with pytest.raises(InsightError, match="cdm run"):
        period_of(None, None, None, TODAY)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT nothing AS value, 1 AS base FROM golden.customer", 'column "nothing" does not exist'),
        ("SELECT 1 AS value, 1 AS base FROM golden.nobody", 'relation "golden.nobody" does not exist'),
        ("SELECT 1 AS value", "gives the columns value, and not"),
        ("SELECT 1 AS value, 1 AS base UNION ALL SELECT 2, 2", "several rows"),
        ("SELECT 1 AS value, 1 AS base WHERE false", "no row"),
        (
            "WITH x AS (DELETE FROM golden.customer RETURNING 1) SELECT 1 AS value, 1 AS base",
            "may only read",
        ),
    ],
)
def test_a_query_that_cannot_be_run_is_told_in_words(hub_engine: Engine, query: str, told: str) -> None:
    with hub_engine.begin() as connection:
        with pytest.raises(QueryError, match=told):
            ask(connection, query, ("value", "base"))
        connection.execute(text("CREATE TEMP TABLE still_writes (x int)"))


def test_what_a_query_stumbles_over_is_not_told(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection, pytest.raises(QueryError) as refused:
        ask(connection, "SELECT CAST('Jansen' AS int) AS value, 1 AS base", ("value", "base"))
    assert "Jansen" not in str(refused.value)


def measured(settings: Settings, engine: Engine, folder: Path) -> list[KpiFound]:
    own = settings.model_copy(update={"policies": folder})
    with one_version(engine) as connection:
        found = kpis.work_out(connection, own, PERIOD)
        kpis.keep(connection, PERIOD, found)
    return found


def kept(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT xmin::text, * FROM insight.kpi ORDER BY month, kpi"))
        return [tuple(row) for row in rows]


def test_what_is_found_says_whether_the_target_is_met_or_why_there_is_no_figure(
    settings: Settings, hub_engine: Engine, tmp_path: Path
) -> None:
    folder = policies(
        tmp_path / "own",
        met=KPI,
        missed=KPI | {"direction": "lower"},
        no_target=KPI | {"target": None},
        nothing=KPI | {"query": "SELECT NULL::int AS value, 0 AS base"},
        no_table=KPI | {"needs": ["profile.not_there"], "query": "SELECT x AS value FROM profile.not_there"},
        too_few=KPI | {"query": "SELECT 7 AS value, 4 AS base"},
    )
    found = {one.key: one for one in measured(settings, hub_engine, folder)}
    assert {key: (one.value, one.met) for key, one in found.items()} == {
        "met": (7.0, True),
        "missed": (7.0, False),
        "no_target": (7.0, None),
        "nothing": (None, None),
        "no_table": (None, None),
        "too_few": (None, None),
    }
    told = {key: one.because.en for key, one in found.items() if one.because}
    assert told["nothing"] == "some words"
    assert "profile.not_there is not there" in told["no_table"]
    assert "4 cases" in told["too_few"]


def test_an_unknown_column_names_file_and_key_of_the_query(
    settings: Settings, hub_engine: Engine, tmp_path: Path
) -> None:
    folder = policies(
        tmp_path / "own", one=KPI | {"query": "SELECT oops AS value, 1 AS base FROM golden.customer"}
    )
    with pytest.raises(InsightError, match=r'kpis\.yaml: kpis\.one\.query: .*column "oops" does not exist'):
        measured(settings, hub_engine, folder)


def test_a_month_that_is_written_again_is_left_as_it_is(
    settings: Settings, hub_engine: Engine, tmp_path: Path
) -> None:
    folder = policies(tmp_path / "own", one=KPI, other=KPI)
    measured(settings, hub_engine, folder)
    before = kept(hub_engine)
    measured(settings, hub_engine, folder)
    assert kept(hub_engine) == before
    measured(settings, hub_engine, policies(folder, one=KPI))
    assert [row[0] for row in kept(hub_engine)] == [before[0][0]], "one that is no more goes, the other stays"


def test_a_former_month_is_told_as_it_was_kept_and_never_asked_again(
    settings: Settings, hub_engine: Engine, tmp_path: Path
) -> None:
    folder = policies(tmp_path / "own", one=KPI)
    measured(settings, hub_engine, folder)
    own = settings.model_copy(update={"policies": policies(folder, one=KPI | {"target": 100})})
    then = Period(JUNE, PERIOD.last, PERIOD.last, now=False)
    with hub_engine.connect() as connection:
        (found,) = kpis.of_month(connection, own, then)
        assert (found.value, found.kpi.target, found.met) == (7.0, 5.0, True)
        nothing = Period(dt.date(2026, 4, 1), dt.date(2026, 4, 30), dt.date(2026, 4, 30), now=False)
        with pytest.raises(InsightError, match="No key figures were kept of 2026-04"):
            kpis.of_month(connection, own, nothing)


def test_a_series_has_the_months_in_which_the_figure_was_the_same_one(
    settings: Settings, hub_engine: Engine, tmp_path: Path
) -> None:
    own = settings.model_copy(update={"policies": policies(tmp_path / "own", one=KPI)})
    definition = KpiPolicy.load(own.policies).kpis["one"].fingerprint
    row = {
        "as_of": JUNE,
        "kpi": "one",
        "base": 1,
        "unit": "count",
        "target": None,
        "met": None,
        "because": None,
    }
    with hub_engine.begin() as connection:
        for back, value, fingerprint in (
            (0, 4.0, definition),
            (1, 3.0, definition),
            (2, 99.0, "another query"),
        ):
            month = kpi_history.months_before(JUNE, back)
            rows = [row | {"value": value, "definition": fingerprint}]
            assert kpi_history.keep(connection, table, month, rows) == 1
        found = kpis.series(connection, own, PERIOD)
    assert found == {"one": [(dt.date(2026, 5, 1), 3.0), (JUNE, 4.0)]}


def test_months_that_ended_long_ago_are_forgotten_whole(hub_engine: Engine) -> None:
    row = {"as_of": JUNE, "kpi": "one", "value": 1.0, "base": 1, "unit": "count", "definition": "x"}
    row |= {"target": None, "met": None, "because": None}
    with hub_engine.begin() as connection:
        for back in range(4):
            kpi_history.keep(connection, table, kpi_history.months_before(JUNE, back), [row])
        assert kpi_history.forget(connection, dt.date(2026, 5, 20)) == 2
        left = [one["month"] for one in kpi_history.series(connection, table, JUNE, 12)]
    assert left == [dt.date(2026, 5, 1), JUNE]


def test_a_year_back_is_the_same_month() -> None:
    assert kpi_history.months_before(dt.date(2026, 3, 1), 12) == dt.date(2025, 3, 1)
    assert kpi_history.months_before(dt.date(2026, 1, 1), 1) == dt.date(2025, 12, 1)
