"""Chance, told apart by step.

Belongs here: streams of random numbers of which each has a name, weighted choice, number permutations.
Does not belong here: what is drawn (people, companies, spelling).

Every stream is seeded by the run's seed and its own name, so that one more draw in one step leaves all other
steps as they were. Only ``Generator.random`` is used and weights are integers: both give the same bits on every
platform and version of numpy, which the functions built on logarithms do not.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt

Text: TypeAlias = npt.NDArray[np.object_]
Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]


class Draws:
    """Named streams of uniform numbers.

    Args:
        seed: Of the whole run.
        path: What the streams are for: a block number, a source.
    """

    def __init__(self, seed: int, *path: str | int) -> None:
        self.seed = seed
        self.path = "/".join(str(part) for part in path)

    def below(self, step: str) -> "Draws":
        """Streams of one part of this use."""
        return Draws(self.seed, self.path, step)

    def uniform(self, step: str, size: int) -> Floats:
        """Numbers in [0, 1) of the stream called ``step``."""
        name = f"{self.path}/{step}".encode()
        sequence = np.random.SeedSequence([self.seed, crc32(name), len(name)])
        return np.random.Generator(np.random.PCG64(sequence)).random(size)

    def chance(self, step: str, size: int, probability: float | Floats) -> Flags:
        """True with a probability."""
        return self.uniform(step, size) < probability

    def integers(self, step: str, size: int, low: int, high: int) -> Ints:
        """Whole numbers from ``low`` up to, not including, ``high``."""
        return low + (self.uniform(step, size) * (high - low)).astype(np.int64)

    def pick(self, step: str, size: int, weights: Sequence[int]) -> Ints:
        """Positions in ``weights``, each as often as its weight says."""
        return Weights(weights).at(self.uniform(step, size))


class Weights:
    """Integer weights of a list, for drawing positions from it."""

    def __init__(self, weights: Sequence[int] | Ints) -> None:
        self._cumulative = np.cumsum(np.asarray(weights, dtype=np.int64))

    def at(self, uniform: Floats) -> Ints:
        """Positions that belong to uniform numbers."""
        if not len(uniform):
            return np.zeros(0, dtype=np.int64)
        ticket = (uniform * float(self._cumulative[-1])).astype(np.int64)
        return np.searchsorted(self._cumulative, ticket, side="right").astype(np.int64)


class Weighted:
    """Values of which the first are the most frequent.

    Args:
        values: Most frequent first.
        shift: Flattens the head: the weight at rank r is 1 / (r + shift).
    """

    def __init__(self, values: Sequence[Any], shift: float = 4.0) -> None:
        self.values = text(values)
        self._weights = Weights([int(1_000_000_000 / (rank + shift)) for rank in range(len(values))])

    def take(self, uniform: Floats) -> Text:
        """Values that belong to uniform numbers."""
        taken: Text = self.values[self._weights.at(uniform)]
        return taken


def text(values: Sequence[Any]) -> Text:
    """An object array of a sequence, element by element."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def constant(value: str, size: int) -> Text:
    """An object array of one value."""
    array = np.empty(size, dtype=object)
    array.fill(value)
    return array


def digits(numbers: Ints, width: int) -> Text:
    """Numbers as text of a fixed width, with leading zeros."""
    return text([f"{number:0{width}d}" for number in numbers.tolist()])


def permute(serial: Ints, modulus: int, key: int) -> Ints:
    """Numbers below ``modulus`` that look unrelated and differ where the serials do.

    Multiplication by an odd number and a shift to the right permute the numbers of a power of two; results outside
    the range are permuted again until they are inside (cycle walking: Black and Rogaway 2002, section 4).

    Args:
        serial: Numbers below ``modulus``; larger ones start again at 0.
        modulus: Size of the range.
        key: Chooses the permutation.
    """
    bits = max((modulus - 1).bit_length(), 4)
    mask, shift = np.uint64((1 << bits) - 1), np.uint64((bits + 1) // 2)
    first = np.uint64((0x9E3779B97F4A7C15 ^ key * 2) | 1) & mask
    second = np.uint64((0xBF58476D1CE4E5B9 ^ key * 4) | 1) & mask
    out = serial.astype(np.uint64) % np.uint64(modulus)
    todo = np.arange(len(out))
    while len(todo):
        value = (out[todo] + np.uint64(key)) & mask
        for factor in (first, second, first):
            value = (value * factor) & mask
            value ^= value >> shift
        out[todo] = value
        todo = todo[value >= modulus]
    return out.astype(np.int64)


def mix(values: Ints) -> Floats:
    """A uniform number in [0, 1) for every value, always the same for the same value (splitmix64)."""
    bits = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return (bits >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def styled(style: Ints, makers: Sequence[Callable[[Ints], Text]]) -> Text:
    """Values made in one of several styles: maker ``k`` gets the positions whose style is ``k``."""
    out = constant("", len(style))
    for code, make in enumerate(makers):
        positions = np.flatnonzero(style == code)
        if len(positions):
            out[positions] = make(positions)
    return out
