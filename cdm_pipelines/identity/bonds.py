"""Records that were decided to be one party, and what keeps parties apart.

Belongs here: joining records one decision at a time, and finding what a decision contradicts. Does not belong here:
which decisions are asked for (``effective``).

A union-find over records. Each party carries the sides that it stands on of the decisions ``different``, and the
decision that confirmed it; when parties join, the smaller set moves into the larger, so that n records cost n log n.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cdm_pipelines.identity.decisions import Record

Side = tuple[int, int]  # a decision, and 0 or 1


@dataclass(frozen=True)
class Clash:
    """What a decision contradicts.

    Attributes:
        decisions: The decisions that say otherwise, in order; they do so together, and none of them is idle.
        records: The records through which they do.
    """

    decisions: tuple[int, ...]
    records: tuple[Record, ...]


@dataclass
class Bonds:
    """Parties made by decisions, each of which is refused when it contradicts those before."""

    _parent: dict[Record, Record] = field(default_factory=dict)
    _sides: dict[Record, set[Side]] = field(default_factory=dict)
    _confirmed: dict[Record, list[int]] = field(default_factory=dict)
    _joining: dict[Record, list[int]] = field(default_factory=dict)
    _joined: dict[int, Sequence[Record]] = field(default_factory=dict)
    _parted: dict[Side, Sequence[Record]] = field(default_factory=dict)

    def join(self, decision: int, records: Sequence[Record]) -> Clash | None:
        """Make the records one party; where that contradicts something, tell what and change nothing.

        Args:
            decision: Its number, one that was not given before.
            records: One or more.
        """
        affected = self._by_party(records)
        clash = self._two_confirmed(affected) or self._two_sides(affected)
        if clash is None:
            self._joined[decision] = records
            for record in records:
                self._joining.setdefault(record, []).append(decision)
            self._unite(list(affected))
        return clash

    def confirm(self, decision: int, records: Sequence[Record]) -> Clash | None:
        """Make the records one party that is confirmed, or extend the confirmed one that they belong to."""
        clash = self.join(decision, records)
        if clash is None:
            self._confirmed.setdefault(self.party(records[0]), []).append(decision)
        return clash

    def part(self, decision: int, left: Sequence[Record], right: Sequence[Record]) -> Clash | None:
        """Keep each of the left records apart from each of the right ones."""
        sides = self._by_party(left), self._by_party(right)
        shared = next((root for root in sides[0] if root in sides[1]), None)
        if shared is not None:
            return Clash(*self._path(sides[0][shared], sides[1][shared]))
        for side, members in enumerate((left, right)):
            self._parted[decision, side] = members
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
        """The first decision that confirmed a record's party."""
        return next(iter(self._confirmed.get(self.party(record), ())), None)

    def _by_party(self, records: Iterable[Record]) -> dict[Record, list[Record]]:
        found: dict[Record, list[Record]] = {}
        for record in records:
            found.setdefault(self.party(record), []).append(record)
        return found

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

    def _two_confirmed(self, affected: Mapping[Record, Sequence[Record]]) -> Clash | None:
        confirmed = [root for root in affected if root in self._confirmed][:2]
        if len(confirmed) < 2:
            return None
        ways = []
        for root in confirmed:
            named = {record: n for n in reversed(self._confirmed[root]) for record in self._joined[n]}
            ways.append((affected[root], named))
        return self._between(*ways)

    def _two_sides(self, affected: Mapping[Record, Sequence[Record]]) -> Clash | None:
        largest, *others = sorted(affected, key=lambda root: -len(self._sides.get(root, ())))
        most, standing = self._sides.get(largest, set()), set[Side]()
        for root in others:
            sides = self._sides.get(root, set())
            if any((opposite := (n, 1 - side)) in most or opposite in standing for n, side in sides):
                return min(
                    self._clashes(affected, [largest, *others]), key=lambda clash: len(clash.decisions)
                )
            standing |= sides
        return None

    def _clashes(
        self, affected: Mapping[Record, Sequence[Record]], roots: Sequence[Record]
    ) -> Iterator[Clash]:
        """Every way in which two of some parties stand on both sides of a decision."""
        for at, root in enumerate(roots):
            for decision, side in sorted(self._sides.get(root, ())):
                opposite = (decision, 1 - side)
                for other in (one for one in roots[:at] if opposite in self._sides.get(one, ())):
                    ends = (
                        dict.fromkeys(self._parted[one], decision) for one in (opposite, (decision, side))
                    )
                    yield self._between(*zip((affected[other], affected[root]), ends, strict=True))

    def _between(self, *ways: tuple[Sequence[Record], Mapping[Record, int]]) -> Clash:
        """The way from one of the records to be joined to what is said of its party, and the same of another.

        Args:
            ways: Of each party the records to be joined, and the records where a way may end, with the decision
                that says something of them.
        """
        decisions: set[int] = set()
        records: list[Record] = []
        for starts, ends in ways:
            passed, path = self._path(starts, ends)
            decisions |= {*passed, ends[path[-1]]}
            records = [*reversed(records), *path] if records else list(path)
        return Clash(tuple(sorted(decisions)), tuple(records))

    def _path(
        self, starts: Sequence[Record], ends: Collection[Record]
    ) -> tuple[tuple[int, ...], tuple[Record, ...]]:
        """The way between records of one party by the fewest decisions: those, and the records on it."""
        came: dict[Record, tuple[Record, int] | None] = dict.fromkeys(starts)
        seen: set[int] = set()
        waiting = deque(starts)
        at = waiting[0]
        while waiting:
            at = waiting.popleft()
            if at in ends:
                break
            for decision in self._joining.get(at, ()):
                if decision not in seen:
                    seen.add(decision)
                    onward = [record for record in self._joined[decision] if record not in came]
                    came |= dict.fromkeys(onward, (at, decision))
                    waiting += onward
        decisions, records = set(), [at]
        while (step := came[at]) is not None:
            at = step[0]
            decisions.add(step[1])
            records.append(at)
        return tuple(sorted(decisions)), tuple(reversed(records))
