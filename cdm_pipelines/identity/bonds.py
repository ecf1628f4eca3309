"""Records that were decided to be one party, and what keeps parties apart.

Belongs here: joining records one decision at a time, and finding what a decision contradicts. Does not belong here:
which decisions are asked for (``effective``).

A union-find over records. Each party carries the sides that it stands on of the decisions ``different``, and the
decision that confirmed it; when parties join, the smaller set moves into the larger, so that n records cost n log n.
"""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from cdm_pipelines.identity.decisions import Record

Side = tuple[int, int]  # a decision, and 0 or 1


@dataclass(frozen=True)
class Clash:
    """What a decision contradicts.

    Attributes:
        decisions: The decisions that together say otherwise, in order; 0 stands for what is no decision.
        records: The records through which they do.
    """

    decisions: tuple[int, ...]
    records: tuple[Record, ...]


@dataclass
class Bonds:
    """Parties made by decisions, each of which is refused when it contradicts those before."""

    _parent: dict[Record, Record] = field(default_factory=dict)
    _sides: dict[Record, set[Side]] = field(default_factory=dict)
    _confirmed: dict[Record, int] = field(default_factory=dict)
    _links: dict[Record, list[tuple[Record, int]]] = field(default_factory=dict)
    _named: dict[Side | int, frozenset[Record]] = field(default_factory=dict)

    def join(self, decision: int, records: Sequence[Record]) -> Clash | None:
        """Make the records one party; where that contradicts something, tell what and change nothing."""
        touched = {self.party(record): record for record in reversed(records)}
        clash = self._two_confirmed(touched) or self._two_sides(touched)
        if clash is not None:
            return clash
        for record in records[1:]:
            self._links.setdefault(records[0], []).append((record, decision))
            self._links.setdefault(record, []).append((records[0], decision))
        self._unite(list(touched))
        return None

    def confirm(self, decision: int, records: Sequence[Record]) -> Clash | None:
        """Make the records one party that is confirmed, or extend the confirmed one that they belong to."""
        clash = self.join(decision, records)
        if clash is None:
            self._named[decision] = frozenset(records)
            self._confirmed.setdefault(self.party(records[0]), decision)
        return clash

    def part(self, decision: int, left: Sequence[Record], right: Sequence[Record]) -> Clash | None:
        """Keep each of the left records apart from each of the right ones."""
        on_the_left = {self.party(record): record for record in reversed(left)}
        for record in right:
            found = on_the_left.get(self.party(record))
            if found is not None:
                decisions, records = self._path(found, {record})
                return Clash(tuple(sorted(decisions)), records)
        for side, members in enumerate((left, right)):
            self._named[decision, side] = frozenset(members)
            for record in members:
                self._sides.setdefault(self.party(record), set()).add((decision, side))
        return None

    def party(self, record: Record) -> Record:
        """One record that stands for its party."""
        parent = self._parent
        root = parent.setdefault(record, record)
        while parent[root] != root:
            root = parent[root]
        while parent[record] != root:
            parent[record], record = root, parent[record]
        return root

    def confirmation(self, record: Record) -> int | None:
        """The decision that confirmed a record's party."""
        return self._confirmed.get(self.party(record))

    def _unite(self, roots: list[Record]) -> None:
        target = max(roots, key=lambda root: len(self._sides.get(root, ())))
        for root in roots:
            if root == target:
                continue
            self._parent[root] = target
            if sides := self._sides.pop(root, None):
                self._sides.setdefault(target, set()).update(sides)
            if (confirmed := self._confirmed.pop(root, None)) is not None:
                self._confirmed[target] = confirmed

    def _two_confirmed(self, touched: dict[Record, Record]) -> Clash | None:
        confirmed = [(self._confirmed[root], at) for root, at in touched.items() if root in self._confirmed]
        if len(confirmed) < 2:
            return None
        (first, a), (second, b) = sorted(confirmed)[:2]
        return self._between(a, self._named[first], b, self._named[second], {first, second})

    def _two_sides(self, touched: dict[Record, Record]) -> Clash | None:
        largest, *others = sorted(touched, key=lambda root: -len(self._sides.get(root, ())))
        most, standing = self._sides.get(largest, set()), dict[Side, Record]()
        for root in others:
            sides = self._sides.get(root, set())
            for decision, side in sorted(sides):
                opposite = (decision, 1 - side)
                other = touched[largest] if opposite in most else standing.get(opposite)
                if other is not None:
                    ends = self._named[opposite], self._named[decision, side]
                    return self._between(other, ends[0], touched[root], ends[1], {decision})
            standing |= dict.fromkeys(sides, touched[root])
        return None

    def _between(
        self,
        left: Record,
        left_ends: Collection[Record],
        right: Record,
        right_ends: Collection[Record],
        why: Iterable[int],
    ) -> Clash:
        """The way from a record of one set, over two records that are to be joined, to one of another set."""
        before, there = self._path(left, left_ends)
        after, here = self._path(right, right_ends)
        return Clash(tuple(sorted({*why, *before, *after})), (*reversed(there), *here))

    def _path(self, start: Record, ends: Collection[Record]) -> tuple[set[int], tuple[Record, ...]]:
        """The shortest way between records of one party: the decisions that make it, and its records."""
        came: dict[Record, tuple[Record, int] | None] = {start: None}
        waiting = deque([start])
        at = start
        while waiting:
            at = waiting.popleft()
            if at in ends:
                break
            for record, decision in self._links.get(at, ()):
                if record not in came:
                    came[record] = (at, decision)
                    waiting.append(record)
        decisions, records = set(), [at]
        while (step := came[at]) is not None:
            at = step[0]
            decisions.add(step[1])
            records.append(at)
        return decisions, tuple(reversed(records))
