"""What a person has put right stays, and owners of sources are told, also where the data may be used for nothing."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from .conftest import DAYS, Deployment
from .test_feed import corrections

RIGHT = "Elderstad"
ASKS = {"restricted": ("restrict",), "objected": ("object", "--purpose", "identity"), "alone": ()}
"""What each person asked for before: that their data is used for nothing, or not for this; or nothing at all."""
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Rectified:
    """A deployment in which the city of some persons was put right, a run later.

    Attributes:
        home: The deployment.
        persons: Golden ids; of the first two, other cells disagreed before, and the last has one record.
        held: The records of each, of that run.
        said: What the command said.
    """

    home: Deployment
    persons: dict[str, str]
    held: dict[str, set[Key]]
    said: str


def held_by(home: Deployment, golden_id: str) -> set[Key]:
    """Records of a customer, by their keys."""
    found = home.query(
        f"SELECT source, entity, record_id FROM golden.crosswalk WHERE golden_id = '{golden_id}' AND active"
    )
    return {(str(source), str(entity), str(record)) for source, entity, record in found}


@pytest.fixture(scope="module")
def rectified(lived: Callable[..., Deployment]) -> Rectified:
    home = lived(DAYS[0])
    disagree = {row["golden_id"] for rows in corrections(home).values() for row in rows}
    living = (
        "party_kind = 'person' AND city IS NOT NULL AND golden_id IN (SELECT golden_id FROM golden.crosswalk)"
    )
    several, single = (
        [
            str(one)
            for (one,) in home.query(
                f"SELECT golden_id::text FROM golden.customer WHERE {living} AND record_count {number} ORDER BY 1"
            )
        ]
        for number in ("> 1", "= 1")
    )
    chosen = [one for one in several if one in disagree][:2] + single[:1]
    persons = dict(zip(ASKS, chosen, strict=True))
    said = ""
    for name, golden_id in persons.items():
        if ASKS[name]:
            kind, *more = ASKS[name]
            home.ask("privacy", kind, golden_id, *more, "--by", "Petra")
        said = home.ask(
            "privacy", "rectify", golden_id, f"city={RIGHT}", "--by", "Petra", "--reason", "letter 12"
        )
    assert home.run(DAYS[1]) == 0
    held = {name: held_by(home, golden_id) for name, golden_id in persons.items()}
    return Rectified(home, persons, held, said)


def told_of(home: Deployment, golden_id: str) -> list[tuple[Key, str, str]]:
    """What owners are told of a customer: the record, the column, and what should stand there."""
    return [
        ((source, row["entity"], row["record_id"]), row["column"], row["golden_value"])
        for source, rows in corrections(home).items()
        for row in rows
        if row["golden_id"] == golden_id
    ]


@pytest.mark.parametrize("who", ASKS)
def test_what_was_put_right_is_the_golden_value_and_each_owner_is_told(
    rectified: Rectified, who: str
) -> None:
    home, golden_id = rectified.home, rectified.persons[who]
    assert home.query(f"SELECT city FROM golden.customer WHERE golden_id = '{golden_id}'") == [(RIGHT,)]
    told = [one for one in told_of(home, golden_id) if one[2] == RIGHT]
    assert {record for record, _, _ in told} == rectified.held[who]
    assert "tells the owners of sources that say something else" in rectified.said.replace("\n", " ")


@pytest.mark.parametrize("who", ["restricted", "objected"])
def test_of_who_may_not_be_used_for_it_nothing_else_is_told(rectified: Rectified, who: str) -> None:
    told = told_of(rectified.home, rectified.persons[who])
    assert {value for _, _, value in told} == {RIGHT}


def test_each_is_a_request_that_names_its_decision(rectified: Rectified) -> None:
    requests = rectified.home.query(
        "SELECT kind, state, place FROM privacy.request JOIN privacy.request_step USING (request_id)"
    )
    decisions = rectified.home.query("SELECT decision_id FROM identity.decision ORDER BY 1")
    assert sorted(requests) == [("rectify", "done", f"decision {number}") for (number,) in decisions]
    assert len(requests) == len(ASKS)
    assert rectified.home.ask("privacy", "requests").count("rectify") == len(ASKS)


def test_what_a_steward_set_unasked_is_not_told_of_who_may_not_be_used(rectified: Rectified) -> None:
    """Only what the person asked for leaves: the file follows the restriction in all else."""
    home, golden_id = rectified.home, rectified.persons["restricted"]
    home.ask("steward", "set", golden_id, "job_title=keeper of bees", "--by", "Stien")
    assert home.run(DAYS[2]) == 0
    told = told_of(home, golden_id)
    assert told
    assert {value for _, _, value in told} == {RIGHT}
