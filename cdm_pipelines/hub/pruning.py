"""What the hub forgets of what grows with every publication: events that everybody has had, former versions.

Belongs here: the SQL. Does not belong here: after how long (the policy of pruning); decisions, golden ids and what
happened to them, which are never forgotten.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, TextClause, bindparam, text

from cdm_pipelines.hub import seals
from cdm_pipelines.hub.schema import customer_history
from cdm_pipelines.hub.schema_feed import outbox


@dataclass(frozen=True)
class Forgotten:
    """Rows that went, and their bytes, without those of indexes."""

    rows: int
    size: int


_DELIVERED = """
    SELECT min(coalesce(s.position, 0)) FROM unnest(CAST(:sinks AS text[])) AS wanted(name)
    LEFT JOIN ops.sink s USING (name)"""
_EVENTS = """
    WITH gone AS (
        DELETE FROM ops.outbox o USING ops.publication p
        WHERE p.publication_id = o.publication_id AND p.published_at < :before
        AND (CAST(:delivered AS bigint) IS NULL OR o.position <= :delivered)
        AND o.position < (SELECT max(position) FROM ops.outbox)
        AND NOT EXISTS (SELECT FROM ops.dead_letter d WHERE d.position = o.position)
        RETURNING o.position, pg_column_size(o.*) AS size),
    noted AS (UPDATE ops.feed SET pruned = greatest(pruned, (SELECT max(position) FROM gone)))
    SELECT count(*), coalesce(sum(size), 0) FROM gone"""
_VERSIONS = """
    WITH gone AS (
        DELETE FROM golden.customer_history o WHERE o.valid_to < :before RETURNING pg_column_size(o.*) AS size)
    SELECT count(*), coalesce(sum(size), 0) FROM gone"""


def forget_events(connection: Connection, before: dt.datetime, sinks: Collection[str]) -> Forgotten:
    """Delete events of the change feed that were published before a moment and that every sink has had.

    The newest event stays, so that the feed goes on counting from it, and it is noted up to where events are gone: who
    comes back after a long time is told so. What happened to golden ids stays in
    ``identity.event``.

    Args:
        connection: In a transaction.
        before: The moment.
        sinks: Names of all sinks of the policy; one that was never served holds everything back.
    """
    delivered = connection.scalar(text(_DELIVERED), {"sinks": list(sinks)}) if sinks else None
    values = {"before": before, "delivered": delivered}
    forgotten = Forgotten(*connection.execute(_typed(_EVENTS), values).one())
    seals.renew(connection, outbox)
    return forgotten


def forget_versions(connection: Connection, before: dt.datetime) -> Forgotten:
    """Delete former versions of customers that ended before a moment."""
    forgotten = Forgotten(*connection.execute(text(_VERSIONS), {"before": before}).one())
    seals.renew(connection, customer_history)
    return forgotten


def _typed(query: str) -> TextClause:
    return text(query).bindparams(bindparam("delivered", type_=BigInteger))
