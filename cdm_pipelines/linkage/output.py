"""The tables that linking gives.

Belongs here: from positions and patterns to frames with names. Does not belong here: how they are found.
"""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.ingest.lake import to_frame
from cdm_pipelines.linkage.agglomerate import Labels
from cdm_pipelines.linkage.cluster import Links
from cdm_pipelines.linkage.comparers import Packing
from cdm_pipelines.linkage.encode import Records
from cdm_pipelines.linkage.model import Floats, probability
from cdm_pipelines.linkage.policy import LinkagePolicy


def clusters_frame(records: Records, member: Labels) -> pd.DataFrame:
    """``source``, ``record_id``, ``cluster_id``: a row per record; ``member`` is each one's lowest position."""
    source = pa.DictionaryArray.from_arrays(pa.array(records.source), pa.array(records.sources, pa.string()))
    source = source.dictionary_decode() if len(records) else pa.array([], pa.string())
    names = pc.binary_join_element_wise(source, records.ids, "|")
    return to_frame(
        pa.table({"source": source, "record_id": records.ids, "cluster_id": names.take(pa.array(member))})
    )


def pairs_frame(
    records: Records, policy: LinkagePolicy, packing: Packing, links: Links, weight: Floats
) -> pd.DataFrame:
    """Both records of each link, weight in bits, probability, and one level per comparison."""
    sources = pa.array(records.sources, pa.string())
    columns: dict[str, Any] = {}
    for side, positions in (("left", links.left), ("right", links.right)):
        columns[f"{side}_source"] = sources.take(pa.array(records.source[positions]))
        columns[f"{side}_id"] = records.ids.take(pa.array(positions))
    frame = to_frame(pa.table(columns))
    frame["weight"], frame["probability"] = weight, probability(links.odds)
    levels = packing.unpack(links.packed)
    for number, name in enumerate(policy.comparisons):
        frame[name] = levels[:, number].astype(np.int8)
    return frame
