"""Records, clusters and published ids as integers.

Belongs here: bringing the tables onto common numbers, and what is refused. Does not belong here: the rules
(``assignment``).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.identity.registry import CURRENT, REGISTRY_SCHEMA
from cdm_pipelines.store.keys import record_keys

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class AssignmentInputs:
    """Everything as places in the tables, -1 for none.

    Attributes:
        records: The records, with ``first_seen``.
        keys: Their keys, one text each.
        registry: Published ids in order of publication, so that a smaller place is an older id.
        cluster: Per record, its cluster.
        former: Per record, its published id.
        founder: Per published id, the record that founded it.
        alias_of: Per published id, the id it stood for.
        elsewhere: Per published id, whether it is the id of a customer of whose records none is given: where only a
            part of the records is.
    """

    records: pa.Table
    keys: pa.Array
    registry: pa.Table
    cluster: Ints
    former: Ints
    founder: Ints
    alias_of: Ints
    elsewhere: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls, clusters: pa.Table, registry: pa.Table, crosswalk: pa.Table, records: pa.Table, *, part: bool
    ) -> Self:
        """Bring the tables together; ``part`` says that these are not all records.

        Raises:
            ValueError: a record appears twice, or in a cluster without being among the records.
        """
        known = registry.select(REGISTRY_SCHEMA.names).sort_by("sequence").combine_chunks()
        keys, count = record_keys(records), records.num_rows
        record, clustered, crossed, founder = _shared_codes(
            keys, record_keys(clusters), record_keys(crosswalk), record_keys(known)
        )
        if count and int(record.max()) + 1 < count:
            raise ValueError(
                "a source record appears more than once among the records to be given golden ids"
            )
        ids = [
            table.combine_chunks()
            for table in (known["golden_id"], crosswalk["golden_id"], known["alias_of"])
        ]
        _, golden, alias_of = _shared_codes(*ids)
        former = np.full(count, -1, np.int64)
        there = crossed < count
        former[crossed[there]] = golden[there]
        elsewhere = pc.equal(known["status"], CURRENT).to_numpy() & part
        elsewhere[golden] = False
        return cls(
            records,
            keys,
            known,
            _cluster_of(clusters, clustered, count),
            former,
            np.where(founder < count, founder, -1),
            alias_of,
            elsewhere,
        )

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return int(self.cluster.max(initial=-1)) + 1

    @property
    def ids(self) -> int:
        """How many ids were published."""
        return int(self.registry.num_rows)

    def oldest_first(self, records: Ints) -> Ints:
        """The given records from the oldest: first seen first, then by source, entity and record id."""
        keys = self.keys.take(pa.array(records))
        if len(keys) > 1 and not pc.all(pc.less(keys[:-1], keys[1:])).as_py():
            records = records[pc.sort_indices(keys).to_numpy()]
        seen = self.records["first_seen"].take(pa.array(records)).combine_chunks().dictionary_encode()
        rank = pc.sort_indices(seen.dictionary).to_numpy().argsort()
        ordered: Ints = records[np.argsort(rank[seen.indices.to_numpy(zero_copy_only=False)], kind="stable")]
        return ordered


def _cluster_of(clusters: pa.Table, record: Ints, records: int) -> Ints:
    """The cluster of each record, counted from zero; records of no cluster get one of their own."""
    if (record >= records).any():
        raise ValueError("a cluster holds a source record that is not among the current records")
    label = clusters["cluster_id"].combine_chunks().dictionary_encode()
    codes = np.full(records, -1, np.int64)
    codes[record] = label.indices.to_numpy(zero_copy_only=False)
    alone = codes < 0
    if records - int(alone.sum()) < len(record):
        raise ValueError("a source record is in more than one cluster")
    codes[alone] = len(label.dictionary) + np.arange(int(alone.sum()))
    return codes


def _shared_codes(*columns: pa.Array) -> list[Ints]:
    """A number for each value, the same in all columns, counted by first appearance; -1 for null."""
    encoded = pa.concat_arrays(columns).dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.split(codes, np.cumsum([len(column) for column in columns])[:-1])
