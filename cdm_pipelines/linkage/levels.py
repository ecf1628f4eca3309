"""How alike two values are, computed once for each distinct pair of values.

Belongs here: similarities over code pairs and their cutting into levels. Does not belong here: which columns a
comparison reads (compare).

A level is a small integer: -1 where a value is missing, 0 for disagreement, and higher for more agreement.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cdm_pipelines.linkage.encode import Codes, Column
from cdm_pipelines.linkage.policy import Similarity

Levels = npt.NDArray[np.int8]
Texts = npt.NDArray[np.object_]
MISSING = -1


def on_distinct(
    left: Codes, right: Codes, size: int, function: Callable[[Codes, Codes], npt.NDArray[Any]]
) -> npt.NDArray[Any]:
    """``function`` of each distinct unordered pair of codes, spread over all pairs that have it."""
    low, high = np.minimum(left, right), np.maximum(left, right)
    inverse, packed = pd.factorize(low.astype(np.int64) * size + high)
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
    found: npt.NDArray[np.float32] = process.cpdist(left, right, scorer=scorers[how], dtype=np.float32)
    return found / np.float32(100) if how.startswith("token") else found


def edits(left: list[str], right: list[str], most: int) -> npt.NDArray[np.uint8]:
    """Number of insertions, deletions, substitutions and swaps of neighbours, or ``most + 1`` when there are more."""
    from rapidfuzz import distance, process  # noqa: PLC0415 - loaded where strings are compared

    found: npt.NDArray[np.uint8] = process.cpdist(
        left, right, scorer=distance.OSA.distance, dtype=np.uint8, score_cutoff=most
    )
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


def edit_levels(column: Column, left: Codes, right: Codes, most: int) -> Levels:
    """Levels of one column's values: ``most + 1`` for equal, one less for each edit, 0 above ``most``."""

    def cut(a: Codes, b: Codes) -> Levels:
        return (
            most + 1 - edits(column.texts[a].tolist(), column.texts[b].tolist(), most).astype(np.int8)
        ).astype(np.int8)

    return unequal(column, left, right, cut, top=most + 1)


def unequal(
    column: Column, left: Codes, right: Codes, function: Callable[[Codes, Codes], Levels], top: int
) -> Levels:
    """``top`` where codes are equal, missing where one is null, and ``function`` of the distinct rest."""
    levels = np.where(left == right, np.int8(top), np.int8(0))
    levels[(left < 0) | (right < 0)] = MISSING
    rest = np.flatnonzero(levels == 0)
    if len(rest):
        levels[rest] = on_distinct(left[rest], right[rest], column.size, function)
    return levels
