"""Candidate pairs against the plain definition: all pairs that agree, each once."""

from itertools import combinations
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cdm_pipelines.linkage import LinkagePolicy
from cdm_pipelines.linkage.blocking.binding import bind
from cdm_pipelines.linkage.blocking.pairs import Allowed, stream
from cdm_pipelines.linkage.encode.records import encode

Row = dict[str, str | None]
LETTERS = st.one_of(st.none(), st.sampled_from("abc"))
ROWS = st.lists(st.fixed_dictionaries({"x": LETTERS, "y": LETTERS, "z": LETTERS}), max_size=14)


def build(blocking: list[dict[str, Any]], **changes: Any) -> LinkagePolicy:
    content = {
        "id": "id",
        "columns": {"x": {}, "y": {}, "z": {}},
        "derived": {"xy": {"of": ["x", "y"], "take": "value"}},
        "blocking": blocking,
        "comparisons": {"x": {"kind": "exact", "column": "x"}},
    }
    return LinkagePolicy.model_validate({**content, **changes})


def made(rows: list[Row], policy: LinkagePolicy, chunk: int = 1000) -> tuple[dict[tuple[int, int], int], int]:
    import pandas as pd  # noqa: PLC0415

    frame = pd.DataFrame(rows, columns=["x", "y", "z"]).assign(id=[f"{n:03d}" for n in range(len(rows))])
    if policy.source:
        frame["source"] = ["a" if n % 2 else "b" for n in range(len(rows))]
        frame = frame.assign(id=[f"{n:03d}" for n in range(len(rows))])
    records = encode(frame, policy)
    found: dict[tuple[int, int], int] = {}
    number = 0
    for pairs in stream(bind(policy, records)[0], Allowed(records, policy), chunk):
        for left, right, rules in zip(*(side.tolist() for side in pairs), strict=True):
            assert left < right
            found[left, right] = rules
            number += 1
    return found, number


@given(rows=ROWS, chunk=st.sampled_from([1, 3, 1000]))
@settings(max_examples=60, deadline=None)
def test_pairs_are_those_that_agree_each_once_with_all_their_rules(rows: list[Row], chunk: int) -> None:
    policy = build([{"keys": "x"}, {"keys": ["y", "z"]}, {"keys": "xy"}])
    found, number = made(rows, policy, chunk)
    expected = {}
    for i, j in combinations(range(len(rows)), 2):
        a, b = rows[i], rows[j]
        one = {v for v in (a["x"], a["y"]) if v} & {v for v in (b["x"], b["y"]) if v}
        agree = [
            a["x"] is not None and a["x"] == b["x"],
            None not in (a["y"], a["z"]) and (a["y"], a["z"]) == (b["y"], b["z"]),
            bool(one),
        ]
        if any(agree):
            expected[i, j] = sum(1 << k for k, does in enumerate(agree) if does)
    assert found == expected
    assert number == len(expected)


@given(rows=ROWS)
@settings(max_examples=40, deadline=None)
def test_neighbours_are_near_in_the_order_of_the_key(rows: list[Row]) -> None:
    found, _ = made(rows, build([{"keys": ["x", "y"], "window": 2}]))
    expected = set()
    for value in "abc":
        block = sorted((r["y"], n) for n, r in enumerate(rows) if r["x"] == value and r["y"] is not None)
        expected |= {
            (min(a[1], b[1]), max(a[1], b[1])) for k, a in enumerate(block) for b in block[k + 1 : k + 3]
        }
    assert set(found) == expected


def test_a_block_that_is_too_large_is_split_or_cut_and_reported() -> None:
    rows: list[Row] = [{"x": "a", "y": "p" if n < 4 else None, "z": "q"} for n in range(30)]
    policy = build([{"keys": "x"}], max_block_size=10)
    assert made(rows, policy)[0] == {}
    split = build([{"keys": "x", "refine": "y"}], max_block_size=10)
    assert set(made(rows, split)[0]) == set(combinations(range(4), 2))
    import pandas as pd  # noqa: PLC0415

    from cdm_pipelines.linkage import link  # noqa: PLC0415

    frame = pd.DataFrame(rows).assign(id=[str(n) for n in range(30)])
    rule = link(frame, policy).report["rules"][0]
    assert (rule["oversized_blocks"], rule["largest_block"], rule["pairs_not_made"]) == (1, 30, 435)


def test_a_rule_makes_no_more_pairs_than_the_policy_allows() -> None:
    rows: list[Row] = [
        {"x": str(n % 3) if n < 60 else f"s{n // 2}", "y": None, "z": None} for n in range(100)
    ]
    _, number = made(rows, build([{"keys": "x"}], max_pairs=100))
    assert number == 20  # the three blocks of twenty are cut, the pairs stay


def test_no_pairs_within_a_source_without_duplicates() -> None:
    rows: list[Row] = [{"x": "a", "y": None, "z": None} for _ in range(6)]
    policy = build([{"keys": "x"}], source="source", duplicate_free=["a", "b"])
    assert set(made(rows, policy)[0]) == {(i, j) for i in range(3) for j in range(3, 6)}
    policy = build([{"keys": "x"}], source="source", duplicate_free=["a", "not delivered yet"])
    assert len(set(made(rows, policy)[0])) == 12


def test_counting_and_sampling_pairs_of_a_key() -> None:
    from cdm_pipelines.linkage.blocking.pairs import Blocks  # noqa: PLC0415

    ids = np.array([[0], [0], [0], [1], [-1], [1]], dtype=np.int32)
    total, (left, right) = Blocks("", ids).sample(100, np.random.default_rng(1))
    assert total == 4
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 2), (3, 5)]
