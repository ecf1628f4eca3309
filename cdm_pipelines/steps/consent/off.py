"""Of whom data may not be used: by what customers allow, and by what they asked for.

Belongs here: reading who that is. Does not belong here: what follows from it (privacy.off, steps.profile, the feed),
what customers allow (``staging``), or taking a request (steps.rights).
"""

from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.hub import consent, rights
from cdm_pipelines.hub.load import read_grouped
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.privacy.off import EVERY_CHANNEL, NOBODY, OFF_SCHEMA, off
from cdm_pipelines.privacy.purposes import Purposes

_ID = pa.schema([("golden_id", pa.string())])
_KEYS = "golden_id, source, entity, record_id"


def off_in_profile(connection: Connection, purposes: Purposes) -> pa.Table:
    """Customers of the next version of whom nothing may be worked out for a purpose, as ``OFF_SCHEMA`` has it."""
    keys = purposes.of_profile
    refusable = {key for key in keys if purposes[key].can_be_refused}
    coming = NextVersion.of(connection)
    said = consent.allowed(connection, refusable, coming=True)
    customers = said["golden_id"]
    if any(purposes[key].needs_consent for key in refusable):  # who never said anything did not consent
        customers = coming.customers(_ID, None)["golden_id"]
    refused = off(said, purposes, customers, [(key, EVERY_CHANNEL) for key in refusable])
    asked_for = rights.restricted(connection, f"({coming.rows_of('crosswalk', _KEYS)}) AS coming")
    return _together(refused, asked_for, keys)


def off_in_use(
    connection: Connection,
    purposes: Purposes,
    asked: Collection[tuple[str, str]],
    customers: pa.Array | pa.ChunkedArray | None = None,
) -> pa.Table:
    """Published customers whose data may not be used, as ``OFF_SCHEMA`` has it.

    Args:
        connection: Of a migrated hub.
        purposes: The purposes.
        asked: Keys of purposes, each with the channel through which customers would be addressed, or the empty one.
            Through a channel nobody is addressed who has died.
        customers: Golden ids of all published customers; they are read where they are left out.
    """
    refusable = sorted((key, channel) for key, channel in {*asked} if purposes[key].can_be_refused)
    said = consent.allowed(connection, {key for key, _ in refusable})
    # That nothing was said of every channel is no answer that could overrule one to a channel.
    of_channels = said.filter(said["said"])
    if not any(purposes[key].needs_consent for key, _ in refusable):
        customers = pc.unique(said["golden_id"])
    elif customers is None:
        customers = read_grouped(connection, "SELECT golden_id FROM golden.customer", _ID)["golden_id"]
    pieces = [
        off(said if channel == EVERY_CHANNEL else of_channels, purposes, customers, [(key, channel)])
        for key, channel in refusable
    ]
    refused = pa.concat_tables([NOBODY, *pieces])
    found = _together(refused, rights.restricted(connection, "golden.crosswalk"), {key for key, _ in asked})
    deceased = list(_deceased(connection, asked))
    return _sorted([found, *deceased]) if deceased else found


def _deceased(connection: Connection, asked: Collection[tuple[str, str]]) -> Iterator[pa.Table]:
    """Who has died is addressed through no channel; a system that addresses nobody is told of them as of others."""
    ids = rights.deceased(connection)
    for both in sorted({one for one in asked if one[1] != EVERY_CHANNEL}) if len(ids) else ():
        labels = [pa.repeat(pa.scalar(text, pa.string()), len(ids)) for text in both]
        yield pa.table([*labels, ids], schema=OFF_SCHEMA)


def _together(refused: pa.Table, asked_for: pa.Table, purposes: Collection[str]) -> pa.Table:
    """With customers who are restricted, for all of the purposes or for one."""
    if not asked_for.num_rows:
        return refused
    pieces = [refused]
    for key in sorted(purposes):
        of_it = pc.is_in(asked_for["purpose"], value_set=pa.array(["", key]))
        theirs = pc.unique(asked_for["golden_id"].filter(of_it))
        labels = [pa.repeat(pa.scalar(text, pa.string()), len(theirs)) for text in (key, EVERY_CHANNEL)]
        pieces.append(pa.table([*labels, theirs], schema=OFF_SCHEMA))
    return _sorted(pieces)


def _sorted(pieces: Sequence[pa.Table]) -> pa.Table:
    found = pa.concat_tables(pieces).group_by(OFF_SCHEMA.names).aggregate([])
    return found.select(OFF_SCHEMA.names).sort_by([(name, "ascending") for name in OFF_SCHEMA.names])
