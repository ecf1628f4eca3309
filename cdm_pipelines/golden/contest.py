"""How one record's value comes out above those of the others.

Belongs here: the survivorship rules as passes over columns, and which of them decided. Does not belong here:
the golden table (``survivorship``).

Each rule keeps, of a customer's records still in the race, those that do best by it. The rule that *decided*
is the one that dropped the last record with another value than the winner's; records that agree need no
decision.
"""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.golden.policy import Group, SurvivorshipPolicy, SurvivorshipRule

Ints = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]

SINGLE_RECORD, UNCONTESTED, STABLE_KEY = "single_record", "uncontested", "stable_key"
REASONS = (SINGLE_RECORD, UNCONTESTED, *(rule.value for rule in SurvivorshipRule), STABLE_KEY)
"""Why a value is golden; outcomes hold the place in this list."""


@dataclass(frozen=True)
class Layout:
    """Records laid out customer by customer: first those of customers with several records, then the others.

    Attributes:
        sizes: Number of records of each customer.
        starts: First row of each customer.
        shared: Customers with more than one record; only they need a decision.
        rows: Number of records of those customers; they are the first rows.
        customer: Of each of these rows, its customer's place in ``shared``.
    """

    sizes: Ints
    starts: Ints
    shared: Ints
    rows: int
    customer: Ints

    @classmethod
    def of(cls, sizes: Ints) -> Self:
        """Lay out customers of the given sizes."""
        shared = np.flatnonzero(sizes > 1)
        lengths = sizes[shared]
        rows = int(lengths.sum())
        starts = np.empty(len(sizes), np.int64)
        starts[shared] = np.cumsum(lengths) - lengths
        starts[sizes == 1] = rows + np.arange(len(sizes) - len(shared))
        return cls(sizes, starts, shared, rows, np.repeat(np.arange(len(shared)), lengths))

    @property
    def shared_starts(self) -> Ints:
        """First row of each customer with more than one record."""
        return self.starts[self.shared]

    def best(self, function: np.ufunc, values: Ints) -> Ints:
        """The smallest, largest or summed value of each customer's records."""
        found: Ints = values[self.starts]
        if len(self.shared):
            found[self.shared] = function.reduceat(values[: self.rows], self.shared_starts)
        return found


@dataclass(frozen=True)
class Outcome:
    """Who won one group, for the customers with more than one record.

    Attributes:
        winner: Row whose values are golden; -1 where no record has a value.
        reason: Why, as a place in ``REASONS``.
        holders: Per row, whether it has the value, and soundly where any does; where nobody contests it, all of
            them have the same.
        losers: Rows with a value that lost: one per customer and distinct value, in order.
        loser_customer: Of each loser, its customer's place in ``Layout.shared``.
    """

    winner: Ints
    reason: Ints
    holders: Marks
    losers: Ints
    loser_customer: Ints


@dataclass
class Contest:
    """The records of a chunk of customers, and what the rules ask about them."""

    records: pa.Table
    layout: Layout
    policy: SurvivorshipPolicy
    _trust: dict[tuple[tuple[str, int], ...], Ints] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table = self._table = self.records.slice(0, self.layout.rows)
        self._active: Ints = table["active"].to_numpy().astype(np.int64)
        self._recency = _ranks(pc.coalesce(table["modified_at"], table["extract_date"]))
        sources = pc.binary_join_element_wise(table["source"], table["entity"], "/").combine_chunks()
        self._sources = sources.dictionary_encode()
        self._faults = table["invalid_attributes"].combine_chunks().dictionary_encode()

    def decide(self, group: Group) -> Outcome:
        """Ask the group's rules in turn."""
        if not len(self.layout.shared):
            none = np.empty(0, np.int64)
            return Outcome(none, none, np.empty(0, np.bool_), none, none)
        columns = [self._table[name].combine_chunks() for name in group.attributes]
        filled: Ints = np.array([_present(column) for column in columns]).sum(axis=0, dtype=np.int64)
        stages = [self._candidates(group, filled)]
        values = _combined_codes(columns)
        for rule in group.rules:
            score = self._score(rule, group, filled, values, stages[-1])
            best = np.maximum.reduceat(np.where(stages[-1], score, -1), self.layout.shared_starts)
            stages.append(stages[-1] & (score == best[self.layout.customer]))
        return self._outcome(group, stages, values)

    def _candidates(self, group: Group, filled: Ints) -> Marks:
        """Records that have the group's value: a core attribute, or any where no record of the customer has one."""
        whole = np.zeros(len(filled), np.bool_)
        for name in group.core:
            whole |= _present(self._table[name].combine_chunks())
        some_whole = np.logical_or.reduceat(whole, self.layout.shared_starts)[self.layout.customer]
        return whole | (~some_whole & (filled > 0))

    def _score(self, rule: SurvivorshipRule, group: Group, filled: Ints, values: Ints, race: Marks) -> Ints:
        """The higher, the better; never negative."""
        match rule:
            case SurvivorshipRule.VALID:
                return self._validity(group)
            case SurvivorshipRule.ACTIVE:
                return self._active
            case SurvivorshipRule.SOURCE_TRUST:
                return self._trusted(group)
            case SurvivorshipRule.RECENCY:
                return self._recency
            case SurvivorshipRule.FREQUENCY:
                return self._frequency(values, race)
            case SurvivorshipRule.COMPLETENESS:
                return filled

    def _validity(self, group: Group) -> Ints:
        names = set(group.attributes)
        faults = self._faults.dictionary.to_pylist()
        sound = np.array([1, *(int(names.isdisjoint(fault.split(","))) for fault in faults)])
        place = pc.fill_null(self._faults.indices, -1).to_numpy(zero_copy_only=False)
        score: Ints = sound[place + 1]
        return score

    def _trusted(self, group: Group) -> Ints:
        if group.trust not in self._trust:
            ranks = [group.rank(*name.split("/", 1)) for name in self._sources.dictionary.to_pylist()]
            scores = max(ranks) - np.array(ranks)
            self._trust[group.trust] = scores[self._sources.indices.to_numpy(zero_copy_only=False)]
        return self._trust[group.trust]

    def _frequency(self, values: Ints, race: Marks) -> Ints:
        """How many records still in the race have the same value."""
        running = np.flatnonzero(race)
        pair = self.layout.customer[running] * (values.max() + 1) + values[running]
        _, inverse, counts = np.unique(pair, return_inverse=True, return_counts=True)
        score = np.zeros(len(race), np.int64)
        score[running] = counts[inverse]
        return score

    def _outcome(self, group: Group, stages: list[Marks], values: Ints) -> Outcome:
        starts, customer = self.layout.shared_starts, self.layout.customer
        count = len(customer)
        first = np.minimum.reduceat(np.where(stages[-1], np.arange(count), count), starts)
        has_value = first < count
        winner = np.where(has_value, first, 0)
        other = values != values[winner][customer]

        contested = np.array([np.logical_or.reduceat(stage & other, starts) for stage in stages])
        decided = np.argmin(contested, axis=0)  # the first stage without another value
        reasons = [UNCONTESTED, *(rule.value for rule in group.rules)]
        reason = np.array([REASONS.index(name) for name in reasons])[decided]
        reason[contested.all(axis=0)] = REASONS.index(STABLE_KEY)
        lost = np.flatnonzero(stages[0] & other)
        _, distinct = np.unique(customer[lost] * (values.max() + 1) + values[lost], return_index=True)
        losers = lost[np.sort(distinct)]
        return Outcome(np.where(has_value, winner, -1), reason, stages[1], losers, customer[losers])


def _present(column: pa.Array) -> Marks:
    mark: Marks = column.is_valid().to_numpy(zero_copy_only=False)
    return mark


def _ranks(column: pa.ChunkedArray) -> Ints:
    """Place of each value among the distinct ones in ascending order."""
    encoded = column.combine_chunks().dictionary_encode()
    rank = pc.sort_indices(encoded.dictionary).to_numpy().argsort()
    ranks: Ints = rank[encoded.indices.to_numpy(zero_copy_only=False)]
    return ranks


def _combined_codes(columns: list[pa.Array]) -> Ints:
    """One number per distinct combination of values; null is a value like any other."""
    combined, size = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        encoded = column.dictionary_encode()
        codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
        width = len(encoded.dictionary) + 1
        if size * width >= 2**62 // max(len(combined), 1):  # leave room to multiply by a customer's number
            distinct, combined = np.unique(combined, return_inverse=True)
            size = len(distinct)
        combined, size = combined * width + codes, size * width
    return combined
