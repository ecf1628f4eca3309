"""A decision as it is kept: an entry of the log without values, and its details, which can be erased.

Belongs here: which parts a decision is taken apart into, how a part is sealed, and a decision put together again from
what is left. Does not belong here: the chain (``chain``), what decisions mean (``effective``), storing (hub).

The log itself holds number, time, kind and seals. A detail is one part with a salt of its own: 32 random bytes, kept
with the detail and nowhere else. Its seal is HMAC-SHA256 with the salt as key over the UTF-8 bytes of the JSON list
``[decision_id, place, part, content]``. As long as the detail is there the seal proves it; with the detail the salt
goes too, and then the seal tells nothing: not even whoever knows all birth dates can find out which one it was.
"""

import datetime as dt
import hmac
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cdm_pipelines.identity.decisions import Decision, DecisionError, Draft, Kind

SALT_BYTES = 32
TAMPERED = "The log of decisions was tampered with: `cdm steward verify` tells where."


class Part(StrEnum):
    """What can be erased of a decision, each by itself.

    The author and the reason have no effect. Without its records, or without the value that it set, a decision has no
    effect any more.
    """

    AUTHOR = "author"
    REASON = "reason"
    RECORD = "record"
    VALUE = "value"
    FORMER = "former head"


OF_PERSON = frozenset({Part.REASON, Part.RECORD, Part.VALUE})
"""What may tell of the person that a decision is about."""


@dataclass(frozen=True)
class Detail:
    """A part of a decision, in clear.

    Attributes:
        decision_id: The decision.
        place: 0, 1, 2 … within it.
        salt: Key of its seal.
        content: JSON.
    """

    decision_id: int
    place: int
    salt: bytes
    content: str

    def seal(self, part: str) -> str:
        """The seal that the log should have of it."""
        message = written([self.decision_id, self.place, part, self.content])
        return hmac.digest(self.salt, message.encode(), "sha256").hex()

    @property
    def value(self) -> Any:
        """The content.

        Raises:
            DecisionError: It is no JSON, as it was when it was recorded.
        """
        try:
            return json.loads(self.content)
        except ValueError:
            raise DecisionError(f"Decision {self.decision_id} cannot be read. {TAMPERED}") from None


@dataclass(frozen=True)
class Entry:
    """An entry of the log: nothing in it is about a person.

    Attributes:
        decision_id: 1, 2, 3 … in the order of recording.
        decided_at: With time zone.
        kind: What kind of decision.
        undoes: The decision that an ``undo`` takes back.
        about: What an erasure or a migration is about; empty for all else.
        parts: What each detail is, in order of place (``Part``).
        seals: Of its details, alike.
        previous_hash: Hash of the entry before.
        hash: Of this entry.
    """

    decision_id: int
    decided_at: dt.datetime
    kind: str
    undoes: int | None
    about: Mapping[str, Any]
    parts: tuple[str, ...]
    seals: tuple[str, ...]
    previous_hash: str
    hash: str

    def decision(self, details: Iterable[Detail]) -> Decision:
        """The decision, with all that its details still tell; details without a seal are passed over.

        Raises:
            DecisionError: Entry or details are not of the form in which they were recorded.
        """
        known = sorted((d for d in details if d.place < len(self.parts)), key=lambda detail: detail.place)
        contents = [(self.parts[detail.place], detail.value) for detail in known]
        told = dict(contents)
        try:
            kind = Kind(self.kind)
            subject = dict(self.about) if kind in (Kind.ERASE, Kind.MIGRATED) else _subject(kind, contents)
        except (ValueError, TypeError, LookupError):
            raise DecisionError(f"Decision {self.decision_id} cannot be read. {TAMPERED}") from None
        author, reason = (told.get(part) for part in (Part.AUTHOR, Part.REASON))
        return Decision(self.decision_id, self.decided_at, author, kind, subject, reason, self.undoes)


def written(content: Any) -> str:
    """JSON in the one form that is hashed: keys sorted, no blanks, nothing escaped that need not be."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def details_of(
    draft: Draft, decision_id: int, salt: Callable[[int], bytes] = secrets.token_bytes
) -> list[tuple[Part, Detail]]:
    """What is personal in a decision, with fresh salts.

    Args:
        draft: The decision.
        decision_id: Its number.
        salt: Gives so many bytes that nobody can foretell.
    """
    return [
        (part, Detail(decision_id, place, salt(SALT_BYTES), written(content)))
        for place, (part, content) in enumerate(_contents(draft))
    ]


def _contents(draft: Draft) -> Iterator[tuple[Part, Any]]:
    yield Part.AUTHOR, draft.decided_by
    yield Part.REASON, draft.reason
    about = draft.subject
    match draft.kind:
        case Kind.SAME | Kind.DIFFERENT:
            yield from _records(about, "left", "right")
        case Kind.CONFIRM:
            yield from _records(about, "records")
        case Kind.SET:
            yield Part.VALUE, {name: about[name] for name in ("attribute", "value", "expires", "salt")}
            yield Part.RECORD, ["record", *about["record"]]
            yield from _records(about, "overruled")


def _records(subject: Mapping[str, Any], *sides: str) -> Iterator[tuple[Part, Any]]:
    return ((Part.RECORD, [side, *entry]) for side in sides for entry in subject[side])


def _subject(kind: Kind, contents: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The subject of a decision (``decisions``) from what is left of its details, in order of place."""
    sides = {Kind.SAME: ("left", "right"), Kind.DIFFERENT: ("left", "right"), Kind.CONFIRM: ("records",)}
    subject: dict[str, Any] = {side: [] for side in sides.get(kind, ())}
    if kind is Kind.SET:
        subject["overruled"] = []
    for part, content in contents:
        if part == Part.VALUE:
            subject |= content
        elif part == Part.RECORD and content[0] == "record":
            subject["record"] = content[1:]
        elif part == Part.RECORD:
            subject.setdefault(content[0], []).append(content[1:])
    return subject
