"""Connected components: which records hang together by any links.

Belongs here: components of a graph of positions. Does not belong here: which links there are, or what becomes of a
component (clusters).
"""

import numpy as np

from cdm_pipelines.linkage.cluster.agglomerate import Labels
from cdm_pipelines.linkage.encode.positions import Positions


def components(records: int, left: Positions, right: Positions) -> Labels:
    """The lowest position of each record's component."""
    from scipy.sparse import coo_matrix  # noqa: PLC0415 - loads where it is needed
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(records, records))
    label = connected_components(graph, directed=False)[1]
    lowest = np.zeros(int(label.max(initial=-1)) + 1, dtype=np.int64)
    # The last assignment to a place stands: backwards, that is the lowest position.
    lowest[label[::-1]] = np.arange(records)[::-1]
    return np.asarray(lowest[label])
