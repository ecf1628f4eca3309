"""The chain of hashes over the decision log: what was decided can be added to, and not altered unseen.

Belongs here: how an entry is hashed, and what a log shows that was tampered with. Does not belong here: storing
(hub), or what decisions mean (``effective``).

The hash of an entry is the SHA-256, in hexadecimal, of the UTF-8 bytes of one JSON object with the members
``decided_at, decided_by, decision_id, kind, previous_hash, reason, subject, undoes``: keys sorted at every depth,
no blanks, characters not escaped beyond what JSON demands, ``decided_at`` in UTC as ``YYYY-MM-DDTHH:MM:SS.ffffffZ``.
``previous_hash`` is the hash of the entry before, 64 zeros for the first. So each hash vouches for all entries up to
its own. That the log ends where it should is told by heads: number and hash of the last entry, kept apart from it.
"""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from cdm_pipelines.identity.decisions import Decision, Draft

GENESIS = "0" * 64


@dataclass(frozen=True)
class Head:
    """Where a log ends: number and hash of its last entry."""

    decision_id: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        """``number:hash``."""
        return f"{self.decision_id}:{self.hash}"


@dataclass(frozen=True)
class Fault:
    """A sign that the log was tampered with."""

    decision_id: int
    text: str


def sealed(draft: Draft, head: Head, decided_at: dt.datetime) -> Decision:
    """The next entry of a log that ends with ``head``."""
    entry = Decision(
        head.decision_id + 1,
        decided_at,
        draft.decided_by,
        draft.kind,
        draft.subject,
        draft.reason,
        draft.undoes,
        head.hash,
        "",
    )
    return replace(entry, hash=digest(entry))


def digest(entry: Decision) -> str:
    """The hash that an entry should have."""
    content = {
        "decision_id": entry.decision_id,
        "decided_at": f"{entry.decided_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "decided_by": entry.decided_by,
        "kind": str(entry.kind),
        "subject": entry.subject,
        "reason": entry.reason,
        "undoes": entry.undoes,
        "previous_hash": entry.previous_hash,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def verify(log: Sequence[Decision], heads: Sequence[Head] = ()) -> list[Fault]:
    """What is wrong with a log, by decision; empty when it is whole.

    Args:
        log: All entries, in any order.
        heads: Heads that were noted at any time; the log must hold the entry of each.
    """
    ordered = sorted(log, key=lambda entry: entry.decision_id)
    place, held = _places(ordered), {Head(entry.decision_id, entry.hash) for entry in ordered}
    found: dict[int, str] = {}
    last = Head()
    for entry in ordered:
        number, before = entry.decision_id, last.decision_id
        found |= {missing: f"decision {missing} was removed" for missing in range(before + 1, number)}
        if digest(entry) != entry.hash:
            found[number] = _told(entry, place.get(entry.hash))
        elif before == number - 1 and before not in found and entry.previous_hash != last.hash:
            found[before or number] = (
                f"decision {before or number} was replaced: the next one follows another"
            )
        last = Head(number, entry.hash)
    for head in sorted(set(heads), key=lambda head: head.decision_id):
        if head.decision_id and head.decision_id not in found and head not in held:
            what = "replaced" if head.decision_id <= last.decision_id else "removed"
            found[head.decision_id] = f"decision {head.decision_id} was {what}: another hash of it was noted"
    return [Fault(number, text) for number, text in sorted(found.items())]


def _places(log: Sequence[Decision]) -> dict[str, int]:
    """The place of each entry in the chain, by hash, from its first link to where the links end."""
    following = {entry.previous_hash: entry.hash for entry in log}
    places: dict[str, int] = {}
    at = GENESIS
    while (at := following.get(at, "")) and at not in places:
        places[at] = len(places) + 1
    return places


def _told(entry: Decision, place: int | None) -> str:
    number = entry.decision_id
    if place is not None and digest(replace(entry, decision_id=place)) == entry.hash:
        return f"decision {number} was moved: it was recorded as decision {place}"
    return f"decision {number} was edited"
