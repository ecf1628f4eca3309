"""The asset ``insight/quality``: scorecards as a history, and the check on targets.

Belongs here: what the asset is called and depends on. Does not belong here: measuring, or figures.
"""

import dagster as dg

from cdm_pipelines.components.measuring import Results, measuring
from cdm_pipelines.components.metadata import hub_schema
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.registry import OWNER, automation
from cdm_pipelines.components.transient import transient_retry_policy
from cdm_pipelines.hub import schema_insight

QUALITY = dg.AssetKey(["insight", "quality"])
_PUBLISHED = [dg.AssetKey(["golden", name]) for name in ("customer", "crosswalk", "provenance")]


@dg.asset(
    key=QUALITY,
    deps=_PUBLISHED,
    check_specs=[
        dg.AssetCheckSpec(
            "targets", asset=QUALITY, description="No figure is below its target of policies/governance.yaml."
        )
    ],
    group_name="insight",
    owners=[OWNER],
    kinds={"postgres", "table"},
    tags={"layer": "insight", "privacy": "none"},
    metadata={
        "dagster/table_name": "insight.quality",
        "dagster/column_schema": hub_schema(schema_insight.quality),
    },
    automation_condition=automation(),
    retry_policy=transient_retry_policy(),
    pool="hub",
)
def quality(context: dg.AssetExecutionContext, platform: Platform) -> Results:
    """Scorecards by source, entity, attribute and dimension; `cdm quality` prints them with their trend."""
    from cdm_pipelines.hub import scorecards  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.insight.scorecard_state import measured_decline  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.insight.quality import measure  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.insight.quality_figures import quality_outcome  # noqa: PLC0415 - the same

    with measuring(context, platform) as run:
        with platform.hub() as engine, engine.begin() as connection:
            done = measure(connection, platform.lake, platform.settings, context.run.run_id)
            rows = scorecards.history(connection)
            moves = measured_decline(connection, done.as_of) if done.as_of else None
        yield from run.results([quality_outcome(done, rows, moves)])
