"""Rules of actions over columns: who passes them, who can be reached, what a response is worth and how probable it is.

Belongs here: one vector per rule, of all customers at once. Does not belong here: which action is chosen
(``action_choice``).
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.insight.action_policy import CHANNELS, Action
from cdm_pipelines.insight.action_terms import Condition, Exclusion
from cdm_pipelines.store.arrow import whole

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]
_BOUNDS = {
    "at_least": pc.greater_equal,
    "at_most": pc.less_equal,
    "over": pc.greater,
    "under": pc.less,
}


def passes(customers: pa.Table, conditions: Iterable[Condition], as_of: dt.date) -> Flags:
    """Who passes all of some conditions; an empty value passes none but ``empty``."""
    found = np.ones(customers.num_rows, np.bool_)
    for one in conditions:
        for test in sorted(one.tests):
            found &= _passes(customers[one.column], test, one, as_of)
    return found


def _passes(column: pa.ChunkedArray, test: str, one: Condition, as_of: dt.date) -> Flags:
    wanted: Any = getattr(one, test)
    if test == "empty":
        return flags(column.is_null() if wanted else column.is_valid())
    if test == "one_of":
        return flags(pc.is_in(column, value_set=pa.array(wanted, column.type)))
    if test == "is_":
        return flags(pc.equal(column, pa.scalar(wanted)))
    if test in _BOUNDS:
        return flags(_BOUNDS[test](pc.cast(column, pa.float64(), safe=False), float(wanted)))
    edge = pa.scalar(as_of - dt.timedelta(days=wanted), pa.date32())
    if test == "days_ago_at_least":
        return flags(pc.less_equal(column, edge))
    return flags(pc.greater(column, edge))


def excluded(customers: pa.Table, one: Exclusion, as_of: dt.date) -> Flags:
    """To whom an exclusion applies."""
    return passes(customers, one.when, as_of)


def reachable(customers: pa.Table, action: Action) -> Flags:
    """Who can be reached through the channel of an action."""
    each = [flags(customers[name].is_valid()) for name in CHANNELS[action.channel]]
    joined = np.logical_and if action.channel == "post" else np.logical_or
    found: Flags = joined.reduce(each)
    return found


def values(customers: pa.Table, action: Action) -> Numbers:
    """What a response of each customer is worth, in the currency of the policy; not a number where not known."""
    value = action.value
    if value is None:
        return np.full(customers.num_rows, np.nan)
    if value.column is None:
        return np.full(customers.num_rows, float(value.amount or 0))
    return numbers(customers[value.column]) * value.share


def probabilities(customers: pa.Table, action: Action) -> Numbers:
    """How probable a response of each customer is, by what is declared; not a number where not known.

    Raises:
        ValueError: A column that is to hold probabilities holds something else.
    """
    rate = action.probability
    if rate is None:
        return np.full(customers.num_rows, np.nan)
    if rate.column is None:
        return np.full(customers.num_rows, float(rate.rate or 0))
    if not rate.rates:
        found = numbers(customers[rate.column])
        if np.nanmax(found, initial=0) > 1 or np.nanmin(found, initial=0) < 0:
            raise ValueError(
                f"next_best_action.yaml: actions ({action.key}): probability: {rate.column} holds values beyond 0 to "
                "1, and is no probability. Take another column, or rates"
            )
        return found
    encoded = pc.dictionary_encode(whole(customers[rate.column]))
    otherwise = np.nan if rate.otherwise is None else rate.otherwise
    known = [rate.rates.get(str(one), otherwise) for one in encoded.dictionary.to_pylist()]
    codes = pc.fill_null(encoded.indices, len(known)).to_numpy(zero_copy_only=False)
    result: Numbers = np.array([*known, otherwise], np.float64)[codes]
    return result


def numbers(column: pa.ChunkedArray) -> Numbers:
    """A column as floating point numbers, not a number where it is empty."""
    cast = pc.cast(column, pa.float64(), safe=False)
    found: Numbers = pc.fill_null(whole(cast), np.nan).to_numpy(zero_copy_only=False)
    return found


def flags(column: Any) -> Flags:
    """A column of yes and no as numpy has it, no where it is empty."""
    found: Flags = np.asarray(pc.fill_null(whole(column), False).to_numpy(zero_copy_only=False), np.bool_)
    return found
