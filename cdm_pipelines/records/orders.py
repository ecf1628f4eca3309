"""Whose order it is.

Belongs here: the party record behind an order. Does not belong here: that party's golden customer (identity).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.store.keys import RECORD_KEY, composite_keys, having, positions

_NAMED_BY = (("party_id", "record_id"), ("party_email", "email"))
"""What an order names its party by, and what the party calls it."""


def resolve_order_parties(orders: pa.Table, parties: pa.Table) -> pa.Table:
    """Append the party record of each order.

    An order names its party by ``party_id`` within its own source; when it names none, by ``party_email``.
    Where several records answer (one number in two entities of a source, a shared mailbox), an active one is
    taken before an inactive one, then the one first seen earliest, then by entity and record id.

    Args:
        orders: ``records/order``, at least ``source, party_id, party_email``.
        parties: ``records/party``, at least ``source, entity, record_id, active, first_seen, email``.

    Returns:
        The orders with ``party_entity`` and ``party_record_id``; both null where no record answers.
    """
    preferred = pc.sort_indices(
        parties,
        sort_keys=[
            ("active", "descending"),
            ("first_seen", "ascending"),
            ("entity", "ascending"),
            ("record_id", "ascending"),
        ],
    )
    ranked = parties.select(["source", "entity", "record_id", "email"]).take(preferred)
    by_id = positions(
        composite_keys(orders, "source", "party_id"), composite_keys(ranked, "source", "record_id")
    )
    by_email = positions(
        composite_keys(orders, "source", "party_email"), composite_keys(ranked, "source", "email")
    )
    named = pc.is_valid(orders["party_id"]).to_numpy()
    found = np.where(named, by_id, by_email)
    at = pa.array(found, mask=found < 0)
    return orders.append_column("party_entity", ranked["entity"].take(at)).append_column(
        "party_record_id", ranked["record_id"].take(at)
    )


def orders_concerned(orders: pa.Table, parties: pa.Table, gone: pa.Table) -> pa.Array:
    """Whether each order may have another party now that these party records changed, or are gone.

    Args:
        orders: With the party found for each.
        parties: New and changed party records.
        gone: Keys of those that are gone.
    """
    former = pa.concat_tables([parties.select(RECORD_KEY), gone.select(RECORD_KEY)])
    theirs = having(orders, former, RECORD_KEY, ("source", "party_entity", "party_record_id"))
    by_id, by_email = (
        having(orders, parties, ("source", other), ("source", mine)) for mine, other in _NAMED_BY
    )
    return pc.or_(pc.or_(theirs, by_id), by_email)


def parties_concerned(orders: pa.Table, parties: pa.Table) -> pa.Table:
    """The party records that could be behind one of these orders."""
    by_id, by_email = (
        having(parties, orders, ("source", mine), ("source", other)) for mine, other in _NAMED_BY
    )
    return parties.filter(pc.or_(by_id, by_email))
