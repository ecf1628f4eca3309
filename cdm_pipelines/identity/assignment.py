"""Which cluster gets which golden id.

Belongs here: keeping, merging, splitting, restoring and making ids, a pure function of the new clusters and
of what was published before. Does not belong here: making clusters (linkage) or storing the outcome (hub).

The rules, in order:

1. An id stays with the largest part of its records. Between equal parts: the one with its founding record,
   then the one with the oldest record.
2. Where several ids stay with one cluster, the one published first survives.
3. A cluster with which no id stays gets back the oldest id that is not in use and whose founding record it
   holds: a customer that was merged and is parted again has its own id again.
4. Any other cluster gets a new id, founded by its oldest record: first seen first, then by source, entity and
   record id.
5. An id that is not in use is an alias of the customer that holds its founding record now. When that record
   is gone, of the customer into which it was merged. When nothing of it is left, it is retired. No id ever
   stands for another founding record.

Clusters that did not change keep their ids under these rules, whatever their labels and the order of rows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.identity.registry import (
    ALIAS,
    CROSSWALK_SCHEMA,
    CURRENT,
    EVENT_SCHEMA,
    REGISTRY_SCHEMA,
    RETIRED,
    golden_ids,
)
from cdm_pipelines.records.keys import RECORD_KEY, positions, record_keys

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Assignment:
    """The golden ids of all records after a run.

    Attributes:
        crosswalk: ``CROSSWALK_SCHEMA``; one row per record, in the order of the records given.
        registry: ``REGISTRY_SCHEMA``; every id ever published, in order of publication.
        events: ``EVENT_SCHEMA``; what changed, empty when nothing did.
    """

    crosswalk: pa.Table
    registry: pa.Table
    events: pa.Table


def assign(clusters: pa.Table, registry: pa.Table, crosswalk: pa.Table, founding: pa.Table) -> Assignment:
    """Give every cluster its golden id.

    Args:
        clusters: ``source, entity, record_id, cluster_id``; labels may be anything. A record that is in no
            cluster is a customer by itself.
        registry: The published ``REGISTRY_SCHEMA``; empty at first.
        crosswalk: The published ``CROSSWALK_SCHEMA``; empty at first.
        founding: All records: ``source, entity, record_id, first_seen``.

    Raises:
        ValueError: a record appears twice, or in a cluster without being among the records.
    """
    known = registry.select(REGISTRY_SCHEMA.names).sort_by("sequence")
    keys = record_keys(founding)
    if pc.count_distinct(keys).as_py() < len(keys):
        raise ValueError("a source record appears more than once among the records to be given golden ids")
    ids = known["golden_id"].combine_chunks()
    published = positions(keys, record_keys(crosswalk))
    former_ids = crosswalk["golden_id"].combine_chunks().take(pa.array(published, mask=published < 0))
    situation = _Situation(
        founding=founding,
        keys=keys,
        cluster=_cluster_codes(clusters, keys),
        former=positions(former_ids, ids),
        registry=known,
        founder=positions(record_keys(known), keys),
    )
    homes = _homes(situation)
    owner = _survivors(homes, situation.clusters)
    merged_away = (homes >= 0) & (_at(owner, homes) != np.arange(len(homes)))
    restored = _restore(situation, owner)
    minted, founders = _mint(situation, owner)
    registry_now = _updated_registry(situation, owner, homes, merged_away, minted)
    return Assignment(
        _crosswalk(founding, registry_now["golden_id"].take(pa.array(owner[situation.cluster]))),
        registry_now,
        _events(situation, registry_now, restored, founders),
    )


@dataclass(frozen=True)
class _Situation:
    """Everything as integers: records, clusters and ids are places in their tables, -1 for none."""

    founding: pa.Table
    keys: pa.Array
    cluster: Ints  # per record
    former: Ints  # per record: its published id
    registry: pa.Table  # in order of publication, so that a smaller place is an older id
    founder: Ints  # per id: the record that founded it

    @property
    def clusters(self) -> int:
        return int(self.cluster.max(initial=-1)) + 1

    def oldest_first(self, records: Ints) -> Ints:
        """The given records from the oldest: first seen first, then by source, entity and record id."""
        at = pa.array(records)
        keys = self.keys.take(at)
        if len(keys) > 1 and not pc.all(pc.less(keys[:-1], keys[1:])).as_py():
            order = pc.sort_indices(keys).to_numpy()
            records = records[order]
            at = pa.array(records)
        seen = self.founding["first_seen"].take(at).combine_chunks().dictionary_encode()
        rank = pc.sort_indices(seen.dictionary).to_numpy().argsort()
        ordered: Ints = records[np.argsort(rank[seen.indices.to_numpy(zero_copy_only=False)], kind="stable")]
        return ordered


def _cluster_codes(clusters: pa.Table, keys: pa.Array) -> Ints:
    """The cluster of each record, counted from zero; records of no cluster get one of their own."""
    clustered = record_keys(clusters)
    if pc.count_distinct(clustered).as_py() < len(clustered):
        raise ValueError("a source record is in more than one cluster")
    at = positions(keys, clustered)
    found = at >= 0
    if int(found.sum()) < len(clustered):
        raise ValueError("a cluster holds a source record that is not among the current records")
    labels = clusters["cluster_id"].combine_chunks().take(pa.array(at[found])).dictionary_encode()
    codes = np.empty(len(keys), np.int64)
    codes[found] = labels.indices.to_numpy(zero_copy_only=False)
    codes[~found] = len(labels.dictionary) + np.arange(int((~found).sum()))
    return codes


def _homes(situation: _Situation) -> Ints:
    """The cluster with which each id stays (rule 1); -1 for an id that none of the records has."""
    count = situation.registry.num_rows
    homes = np.full(count, -1, np.int64)
    had = situation.former >= 0
    parts, sizes = np.unique(situation.cluster[had] * count + situation.former[had], return_counts=True)
    cluster, golden = np.divmod(parts, max(count, 1))
    is_split = np.bincount(golden, minlength=count)[golden] > 1
    homes[golden[~is_split]] = cluster[~is_split]
    if is_split.any():
        parts, cluster, golden, sizes = (a[is_split] for a in (parts, cluster, golden, sizes))
        founder = situation.founder[golden]
        lacks_founder = _at(situation.cluster, founder) != cluster
        best_last = np.lexsort((_age(situation, parts), lacks_founder, -sizes, golden))[::-1]
        homes[golden[best_last]] = cluster[best_last]
    return homes


def _age(situation: _Situation, parts: Ints) -> Ints:
    """Order of parts (of ids in clusters) by their oldest record."""
    part_of = situation.cluster * situation.registry.num_rows + situation.former
    inside = np.flatnonzero((situation.former >= 0) & np.isin(part_of, parts))
    oldest_first = situation.oldest_first(inside)
    age = np.empty(len(parts), np.int64)
    age[np.searchsorted(parts, part_of[oldest_first[::-1]])] = np.arange(len(oldest_first))[::-1]
    return age


def _survivors(homes: Ints, clusters: int) -> Ints:
    """The id of each cluster (rule 2); -1 for a cluster with which none stays."""
    owner = np.full(clusters, -1, np.int64)
    staying = np.flatnonzero(homes >= 0)[::-1]
    owner[homes[staying]] = staying  # from the youngest to the oldest: the last one written is the oldest
    return owner


def _restore(situation: _Situation, owner: Ints) -> Ints:
    """Give ids back to clusters that hold their founding record (rule 3), in place; returns those ids."""
    idle = np.setdiff1d(np.flatnonzero(situation.founder >= 0), owner)
    idle = idle[owner[situation.cluster[situation.founder[idle]]] < 0][::-1]
    home = situation.cluster[situation.founder[idle]]
    owner[home] = idle
    return np.sort(idle[owner[home] == idle])


def _mint(situation: _Situation, owner: Ints) -> tuple[pa.Table, Ints]:
    """Make ids for clusters without one (rule 4), in place; returns their registry rows and founders."""
    without = np.flatnonzero(owner[situation.cluster] < 0)
    ordered = situation.oldest_first(without)
    _, first = np.unique(situation.cluster[ordered], return_index=True)
    founders = ordered[np.sort(first)]
    owner[situation.cluster[founders]] = situation.registry.num_rows + np.arange(len(founders))

    generation = np.full(len(situation.cluster), -1, np.int64)
    has_founder = situation.founder >= 0
    np.maximum.at(
        generation,
        situation.founder[has_founder],
        situation.registry["generation"].to_numpy()[has_founder],
    )
    generation = generation[founders] + 1
    record = situation.founding.select(RECORD_KEY).take(pa.array(founders))
    parts = [pa.array(generation).cast(pa.string()), *(c.combine_chunks() for c in record.columns)]
    names = pc.binary_join_element_wise(*parts, "|").to_pylist()
    newest = pc.max(situation.registry["sequence"]).as_py() or 0
    columns = {
        "golden_id": pa.array(golden_ids(names), pa.string()),
        **{name: record[name] for name in RECORD_KEY},
        "generation": generation,
        "sequence": newest + 1 + np.arange(len(founders)),
        "status": pa.repeat(CURRENT, len(founders)),
        "alias_of": pa.nulls(len(founders), pa.string()),
    }
    return pa.table(columns, schema=REGISTRY_SCHEMA), founders


def _updated_registry(
    situation: _Situation, owner: Ints, homes: Ints, merged_away: npt.NDArray[np.bool_], minted: pa.Table
) -> pa.Table:
    """The registry with its new rows and with what became of every other id (rule 5)."""
    known = situation.registry
    count = known.num_rows
    places = np.arange(count)
    in_use = np.isin(places, owner)
    target = _at(owner, _at(situation.cluster, situation.founder))
    founderless = merged_away & (target < 0)
    target[founderless] = owner[homes[founderless]]
    former = positions(known["alias_of"].combine_chunks(), known["golden_id"].combine_chunks())
    inherit = (target < 0) & (former >= 0)
    heir = former[inherit]
    target[inherit] = np.where(in_use[heir], heir, target[heir])
    target[in_use] = -1

    status = np.where(in_use, CURRENT, np.where(target >= 0, ALIAS, RETIRED))
    everything = pa.concat_tables([known, minted])
    alias_of = everything["golden_id"].take(pa.array(target, mask=target < 0)).combine_chunks()
    columns = {name: everything[name] for name in REGISTRY_SCHEMA.names}
    columns["status"] = pa.concat_arrays([pa.array(status, pa.string()), minted["status"].combine_chunks()])
    columns["alias_of"] = pa.concat_arrays([alias_of, minted["alias_of"].combine_chunks()])
    return pa.table(columns, schema=REGISTRY_SCHEMA).combine_chunks()


def _at(values: Ints, places: Ints) -> Ints:
    """The values at some places; -1 for the place -1."""
    found = np.full(len(places), -1, np.int64)
    there = places >= 0
    found[there] = values[places[there]]
    return found


def _crosswalk(founding: pa.Table, golden: pa.Array) -> pa.Table:
    columns = {name: founding[name] for name in RECORD_KEY} | {"golden_id": golden}
    return pa.table(columns, schema=CROSSWALK_SCHEMA)


def _events(situation: _Situation, registry: pa.Table, restored: Ints, founders: Ints) -> pa.Table:
    """What this assignment changed, in order of publication of the ids concerned."""
    before = situation.registry
    count = before.num_rows
    event = np.full(registry.num_rows, None, object)
    status = registry["status"].to_numpy(zero_copy_only=False)
    changed = status[:count] != before["status"].to_numpy(zero_copy_only=False)
    event[:count][changed & (status[:count] == ALIAS)] = "merged"
    event[:count][changed & (status[:count] == RETIRED)] = "retired"
    event[restored[changed[restored]]] = "restored"
    parent = situation.former[founders]
    event[count:] = np.where(parent >= 0, "split", "created")
    parent_id = before["golden_id"].take(pa.array(parent, mask=parent < 0)).combine_chunks()
    related = pa.concat_arrays([registry["alias_of"].combine_chunks()[:count], parent_id])
    table = pa.table(
        {"golden_id": registry["golden_id"], "event": pa.array(event, pa.string()), "related_id": related},
        schema=EVENT_SCHEMA,
    )
    return table.filter(pc.is_valid(table["event"]))
