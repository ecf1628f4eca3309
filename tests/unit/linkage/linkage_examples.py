"""People, policies and small helpers that several linkage tests use."""

from typing import Any

import numpy as np
import pandas as pd

from cdm_pipelines.linkage import LinkagePolicy
from cdm_pipelines.linkage.encode import Records, encode
from cdm_pipelines.linkage.policy import Comparison

GIVEN = [
    "jan",
    "piet",
    "klaas",
    "maria",
    "anna",
    "els",
    "henk",
    "willem",
    "sanne",
    "daan",
    "emma",
    "lotte",
    "bram",
]
FAMILY = [
    *("jansen", "bakker", "visser", "smit", "meijer", "mulder", "bos", "vos", "peters", "hendriks", "dekker"),
    *(
        "brouwer",
        "dijkstra",
        "vermeulen",
        "schouten",
        "hoekstra",
        "koster",
        "prins",
        "huisman",
        "peeters",
        "kok",
    ),
]


def policy(**changes: Any) -> LinkagePolicy:
    """A small policy over given_name, surname, birth_date and postcode."""
    content: dict[str, Any] = {
        "id": "id",
        "columns": {
            "given_name": {"clean": "name"},
            "surname": {"clean": "surname"},
            "birth_date": {"clean": "date"},
            "postcode": {"clean": "identifier"},
        },
        "derived": {"surname_start": {"of": "surname", "take": "first", "length": 3}},
        "blocking": [
            {"keys": ["birth_date"]},
            {"keys": ["surname", "postcode"]},
            {"keys": ["given_name", "surname_start"]},
        ],
        "comparisons": {
            "given_name": {"kind": "given_name", "column": "given_name"},
            "surname": {"kind": "surname", "column": "surname", "term_frequency": {}},
            "birth_date": {"kind": "date", "column": "birth_date"},
            "postcode": {"kind": "exact", "column": "postcode"},
        },
        "training": {"random_pairs": 20_000},
    }
    return LinkagePolicy.model_validate({**content, **changes})


def people(number: int, seed: int, *, errors: float = 0.15) -> pd.DataFrame:
    """Records of invented people, most of them two or three times, with errors; ``truth_id`` says who is who."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(number):
        base = {
            "given_name": GIVEN[rng.integers(len(GIVEN))],
            "surname": FAMILY[rng.integers(len(FAMILY))],
            "birth_date": f"{rng.integers(1940, 2005)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}",
            "postcode": f"{rng.integers(1000, 1400)}AB",
        }
        for copy in range(rng.integers(1, 4)):
            row: dict[str, Any] = {"id": f"{person:05d}-{copy}", "truth_id": person, **base}
            for name, value in base.items():
                fate = rng.random()
                if fate < errors / 3:
                    row[name] = None
                elif fate < errors:
                    text = list(value)
                    text[rng.integers(len(text))] = "x" if name in {"given_name", "surname"} else "7"
                    row[name] = "".join(text)
            rows.append(row)
    return pd.DataFrame(rows)


def truth_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The truth of ``people`` in the form that ``evaluate`` takes."""
    return pd.DataFrame(
        {"source": "records", "record_id": frame["id"], "truth_id": frame["truth_id"].astype(str)}
    )


def records_of(rows: list[dict[str, Any]], columns: dict[str, str]) -> Records:
    """Encode rows as they are, with the given cleaning of each column."""
    first = next(iter(columns))
    frame = pd.DataFrame(rows, columns=list(columns)).assign(id=[f"{n:05d}" for n in range(len(rows))])
    small = LinkagePolicy.model_validate(
        {
            "id": "id",
            "columns": {name: {"clean": how} for name, how in columns.items()},
            "blocking": [{"keys": first}],
            "comparisons": {"any": {"kind": "exact", "column": first}},
        }
    )
    return encode(frame, small)


def comparison(**content: Any) -> Comparison:
    """One comparison as a policy holds it."""
    columns: dict[str, dict[str, str]] = {name: {} for name in ("a", "b", "c", "d", "e")}
    small = {"id": "id", "columns": columns, "blocking": [{"keys": "a"}], "comparisons": {"it": content}}
    return LinkagePolicy.model_validate(small).comparisons["it"]
