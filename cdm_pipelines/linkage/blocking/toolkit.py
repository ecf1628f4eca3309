"""Blocking and recordlinkage, the Python Record Linkage Toolkit.

Belongs here: our blocking rule as an index algorithm of the toolkit, and the pairs of the toolkit's algorithms that a
policy names. Does not belong here: comparisons (compare.feature, compare.toolkit); importing this module loads
scikit-learn.

``BlockOn`` keeps the toolkit's interface: it goes into its ``Index`` on frames as any of its own algorithms does.
"""

from typing import Any

import numpy as np
import pandas as pd
from recordlinkage.base import BaseIndexAlgorithm

from cdm_pipelines.linkage.blocking.pairs import Blocks, combined
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.encode.records import Records, encode_rows
from cdm_pipelines.linkage.encode.toolkit import index_algorithm, texts_of
from cdm_pipelines.linkage.policy.spec import BlockingRule, Clean, Column, Derived

_EVERYTHING = int(np.iinfo(np.int64).max)


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
        clean: dict[str, Clean] | None = None,
        derived: dict[str, Derived] | None = None,
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
        columns = {name: Column(column=name, clean=self.clean.get(name, "text")) for name in needed}
        records = encode_rows([frame], columns, self.derived)
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


def pairs_of_algorithm(rule: BlockingRule, records: Records) -> tuple[Positions, Positions]:
    """The pairs that an index algorithm of the toolkit makes; it takes the rule's keys as its first argument.

    Raises:
        LinkageError: There is no such algorithm, or it does not take these arguments.
    """
    key = f"blocking rule {rule.label}: algorithm"
    takes_keys = rule.algorithm not in {"Full", "Random"}
    arguments = {"left_on": list(rule.keys) if len(rule.keys) > 1 else rule.keys[0]} if takes_keys else {}
    made = index_algorithm(rule.algorithm or "", {**arguments, **rule.arguments}, key)
    frame = pd.DataFrame({name: texts_of(records.key(name)) for name in rule.keys})
    pairs = made.index(frame)
    return pairs.get_level_values(0).to_numpy().astype(np.int32), pairs.get_level_values(1).to_numpy().astype(
        np.int32
    )
