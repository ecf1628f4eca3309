"""The fitted Fellegi-Sunter model: m- and u-probabilities, the prior, term frequencies.

Belongs here: the parameters and their file format. Does not belong here: fitting (em), or the score of a pair
(scoring).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.compare.comparers import Comparer
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.model.terms import TermTable
from cdm_pipelines.linkage.policy.spec import LinkagePolicy

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.float32]
FORMAT = 1


@dataclass(frozen=True)
class Given:
    """A comparison's probabilities given the level of another, on which it depends among unrelated records.

    Attributes:
        comparison: The other.
        m: By the other's level, missing first, then from 0 up: probability of each level among matches.
        u: Among unrelated records.
        r: Among related records.
        terms: By the other's level: the share of its weight that the frequency of a value keeps.
    """

    comparison: str
    m: tuple[tuple[float, ...], ...]
    u: tuple[tuple[float, ...], ...]
    r: tuple[tuple[float, ...], ...]
    terms: tuple[float, ...]


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
        words: Frequencies of the words of its values, where values may agree in part.
        given: The probabilities given another comparison, where it depends on one.
    """

    labels: tuple[str, ...]
    m: tuple[float, ...]
    u: tuple[float, ...]
    r: tuple[float, ...]
    shared: bool = False
    terms: TermTable | None = None
    words: TermTable | None = None
    given: Given | None = None


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
        names_suffice: Whether pairs that agree on nothing beyond the policy's ``not_alone`` may be matches too.
        outweighed: Of the policy's contradictions those that matches show too often: they weigh, and forbid nothing.
    """

    policy: str
    records: int
    prior: float
    related: float
    match: float
    comparisons: dict[str, Parameters]
    training: dict[str, Any] = field(default_factory=dict)
    left_over: dict[str, dict[str, float]] = field(default_factory=dict)
    names_suffice: bool = False
    outweighed: tuple[tuple[str, ...], ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """Changes when anything in the model does."""
        return fingerprint_of(self.to_json())

    @cached_property
    def bits(self) -> dict[str, tuple[Floats, Floats]]:
        """What the levels of each comparison weigh, for a match and for related records: log2 of m and of r over u.

        A row for each level of the comparison that it depends on, missing first; one where it depends on none. In each
        a missing level comes last, where -1 finds it, and weighs nothing.
        """
        return {name: _bits(one) for name, one in self.comparisons.items()}

    def to_json(self) -> str:
        """The model as JSON text, the same for the same model; each comparison on a line of its own."""
        plain = {"format": FORMAT, **{one.name: getattr(self, one.name) for one in fields(self)}}
        comparisons = {name: _plain(one) for name, one in plain.pop("comparisons").items()}
        for choice in ("names_suffice", "outweighed"):
            if not plain[choice]:  # reads as it did before there was a choice
                del plain[choice]
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
            outweighed = tuple(tuple(group) for group in data.pop("outweighed", ()))
            return cls(comparisons=comparisons, outweighed=outweighed, **data)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError):
            raise LinkageError(
                "this is not a linkage model; fit one, or give the file that a fit wrote"
            ) from None

    def only(self, names: Iterable[str]) -> Self:
        """The model of some of its comparisons: the others are never made, and weigh nothing."""
        return replace(self, comparisons={name: self.comparisons[name] for name in names})

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


def _bits(one: Parameters) -> tuple[Floats, Floats]:
    if one.given is not None:
        m, r, u = (np.array(of) for of in (one.given.m, one.given.r, one.given.u))
    else:
        m, r, u = (np.array([of]) for of in (one.m, one.r, one.u))
    nothing = np.zeros(len(u))
    return np.column_stack([np.log2(m / u), nothing]), np.column_stack([np.log2(r / u), nothing])


def _plain(one: Parameters) -> dict[str, Any]:
    """As JSON holds it; words are left out where there are none, and so is what it depends on."""
    plain = {**vars(one), "terms": one.terms and vars(one.terms)}
    words, given = plain.pop("words"), plain.pop("given")
    return plain | ({"words": vars(words)} if words else {}) | ({"given": vars(given)} if given else {})


def _parameters(data: dict[str, Any]) -> Parameters:
    labels, m, u, r = (tuple(data[key]) for key in ("labels", "m", "u", "r"))
    terms, words = (TermTable(**found) if (found := data.get(key)) else None for key in ("terms", "words"))
    return Parameters(labels, m, u, r, bool(data["shared"]), terms, words, _given(data.get("given")))


def _given(data: dict[str, Any] | None) -> Given | None:
    if data is None:
        return None
    m, u, r = (tuple(tuple(row) for row in data[key]) for key in ("m", "u", "r"))
    return Given(str(data["comparison"]), m, u, r, tuple(data["terms"]))
