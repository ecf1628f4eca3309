"""What is declared of every column that a role might read: its category and what it means.

Belongs here: gathering it from where it is declared: tables of the hub and of enrichers, views of the profile. Does not
belong here: which columns the database has, and their types (hub.role_access).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Table

from cdm_pipelines.contracts.profile import GroupView, ProfileTable
from cdm_pipelines.hub.every_table import every_table
from cdm_pipelines.hub.profile import table_of
from cdm_pipelines.hub.profile_views import wide_columns
from cdm_pipelines.store.register import UNCLASSIFIED

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
_SAYS = "Privacy category: "


@dataclass(frozen=True)
class Declared:
    """What is declared of a column."""

    category: str
    description: str


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
    wide = {one.name: _from_comment(one.comment) for one in wide_columns(tables)}
    golden = found["golden.customer"].columns
    found["profile.customer"] = DeclaredTable(
        "One row per golden customer with all that the profile says.", {**golden, **wide}
    )
    for view in groups:
        columns = {one.name: Declared(one.privacy, one.description) for one in view.columns}
        found[f"profile.{view.name}"] = DeclaredTable(view.description, columns)
    return {name: one for name, one in sorted(found.items()) if name not in NEVER}


def categories(catalogue: Mapping[str, DeclaredTable]) -> set[str]:
    """All categories that are declared."""
    return {column.category for table in catalogue.values() for column in table.columns.values()}


def _of_table(table: Table) -> DeclaredTable:
    columns = {column.name: _from_comment(column.comment or "") for column in table.columns}
    return DeclaredTable(table.comment or "", columns)


def _from_comment(comment: str) -> Declared:
    description, says, category = comment.rpartition(_SAYS)
    return Declared(category.removesuffix(".") if says else UNCLASSIFIED, description.strip())
