"""Where in many texts one of thousands of values is: Aho and Corasick's automaton over their bytes (ahocorasick_rs).

Belongs here: bytes in small letters, one text behind the other, and what is a whole value. Does not belong here: which
values, and how texts come to be such bytes (``traces``).

A value is looked for by its longest part of ASCII alone, which is all of it but for names with accents: of those the
whole is compared where the part was found.
"""

from collections.abc import Iterator, Mapping

import ahocorasick_rs as aho
import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]

_AUTOMATON = 1 << 20  # bytes of all parts, up to which each byte of a text costs one step
_IN_WORDS = np.zeros(256, dtype=bool)
_IN_WORDS[np.frombuffer(b"0123456789abcdefghijklmnopqrstuvwxyz", np.uint8)] = True
_WORD_SIGNS = frozenset("0123456789abcdefghijklmnopqrstuvwxyz")


class Finder:
    """Some values, by the bytes that are looked for of each, in small letters."""

    def __init__(
        self, whole: Mapping[bytes, list[str]], holding: Mapping[bytes, list[str]] | None = None
    ) -> None:
        """Make the automaton.

        Args:
            whole: Values by their bytes.
            holding: Values by a part of them that is looked for: they are compared where it was found.
        """
        holding = holding or {}
        self._parts = list({**whole, **holding})
        self._whole = [whole.get(part, []) for part in self._parts]
        self._beyond = [holding.get(part, []) for part in self._parts]
        self._has_beyond = np.array([bool(held) for held in self._beyond], dtype=bool)
        small = sum(map(len, self._parts)) <= _AUTOMATON
        kind = aho.Implementation.DFA if small else aho.Implementation.ContiguousNFA
        self._automaton = aho.BytesAhoCorasick(self._parts, implementation=kind) if self._parts else None

    def __bool__(self) -> bool:
        return self._automaton is not None

    def found(self, signs: bytes, starts: Places) -> Iterator[tuple[str, Places]]:
        """Values that are there, whole, each with the numbers of the texts that hold it.

        Args:
            signs: Of all texts, one behind the other, in small letters.
            starts: Where each text begins.
        """
        for part, begin, text in self._near(signs, starts, np.append(starts[1:], len(signs))):
            for value, held in self._values(part, begin, text, signs, starts):
                if len(held):
                    yield value, np.unique(held)

    def _near(self, signs: bytes, starts: Places, ends: Places) -> Iterator[tuple[int, Places, Places]]:
        """By part, where it begins and in which texts: whole, or with more around it to be compared."""
        matches = self._automaton.find_matches_as_indexes(signs, overlapping=True) if self._automaton else []
        if not matches:
            return
        part, begin, end = np.array(matches, np.int64).T
        text = np.searchsorted(starts, begin, "right") - 1
        numbers = np.frombuffer(signs, np.uint8)
        goes_on = (begin > starts[text]) & _IN_WORDS[numbers[np.maximum(begin - 1, 0)]]
        goes_on |= (end < ends[text]) & _IN_WORDS[numbers[np.minimum(end, len(signs) - 1)]]
        inside = (end <= ends[text]) & (~goes_on | self._has_beyond[part])
        part, begin, text, goes_on = part[inside], begin[inside], text[inside], goes_on[inside]
        order = np.argsort(part, kind="stable")
        borders = np.flatnonzero(np.diff(part[order])) + 1
        for at in np.split(order, borders) if len(order) else ():
            yield int(part[at[0]]), np.where(goes_on[at], ~begin[at], begin[at]), text[at]

    def _values(
        self, part: int, begin: Places, text: Places, signs: bytes, starts: Places
    ) -> Iterator[tuple[str, Places]]:
        """The values that a part stands for, with the texts that hold them; a part of a word begins at its inverse."""
        for value in self._whole[part]:
            yield value, text[begin >= 0]
        for value in self._beyond[part]:
            around = 4 * len(value) + 16
            held = []
            for at, of in zip(np.where(begin < 0, ~begin, begin).tolist(), text.tolist(), strict=True):
                first = int(starts[of])
                last = int(starts[of + 1]) if of + 1 < len(starts) else len(signs)
                near = signs[max(at - around, first) : min(at + around, last)].decode("utf-8", "replace")
                if holds(near.lower(), value):
                    held.append(of)
            yield value, np.array(held, np.int64)


def holds(text: str, value: str) -> bool:
    """Whether a text in small letters holds a value whole: between signs that are neither letters nor digits."""
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if not _WORD_SIGNS & {*text[max(at - 1, 0) : at], *text[end : end + 1]}:
            return True
        at = text.find(value, at + 1)
    return False


__all__ = ["Finder", "Places", "holds"]
