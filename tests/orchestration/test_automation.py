"""What starts by itself: customers after new days, all of it in one run, never without the audit."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from cdm_pipelines.components.location import load_definitions
from cdm_pipelines.defs.operations.jobs import STATE_GROUPS
from cdm_pipelines.enrichment.catalogue import built_in

DAY = "2026-06-01"
STATES = {
    *("records/party", "records/order", "records/invoice", "link/model", "link/matches", "link/clusters"),
    *("golden/staged", "golden/customer", "golden/crosswalk", "golden/provenance"),
    "golden/history",
    "records/consent",
    "privacy/consent",
    "profile/interactions",
    "profile/model",
    *(f"profile/{name}" for name in built_in()),
    "profile/customer",
    "profile/households",
    "profile/organisations",
    "activation/next_best_action",
    "publish/audiences",
    "publish/feed",
    "publish/source_corrections",
    "insight/quality",
    "insight/business_case",
}
STAGED = dg.AssetKey(["golden", "staged"])
AUDITS = {
    "reconciliation",
    "uniqueness",
    "decision_chain",
    "requests_answered",
    "referential_integrity",
    "customer_drift",
    "cluster_size",
    "cluster_size_drift",
    "id_churn",
    "merges",
}


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return load_definitions()


class Ticks:
    """Evaluates the automation as the daemon does."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.definitions, self.instance = definitions, instance
        self.result = self._evaluate(None)

    def _evaluate(self, cursor: object) -> dg.EvaluateAutomationConditionsResult:
        return dg.evaluate_automation_conditions(
            self.definitions,
            asset_selection=dg.AssetSelection.groups(*STATE_GROUPS),
            instance=self.instance,
            cursor=cursor,  # type: ignore[arg-type]
            evaluation_time=datetime(2026, 6, 2, 12, tzinfo=UTC),
        )

    def tick(self) -> set[str]:
        self.result = self._evaluate(self.result.cursor)
        return {
            key.to_user_string()
            for key in self.definitions.resolve_asset_graph().get_all_asset_keys()
            if self.result.get_num_requested(key)
        }


def report(instance: dg.DagsterInstance, source: str, entity: str) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(["standard", source, entity], partition=DAY))


def start(definitions: dg.Definitions, instance: dg.DagsterInstance, job: str) -> dg.DagsterRun:
    """A run that plans its assets and has not ended."""
    found = definitions.resolve_job_def(job)
    run = instance.create_run_for_job(
        found,
        tags={"dagster/partition": DAY},
        status=dg.DagsterRunStatus.STARTED,
        asset_selection=frozenset(found.asset_layer.executable_asset_keys),
    )
    assert not run.is_finished
    return run


def test_a_new_day_of_one_source_starts_everything_that_follows_from_it(definitions: dg.Definitions) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        ticks = Ticks(definitions, instance)
        assert ticks.tick() == set()
        report(instance, "crm", "contact")
        assert ticks.tick() == STATES
        assert ticks.tick() == set()


def test_orders_do_not_run_ahead_of_parties(definitions: dg.Definitions) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        ticks = Ticks(definitions, instance)
        crm = start(definitions, instance, "ingest_crm")
        report(instance, "shop", "order")
        assert ticks.tick() == set()
        report(instance, "crm", "contact")
        instance.report_run_failed(crm)
        assert ticks.tick() == STATES


def test_customers_cannot_be_staged_without_their_audit(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    (staging,) = (found for found in graph.assets_defs if STAGED in found.keys)
    assert {key.name for key in staging.check_keys} == AUDITS
    assert not staging.can_subset


def test_orders_follow_parties_and_are_staged_with_them(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    party, order = dg.AssetKey(["records", "party"]), dg.AssetKey(["records", "order"])
    assert party in graph.get(order).parent_keys
    assert {party, order} <= set(graph.get(STAGED).parent_keys)


@pytest.mark.parametrize("passed", [True, False])
def test_what_failed_its_audit_is_not_published_by_itself(definitions: dg.Definitions, passed: bool) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        ticks = Ticks(definitions, instance)
        instance.report_runless_asset_event(dg.AssetMaterialization(STAGED))
        for name in sorted(AUDITS):
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=STAGED,
                    check_name=name,
                    passed=passed or name != "reconciliation",
                    blocking=True,
                    metadata={},
                )
            )
        asked = ticks.tick()
    assert ("golden/customer" in asked) is passed
