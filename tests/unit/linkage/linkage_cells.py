"""Generated people for calibration: how many match, what is known of them and how badly it is written vary by cell.

Belongs here: the generator, made for this and used for nothing else. Does not belong here: what is expected of a cell.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from cdm_pipelines.linkage import LinkagePolicy, LinkResult, link
from cdm_pipelines.linkage.policy.file import without_absent

POLICIES = Path(__file__).parents[3] / "cdm_pipelines" / "policies" / "linkage"
NAMES = ("given_name", "surname", "birth_date")
PLACES = ("postcode", "house_number", "street", "city")
Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Cell:
    """One kind of table.

    Attributes:
        records: About how many there are.
        matched: Share of the people who have a second record (or more, with ``copies``).
        errors: Chance that a value of a second record is missing, misspelt or another one.
        columns: What is known.
        household: Share of the people who live with others of the same surname and address.
        sources: Whether every second record is from another source than the first.
        copies: Records of a person who has more than one.
        seed: For numpy.
    """

    records: int = 3000
    matched: float = 0.3
    errors: float = 0.1
    columns: tuple[str, ...] = (*NAMES, *PLACES)
    household: float = 0.2
    sources: int = 1
    copies: int = 2
    seed: int = 1


def people(cell: Cell) -> pd.DataFrame:
    """Records of a cell in random order: ``record_id``, ``source``, ``truth_id`` and its columns."""
    rng = np.random.default_rng(cell.seed)
    number = int(cell.records / (1 + cell.matched * (cell.copies - 1)))
    truth = pd.DataFrame(_values(number, rng))
    lives_with = np.flatnonzero(rng.random(number) < cell.household)
    lives_with = lives_with[lives_with > 0]
    for name in ("surname", *PLACES):
        values = truth[name].to_numpy(dtype=object, copy=True)
        for person in lives_with:
            values[person] = values[person - 1]
        truth[name] = values
    truth["truth_id"] = np.arange(number)
    again = np.repeat(np.flatnonzero(rng.random(number) < cell.matched), cell.copies - 1)
    other = truth.iloc[again].reset_index(drop=True)
    source = np.repeat(["a", "b" if cell.sources > 1 else "a"], [number, len(other)])
    for name in (*NAMES, *PLACES):
        other[name] = _with_errors(other[name].to_numpy(dtype=object, copy=True), name, cell.errors, rng)
    both = pd.concat([truth, other], ignore_index=True).assign(source=source)
    both = both.sample(frac=1, random_state=cell.seed).reset_index(drop=True)
    both["record_id"] = [f"{k:06d}" for k in range(len(both))]
    return both[["record_id", "source", "truth_id", *cell.columns]]


def linked(cell: Cell, **changes: object) -> tuple[LinkResult, float, float]:
    """A cell under the shipped policy: the result, and true precision and recall of the pairs it accepts."""
    frame = people(cell)
    content = yaml.safe_load((POLICIES / "person.yaml").read_text(encoding="utf-8"))
    content["columns"] = {
        name: spec if name in cell.columns else None for name, spec in content["columns"].items()
    }
    policy = LinkagePolicy.model_validate(without_absent({**content, **changes}))
    result = link(frame, policy)
    party = dict(zip(frame["record_id"], frame["truth_id"], strict=True))
    accepted = result.pairs[result.pairs["probability"] >= result.model.match]
    right = accepted["left_id"].map(party) == accepted["right_id"].map(party)
    sizes = frame["truth_id"].value_counts()
    pairs = int((sizes * (sizes - 1) // 2).sum())
    return result, float(right.mean()) if len(right) else 1.0, float(right.sum()) / max(pairs, 1)


def _values(number: int, rng: np.random.Generator) -> dict[str, Texts]:
    given = list(yaml.safe_load((POLICIES / "given_names.yaml").read_text(encoding="utf-8")))
    syllables = [
        "ba",
        "der",
        "hof",
        "man",
        "ster",
        "wij",
        "ker",
        "lin",
        "mol",
        "van",
        "ros",
        "tel",
        "gra",
        "dij",
    ]
    family = [a + b + c for a in syllables for b in syllables for c in syllables]
    towns = [f"{a}{b}dorp" for a in syllables for b in syllables]
    rng.shuffle(family)
    day = rng.integers(0, 27_000, number).astype("timedelta64[D]") + np.datetime64("1932-01-01")
    place = rng.integers(0, max(number // 3, 20), number)
    town = place % len(towns)
    return {
        "given_name": _frequent(given, number, rng),
        "surname": _frequent(family, number, rng),
        "birth_date": day.astype(str).astype(object),
        "postcode": np.array(
            [f"{1000 + t * 40 + p // 400 % 40}{'ABCDEFGH'[p % 8]}K" for t, p in zip(town, place, strict=True)]
        ),
        "house_number": rng.integers(1, 150, number).astype(str).astype(object),
        "street": np.array([f"{family[p * 7 % len(family)]}straat" for p in place], dtype=object),
        "city": np.array([towns[t] for t in town], dtype=object),
    }


def _frequent(values: list[str], number: int, rng: np.random.Generator) -> Texts:
    """Values of which some are common and most are rare (Zipf)."""
    weights = 1 / (np.arange(len(values)) + 10.0)
    return np.array(values, dtype=object)[rng.choice(len(values), number, p=weights / weights.sum())]


def _with_errors(values: Texts, name: str, errors: float, rng: np.random.Generator) -> Texts:
    fate = rng.random(len(values)) / max(errors, 1e-9)
    shuffled = values[rng.permutation(len(values))]
    for k in np.flatnonzero(fate < 1):
        if fate[k] < 0.35:
            values[k] = None
        elif fate[k] < 0.75:
            text = list(values[k])
            place = rng.integers(len(text))
            if text[place] == "-":
                place -= 1
            text[place] = str(rng.integers(10)) if text[place].isdigit() else chr(97 + rng.integers(26))
            values[k] = "".join(text)
        else:
            values[k] = shuffled[k]
    return values
