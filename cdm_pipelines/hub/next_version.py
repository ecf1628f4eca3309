"""What will be published next: what is staged, and of the rest what is published.

Belongs here: reading customers and crosswalk as they will be, and which customers the next version touches. Does not
belong here: staging (``staging``) or publishing (``publish``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa
from sqlalchemy import Connection, text

from cdm_pipelines.contracts.canonical import Entity, EntityDeclaration, OfParent, declaration
from cdm_pipelines.hub.load import copy_table, read_table
from cdm_pipelines.hub.publish import published_from, published_rows
from cdm_pipelines.hub.published import published
from cdm_pipelines.hub.staging import AFFECTED, Staged, staged_tables

_MOST = 0.2  # of the customers; more than that are worked on as everybody
_ASKED, _ASKED_RECORDS, _ASKED_VALUES = "asked_customer", "asked_record", "asked_value"


@dataclass(frozen=True)
class NextVersion:
    """The version that is staged, or the published one where nothing is.

    Attributes:
        connection: In the transaction that stages.
        staged: What waits for publication.
    """

    connection: Connection
    staged: Staged | None

    @classmethod
    def of(cls, connection: Connection) -> "NextVersion":
        """What will be published next."""
        return cls(connection, staged_tables(connection))

    @property
    def fingerprint(self) -> str:
        """Changes when anything does that it is made from."""
        return fingerprint(self.staged.made_from if self.staged else self.published_from)

    @property
    def published(self) -> str:
        """The same of the published version."""
        return fingerprint(self.published_from)

    @property
    def published_from(self) -> Mapping[str, str]:
        """What the published version was made from, by name."""
        return published_from(self.connection)

    def touched(self) -> pa.Array | None:
        """Golden ids of the customers that it touches, those that are gone among them; None where that is everybody."""
        if self.staged is None:
            return pa.array([], pa.string())
        if not self.staged.in_part:
            return None
        parts = [f"SELECT golden_id FROM staging.{AFFECTED.name}"]
        for name, one in published().items():
            if name in self.staged.rows and one.entity is not None:
                parts += _owners(one.entity, name, self.staged)
        everyone = " UNION ".join(parts)
        query = f"SELECT golden_id FROM ({everyone}) AS found WHERE golden_id IS NOT NULL"
        ids = read_table(self.connection, query, pa.schema([("golden_id", pa.string())]))["golden_id"]
        return ids.combine_chunks() if self.are_few(ids) else None

    def are_few(self, ids: pa.Array | pa.ChunkedArray) -> bool:
        """Whether customers are so few that working on them alone is worth it."""
        return len(ids) <= self.few

    @property
    def few(self) -> int:
        """So many customers at most are worked on by themselves."""
        return int(_MOST * published_rows(self.connection, published()["customer"].table))

    def customers(self, schema: pa.Schema, ids: pa.Array | None) -> pa.Table:
        """Golden customers, all or those with some ids."""
        return self._read("customer", schema, ids)

    def customers_with(self, values: Mapping[str, pa.Array]) -> pa.Array:
        """Golden ids of the customers that have, in one of some columns, one of its values."""
        columns = ", ".join(("golden_id", *values))
        create = f"CREATE TEMPORARY TABLE IF NOT EXISTS {_ASKED_VALUES} (of text, value text) ON COMMIT DROP"
        self.connection.execute(text(create))
        self.connection.execute(text(f"TRUNCATE {_ASKED_VALUES}"))
        asked = [
            pa.table({"of": pa.repeat(name, len(found)), "value": found}) for name, found in values.items()
        ]
        copy_table(self.connection, _ASKED_VALUES, pa.concat_tables(asked), schema="pg_temp")
        self.connection.execute(text(f"ANALYZE {_ASKED_VALUES}"))
        having = " OR ".join(
            f"{name} IN (SELECT value FROM {_ASKED_VALUES} WHERE of = '{name}')" for name in values
        )
        query = f"SELECT golden_id FROM ({self.rows_of('customer', columns)}) AS all_customers WHERE {having}"
        ids = pa.schema([("golden_id", pa.string())])
        return read_table(self.connection, query, ids)["golden_id"].combine_chunks()

    def crosswalk(self, schema: pa.Schema, ids: pa.Array | None) -> pa.Table:
        """The crosswalk, of all customers or of some."""
        return self._read("crosswalk", schema, ids)

    def crosswalk_of(self, schema: pa.Schema, keys: pa.Table) -> pa.Table:
        """The crosswalk of some source records, by ``source, entity, record_id``."""
        create = f"""CREATE TEMPORARY TABLE IF NOT EXISTS {_ASKED_RECORDS}
            (source text, entity text, record_id text) ON COMMIT DROP"""
        self.connection.execute(text(create))
        self.connection.execute(text(f"TRUNCATE {_ASKED_RECORDS}"))
        copy_table(self.connection, _ASKED_RECORDS, keys.select(_KEY.split(", ")), schema="pg_temp")
        self.connection.execute(text(f"ANALYZE {_ASKED_RECORDS}"))
        columns = ", ".join(f'"{column}"' for column in schema.names)
        query = self.rows_of("crosswalk", columns, f"JOIN {_ASKED_RECORDS} USING ({_KEY})")
        return read_table(self.connection, query, schema)

    def rows_of(self, name: str, columns: str, among: str = "", whose: str = "golden_id") -> str:
        """SQL for some columns of a table with customers, as its rows will be published.

        Args:
            name: Of the table.
            columns: Which.
            among: A join by which only some of the rows are asked for: it comes before the union of what is staged and
                what is published, so that these are looked up and not all gone through.
            whose: The golden id by which a published row is told from a staged one; that of the few who are asked for
                is looked at before any row is read.
        """
        staged, there = (f"SELECT {columns} FROM {schema}.{name} {among}" for schema in ("staging", "golden"))
        if self.staged is None or name not in self.staged.rows:
            return there
        if self.staged.in_part:
            return f"{staged} UNION ALL {there} WHERE {whose} NOT IN (SELECT golden_id FROM staging.{AFFECTED.name})"
        return staged

    def _read(self, name: str, schema: pa.Schema, ids: pa.Array | None) -> pa.Table:
        columns = ", ".join(f'"{column}"' for column in schema.names)
        if ids is None:
            return read_table(self.connection, self.rows_of(name, columns), schema)
        self._ask(ids)
        query = self.rows_of(name, columns, f"JOIN {_ASKED} USING (golden_id)", f"{_ASKED}.golden_id")
        return read_table(self.connection, query, schema)

    def _ask(self, ids: pa.Array) -> None:
        create = f"CREATE TEMPORARY TABLE IF NOT EXISTS {_ASKED} (golden_id uuid PRIMARY KEY) ON COMMIT DROP"
        self.connection.execute(text(create))
        self.connection.execute(text(f"TRUNCATE {_ASKED}"))
        copy_table(self.connection, _ASKED, pa.table({"golden_id": ids}), schema="pg_temp")
        self.connection.execute(text(f"ANALYZE {_ASKED}"))


def fingerprint(made_from: object) -> str:
    """Of what a version was made from."""
    pairs = sorted(dict(made_from).items()) if made_from else []  # type: ignore[call-overload]
    return sha256(repr(pairs).encode()).hexdigest()[:16]


_KEY = "source, entity, record_id"


def _owners(declared: EntityDeclaration, name: str, staged: Staged) -> list[str]:
    """SQL for the customers of the staged rows of an entity that differ, as they will be and as they were."""
    columns = [one.name for one in published()[name].table.columns if one.name not in _KEY.split(", ")]
    new, old = (", ".join(f'{side}."{column}"' for column in columns) for side in ("s", "g"))
    differ = f"""(SELECT s.* FROM staging.{name} AS s LEFT JOIN golden.{name} AS g USING ({_KEY})
        WHERE g.source IS NULL OR ({new}) IS DISTINCT FROM ({old}))"""
    before = f"(SELECT g.* FROM golden.{name} AS g JOIN {differ} AS s USING ({_KEY}))"
    if "golden_id" in columns:
        return [f"SELECT golden_id FROM {rows} AS rows" for rows in (differ, before)]
    if isinstance(declared.whose, OfParent):
        above = declaration(declared.whose.entity).table_name
        same = " AND ".join(f"s.{mine} = p.{theirs}" for mine, theirs in declared.whose.by)
        parents = [f"golden.{above}", *([f"staging.{above}"] if above in staged.rows else [])]
        return [
            f"SELECT p.golden_id FROM {rows} AS s JOIN {parent} AS p ON s.source = p.source AND {same}"
            for rows in (differ, before)
            for parent in parents
        ]
    if declared.entity is Entity.PRODUCT:
        lines, orders = (declaration(one).table_name for one in (Entity.ORDER_LINE, Entity.ORDER))
        return [
            f"""SELECT o.golden_id FROM {rows} AS s JOIN golden.{lines} AS l USING (product_code)
            JOIN golden.{orders} AS o ON o.source = l.source AND o.order_id = l.order_id"""
            for rows in (differ, before)
        ]
    return []
