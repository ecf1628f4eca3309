"""Customers who respond as planted: what a next best action would really bring, so that finding it can be tested.

Belongs here: made-up customers with a segment, their probability to respond by action, and responses to what was done.
Does not belong here: choosing actions, or measuring what they bring.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import numpy.typing as npt

Texts = npt.NDArray[np.str_]
NOTHING = "none"
"""What is done to somebody who is left alone."""
SEGMENTS: Mapping[str, float] = {"loyal": 0.3, "at_risk": 0.3, "new": 0.4}
"""Share of each segment."""
RESPONSES: Mapping[str, Mapping[str, float]] = {
    NOTHING: {"loyal": 0.12, "at_risk": 0.03, "new": 0.05},
    "offer": {"loyal": 0.13, "at_risk": 0.12, "new": 0.08},
    "call": {"loyal": 0.20, "at_risk": 0.05, "new": 0.06},
    "letter": {"loyal": 0.12, "at_risk": 0.04, "new": 0.10},
}
"""Probability to respond within the time given, by what is done and segment: no action is best for everybody."""


@dataclass(frozen=True)
class Planted:
    """Customers with what is true of them.

    Attributes:
        golden_ids: Sorted.
        segments: Of each.
        spend: What each spends when responding, above 0.
    """

    golden_ids: Sequence[str]
    segments: Texts
    spend: npt.NDArray[np.float64]

    def probability(self, done: Texts) -> npt.NDArray[np.float64]:
        """With which probability each responds to what was done."""
        found = np.empty(len(self.segments))
        for action, by_segment in RESPONSES.items():
            for segment, rate in by_segment.items():
                found[(done == action) & (self.segments == segment)] = rate
        return found

    def uplift(self, action: str) -> npt.NDArray[np.float64]:
        """By how much an action raises the probability of each."""
        everybody = np.full(len(self.segments), action)
        return self.probability(everybody) - self.probability(np.full(len(self.segments), NOTHING))

    def respond(self, done: Texts, seed: int) -> npt.NDArray[np.bool_]:
        """Who responds to what was done: the same seed, the same responses."""
        return np.random.default_rng([seed, 2]).random(len(done)) < self.probability(done)


def planted(customers: int, seed: int) -> Planted:
    """Customers in segments, the same ones for the same seed."""
    random = np.random.default_rng([seed, 1])
    drawn = random.bytes(16 * customers)
    ids = sorted(str(UUID(bytes=drawn[at : at + 16], version=4)) for at in range(0, len(drawn), 16))
    segments = random.choice(list(SEGMENTS), customers, p=list(SEGMENTS.values()))
    return Planted(ids, segments.astype(np.str_), np.round(random.gamma(2.0, 30.0, customers) + 1, 2))
