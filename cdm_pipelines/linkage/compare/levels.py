"""How alike two values are, computed once for each distinct pair of values.

Belongs here: similarities over code pairs and their cutting into levels. Does not belong here: which columns a
comparison reads (compare).

A level is a small integer: -1 where a value is missing, 0 for disagreement, and higher for more agreement.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.encode.columns import Codes, Column, numbered
from cdm_pipelines.linkage.policy.comparisons import Similarity
from cdm_pipelines.parallel import allowed

Levels = npt.NDArray[np.int8]
Texts = npt.NDArray[np.object_]
MISSING = -1
_FEW = 5_000


def on_distinct(
    left: Codes, right: Codes, size: int, function: Callable[[Codes, Codes], npt.NDArray[Any]]
) -> npt.NDArray[Any]:
    """``function`` of each distinct unordered pair of codes, spread over all pairs that have it."""
    low, high = np.minimum(left, right), np.maximum(left, right)
    inverse, packed = numbered(low.astype(np.int64) * size + high)
    a, b = np.divmod(packed, size)
    return function(a.astype(np.int32), b.astype(np.int32))[inverse]


def similarity(left: list[str], right: list[str], how: Similarity) -> npt.NDArray[np.float32]:
    """Similarity between 0 and 1 of two lists of texts, pair by pair."""
    from rapidfuzz import distance, fuzz, process  # noqa: PLC0415 - loaded where strings are compared

    scorers: dict[Similarity, Any] = {
        "jaro_winkler": distance.JaroWinkler.normalized_similarity,
        "levenshtein": distance.Levenshtein.normalized_similarity,
        "damerau_levenshtein": distance.OSA.normalized_similarity,
        "token_sort": fuzz.token_sort_ratio,
        "token_set": fuzz.token_set_ratio,
    }
    found: npt.NDArray[np.float32] = process.cpdist(
        left, right, scorer=scorers[how], dtype=np.float32, workers=_workers(left)
    )
    return found / np.float32(100) if how.startswith("token") else found


def edits(left: list[str], right: list[str], most: int) -> npt.NDArray[np.uint8]:
    """Number of insertions, deletions, substitutions and swaps of neighbours, or ``most + 1`` when there are more."""
    from rapidfuzz import distance, process  # noqa: PLC0415 - loaded where strings are compared

    found: npt.NDArray[np.uint8] = process.cpdist(
        left, right, scorer=distance.OSA.distance, dtype=np.uint8, score_cutoff=most, workers=_workers(left)
    )
    return found


def _workers(texts: list[str]) -> int:
    """As many threads as are allowed, or one where starting the others takes longer than the work."""
    return allowed() if len(texts) > _FEW else 1


def one_edit(column: Column, left: Codes, right: Codes) -> npt.NDArray[np.bool_]:
    """Whether two values of a column are at most one edit apart (see ``edits``).

    One edit changes the length by one and the set of letters by two at most: few pairs are worth a closer look.
    """
    letters = column.letters
    found: npt.NDArray[np.bool_] = np.abs(letters.length[left] - letters.length[right]) <= letters.widest
    found &= np.bitwise_count(letters.bytes[left] ^ letters.bytes[right]) <= 2 * letters.widest
    rest = np.flatnonzero(found)
    texts = column.texts
    found[rest] = edits(texts[left[rest]].tolist(), texts[right[rest]].tolist(), 1) <= 1
    return found


def jaro_winkler(column: Column, left: Codes, right: Codes, least: float) -> npt.NDArray[np.float32]:
    """Jaro-Winkler similarity of two values of a column, 0 where it is below ``least``.

    The Jaro similarity is at most (m / a + m / b + 1) / 3 for texts of lengths a and b with m letters in common, and
    Winkler's bonus for the same beginning closes at most four tenths of the rest: few pairs are worth a closer look.
    """
    letters = column.letters
    a, b = letters.length[left], letters.length[right]
    x, y = letters.bytes[left], letters.bytes[right]
    common = np.minimum(a - np.bitwise_count(x & ~y), b - np.bitwise_count(y & ~x)).astype(np.float32)
    jaro = (common / np.maximum(a, 1) + common / np.maximum(b, 1) + 1) / 3
    most = np.where(letters.first[left] == letters.first[right], jaro + (1 - jaro) * np.float32(0.4), jaro)
    rest = np.flatnonzero((most >= least - 1e-5) | (letters.widest > 1))
    found = np.zeros(len(left), dtype=np.float32)
    texts = column.texts
    found[rest] = similarity(texts[left[rest]].tolist(), texts[right[rest]].tolist(), "jaro_winkler")
    found[found < np.float32(least)] = 0
    return found


def similarity_levels(
    column: Column, left: Codes, right: Codes, how: Similarity, at_least: tuple[float, ...]
) -> Levels:
    """Levels of one column's values: the highest for equal, then one for each threshold reached, 0 below all."""
    ascending = np.array(sorted(at_least), dtype=np.float32)

    def cut(a: Codes, b: Codes) -> Levels:
        found = similarity(column.texts[a].tolist(), column.texts[b].tolist(), how)
        return np.searchsorted(ascending, found + np.float32(1e-6), side="right").astype(np.int8)

    return unequal(column, left, right, cut, top=len(at_least) + 1)


def unequal(
    column: Column,
    left: Codes,
    right: Codes,
    function: Callable[[Codes, Codes], Levels],
    top: int,
    *,
    quick: bool = False,
) -> Levels:
    """``top`` where codes are equal, missing where one is null, and ``function`` of the rest.

    ``function`` sees each distinct pair of codes once, unless it is ``quick``: then finding those takes longer.
    """
    levels = np.where(left == right, np.int8(top), np.int8(0))
    levels[(left < 0) | (right < 0)] = MISSING
    rest = np.flatnonzero(levels == 0)
    if len(rest) and quick:
        levels[rest] = function(left[rest], right[rest])
    elif len(rest):
        levels[rest] = on_distinct(left[rest], right[rest], column.size, function)
    return levels
