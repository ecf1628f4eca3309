"""What clustering asks of a policy, a model and bound comparisons.

Belongs here: putting them together. Does not belong here: clustering (cluster) or the evidence of a pair (partners,
model).
"""

from cdm_pipelines.linkage.cluster.clusters import Judge
from cdm_pipelines.linkage.cluster.constraints import Confirmed, confirmed_apart
from cdm_pipelines.linkage.cluster.partners import May, Partners
from cdm_pipelines.linkage.compare.comparers import Comparer
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.model.fellegi_sunter import LinkageModel, Scorer
from cdm_pipelines.linkage.policy.spec import LinkagePolicy


def judge(
    policy: LinkagePolicy, records: Records, model: LinkageModel, comparer: Comparer, allowed: May
) -> Judge:
    """A judge of pairs of the records that the comparisons are bound to."""
    partners = Partners(policy, records, model, comparer, allowed)
    return Judge(comparer.packed, partners.evidence, Scorer(model, comparer).scores)


def kept_apart(allowed: May, groups: Confirmed | None) -> May:
    """Pairs that may be made: those allowed, but for records of two confirmed parties."""
    if groups is None:
        return allowed
    return lambda left, right: allowed(left, right) & ~confirmed_apart(groups, left, right)
