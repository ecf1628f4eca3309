"""Comparison of the names of persons.

Belongs here: given names with their other forms and initials, surnames with prefixes and double names, the two
swapped. Does not belong here: taking a full name apart (standardise).
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.compare.bound import Key
from cdm_pipelines.linkage.compare.levels import MISSING, Levels, jaro_winkler, one_edit, unequal
from cdm_pipelines.linkage.compare.name_order import CROSSWISE, HALF, NameOrder
from cdm_pipelines.linkage.encode.clean import PREFIXES, parts
from cdm_pipelines.linkage.encode.columns import Codes, Column, joined, mapped
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.policy import comparisons
from cdm_pipelines.linkage.policy.equivalents import NameForms

CLOSE, FAR = 0.92, 0.84  # Jaro-Winkler similarity of one name misspelt, and of names that look alike


class GivenName:
    """Equal, swapped with the surname or in its place, another form of the name, similar, only initials, or different.

    A call name stands for the initials of its formal names too: Ton agrees with A., Betty with E.
    """

    labels: tuple[str, ...] = (
        "different",
        "another initial",
        "same initial",
        "looks alike",
        "same initials",
        "similar",
        "other form",
        "in the surname's place",
        "swapped",
        "equal",
    )
    beside = (7, 8)
    """They speak of both names: the surname is not compared then."""

    def __init__(
        self, records: Records, comparison: comparisons.GivenNameComparison, table: NameForms
    ) -> None:
        self._column = records.columns[comparison.column]
        self.columns = frozenset(
            (comparison.column, *((comparison.initials,) if comparison.initials else ()))
        )
        self.term = self._column if comparison.term_frequency else None
        texts = self._column.texts.tolist()
        self._first = mapped(self._column, [t.replace("-", " ").split(" ")[0] for t in texts])
        self._token = _by_value(self._column, self._first)
        self._forms = _forms(self._first, table)
        self._short = np.append([len(text) == 1 for text in texts], True).astype(bool)
        self._initials = _Initials(self._column, records.columns.get(comparison.initials or ""), table)
        self._gender = records.columns[comparison.gender].flat if comparison.gender else None
        self._order = (
            NameOrder(records, comparison.column, comparison.surname) if comparison.surname else None
        )

    def levels(self, left: Positions, right: Positions) -> Levels:
        """By the names where both have one, else by their initials."""
        a, b = self._column.flat[left], self._column.flat[right]
        levels = unequal(self._column, a, b, self._near, top=9)
        rest = np.flatnonzero(self._short[a] | self._short[b])
        levels[rest] = self._by_initials(left[rest], right[rest])
        if self._order is not None:
            order = self._order(left, right)
            levels[order == HALF] = 7
            levels[order == CROSSWISE] = 8
        return levels

    def _by_initials(self, left: Positions, right: Positions) -> Levels:
        levels = self._initials.levels(left, right)
        if self._gender is not None:
            g, h = self._gender[left], self._gender[right]
            levels[(g >= 0) & (h >= 0) & (g != h) & (levels > 0)] = 0
        return levels

    def _near(self, a: Codes, b: Codes) -> Levels:
        x, y = self._token[a], self._token[b]
        found = jaro_winkler(self._first, x, y, FAR)
        levels = np.where(found >= CLOSE, np.int8(5), np.where(found >= FAR, np.int8(3), np.int8(0)))
        same = x == y
        for i in range(self._forms.shape[1]):
            for j in range(self._forms.shape[1]):
                same |= (self._forms[x, i] >= 0) & (self._forms[x, i] == self._forms[y, j])
        levels[same] = 6
        return levels

    def key(self) -> Key:
        """Equality of the name."""
        return Key.of(self._column)


def _by_value(column: Column, made: Column) -> Codes:
    """For each value of ``column`` the code of what was made of it."""
    of_value = np.full(column.size, -1, dtype=np.int32)
    present = column.flat >= 0
    of_value[column.flat[present]] = made.flat[present]
    return of_value


def _forms(first: Column, table: NameForms) -> Codes:
    """For each first name the codes of the formal names it may stand for, shape (names, widest)."""
    number: dict[str, int] = {}
    formal = [table.get(text, ()) for text in first.texts.tolist()]
    codes = np.full((first.size, max(map(len, formal), default=0)), -1, dtype=np.int32)
    for k, names in enumerate(formal):
        for slot, name in enumerate(names):
            codes[k, slot] = number.setdefault(name, len(number))
    return codes


class _Initials:
    """Initials as sets of letters: what the first may be, and all that a record shows."""

    def __init__(self, given: Column, initials: Column | None, table: NameForms) -> None:
        names = given.texts.tolist()
        by_name = [
            _letters(w[0] for w in (name, *table.get(name.replace("-", " ").split(" ")[0], ())))
            for name in names
        ]
        in_name = [_letters(word[0] for word in name.replace("-", " ").split()) for name in names]
        self._first, self._any = _spread(by_name, given), _spread(in_name, given)
        self._whole = np.full(len(self._first), -1, dtype=np.int32)
        if initials is not None:
            texts = initials.texts.tolist()
            given_first = self._first
            first = _spread([_letters(text[:1]) for text in texts], initials)
            self._first = np.where(given_first > 0, given_first | first, first)
            self._any |= _spread([_letters(text) for text in texts], initials)
            several = np.append([len(text) > 1 for text in texts], False).astype(bool)
            self._whole = np.where(several[initials.flat], initials.flat, np.int32(-1))

    def levels(self, left: Positions, right: Positions) -> Levels:
        """Levels of pairs that have at most initials in common."""
        levels = ((self._any[left] & self._any[right]) > 0).astype(np.int8)
        levels[(self._first[left] & self._first[right]) > 0] = 2
        x, y = self._whole[left], self._whole[right]
        levels[(x >= 0) & (x == y)] = 4
        levels[(self._any[left] == 0) | (self._any[right] == 0)] = MISSING
        return levels


def _letters(letters: Iterable[str]) -> int:
    """A set of letters a to z as bits."""
    found = 0
    for letter in letters:
        if "a" <= letter <= "z":
            found |= 1 << (ord(letter) - ord("a"))
    return found


def _spread(by_value: list[int], column: Column) -> npt.NDArray[np.int32]:
    return np.append(np.array(by_value, dtype=np.int32), np.int32(0))[column.flat]


class Surname:
    """Equal with or without prefix, one half of a double name, similar, or different.

    Where given name and surname stand in each other's place the pair is a level there and missing here.
    """

    labels: tuple[str, ...] = (
        "different",
        "looks alike",
        "similar",
        "one of a double name",
        "equal but for the prefix",
        "equal",
    )

    def __init__(self, records: Records, comparison: comparisons.SurnameComparison) -> None:
        surname = records.columns[comparison.column]
        self.columns = frozenset((comparison.column, *((comparison.prefix,) if comparison.prefix else ())))
        prefix = records.columns.get(comparison.prefix or "")
        self._whole = surname if prefix is None else joined([prefix, surname], required=1)
        texts = self._whole.texts.tolist()
        self._names = mapped(self._whole, [_without_prefix(text) for text in texts])
        self._core = _by_value(self._whole, self._names)
        self._parts = _parts(texts)
        self.term = self._names if comparison.term_frequency else None
        self._order = (
            NameOrder(records, comparison.given_name, comparison.column) if comparison.given_name else None
        )

    def levels(self, left: Positions, right: Positions) -> Levels:
        """By the whole name, then by its parts, then by its spelling."""
        levels = unequal(self._whole, self._whole.flat[left], self._whole.flat[right], self._near, top=5)
        if self._order is not None:
            levels[self._order(left, right) > 0] = MISSING
        return levels

    def _near(self, a: Codes, b: Codes) -> Levels:
        x, y = self._core[a], self._core[b]
        found = jaro_winkler(self._names, x, y, FAR)
        levels = np.where(found >= FAR, np.int8(1), np.int8(0))
        levels[(found >= CLOSE) | one_edit(self._names, x, y)] = 2
        shared = np.zeros(len(a), dtype=bool)
        for i in range(self._parts.shape[1]):
            for j in range(self._parts.shape[1]):
                shared |= (self._parts[a, i] >= 0) & (self._parts[a, i] == self._parts[b, j])
        levels[shared] = 3
        levels[x == y] = 4
        return levels

    def key(self) -> Key:
        """Equality of the name without its prefix."""
        return Key.of(self._names)


def _without_prefix(text: str) -> str:
    words = text.split(" ")
    while len(words) > 1 and words[0] in PREFIXES:
        words = words[1:]
    return " ".join(words)


def _parts(texts: list[str]) -> Codes:
    """Codes of the surnames in a double name, shape (names, 2)."""
    number: dict[str, int] = {}
    codes = np.full((len(texts), 2), -1, dtype=np.int32)
    for k, text in enumerate(texts):
        for slot, part in enumerate(parts(text)[:2]):
            codes[k, slot] = number.setdefault(part, len(number))
    return codes
