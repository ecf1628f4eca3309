"""A state of linking without some records, as if they had never been.

Belongs here: which other records have to be linked anew for it, and the state of all the rest. Does not belong here:
where a state is kept (steps), linking (relink).

A component is a function of its records, links and decisions alone, and no link crosses two of them. So the state less
whole components is that of linking the records that are left; those that were in a component with a removed one are
left out too, and are new to the next run, which links them by themselves. Only a block that was too large with the
removed records and is not without them makes pairs of others that nobody has compared.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdm_pipelines.linkage.cluster.clusters import Links
from cdm_pipelines.linkage.cluster.constraints import Decided
from cdm_pipelines.linkage.cluster.health import Figures
from cdm_pipelines.linkage.encode.records import ordered_records
from cdm_pipelines.linkage.encode.rows import Rows
from cdm_pipelines.linkage.incremental.state import LinkState
from cdm_pipelines.linkage.incremental.tables import DECISIONS
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.store.keys import having

_RECORD, _SIDES = ("source", "record_id"), (("left_source", "left_id"), ("right_source", "right_id"))


def without_records(before: LinkState, keys: pa.Table, policy: LinkagePolicy) -> LinkState | None:
    """A state without some records, and without those that were linked with them; None where all have to be linked.

    Args:
        before: The state.
        keys: Columns ``source`` and ``record_id`` of the records; some may not be there.
        policy: Of the state.
    """
    names = before.rows.records(columns=policy.key_columns)
    place = ordered_records(names, policy).places(
        keys["source"].combine_chunks(), keys["record_id"].combine_chunks()
    )
    gone = np.unique(place[place >= 0])
    if _smaller_blocks(before, gone, policy):
        return None
    joined = np.zeros(len(before.rows), dtype=bool)
    joined[before.component[gone]] = True
    stays = ~joined[before.component]
    return replace(_of_those(before, stays, policy), decided=_undecided(before, keys))


def _smaller_blocks(before: LinkState, gone: npt.NDArray[np.int64], policy: LinkagePolicy) -> bool:
    """Whether a block that was too large to make pairs is so no more."""
    for number, rule in enumerate(policy.blocking):
        largest = rule.max_block_size or policy.max_block_size
        held = before.rows.keys(number, gone).ravel()
        keys, lost = np.unique(held[held > 0], return_counts=True)
        _, holding = before.rows.holding(number, keys)
        sizes = np.bincount(np.searchsorted(keys, holding), minlength=len(keys))
        if ((sizes > largest) & (sizes - lost <= largest)).any():
            return True
    return False


def _of_those(before: LinkState, stays: npt.NDArray[np.bool_], policy: LinkagePolicy) -> LinkState:
    """The state of some whole components."""
    at = np.flatnonzero(stays)
    now = np.cumsum(stays) - 1
    rules = range(len(policy.blocking))
    rows = Rows.of(before.rows.records(at), [before.rows.keys(rule, at) for rule in rules])
    own = np.flatnonzero(stays[before.links.left])
    links = before.links.at(own)
    left, right = (now[side].astype(side.dtype) for side in (links.left, links.right))
    return LinkState(
        rows,
        before.plan,
        Links(left, right, links.odds, links.packed),
        before.weight[own],
        now[before.component[at]],
        now[before.member[at]],
        Figures(before.figures.bridge[at], before.figures.against[at]),
    )


def _undecided(before: LinkState, keys: pa.Table) -> Decided:
    """The decisions of a state that name none of some records."""
    kept = []
    for name, table in before.decisions().items():
        named = (_RECORD,) if name == DECISIONS[-1] else _SIDES
        theirs = np.zeros(table.num_rows, dtype=bool)
        for columns in named:
            theirs |= having(table, keys, _RECORD, columns).to_numpy(zero_copy_only=False)
        kept.append(table.filter(pa.array(~theirs)).to_pandas())
    return Decided(*kept)
