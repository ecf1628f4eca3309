"""What is in doubt, and what it is worth to look at it.

Belongs here: kinds of doubt and their figures, pure functions of tables. Does not belong here: where tables come from
and go to (``queue``), what is decided (``decisions``).

The order is by priority = uncertainty x value, the largest first:

- uncertainty of a pair is the entropy of its probability in bits: 1 at one half, 0 where the model is sure. What
  contradicts a decision counts 1. Of a customer that may be several it is that of its weakest bridge, or of the share
  of its pairs that contradict being of one party; 1 where it is over-large.
- value is the sum over the customers of log2(1 + records) + log2(1 + orders) x 2^(-age / 365), where age is the days
  between the customer's last order and the newest order of all.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.hub.review import DOUBTS, ITEMS
from cdm_pipelines.linkage.cluster.health import Reason
from cdm_pipelines.steps.stewardship.kinds import Doubt
from cdm_pipelines.store.keys import positions

Floats = npt.NDArray[np.float64]

HALF_LIFE_DAYS = 365


_QUEUED = (Reason.SPLIT, Reason.AGAINST, Reason.LARGE, Reason.BRIDGE)
"""Reasons why a customer is in the queue by itself, the worst first; others are about pairs and conflicts."""


def values(facts: pa.Table, newest: float | None) -> Floats:
    """What each customer is worth to the one who looks, see above.

    Args:
        facts: ``hub.review.FACTS``.
        newest: The time of the newest order of any customer, in seconds.
    """
    records, orders = (facts[name].to_numpy().astype(np.float64) for name in ("records", "orders"))
    days = np.nan_to_num((newest or 0.0) - facts["last_order"].to_numpy()) / 86_400
    value: Floats = np.log2(1 + records) + np.log2(1 + orders) * 2.0 ** (-days / HALF_LIFE_DAYS)
    return value


def pairs_in_doubt(between: pa.Table, facts: pa.Table, value: Floats) -> pa.Table:
    """Pairs of customers as items, ``hub.review.ITEMS``.

    Args:
        between: ``hub.review.BETWEEN``.
        facts: Of their customers.
        value: Of each customer in ``facts``.
    """
    known = facts["golden_id"].combine_chunks()
    ends = np.stack([positions(between[name].combine_chunks(), known) for name in ("left_id", "right_id")], 1)
    is_match, probability = between["is_match"], between["probability"].to_numpy()
    sure = is_match.to_numpy(zero_copy_only=False).astype(bool)
    uncertainty = np.where(sure, 1.0, entropy(probability))
    doubt = pc.if_else(is_match, str(Doubt.CONFIRMED), str(Doubt.PAIR))
    columns = {
        "item_id": pc.binary_join_element_wise(doubt, between["left_id"], between["right_id"], "/"),
        "doubt": doubt,
        "left_id": between["left_id"],
        "right_id": between["right_id"],
        "probability": probability,
        "priority": uncertainty * value[ends].sum(axis=1),
        "finding": pa.repeat("", between.num_rows),
        "decision_id": pa.nulls(between.num_rows, pa.int64()),
    }
    return pa.table(columns, schema=ITEMS)


def customers_in_doubt(health: pa.Table, golden_id: pa.Array) -> pa.Table:
    """Customers that may be several, and confirmed ones that the evidence would split: ``hub.review.DOUBTS``.

    Args:
        health: ``linkage.cluster.health.HEALTH_SCHEMA``.
        golden_id: The customer of each row; null where there is none.
    """
    reason = pc.index_in(health["reason"], value_set=pa.array([*map(str, _QUEUED)]))
    chosen = pc.and_(reason.is_valid(), golden_id.is_valid())
    health, reason, golden_id = health.filter(chosen), reason.filter(chosen), golden_id.filter(chosen)
    size, against = (health[name].to_numpy() for name in ("records", "against"))
    bridge = 1 / (1 + np.exp2(-np.clip(health["bridge"].to_numpy(), -500, 500)))
    place = reason.to_numpy()
    uncertainty = np.ones(health.num_rows)
    is_bridge, is_against = (place == _QUEUED.index(one) for one in (Reason.BRIDGE, Reason.AGAINST))
    uncertainty[is_bridge] = entropy(bridge[is_bridge])
    uncertainty[is_against] = entropy(2 * against[is_against] / (size[is_against] * (size[is_against] - 1)))
    told: dict[str, dict[str, Any]] = {}
    rows = zip(golden_id.to_pylist(), health.to_pylist(), strict=True)
    for at, (customer, row) in sorted(enumerate(rows), key=lambda one: (int(place[one[0]]), one[0])):
        found = told.setdefault(
            customer, {"golden_id": customer, "doubt": Doubt.CLUSTER, "uncertainty": -1.0, "finding": []}
        )
        found["finding"].append(_said(row))
        if row["reason"] == Reason.SPLIT:
            found["doubt"] = Doubt.SPLIT
        if (
            uncertainty[at] > found["uncertainty"]
        ):  # of several reasons the most uncertain counts; all are told
            probability = float(bridge[at]) if is_bridge[at] else None
            found |= {"uncertainty": float(uncertainty[at]), "probability": probability}
    return pa.Table.from_pylist(
        [
            {**found, "doubt": str(found["doubt"]), "finding": "; ".join(found["finding"])}
            for _, found in sorted(told.items())
        ],
        DOUBTS,
    )


def doubtful_items(doubts: pa.Table, facts: pa.Table, value: Floats) -> pa.Table:
    """Customers in doubt as items, ``hub.review.ITEMS``; see :func:`pairs_in_doubt`."""
    at = positions(doubts["golden_id"].combine_chunks(), facts["golden_id"].combine_chunks())
    doubts, at = doubts.filter(pa.array(at >= 0)), at[at >= 0]
    columns = {
        "item_id": pc.binary_join_element_wise("customer", doubts["golden_id"], "/"),
        "doubt": doubts["doubt"],
        "left_id": doubts["golden_id"],
        "right_id": pa.nulls(doubts.num_rows, pa.string()),
        "probability": doubts["probability"],
        "priority": doubts["uncertainty"].to_numpy() * value[at],
        "finding": doubts["finding"],
        "decision_id": pa.nulls(doubts.num_rows, pa.int64()),
    }
    return pa.table(columns, schema=ITEMS)


def entropy(probability: Floats) -> Floats:
    """In bits."""
    inside = np.clip(probability, 1e-12, 1 - 1e-12)
    bits: Floats = -inside * np.log2(inside) - (1 - inside) * np.log2(1 - inside)
    return bits


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
