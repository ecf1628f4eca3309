"""The assets ``link/*``: the fitted models, the scored pairs and the clusters.

Belongs here: what these assets are called, depend on and show. Does not belong here: linkage itself.
"""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from cdm_pipelines.components.metadata import bar_chart, picture, table
from cdm_pipelines.components.platform import Platform, RebuildConfig
from cdm_pipelines.components.registry import OWNER, automation
from cdm_pipelines.components.transient import told_to_people, transient_retry_policy
from cdm_pipelines.quality.thresholds import Thresholds
from cdm_pipelines.store import layout

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
            code_version="1",
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
def link(
    context: dg.AssetExecutionContext, config: LinkConfig, platform: Platform
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Link all current party records, within what stewards decided."""
    from cdm_pipelines.linkage.explain.pictures import expected_picture, odds_picture, weights_picture  # noqa: PLC0415
    from cdm_pipelines.steps.linking.checks import (  # noqa: PLC0415
        DRIFT_UNKNOWN,
        REFIT,
        doubtful_clusters,
        pattern_drift,
    )
    from cdm_pipelines.steps.linking.model_versions import copies_in_hub  # noqa: PLC0415
    from cdm_pipelines.steps.linking.parties import link_parties  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.steps.stewardship.decisions import constraints  # noqa: PLC0415 - heavy rooms load in a run

    with told_to_people():
        limits = Thresholds.load(platform.settings.policies / "checks.yaml")
        with platform.hub() as engine:
            decided, copies = constraints(engine), copies_in_hub(engine)
        linked = link_parties(
            platform.lake,
            platform.settings,
            decided=decided,
            copies=copies,
            refit=config.refit,
            rebuild=config.rebuild,
            progress=lambda text: context.log.info("%s", text),
        )
    yield dg.MaterializeResult(
        asset_key=MODEL,
        metadata={
            "fitted anew": dg.MetadataValue.bool(linked.fitted),
            "fingerprint": linked.model_fingerprint,
            "decided pairs learnt from": linked.labels,
            **{
                f"weights of {kind}": picture(weights_picture(model), "bits by comparison and level")
                for kind, model in linked.models.items()
            },
            **{f"levels of {kind}": table(rows) for kind, rows in linked.levels.items()},
            **{
                f"share of {kind} records that no copy of themselves would match": share
                for kind, share in linked.unlinkable.items()
            },
        },
        data_version=dg.DataVersion(linked.model_fingerprint),
    )
    yield dg.MaterializeResult(
        asset_key=MATCHES,
        metadata={
            "dagster/row_count": linked.pairs,
            "dagster/uri": platform.lake.where(layout.MATCHES),
            "candidate pairs by blocking rule": bar_chart(linked.blocking, ("rule", "pairs")),
            **{
                f"candidate pairs of {kind} by log2 odds": picture(
                    odds_picture(odds, linked.models[kind]), "pairs by log2 odds of a match"
                )
                for kind, odds in linked.odds.items()
            },
            **{
                f"expected precision and recall of {kind}": picture(
                    expected_picture(curve, linked.models[kind]), "by match threshold (log2 odds)"
                )
                for kind, curve in linked.expected.items()
            },
            "weights": bar_chart(linked.weight_steps, ("match weight", "pairs"), scale=True),
            "seconds": {stage: round(seconds, 2) for stage, seconds in linked.seconds.items()},
        },
    )
    yield dg.MaterializeResult(
        asset_key=CLUSTERS,
        metadata={
            "dagster/row_count": linked.records,
            "dagster/uri": platform.lake.where(layout.CLUSTERS),
            "clusters": linked.clusters,
            "records changed": linked.changed,
            "pairs compared": sum(linked.compared.values()),
            "everything was linked": "; ".join(f"{kind}: {why}" for kind, why in linked.everything.items())
            or "no",
            "decisions": bar_chart(decided.counts, ("decision", "pairs or records")),
            "decisions fingerprint": decided.fingerprint,
            "decisions in conflict": len(decided.decided.conflicts),
            "health": bar_chart(linked.health.states, ("state", "clusters of two and more records")),
            "not healthy": bar_chart(linked.health.reasons, ("reason", "clusters")),
            "sizes": bar_chart(
                {f"{size:,}": linked.sizes[size] for size in sorted(linked.sizes)},
                ("records in cluster", "clusters"),
                scale=True,
            ),
        },
    )
    yield dg.AssetCheckResult(
        asset_key=MODEL,
        check_name="representative",
        passed=not linked.outgrown,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"fitted on {linked.fitted_on:,} records, there are {linked.records:,} now"
        + (f"; {REFIT}" if linked.outgrown else ""),
    )
    drift = pattern_drift(linked.drift, limits.pattern_drift)
    yield dg.AssetCheckResult(
        asset_key=MODEL,
        check_name="pattern_drift",
        passed=drift is None or drift.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=drift.text if drift else DRIFT_UNKNOWN,
        metadata={"figure": round(drift.figure, 6)} if drift else None,
    )
    doubtful = doubtful_clusters(linked.health, limits.doubtful_clusters)
    yield dg.AssetCheckResult(
        asset_key=CLUSTERS,
        check_name="doubtful_clusters",
        passed=doubtful.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=doubtful.text,
        metadata={"figure": round(doubtful.figure, 6)},
    )
