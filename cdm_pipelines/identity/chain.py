"""The chain of hashes over the decision log: what was decided can be added to, and not altered unseen.

Belongs here: how an entry is hashed, and what a log shows that was tampered with, or erased on purpose. Does not belong
here: how details are sealed (``entries``), storing (hub), or what decisions mean (``effective``).

The hash of an entry is the SHA-256, in hexadecimal, of the UTF-8 bytes of one JSON object with the members
``about, decided_at, decision_id, kind, parts, previous_hash, seals, undoes``: keys sorted at every depth, no blanks,
characters not escaped beyond what JSON demands, ``decided_at`` in UTC as ``YYYY-MM-DDTHH:MM:SS.ffffffZ``.
``previous_hash`` is the hash of the entry before, 64 zeros for the first. So each hash vouches for all entries up to
its own, and by their seals for all details. That the log ends where it should is told by heads: number and hash of the
last entry, kept apart from it.

A detail that is missing was erased if an entry of kind ``erase`` says so, and removed by somebody if none does.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Self

from cdm_pipelines.identity.decisions import Draft, Kind
from cdm_pipelines.identity.entries import Detail, Entry, Part, details_of, written

GENESIS = "0" * 64
Place = tuple[int, int]
"""A detail: number of the decision, place within it."""


@dataclass(frozen=True)
class Head:
    """Where a log ends: number and hash of its last entry."""

    decision_id: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        """``number:hash``."""
        return f"{self.decision_id}:{self.hash}"

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Self:
        """Where entries in order end."""
        return cls(entries[-1].decision_id, entries[-1].hash) if entries else cls()

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The head of a text ``number:hash``; None where it is not of that form."""
        number, _, hash_ = text.partition(":")
        return cls(int(number), hash_) if number.isdecimal() and hash_ else None


@dataclass(frozen=True)
class Fault:
    """A sign that the log was tampered with."""

    decision_id: int
    text: str


@dataclass(frozen=True)
class Erasure:
    """What was erased of a decision, on record."""

    decision_id: int
    parts: tuple[str, ...]
    by: int
    at: dt.datetime
    role: str

    @property
    def text(self) -> str:
        """In words, without values."""
        what = " and ".join(", ".join(self.parts).rsplit(", ", 1))
        return f"{what} of decision {self.decision_id}, by decision {self.by} on {self.at:%Y-%m-%d} ({self.role})"


@dataclass(frozen=True)
class Verdict:
    """What a log shows.

    Attributes:
        faults: Signs of tampering, by decision; none where the log is whole.
        erased: What was erased on purpose, by decision.
        head: Where the log ends.
    """

    faults: Sequence[Fault]
    erased: Sequence[Erasure]
    head: Head


def sealed(draft: Draft, head: Head, decided_at: dt.datetime) -> tuple[Entry, list[Detail]]:
    """The next entry of a log that ends with ``head``, and its details."""
    number = head.decision_id + 1
    parts = details_of(draft, number)
    entry = Entry(
        number,
        decided_at,
        str(draft.kind),
        draft.undoes,
        draft.subject if draft.kind in (Kind.ERASE, Kind.MIGRATED) else {},
        tuple(str(part) for part, _ in parts),
        tuple(detail.seal(part) for part, detail in parts),
        head.hash,
        "",
    )
    return replace(entry, hash=digest(entry)), [detail for _, detail in parts]


def digest(entry: Entry) -> str:
    """The hash that an entry should have."""
    content = {
        "decision_id": entry.decision_id,
        "decided_at": f"{entry.decided_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "kind": entry.kind,
        "undoes": entry.undoes,
        "about": entry.about,
        "parts": entry.parts,
        "seals": entry.seals,
        "previous_hash": entry.previous_hash,
    }
    return sha256(written(content).encode()).hexdigest()


def verify(log: Sequence[Entry], details: Iterable[Detail], heads: Iterable[Head] = ()) -> Verdict:
    """What is wrong with a log, and what was erased from it.

    Args:
        log: All entries, in any order.
        details: All details that there are.
        heads: Heads that were noted at any time; the log must hold the entry of each.
    """
    ordered = sorted(log, key=lambda entry: entry.decision_id)
    whole = [entry for entry in ordered if digest(entry) == entry.hash]
    kept = {(detail.decision_id, detail.place): detail for detail in details}
    found = _of_chain(ordered, whole) | dict(_before(whole))
    found |= _of_heads(ordered, whole, kept, heads, found)
    faults = [Fault(number, text) for number, text in found.items()]
    erased = _erased(whole)
    faults += dict.fromkeys(_of_details(whole, found, kept, erased))
    return Verdict(
        sorted(faults, key=lambda fault: fault.decision_id),
        list(_told_erased(ordered, kept, erased)),
        Head.of(ordered),
    )


def altered(entries: Iterable[Entry], details: Iterable[Detail]) -> list[Place]:
    """Details that are not what was recorded."""
    by_number = {entry.decision_id: entry for entry in entries}
    return [
        (detail.decision_id, detail.place)
        for detail in details
        if (entry := by_number.get(detail.decision_id)) is None or not _fits(entry, detail)
    ]


def _fits(entry: Entry, detail: Detail) -> bool:
    """Whether a detail is what its entry sealed."""
    at = detail.place
    known = 0 <= at < min(len(entry.parts), len(entry.seals))
    return known and detail.seal(entry.parts[at]) == entry.seals[at]


def _of_chain(ordered: Sequence[Entry], whole: Collection[Entry]) -> dict[int, str]:
    """What is wrong with the links from entry to entry."""
    place, sound = _places(ordered), {entry.decision_id for entry in whole}
    found: dict[int, str] = {}
    last = Head()
    for entry in ordered:
        number, before = entry.decision_id, last.decision_id
        found |= {missing: f"decision {missing} was removed" for missing in range(before + 1, number)}
        if number not in sound:
            found[number] = _told(entry, place.get(entry.hash))
        elif before == number - 1 and before not in found and entry.previous_hash != last.hash:
            found[before or number] = (
                f"decision {before or number} was replaced: the next one follows another"
            )
        last = Head(number, entry.hash)
    return found


def _places(log: Sequence[Entry]) -> dict[str, int]:
    """The place of each entry in the chain, by hash, from its first link to where the links end."""
    following = {entry.previous_hash: entry.hash for entry in log}
    places: dict[str, int] = {}
    at = GENESIS
    while (at := following.get(at, "")) and at not in places:
        places[at] = len(places) + 1
    return places


def _told(entry: Entry, place: int | None) -> str:
    number = entry.decision_id
    if place is not None and digest(replace(entry, decision_id=place)) == entry.hash:
        return f"decision {number} was moved: it was recorded as decision {place}"
    return f"decision {number} was edited"


def _of_heads(
    ordered: Sequence[Entry],
    whole: Sequence[Entry],
    kept: Mapping[Place, Detail],
    heads: Iterable[Head],
    known: Collection[int],
) -> dict[int, str]:
    """Heads whose entries the log does not hold."""
    held = {Head(entry.decision_id, entry.hash) for entry in ordered}
    former = 0
    for entry in whole:
        if entry.kind == Kind.MIGRATED:
            former = entry.decision_id - 1
            held |= {head for head in _former_heads(entry, kept) if head is not None}
    last = ordered[-1].decision_id if ordered else 0
    found: dict[int, str] = {}
    for head in sorted(set(heads), key=lambda head: (head.decision_id, head.hash)):
        if head.decision_id and head.decision_id not in known and head not in held:
            what = "replaced" if head.decision_id <= last else "removed"
            text = f"decision {head.decision_id} was {what}: another hash of it was noted"
            if head.decision_id <= former:
                text += (
                    f" (of heads from before decision {former + 1}, which gave the log another form, only the "
                    "last is known, until anything of those decisions is erased)"
                )
            found[head.decision_id] = text
    return found


def _former_heads(entry: Entry, kept: Mapping[Place, Detail]) -> Iterator[Head | None]:
    for place, part in enumerate(entry.parts):
        detail = kept.get((entry.decision_id, place))
        if part == Part.FORMER and detail is not None and _fits(entry, detail):
            yield Head.parse(str(detail.value))


def _of_details(
    whole: Sequence[Entry],
    known: Collection[int],
    kept: Mapping[Place, Detail],
    erased: Mapping[Place, Entry],
) -> Iterator[Fault]:
    """Details that are gone though nobody erased them, altered, there again, or never recorded.

    Args:
        whole: Entries that are as they were recorded; of others no seal says anything.
        known: Decisions that are told to be at fault already.
        kept: The details that there are.
        erased: Those that were erased, with the entries that say so.
    """
    sealed_places: set[Place] = set()
    for entry in whole:
        number = entry.decision_id
        for place, part in enumerate(entry.parts):
            sealed_places.add((number, place))
            detail, by = kept.get((number, place)), erased.get((number, place))
            if detail is None and by is None:
                yield Fault(
                    number, f"the {part} of decision {number} was removed, and no erasure is on record"
                )
            elif detail is not None and not _fits(entry, detail):
                yield Fault(number, f"the {part} of decision {number} was altered")
            elif detail is not None and by is not None:
                after = f"after decision {by.decision_id} erased it"
                yield Fault(number, f"the {part} of decision {number} is there again, {after}")
        for altered_id, _ in _places_in(entry, "altered"):
            after = f"before decision {number} erased part of it"
            yield Fault(altered_id, f"decision {altered_id} had been altered {after}")
    for number, _ in sorted(kept.keys() - sealed_places):
        if number not in known:
            yield Fault(number, f"decision {number} has a detail that was never recorded")


def _before(whole: Iterable[Entry]) -> Iterator[tuple[int, str]]:
    """What was wrong with a log before it was given its present form."""
    for entry in whole:
        faults = entry.about.get("faults", ()) if entry.kind == Kind.MIGRATED else ()
        for number, what in faults:
            yield number, f"{what}, before decision {entry.decision_id} gave the log its present form"


def _erased(whole: Iterable[Entry]) -> dict[Place, Entry]:
    """The details that whole entries say were erased, each with the first that does."""
    found: dict[Place, Entry] = {}
    for entry in whole:
        for place in _places_in(entry, "erased"):
            found.setdefault(place, entry)
    return found


def _places_in(entry: Entry, name: str) -> Iterator[Place]:
    """The details that an erasure lists under a name."""
    if entry.kind == Kind.ERASE:
        for number, places in entry.about.get(name, ()):
            yield from ((number, place) for place in places)


def _told_erased(
    ordered: Iterable[Entry], kept: Collection[Place], erased: Mapping[Place, Entry]
) -> Iterator[Erasure]:
    entries = {entry.decision_id: entry for entry in erased.values()}
    for entry in ordered:
        number = entry.decision_id
        parts: dict[int, dict[str, None]] = defaultdict(dict)
        for place, part in enumerate(entry.parts):
            if (number, place) in erased and (number, place) not in kept:
                parts[erased[number, place].decision_id][part] = None
        for by, names in parts.items():
            yield Erasure(
                number, tuple(names), by, entries[by].decided_at, str(entries[by].about.get("role"))
            )
