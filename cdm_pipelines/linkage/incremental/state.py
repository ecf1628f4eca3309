"""What a linkage leaves behind, so that a few changed records can be linked without doing everything again.

Belongs here: the state, and its tables. Does not belong here: using it (relink), where it is kept (steps).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage.blocking.binding import hashed_keys
from cdm_pipelines.linkage.cluster.agglomerate import Labels
from cdm_pipelines.linkage.cluster.clusters import Links
from cdm_pipelines.linkage.cluster.constraints import Decided
from cdm_pipelines.linkage.cluster.health import Figures
from cdm_pipelines.linkage.encode.hashes import Hashes
from cdm_pipelines.linkage.encode.keys import BlockingPlan
from cdm_pipelines.linkage.encode.positions import PAIR
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.encode.rows import Piece, Rows
from cdm_pipelines.linkage.incremental.tables import DECISIONS
from cdm_pipelines.linkage.model.fellegi_sunter import Floats
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.parallel import in_order


@dataclass(frozen=True)
class LinkState:
    """A finished linkage, in positions of its records.

    Attributes:
        rows: What was linked, as ``linked_columns`` gives it, and the keys of each record.
        plan: What was decided about blocks.
        links: Pairs from the review threshold on.
        weight: Their weights in bits.
        component: For each record the lowest position of its component: what links and decisions join, unguarded.
        member: For each record the lowest position of its cluster.
        figures: How well the cluster of each record holds together.
        decided: The decisions that went in.
    """

    rows: Rows
    plan: BlockingPlan
    links: Links
    weight: Floats
    component: Labels
    member: Labels
    figures: Figures
    decided: Decided = field(default_factory=Decided)

    def base_tables(self) -> dict[str, pa.Table]:
        """Named tables of what does not change while the base of the rows is the same."""
        return self.rows.base.to_tables() | {"plan": self.plan.to_table()}

    def tables(self) -> dict[str, pa.Table]:
        """Named tables of all the rest."""
        added = self.rows.added.to_tables()
        links = {
            "left": pa.array(self.links.left),
            "right": pa.array(self.links.right),
            "odds": pa.array(self.links.odds),
            "packed": pa.array(self.links.packed),
            "weight": pa.array(self.weight),
        }
        groups = {
            "row": pa.array(self.rows.row),
            "component": pa.array(self.component),
            "member": pa.array(self.member),
            "bridge": pa.array(self.figures.bridge),
            "against": pa.array(self.figures.against),
        }
        return {
            "added": added["records"],
            "added_keys": added["keys"],
            "links": pa.table(links),
            "groups": pa.table(groups),
            **self.decisions(),
        }

    def decisions(self) -> dict[str, pa.Table]:
        """Named tables of the decisions."""
        return {
            "same": _pairs_table(self.decided.same),
            "different": _pairs_table(self.decided.different),
            "confirmed": _confirmed_table(self.decided.confirmed),
        }

    @classmethod
    def from_tables(cls, base: Mapping[str, pa.Table], tables: Mapping[str, pa.Table]) -> Self:
        """What ``base_tables`` and ``tables`` made."""
        found, groups = tables["links"], tables["groups"]
        links = Links(*(found[name].to_numpy() for name in ("left", "right", "odds", "packed")))
        return cls(
            Rows(
                Piece.from_tables(base["records"], base["keys"]),
                Piece.from_tables(tables["added"], tables["added_keys"]),
                groups["row"].to_numpy(),
            ),
            BlockingPlan.from_table(base["plan"]),
            links,
            found["weight"].to_numpy(),
            groups["component"].to_numpy(),
            groups["member"].to_numpy(),
            Figures(groups["bridge"].to_numpy(), groups["against"].to_numpy()),
            Decided(*(tables[name].to_pandas() for name in DECISIONS)),
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
    schema = pa.schema([(name, pa.string()) for name in PAIR])
    if pairs is None or pairs.empty:
        return schema.empty_table()
    return pa.Table.from_pandas(pairs[list(PAIR)].astype(str), schema=schema, preserve_index=False)


def _confirmed_table(confirmed: pd.DataFrame | None) -> pa.Table:
    schema = pa.schema([("source", pa.string()), ("record_id", pa.string()), ("group", pa.int64())])
    if confirmed is None or confirmed.empty:
        return schema.empty_table()
    return pa.Table.from_pandas(confirmed[schema.names], schema=schema, preserve_index=False)
