"""What is different between two fitted models.

Belongs here: levels of two models side by side. Does not belong here: which two (steps.linking), or how it
is printed (commands).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cdm_pipelines.linkage.model.fellegi_sunter import LinkageModel


class Level(NamedTuple):
    """What one level of a comparison is in a model; the weight in bits."""

    m: float
    u: float
    weight: float


@dataclass(frozen=True)
class Change:
    """One level of a comparison in two models; None where a model does not have it."""

    comparison: str
    meaning: str
    then: Level | None
    now: Level | None

    @property
    def bits(self) -> float | None:
        """By how much the weight has changed; None where one of the models has no such level."""
        return self.now.weight - self.then.weight if self.then and self.now else None


def changes(then: LinkageModel, now: LinkageModel) -> list[Change]:
    """Every level of either model: those that only one has first, then by change of weight, the largest first."""
    before, after = _levels(then), _levels(now)
    found = [Change(*key, before.get(key), after.get(key)) for key in after | before]
    return sorted(found, key=lambda one: -np.inf if one.bits is None else -abs(one.bits))


def _levels(model: LinkageModel) -> dict[tuple[str, str], Level]:
    return {
        (name, label): Level(m, u, float(np.log2(m / u)))
        for name, one in model.comparisons.items()
        for label, m, u in zip(one.labels, one.m, one.u, strict=True)
    }
