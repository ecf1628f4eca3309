"""Pairs that someone has decided, and pairs that a policy keeps apart whatever they score.

Belongs here: from decided pairs to positions, the conflict between decisions, contradictions, agreement that says too
little alone. Does not belong here: who decides and how long it lasts (identity).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.blocking import Flags, Positions
from cdm_pipelines.linkage.encode import Records
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.levels import Levels
from cdm_pipelines.linkage.policy import LinkagePolicy

Pair = tuple[Positions, Positions]
PAIR = ("left_source", "left_id", "right_source", "right_id")


@dataclass(frozen=True)
class Decided:
    """Pairs that were decided: ``left_source, left_id, right_source, right_id``."""

    same: pd.DataFrame | None = None
    different: pd.DataFrame | None = None


def resolve(records: Records, same: pd.DataFrame | None, different: pd.DataFrame | None) -> tuple[Pair, Pair]:
    """Positions of the decided pairs whose records are all there.

    Raises:
        LinkageError: A column is missing, or records are both the same (perhaps through others) and different.
    """
    together, apart = positions(records, same, "same")[:2], positions(records, different, "different")[:2]
    if len(apart[0]):
        _check(records, together, apart)
    return together, apart


def contradictions(policy: LinkagePolicy, levels: Levels) -> list[Flags]:
    """For each of the policy's contradictions the pairs where all its comparisons are made and disagree."""
    names = list(policy.comparisons)
    return [
        np.logical_and.reduce([levels[:, names.index(name)] == 0 for name in group])
        for group in policy.clustering.contradictions
    ]


def votes(policy: LinkagePolicy, levels: Levels) -> npt.NDArray[np.int8]:
    """1 for pairs that one of the policy's contradictions speaks against, -1 where all that can be compared agree."""
    names = list(policy.comparisons)
    found = np.zeros(len(levels), dtype=np.int8)
    for group in policy.clustering.contradictions:
        found[(levels[:, [names.index(name) for name in group]] >= 0).all(axis=1)] = -1
    for contradicting in contradictions(policy, levels):
        found[contradicting] = 1
    return found


def alone(policy: LinkagePolicy, levels: Levels) -> Flags:
    """Pairs that agree on nothing beyond comparisons that say too little alone."""
    others = [
        number for number, name in enumerate(policy.comparisons) if name not in policy.thresholds.not_alone
    ]
    if not others:
        return np.zeros(len(levels), dtype=bool)
    return np.asarray((levels[:, others] <= 0).all(axis=1))


def decision_places(records: Records, before: Decided, now: Decided) -> npt.NDArray[np.int64]:
    """Positions of records in decisions that were made, or taken back, between two linkages, in order."""
    places: list[Positions] = [np.zeros(0, np.int32)]
    for name in ("same", "different"):
        former, latter = (_decided_keys(getattr(decided, name)) for decided in (before, now))
        for some, others in ((former, latter), (latter, former)):
            left, right = positions(records, some[~some.index.isin(others.index)], name)[:2]
            places += [left, right]
    return np.unique(np.concatenate(places)).astype(np.int64)


def _decided_keys(pairs: pd.DataFrame | None) -> pd.DataFrame:
    if pairs is None or pairs.empty:
        return pd.DataFrame(columns=list(PAIR), index=pd.MultiIndex.from_arrays([[]] * 4))
    texts = pairs[list(PAIR)].astype(str)
    return texts.set_index(pd.MultiIndex.from_frame(texts))


def positions(records: Records, pairs: pd.DataFrame | None, name: str) -> tuple[Positions, Positions, Flags]:
    """Positions of the pairs whose records are both there, and which of the rows that are.

    Raises:
        LinkageError: A column of ``PAIR`` is missing; ``name`` says of what.
    """
    none = np.zeros(0, dtype=np.int32)
    if pairs is None or pairs.empty:
        return none, none, np.zeros(0, dtype=bool)
    missing = [column for column in PAIR if column not in pairs.columns]
    if missing:
        raise LinkageError(f"{name}: there is no column {missing[0]!r}; give {', '.join(PAIR)}")
    sources = pa.array(records.sources, pa.string()).take(pa.array(records.source))
    known = pc.binary_join_element_wise(sources, records.ids, "\x1f")
    found = []
    for side in ("left", "right"):
        texts = [pa.array(pairs[f"{side}_{what}"].astype(str), pa.string()) for what in ("source", "id")]
        asked = pc.binary_join_element_wise(*texts, "\x1f")
        found.append(_places(asked, known))
    there = (found[0] >= 0) & (found[1] >= 0) & (found[0] != found[1])
    return found[0][there], found[1][there], there


def _places(asked: pa.Array, known: pa.Array) -> Positions:
    """Where each text is among many others; -1 for nowhere. A table of the few is made, not one of the many."""
    there = np.flatnonzero(pc.is_in(known, value_set=asked).to_numpy(zero_copy_only=False)).astype(np.int32)
    at = pc.index_in(asked, known.take(pa.array(there))).fill_null(-1).to_numpy(zero_copy_only=False)
    found: Positions = np.append(there, np.int32(-1))[at]
    return found


def _check(records: Records, together: Pair, apart: Pair) -> None:
    from cdm_pipelines.linkage.cluster import components  # noqa: PLC0415 - scipy only where it is needed

    group = components(len(records), *together)
    wrong = np.flatnonzero(group[apart[0]] == group[apart[1]])
    if len(wrong):
        left, right = (records.ids[int(side[wrong[0]])].as_py() for side in apart)
        raise LinkageError(
            f"{len(wrong)} pairs are decided to be both the same and different, the first is {left!r} and {right!r}; "
            "take one of the decisions back"
        )
