"""What a company says of its business case: the typed form of ``policies/business_case.yaml``.

Belongs here: inputs with their ranges, terms, drivers, goals, claims; what of them cannot be used. Does not belong
here: working out (``business_case``), what is counted (``business_case_measures``).
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.insight.business_case_formulas import FORMULAS
from cdm_pipelines.insight.business_case_measures import VOLUMES
from cdm_pipelines.privacy.policy_files import PolicyFile, Strict

FILE = "business_case.yaml"
_Said = Annotated[str, Field(min_length=1, pattern=r"\S")]
_Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False, strict=False)]
_Names = Annotated[tuple[str, ...], Field(min_length=1)]


class Range(Strict):
    """A figure that only the company knows, with how far off it may be; without ``likely`` it is not given.

    Attributes:
        means: What it is, in words.
        unit: Such as EUR, share or mailings.
        low: Least that it may be; ``likely`` when left out.
        likely: What it probably is.
        high: Most that it may be; ``likely`` when left out.
        shape: Of the simulation between low and high: pert leans more on likely than triangular.
        source: Who says so.
    """

    means: _Said
    unit: _Said
    low: _Amount | None = None
    likely: _Amount | None = None
    high: _Amount | None = None
    shape: Literal["pert", "triangular"] = "pert"
    source: str = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.likely is None:
            if self.low is not None or self.high is not None:
                raise ValueError("low or high is given and likely is not; give likely")
            return self
        low, likely, high = self.bounds
        if not low <= likely <= high:
            raise ValueError(f"low <= likely <= high does not hold: {low:g}, {likely:g}, {high:g}")
        if self.unit == "share" and high > 1:
            raise ValueError(f"a share is from 0 to 1, and high is {high:g}")
        return self

    @property
    def given(self) -> bool:
        """Whether the company has said it."""
        return self.likely is not None

    @property
    def bounds(self) -> tuple[float, float, float]:
        """Low, likely and high of one that is given."""
        likely = self.likely or 0.0
        return (
            likely if self.low is None else self.low,
            likely,
            likely if self.high is None else self.high,
        )


class Term(Strict):
    """One amount a year: a formula over measured volumes and inputs.

    Attributes:
        means: What it is, in words.
        measured: Names of volumes; ``name:source`` for one source.
        formula: Name of a formula.
        inputs: Names of inputs.
    """

    means: _Said
    measured: _Names
    formula: str = "volume_times"
    inputs: _Names


class Claim(Term):
    """An amount by a rule of thumb that others claim; never part of a driver, a goal or a total.

    Attributes:
        enabled: Whether it is shown.
        source: Who claims it.
    """

    enabled: bool = False
    source: _Said


class Driver(Strict):
    """Through what quality reaches a goal.

    Attributes:
        means: In words.
        goal: Name of the goal.
        quality: Dimensions of quality that move it.
        terms: Names of faults and gains that it adds up.
    """

    means: _Said
    goal: str
    quality: tuple[
        Literal["completeness", "validity", "uniqueness", "consistency", "timeliness", "accuracy"], ...
    ]
    terms: _Names


class Upkeep(Strict):
    """What upkeep of data does, for the optimum of its cost against that of poor data; all three or none.

    Attributes:
        now: Spent on upkeep a year.
        more: An amount more a year ...
        removes: ... that would take away this share of the cost of poor data.
    """

    now: _Amount | None = None
    more: Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)] | None = None
    removes: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        given = [one is not None for one in (self.now, self.more, self.removes)]
        if any(given) and not all(given):
            raise ValueError("give now, more and removes, or none of them")
        return self

    @property
    def given(self) -> bool:
        """Whether the company has said it."""
        return self.now is not None


class BusinessCasePolicy(PolicyFile):
    """The business case of a company.

    Attributes:
        currency: Of all amounts, as ISO 4217 has it.
        seed: Of the simulation.
        draws: Of the simulation.
        inputs: By name.
        faults: What faults cost, by name.
        gains: What better data would bring, by name.
        goals: In words, by name.
        drivers: By name.
        claims: By name.
        upkeep: What upkeep does.
    """

    FILE = FILE
    MANUAL = "docs/business-case.md"

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    seed: Annotated[int, Field(ge=0, strict=True)] = 1
    draws: Annotated[int, Field(ge=1_000, le=1_000_000, strict=True)] = 10_000
    inputs: dict[str, Range]
    faults: dict[str, Term]
    gains: dict[str, Term] = Field(default_factory=dict)
    goals: dict[str, _Said]
    drivers: dict[str, Driver]
    claims: dict[str, Claim] = Field(default_factory=dict)
    upkeep: Upkeep = Upkeep()

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if problems := list(self._unknown()):
            raise ValueError("; ".join(problems))
        return self

    def terms(self) -> dict[str, Term]:
        """Faults and gains by name."""
        return {**self.faults, **self.gains}

    def _unknown(self) -> Iterator[str]:
        for name in sorted(self.faults.keys() & self.gains.keys()):
            yield f"gains.{name}: is a fault as well; give it a name of its own"
        for kind in ("faults", "gains", "claims"):
            terms: Mapping[str, Term] = getattr(self, kind)
            for name, term in terms.items():
                yield from self._of_term(f"{kind}.{name}", term)
        known = list(self.terms())
        used: dict[str, str] = {}
        for name, driver in self.drivers.items():
            if driver.goal not in self.goals:
                yield f"drivers.{name}.goal: there is no goal {driver.goal}. {instead(driver.goal, list(self.goals))}"
            for term_name in driver.terms:
                if term_name not in known:
                    yield f"drivers.{name}.terms: there is no fault or gain {term_name}. {instead(term_name, known)}"
                elif term_name in used:
                    yield f"drivers.{name}.terms: {term_name} is counted in {used[term_name]} already; count it once"
                used[term_name] = name

    def _of_term(self, key: str, term: Term) -> Iterator[str]:
        for name in term.measured:
            measure = name.partition(":")[0]
            if measure not in VOLUMES:
                yield f"{key}.measured: nothing is measured by the name {measure}. {instead(measure, list(VOLUMES))}"
        for name in term.inputs:
            if name not in self.inputs:
                yield f"{key}.inputs: there is no input {name}. {instead(name, list(self.inputs))}"
        formula = FORMULAS.get(term.formula)
        if formula is None:
            yield f"{key}.formula: there is no formula {term.formula}. {instead(term.formula, list(FORMULAS))}"
            return
        if len(term.measured) != formula.volumes:
            yield f"{key}.measured: {term.formula} takes {formula.volumes} and {len(term.measured)} are named"
        if formula.inputs is not None and len(term.inputs) != formula.inputs:
            yield f"{key}.inputs: {term.formula} takes {formula.inputs} and {len(term.inputs)} are named"
