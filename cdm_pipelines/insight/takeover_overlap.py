"""How many of another company's customers are ours already: an expected number with an interval.

Belongs here: the estimate, from what linkage found and how sure its model is. Does not belong here: linking (linkage),
reading what it found (steps.takeover), how it is told (``takeover_report``).

Counted are customers and not rows: records of the other company that linkage puts together are one. Three things are
not known, and each widens the interval:

- whether a pair that was found is one: each customer counts with the calibrated probability of its best pair, so that
  the number found is a sum of independent chances (Poisson binomial), taken as normal;
- how many of ours look so different that no pair was found. The model says how often a true pair falls below the
  review threshold: patterns of agreement are drawn from its m-probabilities, with the gaps that the records have. With
  a share ``d`` of true pairs found and a share ``s`` of customers shared, one who was not found is ours with
  probability ``s (1 - d) / (1 - s d)``, and ``s`` follows from the total (solved by iteration);
- the model: its m-probabilities were learned of so many expected matches, so they are drawn anew from their Dirichlet
  posterior (a uniform prior), and each draw gives both numbers again.

What is not in it: that the other company writes worse than our sources do, on which the model was fitted, and pairs
that no blocking rule proposes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.model.fellegi_sunter import Floats, LinkageModel, log2_odds, probability
from cdm_pipelines.linkage.model.scoring import BoundScorer

DRAWS = 400
SAMPLE = 2_000
"""Records that tell well enough how often true pairs are found."""
_LEVEL = 0.95
_ROUNDS = 50
_PER_DRAW = 20
"""Times that each sampled record is drawn for one model."""

Levels = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Found:
    """What linkage found of the customers of one kind.

    Attributes:
        odds: Log2 odds of the best pair with one of ours, of each customer of whom there is a pair from the review
            threshold on.
        levels: Levels of agreement of those pairs, shape (pairs, comparisons); -1 where missing.
        others: Number of customers of whom there is none.
        review: Probability from which on a pair is kept.
    """

    odds: Floats
    levels: Levels
    others: int
    review: float

    @property
    def customers(self) -> int:
        """How many there are."""
        return len(self.odds) + self.others


@dataclass(frozen=True)
class Gaps:
    """What pairs can be compared by: of sampled records of the other company, and of ours.

    Attributes:
        theirs: Which comparisons each sampled record could be made by, shape (records, comparisons).
        terms: Bits that the frequency of its values adds where all of it agrees, same shape.
        ours: Share of our records that each comparison could be made by.
    """

    theirs: npt.NDArray[np.bool_]
    terms: Floats
    ours: Floats

    @classmethod
    def of(cls, theirs: BoundScorer, ours: BoundScorer) -> Self:
        """Of records that were encoded; each is compared with a copy of itself."""
        here = np.arange(len(theirs.records), dtype=np.int32)
        parts = theirs.parts(here, here, theirs.packed(here, here))
        own = np.arange(len(ours.records), dtype=np.int32)
        filled = ours.comparer.packing.unpack(ours.packed(own, own)) >= 0
        share = filled.mean(axis=0) if len(own) else np.ones(parts.levels.shape[1])
        return cls(parts.levels >= 0, parts.terms, np.asarray(share, dtype=np.float64))


@dataclass(frozen=True)
class Overlap:
    """Customers of the other company who are ours.

    Attributes:
        customers: All of the other company, without duplicates.
        linked: Those whom linking puts together with ours.
        expected: How many are ours.
        low, high: Between these, with a probability of 95 %.
        unseen: Part of ``expected`` of whom no pair was found.
        found: Share of true pairs that is expected to be found.
    """

    customers: int
    linked: int
    expected: float
    low: int
    high: int
    unseen: float
    found: float

    @property
    def share(self) -> float:
        """Of all customers of the other company."""
        return self.expected / self.customers if self.customers else 0.0


def overlap(parts: Sequence[tuple[Found, Gaps, LinkageModel]], linked: int, *, seed: int = 0) -> Overlap:
    """Estimate the number of shared customers, over all kinds of party.

    Args:
        parts: What was found, by kind, with the model that found it.
        linked: Customers that linking puts together with ours, over all kinds.
        seed: Of the draws.
    """
    chance = np.random.default_rng(seed)
    customers = sum(found.customers for found, _, _ in parts)
    total, unseen, shares = np.zeros(DRAWS), 0.0, []
    expected = 0.0
    for found, gaps, model in parts:
        if not found.customers:
            continue
        mean, spread, missed, share = _draws(found, gaps, model, chance)
        total += mean + np.sqrt(spread) * chance.standard_normal(DRAWS)
        expected, unseen = expected + float(mean.mean()), unseen + float(missed.mean())
        shares.append((found.customers, float(share.mean())))
    tail = 100 * (1 - _LEVEL) / 2
    low, high = np.percentile(total, [tail, 100 - tail])
    weight = sum(count for count, _ in shares)
    return Overlap(
        customers,
        linked,
        expected,
        max(0, int(np.floor(low))),
        min(customers, int(np.ceil(high))),
        unseen,
        sum(count * share for count, share in shares) / weight if weight else 1.0,
    )


def _draws(
    found: Found, gaps: Gaps, model: LinkageModel, chance: np.random.Generator
) -> tuple[Floats, Floats, Floats, Floats]:
    """For each draw of the model: expected number shared, its variance, the part not seen, the share of pairs found."""
    mean, spread, missed, share = (np.empty(DRAWS) for _ in range(4))
    for draw in range(DRAWS):
        drawn = _drawn(model, chance)
        seen = probability(found.odds + _moved(model, drawn, found.levels))
        share[draw] = _share_found(gaps, model, drawn, found.review, chance)
        hidden = _hidden(float(seen.sum()), found, float(share[draw]))
        missed[draw] = hidden * found.others
        mean[draw] = seen.sum() + missed[draw]
        spread[draw] = (seen * (1 - seen)).sum() + found.others * hidden * (1 - hidden)
    return mean, spread, missed, share


def _hidden(seen: float, found: Found, share: float) -> float:
    """Probability that a customer of whom no pair was found is ours."""
    hidden = 0.0
    for _ in range(_ROUNDS):
        shared = min((seen + hidden * found.others) / found.customers, 1.0)
        hidden = shared * (1 - share) / max(1 - shared * share, 1e-9)
    return hidden


def _drawn(model: LinkageModel, chance: np.random.Generator) -> list[Floats]:
    """m-probabilities by comparison, from their posterior given the matches that the fit expected."""
    matches = float(model.training.get("expected_matches", 0.0))
    comparable = model.training.get("comparable", {})
    drawn = []
    for name, one in model.comparisons.items():
        counts = np.array(one.m) * matches * float(comparable.get(name, 1.0)) + 1.0
        drawn.append(chance.dirichlet(counts))
    return drawn


def _moved(model: LinkageModel, drawn: Sequence[Floats], levels: Levels) -> Floats:
    """Bits by which other m-probabilities move the odds of pairs."""
    moved = np.zeros(len(levels))
    for number, (one, m) in enumerate(zip(model.comparisons.values(), drawn, strict=True)):
        bits = np.append(np.log2(m / np.maximum(np.array(one.m), 1e-9)), 0.0)  # level -1 finds the last
        # A level that no match had in the fit is moved far by a prior alone; it tells nothing of this pair.
        bits[:-1][np.array(one.m) < 1e-3] = 0.0
        moved += bits[levels[:, number]]
    return moved


def _share_found(
    gaps: Gaps, model: LinkageModel, drawn: Sequence[Floats], review: float, chance: np.random.Generator
) -> float:
    """Share of true pairs of the sampled records that the model would put over the review threshold."""
    records = len(gaps.theirs)
    if not records:
        return 1.0
    rows = chance.integers(0, records, min(records, SAMPLE // _PER_DRAW) * _PER_DRAW)
    match, related = np.zeros(len(rows)), np.zeros(len(rows))
    for number, (one, m) in enumerate(zip(model.comparisons.values(), drawn, strict=True)):
        there = gaps.theirs[rows, number] & (chance.random(len(rows)) < gaps.ours[number])
        level = np.minimum(np.searchsorted(np.cumsum(m), chance.random(len(rows))), len(m) - 1)
        terms = np.where(level == len(m) - 1, gaps.terms[rows, number], 0.0)
        floor = np.maximum([np.array(one.m), np.array(one.u), np.array(one.r)], 1e-9)
        match += np.where(there, np.log2(floor[0] / floor[1])[level] + terms, 0.0)
        near = np.log2(floor[2] / floor[1])[level] + (terms if one.shared else 0.0)
        related += np.where(there, near, 0.0)
    rest = 1 - model.prior - model.related
    against = np.zeros(len(rows))
    if model.related > 0:
        against = np.logaddexp2(0.0, related + np.log2(model.related / rest)) + np.log2(
            rest / (1 - model.prior)
        )
    odds = match - against + log2_odds(model.prior)
    return float((odds >= log2_odds(review)).mean())
