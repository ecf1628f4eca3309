"""The assets ``publish/*``: other systems are told what changed, and the owners of sources what to correct.

Belongs here: what these assets are called, depend on and show. Does not belong here: delivery, or what a correction is.
"""

from collections.abc import Iterator

import dagster as dg

from cdm_pipelines.components.metadata import bar_chart, table
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.registry import OWNER, automation, contracts_feeding
from cdm_pipelines.components.transient import told_to_people, transient_retry_policy
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
    code_version="1",
    automation_condition=automation(),
    retry_policy=transient_retry_policy(),
    pool="feed",
)
def feed(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Tells every sink of policies/change_feed.yaml what it does not know; `cdm feed status` shows how far each is."""
    from cdm_pipelines.steps.customers.feed import deliver  # noqa: PLC0415 - heavy rooms load in a run

    with told_to_people(), platform.hub() as engine:
        served = deliver(engine.connect, platform.settings)
    shown = [
        {"sink": sink.sink, "delivered": sink.delivered, "behind": sink.behind, "dead letters": sink.dead}
        for sink in served
    ]
    for row in shown:
        context.log.info("%s", row)
    yield dg.MaterializeResult(
        asset_key=FEED, metadata={"delivered": sum(sink.delivered for sink in served), "sinks": table(shown)}
    )
    unwell = [sink for sink in served if not sink.well]
    yield dg.AssetCheckResult(
        asset_key=FEED,
        check_name=EVERYBODY_KNOWS,
        passed=not unwell,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(sink.sentence for sink in unwell) or "in order",
        metadata={
            "behind": sum(sink.behind for sink in served),
            "dead letters": sum(sink.dead for sink in served),
        },
    )


@dg.asset(
    key=["publish", "source_corrections"],
    deps=PUBLISHED,
    group_name="publish",
    owners=[OWNER],
    kinds={"csv"},
    tags={"layer": "publish", "privacy": "personal"},
    code_version="1",
    automation_condition=automation(),
    retry_policy=transient_retry_policy(),
    pool="hub",
)
def source_corrections(platform: Platform) -> dg.MaterializeResult[None]:
    """For the owner of each source: the cells that disagree with the golden customer, in the source's own columns."""
    from cdm_pipelines.steps.customers.source_corrections import write_corrections  # noqa: PLC0415 - heavy rooms load in a run

    with told_to_people(), platform.hub() as engine:
        one_publication = engine.connect().execution_options(isolation_level="REPEATABLE READ")
        with one_publication as connection:
            written = write_corrections(connection, platform.lake, contracts_feeding(Entity.PARTY))
    counts = {f"{w.source} {name}": count for w in written for name, count in w.cells.items()}
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(counts.values()),
            "files": "\n".join(w.path for w in written),
            "cells": bar_chart(counts, ("column", "cells")),
        }
    )
