"""The published version as one that was made without persons who were erased since.

Belongs here: rewriting what it remembers to be made from. Does not belong here: whether that is true (steps.rights).

Consent, and the profile row by row, remember by which version of the customers they were made: they go along.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select, update

from cdm_pipelines.hub.next_version import fingerprint
from cdm_pipelines.hub.publish import published_from
from cdm_pipelines.hub.schema import version
from cdm_pipelines.hub.schema_privacy import consent_state
from cdm_pipelines.hub.schema_profile import profile_state

_CUSTOMERS = "customers"


def made_from_instead(connection: Connection, moved: Mapping[str, str], profile: Collection[str]) -> None:
    """Have the published version be made from other versions of some tables, which hold the same but for the erased.

    Args:
        connection: In a transaction.
        moved: Version of each table that it is made from now, by name.
        profile: Tables of the profile that hold the same for everybody else.
    """
    before = published_from(connection)
    now = {**before, **moved}
    if not before or now == before:
        return
    connection.execute(update(version).values(made_from=now))
    for table, theirs in (
        (consent_state, None),
        (profile_state, profile_state.c.enricher.in_(sorted(profile))),
    ):
        known = select(table).where(table.c.made_from[_CUSTOMERS].astext == fingerprint(before))
        for row in connection.execute(known if theirs is None else known.where(theirs)).mappings().all():
            this = [column == row[column.name] for column in table.primary_key]
            made_from = {**row["made_from"], _CUSTOMERS: fingerprint(now)}
            connection.execute(update(table).where(*this).values(made_from=made_from))
