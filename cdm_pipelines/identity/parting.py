"""Customers that only the records of a source held together, when that source is gone.

Belongs here: which id each part had before, told from founding records. Does not belong here: the rules by which ids
are kept (``assignment``), taking a source out (steps).

An id stays with the largest part of its records (rule 1 of ``assignment``), since evidence that parts a customer says
nothing of which part was meant. A source that is taken out again is no such evidence: what it joined is to be as it
was. Before it came each part was a customer of its own, whose id one of its own records had founded. So each part is
taken to have the oldest id that stands for the customer now and that one of its records founded.
"""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.identity.registry import CROSSWALK_SCHEMA
from cdm_pipelines.store.frames import to_frame, to_table
from cdm_pipelines.store.keys import RECORD_KEY


def sources_gone(published: pa.Table, records: pa.Table) -> frozenset[str]:
    """Sources of published records of which there is no record any more; of crosswalk and records, or parts of them."""
    before, now = (set(one["source"].unique().to_pylist()) for one in (published, records))
    return frozenset(before - now)


def as_before_joined(
    published: pa.Table, registry: pa.Table, clusters: pa.Table, gone: Collection[str]
) -> pa.Table:
    """The published ids of records, as they are to be started from when some sources are gone.

    Args:
        published: ``CROSSWALK_SCHEMA``.
        registry: ``REGISTRY_SCHEMA``.
        clusters: ``source, entity, record_id, cluster_id`` of the records that are there now.
        gone: Sources that are not there any more.

    Returns:
        ``CROSSWALK_SCHEMA``: the same where no record of these sources is with others.
    """
    if not gone:
        return published
    of_gone = pc.is_in(published["source"], value_set=pa.array(sorted(gone), pa.string()))
    touched = pc.is_in(published["golden_id"], value_set=published.filter(of_gone)["golden_id"].unique())
    rest = published.filter(pc.invert(touched))
    key = list(RECORD_KEY)
    own = to_frame(published.filter(pc.and_(touched, pc.invert(of_gone)))).astype(object)
    own = own.merge(to_frame(clusters).astype(object), on=key, how="left")
    alone = own["cluster_id"].isna()
    own.loc[alone, "cluster_id"] = own.loc[alone, key].agg("|".join, axis=1)
    known = to_frame(registry).astype(dict.fromkeys((*key, "golden_id", "alias_of"), object))
    known["customer"] = known["alias_of"].where(known["alias_of"].notna(), known["golden_id"])
    founders = own.rename(columns={"golden_id": "customer"}).merge(known, on=[*key, "customer"])
    oldest = founders.sort_values("sequence").drop_duplicates(["customer", "cluster_id"])
    had = oldest.set_index(["customer", "cluster_id"])["golden_id"].to_dict()
    placed = set(had.values())
    own["golden_id"] = [
        had.get((golden_id, cluster), None if golden_id in placed else golden_id)
        for golden_id, cluster in zip(own["golden_id"], own["cluster_id"], strict=True)
    ]
    kept = own[own["golden_id"].notna()][CROSSWALK_SCHEMA.names]
    return pa.concat_tables([rest, to_table(kept).cast(CROSSWALK_SCHEMA)])
