"""The assets ``publish/*``: other systems are told what changed, and the owners of sources what to correct.

Belongs here: what these assets are called and depend on. Does not belong here: delivery, what a correction is, or
figures.
"""

import dagster as dg

from cdm_pipelines.components.measuring import Results, measuring
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.registry import OWNER, automation, contracts_feeding
from cdm_pipelines.components.transient import transient_retry_policy
from cdm_pipelines.contracts.canonical import Entity

PUBLISHED = [dg.AssetKey(["golden", name]) for name in ("customer", "crosswalk", "provenance")]
FEED = dg.AssetKey(["publish", "feed"])
EVERYBODY_KNOWS = "everybody_knows"


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
