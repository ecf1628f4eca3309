"""What a steward decides: the entries of the decision log.

Belongs here: kinds of decisions, what each is about, and how its subject is written. Does not belong here: which
decisions have effect (``effective``), how they are kept (``entries``), the chain (``chain``), storing them (hub).

A decision names source records and never a golden id, so that it outlives new models, new deliveries and ids that
change. Subjects, as JSON (a record is the list ``[source, entity, record_id]``):

========== ===========================================================================================
same       ``{"left": [record], "right": [record]}``
different  ``{"left": [record, …], "right": [record, …]}``: each of the one apart from each of the other
confirm    ``{"records": [record, …]}``: those that the customer had
set        ``{"record": record, "attribute", "value", "expires": "YYYY-MM-DD" or null, "salt",
           "overruled": [[source, entity, record_id, fingerprint or null], …]}``
undo       ``{}``; ``undoes`` names the decision
erase      ``{"role": who, "erased": [[decision_id, [place, …]], …], "altered": [alike]}``: details that
           were erased, and those of them that were not any more what had been recorded
migrated   ``{"role", "faults": [[decision_id, text], …]}``: what was wrong with the log before it
========== ===========================================================================================

What was erased of a decision is missing from its subject; a list is then shorter.
"""

import datetime as dt
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple, Self


class DecisionError(ValueError):
    """A decision that cannot be recorded; the message says why and what to do."""


class Kind(StrEnum):
    """What can be decided."""

    SAME = "same"
    DIFFERENT = "different"
    CONFIRM = "confirm"
    SET = "set"
    UNDO = "undo"
    ERASE = "erase"
    MIGRATED = "migrated"


class Record(NamedTuple):
    """A source record."""

    source: str
    entity: str
    record_id: str

    def __str__(self) -> str:
        """``source/entity/record_id``."""
        return "/".join(self)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The record of a text ``source/entity/record_id``; None where it is not of that form."""
        parts = text.split("/", 2)
        return cls(*parts) if len(parts) == 3 and all(parts) else None


@dataclass(frozen=True)
class Draft:
    """A decision before it is recorded."""

    kind: Kind
    subject: Mapping[str, Any]
    decided_by: str
    reason: str = ""
    undoes: int | None = None


@dataclass(frozen=True)
class Decision:
    """An entry of the log.

    Attributes:
        decision_id: 1, 2, 3 … in the order in which decisions were recorded.
        decided_at: With time zone.
        decided_by: Who; None where that was erased.
        kind: What kind of decision.
        subject: What it is about, see above.
        reason: Why, in the steward's words; None where that was erased.
        undoes: The decision that an ``undo`` takes back.
    """

    decision_id: int
    decided_at: dt.datetime
    decided_by: str | None
    kind: Kind
    subject: Mapping[str, Any]
    reason: str | None
    undoes: int | None

    @cached_property
    def erased(self) -> bool:
        """Whether so much of it was erased that it can have no effect."""
        match self.kind:
            case Kind.SAME | Kind.DIFFERENT:
                return not (self.left and self.right)
            case Kind.CONFIRM:
                return not self.joins
            case Kind.SET:
                return not {"record", "value"} <= self.subject.keys()
            case Kind.UNDO | Kind.ERASE | Kind.MIGRATED:
                return False

    @cached_property
    def left(self) -> tuple[Record, ...]:
        """One side of ``same`` and ``different``."""
        return _records(self.subject.get("left", ()))

    @cached_property
    def right(self) -> tuple[Record, ...]:
        """The other side."""
        return _records(self.subject.get("right", ()))

    @cached_property
    def joins(self) -> tuple[Record, ...]:
        """The records that ``same`` or ``confirm`` holds together."""
        if self.kind is Kind.SAME:
            return (*self.left, *self.right)
        return _records(self.subject["records"]) if self.kind is Kind.CONFIRM else ()

    @property
    def records(self) -> tuple[Record, ...]:
        """All records by which the decision names what it is about."""
        own = _records([self.subject["record"]]) if "record" in self.subject else ()
        return (*own, *self.joins) if self.kind is not Kind.DIFFERENT else (*self.left, *self.right)

    @property
    def attribute(self) -> str:
        """The attribute that ``set`` is about."""
        return str(self.subject["attribute"])

    @property
    def value(self) -> str:
        """Its value, standardised."""
        return str(self.subject["value"])

    @property
    def expires(self) -> dt.date | None:
        """The first day on which ``set`` no longer holds."""
        text = self.subject.get("expires")
        return dt.date.fromisoformat(text) if text else None

    @property
    def overruled(self) -> tuple[tuple[Record, str | None], ...]:
        """The records that ``set`` overruled, each with the fingerprint of its value; None where it had none."""
        return tuple((Record(*entry[:3]), entry[3]) for entry in self.subject.get("overruled", ()))

    def fingerprint(self, value: str | None) -> str | None:
        """That of a source's value, to be held against those in ``overruled``."""
        return value_fingerprint(value, self.subject["salt"])


def same(left: Record, right: Record) -> dict[str, Any]:
    """The subject of ``same``."""
    return {"left": [list(left)], "right": [list(right)]}


def different(left: Iterable[Record], right: Iterable[Record]) -> dict[str, Any]:
    """The subject of ``different``."""
    return {"left": [list(record) for record in sorted(left)], "right": [list(r) for r in sorted(right)]}


def confirm(records: Iterable[Record]) -> dict[str, Any]:
    """The subject of ``confirm``."""
    return {"records": [list(record) for record in sorted(records)]}


def set_value(
    record: Record,
    attribute: str,
    value: str,
    expires: dt.date | None,
    overruled: Mapping[Record, str | None],
) -> dict[str, Any]:
    """The subject of ``set``, with a new salt.

    Args:
        record: Whoever has this record has the value.
        attribute: Canonical attribute.
        value: Standardised.
        expires: The first day on which it no longer holds.
        overruled: What the customer's records say now.
    """
    salt = secrets.token_hex(16)
    return {
        "record": list(record),
        "attribute": attribute,
        "value": value,
        "expires": expires.isoformat() if expires else None,
        "salt": salt,
        "overruled": [[*key, value_fingerprint(text, salt)] for key, text in sorted(overruled.items())],
    }


def value_fingerprint(value: str | None, salt: str) -> str | None:
    """What tells whether a source's value has changed; None for no value.

    The digest that is salted is the whole fingerprint of releases that had no salt, so that theirs could be kept.
    """
    if value is None:
        return None
    return hmac.digest(salt.encode(), sha256(value.encode()).hexdigest()[:16].encode(), "sha256").hex()[:16]


def _records(entries: Sequence[Sequence[str]]) -> tuple[Record, ...]:
    return tuple(Record(*entry) for entry in entries)
