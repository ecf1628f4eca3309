"""A log that was tampered with tells where, and what was erased from it on purpose is told apart."""

import datetime as dt
import hmac
import json
import random
from dataclasses import replace
from hashlib import sha256

import pytest
from decision_logs import kept, log
from hypothesis import given
from hypothesis import strategies as st

from cdm_pipelines.identity.chain import GENESIS, Head, Verdict, digest, verify
from cdm_pipelines.identity.decisions import DecisionError
from cdm_pipelines.identity.effective import State, effective
from cdm_pipelines.identity.entries import Detail, Entry, Part

DECIDED = (
    ("same", "a", "b"),
    ("different", "a", "c"),
    ("set", "a", "+31101234567"),
    ("undo", 1),
    ("confirm", "ab"),
)
LOG, DETAILS = kept(*DECIDED)
HEADS = [Head(entry.decision_id, entry.hash) for entry in LOG]
AUTHOR, REASON, VALUE = 0, 1, 2  # places within decision 3, which set a value


def edited(number: int) -> list[Entry]:
    return [replace(e, undoes=9) if e.decision_id == number else e for e in LOG]


def without(*numbers: int) -> list[Entry]:
    return [entry for entry in LOG if entry.decision_id not in numbers]


def swapped() -> list[Entry]:
    places = {2: 3, 3: 2}
    return [replace(e, decision_id=places.get(e.decision_id, e.decision_id)) for e in LOG]


def rewritten(number: int) -> list[Entry]:
    """Edited by one who knows how hashes are made."""
    entries = edited(number)
    entries[number - 1] = replace(entries[number - 1], hash=digest(entries[number - 1]))
    return entries


def closed_up() -> list[Entry]:
    """The second one is removed, and the others numbered anew."""
    return [e if e.decision_id == 1 else replace(e, decision_id=e.decision_id - 1) for e in without(2)]


TAMPERED: list[tuple[str, list[Entry], dict[int, str]]] = [
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
def test_tampering_is_told_by_decision(case: tuple[str, list[Entry], dict[int, str]]) -> None:
    _, entries, expected = case
    found = {fault.decision_id: fault.text for fault in verify(entries[::-1], DETAILS, HEADS).faults}
    assert found.keys() == expected.keys()
    assert all(expected[number] in text for number, text in found.items())


def test_numbers_closed_up_over_a_removed_one_are_told() -> None:
    assert {fault.decision_id for fault in verify(closed_up(), DETAILS, HEADS).faults} >= {2, 3, 4, 5}


def test_a_cut_log_is_whole_to_itself_and_told_by_a_head_noted_elsewhere() -> None:
    details = [detail for detail in DETAILS if detail.decision_id != 5]
    assert verify(without(5), details).faults == []
    (fault,) = verify(without(5), details, [HEADS[-1]]).faults
    assert fault.decision_id == 5


def test_the_hash_is_what_the_documentation_says() -> None:
    entry = LOG[1]
    content = {
        "about": {},
        "decided_at": "2026-06-01T12:01:00.000000Z",
        "decision_id": 2,
        "kind": "different",
        "parts": ["author", "reason", "record", "record"],
        "previous_hash": LOG[0].hash,
        "seals": list(entry.seals),
        "undoes": None,
    }
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    assert entry.hash == sha256(text.encode()).hexdigest()
    assert LOG[0].previous_hash == GENESIS


def test_the_seal_is_what_the_documentation_says() -> None:
    detail = next(d for d in DETAILS if (d.decision_id, d.place) == (2, 1))
    text = json.dumps(
        [2, 1, "reason", json.dumps('because é "quoted"', ensure_ascii=False)],
        separators=(",", ":"),
        ensure_ascii=False,
    )
    assert LOG[1].seals[1] == hmac.digest(detail.salt, text.encode(), "sha256").hex()
    assert len(detail.salt) == 32


def changed(number: int, at: int, **values: object) -> list[Detail]:
    return [replace(d, **values) if (d.decision_id, d.place) == (number, at) else d for d in DETAILS]  # type: ignore[arg-type]


def dropped(*places: tuple[int, int]) -> list[Detail]:
    return [detail for detail in DETAILS if (detail.decision_id, detail.place) not in places]


def exchanged(one: tuple[int, int], other: tuple[int, int]) -> list[Detail]:
    """What two details say, each with the salt that it was sealed under, in each other's place."""
    at = {(d.decision_id, d.place): d for d in DETAILS}
    taken = {one: at[other], other: at[one]}
    return [
        replace(d, salt=taken[key].salt, content=taken[key].content)
        if (key := (d.decision_id, d.place)) in taken
        else d
        for d in DETAILS
    ]


ALTERED: list[tuple[str, list[Detail], list[str]]] = [
    ("nothing", DETAILS, []),
    ("another author", changed(3, AUTHOR, content='"Guus"'), ["the author of decision 3 was altered"]),
    ("another reason", changed(3, REASON, content='""'), ["the reason of decision 3 was altered"]),
    ("no JSON", changed(3, VALUE, content="{"), ["the value of decision 3 was altered"]),
    ("another salt", changed(3, VALUE, salt=bytes(32)), ["the value of decision 3 was altered"]),
    ("no salt", changed(3, VALUE, salt=b""), ["the value of decision 3 was altered"]),
    (
        "moved within",
        changed(3, VALUE, place=9),
        [
            "the value of decision 3 was removed, and no erasure is on record",
            "decision 3 has a detail that was never recorded",
        ],
    ),
    (
        "moved to another",
        changed(3, VALUE, decision_id=4),
        [
            "the value of decision 3 was removed, and no erasure is on record",
            "decision 4 has a detail that was never recorded",
        ],
    ),
    ("removed", dropped((3, VALUE)), ["the value of decision 3 was removed, and no erasure is on record"]),
    (
        "removed, several",
        dropped((1, 2), (1, 3), (5, 0)),
        [
            "the record of decision 1 was removed, and no erasure is on record",
            "the author of decision 5 was removed, and no erasure is on record",
        ],
    ),
    ("added", [*DETAILS, Detail(4, 2, bytes(32), '""')], ["decision 4 has a detail that was never recorded"]),
    (
        "added to none",
        [*DETAILS, Detail(9, 0, bytes(32), '""')],
        ["decision 9 has a detail that was never recorded"],
    ),
    (
        "exchanged between decisions",
        exchanged((1, AUTHOR), (2, AUTHOR)),
        ["the author of decision 1 was altered", "the author of decision 2 was altered"],
    ),
    ("exchanged within", exchanged((1, 2), (1, 3)), ["the record of decision 1 was altered"]),
]


@pytest.mark.parametrize("case", ALTERED, ids=lambda case: case[0])
def test_altered_details_are_told_by_decision_and_part(case: tuple[str, list[Detail], list[str]]) -> None:
    _, details, expected = case
    assert [fault.text for fault in verify(LOG, details[::-1], HEADS).faults] == expected


def with_erasure(*about: tuple[int, ...]) -> tuple[list[Entry], list[Detail]]:
    """The log with an erasure at its end, and the details without what it erased."""
    entries, details = kept(*DECIDED, ("erase", *about))
    gone = {(number, place) for number, *places in about for place in places}
    return entries, [detail for detail in details if (detail.decision_id, detail.place) not in gone]


def verdict(entries: list[Entry], details: list[Detail]) -> Verdict:
    return verify(entries, details, [Head(entry.decision_id, entry.hash) for entry in entries])


def test_what_was_erased_is_told_with_who_and_when_and_is_no_fault() -> None:
    found = verdict(*with_erasure((3, AUTHOR, REASON), (1, 2)))
    assert found.faults == []
    assert [erasure.text for erasure in found.erased] == [
        "record of decision 1, by decision 6 on 2026-06-01 (privacy officer)",
        "author and reason of decision 3, by decision 6 on 2026-06-01 (privacy officer)",
    ]


def test_an_erasure_covers_only_what_it_names() -> None:
    entries, details = with_erasure((3, AUTHOR))
    details = [detail for detail in details if (detail.decision_id, detail.place) != (3, REASON)]
    assert [fault.text for fault in verdict(entries, details).faults] == [
        "the reason of decision 3 was removed, and no erasure is on record"
    ]


def test_what_was_erased_and_is_there_again_is_told() -> None:
    entries, details = kept(*DECIDED, ("erase", (3, AUTHOR)))
    (fault,) = verdict(entries, details).faults
    assert fault.text == "the author of decision 3 is there again, after decision 6 erased it"


def test_an_erasure_that_was_edited_excuses_nothing() -> None:
    entries, details = with_erasure((3, AUTHOR))
    details = [detail for detail in details if (detail.decision_id, detail.place) != (2, AUTHOR)]
    about = {**entries[-1].about, "erased": [[2, [AUTHOR]], [3, [AUTHOR]]]}
    entries[-1] = replace(entries[-1], about=about)
    assert [fault.decision_id for fault in verdict(entries, details).faults] == [2, 3, 6]


def test_the_log_alone_confirms_no_guess() -> None:
    """Whoever has the log and all its salts but the erased one tries every birth date, and learns nothing."""
    born = dt.date(1987, 4, 23)
    entries, details = kept(
        ("set", "a", "+31101234567"), ("set", "b", born.isoformat()), ("erase", (2, VALUE))
    )
    [secret] = [detail for detail in details if (detail.decision_id, detail.place) == (2, VALUE)]
    seal = entries[1].seals[VALUE]
    assert secret.seal("value") == seal, "the guess below is spelled as it was recorded"
    left = [detail.salt for detail in details if detail is not secret]
    salts = [b"", bytes(32), bytes.fromhex(entries[0].hash), bytes.fromhex(seal), *left]
    told = json.loads(secret.content)
    for day in range(-40, 41):
        guess = json.dumps(
            {**told, "value": (born + dt.timedelta(days=day)).isoformat()},
            separators=(",", ":"),
            sort_keys=True,
        )
        assert seal not in {Detail(2, VALUE, salt, guess).seal("value") for salt in salts}
        assert seal != sha256(guess.encode()).hexdigest()


def test_equal_values_have_unequal_seals_and_fingerprints() -> None:
    entries, details = kept(("set", "a", "x"), ("set", "a", "x"))
    assert not set(entries[0].seals) & set(entries[1].seals)
    told = [json.loads(detail.content) for detail in details if "overruled" in detail.content]
    assert len({record[-1] for record in told}) == 2


def test_a_decision_keeps_its_effect_without_author_and_reason() -> None:
    decisions = log(*DECIDED)
    entries, details = kept(*DECIDED)
    left = [
        detail
        for detail in details
        if entries[detail.decision_id - 1].parts[detail.place] not in ("author", "reason")
    ]
    bare = [entry.decision([d for d in left if d.decision_id == entry.decision_id]) for entry in entries]
    assert all((decision.decided_by, decision.reason) == (None, None) for decision in bare)
    assert effective(bare).states == effective(decisions).states
    assert [decision.records for decision in effective(bare).decisions] == [
        decision.records for decision in effective(decisions).decisions
    ]


EFFECTS: list[tuple[str, tuple[object, ...], set[int], State]] = [
    ("same, one side", ("same", "a", "b"), {2}, State.ERASED),
    ("different, one of many", ("different", "a", "bc"), {3}, State.EFFECTIVE),
    ("different, one side", ("different", "a", "bc"), {3, 4}, State.ERASED),
    ("confirm, one of many", ("confirm", "abc"), {3}, State.EFFECTIVE),
    ("confirm, all", ("confirm", "abc"), {2, 3, 4}, State.ERASED),
    ("set, its value", ("set", "a", "x"), {VALUE}, State.ERASED),
    ("set, its record", ("set", "a", "x"), {3}, State.ERASED),
    ("set, a record it overruled", ("set", "a", "x"), {4}, State.EFFECTIVE),
]


@pytest.mark.parametrize("case", EFFECTS, ids=lambda case: case[0])
def test_a_decision_without_what_it_needs_has_no_effect(
    case: tuple[str, tuple[object, ...], set[int], State],
) -> None:
    _, entry, gone, expected = case
    (recorded,), details = kept(entry)
    decision = recorded.decision([detail for detail in details if detail.place not in gone])
    found = effective([decision])
    assert found.states == {1: expected}
    assert bool(found.decisions) == (expected is State.EFFECTIVE)


def test_a_detail_that_cannot_be_read_is_no_traceback() -> None:
    with pytest.raises(DecisionError, match=r"Decision 3 cannot be read.*steward verify"):
        LOG[2].decision([d for d in changed(3, VALUE, content="{") if d.decision_id == 3])


KINDS = [("same", "a", "b"), ("different", "a", "bc"), ("confirm", "ab"), ("set", "a", "x"), ("undo", 1)]


@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_any_log_is_whole_with_any_erasures_and_any_other_loss_is_told(
    entries: list[tuple[object, ...]], chance: random.Random
) -> None:
    _, details = kept(*entries)
    gone = [d for d in details if chance.random() < 0.5]
    found, details = kept(*entries, ("erase", *((d.decision_id, d.place) for d in gone)))
    taken = {(d.decision_id, d.place) for d in gone}
    left = [d for d in details if (d.decision_id, d.place) not in taken]
    assert verdict(found, left).faults == []
    assert sum(len(erasure.parts) for erasure in verdict(found, left).erased) <= len(gone)
    lost = chance.choice(left)
    (fault,) = verdict(found, [d for d in left if d is not lost]).faults
    assert fault.decision_id == lost.decision_id


def test_parts_have_names_that_people_read() -> None:
    assert {str(part) for part in Part} == {"author", "reason", "record", "value", "former head"}
