"""Kinds of doubt.

Belongs here: their names. Does not belong here: what they are worth (``doubts``), reading or writing them (``review``,
``queue``).
"""

from enum import StrEnum


class Doubt(StrEnum):
    """Why something is worth a look."""

    PAIR = "pair"  # two customers that may be one party: between the thresholds of review and match
    CONFIRMED = "confirmed apart"  # a match, but both customers are confirmed
    CONFLICT = "conflict"  # a decision without effect, for it contradicts others
    CLUSTER = "cluster"  # one customer, but it may be several
    SPLIT = (
        "confirmed, falls apart"  # one confirmed customer, which nothing but the confirmation holds together
    )
