"""Golden ids of erased persons fall out of use with the erasure, and whoever follows is told in the same transaction.

Belongs here: what a publication would do about ids of which no record is left. Does not belong here: whose ids they are
(``steps.rights``), rows of persons (``places``).

It is a publication of its own, so that its events have a number and a seal like any other. A run that finds the ids
retired has nothing to do for them.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, null, update

from cdm_pipelines.hub import outbox, publication, seals, staging
from cdm_pipelines.hub.differences import Change
from cdm_pipelines.hub.schema import golden_id

RETIRED = "retired"
"""Of an id of which no record is left."""


def retire(connection: Connection, ids: Collection[UUID]) -> int:
    """Retire golden ids that stand for nobody any more, and tell of those that were not; returns how many they were.

    Args:
        connection: In the transaction in which their founding records are forgotten.
        ids: Of erased persons, aliases among them.
    """
    staging.lock(connection)
    g = golden_id.c
    statement = (
        update(golden_id)
        .where(g.golden_id.in_(ids), g.status != RETIRED)
        .values(status=RETIRED, alias_of=null())
        .returning(g.golden_id)
    )
    gone = sorted(connection.scalars(statement))
    if not gone:
        return 0
    under_way = publication.begin(connection)
    outbox.tell_retired(connection, under_way.number, gone)
    publication.finish(connection, under_way, {golden_id.name: Change(0, len(gone), 0, 0).counts})
    seals.seal_publication(connection, under_way.number)
    return len(gone)
