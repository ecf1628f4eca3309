"""How a table of the hub declares itself: whose its rows are, how they are found, how they are erased.

Belongs here: places of tables, whichever. Does not belong here: which tables there are (``places`` and its siblings).
"""

from collections.abc import Callable, Iterator, Mapping

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Text,
    delete,
    false,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from cdm_pipelines.hub import seals
from cdm_pipelines.hub.schema import privacy_of
from cdm_pipelines.store.categories import OPERATIONS, is_personal
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.register import (
    Erasure,
    Found,
    Keeps,
    Kind,
    Persons,
    Place,
    Retention,
    Root,
    Rows,
    Search,
    Stores,
    Whom,
)

_EVERYBODY = (Whom.CUSTOMERS, Whom.CONTACTS)
PUBLISHED = Retention(Keeps.AS_SOURCE, "as long as a source's record is behind it")
"""Of what is published."""
Condition = Callable[[Persons], ColumnElement[bool]]


def with_ids(table: Table, *names: str) -> Condition:
    """Rows with one of the persons' golden ids in some columns."""
    return lambda persons: or_(false(), *(table.c[name].in_(persons.golden_ids) for name in names))


def records_of(table: Table) -> Condition:
    """Rows of one of the persons' source records."""
    return keyed_by(table.c.source, table.c.entity, table.c.record_id)


def keyed_by(*columns: ColumnElement[str]) -> Condition:
    """Rows with the key of one of the persons' source records in some columns; all keys are looked up at once."""

    def condition(persons: Persons) -> ColumnElement[bool]:
        parts = zip(*sorted(persons.keys), strict=True) if persons.keys else [()] * len(RECORD_KEY)
        given = (literal(list(part), ARRAY(Text)) for part in parts)
        keys = func.unnest(*given).table_valued(*RECORD_KEY).render_derived()
        return tuple_(*columns).in_(select(*(keys.c[name] for name in RECORD_KEY)))

    return condition


def either(*conditions: Condition) -> Condition:
    """Rows to which any of some conditions applies."""
    return lambda persons: or_(*(condition(persons) for condition in conditions))


def search_by(table: Table, by: str, condition: Condition) -> Search:
    """How the rows of persons are found, where the table is there."""

    def find(stores: Stores, persons: Persons) -> Iterator[Found]:
        if is_there(stores.connection, table):
            rows = stores.connection.execute(select(table).where(condition(persons))).mappings()
            yield Found(str(table), [dict(row) for row in rows])

    return Search(by, find)


def deleted(table: Table, condition: Condition) -> Rows:
    """How they are erased: rows deleted, and seals of the table renewed."""

    def remove(stores: Stores, persons: Persons) -> int:
        if not is_there(stores.connection, table):
            return 0
        deleted = int(stores.connection.execute(delete(table).where(condition(persons))).rowcount)
        seals.renew(stores.connection, table)
        return deleted

    return Rows(remove, "rows deleted")


def is_there(connection: Connection, table: Table) -> bool:
    """Whether the table is there: those of ``staging`` come and go."""
    return connection.scalar(select(func.to_regclass(f"{table.schema}.{table.name}"))) is not None


def place_of(
    table: Table,
    kept: Retention,
    erasure: Erasure,
    search: Search | None = None,
    *,
    whom: tuple[Whom, ...] = _EVERYBODY,
    description: str = "",
    columns: Mapping[str, str] | None = None,
    absent: bool = False,
) -> Place:
    """The place of a table, with categories from the comments of its columns."""
    columns = columns or {column.name: privacy_of(column) or OPERATIONS for column in table.columns}
    return Place(
        name=str(table).replace(".", "/"),
        kind=Kind.HUB_TABLE,
        root=Root.HUB,
        pattern=str(table),
        description=description or table.comment or "",
        whom=whom if any(map(is_personal, columns.values())) else (),
        columns=columns,
        key=tuple(column.name for column in table.primary_key),
        kept=kept,
        search=search,
        erasure=erasure,
        absent=absent,
    )


def of_persons(table: Table, by: str, condition: Condition, kept: Retention = PUBLISHED) -> Place:
    """A table whose rows each are of one person."""
    return place_of(table, kept, deleted(table, condition), search_by(table, by, condition))
