"""What is remarked about a linkage: verdicts on its figures.

Belongs here: the figure of each check and its words. Does not belong here: limits (policies/checks.yaml), or how a
verdict is shown (defs).
"""

from collections.abc import Mapping

from cdm_pipelines.linkage.cluster.health import Health, State
from cdm_pipelines.linkage.model.drift import LEAST_PAIRS, Drift
from cdm_pipelines.linkage.model.fellegi_sunter import LinkageModel
from cdm_pipelines.linkage.model.remarks import too_few, unsettled, untaught
from cdm_pipelines.quality.thresholds import Remark, Verdict, judge

REFIT = "fit anew with `cdm run --date DAY --refit`"
DRIFT_UNKNOWN = f"not known: the model did not count its pairs, or there are fewer than {LEAST_PAIRS:,}"


def pattern_drift(drifts: Mapping[str, Drift | None], limit: Remark) -> Verdict | None:
    """Whether pairs of any kind of party have moved far from those that the kept models were fitted to.

    Returns:
        None where that is known of no kind.
    """
    known = {kind: drift for kind, drift in drifts.items() if drift is not None}
    if not known:
        return None
    told = "; ".join(f"{kind}: {_told(drift, limit)}" for kind, drift in drifts.items())
    verdict = judge(max(drift.largest for drift in known.values()), limit, told)
    if verdict.passed:
        return verdict
    return judge(verdict.figure, limit, f"{told}. If that is here to stay, {REFIT}")


def settled(models: Mapping[str, LinkageModel]) -> str:
    """Which fits were stopped before they settled, in words; empty where none was."""
    return _of_each({kind: unsettled(model.training) for kind, model in models.items()})


def learned(models: Mapping[str, LinkageModel]) -> str:
    """Which comparisons have parameters that were never learned, in words; empty where none has."""
    return _of_each({kind: untaught(model.training) for kind, model in models.items()})


def hardly_any(models: Mapping[str, LinkageModel]) -> str:
    """Which kinds had hardly any matches to learn from, in words; empty where all had some."""
    return _of_each({kind: too_few(model.training) for kind, model in models.items()})


def _of_each(told: Mapping[str, str]) -> str:
    return "; ".join(f"{kind}: {text}" for kind, text in told.items() if text)


def doubtful_clusters(health: Health, limit: Remark) -> Verdict:
    """Whether many clusters of two and more records are in doubt."""
    doubtful, every = health.states[State.DOUBTFUL], sum(health.states.values())
    share = doubtful / every if every else 0.0
    text = f"{doubtful:,} of {every:,} clusters of two and more records are in doubt: {share:.1%}"
    verdict = judge(share, limit, text)
    return verdict if verdict.passed else judge(share, limit, f"{text}; see `cdm steward queue`")


def _told(drift: Drift | None, limit: Remark) -> str:
    if drift is None:
        return DRIFT_UNKNOWN
    moved = [name for name, index in drift.indices.items() if index > limit.warn]
    also = f", also {', '.join(moved[1:])}" if moved[1:] else ""
    return f"stability index {drift.largest:.3f}" + (f", most moved {drift.text}{also}" if moved else "")
