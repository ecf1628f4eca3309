"""What is known of a company before it is taken in: the typed form of the report, and the same for a machine.

Belongs here: figures with what they mean, what cleaning costs. Does not belong here: finding them (steps.takeover), the
estimate of the overlap (``takeover_overlap``), how they look (``takeover_page``).

Nothing in it is a value of a person: names of files, columns and rules, counts and shares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cdm_pipelines.insight.business_case_policy import BusinessCasePolicy
from cdm_pipelines.insight.takeover_overlap import Overlap

SCHEMA = "cdm.takeover/1"
"""Names the form of ``as_json``: a field is only ever added under the same number."""


@dataclass(frozen=True)
class FileFigures:
    """One file of the other company.

    Attributes:
        file: Its name.
        entity: As what it would be taken in.
        suggested: Whether its contract is a guess.
        doubts: Lines of a suggested contract that say they are unsure.
        unmapped: Columns that feed nothing.
        read: Rows.
        accepted: Rows that pass the contract.
        quarantined: Rows that would be put aside.
        repaired: Accepted rows of which a cell would be changed or blanked.
        reasons: Rows put aside, by rule.
        repairs: Cells changed, by rule.
        stopped: Whether the day would be refused as it is, and why; empty where not.
    """

    file: str
    entity: str
    suggested: bool
    doubts: int
    unmapped: tuple[str, ...]
    read: int
    accepted: int
    quarantined: int
    repaired: int
    reasons: Mapping[str, int]
    repairs: Mapping[str, int]
    stopped: str = ""


@dataclass(frozen=True)
class AttributeFigures:
    """How well an attribute of parties is filled: shares of their records and of ours; and the share that is valid."""

    attribute: str
    theirs: float
    ours: float
    valid: float


@dataclass(frozen=True)
class Segment:
    """Our customers of one stage.

    Attributes:
        stage: Of the life cycle.
        customers: All of ours in it.
        theirs: Of them those whom linking puts together with a customer of the other company.
        value: Historic value of those, in the currency of our orders; None where there is none.
    """

    stage: str
    customers: int
    theirs: int
    value: float | None


@dataclass(frozen=True)
class ValueFigures:
    """Customers in service of whom a golden value would come from the other company, by attribute.

    Attributes:
        attribute: The attribute.
        filled: Had no value.
        replaced: Had another one.
        other: Values that change otherwise, since ours come together.
    """

    attribute: str
    filled: int
    replaced: int
    other: int


@dataclass(frozen=True)
class PurposeFigures:
    """A purpose of ours that needs consent: customers of the other company by what they said of it."""

    purpose: str
    given: int
    refused: int
    nothing: int


@dataclass(frozen=True)
class ConsentFigures:
    """What the other company's customers said.

    Attributes:
        statements: Delivered.
        customers: Of the other company.
        purposes: Ours that need consent.
        strange: Statements about a purpose that we do not have, by its name in the file.
        undated: Statements without a moment.
        unknown: Statements of which the state is not understood: they allow nothing.
        lost: Our customers who would allow less.
        gained: Our customers who would allow more.
    """

    statements: int
    customers: int
    purposes: tuple[PurposeFigures, ...]
    strange: Mapping[str, int]
    undated: int
    unknown: int
    lost: int
    gained: int


@dataclass(frozen=True)
class Cleaning:
    """One kind of work that cleaning takes.

    Attributes:
        key: Of the input of ``business_case.yaml`` that says what one costs.
        what: In words.
        volume: How many.
        unit: Euros for one, low, likely and high; None where the company gave none.
    """

    key: str
    what: str
    volume: int
    unit: tuple[float, float, float] | None = None

    @property
    def euros(self) -> tuple[float, float, float] | None:
        """Volume times unit cost, low, likely and high."""
        if self.unit is None:
            return None
        low, likely, high = (round(self.volume * one, 2) for one in self.unit)
        return low, likely, high


@dataclass(frozen=True)
class Ids:
    """Record ids of the other company that are ids of ours too.

    Attributes:
        same: Of its records, those with an id that one of our records has.
        linked: Of them those that are linked with the record of ours that has it.
        references: Columns of its files that hold ids of one of our sources: file, column, source, share of the values.
    """

    same: int
    linked: int
    references: tuple[tuple[str, str, str, float], ...] = ()

    @property
    def told(self) -> str:
        """What it means."""
        if not self.same:
            return "No record of theirs has an id of ours."
        text = f"{self.same:,} records of theirs have an id that a record of ours has too. "
        if self.linked * 2 > self.same:
            return text + (
                f"{self.linked:,} of them are linked with that very record: the ids seem to be ours. They are kept "
                "apart by source all the same."
            )
        return text + "They are other people: records are told apart by source, so that no two are mixed up."


@dataclass(frozen=True)
class Assessment:
    """The report.

    Attributes:
        name: Of the source that it would be.
        date: As of which extract date.
        files: What was read.
        unreadable: Files that cannot be read, in words.
        records: Party records.
        customers: Different customers of theirs.
        attributes: How well they are described.
        overlap: Who is ours; None where there is no file of customers.
        segments: Of ours whom they have too.
        golden_before: Our customers.
        golden_after: Customers afterwards.
        merged: Customers of ours that would become one with another of ours, since records of theirs join them.
        values: Golden values that would change.
        trusted: Where the other company stands in the order of trust.
        consent: What they said.
        doubtful: Pairs between theirs and ours that a steward would be asked about.
        ids: Ids that both have.
        cleaning: What is to be done, with its cost where a unit cost is given.
        notes: What else is to be known.
    """

    name: str
    date: str
    files: tuple[FileFigures, ...]
    unreadable: tuple[str, ...]
    records: int
    customers: int
    attributes: tuple[AttributeFigures, ...]
    overlap: Overlap | None
    segments: tuple[Segment, ...]
    golden_before: int
    golden_after: int
    merged: int
    values: tuple[ValueFigures, ...]
    trusted: str
    consent: ConsentFigures
    doubtful: int
    ids: Ids
    cleaning: tuple[Cleaning, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def duplicates(self) -> int:
        """Records of theirs that are of a customer whom another record of theirs is of too."""
        return self.records - self.customers

    @property
    def total(self) -> tuple[float, float, float] | None:
        """Cost of cleaning in euros, low, likely and high; None where no unit cost is given."""
        known = [one.euros for one in self.cleaning if one.euros is not None]
        if not known:
            return None
        low, likely, high = (round(sum(column), 2) for column in zip(*known, strict=True))
        return low, likely, high


def as_json(found: Assessment) -> Mapping[str, Any]:
    """The report for a machine; see docs/takeover.md."""
    plain = asdict(found)
    for written, one in zip(plain["cleaning"], found.cleaning, strict=True):
        written["euros"] = one.euros
    return {"schema": SCHEMA, **plain, "duplicates": found.duplicates, "euros": found.total}


def with_costs(work: Sequence[Cleaning], policies: Path) -> tuple[Cleaning, ...]:
    """Work with what one of it costs, where the company said so in the inputs of its business case.

    Raises:
        PrivacyPolicyError: The business case cannot be used.
    """
    inputs = BusinessCasePolicy.load(policies).inputs
    given = {name: one.bounds for name, one in inputs.items() if one.given}
    return tuple(replace(one, unit=given.get(one.key)) for one in work)
