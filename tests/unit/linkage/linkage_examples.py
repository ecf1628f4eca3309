"""People, policies and small helpers that several linkage tests use."""

from typing import Any

import numpy as np
import pandas as pd

from cdm_pipelines.linkage import LinkagePolicy
from cdm_pipelines.linkage.encode.records import Records, encode
from cdm_pipelines.linkage.policy.comparisons import Comparison

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


def full_policy(**changes: Any) -> LinkagePolicy:
    """A policy with every kind of comparison and every kind of rule, for the records of ``full_people``."""
    content: dict[str, Any] = {
        "columns": {
            "given_name": {"clean": "name"},
            "surname": {"clean": "surname"},
            "prefix": {"clean": "name"},
            "birth_date": {"clean": "date"},
            "gender": {"clean": "text"},
            "job": {"clean": "text"},
            "postcode": {"clean": "identifier"},
            "house_number": {"clean": "identifier"},
            "street": {"clean": "text"},
            "city": {"clean": "text"},
            "email": {"clean": "email"},
            "phone": {"clean": "digits"},
            "mobile": {"clean": "digits"},
            "account": {"clean": "identifier"},
            "firm": {"clean": "organisation"},
        },
        "derived": {
            "sound": {"of": "surname", "take": "phonetic", "length": 4},
            "any_phone": {"of": ["phone", "mobile"], "take": "last", "length": 7},
            "job_words": {"of": "job", "take": "rare_tokens", "length": 2},
        },
        "blocking": [
            {"keys": "birth_date", "refine": "gender"},
            {"keys": ["sound", "postcode"]},
            {"keys": "any_phone"},
            {"keys": ["given_name", "surname"], "window": 2},
            {"keys": ["job_words", "city"]},
            {"keys": "account", "name": "by toolkit", "algorithm": "Block"},
        ],
        "comparisons": {
            "given_name": {
                "kind": "given_name",
                "column": "given_name",
                "gender": "gender",
                "surname": "surname",
            },
            "surname": {
                "kind": "surname",
                "column": "surname",
                "prefix": "prefix",
                "given_name": "given_name",
                "shared": True,
                "term_frequency": {},
            },
            "birth_date": {"kind": "date", "column": "birth_date", "term_frequency": {}},
            "address": {
                "kind": "address",
                "postcode": "postcode",
                "house_number": "house_number",
                "street": "street",
                "city": "city",
                "shared": True,
                "term_frequency": {},
            },
            "email": {"kind": "email", "column": "email"},
            "phone": {"kind": "phone", "columns": ["phone", "mobile"], "shared": True},
            "account": {"kind": "identifier", "column": "account"},
            "job": {"kind": "text", "columns": "job", "similarity": "token_sort", "at_least": [0.9, 0.7]},
            "firm": {"kind": "organisation", "columns": "firm", "city": "city", "term_frequency": {}},
            "gender": {"kind": "exact", "column": "gender"},
            "city": {"kind": "toolkit", "column": "city", "algorithm": "String", "at_least": [0.85]},
        },
        "thresholds": {"match": 0.8, "review": 0.2, "expected_false_matches": 0.01},
        "clustering": {"contradictions": [["birth_date", "given_name"]]},
    }
    return policy(**{**content, **changes})


def full_people(number: int, seed: int) -> pd.DataFrame:
    """Records of ``people`` with all that ``full_policy`` reads, a tenth of it missing."""
    rng = np.random.default_rng([seed, 1])
    frame = people(number, seed)
    person = frame["truth_id"].to_numpy()
    streets, towns = (
        ["dorpsstraat", "kerkstraat", "molenweg", "nieuwe gracht"],
        ["urk", "ede", "tiel", "delft"],
    )
    words = ["baker", "clerk", "nurse", "pilot", "chief", "junior", "night", "coach"]
    made = {
        "prefix": np.array(["van", "de", "van der", ""])[person % 4],
        "gender": np.array(["m", "f"])[person % 2],
        "job": [f"{words[p % 8]} {words[p // 8 % 8]}" for p in person],
        "house_number": (person * 7 % 90 + 1).astype(str),
        "street": np.array(streets)[person * 3 % 4],
        "city": np.array(towns)[person * 5 % 4],
        "email": [f"{name or 'x'}{p}@mail.example" for name, p in zip(frame["surname"], person, strict=True)],
        "phone": [f"02012{p // 2:05d}" for p in person],
        "mobile": [f"0612{p:06d}" for p in person],
        "account": [f"NL{p * 7919:010d}" for p in person],
        "firm": [
            f"{streets[p % 4]} {words[p % 8]} {towns[copy % 4]} {'B.V.' if copy % 2 else 'ltd'}"
            for copy, p in enumerate(person)
        ],
    }
    missing = {name: rng.random(len(frame)) < 0.1 for name in made}
    return frame.assign(**{name: pd.Series(values).mask(missing[name]) for name, values in made.items()})
