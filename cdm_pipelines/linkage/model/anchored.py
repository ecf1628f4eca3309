"""Parameters where nothing teaches them: one comparison says who it is, and blocking reads it too.

Belongs here: m, u and the prior of tables that have a name and little else. Does not belong here: tables in which
comparisons that blocking leaves free teach each other (em).

Method. Expectation-maximisation learns m from pairs whose rule leaves at least two comparisons free. Where none leaves
the name free with another, as in a table of names, every split between matches and chance explains the pairs as well as
any other, and EM would confirm whatever it starts from. What is left is an opinion, and it is said openly: records that
agree on the whole name (the *anchor's* highest level) are of one party, but for namesakes. That fixes the number of
matches, ``share of them x pairs that agree / m of agreement``; m of the anchor's other levels is the comparison's own
opinion (``typical``). Where there is a town or a country, namesakes show in it: what agrees there is a mixture of
matches, of which most agree, and of namesakes, who agree by chance. Without any the share is one, and only term
frequencies tell common names apart. u is what is left of each level when its matches are taken away, as in ``em``.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.model.em import Fitted, Floats, start_m, start_r
from cdm_pipelines.linkage.model.patterns import TEACH, Table
from cdm_pipelines.linkage.model.ranked import Rank, rising
from cdm_pipelines.linkage.model.u_probabilities import UProbabilities

_PSEUDO = 10.0  # pairs' worth of prior opinion about m
_LEAST_U = (
    0.005  # of the marginal: one namesake in 200, besides those who show in a town, is always reckoned with
)
_MOST = 0.5  # of all pairs, matches
_LEAST_SHARE = 0.05  # of pairs that agree on the anchor, matches


def untaught(table: Table, tied: npt.NDArray[np.bool_], anchor: int) -> bool:
    """Whether no rule that makes pairs leaves the anchor and another comparison free; labels teach too."""
    made = table.rules.any(axis=0)
    free = (~tied).sum(axis=1)
    return table.known is None and not bool((made & ~tied[:, anchor] & (free >= TEACH)).any())


def fit(
    table: Table,
    seen_u: list[UProbabilities],
    shared: list[bool],
    total: int,
    *,
    anchor: int,
    typical: tuple[float, ...],
    ranks: Sequence[Rank],
) -> Fitted:
    """Parameters from the pairs that agree on the anchor.

    Args:
        table: Pattern counts.
        seen_u: u-probabilities of each comparison, as all pairs show them.
        shared: For each comparison, whether related records share its value.
        total: Number of all pairs.
        anchor: Number of the comparison that says who it is.
        typical: Opinion about its m-probabilities.
        ranks: As in ``em.fit``.
    """
    opinion = np.array(typical) / sum(typical)
    agreed = table.counts * (table.levels[:, anchor] == len(opinion) - 1)
    shown = [
        np.bincount(table.levels[:, number] + 1, agreed, minlength=len(one.levels) + 1)[1:].astype(np.float64)
        for number, one in enumerate(seen_u)
    ]
    real = _share_of_matches(shown, seen_u, anchor)
    marginal = seen_u[anchor]
    pairs = max(float(marginal.levels[-1]) * marginal.comparable * total, float(agreed.sum()))
    prior = min(max(real * pairs / opinion[-1] / max(total, 1), 1e-12), _MOST)
    m, u, r = [], [], []
    for number, one in enumerate(seen_u):
        matched = opinion
        if number != anchor:
            found = np.maximum(shown[number] - (1 - real) * shown[number].sum() * one.levels, 0.0)
            matched = found + _PSEUDO * start_m(shown[number] > 0)
            matched = matched / matched.sum()
        left: Floats = np.maximum((one.levels - prior * matched) / (1 - prior), _LEAST_U * one.levels)
        found_m, found_u = rising(np.asarray(matched), np.asarray(left / left.sum()), ranks[number])
        m.append(found_m)
        u.append(found_u)
        r.append(np.asarray(start_r(one.levels, m[-1], shared=shared[number])))
    matches = prior * total
    made = table.rules.any(axis=1)
    share = min(matches / max(float(table.counts[made].sum()), 1.0), 1.0)
    made_by = np.full(table.rules.shape[1], share)
    taught = np.array([0.0 if k == anchor else real * float(one.sum()) for k, one in enumerate(shown)])
    return Fitted(
        *(m, u, r, prior, 0.0, made_by, ([], [], [])),
        iterations=1,
        converged=True,
        matches=matches,
        taught=taught,
    )


def _share_of_matches(shown: list[Floats], seen_u: list[UProbabilities], anchor: int) -> float:
    """Of the pairs that agree on the anchor, the share that are no namesakes.

    Told by the comparison in which chance agrees least: of matches as many agree in it as ``start_m`` holds for likely.
    """
    best, share = 1.0, 1.0
    for number, (found, one) in enumerate(zip(shown, seen_u, strict=True)):
        if number == anchor or found.sum() < _PSEUDO:
            continue
        top = int(np.flatnonzero(found).max())
        chance, likely = float(one.levels[top:].sum()), float(start_m(found > 0)[top])
        if chance < min(best, likely):
            agree = float(found[top:].sum() / found.sum())
            best, share = chance, min(max((agree - chance) / (likely - chance), _LEAST_SHARE), 1.0)
    return share
