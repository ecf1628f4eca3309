"""The formulas of the business case: few, named, shown with what they give.

Belongs here: what each does, on numbers of any kind (``Decimal`` for an amount to the cent, arrays of draws for a
simulation). Does not belong here: where the numbers come from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Numbers = Sequence[Any]
"""Decimals, floats or arrays of floats."""


@dataclass(frozen=True)
class Formula:
    """One formula.

    Attributes:
        words: How the amount follows.
        volumes: How many measured volumes it takes.
        inputs: How many inputs it takes; None for one or more.
        work_out: From volumes and inputs, in their order.
    """

    words: str
    volumes: int
    inputs: int | None
    work_out: Callable[[Numbers, Numbers], Any]


def _times(volumes: Numbers, inputs: Numbers) -> Any:
    amount = volumes[0]
    for one in inputs:
        amount = amount * one
    return amount


def _rule_of_ten(volumes: Numbers, inputs: Numbers) -> Any:
    records, share = volumes
    return records * inputs[0] * 9 * (1 - share)


def _one_ten_hundred(volumes: Numbers, inputs: Numbers) -> Any:
    corrected, let_through = volumes
    return inputs[0] * (10 * corrected + 100 * let_through)


def _per_percent(volumes: Numbers, inputs: Numbers) -> Any:
    return inputs[0] * inputs[1] * 100 * (1 - volumes[0])


FORMULAS: Mapping[str, Formula] = {
    "volume_times": Formula("volume x every input", 1, None, _times),
    "rule_of_ten": Formula(
        "what flawed records cost more than sound ones: records x cost of one x 9 x (1 - share without a fault); "
        "from N c (q + 10 (1 - q)) - N c",
        2,
        1,
        _rule_of_ten,
    ),
    "one_ten_hundred": Formula(
        "cost of preventing one fault x (10 x faults corrected + 100 x faults let through)",
        2,
        1,
        _one_ten_hundred,
    ),
    "per_percent": Formula(
        "amount x share of it per percent of pollution x 100 x (1 - share without a fault)",
        1,
        2,
        _per_percent,
    ),
}
"""By name, as policies/business_case.yaml writes it."""
