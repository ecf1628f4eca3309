"""How records are compared, as a policy says it: one class for each kind of comparison.

Belongs here: what a company may write of each. Does not belong here: the rest of a policy (spec), computing (compare).
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Frozen(BaseModel):
    """Typed, unchangeable, and without words that mean nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def listed(value: object) -> object:
    """One name as a list of one."""
    return [value] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)]
Share = Annotated[float, Field(gt=0, lt=1)]

Similarity = Literal["jaro_winkler", "levenshtein", "damerau_levenshtein", "token_sort", "token_set"]


class TermFrequency(Frozen):
    """Agreement on a rare value weighs more than on a common one.

    Attributes:
        fuzzy: Share of that which near agreement is given.
    """

    fuzzy: float = Field(default=0.5, ge=0, le=1)


class _Comparison(Frozen):
    """What all comparisons have.

    Attributes:
        term_frequency: Agreement on a rare value weighs more than on a common one; ``{}`` turns it on.
        shared: Whether relatives, housemates or colleagues share this value.
        column, columns: What is compared, by names of ``columns``; of several the best of all combinations counts.
        at_least: Similarities from high to low, each a level of its own.
        similarity: How alike two texts are.
        initials, gender, surname, given_name, prefix, city: Column that refines the comparison where it is there; the
            surname beside a given name, or the other way round, tells that the two were swapped.
        postcode, house_number, house_addition, street: Column with this part of the address.
        equivalents: Table of given names that are forms of each other, beside the policy or shipped.
        branches: What one customer is where names differ in nothing but the town: an establishment, or the enterprise.
        mobile_prefixes: How numbers of mobile phones begin: fewer people share one.
        algorithm: Class of the compare module of recordlinkage.
        arguments: What it is made with.
    """

    term_frequency: TermFrequency | None = None
    shared: bool = False

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
    surname: str | None = None
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
    mobile_prefixes: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()

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
