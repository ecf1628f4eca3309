"""Who a person is, by everything that the hub knows of a golden id.

Belongs here: from golden ids to the source records behind them. Does not belong here: where those records lie
(``store.register``).
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import Connection, or_, select, text

from cdm_pipelines.hub.published import customers_of, published
from cdm_pipelines.hub.schema import crosswalk, golden_id
from cdm_pipelines.hub.schema_privacy import consent_statement
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.register import Persons

_BEHIND = text(
    """SELECT DISTINCT golden_id FROM golden.crosswalk JOIN unnest(CAST(:sources AS text[]), CAST(:entities AS text[]),
    CAST(:ids AS text[])) AS asked(source, entity, record_id) USING (source, entity, record_id) ORDER BY 1"""
)


def persons_of(connection: Connection, ids: Iterable[UUID]) -> Persons:
    """The persons behind golden ids of any age, with all their records: parties, and what else is published of them.

    Ids that were merged into theirs, and those that theirs were merged into, are theirs too.
    """
    own = _aliases(connection, frozenset(ids))
    records: set[tuple[str, str, str]] = set()
    for table in published().values():
        if set(RECORD_KEY) <= set(table.key):
            of = customers_of(table.name).subquery().c
            rows = connection.execute(select(*(of[name] for name in RECORD_KEY)).where(of.golden_id.in_(own)))
            records |= {(source, entity, record_id) for source, entity, record_id in rows}
    return Persons.of(records | _statements(connection, own), own)


def customers_behind(connection: Connection, records: Collection[tuple[str, str, str]]) -> list[UUID]:
    """Golden ids of the customers that published party records are of; records of nobody give none.

    Args:
        connection: Of a migrated hub.
        records: Source, entity, record id.
    """
    sources, entities, ids = (list(one) for one in zip(*records, strict=True)) if records else ([], [], [])
    return list(connection.scalars(_BEHIND, {"sources": sources, "entities": entities, "ids": ids}))


def customers_of_source(connection: Connection, source: str) -> list[UUID]:
    """Golden ids of the customers that have a published record of a source."""
    return list(
        connection.scalars(select(crosswalk.c.golden_id).where(crosswalk.c.source == source).distinct())
    )


def _statements(connection: Connection, ids: frozenset[UUID]) -> set[tuple[str, str, str]]:
    """Keys of statements of consent about these alone: in the ledger, and as days of the source have them."""
    s = consent_statement.c
    rows = connection.execute(
        select(s.source, s.entity, s.record_id, s.statement_id).where(s.golden_id.in_(ids))
    ).all()
    return {(row.source, row.entity, key) for row in rows for key in (row.record_id, row.statement_id)}


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
