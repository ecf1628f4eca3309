"""Which customers a change touches, and their records.

Belongs here: what changed since the published version, and everything that has to be decided anew because of it. Does
not belong here: deciding (identity, golden) or staging (steps.customers.publication).

A change touches whole customers: the records that changed, that are in another cluster, or that are gone; all that
share a cluster with one of them; and all that shared a customer with one of those. What is left over shares neither
with any of them, so that golden ids and values come out as if all customers were worked through.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import (
    Entity,
    EntityDeclaration,
    OfParty,
    published_entities,
    with_state,
)
from cdm_pipelines.hub.parts import Asked
from cdm_pipelines.hub.publish import published_from
from cdm_pipelines.identity import CROSSWALK_SCHEMA, REGISTRY_SCHEMA
from cdm_pipelines.identity.relations import employers, golden_employers
from cdm_pipelines.records.whose import PARTY_KEY
from cdm_pipelines.steps.days.records import days_wait
from cdm_pipelines.store import tables
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.keys import RECORD_KEY, having, positions, record_keys
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Changes, Mark

CLUSTERS = "link/clusters"
_MOST = 0.2  # of the records; a larger change is worked through as a whole


@dataclass(frozen=True)
class Since:
    """What changed in the lake since the published version.

    Attributes:
        parties: Party records.
        clusters: Their clusters, with source and entity apart.
        others: Rows of each other canonical entity that has records.
    """

    parties: Changes
    clusters: Changes
    others: Mapping[Entity, Changes]


@dataclass(frozen=True)
class Affected:
    """What has to be decided anew.

    Attributes:
        records: Keys of all affected records, those that are gone among them.
        clusters: ``source, entity, record_id, cluster_id`` of the affected records.
        registry: The published ids concerned, ``REGISTRY_SCHEMA``.
        crosswalk: What the affected records were published as.
        newest: Order of publication of the newest id.
    """

    records: pa.Table
    clusters: pa.Table
    registry: pa.Table
    crosswalk: pa.Table
    newest: int


def versions(lake: Lake) -> dict[str, str]:
    """The version of every table that golden customers are made from."""
    made_from = {str(one.entity): tables.records(lake, one.entity) for one in with_state()}
    made_from[CLUSTERS] = tables.clusters(lake)
    return {name: str(table.mark) for name, table in made_from.items() if table.exists}


def are_published(connection: Connection, lake: Lake, contracts: Sequence[SourceContract]) -> bool:
    """Whether all that was ingested is in the published customers; other policies and decisions say nothing here."""
    published = published_from(connection)
    return not days_wait(lake, contracts) and all(
        published.get(name) == mark for name, mark in versions(lake).items()
    )


def since(lake: Lake, published: Mapping[str, str]) -> Since | None:
    """What changed since a version that was made from these tables; None where that is not known."""
    found: dict[str, Changes] = {}
    for name in versions(lake):
        table = tables.clusters(lake) if name == CLUSTERS else tables.records(lake, Entity(name))
        changes = table.since(Mark.parse(published[name])) if name in published else None
        if changes is None:
            return None
        found[name] = changes
    others = {one.entity: found[one.entity] for one in published_entities() if one.entity in found}
    if any(changes.gone.num_rows for changes in others.values()):
        return None
    clusters = found[CLUSTERS]
    return Since(found[Entity.PARTY], Changes(apart(clusters.rows), apart(clusters.gone)), others)


def apart(table: pa.Table) -> pa.Table:
    """A table of linkage with source and entity apart, which linkage knows as one."""
    encoded = whole(table["source"]).dictionary_encode()
    parts = pc.split_pattern(encoded.dictionary, "/", max_splits=1)
    source, entity = (pc.list_element(parts, at).take(encoded.indices) for at in (0, 1))
    place = table.schema.get_field_index("source")
    return table.set_column(place, "source", source).add_column(place + 1, "entity", entity)


def affected_by(asked: Asked, lake: Lake, changed: Since, besides: pa.Table) -> Affected | None:
    """The customers that a change touches; None where they are too many to be worked through by themselves.

    Args:
        asked: The published version.
        lake: The lake.
        changed: What changed since then.
        besides: Keys of records whose customers are to be worked through whatever changed.
    """
    pieces = [
        piece.select(RECORD_KEY)
        for changes in (changed.parties, changed.clusters)
        for piece in (changes.rows, changes.gone)
    ]
    seeds = pa.concat_tables(
        [*pieces, besides, asked.crosswalk_of_corrected(CROSSWALK_SCHEMA).select(RECORD_KEY)]
    )
    clusters = apart(tables.clusters(lake).read())
    if seeds.num_rows > _MOST * clusters.num_rows:
        return None
    return closed(asked, clusters, seeds)


def closed(asked: Asked, clusters: pa.Table, seeds: pa.Table) -> Affected:
    """The customers that have, or had, one of some records, and all that follows from theirs.

    Args:
        asked: The published version.
        clusters: ``source, entity, record_id, cluster_id`` of all records.
        seeds: ``RECORD_KEY`` of every record that is new, gone, changed or in another cluster, and of others at will.
    """
    labels = pc.unique(clusters["cluster_id"].filter(having(clusters, seeds, RECORD_KEY)))
    chosen = pc.is_in(clusters["cluster_id"], value_set=labels).combine_chunks()
    records = pa.concat_tables([clusters.filter(chosen).select(RECORD_KEY), seeds])
    ids = asked.customers_of_records(distinct(records))
    crosswalk = asked.crosswalk_of_customers(ids, CROSSWALK_SCHEMA)
    now = clusters.filter(pc.or_(chosen, having(clusters, crosswalk, RECORD_KEY)))
    everyone = distinct(pa.concat_tables([table.select(RECORD_KEY) for table in (now, crosswalk, seeds)]))
    registry = asked.registry(ids, everyone, REGISTRY_SCHEMA)
    # An id that falls out of use stands for the customer of its founding record, wherever that is by now.
    founders = registry.filter(pc.is_in(registry["golden_id"], value_set=ids)).select(RECORD_KEY)
    strangers = founders.filter(pc.invert(pc.is_in(record_keys(founders), value_set=record_keys(everyone))))
    elsewhere = clusters.filter(having(clusters, strangers, RECORD_KEY)).select(RECORD_KEY)
    if elsewhere.num_rows:
        return closed(asked, clusters, pa.concat_tables([seeds, elsewhere]))
    return Affected(everyone, now, registry, crosswalk, asked.newest())


def moved(crosswalk: pa.Table, published: pa.Table) -> pa.Table:
    """Keys of records that are gone, or whose golden id is not the published one."""
    names, before = record_keys(crosswalk), record_keys(published)
    at = positions(names, before)
    were = published["golden_id"].combine_chunks().take(pa.array(at, mask=at < 0))
    other = pc.fill_null(pc.not_equal(crosswalk["golden_id"], were), True)
    gone = pc.invert(pc.is_in(before, value_set=names))
    return pa.concat_tables(
        [crosswalk.filter(other).select(RECORD_KEY), published.filter(gone).select(RECORD_KEY)]
    )


def employed_by(parties: pa.Table, organisations: pa.Table) -> pa.Table:
    """Keys of the records that name one of these organisation records as employer."""
    named = having(parties, organisations, ("source", "record_id"), ("source", "employer_id"))
    return parties.filter(named).select(RECORD_KEY)


def others(asked: Asked, records: pa.Table, crosswalk: pa.Table) -> pa.Table:
    """The published crosswalk of the customers of some records, those left out that another crosswalk has."""
    strangers = records.filter(pc.invert(pc.is_in(record_keys(records), value_set=record_keys(crosswalk))))
    return asked.crosswalk_of_customers(asked.customers_of_records(strangers), CROSSWALK_SCHEMA)


def registered(asked: Asked, crosswalk: pa.Table) -> pa.Table:
    """The registry's rows of the customers in a crosswalk."""
    ids = crosswalk["golden_id"].combine_chunks().unique()
    rows = asked.registry(ids, crosswalk.slice(0, 0), REGISTRY_SCHEMA)
    return rows.filter(pc.is_in(rows["golden_id"], value_set=ids))


def golden_of_employers(asked: Asked, parties: pa.Table, records: pa.Table, crosswalk: pa.Table) -> pa.Array:
    """The golden id of each record's employer, be the employer affected or not."""
    organisations = parties.filter(pc.equal(parties["party_kind"], "organisation")).select(RECORD_KEY)
    known = completed(asked, employers(records, organisations), crosswalk)
    return golden_employers(records, organisations, known)


def rows_affected(
    lake: Lake, declared: EntityDeclaration, changed: Since, parties: pa.Table
) -> pa.Table | None:
    """Rows of an entity that are to be published anew: its own that changed, and those of the given party records.

    Returns:
        None where the entity has no records.
    """
    if declared.entity not in changed.others:
        return None
    own = changed.others[declared.entity].rows
    if not isinstance(declared.whose, OfParty):
        return own
    everything = tables.records(lake, declared.entity).read()
    concerned = having(everything, parties, RECORD_KEY, PARTY_KEY)
    return everything.filter(pc.or_(concerned, having(everything, own, RECORD_KEY)))


def party_of_rows(table: pa.Table) -> pa.Table:
    """``RECORD_KEY`` of the party record behind each row; null where there is none."""
    return table.select(PARTY_KEY).rename_columns(list(RECORD_KEY))


def golden_of_rows(asked: Asked, rows: pa.Table, crosswalk: pa.Table) -> pa.Table:
    """A crosswalk that has the parties behind these rows, be they affected or not."""
    return completed(asked, party_of_rows(rows), crosswalk)


def completed(asked: Asked, records: pa.Table, crosswalk: pa.Table) -> pa.Table:
    """A crosswalk with the published rows of the records that it does not have."""
    named = records.filter(pc.is_valid(records["record_id"]))
    strangers = named.filter(pc.invert(pc.is_in(record_keys(named), value_set=record_keys(crosswalk))))
    return pa.concat_tables([crosswalk, asked.crosswalk_of_records(distinct(strangers), CROSSWALK_SCHEMA)])


def distinct(records: pa.Table) -> pa.Table:
    """Each record once."""
    return records.group_by(list(RECORD_KEY)).aggregate([]).select(RECORD_KEY)
