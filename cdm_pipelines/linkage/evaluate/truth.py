"""Who is who, as a file tells it.

Belongs here: finding the records that a truth or a labelled pair names, and the pairs within groups. Does not belong
here: measuring (measures, sample, mistakes).
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from cdm_pipelines.linkage.blocking.pairs import following, spans
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.encode.records import ONLY_SOURCE, Records
from cdm_pipelines.linkage.errors import LinkageError, nearest
from cdm_pipelines.linkage.policy.spec import LinkagePolicy

Codes = npt.NDArray[np.int64]

_ID_NAMES = ("record_id", "id")
_ENTITY_NAMES = ("truth_id", "entity_id", "cluster_id", "truth", "entity", "cluster")
_AT_ONCE = 1_000_000


def entities(records: Records, truth: pd.DataFrame, policy: LinkagePolicy) -> Codes:
    """The code of each record's entity; -1 where the truth does not know the record.

    Args:
        records: The records.
        truth: A record id and an entity id per row: columns ``record_id`` (or the policy's id) and ``truth_id`` or
            ``entity_id``, or any two; ``source`` too where ids repeat between sources.
        policy: Tells what the id is called.

    Raises:
        LinkageError: A column is missing, a record is named twice, or none is one of the records.
    """
    names = [str(name) for name in truth.columns]
    id_column = next((name for name in (*_ID_NAMES, policy.id) if name in names), None)
    entity_column = next((name for name in _ENTITY_NAMES if name in names), None)
    if len(names) == 2 and (id_column is None or entity_column is None):
        id_column, entity_column = names
    if id_column is None or entity_column is None:
        missing = policy.id if id_column is None else "truth_id"
        raise LinkageError(
            f"truth: there is no column {missing!r}{nearest(missing, names)}; give two columns, a record id and an "
            "entity id"
        )
    known = truth.set_axis(names, axis=1).dropna(subset=[id_column, entity_column])
    keys = ["source", "id"] if len(records.sources) > 1 and "source" in names else ["id"]
    sources = np.array(records.sources or [ONLY_SOURCE], dtype=object)
    left = pd.DataFrame({"source": sources[records.source], "id": records.ids.to_pylist()})
    ids = known[id_column].astype(str)
    if len(records.sources) > 1 and keys == ["id"]:
        named = left["id"][left["id"].isin(ids)]
        if ids.duplicated().any() or named.duplicated().any():
            raise LinkageError(
                "truth: ids repeat between sources; add the column 'source' with each record's source"
            )
    right = pd.DataFrame({"id": ids, "entity": pd.factorize(known[entity_column])[0]})
    if "source" in keys:
        right["source"] = known["source"].astype(str)
    if right.duplicated(keys).any():
        raise LinkageError(
            f"truth: {int(right.duplicated(keys).sum())} records occur twice; name each record once"
        )
    found = left.merge(right, on=keys, how="left")["entity"]
    if found.isna().all() and len(records):
        raise LinkageError(f"truth: none of its ids ({id_column!r}) is an id of the records ({policy.id!r})")
    return found.fillna(-1).to_numpy(dtype=np.int64)


def pairs_within(groups: Codes, at_once: int = _AT_ONCE) -> Iterator[tuple[Positions, Positions]]:
    """All pairs of positions of one group, the lower first, about ``at_once`` at a time; -1 is no group."""
    order = np.flatnonzero(groups >= 0)
    order = order[np.argsort(groups[order], kind="stable")]
    for first, second in spans(following(groups[order]), at_once):
        yield order[first].astype(np.int32), order[second].astype(np.int32)
