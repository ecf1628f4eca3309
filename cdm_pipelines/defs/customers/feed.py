"""The assets ``publish/*``: other systems are told what changed, and the owners of sources what to correct.

Belongs here: what these assets are called, depend on and show. Does not belong here: delivery, or what a correction is.
"""

import dagster as dg

from cdm_pipelines.components.metadata import table
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.registry import OWNER, automation
from cdm_pipelines.components.transient import told_to_people, transient_retry_policy

PUBLISHED = [dg.AssetKey(["golden", name]) for name in ("customer", "crosswalk", "provenance")]
CHECK = "everybody_knows"


@dg.asset(
    key=["publish", "feed"],
    deps=PUBLISHED,
    check_specs=[
        dg.AssetCheckSpec(
            CHECK,
            asset=["publish", "feed"],
            description="Every sink was told of everything, and left no dead letters.",
        )
    ],
    group_name="publish",
    owners=[OWNER],
    kinds={"cloudevents"},
    tags={"layer": "publish", "privacy": "personal"},
    code_version="1",
    automation_condition=automation(),
    retry_policy=transient_retry_policy(),
    pool="feed",
)
def feed(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    """Tells every sink of policies/change_feed.yaml what it does not know yet; `cdm feed status` shows how far it is."""
    from cdm_pipelines.flows.feed import deliver  # noqa: PLC0415 - heavy rooms load in a run

    with told_to_people(), platform.hub() as engine:
        served = deliver(engine, platform.settings)
    for sink in served:
        context.log.info("%s: %d delivered", sink.sink, sink.delivered)
    unwell = [
        f"{s.sink}: {s.behind:,} behind, {s.dead:,} dead letters; {s.problem}" for s in served if not s.well
    ]
    return dg.MaterializeResult(
        metadata={
            "delivered": sum(sink.delivered for sink in served),
            "sinks": table(
                [
                    {"sink": s.sink, "delivered": s.delivered, "behind": s.behind, "dead letters": s.dead}
                    for s in served
                ]
            ),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=CHECK,
                passed=not unwell,
                severity=dg.AssetCheckSeverity.WARN,
                description="\n".join(unwell) or "in order",
                metadata={
                    "behind": sum(sink.behind for sink in served),
                    "dead letters": sum(sink.dead for sink in served),
                },
            )
        ],
    )
