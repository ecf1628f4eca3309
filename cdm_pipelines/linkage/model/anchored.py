"""Parameters where nothing teaches them: one comparison says who it is, and blocking reads it too.

Belongs here: m, u and the prior of tables that have a name and little else. Does not belong here: tables in which
comparisons that blocking leaves free teach each other (em).

Method. Expectation-maximisation learns m from pairs whose rule leaves at least two comparisons free. A table of names
has none: every split between matches and chance explains its pairs as well as any other, and EM would confirm whatever
it starts from. What is left is an opinion, and it is said openly: records that agree on the whole name (the
*anchor's* highest level) are of one party, but for what term frequencies say of common names. That fixes the number of
matches, ``pairs that agree / m of agreement``; m of the anchor's other levels is the comparison's own opinion
(``typical``), m of other comparisons is what pairs that agree on the anchor show, and u is what is left of each level
when its matches are taken away, as in ``em``.
"""

import numpy as np
import numpy.typing as npt

from cdm_pipelines.linkage.model.em import Fitted, Floats, Table, not_below_different, start_m, start_r
from cdm_pipelines.linkage.model.u_probabilities import UProbabilities

_TEACH = 2  # free comparisons of a rule that teaches m; as in em
_PSEUDO = 10.0  # pairs' worth of prior opinion about m
_LEAST_U = 0.02  # of the marginal: no agreement is proof
_MOST = 0.5  # of all pairs, matches


def teaches_nothing(table: Table, tied: npt.NDArray[np.bool_]) -> bool:
    """Whether no rule that makes pairs leaves two comparisons free."""
    made = table.rules.any(axis=0)
    free = (~tied).sum(axis=1)
    return not bool((made & (free >= _TEACH)).any()) and table.known is None


def fit(
    table: Table, seen_u: list[UProbabilities], shared: list[bool], total: int, anchor: int, typical: tuple[float, ...]
) -> Fitted:
    """Parameters from the pairs that agree on the anchor.

    Args:
        table: Pattern counts.
        seen_u: u-probabilities of each comparison, as all pairs show them.
        shared: For each comparison, whether related records share its value.
        total: Number of all pairs.
        anchor: Number of the comparison that says who it is.
        typical: Opinion about its m-probabilities.
    """
    opinion = np.array(typical) / sum(typical)
    agreed = table.counts * (table.levels[:, anchor] == len(opinion) - 1)
    marginal = seen_u[anchor]
    pairs = max(float(marginal.levels[-1]) * marginal.comparable * total, float(agreed.sum()))
    prior = min(max(pairs / opinion[-1] / max(total, 1), 1e-12), _MOST)
    m, u, r = [], [], []
    for number, one in enumerate(seen_u):
        if number == anchor:
            matched = opinion
        else:
            found = np.bincount(table.levels[:, number] + 1, agreed, minlength=len(one.levels) + 1)[1:]
            matched = found + _PSEUDO * start_m(found > 0)
            matched = matched / matched.sum()
        left: Floats = np.maximum((one.levels - prior * matched) / (1 - prior), _LEAST_U * one.levels)
        u.append(np.asarray(left / left.sum()))
        m.append(not_below_different(np.asarray(matched), u[-1]))
        r.append(np.asarray(start_r(one.levels, m[-1], shared=shared[number])))
    matches = prior * total
    made = table.rules.any(axis=1)
    share = min(matches / max(float(table.counts[made].sum()), 1.0), 1.0)
    return Fitted(m, u, r, prior, 0.0, np.full(table.rules.shape[1], share), 1, True, matches)
