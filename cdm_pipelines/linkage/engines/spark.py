"""The engine of a cluster: pairs are made, compared and scored by the workers of Apache Spark, through Spark Connect.

Belongs here: the engine, and how records get to the cluster. Does not belong here: what the driver asks of workers
(driver), what a worker does (bins), sessions and their errors (session).

The driver holds what grows with records: the table, its codes, the links from the review threshold on. From these it
fits the model and makes the clusters, with the code of one machine. Workers hold what grows with pairs, bin by bin; of
pairs the driver gets counts of patterns and those to keep. The outcome is that of one machine, row for row: sampling
for u-probabilities and term frequencies read the same codes in the same order, all else is counts of whole numbers and
scores of single pairs. No result depends on how many bins, partitions or workers there are.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from uuid import uuid4

import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage.cluster.constraints import Decided, PlacedDecisions
from cdm_pipelines.linkage.encode.keys import BlockingPlan
from cdm_pipelines.linkage.encode.records import Records, encode, linked_columns
from cdm_pipelines.linkage.engines.base import LinkResult
from cdm_pipelines.linkage.engines.bins import Sent
from cdm_pipelines.linkage.engines.driver import Driver
from cdm_pipelines.linkage.engines.local import LocalEngine
from cdm_pipelines.linkage.engines.outcome import Stages, concluded
from cdm_pipelines.linkage.engines.session import session
from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.incremental.record_changes import RecordChanges
from cdm_pipelines.linkage.incremental.relink import Relinked, relink
from cdm_pipelines.linkage.incremental.state import LinkState
from cdm_pipelines.linkage.model.fellegi_sunter import LinkageModel
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.linkage.progress import Progress, silent
from cdm_pipelines.parallel import at_most
from cdm_pipelines.store.lake import Lake

_FILE_ROWS = 50_000
_BIN_RECORDS = 25_000
"""Records of the table for each bin; a bin has a multiple of them, as records have several blocks."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SparkEngine:
    """Links on a cluster.

    Attributes:
        url: A Spark Connect server, ``sc://host:port``; or a master such as ``local[2]``, where PySpark is
            installed in full.
        exchange: Folder or fsspec URL through which records go to the workers, which have to reach it under the same
            name; a temporary folder of this machine where not given. Emptied at the end.
        bins: Into how many pieces the work is cut; by the number of records where not given. The result is the same.
        threads: How many to use on the driver.
    """

    url: str
    exchange: str | None = None
    bins: int | None = None
    threads: int | None = None

    def fit(
        self,
        table: pa.Table | pd.DataFrame,
        policy: LinkagePolicy,
        *,
        labels: pd.DataFrame | None = None,
        progress: Progress = silent,
    ) -> LinkageModel:
        """Fit a model; see ``Engine``."""
        if not len(table):
            return LocalEngine(self.threads).fit(table, policy, labels=labels, progress=progress)
        with at_most(self.threads) as threads, self._work(table, policy, None, progress, threads) as work:
            return work.modelled(None, labels)[0]

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
        """Link a table; see ``Engine``."""
        if model is not None and labels is not None:
            raise LinkageError("labels refine a fit: leave the model out, or the labels")
        decided = decided or Decided()
        if not len(table):
            return LocalEngine(self.threads).link(
                table, policy, model=model, decided=decided, labels=labels, plan=plan, remember=remember
            )
        with at_most(self.threads) as threads:
            with self._work(table, policy, plan, progress, threads) as work:
                decisions = PlacedDecisions.of(work.records, decided)
                model, kept, counts = work.modelled(model, labels)
            # The cluster is not needed any more.
            return concluded(
                table,
                work.scorer(model),
                work.plan,
                kept,
                counts,
                rules=work.rules,
                pairs_by_rule=work.pairs_by_rule,
                decided=decided,
                decisions=decisions,
                stages=work.stages,
                threads=threads,
                progress=progress,
                remember=remember,
            )

    def relink(
        self,
        changes: RecordChanges,
        policy: LinkagePolicy,
        model: LinkageModel,
        before: LinkState,
        *,
        decided: Decided | None = None,
    ) -> Relinked:
        """Link what has changed since a state, which is little, and is done here; see ``Engine``."""
        with at_most(self.threads):
            return relink(changes, policy, model, before, decided=decided)

    @contextmanager
    def _work(
        self,
        table: pa.Table | pd.DataFrame,
        policy: LinkagePolicy,
        plan: BlockingPlan | None,
        progress: Progress,
        threads: int,
    ) -> Iterator[Driver]:
        _refuse_whole_tables(policy)
        stages = Stages()
        with session(self.url) as spark, TemporaryDirectory(prefix="cdm-exchange-") as temporary:
            folder = f"{(self.exchange or temporary).rstrip('/')}/{uuid4().hex}"
            with stages.stage("encode"):
                records = encode(table, policy, threads, progress, plan.words if plan else None)
                ordered = linked_columns(table, policy)
            sent = Sent(tuple(ordered.column_names), policy, _words(policy, records))
            lake = Lake(folder)
            try:
                with stages.stage("send"):
                    for number, start in enumerate(range(0, ordered.num_rows, _FILE_ROWS)):
                        piece = sent.table(ordered.slice(start, _FILE_ROWS), start)
                        lake.write(f"records/{number:08d}.parquet", piece)
                bins = self.bins or max(-(-len(records) // _BIN_RECORDS), 4)
                driver = Driver(
                    spark, lake.where(""), sent, records, ordered, bins, plan, stages, threads, progress
                )
                driver.check()
                yield driver
            finally:
                _emptied(lake)


def _emptied(lake: Lake) -> None:
    """Remove what went through the exchange, the records first; what workers own and nobody else may remove is told."""
    for part in ("records", ""):
        try:
            lake.delete_folder(part)
        except OSError as error:
            _LOG.warning(
                "%s could not be emptied (%s): remove it. Workers write there under another account than this one",
                lake.where(part),
                type(error).__name__,
            )


def _refuse_whole_tables(policy: LinkagePolicy) -> None:
    for rule in policy.blocking:
        if rule.window or rule.algorithm:
            raise LinkageError(
                f"policy {policy.name}: blocking rule {rule.label}: its "
                f"{'window' if rule.window else 'algorithm'} looks at all records in their order, which no worker has; "
                "link with one machine, or give the rule keys"
            )


def _words(policy: LinkagePolicy, records: Records) -> dict[str, dict[int, int]]:
    """Counts of words for those keys of rules that are made of rare ones."""
    for name in {name for rule in policy.blocking for name in (*rule.keys, *rule.refine)}:
        if name in policy.derived and policy.derived[name].take == "rare_tokens":
            records.key(name)  # counts them
    return {name: dict(counts) for name, counts in records.words.items()}
