"""The data sets of organisations: published ones with their truth, out of packages, and made-up ones.

Belongs here: records and truth as tables, with ids and an order that tell nothing. Does not belong here:
getting packages (packages), making organisations up (made), linking.

Names of patents' assignees are those of PatentsView's benchmarks (Monath, Jones and Madhavan, 2021): a record is a
distinct way of writing a name. Where a way stands for two assignees the more frequent one is meant.
"""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from benchmarks.organisations.made import generate
from benchmarks.packages import ASSIGNEES, RESTAURANTS, opened

MADE = 20_000
_SEED = 1


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


def assignees(folder: Path, which: str) -> DataSet:
    """Names of patents' assignees: ``nber-subset`` or ``air-umass``."""
    with opened(ASSIGNEES, f"{which}-assignees-benchmark.csv", folder) as file:
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

    def read(name: str) -> pd.DataFrame:
        with opened(RESTAURANTS, name, folder) as file:
            return pd.read_csv(file, dtype=str)

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
