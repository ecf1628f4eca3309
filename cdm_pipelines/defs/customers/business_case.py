"""The asset ``insight/business_case``: what faults cost and better data brings, in the company's own unit values.

Belongs here: what the asset is called and depends on. Does not belong here: counting, formulas, or figures.
"""

import dagster as dg

from cdm_pipelines.components.measuring import Results, measuring
from cdm_pipelines.components.metadata import hub_schema
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.registry import OWNER, automation
from cdm_pipelines.components.transient import transient_retry_policy
from cdm_pipelines.hub import schema_insight

CASE = dg.AssetKey(["insight", "business_case"])


@dg.asset(
    key=CASE,
    deps=[dg.AssetKey(["insight", "quality"])],
    group_name="insight",
    owners=[OWNER],
    kinds={"postgres", "table"},
    tags={"layer": "insight", "privacy": "none"},
    metadata={
        "dagster/table_name": "insight.worth",
        "dagster/column_schema": hub_schema(schema_insight.worth),
    },
    automation_condition=automation(),
    retry_policy=transient_retry_policy(),
    pool="hub",
)
def business_case(context: dg.AssetExecutionContext, platform: Platform) -> Results:
    """Volumes that the pipeline counted x what they are worth; `cdm business-case` shows it, and asks for more."""
    from cdm_pipelines.steps.insight.business_case import work_out  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.steps.insight.business_case_figures import business_case_outcome  # noqa: PLC0415 - the same

    with measuring(context, platform) as run:
        with platform.hub() as engine, engine.begin() as connection:
            done = work_out(connection, platform.settings, context.run.run_id)
        yield from run.results([business_case_outcome(done)])
