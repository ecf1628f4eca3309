"""What an engine that never holds all records computes from parts of them is what is computed from the whole."""

import pickle
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import rapidfuzz.process
from linkage_examples import full_people, full_policy

from cdm_pipelines.linkage import Engine, LinkagePolicy, LinkResult, LocalEngine, link
from cdm_pipelines.linkage.blocking.binding import bind, block_sizes, hashed_keys
from cdm_pipelines.linkage.blocking.pairs import Allowed, Blocks
from cdm_pipelines.linkage.blocking.plan import BlockSizes, decide_plan
from cdm_pipelines.linkage.cluster.constraints import Decided, PlacedDecisions
from cdm_pipelines.linkage.cluster.divide import divide
from cdm_pipelines.linkage.compare.comparers import Comparer, side_by_side
from cdm_pipelines.linkage.encode.hashes import Hashes
from cdm_pipelines.linkage.encode.records import encode
from cdm_pipelines.linkage.model.scoring import PairScorer
from cdm_pipelines.linkage.model.u_probabilities import (
    UProbabilities,
    equal_pairs,
    key_counts,
    random_pairs,
    u_probabilities,
)
from cdm_pipelines.parallel import allowed as allowed_threads
from cdm_pipelines.parallel import at_most, in_order

PEOPLE = full_people(600, seed=21)
Counts = npt.NDArray[np.int64]


def refining(**changes: Any) -> LinkagePolicy:
    """Rules whose blocks are small and large, of one value and of several, refined and cut."""
    blocking = [
        {"keys": "city", "refine": ["gender", "any_phone"]},
        {"keys": "any_phone", "refine": "any_phone"},
        {"keys": ["job", "gender"]},
        {"keys": ["surname", "any_phone"], "refine": "given_name", "max_pairs": 40},
        {"keys": ["given_name", "surname"], "window": 2},
    ]
    return full_policy(blocking=blocking, max_block_size=4, **changes)


def added(parts: list[tuple[Hashes, Counts]]) -> tuple[Hashes, Counts]:
    """Counts by key, added up over parts."""
    total: Counter[int] = Counter()
    for keys, counts in parts:
        total.update(dict(zip(keys.tolist(), counts.tolist(), strict=True)))
    return np.array(list(total), np.uint64), np.array(list(total.values()), np.int64)


def test_the_plan_of_all_records_is_decided_from_counts_of_their_parts() -> None:
    rules = refining()
    whole = encode(PEOPLE, rules)
    _, plan = bind(rules, whole)
    parts = [encode(PEOPLE.iloc[start::3], rules) for start in range(3)]
    sizes = []
    for rule in rules.blocking:
        if rule.window:
            continue
        keys = [hashed_keys(rule, part) for part in parts]
        counted = [block_sizes(rule, rules, len(whole), *one) for one in keys]
        every, records = added([(one.keys, one.sizes) for one in counted])
        known = counted[0]
        first = BlockSizes(rule.label, known.largest, known.most_pairs, every, records, known.refines)
        # Which blocks are too large is known now: each part counts the refined keys within them.
        refined = [refined_within(one, first.too_large) for one in keys if one[1] is not None]
        if refined:
            more, more_sizes = added(refined)
            first = replace(first, refined=more, refined_sizes=more_sizes)
        sizes.append(first)
    decided = decide_plan(sizes)
    assert sum(map(len, decided.refined.values())) > 3
    assert sum(map(len, decided.cut.values())) > 3
    for one in sizes:
        assert decided.refined[one.rule].tolist() == plan.refined[one.rule].tolist()
        assert decided.cut[one.rule].tolist() == plan.cut[one.rule].tolist()
    makers = {maker.label: maker for maker in bind(rules, whole)[0]}
    assert all(makers[one.rule].largest <= one.largest for one in sizes), "a block that is cut makes pairs"
    assert {one.rule: one.oversized for one in sizes} == {
        one.rule: makers[one.rule].oversized for one in sizes
    }


def refined_within(keys: tuple[Hashes, Hashes | None], large: Hashes) -> tuple[Hashes, Counts]:
    """A part's refined keys in blocks that are too large, record by record as the definition has it."""
    plain, finer = keys
    assert finer is not None
    each = finer.shape[1] // plain.shape[1]
    found: Counter[int] = Counter()
    for own, fine in zip(plain.tolist(), finer.tolist(), strict=True):
        for slot, key in enumerate(fine):
            if key and own[slot // each] in set(large.tolist()):
                found[key] += 1
    return np.array(list(found), np.uint64), np.array(list(found.values()), np.int64)


def test_u_probabilities_are_those_of_levels_counted_in_parts() -> None:
    rules = full_policy()
    records = encode(PEOPLE, rules)
    allowed, comparer = Allowed(records, rules), Comparer(records, rules)
    wanted, seed = 20_000, 5
    found = u_probabilities(dict(comparer.by_name), records, allowed, wanted, seed)
    rows = PEOPLE.set_index("id", drop=False).loc[records.ids.to_pylist()]
    randomly = random_pairs(len(records), wanted, allowed, np.random.default_rng(seed))
    parts = [Comparer(encode(PEOPLE.iloc[start::3], rules), rules) for start in range(3)]
    for number, (name, compared) in enumerate(comparer.by_name.items()):
        rng = np.random.default_rng([seed, number])
        _, drawn = Blocks("", compared.key().codes).sample(50_000, rng)
        equal = equal_pairs(added([key_counts(part.by_name[name]) for part in parts])[1])
        inside, _, _ = counted_in_parts(rules, name, rows, drawn)
        _, outside, made = counted_in_parts(rules, name, rows, randomly)
        u = UProbabilities.from_counts(
            inside, outside, equal=equal, comparable=made / len(randomly[0]), total=allowed.total
        )
        assert u.levels.tobytes() == found[name].levels.tobytes(), name
        assert u.comparable == found[name].comparable


def counted_in_parts(
    rules: LinkagePolicy, name: str, rows: pd.DataFrame, pairs: tuple[Any, Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int]:
    """Levels of all pairs and of those with different keys, and how many were compared, in batches of their own."""
    only = rules.model_copy(update={"comparisons": {name: rules.comparisons[name]}})
    everything, different, made = np.zeros(12), np.zeros(12), 0
    size = 0
    for start in range(0, len(pairs[0]), 4_000):
        left, right = (rows.iloc[side[start : start + 4_000]] for side in pairs)
        records, one, other = side_by_side(left, right, only)
        compared = Comparer(records, only).by_name[name]
        size = len(compared.labels)
        levels, equal = compared.levels(one, other), compared.key().equal(one, other)
        made += int((levels >= 0).sum())
        everything += np.bincount(levels[levels >= 0], minlength=12)
        different += np.bincount(levels[(levels >= 0) & ~equal], minlength=12)
    return everything[:size], different[:size], made


@pytest.fixture(scope="module")
def linked() -> LinkResult:
    pairs = pd.DataFrame(
        [["records", "00010-0", "records", "00011-0"], ["records", "00020-0", "records", "00021-0"]],
        columns=["left_source", "left_id", "right_source", "right_id"],
    )
    ids = set(PEOPLE["id"])
    assert ids >= {*pairs["left_id"], *pairs["right_id"]}
    confirmed = pd.DataFrame({"source": "records", "record_id": ["00030-0", "00031-0"], "group": [1, 1]})
    return link(PEOPLE, full_policy(), remember=True, same=pairs, confirmed=confirmed)


def test_a_component_is_divided_from_its_own_records_alone(linked: LinkResult) -> None:
    state, rules = linked.state, full_policy()
    assert state is not None
    scorer = pickle.loads(pickle.dumps(PairScorer(rules, linked.model, state.plan.words)))
    components, sizes = np.unique(state.component, return_counts=True)
    assert (sizes > 2).sum() > 5
    for component in components[sizes > 1]:
        here = np.flatnonzero(state.component == component)
        records = scorer.encode(state.rows.records(here))
        own = state.links.at(np.flatnonzero(state.component[state.links.left] == component))
        left, right = (np.searchsorted(here, side).astype(np.int32) for side in (own.left, own.right))
        decisions = PlacedDecisions.of(records, state.decided)
        found = divide(scorer.over(records), replace(own, left=left, right=right), decisions)
        assert here[found.member].tolist() == state.member[here].tolist()
        assert set(here[found.component].tolist()) == {int(component)}
        assert found.figures.bridge.tobytes() == state.figures.bridge[here].tobytes()
        assert found.figures.against.tolist() == state.figures.against[here].tolist()


def test_the_local_engine_is_an_engine(linked: LinkResult) -> None:
    engine: Engine = LocalEngine(threads=1)
    again = engine.link(PEOPLE, full_policy(), model=linked.model, decided=Decided())
    assert len(again.clusters) == len(PEOPLE)
    assert engine.fit(PEOPLE, full_policy()).fingerprint == linked.model.fingerprint


@pytest.mark.parametrize("threads", [1, 2])
def test_strings_are_compared_by_as_many_threads_as_were_asked_for(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    compare = rapidfuzz.process.cpdist

    def told(*texts: Any, workers: int, **options: Any) -> Any:
        asked.append(workers)
        return compare(*texts, workers=workers, **options)

    monkeypatch.setattr(rapidfuzz.process, "cpdist", told)
    many = [f"jansen{number}" for number in range(6_000)]
    frame = pd.DataFrame({"id": many, "town": "urk", "name": many})
    rules = LinkagePolicy.model_validate(
        {
            "id": "id",
            "columns": {"town": {}, "name": {}},
            "blocking": [{"keys": "town", "window": 1}],
            "comparisons": {"name": {"kind": "text", "columns": "name"}},
        }
    )
    link(frame, rules, threads=threads)
    assert max(asked) == threads


def test_what_runs_within_threads_is_allowed_as_many() -> None:
    with at_most(3) as threads:
        assert threads == allowed_threads() == 3
        assert list(in_order(lambda _: allowed_threads(), range(4))) == [3] * 4
        assert list(in_order(lambda _: allowed_threads(), range(4), 1)) == [1] * 4
        with at_most(None):
            assert allowed_threads() == 3
    assert list(in_order(lambda _: allowed_threads(), range(2), 2)) == [2, 2]
