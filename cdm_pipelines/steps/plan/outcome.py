"""A plan: what would change, in counts, keys and shapes, with its verdict; and the same for a machine.

Belongs here: the typed form, which a command, a pull request and a page show. Does not belong here: how it is found
(``making``), how it is printed (commands.plan).

Nothing in it is a value of a person, unless it was asked for by who may see them: golden ids, record keys, names of
attributes, shapes.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from cdm_pipelines.quality.thresholds import Verdict

SCHEMA = "cdm.plan/1"
"""Names the form of ``as_json``: a field is only ever added under the same number."""


class Outcome(StrEnum):
    """What a plan comes to."""

    NOTHING = "nothing"
    IN_ORDER = "in order"
    WARN = "warn"
    REFUSE = "refuse"


class Effect(StrEnum):
    """When a changed file shows in the customers."""

    PLAN = "in this plan"
    NEXT_DAYS = "on days that arrive from now on"
    ELSEWHERE = "not in who the customers are"


@dataclass(frozen=True)
class Taken:
    """A file of the folders that were given.

    Attributes:
        file: Path below its folder; of a contract ``source/entity``.
        changed: Whether it says anything else than the one in force.
        effect: When that shows.
    """

    file: str
    changed: bool
    effect: Effect


@dataclass(frozen=True)
class Model:
    """How records of one kind were linked: all or what has changed, and why all; with a model fitted anew or not."""

    kind: str
    fitted: bool
    everything: bool
    why: str = ""


@dataclass(frozen=True)
class Customers:
    """Published customers, and what becomes of them.

    Attributes:
        before: In service.
        after: As they would be.
        merged: In service, and one with another afterwards.
        merged_into: Customers that those become.
        split: In service, and several afterwards.
        split_into: Customers that those become.
        changed: Keep their id and get another golden value.
    """

    before: int
    after: int
    merged: int
    merged_into: int
    split: int
    split_into: int
    changed: int


@dataclass(frozen=True)
class Records:
    """Source records: those in service, those that get another golden id, those that come and that go."""

    before: int
    moved: int
    come: int
    gone: int


@dataclass(frozen=True)
class Ids:
    """Golden ids: new ones, those that become an alias, are retired, come back, or stand for another id than before."""

    founded: int = 0
    alias: int = 0
    retired: int = 0
    restored: int = 0
    redirected: int = 0


@dataclass(frozen=True)
class SourceChange:
    """Customers of whom a golden value comes from one source entity now and from another then; empty where none."""

    before: str
    after: str
    customers: int


@dataclass(frozen=True)
class AttributeChange:
    """Customers of whom an attribute gets a value, loses it or has another one, and from which sources."""

    attribute: str
    filled: int
    emptied: int
    other: int
    sources: tuple[SourceChange, ...]


@dataclass(frozen=True)
class ConsentChange:
    """Customers whom a purpose may not reach any more, and whom it may reach then; no channel stands for all."""

    purpose: str
    channel: str
    lost: int
    gained: int


@dataclass(frozen=True)
class MovedRecord:
    """A source record, ``source/entity/record_id``, with its golden id now and then."""

    record: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class ValueChange:
    """A golden value that changes: where it comes from, and its shape (or the value, where that was asked for)."""

    attribute: str
    change: str
    source_before: str
    source_after: str
    before: str
    after: str


@dataclass(frozen=True)
class Answer:
    """A purpose and channel that a customer allows no more (``lost``) or allows then (``gained``)."""

    purpose: str
    channel: str
    change: str


@dataclass(frozen=True)
class Example:
    """A customer who tells what the change does.

    Attributes:
        kind: ``merged``, ``split``, ``consent`` or ``changed``.
        golden_id: Of it.
        before: Golden ids in service whose records it is about.
        after: Those that they would have.
        records: Some of the records that move; ``more`` is how many more there are.
        values: Golden values that change.
        consent: Answers that change.
    """

    kind: str
    golden_id: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    records: tuple[MovedRecord, ...]
    more: int
    values: tuple[ValueChange, ...]
    consent: tuple[Answer, ...]


@dataclass(frozen=True)
class Check:
    """A limit, and whether it was kept: ``passed``, ``warn`` or ``refuse``."""

    name: str
    outcome: str
    text: str

    @classmethod
    def of(cls, name: str, verdict: Verdict, text: str = "") -> "Check":
        """From a verdict."""
        stops = verdict.stops or verdict.accepted
        return cls(name, "passed" if verdict.passed else "refuse" if stops else "warn", text or verdict.text)


@dataclass(frozen=True)
class Plan:
    """What changed policies would do.

    Attributes:
        taken: Files that were given.
        models: How each kind of party was linked.
        waiting: Records that changed since the published version, which the next run would publish in any case.
        customers: What becomes of them.
        records: What becomes of them.
        ids: What becomes of golden ids.
        attributes: Golden values that change.
        consent: Answers that change.
        consent_lost: Customers who allow less, for any purpose.
        consent_gained: Customers who allow more.
        examples: At most ten customers.
        checks: Limits of ``checks.yaml``: those of plans, and those that the run itself would be held to.
        notes: What else is to be known.
        values: Whether examples hold values instead of shapes.
    """

    taken: tuple[Taken, ...]
    models: tuple[Model, ...]
    waiting: int
    customers: Customers
    records: Records
    ids: Ids
    attributes: tuple[AttributeChange, ...]
    consent: tuple[ConsentChange, ...]
    consent_lost: int
    consent_gained: int
    examples: tuple[Example, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    values: bool = False

    @property
    def changes_nothing(self) -> bool:
        """Whether the next version would be this one, as far as a plan looks."""
        moved = self.records.moved or self.records.come or self.records.gone or any(asdict(self.ids).values())
        return not (moved or self.attributes or self.consent)

    @property
    def outcome(self) -> Outcome:
        """What it comes to: the worst of its checks."""
        if self.changes_nothing:
            return Outcome.NOTHING
        found = {one.outcome for one in self.checks}
        return next((one for one in (Outcome.REFUSE, Outcome.WARN) if str(one) in found), Outcome.IN_ORDER)


def as_json(plan: Plan) -> Mapping[str, Any]:
    """A plan for a machine; see docs/plan.md."""
    return {"schema": SCHEMA, "outcome": str(plan.outcome), **asdict(plan)}
