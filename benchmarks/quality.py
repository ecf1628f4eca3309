"""Clusters against the truth of the generator, ours and a peer's on the same records.

Belongs here: reading both and the measures that are shown. Does not belong here: the measures themselves
(``cdm_pipelines.linkage.evaluate``).
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.linkage.evaluate.measures import evaluate
from cdm_pipelines.settings import Settings
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

KEY = ["source", "record_id"]


def against_truth(settings: Settings, truth: Path, others: Mapping[str, Path]) -> dict[str, object]:
    """Measure our clusters and those of others.

    Args:
        settings: Of the run whose lake holds our clusters.
        truth: The generator's ``party.csv``.
        others: Folder with ``person.parquet`` and ``organisation.parquet``, by name.

    Returns:
        For each, and for persons, organisations and all: pairwise precision, recall and F1, B-cubed F1.
    """
    lake = Lake(settings.lake_url)
    known = pd.read_csv(truth, dtype=str, keep_default_na=False)
    known = _whole_source(known)[[*KEY, "truth_id"]]
    party = tables.records(lake, Entity.PARTY).read(["source", "entity", "record_id", "party_kind"])
    kinds = _whole_source(party.to_pandas())[[*KEY, "party_kind"]]
    ours = tables.clusters(lake).read().to_pandas()
    clusters = {"cdm_pipelines": ours} | {name: _clusters(folder) for name, folder in others.items()}
    return {name: _measures(found, known, kinds) for name, found in clusters.items()}


def _whole_source(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(source=frame["source"] + "/" + frame["entity"])


def _clusters(folder: Path) -> pd.DataFrame:
    kinds = []
    for path in sorted(folder.glob("*.parquet")):
        found = pd.read_parquet(path)
        kinds.append(found.assign(cluster_id=path.stem + found["cluster_id"]))
    return pd.concat(kinds, ignore_index=True)


def _measures(
    clusters: pd.DataFrame, truth: pd.DataFrame, kinds: pd.DataFrame
) -> dict[str, dict[str, float]]:
    marked = clusters.merge(kinds, on=KEY, validate="one_to_one")
    measures = {}
    for name in ("person", "organisation", "all"):
        some = marked if name == "all" else marked[marked["party_kind"] == name]
        found = evaluate(some[[*KEY, "cluster_id"]], truth)
        measures[name] = {
            "records": found.records,
            "precision": round(found.pairs.precision, 4),
            "recall": round(found.pairs.recall, 4),
            "F1": round(found.pairs.f1, 4),
            "B-cubed F1": round(found.bcubed_f1, 4),
        }
    return measures
