"""A fit that knows more is no worse: which comparisons teach it, and what the further ones may say.

Belongs here: the order of comparisons, what each depends on, the weights of those that do not teach. Does not belong
here: a fit (em), measuring dependence (dependence).

Comparisons are taken in the order of what they tell: those first whose agreement surprises most and can be made most
often, of equals the one of more levels; last what candidate pairs do not agree on oftener than any. Each may depend on
one that comes before it. What depends on none and tells something teaches the fit. So do the first three that are no
copies: without three a mixture of two classes is not identified (Hall and Zhou 2003). All others are *further*
comparisons. They come last, cannot move the fit, and add to a pair only what it does not know yet:

- m is how the matches that the fit tells look in them, by the level of the comparison that they depend on.
- u is how pairs look that might be matches and are none: each pair of probability p counts p (1 - p). That is the
  company in which a further comparison has to tell, whatever its pairs have in common besides. It holds undiscovered
  matches too, so that a weight is rather too small than too large.
- What is seen of few pairs is drawn towards saying nothing: m towards u, a Bayes factor of one.

So a copy weighs nothing beside its original, whatever it weighs alone, and a country weighs little among namesakes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.encode.positions import Flags
from cdm_pipelines.linkage.model.dependence import Dependence, Edge, Forest
from cdm_pipelines.linkage.model.em import Fitted, Floats, counted_given
from cdm_pipelines.linkage.model.patterns import Table
from cdm_pipelines.linkage.model.ranked import Rank, by_row
from cdm_pipelines.linkage.model.u_probabilities import UProbabilities

_ENOUGH = 3  # comparisons that tell two classes apart
_OFTENER = 1.5  # times as often as by chance candidate pairs agree on what tells matches from others
_CHANCE = 0.01  # and so often that chance would do it this seldom
_DOUBT = 10.0  # pairs' worth of doubt whether a further comparison says anything
_CLOSER = 0.9  # dependences that may be those of families are followed where counts are apart by less than this share
_ALIKE = 1.0  # bits by which comparisons tell equally much


@dataclass(frozen=True)
class Order:
    """Which comparisons teach a fit, and what they depend on.

    Attributes:
        forest: What each comparison depends on.
        teaches: Which of them teach; the others are further ones.
    """

    forest: Forest
    teaches: Flags


FitWith = Callable[[Order], Fitted]
Place = tuple[int, bool]
"""A comparison, and whether it tells matches from others at all."""


def chosen(fit: FitWith, edges: Sequence[Edge], order: Sequence[Place]) -> tuple[Order, Fitted]:
    """Fit with the dependences that are sure, or with all that were measured where that fit agrees better with itself.

    What a few families have in common must not be followed: relatives have a class of their own. What small groups
    have in common must, and looks alike. So both are tried, with the same comparisons to teach, and two counts of the
    matches decide (``Fitted.off``).

    Args:
        fit: Fits with comparisons that teach and what they depend on.
        edges: Dependences that were measured, those that weigh most first.
        order: The comparisons that tell, by what they tell; see ``by_what_they_tell``.
    """
    sure = ordered([edge for edge in edges if edge.sure], order)
    fitted = fit(sure)
    if all(edge.sure for edge in edges):
        return sure, fitted
    every = replace(ordered(edges, order), teaches=sure.teaches)
    other = fit(every)
    return (every, other) if other.off < _CLOSER * fitted.off else (sure, fitted)


def ordered(edges: Sequence[Edge], order: Sequence[Place]) -> Order:
    """Choose what each comparison depends on and who teaches."""
    place = {c: number for number, (c, _) in enumerate(order)}
    forest: Forest = [None] * len(order)
    copies = set()
    for edge in edges:
        first, then = sorted((edge.one, edge.other), key=place.__getitem__)
        if forest[then] is None:
            forest[then] = Dependence(first, edge.lift if first == edge.one else edge.lift.T, edge.weight)
            copies |= {then} if edge.same else set()
    tells = dict(order)
    teaches = np.array([tells[c] and one is None for c, one in enumerate(forest)])
    teaches[[c for c, _ in order if c not in copies][:_ENOUGH]] = True
    return Order(forest, teaches)


def by_what_they_tell(
    table: Table, tied: npt.NDArray[np.bool_], chances: Sequence[UProbabilities], start: Sequence[Floats]
) -> list[Place]:
    """The comparisons in their order, each with whether it tells matches from others at all.

    What does is seen among candidate pairs oftener than by chance, for there are matches among them: noise is not. A
    few pairs that chance may well have made agree are no sign of it.

    Args:
        table: Pattern counts.
        tied: Shape (rules, comparisons): the comparison reads a column of the rule, whose pairs agree on it anyway.
        chances: u-probabilities by comparison.
        start: Where m starts.
    """
    from scipy.special import pdtrc  # noqa: PLC0415 - loads where it is needed

    told, tells = [], []
    for c, (one, m) in enumerate(zip(chances, start, strict=True)):
        top = int(m.argmax())
        told.append(one.comparable * -float(np.log2(one.levels[top])))
        counts = table.counts * (table.rules[:, ~tied[:, c]].any(axis=1) & (table.levels[:, c] >= 0))
        agree = float(counts[table.levels[:, c] == top].sum())
        by_chance = float(one.levels[top]) * float(counts.sum())
        tells.append(agree > _OFTENER * by_chance and float(pdtrc(agree - 1, by_chance)) < _CHANCE)
    order = sorted(
        range(len(told)),
        key=lambda c: (not tells[c], -round(told[c] / _ALIKE), -len(chances[c].levels), -told[c], c),
    )
    return [(c, tells[c]) for c in order]


def with_further(fitted: Fitted, table: Table, order: Order, ranks: Sequence[Rank]) -> Fitted:
    """The fit with the weights of the further comparisons: those of a fit without them, and theirs beside."""
    m, u, r = (list(one) for one in fitted.given)
    match = table.counts * fitted.match
    doubtful = match * (1 - fitted.match)
    for c in np.flatnonzero(~order.teaches).tolist():
        dependence = order.forest[c]
        if dependence is None:
            continue
        near = _drawn(counted_given(table.levels, doubtful, c, dependence, len(fitted.m[c])), u[c])
        found = _drawn(counted_given(table.levels, match, c, dependence, len(fitted.m[c])), near)
        m[c], u[c] = by_row(found, near, Rank(ranks[c].beside, np.zeros_like(ranks[c].unseen)))
        r[c] = u[c]
    return replace(fitted, given=(m, u, r))


def _drawn(counted: Floats, towards: Floats) -> Floats:
    """Shares of counts by row, drawn towards others where little was counted."""
    found = counted + _DOUBT * towards
    return np.asarray(found / found.sum(axis=1, keepdims=True))
