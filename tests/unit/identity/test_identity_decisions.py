"""Which decisions count: undoing, contradictions, and what linkage is told."""

import random
from itertools import combinations
from typing import Any

import pandas as pd
import pytest
from decision_logs import log, names, record
from hypothesis import given, settings
from hypothesis import strategies as st

from cdm_pipelines.identity.constraints import NOTHING_DECIDED, Constraints, constraints_of
from cdm_pipelines.identity.decisions import Decision, Kind
from cdm_pipelines.identity.effective import State, effective

Entry = tuple[Any, ...]
LETTERS = "abcdef"

CONFLICTS: list[tuple[str, list[Entry], tuple[int, ...], str]] = [
    (
        "the same through another, and different",
        [("same", "a", "b"), ("same", "b", "c"), ("different", "a", "c")],
        (1, 2),
        "abc",
    ),
    (
        "the same what others say is different",
        [("same", "a", "b"), ("different", "b", "c"), ("same", "a", "c")],
        (1, 2),
        "bac",
    ),
    (
        "different at once and through another: the shorter way is told",
        [("same", "a", "f"), ("different", "a", "d"), ("different", "b", "ac"), ("confirm", "bcf")],
        (3,),
        "bc",
    ),
    (
        "two confirmed customers joined",
        [("confirm", "ab"), ("confirm", "cd"), ("same", "b", "c")],
        (1, 2),
        "bc",
    ),
    (
        "two confirmed customers joined by a third record",
        [("confirm", "ab"), ("confirm", "cd"), ("same", "b", "e"), ("same", "e", "d")],
        (1, 2, 3),
        "bed",
    ),
    (
        "a customer confirmed that holds different records",
        [("different", "a", "bc"), ("confirm", "ab")],
        (1,),
        "ab",
    ),
    (
        "a confirmed customer with different records",
        [("confirm", "abc"), ("different", "a", "c")],
        (1,),
        "ac",
    ),
    (
        "a confirmed customer that grew",
        [("confirm", "ab"), ("confirm", "bc"), ("confirm", "d"), ("same", "c", "d")],
        (2, 3),
        "cd",
    ),
]


@pytest.mark.parametrize("case", CONFLICTS, ids=lambda case: case[0])
def test_a_contradiction_names_what_it_contradicts_and_changes_nothing(
    case: tuple[str, list[Entry], tuple[int, ...], str],
) -> None:
    _, entries, against, through = case
    written = log(*entries)
    found = effective(written)
    (conflict,) = found.conflicts
    assert conflict.decision == written[-1]
    assert conflict.clash.decisions == against
    assert names(conflict.clash.records) in (through, through[::-1])
    assert found.states[len(entries)] is State.CONFLICT
    assert constraints_of(found).fingerprint == constraints_of(effective(written[:-1])).fingerprint
    for number in (*against, len(entries)):
        solved = effective(log(*entries, ("undo", number)))
        assert solved.conflicts == ()
        assert solved.states[number] is State.UNDONE


def test_a_customer_may_be_confirmed_again_with_more_records() -> None:
    found = effective(log(("confirm", "ab"), ("confirm", "abc")))
    assert found.conflicts == ()
    confirmed = constraints_of(found).confirmed
    assert confirmed["record_id"].tolist() == ["a", "b", "c"]
    assert confirmed["group"].nunique() == 1


def test_an_undo_can_be_undone() -> None:
    entries: list[Entry] = [("same", "a", "b"), ("undo", 1)]
    assert len(constraints_of(effective(log(*entries))).same) == 0
    again = effective(log(*entries, ("undo", 2)))
    assert len(constraints_of(again).same) == 1
    assert again.states == {1: State.EFFECTIVE, 2: State.UNDONE, 3: State.EFFECTIVE}


def test_customers_are_apart_record_by_record() -> None:
    different = constraints_of(effective(log(("different", "ab", "cd")))).different
    assert sorted(different["left_id"] + different["right_id"]) == ["ac", "ad", "bc", "bd"]
    assert set(different["left_source"]) == {"crm/contact"}


pairs = st.lists(st.sampled_from(LETTERS), min_size=2, max_size=2, unique=True)
some = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=3, unique=True).map("".join)
split = st.lists(st.sampled_from(LETTERS), min_size=2, max_size=4, unique=True)
drawn: st.SearchStrategy[Entry] = st.one_of(
    pairs.map(lambda p: ("same", *p)),
    split.map(lambda p: ("different", p[0], "".join(p[1:]))),
    some.map(lambda p: ("confirm", p)),
    pairs.map(lambda p: ("set", p[0], p[1])),
    st.integers(1, 8).map(lambda number: ("undo", number)),
)
logs = st.lists(drawn, max_size=10).map(
    lambda entries: [e for at, e in enumerate(entries) if undoes(e) <= at]
)


def undoes(entry: Entry) -> int:
    """The decision that an entry takes back; 0 for none."""
    return int(entry[1]) if entry[0] == "undo" else 0


def parties(accepted: list[Decision]) -> dict[str, set[str]]:
    """By record those of its party: the slow way."""
    found = {letter: {letter} for letter in LETTERS}
    for decision in accepted:
        whole = set().union(*(found[r.record_id] for r in decision.joins)) if decision.joins else set()
        for letter in whole:
            found[letter] = whole
    return found


def consistent(accepted: list[Decision]) -> bool:
    """Whether decisions go together: the slow way. A confirmation must meet one confirmed party at most."""
    found = parties(accepted)
    for decision in accepted:
        if any(b.record_id in found[a.record_id] for a in decision.left for b in decision.right) and (
            decision.kind is Kind.DIFFERENT
        ):
            return False
    confirmations: list[Decision] = []
    for at, decision in enumerate(accepted):
        before, now = parties(accepted[:at]), parties(accepted[: at + 1])
        for one, other in combinations(confirmations, 2):
            a, b = one.joins[0].record_id, other.joins[0].record_id
            if b in now[a] and b not in before[a]:
                return False
        confirmations += [decision] if decision.kind is Kind.CONFIRM else []
    return True


@settings(max_examples=100, deadline=None)
@given(entries=logs, order=st.randoms())
def test_laws_of_effective_decisions(entries: list[Entry], order: random.Random) -> None:
    written = log(*entries)
    found = effective(written)
    shuffled = effective(order.sample(written, len(written)))
    assert (shuffled.states, shuffled.conflicts) == (found.states, found.conflicts)
    assert constraints_of(shuffled).fingerprint == constraints_of(found).fingerprint

    accepted: list[Decision] = []
    for decision in written:
        if found.states[decision.decision_id] is State.UNDONE or decision.kind is Kind.UNDO:
            continue
        fits = consistent([*accepted, decision])
        assert (found.states[decision.decision_id] is State.EFFECTIVE) == fits
        accepted += [decision] if fits else []
    assert list(found.decisions) == accepted

    for conflict in found.conflicts:
        named = [d for d in written if d.decision_id in conflict.clash.decisions]
        assert not consistent([*named, conflict.decision])
        for spared in named:
            assert consistent([*(d for d in named if d != spared), conflict.decision])

    undone = effective(log(*entries, *(("undo", d.decision_id) for d in accepted_or_not(written))))
    assert constraints_of(undone).fingerprint == NOTHING_DECIDED.fingerprint
    assert (undone.conflicts, undone.decisions) == ((), ())


def accepted_or_not(written: list[Decision]) -> list[Decision]:
    """What is to be undone so that nothing is left: the newest first, so that an undo is undone before its target."""
    return [d for d in reversed(written) if d.kind is not Kind.UNDO]


def merges(*pairs: str) -> pd.DataFrame:
    rows = [("crm/contact", pair[0], "crm/contact", pair[1]) for pair in pairs]
    return pd.DataFrame(rows, columns=["left_source", "left_id", "right_source", "right_id"])


MERGES = [
    ("nothing decided", [], ["ab", "bc"], ["ab", "bc"]),
    ("a steward knows better", [("different", "a", "b")], ["ab", "cd"], ["cd"]),
    ("through others", [("different", "a", "c")], ["ab", "bc"], ["ab"]),
    ("through what is decided", [("same", "a", "x"), ("different", "x", "b")], ["ab", "bc"], ["bc"]),
    ("of two confirmed customers", [("confirm", "ab"), ("confirm", "cd")], ["bc", "ae"], ["ae"]),
    ("that lead to two confirmed customers", [("confirm", "a"), ("confirm", "c")], ["ab", "bc"], ["ab"]),
    ("within one confirmed customer", [("confirm", "ab")], ["ab"], ["ab"]),
]  # fmt: skip


@pytest.mark.parametrize("case", MERGES, ids=lambda case: case[0])
def test_merges_of_a_source_give_way_to_decisions(
    case: tuple[str, list[Entry], list[str], list[str]],
) -> None:
    _, entries, delivered, left = case
    constraints: Constraints = constraints_of(effective(log(*entries)))
    given_ = merges(*delivered)
    kept = constraints.allowed(given_)
    assert (kept["left_id"] + kept["right_id"]).tolist() == left
    backwards = constraints.allowed(given_[::-1])
    assert sorted(backwards["left_id"] + backwards["right_id"]) == left


def test_records_are_read_as_they_are_written() -> None:
    found = record("with/slash")
    assert type(found).parse(str(found)) == found
    assert type(found).parse("crm/contact") is None
