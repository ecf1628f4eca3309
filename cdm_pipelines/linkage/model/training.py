"""Fitting a model: from compared pairs to parameters, frequencies and the match threshold.

Belongs here: counting patterns, calling the fit, the figures a report shows about it. Does not belong here: the
mathematics (em, u_probabilities, terms).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cdm_pipelines.linkage.blocking.pairs import Allowed, Pairs
from cdm_pipelines.linkage.compare.bound import Compared, Typical, WithBeside, WithWords
from cdm_pipelines.linkage.compare.comparers import Comparer, Packed
from cdm_pipelines.linkage.encode.columns import Column
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.model import anchored, em
from cdm_pipelines.linkage.model.dependence import Dependence, measure
from cdm_pipelines.linkage.model.drift import COUNTS, level_counts
from cdm_pipelines.linkage.model.fellegi_sunter import Given, LinkageModel, Parameters
from cdm_pipelines.linkage.model.guard import Order, by_what_they_tell, chosen, with_further
from cdm_pipelines.linkage.model.patterns import TEACH, Table
from cdm_pipelines.linkage.model.ranked import Rank
from cdm_pipelines.linkage.model.remarks import FILLED, MOVING, TAUGHT
from cdm_pipelines.linkage.model.terms import TermTable
from cdm_pipelines.linkage.model.u_probabilities import UProbabilities, u_probabilities
from cdm_pipelines.linkage.policy import comparisons
from cdm_pipelines.linkage.policy.spec import LinkagePolicy


class Counted:
    """Counts of agreement patterns by the rules that make their pairs."""

    def __init__(self, comparer: Comparer, rules: int) -> None:
        if comparer.packing.patterns << rules >= 1 << 63:
            raise LinkageError(
                "the policy's comparisons have too many levels and rules together; take a comparison or a rule away"
            )
        self._comparer, self._rules = comparer, rules
        self._keys: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._counts: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def add(self, pairs: Pairs, packed: Packed) -> None:
        """Count a chunk of pairs."""
        inverse, keys = pd.factorize((packed << self._rules) | pairs.rules.astype(np.int64))
        self.add_counts(keys, np.bincount(inverse).astype(np.int64))

    def add_counts(self, keys: Packed, counts: npt.NDArray[np.int64]) -> None:
        """Add what was counted elsewhere: the ``keys`` and ``counts`` of another of these."""
        keys, counts = np.append(self._keys, keys), np.append(self._counts, counts)
        self._keys, inverse = np.unique(keys, return_inverse=True)
        self._counts = np.bincount(inverse, weights=counts, minlength=len(self._keys)).astype(np.int64)

    @property
    def counts(self) -> tuple[Packed, npt.NDArray[np.int64]]:
        """Patterns with the rules of their pairs in the lowest bits, each once and in order, and their pairs."""
        return self._keys, self._counts

    def table(self) -> Table:
        """What was counted."""
        levels = self._comparer.packing.unpack(self._keys >> self._rules)
        rules = (self._keys[:, None] >> np.arange(self._rules)) & 1 == 1
        return Table(levels, rules, self._counts.astype(np.float64))


def train(
    policy: LinkagePolicy,
    records: Records,
    comparer: Comparer,
    allowed: Allowed,
    table: Table,
    *,
    threads: int | None = None,
) -> LinkageModel:
    """Fit a model to counted patterns."""
    wanted = policy.training.random_pairs
    found = u_probabilities(dict(comparer.by_name), records, allowed, wanted, policy.seed, threads=threads)
    tied = np.array(
        [
            [bool(one.columns & _columns(policy, records, number)) for one in comparer.by_name.values()]
            for number in range(len(policy.blocking))
        ]
    )
    tied = np.pad(
        tied, ((0, table.rules.shape[1] - len(tied)), (0, 0))
    )  # labels without a rule read no column
    shared = [comparison.shared for comparison in policy.comparisons.values()]
    chances, names = list(found.values()), list(comparer.by_name)
    start = em.starts(table, chances)
    ranks = [_rank(one, chance) for one, chance in zip(comparer.by_name.values(), chances, strict=True)]

    def fit(order: Order) -> em.Fitted:
        return em.fit(
            table,
            chances,
            tied,
            shared,
            allowed.total,
            relatives=policy.training.relatives,
            iterations=policy.training.iterations,
            tolerance=policy.training.tolerance,
            depends=order.forest,
            teaches=order.teaches,
            ranks=ranks,
        )

    anchors = [
        (k, one.typical) for k, one in enumerate(comparer.by_name.values()) if isinstance(one, Typical)
    ]
    if anchors and anchored.untaught(table, tied, anchors[0][0]):
        number, typical = anchors[0]
        order = _independent(len(chances))
        fitted = anchored.fit(
            table, chances, shared, allowed.total, anchor=number, typical=typical, ranks=ranks
        )
    else:
        edges = measure(
            comparer,
            chances,
            shared=shared,
            start=start,
            records=len(records),
            allowed=allowed,
            seed=policy.seed,
        )
        order, fitted = chosen(fit, edges, by_what_they_tell(table, tied, chances, start))
        if not _can_teach(table, tied, order):
            # In a clean table whoever agrees on one column is the same person and agrees on all: what looks like copies
            # are matches. Nothing would be left to learn from.
            order = _independent(len(chances))
            fitted = fit(order)
        fitted = with_further(fitted, table, order, ranks)
    partners = 2 * fitted.matches / max(len(records), 1)
    parameters = {
        name: Parameters(
            one.labels,
            _tuple(fitted.m[k]),
            _tuple(fitted.u[k]),
            _tuple(fitted.r[k]),
            shared[k],
            _terms(policy.comparisons[name], one.term, partners * float(fitted.m[k][-1])),
            _terms(policy.comparisons[name], one.words, partners) if isinstance(one, WithWords) else None,
            _given(fitted, k, order.forest[k], names),
        )
        for k, (name, one) in enumerate(comparer.by_name.items())
    }
    return LinkageModel(
        policy.fingerprint,
        len(records),
        fitted.prior,
        fitted.related,
        policy.thresholds.match,
        parameters,
        _diagnostics(policy, fitted, table, found)
        | {
            "dependences": _dependences(order, names),
            "does_not_teach": _further(order, names),
        },
    )


def _rank(one: Compared, chance: UProbabilities) -> Rank:
    """What is known of the levels of a comparison besides their order."""
    beside = one.beside if isinstance(one, WithBeside) else ()
    return Rank(np.isin(np.arange(len(one.labels)), beside), chance.unseen)


def _independent(comparisons: int) -> Order:
    """Comparisons that all teach, and none of which depends on another."""
    return Order([None] * comparisons, np.ones(comparisons, dtype=bool))


def _can_teach(table: Table, tied: npt.NDArray[np.bool_], order: Order) -> bool:
    """Whether some rule that makes pairs leaves two teaching comparisons free, or would not even if all taught."""
    made = table.rules.any(axis=0)

    def enough(teaches: npt.NDArray[np.bool_]) -> bool:
        return bool((made & ((~tied & teaches).sum(axis=1) >= TEACH)).any())

    return enough(np.asarray(order.teaches)) or not enough(np.ones(tied.shape[1], dtype=bool))


def _columns(policy: LinkagePolicy, records: Records, rule: int) -> frozenset[str]:
    return frozenset(column for key in policy.blocking[rule].keys for column in records.base_columns(key))


def _tuple(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _terms(comparison: comparisons.Comparison, column: Column | None, same_party: float) -> TermTable | None:
    """Frequencies, where the policy asks for them; ``same_party``: expected other records with the same value."""
    if comparison.term_frequency is None or column is None:
        return None
    return TermTable.of(column, same_party, comparison.term_frequency.fuzzy)


def _given(fitted: em.Fitted, k: int, depends: Dependence | None, names: list[str]) -> Given | None:
    """A comparison's probabilities given the one that it depends on."""
    if depends is None:
        return None
    m, u, r = (tuple(_tuple(row) for row in one[k]) for one in fitted.given)
    top = int(fitted.m[k].argmax())
    # How surprising agreement still is, as a share of what it would be alone: so far rare values weigh more.
    alone = min(float(np.log(fitted.u[k][top])), -1e-9)
    terms = np.clip(np.log(fitted.given[1][k][:, top]) / alone, 0.0, 1.0)
    return Given(names[depends.parent], m, u, r, _tuple(terms))


def _dependences(order: Order, names: list[str]) -> list[dict[str, Any]]:
    """What depends on what, and the bits that would have counted twice."""
    return [
        {"comparison": names[k], "given": names[one.parent], "bits": round(one.bits, 3)}
        for k, one in enumerate(order.forest)
        if one is not None
    ]


def _further(order: Order, names: list[str]) -> dict[str, str]:
    """Which comparisons do not teach, and why."""
    return {
        names[k]: "candidate pairs agree on it hardly oftener than any pairs"
        if one is None
        else f"it depends on {names[one.parent]}; it weighs what it adds to a fit without it"
        for k, one in enumerate(order.forest)
        if not order.teaches[k]
    }


def _diagnostics(
    policy: LinkagePolicy, fitted: em.Fitted, table: Table, found: dict[str, UProbabilities]
) -> dict[str, Any]:
    rules = len(policy.blocking)
    blocked = table.counts * table.rules[:, :rules].any(axis=1)
    found_levels = level_counts(
        list(found), [len(one.levels) for one in found.values()], table.levels, blocked
    )
    labels = {} if table.known is None else {"labels": int((table.known >= 0).sum())}
    return {
        "iterations": fitted.iterations,
        TAUGHT: dict(zip(found, fitted.taught.tolist(), strict=False)),
        FILLED: dict(zip(found, fitted.filled.tolist(), strict=False)),
        "converged": fitted.converged,
        MOVING: {["the prior", *found][fitted.moving + 1]: fitted.change},
        "expected_matches": fitted.matches,
        "patterns": len(table.counts),
        "rule_matches": {
            rule.label: float(share)
            for rule, share in zip(policy.blocking, fitted.rule_matches[:rules], strict=True)
        },
        "comparable": {name: one.comparable for name, one in found.items()},
        COUNTS: found_levels,
        **labels,
    }
