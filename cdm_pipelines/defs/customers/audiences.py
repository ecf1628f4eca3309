"""The asset ``publish/audiences``: audiences are chosen after each publication, and those of every day delivered.

Belongs here: what the asset is called and depends on. Does not belong here: who is in an audience, delivering, figures.
"""

import dagster as dg

from cdm_pipelines.components.measuring import Results, measuring
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.registry import CONSENT, OWNER, automation
from cdm_pipelines.components.transient import transient_retry_policy

AUDIENCES = dg.AssetKey(["publish", "audiences"])
DELIVERED = "audiences_delivered"


@dg.asset(
    key=AUDIENCES,
    deps=[
        dg.AssetKey(["golden", "customer"]),
        dg.AssetKey(["golden", "crosswalk"]),
        dg.AssetKey(["profile", "customer"]),
        CONSENT,
    ],
    check_specs=[
        dg.AssetCheckSpec(
            DELIVERED,
            asset=AUDIENCES,
            description="Every audience can be chosen as it is declared, and those of every day were delivered.",
        )
    ],
    group_name="publish",
    owners=[OWNER],
    kinds={"csv"},
    tags={"layer": "publish", "privacy": "personal"},
    metadata={"dagster/table_name": "activation.delivery"},
    automation_condition=automation(),
    retry_policy=transient_retry_policy(),
    pool="feed",
)
def audiences(context: dg.AssetExecutionContext, platform: Platform) -> Results:
    """Counts who would be in each audience of policies/audiences.yaml and why others would not; delivers daily ones."""
    from cdm_pipelines.steps.activation.daily import audiences_outcome, deliver_daily  # noqa: PLC0415 - heavy

    with measuring(context, platform) as run:
        with platform.hub() as engine:
            done = deliver_daily(engine.connect, platform.settings)
        for one in done.told:
            context.log.info("%s", one)
        yield from run.results([audiences_outcome(done)])
