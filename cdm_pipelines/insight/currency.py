"""Currency: how likely an address is still right, by the years since it was last confirmed.

Belongs here: the decline, estimated from our own history of moves, and the probability that follows. Does not belong
here: which customer moved when (enrichment.location).

The decline is a rate: moves per customer per year, constant while an address ages (Heinrich and Klier, "A novel data
quality metric for timeliness considering supplemental data", 2009, whose metric is exp(-decline x age)). Our own
history is short at first, so it is set against a prior: 9.7 % of the Dutch moved in 2023 (Statistics Netherlands),
which is -ln(1 - 0.097) = 0.102 moves a year. The prior weighs as much as ``PRIOR_YEARS`` customer-years of our own.
With a gamma prior and moves that follow a Poisson process the posterior mean is

    (0.102 x PRIOR_YEARS + moves seen) / (PRIOR_YEARS + customer-years seen),

so the prior counts for half where we saw as many customer-years, and for next to nothing after a few nights of a large
company. The curve of Kaplan and Meier, which presumes no constant rate, stands beside it to look at.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import gamma

from cdm_pipelines.enrichment.scores import MOVES_A_YEAR

PRIOR_YEARS = 1_000.0
"""Customer-years that the prior weighs: in so many about a hundred move, a number known to a tenth (1 / sqrt(100))."""
_YEAR = 365.25


@dataclass(frozen=True)
class Decline:
    """Moves per customer per year.

    Attributes:
        rate: The posterior mean.
        low: Below which the rate is with a probability of 2.5 %.
        high: Above which it is with a probability of 2.5 %.
        moves: That we saw ourselves.
        years: Customer-years in which we saw them.
        prior: The rate before we saw anything.
    """

    rate: float
    low: float
    high: float
    moves: int
    years: float
    prior: float = MOVES_A_YEAR

    @property
    def weight_of_prior(self) -> float:
        """Share of the estimate that is the prior's and not our own."""
        return PRIOR_YEARS / (PRIOR_YEARS + self.years)

    def still_right(self, years: float) -> float:
        """The probability that an address confirmed so many years ago is right: exp(-rate x years)."""
        return float(np.exp(-self.rate * max(years, 0.0)))


def decline(moves: int, years: float) -> Decline:
    """The decline, from what we saw.

    Args:
        moves: Customers who moved while we knew them.
        years: Customer-years in which we would have seen it.

    Raises:
        ValueError: A number is negative or none.
    """
    if not (moves >= 0 and 0 <= years < float("inf")):
        raise ValueError("moves and years are numbers of at least 0")
    shape, rate = MOVES_A_YEAR * PRIOR_YEARS + moves, PRIOR_YEARS + years
    low, high = gamma.ppf([0.025, 0.975], shape, scale=1 / rate)
    return Decline(shape / rate, float(low), float(high), moves, years)


def expected_right(ages_in_days: npt.ArrayLike, rate: float) -> float:
    """How many of some addresses are expected to be right: the sum of exp(-rate x age).

    Args:
        ages_in_days: Days since each was confirmed; one in the future is of today.
        rate: Moves a year.
    """
    ages = np.maximum(np.asarray(ages_in_days, dtype=np.float64), 0.0)
    return float(np.exp(-rate * ages / _YEAR).sum())


@dataclass(frozen=True)
class Step:
    """One step of a curve of Kaplan and Meier: after ``days`` a share ``holds``, of ``at_risk`` who were watched."""

    days: int
    holds: float
    at_risk: int
    ended: int


def kaplan_meier(spells: Iterable[tuple[int, bool]]) -> Sequence[Step]:
    """Share of addresses that still hold, by days, as the product over days of 1 - ended / at risk.

    Args:
        spells: Days that each address was watched, and whether it ended then; others are still going on.

    Returns:
        A step for every number of days after which one ended, fewest first.
    """
    watched = sorted(spells)
    if not watched:
        return []
    days = np.array([days for days, _ in watched])
    ended = np.array([ends for _, ends in watched])
    steps, holds = [], 1.0
    for day in np.unique(days[ended]):
        at_risk = len(days) - int(np.searchsorted(days, day, side="left"))
        gone = int(((days == day) & ended).sum())
        holds *= 1 - gone / at_risk
        steps.append(Step(int(day), holds, at_risk, gone))
    return steps
