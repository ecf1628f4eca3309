"""The places of this room: the current state of source records.

Belongs here: declarations. Does not belong here: which version wins.
"""

from collections.abc import Iterator
from functools import partial

from cdm_pipelines.contracts.canonical import Entity, attributes, with_state
from cdm_pipelines.records.schema import records_schema
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.categories import IDENTIFIER, OPERATIONS
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Layered
from cdm_pipelines.store.places import RECORD, canonical_columns
from cdm_pipelines.store.register import Keeps, Kept, Kind, Place, Retention, Root, Whom
from cdm_pipelines.store.removal import by_columns, layered_rows

_IDENTIFIERS = {"record_id", "merged_into"}
_PARTY_OF_ORDER = {"party_entity": OPERATIONS, "party_record_id": IDENTIFIER}


def places() -> Iterator[Place]:
    """The places of every canonical entity of which there is a state."""
    for entity in (one.entity for one in with_state()):
        search, erasure = layered_rows(partial(_opened, entity), by_columns(tuple(RECORD)))
        known = canonical_columns(entity)
        state = {
            name: known.get(name, IDENTIFIER if name in _IDENTIFIERS else OPERATIONS)
            for name in records_schema(entity).names
        }
        party = any(attribute.name == "party_id" for attribute in attributes(entity))
        yield Place(
            name=f"records/{entity}",
            kind=Kind.LAYERED_TABLE,
            root=Root.LAKE,
            pattern=layout.records_path(entity),
            description="Current state of all source records, inactive ones included.",
            whom=(Whom.CUSTOMERS, Whom.CONTACTS) if entity is Entity.PARTY else (Whom.CUSTOMERS,),
            columns=state | (_PARTY_OF_ORDER if party else {}),
            key=tuple(RECORD),
            kept=Retention(Keeps.AS_SOURCE, "as long as any day of the source holds the record"),
            search=search,
            erasure=erasure,
        )
    yield Place(
        name="records/made",
        kind=Kind.DOCUMENT,
        root=Root.LAKE,
        pattern=layout.records_path(Entity.PARTY).replace(f"{Entity.PARTY}.arrow", "{entity}.made.json"),
        description="Which days the current state was made from: paths, fingerprints and counts.",
        kept=Retention(Keeps.REPLACED, "by each run of customers"),
        erasure=Kept("names no record and holds no value"),
    )


def _opened(entity: Entity, lake: Lake) -> Layered:
    return tables.records(lake, entity)
