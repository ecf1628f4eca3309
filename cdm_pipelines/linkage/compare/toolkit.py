"""The one module that knows recordlinkage, the Python Record Linkage Toolkit.

Belongs here: our rules and comparisons as classes of the toolkit, and the toolkit's algorithms named in a policy.
Does not belong here: anything that works without it; importing this module loads scikit-learn.

``BlockOn`` and ``CompareLevels`` keep the toolkit's interface: they go into its ``Index`` and ``Compare`` on frames
as any of its own algorithms do. The engine uses the same code on dictionary-encoded columns and skips the toolkit's
hot paths.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import recordlinkage
from recordlinkage.base import BaseCompareFeature, BaseIndexAlgorithm

from cdm_pipelines.linkage.blocking.pairs import Blocks, Positions, combined
from cdm_pipelines.linkage.compare.comparers import bound
from cdm_pipelines.linkage.compare.levels import Levels, unequal
from cdm_pipelines.linkage.encode.records import Codes, Column, Records, encode
from cdm_pipelines.linkage.errors import LinkageError, nearest
from cdm_pipelines.linkage.policy import spec

_ID, _EVERYTHING = "__id__", int(np.iinfo(np.int64).max)


def _records(
    frame: pd.DataFrame, columns: dict[str, str], derived: dict[str, spec.Derived] | None = None
) -> Records:
    """Encode a frame's columns in the frame's own row order."""
    numbered = frame.reset_index(drop=True).assign(**{_ID: [f"{n:012d}" for n in range(len(frame))]})
    policy = spec.LinkagePolicy.model_validate(
        {
            "id": _ID,
            "columns": {name: {"clean": clean} for name, clean in columns.items()},
            "derived": {name: one.model_dump() for name, one in (derived or {}).items()},
            "blocking": [{"keys": next(iter(columns))}],
            "comparisons": {"any": {"kind": "exact", "column": next(iter(columns))}},
        }
    )
    return encode(numbered, policy)


def _multi_index(left: pd.DataFrame, right: pd.DataFrame, a: Positions, b: Positions) -> pd.MultiIndex:
    levels: list[Any] = [left.index, right.index]
    codes: list[Any] = [a, b]
    return pd.MultiIndex(levels=levels, codes=codes, verify_integrity=False)


class BlockOn(BaseIndexAlgorithm):  # type: ignore[misc]  # the toolkit has no types
    """Pairs of records that agree on all keys; the policy's blocking rule as an index algorithm of the toolkit.

    Args:
        keys: Columns of the frame, or names in ``derived``.
        clean: How each column is cleaned, ``text`` where it says nothing.
        derived: Keys made of columns.
        max_block_size: Larger blocks make no pairs.
    """

    def __init__(
        self,
        keys: list[str],
        *,
        clean: dict[str, spec.Clean] | None = None,
        derived: dict[str, spec.Derived] | None = None,
        max_block_size: int = _EVERYTHING,
        **toolkit: Any,
    ) -> None:
        super().__init__(**toolkit)
        self.keys, self.clean, self.derived, self.max_block_size = (
            keys,
            clean or {},
            derived or {},
            max_block_size,
        )

    def _blocks(self, frame: pd.DataFrame) -> Blocks:
        needed = [c for key in self.keys for c in (self.derived[key].of if key in self.derived else (key,))]
        records = _records(frame, {name: self.clean.get(name, "text") for name in needed}, self.derived)
        return Blocks("", combined([records.key(key) for key in self.keys]), self.max_block_size)

    def _dedup_index(self, df_a: pd.DataFrame) -> pd.MultiIndex:
        pairs = [np.stack(chunk) for chunk in self._blocks(df_a).chunks(1_000_000)]
        low, high = np.concatenate(pairs, axis=1) if pairs else np.zeros((2, 0), dtype=np.int32)
        return _multi_index(df_a, df_a, high, low)

    def _link_index(self, df_a: pd.DataFrame, df_b: pd.DataFrame) -> pd.MultiIndex:
        both = pd.concat([df_a, df_b], ignore_index=True)
        pairs = [np.stack(chunk) for chunk in self._blocks(both).chunks(1_000_000)]
        low, high = np.concatenate(pairs, axis=1) if pairs else np.zeros((2, 0), dtype=np.int32)
        across = (low < len(df_a)) & (high >= len(df_a))
        return _multi_index(df_a, df_b, low[across], high[across] - len(df_a))


class CompareLevels(BaseCompareFeature):  # type: ignore[misc]  # the toolkit has no types
    """A policy's comparison as a compare feature of the toolkit: levels, -1 where it cannot be made.

    Args:
        comparison: As in a policy; its columns are those of the frame.
        clean: How each column is cleaned, ``text`` where it says nothing.
        label: Name of the feature.
    """

    def __init__(
        self,
        comparison: spec.Comparison,
        *,
        clean: dict[str, spec.Clean] | None = None,
        label: str | None = None,
    ) -> None:
        self.comparison, self.clean = comparison, clean or {}
        columns = list(dict.fromkeys((*comparison.reads, *comparison.reads_optionally)))
        super().__init__(columns, columns, label=label or comparison.kind)

    def _compute_vectorized(self, *series: pd.Series) -> npt.NDArray[np.int8]:
        names, half = self.labels_left, len(series) // 2
        sides = [
            pd.DataFrame({name: one.to_numpy() for name, one in zip(names, side, strict=True)})
            for side in (series[:half], series[half:])
        ]
        records = _records(
            pd.concat(sides, ignore_index=True), {name: self.clean.get(name, "text") for name in names}
        )
        left = np.arange(len(sides[0]), dtype=np.int32)
        return bound(records, self.comparison, folder=None).levels(left, left + len(left))


def _algorithm(module: Any, base: type, name: str, key: str) -> Any:
    known = {
        n: c for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, base) and c is not base
    }
    if name not in known:
        raise LinkageError(f"{key}: recordlinkage has no {name!r}{nearest(name, known)}")
    return known[name]


def _made(algorithm: Any, arguments: dict[str, Any], key: str) -> Any:
    try:
        return algorithm(**arguments)
    except TypeError as error:
        raise LinkageError(f"{key}.arguments: {algorithm.__name__} does not take them: {error}") from None


def pairs_of_algorithm(rule: spec.Rule, records: Records) -> tuple[Positions, Positions]:
    """The pairs that an index algorithm of the toolkit makes; it takes the rule's keys as its first argument.

    Raises:
        LinkageError: There is no such algorithm, or it does not take these arguments.
    """
    key = f"blocking rule {rule.label}: algorithm"
    algorithm = _algorithm(recordlinkage.index, BaseIndexAlgorithm, rule.algorithm or "", key)
    takes_keys = rule.algorithm not in {"Full", "Random"}
    arguments = {"left_on": list(rule.keys) if len(rule.keys) > 1 else rule.keys[0]} if takes_keys else {}
    made = _made(algorithm, {**arguments, **rule.arguments}, key)
    frame = pd.DataFrame({name: _texts(records.key(name)) for name in rule.keys})
    pairs = made.index(frame)
    return pairs.get_level_values(0).to_numpy().astype(np.int32), pairs.get_level_values(1).to_numpy().astype(
        np.int32
    )


def _texts(column: Column) -> npt.NDArray[np.object_]:
    texts = np.empty(column.size + 1, dtype=object)
    texts[:-1] = column.texts
    return texts[column.flat]


class ToolkitLevels:
    """A comparison of the toolkit cut into levels; computed once for each distinct pair of values."""

    def __init__(self, records: Records, comparison: spec.ToolkitComparison) -> None:
        key = f"comparison on {comparison.column!r}: algorithm"
        algorithm = _algorithm(recordlinkage.compare, BaseCompareFeature, comparison.algorithm, key)
        arguments = {"left_on": comparison.column, "right_on": comparison.column, **comparison.arguments}
        self._feature = _made(algorithm, arguments, key)
        self._column = records.columns[comparison.column]
        self._at_least = np.array(sorted(comparison.at_least))
        self.columns = frozenset(comparison.reads)
        self.labels = (
            "different",
            *(f"{comparison.algorithm} >= {value:g}" for value in self._at_least),
            "equal",
        )
        self.term = self._column if comparison.term_frequency else None

    def levels(self, left: Positions, right: Positions) -> Levels:
        """The highest level for equal values, then one for each threshold reached."""
        column = self._column
        return unequal(column, column.flat[left], column.flat[right], self._near, top=len(self.labels) - 1)

    def _near(self, a: Codes, b: Codes) -> Levels:
        x, y = pd.Series(self._column.texts[a]), pd.Series(self._column.texts[b])
        found = np.nan_to_num(np.asarray(self._feature._compute((x,), (y,)), dtype=np.float64))  # noqa: SLF001
        return np.searchsorted(self._at_least, found + 1e-9, side="right").astype(np.int8)

    def key(self) -> Codes:
        """Equality of the value."""
        return self._column.codes
