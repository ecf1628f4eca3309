"""Records divided into clusters: all records of a table, or those of one or some whole components.

Belongs here: what an engine calls with encoded records, the links between them and what was decided about them. Does
not belong here: how a component is divided (clusters), or which components have to be (incremental).

A cluster depends on the records, the links and the decisions of its component alone. Whoever has one component's
records and nothing else divides it as it is divided among all others.
"""

from dataclasses import dataclass

import numpy as np

from cdm_pipelines.linkage.blocking.pairs import Allowed
from cdm_pipelines.linkage.cluster.agglomerate import Labels
from cdm_pipelines.linkage.cluster.clusters import Links, clusters
from cdm_pipelines.linkage.cluster.components import components
from cdm_pipelines.linkage.cluster.constraints import PlacedDecisions
from cdm_pipelines.linkage.cluster.health import Figures
from cdm_pipelines.linkage.cluster.partners import PairEvidence, kept_apart
from cdm_pipelines.linkage.model.fellegi_sunter import log2_odds
from cdm_pipelines.linkage.model.scoring import BoundScorer
from cdm_pipelines.linkage.progress import Progress, silent


@dataclass(frozen=True)
class Divided:
    """Clusters of records, in positions of these records.

    Attributes:
        component: For each record the lowest position of its component: what links and decisions join, unguarded.
        member: For each record the lowest position of its cluster.
        figures: How well the cluster of each record holds together.
    """

    component: Labels
    member: Labels
    figures: Figures


def divide(
    scorer: BoundScorer,
    links: Links,
    decisions: PlacedDecisions,
    *,
    threads: int | None = None,
    progress: Progress = silent,
) -> Divided:
    """Divide records into clusters.

    Args:
        scorer: Over the records: whole components, one or all.
        links: All pairs of these records from the review threshold on, in positions of these records.
        decisions: What was decided about these records.
        threads: How many components are worked at a time.
        progress: Told the share of the records that is done, as the stage ``cluster``.
    """
    policy, records = scorer.policy, scorer.records
    allowed = Allowed(records, policy)
    member, figures = clusters(
        len(records),
        links,
        (decisions.same, decisions.different),
        match=log2_odds(scorer.model.match),
        review=log2_odds(policy.thresholds.review),
        policy=policy.clustering,
        evidence=PairEvidence(scorer, kept_apart(allowed, decisions.groups)),
        threads=threads,
        progress=progress,
    )
    ends = zip((links.left, links.right), decisions.same, strict=True)
    component = components(len(records), *(np.append(one, other) for one, other in ends))
    return Divided(component, member, figures)
