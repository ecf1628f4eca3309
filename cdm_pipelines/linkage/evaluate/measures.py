"""Clusters held against the truth: pairs and B-cubed, within and across sources.

Belongs here: measures. Does not belong here: choosing anything by them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cdm_pipelines.linkage.errors import LinkageError


@dataclass(frozen=True)
class Measure:
    """Precision and recall from counts of pairs."""

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """Share of predicted pairs that are true; 1 where none is predicted."""
        predicted = self.true_positives + self.false_positives
        return self.true_positives / predicted if predicted else 1.0

    @property
    def recall(self) -> float:
        """Share of true pairs that are predicted; 1 where there are none."""
        true = self.true_positives + self.false_negatives
        return self.true_positives / true if true else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(frozen=True)
class Evaluation:
    """Measures of a clustering.

    Attributes:
        pairs: Over all pairs.
        within: Over pairs of records of one source.
        across: Over pairs of records of different sources.
        bcubed_precision: Mean over records of the share of its cluster that is its own party.
        bcubed_recall: Mean over records of the share of its party that is in its cluster.
        exact_clusters: Share of true parties whose records are one whole cluster.
        records: Number of records evaluated.
    """

    pairs: Measure
    within: Measure
    across: Measure
    bcubed_precision: float
    bcubed_recall: float
    exact_clusters: float
    records: int

    @property
    def bcubed_f1(self) -> float:
        """Harmonic mean of B-cubed precision and recall (Bagga and Baldwin 1998)."""
        both = self.bcubed_precision + self.bcubed_recall
        return 2 * self.bcubed_precision * self.bcubed_recall / both if both else 0.0


Codes = npt.NDArray[np.int64]


def evaluate(clusters: pd.DataFrame, truth: pd.DataFrame) -> Evaluation:
    """Measure clusters against the truth, over the records that both have.

    Args:
        clusters: Columns source, record_id, cluster_id.
        truth: Columns source, record_id, truth_id.

    Raises:
        LinkageError: A column is missing, or no record is in both.
    """
    for name, frame, needed in (("clusters", clusters, "cluster_id"), ("truth", truth, "truth_id")):
        missing = {"source", "record_id", needed} - set(frame.columns)
        if missing:
            raise LinkageError(f"evaluate: {name} has no column {min(missing)!r}")
    keys = ["source", "record_id"]
    left = clusters[[*keys, "cluster_id"]].astype(dict.fromkeys(keys, str))
    right = truth[[*keys, "truth_id"]].astype(dict.fromkeys(keys, str))
    both = left.merge(right, on=keys, how="inner", validate="one_to_one")
    if both.empty and len(clusters):
        raise LinkageError(
            "evaluate: no record is in both clusters and truth; compare their source and record_id"
        )
    found, true, source = (
        pd.factorize(both[c])[0].astype(np.int64) for c in ("cluster_id", "truth_id", "source")
    )
    everything = _measure(found, true)
    within = _measure(_joint(found, source), _joint(true, source))
    across = Measure(
        everything.true_positives - within.true_positives,
        everything.false_positives - within.false_positives,
        everything.false_negatives - within.false_negatives,
    )
    cell = _joint(found, true)
    in_both, in_found, in_true = (
        np.bincount(codes)[codes] if len(codes) else codes for codes in (cell, found, true)
    )
    records = max(len(both), 1)
    exact = len(np.unique(true[(in_both == in_found) & (in_both == in_true)]))
    return Evaluation(
        everything,
        within,
        across,
        float((in_both / in_found).sum()) / records,
        float((in_both / in_true).sum()) / records,
        exact / max(len(np.unique(true)), 1),
        len(both),
    )


def _joint(a: Codes, b: Codes) -> Codes:
    return pd.factorize(a * (int(b.max(initial=0)) + 1) + b)[0].astype(np.int64)


def _pairs(codes: Codes) -> int:
    sizes = np.bincount(codes) if len(codes) else codes
    return int((sizes * (sizes - 1) // 2).sum())


def _measure(found: Codes, true: Codes) -> Measure:
    both = _pairs(_joint(found, true))
    return Measure(both, _pairs(found) - both, _pairs(true) - both)
