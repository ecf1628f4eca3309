"""Where a pair becomes a match: the threshold and the guards, by what the model itself expects.

Belongs here: expected gains and losses, from the probabilities of candidate pairs. Does not belong here: the
probabilities (scoring), or what a match leads to (cluster).

A pair of probability p that is accepted is right with p and wrong with 1 - p; one that is left is missed with p. So
precision, recall and F1 of any threshold, and of any guard, can be expected without a label (Lipton, Elkan and
Naryanaswamy 2014). The threshold and the guards that a policy asks for hold where there is room: where they are
expected to cost no more of F1 than the policy lets them (``may_cost``). Where they would cost more, guards give way
first, then the threshold falls to the highest that costs no more; what precision is expected of it, the report says.
What was learned of few matches is the model's weakest point: below so many, guards and threshold hold as asked.

A contradiction costs the matches that show it: as many as the product of the m of *different*. Where dates of birth are
mostly wrong and names are mixed up that is many, and then it is evidence like any other.
"""

from collections.abc import Iterable, Mapping
from math import prod
from typing import NamedTuple

import numpy as np

from cdm_pipelines.linkage.encode.positions import Flags
from cdm_pipelines.linkage.model.fellegi_sunter import Floats, Parameters, probability
from cdm_pipelines.linkage.policy.spec import MatchThresholds

_MATCHES = (
    500  # with so many, what is seen of a level that one match in ten reaches is known to some 15 per cent
)


class Decision(NamedTuple):
    """When a pair is a match.

    Attributes:
        match: From this probability on.
        names_suffice: Also where it agrees on nothing beyond the policy's ``not_alone``.
    """

    match: float
    names_suffice: bool


def decide(
    asked: float, thresholds: MatchThresholds, odds: Floats, alone: Flags, expected: float
) -> Decision:
    """The threshold and the guards that a model is to hold to.

    Args:
        asked: The threshold that the policy asks for.
        thresholds: What the policy says of them.
        odds: Posterior log2 odds of the pairs from the review threshold on.
        alone: Which of them agree on nothing beyond ``not_alone``.
        expected: Expected number of matches among all candidate pairs.
    """
    if thresholds.may_cost is None or expected < _MATCHES:
        return Decision(asked, names_suffice=False)
    chance = probability(odds)
    every, guarded = (_Curve.of(some, expected) for some in (chance, chance[~alone]))
    enough = max(every.f1.max(initial=0.0), guarded.f1.max(initial=0.0)) - thresholds.may_cost
    names_suffice = bool(guarded.up_to(asked).max(initial=0.0) < enough)
    curve = every if names_suffice else guarded
    if curve.at(asked) >= enough:
        return Decision(asked, names_suffice)
    good = curve.chance[(curve.f1 >= enough) & (curve.chance <= asked)]
    return Decision(float(good.max(initial=thresholds.review)), names_suffice)


def outweighed(
    groups: Iterable[tuple[str, ...]],
    comparisons: Mapping[str, Parameters],
    thresholds: MatchThresholds,
    expected: float,
) -> tuple[tuple[str, ...], ...]:
    """Of some contradictions those that are expected in more of the matches than guards may cost.

    Args:
        groups: Names of the comparisons of each, all of which disagree.
        comparisons: What was learned of them.
        thresholds: What the policy says of guards.
        expected: Expected number of matches among all candidate pairs.
    """
    most = thresholds.may_cost
    if most is None or expected < _MATCHES:
        return ()
    return tuple(group for group in groups if prod(comparisons[name].m[0] for name in group) > most)


class _Curve(NamedTuple):
    """Expected F1 of accepting all pairs from each probability on, the highest probability first."""

    chance: Floats
    f1: Floats

    @classmethod
    def of(cls, chance: Floats, expected: float) -> "_Curve":
        ordered = np.sort(chance)[::-1]
        true, accepted = np.cumsum(ordered), np.arange(1, len(ordered) + 1)
        f1 = 2 * true / (accepted + expected)
        # Pairs of one probability are accepted together: the last of them stands for all.
        last = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]
        return cls(ordered[last], f1[last])

    def at(self, threshold: float) -> float:
        """Expected F1 from a threshold on."""
        accepted = int(np.count_nonzero(self.chance >= threshold))
        return float(self.f1[accepted - 1]) if accepted else 0.0

    def up_to(self, threshold: float) -> Floats:
        """Expected F1 of all thresholds up to this one."""
        return np.append(self.f1[self.chance <= threshold], self.at(threshold))
