"""What blocking reaches in the data of a suggestion, and files that hold nobody twice."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cdm_pipelines.linkage.evaluate.blocking import explain_blocking
from cdm_pipelines.steps.linking.files import read_files
from cdm_pipelines.steps.linking.suggest_policy import suggest_policy

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SYLLABLES = ("ba", "do", "fe", "ga", "hu", "ka", "lo", "mi", "no", "pe", "ra", "su", "ta", "vo", "wi", "zu")


def people(count: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)

    def words(length: int) -> list[str]:
        return ["".join(rng.choice(SYLLABLES, length)) for _ in range(count)]

    days = [
        f"{1940 + rng.integers(60)}-{1 + rng.integers(12):02}-{1 + rng.integers(28):02}" for _ in range(count)
    ]
    codes = [
        f"{1000 + rng.integers(3000)} {LETTERS[rng.integers(26)]}{LETTERS[rng.integers(26)]}".upper()
        for _ in days
    ]
    return pd.DataFrame(
        {"first_name": words(2), "last_name": words(3), "date_of_birth": days, "postcode": codes}
    )


def mistyped(frame: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """The same with a letter more at the end of some names."""
    rng = np.random.default_rng(seed)
    columns = {
        name: frame[name].where(rng.random(len(frame)) > share, frame[name] + "x")
        for name in ("first_name", "last_name")
    }
    return frame.assign(**columns)


def written(folder: Path, name: str, frame: pd.DataFrame) -> Path:
    path = folder / f"{name}.csv"
    frame.insert(0, "id", [f"{name}{number}" for number in range(len(frame))])
    frame.to_csv(path, index=False)
    return path


def test_files_that_hold_nobody_twice_are_seen(tmp_path: Path) -> None:
    everybody = people(4000, seed=1)
    one = written(tmp_path, "register", mistyped(everybody[:3500], 0.2, seed=2))
    two = written(tmp_path, "census", mistyped(everybody[500:], 0.2, seed=3))
    suggested = suggest_policy([one, two])
    assert suggested.duplicate_free == ("register", "census")
    assert suggested.policy().duplicate_free == ("register", "census")
    assert "Taken to be free of duplicates: register, census" in "\n".join(suggested.told())


@pytest.mark.parametrize("equal_rows", [True, False])
def test_a_file_with_duplicates_is_not_taken_to_be_free_of_them(tmp_path: Path, equal_rows: bool) -> None:
    """Even where a system took equal rows out, so that what is left differs by a slip of the pen."""
    everybody = people(4000, seed=1)
    shop = mistyped(everybody[:3500], 0.2, seed=2)
    twice = shop[:400] if equal_rows else mistyped(everybody[:400], 1.0, seed=4)
    one = written(tmp_path, "shop", pd.concat([shop, twice], ignore_index=True))
    two = written(tmp_path, "register", mistyped(everybody[500:], 0.2, seed=3))
    assert suggest_policy([one, two]).duplicate_free == ("register",)


def test_little_data_tells_nothing_about_duplicates(tmp_path: Path) -> None:
    everybody = people(100, seed=1)
    files = [written(tmp_path, name, everybody.copy()) for name in ("a", "b")]
    assert suggest_policy(files).duplicate_free == ()


def test_records_with_gaps_get_rules_of_their_own(tmp_path: Path) -> None:
    """Half of the records have a given name and a city and nothing else that the shipped rules ask for together."""
    frame = people(3000, seed=5).drop(columns="postcode")
    frame["city"] = [f"{SYLLABLES[n % 16]}{SYLLABLES[n // 16 % 16]}stad" for n in range(3000)]
    frame.loc[::2, ["last_name", "date_of_birth"]] = None
    suggested = suggest_policy([written(tmp_path, "people", frame)])
    assert {"keys": ["given_name", "city"], "refine": ["surname_start"]} in suggested.rules
    assert "rules were added for records with gaps" in suggested.covered
    policy = suggested.policy()
    made = explain_blocking(read_files([tmp_path / "people.csv"], policy), policy)
    assert made.candidate_pairs <= int(suggested.covered.split("at most ")[1].split()[0].replace(",", ""))


def test_blocks_that_are_too_large_do_not_count_as_reached(tmp_path: Path) -> None:
    frame = people(3000, seed=6)[["first_name", "last_name"]].assign(last_name="Smith", date_of_birth=None)
    frame["first_name"] = "John"
    frame.loc[:20, "date_of_birth"] = "1970-01-01"
    covered = suggest_policy([written(tmp_path, "smiths", frame)]).covered
    assert covered.startswith("Blocking: 0.7% of the records")
