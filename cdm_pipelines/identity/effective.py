"""Which decisions of the log have effect.

Belongs here: undoing, contradictions, and the state of each decision: a pure function of the log. Does not belong
here: what linkage and survivorship are told (``constraints``; golden).

Decisions are taken in the order of their ids, without those that were undone. One that contradicts earlier effective
ones changes nothing: it is in conflict until one of those is undone, or itself. What contradicts:

- records that are the same, perhaps through others, and different;
- two confirmed customers that ``same`` or ``confirm`` would join. A customer that is confirmed again, with more
  records, stays one confirmed customer.

A decision of which so much was erased that it cannot have effect has none, nor does it contradict any other. An
``undo`` can be undone too. Of several values that were set for one attribute of one record the latest holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cdm_pipelines.identity.bonds import Bonds, Clash
from cdm_pipelines.identity.decisions import Decision, Kind

_OF_THE_LOG = frozenset({Kind.UNDO, Kind.ERASE, Kind.MIGRATED})


class State(StrEnum):
    """What became of a decision."""

    EFFECTIVE = "effective"
    CONFLICT = "conflict"
    UNDONE = "undone"
    ERASED = "erased"


@dataclass(frozen=True)
class Conflict:
    """A decision that has no effect, and what it contradicts."""

    decision: Decision
    clash: Clash

    @property
    def text(self) -> str:
        """What is wrong and what to do, without values."""
        against = [str(number) for number in self.clash.decisions]
        named = f"decision{'s' * (len(against) > 1)} {_listed(against)}"
        return (
            f"decision {self.decision.decision_id} ({self.decision.kind}) contradicts {named} "
            f"by {_listed([str(record) for record in self.clash.records])}; undo one of them"
        )


@dataclass(frozen=True)
class Effective:
    """The outcome of a log.

    Attributes:
        decisions: Those that have effect on records, in order; an undo, an erasure or a migration has none.
        states: State of every decision of the log, by id.
        conflicts: In order of decision.
        bonds: The parties that effective decisions make.
    """

    decisions: tuple[Decision, ...]
    states: Mapping[int, State]
    conflicts: tuple[Conflict, ...]
    bonds: Bonds

    def of(self, kind: Kind) -> tuple[Decision, ...]:
        """Effective decisions of one kind, in order."""
        return tuple(decision for decision in self.decisions if decision.kind is kind)


def effective(log: Iterable[Decision]) -> Effective:
    """The effect of a log; the order of its entries does not matter, their ids do."""
    ordered = sorted(log, key=lambda decision: decision.decision_id)
    undone = _undone(ordered)
    bonds, states = Bonds(), {}
    decisions: list[Decision] = []
    conflicts: list[Conflict] = []
    for decision in ordered:
        number = decision.decision_id
        clash = None if number in undone or decision.erased else _clash(bonds, decision)
        if number in undone:
            states[number] = State.UNDONE
        elif decision.erased:
            states[number] = State.ERASED
        elif clash is not None:
            states[number] = State.CONFLICT
            conflicts.append(Conflict(decision, clash))
        else:
            states[number] = State.EFFECTIVE
            decisions += [decision] if decision.kind not in _OF_THE_LOG else []
    return Effective(tuple(decisions), states, tuple(conflicts), bonds)


def _undone(ordered: list[Decision]) -> set[int]:
    """Decisions taken back, from the last entry to the first: an undo that was itself undone takes nothing back."""
    undone: set[int] = set()
    for decision in reversed(ordered):
        if decision.undoes is not None and decision.decision_id not in undone:
            undone.add(decision.undoes)
    return undone


def _clash(bonds: Bonds, decision: Decision) -> Clash | None:
    """Give a decision its effect, or tell what it contradicts."""
    match decision.kind:
        case Kind.SAME:
            return bonds.join(decision.decision_id, decision.joins)
        case Kind.CONFIRM:
            return bonds.confirm(decision.decision_id, decision.joins)
        case Kind.DIFFERENT:
            return bonds.part(decision.decision_id, decision.left, decision.right)
        case Kind.SET | Kind.UNDO | Kind.ERASE | Kind.MIGRATED:
            return None


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
