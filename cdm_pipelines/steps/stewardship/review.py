"""What a steward should look at first.

Belongs here: what is in doubt, and the order in which it is worth a look. Does not belong here: deciding
(``decisions``). Each finder gives doubts of one kind; a further kind is a further finder.

The order is by priority = uncertainty x value, the largest first:

- uncertainty of a pair is the entropy of its probability in bits: 1 at one half, 0 where the model is sure. What
  contradicts a decision counts 1. Of a customer that may be several it is that of its weakest bridge, or of the share
  of its pairs that contradict being of one party; 1 where it is over-large.
- value is the sum over the customers of log2(1 + records) + log2(1 + orders) x 2^(-age / 365), where age is the days
  between the customer's last order and the newest order of all.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Engine

from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.hub import decisions as log
from cdm_pipelines.hub import queries
from cdm_pipelines.hub.load import read_table
from cdm_pipelines.identity import CROSSWALK_SCHEMA
from cdm_pipelines.identity.constraints import Constraints, constraints_of
from cdm_pipelines.identity.effective import effective
from cdm_pipelines.linkage.cluster.health import Reason
from cdm_pipelines.quality.shapes import shape
from cdm_pipelines.steps.linking import model_versions
from cdm_pipelines.steps.linking.health import read_health
from cdm_pipelines.steps.stewardship.decisions import read_log
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import composite_keys, positions
from cdm_pipelines.store.lake import Lake

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HALF_LIFE_DAYS = 365
_SIDES = (("left_source", "left_id"), ("right_source", "right_id"))
_FACTS = pa.schema(
    [
        ("golden_id", pa.string()),
        ("party_kind", pa.string()),
        ("records", pa.int64()),
        ("orders", pa.int64()),
        ("last_order", pa.float64()),
    ]
)


class Doubt(StrEnum):
    """Why something is in the queue."""

    PAIR = "pair"  # may be one party: between the thresholds of review and match
    CONFIRMED = "confirmed apart"  # a match, but both customers are confirmed
    CONFLICT = "conflict"  # a decision without effect, for it contradicts others
    CLUSTER = "cluster"  # one customer, but it may be several
    SPLIT = (
        "confirmed, falls apart"  # one confirmed customer, which nothing but the confirmation holds together
    )


@dataclass(frozen=True)
class Item:
    """Something to look at.

    Attributes:
        doubt: Why.
        left: Golden id; "" where a conflict names nobody published.
        right: The other golden id; "" where there is one only.
        probability: That the two are one party, by the model; of a customer held together by a weak bridge, that
            this is a match. None where there is no such thing.
        priority: Uncertainty x value.
        text: Of a conflict and of one customer, what is wrong.
    """

    doubt: Doubt
    left: str
    right: str
    probability: float | None
    priority: float
    text: str = ""


@dataclass(frozen=True)
class Waiting:
    """The size of the queue.

    Attributes:
        items: By what they are about: pairs, conflicts, customers.
        oldest_conflict: When the first decision was made that is in conflict now. How long a pair or a customer has
            been in doubt is not known.
    """

    items: Mapping[str, int]
    oldest_conflict: dt.datetime | None


@dataclass(frozen=True)
class _Situation:
    """What finders look at; customers are places in ``facts``, which is in order of golden id."""

    lake: Lake
    constraints: Constraints
    facts: pa.Table
    value: Floats
    records: pa.Array
    customer: Ints

    def of(self, sources: pa.Table, columns: tuple[str, str]) -> Ints:
        """The customer of each record, named ``source/entity`` and id; -1 for none."""
        at = positions(composite_keys(sources, *columns), self.records)
        found: Ints = np.where(at >= 0, self.customer[at], -1) if len(self.customer) else at
        return found

    def golden_id(self, customer: int) -> str:
        """The golden id of a customer."""
        return str(self.facts["golden_id"][customer]) if customer >= 0 else ""


Found = tuple[list[Item], int]
Finder = Callable[[_Situation, int], Found]


def queue(engine: Engine, lake: Lake, limit: int = 20) -> Found:
    """The first items of the queue, and how many there are in all."""
    with engine.connect() as connection:
        situation = _situation(connection, lake)
    found = [finder(situation, limit) for finder in FINDERS.values()]
    items = [item for some, _ in found for item in some]
    items.sort(key=lambda item: (-item.priority, item.doubt, item.left, item.right, item.text))
    return items[:limit], sum(total for _, total in found)


def waiting(engine: Engine, lake: Lake) -> Waiting:
    """How much there is to look at."""
    with engine.connect() as connection:
        situation = _situation(connection, lake)
    conflicts = situation.constraints.decided.conflicts
    return Waiting(
        {name: finder(situation, 0)[1] for name, finder in FINDERS.items()},
        min((conflict.decision.decided_at for conflict in conflicts), default=None),
    )


def names(engine: Engine, golden_ids: Sequence[str], *, values: bool = False) -> dict[str, str]:
    """Names of customers by golden id; without ``values`` only the shape of each."""
    with engine.connect() as connection:
        found = {
            str(golden_id): str(row["name"] or "")
            for golden_id, row in queries.cards(connection, map(UUID, golden_ids)).items()
        }
    return found if values else {golden_id: shape(name) for golden_id, name in found.items()}


def _situation(connection: Connection, lake: Lake) -> _Situation:
    constraints = constraints_of(effective(read_log(connection)))
    facts = read_table(connection, log.customer_facts(), _FACTS)
    crosswalk = queries.read_crosswalk(connection, CROSSWALK_SCHEMA)
    named = pa.table(
        {
            "source": pc.binary_join_element_wise(crosswalk["source"], crosswalk["entity"], "/"),
            "record_id": crosswalk["record_id"],
        }
    )
    customer = positions(crosswalk["golden_id"].combine_chunks(), facts["golden_id"].combine_chunks())
    return _Situation(
        lake, constraints, facts, _value(facts), composite_keys(named, "source", "record_id"), customer
    )


def _value(facts: pa.Table) -> Floats:
    """What each customer is worth to the one who looks, see above."""
    records, orders = (facts[name].to_numpy().astype(np.float64) for name in ("records", "orders"))
    last = facts["last_order"].to_numpy()
    newest = np.nanmax(last) if np.isfinite(last).any() else 0.0
    days = np.nan_to_num(newest - last) / 86_400
    value: Floats = np.log2(1 + records) + np.log2(1 + orders) * 2.0 ** (-days / HALF_LIFE_DAYS)
    return value


def _doubtful_pairs(situation: _Situation, limit: int) -> Found:
    """Pairs that may be one party and are two customers, the most probable of each two customers."""
    if not (situation.facts.num_rows and tables.matches(situation.lake).exists):
        return [], 0
    matches = tables.matches(situation.lake).read([*_SIDES[0], *_SIDES[1], "probability"])
    ends = np.stack([situation.of(matches, side) for side in _SIDES], axis=1)
    ends.sort(axis=1)
    probability = matches["probability"].to_numpy()
    sure = probability >= _match(situation)[ends[:, 0]]
    open_ = (ends[:, 0] >= 0) & (ends[:, 0] != ends[:, 1]) & ~_decided(situation, ends)
    chosen = np.flatnonzero(open_ & (~sure | _confirmed_apart(situation, ends)))
    chosen = chosen[np.lexsort((-probability[chosen], ends[chosen, 1], ends[chosen, 0]))]
    chosen = chosen[np.unique(ends[chosen], axis=0, return_index=True)[1]]
    uncertainty = np.where(sure[chosen], 1.0, _entropy(probability[chosen]))
    priority = uncertainty * situation.value[ends[chosen]].sum(axis=1)
    first = np.lexsort((*ends[chosen].T[::-1], -priority))[:limit]
    items = [
        Item(
            Doubt.CONFIRMED if sure[at] else Doubt.PAIR,
            situation.golden_id(int(ends[at, 0])),
            situation.golden_id(int(ends[at, 1])),
            float(probability[at]),
            float(worth),
        )
        for at, worth in zip(chosen[first], priority[first], strict=True)
    ]
    return items, len(chosen)


def _confirmed_apart(situation: _Situation, ends: Ints) -> npt.NDArray[np.bool_]:
    """Pairs of two confirmed customers."""
    confirmed = situation.constraints.confirmed
    members = pa.Table.from_pandas(confirmed[["source", "record_id"]], preserve_index=False)
    group = np.full(situation.facts.num_rows + 1, -1, np.int64)
    group[situation.of(members, ("source", "record_id"))] = confirmed["group"].to_numpy()
    group[-1] = -1  # where records of no customer ended up
    left, right = group[ends].T
    found: npt.NDArray[np.bool_] = (left >= 0) & (right >= 0) & (left != right)
    return found


def _decided(situation: _Situation, ends: Ints) -> npt.NDArray[np.bool_]:
    """Pairs of customers about which a steward has decided already."""
    width = situation.facts.num_rows + 1
    found = np.zeros(len(ends), np.bool_)
    for pairs in (situation.constraints.same, situation.constraints.different):
        table = pa.Table.from_pandas(pairs, preserve_index=False)
        decided = np.stack([situation.of(table, side) for side in _SIDES], axis=1)
        decided.sort(axis=1)
        decided = decided[decided[:, 0] >= 0]
        found |= np.isin(ends[:, 0] * width + ends[:, 1], decided[:, 0] * width + decided[:, 1])
    return found


def _match(situation: _Situation) -> Floats:
    """The probability from which a pair is a match, by customer: each kind has a model of its own."""
    thresholds = np.ones(situation.facts.num_rows)
    for kind in PartyKind:
        model = model_versions.current(situation.lake, kind)
        if model is not None:
            thresholds[pc.equal(situation.facts["party_kind"], str(kind)).to_numpy()] = model.match
    return thresholds


def _conflicts(situation: _Situation, _limit: int) -> Found:
    """Decisions that have no effect."""
    items = []
    for conflict in situation.constraints.decided.conflicts:
        rows = [{"source": f"{r.source}/{r.entity}", "id": r.record_id} for r in conflict.clash.records]
        at = situation.of(pa.Table.from_pylist(rows), ("source", "id"))
        known = list(dict.fromkeys(at[at >= 0].tolist()))
        left = situation.golden_id(known[0]) if known else ""
        right = situation.golden_id(known[-1]) if len(known) > 1 else ""
        worth = float(situation.value[known].sum())
        items.append(Item(Doubt.CONFLICT, left, right, None, worth, conflict.text))
    return items, len(items)


def _unhealthy(situation: _Situation, limit: int) -> Found:
    """Customers that may be several, and confirmed ones that the evidence would split."""
    rows = read_health(situation.lake)
    of_interest = pa.array([*map(str, _QUEUED)])
    rows = rows.filter(pc.is_in(rows["reason"], value_set=of_interest))
    customer = situation.of(rows, ("source", "record_id"))
    size, against = (rows[name].to_numpy() for name in ("records", "against"))
    bridge = 1 / (1 + np.exp2(-np.clip(rows["bridge"].to_numpy(), -500, 500)))
    reason = pc.index_in(rows["reason"], value_set=of_interest).to_numpy()
    uncertainty = np.ones(len(customer))
    is_bridge, is_against = (reason == _QUEUED.index(one) for one in (Reason.BRIDGE, Reason.AGAINST))
    uncertainty[is_bridge] = _entropy(bridge[is_bridge])
    uncertainty[is_against] = _entropy(2 * against[is_against] / (size[is_against] * (size[is_against] - 1)))
    priority = uncertainty * np.append(situation.value, 0.0)[customer]

    chosen = np.flatnonzero(customer >= 0)
    # Of several reasons the most uncertain counts; all are told.
    chosen = chosen[np.lexsort((reason[chosen], -priority[chosen], customer[chosen]))]
    ones, first = np.unique(customer[chosen], return_index=True)
    best = chosen[first]
    order = np.lexsort((ones, -priority[best]))[:limit]
    items = []
    for place in order.tolist():
        row = int(best[place])
        mine = chosen[customer[chosen] == ones[place]]
        told = rows.take(pa.array(mine[np.argsort(reason[mine])])).to_pylist()
        is_split = any(one["reason"] == Reason.SPLIT for one in told)
        items.append(
            Item(
                Doubt.SPLIT if is_split else Doubt.CLUSTER,
                situation.golden_id(int(ones[place])),
                "",
                float(bridge[row]) if is_bridge[row] else None,
                float(priority[row]),
                "; ".join(map(_said, told)),
            )
        )
    return items, len(ones)


def _said(row: dict[str, Any]) -> str:
    """What is wrong with a cluster, without values."""
    match Reason(row["reason"]):
        case Reason.SPLIT:
            return f"only the confirmation holds {row['other_source']}/{row['other_id']}"
        case Reason.AGAINST:
            return f"{Reason.AGAINST}: {row['against']:,} of {row['records'] * (row['records'] - 1) // 2:,} pairs"
        case Reason.LARGE:
            return f"{Reason.LARGE}: {row['records']:,} records"
        case reason:
            return f"{reason}: {row['bridge']:+.1f} bits"


def _entropy(probability: Floats) -> Floats:
    """In bits."""
    inside = np.clip(probability, 1e-12, 1 - 1e-12)
    bits: Floats = -inside * np.log2(inside) - (1 - inside) * np.log2(1 - inside)
    return bits


_QUEUED = (Reason.SPLIT, Reason.AGAINST, Reason.LARGE, Reason.BRIDGE)  # others are found by other finders
FINDERS: Mapping[str, Finder] = {
    "pairs": _doubtful_pairs,
    "conflicts": _conflicts,
    "customers": _unhealthy,
}
"""Where doubts come from, by what they are about."""
