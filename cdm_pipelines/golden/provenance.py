"""Where each golden value comes from, and what lost.

Belongs here: the provenance table. Does not belong here: choosing (``contest``).

Most values of a customer are contested by none of its records, and most of those stand in one of them. The row
with attribute ``*`` names that record once, for all groups without a row of their own; every contested group
has its own row, with the values that lost.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.golden.contest import REASONS, SINGLE_RECORD, UNCONTESTED, Layout, Outcome
from cdm_pipelines.golden.policy import Group, SurvivorshipPolicy
from cdm_pipelines.store.keys import RECORD_KEY

Ints = npt.NDArray[np.int64]

EVERYTHING_ELSE = "*"
_UNCONTESTED = REASONS.index(UNCONTESTED)

PROVENANCE_SCHEMA = pa.schema(
    [
        ("golden_id", pa.string()),
        ("attribute", pa.string()),
        ("source", pa.string()),
        ("entity", pa.string()),
        ("record_id", pa.string()),
        ("rule", pa.string()),
        ("losers", pa.string()),
        ("decision_id", pa.int64()),
    ]
)
"""Per customer and group of attributes (``*``: all others): the winning record, the rule that decided, and as
JSON the values that lost: a list of ``{"source", "entity", "record_id", "value"}``, one per distinct value. Where a
steward set a value (``corrected``), the rule is ``steward`` and the record the one that the decision names; for one
column of a group there is a row beside the group's."""


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
    entries = [_of_single_records(layout)]
    if len(layout.shared):
        star = _most_complete(layout, list(outcomes.values()))
        everyone, nothing_lost = np.zeros_like(star), pa.nulls(len(star), pa.string())
        entries.append(_Entries(layout.shared, everyone, star, everyone + _UNCONTESTED, nothing_lost))
        for place, group in enumerate(policy.groups):
            outcome = outcomes[group.name]
            told = (outcome.reason == _UNCONTESTED) & outcome.holders[star]
            own = np.flatnonzero((outcome.winner >= 0) & ~told)
            losers = _losers(records, group, outcome, len(layout.shared)).take(pa.array(own))
            name = np.full(len(own), place + 1)
            entries.append(
                _Entries(layout.shared[own], name, outcome.winner[own], outcome.reason[own], losers)
            )
    names = [EVERYTHING_ELSE, *(group.name for group in policy.groups)]
    return _table(entries, records, ids, names)


def _most_complete(layout: Layout, outcomes: Sequence[Outcome]) -> Ints:
    """Per customer the first of the rows that hold most of the uncontested values."""
    held = np.zeros(layout.rows, np.int64)
    for outcome in outcomes:
        uncontested = outcome.reason == _UNCONTESTED
        held += outcome.holders & uncontested[layout.customer]
    most = np.maximum.reduceat(held, layout.shared_starts)[layout.customer]
    rows = np.where(held == most, np.arange(layout.rows), layout.rows)
    first: Ints = np.minimum.reduceat(rows, layout.shared_starts)
    return first


@dataclass(frozen=True)
class _Entries:
    """Rows of the table to be.

    Attributes:
        customer: Place of the customer.
        name: Place of the attribute's name.
        row: The winning row.
        reason: Why, as a place in ``REASONS``.
        losers: JSON text.
    """

    customer: Ints
    name: Ints
    row: Ints
    reason: Ints
    losers: pa.Array


def _of_single_records(layout: Layout) -> _Entries:
    alone = np.flatnonzero(layout.sizes == 1)
    reason = np.full_like(alone, REASONS.index(SINGLE_RECORD))
    nothing_lost = pa.nulls(len(alone), pa.string())
    return _Entries(alone, np.zeros_like(alone), layout.starts[alone], reason, nothing_lost)


def _table(entries: Sequence[_Entries], records: pa.Table, ids: pa.Array, names: Sequence[str]) -> pa.Table:
    customer = np.concatenate([entry.customer for entry in entries])
    name = np.concatenate([entry.name for entry in entries])
    order = np.lexsort((name, customer))
    row = np.concatenate([entry.row for entry in entries])[order]
    reason = np.concatenate([entry.reason for entry in entries])[order]
    winner = records.select(RECORD_KEY).take(pa.array(row))
    columns = {
        "golden_id": ids.take(pa.array(customer[order])),
        "attribute": pa.array(names).take(pa.array(name[order])),
        **{key: winner[key] for key in RECORD_KEY},
        "rule": pa.array(REASONS).take(pa.array(reason)),
        "losers": pa.concat_arrays([entry.losers for entry in entries]).take(pa.array(order)),
        "decision_id": pa.nulls(len(order), pa.int64()),
    }
    return pa.table(columns, schema=PROVENANCE_SCHEMA)


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
