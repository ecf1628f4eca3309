"""What a person, a chart or an asset's metadata is told about a linkage.

Belongs here: counts, shares, expectations. Does not belong here: any record's values.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.blocking.pairs import Oversized
from cdm_pipelines.linkage.encode.positions import Flags
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.model.fellegi_sunter import Floats, LinkageModel, probability
from cdm_pipelines.linkage.model.remarks import remarks, unlearned
from cdm_pipelines.linkage.policy.spec import LinkagePolicy

_LOW, _HIGH, _PER_BIT = -60, 60, 4
_CURVE_FROM = -10  # bits: one pair in a thousand is a match; nobody accepts those


class Rule(Protocol):
    """What is told of a blocking rule besides its pairs."""

    @property
    def label(self) -> str:
        """Its name."""

    @property
    def oversized(self) -> Oversized:
        """What it does not compare."""


class Histogram:
    """Number of candidate pairs by posterior log2 odds, in quarter bits."""

    def __init__(self) -> None:
        self.counts = np.zeros((_HIGH - _LOW) * _PER_BIT + 1, dtype=np.int64)

    def add(self, odds: Floats) -> None:
        """Count a chunk of pairs."""
        bins = np.clip(np.floor((odds - _LOW) * _PER_BIT), 0, len(self.counts) - 1).astype(np.int64)
        self.counts += np.bincount(bins, minlength=len(self.counts))

    @property
    def odds(self) -> Floats:
        """The middle of each bin."""
        return (np.arange(len(self.counts)) + 0.5) / _PER_BIT + _LOW

    @property
    def true(self) -> float:
        """Expected number of matches among all of them."""
        return float((self.counts * probability(self.odds)).sum())

    def steps(self) -> dict[int, int]:
        """Number of pairs by whole bits of log2 odds (the lower end), those that have any, lowest first."""
        counts = np.append(self.counts, [0] * (_PER_BIT - 1)).reshape(-1, _PER_BIT).sum(axis=1)
        return {int(low) + _LOW: int(counts[low]) for low in np.flatnonzero(counts)}

    def threshold(self, least: float, false_matches: float | None) -> float:
        """The lowest probability from ``least`` on with at most this expected share of false pairs accepted."""
        if false_matches is None:
            return least
        chance = probability(self.odds)
        accepted, true = self._from()
        good = (accepted == 0) | (accepted - true <= false_matches * accepted)
        # From this bin up every threshold keeps the promise.
        lowest = len(good) - int(np.argmin(np.append(good[::-1], False)))
        return max(least, float(chance[min(lowest, len(chance) - 1)]))

    def _from(self) -> tuple[Floats, Floats]:
        """For each bin the pairs from it on, and how many of them are expected to be true."""
        true = self.counts * probability(self.odds)
        return np.cumsum(self.counts[::-1].astype(np.float64))[::-1], np.cumsum(true[::-1])[::-1]

    def curve(self) -> list[dict[str, float]]:
        """Expected precision, and recall among candidate pairs, of accepting from each bin on, lowest first.

        ``odds`` is the lower end of the bin, in bits; above the last one there are no pairs.
        """
        accepted, true = self._from()
        lowest = np.arange(len(self.counts)) / _PER_BIT + _LOW
        wanted = np.flatnonzero((accepted > 0) & (lowest >= _CURVE_FROM))
        everything = max(float(true[0]), 1e-300)
        return [
            {
                "odds": float(lowest[k]),
                "precision": float(true[k] / accepted[k]),
                "recall": float(true[k] / everything),
            }
            for k in wanted
        ]

    def expected(self, match: float) -> dict[str, float]:
        """Expected precision, and recall among candidate pairs, of accepting from probability ``match`` on."""
        chance = probability(self.odds)
        accepted = chance >= match
        pairs = float(self.counts[accepted].sum())
        true = float((self.counts * chance)[accepted].sum())
        everything = float((self.counts * chance).sum())
        return {
            "pairs": pairs,
            "precision": true / pairs if pairs else 1.0,
            "recall": true / everything if everything else 1.0,
        }


def expected_of_linked(chance: Floats, together: Flags, true: float) -> dict[str, float]:
    """Expected precision and recall of what was linked, after thresholds, guards and clustering.

    Args:
        chance: Probability of each pair from the review threshold on.
        together: Which of them came to be in one cluster.
        true: Expected number of matches among all candidate pairs.
    """
    pairs, right = int(together.sum()), float(chance[together].sum())
    return {
        "pairs": pairs,
        "precision": right / pairs if pairs else 1.0,
        "recall": min(right / true, 1.0) if true else 1.0,
    }


def report(
    *,
    policy: LinkagePolicy,
    records: Records,
    rules: Sequence[Rule],
    pairs_by_rule: Sequence[int],
    model: LinkageModel,
    scores: Histogram,
    member: npt.NDArray[np.int64],
) -> dict[str, Any]:
    """Everything countable about a linkage, as plain JSON values."""
    sizes = np.bincount(np.bincount(member)) if len(member) else np.zeros(1, dtype=np.int64)
    return {
        "records": len(records),
        "sources": len(records.sources),
        "clusters": int(sizes[1:].sum()),
        "cluster_sizes": {str(size): int(count) for size, count in enumerate(sizes) if size and count},
        "pairs": int(scores.counts.sum()),
        "rules": [
            {
                "rule": rule.label,
                "new_pairs": made,
                "expected_share_of_matches": model.training.get("rule_matches", {}).get(rule.label),
                "oversized_blocks": rule.oversized.blocks,
                "oversized_records": rule.oversized.records,
                "pairs_not_made": rule.oversized.pairs,
                "largest_block": rule.oversized.largest,
            }
            for rule, made in zip(rules, pairs_by_rule, strict=True)
        ],
        "odds": {str(low): count for low, count in scores.steps().items()},
        "thresholds": {
            "match": model.match,
            "review": policy.thresholds.review,
            "names_suffice": model.names_suffice,
            "outweighed": [list(group) for group in model.outweighed],
        },
        "expected": scores.expected(model.match),
        "fit": {
            "iterations": model.training.get("iterations"),
            "converged": model.training.get("converged"),
            "never_learned": list(unlearned(model.training)),
            "remarks": list(remarks(model.training)),
        },
        "expected_curve": scores.curve(),
        "prior": model.prior,
        "related": model.related,
        "dependences": model.training.get("dependences", []),
        "does_not_teach": model.training.get("does_not_teach", {}),
        "comparisons": parameters(model),
    }


def parameters(model: LinkageModel) -> list[dict[str, Any]]:
    """The m/u table: one row per comparison and level, the weight in bits."""
    return [
        {
            "comparison": name,
            "level": level,
            "meaning": label,
            "m": one.m[level],
            "u": one.u[level],
            "related": one.r[level],
            "weight": float(np.log2(one.m[level] / one.u[level])),
        }
        for name, one in model.comparisons.items()
        for level, label in reversed(list(enumerate(one.labels)))
    ]
