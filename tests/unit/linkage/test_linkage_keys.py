"""Hashed blocking keys say what the values say, whatever the table; a plan is what was decided, and no more."""

from collections.abc import Sequence
from itertools import product
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linkage_examples import full_people, full_policy

from cdm_pipelines.linkage import LinkagePolicy
from cdm_pipelines.linkage.blocking.binding import bind, hashed_keys
from cdm_pipelines.linkage.encode.hashes import Hashes, hashed, of_records
from cdm_pipelines.linkage.encode.keys import PLAN_SCHEMA, BlockingPlan, among, together
from cdm_pipelines.linkage.encode.records import encode

Value = str | None
values = st.one_of(st.none(), st.sampled_from(["", "a", "b", "ab", "é", "日本", "0"]))


def keys_of(rows: Sequence[Sequence[Value]], more: Sequence[str] = (), seed: int = 0) -> Hashes:
    """Hashes of the values of each record, by way of a dictionary in some order, with values of others in it."""
    distinct = sorted({value for row in rows for value in row if value is not None} | set(more))
    Random(seed).shuffle(distinct)
    codes = [[-1 if value is None else distinct.index(value) for value in row] for row in rows]
    return of_records(hashed(pa.array(distinct, pa.string())), np.array(codes, np.int32))


@given(
    rows=st.lists(st.tuples(values, values), min_size=1, max_size=8),
    more=st.sets(st.sampled_from(["x", "y"])),
    seed=st.integers(0, 99),
)
def test_a_value_has_one_hash_and_null_has_none(
    rows: list[tuple[Value, Value]], more: set[str], seed: int
) -> None:
    keys = keys_of(rows)
    assert keys.dtype == np.uint64
    assert keys.shape == (len(rows), 2)
    assert (keys == keys_of(rows, sorted(more), seed)).all()
    flat = [value for row in rows for value in row]
    for (one, key), (other, another) in product(zip(flat, keys.ravel().tolist(), strict=True), repeat=2):
        assert (key == 0) == (one is None)
        assert (key == another) == (one == other)


def test_hashes_are_those_of_every_other_machine() -> None:
    """They lie in the lake: what was written yesterday, elsewhere, is compared with what is made today."""
    assert hashed(pa.array(["", "jansen", "1234ab", "日本"])).tolist() == [
        1760245841805064774,
        574309311732356461,
        8608508295071877753,
        17040212410883982529,
    ]
    pair = together([hashed(pa.array([text]))[:, None] for text in ("jansen", "1234ab")])
    assert pair.tolist() == [[14950237184266343498]]
    assert len(hashed(pa.array([], pa.string()))) == 0


@st.composite
def several(draw: st.DrawFn) -> list[list[tuple[Value, ...]]]:
    """For some records the values of one to three columns, each of one or two values a record."""
    widths = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3))
    return draw(
        st.lists(st.tuples(*(st.tuples(*[values] * width) for width in widths)), min_size=1, max_size=6)
    )


@settings(deadline=None)
@given(rows=several())
def test_together_is_agreement_on_all(rows: list[list[tuple[Value, ...]]]) -> None:
    keys = together([keys_of([row[column] for row in rows]) for column in range(len(rows[0]))])
    combinations = [list(product(*row)) for row in rows]
    assert keys.shape == (len(rows), len(combinations[0]))
    flat = [
        (key, combination)
        for row, found in zip(keys.tolist(), combinations, strict=True)
        for key, combination in zip(row, found, strict=True)
    ]
    for (key, one), (another, other) in product(flat, repeat=2):
        assert (key == 0) == (None in one)
        if key and another:
            assert (key == another) == (one == other)


def test_the_order_of_keys_counts() -> None:
    one, other = keys_of([("a",), ("b",)]), keys_of([("b",), ("a",)])
    assert together([one, other])[0] != together([one, other])[1]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0.1, 1.0))
def test_a_record_has_its_keys_in_every_table(seed: int, share: float) -> None:
    everything = PEOPLE.sample(frac=1, random_state=seed)
    some = everything.sample(frac=share, random_state=seed)
    for whole, part in zip(blocking_keys(everything), blocking_keys(some), strict=True):
        assert {name: whole[name] for name in part} == part


PEOPLE = full_people(60, seed=3)
POLICY = full_policy()


def blocking_keys(people: pd.DataFrame) -> list[dict[str, Any]]:
    records = encode(people, POLICY, words={"job_words": {}})
    source = [records.sources[code] for code in records.source]
    names = [f"{one} {other}" for one, other in zip(source, records.ids.to_pylist(), strict=True)]
    found = []
    for rule in POLICY.blocking:
        if not rule.window and not rule.algorithm:
            keys, finer = hashed_keys(rule, records)
            found.append(dict(zip(names, keys.tolist(), strict=True)))
            if finer is not None:
                found.append(dict(zip(names, finer.tolist(), strict=True)))
    return found


hashes = st.integers(1, 2**64 - 1)
some_hashes = st.dictionaries(
    st.sampled_from(["one", "two", "birth_date"]),
    st.lists(hashes, max_size=5, unique=True).map(lambda found: np.array(sorted(found), np.uint64)),
)
plans = st.builds(
    BlockingPlan,
    some_hashes,
    some_hashes,
    st.dictionaries(st.sampled_from(["words", "more words"]), st.dictionaries(hashes, st.integers(1, 2**40))),
)


@settings(max_examples=40, deadline=None)
@given(plan=plans)
def test_a_plan_is_what_its_table_says(plan: BlockingPlan) -> None:
    table = plan.to_table()
    assert table.schema == PLAN_SCHEMA
    again = BlockingPlan.from_table(table)
    assert again.words == plan.words
    for former, latter in ((plan.refined, again.refined), (plan.cut, again.cut)):
        assert {name: keys.tolist() for name, keys in latter.items()} == {
            name: keys.tolist() for name, keys in former.items()
        }
        assert all(keys.dtype == np.uint64 for keys in latter.values())
    assert again.to_table() == table


few = st.integers(0, 6)


@st.composite
def decided(draw: st.DrawFn) -> dict[str, Any]:
    """Keys of some records, the keys that refine them, and what was decided about which."""
    records, width, wide = draw(st.integers(1, 6)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    shape = st.lists(st.lists(few, min_size=width, max_size=width), min_size=records, max_size=records)
    finer = st.lists(
        st.lists(st.integers(0, 4), min_size=width * wide, max_size=width * wide),
        min_size=records,
        max_size=records,
    )
    return {
        "keys": np.array(draw(shape), np.uint64),
        "finer": np.array(draw(finer), np.uint64),
        "refined": draw(st.sets(st.integers(1, 6))),
        "cut": draw(st.sets(st.integers(1, 6))),
        "cut_finer": draw(st.sets(st.integers(1, 4))),
        "refines": draw(st.booleans()),
    }


def at(rule: str, keys: set[int]) -> dict[str, Hashes]:
    return {rule: np.array(sorted(keys), np.uint64)}


@settings(deadline=None)
@given(case=decided())
def test_exactly_the_keys_of_the_plan_are_refined_and_cut(case: dict[str, Any]) -> None:
    keys, finer = case["keys"], case["finer"] if case["refines"] else None
    everything = np.arange(7, dtype=np.uint64)
    hidden = BlockingPlan(at("rule", {*range(1, 7)})).effective(
        "rule", np.ones((7, 1), np.uint64), everything[:, None]
    )[:, 0]
    assert hidden[0] == 0
    assert len(set(hidden.tolist()) - set(range(7))) == 6  # what is refined is no key of before
    cut = np.array(sorted({*case["cut"], *hidden[sorted(case["cut_finer"])].tolist()}), np.uint64)
    plan = BlockingPlan(at("rule", case["refined"]), {"rule": cut})
    found = plan.effective("rule", keys, finer)
    wide = finer.shape[1] // keys.shape[1] if finer is not None else 1
    assert len(found) == len(keys)
    for record, row in enumerate(keys.tolist()):
        expected = []
        for slot, key in enumerate(row):
            if finer is not None and key in case["refined"]:
                expected += hidden[finer[record, slot * wide : (slot + 1) * wide].astype(int)].tolist()
            else:
                expected.append(key)
        expected = [key for key in expected if key and key not in cut.tolist()]
        assert sorted(found[record][found[record] > 0].tolist()) == sorted(expected)


@given(case=decided())
def test_another_rule_is_left_alone(case: dict[str, Any]) -> None:
    plan = BlockingPlan(at("other", case["refined"]), at("other", case["cut"]))
    found = plan.effective("rule", case["keys"], None)
    assert (found == case["keys"]).all()


@given(keys=st.lists(few, min_size=1), some=st.lists(st.integers(1, 6)))
def test_among(keys: list[int], some: list[int]) -> None:
    found = among(np.array([keys, keys], np.uint64), np.array(some, np.uint64))
    assert found.tolist() == [[key in some for key in keys]] * 2


def refining(refine: str) -> LinkagePolicy:
    return LinkagePolicy.model_validate(
        {
            "id": "id",
            "columns": {"x": {}, "y": {}, "z": {}},
            "derived": {"yz": {"of": ["y", "z"], "take": "value"}, "xy": {"of": ["x", "y"], "take": "value"}},
            "blocking": [{"keys": "x", "refine": refine}, {"keys": "xy", "refine": refine}],
            "comparisons": {"x": {"kind": "exact", "column": "x"}},
            "max_block_size": 6,
        }
    )


@pytest.mark.parametrize("refine", ["y", "yz"])
def test_a_plan_makes_the_pairs_of_the_day_it_was_made(refine: str) -> None:
    """Large blocks are split by a column, or by two of which one has to agree; small ones stay as they are."""
    rows: list[tuple[Value, ...]] = [("large", f"y{n % 3}", f"z{n % 2}") for n in range(8)]
    rows += [("six", "y7", "z7")] * 6 + [("small", f"y{n}", None) for n in range(4, 6)]
    frame = pd.DataFrame(rows, columns=["x", "y", "z"]).assign(id=[f"{n:02d}" for n in range(len(rows))])
    policy = refining(refine)
    records = encode(frame, policy)
    makers, plan = bind(policy, records)
    again, _ = bind(policy, records, plan=BlockingPlan.from_table(plan.to_table()))
    pairs = [made_by(maker) for maker in makers]
    assert pairs == [made_by(maker) for maker in again]
    plain = {
        (a, b)
        for a, b in product(range(len(rows)), repeat=2)
        if a < b and rows[a][0] == rows[b][0] and (rows[a][0] != "large" or agree(rows[a], rows[b], refine))
    }
    assert pairs[0] == plain


def agree(one: tuple[Value, ...], other: tuple[Value, ...], refine: str) -> bool:
    return bool({*one[1 : 1 + len(refine)]} & {*other[1 : 1 + len(refine)]} - {None})


def made_by(maker: Any) -> set[tuple[int, int]]:
    return {
        (left, right)
        for a, b in maker.chunks(100)
        for left, right in zip(a.tolist(), b.tolist(), strict=True)
    }
