"""Thresholds of the checks: when a figure is remarked upon, and when it stops publication.

Belongs here: the typed form of ``policies/checks.yaml`` and the verdict on one figure. Does not belong here:
where figures come from, or how a verdict is shown.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cdm_pipelines.yaml_files import YamlError, read_yaml


class ThresholdsError(ValueError):
    """``checks.yaml`` cannot be used; the message names the file, the key and the fix."""


class Remark(BaseModel):
    """Limit of a figure that stops nothing: above ``warn`` it is remarked upon."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    warn: float = Field(ge=0)


class Threshold(Remark):
    """Limits of one figure: above ``warn`` it is remarked upon, above ``error`` it stops what comes next."""

    error: float = Field(ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.warn > self.error:
            raise ValueError("warn must not be above error")
        return self


class ChurnThreshold(Threshold):
    """Limits of a share that a new linkage model moves legitimately, and that means little where few are moved.

    Attributes:
        at_least: Fewer are in order whatever their share.
        new_model: Counts instead where the linkage model is not that of the published version.
    """

    at_least: int = Field(default=0, ge=0)
    new_model: Threshold

    def verdict(self, count: int, share: float, text: str, *, new_model: bool) -> "Verdict":
        """Judge a number and its share; ``text`` says what they are, in words."""
        if count < self.at_least:
            return Verdict(passed=True, severity="WARN", text=text, figure=share)
        return judge(share, self.new_model if new_model else self, text)


class DoubtThreshold(Remark):
    """Limit of the share of clusters in doubt, and what puts one in doubt.

    A bridge of less than ``bridge`` bits above the match threshold does, and more than ``size`` records do.
    """

    bridge: float = Field(ge=0)
    size: int = Field(ge=1)


class PlanThresholds(BaseModel):
    """Limits of what a change of policies may do, as shares of the published customers (``cdm plan``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    merged: Threshold = Threshold(warn=0.01, error=0.05)
    split: Threshold = Threshold(warn=0.01, error=0.05)
    changed: Threshold = Threshold(warn=0.1, error=0.5)
    consent_lost: Threshold = Threshold(warn=0.01, error=0.05)
    consent_gained: Threshold = Threshold(warn=0, error=0.01)


class Thresholds(BaseModel):
    """All thresholds of a deployment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share_quarantined: Threshold
    repeated_keys: Remark = Remark(warn=0.02)
    snapshot_shrink: Threshold
    customer_drift: Threshold
    cluster_size: Threshold
    cluster_size_drift: Threshold
    id_churn: ChurnThreshold
    merges: ChurnThreshold
    doubtful_clusters: DoubtThreshold
    pattern_drift: Remark
    newest_day: Remark = Remark(warn=3)
    plan: PlanThresholds = PlanThresholds()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read thresholds from YAML.

        Raises:
            ThresholdsError: The file is missing, is no YAML, or has an unknown, missing or wrong key.
        """
        try:
            return cls.model_validate(read_yaml(path))
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ThresholdsError(f"{path}: {problems}. Compare it with the file of the package.") from None
        except YamlError as error:
            raise ThresholdsError(f"{path}: {error}") from None


ACCEPTABLE = (
    "share_quarantined",
    "volume",
    "customer_drift",
    "cluster_size",
    "cluster_size_drift",
    "id_churn",
    "merges",
)
"""Checks whose figure a person may say yes to: what they find may be so."""
ACCEPTED = "; accepted in this run"
"""Ends the text of a verdict to which a person said yes."""


@dataclass(frozen=True)
class Verdict:
    """What a figure means: ``severity`` is WARN or ERROR, and only counts when ``passed`` is false.

    ``accepted`` is set where it would stop what comes next, had not a person said yes.
    """

    passed: bool
    severity: str
    text: str
    figure: float = 0.0
    accepted: bool = False

    @property
    def stops(self) -> bool:
        """Whether what comes next must not happen."""
        return not self.passed and self.severity == "ERROR"

    @property
    def rank(self) -> int:
        """0 passed, 1 warning, 2 error: to find the worst of several."""
        return 0 if self.passed else 2 if self.stops else 1


def accepted(verdicts: Mapping[str, Verdict], names: Collection[str]) -> dict[str, Verdict]:
    """The same verdicts; what a person said yes to is remarked upon and stops nothing."""
    return {
        name: replace(verdict, severity="WARN", text=f"{verdict.text}{ACCEPTED}", accepted=True)
        if verdict.stops and name in names and name in ACCEPTABLE
        else verdict
        for name, verdict in verdicts.items()
    }


def judge(figure: float, threshold: Remark, text: str) -> Verdict:
    """Compare one figure with its threshold; ``text`` says what the figure is, in words."""
    stops = threshold.error if isinstance(threshold, Threshold) else None
    limits = f"(warning above {threshold.warn:g}{'' if stops is None else f', error above {stops:g}'})"
    if stops is not None and figure > stops:
        return Verdict(passed=False, severity="ERROR", text=f"{text} {limits}", figure=figure)
    if figure > threshold.warn:
        return Verdict(passed=False, severity="WARN", text=f"{text} {limits}", figure=figure)
    return Verdict(passed=True, severity="WARN", text=text, figure=figure)
