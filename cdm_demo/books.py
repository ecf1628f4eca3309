"""Which source knows whom, and what becomes of its records from day to day.

Belongs here: the records of a source and their lives: made, changed, merged, deleted, gone. Does not belong here:
what stands in their cells (crm, erp, shop).
"""

from dataclasses import dataclass

import numpy as np

from cdm_demo.draws import Draws, Flags, Floats, Ints, Text, constant

MOVED, CORRECTED = 1, 2
"""Why a record changes: it follows a move, or somebody corrects its typing errors."""

DELETED, MERGED, ABSENT = 1, 2, 3
"""How a record ends: flagged as deleted, merged into another one, or simply no longer delivered."""

COPIES = 4
"""Most records that one source keeps of one party; serial numbers leave room for so many."""

CRM, ERP, SHOP = 0, 1, 2
_CONSUMER_SOURCES = (
    ((CRM,), 7), ((ERP,), 4), ((SHOP,), 8), ((CRM, ERP), 14), ((CRM, SHOP), 20), ((ERP, SHOP), 10),
    ((CRM, ERP, SHOP), 56),
)  # fmt: skip
_COMPANY_SOURCES = (((CRM,), 10), ((ERP,), 10), ((CRM, ERP), 80))
_COPY_RATES = (0.075, 0.03, 0.03)
_LATE_PARTY, _LATE_RECORD = 0.012, 0.006


@dataclass(slots=True)
class Book:
    """The records that one source keeps of the parties of one block, in the order of their keys.

    Attributes:
        draws: Streams for what is particular to a record.
        party: Position of the party in its block.
        serial: Number of the record, unique over the run within its source and kind of party.
        copy: 0 for the first record of a party, 1 and 2 for duplicates.
        key: Record id as the source has it.
        first_day: Day on which it is first delivered; 0 is the base day.
        change_day: Day of its change, -1 for none.
        change: MOVED or CORRECTED, 0 for none.
        end_day: Day of its end, -1 for none.
        end: DELETED, MERGED or ABSENT, 0 for none.
        master: Position of the record it is merged into, -1 for none.
        stale: Whether it was made with the former address.
    """

    draws: Draws
    party: Ints
    serial: Ints
    copy: Ints
    key: Text
    first_day: Ints
    change_day: Ints
    change: Ints
    end_day: Ints
    end: Ints
    master: Ints
    stale: Flags

    def __len__(self) -> int:
        return len(self.party)

    def uniform(self, step: str, rows: Ints) -> Floats:
        """Numbers in [0, 1) that belong to records, the same on every day."""
        return self.draws.uniform(step, len(self))[rows]

    def chance(self, step: str, rows: Ints, probability: float | Floats) -> Flags:
        """True with a probability, the same on every day."""
        return self.uniform(step, rows) < probability

    def style(self, step: str, rows: Ints, weights: tuple[int, ...]) -> Ints:
        """A choice by weights, the same on every day."""
        return self.draws.pick(step, len(self), weights)[rows]

    def delivered(self, day: int) -> Flags:
        """Records in a snapshot of a day."""
        gone = (self.end == ABSENT) & (self.end_day <= day)
        flags: Flags = (self.first_day <= day) & ~gone
        return flags

    def touched(self, day: int) -> Flags:
        """Records that are new or changed on a day."""
        ended = (self.end_day == day) & (self.end != ABSENT)
        new = self.first_day == day
        flags: Flags = (new | (self.change_day == day) | ended) & self.delivered(day)
        return flags

    def ended(self, rows: Ints, day: int, end: int) -> Flags:
        """Whether records have ended in this way by a day."""
        flags: Flags = (self.end[rows] == end) & (self.end_day[rows] <= day)
        return flags

    def last_event(self, rows: Ints, day: int) -> Ints:
        """Day of the last visible event of records; 0 when nothing happened since the base day."""
        change = np.where(
            (self.change_day[rows] > 0) & (self.change_day[rows] <= day), self.change_day[rows], 0
        )
        end = np.where((self.end_day[rows] > 0) & (self.end_day[rows] <= day), self.end_day[rows], 0)
        return np.maximum(np.maximum(change, end), self.first_day[rows])

    def outdated(self, rows: Ints, day: int) -> Flags:
        """Whether records still show the former address on a day."""
        followed = (self.change[rows] == MOVED) & (self.change_day[rows] <= day)
        flags: Flags = self.stale[rows] & ~followed
        return flags

    def erring(self, rows: Ints, day: int) -> Flags:
        """Whether typing errors of records are still there on a day."""
        flags: Flags = ~((self.change[rows] == CORRECTED) & (self.change_day[rows] <= day))
        return flags


@dataclass(frozen=True, slots=True)
class Membership:
    """Which parties have a first record in each source, and from which day.

    Attributes:
        sources: Per source the positions of the parties.
        first_day: Per source the day of that record, for the same positions.
    """

    sources: dict[int, Ints]
    first_day: dict[int, Ints]


def _membership(
    draws: Draws, table: tuple[tuple[tuple[int, ...], int], ...], size: int, days: int
) -> Membership:
    choice = draws.pick("sources", size, [weight for _, weight in table])
    party_day = _late(draws.uniform("late party", size), _LATE_PARTY, days)
    counts = np.array([len(sources) for sources, _ in table])[choice]
    sources, first_day = {}, {}
    for source in (CRM, ERP, SHOP):
        member = np.array([source in sources for sources, _ in table])[choice]
        at = np.flatnonzero(member)
        late = _late(draws.uniform(f"late record {source}", size), _LATE_RECORD, days)
        # A party that only one source knows starts with that record; others may be found later.
        late = np.where(counts > 1, late, 0)
        sources[source], first_day[source] = at, np.maximum(party_day, late)[at]
    return Membership(sources, first_day)


def _late(uniform: Floats, rate: float, days: int) -> Ints:
    """Day 0 for most, each later day with the rate given."""
    if days < 2:
        return np.zeros(len(uniform), dtype=np.int64)
    day = (uniform / rate).astype(np.int64) + 1
    return np.where(day < days, day, 0)


def consumer_membership(draws: Draws, size: int, days: int) -> Membership:
    """Sources of private persons."""
    return _membership(draws, _CONSUMER_SOURCES, size, days)


def company_membership(draws: Draws, size: int, days: int) -> Membership:
    """Sources of organisations."""
    return _membership(draws, _COMPANY_SOURCES, size, days)


def contact_membership(draws: Draws, size: int, days: int) -> Membership:
    """Sources of contact persons: all in the CRM, some order in the shop."""
    return _membership(draws, (((CRM,), 60), ((CRM, SHOP), 40)), size, days)


def open_book(
    draws: Draws, source: int, membership: Membership, *, numbers: Ints, move_day: Ints, days: int
) -> Book:
    """Make the records of a source, without their keys.

    Args:
        draws: Streams of this source and kind of party.
        source: CRM, ERP or SHOP.
        membership: Who has a record.
        numbers: Party numbers of all parties of the block.
        move_day: When they moved; -1 did not.
        days: Days of the run.
    """
    at, first_day = membership.sources[source], membership.first_day[source]
    twice = draws.chance("twice", len(at), _COPY_RATES[source])
    thrice = twice & draws.chance("thrice", len(at), 0.12)
    copy = np.concatenate([np.zeros(len(at)), np.ones(twice.sum()), np.full(thrice.sum(), 2)]).astype(
        np.int64
    )
    first = np.concatenate([np.arange(len(at)), np.flatnonzero(twice), np.flatnonzero(thrice)])
    party, born = at[first], first_day[first]
    size = len(party)
    stale = ((move_day[party] == 0) & draws.chance("stale", size, 0.38)) | (move_day[party] > 0)
    change_day, change = _changes(draws, move_day[party], stale, days)
    ended_day, end = _ends(draws, size, days, source)
    master = np.full(size, -1, dtype=np.int64)
    if source == CRM:
        merge_day = _merges(draws, copy, days)
        merged = (merge_day >= 0) & (born == 0)
        ended_day, end = np.where(merged, merge_day, ended_day), np.where(merged, MERGED, end)
        master = np.where(merged, first, -1)
        # The record that survives a merge lives on.
        survivor = np.isin(np.arange(size), master[merged])
        ended_day, end = np.where(survivor, -1, ended_day), np.where(survivor, 0, end)
    # Nothing happens to a record before the day after its first.
    early = (ended_day >= 0) & (ended_day <= born) & ((born > 0) | (end == ABSENT))
    ended_day, end = np.where(early, -1, ended_day), np.where(early, 0, end)
    late = (change_day <= born) | ((ended_day >= 0) & (change_day >= ended_day))
    change_day, change = np.where(late, -1, change_day), np.where(late, 0, change)
    return Book(
        draws, party, numbers[party] * COPIES + copy, copy, constant("", size), born,
        change_day, change, ended_day, end, master, stale,
    )  # fmt: skip


def _changes(draws: Draws, move_day: Ints, stale: Flags, days: int) -> tuple[Ints, Ints]:
    """Day and kind of change: most follow a move on its day, a few years late, and some are corrected."""
    size = len(move_day)
    follow = (move_day > 0) & draws.chance("follow", size, 0.7)
    behind = _late(draws.uniform("behind", size), 0.03, days)
    corrected = _late(draws.uniform("corrected", size), 0.006, days)
    day = np.where(corrected > 0, corrected, -1)
    change = np.where(corrected > 0, CORRECTED, 0)
    catches_up = stale & (move_day == 0) & (behind > 0)
    day = np.where(catches_up, behind, np.where(follow, move_day, day))
    return day, np.where(catches_up | follow, MOVED, change)


def _ends(draws: Draws, size: int, days: int, source: int) -> tuple[Ints, Ints]:
    """Day and kind of end: some long ago, a few on each later day; the shop does not tell."""
    if source == SHOP:
        return np.full(size, -1, dtype=np.int64), np.zeros(size, dtype=np.int64)
    before = draws.chance("deleted before", size, 0.012)
    deleted = _late(draws.uniform("deleted", size), 0.002, days)
    absent = _late(draws.uniform("absent", size), 0.002, days)
    day = np.where(before, 0, np.where(deleted > 0, deleted, np.where(absent > 0, absent, -1)))
    end = np.where(before | (deleted > 0), DELETED, np.where(absent > 0, ABSENT, 0))
    return day, end


def _merges(draws: Draws, copy: Ints, days: int) -> Ints:
    """Day on which a duplicate is merged into the first record: 0 long ago, -1 never."""
    before = draws.chance("merged before", len(copy), 0.12)
    later = _late(draws.uniform("merged", len(copy)), 0.05, days)
    return np.where(copy == 0, -1, np.where(before, 0, np.where(later > 0, later, -1)))


def with_keys(book: Book, keys: Text) -> Book:
    """The book with its keys, its records in the order of the keys."""
    order = np.argsort(keys.astype(str), kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    master = book.master[order]
    return Book(
        draws=book.draws,
        party=book.party[order],
        serial=book.serial[order],
        copy=book.copy[order],
        key=keys[order],
        first_day=book.first_day[order],
        change_day=book.change_day[order],
        change=book.change[order],
        end_day=book.end_day[order],
        end=book.end[order],
        master=np.where(master >= 0, place[master], -1),
        stale=book.stale[order],
    )
