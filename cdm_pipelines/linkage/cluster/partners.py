"""Sources that hold nobody twice: what it says about two records that neither has another partner.

Belongs here: how likely records without a partner are to be each other's, and the evidence between two records as
clustering takes it, sources and guards together with the scorer. Does not belong here: which pairs may be made at all
(blocking), how groups join (agglomerate).

A source free of duplicates gives each record of another source at most one partner. If k of the n records of a source
have theirs, a pair among those that are left is n / (n - k) times as likely as a pair of any two records, for either
source whose records have at most one partner in the other (a prior uniform over one-to-one linkages: Fortini and others
2001, Sadinle 2017). The factor counts for every pair, but the best of a record's pairs joins first, and then the source
allows no other: so it decides only about records that have nobody else. Records count as having a partner from the
match threshold on, when the model is fitted; a pair below the review threshold is not raised.
"""

from collections.abc import Collection
from typing import Protocol

import numpy as np

from cdm_pipelines.linkage.cluster.agglomerate import Evidence
from cdm_pipelines.linkage.cluster.constraints import Confirmed, alone, confirmed_apart, votes
from cdm_pipelines.linkage.compare.comparers import Packed
from cdm_pipelines.linkage.encode.positions import Flags, Positions
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.model.fellegi_sunter import Bits, Floats
from cdm_pipelines.linkage.model.scoring import BoundScorer, Scores

LeftOver = dict[str, dict[str, float]]


class May(Protocol):
    """Which pairs may be made at all."""

    def __call__(self, left: Positions, right: Positions) -> Flags:
        """Whether each pair may be made."""


def kept_apart(allowed: May, groups: Confirmed | None) -> May:
    """Pairs that may be made: those allowed, but for records of two confirmed parties."""
    if groups is None:
        return allowed
    return lambda left, right: allowed(left, right) & ~confirmed_apart(groups, left, right)


def left_over_bits(
    records: Records, duplicate_free: Collection[str], left: Positions, right: Positions
) -> LeftOver:
    """Bits by which a pair of two sources is likelier if neither record has another partner; sources in their order.

    Args:
        records: All records.
        duplicate_free: Sources that hold nobody twice.
        left: Positions of the matches, the one side.
        right: The other side.
    """
    if not duplicate_free:
        return {}
    sizes = np.bincount(records.source, minlength=len(records.sources))
    ends, others = np.append(left, right), records.source[np.append(right, left)].astype(np.int64)
    # One record, one source: however many of its matches are there.
    met = np.unique(ends.astype(np.int64) * len(records.sources) + others)
    own, other = records.source[met // len(records.sources)], met % len(records.sources)
    with_partner = np.zeros((len(records.sources), len(records.sources)), dtype=np.int64)
    np.add.at(with_partner, (own, other), 1)
    left_over = np.log2((sizes[:, None] + 1) / (sizes[:, None] - with_partner + 1))
    free = np.isin(np.array(records.sources, dtype=object), list(duplicate_free)).astype(bool)
    bits = left_over * free[None, :] + left_over.T * free[:, None]
    return {
        name: {
            records.sources[j]: float(bits[i, j])
            for j in range(i + 1, len(records.sources))
            if bits[i, j] > 0
        }
        for i, name in enumerate(records.sources)
        if (bits[i, i + 1 :] > 0).any()
    }


class PairEvidence:
    """What clustering asks about pairs: the scorer, guards and sources together."""

    def __init__(self, scorer: BoundScorer, allowed: May) -> None:
        self._scorer, self._allowed, self._policy = scorer, allowed, scorer.policy
        self._packing = scorer.comparer.packing
        self._source = scorer.records.source
        self._asked = bool(scorer.model.left_over)
        self._bits = _by_code(scorer.records.sources, scorer.policy.duplicate_free, scorer.model.left_over)
        review = scorer.policy.thresholds.review
        self._review = float(np.log2(review / (1 - review)))

    def packed(self, left: Positions, right: Positions) -> Packed:
        """Agreement patterns of pairs that blocking did not make."""
        return self._scorer.packed(left, right)

    def weigh(self, match: Floats, related: Floats) -> Scores:
        """Odds from bits added up over comparisons."""
        return self._scorer.weigh(match, related)

    def bits(self, left: Positions, right: Positions) -> Bits:
        """What the sources say about each pair; NaN where they say nothing."""
        if self._bits is None:
            return np.full(len(left), np.nan, dtype=np.float32)
        found: Bits = self._bits[self._source[left], self._source[right]]
        return found

    def raised(self, left: Positions, right: Positions, odds: Floats) -> Floats:
        """What the sources add to pairs of these odds: nothing below the review threshold."""
        return np.where(odds >= self._review, np.nan_to_num(self.bits(left, right)), 0.0)

    def odds(self, left: Positions, right: Positions, packed: Packed) -> Floats:
        """Log2 odds of pairs; minus infinity where what agrees says too little alone."""
        odds = self._scorer.scores(left, right, packed).odds
        odds = odds + self.raised(left, right, odds)
        return np.where(
            alone(self._policy, self._packing.unpack(packed), names_suffice=self._scorer.model.names_suffice),
            -np.inf,
            odds,
        )

    def evidence(self, left: Positions, right: Positions, packed: Packed) -> Evidence:
        """What is known about pairs: the comparisons' bits, then those of the sources."""
        match, related = self._scorer.evidence(left, right, packed)
        if self._asked:  # of all pairs or of none, so that sums do not depend on which others are asked about
            sources = self.bits(left, right)
            nothing = np.where(np.isnan(sources), np.nan, 0.0).astype(np.float32)
            match, related = np.column_stack([match, sources]), np.column_stack([related, nothing])
        return Evidence(
            self.odds(left, right, packed),
            match,
            related,
            ~self._allowed(left, right),
            votes(self._policy, self._packing.unpack(packed), self._scorer.model.outweighed),
        )


def _by_code(sources: list[str], duplicate_free: Collection[str], bits: LeftOver) -> Bits | None:
    """Bits by codes of two sources; NaN where neither is free of duplicates, None where that is so of all."""
    code = {name: k for k, name in enumerate(sources)}
    known = [
        (code[one], code[other], value)
        for one, others in bits.items()
        for other, value in others.items()
        if one in code and other in code and not {one, other}.isdisjoint(duplicate_free)
    ]
    if not known:
        return None
    found = np.full((len(sources), len(sources)), np.nan, dtype=np.float32)
    for i, j, value in known:
        found[i, j] = found[j, i] = value
    return found
