"""The figures of models, matches and clusters.

Belongs here: what is told of a linkage, and under which name. Does not belong here: counting (parties), what a figure
means (checks), or how it is kept and shown.
"""

from collections.abc import Mapping, Sequence

from cdm_pipelines.figures import ROWS, Bars, Check, Figures, Grid, Outcome, Picture
from cdm_pipelines.identity.constraints import Constraints
from cdm_pipelines.linkage.explain.pictures import expected_picture, odds_picture, weights_picture
from cdm_pipelines.linkage.model.remarks import TAUGHT
from cdm_pipelines.quality.thresholds import Thresholds
from cdm_pipelines.steps.days.figures import judged
from cdm_pipelines.steps.linking.checks import (
    DRIFT_UNKNOWN,
    REFIT,
    doubtful_clusters,
    hardly_any,
    learned,
    pattern_drift,
    settled,
)
from cdm_pipelines.steps.linking.parties import Linked
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake


def link_outcomes(lake: Lake, linked: Linked, decided: Constraints, limits: Thresholds) -> list[Outcome]:
    """What came of ``link/model``, ``link/matches`` and ``link/clusters``."""
    return [
        Outcome(
            "link/model",
            _model_figures(linked),
            {
                "representative": _representative(linked),
                "settled": _said(settled(linked.models), "every fit settled, its prior included", linked),
                "learned": _said(learned(linked.models), "every comparison was learned from matches", linked),
                "pattern_drift": judged(pattern_drift(linked.drift, limits.pattern_drift), DRIFT_UNKNOWN),
            },
            url=lake.where(layout.MODELS),
            version=linked.model_fingerprint,
        ),
        Outcome("link/matches", _match_figures(linked), url=lake.where(layout.MATCHES)),
        Outcome(
            "link/clusters",
            _cluster_figures(linked, decided),
            {"doubtful_clusters": judged(doubtful_clusters(linked.health, limits.doubtful_clusters))},
            url=lake.where(layout.CLUSTERS),
        ),
    ]


def _said(fault: str, otherwise: str, linked: Linked) -> Check:
    return Check(not fault, fault or hardly_any(linked.models) or otherwise, "WARN", {})


def _representative(linked: Linked) -> Check:
    told = f"fitted on {linked.fitted_on:,} records, there are {linked.records:,} now"
    counts = {"records fitted on": linked.fitted_on, "records now": linked.records}
    return Check(not linked.outgrown, told + (f"; {REFIT}" if linked.outgrown else ""), "WARN", counts)


def _model_figures(linked: Linked) -> Figures:
    return {
        "fitted anew": linked.fitted,
        "fingerprint": linked.model_fingerprint,
        "decided pairs learnt from": linked.labels,
        **{
            f"steps of the fit of {kind}": int(model.training.get("iterations", 0))
            for kind, model in linked.models.items()
        },
        **{
            f"expected matches, once for each rule, that {kind} weights were learned from": Bars(
                {name: round(count) for name, count in taught.items()}, ("comparison", "matches")
            )
            for kind, model in linked.models.items()
            if (taught := model.training.get(TAUGHT))
        },
        **{
            f"weights of {kind}": Picture(weights_picture(model), "bits by comparison and level")
            for kind, model in linked.models.items()
        },
        **{
            f"levels of {kind}": Grid(rows, ("comparison", "meaning")) for kind, rows in linked.levels.items()
        },
        **{
            f"share of {kind} records that no copy of themselves would match": share
            for kind, share in linked.unlinkable.items()
        },
    }


def _match_figures(linked: Linked) -> Figures:
    return {
        ROWS: linked.pairs,
        "candidate pairs by blocking rule": Bars(linked.blocking, ("rule", "pairs")),
        **{
            f"candidate pairs of {kind} by log2 odds": Picture(
                odds_picture(odds, linked.models[kind]),
                "pairs by log2 odds of a match",
                {f"{low:+d}": count for low, count in sorted(odds.items())},
            )
            for kind, odds in linked.odds.items()
        },
        **{
            f"expected precision and recall of {kind}": Picture(
                expected_picture(curve, linked.models[kind]), "by match threshold (log2 odds)", _points(curve)
            )
            for kind, curve in linked.expected.items()
        },
        **{
            f"contact details of {kind} records that too many unlike names share": count
            for kind, count in linked.shared.items()
        },
        "weights": Bars(linked.weight_steps, ("match weight", "pairs"), scale=True),
        "seconds": {stage: round(seconds, 2) for stage, seconds in linked.seconds.items()},
    }


def _points(curve: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Precision and recall by threshold, in whole bits: between them the drawing holds no more than they do."""
    return {
        f"{name} from {point['odds']:+g} bits": point[name]
        for point in curve
        if point["odds"].is_integer()
        for name in ("precision", "recall")
    }


def _cluster_figures(linked: Linked, decided: Constraints) -> Figures:
    whole = "; ".join(f"{kind}: {why}" for kind, why in linked.everything.items())
    sizes = {f"{size:,}": linked.sizes[size] for size in sorted(linked.sizes)}
    return {
        ROWS: linked.records,
        "clusters": linked.clusters,
        "records changed": linked.changed,
        "pairs compared": sum(linked.compared.values()),
        "everything was linked": whole or "no",
        "decisions": Bars(decided.counts, ("decision", "pairs or records")),
        "decisions fingerprint": decided.fingerprint,
        "decisions in conflict": len(decided.decided.conflicts),
        "health": Bars(linked.health.states, ("state", "clusters of two and more records")),
        "not healthy": Bars(linked.health.reasons, ("reason", "clusters")),
        "sizes": Bars(sizes, ("records in cluster", "clusters"), scale=True),
    }
