"""Which tables are published, and what is to be known of each to publish, audit, tell, search and erase it.

Belongs here: one declaration per published table. Those of canonical entities follow from the entity's own declaration
(``contracts.entity``); those that identity and survivorship make are declared here. Does not belong here: columns
(``schema``), doing it (``publish``, ``audit``, ``outbox``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import FromClause, Select, Table, Uuid, and_, cast, false, null, select

from cdm_pipelines.contracts.canonical import (
    EntityDeclaration,
    OfParent,
    declaration,
    declarations,
    published_entities,
)
from cdm_pipelines.hub import schema
from cdm_pipelines.hub.errors import HubError


class Part(StrEnum):
    """What is staged of a table when only what a change touches is."""

    CUSTOMERS = "customers"
    """All rows of the affected customers, each of which has a golden id: of theirs, what is not staged goes."""
    ROWS = "rows"
    """Rows that are new or differ: they take the place of the rows with the same keys, and no row goes."""


class Telling(StrEnum):
    """What an event says of a change of the table's rows; always of the customer that has them."""

    VALUES = "values"
    """Each column that differs, by its name."""
    MEMBERS = "members"
    """That the source records behind the customer differ."""
    ROWS = "rows"
    """That rows of the customer differ, under the name that the entity is ``told_as``."""


@dataclass(frozen=True, eq=False)
class PublishedTable:
    """A table that a publication brings to its next version.

    Attributes:
        table: Its columns, key and comments.
        part: How it is published in part.
        told: What an event says of it; None when nobody is told.
        told_as: Under which name it says that rows differ.
        entity: The canonical entity whose rows it holds; None for what identity and survivorship make.
    """

    table: Table
    part: Part
    told: Telling | None = None
    told_as: str = ""
    entity: EntityDeclaration | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be published."""
        if self.part is Part.CUSTOMERS and not self.of_customer:
            raise HubError(f"{self.table} cannot be published by customer: it has no column golden_id.")
        if not self.key:
            raise HubError(f"{self.table} cannot be published: it has no primary key.")

    @property
    def name(self) -> str:
        """Its name, which is that of its staging table as well."""
        return self.table.name

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that identify a row."""
        return tuple(column.name for column in self.table.primary_key)

    @property
    def of_customer(self) -> bool:
        """Whether rows carry the golden customer that has them."""
        return "golden_id" in self.table.c

    @property
    def whole_customers(self) -> bool:
        """Whether a version in part holds all rows of the customers that it is about."""
        return self.part is Part.CUSTOMERS


_MADE = (
    PublishedTable(schema.golden_id, Part.ROWS),
    PublishedTable(schema.customer, Part.CUSTOMERS, Telling.VALUES),
    PublishedTable(schema.crosswalk, Part.CUSTOMERS, Telling.MEMBERS),
    PublishedTable(schema.provenance, Part.CUSTOMERS),
)


def published() -> Mapping[str, PublishedTable]:
    """All published tables by name, in the order in which a publication brings them up."""
    return _published(declarations())


def published_table(name: str) -> PublishedTable:
    """The published table of that name.

    Raises:
        HubError: There is none.
    """
    known = published()
    if name not in known:
        raise HubError(f"{name} is not a published table; choose from {', '.join(known)}")
    return known[name]


@lru_cache(maxsize=1)
def _published(declared: tuple[EntityDeclaration, ...]) -> Mapping[str, PublishedTable]:
    for gone in set(schema.entity_tables) - set(declared):
        schema.metadata.remove(schema.entity_tables.pop(gone))
    return {one.name: one for one in (*_MADE, *(_of_entity(each) for each in published_entities()))}


def _of_entity(declared: EntityDeclaration) -> PublishedTable:
    table = schema.entity_tables.get(declared)
    if table is None:
        if f"golden.{declared.table_name}" in schema.metadata.tables:
            raise HubError(
                f"The canonical entity {declared.entity} cannot be published as golden.{declared.table_name}: the "
                "hub has another table of that name. Name another in table=…."
            )
        table = schema.entity_table(declared)
    told = Telling.ROWS if declared.told_as else None
    return PublishedTable(table, Part.ROWS, told, declared.told_as, declared)


def customers_of(name: str) -> Select[Any]:
    """Key and golden customer (``golden_id``) of each row of a published table, through its parents where it has any.

    Rows that are nobody's are left out; so is everything of a table whose rows never are anybody's.

    Args:
        name: Of the table.

    Raises:
        HubError: No published table has that name.
    """
    own = published_table(name)
    table: FromClause = own.table
    found, entity = select(*own.table.primary_key), own.entity
    while entity is not None and isinstance(entity.whose, OfParent):
        parent = published_table(declaration(entity.whose.entity).table_name)
        above = parent.table.alias()
        same = [table.c[mine] == above.c[theirs] for mine, theirs in entity.whose.by]
        found = found.join_from(table, above, and_(table.c.source == above.c.source, *same))
        table, entity = above, parent.entity
    if "golden_id" not in table.c:
        return found.add_columns(cast(null(), Uuid).label("golden_id")).where(false())
    if "golden_id" not in own.key:
        found = found.add_columns(table.c.golden_id)
    return found.where(table.c.golden_id.is_not(None)).distinct()
