"""What somebody proposes, as whoever decides about it sees it.

Belongs here: from a proposal to its value, its customers, the records that it sets apart, the decision that it takes
back. Does not belong here: the case that it is about (``cases``), which proposal is next (``desk``).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cdm_pipelines.console import reads
from cdm_pipelines.console.errors import UnknownError
from cdm_pipelines.console.house import House
from cdm_pipelines.console.shown import seen_values
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.hub.proposals import Proposal
from cdm_pipelines.identity.decisions import Decision, DecisionError, Kind, Record
from cdm_pipelines.steps.stewardship import decisions


@dataclass(frozen=True)
class Whose:
    """A customer that a proposal names: its current id, and what it is called; no id where it is no more."""

    golden_id: UUID | None
    name: str = ""


@dataclass(frozen=True)
class Worth:
    """A value of an attribute as the role sees it; None where it sees none."""

    attribute: str
    value: Any
    until: dt.date | None


@dataclass(frozen=True)
class Proposed:
    """All that is shown of a proposal.

    Attributes:
        proposal: It.
        customers: Whom it names.
        worth: The value that it sets.
        apart: The records that leave their customer.
        undoes: The decision that it takes back.
        undone: The value that this one had set.
    """

    proposal: Proposal
    customers: Sequence[Whose] = ()
    worth: Worth | None = None
    apart: Sequence[str] = ()
    undoes: Decision | None = None
    undone: Worth | None = None

    @property
    def needs_case(self) -> bool:
        """Whether nobody can say yes to it who does not see whom it is about."""
        return self.undoes is None


def apart_of(proposal: Proposal | None) -> list[Record]:
    """The records that a proposal takes from their customer."""
    named = [] if proposal is None else proposal.subject.get("apart", ())
    return [one for one in map(Record.parse, named) if one is not None]


def undoes(proposal: Proposal, log: Sequence[Decision]) -> Decision | None:
    """The decision that a proposal takes back."""
    number = proposal.subject.get("decision")
    return next((one for one in log if one.decision_id == number), None)


def proposed(eyes: Eyes, house: House, proposal: Proposal, log: Sequence[Decision]) -> Proposed:
    """A proposal as the role sees it."""
    subject = house.in_clear(proposal.subject)
    named = [str(subject[name]) for name in ("customer", "other") if subject.get(name)]
    decision = undoes(proposal, log)
    undone = None
    if decision is not None and decision.kind is Kind.SET and not decision.erased:
        held = house.in_clear({"value": decision.value})
        undone = _worth(eyes, house, decision.attribute, held["value"], decision.expires)
    until = subject.get("expires")
    return Proposed(
        proposal,
        [_whose(eyes, house, one) for one in named],
        _worth(
            eyes,
            house,
            subject["attribute"],
            subject["value"],
            dt.date.fromisoformat(until) if until else None,
        )
        if {"attribute", "value"} <= subject.keys()
        else None,
        list(subject.get("apart", ())),
        decision,
        undone,
    )


def _worth(eyes: Eyes, house: House, attribute: str, value: str, until: dt.date | None) -> Worth:
    rows: Sequence[Mapping[str, Any]] = [{attribute: value}]
    return Worth(attribute, seen_values(eyes, rows, [attribute], house.in_clear)[0].get(attribute), until)


def _whose(eyes: Eyes, house: House, name: str) -> Whose:
    try:
        row = reads.customer(eyes, decisions.find(eyes.connection, name).golden_id)
    except (DecisionError, UnknownError):
        return Whose(None)
    return Whose(row["golden_id"], reads.name_of(house.in_clear(row)))
