"""A log that was tampered with tells where."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest
from decision_logs import log

from cdm_pipelines.identity.chain import GENESIS, Fault, Head, digest, verify
from cdm_pipelines.identity.decisions import Decision

LOG = log(
    ("same", "a", "b"), ("different", "a", "c"), ("set", "a", "+31101234567"), ("undo", 1), ("confirm", "ab")
)
HEADS = [Head(entry.decision_id, entry.hash) for entry in LOG]


def edited(number: int) -> list[Decision]:
    return [replace(e, reason="other") if e.decision_id == number else e for e in LOG]


def without(*numbers: int) -> list[Decision]:
    return [entry for entry in LOG if entry.decision_id not in numbers]


def swapped() -> list[Decision]:
    places = {2: 3, 3: 2}
    return [replace(e, decision_id=places.get(e.decision_id, e.decision_id)) for e in LOG]


def rewritten(number: int) -> list[Decision]:
    """Edited by one who knows how hashes are made."""
    entries = edited(number)
    entries[number - 1] = replace(entries[number - 1], hash=digest(entries[number - 1]))
    return entries


def closed_up() -> list[Decision]:
    """The second one is removed, and the others numbered anew."""
    return [e if e.decision_id == 1 else replace(e, decision_id=e.decision_id - 1) for e in without(2)]


TAMPERED: list[tuple[str, list[Decision], dict[int, str]]] = [
    ("nothing", LOG, {}),
    ("edited", edited(3), {3: "edited"}),
    ("the first edited", edited(1), {1: "edited"}),
    ("removed", without(3), {3: "removed"}),
    ("the first removed", without(1), {1: "removed"}),
    ("several removed", without(2, 3), {2: "removed", 3: "removed"}),
    ("the last removed", without(5), {5: "removed"}),
    ("all removed", [], dict.fromkeys(range(1, 6), "removed")),
    (
        "reordered",
        swapped(),
        {2: "moved: it was recorded as decision 3", 3: "moved: it was recorded as decision 2"},
    ),
    ("edited with a fitting hash", rewritten(3), {3: "replaced"}),
    ("the last edited with a fitting hash", rewritten(5), {5: "replaced"}),
]


@pytest.mark.parametrize("case", TAMPERED, ids=lambda case: case[0])
def test_tampering_is_told_by_decision(case: tuple[str, list[Decision], dict[int, str]]) -> None:
    _, entries, expected = case
    found = {fault.decision_id: fault.text for fault in verify(entries[::-1], HEADS)}
    assert found.keys() == expected.keys()
    assert all(expected[number] in text for number, text in found.items())


def test_numbers_closed_up_over_a_removed_one_are_told() -> None:
    assert {fault.decision_id for fault in verify(closed_up(), HEADS)} >= {2, 3, 4, 5}


def test_a_cut_log_is_whole_to_itself_and_told_by_a_head_noted_elsewhere() -> None:
    assert verify(without(5)) == []
    (fault,) = verify(without(5), [HEADS[-1]])
    assert isinstance(fault, Fault)
    assert fault.decision_id == 5


def test_the_hash_is_what_the_documentation_says() -> None:
    entry = LOG[1]
    content = {
        "decided_at": "2026-06-01T12:01:00.000000Z",
        "decided_by": "Stien",
        "decision_id": 2,
        "kind": "different",
        "previous_hash": LOG[0].hash,
        "reason": 'because é "quoted"',
        "subject": {"left": [["crm", "contact", "a"]], "right": [["crm", "contact", "c"]]},
        "undoes": None,
    }
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    assert entry.hash == sha256(text.encode()).hexdigest()
    assert LOG[0].previous_hash == GENESIS
