"""Where in many texts one of thousands of values is: all of them at once, by Vectorscan (hyperscan).

Belongs here: bytes, one text behind the other, and what is a whole value. Does not belong here: which values, and how
texts come to be such bytes (``traces``).

A value is looked for by its longest part of ASCII alone, which is all of it but for names with accents: of those the
whole is compared where the part was found. Letters of ASCII are found whatever their case; others as they stand.
"""

from collections.abc import Iterator, Mapping
from typing import cast

import hyperscan
import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]

Signs = bytes | memoryview
_PIECE = 1 << 30  # bytes looked through at once: the library counts up to 4 GiB
_IN_WORDS = np.zeros(256, dtype=bool)
_IN_WORDS[np.frombuffer(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", np.uint8)] = True
_LETTERS = frozenset(np.flatnonzero(_IN_WORDS).tolist())
_WORD_SIGNS = frozenset("0123456789abcdefghijklmnopqrstuvwxyz")


class Finder:
    """Some values, by the bytes that are looked for of each, in small letters."""

    def __init__(
        self, whole: Mapping[bytes, list[str]], holding: Mapping[bytes, list[str]] | None = None
    ) -> None:
        """Make ready to look for them.

        Args:
            whole: Values by their bytes.
            holding: Values by a part of them that is looked for: they are compared where it was found.
        """
        holding = holding or {}
        self._parts = list({**whole, **holding})
        self._whole = [whole.get(part, []) for part in self._parts]
        self._beyond = [holding.get(part, []) for part in self._parts]
        self._has_beyond = np.array([bool(held) for held in self._beyond], dtype=bool)
        self._lengths = np.array([len(part) for part in self._parts], np.int64)
        self._database = _compiled(self._parts) if self._parts else None

    def __bool__(self) -> bool:
        return self._database is not None

    def found(self, signs: Signs, starts: Places) -> Iterator[tuple[str, Places]]:
        """Values that are there, whole, each with the numbers of the texts that hold it.

        Args:
            signs: Of all texts, one behind the other.
            starts: Where each text begins.
        """
        for part, begin, text in self._near(signs, starts, np.append(starts[1:], len(signs))):
            for value, held in self._values(part, begin, text, signs, starts):
                if len(held):
                    yield value, np.unique(held)

    def _matches(self, signs: Signs) -> tuple[Places, Places]:
        """By match, the number of the part and where it ends."""
        found: list[tuple[int, int]] = []
        if self._database is None or not len(signs):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        scratch = hyperscan.Scratch(self._database)  # of this thread
        view, beyond = memoryview(signs), int(self._lengths.max()) - 1
        for first in range(0, len(signs), _PIECE):
            here: list[tuple[int, int]] = []
            self._database.scan(
                cast("bytes", view[first : first + _PIECE + beyond]),  # any buffer will do
                lambda number, _, end, *__, here=here: here.append((number, end)),
                scratch=scratch,
            )
            found += [(n, first + end) for n, end in here if end - len(self._parts[n]) < _PIECE]
        part, end = np.array(found, np.int64).reshape(-1, 2).T
        return part, end

    def _near(self, signs: Signs, starts: Places, ends: Places) -> Iterator[tuple[int, Places, Places]]:
        """By part, where it begins and in which texts: whole, or with more around it to be compared."""
        part, end = self._matches(signs)
        if not len(part):
            return
        begin = end - self._lengths[part]
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
        self, part: int, begin: Places, text: Places, signs: Signs, starts: Places
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
                near = bytes(signs[max(at - around, first) : min(at + around, last)]).decode(
                    "utf-8", "replace"
                )
                if holds(near.lower(), value):
                    held.append(of)
            yield value, np.array(held, np.int64)


def _compiled(parts: list[bytes]) -> hyperscan.Database:
    """What is looked for, made ready; several threads may look with it."""
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[b"".join(map(_sign, part)) for part in parts],
        ids=list(range(len(parts))),
        elements=len(parts),
        flags=[hyperscan.HS_FLAG_CASELESS] * len(parts),
    )
    return database


def _sign(number: int) -> bytes:
    """The expression of a byte."""
    return bytes([number]) if number in _LETTERS else b"\\x%02x" % number


def holds(text: str, value: str) -> bool:
    """Whether a text in small letters holds a value whole: between signs that are neither letters nor digits."""
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if not _WORD_SIGNS & {*text[max(at - 1, 0) : at], *text[end : end + 1]}:
            return True
        at = text.find(value, at + 1)
    return False


__all__ = ["Finder", "Places", "Signs", "holds"]
