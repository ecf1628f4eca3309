"""Tickets of the service desk, as Zendesk's incremental export tells of them: a row each time one changes.

Belongs here: complaints, questions, when they are solved, how they are rated. Does not belong here: what went wrong
with an order (behaviour).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cdm_demo.draws import Ints
from cdm_demo.headers import DESK_TICKET
from cdm_demo.touches import Chunk, Stage, chunks, local_time, pick, prefixed, whole

_UPDATES, _STATUS = ("created", "complaint", "solved", "rated"), ("new", "open", "solved", "closed")
_CREATED, _COMPLAINT, _SOLVED, _RATED = range(4)
_CHANNELS = ("email", "web", "chat", "voice")
_VOICE = 3
_ROWS_PER_QUESTION = 2.4
_SUBJECTS = (
    "Klacht: bestelling te laat geleverd",
    "Klacht: artikel beschadigd",
    "Waar blijft mijn bestelling?",
    "Vraag over een artikel",
    "Vraag over mijn factuur",
    "Adres wijzigen",
    "Retour aanmelden",
)
_TOO_LATE, _DAMAGED, _WHERE, _OTHERS = 0, 1, 2, 3
_FEW = (30, 28, 22, 12, 8)
_MANY = (3, 5, 12, 36, 44)
"""Weights of the scores 1 to 5, of complaints and of questions."""


@dataclass(frozen=True, slots=True)
class _Tickets:
    """Tickets, in the order in which they were opened."""

    party: Ints
    opened: Ints
    subject: Ints


def tickets(stage: Stage, *, rows: int) -> Iterator[Chunk]:
    """Rows of all tickets; every complaint that was planted is there, however many rows are asked for.

    Args:
        stage: Who can ask, when, and what went wrong with their purchases.
        rows: How many there are to be, about.
    """
    draws, counters = stage.draws, stage.counters
    made = _opened(stage, rows)
    size = len(made.party)
    complaint = made.subject <= _DAMAGED
    number = 10_000 + counters.ticket + np.arange(size)
    counters.ticket += size
    haste = draws.uniform("effort", size)
    solved = made.opened + 900 + (haste * haste * np.where(complaint, 12, 5) * 86_400).astype(np.int64)
    forgotten = draws.chance("forgotten", size, 0.02)
    rated = solved + 1800 + draws.integers("rating", size, 0, 2 * 86_400)
    asked = ~forgotten & draws.chance("answers", size, 0.45)
    low, high = draws.pick("low score", size, _FEW), draws.pick("high score", size, _MANY)
    score = 1 + np.where(complaint, low, high)
    moments = np.concatenate([made.opened, made.opened + 600, solved, rated])
    there = np.concatenate([np.ones(size, dtype=bool), complaint, ~forgotten, asked])
    update, ticket = np.repeat(np.arange(4), size)[there], np.tile(np.arange(size), 4)[there]
    yield from _written(stage, made, number, (moments[there], update, ticket, solved, score))


def _opened(stage: Stage, rows: int) -> _Tickets:
    draws, audience, behaviour, window = stage.draws, stage.audience, stage.behaviour, stage.window
    bought = behaviour.purchases
    worried = bought.late & ~bought.complaint & draws.chance("worried", len(bought.party), 0.5)
    at = np.flatnonzero(bought.complaint | worried)
    subject = np.where(worried[at], _WHERE, np.where(bought.late[at], _TOO_LATE, _DAMAGED))
    wait = 1 + draws.integers("wait", len(bought.party), 0, 8)[at]
    able = np.flatnonzero(audience.mailbox != "")
    more = max(0, int((rows - len(at) * _ROWS_PER_QUESTION) / _ROWS_PER_QUESTION)) if len(able) else 0
    asks = able[draws.integers("who asks", more, 0, max(len(able), 1))]
    day = np.concatenate([bought.day[at] + wait, window.days_of(draws.uniform("day", more))])
    other = draws.integers("question", more, _OTHERS, len(_SUBJECTS))
    party, subject = np.concatenate([bought.party[at], asks]), np.concatenate([subject, other])
    opened = day * 86_400 + 8 * 3600 + draws.integers("second", len(party), 0, 10 * 3600)
    order = np.lexsort((party, opened))
    order = order[(audience.mailbox[party[order]] != "") | (audience.phone[party[order]] != "")]
    return _Tickets(party[order], opened[order], subject[order])


def _written(
    stage: Stage, made: _Tickets, number: Ints, updates: tuple[Ints, Ints, Ints, Ints, Ints]
) -> Iterator[Chunk]:
    draws, audience, window, counters = stage.draws, stage.audience, stage.window, stage.counters
    moment, update, ticket, solved, score = updates
    size = len(made.party)
    calls = (draws.pick("channel", size, (44, 22, 16, 18)) == _VOICE) | (audience.mailbox[made.party] == "")
    channel = np.where(calls, _VOICE, draws.pick("written", size, (52, 28, 20)))
    # Who calls is known by the number; a mailbox is asked for now and then, and where no number is known.
    mailed = ~calls | (audience.phone[made.party] == "") | draws.chance("mailbox asked", size, 0.35)
    party = made.party[ticket]
    serial = counters.touch + 1 + np.arange(len(ticket))
    counters.touch += len(ticket)
    columns = (
        prefixed("zu", serial),
        whole(number[ticket]),
        pick(_UPDATES, update),
        local_time(moment),
        pick(audience.mailbox, np.where(mailed[ticket], party, -1)),
        pick(audience.phone, np.where(calls[ticket], party, -1)),
        pick(_CHANNELS, channel[ticket]),
        pick(_SUBJECTS, made.subject[ticket]),
        pick(_STATUS, update),
        local_time(made.opened[ticket]),
        local_time(np.where(update >= _SOLVED, solved[ticket], -1)),
        pick(("1", "2", "3", "4", "5"), np.where(update == _RATED, score[ticket] - 1, -1)),
    )
    order = np.lexsort((serial, moment))
    yield from chunks(DESK_TICKET, window.file_day(moment // 86_400), order, columns, window.days)
