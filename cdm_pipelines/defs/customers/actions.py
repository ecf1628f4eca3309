"""The asset ``activation/next_best_action``: what to do next for each customer.

Belongs here: what it is called and depends on. Does not belong here: how it is chosen, or figures.
"""

import dagster as dg

from cdm_pipelines.components.measuring import Results, measuring
from cdm_pipelines.components.metadata import hub_schema, lineage
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.registry import CONSENT, OWNER, automation
from cdm_pipelines.components.transient import transient_retry_policy
from cdm_pipelines.hub.schema_actions import next_best_action as table

NEXT_BEST_ACTION = dg.AssetKey(["activation", "next_best_action"])
_PROFILE = dg.AssetKey(["profile", "customer"])


@dg.asset(
    key=NEXT_BEST_ACTION,
    deps=[_PROFILE, CONSENT],
    check_specs=[
        dg.AssetCheckSpec(
            "consent_is_kept",
            asset=NEXT_BEST_ACTION,
            blocking=True,
            description="Nobody has an action for a purpose or through a channel that they do not allow.",
        ),
        dg.AssetCheckSpec(
            "somebody_has_an_action",
            asset=NEXT_BEST_ACTION,
            description="Some customers have a next best action, or it is told what keeps everybody from one.",
        ),
    ],
    group_name="activation",
    owners=[OWNER],
    kinds={"duckdb", "postgres"},
    tags={"layer": "activation", "privacy": "personal"},
    metadata={
        "dagster/table_name": str(table),
        "dagster/column_schema": hub_schema(table),
        "dagster/column_lineage": lineage({"golden_id": [(list(_PROFILE.path), "golden_id")]}),
    },
    automation_condition=automation(),
    retry_policy=transient_retry_policy(),
    pool="hub",
)
def next_best_action(context: dg.AssetExecutionContext, platform: Platform) -> Results:
    """By policies/next_best_action.yaml, under consent and contact pressure; `cdm actions` tells what came of it."""
    from cdm_pipelines.steps.activation.action_figures import actions_outcome  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.steps.activation.actions import choose_actions  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.profile.enrich import company_of  # noqa: PLC0415 - the same

    with measuring(context, platform) as run:
        company = company_of(platform.lake, platform.settings)
        with platform.hub() as engine, engine.begin() as connection:
            chosen = choose_actions(connection, company)
        yield from run.results([actions_outcome(chosen)])
