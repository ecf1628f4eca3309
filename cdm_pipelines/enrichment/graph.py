"""Connected components over what members have part in.

Belongs here: union of members that share a node, and labels as a table. Does not belong here: what makes a node
(``household_joining``, ``organisation``).
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdm_pipelines.enrichment.work import Work

Ints = npt.NDArray[np.int64]


def components(member: Ints, node: Ints, members: int) -> Ints:
    """Label members so that all members of a node have the same: the smallest number among the connected ones.

    Args:
        member: Numbers below ``members``.
        node: What each of them has part in; any numbers.
        members: How many there are, with or without a node.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415 - loads only in a run
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    if not len(member):
        return np.arange(members)
    _, dense = np.unique(node, return_inverse=True)
    size = members + int(dense.max()) + 1
    graph = coo_array((np.ones(len(member), np.int8), (member, members + dense)), shape=(size, size))
    label = connected_components(graph.tocsr(), directed=False)[1][:members]
    _, first, at = np.unique(label, return_index=True, return_inverse=True)
    smallest: Ints = first[at].astype(np.int64)
    return smallest


def numbers(column: pa.ChunkedArray) -> Ints:
    """Numbers of 64 bits; those without sign keep their bits."""
    values = column.to_numpy()
    return values.view(np.int64) if values.dtype == np.uint64 else values.astype(np.int64)


def labelled(work: Work, name: str, columns: tuple[str, str], label: Ints) -> None:
    """Make a table of members, from 0 on, and their labels."""
    member, text = columns
    table = pa.table({member: pa.array(np.arange(len(label), dtype=np.int32)), text: pa.array(label)})
    work.db.register("labels_given", table)
    work.db.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM labels_given")
    work.db.unregister("labels_given")
