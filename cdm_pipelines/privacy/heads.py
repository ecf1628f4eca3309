"""Where in a long text one of thousands of values may be: by the first signs of a word in each.

Belongs here: arithmetic on the bytes of many texts at once. Does not belong here: which values, and whether one is
really there (``traces``): that is compared at the few places that are left.

A value is found whole, so a word in it begins where a word of the text does. Of all words of the text the first six
signs are looked up in a table of those of the values; where they are there, the last signs of the value are compared,
and that the text's word ends with it. Six signs suffice, since no shorter value is looked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Signs = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.uint64]

_HEAD, _TAIL = 6, 8  # signs
_TABLE = 16  # bits
_FACTOR = np.uint64(
    0x9E3779B97F4A7C15
)  # of Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4)
_SHIFT = np.uint64(64 - _TABLE)
_IN_WORDS = np.zeros(256, dtype=bool)
_IN_WORDS[np.frombuffer(b"0123456789abcdefghijklmnopqrstuvwxyz", np.uint8)] = True
_ASCII = 127


@dataclass(frozen=True)
class _Part:
    """The part of a value that is looked for: from the start of a word on, signs of ASCII alone."""

    content: bytes
    ends: bool

    @property
    def head(self) -> bytes:
        return self.content[:_HEAD]

    @classmethod
    def of(cls, value: str) -> "_Part | None":
        """The longest of a value in small letters; None where it has no word."""
        signs = value.encode()
        numbers = np.frombuffer(signs, np.uint8)
        word = _IN_WORDS[numbers]
        beyond = np.append(np.flatnonzero(numbers > _ASCII), len(signs))
        found: _Part | None = None
        for start in np.flatnonzero(word & ~np.append(False, word[:-1])).tolist():
            end = int(beyond[np.searchsorted(beyond, start)])
            if found is None or end - start > len(found.content):
                found = cls(signs[start:end], end == len(signs))
        return found


class Heads:
    """The heads of some values in small letters, and what follows each."""

    def __init__(self, values: Iterable[str]) -> None:
        parts = {part for part in map(_Part.of, values) if part is not None}
        widths = sorted({len(part.head) for part in parts})
        self._groups = [_Group([part for part in parts if len(part.head) == width]) for width in widths]
        self._room = max((len(part.content) for part in parts), default=0) + 2 * _TAIL

    def places(self, signs: Signs, starts: Places) -> Places:
        """Places at which a value may be, by the word of it that is looked for.

        Args:
            signs: Of all texts, one behind the other, in small letters.
            starts: Where each text begins.
        """
        size = len(signs)
        if not size or not self._groups:
            return np.zeros(0, np.int64)
        roomy = np.zeros((size + self._room) // _TAIL * _TAIL + _TAIL, np.uint8)
        roomy[:size] = signs
        word = _IN_WORDS[roomy]
        new = np.zeros(len(roomy), dtype=bool)
        new[starts] = True
        begins = word.copy()
        begins[1:] &= ~word[:-1] | new[1:]
        place = np.flatnonzero(begins)
        eights, goes_on = roomy.view("<u8"), word & ~new
        head = _from(eights, place)
        found = [group.places(eights, place, head, goes_on) for group in self._groups]
        return np.unique(np.concatenate(found))


class _Group:
    """Parts with heads of one length."""

    def __init__(self, parts: list[_Part]) -> None:
        self._width = _mask(len(parts[0].head))
        shapes = np.unique(
            np.array([(_number(part.head), len(part.content)) for part in parts], np.uint64), axis=0
        )
        self._lengths = shapes[:, 1].astype(np.int64)
        self._heads, first, counts = np.unique(shapes[:, 0], return_index=True, return_counts=True)
        self._first, self._counts = first.astype(np.int64), counts.astype(np.int64)
        self._known = np.zeros(1 << _TABLE, dtype=bool)
        self._known[_slots(self._heads)] = True
        ends = {part.content: part.ends for part in sorted(parts, key=lambda part: part.ends, reverse=True)}
        contents = list(ends)
        self._tail_width = np.array([_mask(min(size, _TAIL)) for size in range(_TAIL + 1)], np.uint64)
        keys = _mixed(
            np.array([_number(content[:_HEAD]) for content in contents], np.uint64),
            np.array([_number(content[-_TAIL:]) for content in contents], np.uint64),
            np.array([len(content) for content in contents], np.int64),
        )
        order = np.argsort(keys)
        self._keys, self._ends = keys[order], np.array(list(ends.values()))[order]

    def places(self, eights: Numbers, place: Places, head: Numbers, goes_on: npt.NDArray[np.bool_]) -> Places:
        """Those of some places at which one of the parts is, by head, tail and end.

        Args:
            eights: The text, eight signs a number.
            place: Where words begin.
            head: The eight signs from there on, as a number.
            goes_on: Whether at each place a word goes on.
        """
        head = head & self._width
        near = np.flatnonzero(self._known[_slots(head)])
        place, head = place[near], head[near]
        at = np.minimum(np.searchsorted(self._heads, head), len(self._heads) - 1)
        same = np.flatnonzero(self._heads[at] == head)
        place, head, at = place[same], head[same], at[same]
        counts = self._counts[at]
        before = np.cumsum(counts) - counts
        shape = np.arange(int(counts.sum())) + np.repeat(self._first[at] - before, counts)
        place, head, length = np.repeat(place, counts), np.repeat(head, counts), self._lengths[shape]
        tails = np.minimum(length, _TAIL)
        tail = _from(eights, place + length - tails) & self._tail_width[tails]
        key = _mixed(head, tail, length)
        at = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
        found: Places = place[(self._keys[at] == key) & ~(self._ends[at] & goes_on[place + length])]
        return found


def _mixed(head: Numbers, tail: Numbers, length: Places) -> Numbers:
    """One number of a head, a tail and a length; others may rarely have the same."""
    found: Numbers = (head * _FACTOR ^ tail) * _FACTOR + length.astype(np.uint64)
    return found


def _from(eights: Numbers, place: Places) -> Numbers:
    """The eight signs from each of some places on, as a number."""
    at, beyond = place >> 3, (place & 7).astype(np.uint64) << np.uint64(3)
    found: Numbers = eights[at] >> beyond
    found |= eights[at + 1] << np.uint64(1) << (np.uint64(63) - beyond)
    return found


def _slots(heads: Numbers) -> Numbers:
    found: Numbers = heads * _FACTOR >> _SHIFT
    return found


def _number(signs: bytes) -> int:
    return int.from_bytes(signs, "little")


def _mask(signs: int) -> np.uint64:
    return np.uint64((1 << 8 * signs) - 1)
