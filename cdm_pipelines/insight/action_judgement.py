"""Whether another rule would have done better, judged by choices that were made: before it is used, on nobody.

Belongs here: estimates of what a rule is worth from logged propensities. Does not belong here: which responses there
were (steps.activation), models (``action_model``).

A customer whose logged choice is what the other rule would have done stands for all who were like them: it counts
``1 / propensity`` times (inverse propensity, Horvitz and Thompson 1952). *IPS* divides the sum by all customers and
is unbiased; the *self-normalised* estimate (SNIPS, Swaminathan and Joachims 2015) divides by the sum of weights, which
is steadier. Both have the interval of the normal approximation (of a ratio, for the second), over customers: several
choices of one are one observation. The effective sample size is (sum of weights)^2 / sum of their squares (Kish).

A rule is judged only where its choices could have been drawn. It is refused

- where more than 5 % of customers would get what could not have been drawn for them: as many may be wrong by any amount
  as the interval leaves out;
- where fewer than 100 customers effectively stand for all: a mean of skewed values is not normal with fewer.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from cdm_pipelines.insight.action_policy import NONE
from cdm_pipelines.insight.action_rules import Numbers
from cdm_pipelines.insight.action_uplift import CONFIDENCE, Interval

MOST_UNSUPPORTED = 0.05
LEAST_EFFECTIVE = 100.0
Labels = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Estimate:
    """What a rule is worth per customer and period.

    Attributes:
        ips, snips: By inverse propensity, and self-normalised.
        effective: Effective sample size.
        unsupported: Share of customers who would get what could not have been drawn for them.
    """

    ips: Interval
    snips: Interval
    effective: float
    unsupported: float


@dataclass(frozen=True)
class Judgement:
    """Two rules side by side.

    Attributes:
        choices: So many were looked at.
        now: What the rule of now is worth; None where it cannot be told.
        then: What the changed rule would be.
        difference: The changed one less the one of now, self-normalised.
        differing: Share of customers for whom they choose otherwise.
        refused: Why nothing can be said; empty where it can.
    """

    choices: int
    now: Estimate | None = None
    then: Estimate | None = None
    difference: Interval | None = None
    differing: float = math.nan
    refused: str = ""

    @property
    def verdict(self) -> str:
        """In a sentence."""
        if self.refused or self.difference is None:
            return f"It cannot be judged: {self.refused}."
        if not self.difference.tells:
            return "No difference can be told from what was logged."
        better = "better" if self.difference.value > 0 else "worse"
        return f"The changed rule would have done {better}, by more than chance explains."


def weights(wanted: Labels, happened: Labels, propensity: Numbers) -> Numbers:
    """How often each logged choice counts for a rule: 1 / propensity where it is what the rule does, else 0."""
    found: Numbers = np.where(wanted == happened, 1.0 / propensity, 0.0)
    return found


def supported(wanted: Labels, propensities: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whose wanted action could have been drawn.

    Args:
        wanted: By customer.
        propensities: By customer as JSON, the probability of each action that could be drawn.
    """
    read: dict[str, Mapping[str, float]] = {}
    found = np.empty(len(wanted), np.bool_)
    for at, (action, said) in enumerate(zip(wanted.tolist(), propensities, strict=True)):
        if said not in read:
            read[said] = json.loads(said)
        found[at] = read[said].get(action, 0.0) > 0
    return found


def estimate(weight: Numbers, reward: Numbers, customer: npt.NDArray[Any], unsupported: float) -> Estimate:
    """What a rule is worth, by the weights of logged choices.

    Args:
        weight: Of each choice.
        reward: What came of it.
        customer: Whose it is.
        unsupported: Share of customers who would get what could not have been drawn.
    """
    z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))
    count, total, squares = len(weight), float(weight.sum()), float((weight**2).sum())
    ips = float((weight * reward).mean())
    spread = z * _error(weight * reward - ips, customer, count)
    snips = float((weight * reward).sum() / total) if total else math.nan
    ratio = z * _error(weight * (reward - snips), customer, total) if total else math.nan
    return Estimate(
        Interval(ips, ips - spread, ips + spread),
        Interval(snips, snips - ratio, snips + ratio),
        total * total / squares if squares else 0.0,
        unsupported,
    )


def _error(deviations: Numbers, customer: npt.NDArray[Any], divisor: float) -> float:
    """Standard error of a mean whose deviations of one customer belong together."""
    _, whose = np.unique(customer, return_inverse=True)
    sums = np.bincount(whose, weights=deviations)
    number = len(sums)
    correction = number / (number - 1) if number > 1 else math.nan
    return math.sqrt(correction * float((sums**2).sum())) / divisor


def judge(
    now: Labels,
    then: Labels,
    happened: Labels,
    *,
    propensity: Numbers,
    propensities: Sequence[str],
    reward: Numbers,
    customer: npt.NDArray[Any],
) -> Judgement:
    """Hold a changed rule against the one of now.

    Args:
        now: What the rule of now does, by choice; ``none`` for nothing.
        then: What the changed rule does.
        happened: What was done.
        propensity: With which probability that was drawn.
        propensities: As :func:`supported` wants them.
        reward: What came of it.
        customer: Whose choice it is.
    """
    count = len(now)
    if not count:
        return Judgement(0, refused="no choice has had its time to respond yet")
    differing = float((now != then).mean())
    found = []
    for wanted in (now, then):
        missing = float((~supported(wanted, propensities)).mean())
        found.append(estimate(weights(wanted, happened, propensity), reward, customer, missing))
    ours, theirs = found
    refused = _refusal(ours, theirs, propensities)
    if refused:
        return Judgement(count, ours, theirs, None, differing, refused)
    parts = [weights(one, happened, propensity) for one in (now, then)]
    gain = difference(parts[0], parts[1], reward, customer)
    return Judgement(count, ours, theirs, gain, differing)


def difference(
    now: Numbers, then: Numbers, reward: Numbers, customer: npt.NDArray[Any], confidence: float = CONFIDENCE
) -> Interval:
    """What one rule is worth above another, self-normalised, by the weights of both over the same choices."""
    worth = [float((weight * reward).sum() / weight.sum()) for weight in (now, then)]
    influence = [w * (reward - v) / w.sum() for w, v in zip((now, then), worth, strict=True)]
    spread = float(stats.norm.ppf(0.5 + confidence / 2)) * _error(influence[1] - influence[0], customer, 1.0)
    value = worth[1] - worth[0]
    return Interval(value, value - spread, value + spread)


def _refusal(now: Estimate, then: Estimate, propensities: Sequence[str]) -> str:
    if then.unsupported > MOST_UNSUPPORTED:
        some = any(sum(key != NONE for key in json.loads(one)) > 1 for one in set(propensities))
        why = (
            "they were excluded from it when choices were made"
            if some
            else "exploration was 0, so that nothing but the rule's own choice ever was. Set exploration in "
            "next_best_action.yaml, and judge after a period"
        )
        return (
            f"for {then.unsupported:.0%} of the customers it chooses what could not have been drawn for them (at most "
            f"{MOST_UNSUPPORTED:.0%} may be so): {why}"
        )
    for name, one in (("the rule of now", now), ("the changed rule", then)):
        if one.effective < LEAST_EFFECTIVE:
            return (
                f"too few choices were what {name} does: they stand for {one.effective:.0f} customers, and "
                f"{LEAST_EFFECTIVE:.0f} are needed. More exploration or more periods bring them"
            )
    return ""
