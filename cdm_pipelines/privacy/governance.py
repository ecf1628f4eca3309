"""Who is answerable for which data: the typed form of ``policies/governance.yaml``.

Belongs here: owner, steward and custodian of every source and attribute, when that is to be reviewed, and what the
record of processing says of the company. Does not belong here: who may read what (``roles``).

An owner decides about data, a steward keeps it right, a custodian runs the system that holds it.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.privacy.categories import unknown_categories
from cdm_pipelines.privacy.policy_files import PolicyFile, Strict

FILE = "governance.yaml"
_Name = Annotated[str, Field(min_length=1)] | None


class Answerable(Strict):
    """Who is answerable; what is left out is as one level up.

    Attributes:
        owner: Decides about it.
        steward: Keeps it right, and is asked to correct it.
        custodian: Runs what holds it.
        review_on: Day until which this holds without being looked at again.
    """

    owner: _Name = None
    steward: _Name = None
    custodian: _Name = None
    review_on: dt.date | None = None


class _Default(Strict):
    """Who answers for what nobody is named for.

    Attributes:
        owner: Who answers for it.
        steward: Who looks after it day by day.
        custodian: Who keeps the systems that it lies in.
        review_on: Day by which this is looked at again.
    """

    owner: Annotated[str, Field(min_length=1)]
    steward: Annotated[str, Field(min_length=1)]
    custodian: Annotated[str, Field(min_length=1)]
    review_on: dt.date


@dataclass(frozen=True)
class Found:
    """Who is answerable for one thing, and where the policy says so."""

    owner: str
    steward: str
    custodian: str
    review_on: dt.date


class Target(Strict):
    """What a figure of quality should at least be; the more it names, the more particular it is.

    Attributes:
        dimension: Of quality.
        source: Source system, or golden for the golden customers; every one when left out.
        entity: Of the source.
        attribute: Canonical attribute, such as party.email; "" for whole records; every one when left out.
        measure: Name of one way of measuring the dimension.
        at_least: The score, from 0 to 1.
        owner: Who is told when it is missed; the owner of the data when left out.
    """

    dimension: Literal[
        "completeness", "validity", "uniqueness", "consistency", "timeliness", "accuracy", "friday"
    ]
    source: _Name = None
    entity: _Name = None
    attribute: str | None = None
    measure: _Name = None
    at_least: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    owner: _Name = None

    def fits(self, subject: Mapping[str, str]) -> bool:
        """Whether it is about a figure with these columns."""
        return all(value is None or value == subject[name] for name, value in self.named().items())

    def named(self) -> dict[str, str | None]:
        """What it is about, by column of ``insight.quality``."""
        return {
            name: getattr(self, name) for name in ("dimension", "source", "entity", "attribute", "measure")
        }

    @property
    def particular(self) -> int:
        """How many columns it names."""
        return sum(value is not None for value in self.named().values())


_Said = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Contact(Strict):
    """Somebody to write to.

    Attributes:
        name: Of a person, function or company.
        contact: Postal address, e-mail address or phone.
    """

    name: _Said
    contact: _Said


class Controller(Contact):
    """The company that decides what data are used for, as GDPR article 30 has it recorded.

    Attributes:
        data_protection_officer: Its own, where it has one.
        representative: In the Union, of a company outside it.
        joint_controllers: Who decides with it.
    """

    data_protection_officer: Contact | None = None
    representative: _Said | None = None
    joint_controllers: tuple[_Said, ...] = ()


class Transfer(Strict):
    """That a recipient has data in a country outside the Union.

    Attributes:
        country: Or international organisation.
        safeguard: On what ground it may: an adequacy decision, standard contractual clauses, …
    """

    country: _Said
    safeguard: _Said

    def __str__(self) -> str:
        return f"{self.country} ({self.safeguard})"


class GovernancePolicy(PolicyFile):
    """Who is answerable for all data of a deployment.

    Attributes:
        default: For everything.
        sources: By source system, or source/entity; the owner of one that is not named is its contract's.
        categories: By privacy category, and all below it.
        attributes: By canonical attribute, as contracts write it: party.iban.
        controller: The company, for the record of processing.
        transfers: To countries outside the Union, by recipient as ``purposes.yaml`` names it.
        security: What the company does to protect data, beside what the pipeline does.
        targets: What figures of quality should at least be; of several the one that names most counts.
    """

    FILE = FILE
    MANUAL = "docs/governance.md"

    default: _Default
    sources: dict[str, Answerable] = Field(default_factory=dict)
    categories: dict[str, Answerable] = Field(default_factory=dict)
    attributes: dict[str, Answerable] = Field(default_factory=dict)
    controller: Controller | None = None
    transfers: dict[str, Transfer] = Field(default_factory=dict)
    security: tuple[_Said, ...] = ()
    targets: tuple[Target, ...] = ()

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        seen: list[Mapping[str, str | None]] = []
        for place, one in enumerate(self.targets):
            if one.named() in seen:
                raise ValueError(
                    f"targets.{place}: is about the same as targets.{seen.index(one.named())}; keep one"
                )
            seen.append(one.named())
        return self

    def target_of(self, subject: Mapping[str, str]) -> Target | None:
        """The most particular target of a figure with these columns; of two that name as much the later one."""
        fitting = [one for one in self.targets if one.fits(subject)]
        return max(reversed(fitting), key=lambda one: one.particular, default=None)

    def of_source(self, source: str, entity: str = "", owner: str | None = None) -> Found:
        """Who is answerable for a source, or an entity of it.

        Args:
            source: Its name.
            entity: Of it.
            owner: That its contract names.
        """
        named = [
            self.sources.get(f"{source}/{entity}"),
            self.sources.get(source),
            Answerable(owner=owner or None),
        ]
        return self._first(named)

    def of_attribute(self, path: str, category: str) -> Found:
        """Who is answerable for a canonical attribute, or a column of a category."""
        named = [self.attributes.get(path)]
        while category:
            named.append(self.categories.get(category))
            category = category.rpartition(".")[0]
        return self._first(named)

    def _first(self, named: Iterable[Answerable | None]) -> Found:
        said = {name: getattr(self.default, name) for name in _Default.model_fields}
        for one in reversed([one for one in named if one is not None]):
            said |= {name: value for name, value in vars(one).items() if value is not None}
        return Found(**said)

    def problems(
        self, sources: Collection[str], attributes: Mapping[str, str], categories: Collection[str]
    ) -> Iterator[str]:
        """What the policy names that there is not, each with its key and the fix.

        Args:
            sources: Names of sources, and source/entity.
            attributes: Categories by path of canonical attribute.
            categories: That columns are declared with.
        """
        for kind, named, known in (
            ("sources", self.sources, sources),
            ("attributes", self.attributes, attributes),
        ):
            for name in sorted(named.keys() - set(known)):
                yield f"{FILE}: {kind}.{name}: there is none of that name. {instead(name, sorted(known))}"
        for place, one in enumerate(self.targets):
            source = f"{one.source}/{one.entity}" if one.source and one.entity else one.source
            if source and one.source != "golden" and source not in sources:
                yield f"{FILE}: targets.{place}.source: there is no source {source}. {instead(source, sorted(sources))}"
            if one.attribute and "." in one.attribute and one.attribute not in (*attributes, "party.address"):
                names = sorted(attributes)
                yield f"{FILE}: targets.{place}.attribute: there is no {one.attribute}. {instead(one.attribute, names)}"
        for name, fix in unknown_categories(self.categories, categories):
            yield f"{FILE}: categories.{name}: no category has that name. {fix}"

    def unknown_recipients(self, recipients: Collection[str]) -> Iterator[str]:
        """Transfers to whom no purpose gives data, each with its key and the fix."""
        for name in sorted(self.transfers.keys() - set(recipients)):
            fix = instead(name, sorted(recipients))
            yield f"{FILE}: transfers.{name}: no purpose of purposes.yaml has that recipient. {fix}"

    def due(self, today: dt.date) -> Iterator[str]:
        """What should have been reviewed, with its key and the fix."""
        parts = [("default", self.default.review_on)]
        for kind in ("sources", "categories", "attributes"):
            parts += [(f"{kind}.{name}", one.review_on) for name, one in getattr(self, kind).items()]
        for key, day in parts:
            if day is not None and day < today:
                yield (
                    f"{FILE}: {key}.review_on: {day} is past; look whether owner, steward and custodian are still "
                    "right, and set the next day"
                )
