"""Scores between 0 and 1 that are means of parts, some of which may be unknown.

Belongs here: the SQL of such a mean, and of how likely a value still holds. Does not belong here: which parts there
are.
"""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from cdm_pipelines.figures import Bars

MOVES_A_YEAR = 0.102
"""Decline of an address: 9.7 % of the Dutch moved in 2023 (Statistics Netherlands), and -ln(1 - 0.097) = 0.102."""


class Weights(BaseModel):
    """How much each part counts; one of weight 0 counts for nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def weighted_mean(parts: Mapping[str, str], weights: Weights) -> str:
    """SQL of the mean of those parts that are known; null where none is.

    Args:
        parts: SQL of each part, a number from 0 to 1, by name.
        weights: With a field for each.
    """
    values = {sql: float(getattr(weights, name)) for name, sql in parts.items()}
    above = " + ".join(f"{weight} * coalesce({sql}, 0)" for sql, weight in values.items())
    below = " + ".join(f"CASE WHEN {sql} IS NULL THEN 0 ELSE {weight} END" for sql, weight in values.items())
    return f"(({above})::DOUBLE / nullif(({below})::DOUBLE, 0))"


def still_holds(since: str, now: str, decline: str) -> str:
    """SQL of the probability that a value still holds that did on a day: exp(-decline x years since).

    After Heinrich and Klier, "A novel data quality metric for timeliness considering supplemental data" (2009).
    """
    # greatest() passes over what is null, and an unknown day is no day
    years = f"CASE WHEN {since} IS NOT NULL THEN greatest(date_diff('day', {since}, {now}), 0) END / 365.25"
    return f"exp(-({decline})::DOUBLE * {years})"


def tenths(column: pa.ChunkedArray, what: str) -> Bars:
    """Customers by tenth of a score from 0 to 1."""
    tenth = pc.floor(pc.multiply(pc.cast(column.drop_null(), pa.float64()), 10))
    counts = {int(row["values"]): int(row["counts"]) for row in pc.value_counts(tenth).to_pylist()}
    counts[9] = counts.get(9, 0) + counts.pop(10, 0)
    return Bars(
        {f"{at / 10:.1f} to {(at + 1) / 10:.1f}": counts.get(at, 0) for at in range(10)},
        (what, "customers"),
        scale=True,
    )
