"""The fitted model: what agreement weighs. Scoring with it is a pure function of records and model.

Belongs here: the parameters, their file format, the score of a pair. Does not belong here: fitting (em), or what is
done with a score (cluster).
"""

import json
from dataclasses import dataclass, field, fields
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from cdm_pipelines.linkage.compare.comparers import Comparer, Packed
from cdm_pipelines.linkage.compare.levels import Levels
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.model.terms import TermTable
from cdm_pipelines.linkage.policy.spec import LinkagePolicy

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.float32]
FORMAT = 1


@dataclass(frozen=True)
class Parameters:
    """One comparison's probabilities, by level from 0 (different) up.

    Attributes:
        labels: What each level means.
        m: Probability of the level among matches.
        u: Among unrelated records.
        r: Among related records, of different people who share an address or a name.
        shared: Whether related records share this comparison's value.
        terms: Frequencies of its values.
    """

    labels: tuple[str, ...]
    m: tuple[float, ...]
    u: tuple[float, ...]
    r: tuple[float, ...]
    shared: bool = False
    terms: TermTable | None = None


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


def probability(odds: Floats) -> Floats:
    """From log2 odds to probability."""
    return 1 / (1 + np.exp2(-np.clip(odds, -500, 500)))


def log2_odds(probability: float) -> float:
    """From probability to log2 odds."""
    return float(np.log2(probability / (1 - probability)))


@dataclass(frozen=True)
class LinkageModel:
    """A fitted model.

    Attributes:
        policy: Fingerprint of the policy it was fitted under.
        records: Number of records it was fitted on.
        prior: Share of matches among all pairs.
        related: Share of related pairs among all pairs.
        match: Posterior probability from which a pair is a match.
        comparisons: Parameters by comparison.
        training: Counts and diagnostics of the fit, for reports.
        left_over: Bits by which a pair of two sources is likelier where a source is free of duplicates and neither
            record has another partner; by the names of the sources in their order.
    """

    policy: str
    records: int
    prior: float
    related: float
    match: float
    comparisons: dict[str, Parameters]
    training: dict[str, Any] = field(default_factory=dict)
    left_over: dict[str, dict[str, float]] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """Changes when anything in the model does."""
        return fingerprint_of(self.to_json())

    def to_json(self) -> str:
        """The model as JSON text, the same for the same model; each comparison on a line of its own."""
        plain = {"format": FORMAT, **{one.name: getattr(self, one.name) for one in fields(self)}}
        comparisons = {
            name: {**vars(one), "terms": one.terms and vars(one.terms)}
            for name, one in plain.pop("comparisons").items()
        }
        head = json.dumps(plain, ensure_ascii=False, indent=1).removesuffix("\n}")
        lines = ",\n  ".join(
            f"{json.dumps(name)}: {json.dumps(one, ensure_ascii=False)}" for name, one in comparisons.items()
        )
        return f'{head},\n "comparisons": {{\n  {lines}\n }}\n}}\n'

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a model that ``to_json`` wrote.

        Raises:
            LinkageError: The text is not such a model.
        """
        try:
            data = json.loads(text)
            if data.pop("format") != FORMAT:
                raise LinkageError("the model is of another format version; fit it again")
            comparisons = {name: _parameters(found) for name, found in data.pop("comparisons").items()}
            return cls(comparisons=comparisons, **data)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError):
            raise LinkageError(
                "this is not a linkage model; fit one, or give the file that a fit wrote"
            ) from None

    def check(self, policy: LinkagePolicy, comparer: Comparer) -> None:
        """See that the model can score this policy's comparisons.

        Raises:
            LinkageError: Comparisons or their levels differ from those the model was fitted with.
        """
        theirs = {name: one.labels for name, one in comparer.by_name.items()}
        ours = {name: one.labels for name, one in self.comparisons.items()}
        for name in sorted(theirs.keys() | ours.keys()):
            if theirs.get(name) != ours.get(name):
                raise LinkageError(
                    f"policy {policy.name}: comparison {name!r} is not as the model was fitted; fit the model again"
                )


def fingerprint_of(text: str) -> str:
    """The fingerprint of a model that stands in a text, whatever the version that wrote it."""
    return sha256(text.encode()).hexdigest()[:16]


def _parameters(data: dict[str, Any]) -> Parameters:
    labels, m, u, r = (tuple(data[key]) for key in ("labels", "m", "u", "r"))
    return Parameters(
        labels, m, u, r, bool(data["shared"]), TermTable(**data["terms"]) if data["terms"] else None
    )


class Scorer:
    """A model bound to the comparisons of some records."""

    def __init__(self, model: LinkageModel, comparer: Comparer) -> None:
        self._comparer = comparer
        parameters = [model.comparisons[name] for name in comparer.by_name]
        self._match = [np.log2(np.array(p.m) / np.array(p.u)) for p in parameters]
        self._related = [np.log2(np.array(p.r) / np.array(p.u)) for p in parameters]
        self._parameters = parameters
        self._terms = [one.term for one in comparer.by_name.values()]
        self._bits = [
            None if p.terms is None or term is None else p.terms.bits(term)
            for p, term in zip(parameters, self._terms, strict=True)
        ]
        rest = 1 - model.prior - model.related
        self._prior_odds = float(np.log2(model.prior / (1 - model.prior)))
        self._related_odds = float(np.log2(model.related / rest)) if model.related > 0 else -np.inf
        self._chance = float(np.log2(rest / (1 - model.prior)))

    def __call__(self, left: Positions, right: Positions, packed: Packed) -> Scores:
        """Score pairs from their agreement patterns."""
        inverse, distinct = pd.factorize(packed)
        levels = self._comparer.packing.unpack(distinct)
        match = _summed(self._match, levels)[inverse]
        related = _summed(self._related, levels)[inverse]
        for number, parameters in enumerate(self._parameters):
            reached = np.flatnonzero((levels[:, number] > 0)[inverse])
            bits = self._term_bits(number, left[reached], right[reached])
            if bits is not None:
                match[reached] += bits
                if parameters.shared:
                    related[reached] += bits
        return self.scores(match, related)

    def scores(self, match: Floats, related: Floats) -> Scores:
        """Weigh evidence for a match, in bits against chance, also against that for related records."""
        against = np.logaddexp2(0.0, related + self._related_odds) + self._chance
        weight = match - against
        return Scores(weight, weight + self._prior_odds)

    def evidence(self, left: Positions, right: Positions, packed: Packed) -> tuple[Bits, Bits]:
        """Bits for a match and for related records by comparison, shape (pairs, comparisons); NaN where missing."""
        levels = self._comparer.packing.unpack(packed)
        match, related = np.empty(levels.shape, dtype=np.float32), np.empty(levels.shape, dtype=np.float32)
        for number, parameters in enumerate(self._parameters):
            level = levels[:, number]
            match[:, number] = np.append(self._match[number], np.nan)[level]
            related[:, number] = np.append(self._related[number], np.nan)[level]
            reached = np.flatnonzero(level > 0)
            bits = self._term_bits(number, left[reached], right[reached])
            if bits is not None:
                match[reached, number] += bits
                if parameters.shared:
                    related[reached, number] += bits
        return match, related

    def parts(self, left: Positions, right: Positions, packed: Packed) -> Parts:
        """The bits by comparison, for explanation: those of ``evidence`` in full precision and taken apart."""
        levels = self._comparer.packing.unpack(packed)
        match, related, terms = np.zeros((3, *levels.shape))
        for number in range(levels.shape[1]):
            level = levels[:, number]
            match[:, number] = np.append(self._match[number], 0.0)[level]
            related[:, number] = np.append(self._related[number], 0.0)[level]
            reached = np.flatnonzero(level > 0)
            bits = self._term_bits(number, left[reached], right[reached])
            if bits is not None:
                terms[reached, number] = bits
        return Parts(levels, match, related, terms)

    def _term_bits(self, number: int, left: Positions, right: Positions) -> Floats | None:
        """What the frequency of the values adds where a comparison agrees."""
        parameters, bits, term = self._parameters[number], self._bits[number], self._terms[number]
        if bits is None or parameters.terms is None or term is None:
            return None
        return _term_bits(term.codes, left, right, bits, parameters.terms.fuzzy)


def _summed(weights: list[Floats], levels: npt.NDArray[np.int8]) -> Floats:
    total = np.zeros(len(levels))
    for number, weight in enumerate(weights):
        total += np.append(weight, 0.0)[levels[:, number]]
    return total


def _term_bits(
    codes: npt.NDArray[np.int32], left: Positions, right: Positions, bits: Floats, fuzzy: float
) -> Floats:
    """Bits for each pair: of the value that both have (the rarest, of several), else a share of the commoner's."""
    padded = np.append(bits, -np.inf)
    a, b = codes[left], codes[right]
    exact = np.full(len(left), -np.inf)
    for i in range(codes.shape[1]):
        for j in range(codes.shape[1]):
            exact = np.maximum(exact, np.where(a[:, i] == b[:, j], padded[a[:, i]], -np.inf))
    near = np.minimum(padded[a].max(axis=1), padded[b].max(axis=1)) * fuzzy
    found = np.where(np.isfinite(exact), exact, near)
    return np.where(np.isfinite(found), found, 0.0)
