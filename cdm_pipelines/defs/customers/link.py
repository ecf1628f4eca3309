"""The assets ``link/*``: the fitted models, the scored pairs and the clusters.

Belongs here: what these assets are called and depend on. Does not belong here: linkage itself, or its figures.
"""

import dagster as dg
from pydantic import Field

from cdm_pipelines.components.measuring import Results, measuring
from cdm_pipelines.components.platform import Platform, RebuildConfig
from cdm_pipelines.components.registry import OWNER, automation
from cdm_pipelines.components.transient import transient_retry_policy
from cdm_pipelines.quality.thresholds import Thresholds

MODEL, MATCHES, CLUSTERS = (dg.AssetKey(["link", name]) for name in ("model", "matches", "clusters"))
_DESCRIPTIONS = {
    MODEL: "Fellegi-Sunter models for persons and for organisations, fitted without labels. Kept once fitted; "
    "fitted anew on command (`refit`) or when the policy changes.",
    MATCHES: "Pairs of records above the review threshold, with weight, probability and comparison levels.",
    CLUSTERS: "Every source record in exactly one cluster: the records that describe one party.",
}

_PARTY = dg.AssetKey(["records", "party"])
_DEPS = {MODEL: [_PARTY], MATCHES: [_PARTY, MODEL], CLUSTERS: [_PARTY, MODEL, MATCHES]}


class LinkConfig(RebuildConfig):
    """Configuration of one linkage run."""

    refit: bool = Field(default=False, description="Fit the models anew.")


@dg.multi_asset(
    name="link",
    specs=[
        dg.AssetSpec(
            key,
            deps=_DEPS[key],
            description=description,
            group_name="link",
            owners=[OWNER],
            kinds={"arrow"} if key != MODEL else {"json"},
            tags={"layer": "link", "privacy": "personal"},
            automation_condition=automation(),
        )
        for key, description in _DESCRIPTIONS.items()
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "representative",
            asset=MODEL,
            description="The models were fitted on a fair part of today's records.",
        ),
        dg.AssetCheckSpec(
            "settled",
            asset=MODEL,
            description="The fits came to rest: neither their parameters nor their share of matches moved any more.",
        ),
        dg.AssetCheckSpec(
            "learned",
            asset=MODEL,
            description="Every comparison's weights were learned from matches, and are no mere supposition.",
        ),
        dg.AssetCheckSpec(
            "pattern_drift",
            asset=MODEL,
            description="Candidate pairs agree as often as those that the models were fitted to: the largest "
            "population stability index of a comparison. Needs no labels.",
        ),
        dg.AssetCheckSpec(
            "doubtful_clusters",
            asset=CLUSTERS,
            description="Few clusters are held together by a weak bridge, over-large, or at odds with themselves.",
        ),
    ],
    retry_policy=transient_retry_policy(),
    pool="lake",
)
def link(context: dg.AssetExecutionContext, config: LinkConfig, platform: Platform) -> Results:
    """Link all current party records, within what stewards decided."""
    from cdm_pipelines.hub.migrate import migrate  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.hub.models import published_models  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.linking.figures import link_outcomes  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.linking.parties import link_parties  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.stewardship.decisions import constraints  # noqa: PLC0415 - the same

    with measuring(context, platform) as run:
        limits = Thresholds.load(platform.settings.policies / "checks.yaml")
        with platform.hub() as engine:
            migrate(engine)
            with engine.connect() as connection:
                decided, copies = constraints(connection), published_models(connection)
        linked = link_parties(
            platform.lake,
            platform.settings,
            decided=decided,
            copies=copies,
            refit=config.refit,
            rebuild=config.rebuild,
            progress=lambda text: context.log.info("%s", text),
        )
        yield from run.results(link_outcomes(platform.lake, linked, decided, limits))
