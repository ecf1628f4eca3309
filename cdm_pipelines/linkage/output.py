"""The tables that linking gives.

Belongs here: from positions and patterns to frames with names. Does not belong here: how they are found.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.cluster.agglomerate import Labels
from cdm_pipelines.linkage.cluster.clusters import Links
from cdm_pipelines.linkage.compare.comparers import Packing
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.model.fellegi_sunter import Floats, probability
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.store.frames import to_frame


def clusters_frame(records: Records, member: Labels) -> pd.DataFrame:
    """``source``, ``record_id``, ``cluster_id``: a row per record; ``member`` is each one's lowest position."""
    return to_frame(clusters_table(records, member, np.arange(len(records))))


def clusters_table(records: Records, member: Labels, some: npt.NDArray[np.int64]) -> pa.Table:
    """The same, of some records."""
    source, record_id = records.names(some)
    names = pc.binary_join_element_wise(*records.names(member[some]), "|")
    return pa.table({"source": source, "record_id": record_id, "cluster_id": names})


def pairs_frame(
    records: Records, policy: LinkagePolicy, packing: Packing, links: Links, weight: Floats
) -> pd.DataFrame:
    """Both records of each link, weight in bits, probability, and one level per comparison."""
    columns: dict[str, Any] = {}
    for side, positions in (("left", links.left), ("right", links.right)):
        columns[f"{side}_source"], columns[f"{side}_id"] = records.names(positions)
    frame = to_frame(pa.table(columns))
    frame["weight"], frame["probability"] = weight, probability(links.odds)
    levels = packing.unpack(links.packed)
    for number, name in enumerate(policy.comparisons):
        frame[name] = levels[:, number].astype(np.int8)
    return frame
