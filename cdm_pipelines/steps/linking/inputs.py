"""What linking reads of the current party records.

Belongs here: the records of one kind, those that changed, and what their own sources say of them. Does not belong here:
linking.
"""

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.linkage import LinkagePolicy
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import composite
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Changes, Mark


def party_records(lake: Lake, kind: PartyKind, policy: LinkagePolicy) -> pa.Table:
    """The records of one kind; ``source`` is source/entity, since entities of a source may share ids."""
    parties = tables.records(lake, Entity.PARTY)
    keep = _columns(parties.schema, policy)
    return _of_kind(parties.read([*keep, "source", "entity", "party_kind"]), kind, keep)


def changed_records(lake: Lake, kind: PartyKind, policy: LinkagePolicy, mark: Mark) -> Changes | None:
    """Records of one kind that changed since a mark, as ``party_records`` has them, and those that left.

    Some may be as they were. None where it is not known what changed.
    """
    parties = tables.records(lake, Entity.PARTY)
    changes = parties.since(mark)
    if changes is None:
        return None
    others = changes.rows.filter(pc.not_equal(changes.rows["party_kind"], str(kind)))
    left = pa.concat_tables([changes.gone, others.select(changes.gone.column_names)])
    rows = _of_kind(changes.rows, kind, _columns(parties.schema, policy))
    return Changes(rows, pa.table({"record_id": left["record_id"], "source": _source(left)}))


def said_by_sources(lake: Lake, kind: PartyKind) -> pa.Table:
    """``merged_in_source`` of all records of a kind."""
    keep = ["record_id", "merged_into"]
    read = tables.records(lake, Entity.PARTY).read([*keep, "source", "entity", "party_kind"])
    into = pc.unique(read["merged_into"])
    few = read.filter(
        pc.or_(pc.is_valid(read["merged_into"]), pc.is_in(read["record_id"], value_set=into, skip_nulls=True))
    )
    return merged_in_source(_of_kind(few, kind, keep))


def _columns(schema: pa.Schema, policy: LinkagePolicy) -> list[str]:
    read = {name for column in policy.columns.values() for name in column.names}
    wanted = read | {"record_id", "merged_into"}
    return [name for name in schema.names if name in wanted]


def _of_kind(parties: pa.Table, kind: PartyKind, keep: list[str]) -> pa.Table:
    own = parties.filter(pc.equal(parties["party_kind"], str(kind)))
    return own.select(keep).append_column("source", _source(own))


def _source(parties: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(parties["source"], parties["entity"], "/")


def merged_in_source(records: pa.Table) -> pa.Table:
    """Records that their own source merged into another one: they describe the same party."""
    merged = records.filter(pc.is_valid(records["merged_into"]))
    pairs = pa.table(
        {
            "left_source": merged["source"],
            "left_id": merged["record_id"],
            "right_source": merged["source"],
            "right_id": merged["merged_into"],
        }
    )
    near = records.filter(pc.is_in(records["record_id"], value_set=pairs["right_id"].combine_chunks()))
    known = composite(near["source"], near["record_id"])
    pairs = pairs.filter(pc.is_in(composite(pairs["right_source"], pairs["right_id"]), value_set=known))
    return pairs.sort_by([("left_source", "ascending"), ("left_id", "ascending")])
