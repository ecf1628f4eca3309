"""What is declared of every column that a role might read: its category and what it means.

Belongs here: gathering it from where it is declared: tables of the hub and of enrichers, views of the profile. Does not
belong here: which columns the database has (hub.role_access).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from cdm_pipelines.contracts.profile import GroupView, ProfileTable
from cdm_pipelines.hub.every_table import every_table
from cdm_pipelines.hub.profile import table_of
from cdm_pipelines.hub.profile_views import wide_columns
from cdm_pipelines.store.categories import UNCLASSIFIED

NEVER = frozenset(
    {
        "golden.search",
        "golden.search_word",
        "golden.search_source",
        "identity.decision_detail",
        "ops.api_token",
        "ops.assignment",
        "ops.feed",
        "ops.kept_answer",
        "ops.linkage_model",
        "ops.proposal",
        "ops.put_off",
        "ops.session",
        "privacy.pseudonym_key",
    }
)
"""What no policy can show: keys and salts, and the words by which everybody is found."""
_MORE = re.compile(r"\(| collate ")
_SAME = {"float": "double precision"}
_SAYS = "Privacy category: "


@dataclass(frozen=True)
class Declared:
    """What is declared of a column; the type is as PostgreSQL writes it."""

    category: str
    description: str
    type: str


@dataclass(frozen=True)
class DeclaredTable:
    """What is declared of a table or view: in a word, and by column."""

    description: str
    columns: Mapping[str, Declared]


def declared(tables: Sequence[ProfileTable], groups: Iterable[GroupView]) -> Mapping[str, DeclaredTable]:
    """Every table and view of the hub by ``schema.table``, but those that no role may see.

    Args:
        tables: Of the enrichers that are switched on.
        groups: Views beside the wide one.
    """
    found = {name: _of_table(table) for name, table in every_table().tables.items()}
    for one in tables:
        table = table_of(one)
        found[table.fullname] = _of_table(table)
    types = dict(_wide_types(tables))
    wide = {one.name: _from_comment(one.comment, types[one.name]) for one in wide_columns(tables)}
    golden = found["golden.customer"].columns
    found["profile.customer"] = DeclaredTable(
        "One row per golden customer with all that the profile says.", {**golden, **wide}
    )
    for view in groups:
        columns = {one.name: Declared(one.privacy, one.description, one.type) for one in view.columns}
        found[f"profile.{view.name}"] = DeclaredTable(view.description, columns)
    return {name: one for name, one in sorted(found.items()) if name not in NEVER}


def categories(catalogue: Mapping[str, DeclaredTable]) -> set[str]:
    """All categories that are declared."""
    return {column.category for table in catalogue.values() for column in table.columns.values()}


def types(catalogue: Mapping[str, DeclaredTable]) -> dict[str, dict[str, str]]:
    """What a database holds of all that is declared, as ``hub.role_access.relations`` tells it of one that is there."""
    return {
        name: {column: one.type for column, one in table.columns.items()} for name, table in catalogue.items()
    }


def _wide_types(tables: Iterable[ProfileTable]) -> Iterator[tuple[str, str]]:
    for one in (one for one in tables if one.wide):
        own = table_of(one).c
        yield from ((f"{one.name}_{column.name}", _type(own[column.name].type)) for column in one.columns)
        yield from ((f"{one.name}_{age.name}", "integer") for age in one.ages)  # days between two dates


def _type(declared: TypeEngine[object]) -> str:
    """A type as PostgreSQL calls it, without precision and collation."""
    written = declared.compile(postgresql.dialect()).lower()  # type: ignore[no-untyped-call]
    plain = _MORE.split(written)[0]
    return _SAME.get(plain, plain)


def _of_table(table: Table) -> DeclaredTable:
    columns = {
        column.name: _from_comment(column.comment or "", _type(column.type)) for column in table.columns
    }
    return DeclaredTable(table.comment or "", columns)


def _from_comment(comment: str, of_type: str) -> Declared:
    description, says, category = comment.rpartition(_SAYS)
    return Declared(category.removesuffix(".") if says else UNCLASSIFIED, description.strip(), of_type)
