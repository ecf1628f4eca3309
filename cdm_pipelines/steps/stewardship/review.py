"""What a steward should look at first, as publications and decisions have left it.

Belongs here: reading the queue. Does not belong here: what is in doubt (``doubts``), writing the queue (``queue``),
deciding (``decisions``).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from cdm_pipelines.hub import queries
from cdm_pipelines.hub import review_queue as hub
from cdm_pipelines.steps.stewardship.kinds import Doubt

ABOUT: Mapping[Doubt, str] = {
    Doubt.PAIR: "pairs",
    Doubt.CONFIRMED: "pairs",
    Doubt.CONFLICT: "conflicts",
    Doubt.CLUSTER: "customers",
    Doubt.SPLIT: "customers",
}
"""What doubts are about."""


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


def queue(connection: Connection, limit: int = 20) -> tuple[list[Item], int]:
    """The first items of the queue, and how many there are in all."""
    items = [_item(row) for row in hub.first_items(connection, limit)]
    return items, hub.count_all_items(connection)


def waiting(connection: Connection) -> Waiting:
    """How much there is to look at."""
    items = dict.fromkeys(ABOUT.values(), 0)
    for doubt, count in hub.count_items(connection).items():
        items[ABOUT[Doubt(doubt)]] += count
    return Waiting(items, hub.oldest_conflict(connection))


def names(connection: Connection, golden_ids: Sequence[str]) -> dict[str, str]:
    """Names of customers by golden id."""
    cards = queries.cards(connection, map(UUID, golden_ids))
    return {str(golden_id): str(row["name"] or "") for golden_id, row in cards.items()}


def _item(row: Mapping[str, Any]) -> Item:
    left, right = (str(row[name] or "") for name in ("left_id", "right_id"))
    doubt, probability = Doubt(row["doubt"]), row["probability"]
    return Item(doubt, left, right, probability, float(row["priority"]), row["finding"])
