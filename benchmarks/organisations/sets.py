"""The data sets of organisations: published ones with their truth, out of packages, and made-up ones.

Belongs here: getting the packages, records and truth as tables, with ids and an order that tell nothing. Does not
belong here: making organisations up (made), linking.

Names of patents' assignees are those of PatentsView's benchmarks (Monath, Jones and Madhavan, 2021): a record is a
distinct way of writing a name. Where a way stands for two assignees the more frequent one is meant.
"""

import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from benchmarks.organisations.made import generate

HERE = Path(__file__).resolve().parent
LOCK = HERE / "published.lock"
MADE = 20_000
_SEED = 1
_RESTAURANTS = "py_entitymatching/datasets/end-to-end/restaurants/"


class MissingError(Exception):
    """A published set cannot be had; the message says why."""


@dataclass(frozen=True)
class DataSet:
    """Records of organisations.

    Attributes:
        name: As the document shows it.
        records: With ``record_id`` and the columns named in ``columns``; ``file`` where there are two sources.
        truth: ``record_id`` and ``truth_id``.
        columns: Columns of the policy, and where the records keep them.
        two: Whether the records are of two files in which nobody is twice.
        about: What a reader should know.
    """

    name: str
    records: pd.DataFrame
    truth: pd.DataFrame
    columns: dict[str, str]
    two: bool = False
    about: str = field(default="", compare=False)


def packages(folder: Path) -> Path:
    """The files of the packages that hold published sets, downloaded unless they are there.

    Raises:
        MissingError: They cannot be downloaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob("pv_evaluation*")):
        done = subprocess.run(  # noqa: S603 - our own arguments
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
             "--disable-pip-version-check", "-r", str(LOCK), "-d", str(folder)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise MissingError(f"the published sets cannot be downloaded: {done.stderr.strip()[-500:]}")
    return folder


def assignees(folder: Path, which: str) -> DataSet:
    """Names of patents' assignees: ``nber-subset`` or ``air-umass``."""
    wheel = next(folder.glob("pv_evaluation*.whl"))
    with zipfile.ZipFile(wheel).open(f"pv_evaluation/data/assignee/{which}-assignees-benchmark.csv") as file:
        mentions = pd.read_csv(file, dtype=str).dropna()
    counted = mentions.groupby(["organization", "unique_id"]).size().rename("n").reset_index()
    counted = counted.sort_values(["organization", "n", "unique_id"], ascending=[True, False, True])
    names = counted.drop_duplicates("organization")
    about = "every way in which an assignee's name is written, and nothing else"
    return _named(
        f"assignees, {which}",
        names.rename(columns={"organization": "name"}),
        {"organisation_name": "name"},
        about,
    )


def restaurants(folder: Path) -> DataSet:
    """Two guides' restaurants, with address and telephone."""
    archive = next(folder.glob("py?entitymatching*.tar.gz"))
    with tarfile.open(archive) as package:

        def read(name: str) -> pd.DataFrame:
            member = next(one for one in package.getnames() if one.endswith(_RESTAURANTS + name))
            return pd.read_csv(package.extractfile(member), dtype=str)  # type: ignore[arg-type]

        fodors, zagats, same = read("fodors.csv"), read("zagats.csv"), read("matches_fodors_zagats.csv")
    known = dict(zip(same["zagats_id"], "f" + same["fodors_id"], strict=True))
    fodors = fodors.assign(file="a", unique_id="f" + fodors["id"])
    zagats = zagats.assign(file="b", unique_id=[known.get(one, "z" + one) for one in zagats["id"]])
    both = pd.concat([fodors, zagats], ignore_index=True)
    both["house_number"] = both["addr"].str.extract(r"^(\d+)", expand=False)
    both["street"] = both["addr"].str.replace(r"^\d+\s*", "", regex=True)
    both["phone"] = both["phone"].str.replace(r"\D", "", regex=True)
    columns = {"organisation_name": "name"} | {
        one: one for one in ("street", "house_number", "city", "phone")
    }
    return _named("restaurants", both, columns, "two guides: name, address, town, telephone", two=True)


def made(*, names_only: bool) -> DataSet:
    """Made-up organisations: with everything, or with name and town alone."""
    frame = generate(MADE, _SEED).rename(columns={"truth_id": "unique_id"})
    plain = ("city",) if names_only else ("street", "house_number", "postcode", "city", "phone", "vat_number")
    columns = {"organisation_name": "name"} | {one: one for one in plain}
    name = "made up, name and town" if names_only else "made up, with address"
    return _named(name, frame, columns, "companies, groups and their subsidiaries, chains and their branches")


def _named(
    name: str, frame: pd.DataFrame, columns: dict[str, str], about: str, *, two: bool = False
) -> DataSet:
    mixed = frame.sample(frac=1, random_state=_SEED).reset_index(drop=True)
    ids = [f"r{place:06d}" for place in range(len(mixed))]
    kept = [*columns.values(), *(["file"] if two else [])]
    truth = pd.DataFrame({"record_id": ids, "truth_id": mixed["unique_id"].astype(str)})
    if two:
        truth["source"] = mixed["file"]
    return DataSet(name, mixed[kept].assign(record_id=ids), truth, columns, two, about)
