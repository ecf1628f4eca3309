"""Comparisons bound to records: from candidate pairs to comparison levels.

Belongs here: what all comparisons have in common, and those over one kind of plain value. Does not belong here: names
of persons (name), addresses (address), the similarity of two strings (levels).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.blocking.pairs import agree
from cdm_pipelines.linkage.compare.levels import MISSING, Levels, one_edit, similarity_levels, unequal
from cdm_pipelines.linkage.encode.columns import Codes, Column
from cdm_pipelines.linkage.encode.hashes import Hashes, hashed, of_records
from cdm_pipelines.linkage.encode.positions import Flags, Positions
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.policy import comparisons


@dataclass(frozen=True)
class Key:
    """Values whose equality the high levels of a comparison go with.

    Within one table codes tell equality; between tables, hashes do, to the same effect. Hashes are made when asked for:
    who holds all records does not need them.

    Attributes:
        codes: Shape (records, width), -1 for null: numbers of this table's values.
        hash_values: Makes ``hashes``.
    """

    codes: Codes
    hash_values: Callable[[], Hashes]

    @classmethod
    def of(cls, column: Column) -> Self:
        """The values of a column."""
        return cls(column.codes, lambda: of_records(column.hashes, column.codes))

    @property
    def hashes(self) -> Hashes:
        """The same values as hashes that are equal in every table; shape (records, width), 0 for null."""
        return self.hash_values()

    def equal(self, left: Positions, right: Positions) -> Flags:
        """Whether any value of the one record is a value of the other."""
        return agree(self.codes[left].T, self.codes[right].T)


class Compared(Protocol):
    """A comparison bound to records.

    Attributes:
        labels: What each level from 0 up means.
        columns: The columns it reads: a rule that blocks on one of them says nothing new about this comparison.
        term: Column whose values' frequencies weigh agreement, if any.
    """

    labels: tuple[str, ...]
    columns: frozenset[str]
    term: Column | None

    def levels(self, left: Positions, right: Positions) -> Levels:
        """The level of each pair; symmetric, -1 where it cannot be compared."""

    def key(self) -> Key:
        """A key whose equality the high levels go with.

        Random pairs hardly ever agree on an address. How often records agree on this key is counted exactly, and
        levels are then sampled apart among pairs that do and pairs that do not.
        """


@runtime_checkable
class WithWords(Protocol):
    """A comparison that may agree in part.

    Attributes:
        words: Column of each record's words: where two records do not agree as a whole, the frequency of the rarest
            word that both have weighs their agreement. None where frequencies weigh nothing.
    """

    words: Column | None


@runtime_checkable
class Typical(Protocol):
    """A comparison that says enough to link by it alone, where nothing independent of it teaches how matches look.

    Attributes:
        typical: m-probabilities by level, an opinion: half of the matches are written alike, others differ in spelling
            or in what is left out, few in anything else.
    """

    typical: tuple[float, ...]


@runtime_checkable
class WithBeside(Protocol):
    """A comparison some of whose levels say something else than how far values agree.

    Attributes:
        beside: These levels; they have no place in the order of the others.
    """

    beside: tuple[int, ...]


class Exact:
    """Equal or not."""

    labels: tuple[str, ...] = ("different", "equal")

    def __init__(self, records: Records, comparison: comparisons.ExactComparison) -> None:
        self._column = records.columns[comparison.column]
        self.columns = frozenset(comparison.reads)
        self.term = self._column if comparison.term_frequency else None

    def levels(self, left: Positions, right: Positions) -> Levels:
        """Equal or not."""
        a, b = self._column.flat[left], self._column.flat[right]
        levels: Levels = (a == b).astype(np.int8)
        levels[(a < 0) | (b < 0)] = MISSING
        return levels

    def key(self) -> Key:
        """Equality of the value."""
        return Key.of(self._column)


def best_of(column: Column, left: Positions, right: Positions, one: "PairOfCodes") -> Levels:
    """The best level over all combinations of the values that two records have."""
    best = np.full(len(left), MISSING, dtype=np.int8)
    width = column.codes.shape[1]
    for a in range(width):
        for b in range(width):
            np.maximum(best, one(column.codes[left, a], column.codes[right, b]), out=best)
    return best


def codes_of(values: pa.Array) -> Codes:
    """A code for each distinct value, -1 for null."""
    codes: Codes = values.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int32, copy=False)


class PairOfCodes(Protocol):
    """From two arrays of codes to levels."""

    def __call__(self, left: Codes, right: Codes, /) -> Levels:
        """The level of each pair of codes."""


class Text:
    """Equal, then a level for each similarity reached."""

    def __init__(self, records: Records, comparison: comparisons.TextComparison) -> None:
        self._spec = comparison
        self._column = records.together(comparison.columns)
        self.columns = frozenset(comparison.reads)
        self.term = self._column if comparison.term_frequency else None
        near = tuple(f"{comparison.similarity} >= {value:g}" for value in reversed(comparison.at_least))
        self.labels = ("different", *near, "equal")

    def _one(self, left: Codes, right: Codes) -> Levels:
        return similarity_levels(self._column, left, right, self._spec.similarity, self._spec.at_least)

    def levels(self, left: Positions, right: Positions) -> Levels:
        """The best level over all combinations of columns."""
        return best_of(self._column, left, right, self._one)

    def key(self) -> Key:
        """Equality of any value."""
        return Key.of(self._column)


class Identifier:
    """Equal, one character off, or different."""

    labels: tuple[str, ...] = ("different", "one character off", "equal")

    def __init__(self, records: Records, comparison: comparisons.IdentifierComparison) -> None:
        self._column = records.columns[comparison.column]
        self.columns = frozenset(comparison.reads)
        self.term = self._column if comparison.term_frequency else None

    def levels(self, left: Positions, right: Positions) -> Levels:
        """By number of edits."""
        return unequal(
            self._column, self._column.flat[left], self._column.flat[right], self._near, top=2, quick=True
        )

    def _near(self, a: Codes, b: Codes) -> Levels:
        return one_edit(self._column, a, b).astype(np.int8)

    def key(self) -> Key:
        """Equality of the value."""
        return Key.of(self._column)


class Phone:
    """Equal, the same last digits (written with another country or area code), one digit off, or different.

    Housemates share a landline and seldom a mobile number: where the policy names the prefixes of mobile numbers, an
    equal one is a level of its own.
    """

    LAST: ClassVar[int] = 7

    def __init__(self, records: Records, comparison: comparisons.PhoneComparison) -> None:
        self._column = records.together(comparison.columns)
        self.columns = frozenset(comparison.reads)
        self.term = self._column if comparison.term_frequency else None
        values, prefixes = self._column.values, comparison.mobile_prefixes
        self._ends = pc.utf8_slice_codeunits(values, -self.LAST)
        self._end = codes_of(self._ends)
        pattern = "^(" + "|".join(re.escape(prefix) for prefix in prefixes) + ")"
        starts = pc.match_substring_regex(values, pattern).to_numpy(zero_copy_only=False)
        self._mobile = starts if prefixes else None
        self.labels: tuple[str, ...] = ("different", "one digit off", "last digits equal", "equal")
        if prefixes:
            self.labels = (*self.labels, "equal mobile number")

    def _one(self, left: Codes, right: Codes) -> Levels:
        column, end = self._column, self._end

        def near(a: Codes, b: Codes) -> Levels:
            levels = np.where(end[a] == end[b], np.int8(2), np.int8(0))
            rest = np.flatnonzero(levels == 0)
            levels[rest] = one_edit(column, a[rest], b[rest]).astype(np.int8)
            return levels

        levels = unequal(self._column, left, right, near, top=3, quick=True)
        if self._mobile is not None:
            equal = np.flatnonzero(levels == 3)
            levels[equal[self._mobile[left[equal]]]] = 4
        return levels

    def levels(self, left: Positions, right: Positions) -> Levels:
        """The best level over all numbers."""
        return best_of(self._column, left, right, self._one)

    def key(self) -> Key:
        """Equality of any number's last digits."""
        codes = self._column.codes
        return Key(np.append(self._end, np.int32(-1))[codes], lambda: of_records(hashed(self._ends), codes))


class Email:
    """Equal, one letter off, the same numbered mailbox at another domain, or different.

    A mailbox that is made of a name says no more than the name: only one with two digits or more (anne1992) is looked
    for elsewhere. And digits are no typing errors: jansen5 and jansen65 are two people of one family.
    """

    labels: tuple[str, ...] = ("different", "same mailbox elsewhere", "one letter off", "equal")

    def __init__(self, records: Records, comparison: comparisons.EmailComparison) -> None:
        self._column = records.columns[comparison.column]
        self.columns = frozenset(comparison.reads)
        self.term = self._column if comparison.term_frequency else None
        values = self._column.values
        digits = pc.replace_substring_regex(values, r"\D+", "")
        mailbox = pc.replace_substring_regex(values, "@.*$", "")
        numbered = pc.greater(pc.utf8_length(pc.replace_substring_regex(mailbox, r"\D+", "")), 1)
        self._mailbox = codes_of(pc.if_else(numbered, mailbox, pa.scalar(None, pa.string())))
        self._digits = codes_of(digits)

    def levels(self, left: Positions, right: Positions) -> Levels:
        """By the whole address, then by the part before the @."""
        return unequal(
            self._column, self._column.flat[left], self._column.flat[right], self._near, top=3, quick=True
        )

    def _near(self, a: Codes, b: Codes) -> Levels:
        levels: Levels = ((self._mailbox[a] >= 0) & (self._mailbox[a] == self._mailbox[b])).astype(np.int8)
        rest = np.flatnonzero(self._digits[a] == self._digits[b])
        levels[rest[one_edit(self._column, a[rest], b[rest])]] = 2
        return levels

    def key(self) -> Key:
        """Equality of the address."""
        return Key.of(self._column)


class Date:
    """Equal, day and month swapped, one digit off, two of year, month and day equal, or different."""

    labels: tuple[str, ...] = (
        "different",
        "same year",
        "two of three parts",
        "one digit off",
        "day and month swapped",
        "equal",
    )

    def __init__(self, records: Records, comparison: comparisons.DateComparison) -> None:
        self._column = records.columns[comparison.column]
        self.columns = frozenset(comparison.reads)
        self.term = self._column if comparison.term_frequency else None
        texts = self._column.values
        plain = pc.match_substring_regex(texts, r"^\d{8}$")
        self._plain = plain.to_numpy(zero_copy_only=False)
        number = pc.if_else(plain, texts, "0").cast(pa.int64()).to_numpy(zero_copy_only=False)
        self._digits = (number[:, None] // 10 ** np.arange(7, -1, -1)) % 10
        self._parts = np.stack([number // 10_000, number // 100 % 100, number % 100], axis=1).reshape(-1, 3)

    def levels(self, left: Positions, right: Positions) -> Levels:
        """By digits and parts, with no strings at all."""
        return unequal(self._column, self._column.flat[left], self._column.flat[right], self._near, top=5)

    def _near(self, a: Codes, b: Codes) -> Levels:
        x, y = self._parts[a], self._parts[b]
        equal = x == y
        levels: Levels = equal[:, 0].astype(np.int8)
        levels[equal.sum(axis=1) == 2] = 2
        p, q = self._digits[a], self._digits[b]
        wrong = (p != q).sum(axis=1)
        turned = (p[:, :-1] == q[:, 1:]) & (p[:, 1:] == q[:, :-1]) & (p[:, :-1] != p[:, 1:])
        levels[(wrong == 1) | ((wrong == 2) & turned.any(axis=1))] = 3
        levels[equal[:, 0] & (x[:, 1] == y[:, 2]) & (x[:, 2] == y[:, 1])] = 4
        # What was not cleaned as a date has no parts: it is the same text or it is not.
        levels[~(self._plain[a] & self._plain[b])] = 0
        return levels

    def key(self) -> Key:
        """Equality of the date."""
        return Key.of(self._column)
