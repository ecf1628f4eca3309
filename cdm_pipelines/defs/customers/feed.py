"""The assets ``publish/*``: other systems are told what changed, and the owners of sources what to correct.

Belongs here: what these assets are called and depend on, and when the feed goes on by itself. Does not belong here:
delivery, what a correction is, or figures.
"""

import time

import dagster as dg

from cdm_pipelines.components.measuring import Results, measuring
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.registry import OWNER, automation, contracts_feeding
from cdm_pipelines.components.transient import told_to_people, transient_retry_policy
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.settings import load_settings

PUBLISHED = [dg.AssetKey(["golden", name]) for name in ("customer", "crosswalk", "provenance")]
FEED = dg.AssetKey(["publish", "feed"])
EVERYBODY_KNOWS = "everybody_knows"
CUSTOMERS = "customers"
"""The job that delivers after it has published (``operations.jobs``)."""
_UNDER_WAY = [
    *(dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED),
    *(dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED),
]


@dg.asset(
    key=FEED,
    deps=PUBLISHED,
    check_specs=[
        dg.AssetCheckSpec(
            EVERYBODY_KNOWS,
            asset=FEED,
            description="Every sink was told of everything, and left no dead letters.",
        )
    ],
    group_name="publish",
    owners=[OWNER],
    kinds={"cloudevents"},
    tags={"layer": "publish", "privacy": "personal"},
    metadata={"dagster/table_name": "ops.outbox"},
    automation_condition=automation(),
    retry_policy=transient_retry_policy(),
    pool="feed",
)
def feed(context: dg.AssetExecutionContext, platform: Platform) -> Results:
    """Tells every sink of policies/change_feed.yaml what it does not know; `cdm feed status` shows how far each is."""
    from cdm_pipelines.steps.customers.feed import deliver  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.steps.customers.figures import feed_outcome  # noqa: PLC0415 - the same

    with measuring(context, platform) as run:
        with platform.hub() as engine:
            served = deliver(engine.connect, platform.settings)
        for sink in served:
            context.log.info("%s: %s delivered", sink.sentence, f"{sink.delivered:,}")
        yield from run.results([feed_outcome(served)])


@dg.sensor(
    name="feed_behind",
    asset_selection=dg.AssetSelection.assets(FEED),
    minimum_interval_seconds=120,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Goes on delivering to sinks that are behind, without waiting for the next publication.",
)
@told_to_people()
def feed_behind(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Asks for a run of publish/feed alone while a sink in use is behind, unless one that delivers is on its way."""
    from cdm_pipelines.steps.customers.feed_waiting import Asked, due, waiting  # noqa: PLC0415 - the driver

    behind = waiting(load_settings())
    asked = due(behind, Asked.of_json(context.cursor), time.time())
    if asked is None:
        names = ", ".join(sorted(behind))
        return dg.SkipReason(f"Too early to try again: {names}." if names else "No sink is behind.")
    under_way = context.instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
    if any(run.job_name == CUSTOMERS or FEED in (run.asset_selection or ()) for run in under_way):
        return dg.SkipReason("A run that delivers is on its way.")
    return dg.SensorResult(run_requests=[dg.RunRequest(asset_selection=[FEED])], cursor=asked.to_json())


@dg.asset(
    key=["publish", "source_corrections"],
    deps=PUBLISHED,
    group_name="publish",
    owners=[OWNER],
    kinds={"csv"},
    tags={"layer": "publish", "privacy": "personal"},
    automation_condition=automation(),
    retry_policy=transient_retry_policy(),
    pool="hub",
)
def source_corrections(context: dg.AssetExecutionContext, platform: Platform) -> Results:
    """For the owner of each source: the cells that disagree with the golden customer, in the source's own columns."""
    from cdm_pipelines.steps.customers.figures import corrections_outcome  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.steps.customers.source_corrections import (  # noqa: PLC0415 - the same
        corrections_leaving,
        write_corrections,
    )

    with measuring(context, platform) as run:
        with platform.hub() as engine:
            one_publication = engine.connect().execution_options(isolation_level="REPEATABLE READ")
            with one_publication as connection:
                leaving = corrections_leaving(connection, platform.settings)
                written = write_corrections(
                    connection, platform.lake, contracts_feeding(Entity.PARTY), leaving
                )
        yield from run.results([corrections_outcome(platform.lake, written)])
