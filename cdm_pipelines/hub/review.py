"""The read models of stewards: the links of customers, and the review queue.

Belongs here: writing the rows that differ. Does not belong here: reading them (``review_queue``), what is in doubt and
what it is worth (``steps.stewardship``), or how the tables are declared (``schema_review``).

All of it runs in the transaction of a publication, after ``promote``, or in that of a decision. Only rows that differ
are written, and what is there is what writing everything anew would leave.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection, bindparam, func, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.schema import AddConstraint, CreateIndex, DropConstraint, DropIndex, DropTable
from sqlalchemy.types import Uuid

from cdm_pipelines.hub.load import copy_table, read_table, without_data
from cdm_pipelines.hub.schema_review import customer_link, relinked, staged_doubt, staged_link

BETWEEN = pa.schema(
    [
        ("left_id", pa.string()),
        ("right_id", pa.string()),
        ("is_match", pa.bool_()),
        ("probability", pa.float64()),
    ]
)
"""Two customers with a scored pair of records: the most probable one that is a match, and the one that is none."""
DOUBTS = pa.schema(
    [
        ("golden_id", pa.string()),
        ("doubt", pa.string()),
        ("uncertainty", pa.float64()),
        ("probability", pa.float64()),
        ("finding", pa.string()),
    ]
)
"""Customers that may be several."""
FACTS = pa.schema(
    [
        ("golden_id", pa.string()),
        ("records", pa.int64()),
        ("orders", pa.int64()),
        ("last_order", pa.float64()),
    ]
)
"""Size, orders and the time of the last order of customers, in seconds."""
ITEMS = pa.schema(
    [
        ("item_id", pa.string()),
        ("doubt", pa.string()),
        ("left_id", pa.string()),
        ("right_id", pa.string()),
        ("probability", pa.float64()),
        ("priority", pa.float64()),
        ("finding", pa.string()),
        ("decision_id", pa.int64()),
    ]
)
"""What is in doubt, whether or not it is decided."""

_KEY = [column.name for column in customer_link.primary_key]
_FIGURES = [column.name for column in customer_link.columns if column.name not in _KEY]


def is_staged(connection: Connection) -> bool:
    """Whether the read models of the next version are staged."""
    return _is_staged(connection, staged_link.name)


def apply_links(connection: Connection) -> None:
    """Make the published links equal to the staged ones; staging has none afterwards."""
    in_part = _is_staged(connection, relinked.name)
    if not connection.scalar(text("SELECT EXISTS (SELECT FROM golden.customer_link)")):
        _fill_links(connection)
    else:
        of = "l.golden_id IN (SELECT golden_id FROM staging.relinked) AND" if in_part else ""
        same = _all("l.{0} = n.{0}", _KEY)
        gone = f"NOT EXISTS (SELECT FROM staging.customer_link n WHERE {same})"
        connection.execute(text(f"DELETE FROM golden.customer_link l WHERE {of} {gone}"))  # noqa: S608 - our own names
        connection.execute(text(_upsert("golden.customer_link", "staging.customer_link", _KEY, _FIGURES)))
    connection.execute(DropTable(staged_link))
    connection.execute(DropTable(relinked, if_exists=True))


def count_different_links(connection: Connection) -> int:
    """Published links that a version staged whole does not have, and the other way round."""
    names = ", ".join(column.name for column in customer_link.columns)
    old, new = (f"SELECT {names} FROM {schema}.customer_link" for schema in ("golden", "staging"))  # noqa: S608 - our own names
    counted = f"SELECT count(*) FROM (({old} EXCEPT {new}) UNION ALL ({new} EXCEPT {old})) AS different"  # noqa: S608 - the same
    return int(connection.scalar(text(counted)) or 0)


def take_doubts(connection: Connection) -> pa.Table:
    """The staged customers in doubt, ``DOUBTS``; staging has none afterwards."""
    names = ", ".join(DOUBTS.names)
    query = f"SELECT {names} FROM staging.customer_doubt ORDER BY golden_id"  # noqa: S608 - names of our own columns
    found = read_table(connection, query, DOUBTS)
    connection.execute(DropTable(staged_doubt))
    return found


def between(connection: Connection) -> pa.Table:
    """The scored pairs between customers, ``BETWEEN``, in order of the two ids."""
    query = """
        SELECT l.golden_id, x.golden_id, l.is_match, max(l.probability)
        FROM golden.customer_link AS l JOIN golden.crosswalk AS x
          ON (x.source, x.entity, x.record_id) = (l.other_source, l.other_entity, l.other_record_id)
        WHERE NOT l.inside AND l.golden_id < x.golden_id GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""
    return read_table(connection, query, BETWEEN)


def facts(connection: Connection, ids: pa.Array) -> pa.Table:
    """``FACTS`` of some customers, in order of golden id; ids of none are left out."""
    connection.execute(
        text("CREATE TEMPORARY TABLE IF NOT EXISTS asked_fact (golden_id uuid) ON COMMIT DROP")
    )
    connection.execute(text("TRUNCATE asked_fact"))
    copy_table(connection, "asked_fact", pa.table({"golden_id": ids.unique()}), schema="pg_temp")
    connection.execute(text("ANALYZE asked_fact"))
    query = """
        SELECT golden_id, record_count, coalesce(orders, 0), extract(epoch FROM last_order)
        FROM asked_fact JOIN golden.customer USING (golden_id) LEFT JOIN (
            SELECT golden_id, count(*) AS orders, max(ordered_at) AS last_order
            FROM asked_fact JOIN golden.customer_order USING (golden_id) GROUP BY golden_id) AS o USING (golden_id)
        ORDER BY golden_id"""
    return read_table(connection, query, FACTS)


def newest_order(connection: Connection) -> float | None:
    """The time of the newest order of any customer, in seconds; None where there is none."""
    query = (
        "SELECT extract(epoch FROM max(ordered_at)) FROM golden.customer_order WHERE golden_id IS NOT NULL"
    )
    newest = connection.scalar(text(query))
    return None if newest is None else float(newest)


def replace_items(connection: Connection, doubts: Sequence[str], items: pa.Table) -> None:
    """Make the items of some kinds of doubt equal to the given ones, ``ITEMS``.

    Whether a new one waits for a decision is for :func:`settle` to say; of one that stays, that stays.
    """
    columns = ", ".join(ITEMS.names)
    made = (
        f"CREATE TEMPORARY TABLE review_next ON COMMIT DROP AS SELECT {columns} FROM ops.review_item LIMIT 0"  # noqa: S608 - names of our own columns
    )
    with without_data("writing the review queue"):
        connection.execute(text("DROP TABLE IF EXISTS review_next"))
        connection.execute(text(made))
        copy_table(connection, "review_next", items.select(ITEMS.names), schema="pg_temp")
        connection.execute(text("ANALYZE review_next"))
        gone = """DELETE FROM ops.review_item AS l WHERE doubt = ANY (:doubts)
                  AND NOT EXISTS (SELECT FROM review_next AS n WHERE n.item_id = l.item_id)"""
        connection.execute(text(gone), {"doubts": list(doubts)})
        figures = [name for name in ITEMS.names if name != "item_id"]
        connection.execute(
            text(_upsert("ops.review_item", "review_next", ["item_id"], figures, {"waits": "true"}))
        )
        connection.execute(text("DROP TABLE review_next"))


def settle(
    connection: Connection,
    kinds: tuple[str, str],
    decided: Sequence[tuple[UUID, UUID]],
    confirmed: Mapping[UUID, int],
) -> None:
    """Say of each pair of customers whether it waits for a decision.

    Args:
        connection: In the transaction that changed the log, or the items.
        kinds: The doubts about a pair that is no match, and about one that is.
        decided: Pairs that are decided, the lower id first.
        confirmed: Customers that were confirmed, each with the number of its group.
    """
    groups = list(confirmed)
    given = {
        "pair": kinds[0],
        "match": kinds[1],
        "lefts": [left for left, _ in decided],
        "rights": [right for _, right in decided],
        "ids": groups,
        "numbers": [confirmed[golden_id] for golden_id in groups],
    }
    ids = [bindparam(name, type_=ARRAY(Uuid)) for name in ("lefts", "rights", "ids")]
    with without_data("settling the review queue"):
        connection.execute(text(_SETTLE).bindparams(*ids), given)


_SETTLE = """
WITH decided AS (SELECT * FROM unnest(:lefts, :rights) AS d (left_id, right_id)),
confirmed AS (SELECT * FROM unnest(:ids, CAST(:numbers AS bigint[])) AS c (golden_id, number)),
judged AS (
    SELECT i.item_id, i.doubt = :match AS is_match, d.left_id IS NOT NULL AS is_decided,
           coalesce(l.number <> r.number, false) AS apart, s.item_id IS NOT NULL AS beside_match
    FROM ops.review_item AS i
    LEFT JOIN decided AS d USING (left_id, right_id)
    LEFT JOIN confirmed AS l ON l.golden_id = i.left_id
    LEFT JOIN confirmed AS r ON r.golden_id = i.right_id
    LEFT JOIN ops.review_item AS s ON s.doubt = :match AND l.number <> r.number
        AND s.left_id = i.left_id AND s.right_id = i.right_id
    WHERE i.doubt IN (:pair, :match))
UPDATE ops.review_item AS i
SET waits = NOT is_decided AND CASE WHEN is_match THEN apart ELSE NOT (apart AND beside_match) END
FROM judged AS j
WHERE j.item_id = i.item_id
  AND i.waits <> (NOT is_decided AND CASE WHEN is_match THEN apart ELSE NOT (apart AND beside_match) END)
"""
"""A match between two customers is no news, unless both were confirmed: then it stands for the two."""


def _fill_links(connection: Connection) -> None:
    """Fill the empty table; as in a first publication, the indexes come last, and the log need not hold the rows."""
    connection.execute(text("TRUNCATE golden.customer_link"))
    (index,) = customer_link.indexes
    connection.execute(DropIndex(index))
    connection.execute(DropConstraint(customer_link.primary_key, isolate_from_table=False))
    names = [column.name for column in customer_link.columns]
    connection.execute(insert(customer_link).from_select(names, select(staged_link)))
    connection.execute(AddConstraint(customer_link.primary_key, isolate_from_table=False))
    connection.execute(CreateIndex(index))
    connection.execute(text("ANALYZE golden.customer_link (golden_id, inside)"))


def _is_staged(connection: Connection, name: str) -> bool:
    return connection.scalar(select(func.to_regclass(f"staging.{name}"))) is not None


def _all(pattern: str, names: Sequence[str]) -> str:
    return " AND ".join(pattern.format(name) for name in names)


def _upsert(
    table: str, source: str, key: Sequence[str], names: Sequence[str], more: Mapping[str, str] | None = None
) -> str:
    """SQL that adds the rows of a source, and changes those that have other values; ``more`` is for new ones only."""
    columns, fresh = ", ".join([*key, *names]), more or {}
    values = ", ".join(f"{name} = excluded.{name}" for name in names)
    old, new = (", ".join(f"{side}.{name}" for name in names) for side in ("l", "excluded"))
    return (
        f"INSERT INTO {table} AS l ({', '.join([columns, *fresh])}) "  # noqa: S608 - names of our own
        f"SELECT {', '.join([columns, *fresh.values()])} FROM {source} "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {values} WHERE ({old}) IS DISTINCT FROM ({new})"
    )
