"""The places of the profile: every enricher's table, and what is staged of it.

Belongs here: declarations, following from the enrichers'. Does not belong here: other tables of the hub (``places``).
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import MetaData, Table, Uuid

from cdm_pipelines.contracts.profile import ProfileTable
from cdm_pipelines.hub.profile import WAITING, staging_table, table_of
from cdm_pipelines.hub.schema import column, privacy_of
from cdm_pipelines.hub.table_places import deleted, place_of, search_by, with_ids
from cdm_pipelines.store.categories import IDENTIFIER, OPERATIONS
from cdm_pipelines.store.register import Keeps, Kept, Place, Retention, Rows, Search

_KEPT = Retention(Keeps.REPLACED, "by each publication that touches the customer, or a new scale or model")
_STAGED = Retention(
    Keeps.REPLACED, "gone with the publication; left where an audit failed, until the next one"
)


def profile_places(declared: Sequence[ProfileTable]) -> Iterator[Place]:
    """The places of the enrichers that are switched on."""
    for one in declared:
        table = table_of(one)
        removal, search = _by_golden_id(table)
        yield place_of(table, _KEPT, removal, search, absent=True)  # before the first publication
        staged = staging_table(one)
        removal, search = _by_golden_id(staged)
        yield place_of(
            staged,
            _STAGED,
            removal,
            search,
            description=f"The next version of {table}.",
            columns={each.name: privacy_of(each) or OPERATIONS for each in table.columns},
            absent=True,
        )
        worked = Table(
            f"{staged.name}_worked",
            MetaData(),
            column("golden_id", Uuid, "Customer.", IDENTIFIER, key=True),
            schema="staging",
        )
        removal, search = _by_golden_id(worked)
        yield place_of(
            worked,
            _STAGED,
            removal,
            search,
            description=f"Customers of whom {table} was computed anew.",
            absent=True,
        )
    if declared:
        yield place_of(
            WAITING,
            _STAGED,
            Kept("holds versions and counts"),
            description="What is staged of the profile.",
            absent=True,
        )


def _by_golden_id(table: Table) -> tuple[Rows, Search]:
    condition = with_ids(table, "golden_id")
    return deleted(table, condition), search_by(table, "golden id", condition)
