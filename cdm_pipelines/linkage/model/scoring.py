"""The score of a pair: a pure function of two records, policy and model. The one way in which pairs are scored.

Belongs here: match weights, posterior odds, and what they are made of. Does not belong here: the parameters
(fellegi_sunter), fitting them (em), or what is done with a score (cluster).

A ``PairScorer`` can be pickled and sent to another process or machine: it holds all that scoring reads. Whoever has
records bound to positions scores through ``over``; whoever has pairs of rows, through ``score``. Neither result depends
on which other records or pairs are in the batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage.compare.comparers import Comparer, Packed, side_by_side
from cdm_pipelines.linkage.compare.levels import Levels
from cdm_pipelines.linkage.encode.columns import Column, numbered
from cdm_pipelines.linkage.encode.positions import Pair, Positions
from cdm_pipelines.linkage.encode.records import Records, encode
from cdm_pipelines.linkage.model.fellegi_sunter import Bits, Floats, LinkageModel, probability
from cdm_pipelines.linkage.policy.equivalents import NameForms
from cdm_pipelines.linkage.policy.spec import LinkagePolicy


class Scores(NamedTuple):
    """Match weights in bits (log2 of the Bayes factor against not being a match) and posterior log2 odds."""

    weight: Floats
    odds: Floats

    @property
    def probability(self) -> Floats:
        """Posterior probability of a match."""
        return probability(self.odds)


class Parts(NamedTuple):
    """What scores are made of, each of shape (pairs, comparisons); bits are 0 where a comparison could not be made.

    ``match`` and ``related`` are the bits of the levels, ``terms`` what the frequency of the values adds to them.
    """

    levels: Levels
    match: Floats
    related: Floats
    terms: Floats


class BoundScorer:
    """A pair scorer over some records, of which pairs are given by their positions.

    Attributes:
        policy: How the records are linked.
        model: What agreement weighs.
        records: The records.
        comparer: The comparisons over them.
    """

    def __init__(
        self, policy: LinkagePolicy, model: LinkageModel, records: Records, comparer: Comparer
    ) -> None:
        model.check(policy, comparer)
        self.policy, self.model, self.records, self.comparer = policy, model, records, comparer
        parameters = [model.comparisons[name] for name in comparer.by_name]
        places = {name: number for number, name in enumerate(comparer.by_name)}
        # What a comparison depends on may be left out of these; then it is missing everywhere.
        self._parent = [places.get(p.given.comparison) if p.given else None for p in parameters]
        weights = [model.bits[name] for name in comparer.by_name]
        self._match, self._related = [match for match, _ in weights], [related for _, related in weights]
        self._parameters = parameters
        self._terms = [one.term for one in comparer.by_name.values()]
        self._bits = [
            None if p.terms is None or term is None else p.terms.bits(term)
            for p, term in zip(parameters, self._terms, strict=True)
        ]
        words: list[Column | None] = [getattr(one, "words", None) for one in comparer.by_name.values()]
        self._words = [
            None if p.words is None or found is None else (found.codes, p.words.bits(found))
            for p, found in zip(parameters, words, strict=True)
        ]
        rest = 1 - model.prior - model.related
        self._prior_odds = float(np.log2(model.prior / (1 - model.prior)))
        self._related_odds = float(np.log2(model.related / rest)) if model.related > 0 else -np.inf
        self._chance = float(np.log2(rest / (1 - model.prior)))

    def packed(self, left: Positions, right: Positions) -> Packed:
        """Agreement patterns of pairs."""
        return self.comparer.packed(left, right)

    def scores(self, left: Positions, right: Positions, packed: Packed) -> Scores:
        """Match weights and posterior odds of pairs with these agreement patterns."""
        inverse, distinct = numbered(packed)
        levels = self.comparer.packing.unpack(distinct)
        match = self._summed(self._match, levels)[inverse]
        related = self._summed(self._related, levels)[inverse]
        for number, parameters in enumerate(self._parameters):
            reached = np.flatnonzero((levels[:, number] > 0)[inverse])
            other = self._other(number, levels)[inverse[reached]]
            bits = self._term_bits(number, left[reached], right[reached], other)
            if bits is not None:
                match[reached] += bits
                if parameters.shared:
                    related[reached] += bits
        return self.weigh(match, related)

    def weigh(self, match: Floats, related: Floats) -> Scores:
        """Weigh evidence for a match, in bits against chance, also against that for related records."""
        against = np.logaddexp2(0.0, related + self._related_odds) + self._chance
        weight = match - against
        return Scores(weight, weight + self._prior_odds)

    def evidence(self, left: Positions, right: Positions, packed: Packed) -> tuple[Bits, Bits]:
        """Bits for a match and for related records by comparison, shape (pairs, comparisons); NaN where missing."""
        levels = self.comparer.packing.unpack(packed)
        match, related = np.empty(levels.shape, dtype=np.float32), np.empty(levels.shape, dtype=np.float32)
        for number, parameters in enumerate(self._parameters):
            level, other = levels[:, number], self._other(number, levels)
            missing = level < 0
            match[:, number] = np.where(missing, np.nan, self._match[number][other, level])
            related[:, number] = np.where(missing, np.nan, self._related[number][other, level])
            reached = np.flatnonzero(level > 0)
            bits = self._term_bits(number, left[reached], right[reached], other[reached])
            if bits is not None:
                match[reached, number] += bits
                if parameters.shared:
                    related[reached, number] += bits
        return match, related

    def parts(self, left: Positions, right: Positions, packed: Packed) -> Parts:
        """The bits by comparison, for explanation: those of ``evidence`` in full precision and taken apart."""
        levels = self.comparer.packing.unpack(packed)
        match, related, terms = np.zeros((3, *levels.shape))
        for number in range(levels.shape[1]):
            level, other = levels[:, number], self._other(number, levels)
            match[:, number] = self._match[number][other, level]
            related[:, number] = self._related[number][other, level]
            reached = np.flatnonzero(level > 0)
            bits = self._term_bits(number, left[reached], right[reached], other[reached])
            if bits is not None:
                terms[reached, number] = bits
        return Parts(levels, match, related, terms)

    def _other(self, number: int, levels: Levels) -> npt.NDArray[np.intp]:
        """For each pair the row of a comparison's weights: by the level of the one it depends on, missing first."""
        parent = self._parent[number]
        if parent is None:
            return np.zeros(len(levels), dtype=np.intp)
        return levels[:, parent].astype(np.intp) + 1

    def _summed(self, weights: list[Floats], levels: Levels) -> Floats:
        total = np.zeros(len(levels))
        for number, weight in enumerate(weights):
            total += weight[self._other(number, levels), levels[:, number]]
        return total

    def _term_bits(
        self, number: int, left: Positions, right: Positions, other: npt.NDArray[np.intp]
    ) -> Floats | None:
        """What the frequency of the values adds where a comparison agrees."""
        parameters, bits, term = self._parameters[number], self._bits[number], self._terms[number]
        if bits is None or parameters.terms is None or term is None:
            return None
        exact, near = _term_bits(term.codes, left, right, bits, parameters.terms.fuzzy)
        words = self._words[number]
        if words is not None:
            parts = np.flatnonzero(~np.isfinite(exact))
            of_words, _ = _term_bits(words[0], left[parts], right[parts], words[1], 0.0)
            exact[parts] = of_words * parameters.terms.fuzzy  # agreement in part is near agreement
        either = np.where(np.isfinite(exact), exact, near)
        found = np.where(np.isfinite(either), either, 0.0)
        return found if parameters.given is None else found * np.array(parameters.given.terms)[other]


class ScoredPairs(NamedTuple):
    """Pairs as ``PairScorer.score`` returns them, in the order in which they were given.

    Attributes:
        levels: Shape (pairs, comparisons): -1 missing, 0 different, and so on up.
        packed: The agreement pattern of each pair, its levels in one integer.
        weight: Match weight in bits.
        odds: Posterior log2 odds of a match.
    """

    levels: Levels
    packed: Packed
    weight: Floats
    odds: Floats


@dataclass(frozen=True)
class PairScorer:
    """Everything that scoring a pair of records reads; pure, and picklable.

    Attributes:
        policy: How records are linked: their columns, how these are cleaned and compared.
        model: What agreement weighs.
        words: By derived key of rare words, in how many of all records each occurs (``BlockingPlan.words``). Scores
            do not read them; records that are encoded here get the blocking keys that they have in the whole.
        forms: Other forms of given names by comparison. Read from the policy's tables when the scorer is made: they
            travel with it, where there may be no such file.

    Raises:
        LinkageError: A table of names cannot be read.
    """

    policy: LinkagePolicy
    model: LinkageModel
    words: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    forms: Mapping[str, NameForms] | None = None

    def __post_init__(self) -> None:
        """Read the tables of names, where they are not given."""
        if self.forms is None:
            object.__setattr__(self, "forms", self.policy.name_forms())

    def encode(self, table: pa.Table | pd.DataFrame, threads: int | None = None) -> Records:
        """Encode records, all or some, for ``over``.

        Raises:
            LinkageError: As ``encode.records.encode``.
        """
        return encode(table, self.policy, threads, words=self.words)

    def over(self, records: Records, comparer: Comparer | None = None) -> BoundScorer:
        """The scorer over encoded records, of which pairs are given by position.

        Args:
            records: All records, or some.
            comparer: The comparisons over these records, where they were bound before there was a model.

        Raises:
            LinkageError: The model is of other comparisons than the policy.
        """
        comparer = comparer or Comparer(records, self.policy, self.forms)
        return BoundScorer(self.policy, self.model, records, comparer)

    def score(
        self, left: pa.Table | pd.DataFrame, right: pa.Table | pd.DataFrame, at: Pair | None = None
    ) -> ScoredPairs:
        """Score pairs of rows: row k of ``left`` with row k of ``right``, or those of ``at``.

        Weights are the same, bit for bit, in batches of any size, and those of linking all records at once. Of two
        records the one that comes first by source and id belongs on the left, as in linking.

        Args:
            left: One record of each pair, in the columns that the policy maps; ids and sources are not read.
            right: The other; as many rows, unless rows are told.
            at: Which rows make the pairs, on the left and on the right: a row that is in many is encoded once.

        Raises:
            LinkageError: A column is missing, the tables are not of equal length, or the model is of other comparisons.
        """
        records, one, other = side_by_side(left, right, self.policy, at)
        bound = self.over(records)
        packed = bound.packed(one, other)
        scores = bound.scores(one, other, packed)
        return ScoredPairs(bound.comparer.packing.unpack(packed), packed, scores.weight, scores.odds)


def _term_bits(
    codes: npt.NDArray[np.int32], left: Positions, right: Positions, bits: Floats, fuzzy: float
) -> tuple[Floats, Floats]:
    """Bits for each pair of the value that both have (the rarest, of several), and a share of the commoner's."""
    padded = np.append(bits, -np.inf)
    a, b = codes[left], codes[right]
    exact = np.full(len(left), -np.inf)
    for i in range(codes.shape[1]):
        for j in range(codes.shape[1]):
            exact = np.maximum(exact, np.where(a[:, i] == b[:, j], padded[a[:, i]], -np.inf))
    near = np.minimum(padded[a].max(axis=1), padded[b].max(axis=1)) * fuzzy
    return exact, near
