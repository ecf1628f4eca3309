"""Who orders when, over the books of all systems.

Belongs here: spreading the purchases of a party over the records that can order, or telling the behaviour of parties
from orders that are there. Does not belong here: how parties behave (behaviour), what is ordered (orders).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cdm_demo import behaviour, orders
from cdm_demo.behaviour import Behaviour
from cdm_demo.books import Book
from cdm_demo.draws import Draws, Flags, Ints


@dataclass(frozen=True, slots=True)
class Till:
    """A book whose records can order.

    Attributes:
        draws: Streams of its orders.
        book: The records.
        party: Position of each record's party among persons and organisations.
        able: Which records can order.
        since: Day number from which each record can have ordered.
        trade: Which records buy more at a time.
    """

    draws: Draws
    book: Book
    party: Ints
    able: Flags
    since: Ints
    trade: Flags


def steady(
    tills: Sequence[Till], draws: Draws, size: int, *, start: int, days: int
) -> tuple[list[orders.Orders], Behaviour]:
    """Orders drawn record by record, and behaviour that agrees with them.

    Args:
        tills: All books that can order.
        draws: Streams of the behaviour.
        size: Number of parties.
        start: Day number of the base day.
        days: Days of the run.

    Returns:
        Orders per till, and how the parties behave.
    """
    placed = []
    for till in tills:
        moments = orders.steady(
            till.draws, till.book, able=till.able, since=till.since, trade=till.trade, start=start, days=days
        )
        placed.append(orders.filled(till.draws, moments, trade=till.trade, start=start))
    party = np.concatenate([till.party[made.owner] for till, made in zip(tills, placed, strict=True)])
    day = np.concatenate([made.day for made in placed])
    return placed, behaviour.told(draws, size, party, day, end=start + days)


def lifelike(
    tills: Sequence[Till], draws: Draws, size: int, *, start: int, days: int
) -> tuple[list[orders.Orders], Behaviour]:
    """Behaviour drawn party by party, and the orders that follow from it; as ``steady``."""
    records = [till.able & (till.book.first_day == 0) for till in tills]
    party = np.concatenate([till.party[able] for till, able in zip(tills, records, strict=True)])
    since = np.full(size, -1, dtype=np.int64)
    np.maximum.at(
        since, party, np.concatenate([t.since[able] for t, able in zip(tills, records, strict=True)])
    )
    behaves = behaviour.planted(draws, since, start=start, end=start + days)
    bought = behaves.purchases
    # Every purchase is made with one of the records of its party.
    order = np.argsort(party, kind="stable")
    begin = np.searchsorted(party[order], np.arange(size))
    count = np.bincount(party, minlength=size)
    chosen = (draws.uniform("record", len(bought.party)) * count[bought.party]).astype(np.int64)
    record = order[begin[bought.party] + chosen] if len(order) else np.zeros(0, dtype=np.int64)
    placed, first = [], 0
    for till, able in zip(tills, records, strict=True):
        rows = np.flatnonzero(able)
        mine = (record >= first) & (record < first + len(rows))
        moments = orders.Moments(rows[record[mine] - first], bought.day[mine], behaves.spend[till.party])
        placed.append(orders.filled(till.draws, moments, trade=till.trade, start=start))
        first += len(rows)
    return placed, behaves
