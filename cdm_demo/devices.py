"""Devices and the tokens by which web analytics knows them.

Belongs here: whose device a visit is made on, tokens of one's own, of shared devices, of strangers, and values that are
none. Does not belong here: what happens in a visit (web).
"""

from dataclasses import dataclass

import numpy as np

from cdm_demo.draws import Draws, Flags, Ints, Text, mix, permute, text

OWN, TABLET, KIOSK, STRANGER, NO_TOKEN = range(5)
DEVICES = ("own", "tablet", "kiosk", "stranger", "no_token")
"""A tablet is that of a household, a kiosk stands in the store, a stranger is no customer."""

JUNK = (
    "null",
    "undefined",
    "0",
    "0000000000.0000000000",
    "[object Object]",
    "anonymous",
    '"null"',
    "(not set)",
    "NaN",
)
"""What some browsers send for a token when cookies are refused."""

_MODULUS = 2_000_000_000
_KIOSKS, _STRANGERS = 40_000_000, 60_000_000
"""Where the numbers of these devices begin; those of one's own and of tablets end before."""


@dataclass(frozen=True, slots=True)
class Devices:
    """What each visit is made on.

    Attributes:
        kind: Position in DEVICES.
        number: Of the device, unique over the run; -1 - position in JUNK for no token.
        slot: 0 for a phone, 1 for a computer, 2 for a tablet.
    """

    kind: Ints
    number: Ints
    slot: Ints


def devices(
    draws: Draws, party: Ints, *, kiosk: Flags, numbers: Ints, household: Ints, online: Flags, block: int
) -> Devices:
    """Draw the device of each visit.

    Args:
        draws: Streams of this use.
        party: Position of who visits, -1 for a stranger.
        kiosk: Whether it is made on the kiosk in the store.
        numbers: Party numbers.
        household: Number of the household's first member per party, -1 for none.
        online: Parties with an account: those who can share a tablet.
        block: Number of the block's first party.
    """
    size = len(party)
    known = party >= 0
    who = np.maximum(party, 0)
    own = numbers[who]
    second = known & (mix(own * 3 + 1) < 0.4) & draws.chance("second device", size, 0.35)
    home = household[who]
    tablet = known & _shares(household, online)[who] & draws.chance("on tablet", size, 0.6)
    junk = draws.chance("no token", size, 0.03) & ~kiosk
    strangers = max(1, int((~known).sum() / 1.4))
    stranger = draws.integers("stranger", size, 0, strangers)
    none = draws.integers("junk", size, 0, len(JUNK))
    kind = np.select([junk, kiosk, ~known, tablet], [NO_TOKEN, KIOSK, STRANGER, TABLET], OWN)
    number = np.select(
        [kind == NO_TOKEN, kind == KIOSK, kind == STRANGER, kind == TABLET],
        [-1 - none, _KIOSKS + block, _STRANGERS + block * 100 + stranger, home * 4 + 2],
        own * 4 + second,
    )
    slot = np.select(
        [(kind == TABLET) | (kind == KIOSK), second], [2, 1], (mix(number) < 0.35).astype(np.int64)
    )
    return Devices(kind, number, np.where(kind == OWN, second, slot).astype(np.int64))


def _shares(household: Ints, online: Flags) -> Flags:
    """Parties of households that share a tablet: half of those in which several have an account."""
    at = np.flatnonzero((household >= 0) & online)
    homes, inverse, counts = np.unique(household[at], return_inverse=True, return_counts=True)
    shares = (counts > 1) & (mix(homes + 11) < 0.5)
    flags = np.zeros(len(household), dtype=bool)
    flags[at] = shares[inverse]
    return flags


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of some visits.

    Attributes:
        value: Every token once, as analytics shows it.
        of_visit: Position in ``value`` per visit.
        first: Per token the position of a visit with it.
    """

    value: Text
    of_visit: Ints
    first: Ints


def tokens(made: Devices, seconds: Ints) -> Tokens:
    """Tokens as Google Analytics makes them: a random number, and when the browser was first seen.

    Args:
        made: Device per visit.
        seconds: Since 1970, per visit.
    """
    numbers, first, inverse = np.unique(made.number, return_index=True, return_inverse=True)
    seen = np.full(len(numbers), np.iinfo(np.int64).max)
    np.minimum.at(seen, inverse, seconds)
    shown = 100_000_000 + permute(np.maximum(numbers, 0), _MODULUS, 77)
    values = [
        f"{random}.{moment}" if number >= 0 else JUNK[-1 - number]
        for number, random, moment in zip(numbers.tolist(), shown.tolist(), seen.tolist(), strict=True)
    ]
    return Tokens(text(values), inverse.astype(np.int64), first.astype(np.int64))
