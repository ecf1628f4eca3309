"""Statements of consent that a row of another entity tells of.

Belongs here: how a contract says so. Does not belong here: reading them (``standardise.consent``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StatementOf:
    """One of the statements of consent that a row tells of, as that of a customer does of several flags.

    Attributes:
        column: What was said; a row without a value here, or with a word that says nothing, does not tell of it.
        purpose: About which purpose.
        channel: About which channel; empty for every one.
        states: What words of the column mean, beside those of ``consent_words.yaml``.
        at: Column with the moment; None where the source does not tell.
    """

    column: str
    purpose: str
    channel: str = ""
    states: Mapping[str, str] = field(default_factory=dict, hash=False)
    at: str | None = None
