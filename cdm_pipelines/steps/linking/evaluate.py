"""Holding what was linked against what is known: the whole truth, or a labelled sample of pairs.

Belongs here: reading the truth and the labels, writing the table of mistakes. Does not belong here: the measures
(linkage.evaluation, linkage.sample, linkage.mistakes), or which records were linked (explain_links).
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cdm_pipelines.linkage.encode.positions import Flags, Positions
from cdm_pipelines.linkage.encode.records import Records, encode
from cdm_pipelines.linkage.evaluate.measures import Evaluation, evaluate
from cdm_pipelines.linkage.evaluate.mistakes import MERGE, MISS, Mistakes, Row, mistakes, wrong_pairs
from cdm_pipelines.linkage.evaluate.reliability import Band, reliability
from cdm_pipelines.linkage.evaluate.sample import SampleEvaluation, estimate, population
from cdm_pipelines.linkage.evaluate.truth import Codes, entities
from cdm_pipelines.linkage.explain.pair import Subject, shown_values
from cdm_pipelines.steps.linking.explain import Linkage
from cdm_pipelines.steps.linking.files import FileError, read_text
from cdm_pipelines.store.files import write_whole

PAIR = ("left_source", "left_id", "right_source", "right_id")
LABEL = "match"
_YES, _NO = ("yes", "y", "true", "t", "1"), ("no", "n", "false", "f", "0")
SEED = 1


class EvaluationError(ValueError):
    """Something cannot be evaluated; the message says what to give or to run."""


@dataclass(frozen=True)
class Judged:
    """What a linkage is worth: by the whole truth or by a sample, and what it got wrong.

    Attributes:
        measures: Precision and recall.
        mistakes: The worst of them.
        bands: Probabilities beside the truth; none by a sample, or where pairs were not kept.
    """

    measures: Evaluation | SampleEvaluation
    mistakes: Mistakes
    bands: tuple[Band, ...] = ()


def against_truth(linkage: Linkage, truth: Path, *, worst: int, show: Callable[[str], str]) -> Judged:
    """Hold clusters against a file that says who every record is.

    Args:
        linkage: What was linked.
        truth: CSV or Parquet: a record id and an entity id; ``source`` too where ids repeat between sources.
        worst: How many false merges and how many misses are told.
        show: How a value may be shown.

    Raises:
        FileError: The file cannot be read.
        LinkageError: The truth or the policy does not fit the records.
        EvaluationError: The clusters are not known, or of other records.
    """
    records, found = _clustered(linkage)
    true = entities(records, read_text(truth).to_pandas(), linkage.policy)
    known = true >= 0
    key = pd.DataFrame(
        {
            "source": np.array(records.sources, dtype=object)[records.source[known]],
            "record_id": np.array(records.ids.to_pylist(), dtype=object)[known],
        }
    )
    told = key.assign(truth_id=true[known])
    measures = evaluate(key.assign(cluster_id=found[known]), told)
    subject = Subject(records, linkage.policy, linkage.model)
    wrong = mistakes(subject, wrong_pairs(found, true), worst=worst, show=show)
    bands = () if linkage.pairs is None else reliability(linkage.pairs.to_pandas(), told)
    return Judged(measures, wrong, bands)


def against_sample(linkage: Linkage, sample: Path, *, worst: int, show: Callable[[str], str]) -> Judged:
    """Hold clusters against labelled pairs.

    Args:
        linkage: What was linked.
        sample: CSV or Parquet: ``left_source``, ``left_id``, ``right_source``, ``right_id``, and yes or no in
            ``match``. Pairs without a label are left out of account.
        worst: How many false merges and how many misses are told.
        show: How a value may be shown.

    Raises:
        FileError: The file cannot be read.
        LinkageError: The policy does not fit the records.
        EvaluationError: The clusters are not known, or the labels are not those of pairs that were linked.
    """
    labels = _labels(sample)
    records, _ = _clustered(linkage)
    if linkage.clusters is None or linkage.pairs is None:
        raise EvaluationError("Say with --out where `cdm link` wrote its outcome.")
    whole, names = population(linkage.clusters.to_pandas(), linkage.pairs.to_pandas())
    sides = [_places(labels, side, names, sample) for side in ("left", "right")]
    left, right, match = _distinct(sides[0], sides[1], labels[LABEL].to_numpy(dtype=bool), sample)
    together = whole.together(left, right)
    position = pd.Index(_names(records))
    a, b = (position.get_indexer(names[side]).astype(np.int32) for side in (left, right))
    wrong = [(kind, a[at], b[at]) for kind, at in ((MERGE, together & ~match), (MISS, ~together & match))]
    subject = Subject(records, linkage.policy, linkage.model)
    return Judged(estimate(whole, left, right, match), mistakes(subject, wrong, worst=worst, show=show))


def draw(linkage: Linkage, pairs: int, *, seed: int = SEED, show_values: bool = False) -> list[Row]:
    """Pairs for a person to label, as rows; what the model thinks of them is not told.

    Raises:
        EvaluationError: The clusters are not known, or of other records.
        LinkageError: The policy does not fit the records.
    """
    records, _ = _clustered(linkage)
    if linkage.clusters is None or linkage.pairs is None:
        raise EvaluationError("Say with --out where `cdm link` wrote its outcome.")
    whole, names = population(linkage.clusters.to_pandas(), linkage.pairs.to_pandas())
    left, right = whole.draw(pairs, seed)
    position = pd.Index(_names(records))
    sides = [position.get_indexer(names[side]).tolist() for side in (left, right)]
    subject = Subject(records, linkage.policy, linkage.model)
    rows = []
    for a, b in zip(*sides, strict=True):
        row: Row = {}
        for side, at in (("left", a), ("right", b)):
            row[f"{side}_source"] = records.sources[int(records.source[at])]
            row[f"{side}_id"] = records.ids[at].as_py()
        row[LABEL] = ""
        if show_values:
            for name in subject.comparer.by_name:
                row[f"{name}, left"] = shown_values(subject, name, a, str)
                row[f"{name}, right"] = shown_values(subject, name, b, str)
        rows.append(row)
    return rows


def write_rows(rows: Sequence[Row], target: Path) -> None:
    """Write rows as CSV; what a row lacks stays empty: persons and organisations are compared by other columns."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)) or ["mistake"])
    writer.writeheader()
    writer.writerows(rows)
    write_whole(target, text.getvalue().encode())


def _clustered(linkage: Linkage) -> tuple[Records, Codes]:
    """The records, and the cluster of each; -1 where it has none."""
    if linkage.clusters is None:
        raise EvaluationError("Say with --out where `cdm link` wrote its outcome.")
    records = encode(linkage.table, linkage.policy)
    clusters = linkage.clusters.to_pandas()
    names = pd.Index(clusters["source"].astype(str) + "|" + clusters["record_id"].astype(str))
    codes = np.append(pd.factorize(clusters["cluster_id"])[0], -1).astype(np.int64)
    found = codes[names.get_indexer(pd.Index(_names(records)))]
    if (found < 0).all():
        raise EvaluationError("These records were not linked; link them first (`cdm link FILE… --out`).")
    return records, found


def _names(records: Records) -> list[str]:
    sources = np.array(records.sources, dtype=object)[records.source]
    return [f"{source}|{one}" for source, one in zip(sources, records.ids.to_pylist(), strict=True)]


def _labels(sample: Path) -> pd.DataFrame:
    labels: pd.DataFrame = read_text(sample).to_pandas()
    missing = [name for name in (*PAIR, LABEL) if name not in labels.columns]
    if missing:
        raise FileError(f"{sample}: there is no column {missing[0]!r}; give {', '.join((*PAIR, LABEL))}.")
    said = labels[LABEL].fillna("").str.strip().str.lower()
    labels = labels[said != ""].assign(**{LABEL: said[said != ""].isin(_YES)})
    strange = said[(said != "") & ~said.isin([*_YES, *_NO])]
    if len(strange):
        raise FileError(f"{sample}: row {strange.index[0] + 2} has neither yes nor no in {LABEL!r}.")
    if labels.empty:
        raise FileError(f"{sample}: no pair has a label yet; write yes or no in the column {LABEL!r}.")
    return labels.reset_index(drop=True)


def _distinct(
    left: Positions, right: Positions, match: Flags, sample: Path
) -> tuple[Positions, Positions, Flags]:
    """Each labelled pair once, whichever way round."""
    once = pd.DataFrame(
        {"low": np.minimum(left, right), "high": np.maximum(left, right), "match": match}
    ).drop_duplicates()
    twice = int(once.duplicated(["low", "high"]).sum())
    if twice:
        raise EvaluationError(f"{sample}: {twice} pairs are labelled both yes and no; decide which.")
    if (once["low"] == once["high"]).any():
        raise EvaluationError(f"{sample}: a record is paired with itself; take such rows away.")
    return once["low"].to_numpy(), once["high"].to_numpy(), once["match"].to_numpy(dtype=bool)


def _places(labels: pd.DataFrame, side: str, names: "pd.Index[str]", sample: Path) -> Positions:
    found = names.get_indexer(pd.Index(labels[f"{side}_source"] + "|" + labels[f"{side}_id"]))
    if (found < 0).any():
        raise EvaluationError(
            f"{sample}: {int((found < 0).sum())} of its {side} records were not linked; draw a new sample (`cdm link "
            "sample`)."
        )
    return found.astype(np.int32)
