"""Why a pair weighs what it does, and which records no pair could tell.

Belongs here: scores taken apart, from records, policy and model. Does not belong here: clusters taken apart
(clusters), how it is drawn (pictures) or printed (commands), the scores themselves (model.scoring).

Values are shown as they were compared, after cleaning; by default only their shape (R6).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage.blocking.pairs import Allowed
from cdm_pipelines.linkage.cluster.constraints import alone
from cdm_pipelines.linkage.cluster.partners import PairEvidence
from cdm_pipelines.linkage.compare.comparers import Comparer, Packed
from cdm_pipelines.linkage.encode.records import Records, encode
from cdm_pipelines.linkage.model.fellegi_sunter import Floats, LinkageModel, log2_odds, probability
from cdm_pipelines.linkage.model.scoring import BoundScorer, PairScorer
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.quality.shapes import shape

PRIOR, RELATED, PARTNERS = "prior odds", "related records", "one partner a source"
SAMPLE = 10_000
"""Records that tell well enough what share of all of them cannot be linked."""
_CHUNK = 1_000_000


@dataclass(frozen=True)
class Subject:
    """Records with the policy and the model that scored them; a few records of a table do as well as all of it.

    Attributes:
        records: The records.
        policy: How they are linked.
        model: What agreement weighs.
        bound: The model over these records, where it was made before.

    Raises:
        LinkageError: The model does not fit the policy's comparisons.
    """

    records: Records
    policy: LinkagePolicy
    model: LinkageModel
    bound: BoundScorer | None = None

    @classmethod
    def of(cls, bound: BoundScorer) -> Self:
        """What a scorer is over."""
        return cls(bound.records, bound.policy, bound.model, bound)

    @cached_property
    def comparer(self) -> Comparer:
        """The comparisons over these records."""
        return Comparer(self.records, self.policy) if self.bound is None else self.bound.comparer

    @cached_property
    def scorer(self) -> BoundScorer:
        """The model over these records."""
        return self.bound or PairScorer(self.policy, self.model).over(self.records, self.comparer)

    @cached_property
    def allowed(self) -> Allowed:
        """Which pairs sources that are free of duplicates leave."""
        return Allowed(self.records, self.policy)

    @cached_property
    def evidence(self) -> PairEvidence:
        """Pairs as clustering takes them."""
        return PairEvidence(self.scorer, self.allowed)

    def name(self, position: int) -> str:
        """A record as clusters name it: ``source|record_id``."""
        source = self.records.sources[int(self.records.source[position])]
        return f"{source}|{self.records.ids[int(position)].as_py()}"


@dataclass(frozen=True)
class Step:
    """One step of a waterfall.

    Attributes:
        name: The comparison, or ``PRIOR``, ``RELATED`` or ``PARTNERS``.
        meaning: What the level means.
        left, right: The values compared, as they are shown.
        bits: What the level weighs.
        term: What the frequency of the values adds.
        total: Log2 odds of a match after this step.
    """

    name: str
    meaning: str
    left: str
    right: str
    bits: float
    term: float
    total: float

    @property
    def before(self) -> float:
        """Log2 odds of a match before this step."""
        return self.total - self.bits - self.term


@dataclass(frozen=True)
class Waterfall:
    """From the prior odds of any two records to the posterior odds of these two.

    The first step is the prior, then come the comparisons in the policy's order, then what the possibility takes away
    that the two are different people who share an address or a name. Where a source is free of duplicates, the last
    step is what clustering adds to a pair of records that have no other partner.
    """

    left: str
    right: str
    steps: tuple[Step, ...]

    @property
    def odds(self) -> float:
        """Posterior log2 odds."""
        return self.steps[-1].total

    @property
    def weight(self) -> float:
        """Match weight: all steps but the prior and what clustering adds."""
        return sum(step.bits + step.term for step in self.steps[1:] if step.name != PARTNERS)

    @property
    def probability(self) -> float:
        """Posterior probability of a match."""
        return float(probability(np.array(self.odds)))


def waterfall(
    subject: Subject,
    left: int,
    right: int,
    show: Callable[[str], str] | None = shape,
    packed: Packed | None = None,
) -> Waterfall:
    """Take the score of one pair apart.

    Args:
        subject: The records and what scored them.
        left: Position of the one record.
        right: Position of the other.
        show: How a value is shown; by its shape. None shows none.
        packed: Agreement pattern of the pair, where it is known.
    """
    a, b = np.array([left], dtype=np.int32), np.array([right], dtype=np.int32)
    parts = subject.scorer.parts(a, b, subject.comparer.packed(a, b) if packed is None else packed)
    levels, match, terms = parts.levels[0], parts.match[0], parts.terms[0]
    shared = [subject.model.comparisons[name].shared for name in subject.comparer.by_name]
    evidence = match.sum() + terms.sum()
    related = parts.related[0].sum() + terms[shared].sum()
    weight = float(subject.scorer.weigh(np.array([evidence]), np.array([related])).weight[0])
    total = log2_odds(subject.model.prior)
    steps = [Step(PRIOR, f"1 of {1 / subject.model.prior:,.0f} pairs", "", "", total, 0.0, total)]
    for number, (name, compared) in enumerate(subject.comparer.by_name.items()):
        bits, term = float(match[number]), float(terms[number])
        total += bits + term
        meaning = compared.labels[levels[number]] if levels[number] >= 0 else "missing"
        ours, theirs = (
            shown_values(subject, name, at, show) if show is not None else "" for at in (left, right)
        )
        steps.append(Step(name, meaning, ours, theirs, bits, term, total))
    bits = weight - float(evidence)
    total += bits
    steps.append(Step(RELATED, "related, but not the same", "", "", bits, 0.0, total))
    raised = float(subject.evidence.raised(a, b, np.array([total]))[0])
    if raised:
        steps.append(Step(PARTNERS, "if neither has another", "", "", raised, 0.0, total + raised))
    return Waterfall(subject.name(left), subject.name(right), tuple(steps))


def shown_values(subject: Subject, comparison: str, position: int, show: Callable[[str], str]) -> str:
    """The values that a comparison reads, those left out that are another comparison's own."""
    spec = subject.policy.comparisons[comparison]
    others = {c for name, one in subject.policy.comparisons.items() if name != comparison for c in one.reads}
    names = [*spec.reads, *(name for name in spec.reads_optionally if name not in others)]
    found = []
    for name in dict.fromkeys(names):
        column = subject.records.columns[name]
        code = int(column.flat[position])
        if code >= 0:
            found.append(show(str(column.values[code])))
    return ", ".join(found)


def perfect_odds(subject: Subject) -> Floats:
    """For each record the log2 odds of a match with a perfect copy of itself; minus infinity where it is none.

    A record that is nearly empty, or says only what many others say, reaches no threshold even so.
    """
    found = []
    for start in range(0, len(subject.records), _CHUNK):
        here = np.arange(start, min(start + _CHUNK, len(subject.records)), dtype=np.int32)
        packed = subject.comparer.packed(here, here)
        odds = subject.scorer.scores(here, here, packed).odds
        found.append(
            np.where(
                alone(
                    subject.policy,
                    subject.comparer.packing.unpack(packed),
                    names_suffice=subject.model.names_suffice,
                ),
                -np.inf,
                odds,
            )
        )
    return np.concatenate(found) if found else np.zeros(0)


def unlinkable(odds: Floats, thresholds: npt.ArrayLike) -> Floats:
    """The share of records whose perfect copy stays below each threshold (log2 odds)."""
    return np.searchsorted(np.sort(odds), np.asarray(thresholds, dtype=np.float64)) / max(len(odds), 1)


def unlinkable_share(table: pa.Table | pd.DataFrame, policy: LinkagePolicy, model: LinkageModel) -> float:
    """The share of a table's records that would not match a perfect copy of themselves; of ``SAMPLE`` spread over it.

    Raises:
        LinkageError: The table does not have what the policy reads, or the model is not of this policy.
    """
    if len(table) > SAMPLE:
        table = table.take(np.linspace(0, len(table) - 1, SAMPLE).astype(np.int64))
    odds = perfect_odds(Subject(encode(table, policy, 1), policy, model))
    return float(unlinkable(odds, [log2_odds(model.match)])[0])
