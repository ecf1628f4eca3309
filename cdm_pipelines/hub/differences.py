"""Making a published table equal to its staged version, touching only the rows that differ.

Belongs here: finding those rows and applying them, whichever the table. Does not belong here: which tables, in which
order, and what is told of it (``publish``, ``profile``, ``consent``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    Subquery,
    Table,
    Text,
    and_,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    tuple_,
    update,
)


@dataclass(frozen=True)
class Change:
    """What a publication did to one table, in rows."""

    inserted: int
    updated: int
    deleted: int
    unchanged: int

    @property
    def rows(self) -> int:
        """Rows that the table has now."""
        return self.inserted + self.updated + self.unchanged

    @property
    def any(self) -> bool:
        """Whether anything changed."""
        return bool(self.inserted or self.updated or self.deleted)

    @property
    def counts(self) -> dict[str, int]:
        """By kind of change."""
        return {"inserted": self.inserted, "updated": self.updated, "deleted": self.deleted}


def differences(
    connection: Connection,
    old: Table,
    new: Table,
    *,
    among: Select[tuple[object]] | None = None,
    whole: bool = True,
    keeping: Mapping[str, ColumnElement[Any]] | None = None,
    beside: Subquery | None = None,
) -> Table:
    """A temporary table of the keys of rows that differ, found in one pass over both versions.

    Args:
        connection: In the transaction that publishes.
        old: The published table; its primary key is the key.
        new: Its staged version.
        among: Golden ids of the customers whose rows are staged, where those are not all.
        whole: Whether what is not staged of them is gone.
        keeping: What else to keep of each row, by name, of the columns of ``old`` and ``new`` by these names.
        beside: What is joined by golden id for that, a row per customer at most, by its own name.

    Returns:
        The keys, ``kind`` (inserted, updated, deleted), and what else is kept.
    """
    keys = [column.name for column in old.primary_key]
    keeping = keeping or {}
    difference = Table(
        f"difference_{new.name}",
        MetaData(),
        *(Column(name, old.c[name].type) for name in keys),
        Column("kind", Text),
        *(Column(name, one.type) for name, one in keeping.items()),
        prefixes=["TEMPORARY"],
    )
    difference.create(connection)
    before = old.alias("old") if among is None else _of(old, among).subquery("old")
    after = new.alias("new")
    missing, gone = before.c[keys[0]].is_(None), after.c[keys[0]].is_(None)
    values = [column.name for column in old.columns if column.name not in keys]
    changed = tuple_(*(before.c[name] for name in values)).is_distinct_from(
        tuple_(*(after.c[name] for name in values))
    )
    both = after.join(
        before, and_(*(before.c[name] == after.c[name] for name in keys)), isouter=True, full=whole
    )
    if beside is not None:
        of = func.coalesce(before.c.golden_id, after.c.golden_id)
        both = both.join(beside, beside.c.golden_id == of, isouter=True)
    found = (
        select(
            *(func.coalesce(before.c[name], after.c[name]) for name in keys),
            case((missing, "inserted"), (gone, "deleted"), else_="updated"),
            *keeping.values(),
        )
        .select_from(both)
        .where(or_(missing, gone, changed))
    )
    names = [column.name for column in difference.columns]
    connection.execute(insert(difference).from_select(names, found))
    connection.execute(text(f"ANALYZE {difference.name}"))
    return difference


def _of(table: Table, among: Select[tuple[object]]) -> Select[tuple[object, ...]]:
    return select(*table.columns).where(table.c.golden_id.in_(among))


def kinds(connection: Connection, difference: Table) -> Mapping[str, int]:
    """Rows that differ, by kind."""
    counted = select(difference.c.kind, func.count()).group_by(difference.c.kind)
    return {str(kind): int(count) for kind, count in connection.execute(counted)}


def apply(connection: Connection, table: Table, new: Table, difference: Table) -> Mapping[str, int]:
    """Make a table equal to its staged version, where they differ; returns the number of rows by kind."""
    keys, columns = [column.name for column in table.primary_key], [column.name for column in table.columns]
    counts = kinds(connection, difference)
    of_old = [table.c[name] == difference.c[name] for name in keys]
    of_new = [new.c[name] == difference.c[name] for name in keys]
    if "deleted" in counts:
        connection.execute(delete(table).where(*of_old, difference.c.kind == "deleted"))
    if "updated" in counts:
        values = {name: new.c[name] for name in columns if name not in keys}
        connection.execute(
            update(table).values(values).where(*of_old, *of_new, difference.c.kind == "updated")
        )
    if "inserted" in counts:
        missing = select(*(new.c[name] for name in columns)).where(*of_new, difference.c.kind == "inserted")
        connection.execute(insert(table).from_select(columns, missing))
    return counts


def change_of(counts: Mapping[str, int], rows: int) -> Change:
    """What was done, given the rows that the table has now."""
    inserted, updated, deleted = (counts.get(kind, 0) for kind in ("inserted", "updated", "deleted"))
    return Change(inserted, updated, deleted, rows - inserted - updated)
