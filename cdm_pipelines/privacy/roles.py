"""Who may see and change what: the typed form of ``policies/roles.yaml``.

Belongs here: roles, how each reads a column, and which rows it sees. Does not belong here: masks (``masks``), the views
that follow from it (``views``), PostgreSQL's roles (hub.role_access).
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from cdm_pipelines.hub.role_access import READ as SCHEMAS
from cdm_pipelines.privacy.categories import unknown_categories
from cdm_pipelines.privacy.masks import MASKS, Mask, nearest, usual_mask
from cdm_pipelines.privacy.policy_files import PolicyFile, PrivacyPolicyError, Strict
from cdm_pipelines.store.categories import UNCLASSIFIED, is_personal

FILE = "roles.yaml"
CLEAR, MASKED, HIDDEN = "clear", "masked", "hidden"
SOURCE, CONSENT = "source", "consent"
"""Conditions on rows that are about more than a column of the customer."""
_CUSTOMER = "golden.customer"
_NO_TRAITS = dict.fromkeys(("user.behavior", "user.privacy_preferences"), "")
_TELL_NOTHING = frozenset({"keyed", "stars"})
_CATEGORY = re.compile(r"(user|system)(\.[a-z0-9_]+)*")
_PATTERN = re.compile(r"([a-z0-9_]+|\*)\.[a-z0-9_*]+(\.[a-z0-9_*]+)?")


def _reading(value: str) -> str:
    if value not in {CLEAR, MASKED, HIDDEN, *MASKS}:
        raise ValueError(
            f"{value!r} is no way to read; use clear, masked, hidden, or a mask: {', '.join(MASKS)}"
        )
    return value


def _category(value: str) -> str:
    if not _CATEGORY.fullmatch(value):
        raise ValueError(f"{value!r} is no privacy category; use a key such as user.contact.email")
    return value


def _pattern(value: str) -> str:
    if not _PATTERN.fullmatch(value):
        raise ValueError(f"{value!r} names no table; use schema.table, or a pattern such as golden.*")
    return value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple | dict) else [value]


Reading = Annotated[str, AfterValidator(_reading)]
Category = Annotated[str, AfterValidator(_category)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=30)]
_Value = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")] | bool


class Condition(Strict):
    """What a column of the customer must be for a row to be seen; a list stands for ``any_of``.

    Attributes:
        any_of: One of these values; no value is none of them.
        none_of: None of these values; no value passes.
    """

    any_of: tuple[_Value, ...] = ()
    none_of: tuple[_Value, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        given = _listed(given)
        return given if isinstance(given, dict) else {"any_of": given}

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.any_of and not self.none_of:
            raise ValueError("the condition is empty; give values, or remove it")
        return self


class Pseudonymous(Strict):
    """What makes a role's rows pseudonymous.

    Attributes:
        quasi_identifiers: Columns of its view of customers by which somebody might be recognised: all traits in it.
        k: Fewer customers than this who share all of them are told of.
        shown_text: Columns of text that are codes and no free text, as ``schema.table.column``; other text of golden
            tables is hidden.
    """

    quasi_identifiers: tuple[str, ...] = Field(min_length=1)
    k: int = Field(default=5, ge=2)
    shown_text: tuple[Pattern, ...] = ()


Change = Literal["decisions", "quarantine", "requests", "consent", "policies"]
"""What may be changed through our own tools; nobody but the pipeline writes tables."""


class Role(Strict):
    """One role.

    Attributes:
        description: Who has it, in a sentence.
        purposes: Keys of purposes that it acts for.
        tables: Which tables it has a view of, as patterns.
        reads: How it reads columns of a category and of all below it; the nearest above a column's category counts, and
            what has none is hidden.
        columns: How it reads single columns, whatever their category, as patterns.
        rows: Which customers it sees, and rows of theirs; all conditions hold. Everybody when empty.
        sees_restricted: Whether it sees customers who are restricted, or said no to all that it acts for, as those must
            who answer them or decide who is who. Where nothing is said, whoever may change requests, decisions or
            quarantine does.
        changes: What it may change.
        search: Whether it may look customers up.
        pseudonymous: Set for a role that must recognise nobody.
    """

    description: str = Field(min_length=1)
    purposes: Annotated[tuple[Name, ...], BeforeValidator(_listed)] = Field(min_length=1)
    tables: Annotated[tuple[Pattern, ...], BeforeValidator(_listed)] = ()
    reads: dict[Category, Reading] = Field(default_factory=dict)
    columns: dict[Pattern, Reading] = Field(default_factory=dict)
    rows: dict[str, Condition] = Field(default_factory=dict)
    sees_restricted: bool | None = None
    changes: tuple[Change, ...] = ()
    search: bool = False
    pseudonymous: Pseudonymous | None = None

    @model_validator(mode="after")
    def _pseudonymous_recognises_nobody(self) -> Self:
        if self.pseudonymous is None:
            return self
        if self.search:
            raise ValueError("a pseudonymous role may not search; remove search")
        reads = nearest("user.unique_id", self.reads)
        if reads not in {MASKED, "keyed"}:
            raise ValueError("a pseudonymous role reads user.unique_id as keyed; add that to reads")
        return self

    @property
    def sees_who_is_restricted(self) -> bool:
        """Whether it sees those, too, who are restricted or said no to all that it acts for."""
        if self.sees_restricted is None:
            return bool({"requests", "decisions", "quarantine"} & set(self.changes))
        return self.sees_restricted

    @property
    def sees_everybody(self) -> bool:
        """Whether no customer is left out of what it sees."""
        return self.sees_who_is_restricted and not self.rows

    def sees(self, table: str) -> bool:
        """Whether it has a view of ``schema.table``."""
        return any(fnmatchcase(table, pattern) for pattern in self.tables)

    def reads_column(self, table: str, column: "DeclaredColumn") -> "Shown":
        """How it reads a column of ``schema.table``."""
        said = self._said(table, column)
        if said in {CLEAR, HIDDEN}:
            return Shown(said)
        mask = usual_mask(column.name, column.category, column.type) if said == MASKED else MASKS[said]
        return Shown(MASKED, mask) if mask.masks(column.type) else Shown(HIDDEN)

    def _said(self, table: str, column: "DeclaredColumn") -> str:
        path = f"{table}.{column.name}"
        for pattern, said in self.columns.items():
            if _fits(path, pattern):
                return said
        said = nearest(column.category, self.reads) or HIDDEN
        free = column.type not in _NO_FREE_TEXT and table.startswith("golden.") and said == CLEAR
        if self.pseudonymous is not None and free and column.category.startswith("user"):
            shown = any(_fits(path, pattern) for pattern in self.pseudonymous.shown_text)
            return CLEAR if shown else HIDDEN
        return said

    def reads_in_clear(self, category: str) -> bool:
        """Whether it reads values of a category in clear."""
        return nearest(category, self.reads) == CLEAR

    def may_find_by(self, category: str) -> bool:
        """Whether a search may use values of a category: those that it reads, masked or not."""
        return self.search and (nearest(category, self.reads) or HIDDEN) != HIDDEN


def _fits(path: str, pattern: str) -> bool:
    """Whether a column is one of a pattern's, which may leave out the schema."""
    return fnmatchcase(path, pattern if pattern.count(".") == 2 else f"*.{pattern}")


_NO_FREE_TEXT = frozenset(
    {
        "uuid", "date", "timestamp with time zone", "numeric", "bigint", "integer", "boolean", "double precision",
    }
)  # fmt: skip


@dataclass(frozen=True)
class DeclaredColumn:
    """A column that a role may read.

    Attributes:
        name: Of it.
        type: As PostgreSQL writes it.
        category: Privacy category; ``user`` where nobody has declared one.
        description: What it means.
    """

    name: str
    type: str
    category: str = UNCLASSIFIED
    description: str = ""


@dataclass(frozen=True)
class Shown:
    """How a column is read: ``clear``, ``masked`` by a mask, or ``hidden``."""

    how: str
    mask: Mask | None = None


class RolesPolicy(PolicyFile):
    """All roles of a deployment, by name.

    Attributes:
        roles: By name.
        four_eyes: What one person proposes in the console and another approves. ``decisions`` are those of stewards,
            ``requests`` access and erasure.
    """

    FILE = FILE
    MANUAL = "docs/governance.md"

    roles: dict[Name, Role] = Field(min_length=1)
    four_eyes: tuple[Literal["decisions", "requests"], ...] = ("requests",)

    @model_validator(mode="after")
    def _no_role_takes_the_place_of_the_first_page(self) -> Self:
        if "index" in self.roles:
            raise ValueError(
                "no role can be named index, as the first page of the handbook is; name it otherwise"
            )
        return self

    def role(self, name: str) -> Role:
        """The role of that name.

        Raises:
            PrivacyPolicyError: There is none.
        """
        if name not in self.roles:
            raise PrivacyPolicyError(f"There is no role {name!r}. There are: {', '.join(self.roles)}.")
        return self.roles[name]

    def may(self, name: str, change: Change) -> bool:
        """Whether a role may change something; a role that there is not may change nothing."""
        return name in self.roles and change in self.roles[name].changes

    def problems(
        self,
        tables: "Mapping[str, Collection[DeclaredColumn]]",
        categories: Collection[str],
        purposes: Collection[str] | None = None,
    ) -> Iterator[str]:
        """What contradicts the rest of the deployment, each with its key and the fix.

        Args:
            tables: Columns by ``schema.table``; golden customers are among them.
            categories: That columns are declared with.
            purposes: Keys of the purposes there are; None where they are not known.
        """
        paths = [f"{table}.{column.name}" for table, columns in tables.items() for column in columns]
        customer = tables[_CUSTOMER]
        for name, role in self.roles.items():
            at = f"{FILE}: roles.{name}"
            yield from _column_problems(at, role, paths)
            yield from _recognising_problems(f"{at}.pseudonymous.quasi_identifiers", role, customer)
            for category, fix in unknown_categories(role.reads, categories):
                yield f"{at}.reads.{category}: no category has that name. {fix}"
            for pattern in role.tables:
                schema, _, table = pattern.partition(".")
                if (table != "*" or schema not in SCHEMAS) and not any(
                    fnmatchcase(one, pattern) for one in tables
                ):
                    yield f"{at}.tables: there is no table {pattern}; see `cdm register` for those there are"
            for column, condition in role.rows.items():
                yield from _row_problems(
                    f"{at}.rows.{column}", column, condition, {one.name for one in customer}
                )
            agreed = role.rows[CONSENT].any_of if CONSENT in role.rows else ()
            for key, purpose in [
                *(("purposes", one) for one in role.purposes),
                *((f"rows.{CONSENT}", one) for one in agreed),
            ]:
                if purposes is not None and purpose not in purposes:
                    yield f"{at}.{key}: there is no purpose {purpose}; add it to purposes.yaml, or remove it"


def _column_problems(at: str, role: Role, paths: Collection[str]) -> Iterator[str]:
    """Columns that there are not: a misspelled one would leave in force what its category says."""
    named = {f"{at}.columns.{pattern}": pattern for pattern in role.columns}
    if role.pseudonymous is not None:
        own = role.pseudonymous
        named |= {f"{at}.pseudonymous.shown_text: {pattern}": pattern for pattern in own.shown_text}
        named |= {
            f"{at}.pseudonymous.quasi_identifiers: {name}": f"{_CUSTOMER}.{name}"
            for name in own.quasi_identifiers
        }
    for key, pattern in named.items():
        if not any(_fits(path, pattern) for path in paths):
            yield f"{key}: no table has such a column; docs/reference/data-dictionary.md has all of them"


def _recognising_problems(at: str, role: Role, customer: Iterable[DeclaredColumn]) -> Iterator[str]:
    """Traits of a person that the role sees and that do not count: a group of alike would seem larger than it is."""
    if role.pseudonymous is None or not role.sees(_CUSTOMER):
        return
    for column in customer:
        shown = role.reads_column(_CUSTOMER, column)
        tells_nothing = shown.how == HIDDEN or (shown.mask is not None and shown.mask.name in _TELL_NOTHING)
        if (
            tells_nothing
            or not _is_trait(column.category)
            or column.name in role.pseudonymous.quasi_identifiers
        ):
            continue
        yield (
            f"{at}: its view of customers shows {column.name} ({column.category}), by which somebody might be "
            f"recognised; add {column.name}, or hide it in `columns`"
        )


def _is_trait(category: str) -> bool:
    """Whether a category is of what somebody is, by which others may know them, and not of what they do or allow."""
    return is_personal(category) and nearest(category, _NO_TRAITS) is None


def _row_problems(at: str, column: str, condition: Condition, known: Collection[str]) -> Iterator[str]:
    if column not in {SOURCE, CONSENT, *known}:
        yield f"{at}: golden customers have no column {column}; use one of theirs, or source, or consent"
    if column == CONSENT and (condition.none_of or not all(isinstance(one, str) for one in condition.any_of)):
        yield f"{at}: give the purposes that a customer has agreed to"
