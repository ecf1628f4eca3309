"""Names in each other's place, and records that a group as a whole takes in."""

import numpy as np
import pytest
from linkage_examples import comparison, records_of

from cdm_pipelines.linkage.cluster.agglomerate import Evidence, Groups, JoinLimits
from cdm_pipelines.linkage.compare.comparers import bound
from cdm_pipelines.linkage.model.fellegi_sunter import Floats
from cdm_pipelines.linkage.model.scoring import Scores


@pytest.mark.parametrize(
    ("left", "right", "meaning"),
    [
        (("joe", "clarke"), ("clarke", "joe"), "swapped"),
        (("zarran", "bradshaw"), ("bradshaw", "zarrna"), "swapped"),
        (("clarke", None), ("joe", "clarke"), "in the surname's place"),
        ((None, "joe"), ("joe", "clarke"), "in the surname's place"),
        (("frank", "hadow"), ("hadow", "patricia"), "different"),
        (("james", "james"), ("james", "smith"), "equal"),
    ],
)
def test_names_in_each_others_place(
    left: tuple[str | None, str], right: tuple[str, str], meaning: str
) -> None:
    records = records_of(
        [dict(zip("ab", left, strict=True)), dict(zip("ab", right, strict=True))],
        {"a": "name", "b": "surname"},
    )
    given = bound(records, comparison(kind="given_name", column="a", surname="b"), None)
    family = bound(records, comparison(kind="surname", column="b", given_name="a"), None)
    first, second = np.array([0], dtype=np.int32), np.array([1], dtype=np.int32)
    for a, b in ((first, second), (second, first)):
        assert given.labels[given.levels(a, b)[0]] == meaning
        if meaning in {"swapped", "in the surname's place"}:
            assert family.levels(a, b)[0] == -1


def weigh(match: Floats, related: Floats) -> Scores:
    return Scores(match, match)


def groups(
    given: list[int],
    pairs: list[tuple[int, int]],
    bits: list[float],
    votes: list[int],
    part: list[int] | None = None,
) -> list[int]:
    left, right = np.array(pairs, dtype=np.int64).T
    match = np.array(bits, dtype=np.float32)[:, None]
    nothing = np.zeros(len(pairs), dtype=bool)
    evidence = Evidence(np.array(bits), match, np.zeros_like(match), nothing, np.array(votes))
    limits = JoinLimits(match=0.0, support=0.0, most=100)
    within = np.array(part or [0] * len(given))
    return list(Groups.of(np.array(given), within, left, right, evidence).joined(weigh, limits))


TO_THREE = [(0, 3), (1, 3), (2, 3)]


def test_a_record_joins_a_group_that_holds_its_values_among_others() -> None:
    assert groups([0, 0, 0, 3], TO_THREE, [4.0, -5.0, -5.0], [0, 0, 0]) == [0, 0, 0, 0]
    assert groups([0, 0, 0, 3], TO_THREE, [1.0, -5.0, -5.0], [0, 0, 0]) == [0, 0, 0, 3]


def test_one_agreement_between_two_groups_does_not_outweigh_their_disagreements() -> None:
    pairs = [(a, b) for a in (0, 1, 2) for b in (3, 4, 5)]
    assert groups([0, 0, 0, 3, 3, 3], pairs, [6.0] + [-5.0] * 8, [0] * 9) == [0, 0, 0, 3, 3, 3]


def test_groups_stay_apart_where_most_of_their_pairs_contradict() -> None:
    assert groups([0, 0, 0, 3], TO_THREE, [5.0] * 3, [1, -1, -1]) == [0, 0, 0, 0]
    assert groups([0, 0, 0, 3], TO_THREE, [5.0] * 3, [1, 1, -1]) == [0, 0, 0, 3]


def test_groups_that_were_joined_are_weighed_anew() -> None:
    pairs, bits = [(0, 1), (2, 3), (0, 2), (0, 3), (1, 2), (1, 3)], [20.0, 20.0, 5.0, -30.0, -30.0, -30.0]
    assert groups([0, 1, 2, 3], pairs, bits, [0] * 6) == [0, 0, 2, 2]
    assert groups([0, 1, 2, 3], pairs, [20.0, 20.0, *[5.0] * 4], [0] * 6) == [0, 0, 0, 0]


def test_a_component_that_is_done_is_no_matter_to_another() -> None:
    chain = [(0, 1), (1, 2), (0, 2), (0, 3), (1, 3), (2, 3)]
    bits = [9.0, 8.0, 7.0, 6.0, 5.0, -2.0]
    alone = groups([0, 1, 2, 3], chain, bits, [0] * 6)
    apart = [-9.0, -9.0, -9.0]
    both = [(a + 3, b + 3) for a, b in chain]
    found = groups(list(range(7)), [(0, 1), (0, 2), (1, 2), *both], apart + bits, [0] * 9, [0] * 3 + [3] * 4)
    assert found == [0, 1, 2, *(one + 3 for one in alone)]
    assert alone == [0, 0, 0, 0]
