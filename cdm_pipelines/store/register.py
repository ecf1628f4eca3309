"""Every place that holds data declares itself (R9): what lies there, of whom, how it is searched, erased and kept.

Belongs here: the declaration, the register of all of them, and searching and erasing by it. Does not belong here: the
declarations themselves, which live with what they declare (``places`` of each room, gathered in
``steps.operate.places``), nor how rows leave a file or a table (``removal``, ``hub.places``).

The interface is that of requests about persons: ``search(places, stores, persons)`` and ``erase(places, stores,
persons)`` go through any places in the order given. In that of the register a place lies before those by which its rows
are found, so that an erasure which was stopped half-way is finished by doing it again.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID

import pyarrow as pa

from cdm_pipelines.settings import Settings
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.categories import OPERATIONS, is_personal
from cdm_pipelines.store.file_store import FileStore
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.lake import Lake

Row = Mapping[str, Any]


class RegisterError(ValueError):
    """A declaration that cannot be right; the message names the place, what is wrong and what to do."""


class Kind(StrEnum):
    """What a place is."""

    LAKE_TABLE = "lake table"
    LAYERED_TABLE = "layered lake table"
    HUB_TABLE = "hub table"
    FOLDER = "folder of files"
    DOCUMENT = "document"


class Root(StrEnum):
    """Where a place's pattern starts."""

    LANDING = "landing"
    LAKE = "lake"
    HUB = "hub"
    HOME = "home"
    POLICIES = "policies"
    TEMPORARY = "temporary"
    OUTSIDE = "outside"  # where a person who runs a command says


class Whom(StrEnum):
    """Whose data it is."""

    CUSTOMERS = "customers"
    CONTACTS = "contact persons"
    STAFF = "staff"


class Keeps(StrEnum):
    """What ends the life of a row or file."""

    AS_SOURCE = "as long as the source's records"
    DAYS = "a number of days"
    REPLACED = "until replaced"
    FOR_EVER = "for ever"
    WHILE_RUNNING = "while the process runs"
    BY_OWNER = "until its owner removes it"


@dataclass(frozen=True)
class Retention:
    """How long a place keeps what it holds.

    Attributes:
        keeps: What ends it.
        detail: In words: which run replaces it, who the owner is, why it is kept for ever.
        setting: For ``DAYS`` the field of :class:`Settings` that says how many.
    """

    keeps: Keeps
    detail: str = ""
    setting: str = ""

    def __post_init__(self) -> None:
        if (self.keeps is Keeps.DAYS) != bool(self.setting):
            raise RegisterError("A retention names a setting when it is a number of days, and only then.")
        if self.setting and self.setting not in Settings.model_fields:
            raise RegisterError(f"The retention names {self.setting}, which is no setting.")

    def __str__(self) -> str:
        start = f"CDM_{self.setting.upper()} days" if self.setting else str(self.keeps)
        return f"{start}: {self.detail}" if self.detail else start


@dataclass(frozen=True)
class Stores:
    """What is searched: the lake, and a connection to the hub inside a transaction of the caller's.

    Attributes:
        lake: The lake.
        connection: To the hub, of SQLAlchemy: the store does not depend on the hub.
        landing: Where extracts lie as delivered; None where they are not to be touched.
        emptied: By path the size and the moment of writing of extracts that persons were taken out of, once it is done.
    """

    lake: Lake
    connection: Any
    landing: FileStore | None = None
    emptied: dict[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Persons:
    """Who is asked about.

    Attributes:
        records: Keys of all their source records, transactions included: ``source, entity, record_id``.
        golden_ids: Their golden ids, aliases included.
    """

    records: pa.Table
    golden_ids: frozenset[UUID] = frozenset()

    @classmethod
    def of(cls, records: Iterable[Sequence[str]], golden_ids: Iterable[UUID] = ()) -> "Persons":
        """From keys of three parts each."""
        rows = sorted({tuple(record) for record in records})
        columns = zip(*rows, strict=True) if rows else [()] * len(RECORD_KEY)
        arrays = [pa.array(column, pa.string()) for column in columns]
        return cls(pa.table(arrays, names=list(RECORD_KEY)), frozenset(golden_ids))

    @cached_property
    def keys(self) -> frozenset[tuple[str, str, str]]:
        """The record keys."""
        columns = (whole(self.records[name]).to_pylist() for name in RECORD_KEY)
        return frozenset(zip(*columns, strict=True))

    @cached_property
    def linked(self) -> pa.Table:
        """The record keys as linkage spells them: ``source`` (source/entity) and ``record_id``."""
        pairs = sorted({(f"{source}/{entity}", record) for source, entity, record in self.keys})
        names = [pa.array([pair[side] for pair in pairs], pa.string()) for side in (0, 1)]
        return pa.table(names, names=["source", "record_id"])

    def of_source(self, source: str, entity: str) -> list[str]:
        """Ids of the records of one source entity, sorted."""
        return sorted(record for one, other, record in self.keys if (one, other) == (source, entity))


@dataclass(frozen=True)
class Found:
    """Rows that a search found: where, and their columns or a reference to them."""

    where: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Search:
    """How a place is searched; ``by`` says it in words."""

    by: str
    find: Callable[[Stores, Persons], Iterable[Found]]


@dataclass(frozen=True)
class Rows:
    """Their rows are removed, physically: files are written anew without them, rows of the hub deleted or blanked.

    ``remove`` returns the number of rows; ``how`` says it in words.
    """

    remove: Callable[[Stores, Persons], int]
    how: str = "rows removed"


@dataclass(frozen=True)
class Anew:
    """It is thrown away whole and made anew by the next run from places before it, named in ``of``."""

    of: str
    remove: Callable[[Stores, Persons], int]

    @property
    def how(self) -> str:
        """In words."""
        return f"removed whole; the next run makes it anew from {self.of}"


@dataclass(frozen=True)
class Follows:
    """It holds the bytes of other places, named in ``of``, and loses them with those."""

    of: str
    note: str = ""

    @property
    def how(self) -> str:
        """In words."""
        return f"with {self.of}" + (f": {self.note}" if self.note else "")


@dataclass(frozen=True)
class Kept:
    """Nothing is erased, since nothing in it is of one person or it must outlive the person; ``how`` says why."""

    how: str


@dataclass(frozen=True)
class ByOwner:
    """Out of the pipeline's hands: ``how`` says who erases it and how."""

    how: str


Erasure = Rows | Anew | Follows | Kept | ByOwner


@dataclass(frozen=True)
class Place:
    """One place that holds data.

    Attributes:
        name: As in asset keys where there is one; unique.
        kind: What it is.
        root: Where its pattern starts.
        pattern: Path below the root, or ``schema.table``; ``{date}`` is a day, ``{…}`` and ``*`` a part of a name,
            ``**`` anything.
        description: What it holds, in a sentence.
        kept: How long.
        erasure: How a person's data leaves it.
        whom: Whose data it is; of nobody when empty.
        columns: Category of each column, by name; of a table none may be missing.
        others: Category of columns that are not declared, where there may be some.
        optional: Columns that may be absent.
        categories_of_content: Categories of what has no columns (documents, folders).
        key: Its key columns.
        search: How rows of persons are found in it; None where nothing in it is of one person.
        absent: Whether the table may not be there.
    """

    name: str
    kind: Kind
    root: Root
    pattern: str
    description: str
    kept: Retention
    erasure: Erasure
    whom: tuple[Whom, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    others: str | None = None
    optional: frozenset[str] = frozenset()
    categories_of_content: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    search: Search | None = None
    absent: bool = False

    def __post_init__(self) -> None:
        missing = [name for name in self.key if name not in self.columns]
        if missing:
            raise RegisterError(f"{self.name}: key column {missing[0]} is not among its columns; declare it.")
        if bool(self.categories) != bool(self.whom):
            raise RegisterError(f"{self.name}: say whose data it is when it holds categories, and only then.")
        if isinstance(self.erasure, Rows | Anew) and self.search is None:
            raise RegisterError(f"{self.name}: what can be erased can be searched; declare how.")

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The personal categories that it holds, sorted."""
        found = {*self.columns.values(), *self.categories_of_content, self.others or OPERATIONS}
        return tuple(sorted(one for one in found if is_personal(one)))

    @cached_property
    def covers(self) -> Callable[[str], bool]:
        """Whether a path below the root, or a table, is of this place."""
        return matching(self.pattern)

    @property
    def where(self) -> str:
        """Root and pattern, for people."""
        return f"{self.root}: {self.pattern}"


@dataclass(frozen=True)
class Erased:
    """What an erasure did in one place: rows that left it, and in words how, or why none could."""

    place: str
    rows: int
    how: str


class Register:
    """All places.

    Raises:
        RegisterError: Two have one name.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self.places = tuple(places)
        names = [place.name for place in self.places]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise RegisterError(f"Two places are called {twice[0]}; give one another name.")

    def __iter__(self) -> Iterator[Place]:
        return iter(self.places)

    def covering(self, root: Root, path: str) -> list[Place]:
        """The places that declare a path or table; there should be one."""
        return [place for place in self.places if place.root is root and place.covers(path)]

    def named(self, name: str) -> Place:
        """The place of a name.

        Raises:
            RegisterError: There is none.
        """
        for place in self.places:
            if place.name == name:
                return place
        raise RegisterError(f"No place is called {name}; `cdm register` shows them all.")


def search(places: Iterable[Place], stores: Stores, persons: Persons) -> Iterator[tuple[Place, Found]]:
    """Find what places hold of persons; a place that holds nothing of them yields nothing."""
    for place in places:
        if place.search is not None:
            for found in place.search.find(stores, persons):
                if found.rows:
                    yield place, found


def erase(places: Iterable[Place], stores: Stores, persons: Persons) -> list[Erased]:
    """Erase persons from places, in the order given; says of every place what was done or has to be.

    Rows of the hub leave it when the caller commits; files are written anew at once.
    """
    return [_erased(place, stores, persons) for place in places]


def _erased(place: Place, stores: Stores, persons: Persons) -> Erased:
    erasure = place.erasure
    rows = erasure.remove(stores, persons) if isinstance(erasure, Rows | Anew) else 0
    return Erased(place.name, rows, erasure.how)


_PART = re.compile(r"\{(?P<name>[^}]*)\}|(?P<any>\*\*)|(?P<some>\*)")


def matching(pattern: str) -> Callable[[str], bool]:
    """Whether a path is of a pattern."""
    shape = re.compile(_regex(pattern))
    return lambda path: shape.fullmatch(path) is not None


def _regex(pattern: str) -> str:
    parts, last = [], 0
    for part in _PART.finditer(pattern):
        parts.append(re.escape(pattern[last : part.start()]))
        if part["name"] == "date":
            parts.append(r"\d{4}-\d{2}-\d{2}")
        else:
            parts.append(".*" if part["any"] else "[^/]+" if part["name"] is not None else "[^/]*")
        last = part.end()
    return "".join([*parts, re.escape(pattern[last:])])
