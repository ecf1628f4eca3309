"""What agreement weighs: by chance, and by how common a value is."""

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from linkage_examples import people, policy

from cdm_pipelines.linkage import fit, link
from cdm_pipelines.linkage.blocking.pairs import Allowed
from cdm_pipelines.linkage.compare.comparers import Comparer
from cdm_pipelines.linkage.encode.records import encode
from cdm_pipelines.linkage.model.u_probabilities import u_probabilities


def test_agreement_that_random_pairs_never_show_is_counted() -> None:
    """Dates of birth of 3,000 people agree once in 20,000 pairs; 2,000 random pairs tell nothing about that."""
    frame = people(3_000, seed=1).drop_duplicates("truth_id").head(2_000)
    rules = policy(training={"random_pairs": 2_000})
    records = encode(frame, rules)
    comparer = Comparer(records, rules)
    found = u_probabilities(dict(comparer.by_name), records, Allowed(records, rules), 2_000, seed=1)
    for name, level in (("birth_date", 5), ("postcode", 1), ("surname", 5)):
        values = frame[name].dropna()
        equal = sum(n * (n - 1) // 2 for n in values.value_counts())
        share = equal / (len(values) * (len(values) - 1) / 2)
        assert found[name].levels[level] == pytest.approx(share, rel=0.1)
        assert found[name].levels.sum() == pytest.approx(1.0)


def test_small_tables_are_counted_whole() -> None:
    frame = people(30, seed=5)
    rules = policy()
    records = encode(frame, rules)
    found = u_probabilities(
        dict(Comparer(records, rules).by_name), records, Allowed(records, rules), 20_000, seed=1
    )
    values = frame["postcode"].dropna()
    made = [(a, b) for a, b in combinations(values, 2)]
    assert found["postcode"].comparable == pytest.approx(len(made) / (len(frame) * (len(frame) - 1) / 2))
    assert found["postcode"].levels[1] == pytest.approx(sum(a == b for a, b in made) / len(made), rel=0.01)


def common_and_rare() -> pd.DataFrame:
    frame = people(600, seed=12, errors=0.05)
    frame["surname"] = np.where(frame["truth_id"] % 3 == 0, "jansen", frame["surname"])
    rare = frame["truth_id"].isin(range(1, 30))
    frame.loc[rare, "surname"] = "naam" + frame.loc[rare, "truth_id"].map(lambda n: chr(97 + n % 26) * 3)
    return frame


def test_a_rare_name_weighs_more_than_a_common_one() -> None:
    frame = common_and_rare()
    result = link(frame, policy(thresholds={"match": 0.5, "review": 0.01}))
    by_id = frame.set_index("id")
    pairs = result.pairs
    equal = pairs[(pairs["surname"] == 5) & (pairs["given_name"] == 9) & (pairs["birth_date"] == 5)]
    names = by_id["surname"][equal["left_id"]]
    common = equal["weight"][(names == "jansen").to_numpy()]
    rare = equal["weight"][names.str.startswith("naam").to_numpy()]
    assert len(common) > 5
    assert len(rare) > 5
    assert rare.median() > common.median() + 2


def test_a_model_names_no_value_that_fewer_than_five_records_share() -> None:
    frame = common_and_rare()
    terms = json.loads(fit(frame, policy()).to_json())["comparisons"]["surname"]["terms"]["values"]
    counts = frame["surname"].value_counts()
    assert "jansen" in terms
    assert all(counts[name] >= 5 for name in terms if name in counts)
    assert not set(terms) & set(counts[counts < 5].index)


def test_a_number_that_a_record_has_twice_is_one_record_s() -> None:
    frame = people(100, seed=3)
    numbers = [f"06{n:08d}" for n in range(len(frame))]
    numbers[:3], numbers[3:8] = ["0611111111"] * 3, ["0622222222"] * 5
    rules = policy(
        columns={
            **policy().model_dump()["columns"],
            "phone": {"clean": "digits"},
            "mobile": {"clean": "digits"},
        },
        comparisons={"phone": {"kind": "phone", "columns": ["phone", "mobile"], "term_frequency": {}}},
    )
    terms = fit(frame.assign(phone=numbers, mobile=numbers), rules).comparisons["phone"].terms
    assert terms is not None
    assert terms.values == {"0622222222": 5}


def test_prior_follows_the_share_of_matches() -> None:
    """Few matches as well as many: the expected number of matches is near the true one."""
    for repeat in (True, False):
        frame = people(1_500, seed=21, errors=0.1)
        if not repeat:
            frame = pd.concat(
                [frame.drop_duplicates("truth_id"), frame[frame["truth_id"] < 60]]
            ).drop_duplicates("id")
        true = sum(n * (n - 1) // 2 for n in frame["truth_id"].value_counts())
        expected = fit(frame, policy()).training["expected_matches"]
        assert 0.75 * true < expected < 1.25 * true
