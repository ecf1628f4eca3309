"""Labelled pairs: pairs of which someone knows whether they match, as teachers of the fit.

Belongs here: reading labels, and their place among the counted patterns. Does not belong here: what the fit makes of
them (em), or decisions that clustering must hold to (constraints).

A labelled pair is a pair of known class: it counts once, like any other, but EM never guesses at it. One that blocking
made stays in its rules' mixtures; one that no rule made is a pair of a rule of its own, which reads no column. With few
labels, m moves little: they correct the fit where many of them contradict it.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from cdm_pipelines.linkage.blocking.pairs import Allowed
from cdm_pipelines.linkage.compare.comparers import Comparer
from cdm_pipelines.linkage.encode.positions import PAIR, Flags, Positions, positions
from cdm_pipelines.linkage.encode.records import ONLY_SOURCE, Records
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.model.patterns import Table
from cdm_pipelines.linkage.policy.spec import LinkagePolicy

_YES, _NO = {"true", "yes", "1", "1.0"}, {"false", "no", "0", "0.0"}


def resolve(
    labels: pd.DataFrame, policy: LinkagePolicy, records: Records, allowed: Allowed
) -> tuple[Positions, Positions, Flags]:
    """Labelled pairs as positions left < right with whether they match, each pair once, sorted.

    Args:
        labels: ``left_source``, ``left_id``, ``right_source``, ``right_id``, ``match`` (true or false); the sources do
            not count, and may be left out, where the policy names none.
        policy: How the records are linked.
        records: The records; labels of others are left out of account.
        allowed: Which pairs may be made at all; labels of others likewise.

    Raises:
        LinkageError: A column is missing, a label is neither true nor false, a pair has both, or no label is of these
            records.
    """
    if policy.source is None:
        labels = labels.assign(left_source=ONLY_SOURCE, right_source=ONLY_SOURCE)
    missing = [name for name in (*PAIR, "match") if name not in labels.columns]
    if missing:
        raise LinkageError(f"labels: there is no column {missing[0]!r}; give {', '.join(PAIR)}, match")
    match = _flags(labels["match"])
    left, right, there = positions(records, labels, "labels")
    match = match[there]
    kept = allowed(left, right)
    pairs = np.stack([np.minimum(left, right), np.maximum(left, right), match])[:, kept]
    low, high, known = np.unique(pairs, axis=1)
    if len(labels) and not len(low):
        raise LinkageError(
            "labels: none of the pairs is of these records; see that sources and ids are written as in the records"
        )
    twice = np.flatnonzero((np.diff(low) == 0) & (np.diff(high) == 0))
    if len(twice):
        one, other = (records.ids[int(side[twice[0]])].as_py() for side in (low, high))
        raise LinkageError(
            f"labels: {len(twice)} pairs are labelled both true and false, the first is {one!r} and {other!r}"
        )
    return low.astype(np.int32), high.astype(np.int32), known == 1


def _flags(column: pd.Series) -> Flags:
    texts = column.astype(str).str.strip().str.lower()
    wrong = texts[~texts.isin(_YES | _NO)]
    if len(wrong):
        raise LinkageError(f"labels: {len(wrong)} values of match are neither true nor false")
    return np.asarray(texts.isin(_YES), dtype=bool)


def with_labels(
    table: Table,
    labelled: tuple[Positions, Positions, Flags],
    comparer: Comparer,
    made_by: Callable[[Positions, Positions], npt.NDArray[np.uint32]],
) -> Table:
    """Counted patterns in which labelled pairs are of known class; the last rule is that of labels without a rule."""
    left, right, match = labelled
    rules = table.rules.shape[1]
    made = (made_by(left, right)[:, None] >> np.arange(rules, dtype=np.uint32)) & 1 == 1
    levels = comparer.levels(left, right)
    counts = table.counts.copy()
    blocked = made.any(axis=1)
    np.subtract.at(counts, _rows(table, levels[blocked], made[blocked]), 1.0)
    return Table(
        np.concatenate([table.levels, levels]),
        np.concatenate(
            [np.pad(table.rules, ((0, 0), (0, 1))), np.concatenate([made, ~blocked[:, None]], axis=1)]
        ),
        np.concatenate([counts, np.ones(len(match))]),
        np.concatenate([np.full(len(counts), -1), match]).astype(np.int8),
    )


def _rows(table: Table, levels: npt.NDArray[np.int8], rules: Flags) -> npt.NDArray[np.int64]:
    """Where patterns stand in a table that has all of them."""
    known = np.concatenate([table.levels, table.rules], axis=1)
    asked = np.concatenate([levels, rules], axis=1)
    _, inverse = np.unique(np.concatenate([known, asked]), axis=0, return_inverse=True)
    place = np.empty(int(inverse.max(initial=-1)) + 1, dtype=np.int64)
    place[inverse.ravel()[: len(known)]] = np.arange(len(known))
    return place[inverse.ravel()[len(known) :]]
