"""The review queue and the links of customers, as stewards read them.

Belongs here: reading rows. Does not belong here: writing them (``review``), what is in doubt and what it is worth
(``steps.stewardship``).
"""

import datetime as dt
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, case, func, select, text

from cdm_pipelines.hub.queries import Row
from cdm_pipelines.hub.schema import crosswalk, decision
from cdm_pipelines.hub.schema_review import customer_link, review_item

Key = tuple[str, str, str]


def first_items(
    connection: Connection, limit: int, without: Collection[str] = (), *, skip: int = 0, doubt: str = ""
) -> list[Row]:
    """The items that wait, the largest priority first, less those of some ids.

    Args:
        connection: Of a migrated hub.
        limit: How many at most.
        without: Ids that are left out.
        skip: How many of the first are passed over.
        doubt: Of which kind; empty for all.
    """
    i = review_item.c
    waits = i.waits & i.item_id.not_in(without) if without else i.waits
    if doubt:
        waits &= i.doubt == doubt
    order = (
        i.priority.desc(),
        i.doubt,
        i.left_id.nulls_first(),
        i.right_id.nulls_first(),
        i.finding,
        i.item_id,
    )
    query = select(review_item).where(waits).order_by(*order).offset(skip).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def items(connection: Connection, item_ids: Collection[str]) -> dict[str, Row]:
    """Items by id, whether they wait or not."""
    query = select(review_item).where(review_item.c.item_id.in_(item_ids))
    return {row["item_id"]: dict(row) for row in connection.execute(query).mappings()}


def items_of(connection: Connection, golden_ids: Collection[UUID]) -> list[Row]:
    """The items that wait and are about any of some customers, the largest priority first."""
    i = review_item.c
    about = i.waits & (i.left_id.in_(golden_ids) | i.right_id.in_(golden_ids))
    query = select(review_item).where(about).order_by(i.priority.desc(), i.item_id)
    return [dict(row) for row in connection.execute(query).mappings()]


def best_links(connection: Connection, item_ids: Collection[str]) -> dict[str, tuple[Key, Key]]:
    """The most probable pair of records of each item about two customers, as ``source, entity, record_id``."""
    query = text(
        """SELECT DISTINCT ON (i.item_id) i.item_id, l.source, l.entity, l.record_id,
               l.other_source, l.other_entity, l.other_record_id
        FROM ops.review_item AS i
        JOIN golden.customer_link AS l ON l.golden_id = i.left_id AND NOT l.inside
        JOIN golden.crosswalk AS x ON x.golden_id = i.right_id
          AND (x.source, x.entity, x.record_id) = (l.other_source, l.other_entity, l.other_record_id)
        WHERE i.item_id = ANY (:ids)
        ORDER BY i.item_id, l.probability DESC, 2, 3, 4, 5, 6, 7"""
    )
    rows = connection.execute(query, {"ids": list(item_ids)})
    return {str(item): ((a, b, c), (d, e, f)) for item, a, b, c, d, e, f in rows}


def count_all_items(connection: Connection) -> int:
    """How many items wait."""
    return int(connection.scalar(select(func.count()).where(review_item.c.waits)) or 0)


def count_items(connection: Connection) -> dict[str, int]:
    """How many items wait, by doubt."""
    i = review_item.c
    query = select(i.doubt, func.count()).where(i.waits).group_by(i.doubt)
    return {str(doubt): int(count) for doubt, count in connection.execute(query)}


def oldest_conflict(connection: Connection) -> dt.datetime | None:
    """When the first decision was made that is in conflict now; None where none is."""
    i = review_item.c
    query = select(func.min(decision.c.decided_at)).where(decision.c.decision_id == i.decision_id)
    oldest: dt.datetime | None = connection.scalar(query)
    return oldest


def links(connection: Connection, golden_id: UUID) -> list[Row]:
    """The scored pairs of a customer with the customer of the other record, those within it first, by weight."""
    own, other = customer_link.c, crosswalk.c
    of_other = (
        (other.source == own.other_source)
        & (other.entity == own.other_entity)
        & (other.record_id == own.other_record_id)
    )
    query = (
        select(customer_link, case((own.inside, own.golden_id), else_=other.golden_id).label("other_id"))
        .outerjoin(crosswalk, of_other & ~own.inside)
        .where(own.golden_id == golden_id)
        .order_by(own.inside.desc(), own.weight.desc(), *list(customer_link.primary_key)[1:])
    )
    return [dict(row) for row in connection.execute(query).mappings()]
