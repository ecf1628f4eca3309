"""Comparison of names of organisations: word by word, whatever their order, spelling or legal form.

Belongs here: which words of two names answer each other, and the level that follows. Does not belong here: what a word
of a name is and means (encode.organisation), how rare a word is (model.terms: frequencies are the model's, so that a
pair weighs the same in any batch).

Levels tell apart what is left over. Two names of which one has words besides (Philips, Philips Lighting) may be of one
organisation; two that both have words of their own (Philips Lighting, Philips Medical) are hardly of one, however much
they share. Words that many organisations have (group, services, university) count a third of others here.
"""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdm_pipelines.linkage.compare.bound import Key, codes_of
from cdm_pipelines.linkage.compare.levels import MISSING, Levels, jaro_winkler, on_distinct, one_edit
from cdm_pipelines.linkage.encode.columns import Codes, Column, mapped, numbered, sorted_codes, union
from cdm_pipelines.linkage.encode.organisation import (
    GENERIC,
    acronyms,
    meaning,
    significant,
    sorted_words,
)
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.policy import comparisons

_MOST_WORDS = 10
_AT_ONCE = 50_000  # pairs of names whose words lie side by side in memory
_ORDINARY, _GENERIC = 3, 1  # weight of a word
_MOST, _SOME = 0.5, 0.25  # of the weight of the words of both
_ALIKE = 0.92  # Jaro-Winkler similarity of two words of five letters or more
_LEAST_LETTERS = 5
_LONGEST_RUN = 6  # words that one short word stands for
Flags = npt.NDArray[np.bool_]


class Organisation:
    """Equal, equal but for spelling, acronym, one within the other, or with words of their own."""

    typical: tuple[float, ...] = (0.02, 0.03, 0.05, 0.08, 0.12, 0.02, 0.18, 0.5)
    """What is thought of matches before any are seen; see ``compare.bound.Typical``."""
    labels: tuple[str, ...] = (
        "different",
        "some words in common, others on both sides",
        "most words in common, others on both sides",
        "one within the other, which says more",
        "one within the other",
        "acronym of the other",
        "equal but for spelling",
        "equal",
    )

    def __init__(self, records: Records, comparison: comparisons.OrganisationComparison) -> None:
        names = [records.columns[name] for name in comparison.columns]
        city = records.columns.get(comparison.city or "")
        self.columns = frozenset(comparison.reads)
        self._city = None if city is None else city.flat
        self._together = comparison.branches == "together"
        self._width = len(names)
        bare = [] if city is None else [_without_city(name, city) for name in names]
        self._names = union([*names, *bare])
        texts = self._names.texts.tolist()
        self._whole = mapped(self._names, [sorted_words(text) for text in texts])
        self._key = _by_value(self._names, self._whole)
        self._words, self._lexicon = _words(texts)
        plain = self._lexicon.texts.tolist()
        weights = [_GENERIC if word in GENERIC or len(word) == 1 else _ORDINARY for word in plain]
        self._weight = np.array([*weights, 0], dtype=np.int32)
        self._number = np.array([*(any(c.isdigit() for c in word) for word in plain), False])
        self._short, self._initials = _acronyms(texts)
        self._runs, self._run_words = _runs(
            texts, {word: code for code, word in enumerate(plain)}, self._words
        )
        self.term = self._whole if comparison.term_frequency else None
        self.words = (
            Column(
                self._words[self._names.codes[:, : self._width]].reshape(
                    len(records), self._width * self._words.shape[1]
                ),
                self._lexicon.values,
            )
            if comparison.term_frequency
            else None
        )

    def levels(self, left: Positions, right: Positions) -> Levels:
        """The best level over all names that the two records have."""
        best = np.full(len(left), MISSING, dtype=np.int8)
        one_town = self._one_town(left, right)
        for i in range(self._width):
            for j in range(self._width):
                a, b = self._of(left, i, one_town), self._of(right, j, one_town)
                np.maximum(best, self._one(a, b), out=best)
        return best

    def _one_town(self, left: Positions, right: Positions) -> Flags:
        """Where the town within a name says nothing: both records are there, or one does not say where it is."""
        if self._city is None:
            return np.zeros(len(left), dtype=bool)
        a, b = self._city[left], self._city[right]
        here: Flags = (a == b) | (a < 0) | (b < 0) | self._together
        return here

    def _of(self, at: Positions, slot: int, one_town: Flags) -> Codes:
        whole: Codes = self._names.codes[at, slot]
        if self._city is None:
            return whole
        bare: Codes = np.where(one_town, self._names.codes[at, slot + self._width], whole)
        return bare

    def _one(self, a: Codes, b: Codes) -> Levels:
        missing = (a < 0) | (b < 0)
        levels = np.where(self._key[a] == self._key[b], np.int8(7), np.int8(0))
        levels[missing] = MISSING
        rest = np.flatnonzero(levels == 0)
        if len(rest):
            levels[rest] = on_distinct(a[rest], b[rest], self._names.size, self._near)
        return levels

    def _near(self, a: Codes, b: Codes) -> Levels:
        pieces = [
            self._by_words(a[start : start + _AT_ONCE], b[start : start + _AT_ONCE])
            for start in range(0, len(a), _AT_ONCE)
        ]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.int8)

    def _by_words(self, a: Codes, b: Codes) -> Levels:
        x, y = self._words[a], self._words[b]
        same = (x[:, :, None] == y[:, None, :]) & (x[:, :, None] >= 0)
        found_x, found_y = same.any(axis=2) | (x < 0), same.any(axis=1) | (y < 0)
        spelled_x, spelled_y = self._spelled(x, y, found_x, found_y)
        short_x, short_y = self._short_forms(a, b, x, y)
        found_x |= spelled_x | short_x
        found_y |= spelled_y | short_y
        whole_x, whole_y = self._weight[x].sum(axis=1), self._weight[y].sum(axis=1)
        common = np.minimum((self._weight[x] * found_x).sum(axis=1), (self._weight[y] * found_y).sum(axis=1))
        share = common / np.maximum(whole_x + whole_y - common, 1)
        own_x, own_y = ~found_x.all(axis=1), ~found_y.all(axis=1)
        both = own_x & own_y
        levels = np.where(both, _cut(share), np.where(share >= _MOST, np.int8(4), np.int8(3)))
        other_numbers = (self._number[x] & ~found_x).any(axis=1) & (self._number[y] & ~found_y).any(axis=1)
        levels[both & other_numbers] = np.minimum(levels[both & other_numbers], 1)
        levels[~own_x & ~own_y] = 6
        levels[common == 0] = 0
        short = np.zeros(len(a), dtype=bool)
        for slot in range(2):
            short |= (self._short[a] >= 0) & (self._short[a] == self._initials[b, slot])
            short |= (self._short[b] >= 0) & (self._short[b] == self._initials[a, slot])
        levels[short] = 5
        return levels.astype(np.int8, copy=False)

    def _spelled(self, x: Codes, y: Codes, found_x: Flags, found_y: Flags) -> tuple[Flags, Flags]:
        """Words that answer a word of the other name in another spelling, or abbreviated."""
        row, i, j = np.nonzero(~found_x[:, :, None] & ~found_y[:, None, :])
        like = on_distinct(x[row, i], y[row, j], self._lexicon.size, self._alike) if len(row) else row > 0
        spelled_x, spelled_y = np.zeros_like(found_x), np.zeros_like(found_y)
        spelled_x[row[like], i[like]] = True
        spelled_y[row[like], j[like]] = True
        return spelled_x, spelled_y

    def _alike(self, a: Codes, b: Codes) -> Flags:
        letters, texts = self._lexicon.letters, self._lexicon.texts
        shorter = np.minimum(letters.length[a], letters.length[b])
        words = ~self._number[a] & ~self._number[b]
        like = np.zeros(len(a), dtype=bool)
        long = np.flatnonzero(words & (shorter >= _LEAST_LETTERS))
        like[long] = one_edit(self._lexicon, a[long], b[long])
        like[long] |= jaro_winkler(self._lexicon, a[long], b[long], _ALIKE) > 0
        begin = words & (letters.first[a] == letters.first[b]) & (shorter >= 3)
        begin &= np.abs(letters.length[a] - letters.length[b]) >= 2
        for k in np.flatnonzero(begin & ~like):
            like[k] = _abbreviates(*sorted((texts[a[k]], texts[b[k]]), key=len))
        return like

    def _short_forms(self, a: Codes, b: Codes, x: Codes, y: Codes) -> tuple[Flags, Flags]:
        """Words of two names where one word of the one stands for several of the other: initials, or all as one."""
        short_x, short_y = np.zeros(x.shape, dtype=bool), np.zeros(y.shape, dtype=bool)
        for one, other, few, many in ((x, b, short_x, short_y), (y, a, short_y, short_x)):
            for run in range(self._runs.shape[1]):
                word = self._runs[other, run]
                at = (one == word[:, None]) & (word[:, None] >= 0)
                np.logical_or(few, at, out=few)
                np.logical_or(many, at.any(axis=1)[:, None] & self._run_words[other, run], out=many)
        return short_x, short_y

    def key(self) -> Key:
        """Equality of all words of a name, whatever their order."""
        return Key.of(self._whole)


def _cut(share: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
    return np.where(share >= _MOST, np.int8(2), np.where(share >= _SOME, np.int8(1), np.int8(0)))


def _abbreviates(short: str, long: str) -> bool:
    """Whether a word is another's beginning (inst, institute), or some of its letters in their order (mfg, intl).

    Letters left out in the middle are vowels for the most part, so the last one is kept and few vowels are.
    """
    if len(short) > _LEAST_LETTERS:
        return False
    if long.startswith(short):
        return True
    if short[-1] != long[-1] or re.search("[aeiou]", short[1:]):
        return False
    letters = iter(long)
    return all(letter in letters for letter in short)


def _runs(texts: list[str], code_of: dict[str, int], words: Codes) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """Words that stand for several in a row of a name, in other names of the table: initials, or all written as one.

    Returns:
        Codes of such words, shape (names, most of them), and the places of the words that each stands for.
    """
    found: list[list[tuple[int, int, int]]] = []
    for text in texts:
        by_meaning = _by_meaning(text)
        some, plain = list(by_meaning), list(by_meaning.values())
        runs = []
        for size in range(min(len(plain), _LONGEST_RUN), 1, -1):
            for start in range(len(plain) - size + 1):
                run = slice(start, start + size)
                shorts = {"".join(w[0] for w in plain[run]), "".join(plain[run]), "".join(some[run])}
                known = (code_of[short] for short in shorts if short.isalpha() and short in code_of)
                runs += [(code, start, size) for code in known]
        found.append(sorted(set(runs)))
    most = max(map(len, found), default=0)
    codes = np.full((len(texts) + 1, most), -1, dtype=np.int32)
    places = np.zeros((len(texts) + 1, most, words.shape[1]), dtype=bool)
    for k, runs in enumerate(found):
        for slot, (code, start, size) in enumerate(runs):
            codes[k, slot] = code
            places[k, slot, start : start + size] = True
    return codes, places


def _by_value(column: Column, made: Column) -> Codes:
    """For each value of ``column`` the code of what was made of it; -2 behind them, for null."""
    of_value = np.full(column.size + 1, -2, dtype=np.int32)
    present = column.codes >= 0
    of_value[column.codes[present]] = made.codes[present]
    return of_value


def _by_meaning(text: str) -> dict[str, str]:
    """The words of a name that are compared, in their order: what each means, and how it is written."""
    found: dict[str, str] = {}
    for word in significant(text):
        found.setdefault(meaning(word), word)
    return dict(list(found.items())[:_MOST_WORDS])


def _words(texts: list[str]) -> tuple[Codes, Column]:
    """Codes of each name's words by meaning, shape (names + 1, most words), and the words; -1 for none."""
    found = [list(_by_meaning(text)) for text in texts]
    width = max(map(len, found), default=1)
    flat = pa.array([word for words in found for word in words], pa.string())
    codes, values = sorted_codes(flat)
    table = np.full((len(texts) + 1, max(width, 1)), -1, dtype=np.int32)
    lengths = np.array([len(words) for words in found], dtype=np.int64)
    row = np.repeat(np.arange(len(texts)), lengths)
    slot = np.arange(len(codes)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    table[row, slot] = codes
    return table, Column(codes.reshape(-1, 1), values)


def _acronyms(texts: list[str]) -> tuple[Codes, Codes]:
    """Numbers of short names, shape (names,), and of the initials of longer ones, shape (names, 2); -1 for none."""
    short = [text if " " not in text and 2 <= len(text) <= 6 and text.isalpha() else None for text in texts]
    initials = [(*acronyms(text), None, None)[:2] for text in texts]
    pieces = [short, [one for one, _ in initials], [other for _, other in initials]]
    codes = codes_of(pa.array([text for piece in pieces for text in piece], pa.string())).reshape(3, -1)
    return codes[0], np.ascontiguousarray(codes[1:].T)


def _without_city(name: Column, city: Column) -> Column:
    """Names without the words of the record's own town, where others are left."""
    packed = (name.flat.astype(np.int64) + 1) * (city.size + 1) + city.flat + 1
    inverse, distinct = numbered(packed)
    of_name, of_city = np.divmod(distinct, city.size + 1)
    names, cities = [*name.texts.tolist(), None], [*city.texts.tolist(), ""]
    made = [_bare(names[a], cities[b]) for a, b in zip(of_name - 1, of_city - 1, strict=True)]
    codes, values = sorted_codes(pa.array(made, pa.string()))
    return Column(codes[inverse].reshape(-1, 1), values)


def _bare(name: str | None, city: str) -> str | None:
    if name is None or not city:
        return name
    town = set(city.split())
    left = [word for word in name.split() if word not in town]
    return " ".join(left) if set(left) & set(significant(name)) else name
