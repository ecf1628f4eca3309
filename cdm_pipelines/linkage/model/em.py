"""Fellegi-Sunter parameters without labels: expectation-maximisation on counts of agreement patterns.

Belongs here: m, u and the prior from pattern counts. Does not belong here: making agreement patterns
(compare.comparers), weighing pairs with the result (scoring).

Method. For a blocking rule the comparisons that read none of its columns are free: among the rule's pairs they follow a
mixture of matches (m), of related records (housemates, relatives; below), and of unrelated records (u). One EM runs
over all rules together: m is shared, each rule has a mixture of its own, and a comparison learns only from rules that
leave it free (Fellegi and Sunter 1969; Winkler 2000; Linacre et al. 2022 train rule by rule and average instead). u is
what random pairs show, less what matches contribute to it: where values are nearly unique, agreement in random pairs
*is* mostly matches. Related records (Larsen and Rubin 2001 use three classes alike): different people who share what
``shared`` comparisons see. Their other levels follow chance, but for a small learned excess (twins; parent and child of
one name). Where comparisons depend on each other among unrelated records (dependence), a comparison's probabilities are
those given the level of the one it depends on, in every class: what goes with a name is no second witness of it,
neither for a match nor, where a rule holds the name, for a rule's share of matches.

A comparison that no rule leaves free beside another, as where there are two columns and each is a rule, or only rules
that make hardly a match, learns from the pairs whose rule leaves it free what all comparisons together say of them
under the prior, as far as the others take them for matches. u and the number of all pairs are known, so that this is
identified where pairs of one rule show how often matches agree on what is in the other (the capture and recapture of
Lincoln and Petersen). What no rule leaves free at all keeps the m it starts from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.compare.levels import Levels
from cdm_pipelines.linkage.encode.positions import Flags
from cdm_pipelines.linkage.model.dependence import Dependence, Forest
from cdm_pipelines.linkage.model.patterns import (
    TEACH,
    Shown,
    Table,
    alone_of,
    apart,
    hardly_taught,
    prior_of_rules,
)
from cdm_pipelines.linkage.model.ranked import Rank, by_row, rising
from cdm_pipelines.linkage.model.u_probabilities import UProbabilities

Floats = npt.NDArray[np.float64]
_LEAST_U = 0.02  # u never falls below this share of the marginal: no agreement is proof
_PSEUDO = 10.0  # pairs' worth of prior opinion about m
_SHOWN = 50.0  # expected matches from which candidates may teach what a rule should teach and hardly does
_LIKELY = 0.5  # probability of a match from which a pair may show how matches look
_WITNESS = 0.5  # share of the matches by other comparisons that a comparison must see itself
_STEPS = 50  # to find how many it sees
_ALIKE = 0.05  # related people share a name or a date of birth at most this much more often than others
_TWINS = 0.005  # and at least this much: of a hundred births one or two are of twins


@dataclass
class Fitted:
    """Parameters: lists per comparison, arrays per level.

    Attributes:
        m: Probability of each level among matches.
        u: Among unrelated records.
        r: Among related ones.
        given: For each class (m, u, r) and comparison the probabilities of its levels given the level of the comparison
            that it depends on, shape (levels of that + 1, levels), missing first; as over all where it depends on none.
        prior: Share of matches among all pairs.
        related: Share of related pairs among all pairs.
        rule_matches: Share of matches among each rule's pairs.
        iterations: Steps taken.
        converged: Whether they were enough: neither m, u nor the prior moved any more.
        matches: Expected number of matches among all pairs.
        off: How far two counts of the matches among each rule's pairs are apart: by all comparisons that teach under
            the prior, and by those alone that the rule leaves free; as a share of the matches. Where comparisons depend
            on each other in ways the model does not know, the first count is too high.
        match: For each pattern the probability of a match, by the comparisons that teach.
        taught: For each comparison the expected number of matches that its m was learned from, once a rule.
        filled: For each comparison the expected number of matches with a value on both sides.
        moving: The comparison that moved most in the last step; -1 for the prior.
        change: By how much, of a probability, or of the prior as a share of itself.
    """

    m: list[Floats]
    u: list[Floats]
    r: list[Floats]
    prior: float
    related: float
    rule_matches: Floats
    given: tuple[list[Floats], list[Floats], list[Floats]]
    iterations: int = 0
    converged: bool = False
    matches: float = field(default=0.0)
    off: float = field(default=0.0)
    match: Floats = field(default_factory=lambda: np.zeros(0))
    taught: Floats = field(default_factory=lambda: np.zeros(0))
    filled: Floats = field(default_factory=lambda: np.zeros(0))
    moving: int = -1
    change: float = 0.0


def start_m(seen: Flags) -> Floats:
    """Where m starts: most matches agree as far as records of this table can, the rest is spread evenly.

    Without a house number no two addresses are the same address: the highest level that any pair reaches is meant.
    """
    top = int(np.flatnonzero(seen).max(initial=0))
    shape = np.full(len(seen), 0.15 / max(len(seen) - 1, 1))
    shape[top] = 0.85
    return shape


def start_r(marginal: Floats, m: Floats, *, shared: bool) -> Floats:
    """What is thought of related records: as matches in what they share, else chance and a few twins and namesakes."""
    if shared:
        return m
    personal = (1 - _ALIKE / 2) * marginal
    personal[int(m.argmax())] += _ALIKE / 2
    return personal


def fit(
    table: Table,
    seen_u: list[UProbabilities],
    tied: Flags,
    shared: list[bool],
    total: int,
    *,
    relatives: bool,
    iterations: int,
    tolerance: float,
    depends: Forest | None = None,
    teaches: Flags | None = None,
    ranks: Sequence[Rank] = (),
) -> Fitted:
    """Fit all parameters.

    Args:
        table: Pattern counts.
        seen_u: u-probabilities of each comparison, as all pairs show them.
        tied: Shape (rules, comparisons): the comparison reads a column of the rule.
        shared: For each comparison, whether related records share its value.
        total: Number of all pairs.
        relatives: Whether there is a class of related records.
        iterations: At most so many steps.
        tolerance: Stop when no probability moves by more than this, and the prior by no larger share of itself.
        depends: What each comparison depends on; nothing where not given.
        teaches: For each comparison whether it tells matches from others during the fit; all do where not given. What
            does not learns its m from those that do.
        ranks: For each comparison what is known of its levels besides their order; nothing where not given.
    """
    ranks = ranks or [Rank.plain(len(one.levels)) for one in seen_u]
    depends = depends or [None] * len(seen_u)
    teachers = np.ones(len(seen_u), dtype=bool) if teaches is None else teaches
    start = starts(table, seen_u)
    m = [levels.copy() for levels in start]
    u = [one.levels.copy() for one in seen_u]
    r = [start_r(one.levels, m[c], shared=shared[c]) for c, one in enumerate(seen_u)]
    relatives = relatives and any(shared) and not all(shared)
    # Where all that could tell people of one household apart is in the rule, its pairs are not of one household.
    told_apart = (~tied & ~np.array(shared)).any(axis=1)
    mixture = np.tile(np.array([0.3, 0.0, 0.0]), (table.rules.shape[1], 1))
    mixture[:, 1] = np.where(told_apart & relatives, 0.1, 0.0)
    mixture[:, 2] = 1 - mixture.sum(axis=1)
    given = (
        [_beside(one, dependence) for one, dependence in zip(m, depends, strict=True)],
        [_given(one, dependence) for one, dependence in zip(u, depends, strict=True)],
        [_given(one, dependence) for one, dependence in zip(r, depends, strict=True)],
    )
    fitted = Fitted(m, u, r, 0.0, 0.0, mixture[:, 0], given)
    # Where nothing tells matches from others every prior confirms itself: start from few, one for ten records or less.
    few = min(float(table.counts.sum()) * 0.3, 0.1 * float(np.sqrt(2 * total)))
    prior = np.array([few / max(total, 1), 0.0, 0.0])
    prior[1] = prior[0] * 0.1 if relatives else 0.0
    prior[2] = 1 - prior.sum()
    alone = alone_of(table, tied, teachers)
    # With one other comparison there is no telling which pairs are likely matches before there is a fit.
    shown = alone if np.count_nonzero(teachers) <= 2 else {}
    told: Flags = np.asarray((~tied & teachers).any(axis=1))
    by_rules = len(alone) == len(seen_u)
    weights: list[Floats] = []
    for step in range(1, iterations + 1):
        logs = [_logs(table.levels, fitted.given[k], depends) for k in (0, 2, 1)]
        weights, mixture = _rule_step(table, logs, tied, mixture, teachers)
        before = float(prior[0])
        prior, posterior = _prior_step(table, [log[teachers] for log in logs], prior, total)
        if by_rules:
            prior = prior_of_rules(table, posterior[0], mixture[:, 0], told, prior)
        for c, rows in shown.items():
            for k in range(2):
                weights[k][c, rows] = (table.counts * posterior[k])[rows]
        new = _maximise(table.levels, weights, seen_u, start, shared, ranks=ranks, prior=float(prior[0]))
        moved = np.array([abs(float(prior[0]) - before) / max(before, 1e-12), *_moved(new, fitted)])
        change = float(moved.max())
        given = _maximise_given(table.levels, weights, new, depends, shared, ranks=ranks)
        fitted = Fitted(
            *new, float(prior[0]), float(prior[1]), mixture[:, 0], given, step, change < tolerance
        )
        fitted.moving, fitted.change = int(moved.argmax()) - 1, change
        if fitted.converged:
            if float(prior[0]) * total >= _SHOWN:
                alone = hardly_taught(table, tied, weights[0], least=_PSEUDO) | alone
            if shown.keys() == alone.keys():
                break
            shown = _likely_without(alone, table, logs, teachers, prior)
    fitted.taught = (weights[0] * (table.levels.T >= 0)).sum(axis=1)
    fitted.matches = fitted.prior * total
    logs = [
        log[teachers].sum(axis=0)
        for log in (_logs(table.levels, fitted.given[k], depends) for k in (0, 2, 1))
    ]
    fitted.match = table.settled(_posterior(logs, prior))[0]
    fitted.off = apart(table, fitted.match, fitted.rule_matches, told)
    fitted.filled = ((table.counts * fitted.match)[:, None] * (table.levels >= 0)).sum(axis=0)
    return fitted


def _moved(new: tuple[list[Floats], list[Floats], list[Floats]], fitted: Fitted) -> list[float]:
    """For each comparison by how much its m or u moved at most."""
    pairs = zip(new[0], new[1], fitted.m, fitted.u, strict=True)
    return [float(max(np.abs(m - before).max(), np.abs(u - other).max())) for m, u, before, other in pairs]


def starts(table: Table, seen_u: list[UProbabilities]) -> list[Floats]:
    """Where the m of each comparison starts."""
    return [
        start_m(np.bincount(table.levels[:, c] + 1, minlength=len(one.levels) + 1)[1:] > 0)
        for c, one in enumerate(seen_u)
    ]


def _given(chance: Floats, dependence: Dependence | None) -> Floats:
    """Probabilities given the level of another comparison, missing first, from those over all."""
    if dependence is None:
        return chance
    found = np.vstack([np.ones(len(chance)), dependence.lift]) * chance
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _beside(chance: Floats, dependence: Dependence | None) -> Floats:
    """The same probabilities whatever the level of the other comparison."""
    return chance if dependence is None else np.tile(chance, (len(dependence.lift) + 1, 1))


def _logs(levels: Levels, parameters: list[Floats], depends: Forest | None = None) -> Floats:
    """Logarithm of each level's probability, 0 where missing; shape (comparisons, patterns)."""
    found = []
    for c, probabilities in enumerate(parameters):
        logs = np.log(probabilities)
        dependence = depends[c] if depends else None
        if dependence is None:
            found.append(np.append(logs, 0.0)[levels[:, c]])
        else:
            padded = np.column_stack([logs, np.zeros(len(logs))])
            found.append(padded[levels[:, dependence.parent] + 1, levels[:, c]])
    return np.stack(found)


def _posterior(scores: list[Floats], mixture: Floats) -> list[Floats]:
    with np.errstate(divide="ignore"):
        logs = [score + share for score, share in zip(scores, np.log(mixture), strict=True)]
    top = np.maximum(np.maximum(logs[0], logs[1]), logs[2])
    odds = [np.exp(log - top) for log in logs]
    whole = odds[0] + odds[1] + odds[2]
    return [one / whole for one in odds]


def _rule_step(
    table: Table,
    logs: list[Floats],
    tied: Flags,
    mixture: Floats,
    teachers: Flags,
) -> tuple[list[Floats], Floats]:
    """Expected pairs of each class by pattern and comparison, from the rules that leave the comparison free."""
    comparisons = table.levels.shape[1]
    weights = [np.zeros((comparisons, len(table.counts))) for _ in range(2)]
    new = mixture.copy()
    for rule in range(len(mixture)):
        rows = np.flatnonzero(table.rules[:, rule])
        free = np.flatnonzero(~tied[rule])
        telling = free[teachers[free]]
        if not len(rows) or not len(telling):
            continue
        scores = [sum((log[c, rows] for c in telling), np.zeros(len(rows))) for log in logs]
        posterior = table.settled(_posterior(scores, mixture[rule]), rows)
        counts = table.counts[rows]
        new[rule] = np.maximum([float((counts * p).sum()) for p in posterior], 1e-9)
        new[rule] *= mixture[rule] > 0
        new[rule] /= new[rule].sum()
        if len(telling) < TEACH:
            continue
        for k in range(2):
            expected = counts * posterior[k]
            for c in free:
                weights[k][c, rows] += expected
    return weights, new


def _likely_without(alone: Shown, table: Table, logs: list[Floats], teachers: Flags, prior: Floats) -> Shown:
    """Of the patterns that may teach comparisons those that are likelier matches than not by all others.

    How often chance agrees on one column is counted, on several together it is inferred. Where that is far off,
    namesakes pass for matches that disagree on this comparison. So it has a say itself: it is taught only where, as it
    stands before, it takes at least half as many pairs for matches as the others do.
    """
    likely: Shown = {}
    for c, rows in alone.items():
        others = teachers & (np.arange(len(teachers)) != c)
        match = _posterior([log[others].sum(axis=0) for log in logs], prior)[0]
        kept = rows[(match[rows] >= _LIKELY) & (table.levels[rows, c] >= 0)]
        counts = table.counts[kept]
        share = 0.5
        for _ in range(_STEPS if len(kept) else 0):
            own = share * np.exp(logs[0][c, kept])
            own /= own + (1 - share) * np.exp(logs[2][c, kept])
            share = float(counts @ own / counts.sum())
        likely[c] = kept if share * counts.sum() >= _WITNESS * (counts @ match[kept]) else kept[:0]
    return likely


def _prior_step(table: Table, logs: list[Floats], prior: Floats, total: int) -> tuple[Floats, list[Floats]]:
    """Shares of matches and related pairs among all pairs, by all comparisons together; and each pattern's."""
    posterior = table.settled(_posterior([log.sum(axis=0) for log in logs], prior))
    expected = [float((table.counts * p).sum()) / max(total, 1) for p in posterior[:2]]
    match = min(max(expected[0], 1e-12), 0.5)
    related = min(max(expected[1], 1e-15), 0.4) if prior[1] > 0 else 0.0
    return np.array([match, related, 1 - match - related]), posterior


def _maximise(
    levels: Levels,
    weights: list[Floats],
    seen_u: list[UProbabilities],
    start: list[Floats],
    shared: list[bool],
    *,
    ranks: Sequence[Rank],
    prior: float,
) -> tuple[list[Floats], list[Floats], list[Floats]]:
    m: list[Floats] = []
    u: list[Floats] = []
    r: list[Floats] = []
    for c, one in enumerate(seen_u):
        size = len(one.levels)
        agreed = _counted(levels[:, c], weights[0][c], size) + _PSEUDO * start[c]
        agreed /= agreed.sum()
        of_m, of_u = rising(agreed, _less_matches(one.levels, agreed, prior), ranks[c])
        m.append(of_m)
        u.append(of_u)
        related = _counted(levels[:, c], weights[1][c], size)
        related += _PSEUDO * start_r(one.levels, agreed, shared=shared[c])
        related /= related.sum()
        if not shared[c]:
            related = np.clip(related, (1 - _ALIKE) * one.levels, one.levels + _ALIKE)
            top = int(agreed.argmax())
            related[top] = max(related[top], one.levels[top] + _TWINS)
        r.append(related / related.sum())
    return m, u, r


def _maximise_given(
    levels: Levels,
    weights: list[Floats],
    new: tuple[list[Floats], list[Floats], list[Floats]],
    depends: Forest,
    shared: list[bool],
    *,
    ranks: Sequence[Rank],
) -> tuple[list[Floats], list[Floats], list[Floats]]:
    """Probabilities given what a comparison depends on: counted for matches, measured for others."""
    m, u, r = (list(one) for one in new)
    for c, dependence in enumerate(depends):
        if dependence is None:
            continue
        u[c] = _given(new[1][c], dependence)
        m[c] = _smoothed(counted_given(levels, weights[0][c], c, dependence, len(new[0][c])), new[0][c])
        m[c], u[c] = by_row(m[c], u[c], ranks[c])
        if shared[c]:
            r[c] = _smoothed(counted_given(levels, weights[1][c], c, dependence, len(new[2][c])), new[2][c])
        else:  # personal: chance, but for a small excess
            r[c] = _given(new[2][c], dependence)
    return m, u, r


def _smoothed(counted: Floats, over_all: Floats) -> Floats:
    counted[0] = 0.0  # nothing is known of the other: as over all
    found = counted + _PSEUDO * over_all
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def counted_given(levels: Levels, weights: Floats, c: int, dependence: Dependence, size: int) -> Floats:
    """Weighted patterns by level of a comparison, a row for each level of the one it depends on, missing first."""
    shape = (len(dependence.lift) + 1, size)
    made = levels[:, c] >= 0
    cells = np.ravel_multi_index((levels[made, dependence.parent] + 1, levels[made, c]), shape)
    counted = np.bincount(cells, weights=weights[made], minlength=shape[0] * shape[1])
    return np.asarray(counted.reshape(shape), dtype=np.float64)


def _counted(levels: npt.NDArray[np.int8], weights: Floats, size: int) -> Floats:
    return np.asarray(np.bincount(levels + 1, weights=weights, minlength=size + 1)[1:], dtype=np.float64)


def _less_matches(marginal: Floats, m: Floats, prior: float) -> Floats:
    """What chance alone contributes to the marginal over all pairs."""
    left: Floats = np.maximum((marginal - prior * m) / (1 - prior), _LEAST_U * marginal)
    return np.asarray(left / left.sum())
