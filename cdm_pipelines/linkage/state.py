"""What a linkage leaves behind, so that a few changed records can be linked without doing everything again.

Belongs here: the state, and its tables. Does not belong here: using it (relink), where it is kept (flows).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage.agglomerate import Labels
from cdm_pipelines.linkage.binding import hashed_keys
from cdm_pipelines.linkage.cluster import Links
from cdm_pipelines.linkage.constraints import Decided
from cdm_pipelines.linkage.encode import Records
from cdm_pipelines.linkage.health import Figures
from cdm_pipelines.linkage.keys import BlockingPlan, Hashes
from cdm_pipelines.linkage.model import Floats
from cdm_pipelines.linkage.policy import LinkagePolicy
from cdm_pipelines.parallel import in_order

_PAIR = ("left_source", "left_id", "right_source", "right_id")


@dataclass(frozen=True)
class LinkState:
    """A finished linkage, in positions of its records.

    Attributes:
        records: What was linked, as ``linked_columns`` gives it.
        keys: For each blocking rule the hashes under which each record is in a block; 0 for none.
        plan: What was decided about blocks.
        links: Pairs from the review threshold on.
        weight: Their weights in bits.
        component: For each record the lowest position of its component: what links and decisions join, unguarded.
        member: For each record the lowest position of its cluster.
        figures: How well the cluster of each record holds together.
        decided: The decisions that went in.
    """

    records: pa.Table
    keys: list[Hashes]
    plan: BlockingPlan
    links: Links
    weight: Floats
    component: Labels
    member: Labels
    figures: Figures
    decided: Decided = field(default_factory=Decided)

    def to_tables(self) -> dict[str, pa.Table]:
        """Named tables that hold all of it."""
        slots = {
            str(rule): pa.FixedSizeListArray.from_arrays(pa.array(keys.ravel()), keys.shape[1])
            for rule, keys in enumerate(self.keys)
        }
        links = {
            "left": pa.array(self.links.left),
            "right": pa.array(self.links.right),
            "odds": pa.array(self.links.odds),
            "packed": pa.array(self.links.packed),
            "weight": pa.array(self.weight),
        }
        return {
            "records": self.records,
            "keys": pa.table(slots),
            "plan": self.plan.to_table(),
            "links": pa.table(links),
            "groups": pa.table(
                {
                    "component": pa.array(self.component),
                    "member": pa.array(self.member),
                    "bridge": pa.array(self.figures.bridge),
                    "against": pa.array(self.figures.against),
                }
            ),
            "same": _pairs_table(self.decided.same),
            "different": _pairs_table(self.decided.different),
            "confirmed": _confirmed_table(self.decided.confirmed),
        }

    @classmethod
    def from_tables(cls, tables: Mapping[str, pa.Table]) -> Self:
        """What ``to_tables`` made."""
        slots = tables["keys"]
        keys = [
            column.combine_chunks().flatten().to_numpy().reshape(len(column), column.type.list_size)
            for column in slots.columns
        ]
        found, groups = tables["links"], tables["groups"]
        links = Links(*(found[name].to_numpy() for name in ("left", "right", "odds", "packed")))
        return cls(
            tables["records"],
            keys,
            BlockingPlan.from_table(tables["plan"]),
            links,
            found["weight"].to_numpy(),
            groups["component"].to_numpy(),
            groups["member"].to_numpy(),
            Figures(groups["bridge"].to_numpy(), groups["against"].to_numpy()),
            Decided(*(tables[name].to_pandas() for name in ("same", "different", "confirmed"))),
        )


def effective_keys(
    policy: LinkagePolicy, records: Records, plan: BlockingPlan, threads: int | None = None
) -> list[Hashes]:
    """For each rule the hashes under which each record is in a block, shape (records, width).

    A rule that a record alone cannot answer (a window, an algorithm of the toolkit) has none.
    """
    return list(
        in_order(
            lambda rule: (
                np.zeros((len(records), 1), np.uint64)
                if rule.window or rule.algorithm
                else plan.effective(rule.label, *hashed_keys(rule, records))
            ),
            policy.blocking,
            threads,
        )
    )


def _pairs_table(pairs: pd.DataFrame | None) -> pa.Table:
    schema = pa.schema([(name, pa.string()) for name in _PAIR])
    if pairs is None or pairs.empty:
        return schema.empty_table()
    return pa.Table.from_pandas(pairs[list(_PAIR)].astype(str), schema=schema, preserve_index=False)


def _confirmed_table(confirmed: pd.DataFrame | None) -> pa.Table:
    schema = pa.schema([("source", pa.string()), ("record_id", pa.string()), ("group", pa.int64())])
    if confirmed is None or confirmed.empty:
        return schema.empty_table()
    return pa.Table.from_pandas(confirmed[schema.names], schema=schema, preserve_index=False)
