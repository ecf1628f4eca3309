"""Who a person is, by everything that the hub knows of a golden id.

Belongs here: from golden ids to the source records behind them. Does not belong here: where those records lie
(``store.register``).
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection, or_, select

from cdm_pipelines.hub.schema import crosswalk, customer_order, golden_id, order_line, payment
from cdm_pipelines.store.register import Persons


def persons_of(connection: Connection, ids: Iterable[UUID]) -> Persons:
    """The persons behind golden ids of any age, with all their records: parties, orders, order lines and payments.

    Ids that were merged into theirs, and those that theirs were merged into, are theirs too.
    """
    own = _aliases(connection, frozenset(ids))
    records: set[tuple[str, str, str]] = set()
    for table in (crosswalk, customer_order):
        c = table.c
        found = connection.execute(select(c.source, c.entity, c.record_id).where(c.golden_id.in_(own)))
        records |= {(row[0], row[1], row[2]) for row in found}
    for table in (order_line, payment):
        c, o = table.c, customer_order.c
        ordered = (o.source == c.source) & (o.order_id == c.order_id) & o.golden_id.in_(own)
        found = connection.execute(
            select(c.source, c.entity, c.record_id).join_from(table, customer_order, ordered)
        )
        records |= {(row[0], row[1], row[2]) for row in found}
    return Persons.of(records, own)


def _aliases(connection: Connection, ids: frozenset[UUID]) -> frozenset[UUID]:
    """Golden ids with all that they stand for or that stand for them."""
    g = golden_id.c
    while True:
        linked = connection.execute(
            select(g.golden_id, g.alias_of).where(or_(g.golden_id.in_(ids), g.alias_of.in_(ids)))
        )
        more = ids | {one for row in linked for one in row if one is not None}
        if more == ids:
            return ids
        ids = more
