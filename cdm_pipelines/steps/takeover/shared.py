"""Whom two companies share, read from a linkage of both.

Belongs here: customers of the other company, their pairs with ours, and what our profile says of those whom we share.
Does not belong here: the estimate (insight.takeover_overlap), linking (steps.linking).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, text

from cdm_pipelines.contracts import PartyKind, SourceContract
from cdm_pipelines.insight.takeover_overlap import SAMPLE, Found, Gaps, Overlap, overlap
from cdm_pipelines.insight.takeover_report import Segment
from cdm_pipelines.linkage import LinkageModel, load_policy
from cdm_pipelines.linkage.model.scoring import PairScorer
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.linking import model_versions
from cdm_pipelines.steps.linking.inputs import not_compared, party_records
from cdm_pipelines.steps.linking.kind import unlike_names
from cdm_pipelines.store import tables
from cdm_pipelines.store.frames import to_frame
from cdm_pipelines.store.lake import Lake

_SURE = 1e-12


@dataclass(frozen=True)
class Shared:
    """Customers of the other company, and whom of ours they are.

    Attributes:
        customers: How many they are, without duplicates.
        overlap: How many are ours; None where it has no customers.
        doubtful: Pairs of theirs and ours between the review threshold and a match.
        of_customer: Number of the customer by ``entity/record_id`` of theirs.
        ours: Keys of our records that are linked with one of theirs: source/entity and record id.
        record_ids: Record ids of theirs.
        same_id: Of them those that are linked with a record of ours of the same id.
    """

    customers: int
    overlap: Overlap | None
    doubtful: int
    of_customer: Mapping[str, int]
    ours: Sequence[tuple[str, str]]
    record_ids: Sequence[str]
    same_id: frozenset[str]

    def linked_with_same_id(self, record_id: str) -> bool:
        """Whether a record of theirs is linked with the record of ours that has its id."""
        return record_id in self.same_id


def shared_customers(
    settings: Settings, lake: Lake, name: str, contracts: Sequence[SourceContract], *, seed: int = 0
) -> Shared:
    """Read whom two companies share.

    Args:
        settings: Where policies are.
        lake: In which both were linked.
        name: The source that the other company is.
        contracts: Of all sources, the other company's among them.
        seed: Of the estimate.
    """
    clusters, pairs = to_frame(tables.clusters(lake).read()), to_frame(tables.matches(lake).read())
    theirs = clusters["source"].astype(str).str.startswith(f"{name}/")
    groups = clusters.assign(theirs=theirs, cluster_id=clusters["cluster_id"].astype(str))
    with_ours = set(groups.loc[~groups["theirs"], "cluster_id"])
    own = groups[groups["theirs"]].copy()
    own["linked"] = own["cluster_id"].isin(with_ours)
    numbers, _ = pd.factorize(own["cluster_id"])
    own["customer"] = numbers
    cross = _between(pairs, name).merge(
        own[["source", "record_id", "customer"]], on=["source", "record_id"], how="inner"
    )
    parts, doubtful = [], 0
    for kind in PartyKind:
        found = _of_kind(settings, lake, kind, contracts=contracts, own=own, cross=cross, name=name)
        if found is not None:
            parts.append(found[:3])
            doubtful += found[3]
    linked = int(own.loc[own["linked"], "customer"].nunique())
    mates = groups[~groups["theirs"] & groups["cluster_id"].isin(set(own["cluster_id"]))]
    ids = own.merge(mates, on=["cluster_id", "record_id"])["record_id"].astype(str)
    return Shared(
        int(own["customer"].nunique()),
        overlap(parts, linked, seed=seed) if parts else None,
        doubtful,
        {
            f"{source.partition('/')[2]}/{record_id}": int(number)
            for source, record_id, number in zip(
                own["source"], own["record_id"], own["customer"], strict=True
            )
        },
        list(zip(mates["source"].astype(str), mates["record_id"].astype(str), strict=True)),
        own["record_id"].astype(str).tolist(),
        frozenset(ids),
    )


def _between(pairs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Pairs of one of theirs and one of ours, with the key of theirs as ``source`` and ``record_id``."""
    left, right = (
        pairs[f"{side}_source"].astype(str).str.startswith(f"{name}/") for side in ("left", "right")
    )
    cross, is_left = pairs[left != right], left[left != right]
    return cross.assign(
        source=np.where(is_left, cross["left_source"].astype(str), cross["right_source"].astype(str)),
        record_id=np.where(is_left, cross["left_id"].astype(str), cross["right_id"].astype(str)),
    )


def _of_kind(
    settings: Settings,
    lake: Lake,
    kind: PartyKind,
    *,
    contracts: Sequence[SourceContract],
    own: pd.DataFrame,
    cross: pd.DataFrame,
    name: str,
) -> tuple[Found, Gaps, LinkageModel, int] | None:
    """What was found of the customers of one kind; None where there are none."""
    policy = load_policy(settings.policies / "linkage" / f"{kind}.yaml")
    model = model_versions.current(lake, kind)
    if model is None:
        return None
    policy = policy.in_order_of(model.comparisons)
    rows = party_records(
        lake, kind, policy, unlike_names(settings), not_compared(settings, policy, contracts)
    ).rows
    is_theirs = pc.starts_with(rows["source"], f"{name}/")
    theirs, ours = rows.filter(is_theirs), rows.filter(pc.invert(is_theirs))
    if not theirs.num_rows:
        return None
    keys = to_frame(theirs.select(["source", "record_id"])).astype(str)
    here = own.merge(keys, on=["source", "record_id"])["customer"].unique()
    best = cross[cross["customer"].isin(here)].sort_values("probability", kind="stable")
    best = best.drop_duplicates("customer", keep="last")
    chance = np.clip(best["probability"].to_numpy(dtype=np.float64), _SURE, 1 - _SURE)
    levels = best[list(model.comparisons)].fillna(-1).to_numpy().astype(np.int8)
    scorer = PairScorer(policy, model)
    bound = [scorer.over(scorer.encode(_sampled(one), 1)) for one in (theirs, ours)]
    found = Found(np.log2(chance / (1 - chance)), levels, len(here) - len(best), policy.thresholds.review)
    unsure = cross["customer"].isin(here) & (cross["probability"] < model.match)
    return found, Gaps.of(*bound), model, int(unsure.sum())


def _sampled(rows: pa.Table) -> pa.Table:
    """Some records, spread over all."""
    if rows.num_rows <= SAMPLE:
        return rows
    return rows.take(np.linspace(0, rows.num_rows - 1, SAMPLE).astype(np.int64))


def segments(connection: Connection, shared: Shared) -> tuple[Segment, ...]:
    """Our customers by stage, and those of them whom we share; nothing where there is no profile."""
    there = connection.scalar(
        text(
            "SELECT to_regclass('profile.lifecycle') IS NOT NULL AND to_regclass('profile.lifetime_value') IS NOT NULL"
        )
    )
    if not there:
        return ()
    keys = [(*source.split("/", 1), record_id) for source, record_id in shared.ours]
    columns = [list(column) for column in zip(*keys, strict=True)] or [[], [], []]
    rows = connection.execute(
        text(SEGMENTS), {"sources": columns[0], "entities": columns[1], "ids": columns[2]}
    ).all()
    return tuple(
        Segment(str(stage), int(customers), int(theirs), None if value is None else float(value))
        for stage, customers, theirs, value in rows
    )


SEGMENTS = """
    WITH shared AS (
        SELECT DISTINCT golden_id FROM golden.crosswalk
        JOIN unnest(cast(:sources AS text[]), cast(:entities AS text[]), cast(:ids AS text[]))
            AS ours (source, entity, record_id) USING (source, entity, record_id))
    SELECT stage, count(*), count(shared.golden_id), sum(historic_value) FILTER (WHERE shared.golden_id IS NOT NULL)
    FROM profile.lifecycle LEFT JOIN shared USING (golden_id) LEFT JOIN profile.lifetime_value USING (golden_id)
    GROUP BY 1 ORDER BY 2 DESC, 1"""
"""Our published customers by stage, and of them those who are linked with a customer of the other company."""
