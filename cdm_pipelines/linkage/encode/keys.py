"""Blocking keys as 64-bit numbers that depend on nothing but the record: the same in every run and every table.

Belongs here: keys of several columns, and the plan that says which keys are refined or left out. Does not belong here:
pairs (blocking), or what keys are made of (clean, records).

Codes into a dictionary are small and exact, but another table gives a value another code. What has to be remembered
from one run to the next is kept as hashes; a chance collision makes one pair more to compare, nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.encode.hashes import Hashes

_Key = TypeVar("_Key", np.uint64, np.int32)
_NO_KEYS: Hashes = np.zeros(0, np.uint64)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_FINER = np.uint64(0xD1B54A32D192ED03)
_SHIFT = np.uint64(29)

PLAN_SCHEMA = pa.schema(
    [("name", pa.string()), ("what", pa.string()), ("key", pa.uint64()), ("count", pa.int64())]
)


@dataclass(frozen=True)
class BlockingPlan:
    """What was decided about blocks when a model was fitted; later runs make the same pairs of the same records.

    Attributes:
        refined: By rule, hashes of keys whose blocks were too large and are split.
        cut: By rule, hashes of keys whose blocks were too large even so and make no pairs.
        words: By derived key, hashes of words and in how many records each occurred.
    """

    refined: Mapping[str, Hashes] = field(default_factory=dict)
    cut: Mapping[str, Hashes] = field(default_factory=dict)
    words: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    @classmethod
    def of_rules(cls, plans: Iterable[Self], words: Mapping[str, Mapping[int, int]]) -> Self:
        """What was decided rule by rule, together, and counts of words."""
        refined: dict[str, Hashes] = {}
        cut: dict[str, Hashes] = {}
        for plan in plans:
            refined |= plan.refined
            cut |= plan.cut
        return cls(refined, cut, dict(words))

    def to_table(self) -> pa.Table:
        """As ``PLAN_SCHEMA``; a name about which nothing was decided has one row without a key."""
        pieces = [PLAN_SCHEMA.empty_table()]
        for what, found in (("refined", self.refined), ("cut", self.cut)):
            pieces += [_rows(name, what, keys, None) for name, keys in found.items()]
        for name, counts in self.words.items():
            keys = np.fromiter(counts.keys(), np.uint64, len(counts))
            pieces.append(_rows(name, "word", keys, list(counts.values())))
        return pa.concat_tables(pieces)

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """What ``to_table`` made."""
        parts: dict[str, dict[str, pa.Table]] = {"refined": {}, "cut": {}, "word": {}}
        for what, found in parts.items():
            rows = table.filter(pc.equal(table["what"], what))
            for name in rows["name"].unique().to_pylist():
                own = rows.filter(pc.equal(rows["name"], name))
                found[name] = own.filter(pc.is_valid(own["key"]))
        keys = {
            what: {name: rows["key"].to_numpy() for name, rows in parts[what].items()}
            for what in ("refined", "cut")
        }
        words = {
            name: dict(zip(rows["key"].to_pylist(), rows["count"].to_pylist(), strict=True))
            for name, rows in parts["word"].items()
        }
        return cls(keys["refined"], keys["cut"], words)

    def effective(self, rule: str, keys: Hashes, finer: Hashes | None) -> Hashes:
        """The key under which each record is in a block of the rule; 0 for none.

        Args:
            rule: Label of the rule.
            keys: Shape (records, width), 0 for none.
            finer: The refined keys, as many for each key as the refining columns have values; None where the rule
                does not refine.

        Returns:
            Shape of ``finer``, or of ``keys`` where there is none.
        """
        if finer is not None:
            large, keys = beside(among(keys, self.refined.get(rule, _NO_KEYS)), keys, finer.shape[1], 0)
            keys = np.where(large, np.where(finer > 0, refined_key(finer), np.uint64(0)), keys)
        cut = self.cut.get(rule, _NO_KEYS)
        return np.where(among(keys, cut), np.uint64(0), keys) if len(cut) else keys


def refined_key(finer: Hashes) -> Hashes:
    """Keys of refined blocks: other hashes than those of blocks that are not refined."""
    return finer ^ _FINER


def beside(
    large: npt.NDArray[np.bool_], keys: npt.NDArray[_Key], width: int, none: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[_Key]]:
    """What belongs to the refined keys of some keys, in as many slots: a key is in the first of its own, once.

    Args:
        large: Whether each key is refined; shape of ``keys``.
        keys: Shape (records, any).
        width: Number of refined keys of a record, a multiple of the number of its keys.
        none: Stands for no key.
    """
    each = width // keys.shape[1]
    spread = np.full((len(keys), width), none, keys.dtype)
    spread[:, ::each] = keys
    return np.repeat(large, each, axis=1), spread


def among(keys: Hashes, some: Hashes) -> npt.NDArray[np.bool_]:
    """Whether each key is one of some others, of which 0 is none; shape of ``keys``."""
    if not len(some):
        return np.zeros(keys.shape, dtype=bool)
    found: npt.NDArray[np.bool_] = pd.Series(keys.ravel()).isin(some).to_numpy().reshape(keys.shape)
    return found


def together(keys: Sequence[Hashes]) -> Hashes:
    """Agreement on all of several keys, shape (records, product of widths); 0 where one of them is null."""
    made = keys[0]
    for more in keys[1:]:
        left, right = made[:, :, None], more[:, None, :]
        mixed = left * _MIX + right
        mixed = np.maximum(mixed ^ (mixed >> _SHIFT), 1)
        made = np.where((left > 0) & (right > 0), mixed, np.uint64(0))
        made = made.reshape(len(made), made.shape[1] * made.shape[2])
    return made


def _rows(name: str, what: str, keys: Hashes, counts: list[int] | None) -> pa.Table:
    if not len(keys):
        return pa.table([[name], [what], [None], [None]], schema=PLAN_SCHEMA)
    columns = [
        pa.repeat(name, len(keys)),
        pa.repeat(what, len(keys)),
        pa.array(keys),
        pa.array(counts, pa.int64()) if counts is not None else pa.nulls(len(keys), pa.int64()),
    ]
    return pa.table(columns, schema=PLAN_SCHEMA)
