"""Scorecards: what a figure of quality is, how it changes, what got worse, and what misses its target.

Belongs here: scores and what follows from several of them. Does not belong here: measuring a day of a source
(``scorecard_day``) or the state of the customers (``scorecard_state``), or keeping them (hub.scorecards).

The dimensions are those of DAMA and ISO 8000. A score is what is in order / what was judged, and both are kept: scores
of several sources are added up by their counts, never averaged.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

GOLDEN, CUSTOMER = "golden", "customer"
"""Source and entity of figures about the golden customers."""
_CHANCE = 3.0
"""Standard errors beyond which a score has not fallen by chance: one in 740 would, where nothing changes."""


class Dimension(StrEnum):
    """Of quality."""

    COMPLETENESS = "completeness"
    VALIDITY = "validity"
    UNIQUENESS = "uniqueness"
    CONSISTENCY = "consistency"
    TIMELINESS = "timeliness"
    ACCURACY = "accuracy"
    FRIDAY = "friday"


@dataclass(frozen=True)
class Measure:
    """One way of measuring.

    Attributes:
        dimension: That it is of.
        formula: What is counted over what, in words.
        counted_from: Where the counts come from: a table with its columns, or a file of the lake.
    """

    dimension: Dimension
    formula: str
    counted_from: str


MEASURES: Mapping[str, Measure] = {
    "accepted": Measure(
        Dimension.VALIDITY,
        "rows accepted / rows delivered; rows that a later row of their day replaced count for neither",
        "quarantine/<source>/<entity>/<day>: _reasons; valid/…: rows",
    ),
    "with_key": Measure(
        Dimension.COMPLETENESS,
        "rows with a key / rows delivered",
        "quarantine/<source>/<entity>/<day>: _reasons with rule missing_key",
    ),
    "not_repeated": Measure(
        Dimension.UNIQUENESS,
        "rows whose key no later row of the day has / rows delivered",
        "quarantine/<source>/<entity>/<day>: _reasons with rule superseded",
    ),
    "filled": Measure(
        Dimension.COMPLETENESS,
        "records with a value / records of the kind (person, organisation) of whom it is expected, by parameters of "
        "profile/quality; of other entities, values that a contract requires / rows with or without. An attribute that "
        "may well be empty is judged where a target names it",
        "standard/<source>/<entity>/<day>/<canonical entity>: values that are not null; quarantine/…: rule missing",
    ),
    "fit": Measure(
        Dimension.VALIDITY,
        "values that keep to their rules / values delivered; blanked cells are delivered values",
        "repairs/…: action blanked; standard/…: invalid_attributes, less what is only marked in repairs/…",
    ),
    "check_digit": Measure(
        Dimension.ACCURACY,
        "numbers whose check digit is right / numbers delivered; such a number is held against its own digits, and so "
        "is not counted under validity as well",
        "repairs/…: action blanked; standard/…: invalid_attributes",
    ),
    "all": Measure(
        Dimension.FRIDAY,
        "records without any fault / all records of the day; a rejected row and a value that is not fit are faults",
        "quarantine/…, repairs/…: _file, _row; standard/…: invalid_attributes",
    ),
    "last_100": Measure(
        Dimension.FRIDAY,
        "of the last hundred accepted records, by when the source changed them, those without any fault / their number",
        "repairs/…: _file, _row; standard/…: invalid_attributes, modified_at",
    ),
    "one_record_each": Measure(
        Dimension.UNIQUENESS,
        "customers / active records of the source: a customer with two records of one source is a duplicate there",
        "golden.crosswalk: golden_id where active",
    ),
    "agrees_with_golden": Measure(
        Dimension.ACCURACY,
        "active records whose value did not lose against the golden one / active records with a value",
        "golden.provenance: losers; records/party",
    ),
    "customer_known": Measure(
        Dimension.CONSISTENCY,
        "active records that name a customer who is known / active records",
        "golden.customer_order and golden.invoice: golden_id",
    ),
    "days_delivered": Measure(
        Dimension.TIMELINESS,
        "days that were delivered / days on which a delivery was agreed, of the last 28 days since the first one",
        "ops.source_day: date",
    ),
    "has_value": Measure(
        Dimension.COMPLETENESS,
        "customers with a value / customers of the kind (person, organisation) of whom it is expected",
        "profile.quality: missing",
    ),
    "all_fit": Measure(
        Dimension.VALIDITY,
        "customers all of whose records' values are fit / customers with values",
        "profile.quality: validity = 1",
    ),
    "records_agree": Measure(
        Dimension.CONSISTENCY,
        "customers whose records agree in all that two of them have / customers with something to compare",
        "profile.quality: consistency = 1",
    ),
    "shared_with_nobody": Measure(
        Dimension.UNIQUENESS,
        "customers with whom nobody shares an e-mail address, mobile or number / customers who have one",
        "profile.quality: shared_with = 0",
    ),
    "currency": Measure(
        Dimension.TIMELINESS,
        "addresses that are expected to be still right / addresses with a day on which they were confirmed: the sum "
        "of exp(-moves a year x years since), with the moves that insight/currency estimates",
        "profile.location: address_confirmed_on, moved_on; golden.customer: first_seen",
    ),
    "not_bounced": Measure(
        Dimension.ACCURACY,
        "customers mailed in 365 days from whom nothing bounced / customers mailed",
        "profile.engagement: emails_365, bounces_365",
    ),
    "in_register": Measure(
        Dimension.ACCURACY,
        "customers whose postcode stands in the table of postcodes / customers with a postcode of such a country",
        "profile.location: postcode_known",
    ),
}
"""How every figure comes about, by name of measure."""


@dataclass(frozen=True)
class Score:
    """One figure of quality.

    Attributes:
        as_of: The day that it is about.
        source: Source system.
        entity: Of the source.
        attribute: Canonical attribute such as party.email; empty for whole records.
        dimension: Of quality.
        measure: A name of ``MEASURES``.
        numerator: What is in order.
        denominator: What was judged, above 0.
    """

    as_of: dt.date
    source: str
    entity: str
    attribute: str
    dimension: str
    measure: str
    numerator: float
    denominator: float

    @property
    def share(self) -> float:
        """The score, from 0 to 1."""
        return self.numerator / self.denominator

    @property
    def faults(self) -> float:
        """What is not in order."""
        return self.denominator - self.numerator

    @property
    def subject(self) -> tuple[str, str, str, str, str]:
        """What it is a figure of, whatever the day."""
        return (self.source, self.entity, self.attribute, self.dimension, self.measure)


@dataclass(frozen=True)
class About:
    """What figures are about: a source entity, or the golden customers, on a day."""

    as_of: dt.date
    source: str
    entity: str

    def score(self, attribute: str, measure: str, numerator: float, denominator: float) -> list[Score]:
        """The figure, or none where nothing was judged."""
        if denominator <= 0:
            return []
        dimension = str(MEASURES[measure].dimension)
        counts = float(numerator), float(denominator)
        return [Score(self.as_of, self.source, self.entity, attribute, dimension, measure, *counts)]


@dataclass(frozen=True)
class Trend:
    """The course of one figure.

    Attributes:
        last: The newest one.
        owner: Who decides about the data.
        target: What it should at least be; None for no target.
        shares: All of them, oldest first, the newest among them.
        before: Pooled score of the days before the last one; None where there are none.
        fell: Whether it is lower than before by more than chance makes of it.
    """

    last: Score
    owner: str
    target: float | None
    shares: tuple[float, ...]
    before: float | None
    fell: bool

    @property
    def missed(self) -> bool:
        """Whether the target is missed; half an observation is no miss."""
        return self.target is not None and self.last.share < self.target - 1e-12

    @property
    def change(self) -> float:
        """Of the score against the days before."""
        return 0.0 if self.before is None else self.last.share - self.before


_MEASURED_STILL = dt.timedelta(days=35)
"""A figure that is older than the newest of all by more is of something that is delivered no longer."""


def trends(rows: Iterable[Mapping[str, Any]]) -> list[Trend]:
    """The course of every figure that is measured still, by source, entity, attribute, dimension and measure.

    Args:
        rows: Of ``insight.quality`` by column name, in any order.
    """
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["as_of"]):
        subject = tuple(row[name] for name in ("source", "entity", "attribute", "dimension", "measure"))
        found.setdefault(subject, []).append(row)
    newest = max((course[-1]["as_of"] for course in found.values()), default=None)
    return [
        _trend(course)
        for _, course in sorted(found.items())
        if newest is None or newest - course[-1]["as_of"] <= _MEASURED_STILL
    ]


def _trend(course: Sequence[Mapping[str, Any]]) -> Trend:
    names = tuple(Score.__dataclass_fields__)
    scores = [Score(**{name: row[name] for name in names}) for row in course]
    *earlier, last = scores
    judged = sum(one.denominator for one in earlier)
    before = sum(one.numerator for one in earlier) / judged if judged else None
    shares = tuple(one.share for one in scores)
    row = course[-1]
    return Trend(last, row["owner"], row["target"], shares, before, _fell(last, before, judged))


def _fell(last: Score, before: float | None, judged: float) -> bool:
    """Two proportions by their pooled standard error: a score of few records has to fall more than one of many.

    Figures of a state are of the same records day by day, and not of a sample of their own: the error is that of the
    last day alone where all days together would be counted as so many records more.
    """
    if before is None:
        return False
    judged = min(judged, last.denominator * 28)
    pooled = (before * judged + last.numerator) / (judged + last.denominator)
    error = math.sqrt(max(pooled * (1 - pooled), 0.0) * (1 / judged + 1 / last.denominator))
    return last.share < before and before - last.share > _CHANCE * error


def worst_movers(courses: Iterable[Trend], most: int = 10) -> list[Trend]:
    """Figures that fell beyond chance, those that fell most first."""
    fallen = [one for one in courses if one.fell]
    return sorted(fallen, key=lambda one: (one.change, one.last.subject))[:most]


def missed(courses: Iterable[Trend]) -> list[Trend]:
    """Figures below their target, the farthest below first."""
    below = [one for one in courses if one.missed]
    return sorted(below, key=lambda one: (one.last.share - (one.target or 0.0), one.last.subject))


def by_dimension(scores: Iterable[Score]) -> dict[str, float]:
    """One score per dimension, by the counts of all figures of whole records and attributes."""
    sums: dict[str, list[float]] = {}
    for one in scores:
        both = sums.setdefault(one.dimension, [0.0, 0.0])
        both[0] += one.numerator
        both[1] += one.denominator
    return {name: above / below for name, (above, below) in sorted(sums.items())}


def as_row(score: Score, owner: str, target: float | None, made_from: str) -> dict[str, Any]:
    """A figure as a row of ``insight.quality``, but for the run."""
    return asdict(score) | {"owner": owner, "target": target, "made_from": made_from}
