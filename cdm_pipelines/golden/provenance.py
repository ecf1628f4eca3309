"""Where each golden value comes from, and what lost.

Belongs here: the provenance table. Does not belong here: choosing (``contest``).

Most values of a customer come from the same record for the same reason. The row with attribute ``*`` says so
once for all groups without a row of their own; every contested group has its own row, with the values that
lost.
"""

import json
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.golden.contest import NO_VALUE, REASONS, Layout, Outcome
from cdm_pipelines.golden.policy import Group, SurvivorshipPolicy
from cdm_pipelines.records.keys import RECORD_KEY

Ints = npt.NDArray[np.int64]

EVERYTHING_ELSE = "*"
SINGLE_RECORD = "single_record"

PROVENANCE_SCHEMA = pa.schema(
    [
        ("golden_id", pa.string()),
        ("attribute", pa.string()),
        ("source", pa.string()),
        ("entity", pa.string()),
        ("record_id", pa.string()),
        ("rule", pa.string()),
        ("losers", pa.string()),
    ]
)
"""Per customer and group of attributes (``*``: all others): the winning record, the rule that decided, and as
JSON
the values that lost: a list of ``{"source", "entity", "record_id", "value"}``, one per distinct value."""


def provenance(
    records: pa.Table,
    layout: Layout,
    ids: pa.Array,
    outcomes: Mapping[str, Outcome],
    policy: SurvivorshipPolicy,
) -> pa.Table:
    """Write down the outcomes of a chunk of customers, in order of golden id and of the policy's groups.

    Args:
        records: The chunk's records.
        layout: Where its customers are.
        ids: Golden id of each customer.
        outcomes: Per group.
        policy: The policy that was applied.
    """
    alone = np.flatnonzero(layout.sizes == 1)
    names = [EVERYTHING_ELSE, *(group.name for group in policy.groups)]
    reasons = [*REASONS, SINGLE_RECORD]
    customer, row = [alone], [layout.starts[alone]]
    name, reason = [np.zeros(len(alone), np.int64)], [np.full(len(alone), len(REASONS))]
    losers = [pa.nulls(len(alone), pa.string())]
    if len(layout.shared):
        winner = np.array([outcomes[group.name].winner for group in policy.groups])
        why = np.array([outcomes[group.name].reason for group in policy.groups])
        contested = np.zeros(winner.shape, np.bool_)
        for place, group in enumerate(policy.groups):
            contested[place, outcomes[group.name].loser_customer] = True
        common = _most_common(winner, why, contested)
        own = (winner >= 0) & (contested | (winner * len(REASONS) + why != common))
        folded = np.flatnonzero(common >= 0)
        customer.append(layout.shared[folded])
        row.append(common[folded] // len(REASONS))
        reason.append(common[folded] % len(REASONS))
        name.append(np.zeros(len(folded), np.int64))
        losers.append(pa.nulls(len(folded), pa.string()))
        for place, group in enumerate(policy.groups):
            which = np.flatnonzero(own[place])
            customer.append(layout.shared[which])
            row.append(winner[place, which])
            reason.append(why[place, which])
            name.append(np.full(len(which), place + 1))
            losers.append(
                _losers(records, group, outcomes[group.name], len(layout.shared)).take(pa.array(which))
            )

    who, what = np.concatenate(customer), np.concatenate(name)
    order = pa.array(np.lexsort((what, who)))
    winning = records.select(RECORD_KEY).take(pa.array(np.concatenate(row)).take(order))
    columns = {
        "golden_id": ids.take(pa.array(who).take(order)),
        "attribute": pa.array(names).take(pa.array(what).take(order)),
        **{key: winning[key] for key in RECORD_KEY},
        "rule": pa.array(reasons).take(pa.array(np.concatenate(reason)).take(order)),
        "losers": pa.concat_arrays(losers).take(order),
    }
    return pa.table(columns, schema=PROVENANCE_SCHEMA)


def _most_common(winner: Ints, why: Ints, contested: npt.NDArray[np.bool_]) -> Ints:
    """Per customer the most common uncontested pair of winning row and reason, as one number; -1 for none.

    Args:
        winner: Row per group and customer, -1 for none.
        why: Reason per group and customer.
        contested: Whether some value lost, per group and customer.
    """
    groups, customers = np.nonzero((winner >= 0) & ~contested & (why != REASONS.index(NO_VALUE)))
    pair = winner[groups, customers] * len(REASONS) + why[groups, customers]
    order = np.lexsort((pair, customers))
    pair, customers = pair[order], customers[order]
    new = np.append(True, (pair[1:] != pair[:-1]) | (customers[1:] != customers[:-1]))[: len(pair)]
    starts = np.flatnonzero(new)
    counts = np.diff(np.append(starts, len(pair)))
    pair, customers = pair[starts], customers[starts]
    best_last = np.lexsort((-pair, counts, customers))
    common = np.full(winner.shape[1], -1, np.int64)
    common[customers[best_last]] = pair[best_last]
    return common


def _losers(records: pa.Table, group: Group, outcome: Outcome, customers: int) -> pa.Array:
    """The values that lost, as one JSON text per customer; null where none did."""
    lost = records.select([*RECORD_KEY, *group.attributes]).take(pa.array(outcome.losers))
    value = (
        _json_text(lost[group.name])
        if group.attributes == (group.name,)
        else _json_object({name: _json_text(lost[name]) for name in group.attributes})
    )
    entry = _json_object({key: _json_text(lost[key]) for key in RECORD_KEY} | {"value": value})
    sizes = np.bincount(outcome.loser_customer, minlength=customers)
    offsets = np.append(0, np.cumsum(sizes)).astype(np.int32)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), entry), ",")
    text = pc.binary_join_element_wise("[", joined, "]", "")
    return pc.if_else(pa.array(sizes > 0), text, pa.scalar(None, pa.string()))


def _json_text(column: pa.ChunkedArray) -> pa.Array:
    """Each value as a JSON string; only the few that hold a quote, backslash or control need escaping."""
    values = column.combine_chunks()
    quoted = pc.binary_join_element_wise('"', values, '"', "")
    special = pc.fill_null(pc.match_substring_regex(values, r'["\\\x00-\x1f]'), False)
    if not pc.any(special).as_py():
        return quoted
    escaped = [json.dumps(value, ensure_ascii=False) for value in values.filter(special).to_pylist()]
    return pc.replace_with_mask(quoted, special, pa.array(escaped, pa.string()))


def _json_object(members: Mapping[str, pa.Array]) -> pa.Array:
    """JSON objects of the members that are not null."""
    pairs = [pc.binary_join_element_wise(f"{json.dumps(name)}:", text, "") for name, text in members.items()]
    inner = pc.binary_join_element_wise(*pairs, ",", null_handling="skip")
    return pc.binary_join_element_wise("{", inner, "}", "")
