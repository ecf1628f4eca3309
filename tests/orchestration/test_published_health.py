"""What the UI says of the published tables: their checks, whether they are fresh, and days that can be backfilled."""

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.freshness_evaluator import TimeWindowFreshnessPolicyEvaluator
from dagster._core.loader import LoadingContextForTest
from dagster._time import get_current_timestamp

from cdm_pipelines.components.location import load_definitions
from cdm_pipelines.hub.audit import InService
from cdm_pipelines.quality.thresholds import Thresholds
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.customers import auditing

CUSTOMER = dg.AssetKey(["golden", "customer"])
LANDING = Path(__file__).parents[2] / "data" / "landing"


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return load_definitions()


def test_the_published_table_has_checks_of_its_own_that_stop_nothing(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    found = {
        key.name: graph.get_check_spec(key) for key in graph.asset_check_keys if key.asset_key == CUSTOMER
    }
    assert set(found) == {"newest_day", "reconciliation"}
    assert not any(spec.blocking for spec in found.values())


@pytest.mark.parametrize(("hours", "state"), [(1, "PASS"), (40, "WARN"), (80, "FAIL")])
def test_a_published_table_that_nothing_moves_goes_stale(
    definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch, hours: int, state: str
) -> None:
    graph: Any = definitions.resolve_asset_graph()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(CUSTOMER))
        later = get_current_timestamp() + hours * 3600
        place = "dagster._core.definitions.freshness_evaluator"
        monkeypatch.setattr(f"{place}.get_current_timestamp", lambda: later)
        monkeypatch.setattr(
            f"{place}.get_current_datetime", lambda: dt.datetime.fromtimestamp(later, dt.UTC), raising=False
        )
        context: Any = LoadingContextForTest(instance)
        told = TimeWindowFreshnessPolicyEvaluator().evaluate_freshness(context, graph.get(CUSTOMER))
        assert asyncio.run(told).value.upper().startswith(state)


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (InService(2, 5, 5, dt.date(2026, 6, 1)), {}),
        (InService(2, 5, 4, dt.date(2026, 6, 1)), {"reconciliation": "ERROR"}),
        (InService(2, 5, 5, dt.date(2026, 5, 29)), {"newest_day": "WARN"}),
        (InService(0, 0, 0, None), {}),
    ],
)
def test_what_is_in_service_is_judged(found: InService, wrong: dict[str, str]) -> None:
    limits = Thresholds.load(Settings.model_fields["policies"].default / "checks.yaml")
    verdicts = auditing.in_service(found, limits, today=dt.date(2026, 6, 2))
    assert {name: one.severity for name, one in verdicts.items() if not one.passed} == wrong


def test_the_days_of_the_demo_can_be_named_in_a_backfill(definitions: dg.Definitions) -> None:
    for folder in sorted(LANDING.iterdir()):
        partitions = definitions.resolve_job_def(f"ingest_{folder.name}").partitions_def
        assert partitions is not None
        days = {path.name[:10] for path in folder.rglob("20*")}
        assert days <= set(partitions.get_partition_keys()), folder.name
