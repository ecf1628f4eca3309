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
from cdm_pipelines.insight.report_words import Language, Told, number
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
    """A purpose of ours that needs consent: customers of the other company by what they allow.

    Attributes:
        purpose: Its key.
        given: May be addressed for it, by a channel at least.
        refused: Answered, and may be by none.
        nothing: Said nothing, or what has ended or was never confirmed.
        channels: By channel of the purpose, who may be addressed by it.
    """

    purpose: str
    given: int
    refused: int
    nothing: int
    channels: Mapping[str, int] = field(default_factory=dict)


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
    lost: int = 0
    gained: int = 0


@dataclass(frozen=True)
class Cleaning:
    """One kind of work that cleaning takes.

    Attributes:
        key: Of the input of ``business_case.yaml`` that says what one costs.
        what: In words.
        volume: How many.
        unit: Cost of one, low, likely and high; None where the company gave none.
    """

    key: str
    what: Told
    volume: int
    unit: tuple[float, float, float] | None = None

    @property
    def cost(self) -> tuple[float, float, float] | None:
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
    def told(self) -> Told:
        """What it means."""
        if not self.same:
            return _NO_IDS
        meant = _OURS if self.linked * 2 > self.same else _OTHERS
        return Told(
            en=_SAME.en.format(same=f"{self.same:,}") + meant.en.format(linked=f"{self.linked:,}"),
            nl=_SAME.nl.format(same=number(self.same, Language.DUTCH))
            + meant.nl.format(linked=number(self.linked, Language.DUTCH)),
        )


_NO_IDS = Told(
    en="No record of theirs has an id of ours.", nl="Geen record van hen heeft een sleutel van ons."
)
_SAME = Told(
    en="{same} records of theirs have an id that a record of ours has too. ",
    nl="{same} records van hen hebben een sleutel die een record van ons ook heeft. ",
)
_OURS = Told(
    en="{linked} of them are linked with that very record: the ids seem to be ours. They are kept apart by source all "
    "the same.",
    nl="{linked} ervan zijn met juist dat record verbonden: de sleutels lijken de onze te zijn. Zij blijven toch per "
    "bron uit elkaar.",
)
_OTHERS = Told(
    en="They are other people: records are told apart by source, so that no two are mixed up.",
    nl="Het zijn andere mensen: records worden per bron uit elkaar gehouden, zodat er geen twee worden verward.",
)


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
        currency: Of the unit costs, as ISO 4217 has it.
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
    trusted: Told
    consent: ConsentFigures
    doubtful: int
    ids: Ids
    cleaning: tuple[Cleaning, ...]
    notes: tuple[Told, ...] = field(default=())
    currency: str = "EUR"

    @property
    def duplicates(self) -> int:
        """Records of theirs that are of a customer whom another record of theirs is of too."""
        return self.records - self.customers

    @property
    def total(self) -> tuple[float, float, float] | None:
        """Cost of cleaning, low, likely and high; None where no unit cost is given."""
        known = [one.cost for one in self.cleaning if one.cost is not None]
        if not known:
            return None
        low, likely, high = (round(sum(column), 2) for column in zip(*known, strict=True))
        return low, likely, high


def as_json(found: Assessment) -> Mapping[str, Any]:
    """The report for a machine, with words in English; see docs/takeover.md. ``euros`` are in the currency beside."""
    plain = asdict(found) | {"trusted": found.trusted.en, "notes": [one.en for one in found.notes]}
    for written, one in zip(plain["cleaning"], found.cleaning, strict=True):
        written |= {"what": one.what.en, "euros": one.cost}
    return {"schema": SCHEMA, **plain, "duplicates": found.duplicates, "euros": found.total}


def with_costs(work: Sequence[Cleaning], policies: Path) -> tuple[Cleaning, ...]:
    """Work with what one of it costs, where the company said so in the inputs of its business case.

    Raises:
        PrivacyPolicyError: The business case cannot be used.
    """
    inputs = BusinessCasePolicy.load(policies).inputs
    given = {name: one.bounds for name, one in inputs.items() if one.given}
    return tuple(replace(one, unit=given.get(one.key)) for one in work)
