"""The linkage policy: what a company writes in YAML to say how records are compared.

Belongs here: the typed, frozen policy, its validation and its errors. Does not belong here: how a rule or a
comparison is computed (blocking, compare).
"""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cdm_pipelines.linkage.errors import nearest
from cdm_pipelines.linkage.policy.equivalents import NameForms, equivalents


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
Share = Annotated[float, Field(gt=0, lt=1)]

Clean = Literal[
    "text",
    "name",
    "surname",
    "organisation",
    "street",
    "number",
    "digits",
    "identifier",
    "date",
    "date_dmy",
    "date_mdy",
    "email",
    "exact",
]
Take = Literal[
    "first",
    "last",
    "initial",
    "phonetic",
    "year",
    "month_day",
    "local_part",
    "domain",
    "rare_tokens",
    "value",
    "core",
    "acronym",
    "sorted_words",
]
Similarity = Literal["jaro_winkler", "levenshtein", "damerau_levenshtein", "token_sort", "token_set"]


class Column(_Frozen):
    """A column as the policy names it, where the table keeps it, and how its values are cleaned.

    A list of columns is read as one text: the parts of a date, two surnames, or what files call by different names.
    """

    column: str
    further: tuple[str, ...] = ()
    clean: Clean = "text"

    @model_validator(mode="before")
    @classmethod
    def _several(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("column"), list) and data["column"]:
            first, *further = data["column"]
            return {**data, "column": first, "further": further}
        return data

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.names)) < len(self.names):
            raise ValueError("column names a column of the table twice; name each once")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the table, in the order in which they are read."""
        return (self.column, *self.further)


class Derived(_Frozen):
    """A blocking key made from one or more columns; several columns give a key of several values."""

    of: Names
    take: Take
    length: int | None = Field(default=None, ge=1)


class BlockingRule(_Frozen):
    """Records that agree on everything in ``keys`` become candidate pairs.

    With ``window``, records are sorted by the last key of ``keys`` within agreement on the others, and each is paired
    with its next ``window`` neighbours. With ``algorithm`` a class of recordlinkage's index module makes the pairs.
    """

    keys: Names
    name: str | None = None
    window: int | None = Field(default=None, ge=1, le=100)
    refine: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    max_block_size: int | None = Field(default=None, ge=2)
    max_pairs: int | None = Field(default=None, ge=1)
    algorithm: str | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """The rule's name in reports."""
        return self.name or " + ".join(self.keys)


class TermFrequency(_Frozen):
    """Agreement on a rare value weighs more than on a common one; ``fuzzy`` is the share given to near agreement."""

    fuzzy: float = Field(default=0.5, ge=0, le=1)


class _Comparison(_Frozen):
    term_frequency: TermFrequency | None = None
    shared: bool = False  # relatives, housemates or colleagues share this value

    needs: ClassVar[tuple[str, ...]] = ("column",)
    refines: ClassVar[tuple[str, ...]] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns without which the comparison cannot be made."""
        return self._named(self.needs)

    @property
    def reads_optionally(self) -> tuple[str, ...]:
        """Columns that refine the comparison where the table has them."""
        return self._named(self.refines)

    def _named(self, fields: tuple[str, ...]) -> tuple[str, ...]:
        found = (getattr(self, field) for field in fields)
        return tuple(
            name for value in found if value for name in ((value,) if isinstance(value, str) else value)
        )


class _OneColumn(_Comparison):
    column: str


class ExactComparison(_OneColumn):
    """Equal or not."""

    kind: Literal["exact"]


class TextComparison(_Comparison):
    """Equal, then a level for each similarity reached; over several columns the best of all combinations."""

    kind: Literal["text"]
    columns: Names
    similarity: Similarity = "jaro_winkler"
    at_least: tuple[Share, ...] = (0.92, 0.8)

    needs: ClassVar[tuple[str, ...]] = ("columns",)

    @model_validator(mode="after")
    def _descending(self) -> Self:
        if not self.at_least or list(self.at_least) != sorted(set(self.at_least), reverse=True):
            raise ValueError("at_least must hold one or more thresholds from high to low, each once")
        return self


class GivenNameComparison(_OneColumn):
    """Equal, the same name in another form (Jan, Johannes, J.), similar, or different."""

    kind: Literal["given_name"]
    initials: str | None = None
    gender: str | None = None
    surname: str | None = None  # given name and surname swapped: not compared here but there
    equivalents: str | None = "given_names.yaml"

    refines: ClassVar[tuple[str, ...]] = ("initials", "gender", "surname")


class SurnameComparison(_OneColumn):
    """Equal with or without prefix, one half of a double name, swapped with the given name, similar, or different."""

    kind: Literal["surname"]
    prefix: str | None = None
    given_name: str | None = None

    refines: ClassVar[tuple[str, ...]] = ("prefix", "given_name")


class OrganisationComparison(_Comparison):
    """Names of organisations word by word: equal, in another spelling, acronym, one within the other, or different.

    Columns are cleaned as ``organisation``. ``branches`` says what one customer is where names differ in nothing but
    the town (``city``): ``apart``, an establishment; ``together``, the enterprise that has them all.
    """

    kind: Literal["organisation"]
    columns: Names
    city: str | None = None
    branches: Literal["apart", "together"] = "apart"

    needs: ClassVar[tuple[str, ...]] = ("columns",)
    refines: ClassVar[tuple[str, ...]] = ("city",)


class DateComparison(_OneColumn):
    """Equal, day and month swapped, one digit off, two of three parts equal, or different."""

    kind: Literal["date"]


class AddressComparison(_Comparison):
    """One comparison over all parts of an address, so that street, postcode and city do not count three times."""

    kind: Literal["address"]
    postcode: str | None = None
    house_number: str | None = None
    house_addition: str | None = None
    street: str | None = None
    city: str | None = None

    needs: ClassVar[tuple[str, ...]] = ()
    refines: ClassVar[tuple[str, ...]] = ("postcode", "house_number", "house_addition", "street", "city")

    @model_validator(mode="after")
    def _some_part(self) -> Self:
        if not (self.postcode or self.street or self.city):
            raise ValueError("an address comparison needs postcode, street or city")
        return self


class PhoneComparison(_Comparison):
    """Any number of the one equal to any number of the other, the last digits equal, one digit off, or different."""

    kind: Literal["phone"]
    columns: Names
    mobile_prefixes: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()

    needs: ClassVar[tuple[str, ...]] = ("columns",)


class EmailComparison(_OneColumn):
    """Equal, one character off, the same mailbox name elsewhere, or different."""

    kind: Literal["email"]


class IdentifierComparison(_OneColumn):
    """Equal, one character off, or different: numbers with check digits, accounts, loyalty numbers."""

    kind: Literal["identifier"]


class ToolkitComparison(_OneColumn):
    """A comparison of recordlinkage (``algorithm``: a class of its compare module), cut at ``at_least``."""

    kind: Literal["toolkit"]
    algorithm: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    at_least: tuple[float, ...] = (1.0,)


COMPARISONS: tuple[type[_Comparison], ...] = (
    ExactComparison,
    TextComparison,
    GivenNameComparison,
    SurnameComparison,
    OrganisationComparison,
    DateComparison,
    AddressComparison,
    PhoneComparison,
    EmailComparison,
    IdentifierComparison,
    ToolkitComparison,
)
Comparison = Annotated[
    ExactComparison
    | TextComparison
    | GivenNameComparison
    | SurnameComparison
    | OrganisationComparison
    | DateComparison
    | AddressComparison
    | PhoneComparison
    | EmailComparison
    | IdentifierComparison
    | ToolkitComparison,
    Field(discriminator="kind"),
]


class MatchThresholds(_Frozen):
    """When a pair is a match and when a person should look.

    ``match`` is a posterior probability. With ``expected_false_matches`` the threshold is raised above it as far as is
    needed for the expected share of false pairs among accepted ones. Pairs from ``review`` on are kept. A pair that
    agrees on nothing beyond the comparisons in ``not_alone`` (names) is no match by itself, however rare they are.

    With ``may_cost`` these guards give way where the fitted model expects them to lose more than they save: the
    threshold is the highest, up to the one that they ask for, at which the expected F1 is at most so much below the
    best that any threshold gives, and ``not_alone`` holds only where there is such a threshold with it.
    """

    match: Share = 0.9
    expected_false_matches: Share | None = None
    review: Share = 0.3
    not_alone: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    may_cost: Share | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.review > self.match:
            raise ValueError("review must not be above match")
        return self


class Clustering(_Frozen):
    """Guards against over-merging.

    ``contradictions``: sets of comparisons that keep two records apart when each of them is made and disagrees.
    ``support``: two groups join only where their pairs' average log2 odds reach it.
    """

    contradictions: tuple[Names, ...] = ()
    max_size: int = Field(default=200, ge=2)
    max_component: int = Field(default=1000, ge=2)
    support: float = 0.0
    limit: float = Field(
        default=10.0, gt=0
    )  # no pair counts for more than this many bits in a group's average


class Training(_Frozen):
    """How the model is fitted."""

    random_pairs: int = Field(default=500_000, ge=1000)
    iterations: int = Field(default=150, ge=1)
    tolerance: float = Field(default=1e-4, gt=0)
    relatives: bool = (
        True  # a class of its own for different people who share what ``shared`` comparisons see
    )


class LinkagePolicy(_Frozen):
    """How the records of a table are linked; see docs/explanation/linkage.md."""

    name: str = "policy"
    id: str
    source: str | None = None
    duplicate_free: tuple[str, ...] = ()  # sources in which every record is another party
    columns: dict[str, Column]
    derived: dict[str, Derived] = Field(default_factory=dict)
    blocking: tuple[BlockingRule, ...] = Field(min_length=1)
    comparisons: dict[str, Comparison] = Field(min_length=1)
    thresholds: MatchThresholds = MatchThresholds()
    clustering: Clustering = Clustering()
    training: Training = Training()
    seed: int = 20240229
    chunk_pairs: int = Field(default=1_000_000, ge=1)
    max_block_size: int = Field(default=1000, ge=2)
    max_pairs: int = Field(default=1_000_000, ge=1)  # of one rule, or as many as there are records
    folder: Path | None = Field(
        default=None, exclude=True
    )  # where the policy's own tables are looked up first

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("columns"), dict):
            spelled = {
                k: {"column": v} if isinstance(v, str | list) else v for k, v in data["columns"].items()
            }
            named = {k: {"column": k, **v} if isinstance(v, dict) else v for k, v in spelled.items()}
            data = {**data, "columns": named}
        return data

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        known = set(self.columns)
        for name, derived in self.derived.items():
            if name in known:
                raise ValueError(f"derived.{name}: there is a column of that name; choose another")
            _require(derived.of, known, f"derived.{name}.of")
        keys = known | set(self.derived)
        for number, rule in enumerate(self.blocking, start=1):
            _require((*rule.keys, *rule.refine), keys, f"blocking rule {number} ({rule.label})")
        for name, comparison in self.comparisons.items():
            _require((*comparison.reads, *comparison.reads_optionally), known, f"comparisons.{name}")
        for group in self.clustering.contradictions:
            _require(group, set(self.comparisons), "clustering.contradictions")
        _require(self.thresholds.not_alone, set(self.comparisons), "thresholds.not_alone")
        labels = [rule.label for rule in self.blocking]
        if len(set(labels)) < len(labels):
            raise ValueError("blocking: two rules have the same name; give one of them a name of its own")
        if len(self.blocking) > 31:
            raise ValueError("blocking: at most 31 rules")
        return self

    @property
    def key_columns(self) -> list[str]:
        """The columns that name a record."""
        return [self.id] if self.source is None else [self.id, self.source]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the policy's content and of the tables it names, whatever file it stands in."""
        plain = self.model_dump(mode="json", exclude={"name"})
        for column in plain["columns"].values():
            if not column["further"]:
                del column["further"]  # models were fitted under policies that could not say it
        text = json.dumps([plain, self.name_forms()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def name_forms(self) -> dict[str, NameForms]:
        """Other forms of given names, by comparison that looks for them; from the tables that the policy names.

        Raises:
            LinkageError: A table is not found or cannot be read.
        """
        return {
            name: equivalents(one.equivalents, self.folder)
            for name, one in self.comparisons.items()
            if isinstance(one, GivenNameComparison)
        }


def _require(names: tuple[str, ...], known: set[str], where: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{where}: no such name {name!r}{nearest(name, known)}")
