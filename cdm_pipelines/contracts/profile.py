"""What tables and views of the profile hold, as store and hub have to know it.

Belongs here: their columns and keys. Does not belong here: how rows are worked out (enrichment).
"""

from dataclasses import dataclass

from cdm_pipelines.contracts.entity import ValueType

MEASURED = (ValueType.DECIMAL, ValueType.INTEGER, ValueType.DATE)
"""Types of columns that may be told of from some change on."""


@dataclass(frozen=True)
class ProfileColumn:
    """A column of a table of the profile.

    Attributes:
        name: In the table.
        type: How PostgreSQL types it.
        description: One sentence or two: the comment of the column.
        privacy: Fides data category.
        tells_from: A change of a number, or in days of a date, by less than this since it was told last tells nobody.
        tells: Whether a change is told at all.
    """

    name: str
    type: ValueType
    description: str
    privacy: str
    tells_from: float = 0.0
    tells: bool = True


@dataclass(frozen=True)
class ProfileAge:
    """A column of the wide view that time alone changes: days from a stored date until today."""

    name: str
    of: str
    description: str


@dataclass(frozen=True)
class ProfileTable:
    """A table of schema ``profile``: what one enricher says of customers.

    Attributes:
        name: That of its enricher; columns of the wide view begin with it.
        description: The comment of the table.
        columns: Beside ``golden_id``, ``as_of`` and ``model``.
        key: Columns that identify a row beside ``golden_id``; a table with any is no part of the wide view.
        ages: Columns of the wide view.
        stored: Its own name, where that of the enricher is a view's.
    """

    name: str
    description: str
    columns: tuple[ProfileColumn, ...]
    key: tuple[str, ...] = ()
    ages: tuple[ProfileAge, ...] = ()
    stored: str = ""

    @property
    def table_name(self) -> str:
        """Its name in schema ``profile``."""
        return self.stored or self.name

    @property
    def wide(self) -> bool:
        """Whether the wide view has its columns: it has one row per customer."""
        return not self.key


@dataclass(frozen=True)
class GroupColumn:
    """A column of a view with a row per group of customers.

    Attributes:
        name: In the view.
        type: As PostgreSQL writes it.
        description: One sentence or two: the comment of the column.
        privacy: Fides data category.
        sql: What it is over the customers of the group; each enricher's table goes by the enricher's name.
        of: Columns that it follows from, such as ``rfm.net``; it is left out where one of these tables is not there.
    """

    name: str
    type: str
    description: str
    privacy: str
    sql: str
    of: tuple[str, ...]

    @property
    def tables(self) -> frozenset[str]:
        """Names of the enrichers whose tables it reads."""
        return frozenset(one.partition(".")[0] for one in self.of)


@dataclass(frozen=True)
class GroupView:
    """A view of schema ``profile`` with a row per group of customers, such as a household.

    Attributes:
        name: Of the view.
        description: Its comment.
        groups: The enricher that says which group a customer is of.
        columns: The first one names the group.
    """

    name: str
    description: str
    groups: str
    columns: tuple[GroupColumn, ...]


WITHHELD = ProfileTable(
    "withheld",
    "What is not worked out of a customer: the purpose is off for them. One row per customer of whom anything is left "
    "out; their rows of those enrichers' tables are not there.",
    (
        ProfileColumn(
            "enrichers",
            ValueType.TEXT,
            "Enrichers that leave the customer out, with commas between.",
            "user.privacy_preferences",
            tells=False,
        ),
        ProfileColumn(
            "purposes",
            ValueType.TEXT,
            "Purposes that are off for the customer, with commas between.",
            "user.privacy_preferences",
            tells=False,
        ),
    ),
)
"""The table that says whose values are missing since they may not be made; in the wide view beside those values."""
