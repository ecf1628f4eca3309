"""What clustering asks of a policy, a model and bound comparisons.

Belongs here: the evidence of pairs in the form that clustering takes. Does not belong here: clustering (cluster) or
the score of a pair (model).
"""

import numpy as np

from cdm_pipelines.linkage.agglomerate import Evidence
from cdm_pipelines.linkage.blocking import Allowed, Positions
from cdm_pipelines.linkage.cluster import Judge
from cdm_pipelines.linkage.comparers import Comparer, Packed
from cdm_pipelines.linkage.constraints import alone, votes
from cdm_pipelines.linkage.model import LinkageModel, Scorer
from cdm_pipelines.linkage.policy import LinkagePolicy


def judge(policy: LinkagePolicy, model: LinkageModel, comparer: Comparer, allowed: Allowed) -> Judge:
    """A judge of pairs of the records that the comparisons are bound to."""
    scorer = Scorer(model, comparer)

    def evidence(left: Positions, right: Positions, packed: Packed) -> Evidence:
        levels = comparer.packing.unpack(packed)
        odds = np.where(alone(policy, levels), -np.inf, scorer(left, right, packed).odds)
        apart = ~allowed(left, right)
        return Evidence(odds, *scorer.evidence(left, right, packed), apart, votes(policy, levels))

    return Judge(comparer.packed, evidence, scorer.scores)
