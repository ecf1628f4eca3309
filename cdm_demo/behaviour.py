"""How customers behave: how often they buy, when they leave, what drove them away, how much they look and read.

Belongs here: purchase rates, drop-out and its drivers, planted or told from orders that are there, and the rows of
``truth/behaviour.csv``. Does not belong here: what they order (orders), the traces they leave (web, mail, desk).

A customer buys at a rate of one's own until, right after a purchase and be it the first, one leaves for good: MBG/NBD
(Batislam, Denizel and Filiztekin 2007), in days; by BG/NBD nobody leaves after the first. Rates are nearly gamma,
chances of leaving nearly beta distributed; a late delivery and a complaint multiply the chance of that purchase. Both
distributions are tables, so that every platform makes the same bits.
"""

from dataclasses import dataclass

import numpy as np

from cdm_demo.dates import iso_day
from cdm_demo.draws import Draws, Flags, Floats, Ints, Text

COLUMNS = (
    "truth_id", "purchases", "first_on", "last_on", "rate", "drop_chance", "late", "complaints", "dropped_on",
    "alive", "visits", "opens", "slow",
)  # fmt: skip
"""One row per party that has bought.

purchases: days with an order. rate: purchases a year; planted where purchases are, else those there were. drop_chance:
of leaving after a purchase of which nothing went wrong. late, complaints: purchases that came late, that were
complained of. dropped_on: the purchase after which the customer left; empty while alive. visits, opens: how much one
looks at the web shop and reads of one's mail, 1 being usual, while alive. slow: yes for who pays late by habit.
"""

_KNOTS = np.array([*range(0, 9376, 625), 9600, 9800, 9900, 9970, 10000]) / 10_000
_RATES = np.array([
    0, 160, 355, 576, 822, 1094, 1397, 1737, 2121, 2561, 3073, 3683, 4434, 5410, 6795, 9180, 10724, 13131, 15545,
    19754, 26038,
]) / 1000  # fmt: skip
"""Purchases a year: quantiles of a gamma distribution of shape 0.9 and mean 3.2."""
_USUAL_RATE = 3.2
_CHANCES = np.array([
    0, 90, 200, 322, 456, 602, 763, 939, 1135, 1353, 1601, 1887, 2226, 2645, 3201, 4062, 4560, 5254, 5861, 6740, 7717,
]) / 10_000  # fmt: skip
"""Chances of leaving: quantiles of a beta distribution (0.9, 5)."""
_LEVELS = np.array([0.1, 0.3, 0.6, 1.0, 1.6, 2.6])
_LATE, _COMPLAINT, _COMPLAINT_WHEN_LATE = 0.08, 0.02, 0.3
_WORSE_WHEN_LATE, _WORSE_WITH_COMPLAINT = 1.0, 2.5
"""What a late delivery and a complaint add to the chance of leaving, as multiples of it."""
HISTORY, _BUYERS, _FADE, _STILL = 730, 0.55, 45, 0.04
_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Purchases:
    """Days on which parties buy, by party and day.

    Attributes:
        party: Position of the party.
        day: Day number.
        late: Whether it was delivered late.
        complaint: Whether the customer complained.
    """

    party: Ints
    day: Ints
    late: Flags
    complaint: Flags


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the parties of a block behave; every array has one value per party.

    Attributes:
        purchases: All of them.
        rate: Purchases a year.
        chance: Of leaving after a purchase of which nothing went wrong.
        dropped: Day number of the purchase after which the party left, -1 for none.
        visits: How much one looks at the web shop.
        opens: How much one reads of one's mail.
        spend: By how much quantities are multiplied.
        slow: Whether one pays late by habit.
    """

    purchases: Purchases
    rate: Floats
    chance: Floats
    dropped: Ints
    visits: Floats
    opens: Floats
    spend: Ints
    slow: Flags

    def engaged(self, party: Ints, day: Ints) -> Floats:
        """Share that is left of a party's engagement on a day: all of it until it leaves, then it fades."""
        dropped = self.dropped[party]
        faded = 1.0 - (day - dropped) / _FADE
        return np.where((dropped < 0) | (day <= dropped), 1.0, np.maximum(faded, _STILL))


def planted(draws: Draws, since: Ints, *, start: int, end: int) -> Behaviour:
    """Draw who buys when, from rates and chances of their own.

    Args:
        draws: Streams of this use.
        since: Day number from which each party can have bought, -1 for who cannot.
        start: Day number of the base day.
        end: Day number after the last day.
    """
    size = len(since)
    rate, chance = np.interp(draws.uniform("rate", size), _KNOTS, _RATES), _chances(draws, size)
    buys = (since >= 0) & draws.chance("buys", size, _BUYERS)
    low = np.maximum(since, start - HISTORY)
    first = low + (draws.uniform("first", size) * (end - low)).astype(np.int64)
    parties, days = [np.flatnonzero(buys)], [first[buys]]
    for at in range(start - HISTORY, end, _CHUNK):
        width = min(_CHUNK, end - at)
        drawn = draws.uniform(f"days {at - start}", size * _CHUNK).reshape(size, _CHUNK)[:, :width]
        party, offset = np.nonzero(drawn < (rate / 365)[:, None])
        day = at + offset
        wanted = buys[party] & (day > first[party])
        parties.append(party[wanted])
        days.append(day[wanted])
    party, day = np.concatenate(parties), np.concatenate(days)
    order = np.lexsort((day, party))
    bought = _troubled(draws, party[order], day[order])
    left = draws.uniform("leaves", len(party)) < _hazard(chance, bought)
    # Whoever left once is gone: purchases after that did not happen.
    before: Ints = np.cumsum(left) - left
    stays: Flags = before == before[_first_of_party(bought.party)]
    dropped = np.full(size, -1, dtype=np.int64)
    gone = left & stays
    dropped[bought.party[gone]] = bought.day[gone]
    spend = np.array([1, 2, 4, 8])[draws.pick("spend", size, (58, 26, 11, 5))]
    kept = Purchases(bought.party[stays], bought.day[stays], bought.late[stays], bought.complaint[stays])
    visits, opens = _engagement(draws, size)
    # Who buys more looks around more.
    visits = visits * (0.3 + 0.7 * rate / _USUAL_RATE)
    return Behaviour(kept, rate, chance, dropped, visits, opens, spend, draws.chance("slow", size, 0.18))


def told(draws: Draws, size: int, party: Ints, day: Ints, *, end: int) -> Behaviour:
    """Draw behaviour that agrees with orders that are there: nobody has left before the last of them.

    Whether a customer left after that one is drawn from the chance of leaving and that of so long a silence.

    Args:
        draws: Streams of this use.
        size: Number of parties.
        party: Of each order.
        day: Of each order.
        end: Day number after the last day.
    """
    both = (
        np.unique(np.stack([party, day], axis=1), axis=0) if len(party) else np.zeros((0, 2), dtype=np.int64)
    )
    bought, chance = _troubled(draws, both[:, 0], both[:, 1]), _chances(draws, size)
    count = np.bincount(bought.party, minlength=size)
    last = np.flatnonzero(np.diff(np.append(bought.party, -1)) != 0)
    who = bought.party[last]
    silence = count[who] * (end - bought.day[last]) / HISTORY
    # Of the exponential function the first terms, which every platform adds up alike.
    survives = 1 / (1 + silence * (1 + silence * (1 / 2 + silence * (1 / 6 + silence / 24))))
    leaves = _hazard(chance, bought)[last]
    left = draws.uniform("leaves", size)[who] < leaves / (leaves + (1 - leaves) * survives)
    dropped = np.full(size, -1, dtype=np.int64)
    dropped[who[left]] = bought.day[last][left]
    spend, slow = np.ones(size, dtype=np.int64), np.zeros(size, dtype=bool)
    rate = count.astype(np.float64) * (365 / HISTORY)
    return Behaviour(bought, rate, chance, dropped, *_engagement(draws, size), spend, slow)


def _chances(draws: Draws, size: int) -> Floats:
    return np.interp(draws.uniform("chance", size), _KNOTS, _CHANCES)


def _engagement(draws: Draws, size: int) -> tuple[Floats, Floats]:
    levels = (12, 20, 24, 22, 14, 8)
    return _LEVELS[draws.pick("visits", size, levels)], _LEVELS[draws.pick("opens", size, levels)]


def _troubled(draws: Draws, party: Ints, day: Ints) -> Purchases:
    late = draws.chance("late", len(party), _LATE)
    complaint = draws.chance("complaint", len(party), np.where(late, _COMPLAINT_WHEN_LATE, _COMPLAINT))
    return Purchases(party, day, late, complaint)


def _hazard(chance: Floats, bought: Purchases) -> Floats:
    worse = 1 + _WORSE_WHEN_LATE * bought.late + _WORSE_WITH_COMPLAINT * bought.complaint
    return np.minimum(chance[bought.party] * worse, 0.95)


def _first_of_party(party: Ints) -> Ints:
    """Per purchase the position of its party's first one."""
    new = np.flatnonzero(np.diff(np.insert(party, 0, -1)) != 0)
    return np.repeat(new, np.diff(np.append(new, len(party))))


def rows(behaviour: Behaviour, truth: Text) -> list[str]:
    """Lines of the parties that have bought.

    Args:
        behaviour: Of the parties.
        truth: Their truth ids.
    """
    bought, size = behaviour.purchases, len(truth)
    count = np.bincount(bought.party, minlength=size)
    late = np.bincount(bought.party[bought.late], minlength=size)
    complaints = np.bincount(bought.party[bought.complaint], minlength=size)
    who = np.flatnonzero(count)
    end = np.cumsum(count[who])
    first, last = iso_day(bought.day[end - count[who]]), iso_day(bought.day[end - 1])
    dropped = behaviour.dropped[who]
    left = np.where(dropped < 0, "", iso_day(np.maximum(dropped, 0)))
    slow = np.where(behaviour.slow[who], "yes", "")
    cells = zip(
        truth[who], count[who].tolist(), first, last, behaviour.rate[who].tolist(), behaviour.chance[who].tolist(),
        late[who].tolist(), complaints[who].tolist(), left, np.where(dropped < 0, "yes", ""),
        behaviour.visits[who].tolist(), behaviour.opens[who].tolist(), slow, strict=True,
    )  # fmt: skip
    line = "{},{},{},{},{:.3f},{:.4f},{},{},{},{},{:.2f},{:.1f},{}"
    return [line.format(*row) for row in cells]
