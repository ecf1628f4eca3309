"""Of whom data may not be used, by what customers allow.

Belongs here: reading who that is. Does not belong here: what follows from it (privacy.off, steps.profile, the feed), or
what customers allow (``staging``).
"""

from collections.abc import Collection

import pyarrow as pa
from sqlalchemy import Connection

from cdm_pipelines.hub import consent
from cdm_pipelines.hub.load import read_table
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.privacy.off import EVERY_CHANNEL, off
from cdm_pipelines.privacy.purposes import Purposes

_ID = pa.schema([("golden_id", pa.string())])


def off_in_profile(connection: Connection, purposes: Purposes) -> pa.Table:
    """Customers of the next version of whom nothing may be worked out for a purpose, as ``OFF_SCHEMA`` has it."""
    keys = {key for key, one in purposes.by_key.items() if one.enrichers and one.can_be_refused}
    said = consent.allowed(connection, keys, coming=True)
    customers = said["golden_id"]
    if any(purposes[key].needs_consent for key in keys):  # who never said anything did not consent
        customers = NextVersion.of(connection).customers(_ID, None)["golden_id"]
    return off(said, purposes, customers, [(key, EVERY_CHANNEL) for key in keys])


def off_in_use(connection: Connection, purposes: Purposes, asked: Collection[tuple[str, str]]) -> pa.Table:
    """Published customers whose data may not be used, as ``OFF_SCHEMA`` has it.

    Args:
        connection: Of a migrated hub.
        purposes: The purposes.
        asked: Keys of purposes, each with the channel through which customers would be addressed, or the empty one.
    """
    asked = [(key, channel) for key, channel in asked if purposes[key].can_be_refused]
    said = consent.allowed(connection, {key for key, _ in asked})
    customers = said["golden_id"]
    if any(purposes[key].needs_consent for key, _ in asked):
        customers = read_table(connection, "SELECT golden_id FROM golden.customer", _ID)["golden_id"]
    return off(said, purposes, customers, asked)
