"""What a table of the profile holds, as store and hub have to know it.

Belongs here: its columns and key. Does not belong here: how its rows are worked out (enrichment).
"""

from dataclasses import dataclass

from cdm_pipelines.contracts.entity import ValueType


@dataclass(frozen=True)
class ProfileColumn:
    """A column of a table of the profile.

    Attributes:
        name: In the table.
        type: How PostgreSQL types it.
        description: One sentence or two: the comment of the column.
        privacy: Fides data category.
        tells_from: A change of a number, or in days of a date, by less than this tells nobody.
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
        name: That of its enricher.
        description: The comment of the table.
        columns: Beside ``golden_id``, ``as_of`` and ``model``.
        key: Columns that identify a row beside ``golden_id``; a table with any is no part of the wide view.
        ages: Columns of the wide view.
    """

    name: str
    description: str
    columns: tuple[ProfileColumn, ...]
    key: tuple[str, ...] = ()
    ages: tuple[ProfileAge, ...] = ()

    @property
    def wide(self) -> bool:
        """Whether the wide view has its columns: it has one row per customer."""
        return not self.key
