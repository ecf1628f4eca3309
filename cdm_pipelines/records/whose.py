"""Whose a row is: the party record that an order, an interaction or the like names.

Belongs here: finding that record. Does not belong here: its golden customer (identity).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import OfParty
from cdm_pipelines.store.keys import RECORD_KEY, composite_keys, having, positions

PARTY_KEY = ("source", "party_entity", "party_record_id")
"""The columns of a row that hold the ``RECORD_KEY`` of its party."""


def party_columns(whose: OfParty) -> list[str]:
    """The columns of party records that :func:`resolve_parties` needs."""
    compared = {other for _, other in whose.by} - {"record_id"}
    return [*RECORD_KEY, "active", "first_seen", *sorted(compared)]


def resolve_parties(rows: pa.Table, parties: pa.Table, whose: OfParty) -> pa.Table:
    """Append the party record of each row.

    A row names its party within its own source by the first attribute of ``whose.by`` that holds a value. Where
    several records answer (one number in two entities of a source, a shared mailbox), an active one is taken before
    an inactive one, then the one first seen earliest, then by entity and record id.

    Args:
        rows: ``records/<entity>``, at least ``source`` and the attributes of ``whose.by``.
        parties: ``records/party``, at least :func:`party_columns`.
        whose: How rows name their party.

    Returns:
        The rows with ``party_entity`` and ``party_record_id``; both null where no record answers.
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
    ranked = parties.select(party_columns(whose)).take(preferred)
    found = np.full(rows.num_rows, -1)
    for mine, other in reversed(whose.by):
        named = pc.is_valid(rows[mine]).to_numpy()
        answers = positions(composite_keys(rows, "source", mine), composite_keys(ranked, "source", other))
        found = np.where(named, answers, found)
    at = pa.array(found, mask=found < 0)
    return rows.append_column("party_entity", ranked["entity"].take(at)).append_column(
        "party_record_id", ranked["record_id"].take(at)
    )


def rows_concerned(rows: pa.Table, parties: pa.Table, gone: pa.Table, whose: OfParty) -> pa.Array:
    """Whether each row may have another party now that these party records changed, or are gone.

    Args:
        rows: With the party found for each.
        parties: New and changed party records.
        gone: Keys of those that are gone.
        whose: How rows name their party.
    """
    former = pa.concat_tables([parties.select(RECORD_KEY), gone.select(RECORD_KEY)])
    concerned = having(rows, former, RECORD_KEY, PARTY_KEY)
    for mine, other in whose.by:
        concerned = pc.or_(concerned, having(rows, parties, ("source", other), ("source", mine)))
    return concerned


def parties_concerned(rows: pa.Table, parties: pa.Table, whose: OfParty) -> pa.Table:
    """The party records that could be behind one of these rows."""
    concerned = pa.repeat(pa.scalar(False), parties.num_rows)
    for mine, other in whose.by:
        concerned = pc.or_(concerned, having(parties, rows, ("source", mine), ("source", other)))
    return parties.filter(concerned)
