"""What became of mailings, as Mailchimp exports the activity of campaigns.

Belongs here: who is sent what, opens, clicks, bounces, unsubscriptions. Does not belong here: whose mailbox it is
(assembly), why somebody reads no more (behaviour).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cdm_demo.dates import iso_day
from cdm_demo.draws import Draws, Flags, Ints
from cdm_demo.headers import MAIL_ACTIVITY
from cdm_demo.touches import Chunk, Stage, Window, chunks, local_time, pick, prefixed

_ACTIONS = ("sent", "open", "click", "bounce", "unsubscribe")
_SENT, _OPEN, _CLICK, _BOUNCE, _UNSUBSCRIBE = range(5)
_ROWS_PER_MAIL = 1.4
_SUBJECTS = (
    "Nieuw binnen deze week",
    "Alles voor uw tuin",
    "Alleen dit weekend: gratis verzending",
    "Tips voor een warm huis",
    "Uw favorieten zijn weer op voorraad",
    "Uitverkoop: tot 40% korting",
)
_URL = "https://www.huisenhof.example/actie/"


@dataclass(frozen=True, slots=True)
class _Sent:
    """Mails, by recipient and time."""

    party: Ints
    campaign: Ints
    day: Ints
    second: Ints


def activity(stage: Stage, *, rows: int) -> Iterator[Chunk]:
    """Activity of all campaigns.

    Args:
        stage: Who can be mailed, when, and how much they read.
        rows: How many there are to be, about.
    """
    draws, audience, behaviour, window = stage.draws, stage.audience, stage.behaviour, stage.window
    who = np.flatnonzero(audience.subscribed)
    if not len(who):
        return
    each = rows / _ROWS_PER_MAIL / len(who)
    campaigns = _campaigns(window, each)
    sent = _sent(draws, who, campaigns, min(1.0, each / len(campaigns)))
    size = len(sent.party)
    reads = np.minimum(0.3 * behaviour.opens[sent.party] * behaviour.engaged(sent.party, sent.day), 0.9)
    dead = draws.chance("dead mailbox", len(audience.number), 0.02)[sent.party]
    full = draws.chance("full mailbox", size, 0.004)
    opened = ~dead & ~full & (draws.uniform("open", size) < reads)
    clicked = opened & draws.chance("click", size, 0.22)
    left = opened & draws.chance("unsubscribe", size, 0.012)
    # Who has unsubscribed, or whose mailbox is gone, is mailed no more.
    last = dead | left
    before: Ints = np.cumsum(last) - last
    first = np.flatnonzero(np.diff(np.insert(sent.party, 0, -1)) != 0)
    lasting: Flags = before == np.repeat(before[first], np.diff(np.append(first, size)))
    wait = draws.uniform("wait", size)
    opening = sent.day * 86_400 + sent.second + 60 + (wait * wait * wait * 2.5 * 86_400).astype(np.int64)
    sending = sent.day * 86_400 + sent.second
    events = (
        (_SENT, lasting, sending),
        (_OPEN, lasting & opened, opening),
        (_CLICK, lasting & clicked, opening + 20 + (draws.uniform("to click", size) * 400).astype(np.int64)),
        (_BOUNCE, lasting & (dead | full), sending + 40),
        (_UNSUBSCRIBE, lasting & left, opening + 450),
    )
    yield from _written(stage, events, sent, dead, campaigns)


def _campaigns(window: Window, each: float) -> Ints:
    """Days of the campaigns: one a week, or more where everybody is to get more."""
    weeks = (window.back + window.days) // 7 + 1
    times = max(1, int(np.ceil(each / weeks)))
    step = np.arange(weeks * times)
    days = window.start - window.back + 3 + step // times * 7 + step % times * 7 // times
    return days[days < window.end]


def _sent(draws: Draws, who: Ints, campaigns: Ints, share: float) -> _Sent:
    drawn = draws.uniform("sent", len(who) * len(campaigns)).reshape(len(who), len(campaigns))
    place, campaign = np.nonzero(drawn < share)
    second = 9 * 3600 + draws.integers("second", len(place), 0, 1800)
    return _Sent(who[place], campaign, campaigns[campaign], second)


def _written(
    stage: Stage, events: tuple[tuple[int, Flags, Ints], ...], sent: _Sent, dead: Flags, campaigns: Ints
) -> Iterator[Chunk]:
    audience, window, counters = stage.audience, stage.window, stage.counters
    mail = np.concatenate([np.flatnonzero(flags) for _, flags, _ in events])
    action = np.concatenate([np.full(int(flags.sum()), code) for code, flags, _ in events])
    moment = np.concatenate([moments[flags] for _, flags, moments in events])
    day = moment // 86_400
    campaign = sent.campaign[mail]
    serial = counters.touch + 1 + np.arange(len(mail))
    counters.touch += len(mail)
    dates = iso_day(campaigns)
    columns = (
        prefixed("ma", serial),
        pick(audience.mailbox, sent.party[mail]),
        pick(_ACTIONS, action),
        local_time(moment),
        pick([f"{n * 2_654_435_761 % 4_294_967_296:08x}" for n in campaigns.tolist()], campaign),
        pick([f"Nieuwsbrief {date}" for date in dates], campaign),
        pick(_SUBJECTS, campaigns[campaign] % len(_SUBJECTS)),
        pick([_URL + date for date in dates], np.where(action == _CLICK, campaign, -1)),
        pick(("soft", "hard"), np.where(action == _BOUNCE, dead[mail], -1)),
    )
    yield from chunks(MAIL_ACTIVITY, window.file_day(day), np.lexsort((serial, moment)), columns, window.days)
