"""What people said about consent, as the e-mail tool logs it: subscriptions, confirmations, unsubscribes, objections.

Belongs here: who said what when, and the truth of what each said last. Does not belong here: opt-outs and ticks that
stand in the records of CRM and shop (crm, shop), whose mailbox it is (assembly).

There are contradictions on purpose: a yes and a no at one second, statements delivered twice under two numbers, boxes
that several persons have, visitors whom nobody knows, subscriptions that were never confirmed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cdm_demo.dates import clock, iso_day
from cdm_demo.draws import Flags, Ints
from cdm_demo.headers import MAIL_CONSENT
from cdm_demo.touches import Chunk, Stage, chunks, local_time, pick, prefixed

CONSENT_COLUMNS = ("truth_id", "mailbox", "purpose", "channel", "state", "stated_at")
_STATES = ("subscribed", "unsubscribed", "objection", "pending")
_GIVEN, _WITHDRAWN, _OBJECTED, _PENDING = range(4)
_TOLD = ("given", "withdrawn", "objected")
_PURPOSES = ("newsletter", "profiling")
_KEYS = ("marketing", "personalisation")
_TEXTS_FROM = (-730, -270)
"""First days of the texts that were agreed to, from the first day of the extracts; all statements are of later days."""


@dataclass(frozen=True, slots=True)
class _Said:
    """Statements: whose, what, about which purpose, when; ``known`` is not set for a visitor whom nobody knows."""

    party: Ints
    state: Ints
    purpose: Ints
    moment: Ints
    known: Flags
    confirmed: Ints


def statements(stage: Stage) -> tuple[Iterator[Chunk], list[str]]:
    """The log of the e-mail tool by day, and lines of ``truth/consent.csv``."""
    said = _said(stage)
    return _written(stage, said), _truth(stage, said)


def _said(stage: Stage) -> _Said:
    draws, audience, window = stage.draws, stage.audience, stage.window
    size = len(audience.number)
    reachable = (audience.mailbox != "") & draws.chance("says anything", size, 0.4)
    who = np.flatnonzero(reachable)
    n = len(who)
    begun = window.start - 1 - (draws.uniform("day", n) * 700).astype(np.int64)
    second = draws.integers("second", n, 8 * 3600, 20 * 3600)
    first = begun * 86_400 + second
    pending = draws.chance("never confirmed", n, 0.05)
    left = ~pending & draws.chance("left", n, 0.2)
    later = (
        first
        + 86_400
        + (draws.uniform("stay", n) * (window.end * 86_400 - first - 2 * 86_400)).astype(np.int64)
    )
    same = ~pending & ~left & draws.chance("both at once", n, 0.02)
    again = ~pending & draws.chance("delivered twice", n, 0.05)
    back = left & draws.chance("came back", n, 0.2)
    profiled = draws.chance("objects to profiling", n, 0.06)
    lately = ~pending & (window.days > 1) & draws.chance("lately", n, 0.06)
    of_late = window.start + 1 + (draws.uniform("late day", n) * (window.days - 1)).astype(np.int64)
    changed = np.where(draws.chance("leaves lately", n, 0.6), _WITHDRAWN, _GIVEN)
    unknown = draws.chance("visitor", n, 0.03)
    groups = (
        (np.ones(n, dtype=bool), np.where(pending, _PENDING, _GIVEN), 0, first, True),
        (again, np.full(n, _GIVEN), 0, first, True),
        (same, np.full(n, _WITHDRAWN), 0, first, True),
        (left, np.full(n, _WITHDRAWN), 0, later, True),
        (back, np.full(n, _GIVEN), 0, np.minimum(later + 3600, window.end * 86_400 - 1), True),
        (profiled, np.full(n, _OBJECTED), 1, later, True),
        (lately, changed, 0, of_late * 86_400 + second, True),
        (unknown, np.full(n, _OBJECTED), 0, first, False),
    )
    return _Said(
        np.concatenate([who[flags] for flags, *_ in groups]),
        np.concatenate([state[flags] for flags, state, *_ in groups]),
        np.concatenate([np.full(int(flags.sum()), purpose) for flags, _, purpose, *_ in groups]),
        np.concatenate([moment[flags] for flags, _, _, moment, _ in groups]),
        np.concatenate([np.full(int(flags.sum()), known) for flags, *_, known in groups]),
        np.concatenate([np.where(pending, 1, 0)[flags] for flags, *_ in groups]),
    )


def _written(stage: Stage, said: _Said) -> Iterator[Chunk]:
    audience, window, counters = stage.audience, stage.window, stage.counters
    size = len(said.party)
    serial = counters.consent + 1 + np.arange(size)
    counters.consent += size
    visitor = np.where(said.known, -1, 0)
    tokens = [f"{number * 2_654_435_761 % 4_294_967_296:08x}" for number in serial.tolist()]
    texts = [day[:7] for day in iso_day(window.start + np.array(_TEXTS_FROM)).tolist()]
    opted = np.where((said.purpose == 0) & said.known & (said.state != _OBJECTED), said.confirmed, -1)
    columns = (
        prefixed("mc", serial),
        pick(audience.mailbox, np.where(said.known, said.party, -1)),
        pick(tokens, np.where(visitor == 0, np.arange(size), -1)),
        pick(_PURPOSES, said.purpose),
        pick(_STATES, said.state),
        local_time(said.moment),
        pick(("form", "mail", "preference centre"), said.state),
        pick(texts, (said.moment // 86_400 > window.start + _TEXTS_FROM[1]).astype(np.int64)),
        pick(("yes", "no"), opted),
    )
    day = window.file_day(said.moment // 86_400)
    yield from chunks(MAIL_CONSENT, day, np.lexsort((serial, said.moment)), columns, window.days)


def _truth(stage: Stage, said: _Said) -> list[str]:
    """What each person last said of their own mailbox; of a yes and a no at one moment, the no."""
    audience = stage.audience
    counts = said.known & (said.state != _PENDING)
    order = np.flatnonzero(counts)
    order = order[np.lexsort((said.state[order], said.moment[order], said.purpose[order], said.party[order]))]
    party, purpose = said.party[order], said.purpose[order]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (party[1:] != party[:-1]) | (purpose[1:] != purpose[:-1])
    rows = order[last]
    days, times = iso_day(said.moment[rows] // 86_400), clock(said.moment[rows] % 86_400)
    return [
        f"{audience.truth[p]},{audience.mailbox[p]},{_KEYS[said.purpose[row]]},email,"
        f"{_TOLD[said.state[row]]},{day} {time}"
        for row, p, day, time in zip(rows, said.party[rows], days, times, strict=True)
    ]
