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

from cdm_pipelines.identity.assignment_inputs import AssignmentInputs, Ints
from cdm_pipelines.identity.registry import (
    ALIAS,
    CROSSWALK_SCHEMA,
    CURRENT,
    EVENT_SCHEMA,
    REGISTRY_SCHEMA,
    RETIRED,
    golden_ids,
)
from cdm_pipelines.store.keys import RECORD_KEY


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


def assign(
    clusters: pa.Table,
    registry: pa.Table,
    crosswalk: pa.Table,
    founding: pa.Table,
    *,
    newest: int | None = None,
    taken: pa.Array | None = None,
) -> Assignment:
    """Give every cluster its golden id.

    A part of the records may be given, if it is closed: with a record all that share its cluster or its published id,
    and with those every id that they had, founded, or that stands for one of theirs, and what those stand for. An id
    that is current though no record given has it is the id of a customer outside of the part. The outcome is then that
    part of the outcome for all.

    Args:
        clusters: ``source, entity, record_id, cluster_id``; labels may be anything. A record that is in no
            cluster is a customer by itself.
        registry: The published ``REGISTRY_SCHEMA``; empty at first.
        crosswalk: The published ``CROSSWALK_SCHEMA``; empty at first.
        founding: All records: ``source, entity, record_id, first_seen``.
        newest: Order of publication of the newest id, where a part is given.
        taken: Published ids of which nobody knows any more which record founded them: that record may come again.

    Raises:
        ValueError: a record appears twice, or in a cluster without being among the records.
    """
    inputs = AssignmentInputs.of(clusters, registry, crosswalk, founding, part=newest is not None)
    homes = _homes(inputs)
    owner = _survivors(homes, inputs.clusters)
    merged_away = (homes >= 0) & (_at(owner, homes) != np.arange(inputs.ids))
    _restore(inputs, owner)
    founders = _found(inputs, owner)
    if newest is None:
        newest = pc.max(inputs.registry["sequence"]).as_py() or 0
    minted = _minted(inputs, founders, newest, pa.array([], pa.string()) if taken is None else taken)
    registry_now = _updated_registry(inputs, owner, homes, merged_away, minted)
    return Assignment(
        _crosswalk(founding, registry_now["golden_id"].take(pa.array(owner[inputs.cluster]))),
        registry_now,
        _events(inputs, registry_now, founders),
    )


def _homes(inputs: AssignmentInputs) -> Ints:
    """The cluster with which each id stays (rule 1); -1 for an id that none of the records has."""
    count = inputs.ids
    homes = np.full(count, -1, np.int64)
    had = inputs.former >= 0
    parts, sizes = np.unique(inputs.cluster[had] * count + inputs.former[had], return_counts=True)
    cluster, golden = np.divmod(parts, max(count, 1))
    is_split = np.bincount(golden, minlength=count)[golden] > 1
    homes[golden[~is_split]] = cluster[~is_split]
    if is_split.any():
        parts, cluster, golden, sizes = (a[is_split] for a in (parts, cluster, golden, sizes))
        founder = inputs.founder[golden]
        lacks_founder = _at(inputs.cluster, founder) != cluster
        best_last = np.lexsort((_age(inputs, parts), lacks_founder, -sizes, golden))[::-1]
        homes[golden[best_last]] = cluster[best_last]
    return homes


def _age(inputs: AssignmentInputs, parts: Ints) -> Ints:
    """Order of parts (of ids in clusters) by their oldest record."""
    part_of = inputs.cluster * inputs.ids + inputs.former
    inside = np.flatnonzero((inputs.former >= 0) & np.isin(part_of, parts))
    oldest_first = inputs.oldest_first(inside)
    age = np.empty(len(parts), np.int64)
    age[np.searchsorted(parts, part_of[oldest_first[::-1]])] = np.arange(len(oldest_first))[::-1]
    return age


def _survivors(homes: Ints, clusters: int) -> Ints:
    """The id of each cluster (rule 2); -1 for a cluster with which none stays."""
    owner = np.full(clusters, -1, np.int64)
    staying = np.flatnonzero(homes >= 0)[::-1]
    owner[homes[staying]] = staying  # from the youngest to the oldest: the last one written is the oldest
    return owner


def _restore(inputs: AssignmentInputs, owner: Ints) -> None:
    """Give ids back to clusters that hold their founding record (rule 3), in place."""
    idle = np.flatnonzero((inputs.founder >= 0) & ~_in_use(inputs, owner))
    idle = idle[owner[inputs.cluster[inputs.founder[idle]]] < 0][::-1]
    owner[inputs.cluster[inputs.founder[idle]]] = idle


def _found(inputs: AssignmentInputs, owner: Ints) -> Ints:
    """Number new ids for clusters without one (rule 4), in place; returns the founding record of each."""
    without = np.flatnonzero(owner[inputs.cluster] < 0)
    ordered = inputs.oldest_first(without)
    oldest = np.full(inputs.clusters, -1, np.int64)
    oldest[inputs.cluster[ordered[::-1]]] = np.arange(len(ordered))[::-1]
    founders: Ints = ordered[np.sort(oldest[oldest >= 0])]
    owner[inputs.cluster[founders]] = inputs.ids + np.arange(len(founders))
    return founders


def _minted(inputs: AssignmentInputs, founders: Ints, newest: int, taken: pa.Array) -> pa.Table:
    """Registry rows of new ids; one that was given before its founder was forgotten is not given again."""
    latest = np.full(len(inputs.cluster), -1, np.int64)
    has_founder = inputs.founder >= 0
    generations = inputs.registry["generation"].to_numpy()
    np.maximum.at(latest, inputs.founder[has_founder], generations[has_founder])
    generation = latest[founders] + 1
    record = inputs.records.select(RECORD_KEY).take(pa.array(founders)).combine_chunks()
    ids = _ids(record, generation)
    while len(taken) and (again := pc.is_in(ids, value_set=taken).to_numpy(zero_copy_only=False)).any():
        generation = generation + again
        ids = _ids(record, generation)
    columns = {
        "golden_id": ids,
        **{name: record[name] for name in RECORD_KEY},
        "generation": pa.array(generation),
        "sequence": newest + 1 + np.arange(len(founders)),
        "status": pa.repeat(CURRENT, len(founders)),
        "alias_of": pa.nulls(len(founders), pa.string()),
    }
    return pa.table(columns, schema=REGISTRY_SCHEMA)


def _ids(founders: pa.Table, generation: Ints) -> pa.Array:
    names = pc.binary_join_element_wise(pa.array(generation).cast(pa.string()), *founders.columns, "|")
    return golden_ids(names)


def _updated_registry(
    inputs: AssignmentInputs, owner: Ints, homes: Ints, merged_away: npt.NDArray[np.bool_], minted: pa.Table
) -> pa.Table:
    """The registry with its new rows and with what became of every other id (rule 5)."""
    in_use = _in_use(inputs, owner)
    target = _at(owner, _at(inputs.cluster, inputs.founder))
    founderless = merged_away & (target < 0)
    target[founderless] = owner[homes[founderless]]
    inherits = (target < 0) & (inputs.alias_of >= 0)
    heir = inputs.alias_of[inherits]
    target[inherits] = np.where(in_use[heir], heir, target[heir])
    target[in_use] = -1

    state = np.where(in_use, 0, np.where(target >= 0, 1, 2))
    everything = pa.concat_tables([inputs.registry, minted])
    columns = {name: everything[name] for name in REGISTRY_SCHEMA.names}
    former = {
        "status": pa.array([CURRENT, ALIAS, RETIRED]).take(pa.array(state)),
        "alias_of": everything["golden_id"].take(pa.array(target, mask=target < 0)),
    }
    for name, values in former.items():
        chunks = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
        columns[name] = pa.chunked_array([*chunks, *minted[name].chunks], pa.string())
    return pa.table(columns, schema=REGISTRY_SCHEMA).combine_chunks()


def _in_use(inputs: AssignmentInputs, owner: Ints) -> npt.NDArray[np.bool_]:
    """Whether each published id is the id of some cluster."""
    in_use = inputs.elsewhere.copy()
    in_use[owner[(owner >= 0) & (owner < inputs.ids)]] = True
    return in_use


def _at(values: Ints, places: Ints) -> Ints:
    """The values at some places; -1 for the place -1."""
    found = np.full(len(places), -1, np.int64)
    there = places >= 0
    found[there] = values[places[there]]
    return found


def _crosswalk(founding: pa.Table, golden: pa.ChunkedArray) -> pa.Table:
    columns = {name: founding[name] for name in RECORD_KEY} | {"golden_id": golden}
    return pa.table(columns, schema=CROSSWALK_SCHEMA)


def _events(inputs: AssignmentInputs, registry: pa.Table, founders: Ints) -> pa.Table:
    """What this assignment changed, in order of publication of the ids concerned."""
    before, count = inputs.registry, inputs.ids
    status = registry["status"].combine_chunks()[:count]
    changed = pc.indices_nonzero(pc.not_equal(status, before["status"].combine_chunks()))
    meaning = {ALIAS: "merged", RETIRED: "retired", CURRENT: "restored"}
    told = status.take(changed)
    parent = inputs.former[founders]
    columns: dict[str, list[pa.Array | pa.ChunkedArray]] = {
        "golden_id": [registry["golden_id"].take(changed), registry["golden_id"][count:]],
        "event": [
            pa.array(list(meaning.values())).take(pc.index_in(told, value_set=pa.array(list(meaning)))),
            pa.array(["split", "created"]).take(pa.array((parent < 0).astype(np.int64))),
        ],
        "related_id": [
            registry["alias_of"].take(changed),
            before["golden_id"].take(pa.array(parent, mask=parent < 0)),
        ],
    }
    pieces = [
        pa.table({name: values[at] for name, values in columns.items()}, schema=EVENT_SCHEMA) for at in (0, 1)
    ]
    return pa.concat_tables(pieces)
