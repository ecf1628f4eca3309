"""Linking what has changed gives what linking everything gives, bit for bit, whatever the history."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linkage_examples import full_people, full_policy, policy

from cdm_pipelines.linkage import LinkagePolicy, LinkResult, LocalEngine, link
from cdm_pipelines.linkage.cluster.constraints import Decided
from cdm_pipelines.linkage.encode.records import linked_columns
from cdm_pipelines.linkage.encode.rows import Rows
from cdm_pipelines.linkage.incremental.record_changes import RecordChanges
from cdm_pipelines.linkage.incremental.relink import EverythingError, Relinked, relink
from cdm_pipelines.linkage.incremental.removal import without_records
from cdm_pipelines.linkage.incremental.state import LinkState

PEOPLE = full_people(140, seed=11)
FEW, OTHERS = full_people(30, seed=11), full_people(90, seed=12)
PAIR = ["left_source", "left_id", "right_source", "right_id"]


def foreseeable(**changes: Any) -> LinkagePolicy:
    """The policy with everything, but for rules that look at more than the records themselves."""
    every = full_policy(**changes)
    rules = tuple(rule for rule in every.blocking if not rule.window and not rule.algorithm)
    return every.model_copy(update={"blocking": rules})


POLICY = foreseeable(max_pairs=300)
SMALL = policy(
    thresholds={"match": 0.8, "review": 0.05, "expected_false_matches": 0.01},
    clustering={"contradictions": [["birth_date", "given_name"]]},
)


@pytest.fixture(scope="module")
def first() -> LinkResult:
    return link(PEOPLE, POLICY, remember=True)


@cache
def start(policy_name: str) -> tuple[pd.DataFrame, LinkagePolicy, LinkResult]:
    """Linked records, from which histories begin."""
    how = {"small": SMALL, "with everything": POLICY}[policy_name]
    return FEW, how, link(FEW, how, remember=True, threads=1)


def assert_same(now: LinkState, everything: LinkState) -> None:
    kept, anew = at_once(everything), at_once(now)
    for name, table in (kept.base_tables() | kept.tables()).items():
        assert (anew.base_tables() | anew.tables())[name].equals(table), name


def at_once(state: LinkState) -> LinkState:
    """With all records in the base."""
    keys = [state.rows.keys(rule) for rule in range(len(state.rows.base.keys))]
    return replace(state, rows=Rows.of(state.rows.records(), keys))


@st.composite
def change(draw: st.DrawFn) -> dict[str, Any]:
    """How many records change, come and go, which columns change, and how many are decided about."""
    return {
        "changed": draw(st.integers(0, 8)),
        "columns": draw(st.sets(st.sampled_from([c.column for c in POLICY.columns.values()]), max_size=4)),
        "gone": draw(st.integers(0, 5)),
        "new": draw(st.integers(0, 5)),
        "decided": draw(st.integers(0, 3)),
        "confirmed": draw(st.integers(0, 3)),
        "seed": draw(st.integers(0, 10_000)),
    }


HISTORY = st.lists(change(), min_size=1, max_size=2)


def changed(people: pd.DataFrame, how: dict[str, Any], name: str) -> pd.DataFrame:
    rng = np.random.default_rng(how["seed"])
    people = people.reset_index(drop=True)
    rows = rng.choice(len(people), how["changed"], replace=False)
    for column in sorted(how["columns"]):
        people.loc[rows, column] = people.loc[rng.choice(len(people), how["changed"]), column].to_numpy()
    people = people.drop(rng.choice(len(people), how["gone"], replace=False))
    new = OTHERS.sample(how["new"], random_state=how["seed"]).assign(
        id=[f"{name}-{n}" for n in range(how["new"])]
    )
    return pd.concat([people, new]).sample(frac=1, random_state=how["seed"])


def decided(people: pd.DataFrame, how: dict[str, Any]) -> Decided:
    """Records, some of whom may go or come later, decided to be the same or different, or of confirmed customers."""
    number = 4 * how["decided"] + 2 * how["confirmed"]
    ids = (
        pd.concat([people["id"], OTHERS["id"]])
        .drop_duplicates()
        .sample(number, random_state=how["seed"])
        .to_numpy()
    )
    ids, members = np.split(ids, [4 * how["decided"]])
    columns = [np.full(len(ids) // 2, "records"), ids[::2]] * 2
    columns[3] = ids[1::2]
    pairs = pd.DataFrame(dict(zip(PAIR, columns, strict=True)))
    confirmed = pd.DataFrame({"source": "records", "record_id": members.astype(str)})
    confirmed["group"] = np.arange(len(members)) // 2
    return Decided(pairs[::2], pairs[1::2], confirmed)


def told(people: pd.DataFrame, state: LinkState, how: LinkagePolicy, which: bool) -> RecordChanges:
    """The records now and what has changed: found out, or as someone says who names some that did not change too."""
    now = linked_columns(people, how)
    if not which:
        return RecordChanges.between(state.rows, now, how)
    before = state.rows.records()
    gone = before.filter(pc.invert(pc.is_in(before["id"], value_set=now["id"].combine_chunks())))
    rows = now.to_pandas().merge(before.to_pandas(), how="left", indicator=True)["_merge"] == "left_only"
    rows[::9] = True
    return RecordChanges.by(state.rows, now.filter(pa.array(rows)), gone, how)


def assert_ends_as_if_everything_were_linked(policy_name: str, history: list[dict[str, Any]]) -> None:
    people, linkage, linked = start(policy_name)
    assert linked.state is not None
    model, state = linked.model, linked.state
    for number, how in enumerate(history):
        people = changed(people, how, f"new{number}")
        known = decided(people, how)
        everything = link(
            people, linkage, model=model, plan=state.plan, remember=True, threads=1, same=known.same,
            different=known.different, confirmed=known.confirmed,
        )  # fmt: skip
        assert everything.state is not None
        try:
            changes = told(people, state, linkage, how["seed"] % 2 == 0)
            again = LocalEngine(threads=1).relink(changes, linkage, model, state, decided=known)
        except EverythingError:
            state = everything.state
            continue
        assert_same(again.state, everything.state)
        pd.testing.assert_frame_equal(again.clusters(), everything.clusters)
        pd.testing.assert_frame_equal(again.pairs(linkage, model), everything.pairs)
        state = LinkState.from_tables(again.state.base_tables(), again.state.tables())


@pytest.mark.slow
@settings(max_examples=175, deadline=None)
@given(HISTORY)
def test_any_history_ends_as_if_everything_were_linked(history: list[dict[str, Any]]) -> None:
    assert_ends_as_if_everything_were_linked("small", history)


@settings(max_examples=25, deadline=None)
@given(HISTORY)
def test_any_history_ends_so_under_a_policy_with_everything(history: list[dict[str, Any]]) -> None:
    assert_ends_as_if_everything_were_linked("with everything", history)


@settings(max_examples=60, deadline=None)
@given(HISTORY, st.integers(1, 6), st.sampled_from(["small", "with everything"]))
def test_a_state_that_forgot_records_ends_as_if_they_had_never_been(
    history: list[dict[str, Any]], number: int, policy_name: str
) -> None:
    people, linkage, linked = start(policy_name)
    model, state = linked.model, linked.state
    assert state is not None
    for at, how in enumerate(history):
        gone = people.sample(min(number, len(people) - 5), random_state=how["seed"])["id"].astype(str)
        left = without_records(
            state, pa.table({"source": ["records"] * len(gone), "record_id": gone}), linkage
        )
        ids = set(gone)
        if left is not None:
            assert not ids & set(left.rows.records()["id"].to_pylist())
            decisions = left.decisions().values()
            assert not any(ids & set(map(str, row.values())) for one in decisions for row in one.to_pylist())
            state = left
        people = changed(people[~people["id"].astype(str).isin(ids)], how, f"new{at}")
        known = decided(people, how)
        everything = link(
            people, linkage, model=model, plan=state.plan, remember=True, threads=1, same=known.same,
            different=known.different, confirmed=known.confirmed,
        )  # fmt: skip
        assert everything.state is not None
        if left is not None:
            try:
                changes = RecordChanges.between(state.rows, linked_columns(people, linkage), linkage)
                again = LocalEngine(threads=1).relink(changes, linkage, model, state, decided=known)
                assert_same(again.state, everything.state)
            except EverythingError:
                pass
        state = everything.state


def test_after_forgetting_only_those_who_were_linked_with_the_forgotten_are_compared(
    first: LinkResult,
) -> None:
    assert first.state is not None
    together = np.bincount(first.state.component)[first.state.component]
    at = int(np.argmax(together == 2))
    gone = first.state.rows.records(np.array([at]))["id"].cast(pa.string())
    left = without_records(first.state, pa.table({"source": ["records"], "record_id": gone}), POLICY)
    assert left is not None
    assert len(left.rows) == len(first.state.rows) - 2
    people = PEOPLE[PEOPLE["id"].astype(str) != gone[0].as_py()]
    changes = RecordChanges.between(left.rows, linked_columns(people, POLICY), POLICY)
    again = relink(changes, POLICY, first.model, left)
    assert len(again.changed) == 1
    assert again.compared < first.report["pairs"] / 20


def test_forgetting_a_record_of_a_block_that_is_too_large_no_more_is_told() -> None:
    few = policy(max_block_size=4)
    people = full_people(80, seed=3)
    crowd = people.head(9).assign(id=[f"c{n}" for n in range(9)], birth_date="1901-02-03")
    first = link(pd.concat([people, crowd.head(4)]), few, remember=True)
    assert first.state is not None
    plan = first.state.plan

    def left(number: int) -> LinkState | None:
        everybody = pd.concat([people, crowd.head(number)])
        linked = link(everybody, few, model=first.model, plan=plan, remember=True)
        assert linked.state is not None
        return without_records(linked.state, pa.table({"source": ["records"], "record_id": ["c0"]}), few)

    assert left(4) is not None
    assert left(5) is None
    assert left(6) is not None


def anew(people: pd.DataFrame, how: LinkagePolicy, before: LinkResult) -> Relinked:
    assert before.state is not None
    changes = RecordChanges.between(before.state.rows, linked_columns(people, how), how)
    return relink(changes, how, before.model, before.state)


def test_only_what_changed_is_compared(first: LinkResult) -> None:
    assert first.state is not None
    people = PEOPLE.copy()
    people.loc[5, "surname"] = "hoogeveen"
    again = anew(people, POLICY, first)
    assert again.records.ids.take(again.changed).to_pylist() == [str(people.loc[5, "id"])]
    assert again.compared < first.report["pairs"] / 20
    untouched = anew(PEOPLE, POLICY, first)
    assert (len(untouched.changed), untouched.compared, len(untouched.affected)) == (0, 0, 0)


def test_a_block_that_outgrows_the_limit_asks_for_everything() -> None:
    few = policy(max_block_size=4)
    people = full_people(80, seed=3)
    before = link(people, few, remember=True)
    crowd = people.head(9).assign(id=[f"c{n}" for n in range(9)], birth_date=people.loc[0, "birth_date"])
    assert before.state is not None
    with pytest.raises(EverythingError, match=r"birth_date.* 4 records"):
        anew(pd.concat([people, crowd]), few, before)


def test_a_window_asks_for_everything(first: LinkResult) -> None:
    assert first.state is not None
    with pytest.raises(EverythingError, match="given_name"):
        anew(PEOPLE, full_policy(), first)


def test_a_plan_keeps_blocks_as_they_were_when_the_model_was_fitted(first: LinkResult) -> None:
    """Without it, ten times the records would move the limits, and with them pairs of records that did not change."""
    assert first.state is not None
    again = link(PEOPLE, POLICY, model=first.model, plan=first.state.plan)
    pd.testing.assert_frame_equal(again.pairs, first.pairs)
    assert first.state.plan.refined["birth_date"].size or first.state.plan.cut["any_phone"].size
