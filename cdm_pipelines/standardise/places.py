"""The places of this room: standardised days.

Belongs here: declarations. Does not belong here: how a value is spelled.
"""

from collections.abc import Iterator, Sequence

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.store import layout
from cdm_pipelines.store.categories import IDENTIFIER, OPERATIONS
from cdm_pipelines.store.places import RECORD, canonical_columns, original_columns, whom
from cdm_pipelines.store.register import Keeps, Kind, Place, Retention, Root
from cdm_pipelines.store.removal import Besides, any_of, by_columns, by_reference, nobody_else, parquet_rows

_STATE = ("extract_date", "_file", "_row", "modified_at", "is_deleted", "invalid_attributes")


def places(contracts: Sequence[SourceContract], besides: Besides = nobody_else) -> Iterator[Place]:
    """The places of every source entity and canonical entity that it feeds.

    Args:
        contracts: All that there are.
        besides: Which interactions are a person's, of which no record is.
    """
    for contract in contracts:
        for entity in contract.entities:
            pattern = layout.standard_path(contract, "{date}", entity)
            others = besides(contract) if entity is Entity.INTERACTION else None
            if entity is Entity.CONSENT:  # a tick that says nothing is in no ledger by which it is known
                others = by_reference("party_id")
            search, erasure = parquet_rows(pattern, any_of(by_columns(tuple(RECORD)), others))
            kind = {"party_kind": OPERATIONS} if entity is Entity.PARTY else {}
            yield Place(
                name=f"standard/{contract.name}/{entity}",
                kind=Kind.LAKE_TABLE,
                root=Root.LAKE,
                pattern=pattern,
                description="One canonical spelling per value, the original beside it.",
                whom=whom(contract),
                columns=RECORD
                | dict.fromkeys(_STATE, OPERATIONS)
                | {"merged_into": IDENTIFIER}
                | kind
                | canonical_columns(entity)
                | original_columns(contract, entity),
                key=tuple(RECORD),
                kept=Retention(Keeps.AS_SOURCE, "written anew when the day is run again"),
                search=search,
                erasure=erasure,
            )
