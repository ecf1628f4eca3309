"""What it takes to declare a canonical entity, and the registry of those that are declared.

Belongs here: value types, attributes, whose an entity's rows are, the declaration with its rules, the registry. Does
not belong here: which entities there are (``entities``).

A declaration is all that the project needs to know of an entity. Contracts that map columns to it, standard frames,
``records/<entity>``, its table in the hub, publication in full and in part, events, audits, exports and the data
dictionary follow from it.

Privacy categories are keys of the Fides taxonomy (fideslang, CC-BY-4.0).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class ValueType(StrEnum):
    """How the hub types a canonical value; in the lake each is text in its canonical spelling."""

    TEXT = "text"
    DATE = "date"  # YYYY-MM-DD
    TIMESTAMP = "timestamp"  # YYYY-MM-DDTHH:MM:SSZ, always UTC
    DECIMAL = "decimal"  # 1234.5, no thousands separator, no currency sign
    INTEGER = "integer"
    BOOLEAN = "boolean"  # true or false
    REFERENCE = "reference"  # record id of another record of the same source


class SemanticType(StrEnum):
    """What a text means, where that decides how it is read."""

    EMAIL = "email"
    CURRENCY = "currency"
    PHONE = "phone"
    TOKEN = "token"  # noqa: S105 - names a browser or device, and lets nobody in
    CHANNEL = "channel"
    INTERACTION_KIND = "interaction kind"
    DIRECTION = "direction"
    PURPOSE = "purpose"
    CONSENT_CHANNEL = "consent channel"
    CONSENT_STATE = "consent state"


class KeptAs(StrEnum):
    """How the rows of an entity are kept beyond the day that brought them."""

    STATE = "state"  # records/<entity> holds the latest version of each, and the hub a table
    LEDGER = "ledger"  # records/<entity> holds every version that ever was; published by a step of its own
    DAYS = "days"  # append-only and many: they stay in their standardised days, which are read where they are


class _Declared(type):
    def __iter__(cls) -> "Iterator[Entity]":
        return (declared.entity for declared in _DECLARED.values())


class Entity(str, metaclass=_Declared):
    """Name of a canonical entity; iterating over the class gives those that are declared, in their order.

    There is one object per name in a process, after copying and unpickling as well, so that ``is`` compares.
    """

    __slots__ = ()
    _one_each: ClassVar[dict[str, "Entity"]] = {}

    PARTY: ClassVar["Entity"]
    ORDER: ClassVar["Entity"]
    ORDER_LINE: ClassVar["Entity"]
    PAYMENT: ClassVar["Entity"]
    REFUND: ClassVar["Entity"]
    INVOICE: ClassVar["Entity"]
    PRODUCT: ClassVar["Entity"]
    INTERACTION: ClassVar["Entity"]
    CONSENT: ClassVar["Entity"]

    def __new__(cls, name: str) -> "Entity":
        """The one object of that name."""
        known = cls._one_each.get(name)
        return known if known is not None else cls._one_each.setdefault(name, super().__new__(cls, name))


Entity.PARTY = Entity("party")
Entity.ORDER = Entity("order")
Entity.ORDER_LINE = Entity("order_line")
Entity.PAYMENT = Entity("payment")
Entity.REFUND = Entity("refund")
Entity.INVOICE = Entity("invoice")
Entity.PRODUCT = Entity("product")
Entity.INTERACTION = Entity("interaction")
Entity.CONSENT = Entity("consent")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One canonical attribute.

    Attributes:
        entity: The entity it describes.
        name: Column name in lake and hub.
        type: How the hub types it.
        description: One sentence for the data dictionary and the table comment.
        group: Attributes of one group are chosen together by survivorship (an address is one value).
        privacy: Fides data category.
        golden: Whether a golden customer carries it.
        key: Whether it is part of the entity's key within its source.
        semantic: What the text means, where an entity other than the party is read by more than its type.
    """

    entity: Entity
    name: str
    type: ValueType
    description: str
    group: str
    privacy: str
    golden: bool = True
    key: bool = False
    semantic: SemanticType | None = None

    @property
    def path(self) -> str:
        """``entity.name``, the form that contracts use in ``mapsTo``."""
        return f"{self.entity}.{self.name}"


@dataclass(frozen=True, slots=True)
class Input:
    """A composite source value that standardisation takes apart: a full name, a street line."""

    entity: Entity
    name: str
    description: str
    yields: tuple[str, ...]
    privacy: str

    @property
    def path(self) -> str:
        """``entity.name``, the form that contracts use in ``mapsTo``."""
        return f"{self.entity}.{self.name}"


@dataclass(frozen=True, slots=True)
class OfItself:
    """Each row is a record of a customer: linkage finds which. That is the party, and nothing else."""


@dataclass(frozen=True, slots=True)
class OfParty:
    """Each row names the party that it belongs to, in its own source; its table carries the golden customer.

    A row is published anew when it changed, and when the party record that it names has another golden customer.

    Attributes:
        by: Attribute of the row and what it is compared with of the party (``record_id``, or an attribute), in the
            order in which they count: the first that holds a value decides.
    """

    by: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class OfParent:
    """Each row belongs to a row of another entity of its source, and through it to a customer.

    A row is published anew when it changed; its customer is read through the parent (``hub.published.customers_of``).

    Attributes:
        entity: The parent.
        by: Attribute of the row and the parent's attribute that it equals; all of them.
    """

    entity: Entity
    by: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class OfNobody:
    """The rows are nobody's: an article, a price list. A row is published anew when it changed."""


Whose = OfItself | OfParty | OfParent | OfNobody

RECORDS = "records"
"""Stands among the attributes of an event for the source records behind the customer."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PRIVACY = re.compile(r"(user|system)(\.[a-z_]+)*")
_STATE = ("active", "extract_date", "first_seen", "last_seen", "modified_at", "merged_into", "is_deleted")
_FOUND = ("party_kind", "party_entity", "party_record_id", "golden_id", "invalid_attributes")
_TAKEN = frozenset({"source", "entity", "record_id", *_STATE, *_FOUND})


class DeclarationError(ValueError):
    """A declaration that contradicts itself or another one; the message says where and how to mend it."""


class UnknownEntityNameError(LookupError):
    """No canonical entity has that name; the message lists those there are."""


@dataclass(frozen=True, slots=True, eq=False)
class EntityDeclaration:
    """All that there is to say of a canonical entity; compared by identity, there being one of each.

    Attributes:
        entity: Its name, as contracts write it in ``mapsTo`` and the lake in its paths.
        plural: The same in words, of many: "order lines".
        description: One sentence: the comment of its table in the hub, and its line in the data dictionary.
        whose: How a row finds its golden customer.
        attributes: In the order in which tables have them. Their privacy categories decide who may see what, and how
            long it is kept.
        inputs: Composite values that standardisation takes apart; the party's only.
        table: Its table in schema ``golden``; the name of the entity when left out.
        indexed: Attributes by which the table is searched.
        told_as: What ``customer.changed`` calls a change of these rows, beside the customer's attributes; nobody is
            told of them when left out.
        kept: Whether there is a state of all rows, with a table in the hub, a ledger of all versions, or days only.
    """

    entity: Entity
    plural: str
    description: str
    whose: Whose
    attributes: tuple[Attribute, ...]
    inputs: tuple[Input, ...] = ()
    table: str = ""
    indexed: tuple[str, ...] = ()
    told_as: str = ""
    kept: KeptAs = KeptAs.STATE

    def __post_init__(self) -> None:
        """Check what can be checked without the other declarations."""
        names = [attribute.name for attribute in self.attributes]
        self._named(self.entity, self.table_name, *([self.told_as] if self.told_as else []), *names)
        self._unique("attributes", names)
        self._known("indexed", self.indexed, names)
        self._check_parts(names)
        if isinstance(self.whose, OfItself):
            return
        if taken := sorted(_TAKEN & set(names)):
            self._refuse(
                f"{', '.join(taken)} is a column of every entity", "Give the attribute another name."
            )
        if not self.key:
            self._refuse("has no key", "Set key=True on the attributes that identify a row in its source.")
        if isinstance(self.whose, OfParty | OfParent):
            self._known("whose.by", [mine for mine, _ in self.whose.by], names)
            if not self.whose.by:
                self._refuse("whose.by is empty", "Name the attributes by which a row finds whose it is.")
        if self.told_as and not isinstance(self.whose, OfParty):
            self._refuse("told_as is set, but its rows name no party", "Remove it, or set whose=OfParty(…).")
        if self.kept is not KeptAs.STATE:
            self._check_kept()

    def _check_kept(self) -> None:
        """Rows of days and of a ledger have no table that follows from the entity, and are nobody's parent or child."""
        if self.table or self.indexed or self.told_as:
            self._refuse(
                f"is kept as {self.kept}, and has no table",
                "Remove table, indexed and told_as, or keep a state of it.",
            )
        if isinstance(self.whose, OfParent):
            self._refuse(
                f"is kept as {self.kept}, but belongs to a parent", "Name the party that its rows are of."
            )
        if len(self.key) != 1:
            self._refuse(f"is kept as {self.kept}, but has several keys", "Set key=True on one attribute.")

    def _check_parts(self, names: list[str]) -> None:
        parts: tuple[Attribute | Input, ...] = (*self.attributes, *self.inputs)
        for part in parts:
            if part.entity is not self.entity:
                self._refuse(f"{part.name} is an attribute of {part.entity}", f"Declare it of {self.entity}.")
            if not _PRIVACY.fullmatch(part.privacy):
                self._refuse(
                    f"{part.name} has the privacy category {part.privacy!r}",
                    "Use a key of the Fides taxonomy, such as user.contact.email.",
                )
        for composite in self.inputs:
            self._known(f"inputs[{composite.name}].yields", composite.yields, names)

    @property
    def table_name(self) -> str:
        """Name of its table in schema ``golden``."""
        return self.table or str(self.entity)

    @property
    def words(self) -> str:
        """Its name in words: "order line"."""
        return self.entity.replace("_", " ")

    @property
    def key(self) -> tuple[Attribute, ...]:
        """The attributes that identify a row in its source; none of the party, whose contracts name their own."""
        return tuple(attribute for attribute in self.attributes if attribute.key)

    @property
    def privacy(self) -> tuple[str, ...]:
        """The privacy categories that its rows hold, sorted."""
        return tuple(sorted({attribute.privacy for attribute in self.attributes}))

    @property
    def compared(self) -> frozenset[str]:
        """Attributes that must be spelled as another record spells them: keys, and what names another record."""
        named = self.whose.by if isinstance(self.whose, OfParent) else ()
        references = (a.name for a in self.attributes if a.key or a.type is ValueType.REFERENCE)
        return frozenset({*references, *(mine for mine, _ in named)})

    def attribute(self, name: str) -> Attribute:
        """The attribute of that name.

        Raises:
            KeyError: There is none.
        """
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        raise KeyError(f"{self.entity} has no attribute {name!r}")

    def check_among(self, others: Iterable["EntityDeclaration"]) -> None:
        """Check what depends on the declarations made before.

        Raises:
            DeclarationError: The two contradict each other.
        """
        known = {other.entity: other for other in others}
        if self.entity in known:
            self._refuse("is declared already", "Give it another name.")
        if self.table_name in {other.table_name for other in known.values()}:
            self._refuse(f"table {self.table_name} is another entity's", "Name another in table=….")
        match self.whose:
            case OfItself() if known:
                self._refuse(
                    "only the party, declared first, is a customer itself", "Say whose its rows are."
                )
            case OfParty(by):
                party = [attribute.name for attribute in known[Entity.PARTY].attributes]
                self._known("whose.by", [other for _, other in by], ["record_id", *party])
                if self.told_as in {*party, RECORDS}:
                    self._refuse(
                        f"told_as={self.told_as} is what a change of the customer is called", "Use another."
                    )
            case OfParent(parent, by):
                if parent not in known:
                    self._refuse(f"its parent {parent} is not declared", "Declare the parent before it.")
                if known[parent].kept is not KeptAs.STATE:
                    self._refuse(
                        f"its parent {parent} is kept as {known[parent].kept}",
                        "Name a parent that has a state.",
                    )
                self._known(
                    "whose.by", [other for _, other in by], [a.name for a in known[parent].attributes]
                )

    def _named(self, *names: str) -> None:
        for name in names:
            if not _NAME.fullmatch(name):
                self._refuse(f"{name!r} is no name", "Use small letters, digits and underscores.")

    def _unique(self, where: str, names: Iterable[str]) -> None:
        for name, count in Counter(names).items():
            if count > 1:
                self._refuse(f"{where}: {name} occurs {count} times", "Declare it once.")

    def _known(self, where: str, names: Iterable[str], known: Iterable[str]) -> None:
        for name in names:
            if name not in set(known):
                self._refuse(f"{where}: there is no attribute {name}", f"Choose from {', '.join(known)}.")

    def _refuse(self, what: str, fix: str) -> None:
        raise DeclarationError(f"Canonical entity {self.entity}: {what}. {fix}")


_DECLARED: dict[str, EntityDeclaration] = {}


def declare(declaration: EntityDeclaration) -> Entity:
    """Add an entity to the canonical model; returns its name.

    Raises:
        DeclarationError: It contradicts one that was declared before.
    """
    declaration.check_among(_DECLARED.values())
    _DECLARED[declaration.entity] = declaration
    return declaration.entity


def withdraw(entity: Entity) -> None:
    """Take an entity out of the canonical model again, as a test does with its own."""
    _DECLARED.pop(entity, None)


def declarations() -> tuple[EntityDeclaration, ...]:
    """All declared entities, in the order of their declaration: the party first, parents before what is theirs."""
    return tuple(_DECLARED.values())


def declaration(entity: str) -> EntityDeclaration:
    """What is declared of an entity.

    Raises:
        UnknownEntityNameError: There is no such entity.
    """
    found = _DECLARED.get(entity)
    if found is None:
        names = ", ".join(_DECLARED)
        raise UnknownEntityNameError(f"There is no canonical entity {entity}. There are: {names}.")
    return found


def with_state() -> tuple[EntityDeclaration, ...]:
    """The declared entities of whose rows there is a state: ``records/<entity>``, and what is made from it."""
    return tuple(one for one in declarations() if one.kept is not KeptAs.DAYS)


def families() -> tuple[tuple[EntityDeclaration, ...], ...]:
    """Entities with all that have them as parent, at whatever distance: each family is one ``records`` asset."""
    found: dict[Entity, list[EntityDeclaration]] = {}
    for one in with_state():
        found.setdefault(_head(one).entity, []).append(one)
    return tuple(tuple(family) for family in found.values())


def _head(one: EntityDeclaration) -> EntityDeclaration:
    return _head(declaration(one.whose.entity)) if isinstance(one.whose, OfParent) else one
