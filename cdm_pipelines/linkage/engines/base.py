"""What an engine does, wherever it runs.

Belongs here: the interface, and what linking a table gives. Does not belong here: any engine, or which one is used
(steps).

Engines differ in where records and pairs are kept and who works on them. What they compute is the same, bit for bit,
put together from pure functions that know no engine:

- blocking keys are hashes of a record's values (``blocking.binding.hashed_keys``);
- the plan is decided from block sizes (``blocking.plan.decide_plan``);
- u-probabilities come from counted levels (``model.u_probabilities``), m-probabilities from counted agreement patterns
  (``model.training``);
- a pair is scored from its two records (``model.scoring.PairScorer``);
- a component is divided from its own records, links and decisions (``cluster.divide``).
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage.cluster.constraints import Decided
from cdm_pipelines.linkage.encode.keys import BlockingPlan
from cdm_pipelines.linkage.incremental.record_changes import RecordChanges
from cdm_pipelines.linkage.incremental.relink import Relinked
from cdm_pipelines.linkage.incremental.state import LinkState
from cdm_pipelines.linkage.model.fellegi_sunter import LinkageModel
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.linkage.progress import Progress, silent


@dataclass(frozen=True)
class LinkResult:
    """What linking a table gives.

    Attributes:
        clusters: ``source``, ``record_id``, ``cluster_id``; one row per record, sorted. A cluster is named after its
            smallest record, ``source|record_id``.
        pairs: Pairs from the review threshold on: ``left_source``, ``left_id``, ``right_source``, ``right_id``,
            ``weight`` (bits), ``probability``, and one level per comparison (-1 missing, 0 different).
        model: The model that scored them.
        report: Counts, parameters and seconds, for people and for metadata; holds no person's values.
        state: What linking the same records again after a few have changed starts from, where it was asked for.
    """

    clusters: pd.DataFrame
    pairs: pd.DataFrame
    model: LinkageModel
    report: dict[str, Any] = field(default_factory=dict)
    state: LinkState | None = None


class Engine(Protocol):
    """Links tables. ``policy`` says how; ``progress`` is told stages in their order and shares of them.

    Errors are ``LinkageError``: a table that lacks what the policy reads, a model of other comparisons, decisions or
    labels that contradict each other.
    """

    def fit(
        self,
        table: pa.Table | pd.DataFrame,
        policy: LinkagePolicy,
        *,
        labels: pd.DataFrame | None = None,
        progress: Progress = silent,
    ) -> LinkageModel:
        """Fit a model to the candidate pairs of a table, without labels or with some."""

    def link(
        self,
        table: pa.Table | pd.DataFrame,
        policy: LinkagePolicy,
        *,
        model: LinkageModel | None = None,
        decided: Decided | None = None,
        labels: pd.DataFrame | None = None,
        progress: Progress = silent,
        plan: BlockingPlan | None = None,
        remember: bool = False,
    ) -> LinkResult:
        """Find the records of a table that describe the same party.

        Args:
            table: Any table that has the columns which the policy maps.
            policy: How to link.
            model: A fitted model to score with; fitted to the table where none is given.
            decided: What was decided about pairs and parties, whatever they score. Records that the table does not
                have are left out of account.
            labels: Pairs known to match or not: ``left_source``, ``left_id``, ``right_source``, ``right_id``,
                ``match`` (true or false). They teach the fit how matches agree, and decide nothing about their pair.
            progress: Stages: encode, block, compare, fit, score, cluster; with a model given, comparing scores.
            plan: What was decided about blocks when the model was fitted; part of every state.
            remember: Whether to return a state, with which ``relink`` links again what has changed.

        Raises:
            LinkageError: See above; or there are labels and nothing to fit.
        """

    def relink(
        self,
        changes: RecordChanges,
        policy: LinkagePolicy,
        model: LinkageModel,
        before: LinkState,
        *,
        decided: Decided | None = None,
    ) -> Relinked:
        """Link what has changed since a state, to the outcome of linking everything.

        Args:
            changes: What has changed since the state.
            policy: The policy of the state.
            model: The model of the state.
            before: The state.
            decided: What is now decided.

        Raises:
            EverythingError: The change cannot be worked by itself; link everything.
            LinkageError: See above.
        """
