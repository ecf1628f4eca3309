"""The step that makes ``link/*`` from the current party records.

Belongs here: when a model is fitted, and what is written. Does not belong here: linkage itself.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.flows import layout
from cdm_pipelines.identity.constraints import NOTHING_DECIDED, Constraints
from cdm_pipelines.ingest.lake import TEXT, Lake, to_table
from cdm_pipelines.linkage import LinkageModel, LinkagePolicy, LinkResult, link
from cdm_pipelines.linkage.explain import unlinkable_share
from cdm_pipelines.settings import Settings

OUTGROWN = 3
"""A model fitted on less than this part of today's records is worth fitting anew."""
_TEXT = pa.string()
WEIGHT_STEP = 5
_NO_CLUSTERS = pa.schema([(name, _TEXT) for name in ("source", "record_id", "cluster_id")])
_NO_PAIRS = pa.schema(
    [(name, _TEXT) for name in ("left_source", "left_id", "right_source", "right_id")]
    + [("weight", pa.float64()), ("probability", pa.float64())]
)


@dataclass
class Linked:
    """What came of it, for people and for metadata."""

    fitted: bool = False
    model_fingerprint: str = ""
    fitted_on: int = 0
    records: int = 0
    pairs: int = 0
    clusters: int = 0
    blocking: Counter[str] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)
    weights: Counter[int] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    levels: dict[str, list[Mapping[str, object]]] = field(default_factory=dict)
    models: dict[str, LinkageModel] = field(default_factory=dict)
    odds: dict[str, dict[int, int]] = field(default_factory=dict)
    unlinkable: dict[str, float] = field(default_factory=dict)

    @property
    def weight_steps(self) -> dict[str, int]:
        """Pairs by steps of match weight, lowest first."""
        return {f"{low:+d} to {low + WEIGHT_STEP:+d}": self.weights[low] for low in sorted(self.weights)}

    @property
    def outgrown(self) -> bool:
        """Whether there are now many times the records that the models were fitted on."""
        return self.records > OUTGROWN * self.fitted_on


def link_parties(
    lake: Lake,
    settings: Settings,
    *,
    decided: Constraints = NOTHING_DECIDED,
    refit: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Linked:
    """Link persons with persons and organisations with organisations, as far as stewards have not decided.

    A model is fitted when there is none, when the policy has changed, or on command; then it is kept, so that
    days can come in any order (R4).
    """
    linked = Linked()
    clusters, pairs, models = [_NO_CLUSTERS.empty_table()], [_NO_PAIRS.empty_table()], []
    for kind in PartyKind:
        policy = LinkagePolicy.load(settings.policies / "linkage" / f"{kind}.yaml")
        records = party_records(lake, kind, policy)
        if not records.num_rows:
            continue  # a model fitted to nothing would be kept
        model = None if refit else _kept_model(lake, kind, policy)
        started = time.perf_counter()
        result = link(
            records,
            policy,
            model=model,
            same=pd.concat([decided.same, decided.allowed(merged_in_source(records).to_pandas())]),
            different=decided.different,
            confirmed=decided.confirmed,
            progress=partial(_told, progress, kind),
            threads=settings.threads,
        )
        models.append(result.model.to_json())
        if model is None:
            lake.write_text(layout.model_path(kind), models[-1])
            linked.fitted = True
        clusters.append(_table(result.clusters))
        pairs.append(_table(result.pairs))
        _account(linked, kind, result, time.perf_counter() - started)
        linked.unlinkable[str(kind)] = unlinkable_share(records, policy, result.model)
    lake.write(layout.CLUSTERS, pa.concat_tables(clusters, promote_options="default"))
    lake.write(layout.MATCHES, pa.concat_tables(pairs, promote_options="default"))
    linked.model_fingerprint = sha256("".join(models).encode()).hexdigest()[:16]
    return linked


def _told(progress: Callable[[str], None], kind: PartyKind, stage: str, pairs: int) -> None:
    progress(f"{kind}: {stage}, {pairs:,} pairs")


def party_records(lake: Lake, kind: PartyKind, policy: LinkagePolicy) -> pa.Table:
    """The records of one kind; ``source`` is source/entity, since entities of a source may share ids."""
    path = layout.records_path(Entity.PARTY)
    wanted = {column.column for column in policy.columns.values()} | {"record_id", "merged_into"}
    keep = [name for name in lake.schema(path).names if name in wanted]
    table = lake.read(path, [*keep, "source", "entity", "party_kind"])
    table = table.filter(pc.equal(table["party_kind"], str(kind)))
    source = pc.binary_join_element_wise(table["source"], table["entity"], "/")
    return table.select(keep).append_column("source", source)


def merged_in_source(records: pa.Table) -> pa.Table:
    """Records that their own source merged into another one: they describe the same party."""
    merged = records.filter(pc.is_valid(records["merged_into"]))
    pairs = pa.table(
        {
            "left_source": merged["source"],
            "left_id": merged["record_id"],
            "right_source": merged["source"],
            "right_id": merged["merged_into"],
        }
    )
    known = records.select(["source", "record_id"]).rename_columns(["right_source", "right_id"])
    return pairs.join(known, keys=["right_source", "right_id"], join_type="inner").sort_by(
        [("left_source", "ascending"), ("left_id", "ascending")]
    )


def _kept_model(lake: Lake, kind: PartyKind, policy: LinkagePolicy) -> LinkageModel | None:
    path = layout.model_path(kind)
    if not lake.exists(path):
        return None
    model = LinkageModel.from_json(lake.read_text(path))
    return model if model.policy == policy.fingerprint else None


def _table(frame: pd.DataFrame) -> pa.Table:
    categories = {name: TEXT for name, kind in frame.dtypes.items() if kind == "category"}
    return to_table(frame.astype(categories))


def _account(linked: Linked, kind: PartyKind, result: LinkResult, seconds: float) -> None:
    report = result.report
    linked.records += report["records"]
    linked.fitted_on += result.model.records
    linked.clusters += report["clusters"]
    linked.pairs += len(result.pairs)
    linked.sizes.update({int(size): count for size, count in report["cluster_sizes"].items()})
    linked.blocking.update({f"{kind}: {rule['rule']}": rule["new_pairs"] for rule in report["rules"]})
    linked.seconds[str(kind)] = round(seconds, 2)
    linked.models[str(kind)] = result.model
    linked.odds[str(kind)] = {int(low): count for low, count in report["odds"].items()}
    linked.levels[str(kind)] = [
        {name: row[name] for name in ("comparison", "meaning", "m", "u", "weight")}
        for row in report["comparisons"]
    ]
    bins = np.floor(result.pairs["weight"].to_numpy() / WEIGHT_STEP).astype(int) * WEIGHT_STEP
    for low, count in zip(*np.unique(bins, return_counts=True), strict=True):
        linked.weights[int(low)] += int(count)
