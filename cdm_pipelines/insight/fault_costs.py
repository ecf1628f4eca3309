"""What faults cost against what their upkeep costs: the least of both together.

Belongs here: the picture of Haug, Zachariassen and van Liempd ("The costs of poor data quality", 2011): the more is
spent on upkeep, the less poor data costs, by less and less. Does not belong here: the cost of single faults, which is
volume x input (``business_case``).

A company says three things: what upkeep costs now, and that so much more a year would take away such a share of the
cost of poor data. We take the share to be the same for every such step. Then poor data costs C exp(-(u - now) / k) at
an upkeep u, with k = -more / ln(1 - removes), and upkeep and poor data together cost least where one euro more saves
one euro less: u = now + k ln(C / k), and not below nought.
"""

import math
from dataclasses import dataclass

from cdm_pipelines.insight.business_case_policy import Upkeep


@dataclass(frozen=True)
class Optimum:
    """Where upkeep and poor data together cost least.

    Attributes:
        now: Spent on upkeep a year.
        poor_now: What poor data costs now.
        upkeep: What to spend.
        poor: What poor data costs then.
        reach: k: of upkeep so much more takes poor data to 1 / e.
    """

    now: float
    poor_now: float
    upkeep: float
    poor: float
    reach: float

    @property
    def saved(self) -> float:
        """A year, against now."""
        return self.now + self.poor_now - self.upkeep - self.poor

    def poor_at(self, upkeep: float) -> float:
        """What poor data costs at an upkeep."""
        return self.poor_now * math.exp(-(upkeep - self.now) / self.reach)


def optimum(upkeep: Upkeep, poor_now: float) -> Optimum | None:
    """The optimum; None where the company has not said what upkeep does, or poor data costs nothing.

    Args:
        upkeep: What the company says of it.
        poor_now: What poor data costs a year, from the business case.
    """
    if upkeep.now is None or upkeep.more is None or upkeep.removes is None or poor_now <= 0:
        return None
    reach = -upkeep.more / math.log(1 - upkeep.removes)
    best = max(0.0, upkeep.now + reach * math.log(poor_now / reach))
    found = Optimum(upkeep.now, poor_now, best, 0.0, reach)
    return Optimum(upkeep.now, poor_now, best, found.poor_at(best), reach)
