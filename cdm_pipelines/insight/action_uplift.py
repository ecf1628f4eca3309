"""What an action brought: responses of those it was carried out for against those left alone, with intervals.

Belongs here: differences of rates and of means, and how many customers they take. Does not belong here: who responded
(steps.activation), whether another rule would do better (``action_judgement``).

Of each customer their first choice counts, the first of all and not of an action. The control group is the same people
in every period, so what they do again is no further evidence of anything; and from the second period on chance alone no
longer tells the groups apart: who was approached, or bought by it, drops out of later choices, and who was left alone
does not. So a customer is one observation, and the intervals are those of independent ones.

- Rates: Newcombe's interval for a difference of independent proportions, from two Wilson intervals (Newcombe 1998,
  Statistics in Medicine 17:873, method 10): it holds with few responses and with none.
- Amounts: Welch's interval for a difference of means with unequal variances.
- *Number needed to approach*: 1 / uplift, so many customers for one response more; not told while the interval has 0.
- *Number needed to tell*: customers in each group by which a difference of this size is told apart from none in 80 of
  100 cases (two-sided, 5 %), by the normal approximation.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import stats

from cdm_pipelines.insight.action_rules import Numbers, numbers

CONFIDENCE = 0.95
_POWER = 0.8
_LEAST = 5
"""Fewer customers than this in either group, and nothing is said of an action."""


@dataclass(frozen=True)
class Interval:
    """A value, and between what it lies with the probability of ``CONFIDENCE``."""

    value: float
    low: float
    high: float

    @property
    def tells(self) -> bool:
        """Whether it is told apart from none."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Uplift:
    """What an action brought.

    Attributes:
        action: Its key.
        treated: For how many it was carried out.
        control: How many were left alone for whom it had been chosen.
        treated_rate, control_rate: Share who responded.
        rate: The difference: responses that the action added.
        amount: The same of the mean amount per customer; None where responses have no amount.
        needed_to_approach: So many customers for one response more; None where the interval has 0.
        needed_to_tell: So many customers in each group to tell this difference; None where there is none.
        reason: Why nothing can be said; empty where it can.
    """

    action: str
    treated: int
    control: int
    treated_rate: float = math.nan
    control_rate: float = math.nan
    rate: Interval | None = None
    amount: Interval | None = None
    needed_to_approach: float | None = None
    needed_to_tell: int | None = None
    reason: str = ""


def wilson(successes: int, number: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's interval for a proportion (1927)."""
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    share = successes / number
    middle = share + z * z / (2 * number)
    spread = z * math.sqrt(share * (1 - share) / number + z * z / (4 * number * number))
    scale = 1 + z * z / number
    return max((middle - spread) / scale, 0.0), min((middle + spread) / scale, 1.0)


def newcombe(treated: tuple[int, int], control: tuple[int, int], confidence: float = CONFIDENCE) -> Interval:
    """The difference of two proportions, each as successes and number, with Newcombe's interval (method 10)."""
    shares = [successes / number for successes, number in (treated, control)]
    (low_1, high_1), (low_2, high_2) = (wilson(*one, confidence) for one in (treated, control))
    value = shares[0] - shares[1]
    low = value - math.hypot(shares[0] - low_1, high_2 - shares[1])
    high = value + math.hypot(high_1 - shares[0], shares[1] - low_2)
    return Interval(value, low, high)


def welch(treated: Numbers, control: Numbers, confidence: float = CONFIDENCE) -> Interval:
    """The difference of two means with Welch's interval."""
    value = float(treated.mean() - control.mean())
    parts = [float(one.var(ddof=1)) / len(one) for one in (treated, control)]
    variance = sum(parts)
    if variance == 0:
        return Interval(value, value, value)
    freedom = variance**2 / sum(
        part**2 / (len(one) - 1) for part, one in zip(parts, (treated, control), strict=True)
    )
    spread = float(stats.t.ppf(0.5 + confidence / 2, freedom)) * math.sqrt(variance)
    return Interval(value, value - spread, value + spread)


def needed_to_tell(treated_rate: float, control_rate: float) -> int | None:
    """Customers in each group by which a difference of two rates is told; None where there is no difference."""
    difference = treated_rate - control_rate
    if difference == 0:
        return None
    z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2) + stats.norm.ppf(_POWER))
    spread = treated_rate * (1 - treated_rate) + control_rate * (1 - control_rate)
    return math.ceil(z * z * spread / (difference * difference))


def uplifts(choices: pa.Table, actions: Sequence[str]) -> Iterator[Uplift]:
    """What each action brought.

    Args:
        choices: A row per customer and period whose time to respond is over: ``first`` (yes where it is the first
            choice of that customer; others are left out), ``action`` (the one that was chosen, for those left alone as
            well), ``control`` (yes or no), ``responded`` (yes or no) and ``amount`` (null where responses have none).
        actions: Keys, in the order that they are told in.
    """
    choices = choices.filter(choices["first"])
    for action in actions:
        rows = choices.filter(pc.equal(choices["action"], action))
        control = rows.filter(rows["control"])
        treated = rows.filter(pc.invert(rows["control"]))
        yield _of_one(action, treated, control)


def _of_one(action: str, treated: pa.Table, control: pa.Table) -> Uplift:
    counts = treated.num_rows, control.num_rows
    if min(counts) < _LEAST:
        which = "were left alone to compare with" if counts[1] < _LEAST else "were approached"
        least = (
            f"fewer than {_LEAST} for whom it was the first choice {which} and have had their time to respond"
        )
        return Uplift(action, counts[0], counts[1], reason=f"not measurable yet, because {least}")
    hits = [int(pc.sum(one["responded"]).as_py() or 0) for one in (treated, control)]
    rates = [hit / number for hit, number in zip(hits, counts, strict=True)]
    rate = newcombe((hits[0], counts[0]), (hits[1], counts[1]))
    has_amount = treated["amount"].null_count < counts[0] or control["amount"].null_count < counts[1]
    amounts = [np.nan_to_num(numbers(one["amount"])) for one in (treated, control)]
    return Uplift(
        action=action,
        treated=counts[0],
        control=counts[1],
        treated_rate=rates[0],
        control_rate=rates[1],
        rate=rate,
        amount=welch(amounts[0], amounts[1]) if has_amount else None,
        needed_to_approach=1 / rate.value if rate.tells else None,
        needed_to_tell=needed_to_tell(rates[0], rates[1]),
    )
